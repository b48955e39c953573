"""The columns of the order reports, as Amazon writes them."""

_SHIP_FROM = ['address-name', 'address-field-1', 'address-field-2', 'address-field-3', 'city', 'state', 'country',
              'postal-code']
DEFAULT_SHIP_FROM = ['default-ship-from-' + name for name in _SHIP_FROM]
ACTUAL_SHIP_FROM = ['actual-ship-from-' + name for name in _SHIP_FROM]

ALL_ORDERS_29 = '''
    amazon-order-id merchant-order-id purchase-date last-updated-date order-status fulfillment-channel sales-channel
    order-channel url ship-service-level product-name sku asin item-status quantity currency item-price item-tax
    shipping-price shipping-tax gift-wrap-price gift-wrap-tax item-promotion-discount ship-promotion-discount
    ship-city ship-state ship-postal-code ship-country promotion-ids'''.split()
ALL_ORDERS_32 = ALL_ORDERS_29 + 'is-business-order purchase-order-number price-designation'.split()
ALL_ORDERS_91 = '''
    amazon-order-id merchant-order-id purchase-date last-updated-date order-status fulfillment-channel sales-channel
    order-channel url ship-service-level product-name sku asin number-of-items item-status tax-collection-model
    tax-collection-responsible-party quantity currency item-price item-tax shipping-price shipping-tax
    gift-wrap-price gift-wrap-tax item-promotion-discount ship-promotion-discount address-type ship-city ship-state
    ship-postal-code ship-country promotion-ids payment-method-details item-extensions-data is-business-order
    purchase-order-number price-designation fulfilled-by buyer-company-name buyer-cst-number buyer-vat-number
    buyer-tax-registration-id buyer-tax-registration-country buyer-tax-registration-type customized-url
    customized-page is-heavy-or-bulky is-replacement-order is-exchange-order original-order-id is-amazon-invoiced
    vat-exclusive-item-price vat-exclusive-shipping-price vat-exclusive-giftwrap-price licensee-name license-number
    license-state license-expiration-date is-iba buyer-citizen-name buyer-citizen-id is-transparency'''.split() \
    + DEFAULT_SHIP_FROM + ACTUAL_SHIP_FROM + '''
    is-ispu-order store-chain-store-id is-pickup-point-order pickup-point-type is-buyer-requested-cancellation
    buyer-requested-cancel-reason ioss-number order-invoice-type invoice-business-legal-name
    invoice-business-address invoice-business-tax-id'''.split() + ['invoice-business-tax-office ']  # sic: a space

UNSHIPPED_27 = '''
    order-id order-item-id purchase-date payments-date reporting-date promise-date days-past-promise buyer-email
    buyer-name buyer-phone-number sku product-name quantity-purchased quantity-shipped quantity-to-ship
    ship-service-level recipient-name ship-address-1 ship-address-2 ship-address-3 ship-city ship-state
    ship-postal-code ship-country is-business-order purchase-order-number price-designation'''.split()
_UNSHIPPED_START = '''
    order-id order-item-id purchase-date payments-date reporting-date promise-date days-past-promise buyer-email
    buyer-name payment-method-details buyer-phone-number sku number-of-items product-name quantity-purchased
    quantity-shipped quantity-to-ship ship-service-level ship-service-name recipient-name ship-address-1
    ship-address-2 ship-address-3 address-type ship-city ship-state ship-postal-code ship-country gift-wrap-type
    gift-message-text payment-method cod-collectible-amount already-paid payment-method-fee customized-url
    customized-page is-business-order purchase-order-number price-designation is-prime'''.split()
UNSHIPPED_68 = _UNSHIPPED_START + '''
    is-premium-order buyer-company-name licensee-name license-number license-state license-expiration-date
    is-replacement-order is-exchange-order original-order-id is-transparency'''.split() + DEFAULT_SHIP_FROM + '''
    is-ispu-order store-chain-store-id is-buyer-requested-cancellation buyer-requested-cancel-reason ioss-number
    tax-collection-model tax-collection-responsible-party verge-of-cancellation verge-of-lateShipment
    signature-confirmation-recommended'''.split()
UNSHIPPED_85 = _UNSHIPPED_START + '''
    fulfilled-by shipment-status is-premium-order buyer-company-name buyer-cst-number buyer-vat-number
    buyer-tax-registration-id buyer-tax-registration-country buyer-tax-registration-type licensee-name
    license-number license-state license-expiration-date is-heavy-or-bulky is-replacement-order is-exchange-order
    original-order-id is-transparency is-iba buyer-citizen-name buyer-citizen-id'''.split() + DEFAULT_SHIP_FROM + '''
    is-ispu-order store-chain-store-id is-pickup-point-order pickup-point-type is-buyer-requested-cancellation
    buyer-requested-cancel-reason ioss-number tax-collection-model tax-collection-responsible-party
    order-invoice-type invoice-business-legal-name invoice-business-address invoice-business-tax-id
    invoice-business-tax-office verge-of-cancellation verge-of-lateShipment'''.split()

_ORDER_REPORT_START = '''
    order-id order-item-id purchase-date payments-date buyer-email buyer-name buyer-phone-number sku product-name
    quantity-purchased currency item-price item-tax shipping-price shipping-tax ship-service-level recipient-name
    ship-address-1 ship-address-2 ship-address-3 ship-city ship-state ship-postal-code ship-country
    ship-phone-number'''.split()
_DELIVERY = 'delivery-start-date delivery-end-date delivery-time-zone delivery-Instructions'.split()
_BILL = '''
    bill-address-1 bill-address-2 bill-address-3 bill-city bill-state bill-postal-code bill-country
    item-promotion-discount item-promotion-id ship-promotion-discount ship-promotion-id'''.split()
_BUSINESS = 'is-business-order purchase-order-number price-designation'.split()
ORDER_REPORT_29 = _ORDER_REPORT_START + _DELIVERY
ORDER_REPORT_30 = ORDER_REPORT_29 + ['sales-channel']
ORDER_REPORT_34 = ORDER_REPORT_30 + _BUSINESS + ['is-sold-by-ab']
ORDER_REPORT_48 = _ORDER_REPORT_START + _BILL + _DELIVERY + ['sales-channel'] + _BUSINESS \
    + 'buyer-company-name buyer-cst-number buyer-vat-number is-iba'.split()
