"""A daemon's life: reloaded, hung, killed, upgraded, refused, removed, purged."""
import json
import os
import subprocess
import time

from deliver import READY
from stage import SOCKET, UNIT, ensure, until

CONFIG = '/etc/odoo-spoold/config.toml'
RELOAD_REFUSED = '1060cbdfecfb4bbaa83d20f1381a5812'
RELOADED = 'b0956979c1f149ceb52b39b19cfc8d2b'
LOG_DROPPED = 'f72e4a510d1b4c6187e641c51da3af96'
# More than the queue holds (4096) and a socket's buffer besides.
BURST = 9000
JOURNAL_STOPPED_SECS = 61
KILLED_ORDERS = 260
# Requests to tell the cost of a record from.
LOGGED = 3000


def burst_cost(m):
    """CPU seconds of the daemon for a burst of requests, each of which is a debug record."""
    began = m.cpu()
    m.run('python3', '/checks/poll.py', '--burst', str(LOGGED))
    # The writing thread may be behind.
    m.run('journalctl', '--sync')
    time.sleep(1)
    return m.cpu() - began


def reloading(w):
    m, check = w.machine, w.report.check
    text = m.run('cat', CONFIG)
    quiet = burst_cost(m)
    with check('reload: a good change is in force when systemctl comes back'):
        pid, before = m.pid(), len(m.journal('MESSAGE_ID=' + RELOADED))
        m.write(CONFIG, text + '\n[log]\nlevel = "debug"\n')
        m.run('systemctl', 'reload', UNIT)
        ensure(len(m.journal('MESSAGE_ID=' + RELOADED)) == before + 1, 'not told, or twice')
        m.status()
        ensure(m.journal('VERB=status'), 'debug is not in force')
        ensure(m.pid() == pid, 'another process')
    w.report.measured('CPU of a journal record', '%d µs' % max(0, (burst_cost(m) - quiet) * 1e6 / LOGGED))
    with check('reload: a bad change fails, is explained, and the old settings hold on'):
        m.write(CONFIG, text.replace('[odoo]', '[odoo]\nbatsch = 5'))
        code, _ = m.ask('systemctl', 'reload', UNIT)
        ensure(code != 0, 'systemctl reload says all is well')
        ensure(m.active() == 'active' and m.pid() == pid, m.active())
        ensure(m.show('StatusText'), 'the reload took the status away')
        ensure(m.status()['running'], 'a client must find the daemon while its settings file is wrong')
        ensure(m.journal('MESSAGE_ID=' + RELOAD_REFUSED), 'not told')
        ensure('batsch' in m.run('journalctl', '-u', UNIT, '-o', 'cat', '--no-pager'), 'the key is not named')
    m.write(CONFIG, text)
    m.run('systemctl', 'reload', UNIT)


def activation(w):
    m = w.machine
    with w.report.check('a client starts the stopped service through the socket'):
        m.run('systemctl', 'stop', UNIT)
        ensure(m.active() == 'inactive' and m.active(SOCKET) == 'active', m.active())
        ensure(m.status()['running'], 'not running')
        ensure(m.active() == 'active', m.active())


def hanging(w):
    m = w.machine
    with w.report.check('a hung daemon is killed by the watchdog and comes back'):
        m.shell('mkdir -p /run/systemd/system/odoo-spoold.service.d; '
                'printf "[Service]\\nWatchdogSec=12\\nRestartSec=1\\n" >/run/systemd/system/odoo-spoold.service.d/test.conf; '
                'systemctl daemon-reload; systemctl restart odoo-spoold')
        pid, restarts = m.pid(), int(m.show('NRestarts'))
        # Fed while it lives, though nothing happens for longer than the watchdog waits.
        time.sleep(20)
        ensure(m.pid() == pid, 'killed while it was well')
        m.run('kill', '-STOP', str(pid))
        until(lambda: int(m.show('NRestarts')) == restarts + 1 and m.active() == 'active', 'restarted', 30)
        ensure('watchdog' in m.run('journalctl', '--no-pager', '-o', 'cat', '_PID=1', '-u', UNIT).lower(), 'not by the watchdog')
        ensure(m.status()['running'] and m.pid() != pid, 'does not answer')
    m.run('rm', '-r', '/run/systemd/system/odoo-spoold.service.d')
    m.run('systemctl', 'daemon-reload')


