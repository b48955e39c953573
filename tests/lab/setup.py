# Runs in `odoo shell` on a fresh database and makes it the template: the same names on 19 and 14, so that tests
# can be shared.  The last line printed starts with FACTS: what `odoo.sh env` tells.
import json

import odoo

V19 = odoo.release.version_info[0] >= 19
ref = env.ref


def fill(record, **values):
    """Write those values whose field this version has."""
    record.write({k: v for k, v in values.items() if k in record._fields})


# --- currencies and pricelists ----------------------------------------------------------------------------
# Odoo takes an order's currency from its pricelist, so one pricelist for each currency of a marketplace.
CURRENCIES = ['EUR', 'GBP', 'USD', 'CAD', 'SEK', 'PLN', 'JPY']
currency = {}
for code in CURRENCIES:
    currency[code] = env['res.currency'].with_context(active_test=False).search([('name', '=', code)])
    currency[code].active = True
group_user = ref('base.group_user')
group_user.write({'implied_ids': [(4, ref('product.group_product_pricelist').id)]})
company = ref('base.main_company')
Pricelist = env['product.pricelist']
if not Pricelist.search([('currency_id', '=', company.currency_id.id)]):
    Pricelist.create({'name': 'Default', 'currency_id': company.currency_id.id, 'sequence': 1})
for code in CURRENCIES:
    # Behind the default one: an order that names no pricelist must not get one of these by accident.
    Pricelist.create({'name': 'Amazon ' + code, 'currency_id': currency[code].id, 'company_id': False, 'sequence': 50})

# --- the second company, with its own chart of accounts, warehouse and currency --------------------------------
# install_mode: else 19 installs the accounting packages of the company's country in the middle of this script.
company2 = env['res.company'].with_context(install_mode=True).create({
    'name': 'Second Company', 'currency_id': currency['EUR'].id, 'country_id': company.country_id.id})
env.user.write({'company_ids': [(4, company2.id)]})
env = env(context=dict(env.context, allowed_company_ids=[company.id, company2.id]))
if V19:
    env['account.chart.template'].try_loading('generic_coa', company=company2, install_demo=False)
else:
    env.ref('l10n_generic_coa.configurable_chart_template').with_company(company2).try_loading(company=company2)
company2.currency_id = currency['EUR']  # the chart brings its own
# 14 makes a company's first warehouse with the company, 19 leaves it to the menus.
warehouse2 = env['stock.warehouse'].search([('company_id', '=', company2.id)])
if warehouse2:
    warehouse2.write({'name': 'Second Warehouse', 'code': 'WH2'})
else:
    warehouse2 = env['stock.warehouse'].create({'name': 'Second Warehouse', 'code': 'WH2', 'company_id': company2.id,
                                                'partner_id': company2.partner_id.id})
Pricelist.create({'name': 'Second EUR', 'currency_id': currency['EUR'].id, 'company_id': company2.id, 'sequence': 50})

# --- taxes ----------------------------------------------------------------------------------------------------
# No default tax: what a test order is taxed with is what the order said.
for c in (company, company2):
    fill(c, account_sale_tax_id=False, account_purchase_tax_id=False)


def sale_tax(of, name, amount, included):
    values = {'name': name, 'amount': amount, 'amount_type': 'percent', 'type_tax_use': 'sale', 'company_id': of.id,
              'description': name}
    if V19:
        values['price_include_override'] = 'tax_included' if included else 'tax_excluded'
        values['country_id'] = of.account_fiscal_country_id.id
    else:
        values['price_include'] = included
    env['account.tax'].with_company(of).create(values)


for rate in (0, 5, 7, 19, 20, 21, 22):
    sale_tax(company, 'Amazon %d%% incl' % rate, rate, True)
for rate in (0, 8, 20):
    sale_tax(company, 'Amazon %d%% excl' % rate, rate, False)
sale_tax(company2, 'Second 19% incl', 19, True)

