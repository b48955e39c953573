#!/bin/bash
# odoo.sh VERSION [--rounds N] [--orders N] [--script-orders N] [--only existing,new,confirm]
# Our daemon against three scripts on a real Odoo, as ratios of one run; see README.md beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=${1:?usage: odoo.sh 19|14 [options of pairs.py]}
shift
lab=$here/../lab/odoo.sh
database=bench
"$lab" "$version" install
"$lab" "$version" template
"$lab" "$version" up
"$lab" "$version" reset "$database"
# Odoo's time is what is measured: an unoptimised build of ours changes little, and builds in a minute.
deliver=${BENCH_DELIVER:-$(cd "$here/../.." && cargo build -q --bench deliver --message-format json |
  python3 -c 'import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if said.get("executable") and said["target"]["name"] == "deliver":
        print(said["executable"])')}
exec "$here/python.sh" "$here/pairs.py" --version "$version" --database "$database" --deliver "$deliver" "$@"
