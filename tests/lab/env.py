"""env.py VERSION DB FORMAT URL FACTS: where the Odoo is and how to log in, for a shell or as JSON.

If ODOO<VERSION>_URL is set, people use an Odoo of their own: every value comes from ODOO<VERSION>_<NAME> then
(ODOO19_DATABASE, ODOO19_LOGIN, ODOO19_API_KEY, ODOO19_UID, ...); what they do not name is empty.
"""
import json
import os
import shlex
import sys

NAMES = ['url', 'database', 'login', 'password', 'api_key', 'uid', 'low_login', 'low_api_key', 'low_uid',
         'de_login', 'de_api_key', 'de_uid', 'company', 'company2']
NUMBERS = {'uid', 'low_uid', 'de_uid', 'company', 'company2'}

version, database, form, url, facts_file = sys.argv[1:]
own = {n: os.environ.get('ODOO%s_%s' % (version, n.upper()), '') for n in NAMES}
if own['url']:
    facts = {n: int(own[n]) if n in NUMBERS and own[n] else own[n] or None for n in NAMES}
    facts['database'] = facts['database'] or database
else:
    with open(facts_file) as f:
        facts = {'url': url, 'database': database, **json.load(f)}
facts = {'version': int(version), **{n: facts[n] for n in NAMES}}

if form == '--json':
    print(json.dumps(facts))
else:
    for name, value in facts.items():
        print('%s=%s' % (name, shlex.quote('' if value is None else str(value))))
