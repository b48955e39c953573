#!/usr/bin/env python3
"""The package in a booted Debian, read back as a sysadmin would.

    booted.py SUITE PACKAGE NEXT_PACKAGE

SUITE is bookworm or trixie; the packages are those of ../../packaging/build-deb.sh, without and with --next. Wants the
lab's Odoo 19 running. One line for each check; README.md beside this file says what they are.
"""
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import deliver
import harden
import life
import moved
import seen
from stage import INCOMING, Machine, Odoo, Report, ROOT, SOCKET, UNIT, ensure, expected, skus, until

VECTORS = os.path.join(ROOT, 'tests', 'vectors')
# What the machines these tests run on do not enforce, so that nothing could be seen of it.
NOT_ENFORCED = {'MemoryHigh': 1 << 30, 'MemoryMax': 2 << 30, 'MemorySwapMax': 0, 'TasksMax': 256}
MAY_CHANGE = re.compile(
    r'^/(etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/\.pwd\.lock$|tmp/|run/|dev/|var/(log|tmp|cache)/|'
    r'var/lib/(dpkg|apt|systemd)(/|$)|var/lib/dbus|root/)')


class World:
    """What one check leaves for the next."""

    def __init__(self, suite, package, following, scratch):
        self.report, self.scratch = Report(suite), scratch
        self.package, self.following = package, following
        self.packages = os.path.join(scratch, 'deb')
        os.mkdir(self.packages)
        for path in (package, following):
            shutil.copy(path, self.packages)
        subprocess.run(['dpkg-deb', '-x', package, os.path.join(scratch, 'unpacked')], check=True)
        self.program = os.path.join(scratch, 'unpacked', 'usr', 'bin', 'odoo-spoold')
        self.odoo = Odoo('boot_' + suite)
        self.machine = Machine(suite, self.packages)
        self.files, self.recipient, self.secrets, self.before = [], None, [], None
        # The recovery file, its age identity, and what was sealed for this machine: kept elsewhere.
        self.safe, self.safe_key, self.kept = None, None, {}

    def sealed(self, path):
        """A report, sealed out here: in the machine it is never in clear."""
        with open(path, 'rb') as report:
            return subprocess.run([self.program, 'seal', '--quiet', '--recipient', self.recipient, '--output', '-', '-'],
                                  stdin=report, stdout=subprocess.PIPE, check=True).stdout

    def deliver(self, path):
        """Drops a report and remembers that Odoo is to have its orders."""
        self.machine.drop(os.path.basename(path) + '.age', self.sealed(path))
        self.files.append(path)

    def odoo_agrees(self):
        wanted, found = expected(self.files), self.odoo.orders()
        ensure(wanted, 'the oracle expects nothing')
        ensure(found == wanted, 'Odoo has %d orders, expected are %d; only one side has %s' % (
            len(found), len(wanted), sorted(set(found) ^ set(wanted))[:6]))

    def apt(self, *words):
        return self.machine.ask('apt-get', '-q', '-y', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0',
                                '-o', 'APT::Get::Allow-Downgrades=true', *words)

    def install(self, path, *words):
        code, said = self.apt('install', *words, '/deb/' + os.path.basename(path))
        ensure(code == 0, said)
        return said

    def tree(self):
        """Every path of the root file system but the kernel's."""
        said = self.machine.run('find', '/', '-xdev', '(', '-path', '/proc', '-o', '-path', '/sys', ')', '-prune', '-o', '-print')
        return {path for path in said.splitlines() if not MAY_CHANGE.match(path)}

    def filler(self, name, count, first):
        """An All Orders report of `count` orders that are known by nothing else."""
        path = os.path.join(self.scratch, name)
        with open(os.path.join(VECTORS, 'trio_all_orders.txt'), encoding='utf-8') as source:
            lines = source.read().splitlines()
        row = next(line for line in lines if line.startswith('982-9876555-9021035'))
        with open(path, 'w', encoding='utf-8') as report:
            report.write(lines[0] + '\n')
            for n in range(first, first + count):
                report.write(row.replace('982-9876555-9021035', '701-%07d-%07d' % (n, n)) + '\n')
        return path


