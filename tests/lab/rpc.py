"""Odoo's plain JSON-RPC as the integration user of `odoo.sh VERSION env DB --json`; works on any Odoo."""
import json
import sys
import urllib.request


class Rpc:
    def __init__(self, lab):
        self.lab = lab

    def __call__(self, model, method, *args, **kwargs):
        params = {'service': 'object', 'method': 'execute_kw',
                  'args': [self.lab['database'], self.lab['uid'], self.lab['api_key'], model, method, args, kwargs]}
        request = urllib.request.Request(
            self.lab['url'] + '/jsonrpc',
            json.dumps({'jsonrpc': '2.0', 'method': 'call', 'id': 1, 'params': params}).encode(),
            {'Content-Type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                body = json.load(answer)
        except OSError as error:
            sys.exit('%s does not answer (%s): is the server up?' % (self.lab['url'], error))
        if 'error' in body:
            sys.exit('%s.%s: %s' % (model, method, body['error'].get('data', {}).get('message', body['error'])))
        return body.get('result')
