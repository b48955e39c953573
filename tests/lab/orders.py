"""orders.py < env.json: the sale orders with a marketplace's order id, as Odoo shows them: a table for people.

No names of buyers: whether an order has a contact of its own or the marketplace's is told by the kind.
"""
import json
import sys

from rpc import Rpc

lab = json.load(sys.stdin)
call = Rpc(lab)
context = {'lang': 'en_US', 'active_test': False}

orders = call('sale.order', 'search_read', [('client_order_ref', '!=', False)], order='client_order_ref', context=context,
              fields=['name', 'client_order_ref', 'state', 'date_order', 'partner_id', 'amount_total', 'currency_id',
                      'order_line'])
partners = {p['id']: p for p in call('res.partner', 'read', sorted({o['partner_id'][0] for o in orders}),
                                     fields=['email', 'street', 'city'])} if orders else {}
heading = ('Odoo', 'Amazon order id', 'state', 'date', 'contact', 'amount', '', 'lines')
rows = [heading]
for order in orders:
    partner = partners[order['partner_id'][0]]
    kind = 'buyer' if partner['email'] or partner['street'] or partner['city'] else 'anonymous'
    rows.append((order['name'], order['client_order_ref'], order['state'], order['date_order'] or '', kind,
                 '%.2f' % order['amount_total'], order['currency_id'][1], str(len(order['order_line']))))
widths = [max(len(row[i]) for row in rows) for i in range(len(heading))]
for row in rows:
    print('  '.join(cell.rjust(width) if i in (5, 7) else cell.ljust(width)
                    for i, (cell, width) in enumerate(zip(row, widths))).rstrip())
print('%d sale orders' % len(orders))