def killed(w):
    m = w.machine
    with w.report.check('kill -9 in the middle of delivering: each order once'):
        # Odoo has them a hundred at a time.
        w.deliver(w.filler('killed.txt', KILLED_ORDERS, 1))
        until(lambda: len(w.odoo.orders()) > 8, 'the first orders arrive', step=0.05)
        m.run('systemctl', 'kill', '-s', 'KILL', UNIT)
        seen = len(w.odoo.orders()) - 8
        ensure(seen < KILLED_ORDERS, 'killed too late to prove anything')
        until(lambda: m.active() == 'active', 'started again', 60)
        m.idle()
        w.odoo_agrees()
        w.report.measured('orders in Odoo when it was killed', '%d of %d' % (seen, KILLED_ORDERS))
        w.report.measured('resident memory at most, while it delivered these', '%d MiB' % (m.memory('VmHWM') >> 20))


def journal_stopped(w):
    m = w.machine
    with w.report.check('journald stopped for %d s: answers go on, nothing hangs, what was dropped is counted'
                        % JOURNAL_STOPPED_SECS):
        text = m.run('cat', CONFIG)
        m.write(CONFIG, text + '\n[log]\nlevel = "debug"\n')
        m.run('systemctl', 'reload', UNIT)
        pid, restarts, began = m.pid(), m.show('NRestarts'), time.monotonic()
        journald = m.show('MainPID', 'systemd-journald.service')
        m.run('kill', '-STOP', journald)
        try:
            said = m.run('python3', '/checks/poll.py', '--burst', str(BURST))
            ensure(json.loads(said)['asked'] == BURST, said)
            while time.monotonic() - began < JOURNAL_STOPPED_SECS:
                m.run('python3', '/checks/poll.py', '--burst', '1')
                time.sleep(1)
        finally:
            m.run('kill', '-CONT', journald)
        dropped = until(lambda: m.journal('MESSAGE_ID=' + LOG_DROPPED), 'the drops are told', 30)
        ensure(int(dropped[-1]['RECORDS']) > 0 and dropped[-1]['PRIORITY'] == '4', dropped[-1])
        ensure(m.pid() == pid and m.show('NRestarts') == restarts, 'restarted')
        m.write(CONFIG, text)
        m.run('systemctl', 'reload', UNIT)


def upgrading(w):
    m = w.machine
    with w.report.check('upgrade of a busy daemon: no client is refused, the socket never closes'):
        opened, pid = m.show('ActiveEnterTimestampMonotonic', SOCKET), m.pid()
        m.run('touch', '/run/polling')
        polling = subprocess.Popen(m.command('python3', '/checks/poll.py', '/run/polling'), stdout=subprocess.PIPE)
        try:
            w.deliver(w.filler('upgraded.txt', 150, 1001))
            until(lambda: m.status()['accounts'][0]['orders']['pending'] > 0, 'busy', step=0.05)
            w.install(w.following)
        finally:
            m.run('rm', '/run/polling')
            said = json.loads(polling.communicate(timeout=240)[0])
        w.report.measured('clients during the upgrade', said)
        ensure(said['asked'] > 10 and not said['refused'] and not said['cut'], said)
        ensure(m.pid() != pid and m.active() == 'active', 'not started again')
        ensure(m.show('ActiveEnterTimestampMonotonic', SOCKET) == opened, 'the socket was opened anew')
        ensure('+next1' in m.run('dpkg-query', '-W', 'odoo-spoold'), 'not upgraded')
        m.idle()
        w.odoo_agrees()
    with w.report.check('upgrade keeps settings that were changed, and asks nothing'):
        ensure('[odoo]' in m.run('cat', CONFIG) and m.ask('ls', CONFIG + '.dpkg-dist')[0] != 0, 'config.toml')
    with w.report.check('upgrade leaves stopped what was stopped'):
        m.run('systemctl', 'stop', SOCKET, UNIT)
        w.install(w.following, '--reinstall')
        ensure(m.active() == 'inactive' and m.active(SOCKET) == 'inactive', m.active())
        m.run('systemctl', 'start', UNIT)


