"""What the sandbox forbids, and what must not be found anywhere."""
import glob
import os
import re
from urllib.parse import urlsplit

from stage import ROOT, UNIT, ensure

MUST_WORK = {'write:/var/spool/odoo-spoold/probe', 'write:/var/lib/odoo-spoold/probe', 'read:/etc/os-release', 'tcp'}
# Its own /var/tmp, which nobody else sees.
PRIVATE = {'write:/var/tmp/probe'}
# Without the sandbox, too: modes forbid it.
NEVER = {'write:/etc/odoo-spoold/probe'}


def probe_unit(text, port):
    """The unit as it is installed, but for what it runs."""
    text = re.sub(r'(?m)^(ExecReload|Restart|RestartSec|RestartSteps|RestartMaxDelaySec|RestartPreventExitStatus|WatchdogSec|WatchdogSignal|NotifyAccess|'
                  r'Requires|Wants|After|Also|WantedBy|StartLimitIntervalSec)=.*\n', '', text)
    text = text.replace('\nType=notify\n', '\nType=oneshot\nEnvironment=PROBE_PORT=%d\n' % port)
    text = re.sub(r'(?m)^ExecStart=.*$', 'ExecStart=/usr/bin/perl /checks/probe.pl', text)
    return re.sub(r'(?m)^ExecPaths=(.*)$', r'ExecPaths=\1 /usr/bin/perl', text)


def outcomes(said):
    return {line.split()[0]: line.split()[1] for line in said.splitlines() if line}


def sandbox(w):
    m, check = w.machine, w.report.check
    port = urlsplit(w.odoo.lab['url']).port
    seen = {}
    with check('without the sandbox the probe may do all that it tries'):
        seen = outcomes(m.run('systemd-run', '--pipe', '--wait', '-q', '-p', 'User=odoo-spoold', '-E', 'PROBE_PORT=%d' % port,
                              'perl', '/checks/probe.pl'))
        # A machine like this one may forbid name spaces to everybody.
        refused = {name for name, how in seen.items() if how == 'refused'} - NEVER - {'user-namespace'}
        ensure(len(seen) >= 14 and not refused, seen)
    with check('in the sandbox: no other writes, homes, processes, programs, tracing, name spaces, executable memory'):
        unit = m.run('systemctl', 'cat', UNIT)
        unit = re.split(r'(?m)^# /(?:etc|run)/systemd', unit)[0]
        m.write('/run/systemd/system/spoold-probe.service', probe_unit(unit, port))
        m.run('systemctl', 'daemon-reload')
        m.run('systemctl', 'start', 'spoold-probe.service')
        m.run('journalctl', '--sync')
        said = m.run('journalctl', '-u', 'spoold-probe.service', '-t', 'perl', '-o', 'cat', '--no-pager')
        inside = outcomes(said)
        ensure(set(inside) == set(seen), 'other tries than outside: %s' % sorted(set(inside) ^ set(seen)))
        allowed = {name for name, how in inside.items() if how == 'allowed'}
        ensure(allowed == MUST_WORK | PRIVATE, said)
    m.ask('rm', '-f', '/run/systemd/system/spoold-probe.service')
    m.ask('systemctl', 'daemon-reload')
    with check('nothing can be run in the unit itself'):
        ensure('/usr/bin/odoo-spoold' in m.show('ExecPaths') and m.show('NoExecPaths') == '/', m.show('ExecPaths'))
        ensure(m.show('User') == 'odoo-spoold' and m.show('DynamicUser') == 'no', m.show('User'))


def credentials(w):
    m, check = w.machine, w.report.check
    with check('keys are unreadable on the disk and to other users'):
        stored = m.run('base64', '-w0', '/etc/credstore.encrypted/odoo-spoold.keys')
        ensure(stored and not [s for s in w.secrets if s in m.run('cat', '/etc/credstore.encrypted/odoo-spoold.keys')],
               'a secret is in the credential as stored')
        given = '/run/credentials/%s/odoo-spoold.keys' % UNIT
        for user in ('odoo', 'nobody'):
            for path in (given, '/etc/credstore.encrypted/odoo-spoold.keys'):
                ensure(m.ask('runuser', '-u', user, '--', 'cat', path)[0] != 0, '%s reads %s' % (user, path))
        ensure(any(s in m.run('cat', given) for s in w.secrets), 'root does not find the keys where they should be')
    with check('plain http to another host is refused before anything is asked'):
        text = m.run('cat', '/etc/odoo-spoold/config.toml')
        m.write('/tmp/far.toml', re.sub(r'(?m)^url = .*$', 'url = "http://odoo.example.com"', text))
        code, said = m.ask('odoo-spoold', 'check', '--config', '/tmp/far.toml')
        ensure(code == 78 and 'http' in said, said)


def found_in(m, patterns, *without):
    """Files of the root file system, also those in memory, that hold one of the patterns."""
    leave = ['--exclude-dir=' + name for name in ('proc', 'sys', *without)]
    code, said = m.ask('grep', '-rlaF', '--devices=skip', '-f', '-', *leave, '/', text='\n'.join(patterns) + '\n',
                       timeout=300)
    ensure(code in (0, 1, 2), said)
    return [line for line in said.splitlines() if line.startswith('/')]


def canaries(w):
    """Buyers' names of all that was delivered: each is in a report, and nowhere else."""
    m, check = w.machine, w.report.check
    marks = set()
    for path in glob.glob(os.path.join(ROOT, 'tests', 'vectors', 'canary_*.txt')):
        with open(path, encoding='utf-8') as report:
            marks |= set(re.findall(r'CANARY[A-Z]\d\d', report.read()))
    marks |= {'Dr. Emil Beispiel', 'beispiel951@', '22 Specimen Rise'}
    with check('no buyer on the whole root file system, nor in the journal'):
        m.write('/srv/open/found', 'x CANARYA02buyername\n')
        ensure(found_in(m, marks) == ['/srv/open/found'], 'found in %s' % found_in(m, marks))
        m.run('rm', '/srv/open/found')
        said = m.run('journalctl', '-o', 'export', '--no-pager', timeout=300)
        ensure(len(said) > 10000 and not [mark for mark in marks if mark in said], 'in the journal')
    with check('no key on the whole root file system but where systemd hands it over'):
        m.write('/srv/open/found', w.secrets[0])
        found = found_in(m, w.secrets, 'credentials')
        ensure(found == ['/srv/open/found'], 'found in %s' % found)
        m.run('rm', '/srv/open/found')
    with check('no core file anywhere'):
        said = m.run('find', '/', '-xdev', '-name', 'core*', '-type', 'f', '-newer', '/etc/odoo-spoold', '-print')
        ensure(said.strip() == '' and 'core' not in m.ask('ls', '/var/lib/systemd/coredump')[1].split(), said)
