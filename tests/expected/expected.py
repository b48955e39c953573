#!/usr/bin/env python3
"""What Odoo must hold after a set of Amazon order reports: the independent oracle of the end-to-end tests.

    expected.py [--config account.json] [--marketplace NAME] FILE...   the expected end state, as JSON
    expected.py --skus FILE...                                         SKU <tab> title, one line for each product
    expected.py --self-test

Written from the design's text, sharing nothing with the daemon, in the plainest way: it reads whole files, knows
no queue and no Odoo, and takes all files as seen at once. README.md says what the fields mean and which readings
of the rules were chosen.
"""
import argparse
import collections
import datetime
import decimal
import json
import os
import re
import sys

import reports

D = decimal.Decimal
HERE = os.path.dirname(os.path.abspath(__file__))


class Hold(Exception):
    """A thing that is missing or contradicts itself; its text is the hold's code."""


# --- facts -> one record for each order ------------------------------------------------------------------------------

def rank(fact):
    """Newest first; at equal versions the good one, then more lines, then any order that is the same everywhere."""
    oldest = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)
    return fact['version'] or oldest, not fact['faults'], len(fact['lines']), sorted(map(repr, fact['lines']))


def seen_unshipped(by_family):
    """Some good row of any file said that the seller had not shipped all of it."""
    def waits(fact):
        status = fact['cells'].get('order-status', '').lower().replace(' ', '')
        return status.startswith(('pending', 'unshipped', 'partiallyshipped')) or (
            not status and fact['family'] == 'unshipped')
    return any(waits(fact) for facts in by_family.values() for fact in facts if not fact['faults'])


def units(fact):
    counted = collections.Counter()
    for line in fact['lines']:
        counted[line['sku']] += line['quantity'] if line['live'] else 0
    return +counted


def refused_rows(newest, best, torn):
    """What the refused rows keep the order from: nothing, `confirming` or `writing`. They end where others cover them."""
    whole, out = best.get('all-orders'), set()
    status = whole['cells'].get('order-status', '').lower() if whole else ''
    if status.startswith('cancel'):
        return out
    for family in torn:
        version = newest[family]['version']

        def later(fact):
            return version and fact['version'] and fact['version'] >= version
        if family == 'all-orders':
            listed, priced = best.get('unshipped'), whole or best.get('order-report')
            covered = (listed and priced and 'unshipped' not in torn and later(listed) and units(listed) == units(priced))
            out |= set() if covered else {'writing'}
        elif not whole or 'all-orders' in torn:
            out.add('writing')
        elif status.startswith('shipped') or family == 'unshipped' and later(whole):
            continue
        elif {'unshipped', 'order-report'} - {family} <= set(best) - torn:
            out |= {'confirming'} if family == 'unshipped' else set()
        else:
            out.add('writing')
    return out


RELAY = re.compile(r'(?:.*[@.])marketplace\.(amazon\.[a-z.]+)', re.I)


def relay(order):
    """The marketplace that the buyer's relay address names."""
    found = (RELAY.fullmatch(fact['cells'].get('buyer-email', '').strip()) for fact in order)
    return next((match.group(1) for match in found if match), '')


def merge(by_family):
    """The newest good fact of each family, or the hold `row` where the newest one has a refused row."""
    newest = {family: max(facts, key=rank) for family, facts in by_family.items()}
    best = {family: max((f for f in facts if not f['faults']), key=rank, default=None) for family, facts in by_family.items()}
    best = {family: fact for family, fact in best.items() if fact}
    torn = {family for family, fact in newest.items() if fact['faults']}
    unread = refused_rows(newest, best, torn)
    if 'writing' in unread or not best:
        raise Hold('row')
    order = [best[family] for family in ('all-orders', 'order-report', 'unshipped') if family in best]
    lines = order[0]['lines']
    if len(order) > 1 and order[0]['family'] == 'all-orders' and order[1]['family'] == 'order-report':
        lines = fill_prices(lines, order[1]['lines'])

    def first(*columns):
        return next((fact['cells'][c] for fact in order for c in columns if fact['cells'].get(c)), '')

    models = [fact['model'] for fact in order if fact['model'] is not None]
    channel = first('sales-channel')
    return {'families': set(best), 'unread': 'confirming' in unread, 'lines': lines, 'channel': channel,
            'marketplace': channel or next((f['marketplace'] for f in order if f['marketplace']), '') or relay(order),
            'purchase': next((f['purchase'] for f in order if f['purchase']), None),
            'status': first('order-status').lower().replace(' ', ''), 'currency': first('currency'),
            'fba': first('fulfillment-channel') in ('Amazon', 'AFN'), 'country': first('ship-country').upper(),
            'seen_unshipped': seen_unshipped(by_family),
            'free': 'true' in (first('is-replacement-order').lower(), first('is-exchange-order').lower()),
            'collected': max(models) if models else None, 'partner': buyer(best)}


