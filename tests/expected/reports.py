"""Reading Amazon order reports for the oracle: bytes -> what each file says of each order (a fact).

Any charset of the set, any line end, columns by name. A row that cannot be believed is refused and counted in its
order's fact; everything else is taken as it stands.
"""
import csv
import datetime
import decimal
import re

D = decimal.Decimal
AMOUNTS = {'price': 'item-price', 'tax': 'item-tax', 'ship': 'shipping-price', 'ship_tax': 'shipping-tax',
           'wrap': 'gift-wrap-price', 'wrap_tax': 'gift-wrap-tax', 'promo': 'item-promotion-discount',
           'ship_promo': 'ship-promotion-discount', 'net': 'vat-exclusive-item-price',
           'ship_net': 'vat-exclusive-shipping-price', 'wrap_net': 'vat-exclusive-giftwrap-price'}
SPREADSHEET = re.compile(r'\d(\.\d+)?E\+\d+')
ORDER_ID = re.compile(r'(\d{3}|S\d\d)-\d{7}-\d{7}')


class Refused(Exception):
    """A row that cannot be believed; its text is the column."""


def decode(data):
    for mark, name in ((b'\xef\xbb\xbf', 'utf-8-sig'), (b'\xff\xfe', 'utf-16'), (b'\xfe\xff', 'utf-16')):
        if data.startswith(mark):
            return data.decode(name)
    for name in ('utf-8', 'cp932', 'cp1252'):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if name != 'cp932' or 'JPY' in text or 'Amazon.co.jp' in text:
            return text
    return data.decode('latin-1')


def table(data):
    """The header's normalised names and (row number, cells) of every line that is not blank."""
    lines = re.split('\r\n|\n|\r', decode(data))
    first = lines[0].split('\t')
    quoted = all(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in first)
    rows = [next(csv.reader([line], delimiter='\t')) if quoted and line else line.split('\t') for line in lines]
    header = [re.sub('[ _]', '-', name.strip().lower()) for name in rows[0]]
    return header, [(number, cells) for number, cells in enumerate(rows[1:], 2) if ''.join(cells).strip()]


def family_of(header):
    if 'amazon-order-id' in header and 'order-status' in header:
        return 'all-orders'
    if 'order-id' in header and ('quantity-to-ship' in header or 'reporting-date' in header):
        return 'unshipped'
    if 'order-id' in header and 'item-price' in header:
        return 'order-report'
    raise ValueError('not an order report')


def instant(text, column):
    try:
        at = datetime.datetime.fromisoformat(text.replace('Z', '+00:00')) if text else None
    except ValueError:
        raise Refused(column)
    return at and (at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)).astimezone(datetime.timezone.utc)


def amount(cells, column):
    text = cells.get(column, '')
    if text and not re.fullmatch(r'-?\d+(\.\d+)?', text):
        raise Refused(column)
    return D(text) if text else None


def line_of(cells):
    """One row as an order line, or Refused."""
    quantity = cells.get('quantity', cells.get('quantity-purchased', ''))
    if not re.fullmatch(r'\d+', quantity):
        raise Refused('quantity')
    for column in ('sku', 'order-item-id'):
        if SPREADSHEET.fullmatch(cells.get(column, '')) or column == 'sku' and not cells.get(column):
            raise Refused(column)
    line = {key: amount(cells, column) for key, column in AMOUNTS.items()}
    for key in ('promo', 'ship_promo'):
        line[key] = line[key] and abs(line[key])
    for price, tax, net in (('price', 'tax', 'net'), ('ship', 'ship_tax', 'ship_net'), ('wrap', 'wrap_tax', 'wrap_net')):
        if line[net] == 0 and line[price]:  # "not calculated": a tax of zero is a blank then
            line[tax] = line[tax] or None
        line[net] = line[net] or None
    return dict(line, sku=cells['sku'], title=cells.get('product-name') or cells['sku'], quantity=int(quantity),
                live=int(quantity) > 0 and not cells.get('item-status', '').lower().startswith('cancel'),
                item_id=cells.get('order-item-id', ''), promo_id=cells.get('item-promotion-id', ''),
                ship_promo_id=cells.get('ship-promotion-id', ''))


def once_per_item(lines):
    """An order report repeats an item for each pair of promotions: one line, each promotion counted once."""
    items = {}
    for number, line in enumerate(lines):
        items.setdefault(line['item_id'] or number, []).append(line)
    for same in items.values():
        for amount_key, id_key in (('promo', 'promo_id'), ('ship_promo', 'ship_promo_id')):
            known = {line[id_key]: line[amount_key] for line in same if line[amount_key] is not None}
            same[0][amount_key] = sum(known.values()) if known else None
    return [same[0] for same in items.values()]


def read(name, data, sidecar, facts, refused):
    """Adds what one file says to facts[order id][family]."""
    header, rows = table(data)
    family = family_of(header)
    here = {}
    for number, raw in rows:
        cells = {key: value.strip() for key, value in zip(header, raw)}
        order = cells.get('amazon-order-id' if family == 'all-orders' else 'order-id', '')
        fact = {'family': family, 'version': None, 'purchase': None, 'cells': cells, 'lines': [], 'faults': 0,
                'model': None, 'marketplace': sidecar}
        try:
            if not order or re.search(r'\s', order) or SPREADSHEET.fullmatch(order):
                order = None
                raise Refused('order-id')
            if len(raw) != len(header):
                order = order if ORDER_ID.fullmatch(order) else None
                raise Refused('other-cells')
            fact['purchase'] = instant(cells.get('purchase-date', ''), 'purchase-date')
            column = {'all-orders': 'last-updated-date', 'unshipped': 'reporting-date'}.get(family, '')
            version = instant(cells.get(column, ''), column)
            line = line_of(cells)
        except Refused as fault:
            refused.append({'file': name, 'row': number, 'order_id': order, 'column': str(fault)})
            if order:
                here.setdefault(order, fact)['faults'] += 1
            continue
        fact = here.setdefault(order, fact)
        fact['version'] = max(filter(None, (fact['version'], version)), default=None)
        if 'tax-collection-model' in header:
            fact['model'] = fact['model'] or cells.get('tax-collection-model', '')
        fact['lines'].append(line)
    for order, fact in here.items():
        if family == 'order-report':
            fact['lines'] = once_per_item(fact['lines'])
        facts[order][family].append(fact)
