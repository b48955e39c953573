"""Files dropped as Odoo's user become orders, and the journal tells it."""
import os

from stage import INCOMING, ROOT, UNIT, ensure, until

VECTORS = os.path.join(ROOT, 'tests', 'vectors')
TRIO = [os.path.join(VECTORS, 'trio_%s.txt' % family) for family in ('all_orders', 'order_report', 'unshipped')]
# Stable for ever (src/telemetry/events.rs), so they may stand here.
FILE_CLAIMED = '373c25386bc14cce910d61f85d7d890d'
FILE_DONE = 'e129452ebaad40acbf4e1d0d95ff0b29'
FILE_REJECTED = '43712decca8c446ca02542108e19cea3'
FILE_LEFT = 'cdf2b46638b84bf785661d785ae4783f'
ORDER_DELIVERED = '452e517e252240bd8530c20ea1044cb8'
READY = '84418d0298e14cb1a484bc7f7ce90faf'


def arriving(w):
    m, check = w.machine, w.report.check
    with check('sealed files dropped by odoo become the orders that the oracle expects'):
        for path in TRIO:
            w.deliver(path)
        m.idle()
        w.odoo_agrees()
    with check('all is well, and `journalctl -p warning` is silent'):
        ensure(m.status()['health'] == 'well', m.status()['headline'])
        ensure(m.journal('-p', 'warning', '--since', '-60s', '_PID=%d' % m.pid()) == [], 'there are warnings')
    with check('a file that age itself sealed, in the machine'):
        path = os.path.join(VECTORS, 'canary_order_report.txt')
        with open(path, 'rb') as report:
            m.run('runuser', '-u', 'odoo', '--', 'sh', '-c',
                  'umask 027; age -r "$1" -o "$2/.one.part" && mv "$2/.one.part" "$2/one.age"', 'sh', w.recipient, INCOMING,
                  text=report.read())
        w.files.append(path)
        m.idle()
        w.odoo_agrees()
    with check('who may drop files can neither list them nor read what became of them'):
        for words in (('ls', INCOMING), ('ls', '/var/spool/odoo-spoold/eu/done'), ('ls', '/var/lib/odoo-spoold')):
            code, said = m.ask('runuser', '-u', 'odoo', '--', *words)
            ensure(code != 0 and 'Permission denied' in said, said)
    with check('the socket answers its group only, and knows who asks'):
        code, said = m.ask('runuser', '-u', 'odoo', '--', 'odoo-spoold', 'reload')
        ensure(code != 0, 'odoo is not in odoo-spoold-ctl and was answered: ' + said)
        m.run('usermod', '-aG', 'odoo-spoold-ctl', 'odoo')
        m.run('runuser', '-u', 'odoo', '--', 'odoo-spoold', 'reload')
        uid = m.run('id', '-u', 'odoo').strip()
        asked = [r for r in m.journal() if r['MESSAGE'].startswith('control request') and r.get('VERB') == 'reload']
        ensure(asked and asked[-1]['UID'] == uid, asked[-1:])
    with check('a file that is not sealed is refused by name of its fault, a link is left'):
        m.drop('plain.txt', 'order-id\tsku\n')
        m.run('runuser', '-u', 'odoo', '--', 'ln', '-s', '/etc/passwd', INCOMING + '/orders.txt')
        until_left(m)
        ensure(len(m.journal('MESSAGE_ID=' + FILE_REJECTED)) == 1, 'refused once')
        m.run('rm', INCOMING + '/orders.txt')


def until_left(m):
    until(lambda: m.journal('MESSAGE_ID=' + FILE_LEFT) and m.journal('MESSAGE_ID=' + FILE_REJECTED), 'both are told')


