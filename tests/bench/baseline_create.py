"""The leanest way in without external ids: everything looked up at once, `create` with many orders a call.

    ../lab/odoo.sh 19 env bench --json | ./python.sh baseline_create.py --env - --orders FILE [--batch 100] [--connections 2]

It asks for no duplicates and puts no date back after confirming: it is the floor, not a proposal.
"""
import json
from concurrent.futures import ThreadPoolExecutor

import baseline

parser = baseline.arguments(__doc__.splitlines()[0])
parser.add_argument('--batch', type=int, default=100, help='orders in a create call (100)')
parser.add_argument('--confirm-batch', type=int, default=50, help='orders in an action_confirm call (50)')
parser.add_argument('--connections', type=int, default=1, help='calls at the same time (1)')
options = parser.parse_args()
lab = json.load(options.env)
orders = baseline.read_orders(options.orders)
rpc = baseline.Rpc(lab)
rpc.warm_up()
if options.prepare:
    rpc.create_buyers(orders, 200)
    raise SystemExit

stopwatch = baseline.Stopwatch(options.cpu)
pricelist = rpc('product.pricelist', 'search', [('name', '=', options.pricelist)], limit=1)[0]
products = rpc.ids_by('product.product', 'default_code', {line['sku'] for o in orders for line in o['lines']})
if options.new_buyers:
    partners = rpc.create_buyers(orders, options.batch)
else:
    partners = rpc.ids_by('res.partner', 'email', {o['buyer_email'] for o in orders})


def values(order):
    return {'partner_id': partners[order['buyer_email']], 'client_order_ref': order['order_id'],
            'pricelist_id': pricelist, 'date_order': order['purchase_date'],
            'order_line': [(0, 0, {'product_id': products[line['sku']], 'product_uom_qty': line['qty'],
                                   'price_unit': line['price_unit'], 'name': line['name'],
                                   rpc.tax_field: [(6, 0, [])]}) for line in order['lines']]}


with ThreadPoolExecutor(options.connections) as pool:
    created = list(pool.map(lambda batch: rpc('sale.order', 'create', [values(o) for o in batch]),
                            baseline.chunks(orders, options.batch)))
    if options.confirm:
        ids = [i for batch in created for i in batch]
        list(pool.map(lambda batch: rpc('sale.order', 'action_confirm', batch),
                      baseline.chunks(ids, options.confirm_batch)))
stopwatch.answer(orders)
