"""What integrators load orders with: `odoo-import-export-client`, which sends CSV rows to `load()` in batches.

    ../lab/odoo.sh 19 env bench --json | ./python.sh baseline_import.py --env - --orders FILE [--batch 100] [--workers 2]

Buyers go first, then orders with their lines as continuation rows, each under an external id; products, pricelist and
country are named by database id. It asks for no duplicates beyond the external ids and puts no date back after confirming.
"""
import configparser
import contextlib
import json
import logging
import os
import sys
import tempfile
import urllib.parse

from odoo_csv_tools import import_threaded

import baseline

# Its log of each batch goes to stdout, where the answer belongs.
for handler in logging.getLogger('info').handlers:
    handler.setStream(sys.stderr)

parser = baseline.arguments(__doc__.splitlines()[0])
parser.add_argument('--batch', type=int, default=100, help='lines in a load call, and the rest of the last order (100)')
parser.add_argument('--workers', type=int, default=2, help='calls at the same time (2)')
options = parser.parse_args()
lab = json.load(options.env)
orders = baseline.read_orders(options.orders)
rpc = baseline.Rpc(lab)
rpc.warm_up()
if options.prepare:
    rpc.create_buyers(orders, 200)
    raise SystemExit

url = urllib.parse.urlsplit(lab['url'])
config = configparser.RawConfigParser()
config['Connection'] = {
    'hostname': url.hostname, 'port': str(url.port or (443 if url.scheme == 'https' else 80)),
    'protocol': 'jsonrpcs' if url.scheme == 'https' else 'jsonrpc', 'database': lab['database'],
    'login': lab['login'], 'password': lab['password'], 'uid': str(lab['uid'])}
work = tempfile.mkdtemp(prefix='bench-import-')
conf = os.path.join(work, 'connection.conf')
with open(conf, 'w', encoding='utf-8') as f:
    config.write(f)


def load(model, header, rows, o2m=False):
    """The library's own entry point, as its script calls it; what it logs goes to stderr, not into the answer."""
    with contextlib.redirect_stdout(sys.stderr):
        _, refused = import_threaded.import_data(
            conf, model, header=header, data=rows, max_connection=options.workers, batch_size=options.batch,
            check=not o2m, o2m=o2m)
    if refused:
        raise SystemExit('%s: %d rows were refused' % (model, len(refused)))


stopwatch = baseline.Stopwatch(options.cpu)
pricelist = rpc('product.pricelist', 'search', [('name', '=', options.pricelist)], limit=1)[0]
products = rpc.ids_by('product.product', 'default_code', {line['sku'] for o in orders for line in o['lines']})
if options.new_buyers:
    countries = rpc.ids_by('res.country', 'code', {o['country_code'] for o in orders})
    buyers = {o['buyer_email']: o for o in orders}
    name = {email: 'bench_import.partner_%s' % email.split('@')[0] for email in buyers}
    load('res.partner', ['id', 'name', 'email', 'city', 'zip', 'country_id/.id'],
         [[name[e], o['buyer_name'], e, o['city'], o['zip'], str(countries[o['country_code']])]
          for e, o in buyers.items()])
    partner_field, partners = 'partner_id/id', name
else:
    partner_field = 'partner_id/.id'
    partners = {email: str(i) for email, i in rpc.ids_by('res.partner', 'email', {o['buyer_email'] for o in orders}).items()}

header = ['id', partner_field, 'client_order_ref', 'pricelist_id/.id', 'date_order', 'order_line/product_id/.id',
          'order_line/product_uom_qty', 'order_line/price_unit', 'order_line/name', 'order_line/%s' % rpc.tax_field]
rows = []
for order in orders:
    head = ['bench_import.order_%s' % order['order_id'], partners[order['buyer_email']], order['order_id'],
            str(pricelist), order['purchase_date']]
    for line in order['lines']:
        rows.append(head + [str(products[line['sku']]), str(line['qty']), str(line['price_unit']), line['name'], ''])
        head = [''] * len(head)
load('sale.order', header, rows, o2m=True)
if options.confirm:
    found = rpc.ids_by('sale.order', 'client_order_ref', {o['order_id'] for o in orders})
    for batch in baseline.chunks(list(found.values()), 50):
        rpc('sale.order', 'action_confirm', batch)
stopwatch.answer(orders)