def journal(w):
    m, check = w.machine, w.report.check
    wanted = {
        FILE_CLAIMED: {'ACCOUNT': 'eu', 'FILE_ID': None, 'BYTES': None, 'PRIORITY': '6'},
        FILE_DONE: {'ACCOUNT': 'eu', 'FILE_ID': None, 'REPORT_TYPE': None, 'ROWS': None, 'ORDERS': None, 'PRIORITY': '6'},
        FILE_REJECTED: {'ACCOUNT': 'eu', 'FILE_ID': None, 'ERROR_CODE': None, 'NEXT_STEP': None, 'PRIORITY': '4'},
        FILE_LEFT: {'ACCOUNT': 'eu', 'NEXT_STEP': None, 'PRIORITY': '4'},
        ORDER_DELIVERED: {'ACCOUNT': 'eu', 'ORDER_REF': None, 'PRIORITY': '6'},
        READY: {'ACCOUNTS': '1', 'TOOK_MS': None, 'PRIORITY': '6'},
    }
    with check('journal, field by field'):
        for message, fields in wanted.items():
            records = m.journal('MESSAGE_ID=' + message)
            ensure(records, 'no record ' + message)
            for record in records:
                fixed = {'_SYSTEMD_UNIT': UNIT, 'SYSLOG_IDENTIFIER': 'odoo-spoold', 'MESSAGE': None, 'CODE_FILE': None}
                for name, value in {**fixed, **fields}.items():
                    ensure(record.get(name), '%s is missing in %s' % (name, record))
                    ensure(value is None or record[name] == value, '%s is %s in %s' % (name, record[name], record))
    with check('an order is found by its reference, a file by its id'):
        told = m.journal('ORDER_REF=979-6913592-5317304')
        ensure(ORDER_DELIVERED in {r.get('MESSAGE_ID') for r in told}, told)
        file_id = m.journal('MESSAGE_ID=' + FILE_DONE)[0]['FILE_ID']
        ensure(len(m.journal('FILE_ID=' + file_id)) >= 2, 'claimed and done')
        ensure(file_id in m.run('odoo-spoold', 'files', 'show', file_id), 'files show')
    with check('journalctl -x has the catalog text'):
        said = m.run('journalctl', '--no-pager', '-x', '-u', UNIT, 'MESSAGE_ID=' + FILE_REJECTED)
        ensure('Subject: odoo-spoold: file rejected' in said and 'drop it again' in said, said)
        # What is said of the code comes from the record, through the entry's places.
        for field in ('ERROR_CODE', 'ERROR_CAUSE', 'ERROR_EFFECT', 'ERROR_NEXT'):
            told = m.journal('MESSAGE_ID=' + FILE_REJECTED)[0][field]
            ensure(told in said and field not in said, '%s: %s' % (field, said))
        ensure('Cause: the file is not encrypted.' in said, said)
    with check('a code is explained without the daemon and without settings, to anybody'):
        said = m.run('runuser', '-u', 'nobody', '--', 'odoo-spoold', 'explain', 'envelope-plaintext-refused', '--config', '/nonexistent')
        ensure('the file is not encrypted' in said and 'rejected/' in said and 'odoo-spoold seal' in said, said)
        ensure(m.ask('odoo-spoold', 'explain', 'no-such-code')[0] == 2, 'a code that does not exist')
        page = m.run('sh', '-c', 'zcat "$(man -w 7 odoo-spoold-errors)"')
        ensure('cancellation\\-requested' in page, 'holds are not in odoo-spoold-errors(7)')
    with check('no path of the machine it was built on'):
        code, said = m.ask('grep', '-caE', os.path.expanduser('~') + '/|' + ROOT, '/usr/bin/odoo-spoold')
        ensure(code == 1, said)


def folders(w):
    """Audit 19: an account that somebody wrote into config.toml gets its folders from the daemon, under its sandbox."""
    m, spool = w.machine, '/var/spool/odoo-spoold'
    with w.report.check('folders that the daemon makes itself are open to droppers and to nobody else'):
        m.run('systemctl', 'stop', UNIT)
        m.run('mv', spool + '/eu', spool + '/eu.kept')
        m.run('systemctl', 'start', UNIT)
        modes = m.run('stat', '-c', '%a %U %G', INCOMING, *('%s/eu%s' % (spool, name) for name in ('', '/work', '/done', '/rejected')))
        ensure(modes.splitlines() == ['3730 odoo-spoold odoo-spoold-drop', '711 odoo-spoold odoo-spoold-drop']
               + 3 * ['750 odoo-spoold odoo-spoold'], modes)
        m.drop('plain.txt', 'order-id\tsku\n')
        until(lambda: 'plain.txt' in m.run('ls', spool + '/eu/rejected'), 'the dropped file is taken')
        m.run('systemctl', 'stop', UNIT)
        m.run('rm', '-r', spool + '/eu')
        m.run('mv', spool + '/eu.kept', spool + '/eu')
        m.run('systemctl', 'start', UNIT)
