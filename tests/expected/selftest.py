"""Hand-computed orders for the oracle: each case is a report in small, and what a person reckons from it."""
import unittest

import expected

GB = {'currency': 'GBP', 'prices': 'gross', 'fba_warehouse': 'FBA', 'tax': [
    {'destination': '*', 'rate': '20', 'tax': 'T20', 'default': True}, {'destination': '*', 'rate': '5', 'tax': 'T5'}]}
CA = {'currency': 'CAD', 'prices': 'net', 'fba_warehouse': None, 'tax': [
    {'destination': '*', 'rate': '5', 'tax': 'GST', 'default': True}, {'destination': 'US', 'rate': '8', 'tax': 'X8'}]}
ACCOUNT = {'import_from': '2025-01-01T00:00:00Z', 'default_marketplace': None, 'already_shipped': 'draft',
           'known_skus': None, 'marketplaces': {'Amazon.co.uk': GB, 'Amazon.ca': CA}}
SALE = {'amazon-order-id': 'o', 'purchase-date': '2025-05-05T23:30:00-02:00', 'order-status': 'Shipped',
        'last-updated-date': '2025-05-06T02:00:00+00:00', 'fulfillment-channel': 'Amazon', 'currency': 'GBP',
        'sales-channel': 'Amazon.co.uk', 'item-status': 'Shipped', 'sku': 'A', 'quantity': '1', 'ship-country': 'GB'}
WAITING = {'order-id': 'o', 'reporting-date': '2025-05-06T02:00:00+00:00', 'quantity-to-ship': '1', 'sku': 'A',
           'quantity-purchased': '1', 'buyer-email': 'X@Y.example', 'recipient-name': 'Ann', 'ship-city': 'Bath',
           'ship-country': 'GB', 'tax-collection-model': ''}
REPORTED = {'order-id': 'o', 'order-item-id': '7', 'sku': 'A', 'quantity-purchased': '2', 'item-price': '12.00',
            'item-tax': '2.00', 'currency': 'GBP', 'sales-channel': 'Amazon.co.uk'}


