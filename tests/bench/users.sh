#!/bin/bash
# users.sh VERSION [options of users.py]
# What an import does to people who use Odoo meanwhile, and how fast it is with and without them, on 4, 2 and 1 workers
# in one call; see README.md beside this file. Restarts the lab's server, which nobody else may use.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=${1:?usage: users.sh 19|14 [options of users.py]}
shift
lab=$here/../lab/odoo.sh
database=users
"$lab" "$version" install
"$lab" "$version" template
deliver=${BENCH_DELIVER:-$(cd "$here/../.." && cargo build -q --bench deliver --message-format json |
  python3 -c 'import json, sys
for line in sys.stdin:
    said = json.loads(line)
    if said.get("executable") and said["target"]["name"] == "deliver":
        print(said["executable"])')}
trap '"$lab" "$version" down; "$lab" "$version" up' EXIT
echo "load: $(cut -d ' ' -f 1-3 /proc/loadavg)"
for workers in ${BENCH_WORKERS:-4 2 1}; do
  "$lab" "$version" down
  "$lab" "$version" up --workers="$workers"
  "$lab" "$version" reset "$database"
  "$here/python.sh" "$here/users.py" --version "$version" --database "$database" --deliver "$deliver" \
    --workers "$workers" "$@"
done
