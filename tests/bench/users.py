"""A person's small reads while nothing else happens, and while our daemon imports; started by users.sh.

One connection reads a partner's name every 50 ms, as a page in a browser would. The same number of orders is imported
twice: nobody reads, then with these reads. Prints a row: orders a second of both, and the 95th percentile of the reads
during the import over that of the idle time before it, in the same run.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import orders

HERE = os.path.dirname(os.path.abspath(__file__))
LAB = os.path.join(HERE, '..', 'lab', 'odoo.sh')

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument('--version', required=True)
parser.add_argument('--database', required=True)
parser.add_argument('--deliver', required=True, help='the benchmark binary of tests/bench/deliver.rs')
parser.add_argument('--workers', type=int, required=True)
parser.add_argument('--orders', type=int, default=400)
parser.add_argument('--idle', type=float, default=15, help='seconds of idle reading')
options = parser.parse_args()

env = json.loads(subprocess.check_output([LAB, options.version, 'env', options.database, '--json'], text=True))
work = tempfile.mkdtemp(prefix='bench-')
env_file = os.path.join(work, 'env.json')
with open(env_file, 'w', encoding='utf-8') as f:
    json.dump(env, f)


def read():
    """Seconds that one small read takes, as the integration user."""
    body = {'jsonrpc': '2.0', 'method': 'call', 'params': {'service': 'object', 'method': 'execute_kw', 'args': [
        env['database'], env['uid'], env['api_key'], 'res.partner', 'read', [[1]], {'fields': ['name']}]}}
    request = urllib.request.Request(env['url'] + '/jsonrpc', json.dumps(body).encode(),
                                     {'Content-Type': 'application/json'})
    begun = time.monotonic()
    with urllib.request.urlopen(request, timeout=120) as answer:
        told = json.load(answer)
    if 'result' not in told:
        sys.exit('the probe is refused')
    return time.monotonic() - begun


def probe(until):
    times = []
    while not until():
        times.append(read())
        time.sleep(0.05)
    return times


def report(count, first):
    base = os.path.join(work, str(first))
    orders.write(base + '.jsonl', base + '.txt', count, first, addresses=True, first_buyer=first)
    return base + '.txt'


def p95(times):
    return statistics.quantiles(times, n=20)[-1]


for _ in range(20):
    read()
end = time.monotonic() + options.idle
idle = probe(lambda: time.monotonic() > end)


def start(first):
    """An import of the orders from this number on, and what it will have printed."""
    command = [options.deliver, 'lab', '--env', env_file, '--prepare', report(5, first),
               '--measure', report(options.orders, first + 1000)]
    importing = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    told = []
    reader = threading.Thread(target=lambda: told.append(importing.stdout.read()))
    reader.start()
    return importing, reader, told


def rate(importing, reader, told):
    importing.wait()
    reader.join()
    if importing.returncode:
        sys.exit('failed: %s' % ' '.join(importing.args))
    answer = json.loads(told[0].strip().splitlines()[-1])
    return answer['orders'] / answer['wall_s']


full = rate(*start(0))
imported = start(100000)
busy = probe(lambda: imported[0].poll() is not None)
beside = rate(*imported)
print('| Odoo %s, %d worker(s): orders created and confirmed, a new buyer each | %.1f a second, %.1f (%.0f %%) while people '
      'work | p95 of a small read: %.2f × idle (%.0f ms against %.0f ms, %d and %d reads) |' % (
          options.version, options.workers, full, beside, 100 * beside / full, p95(busy) / p95(idle),
          p95(busy) * 1000, p95(idle) * 1000, len(busy), len(idle)))
