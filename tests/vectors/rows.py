"""The rows of the order reports that make.py writes: an invented world, and one function for each report family."""
import datetime
import zlib

import columns as c

BEGIN = datetime.datetime(2025, 3, 1, 8, 0, 0)
# sales channel, mail domain, currency, and an invented place: city, state, postal code, country
PLACES = {
    'uk': ('Amazon.co.uk', 'amazon.co.uk', 'GBP', 'NETHER WALLOW', 'Dorset', 'DT99 4ZZ', 'GB'),
    'de': ('Amazon.de', 'amazon.de', 'EUR', 'Musterstädt', '', '07199', 'DE'),
    'at': ('Amazon.de', 'amazon.de', 'EUR', 'Beispieldorf', 'Tirol', '6999', 'AT'),
    'fr': ('Amazon.fr', 'amazon.fr', 'EUR', 'Saint-Exemple-lès-Prés', '', '07100', 'FR'),
    'es': ('Amazon.es', 'amazon.es', 'EUR', 'Villaejemplo', 'Zaragoza', '00322', 'ES'),
    'it': ('Amazon.it', 'amazon.it', 'EUR', 'Borgo Esempio', 'VC', '00390', 'IT'),
    'se': ('Amazon.se', 'amazon.se', 'SEK', 'Exempelköping', '', '999 90', 'SE'),
    'nl': ('Amazon.nl', 'amazon.nl', 'EUR', 'Voorbeeldam', '', '9999 ZZ', 'NL'),
    'us': ('Amazon.com', 'amazon.com', 'USD', 'SAMPLEVILLE', 'OH', '04599-0001', 'US'),
    'ca': ('Amazon.ca', 'amazon.ca', 'CAD', 'Exampleton', 'Nova Scotia', 'B0X 9X9', 'CA'),
    'jp': ('Amazon.co.jp', 'amazon.co.jp', 'JPY', '--', '東京都', '199-9999', 'JP'),
}
PEOPLE = ['Ada Fixture', 'bertram mockley', 'CARLA SPECIMEN', 'Dr. Emil Beispiel', 'Fleur Exemple', 'G. H. Placeby']
ROADS = ['1 Sample Lane', '22 Specimen Rise', '3a Mock Court', '44 Dummy Hill', '5 Fixture Mews']
ALL_KNOWN = set(c.ALL_ORDERS_91 + c.UNSHIPPED_68 + c.UNSHIPPED_85 + c.ORDER_REPORT_48 + ['is-sold-by-ab'])


def order_id(n):
    return '9%02d-%07d-%07d' % (n % 97, n * 7654321 % 10 ** 7, n * 1234577 % 10 ** 7)


def item_id(n, item=0):
    return '%014d' % ((n * 31 + item) * 271828182845 % 10 ** 14)


def at(n, minutes=0):
    return (BEGIN + datetime.timedelta(minutes=37 * n + minutes)).strftime('%Y-%m-%dT%H:%M:%S+00:00')


def columned(cells):
    """Keyword arguments as column names."""
    return {name.replace('_', '-').replace('delivery-instructions', 'delivery-Instructions'): str(value)
            for name, value in cells.items()}


def sale(n, place, way, status, sku, price='', tax='', quantity=1, net='', **cells):
    """One row of All Orders."""
    channel, _, currency, city, state, postal, country = PLACES[place]
    fba = way == 'FBA'
    row = columned(dict(
        amazon_order_id=order_id(n), merchant_order_id=order_id(n) if fba else '', purchase_date=at(n),
        last_updated_date=at(n, 31), order_status=status, fulfillment_channel='Amazon' if fba else 'Merchant',
        sales_channel=channel, order_channel='' if fba else 'WebsiteOrderChannel',
        ship_service_level='Expedited' if fba else 'Standard', product_name='Example article ' + sku, sku=sku,
        asin='B0EX%06d' % (zlib.crc32(sku.encode()) % 10 ** 6),
        item_status={'Pending': 'Unshipped', 'Cancelled': ''}.get(status, status.split(' ')[0]),
        quantity=quantity, currency=currency, item_price=price, item_tax=tax, ship_city=city, ship_state=state,
        ship_postal_code=postal, ship_country=country, is_business_order='false', payment_method_details='Standard',
        is_heavy_or_bulky='false', is_replacement_order='false', is_exchange_order='false', is_amazon_invoiced='true',
        vat_exclusive_item_price=net, vat_exclusive_shipping_price='0.00', is_iba='false', is_transparency='false',
        is_ispu_order='false', is_pickup_point_order='false', is_buyer_requested_cancellation='false'))
    row.update(columned(cells))
    return row


def collected(responsible='Amazon EU S.a.r.L.', ioss='IM4429999999'):
    return {'tax_collection_model': 'MarketplaceFacilitator', 'tax_collection_responsible_party': responsible,
            'ioss_number': ioss}


def buyer(n, place):
    _, domain, _, city, state, postal, country = PLACES[place]
    name = PEOPLE[n % len(PEOPLE)]
    return dict(
        order_id=order_id(n), purchase_date=at(n), payments_date=at(n, 3), buyer_name=name, recipient_name=name,
        buyer_email='%s%d@marketplace.%s.example' % (name.split()[-1].lower(), n, domain),
        buyer_phone_number='0555 %04d' % n, ship_service_level='Standard', ship_address_1=ROADS[n % len(ROADS)],
        ship_city=city, ship_state=state, ship_postal_code=postal, ship_country=country)


def to_ship(n, place, sku, quantity=1, item=0, **cells):
    """One row of an unshipped report."""
    no = 'false'
    row = columned(dict(
        buyer(n, place), order_item_id=item_id(n, item), reporting_date=at(n, 31), promise_date=at(n, 2880)[:11]
        + '22:59:59+00:00', days_past_promise='-1', payment_method_details='Standard', sku=sku, number_of_items=1,
        product_name='Example article ' + sku, quantity_purchased=quantity, quantity_shipped=0,
        quantity_to_ship=quantity, ship_service_name='Std Dom_1', address_type='Residential', is_business_order=no,
        is_prime=no, is_premium_order=no, is_heavy_or_bulky=no, is_replacement_order=no, is_exchange_order=no,
        is_transparency=no, is_iba=no, is_ispu_order=no, is_pickup_point_order=no,
        is_buyer_requested_cancellation=no, verge_of_cancellation=no, verge_of_lateShipment=no,
        signature_confirmation_recommended=no))
    row.update(columned(cells))
    return row


def ordered(n, place, sku, price, tax='0.00', quantity=1, item=0, **cells):
    """One row of an order report."""
    row = columned(dict(
        buyer(n, place), order_item_id=item_id(n, item), sku=sku, product_name='Example article ' + sku,
        quantity_purchased=quantity, currency=PLACES[place][2], item_price=price, item_tax=tax,
        shipping_price='0.00', shipping_tax='0.00', sales_channel=PLACES[place][0], is_business_order='false',
        is_iba='false', is_sold_by_ab='false'))
    row.update(columned(cells))
    return row


def report(names, rows, end='\n', charset='utf-8', last_end=True):
    """The bytes of a report. A row is a dict, or a finished line."""
    lines = ['\t'.join(names)]
    for row in rows:
        if isinstance(row, dict):
            unknown = set(row) - ALL_KNOWN - {'amazon-order-id', 'x-new-column'}
            if unknown:
                raise ValueError('no such column: %s' % unknown)
            row = '\t'.join(row.get(name.strip(), '') for name in names)
        lines.append(row)
    return (end.join(lines) + (end if last_end else '')).encode(charset)
