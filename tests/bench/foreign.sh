#!/bin/bash
# foreign.sh [--foreign N] [options of pairs.py]
# The benchmark of odoo.sh on Odoo 19, once in a fresh database and once beside N (500,000) orders of other people: the
# ratio to the script must stay. See README.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
foreign=500000
if [ "${1-}" = --foreign ]; then
  foreign=${2:?--foreign wants a number}
  shift 2
fi
lab=$here/../lab/odoo.sh
database=bench-foreign
"$lab" 19 install
"$lab" 19 template
"$lab" 19 up
deliver=${BENCH_DELIVER:-$(cd "$here/../.." && cargo build -q --bench deliver --message-format json |
  python3 -c 'import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if said.get("executable") and said["target"]["name"] == "deliver":
        print(said["executable"])')}
for orders in 0 "$foreign"; do
  "$lab" 19 reset "$database"
  if [ "$orders" != 0 ]; then
    "$lab" 19 shell "$database" <<'PYTHON' >/dev/null
partner = env['res.partner'].create({'name': 'Somebody'})
env['sale.order'].create({'partner_id': partner.id, 'company_id': 1})
env.cr.commit()
PYTHON
    # Read from standard input: the file lies where the server's user may not look.
    { echo "set bench.orders = '$orders';"; cat "$here/foreign.sql"; } | "$lab" 19 psql "$database" -q
  fi
  echo "== beside $orders orders of other people"
  "$here/python.sh" "$here/pairs.py" --version 19 --database "$database" --deliver "$deliver" --only existing "$@"
done
"$lab" 19 drop "$database"
