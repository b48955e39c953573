#!/usr/bin/env python3
"""A config.toml for a lab database, on standard output; the database's `odoo.sh ... env DB --json` comes on standard input.

    odoo.sh 19 env t1 --json | account.py --dir DIR [options]

Accounts, marketplaces and taxes are those of ../expected/account.json, so that ../expected/expected.py says what Odoo
must hold afterwards; pricelists, taxes and warehouses are named as setup.py made them. Spool, state, keys file and control
socket lie in DIR (spool/, state/, keys.toml, control.sock) unless named one by one. Secrets are not printed: the keys
file is made by `odoo-spoold keygen`, Odoo's API key is `api_key` of the same JSON.
"""
import argparse
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, '..', 'expected', 'account.json')
NORTH_AMERICA = {'Amazon.com', 'Amazon.ca', 'Amazon.com.mx', 'Amazon.com.br'}
FAR_EAST = {'Amazon.co.jp', 'Amazon.com.au', 'Amazon.sg'}
CARRIERS = {'Standard': 'Amazon Standard', 'Expedited': 'Amazon Expedited'}
# setup.py's second company sells in euro only, from one warehouse, and has one tax.
SECOND = {'company': 'Second Company', 'currency': 'EUR', 'pricelist': 'Second EUR', 'warehouse': 'WH2',
          'tax': 'Second 19% incl'}


def region_of(marketplace):
    return 'NA' if marketplace in NORTH_AMERICA else 'FE' if marketplace in FAR_EAST else 'EU'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--dir', help='where everything lies that is not named below')
    for what in ('spool', 'state', 'keys', 'socket'):
        add('--' + what, metavar='PATH')
    add('--account', action='append', metavar='ID[:REGION]',
        help='default: eu; may be repeated. REGION is EU unless the id is na or fe')
    add('--marketplace', action='append', metavar='NAME', help='only this one; may be repeated')
    add('--company', default='My Company', metavar='NAME|ID',
        help='"%s" brings its own pricelist, tax and warehouse' % SECOND['company'])
    add('--user', choices=('de', 'low'), help='log in as the German user, or the one without rights')
    add('--login', help='log in as somebody else')
    add('--url', help='another address of the same Odoo')
    add('--import-from', metavar='DAY|INSTANT', help='default: that of account.json')
    add('--existing', choices=('adopt', 'hold'))
    add('--already-shipped', choices=('draft', 'confirm', 'skip'))
    add('--partner', choices=('buyer', 'anonymous'))
    add('--unknown-sku', choices=('hold', 'default'))
    add('--default-product', metavar='SKU')
    add('--default-marketplace', metavar='NAME')
    add('--no-confirm', action='store_true')
    add('--no-carriers', action='store_true')
    add('--no-fba', action='store_true', help='no FBA warehouse anywhere')
    add('--accept-plaintext', action='store_true')
    add('--accept-aes-cbc', action='store_true')
    add('--set', action='append', default=[], metavar='TABLE.KEY=VALUE',
        help='any other key, VALUE as TOML: odoo.batch=5, account.enabled=false; may be repeated')
    chosen = parser.parse_args()
    for what, name in (('spool', 'spool'), ('state', 'state'), ('keys', 'keys.toml'), ('socket', 'control.sock')):
        if getattr(chosen, what) is None:
            if chosen.dir is None:
                parser.error('--dir or --%s is wanted' % what)
            setattr(chosen, what, os.path.join(os.path.abspath(chosen.dir), name))
    return parser, chosen


class Raw(str):
    """A value that is TOML already."""


def toml(value):
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return '{ %s }' % ', '.join('%s = %s' % (toml(k), toml(v)) for k, v in value.items())
    return json.dumps(value, ensure_ascii=False)  # what we write of texts, numbers and booleans is the same in TOML


def table(heading, values):
    """The values that are not None, under their heading."""
    print('\n%s' % heading)
    for key, value in values.items():
        if value is not None:
            print('%s = %s' % (key, toml(value)))