def tsv(base, *rows):
    """A report of `base` changed by each of `rows`."""
    rows = [dict(base, **row) for row in rows or ({},)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return '\n'.join(['\t'.join(names)] + ['\t'.join(row.get(name, '') for name in names) for row in rows]).encode()


def order(*reports, **account):
    """The end state of the one order in the reports."""
    return expected.expect([('r', report) for report in reports], dict(ACCOUNT, **account))['orders'][0]


def lines(found):
    return [(line['kind'], line['qty'], line['price_unit'], line['tax']) for line in found['lines']]


class HandComputed(unittest.TestCase):
    def test_indivisible_total_and_utc_date(self):
        found = order(tsv(SALE, {'quantity': '3', 'item-price': '10.00', 'item-tax': '1.67'}))
        self.assertEqual(lines(found), [('item', 2, '3.33', 'T20'), ('remainder', 1, '3.34', 'T20')])
        self.assertEqual((found['state'], found['amount_total'], found['amount_tax']), ('sale', '10.00', '1.67'))
        self.assertEqual(found['date_order'], '2025-05-06 01:30:00')

    def test_net_promotion_beside_gross_price(self):
        row = {'item-price': '19.99', 'item-tax': '3.00', 'item-promotion-discount': '-1.67',
               'vat-exclusive-item-price': '16.66'}
        self.assertEqual(lines(order(tsv(SALE, row))), [('item', 1, '19.99', 'T20'), ('promotion', 1, '-2.00', 'T20')])
        self.assertEqual(order(tsv(SALE, dict(row, **{'item-tax': '2.80'})))['reason'], ['tax'])

    def test_gross_promotion(self):
        row = {'item-price': '12.00', 'item-tax': '1.50', 'item-promotion-discount': '3.00',
               'vat-exclusive-item-price': '10.00'}
        self.assertEqual(lines(order(tsv(SALE, row)))[1], ('promotion', 1, '-3.00', 'T20'))

    def test_rates_and_contradictions(self):
        self.assertEqual(lines(order(tsv(SALE, {'item-price': '10.50', 'item-tax': '0.50'})))[0][3], 'T5')
        self.assertEqual(order(tsv(SALE, {'item-price': '11.00', 'item-tax': '1.00'}))['reason'], ['tax'])
        self.assertEqual(order(tsv(SALE, {'item-price': '16.66', 'item-tax': '3.33',
                                          'vat-exclusive-item-price': '16.66'}))['reason'], ['tax'])

    def test_a_blank_tax_beside_a_net_price(self):
        def of(net, price='12.00', tax='', **cells):
            return order(tsv(SALE, dict(cells, **{'item-price': price, 'item-tax': tax, 'vat-exclusive-item-price': net})))
        self.assertEqual(lines(of('10.00'))[0][3], 'T20')
        self.assertEqual(lines(of('11.43'))[0][3], 'T5')
        self.assertEqual(lines(of('0.00'))[0][3], 'T20')
        for net in ('12.00', '11.00', '13.00'):
            self.assertEqual(of(net)['reason'], ['tax'], net)
        self.assertEqual(of('5.00', '5.00', quantity='100')['reason'], ['tax'])
        pending = of('12.00', **{'order-status': 'Pending'})
        self.assertEqual((pending['reason'], lines(pending)), (['release'], [('item', 1, '12.00', 'T20')]))
        self.assertEqual(of('16.66', '19.99', **{'item-promotion-discount': '1.67'})['reason'], ['tax'])
        zero = dict(GB, tax=[{'destination': '*', 'rate': '0', 'tax': 'T0', 'default': True}])
        found = order(tsv(SALE, {'item-price': '12.00', 'vat-exclusive-item-price': '12.00'}), marketplaces={'Amazon.co.uk': zero})
        self.assertEqual(lines(found), [('item', 1, '12.00', 'T0')])
        self.assertEqual(order(tsv(SALE, {'item-price': '12.00', 'item-tax': '2.00', 'vat-exclusive-shipping-price': '4.16'}))['reason'],
                         ['price'])
        net = {'sales-channel': 'Amazon.ca', 'currency': 'CAD', 'item-price': '10.00', 'vat-exclusive-item-price': '9.26'}
        self.assertEqual(order(tsv(SALE, net))['reason'], ['tax'])

    def test_facilitator(self):
        row = {'item-price': '12.99', 'item-tax': '2.25', 'shipping-price': '6.00', 'shipping-tax': '1.00',
               'tax-collection-model': 'MarketplaceFacilitator'}
        self.assertEqual(lines(order(tsv(SALE, row))), [('item', 1, '10.74', 'none'), ('shipping', 1, '5.00', 'none')])

    def test_net_prices(self):
        row = {'sales-channel': 'Amazon.ca', 'currency': 'CAD', 'item-price': '10.00', 'item-tax': '0.50',
               'fulfillment-channel': 'Merchant', 'order-status': 'Unshipped'}
        self.assertEqual(lines(order(tsv(SALE, row))), [('item', 1, '10.00', 'none')])  # no column: Amazon collects
        found = order(tsv(SALE, row), tsv(WAITING))
        self.assertEqual((found['state'], lines(found)), ('sale', [('item', 1, '10.00', 'GST')]))
        self.assertEqual((found['amount_total'], found['amount_tax']), ('10.50', '0.50'))
        taxed = dict(row, **{'ship-country': 'US', 'item-tax': '0.80', 'tax-collection-model': ''})
        self.assertEqual(lines(order(tsv(SALE, taxed)))[0][3], 'X8')

    def test_states(self):
        def state(*reports, **account):
            found = order(*reports, **account)
            return found['state'], found['reason']
        priced = {'item-price': '12.00', 'item-tax': '2.00'}
        fbm = dict(priced, **{'fulfillment-channel': 'Merchant', 'order-status': 'Pending'})
        self.assertEqual(state(tsv(SALE, dict(priced, **{'order-status': 'Pending'}))), ('draft', ['release']))
        self.assertEqual(state(tsv(SALE, fbm)), ('draft', ['address', 'release']))
        self.assertEqual(state(tsv(SALE, fbm), tsv(WAITING)), ('sale', []))
        shipped = tsv(SALE, dict(fbm, **{'order-status': 'Shipped'}))
        self.assertEqual(state(shipped), ('draft', ['already-shipped']))
        self.assertEqual(state(shipped, already_shipped='confirm'), ('sale', []))
        self.assertEqual(state(shipped, already_shipped='skip'), ('none', ['already-shipped']))
        self.assertEqual(state(tsv(SALE)), ('none', ['price']))
        self.assertEqual(state(tsv(SALE, {'is-replacement-order': 'true'})), ('sale', []))
        self.assertEqual(state(tsv(SALE, {'order-status': 'Cancelled', 'quantity': '0'})), ('none', ['cancelled']))
        self.assertEqual(state(tsv(SALE, {'sales-channel': 'Non-Amazon GB'})), ('none', ['non-amazon']))
        self.assertEqual(state(tsv(SALE, priced), import_from='2026-01-01T00:00:00Z'), ('none', ['before-import-from']))
        self.assertEqual(state(tsv(SALE, priced), known_skus=['B']), ('none', ['sku']))
        self.assertEqual(state(tsv(SALE, dict(priced, currency='EUR'))), ('none', ['pricelist']))
        self.assertEqual(state(tsv(SALE, priced, {'item-price': '1.2.3'})), ('none', ['row']))
        self.assertEqual(state(tsv(SALE, dict(priced, **{'sales-channel': 'Amazon.nl'}))), ('none', ['marketplace']))
        unhoused = {'Amazon.co.uk': dict(GB, fba_warehouse=None)}
        self.assertEqual(state(tsv(SALE, priced), marketplaces=unhoused), ('draft', ['warehouse']))

    def test_merge(self):
        old = tsv(SALE, {'item-price': '5.00'}, {'item-price': '5.00'})
        new = tsv(SALE, {'item-price': '7.00', 'last-updated-date': '2025-05-07T00:00:00+00:00'})
        for reports in ((old, new), (new, old)):
            self.assertEqual(lines(order(*reports)), [('item', 1, '7.00', 'T20')])
        unpriced = tsv(SALE, {'order-status': 'Pending', 'fulfillment-channel': 'Merchant', 'quantity': '2'})
        found = order(unpriced, tsv(REPORTED), tsv(WAITING))
        self.assertEqual((found['state'], lines(found)), ('sale', [('item', 2, '6.00', 'T20')]))
        self.assertEqual((found['partner']['email'], found['partner']['recipient']), ('x@y.example', 'Ann'))

    def test_promotions_of_an_order_report_repeat_the_item(self):
        names = ('item-promotion-id', 'item-promotion-discount', 'item-tax')
        rows = [dict(zip(names, cells)) for cells in (('P', '1.20', '1.60'), ('Q', '1.20', '1.60'))]
        self.assertEqual(lines(order(tsv(REPORTED, *rows))),
                         [('item', 2, '6.00', 'T20'), ('promotion', 1, '-2.40', 'T20')])

    def test_charsets_and_line_ends(self):
        report = tsv(dict(SALE, sku='Größe'), {'item-price': '1.00'}).decode()
        japan = report.replace('Größe', '湯①').replace('GBP', 'JPY').encode('cp932')
        for data in (report.encode('cp1252'), report.encode('utf-8-sig'), report.replace('\n', '\r').encode()):
            self.assertEqual(order(data)['lines'][0]['product'], 'Größe')
        header, rows = expected.reports.table(japan)
        self.assertEqual(rows[0][1][header.index('sku')], '湯①')


def run():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(HandComputed)
    return 0 if unittest.TextTestRunner().run(suite).wasSuccessful() else 1
