"""Shapes that were found in the field, as files of make.py: torn rows, words and money that nobody knows, what people
and spreadsheets did to files. Each file is named after what is wrong with it."""
import io
import zipfile

import columns as c
from rows import item_id, order_id, ordered, report, sale, to_ship

# Headers of 2026: All Orders with the order-item id, unshipped orders of Japan.
ALL_ORDERS_34 = [name for name in c.ALL_ORDERS_29 if name != 'url'][:5] + ['order-item-id'] \
    + [name for name in c.ALL_ORDERS_29 if name != 'url'][5:] \
    + 'cpf is-business-order purchase-order-number price-designation signature-confirmation-recommended'.split()
UNSHIPPED_JP = c.UNSHIPPED_27[:24] + '''
    payment-method cod-collectible-amount already-paid payment-method-fee scheduled-delivery-start-date
    scheduled-delivery-end-date points-granted is-prime'''.split()


def lines(names, rows, end='\n', charset='utf-8'):
    """As rows.report, with whatever columns."""
    text = [names] + [[row.get(name, '') for name in names] for row in rows]
    return end.join('\t'.join(cells) for cells in text).encode(charset) + end.encode(charset)


def changed(row, **cells):
    return dict(row, **{name.replace('_', '-'): value for name, value in cells.items()})


def statuses():
    words = ['Shipping', 'Complete', 'Unfulfillable', 'InvoiceUnconfirmed', 'Shipped - Lost in Transit',
             'Pending - Waiting for Pick Up', '']
    return [changed(sale(1001 + n, 'us', 'FBA', 'Shipped', 'MUG-RED', '10.00', '0.80'), order_status=word)
            for n, word in enumerate(words)]


def items():
    part = sale(1021, 'us', 'Merchant', 'Shipped', 'BADGE', '10.00', '0.80')
    other = sale(1022, 'us', 'Merchant', 'Shipped', 'BADGE', '10.00', '0.80')
    return [changed(part, order_item_id=item_id(1021)), changed(part, order_item_id=item_id(1021)),
            changed(part, order_item_id=item_id(1021, 1)), changed(other, order_item_id=item_id(1022)),
            changed(other, order_item_id=item_id(1022, 1))]


def channels():
    row = sale(1031, 'uk', 'FBA', 'Shipped', 'MUG-RED', '', currency='')
    shops = [('S01-9001031-9000001', 'SI UK Prod Marketplace'), ('S02-9001031-9000002', 'SI Prod FR Marketplace'),
             ('S02-9001031-9000003', 'siprod.stores.amazon.co.uk'), ('S02-9001031-9000004', 'Non-Amazon GB'),
             ('S02-9001031-9000005', '')]
    named = [(order_id(1032), 'Amazon.com.be', 'EUR'), (order_id(1033), 'Amazon.elsewhere', 'EUR')]
    return [changed(row, amazon_order_id=order, sales_channel=channel) for order, channel in shops] \
        + [changed(row, amazon_order_id=order, sales_channel=channel, currency=currency, item_price='12.10',
                   item_tax='2.10') for order, channel, currency in named]


def torn_rows():
    names = c.ORDER_REPORT_30
    whole = [ordered(1041 + n, 'de', 'TASSE-1', '11.90', '1.90') for n in range(4)]
    torn = [changed(whole[0], **{'delivery-Instructions': 'Side door\nBELLNAME'}), whole[1],
            changed(whole[2], ship_address_2='Floor 2\nSTAIRNAME'), whole[3]]
    return lines(names, torn)


def torn_gift():
    torn = changed(to_ship(1051, 'de', 'TASSE-1'), gift_message_text='All the best\r\nNEPHEWNAME\r\nYour AUNTNAME',
                   is_buyer_requested_cancellation='true')
    return lines(c.UNSHIPPED_85, [torn, to_ship(1052, 'de', 'TASSE-1')], '\r\n')


def unshipped_prices():
    names = c.UNSHIPPED_27 + ['currency', 'item-price', 'shipping-price', 'sales-channel']
    row = changed(to_ship(1061, 'de', 'TASSE-1', 2), currency='EUR', item_price='23.80', shipping_price='3.90',
                  sales_channel='Amazon.de')
    return lines(names, [row])


def cash_on_delivery():
    row = changed(to_ship(1071, 'jp', 'HASHI', product_name='見本品①', recipient_name='見本 太郎'),
                  payment_method='COD', cod_collectible_amount='1324', already_paid='0', payment_method_fee='324',
                  points_granted='10')
    return lines(UNSHIPPED_JP, [row], charset='cp932')


