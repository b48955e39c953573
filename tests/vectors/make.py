#!/usr/bin/env python3
"""Makes the order files of this folder, byte for byte the same each time.

    make.py                          writes every *.txt beside this script
    make.py --check                  fails if a file here differs from what would be written
    make.py price-fixture IN OUT     for an unshipped report IN: an All Orders report OUT with its orders and prices

All people, streets, ids and mail addresses are invented. The quirks are those of real reports.
"""
import decimal
import os
import re
import sys
import zlib

import cases
import columns as c
from rows import PLACES, collected, columned, order_id, ordered, report, sale, to_ship

HERE = os.path.dirname(os.path.abspath(__file__))


# --- All Orders -----------------------------------------------------------------------------------------------------

def sales_29():
    return [
        sale(101, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17', product_name='Mug | red &amp; round'),
        sale(102, 'uk', 'Merchant', 'Unshipped', 'SIGN-OAK', '19.98', '3.33', 2),
        sale(103, 'de', 'FBA', 'Shipped', 'TASSE-1', '11.90'),
        sale(104, 'us', 'FBA', 'Shipped', '43220', '25.00', '2.06', shipping_price='4.99', shipping_tax='0.41'),
        sale(105, 'us', 'FBA', 'Shipped', '1', '10.00', '0.83', 3),
        sale(106, 'ca', 'Merchant', 'Unshipped', 'SIGN-OAK', '31.50'),
        sale(107, 'uk', 'FBA', 'Pending', 'MUG-RED', currency=''),
        sale(108, 'us', 'FBA', 'Shipped', 'MUG-RED', '20.00', '1.44', item_promotion_discount='2.50',
             promotion_ids='Percentage Off 2025/02/07'),
    ]


def sales_32():
    return [
        sale(201, 'it', 'FBA', 'Shipped', 'TAZZA-9', '89.95', item_status='Cancelled'),
        sale(202, 'fr', 'FBA', 'Shipped', 'TASSE-2', '24.00', '4.00', is_business_order='true',
             purchase_order_number='BC-0042', price_designation='Business Price'),
        sale(203, 'de', 'Merchant', 'Shipped', 'TASSE-1', '11.90', '1.90'),
        sale(204, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17'),
        sale(204, 'uk', 'FBA', 'Shipped', 'MUG-BLUE', '12.99', '2.17', item_status='Cancelled'),
    ]


def sales_91():
    promo = {'promotion_ids': 'Percentage Off 2025/02/07 10-56-21-909'}
    none = {'vat_exclusive_shipping_price': '', 'vat_exclusive_item_price': ''}
    return [
        # Not released: Pending, though item-status says Unshipped. Tax not calculated yet, in both real forms.
        sale(301, 'uk', 'Merchant', 'Pending', 'PLAQUE 1', '14.99', net='14.99'),
        sale(302, 'uk', 'FBA', 'Pending', 'MUG-RED', '13.99', net='0.00'),
        sale(303, 'uk', 'Merchant', 'Pending', 'PLAQUE 1', '19.99', '3.33', net='16.66',
             customized_url='https://zme-caps.amazon.example/t/aaaa/1'),
        sale(304, 'uk', 'FBA', 'Pending', 'MUG-RED', net='', currency=''),
        # Shipping and gift wrap with tax.
        sale(305, 'uk', 'FBA', 'Shipped', 'MUG-RED', '13.99', '2.33', net='11.66', shipping_price='4.99',
             shipping_tax='0.83', vat_exclusive_shipping_price='4.16'),
        sale(306, 'uk', 'FBA', 'Shipped', 'MUG-BLUE', '13.99', '2.33', net='11.66', shipping_price='4.99',
             shipping_tax='0.83', vat_exclusive_shipping_price='4.16', gift_wrap_price='3.50', gift_wrap_tax='0.58',
             vat_exclusive_giftwrap_price='2.92'),
        # Merchant-fulfilled: shipped before we knew it, waiting, partly shipped.
        sale(307, 'uk', 'Merchant', 'Shipped', 'SIGN-OAK', '19.99', '3.33', net='16.66'),
        sale(308, 'uk', 'Merchant', 'Shipped - Delivered to Buyer', 'SIGN-OAK', '19.99', '3.33', net='16.66'),
        sale(309, 'uk', 'Merchant', 'Unshipped', 'SIGN-OAK', '19.99', '3.33', net='16.66'),
        sale(310, 'uk', 'Merchant', 'PartiallyShipped', 'SIGN-OAK', '19.99', '3.33', net='16.66',
             item_status='Shipped'),
        sale(310, 'uk', 'Merchant', 'PartiallyShipped', 'PLAQUE 1', '9.99', '1.67', net='8.32',
             item_status='Unshipped'),
        # Cancelled: the whole order (quantity 0 beside a price), one item of a shipped order.
        sale(311, 'uk', 'Merchant', 'Cancelled', 'PLAQUE 1', '16.66', '3.33', 0, '16.66', is_amazon_invoiced='false',
             is_buyer_requested_cancellation='true', buyer_requested_cancel_reason='OTHER_REASON'),
        sale(312, 'uk', 'FBA', 'Shipped', 'MUG-RED', '13.99', '2.33', net='11.66'),
        sale(312, 'uk', 'FBA', 'Shipped', 'MUG-BLUE', '9.99', '1.67', net='8.32', item_status='Cancelled'),
        # Two identical rows are two lines; a total that the quantity does not divide.
        sale(313, 'uk', 'FBA', 'Shipped', 'MUG-RED', '7.50', '1.25', net='6.25'),
        sale(313, 'uk', 'FBA', 'Shipped', 'MUG-RED', '7.50', '1.25', net='6.25'),
        sale(314, 'uk', 'FBA', 'Shipped', 'BADGE', '10.00', '1.67', 3, '8.33'),
        # Promotions: net beside a gross price, gross, per two units, neither, on shipping.
        sale(315, 'uk', 'FBA', 'Shipped', 'PLAQUE 1', '19.99', '3.0', net='16.66', item_promotion_discount='1.67',
             **promo),
        sale(316, 'uk', 'FBA', 'Shipped', 'PLAQUE 1', '19.99', '3.00', net='16.66', item_promotion_discount='2.00',
             **promo),
        sale(317, 'uk', 'FBA', 'Shipped', 'BADGE', '9.98', '1.5', 2, '8.32', item_promotion_discount='0.84',
             is_business_order='true', is_iba='true', buyer_company_name='Example Business EU', **promo),
        sale(318, 'uk', 'FBA', 'Shipped', 'PLAQUE 1', '19.99', '2.50', net='16.66', item_promotion_discount='1.67',
             **promo),
        sale(319, 'fr', 'FBA', 'Shipped', 'TASSE-2', '12.00', '2.00', net='10.00', shipping_price='5.99',
             shipping_tax='0.00', ship_promotion_discount='5.99', **promo),
        # Tax collected by Amazon.
        sale(320, 'es', 'FBA', 'Shipped', 'PLAQUE-ES', '12.99', '2.25', net='10.74', **collected()),
        sale(321, 'it', 'Merchant', 'Unshipped', 'PLAQUE-IT', '21.99', '3.97', net='18.02', shipping_price='8.99',
             shipping_tax='1.62', **dict(collected(), vat_exclusive_shipping_price='7.37')),
        sale(322, 'se', 'FBA', 'Shipped', 'PLAQUE-SE', '249.00', '49.80', net='199.20', **collected()),
        # Rates and destinations.
        sale(323, 'de', 'FBA', 'Shipped', 'TASSE-1', '23.80', '3.80', net='20.00'),
        sale(324, 'de', 'FBA', 'Shipped', 'BUCH-7', '10.70', '0.70', net='10.00'),
        sale(325, 'at', 'FBA', 'Shipped', 'TASSE-1', '24.00', '4.00', net='20.00'),
        sale(326, 'de', 'FBA', 'Shipped', 'TASSE-1', '11.00', '1.00', net='10.00'),
        # An exclusive price on a gross marketplace.
        sale(327, 'uk', 'FBA', 'Shipped', 'PLAQUE 1', '16.66', '3.33', net='16.66'),
        # Nothing paid: a replacement without and one with a price of 0.
        sale(328, 'uk', 'FBA', 'Shipped', 'MUG-RED', is_replacement_order='true', original_order_id=order_id(305),
             **none),
        sale(329, 'uk', 'Merchant', 'Unshipped', 'SIGN-OAK', '0.00', '0.00', net='0.00', is_replacement_order='true',
             original_order_id=order_id(307)),
        # Not sold on Amazon; no FBA warehouse configured; a marketplace that is not configured.
        sale(330, 'uk', 'FBA', 'Shipped', 'MUG-RED', sales_channel='Non-Amazon GB',
             amazon_order_id='S01-9%06d-9%06d' % (330, 331), merchant_order_id='WEB-77', **none),
        sale(331, 'it', 'FBA', 'Shipped', 'TAZZA-9', '36.60', '6.60', net='30.00'),
        sale(332, 'nl', 'FBA', 'Shipped', 'TASSE-1', '12.10', '2.10', net='10.00'),
    ]


def sales_jp():
    return [
        sale(401, 'jp', 'FBA', 'Shipped', 'YUNOMI-1', '1980.00', product_name='①湯呑み（髙田窯）　藍色'),
        sale(402, 'jp', 'FBA', 'Shipped', 'YUNOMI-3', '1000.00', quantity=3, product_name='湯呑み ３個組～㈱見本'),
        sale(403, 'jp', 'Merchant', 'Unshipped', 'HASHI', '750.00', product_name='箸', ship_service_level='Standard'),
        sale(404, 'jp', 'FBA', 'Pending', 'YUNOMI-1', '1980.00', product_name='①湯呑み（髙田窯）　藍色'),
    ]


def bad_rows():
    line = report(c.ALL_ORDERS_29, [sale(503, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17')])
    too_long = line.decode().split('\n')[1] + '\tshifted'
    short = report(c.ALL_ORDERS_29, [sale(506, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17')])
    return [
        sale(501, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17'),
        sale(502, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17'),
        sale(502, 'uk', 'FBA', 'Shipped', 'MUG-BLUE', '12.9O', '2.17'),
        too_long,
        sale(504, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17', amazon_order_id='9.04125E+16'),
        sale(505, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17'),
        short.decode().split('\n')[1].rstrip('\t'),
    ]


# --- Unshipped, order reports ---------------------------------------------------------------------------------------

def waiting_27():
    return [to_ship(601, 'uk', 'SIGN-OAK'), to_ship(602, 'de', 'TASSE-1', 2), to_ship(602, 'de', 'BUCH-7', item=1),
            to_ship(603, 'de', 'TASSE-1', ship_state='Hinterhaus 2', ship_city='beispielstadt')]


def waiting_68():
    us = collected('Amazon Services LLC', '')
    phone = {'buyer_phone_number': '+1 555-555-0100 ext. 90001'}
    quotes = 'Oak plaque (3" x 1.5") with 2" nails'
    return [
        to_ship(701, 'us', 'PLAQUE-US', product_name=quotes, **us, **phone),
        to_ship(702, 'us', 'SIGN-OAK', product_name='"Home Sweet Home sign, never closed', **us, **phone),
        to_ship(703, 'us', 'PLAQUE-US', product_name=quotes, customized_url='https://zme-caps.amazon.example/t/b/1',
                **us),
        to_ship(703, 'us', 'PLAQUE-US', item=1, product_name=quotes,
                customized_url='https://zme-caps.amazon.example/t/b/2', **us),
        to_ship(704, 'us', 'MUG-RED', 2, is_business_order='true', purchase_order_number='Ada Fixture', **us),
        to_ship(705, 'ca', 'SIGN-OAK', product_name='Sign 12"'),
    ]


def waiting_85():
    vat = {'buyer_company_name': 'Exemple SARL', 'buyer_vat_number': 'FR00999999999',
           'buyer_tax_registration_id': 'FR00999999999', 'buyer_tax_registration_country': 'FR',
           'buyer_tax_registration_type': 'VAT', 'is_business_order': 'true', 'address_type': 'Commercial'}
    return [
        to_ship(801, 'uk', 'PLAQUE 1', customized_url='https://zme-caps.amazon.example/t/c/1',
                customized_page='https://amzn.example/d/c1', ship_address_2='Sample Cottage'),
        to_ship(802, 'uk', 'MUG-RED', gift_wrap_type='Gift bag', gift_message_text='Happy birthday, "Nan" – love, A.',
                recipient_name='Nan Fixture'),
        to_ship(803, 'uk', 'SIGN-OAK', is_buyer_requested_cancellation='true',
                buyer_requested_cancel_reason='BUYER_CANCELED'),
        to_ship(804, 'fr', 'TASSE-2', **vat),
        to_ship(805, 'de', 'TASSE-1', 3, payment_method_details='Invoice', **collected()),
        to_ship(806, 'uk', 'SIGN-OAK', ship_state='29 Example Lane', ship_address_3='Near The Mill'),
        to_ship(806, 'uk', 'MUG-BLUE', 2, item=1, ship_state='29 Example Lane', ship_address_3='Near The Mill'),
    ]


def reported_29():
    west = {'purchase_date': '2025-03-02T10:50:49-08:00', 'payments_date': '2025-03-02T10:50:49-08:00'}
    return [ordered(901, 'us', '1', '1.29', shipping_price='1.99', ship_phone_number='555-555-0101', **west),
            ordered(902, 'us', '1', '1.29', shipping_price='1.99', **west),
            ordered(902, 'us', '2', '2.58', quantity=2, item=1, shipping_price='1.99', **west)]


def reported_30():
    return [
        ordered(911, 'fr', 'TASSE-2', '24.00', '4.00', buyer_name='Hélène ÉXEMPLE', recipient_name='Zoë Exemple',
                buyer_email='helene911@marketplace.amazon.fr.example',
                ship_address_1='8 allée du Prés-Château', ship_address_2='bâtiment K',
                product_name='Tasse émaillée, ø 8 cm'),
        ordered(912, 'fr', 'TASSE-2', '48.00', '8.00', 2, shipping_price='6.00', shipping_tax='1.00'),
        ordered(912, 'fr', 'CUILLÈRE', '3.60', '0.60', item=1),
        ordered(913, 'fr', 'TASSE-2', '9.90', buyer_email='HELENE911@marketplace.amazon.fr.example')]


def reported_1252():
    return [ordered(921, 'de', 'GUTSCHEIN-5', '5.95', '0.95', product_name='Gutschein 5 € – „Danke“'),
            ordered(922, 'at', 'TASSE-1', '24.00', '4.00', ship_address_1='Beispielgasse 3 – Stiege 2')]


def reported_34():
    return [ordered(931, 'uk', 'SIGN-OAK', '40.00', '6.67', 3, is_business_order='true', is_sold_by_ab='true',
                    purchase_order_number='PO 7/25', price_designation='Business Price',
                    delivery_instructions='Leave with the porter'),
            ordered(932, 'uk', 'MUG-RED', '12.99', '2.17')]


def reported_48():
    bill = {'bill_address_1': '9 Ledger Street', 'bill_city': 'NETHER WALLOW', 'bill_postal_code': 'DT99 1AA',
            'bill_country': 'GB'}
    two = dict(bill, shipping_price='3.60', shipping_tax='0.60')
    return [
        # One item, two promotions: two rows, still quantity 2.
        ordered(941, 'uk', 'SIGN-OAK', '40.00', '6.00', 2, item_promotion_discount='3.00',
                item_promotion_id='PO-SPRING', **two),
        ordered(941, 'uk', 'SIGN-OAK', '40.00', '6.00', 2, item_promotion_discount='1.00',
                item_promotion_id='PO-COUPON', **two),
        ordered(942, 'uk', 'MUG-RED', '12.00', '2.00', item_promotion_discount='', buyer_company_name='Example Ltd',
                buyer_vat_number='GB999999999', is_business_order='true', **bill),
        ordered(942, 'uk', 'MUG-BLUE', '6.00', '1.00', item=1, **bill),
    ]


# --- the same orders in all three families; marked personal cells ----------------------------------------------------

# order, place, status, shipping, then (SKU, quantity, price, tax) for each row of All Orders and of the others
TRIO = [
    (951, 'uk', 'Pending', None, [('MUG-RED', 1, '11.99', '2.00')], None),
    (952, 'uk', 'Unshipped', ('3.99', '0.67'), [('SIGN-OAK', 1, '19.99', '3.33'), ('MUG-BLUE', 1, '12.00', '2.00')],
     None),
    (953, 'de', 'Pending', None, [('TASSE-1', 1, '23.80', '3.80')], None),
    (954, 'uk', 'Pending', None, [('BADGE', 1, '6.00', '1.00')] * 2, [('BADGE', 2, '12.00', '2.00')]),
    (955, 'uk', 'Unshipped', None, [('BADGE', 3, '10.00', '1.67')], None),
    (956, 'fr', 'Pending', None, [('TASSE-2', 2, '24.00', '4.00')], None),
]


def trio(make):
    rows = []
    for n, place, status, shipping, sales, others in TRIO:
        for item, (sku, quantity, price, tax) in enumerate(sales if make is sale else others or sales):
            paid = {'shipping_price': shipping[0], 'shipping_tax': shipping[1]} if shipping and not item else {}
            if make is sale:
                rows.append(sale(n, place, 'Merchant', status, sku, price, tax, quantity, **paid))
            elif make is ordered:
                rows.append(ordered(n, place, sku, price, tax, quantity, item, **paid))
            else:
                rows.append(to_ship(n, place, sku, quantity, item))
    return rows


PERSONAL = '''
    buyer_name buyer_phone_number recipient_name ship_address_1 ship_address_2 ship_address_3 ship_city ship_state
    ship_postal_code ship_phone_number bill_address_1 bill_address_2 bill_address_3 bill_city bill_state
    bill_postal_code delivery_instructions gift_message_text customized_url customized_page purchase_order_number
    buyer_company_name buyer_cst_number buyer_vat_number buyer_tax_registration_id buyer_citizen_name
    buyer_citizen_id invoice_business_legal_name invoice_business_address invoice_business_tax_id
    invoice_business_tax_office buyer_requested_cancel_reason'''.split()


def canaries(names, prefix):
    """A distinct mark for every personal cell that the report has; the mail address keeps its shape."""
    personal = [name for name in PERSONAL if set(columned({name: ''})) <= set(names)]
    marks = {name: 'CANARY%s%02d%s' % (prefix, k, name.replace('_', '')) for k, name in enumerate(personal, 2)}
    for name in ('customized_url', 'customized_page'):
        if name in marks:
            marks[name] = 'https://zme-caps.amazon.example/t/' + marks[name]
    return dict(marks, buyer_email='CANARY%s01mail@marketplace.amazon.co.uk.example' % prefix)


def canary_orders():
    return [ordered(n, 'uk', 'MUG-RED', '12.00', '2.00', is_business_order='true',
                    **canaries(c.ORDER_REPORT_48, prefix)) for n, prefix in ((961, 'A'), (962, 'B'))]


def canary_waiting():
    return [to_ship(n, 'uk', 'SIGN-OAK', is_business_order='true', is_buyer_requested_cancellation='true',
                    gift_wrap_type='Gift bag', **canaries(c.UNSHIPPED_85, prefix))
            for n, prefix in ((963, 'C'), (964, 'D'))]


# --- the files ------------------------------------------------------------------------------------------------------

def files():
    shuffled = c.ALL_ORDERS_29[::-2] + ['x-new-column'] + c.ALL_ORDERS_29[-2::-2]
    return {
        **cases.files(),
        'all_orders_29.txt': report(c.ALL_ORDERS_29, sales_29()),
        'all_orders_32.txt': report(c.ALL_ORDERS_32, sales_32(), last_end=False),
        'all_orders_91_crlf_trailing_space.txt': report(c.ALL_ORDERS_91, sales_91(), '\r\n'),
        'all_orders_jp_cp932.txt': report(c.ALL_ORDERS_29, sales_jp(), charset='cp932'),
        'all_orders_shuffled_columns.txt': report(shuffled, [dict(r, **{'x-new-column': 'new'}) for r in sales_29()]),
        'all_orders_bad_rows.txt': report(c.ALL_ORDERS_29, bad_rows()),
        'all_orders_header_only.txt': report(c.ALL_ORDERS_29, []),
        'unshipped_27.txt': report(c.UNSHIPPED_27, waiting_27()),
        'unshipped_68_quotes.txt': report(c.UNSHIPPED_68, waiting_68()),
        'unshipped_85_crlf.txt': report(c.UNSHIPPED_85, waiting_85(), '\r\n'),
        'order_report_29.txt': report(c.ORDER_REPORT_29, reported_29() + ['']),
        'order_report_30_latin1.txt': report(c.ORDER_REPORT_30, reported_30(), charset='latin-1'),
        'order_report_1252.txt': report(c.ORDER_REPORT_30, reported_1252(), '\r\n', 'cp1252'),
        'order_report_34_business.txt': report(c.ORDER_REPORT_34, reported_34()),
        'order_report_48_invoicing.txt': report(c.ORDER_REPORT_48, reported_48()),
        'trio_all_orders.txt': report(c.ALL_ORDERS_29, trio(sale)),
        'trio_unshipped.txt': report(c.UNSHIPPED_27, trio(to_ship)),
        'trio_order_report.txt': report(c.ORDER_REPORT_30, trio(ordered)),
        'canary_order_report.txt': report(c.ORDER_REPORT_48, canary_orders()),
        'canary_unshipped.txt': report(c.UNSHIPPED_85, canary_waiting(), '\r\n'),
    }


VAT = {'Amazon.co.uk': 20, 'Amazon.de': 19, 'Amazon.fr': 20, 'Amazon.es': 21, 'Amazon.it': 22}


def price_fixture(data):
    """An All Orders report (29 columns) for the orders of an unshipped report, prices invented from the SKU.

    The sales channel is that of the buyer's mail domain. Where prices are net (US, CA) item-tax stays blank.
    Nothing of the buyer but the country is taken over.
    """
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError:
        text = data.decode('cp1252')
    lines = [line.split('\t') for line in re.split('\r\n|\n|\r', text) if line.strip()]
    known = {place[1]: place for place in PLACES.values()}
    rows = []
    for cells in (dict(zip(lines[0], line)) for line in lines[1:]):
        domain = cells['buyer-email'].split('@marketplace.')[-1].replace('.example', '')
        channel, _, currency = known[domain][:3]
        unit = decimal.Decimal(499 + zlib.crc32(cells['sku'].encode()) % 4000).scaleb(-2)
        if currency == 'JPY':
            unit = unit.to_integral_value() * 100
        price = unit * int(cells['quantity-purchased'])
        rate = 20 if cells['ship-country'] == 'AT' else VAT.get(channel)
        tax = (price * rate / (100 + rate)).quantize(decimal.Decimal('0.01')) if rate else ''
        rows.append(columned(dict(
            amazon_order_id=cells['order-id'], purchase_date=cells['purchase-date'],
            last_updated_date=cells['reporting-date'], order_status='Unshipped', fulfillment_channel='Merchant',
            sales_channel=channel, order_channel='WebsiteOrderChannel', product_name=cells['product-name'],
            ship_service_level=cells['ship-service-level'], sku=cells['sku'], item_status='Unshipped',
            quantity=cells['quantity-purchased'], currency=currency, item_price='%.2f' % price, item_tax=tax,
            ship_country=cells['ship-country'])))
    return report(c.ALL_ORDERS_29, rows)


def main(arguments):
    if len(arguments) == 3 and arguments[0] == 'price-fixture':
        with open(arguments[1], 'rb') as source:
            data = price_fixture(source.read())
        with open(arguments[2], 'wb') as out:
            out.write(data)
        return 0
    if arguments not in ([], ['--check']):
        sys.exit(__doc__)
    wrong = []
    for name, data in files().items():
        path = os.path.join(HERE, name)
        if not arguments:
            with open(path, 'wb') as out:
                out.write(data)
        elif not os.path.exists(path) or open(path, 'rb').read() != data:
            wrong.append(name)
    if wrong:
        sys.exit('differ from what make.py writes: ' + ', '.join(wrong))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