def fill_prices(lines, others):
    """Where All Orders has no price for a SKU and the order report has: its amounts, if the quantities agree."""
    out = []
    for line in lines:
        mine = [x for x in lines if x['sku'] == line['sku'] and x['live']]
        theirs = [x for x in others if x['sku'] == line['sku']]
        if not line['live'] or all(x['price'] is not None for x in mine) or not theirs:
            out.append(line)
        elif line is mine[0]:
            agree = sum(x['quantity'] for x in mine) == sum(x['quantity'] for x in theirs)
            out += theirs if agree else mine
    return out


def buyer(best):
    """Unshipped first; the order report fills blanks, the address as a whole."""
    cells = [best[family]['cells'] for family in ('unshipped', 'order-report') if family in best]

    def first(column):
        return next((c[column] for c in cells if c.get(column)), None)

    def has_address(c):
        return bool((c.get('recipient-name') or c.get('ship-address-1'))
                    and (c.get('ship-city') or c.get('ship-postal-code')) and c.get('ship-country'))

    at = next((c for c in cells if has_address(c)), {})
    email = first('buyer-email')
    name = first('buyer-name') or at.get('recipient-name') or None
    street2 = ', '.join(filter(None, (at.get('ship-address-2'), at.get('ship-address-3')))) or None
    return {'kind': 'buyer' if name or email else 'anonymous', 'name': name, 'email': email and email.lower(),
            'recipient': at.get('recipient-name') or None, 'street': at.get('ship-address-1') or None,
            'street2': street2, 'city': at.get('ship-city') or None, 'state': at.get('ship-state') or None,
            'zip': at.get('ship-postal-code') or None, 'country': at.get('ship-country') or None}


# --- one record -> the order in Odoo ------------------------------------------------------------------------------

def by_net_price(entries, cent, price, promo, net, slack, follows):
    """The tax entry of a gross price with a blank tax and a net price beside it: the one that both prices show."""
    entry = follows[0] if follows else next((e for e in entries if e.get('default')), None)

    def tax_inside(entry):
        rate = D(entry['rate']) if entry else D(0)
        return price * rate / (100 + rate)
    tax = price - net
    bare = tax <= cent and tax_inside(entry) > 2 * cent  # however many units: rounding never leaves no tax at all
    def off(entry):
        return abs(tax_inside(entry) - tax)
    near = None
    if tax > 2 * cent and net > 0 and entries:
        near = min(entries, key=lambda e: abs(D(e['rate']) - 100 * tax / net))
    # Many units blur what the default may be off, but a listed rate that is nearer is the one.
    if bare or not (entry or follows) or off(entry) > slack * cent or (near and off(near) < off(entry)):
        if near is None or off(near) > slack * cent:  # a price without tax, goods that bear none, or no rate of the table
            raise Hold('tax')
        entry = near
    rate = D(entry['rate']) / 100 if entry else D(0)
    if promo * rate > 2 * cent:  # net or gross: nothing says which
        raise Hold('tax')
    return entry, promo


def tax_and_promotion(market, entries, cent, price, tax, promo, net, slack=2, follows=()):
    """The tax entry of one price, and its promotion as the price is meant (gross or net)."""
    default = next((entry for entry in entries if entry.get('default')), None)
    gross = market['prices'] == 'gross'
    if promo > price:
        raise Hold('price')
    if tax == 0 and gross and promo and net == promo:  # all of it is given away
        promo = price
    if gross and not promo and tax is not None and net is not None and abs(price - tax - net) > slack * cent:
        raise Hold('tax')
    if tax == 0 and price > promo:  # a rate of zero, which the table has or has not
        zero = next((entry for entry in entries if D(entry['rate']) == 0), None)
        if zero or not market['tax']:
            return zero, promo
        raise Hold('tax')
    if gross and tax is None and net is not None and promo < price:
        return by_net_price(entries, cent, price, promo, net, slack, follows)
    if tax is None and follows:
        return follows[0], promo
    if not price and not tax and not default:
        return None, promo
    # (net amount, promotion, gross amount): the promotion is of the price's kind, or net beside a gross price.
    readings = [(price - promo - (tax or 0) if gross else price - promo, promo, price - promo)]
    if gross and promo and tax is not None and net is not None:
        readings.append((net - promo, price - (net - promo + tax), None))
    for base, promotion, paid in readings:
        if tax is None or abs(base) < cent and abs(tax) <= 2 * cent:  # nothing to reckon a rate from
            if default:
                return default, promotion
        elif base > 0 and entries:
            entry = min(entries, key=lambda e: abs(D(e['rate']) - 100 * tax / base))
            rate = D(entry['rate']) / 100
            if len(readings) > 1:  # the identity decides which reading it is
                fits = abs(tax - (base * rate if paid is None else paid * rate / (1 + rate))) <= D('1.5') * cent
            else:
                fits = abs(tax - base * rate) <= slack * cent
            if fits:
                return entry, promotion
    raise Hold('tax')


