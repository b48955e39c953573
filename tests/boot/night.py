#!/usr/bin/env python3
"""A night of breaks: a booted Debian with the package, and what a sysadmin sees of each thing that breaks.

    night.py SUITE PACKAGE [ROW ...]

SUITE is bookworm or trixie; PACKAGE is that of ../../packaging/build-deb.sh. Wants the lab's Odoo 19 running. Without ROW all
rows, about 25 minutes. Each row breaks one thing, prints what `status`, `status --check`, `systemctl status` and the journal
say of it, undoes it, and prints whether the daemon went on by itself. What must be said is asserted: ok or FAILED.
"""
import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile

from booted import AS_SERVICE, CREDENTIAL
from front import Front
from stage import HERE, INCOMING, Machine, Odoo, PATIENCE, Report, ROOT, SOCKET, UNIT, ensure, until

CONFIG, CA = '/etc/odoo-spoold/config.toml', '/etc/odoo-spoold/ca.pem'
SPOOL, STATE = '/var/spool/odoo-spoold', '/var/lib/odoo-spoold'
RECOVERY, IDENTITY = '/root/recovery.age', '/root/identity'
DROPIN = '/run/systemd/system/odoo-spoold.service.d'
HOST = 'erp.night.test'
REPORT = os.path.join(ROOT, 'tests', 'vectors', 'trio_all_orders.txt')
ROW = '982-9876555-9021035'
# What a daemon that is told nothing asks again within: archived records, an account that is paused.
LOOKED_AGAIN, PROBED_AGAIN = 330, 75
# `status` may take 5 s, and a busy machine adds.
SOON = 8
ROWS = {}


def row(number, name):
    def known(function):
        ROWS[number] = (name, function)
        return function
    return known


class Kept(Machine):
    """Its root file system is a copy that outlives a restart; spool and state are small file systems of this host."""

    def __init__(self, suite, scratch, packages):
        self.suite, self.name = suite, 'night-%s-%d' % (suite, os.getpid())
        self.root, self.packages, self.mounted = os.path.join(scratch, 'root'), packages, []
        subprocess.run([self.SCRIPT, 'create', suite], check=True)
        kept = os.path.join(os.environ.get('ODOO_SPOOLD_CACHE', '/var/cache/odoo-spoold'), 'boot', 'rootfs', suite)
        subprocess.run(['cp', '-a', kept, self.root], check=True)
        self.binds = ['--bind-ro=%s:/deb' % packages]
        for path, megabytes in ((SPOOL, 240), (STATE, 240)):
            here = os.path.join(scratch, os.path.basename(os.path.dirname(path)))
            os.mkdir(here)
            subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=%dm,mode=755' % megabytes, 'night', here], check=True)
            self.mounted.append(here)
            self.binds.append('--bind=%s:%s' % (here, path))
        self.spool, self.state = self.mounted
        self.boot()

    def boot(self):
        subprocess.run([self.SCRIPT, 'boot', self.name, self.suite, '--volatile=no', '--directory=' + self.root, *self.binds],
                       check=True, timeout=PATIENCE)

    def destroy(self):
        super().destroy()
        for here in self.mounted:
            subprocess.run(['umount', '-l', here], check=False)

    @staticmethod
    def fill(folder, left):
        """Takes all but `left` bytes of a file system away."""
        stat = os.statvfs(folder)
        free = stat.f_bavail * stat.f_frsize - left
        with open(os.path.join(folder, 'filler'), 'ab') as file:
            if free > 0:
                os.posix_fallocate(file.fileno(), file.tell(), free)

    @staticmethod
    def empty(folder):
        os.remove(os.path.join(folder, 'filler'))