def unknown_money():
    names = c.ALL_ORDERS_29 + ['handling-fee', 'import-tax', 'a-new-word']
    row = sale(1081, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17')
    none = sale(1082, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17')
    odd = sale(1083, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17')
    return lines(names, [changed(row, handling_fee='1.50'), changed(row, handling_fee='0.50', import_tax='-2'),
                         changed(none, handling_fee='0.00', import_tax='', a_new_word='5'),
                         changed(odd, handling_fee='1,50 €')])


def spreadsheet():
    names = ALL_ORDERS_34
    row = [changed(sale(1091 + n, 'uk', 'FBA', 'Shipped', 'MUG-RED', '12.99', '2.17'), order_item_id=item_id(1091 + n))
           for n in range(8)]
    return lines(names, [
        changed(row[0], order_item_id='7,82115E+12'), changed(row[1], order_item_id='="07821148853890"'),
        changed(row[2], sku='05.12.2025'), changed(row[3], asin="'0306406152"), changed(row[4], item_price='12. Sep'),
        changed(row[5], amazon_order_id='9,04125E+16'), changed(row[6], purchase_date='05.03.2025 10:19'),
        changed(row[7], order_item_id='7821148853890')])


def old_and_new():
    row = sale(1101, 'uk', 'FBA', 'Pending', 'MUG-RED', '11.00')
    newer = changed(row, last_updated_date='2025-04-30T10:00:00+00:00', order_status='Shipped', item_price='12.00')
    return lines(c.ALL_ORDERS_29, [newer, row, newer, row])


def two_copies():
    whole = lines(c.ALL_ORDERS_29, [sale(1111, 'uk', 'FBA', 'Shipped', 'MUG-RED', '7.50', '1.25')] * 2
                  + [sale(1112, 'uk', 'FBA', 'Shipped', 'MUG-RED', '7.50', '1.25')])
    return whole + whole


def zero_tax():
    def row(n, **cells):
        return sale(1121 + n, 'at', 'FBA', 'Shipped', 'TASSE-1', '100.00', **cells)
    return lines(c.ALL_ORDERS_91, [
        row(0, tax='0.00', net='100.00', is_business_order='true'), row(1, tax='0.00', net='0.00'),
        row(2, tax='', net=''), changed(row(3, tax='0.00', net='0.00'), order_status='Pending')])


def canadian():
    return [changed(sale(1131 + n, 'ca', 'Merchant', 'Shipped', 'SIGN-OAK', '30.00', '3.90'), currency=currency)
            for n, currency in enumerate(['CDN', 'CAD'])]


def absurd():
    amounts = [('1.00', '0.' + '9' * 27), ('9' * 28, '0.00'), ('9' * 15 + '.999999', '0.01'), ('0.0000001', '')]
    return [sale(1141 + n, 'uk', 'FBA', 'Shipped', 'MUG-RED', price, tax) for n, (price, tax) in enumerate(amounts)]


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as file:
        file.writestr(zipfile.ZipInfo('orders.txt', (2025, 3, 1, 8, 0, 0)), report(c.ALL_ORDERS_29, []))
    return out.getvalue()


def files():
    plain = report(c.ALL_ORDERS_29, [sale(1151, 'es', 'FBA', 'Shipped', 'PLAQUE-ES', '1210.00', '210.00', 10)])
    return {
        'case_absurd_amounts.txt': lines(c.ALL_ORDERS_29, absurd()),
        'case_canadian_dollar.txt': lines(c.ALL_ORDERS_29, canadian()),
        'case_cash_on_delivery_jp.txt': cash_on_delivery(),
        'case_channels.txt': lines(c.ALL_ORDERS_29, channels()),
        'case_ctrl_z.txt': plain + b'\x1a',
        'case_item_ids.txt': lines(ALL_ORDERS_34, items()),
        'case_no_data.txt': b'No data available for the selected date range.\n',
        'case_old_and_new_rows.txt': old_and_new(),
        'case_spreadsheet.txt': spreadsheet(),
        'case_statuses.txt': lines(ALL_ORDERS_34, statuses()),
        'case_torn_gift_crlf.txt': torn_gift(),
        'case_torn_rows.txt': torn_rows(),
        'case_two_copies.txt': two_copies(),
        'case_unknown_money.txt': unknown_money(),
        'case_unshipped_prices.txt': unshipped_prices(),
        'case_zero_tax.txt': zero_tax(),
        'case_zip.txt': archive(),
    }
