"""What the checks stand on: a booted machine, an Odoo of the lab, and a report that counts."""
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, 'tests', 'lab'))
from rpc import Rpc  # noqa: E402

UNIT = 'odoo-spoold.service'
SOCKET = 'odoo-spoold.socket'
INCOMING = '/var/spool/odoo-spoold/eu/incoming'
PATIENCE = 120


class Failed(Exception):
    """A check did not hold; the text says what was seen."""


def ensure(condition, seen):
    if not condition:
        raise Failed(str(seen)[-1500:])


def until(condition, what, patience=PATIENCE, step=0.2):
    """Waits for `condition`; its last value is returned."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed('not within %d s: %s' % (patience, what))
        time.sleep(step)


class Report:
    """Counts checks; a check that fails does not stop the next."""

    def __init__(self, suite):
        self.suite, self.passed, self.failed, self.skipped = suite, 0, 0, 0

    @contextlib.contextmanager
    def check(self, name):
        began = time.monotonic()
        try:
            yield
        except (Failed, subprocess.SubprocessError, OSError, ValueError, KeyError, IndexError, SystemExit) as error:
            self.failed += 1
            words = error if isinstance(error, Failed) else repr(error)
            print('FAILED %s: %s\n       %s' % (self.suite, name, words), flush=True)
        else:
            self.passed += 1
            print('ok     %s: %s (%.1f s)' % (self.suite, name, time.monotonic() - began), flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print('skipped: %s: %s: %s' % (self.suite, name, why), flush=True)

    def measured(self, what, value):
        print('measured %s: %s: %s' % (self.suite, what, value), flush=True)

    def finish(self):
        print('%s: %d passed, %d failed, %d skipped' % (self.suite, self.passed, self.failed, self.skipped), flush=True)
        return 1 if self.failed else 0


class Machine:
    """A booted Debian; `run` is done in it as root."""

    SCRIPT = os.path.join(HERE, 'machine.sh')

    def __init__(self, suite, packages):
        self.suite, self.name = suite, 'spoold-%s-%d' % (suite, os.getpid())
        subprocess.run([self.SCRIPT, 'create', suite], check=True)
        subprocess.run([self.SCRIPT, 'boot', self.name, suite, '--bind-ro=%s:/deb' % packages,
                        '--bind-ro=%s:/checks' % os.path.join(HERE, 'inside')], check=True, timeout=PATIENCE)

    def destroy(self):
        subprocess.run([self.SCRIPT, 'destroy', self.name], check=False)

    def command(self, *words):
        return [self.SCRIPT, 'exec', self.name, *words]

    def ask(self, *words, text='', timeout=PATIENCE):
        """Exit code and everything said."""
        raw = text if isinstance(text, bytes) else text.encode()
        done = subprocess.run(self.command(*words), input=raw, timeout=timeout, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.decode(errors='replace')

    def run(self, *words, text='', timeout=PATIENCE):
        code, said = self.ask(*words, text=text, timeout=timeout)
        ensure(code == 0, '%s ended with %d: %s' % (' '.join(words)[:200], code, said))
        return said

    def shell(self, script, **more):
        return self.run('bash', '-euo', 'pipefail', '-c', script, **more)

    def write(self, path, text):
        self.run('sh', '-c', 'cat >"$1"', 'sh', path, text=text)

    def show(self, name, unit=UNIT):
        return self.run('systemctl', 'show', '-p', name, '--value', unit).strip()

    def active(self, unit=UNIT):
        return self.ask('systemctl', 'is-active', unit)[1].strip()

    def pid(self):
        return int(self.show('MainPID'))

    def cpu(self):
        """CPU seconds of the daemon so far, from the kernel's clock of that process: exact, ended threads included."""
        return float(self.run('python3', '-c', 'import sys, time; print(time.clock_gettime(~int(sys.argv[1]) << 3 | 2))',
                              str(self.pid())))

    def memory(self, what):
        """VmRSS or VmHWM of the daemon, in bytes."""
        status = self.run('cat', '/proc/%d/status' % self.pid())
        return int(re.search(r'%s:\s+(\d+) kB' % what, status).group(1)) << 10

    def journal(self, *words):
        """Records of the unit, as journald kept them."""
        self.run('journalctl', '--sync')
        said = self.run('journalctl', '--no-pager', '-o', 'json', '-u', UNIT, *words)
        return [json.loads(line) for line in said.splitlines() if line.startswith('{')]

    def status(self):
        code, said = self.ask('odoo-spoold', 'status', '--json')
        ensure(code in (0, 1), said)
        return json.loads(said[said.index('{'):])

    def idle(self):
        """Waits until nothing is left to do."""
        quiet = 0

        def nothing_to_do():
            nonlocal quiet
            accounts = self.status()['accounts']
            busy = any(a['files_in_work'] or a['orders']['pending'] or a['orders']['started'] for a in accounts)
            left = self.run('ls', INCOMING).split()
            quiet = 0 if busy or left else quiet + 1
            return quiet >= 2

        until(nothing_to_do, 'the daemon is idle', step=0.4)

    def drop(self, name, sealed):
        """As the README tells Odoo's jobs: written under a name with a dot, then renamed."""
        self.run('runuser', '-u', 'odoo', '--', 'sh', '-c', 'umask 027; cd "$1"; cat >".$2.part"; mv ".$2.part" "$2"',
                 'sh', INCOMING, name, text=sealed)


