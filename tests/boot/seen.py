"""What a sysadmin sees of a daemon that does not answer or does not start, and of what waits."""

import time

from stage import UNIT, ensure, until

STATE = '/var/lib/odoo-spoold'
INCOMING = '/var/spool/odoo-spoold/eu/incoming'
CONFIG = '/etc/odoo-spoold/config.toml'
# Nothing may take longer: 5 s for status, and what a busy machine adds.
SOON = 20


def asked(m, *words):
    """Exit code, words, and that it ended."""
    began = time.monotonic()
    code, said = m.ask(*words)
    ensure(time.monotonic() - began < SOON, '%s took %d s' % (' '.join(words), time.monotonic() - began))
    return code, said


def silent(w):
    m, check = w.machine, w.report.check
    with check('a stopped process: status ends with 1 and says what systemd says, monitoring hears 2'):
        pid = m.pid()
        m.run('kill', '-STOP', str(pid))
        try:
            code, said = asked(m, 'odoo-spoold', 'status')
            ensure(code == 1 and said.startswith('Fault: the daemon does not answer; systemd says: active (running)'), said)
            code, said = asked(m, 'odoo-spoold', 'status', '--check')
            ensure(code == 2 and len(said.splitlines()) == 1 and said.startswith('ODOO-SPOOLD CRITICAL - '), said)
            code, said = asked(m, 'odoo-spoold', 'files', '--timeout', '2')
            ensure(code == 1 and 'there was no answer within 2 s; systemd says: active' in said, said)
        finally:
            m.run('kill', '-CONT', str(pid))
        ensure(asked(m, 'odoo-spoold', 'status')[0] == 0 and m.pid() == pid, 'it does not go on')
    with check('a file of the state that belongs to root: 78, no second try, and the command that helps'):
        m.run('systemctl', 'stop', UNIT)
        m.run('chown', 'root:root', STATE + '/store/db')
        ensure(m.ask('systemctl', 'start', UNIT)[0] != 0, 'it started')
        time.sleep(6)  # RestartSec is 5
        ensure(m.show('ExecMainStatus') == '78' and m.show('NRestarts') == '0', m.show('ExecMainStatus'))
        line = '%s/store/db belongs to root, must belong to odoo-spoold: chown -R odoo-spoold: %s' % (STATE, STATE)
        code, said = asked(m, 'odoo-spoold', 'status')
        ensure(code == 1 and said.startswith('Fault: the daemon does not start (78): ') and line in said, said)
        code, said = asked(m, 'odoo-spoold', 'status', '--check')
        ensure(code == 2 and 'does not start (78)' in said, said)
        said = m.run('journalctl', '-u', UNIT, '-o', 'cat', '-n', '20')
        ensure(line in said and 'the daemon ends' not in said, said)
        m.run('chown', '-R', 'odoo-spoold:', STATE)
        m.run('systemctl', 'reset-failed', UNIT)
        m.run('systemctl', 'start', UNIT)
        ensure(m.status()['running'], 'it does not run')
    with check('the pauses between starts grow where systemd knows how'):
        version = int(m.run('systemctl', '--version').split()[1])
        if version >= 254:
            ensure(m.show('RestartSteps') == '8', m.show('RestartSteps'))


def told(w):
    m, check = w.machine, w.report.check
    with check("a file that the daemon may not read: the group that it wants, and where the file is"):
        m.shell('umask 077; cd %s; echo x >".Max Mustermann.tmp"; chgrp root ".Max Mustermann.tmp"; '
                'mv ".Max Mustermann.tmp" "Max Mustermann.txt"' % INCOMING)
        inode = m.run('stat', '-c', '%i', INCOMING + '/Max Mustermann.txt').strip()
        until(lambda: 'find %s -inum %s' % (INCOMING, inode) in m.ask('odoo-spoold', 'status')[1], 'the file to be told')
        said = m.run('odoo-spoold', 'status')
        ensure('it belongs to group root: chgrp odoo-spoold-drop FILE && chmod g+r FILE' in said, said)
        ensure('Mustermann' not in said, said)
        m.run('rm', INCOMING + '/Max Mustermann.txt')
    with check('what a reload cannot take over stands in the status'):
        before = m.run('cat', CONFIG)
        m.write(CONFIG, before.replace('[odoo]\n', '[odoo]\nbatch = 77\n', 1))
        m.run('systemctl', 'reload', UNIT)
        said = m.run('odoo-spoold', 'status')
        ensure('config.toml is newer than what runs: odoo.batch; `systemctl restart odoo-spoold`' in said, said)
        m.write(CONFIG, before)
        m.run('systemctl', 'reload', UNIT)
        ensure('is newer than what runs' not in m.run('odoo-spoold', 'status'), 'it still says so')
    with check('check as another user says who may run it'):
        code, said = asked(m, 'runuser', '-u', 'odoo', '--', 'odoo-spoold', 'check')
        ensure(code == 1 and 'run this as root' in said and 'FAIL' not in said, said)
