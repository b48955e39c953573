"""Our daemon and the three scripts side by side on one lab database; started by odoo.sh. Prints a table of ratios.

A round runs each contender once on orders of its own, one after the other; what counts is the median over the rounds
of the ratio within a round, so that a machine that is busy now and then cancels out. CPU is what Odoo and PostgreSQL
used together, so nobody else may use this Odoo meanwhile.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import orders

HERE = os.path.dirname(os.path.abspath(__file__))
LAB = os.path.join(HERE, '..', 'lab', 'odoo.sh')
BUYERS = 50
PRICELIST = 'Amazon USD'
SCRIPTS = {'script': 'baseline_odoorpc.py', 'create': 'baseline_create.py', 'import': 'baseline_import.py'}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument('--version', required=True)
parser.add_argument('--database', required=True)
parser.add_argument('--deliver', required=True, help='the benchmark binary of tests/bench/deliver.rs')
parser.add_argument('--rounds', type=int, default=3)
parser.add_argument('--orders', type=int, default=400, help='orders of ours, of the batched create and of the import client in a round')
parser.add_argument('--script-orders', type=int, default=60, help='orders of the script, which is slower')
parser.add_argument('--only', default='', help='comma separated: existing,new,confirm')
options = parser.parse_args()

env = subprocess.check_output([LAB, options.version, 'env', options.database, '--json'], text=True)
work = tempfile.mkdtemp(prefix='bench-')
env_file = os.path.join(work, 'env.json')
with open(env_file, 'w', encoding='utf-8') as f:
    f.write(env)
cpu = '%s %s cpu' % (LAB, options.version)
numbers = {'order': 0, 'buyer': 0}


def fresh(count, buyers=None, first_buyer=None, addresses=False):
    """Files of orders that nobody has seen, of new buyers or of `buyers` from `first_buyer` on."""
    base = os.path.join(work, '%07d' % numbers['order'])
    if first_buyer is None:
        first_buyer = numbers['buyer']
        numbers['buyer'] += buyers or count
    orders.write(base + '.jsonl', base + '.txt', count, numbers['order'], buyers, addresses, first_buyer)
    numbers['order'] += count
    return base


def said(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit('failed: %s' % ' '.join(command))
    return json.loads(done.stdout.strip().splitlines()[-1])


def script(name, *words):
    return [os.path.join(HERE, 'python.sh'), os.path.join(HERE, name), '--env', env_file, '--pricelist', PRICELIST, *words]


def run(kind):
    """One round of one kind: what each contender took for an order, in seconds of wall and of CPU."""
    new, confirm = kind == 'new', kind == 'confirm'
    more = (['--new-buyers'] if new else []) + (['--confirm'] if confirm else [])
    results = {}
    for who in ('script', 'create', 'import', 'daemon'):
        count = options.script_orders if who == 'script' else options.orders
        shared, earlier = {}, None
        if not new:
            # The buyers stand in Odoo before: for the daemon, from earlier orders of theirs.
            first_buyer = numbers['buyer']
            earlier = fresh(BUYERS, addresses=confirm)
            shared = {'buyers': BUYERS, 'first_buyer': first_buyer}
        files = fresh(count, addresses=confirm, **shared)
        if who == 'daemon':
            command = [options.deliver, 'lab', '--env', env_file, '--measure', files + '.txt', '--cpu', cpu]
            command += ['--prepare', (earlier or fresh(5)) + '.txt'] + ([] if confirm else ['--create-only'])
        else:
            name = SCRIPTS[who]
            if earlier:
                subprocess.run(script(name, '--orders', earlier + '.jsonl', '--prepare'), check=True)
            command = script(name, '--orders', files + '.jsonl', '--cpu', cpu, *more)
            if who == 'create':
                command += ['--connections', '2']
            if who == 'import':
                command += ['--workers', '2']
        answer = said(command)
        results[who] = {'wall': answer['wall_s'] / answer['orders'], 'cpu': answer['cpu_s'] / answer['orders']}
        print('# %s %s: %d orders, %.1f ms an order, %.1f ms of CPU' % (
            kind, who, answer['orders'], results[who]['wall'] * 1000, results[who]['cpu'] * 1000), file=sys.stderr)
    return results


TITLES = {'existing': 'created, existing buyers', 'new': 'created, a new buyer each',
          'confirm': 'created and confirmed, date put back, existing buyers'}
TARGETS = {('19', 'existing'): '≥ 10', ('19', 'new'): '≥ 7', ('19', 'confirm'): '≥ 3', ('14', 'existing'): '≥ 2.5'}
kinds = options.only.split(',') if options.only else list(TITLES)
rounds = {kind: [] for kind in kinds}
for _ in range(options.rounds):
    for kind in kinds:
        rounds[kind].append(run(kind))


def median(kind, who, what):
    return statistics.median(r[who][what] for r in rounds[kind])


def ratio(kind, over, under, what):
    return statistics.median(r[over][what] / r[under][what] for r in rounds[kind])


print('| Odoo %s | target | measured | ours | the other |\n| --- | --- | --- | --- | --- |' % options.version)
for kind in kinds:
    print('| %s: times as fast as the odoorpc script | %s | %.1f | %.1f orders/s | %.1f orders/s |' % (
        TITLES[kind], TARGETS.get((options.version, kind), '–'), ratio(kind, 'script', 'daemon', 'wall'),
        1 / median(kind, 'daemon', 'wall'), 1 / median(kind, 'script', 'wall')))
    print('| … its CPU in Odoo and PostgreSQL over that of batched %s | ≤ 1.2 | %.2f | %.1f ms an order | %.1f ms an order |' % (
        'create and action_confirm' if kind == 'confirm' else 'create', ratio(kind, 'daemon', 'create', 'cpu'),
        median(kind, 'daemon', 'cpu') * 1000, median(kind, 'create', 'cpu') * 1000))
    print('| … times as fast as batched create, two connections | – | %.1f | | %.1f orders/s |' % (
        ratio(kind, 'create', 'daemon', 'wall'), 1 / median(kind, 'create', 'wall')))
    print('| … times as fast as odoo-import-export-client, two workers | – | %.1f | | %.1f orders/s |' % (
        ratio(kind, 'import', 'daemon', 'wall'), 1 / median(kind, 'import', 'wall')))
    print('| … its CPU over that of odoo-import-export-client | – | %.2f | | %.1f ms an order |' % (
        ratio(kind, 'daemon', 'import', 'cpu'), median(kind, 'import', 'cpu') * 1000))