# --- installed, not configured -----------------------------------------------------------------------------------------

def installing(w):
    m, check = w.machine, w.report.check
    with check('installs, is not started, and says how to go on'):
        m.run('useradd', '--create-home', '--system', 'odoo')
        m.shell('systemd-creds setup >/dev/null 2>&1; install -d -o root -m 777 /srv/open; echo x >/home/odoo/readable; '
                'chmod 755 /home/odoo')
        w.before = w.tree()
        said = w.install(w.package)
        ensure('odoo-spoold setup' in said, said)
        for unit in (UNIT, SOCKET):
            ensure(m.active(unit) == 'inactive', m.active(unit))
            ensure(m.ask('systemctl', 'is-enabled', unit)[1].strip() == 'disabled', unit + ' is enabled')
    with check('what dpkg and systemd check is in order'):
        ensure(m.run('dpkg', '--verify', 'odoo-spoold') == '', 'dpkg --verify')
        m.run('systemd-analyze', 'verify', UNIT, SOCKET)
    with check('exposure is 1.2 at most'):
        m.run('systemd-analyze', 'security', '--no-pager', '--threshold=12', UNIT)
    with check('man pages, completions and the catalog are there'):
        for page in ('odoo-spoold', 'odoo-spoold-status', 'odoo-spoold.toml'):
            shown = m.run('sh', '-c', 'zcat "$(man -w "$1")"', 'sh', page)
            ensure('.SH SYNOPSIS' in shown, page)
        m.run('bash', '-n', '/usr/share/bash-completion/completions/odoo-spoold')
        listed = m.run('journalctl', '--list-catalog')
        for line in m.run('odoo-spoold', 'generate', 'catalog').splitlines():
            if line.startswith('-- '):
                ensure(line.split()[1] in listed, line)
    with check('without a configuration: code 78, no second try, the reason in the journal'):
        code, _ = m.ask('systemctl', 'start', UNIT)
        ensure(code != 0, 'it started')
        ensure(m.show('ExecMainStatus') == '78', m.show('ExecMainStatus'))
        time.sleep(6)  # RestartSec is 5
        ensure(m.show('NRestarts') == '0' and m.active() == 'failed', m.active())
        ensure('key `odoo` is missing' in m.run('journalctl', '-u', UNIT, '-o', 'cat'), 'no reason')
        m.run('systemctl', 'stop', SOCKET, UNIT)
        m.run('systemctl', 'reset-failed')


CREDENTIAL = '/etc/credstore.encrypted/odoo-spoold.keys'
SAFE = '/root/recovery.age'
AS_SERVICE = ('systemd-run', '--pipe', '--wait', '-q', '-p', 'User=odoo-spoold', '-p',
              'LoadCredentialEncrypted=odoo-spoold.keys:odoo-spoold.keys')


