"""The script everyone writes first: for each order look up buyer, duplicate and products, create order and lines.

    ../lab/odoo.sh 19 env bench --json | ./python.sh baseline_odoorpc.py --env - --orders FILE
"""
import json
import urllib.parse

import odoorpc

import baseline

options = baseline.arguments(__doc__.splitlines()[0]).parse_args()
lab = json.load(options.env)
orders = baseline.read_orders(options.orders)
rpc = baseline.Rpc(lab)
rpc.warm_up()
if options.prepare:
    rpc.create_buyers(orders, 200)
    raise SystemExit

url = urllib.parse.urlsplit(lab['url'])
odoo = odoorpc.ODOO(url.hostname, protocol='jsonrpc+ssl' if url.scheme == 'https' else 'jsonrpc',
                    port=url.port or (443 if url.scheme == 'https' else 80), timeout=600)
odoo.login(lab['database'], lab['login'], lab['password'])
Partner, Product = odoo.env['res.partner'], odoo.env['product.product']
Order, Line = odoo.env['sale.order'], odoo.env['sale.order.line']

stopwatch = baseline.Stopwatch(options.cpu)
pricelist = odoo.env['product.pricelist'].search([('name', '=', options.pricelist)], limit=1)[0]
for order in orders:
    if Order.search([('client_order_ref', '=', order['order_id'])], limit=1):
        continue
    partner = Partner.search([('email', '=', order['buyer_email'])], limit=1)
    if not partner and not options.new_buyers:
        raise SystemExit('no buyer %s; see --prepare and --new-buyers' % order['buyer_email'])
    if not partner:
        country = odoo.env['res.country'].search([('code', '=', order['country_code'])], limit=1)
        partner = [Partner.create({'name': order['buyer_name'], 'email': order['buyer_email'], 'city': order['city'],
                                   'zip': order['zip'], 'country_id': country[0]})]
    order_id = Order.create({'partner_id': partner[0], 'client_order_ref': order['order_id'], 'pricelist_id': pricelist,
                             'date_order': order['purchase_date']})
    for line in order['lines']:
        product = Product.search([('default_code', '=', line['sku'])], limit=1)
        Line.create({'order_id': order_id, 'product_id': product[0], 'product_uom_qty': line['qty'],
                     'price_unit': line['price_unit'], 'name': line['name'], rpc.tax_field: [(6, 0, [])]})
    if options.confirm:
        Order.action_confirm([order_id])
        # Confirming has set the date to now.
        Order.write([order_id], {'date_order': order['purchase_date']})
stopwatch.answer(orders)
