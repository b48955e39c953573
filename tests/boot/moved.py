"""After the machine is lost: another one with the same keys, from the recovery file."""
import os

from deliver import FILE_DONE, FILE_REJECTED
from stage import SOCKET, UNIT, ensure, until

KEPT_ORDERS = 20
CREDENTIAL = '/etc/credstore.encrypted/odoo-spoold.keys'
SAFE, IDENTITY, FOREIGN = '/root/recovery.age', '/root/identity', '/root/foreign'


def restoring(w):
    m, check = w.machine, w.report.check
    with check('on another machine, setup --restore brings the same identities'):
        # Another machine: nothing of ours is left here, and the host's key is another one.
        m.shell('echo keys | systemd-creds encrypt --with-key=host --name=odoo-spoold.keys - %s' % FOREIGN)
        m.shell('rm -f /var/lib/systemd/credential.secret %s; systemd-creds setup' % SAFE)
        w.install(w.package)
        m.run('usermod', '-aG', 'odoo-spoold-drop', 'odoo')
        m.write('/etc/odoo-spoold/config.toml', w.odoo.config())
    with check('a credential of another machine: no restarts, and the journal and check say what to do'):
        m.shell('mkdir -p -m 700 /etc/credstore.encrypted && mv %s %s' % (FOREIGN, CREDENTIAL))
        code, _ = m.ask('systemctl', 'start', UNIT)
        ensure(code != 0, 'it started')
        until(lambda: 'does not open on this host' in m.run('journalctl', '-u', UNIT, '-o', 'cat', '--no-pager'),
              'the words in the journal', 20)
        ensure(m.show('ExecMainStatus') == '243' and m.show('NRestarts') == '0', m.show('NRestarts'))
        ensure(m.active() == 'failed', m.active())
        said = m.ask('odoo-spoold', 'check')[1]
        ensure('does not open' in said and '--restore RECOVERY-FILE' in said, said)
    with check('setup --restore takes the place of the credential that does not open'):
        m.write(SAFE, w.safe)
        m.write(IDENTITY, w.safe_key + '\n')
        code, said = m.ask('odoo-spoold', 'setup', '--non-interactive', '--restore', SAFE, '--recovery-identity', IDENTITY)
        ensure(code == 0 and w.recipient in said, 'code %d: %s' % (code, said))
        m.run('test', '-e', CREDENTIAL + '.1')
        m.run('rm', SAFE, IDENTITY)
        keys = m.run('systemd-creds', 'decrypt', '--name=odoo-spoold.keys', CREDENTIAL, '-')
        ensure(not [s for s in w.secrets if s not in keys], 'other keys')
        m.run('systemctl', 'enable', '--now', UNIT)
        ensure(m.active() == 'active' and m.active(SOCKET) == 'active', m.active())
        ensure(m.run('odoo-spoold', 'recipient', '--account', 'eu').strip() == w.recipient, 'another recipient')
    with check('files sealed for the lost machine open: known orders stay as they are, new ones arrive'):
        refused, done = len(m.journal('MESSAGE_ID=' + FILE_REJECTED)), len(m.journal('MESSAGE_ID=' + FILE_DONE))
        for path, sealed in w.kept.items():
            m.drop('again-' + os.path.basename(path) + '.age', sealed)
            if path not in w.files:
                w.files.append(path)
        m.idle()
        ensure(len(m.journal('MESSAGE_ID=' + FILE_DONE)) == done + len(w.kept), 'not all were taken')
        ensure(len(m.journal('MESSAGE_ID=' + FILE_REJECTED)) == refused, 'one was rejected')
        w.odoo_agrees()