def downgrading(w):
    m, check = w.machine, w.report.check
    known = m.run('cat', '/var/lib/odoo-spoold/SCHEMA')
    with check('downgrade below the state is refused, and the newer one runs on'):
        pid = m.pid()
        m.write('/var/lib/odoo-spoold/SCHEMA', '99\n')
        code, said = w.apt('install', '/deb/' + os.path.basename(w.package))
        ensure(code != 0 and 'schema 99' in said and 'Install the newer version' in said, said)
        ensure('+next1' in m.run('dpkg-query', '-W', '-f', '${Version} ${db:Status-Status}', 'odoo-spoold'), 'changed')
        ensure('installed' in m.run('dpkg-query', '-W', '-f', '${db:Status-Status}', 'odoo-spoold'), 'half installed')
        ensure(m.pid() == pid, 'another process')
    with check('a program older than the state ends with 78 and says why, once'):
        ensure(m.ask('systemctl', 'restart', UNIT)[0] != 0, 'it started')
        time.sleep(6)
        ensure(m.show('ExecMainStatus') == '78' and m.show('NRestarts') == '0', m.show('ExecMainStatus'))
        ensure('written by a newer odoo-spoold' in m.run('journalctl', '-u', UNIT, '-o', 'cat', '--no-pager'), 'no reason')
    m.write('/var/lib/odoo-spoold/SCHEMA', '1\n')
    with check('a program newer than the state ends with 78, names what reads it, and moves nothing'):
        ensure(m.ask('systemctl', 'restart', UNIT)[0] != 0, 'it started')
        ensure(m.show('ExecMainStatus') == '78', m.show('ExecMainStatus'))
        ensure('written by an older odoo-spoold' in m.run('journalctl', '-u', UNIT, '-o', 'cat', '--no-pager'), 'no reason')
        ensure('corrupt' not in m.run('ls', '/var/lib/odoo-spoold'), 'moved aside')
    with check('an upgrade over such a state is refused before anything changes'):
        code, said = w.apt('install', '--reinstall', '/deb/' + os.path.basename(w.following))
        ensure(code != 0 and 'schema 1' in said and 'does not read' in said, said)
    m.write('/var/lib/odoo-spoold/SCHEMA', known)
    m.run('systemctl', 'reset-failed')
    m.run('systemctl', 'restart', SOCKET)
    m.run('systemctl', 'start', UNIT)
    with check('downgrade to a version that knows the state works'):
        w.install(w.package)
        ensure(m.active() == 'active' and '+next1' not in m.run('dpkg-query', '-W', 'odoo-spoold'), m.active())


def removing(w):
    m, check = w.machine, w.report.check
    known = m.status()['accounts'][0]['orders']
    with check('remove stops it and keeps settings, keys, state, spool'):
        code, said = w.apt('remove', 'odoo-spoold')
        ensure(code == 0, said)
        ensure(m.active() == 'inactive' and m.active(SOCKET) == 'inactive', m.active())
        m.run('ls', CONFIG, '/var/lib/odoo-spoold/SCHEMA', '/etc/credstore.encrypted/odoo-spoold.keys',
              '/var/spool/odoo-spoold/eu/done')
        ensure(m.ask('ls', '/run/odoo-spoold.sock')[0] != 0, 'the socket is still there')
    with check('installed again and started, it knows what it knew'):
        w.install(w.package)
        m.run('systemctl', 'start', UNIT)
        found = m.status()['accounts'][0]['orders']
        ensure(found == known and found['held'] + found['done'] > 200, found)
        ensure(m.run('systemctl', 'is-enabled', UNIT).strip() == 'enabled', 'not enabled any more')
        ensure(m.journal('MESSAGE_ID=' + READY), 'not ready')


def purging(w):
    m, check = w.machine, w.report.check
    with check('purge says which credentials are still good elsewhere'):
        code, said = w.apt('purge', 'odoo-spoold')
        ensure(code == 0, said)
        for words in ('Revoke it', w.odoo.lab['url'], w.odoo.lab['login'], 'age1'):
            ensure(words in said, '%s is not in: %s' % (words, said))
    with check('purge leaves nothing but the system user'):
        left = w.tree() - w.before
        ensure(not left, sorted(left)[:20])
        m.run('id', 'odoo-spoold')
        for where in ('/run', '/var/log', '/var/cache', '/var/tmp', '/var/lib/systemd', '/etc/systemd'):
            # Pages that somebody looked at are man's.
            found = m.run('find', where, '-xdev', '-name', '*spoold*', '-not', '-path', '/var/cache/man/*')
            ensure(found == '', found)
        ensure(m.ask('systemctl', 'list-unit-files', '--no-legend', 'odoo-spoold*')[1].strip() == '', 'units')
        ensure('odoo-spoold:' not in m.run('journalctl', '--list-catalog'), 'catalog')
        ensure(m.run('systemctl', '--failed', '--no-legend').strip() == '', 'failed units')
