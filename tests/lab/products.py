"""products.py FILE < env.json: create the products of FILE that the database does not have yet.

FILE: one product a line, tab separated: default_code [name [list_price]].  They belong to no company, are kept in
stock and carry no tax.  Plain RPC as the integration user: it works on any Odoo, and starts faster than a shell.
"""
import json
import sys

from rpc import Rpc

BATCH = 200
lab = json.load(sys.stdin)
call = Rpc(lab)

wanted = {}
with open(sys.argv[1], encoding='utf-8') as lines:
    for line in lines:
        code, name, price = (line.rstrip('\r\n').split('\t') + ['', ''])[:3]
        if code:
            wanted.setdefault(code, {'default_code': code, 'name': name or code, 'list_price': float(price or 10)})

storable = {'type': 'consu', 'is_storable': True} if lab['version'] >= 17 else {'type': 'product'}
codes, created = list(wanted), 0
# No default company, no chatter note for each: these are test data.
context = {'tracking_disable': True, 'lang': 'en_US'}
for start in range(0, len(codes), BATCH):
    batch = codes[start:start + BATCH]
    there = {p['default_code'] for p in call('product.product', 'search_read', [('default_code', 'in', batch)],
                                             fields=['default_code'])}
    new = [dict(wanted[c], company_id=False, taxes_id=[(6, 0, [])], supplier_taxes_id=[(6, 0, [])], **storable)
           for c in batch if c not in there]
    if new:
        created += len(call('product.product', 'create', new, context=context))
print('%d created, %d were there' % (created, len(codes) - created), file=sys.stderr)
