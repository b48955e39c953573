"""What the three comparison scripts share: arguments, the orders, JSON-RPC, the answer.

They read the same neutral file, one JSON object a line:
  {"order_id": "302-...", "purchase_date": "2026-01-02 03:04:05", "buyer_email": "...", "buyer_name": "...",
   "city": "...", "zip": "...", "country_code": "DE", "lines": [{"sku": "...", "qty": 1, "price_unit": 9.99, "name": "..."}]}
and set the columns our daemon sets: reference, customer, pricelist, date; product, quantity, price, text, no tax.
"""
import argparse
import json
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--env', required=True, type=argparse.FileType(), help="what `odoo.sh VERSION env DB --json` printed; - for standard input")
    parser.add_argument('--orders', required=True, help='the orders, one JSON object a line')
    parser.add_argument('--pricelist', default='Amazon EUR', help='the pricelist of the orders')
    parser.add_argument('--cpu', metavar='COMMAND', help='prints the CPU seconds of Odoo so far; the difference is reported')
    parser.add_argument('--confirm', action='store_true', help='confirm the orders, too')
    parser.add_argument('--new-buyers', action='store_true', help='create a buyer that is not found (else that is an error)')
    parser.add_argument('--prepare', action='store_true', help='only create the buyers that are missing, then end')
    return parser


def read_orders(path):
    with open(path, encoding='utf-8') as lines:
        return [json.loads(line) for line in lines if line.strip()]


class Stopwatch:
    """What the orders took: begin it when everything is warm."""

    def __init__(self, command):
        self.command = command
        self.cpu = self.cpu_seconds()
        self.started = time.monotonic()

    def cpu_seconds(self):
        return float(subprocess.check_output(self.command, shell=True)) if self.command else None

    def answer(self, orders):
        wall = time.monotonic() - self.started
        cpu = round(self.cpu_seconds() - self.cpu, 2) if self.command else None
        print(json.dumps({'orders': len(orders), 'wall_s': round(wall, 3), 'cpu_s': cpu}))


def chunks(items, size):
    return [items[i:i + size] for i in range(0, len(items), size)]


class Rpc:
    """JSON-RPC with an API key; one call, one connection, as with a server that runs workers."""

    def __init__(self, lab):
        self.url = lab['url'] + '/jsonrpc'
        self.login = [lab['database'], lab['uid'], lab['api_key']]
        self.tax_field = 'tax_ids' if lab['version'] >= 19 else 'tax_id'

    def __call__(self, model, method, *args, **kwargs):
        params = {'service': 'object', 'method': 'execute_kw', 'args': [*self.login, model, method, args, kwargs]}
        request = urllib.request.Request(
            self.url, json.dumps({'jsonrpc': '2.0', 'method': 'call', 'id': 1, 'params': params}).encode(),
            {'Content-Type': 'application/json'})
        with urllib.request.urlopen(request, timeout=600) as reply:
            body = json.load(reply)
        if 'error' in body:
            raise SystemExit('%s.%s: %s' % (model, method, body['error'].get('data', {}).get('message')))
        return body.get('result')

    def warm_up(self):
        """The first call a worker gets loads the registry: seconds that are nobody's speed."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: self('sale.order', 'default_get', ['partner_id', 'order_line']), range(16)))

    def ids_by(self, model, field, values):
        found = {}
        for batch in chunks(sorted(set(values)), 1000):
            for record in self(model, 'search_read', [(field, 'in', batch)], fields=[field], order='id desc'):
                found[record[field]] = record['id']
        return found

    def create_buyers(self, orders, batch_size):
        """The buyers of these orders by e-mail address; those that are missing are created."""
        buyers = {o['buyer_email']: o for o in orders}
        found = self.ids_by('res.partner', 'email', buyers)
        countries = self.ids_by('res.country', 'code', {o['country_code'] for o in orders})
        for batch in chunks([e for e in buyers if e not in found], batch_size):
            ids = self('res.partner', 'create', [
                {'name': buyers[e]['buyer_name'], 'email': e, 'city': buyers[e]['city'], 'zip': buyers[e]['zip'],
                 'country_id': countries[buyers[e]['country_code']]} for e in batch])
            found.update(zip(batch, ids))
        return found