def marketplace_tables(name, market, second, chosen):
    fba = None if chosen.no_fba or second else market['fba_warehouse']
    table('[[account.marketplace]]', {
        'name': name, 'prices': market['prices'], 'facilitator_tax': market['facilitator_tax'],
        'pricelist': SECOND['pricelist'] if second else 'Amazon ' + market['currency'],
        'warehouse': SECOND['warehouse'] if second else 'WH', 'fba_warehouse': fba,
        'carriers': None if chosen.no_carriers else CARRIERS})
    taxes = [{'destination': '*', 'rate': '19', 'tax': SECOND['tax'], 'default': True}] if second else market['tax']
    for tax in taxes:
        table('[[account.marketplace.tax]]', {k: tax.get(k) for k in ('destination', 'rate', 'tax', 'default')})


def account_tables(account, config, extra, chosen, parser):
    name, _, region = account.partition(':')
    region = region or (name.upper() if name in ('na', 'fe') else 'EU')
    second = chosen.company == SECOND['company']
    markets = {m: values for m, values in config['marketplaces'].items()
               if region_of(m) == region and (not chosen.marketplace or m in chosen.marketplace)
               and (not second or values['currency'] == SECOND['currency'])}
    if not markets:
        parser.error('account %s: no marketplace of region %s is left' % (name, region))
    company = 'company_id' if chosen.company.isdigit() else 'company'
    table('[[account]]', {
        'id': name, 'region': region, company: int(chosen.company) if chosen.company.isdigit() else chosen.company,
        'import_from': chosen.import_from or config['import_from'],
        'already_shipped': chosen.already_shipped or config['already_shipped'],
        'default_marketplace': chosen.default_marketplace or config['default_marketplace'],
        'existing': chosen.existing, 'partner': chosen.partner, 'unknown_sku': chosen.unknown_sku,
        'default_product': chosen.default_product, 'confirm': False if chosen.no_confirm else None,
        'accept_plaintext': chosen.accept_plaintext or None, 'accept_aes_cbc': chosen.accept_aes_cbc or None,
        **extra.pop('account', {})})
    if 'account.products' in extra:
        table('[account.products]', extra['account.products'])
    for market in markets:
        marketplace_tables(market, markets[market], second, chosen)


def main():
    parser, chosen = arguments()
    lab = json.load(sys.stdin)
    with open(EXPECTED, encoding='utf-8') as f:
        config = json.load(f)
    unknown = set(chosen.marketplace or ()) - set(config['marketplaces'])
    if unknown:
        parser.error('not in account.json: %s' % ', '.join(sorted(unknown)))
    extra = {}
    for setting in chosen.set:
        path, equals, value = setting.partition('=')
        where, dot, key = path.strip().rpartition('.')
        if not equals or not dot:
            parser.error('--set wants TABLE.KEY=VALUE, not %s' % setting)
        extra.setdefault(where, {})[key] = Raw(value.strip())
    unknown = set(extra) - {'odoo', 'spool', 'state', 'log', 'account', 'account.products'}
    if unknown:
        parser.error('--set knows no table %s' % ', '.join(sorted(unknown)))

    print('# Odoo %s, database %s. Made by tests/lab/account.py.' % (lab['version'], lab['database']))
    login = chosen.login or lab[chosen.user + '_login' if chosen.user else 'login']
    table('[odoo]', {'url': chosen.url or lab['url'], 'database': lab['database'], 'login': login,
                     **extra.get('odoo', {})})
    table('[spool]', {'dir': chosen.spool, 'settle': '1s', **extra.get('spool', {})})
    table('[state]', {'dir': chosen.state, 'cache': '32MiB', **extra.get('state', {})})
    table('[keys]', {'file': chosen.keys})
    table('[control]', {'socket': chosen.socket})
    if 'log' in extra:
        table('[log]', extra['log'])
    for account in chosen.account or ['eu']:
        account_tables(account, config, dict(extra), chosen, parser)


if __name__ == '__main__':
    main()
