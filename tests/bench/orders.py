"""Orders for the comparisons: the neutral JSONL file, and the same orders as Amazon's order report.

    orders.py --count 400 --first 0 [--buyers 50] [--addresses] --jsonl FILE --report FILE

`--buyers N` shares N buyers among the orders (else each has one of its own); orders are numbered from `--first`, so
that no two calls name the same. One to three lines an order, over the five products of every lab database.
`--addresses` puts the recipient into the report: without it our daemon makes one partner a buyer, as the scripts do.
"""
import argparse
import json
import random

COLUMNS = ('order-id order-item-id purchase-date payments-date buyer-email buyer-name buyer-phone-number sku product-name '
           'quantity-purchased currency item-price item-tax shipping-price shipping-tax ship-service-level recipient-name '
           'ship-address-1 ship-address-2 ship-address-3 ship-city ship-state ship-postal-code ship-country '
           'ship-phone-number sales-channel').split()
CITIES = [('Springfield', '62701'), ('Portland', '97201'), ('Austin', '73301'), ('Boston', '02108')]


def order(number, buyer):
    dice = random.Random(number)
    city, postal_code = CITIES[buyer % len(CITIES)]
    skus = dice.sample(range(1, 6), dice.choice([1, 1, 1, 2, 2, 3]))
    return {
        'order_id': '114-%07d-%07d' % (number // 10 ** 7, number % 10 ** 7),
        'purchase_date': '2026-%02d-%02d %02d:%02d:07' % (dice.randint(1, 9), dice.randint(1, 28), dice.randint(0, 23), dice.randint(0, 59)),
        'buyer_email': 'b%09d@marketplace.example' % buyer, 'buyer_name': 'Erin Example %d' % buyer,
        'city': city, 'zip': postal_code, 'country_code': 'US',
        'lines': [{'sku': 'SKU-%04d' % sku, 'qty': dice.randint(1, 3), 'price_unit': dice.randint(199, 9999) / 100,
                   'name': 'Picture frame no. %d, oak, with glass' % sku} for sku in skus]}


def rows(order, addresses):
    date = order['purchase_date'].replace(' ', 'T') + '+00:00'
    for line, article in enumerate(order['lines']):
        cents = article['qty'] * round(article['price_unit'] * 100)
        cells = {
            'order-id': order['order_id'], 'order-item-id': '%s%d' % (order['order_id'].replace('-', '')[3:], line),
            'purchase-date': date, 'payments-date': date, 'buyer-email': order['buyer_email'],
            'buyer-name': order['buyer_name'], 'sku': article['sku'], 'product-name': article['name'],
            'quantity-purchased': str(article['qty']), 'currency': 'USD', 'item-price': '%d.%02d' % divmod(cents, 100),
            'item-tax': '0.00', 'ship-service-level': 'Standard', 'ship-city': order['city'],
            'ship-postal-code': order['zip'], 'ship-country': order['country_code'], 'sales-channel': 'Amazon.com',
            'recipient-name': order['buyer_name'] if addresses else ''}
        yield '\t'.join(cells.get(column, '') for column in COLUMNS)


def write(jsonl, report, count, first, buyers=None, addresses=False, first_buyer=0):
    """The same orders twice. Buyers are numbered from `first_buyer`."""
    made = [order(first + n, first_buyer + (n % buyers if buyers else n)) for n in range(count)]
    with open(jsonl, 'w', encoding='utf-8') as out:
        out.writelines(json.dumps(o) + '\n' for o in made)
    with open(report, 'w', encoding='utf-8') as out:
        out.write('\t'.join(COLUMNS) + '\n')
        out.writelines(row + '\n' for o in made for row in rows(o, addresses))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('--count', '--first', '--buyers'):
        parser.add_argument(name, type=int, default=None if name == '--buyers' else 0)
    parser.add_argument('--addresses', action='store_true')
    parser.add_argument('--jsonl', required=True)
    parser.add_argument('--report', required=True)
    o = parser.parse_args()
    write(o.jsonl, o.report, o.count, o.first, o.buyers, o.addresses, o.first)


if __name__ == '__main__':
    main()