def setting_up(w):
    m, check = w.machine, w.report.check
    with check('a person is asked by setup on a terminal, and no secret shows'):
        m.run('usermod', '-aG', 'odoo-spoold-drop', 'odoo')
        said = m.run('age-keygen')
        w.safe_key = re.search('AGE-SECRET-KEY-1[A-Z0-9]+', said).group(0)
        # The address, the database, the login, the API key (not shown), the account, the company (there are two), the first day,
        # and whether the products for fees are to be made.
        answers = [w.odoo.lab['url'], w.odoo.lab['database'], w.odoo.lab['login'], w.odoo.lab['api_key'], 'eu',
                   str(w.odoo.lab['company']), '2026-01-01', 'y']
        with open(os.path.join(ROOT, 'tests', 'it', 'support', 'answer.py'), encoding='utf-8') as typist:
            screen = m.run('python3', '-', json.dumps(answers), '/usr/bin/odoo-spoold', 'setup', '--recovery', SAFE,
                           '--recovery-recipient', re.search('age1[a-z0-9]+', said).group(0), text=typist.read())
        for words in ("Odoo's address", 'not shown', 'Seller account', 'age -r age1', SAFE):
            ensure(words in screen, '%s is not in: %s' % (words, screen))
        ensure(w.odoo.lab['api_key'] not in screen and w.safe_key not in screen, 'a secret was shown')
    with check('set up: keys in an encrypted credential, sealed once more in the recovery file; again, it changes nothing'):
        m.write('/etc/odoo-spoold/config.toml', w.odoo.config())
        w.odoo.products(skus([os.path.join(VECTORS, 'trio_%s.txt' % f) for f in ('all_orders', 'order_report', 'unshipped')]
                             + [os.path.join(VECTORS, 'canary_%s.txt' % f) for f in ('order_report', 'unshipped')]))
        before = m.run('sha256sum', CREDENTIAL, SAFE)
        # The key comes through a pipe: it must not lie anywhere afterwards.
        code, said = m.ask('odoo-spoold', 'setup', '--non-interactive', '--odoo-api-key-file', '-',
                           text=w.odoo.lab['api_key'])
        ensure(code in (0, 1), said)  # 1: products for fees are missing still
        ensure(m.run('sha256sum', CREDENTIAL, SAFE) == before, 'keys were written again')
        code, said = m.ask(*AS_SERVICE, 'odoo-spoold', 'check', '--fix')
        ensure(code == 0, said)
        keys = m.run('systemd-creds', 'decrypt', '--name=odoo-spoold.keys', CREDENTIAL, '-')
        w.secrets = sorted(set(re.findall(r'"([^"\s]{20,})"', keys)))
        ensure(w.odoo.lab['api_key'] in w.secrets and len(w.secrets) >= 4, '%d secrets found' % len(w.secrets))
        ensure(m.run('stat', '-c', '%a %U', SAFE).strip() == '600 root', 'the recovery file is not root\'s own')
        w.safe = base64.b64decode(m.run('base64', '-w0', SAFE))
        ensure(w.safe.startswith(b'-----BEGIN AGE ENCRYPTED FILE-----'), w.safe[:40])