# --- warehouses, carriers, products with stock -------------------------------------------------------------------
wh = env['stock.warehouse'].search([('company_id', '=', company.id)], limit=1)
assert wh.code == 'WH', wh.code
wh.name = 'My Company'
fba = env['stock.warehouse'].create({'name': 'Amazon FBA', 'code': 'FBA', 'company_id': company.id})

# The products that the modules brought (delivery's own) lose the default tax of their time, too.
env['product.product'].with_context(active_test=False).search([]).write({'taxes_id': [(5,)], 'supplier_taxes_id': [(5,)]})

for name, code in (('Amazon Standard', 'AMZ-STD'), ('Amazon Expedited', 'AMZ-EXP')):
    service = env['product.product'].create({'name': name, 'default_code': code, 'type': 'service', 'list_price': 0,
                                             'taxes_id': [(5,)]})
    env['delivery.carrier'].create({'name': name, 'delivery_type': 'fixed', 'fixed_price': 0,
                                    'product_id': service.id, 'company_id': False})

storable = {'type': 'consu', 'is_storable': True} if V19 else {'type': 'product'}
products = env['product.product'].create([
    {'name': 'Product %04d' % i, 'default_code': 'SKU-%04d' % i, 'list_price': 10, 'standard_price': 4,
     'taxes_id': [(5,)], 'supplier_taxes_id': [(5,)], **storable} for i in range(1, 6)])
quants = env['stock.quant'].with_context(inventory_mode=True)
for product in products:
    for warehouse in (wh, fba, warehouse2):
        quant = quants.create({'product_id': product.id, 'location_id': warehouse.lot_stock_id.id,
                               'inventory_quantity': 100000})
        if V19:
            quant.action_apply_inventory()

# --- traps: everything by which Odoo would talk to buyers is on, and leads nowhere ---------------------------------
env['ir.mail_server'].create({'name': 'Nowhere', 'smtp_host': '127.0.0.1', 'smtp_port': 9})
# No text message (nor anything else of Odoo's paid services) may leave this machine either.
for parameter in ('iap.endpoint', 'sms.endpoint', 'iap.partner_autocomplete.endpoint'):
    env['ir.config_parameter'].set_param(parameter, 'http://127.0.0.1:9')
for c in (company, company2):
    fill(c, stock_move_email_validation=True, stock_move_sms_validation=True, has_received_warning_stock_sms=True,
         stock_text_confirmation=True, stock_confirmation_type='sms')

# --- users ----------------------------------------------------------------------------------------------------------
GROUPS = 'group_ids' if V19 else 'groups_id'
INTEGRATION = ['base.group_user', 'sales_team.group_sale_salesman_all_leads', 'base.group_partner_manager',
               'account.group_account_invoice']
INTEGRATION += ['stock.group_stock_user', 'product.group_product_manager'] if V19 else ['stock.group_stock_manager']


def user(login, groups, lang, companies):
    u = env['res.users'].with_context(no_reset_password=True).create({
        'name': login.replace('_', ' ').title(), 'login': login, 'password': login + '-pw', 'lang': lang,
        'email': login + '@example.com', 'notification_type': 'inbox', 'tz': 'UTC',
        'company_id': company.id, 'company_ids': [(6, 0, companies.ids)],
        GROUPS: [(6, 0, [ref(g).id for g in groups])]})
    keys = env(user=u)['res.users.apikeys'].sudo()
    key = keys._generate('rpc', 'lab', None) if V19 else keys._generate('rpc', 'lab')
    return u.id, key


uid, key = user('integration', INTEGRATION, 'en_US', company | company2)
de_uid, de_key = user('integration_de', INTEGRATION, 'de_DE', company | company2)
low_uid, low_key = user('low', ['base.group_user'], 'en_US', company)

env.cr.commit()
print('FACTS', json.dumps({
    'login': 'integration', 'password': 'integration-pw', 'api_key': key, 'uid': uid,
    'low_login': 'low', 'low_api_key': low_key, 'low_uid': low_uid,
    'de_login': 'integration_de', 'de_api_key': de_key, 'de_uid': de_uid,
    'company': company.id, 'company2': company2.id}))
