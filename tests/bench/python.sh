#!/bin/bash
# python.sh SCRIPT ARGS...: runs a comparison script with the packages of requirements.txt.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
venv=${ODOO_SPOOLD_CACHE:-/var/cache/odoo-spoold}/bench-venv
if ! cmp -s "$here/requirements.txt" "$venv/requirements.stamp"; then
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install -q -r "$here/requirements.txt" >&2
  cp "$here/requirements.txt" "$venv/requirements.stamp"
fi
exec "$venv/bin/python" "$@"