class Night:
    def __init__(self, suite, package, scratch):
        self.report, self.scratch, self.suite = Report(suite), scratch, suite
        packages = os.path.join(scratch, 'deb')
        os.mkdir(packages)
        shutil.copy(package, packages)
        self.package = '/deb/' + os.path.basename(package)
        subprocess.run(['dpkg-deb', '-x', package, os.path.join(scratch, 'unpacked')], check=True)
        self.program = os.path.join(scratch, 'unpacked', 'usr', 'bin', 'odoo-spoold')
        self.odoo, self.beside = Odoo('night_%d' % os.getpid()), None
        backend = re.match(r'http://([^:/]+):(\d+)', self.odoo.lab['url'])
        self.front = Front(os.path.join(scratch, 'front'), (backend.group(1), int(backend.group(2))))
        self.machine = Kept(suite, scratch, packages)
        with open(REPORT, encoding='utf-8') as report:
            self.lines = report.read().splitlines()
        self.row = next(line for line in self.lines if line.startswith(ROW)).split('\t')
        self.orders, self.recipient, self.identity, self.began = 0, None, None, time.monotonic()

    def close(self):
        self.machine.destroy()
        self.odoo.drop()
        if self.beside is not None:
            self.beside.drop()

    # --- the first day, without a person -------------------------------------------------------------------------------

    def set_up(self):
        m = self.machine
        m.run('useradd', '--create-home', '--system', 'odoo')
        m.shell('systemd-creds setup >/dev/null 2>&1; echo "127.0.0.1 %s other-name.night.test" >>/etc/hosts' % HOST)
        m.run('apt-get', '-q', '-y', 'install', '-o', 'Dpkg::Use-Pty=0', self.package)
        m.run('usermod', '-aG', 'odoo-spoold-drop', 'odoo')
        # A mount point: systemd would make it like this.
        m.shell('chown odoo-spoold: %s; chmod 700 %s' % (STATE, STATE))
        m.write(CA, self.front.authority())
        m.run('chmod', '644', CA)
        m.run('age-keygen', '-o', IDENTITY)
        self.url = 'https://%s:%d' % (HOST, self.front.port)
        lab = self.odoo.lab
        columns = self.lines[0].split('\t')
        self.odoo.products({line.split('\t')[columns.index('sku')] for line in self.lines[1:]})
        code, said = m.ask(
            'odoo-spoold', 'setup', '--non-interactive', '--odoo-url', self.url, '--odoo-ca-file', CA, '--odoo-database',
            lab['database'], '--odoo-login', lab['login'], '--odoo-api-key-file', '-', '--account', 'eu', '--company',
            'My Company', '--recovery', RECOVERY, '--recovery-recipient',
            m.run('age-keygen', '-y', IDENTITY).strip(), text=lab['api_key'])
        ensure(code in (0, 1), said)
        self.config = self.odoo.config().replace('url = "%s"' % lab['url'], 'url = "%s"\nca_file = "%s"' % (self.url, CA))
        ensure(HOST in self.config, self.config[:300])
        m.write(CONFIG, self.config)
        code, said = m.ask(*AS_SERVICE, 'odoo-spoold', 'check', '--fix')
        ensure(code == 0, '\n'.join(line for line in said.splitlines() if 'FAIL' in line or '→' in line))
        m.run('systemctl', 'enable', '--now', UNIT)
        self.recipient = m.run('odoo-spoold', 'recipient', '--account', 'eu').strip()
        self.drop('first.txt', self.sealed(self.lines_of(*[self.order() for _ in range(40)])))
        until(lambda: self.in_odoo() >= 40, 'the first orders are in Odoo')

    # --- orders --------------------------------------------------------------------------------------------------------

    def order(self, **cells):
        """A row of an All Orders report: an order of its own that nothing else knows."""
        self.orders += 1
        values = dict(zip(self.lines[0].split('\t'), self.row))
        values['amazon-order-id'] = '701-%07d-%07d' % (self.orders, self.orders)
        values.update({name.replace('_', '-'): value for name, value in cells.items()})
        return list(values.values())

    def lines_of(self, *rows):
        return '\n'.join([self.lines[0], *('\t'.join(cells) for cells in rows)]) + '\n'

    def sealed(self, text, recipient=None):
        raw = text if isinstance(text, bytes) else text.encode()
        return subprocess.run([self.program, 'seal', '--quiet', '--recipient', recipient or self.recipient, '--output', '-', '-'],
                              input=raw, stdout=subprocess.PIPE, check=True).stdout

    def drop(self, name, raw):
        self.machine.drop(name, raw)

    def ordered(self, **cells):
        """Drops one new order; its reference."""
        cells = self.order(**cells)
        self.drop('%s.age' % cells[0], self.sealed(self.lines_of(cells)))
        return cells[0]

    def in_odoo(self, reference=None):
        wanted = [('client_order_ref', '=' if reference else '!=', reference or False)]
        return self.odoo.call('sale.order', 'search_count', wanted)

    def arrived(self, *references, patience=90):
        began = time.monotonic()
        until(lambda: all(self.in_odoo(one) for one in references), 'the orders that came meanwhile are in Odoo', patience, 1)
        ensure(all(self.in_odoo(one) == 1 for one in references), 'an order is there twice')
        self.say('arrived', 'the orders that came meanwhile, once each, %.0f s later' % (time.monotonic() - began))

    # --- what is seen --------------------------------------------------------------------------------------------------

    @staticmethod
    def say(what, said):
        print('  %-8s %s' % (what, said), flush=True)

    def first(self):
        """The first line of `status`, its exit code, and how long it took."""
        began = time.monotonic()
        code, said = self.machine.ask('odoo-spoold', 'status')
        return (said.splitlines() or [''])[0], code, time.monotonic() - began, said

    def look(self):
        """Prints the four things that are read in the night; the exit codes of `status` and `status --check`."""
        line, code, took, whole = self.first()
        self.say('status', '[%d] %.1f s: %s' % (code, took, line))
        check, said = self.machine.ask('odoo-spoold', 'status', '--check')
        self.say('check', '[%d] %s' % (check, said.strip()))
        self.say('systemd', self.systemd(line))
        self.machine.ask('journalctl', '--sync')
        _, said = self.machine.ask('journalctl', '--no-pager', '-t', 'odoo-spoold', '-o', 'cat', '-n', '1')
        self.say('journal', said.strip())
        ensure(took < SOON, 'status took %.0f s' % took)
        return code, check, whole

    def systemd(self, line):
        """What `systemctl status` shows, once it shows the same as `status`: it is told of it every few seconds."""
        began = time.monotonic()
        while True:
            said = self.machine.ask('systemctl', 'status', '--no-pager', '-l', '-n', '0', UNIT)[1]
            shown = re.search(r'Status: "(.*)', said)
            if not shown:
                return (re.search(r'Active: (.*)', said) or re.search('.*', said)).group(0)
            # Cut at 230 bytes, and with the counts behind it.
            if shown.group(1)[:60] == line[:60] or time.monotonic() - began > 15:
                return '%s (%.0f s later)' % (shown.group(0), time.monotonic() - began)
            time.sleep(0.5)

    def seen(self, pattern, status=None, check=None, patience=30):
        """Waits until the first sentence of `status` says this, prints everything; all that `status` said."""
        began = time.monotonic()
        try:
            until(lambda: re.search(pattern, self.first()[0]), 'the first sentence of status says %r' % pattern, patience)
            self.say('noticed', 'after %.0f s' % (time.monotonic() - began))
        finally:
            found = self.look()
        ensure(status is None or found[0] == status, 'status ended with %d, not %s' % (found[0], status))
        ensure(check is None or found[1] == check, 'status --check ended with %d, not %s' % (found[1], check))
        return found[2]

    def well(self, pattern):
        line, code, _, _ = self.first()
        return code == 0 and not line.startswith('Fault') and not re.search(pattern, line)

    def recovered(self, pattern, *command, patience=20):
        """Waits until `status` does not say it any more; if it does not go on by itself, `command` is run."""
        began = time.monotonic()
        try:
            until(lambda: self.well(pattern), 'it goes on', patience, 0.5)
            self.say('again', 'by itself after %.0f s' % (time.monotonic() - began))
        except Exception:
            if not command:
                self.look()
                raise
            self.machine.ask(*command)
            again = time.monotonic()
            until(lambda: self.well(pattern), 'it goes on after ' + ' '.join(command), 60, 0.5)
            self.say('again', 'not by itself within %d s; %.0f s after `%s`' % (
                patience, time.monotonic() - again, ' '.join(command)))

    def says(self, *words, wanted=None, show=3, text='', timeout=PATIENCE):
        """Runs a command, prints the lines that count, and returns its code and all of it."""
        code, said = self.machine.ask(*words, text=text, timeout=timeout)
        lines = [line for line in said.splitlines() if line.strip()]
        chosen = [line for line in lines if re.search(wanted, line)] if wanted else lines
        for line in chosen[:show]:
            self.say('said', '%s [%d] %s' % (' '.join(words[:3]), code, line.strip()))
        ensure(chosen or not wanted, '%s does not say %r: %s' % (' '.join(words), wanted, said))
        return code, said

    # --- breaking and undoing ------------------------------------------------------------------------------------------

    def configure(self, old='', new=''):
        ensure(old in self.config, old)
        self.machine.write(CONFIG, self.config.replace(old, new, 1) if old else self.config)

    def restart(self):
        return self.machine.ask('systemctl', 'restart', UNIT)

    def stop(self):
        self.machine.run('systemctl', 'stop', UNIT)

    def start(self):
        self.machine.ask('systemctl', 'reset-failed', UNIT)
        return self.machine.ask('systemctl', 'start', UNIT)

    def sql(self, *statements):
        words = [word for statement in statements for word in ('-c', statement)]
        subprocess.run([self.odoo.script, '19', 'psql', self.odoo.name, '-q', *words], check=True, stdout=subprocess.DEVNULL)

    def in_odoos_shell(self, script):
        subprocess.run([self.odoo.script, '19', 'shell', self.odoo.name], input=script.encode(), check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def clock(self, seconds):
        """The daemon's clock, and no other one, is so many seconds away."""
        self.machine.run('mkdir', '-p', DROPIN)
        self.machine.write(DROPIN + '/clock.conf',
                           '[Service]\nEnvironment=LD_PRELOAD=/usr/lib/spoold-shift.so SHIFT=%d\n' % seconds)
        self.machine.run('systemctl', 'daemon-reload')
        self.restart()
        try:
            yield
        finally:
            self.machine.shell('rm %s/clock.conf; systemctl daemon-reload' % DROPIN)
            self.restart()

    def decisions(self, change):
        """The decision journal, changed while the daemon is stopped; what it was before."""
        self.stop()
        path = os.path.join(self.machine.state, 'journal', 'decisions')
        with open(path, 'r+b') as file:
            before = file.read()
            change(file, len(before))
        return path, before

    def decisions_back(self, path, before):
        self.machine.ask('systemctl', 'stop', UNIT)
        with open(path, 'r+b') as file:
            file.truncate(0)
            file.write(before)
        self.start()

    def calm(self):
        """Before the next row: everything as it was."""
        if self.machine.active() != 'active' or self.first()[1] != 0:
            self.configure()
            self.start()
            try:
                until(lambda: self.first()[1] == 0, 'calm', 60, 1)
            except Exception:
                self.say('after', 'it is not calm: ' + self.first()[0])


# --- Odoo, its address, its certificate ------------------------------------------------------------------------------------

@row(1, 'URL changed, reload')
def url_reload(n):
    n.configure('//' + HOST, '//other-name.night.test')
    n.says('systemctl', 'reload', UNIT)
    try:
        n.seen(r'config\.toml is newer than what runs: odoo\.url.*systemctl restart', 0, 1)
    finally:
        n.configure()
        n.machine.ask('systemctl', 'reload', UNIT)
    n.recovered('newer than what runs')


@row(2, 'URL changed, restart')
def url_restart(n):
    n.configure('//' + HOST, '//other-name.night.test')
    n.restart()
    try:
        n.seen(r'^Fault: .*odoo-other-database.*reconcile', 1, 2)
    finally:
        n.configure()
        n.restart()
    n.recovered('odoo-other')


@row(3, 'private CA unknown')
def authority(n):
    n.configure('ca_file = "%s"\n' % CA)
    n.restart()
    try:
        n.seen(r'^Fault: .*\(tls\).*nobody whom this host trusts has signed the certificate of %s.*odoo\.ca_file' % HOST, 1, 2)
        n.says('odoo-spoold', 'check', wanted='nobody whom this host trusts')
    finally:
        n.configure()
        n.restart()
    n.recovered('tls')


@row(4, 'certificate expired')
def expired(n):
    n.front.shows('expired')
    order = n.ordered()
    try:
        n.seen(r'^Fault: .*the certificate of %s expired on \d{4}-\d\d-\d\d \(29 days ago\).*renew it there' % HOST, 1, 2)
    finally:
        n.front.shows('good')
    n.recovered('tls', 'systemctl', 'reload', UNIT, patience=PROBED_AGAIN)
    n.arrived(order)


@row(5, 'certificate of another name')
def other_name(n):
    n.front.shows('other')
    order = n.ordered()
    try:
        n.seen(r'^Fault: .*is for other\.test, not for %s' % HOST, 1, 2)
    finally:
        n.front.shows('good')
    n.recovered('tls', 'systemctl', 'reload', UNIT, patience=PROBED_AGAIN)
    n.arrived(order)


@row(6, 'Odoo stopped (refused)')
def refused(n):
    n.front.close()
    order = n.ordered()
    try:
        n.seen(r'%s refuses connections on port %d: is Odoo running\?' % (HOST, n.front.port), 0, 1)
    finally:
        n.front.listen()
    n.recovered('does not answer', patience=60)
    n.arrived(order)


@row(7, 'DNS name gone')
def name_gone(n):
    m = n.machine
    m.shell('cp /etc/hosts /root/hosts; grep -v night.test /root/hosts >/etc/hosts || true')
    n.front.cut()
    order = n.ordered()
    try:
        n.seen(r'%s has no address \(DNS' % HOST, 0, 1, patience=60)
        n.says('odoo-spoold', 'check', wanted=r'has no address \(DNS')
    finally:
        m.shell('cat /root/hosts >/etc/hosts')
    n.recovered('does not answer', patience=60)
    n.arrived(order)


@row(8, 'PostgreSQL gone (database closed)')
def database_gone(n):
    # A session cannot close the database that it is in.
    if n.beside is None:
        n.beside = Odoo('beside_%d' % os.getpid())

    def allow(how):
        subprocess.run([n.odoo.script, '19', 'psql', n.beside.name, '-q',
                        '-c', 'alter database %s allow_connections %s' % (n.odoo.name, how),
                        '-c', "select pg_terminate_backend(pid) from pg_stat_activity where datname = '%s'" % n.odoo.name],
                       check=True, stdout=subprocess.DEVNULL)
    allow('false')
    order = n.ordered()
    try:
        n.seen(r'\(database_down\): .*PostgreSQL', 0, 1, patience=60)
        n.says('odoo-spoold', 'explain', 'database_down', show=4)
    finally:
        allow('true')
    n.recovered('does not answer', patience=60)
    n.arrived(order)


@row(9, 'wrong key at rotation')
def wrong_key(n):
    before = n.machine.run('sha256sum', CREDENTIAL)
    code, _ = n.says('odoo-spoold', 'setup', '--non-interactive', '--odoo-api-key-file', '-', text='0' * 40)
    ensure(code != 0, 'a wrong key was taken')
    ensure(n.machine.run('sha256sum', CREDENTIAL) == before, 'the credential was written')
    n.look()
    n.arrived(n.ordered())


KEYS_OUT = """
env.cr.execute("create table if not exists night_keys as select * from res_users_apikeys where user_id = %d")
env.cr.execute("delete from res_users_apikeys where user_id = %d")
env.registry.clear_cache()
env.registry.signal_changes()
env.cr.commit()
"""
KEYS_IN = """
env.cr.execute("insert into res_users_apikeys select * from night_keys")
env.cr.execute("drop table night_keys")
env.registry.clear_cache()
env.registry.signal_changes()
env.cr.commit()
"""


@row(10, 'API key deleted in Odoo')
def key_deleted(n):
    user = n.odoo.lab['uid']
    n.in_odoos_shell(KEYS_OUT % (user, user))
    n.ordered()
    order = n.orders
    try:
        n.seen(r'^Fault: .*\(access_denied\)', 1, 2)
        n.says('odoo-spoold', 'explain', 'access_denied', show=4)
    finally:
        n.in_odoos_shell(KEYS_IN)
    n.recovered('access_denied', 'systemctl', 'restart', UNIT, patience=PROBED_AGAIN)
    n.arrived('701-%07d-%07d' % (order, order))


@row(11, 'user archived')
def user_archived(n):
    change = 'env["res.users"].with_context(active_test=False).browse(%d).active = %s\nenv.cr.commit()\n'
    n.in_odoos_shell(change % (n.odoo.lab['uid'], False))
    reference = n.order()
    n.drop('archived.age', n.sealed(n.lines_of(reference)))
    try:
        n.seen(r'^Fault: .*access_denied', 1, 2)
    finally:
        n.in_odoos_shell(change % (n.odoo.lab['uid'], True))
    n.recovered('access_denied', 'systemctl', 'restart', UNIT, patience=PROBED_AGAIN)
    n.arrived(reference[0])


@row(12, 'company renamed')
def company_renamed(n):
    change = "update res_company set name = '%s' where id = 1"
    n.sql(change % 'My Company GmbH')
    n.restart()
    order = n.ordered()
    try:
        n.seen(r'^Fault: .*odoo-catalog.*"My Company" is gone.*My Company GmbH', 1, 2)
        n.says('odoo-spoold', 'check', wanted='My Company GmbH')
    finally:
        n.sql(change % 'My Company')
    n.recovered('odoo-catalog', 'systemctl', 'reload', UNIT, patience=PROBED_AGAIN)
    n.arrived(order)


ARCHIVED = ("update product_pricelist set active = {} where name->>'en_US' = 'Amazon GBP'",
            "update account_tax set active = {} where name->>'en_US' = 'Amazon 19% incl'",
            "update stock_warehouse set active = {} where code = 'FBA'",
            "update product_product set active = {} where default_code = 'TASSE-2'",
            "update product_template set active = {} where id in "
            "(select product_tmpl_id from product_product where default_code = 'TASSE-2')")


def archive(n, active):
    n.sql(*(statement.format(active) for statement in ARCHIVED))


def one_of_each(n):
    """An order that needs the pricelist, one the tax, one the warehouse, one the product."""
    abroad = dict(sales_channel='Amazon.fr', currency='EUR', ship_country='FR')
    rows = [n.order(), n.order(sales_channel='Amazon.de', currency='EUR', ship_country='DE', item_tax='1.60'),
            n.order(fulfillment_channel='Amazon', order_status='Shipped', item_status='Shipped', **abroad),
            n.order(sku='TASSE-2', **abroad)]
    n.drop('each-%d.age' % n.orders, n.sealed(n.lines_of(*rows)))
    return [cells[0] for cells in rows]


NEEDED = ('pricelist', 'tax', 'warehouse', 'sku')


def held(n):
    """Order ids by the reason they are held for."""
    _, said = n.machine.ask('odoo-spoold', 'queue', 'list', '--account', 'eu', '--state', 'held', '--limit', '1000')
    found = {}
    for line in said.splitlines():
        why = re.search(r' (701-\d+-\d+) .*\b(%s)\b' % '|'.join(NEEDED), line)
        if why:
            found.setdefault(why.group(2), set()).add(why.group(1))
    return found


@row(13, 'pricelist, tax, warehouse, product archived, daemon running')
def archived(n):
    n.arrived(*one_of_each(n))
    archive(n, 'false')
    began = time.monotonic()
    try:
        # What was found is believed for 5 minutes at most.
        later = []

        def told():
            if not later or time.monotonic() - later[0] > 60:
                later[:] = [time.monotonic()]
                one_of_each(n)
            return len(held(n)) == len(NEEDED)

        until(told, 'orders are held for each of the four', LOOKED_AGAIN + 30, 3)
        n.say('noticed', 'all four after %.0f s' % (time.monotonic() - began))
        n.seen('wait for something in Odoo', 0, 1)
        n.says('odoo-spoold', 'check', wanted='archived', show=5)
    finally:
        if 14 not in n.chosen:
            archive(n, 'true')


@row(14, 'the same, after a restart')
def archived_restart(n):
    archive(n, 'false')
    n.restart()
    references = one_of_each(n)
    try:
        until(lambda: set(references) <= set().union(*held(n).values()), 'the four are held', 60, 1)
        n.seen('wait for something in Odoo', 0, 1)
        for one in references:
            n.says('odoo-spoold', 'hold', 'show', 'eu', one, wanted='archived', show=2)
    finally:
        archive(n, 'true')
    n.recovered('wait for something in Odoo', patience=LOOKED_AGAIN)
    n.arrived(*references)


# --- settings, state, keys -------------------------------------------------------------------------------------------------

@row(15, 'config: unknown key; broken TOML')
def settings(n):
    for old, new, words in (('[odoo]', '[odoo]\nbatsch = 5', 'batsch'), ('[odoo]', '[odoo', 'line|expected|TOML')):
        n.configure(old, new)
        code, _ = n.says('systemctl', 'reload', UNIT)
        ensure(code != 0, 'the reload says all is well')
        n.says('journalctl', '--no-pager', '-u', UNIT, '-o', 'cat', '-n', '30', wanted=words, show=2)
        ensure(n.restart()[0] != 0, 'it started')
        n.seen(r'^Fault: the daemon does not start \(78\): .*config\.toml:\d+:', 1, 2)
        n.configure()
        n.start()
        n.recovered('78')


@row(16, 'state folder owned by root')
def state_of_root(n):
    n.stop()
    os.chown(n.machine.state, 0, 0)
    n.start()
    n.look()
    n.recovered('root')
    ensure(os.stat(n.machine.state).st_uid != 0, "it is root's still")


@row(17, 'files in the state owned by root')
def file_of_root(n):
    n.stop()
    n.machine.run('chown', 'root:root', STATE + '/store/db')
    n.start()
    try:
        time.sleep(6)
        n.seen(r'^Fault: the daemon does not start \(78\): .*belongs to root, must belong to odoo-spoold: chown -R', 1, 2)
        ensure(n.machine.show('NRestarts') == '0', 'it is started again and again')
    finally:
        n.machine.run('chown', '-R', 'odoo-spoold:', STATE)
        n.start()
    n.recovered('78')


@row(18, 'credential deleted')
def credential_gone(n):
    n.machine.run('mv', CREDENTIAL, '/root/kept.cred')
    n.restart()
    try:
        n.seen(r'^Fault: the daemon does not start \(78\): .*the keys of this host are gone', 1, 2)
        n.says('journalctl', '--no-pager', '-u', UNIT, '-o', 'cat', '-n', '20', wanted='--restore RECOVERY-FILE', show=1)
        n.says('odoo-spoold', 'check', wanted='--restore RECOVERY-FILE', show=1)
        n.says('odoo-spoold', 'keys', 'list', wanted='--restore RECOVERY-FILE', show=1)
    finally:
        n.machine.run('mv', '/root/kept.cred', CREDENTIAL)
        n.start()
    n.recovered('78')


@row(19, '… then setup as it was')
def setup_again(n):
    n.machine.run('mv', CREDENTIAL, '/root/kept.cred')
    n.restart()
    try:
        code, _ = n.says('odoo-spoold', 'setup', '--non-interactive', '--odoo-api-key-file', '-', '--no-recovery',
                         text=n.odoo.lab['api_key'])
        ensure(code != 0, 'new keys were made')
        ensure(n.machine.ask('test', '-e', CREDENTIAL)[0] != 0, 'there is a new credential')
        n.seen(r'^Fault: the daemon does not start \(78\): .*the keys of this host are gone', 1, 2)
    finally:
        n.machine.run('mv', '/root/kept.cred', CREDENTIAL)
        n.start()
    n.recovered('78')


@row(20, '… then setup --restore')
def setup_restore(n):
    n.machine.run('mv', CREDENTIAL, '/root/kept.cred')
    n.restart()
    code, said = n.says('odoo-spoold', 'setup', '--non-interactive', '--restore', RECOVERY, '--recovery-identity', IDENTITY,
                        wanted='next|age -r|fail')
    ensure(code in (0, 1) and n.recipient in said, said)
    n.start()
    n.recovered('78')
    n.arrived(n.ordered())


@row(21, 'credential of another host')
def foreign_credential(n):
    secret = '/var/lib/systemd/credential.secret'
    n.machine.shell('cp -a {0} /root/secret; rm -f {0}; systemd-creds setup >/dev/null 2>&1; echo keys | systemd-creds encrypt '
                    '--with-key=host --name=odoo-spoold.keys - /root/foreign; cat /root/secret >{0}; '
                    'mv {1} /root/kept.cred; mv /root/foreign {1}'.format(secret, CREDENTIAL))
    n.restart()
    try:
        n.seen(r'^Fault: systemd cannot open the keys \(243\): .*setup --restore', 1, 2)
        n.says('odoo-spoold', 'check', wanted='--restore RECOVERY-FILE', show=1)
        ensure(n.machine.show('NRestarts') == '0', 'it is started again and again')
    finally:
        n.machine.run('mv', '/root/kept.cred', CREDENTIAL)
        n.start()
    n.recovered('243')


# --- disks -----------------------------------------------------------------------------------------------------------------

@row(22, 'spool nearly and quite full, a file comes')
def spool_full(n):
    n.machine.fill(n.machine.spool, 6 << 20)
    order = n.ordered()
    try:
        n.seen(r'^Attention: .*(disk|space).*no file is taken', 0, 1, patience=60)
        n.machine.fill(n.machine.spool, 0)
        time.sleep(2)
        n.seen(r'^Attention: .*no file is taken', 0, 1)
    finally:
        n.machine.empty(n.machine.spool)
    n.recovered('no file is taken', patience=60)
    n.arrived(order)


@row(23, 'state nearly full, then full, then restarted')
def state_full(n):
    n.machine.fill(n.machine.state, 6 << 20)
    order = n.ordered()
    try:
        n.seen(r'^Attention: .*no file is taken', 0, 1, patience=60)
        n.machine.fill(n.machine.state, 0)
        n.look()
        n.machine.ask('systemctl', 'restart', '--no-block', UNIT)
        time.sleep(7)
        n.seen(r'(full|make room|Make room|no file is taken)', None, None, patience=40)
    finally:
        n.machine.empty(n.machine.state)
    n.recovered('full|no file is taken|does not answer', patience=90)
    n.arrived(order)


@row(24, 'spool read-only, nothing dropped')
def spool_read_only(n):
    subprocess.run(['mount', '-o', 'remount,ro', n.machine.spool], check=True)
    try:
        n.seen(r'^Attention: .*read-only', 0, 1, patience=70)
    finally:
        subprocess.run(['mount', '-o', 'remount,rw', n.machine.spool], check=True)
    n.recovered('read-only', patience=70)
    n.arrived(n.ordered())


# --- store and decision journal --------------------------------------------------------------------------------------------

@row(25, 'store cut to 20 kB')
def store_cut(n):
    n.stop()
    os.truncate(os.path.join(n.machine.state, 'store', 'db'), 20000)
    n.start()
    n.seen(r'^Fault: .*state-lost.*rebuild', 1, 2)
    n.says('odoo-spoold', 'rebuild', show=4)
    n.recovered('state-lost')
    n.arrived(n.ordered())


@row(26, 'decision journal: 4 bytes overwritten')
def decisions_overwritten(n):
    def overwrite(file, size):
        file.seek(size // 2)
        file.write(b'\xff\x00\xff\x00')
    kept = n.decisions(overwrite)
    n.start()
    try:
        n.seen(r'^Attention: .*decision journal.*damaged', 0, 1)
        n.says('odoo-spoold', 'check', wanted='decision journal')
    finally:
        n.decisions_back(*kept)
    n.recovered('decision journal', 'odoo-spoold', 'attention', 'dismiss', 'eu', '--code', 'journal-damaged', patience=5)


@row(27, 'decision journal: last third cut off')
def decisions_cut(n):
    kept = n.decisions(lambda file, size: file.truncate(size * 2 // 3))
    n.start()
    try:
        n.seen(r'^Attention: .*decision journal.*(early|missing)', 0, 1)
        n.says('odoo-spoold', 'check', wanted='decision journal')
    finally:
        n.decisions_back(*kept)
    n.recovered('decision journal', 'odoo-spoold', 'attention', 'dismiss', 'eu', '--code', 'journal-damaged', patience=5)


@row(28, 'decision journal: head gone')
def decisions_headless(n):
    kept = n.decisions(lambda file, size: file.write(bytes(256)) if not file.seek(0) else None)
    n.start()
    try:
        n.seen(r'^Fault: the daemon does not start \(78\): .*journal', 1, 2)
    finally:
        n.decisions_back(*kept)
    n.recovered('78')


# --- the clock -------------------------------------------------------------------------------------------------------------

@row(29, 'clock 40 days ahead')
def clock_ahead(n):
    with n.clock(40 * 86400):
        n.seen(r'^Attention: .*nobody vouches for the clock', 0, 1, patience=60)
        n.says('odoo-spoold', 'check', wanted='clock', show=2)
    n.recovered('clock', patience=60)
    n.arrived(n.ordered())


@row(30, 'clock a day behind, a new certificate')
def clock_behind(n):
    n.front.shows('fresh')
    try:
        with n.clock(-86400):
            n.seen(r"^Fault: .*is not valid before .*this host's clock says .*timedatectl", 1, 2)
    finally:
        n.front.shows('good')
    n.recovered('tls', patience=60)


# --- files -----------------------------------------------------------------------------------------------------------------

@row(31, 'sealed to another identity; sealed twice; half; 0 byte; plain')
def bad_files(n):
    whole = n.sealed(n.lines_of(n.order()))
    stranger = re.search('age1[a-z0-9]+', n.machine.run('age-keygen')).group(0)
    # `seal` refuses to seal twice.
    n.machine.run('runuser', '-u', 'odoo', '--', 'sh', '-c',
                  'umask 027; cd "$2"; age -r "$1" -o .twice.part && mv .twice.part twice.age', 'sh', n.recipient, INCOMING,
                  text=whole)
    for name, raw in (('stranger.age', n.sealed(n.lines_of(n.order()), stranger)), ('half.age', whole[:len(whole) // 2]),
                      ('nothing.age', b''), ('plain.txt', n.lines_of(n.order()).encode())):
        n.drop(name, raw)
    n.seen(r'^Attention: 5 files were rejected within a day.*files show', 0, 1)
    _, said = n.says('odoo-spoold', 'files', '--state', 'rejected', wanted='^F', show=6)
    for one in sorted(set(re.findall(r'F[0-9A-Za-z]{10,}', said))):
        n.says('odoo-spoold', 'files', 'show', one, wanted='(?i)next|reason|rejected', show=3)


@row(32, 'a zip, sealed')
def zipped(n):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('orders.txt', n.lines_of(n.order()))
    n.drop('zip.age', n.sealed(packed.getvalue()))
    said = n.seen(r'^Attention: .*rejected.*document-format', 0, 1)
    one = re.search(r'files show (F\w+)', said).group(1)
    n.says('odoo-spoold', 'files', 'show', one, wanted='ZIP', show=3)


@row(33, 'a folder and a link in incoming/')
def folder_and_link(n):
    n.machine.run('runuser', '-u', 'odoo', '--', 'sh', '-c', 'cd %s && mkdir sub && ln -s /etc/passwd link.txt' % INCOMING)
    try:
        said = n.seen(r'^Attention: .*(folder|directory|link)', 0, 1, patience=60)
        for line in [line for line in said.splitlines() if re.search('folder|directory|link', line)][1:4]:
            n.say('below', line.strip())
    finally:
        n.machine.run('sh', '-c', 'cd %s && rmdir sub && rm link.txt' % INCOMING)
    n.recovered('folder|link', patience=60)


@row(34, "root's file 0600 in incoming/")
def file_of_another(n):
    n.machine.shell('umask 077; echo x >%s/.x; chgrp root %s/.x; mv %s/.x %s/orders.txt' % ((INCOMING,) * 4))
    try:
        wanted = r'^Attention: .*it belongs to group root: chgrp odoo-spoold-drop FILE && chmod g\+r FILE'
        said = n.seen(wanted, 0, 1, patience=60)
        # The name, where every word of it is known to be harmless.
        ensure('orders.txt: a file' in said or '-inum' in said, 'nothing says which file')
    finally:
        n.machine.run('rm', INCOMING + '/orders.txt')
    n.recovered('group root', patience=60)


def flood(n, count, name):
    """So many small files at once: of fifty kinds, so that sealing them is not what takes long."""
    kinds = [n.sealed(n.lines_of(n.order())) for _ in range(50)]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w') as archive:
        for at in range(count):
            raw = kinds[at % len(kinds)]
            entry = tarfile.TarInfo('%s-%05d.age' % (name, at))
            entry.size, entry.mode = len(raw), 0o640
            archive.addfile(entry, io.BytesIO(raw))
    n.machine.shell('rm -rf {0}/.flood; install -d -o odoo -g odoo-spoold-drop {0}/.flood; cd {0}/.flood; tar -x; '
                    'chown -R odoo:odoo-spoold-drop .'.format(INCOMING), text=packed.getvalue())
    n.machine.run('python3', '-c', 'import os; os.chdir("%s/.flood"); '
                  '[os.rename(one, "../" + one) for one in sorted(os.listdir("."))]; os.rmdir("../.flood")' % INCOMING)
    return ['701-%07d-%07d' % (at, at) for at in range(n.orders - 49, n.orders + 1)]


@row(35, '5,000 small files at once')
def many_files(n):
    orders = flood(n, 5000, 'many')
    began = time.monotonic()
    fresh = n.ordered()
    said = n.seen(r'[\d,]+ files wait, oldest', 0, None, patience=10)
    for line in [line for line in said.splitlines() if re.search('WAITING|^eu|waiting', line)][:3]:
        n.say('below', line)
    n.says('odoo-spoold', 'queue', 'show', 'eu', fresh, show=3)
    until(lambda: n.in_odoo(fresh), 'the fresh order', 600, 2)
    n.say('fresh', 'its order was in Odoo after %.0f s' % (time.monotonic() - began))
    until(lambda: not re.search('files? waits?', n.first()[0]), 'all are read', 600, 2)
    took = time.monotonic() - began
    n.say('again', 'all read after %.0f s: %.0f files a second' % (took, 5000 / took))
    n.arrived(*orders)


# --- the process -----------------------------------------------------------------------------------------------------------

@row(36, 'kill -STOP')
def stopped(n):
    pid = n.machine.pid()
    n.machine.run('kill', '-STOP', str(pid))
    try:
        n.seen(r'^Fault: the daemon does not answer; systemd says: active \(running\)', 1, 2)
        began = time.monotonic()
        # The watchdog of the unit: 3 minutes.
        until(lambda: n.machine.pid() not in (0, pid) and n.machine.active() == 'active', 'started again', 240, 2)
        n.say('again', 'by the watchdog after %.0f s' % (time.monotonic() - began))
    finally:
        n.machine.ask('kill', '-CONT', str(pid))
    n.recovered('does not answer')


@row(37, 'kill -9')
def killed(n):
    order = n.ordered()
    n.machine.run('systemctl', 'kill', '-s', 'KILL', UNIT)
    n.look()
    n.recovered('does not answer|not running', patience=20)
    n.says('journalctl', '--no-pager', '-u', UNIT, '-o', 'cat', '-n', '200', wanted='SIGKILL|signal', show=1)
    n.arrived(order)


@row(38, 'journald restarted; log.level = "trace"')
def journald(n):
    n.machine.run('systemctl', 'restart', 'systemd-journald')
    n.machine.write(CONFIG, n.config + '\n[log]\nlevel = "trace"\n')
    n.machine.run('systemctl', 'reload', UNIT)
    n.look()
    n.arrived(n.ordered())
    said = n.machine.run('journalctl', '--no-pager', '-t', 'odoo-spoold', '-o', 'json', '--since', '-60s')
    ensure('DT99' not in said and 'WALLOW' not in said, 'an address is in the journal')
    n.say('journal', '%d records in a minute, no address in them' % len(said.splitlines()))
    n.configure()
    n.machine.run('systemctl', 'reload', UNIT)


@row(39, 'two daemons')
def two(n):
    code, said = n.says(*AS_SERVICE, 'odoo-spoold', 'run')
    ensure(code == 1 and 'LOCK' in said, said)
    n.look()


@row(40, 'daemon stopped, status while it starts')
def starting(n):
    n.machine.run('systemctl', 'stop', SOCKET, UNIT)
    n.seen(r'^Fault: the daemon is not running; `systemctl start odoo-spoold`', 1, 2)
    n.machine.run('systemctl', 'start', '--no-block', UNIT)
    n.recovered('not running')
    n.machine.run('systemctl', 'start', SOCKET)


@row(41, 'machine restarted with 2,900 files and 60 orders under way')
def rebooted(n):
    m = n.machine
    fresh = [n.order() for _ in range(60)]
    orders = flood(n, 2900, 'boot')
    n.drop('sixty.age', n.sealed(n.lines_of(*fresh)))
    time.sleep(2)
    Machine.destroy(m)
    began = time.monotonic()
    m.boot()
    n.recovered('does not answer|not running', patience=60)
    n.look()
    n.arrived(*orders, *(cells[0] for cells in fresh), patience=400)
    until(lambda: not re.search('files? waits?', n.first()[0]), 'all are read', 400, 2)
    n.say('again', '%.0f s after the machine began to start' % (time.monotonic() - began))


@row(42, 'same version again; a program older than the state')
def reinstalled(n):
    apt = ('apt-get', '-q', '-y', 'install', '--reinstall', '-o', 'Dpkg::Use-Pty=0', n.package)
    pid = n.machine.pid()
    code, said = n.machine.ask(*apt)
    ensure(code == 0 and n.machine.pid() != pid and n.machine.active() == 'active', said)
    n.look()
    known = n.machine.run('cat', STATE + '/SCHEMA')
    n.machine.write(STATE + '/SCHEMA', '99\n')
    try:
        code, _ = n.says(*apt, wanted='99|newer')
        ensure(code != 0, 'it was installed over a newer state')
        ensure(n.restart()[0] != 0, 'it started')
        n.seen(r'^Fault: the daemon does not start \(78\): .*newer', 1, 2)
    finally:
        n.machine.write(STATE + '/SCHEMA', known)
        n.start()
    n.recovered('78')


@row(43, 'purge with a broken state')
def purged(n):
    m = n.machine
    # Mount points cannot be removed: from here on both are plain folders.
    m.run('systemctl', 'stop', SOCKET, UNIT)
    for path in (SPOOL, STATE):
        m.shell('cp -a {0} /root/moved; umount {0}; cp -a /root/moved/. {0}; chown --reference=/root/moved {0}; '
                'chmod --reference=/root/moved {0}; rm -r /root/moved'.format(path))
    m.run('truncate', '-s', '20000', STATE + '/store/db')
    m.run('chown', '-R', 'root:', STATE + '/journal')
    n.start()
    n.look()
    code, said = m.ask('apt-get', '-q', '-y', 'purge', '-o', 'Dpkg::Use-Pty=0', 'odoo-spoold')
    for line in [line for line in said.splitlines() if 'odoo-spoold' in line or 'evoke' in line or 'key' in line][-12:]:
        n.say('purge', line.strip())
    ensure(code == 0, said)
    ensure('Revoke it' in said and 'age1' in said and n.url in said, said)
    left = m.ask('sh', '-c', 'ls -d /etc/odoo-spoold %s %s %s' % (CREDENTIAL, SPOOL, STATE))[1]
    ensure('/etc/odoo-spoold\n' not in left and left.count('No such file') == 4, left)
    failed = m.run('systemctl', '--failed', '--no-legend').strip()
    ensure(failed == '', failed)
    n.say('failed', 'systemctl --failed is empty')


# A file that was rejected is told for a day: these two come when nothing else is to be seen.
LAST = (31, 32, 42, 43)


def main():
    suite, package, *wanted = sys.argv[1:]
    order = [number for number in sorted(ROWS) if number not in LAST] + list(LAST)
    chosen = [number for number in order if not wanted or str(number) in wanted]
    # A row counts what fails in it; this ends all of them, and the machine is stopped in any case.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as scratch:
        n = None
        try:
            n = Night(suite, os.path.abspath(package), scratch)
            n.chosen = chosen
            n.set_up()
            shift = os.path.join(n.machine.root, 'usr', 'lib', 'spoold-shift.so')
            subprocess.run(['cc', '-shared', '-fPIC', '-o', shift, os.path.join(HERE, 'inside', 'shift.c')], check=True)
            for number in chosen:
                name, perform = ROWS[number]
                print('\nrow %d: %s' % (number, name), flush=True)
                with n.report.check('row %d' % number):
                    perform(n)
                if number != 43:
                    n.calm()
        finally:
            if n is not None:
                n.close()
        sys.exit(n.report.finish())


if __name__ == '__main__':
    main()