def starting(w):
    m, check = w.machine, w.report.check
    with check('folders have the modes that keep droppers apart'):
        modes = m.run('stat', '-c', '%a %U %G', '/var/spool/odoo-spoold', INCOMING, '/var/spool/odoo-spoold/eu/done').splitlines()
        ensure(modes[0] == '2755 odoo-spoold odoo-spoold-drop' and modes[1] == '3730 odoo-spoold odoo-spoold-drop'
               and modes[2].startswith('750 odoo-spoold'), modes)
    with check('enabled and started: ready, with a status in words'):
        m.run('systemctl', 'enable', '--now', UNIT)
        ensure(m.active() == 'active' and m.active(SOCKET) == 'active', m.active())
        ensure(m.show('StatusText').startswith('All well'), m.show('StatusText'))
        ensure(m.show('StatusText') == m.status()['headline'], 'status says something else')
        began, ready = (int(m.show(name)) for name in ('ExecMainStartTimestampMonotonic', 'ActiveEnterTimestampMonotonic'))
        w.report.measured('start to READY', '%d ms' % ((ready - began) // 1000))
        w.recipient = m.run('odoo-spoold', 'recipient', '--account', 'eu').strip()
        ensure(w.recipient.startswith('age1'), w.recipient)
        for path in (deliver.TRIO[1], w.filler('kept.txt', moved.KEPT_ORDERS, 3001)):
            w.kept[path] = w.sealed(path)
    with check('no secret in the command line, the environment, the journal'):
        pid = m.pid()
        seen = m.run('sh', '-c', 'cat /proc/$1/cmdline /proc/$1/environ; journalctl -o json', 'sh', str(pid))
        ensure(not [s for s in w.secrets if s in seen], 'a secret is in it')
    with check("nobody but root reads its memory and environment, not even its own user"):
        def reads(of, name):
            # What cannot be read at address 0 is opened all the same: that is the question.
            code, said = m.ask('runuser', '-u', 'odoo-spoold', '--', 'dd', 'if=/proc/%d/%s' % (of, name), 'bs=1', 'count=1',
                               'of=/dev/null', 'status=none')
            ensure(code == 0 or 'error' in said or 'denied' in said, said)
            return 'denied' not in said
        m.run('systemd-run', '-q', '--unit=spoold-other', '-p', 'User=odoo-spoold', 'sleep', '600')
        other = int(m.show('MainPID', 'spoold-other.service'))
        for name in ('mem', 'environ'):
            ensure(reads(other, name), 'nothing is proven: %s of another process is closed, too' % name)
            ensure(not reads(m.pid(), name), name + ' is open')
        m.run('systemctl', 'stop', 'spoold-other.service')
    with check('no core is dumped'):
        limit = next(line for line in m.run('cat', '/proc/%d/limits' % m.pid()).splitlines() if 'core' in line)
        ensure(re.search(r'size +0 +0 ', limit), limit)
    with check('limits stand in the unit'):
        for name, value in NOT_ENFORCED.items():
            ensure(m.show(name) == str(value), '%s is %s' % (name, m.show(name)))
    w.report.skip('memory and task limits in force', 'control groups here have no controllers for them')
    w.report.skip('examples/only-odoo.conf in force', 'this kernel does not filter addresses for control groups')


# What bash offers for the last word of a line, by the script that the package installed.
OFFERED = r"""
. /usr/share/bash-completion/completions/odoo-spoold
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
"$(complete -p odoo-spoold | sed 's/.*-F \([^ ]*\) .*/\1/')" odoo-spoold "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def completing(w):
    with w.report.check('bash completes verbs, codes, states and accounts from what the package installed'):
        def offered(line):
            return w.machine.run('bash', '--norc', '-c', OFFERED, 'bash', *line.split(' ')).split()
        for line, wanted in (('odoo-spoold ho', 'hold'), ('odoo-spoold hold re', 'release'), ('odoo-spoold explain pricel', 'pricelist'),
                             ('odoo-spoold queue list --state he', 'held'), ('odoo-spoold hold list --code wa', 'warehouse'),
                             ('odoo-spoold queue list --account e', 'eu'), ('odoo-spoold hold release e', 'eu')):
            ensure(offered(line) == [wanted], '%s: %s' % (line, offered(line)))
    with w.report.check('the man pages lead on: files, examples, settings, codes'):
        page = w.machine.run('sh', '-c', 'zcat -f /usr/share/man/man8/odoo-spoold.8*')
        ensure(all(head in page for head in ('.SH FILES', '.SH EXAMPLES', '.SH SEE ALSO')), page[-600:])
        ensure(w.machine.ask('test', '-e', '/usr/share/man/man8/odoo-spoold-help.8.gz')[0] != 0, 'a page for help')
    with w.report.check('a sample is sealed and rehearsed'):
        said = w.machine.run('odoo-spoold', 'process', '--sample', '--account', 'eu')
        ensure('WOULD' in said, said)


def numbers(w):
    m = w.machine
    with w.report.check('idle, it costs next to nothing'):
        began = m.cpu()
        time.sleep(10)
        used = (m.cpu() - began) * 100
        w.report.measured('CPU while idle', '%.1f ms a second' % used)
        w.report.measured('resident memory, idle', '%d MiB' % (m.memory('VmRSS') >> 20))
        w.report.measured('package', '%.1f MB' % (os.path.getsize(w.package) / 1e6))
        ensure(used < 50, '%.1f ms a second' % used)


def main():
    suite, package, following = sys.argv[1:]
    # A signal ends the run as an exception would: the machine is stopped in any case.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as scratch:
        w = None
        try:
            w = World(suite, os.path.abspath(package), os.path.abspath(following), scratch)
            for part in (installing, setting_up, starting, deliver.arriving, deliver.journal, deliver.folders, completing,
                         numbers, life.reloading, life.activation, life.hanging, life.killed, seen.silent, seen.told,
                         harden.sandbox, harden.credentials,
                         life.journal_stopped, life.upgrading, life.downgrading, harden.canaries, life.removing,
                         life.purging, moved.restoring):
                part(w)
        finally:
            if w is not None:
                w.machine.destroy()
                w.odoo.drop()
        sys.exit(w.report.finish())


if __name__ == '__main__':
    main()
