"""products.py FILE < env.json: create the products of FILE that the database does not have yet.

FILE: one product a line, tab separated: default_code [name [list_price]].  They belong to no company, are kept in
stock and carry no tax.  Plain RPC as the integration user: it works on any Odoo, and starts faster than a shell.
"""
import json
import sys
import urllib.request

BATCH = 200
lab = json.load(sys.stdin)


def call(model, method, *args, **kwargs):
    params = {'service': 'object', 'method': 'execute_kw',
              'args': [lab['database'], lab['uid'], lab['api_key'], model, method, args, kwargs]}
    request = urllib.request.Request(
        lab['url'] + '/jsonrpc', json.dumps({'jsonrpc': '2.0', 'method': 'call', 'id': 1, 'params': params}).encode(),
        {'Content-Type': 'application/json'})
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            body = json.load(answer)
    except OSError as error:
        sys.exit('%s does not answer (%s): is the server up?' % (lab['url'], error))
    if 'error' in body:
        sys.exit('%s.%s: %s' % (model, method, body['error'].get('data', {}).get('message', body['error'])))
    return body.get('result')


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