def lines_of(record, market):
    """The sale order lines of a record, with exact amounts; Hold('price') or Hold('tax')."""
    places = 0 if record['currency'] == 'JPY' else 2
    cent = D(1).scaleb(-places)
    entries = [e for e in market['tax'] if e['destination'] == record['country']]
    entries = entries or [e for e in market['tax'] if e['destination'] == '*']
    gross = market['prices'] == 'gross'
    collected = market.get('facilitator_tax', 'exclude') == 'exclude' and (
        record['collected'] == 'MarketplaceFacilitator' or record['collected'] is None and not gross)
    out = []

    def add(kind, product, quantity, unit, entry):
        named = entry is not None and entry['tax'] not in (None, 'none')
        out.append({'kind': kind, 'product': product, 'qty': quantity, 'price_unit': unit,
                    'tax': entry['tax'] if named else 'none', 'rate': D(entry['rate']) / 100 if named else D(0)})

    for row in (line for line in record['lines'] if line['live']):
        if record['free']:
            row = dict(row, price=row['price'] or D(0))
        if row['price'] is None:
            raise Hold('price')
        taxed = gross and row['net'] is not None and (row['tax'] or 0) > 2 * cent
        if taxed and abs(row['price'] - row['net']) <= cent:  # an exclusive price where prices are inclusive
            raise Hold('tax')
        promotions, item_entry = [], ()
        for kind, price, tax, promo, net in (('item', 'price', 'tax', 'promo', 'net'),
                                             ('shipping', 'ship', 'ship_tax', 'ship_promo', 'ship_net'),
                                             ('gift_wrap', 'wrap', 'wrap_tax', None, 'wrap_net')):
            total, discount = row[price] or D(0), promo and row[promo] or D(0)
            tax, without, slack = row[tax], row[net], max(2, row['quantity'])
            if record['status'].startswith('pending'):  # not calculated yet
                tax = tax or None
                without = None if tax is None else without
            if row[price] is None and (tax or discount or row[net]):  # something off, or on, a price that is not told
                raise Hold('price')
            if not gross and without is not None and abs(total - without) > 2 * cent:
                raise Hold('tax')
            if kind != 'item' and not total and not discount and not tax:
                continue
            entry = None
            if not collected or gross and discount:
                entry, discount = tax_and_promotion(market, entries, cent, total, tax, discount, without,
                                                    slack, item_entry)
            if kind == 'item':
                item_entry = (entry,)
            if collected:
                entry = None
                if gross and total and tax is None:
                    raise Hold('tax')
                if gross and tax is not None and not discount and without is not None and (
                        abs(total - tax - without) > slack * cent):
                    raise Hold('tax')
                total -= (tax or 0) if gross else 0
            quantity = row['quantity'] if kind == 'item' else 1
            unit = total if quantity == 1 else (total / quantity).quantize(cent, decimal.ROUND_DOWN)
            product = row['sku'] if kind == 'item' else kind
            if unit * quantity == total:
                if kind == 'item' or total:
                    add(kind, product, quantity, unit, entry)
            else:
                add(kind, product, quantity - 1, unit, entry)
                add('remainder', product, 1, total - unit * (quantity - 1), entry)
            if discount:
                promotions.append(('ship_promotion' if kind == 'shipping' else 'promotion', -discount, entry))
        for kind, unit, entry in promotions:
            add(kind, kind, 1, unit, entry)
    return out


def totals(lines, gross, places):
    """amount_total and amount_tax as Odoo adds them up, rounding each line."""
    cent, total, taxes = D(1).scaleb(-places), D(0), D(0)
    for line in lines:
        worth = line['qty'] * line['price_unit']
        if gross:
            tax = worth - (worth / (1 + line['rate'])).quantize(cent, decimal.ROUND_HALF_UP)
        else:
            tax = (worth * line['rate']).quantize(cent, decimal.ROUND_HALF_UP)
        total, taxes = total + worth + (0 if gross else tax), taxes + tax
    return total, taxes