class Odoo:
    """A database of its own in the lab's Odoo 19."""

    def __init__(self, name):
        self.name = name
        self.script = os.path.join(ROOT, 'tests', 'lab', 'odoo.sh')
        subprocess.run([self.script, '19', 'reset', name], check=True, stdout=subprocess.DEVNULL)
        said = subprocess.run([self.script, '19', 'env', name, '--json'], check=True, stdout=subprocess.PIPE)
        self.lab = json.loads(said.stdout)
        self.call = Rpc(self.lab)

    def drop(self):
        subprocess.run([self.script, '19', 'drop', self.name], check=False, stdout=subprocess.DEVNULL)

    def products(self, codes):
        with tempfile.NamedTemporaryFile('w', suffix='.tsv') as file:
            file.write(''.join('%s\n' % code for code in sorted(codes)))
            file.flush()
            subprocess.run([self.script, '19', 'products', self.name, file.name], check=True, stderr=subprocess.DEVNULL)

    def orders(self):
        found = self.call('sale.order', 'search_read', [('client_order_ref', '!=', False)],
                          fields=['client_order_ref', 'state', 'amount_total'], context={'active_test': False})
        return sorted((o['client_order_ref'], o['state'], '%.2f' % o['amount_total']) for o in found)

    def config(self):
        """The configuration as `account.py` makes it, for the package's own places and the credential."""
        said = subprocess.run(
            [sys.executable, os.path.join(ROOT, 'tests', 'lab', 'account.py'), '--spool', '/var/spool/odoo-spoold',
             '--state', '/var/lib/odoo-spoold', '--socket', '/run/odoo-spoold.sock', '--keys', '/unused'],
            input=json.dumps(self.lab).encode(), stdout=subprocess.PIPE, check=True).stdout.decode()
        return re.sub(r'\[keys\]\nfile = .*\n', '', said)


def expected(files):
    """What the oracle says that Odoo must hold after these reports."""
    said = subprocess.run([sys.executable, '-B', os.path.join(ROOT, 'tests', 'expected', 'expected.py'), *files],
                          check=True, stdout=subprocess.PIPE)
    return sorted((o['order_id'], o['state'], o['amount_total']) for o in json.loads(said.stdout)['orders']
                  if o['status'] == 'created')


def skus(files):
    said = subprocess.run([sys.executable, '-B', os.path.join(ROOT, 'tests', 'expected', 'expected.py'), '--skus', *files],
                          check=True, stdout=subprocess.PIPE)
    return [line.split('\t')[0] for line in said.stdout.decode().splitlines() if line]