def end_state(order, by_family, config):
    """What Odoo holds of one order once all files are done."""
    out = {'order_id': order, 'status': 'not_created', 'reason': [], 'state': 'none', 'currency': None,
           'date_order': None, 'marketplace': None, 'amount_total': None, 'amount_tax': None, 'lines': [],
           'partner': None}
    try:
        record = merge(by_family)
    except Hold as hold:
        return dict(out, reason=[str(hold)])
    market_name = {name.lower(): name for name in config['marketplaces']}.get(
        (record['marketplace'] or config.get('default_marketplace') or '').lower())
    out['currency'], out['marketplace'] = record['currency'] or None, market_name
    if record['purchase']:
        out['date_order'] = record['purchase'].strftime('%Y-%m-%d %H:%M:%S')
    status, live = record['status'], [line for line in record['lines'] if line['live']]
    shipped = status.startswith('shipped')
    # What is never created.
    if record['channel'].lower().startswith('non-amazon'):
        return dict(out, reason=['non-amazon'])
    if record['purchase'] and record['purchase'] < reports.instant(config['import_from'], 'import_from'):
        return dict(out, reason=['before-import-from'])
    if status.startswith('cancel') or not live:
        return dict(out, reason=['cancelled'])
    policy = config.get('already_shipped', 'draft')
    if shipped and not record['fba'] and policy == 'skip' and not record['seen_unshipped']:
        return dict(out, reason=['already-shipped'])
    # What must be known before it is created.
    missing = set()
    known = config.get('known_skus')
    if known is not None and any(line['sku'] not in known for line in live):
        missing.add('sku')
    if not record['free'] and any(line['price'] is None for line in live):
        missing.add('price')
    market = config['marketplaces'].get(market_name)
    if market is None:
        missing.add('marketplace')
    elif 'price' not in missing:
        if (record['currency'] or (market['currency'] if record['free'] else '')) != market['currency']:
            missing.add('pricelist')
        try:
            lines = lines_of(record, market)
        except Hold as hold:
            missing.add(str(hold))
    if missing:
        return dict(out, reason=sorted(missing))
    # What must be known before it is confirmed.
    released = (record['families'] & {'unshipped', 'order-report'}
                or shipped or status in ('unshipped', 'partiallyshipped'))
    holds = ([] if released else ['release']) + (['row'] if record['unread'] else [])
    if record['fba']:
        holds += [] if market.get('fba_warehouse') else ['warehouse']
    elif shipped:
        holds += [] if policy == 'confirm' or record['seen_unshipped'] else ['already-shipped']
    else:
        holds += [] if record['partner']['country'] else ['address']
    total, taxes = totals(lines, market['prices'] == 'gross', 0 if record['currency'] == 'JPY' else 2)
    show = [dict(line, price_unit=str(line['price_unit'].quantize(D('0.01')))) for line in lines]
    for line in show:
        del line['rate']
    return dict(out, status='created', reason=sorted(holds), state='draft' if holds else 'sale', lines=show,
                currency=market['currency'], amount_total=str(total.quantize(D('0.01'))),
                amount_tax=str(taxes.quantize(D('0.01'))), partner=record['partner'])


def expect(files, config, sidecar=''):
    """files: (name, bytes) pairs."""
    facts, refused = collections.defaultdict(lambda: collections.defaultdict(list)), []
    for name, data in files:
        reports.read(name, data, sidecar, facts, refused)
    return {'orders': [end_state(order, facts[order], config) for order in sorted(facts)], 'refused': refused}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--config', default=os.path.join(HERE, 'account.json'))
    parser.add_argument('--marketplace', default='', help='what a sidecar beside every file would say')
    parser.add_argument('--skus', action='store_true')
    parser.add_argument('--self-test', action='store_true')
    parser.add_argument('files', nargs='*')
    chosen = parser.parse_args()
    if chosen.self_test:
        import selftest
        return selftest.run()
    files = []
    for path in chosen.files or parser.error('no file'):
        with open(path, 'rb') as report:
            files.append((os.path.basename(path), report.read()))
    if chosen.skus:
        titles = {}
        for name, data in files:
            header, rows = reports.table(data)
            for _, raw in rows:
                cells = dict(zip(header, raw))
                sku = cells.get('sku', '').strip()
                titles.setdefault(sku, cells.get('product-name', '').strip() or sku)
        print(''.join('%s\t%s\n' % item for item in sorted(titles.items()) if item[0]), end='')
        return 0
    with open(chosen.config, encoding='utf-8') as config:
        json.dump(expect(files, json.load(config), chosen.marketplace), sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


if __name__ == '__main__':
    sys.exit(main())
