#!/bin/bash
# The main job, for real: builds odoo-spoold, starts a throw-away Odoo 19, seals sample reports, lets the daemon turn
# them into sale orders, and shows what Odoo has then.
#
#   packaging/quickstart.sh               run it; each time from the start.  Odoo stays up to be looked at
#   packaging/quickstart.sh --down        stop and remove what that made: servers, database, state
#   packaging/quickstart.sh --down --all  also what is kept for next time: the build, Odoo's packages
#
# Needs Debian 12, root and a Rust toolchain; installs Debian packages that are missing.  Everything it makes lies below
# ${ODOO_SPOOLD_CACHE:-/var/cache/odoo-spoold}; nothing listens but on 127.0.0.1.  With ODOO19_URL and its companions
# (tests/lab/README.md) it uses an Odoo of yours, which must hold what the template holds; sale orders are made there,
# and --down leaves them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=prepare.sh
. packaging/prepare.sh

HERE=$ODOO_SPOOLD_CACHE/quickstart
DB=quickstart
LOG=$HERE/daemon.log
SPOOLD=$CARGO_TARGET_DIR/debug/odoo-spoold
REPORTS=(tests/vectors/trio_all_orders.txt tests/vectors/trio_order_report.txt tests/vectors/trio_unshipped.txt
  tests/vectors/all_orders_91_crlf_trailing_space.txt)
PATIENCE_SECS=180

usage() {
  sed -n '/^#   /s/^# //p' "$0" >&2
  exit 64
}
title() { printf '\n== %s\n' "$*"; }
die() {
  echo "quickstart: $*" >&2
  exit 1
}
odoo() { tests/lab/odoo.sh 19 "$@"; }
spoold() { "$SPOOLD" "$@" --config "$HERE/config.toml"; }

# --- stopping -------------------------------------------------------------------------------------------------------

daemon_pid() {
  local pid
  # The number may be another process's by now.
  pid=$(cat "$HERE/daemon.pid" 2>/dev/null) && grep -qsaF "$HERE/config.toml" "/proc/$pid/cmdline" && echo "$pid"
}

stop_daemon() {
  local pid
  pid=$(daemon_pid) || return 0
  kill -TERM "$pid"
  for _ in {1..300}; do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if kill -0 "$pid" 2>/dev/null; then kill -KILL "$pid"; fi
  rm -f "$HERE/daemon.pid"
}

# Servers that ran before are somebody else's: only what is marked as started here is stopped.
down() {
  stop_daemon
  if [ -f "$HERE/made-database" ] && [ -z "${ODOO19_URL-}" ]; then
    odoo drop "$DB"
    echo "database $DB removed"
  fi
  if [ -f "$HERE/started-server" ]; then odoo down && echo "Odoo stopped"; fi
  if [ -f "$HERE/started-postgresql" ]; then odoo pgdown && echo "PostgreSQL stopped"; fi
  rm -rf "$HERE"
}

down_all() {
  local version
  for version in 19 14; do
    [ ! -d "$ODOO_SPOOLD_CACHE/lab/$version" ] || tests/lab/odoo.sh "$version" pgdown || true
  done
  rm -rf "$ODOO_SPOOLD_CACHE/lab" "$ODOO_SPOOLD_CACHE/target" "$ODOO_SPOOLD_CACHE/bench-venv"
  rmdir "$ODOO_SPOOLD_CACHE" 2>/dev/null || true
  if id odoolab >/dev/null 2>&1; then userdel odoolab; fi
  echo "build, packages and databases removed; what apt-get installed stays"
}

# shellcheck disable=SC2317  # called by the trap
failed() {
  local code=$?
  [ "$code" != 0 ] || return 0
  trap - EXIT INT TERM
  set +e
  if [ -s "$LOG" ]; then
    title 'the end of the daemon'\''s log'
    tail -n 40 "$LOG"
  fi
  title 'failed: stopping and removing what was started'
  # An Odoo of yours keeps what was made there, so the keys that it was made with stay, too.
  if [ -n "${ODOO19_URL-}" ]; then stop_daemon; else down; fi
  exit "$code"
}

# --- running --------------------------------------------------------------------------------------------------------

bring_up_odoo() {
  local status verb
  if [ -n "${ODOO19_URL-}" ]; then return; fi
  status=$(odoo status 2>/dev/null || true)
  install -d "$HERE"
  case $status in 'server up'*) ;; *) touch "$HERE/started-server" ;; esac
  case $status in *'postgresql up'*) ;; *) touch "$HERE/started-postgresql" ;; esac
  for verb in install web template up; do odoo "$verb"; done
  touch "$HERE/made-database"
  odoo reset "$DB"
}

configure() {
  odoo env "$DB" --json >"$HERE/odoo.json"
  chmod 600 "$HERE/odoo.json"
  python3 tests/lab/account.py --dir "$HERE" <"$HERE/odoo.json" >"$HERE/config.toml"
  if [ ! -f "$HERE/keys.toml" ]; then
    python3 -c 'import json, sys; print(json.load(sys.stdin)["api_key"])' <"$HERE/odoo.json" |
      "$SPOOLD" keygen --account eu --output "$HERE/keys.toml" --api-key-file -
  fi
  echo "configuration $HERE/config.toml, keys $HERE/keys.toml"
}

start_daemon() {
  setsid "$SPOOLD" run --config "$HERE/config.toml" >"$LOG" 2>&1 </dev/null &
  echo $! >"$HERE/daemon.pid"
  for _ in {1..150}; do
    if spoold status --json >/dev/null 2>&1; then return; fi
    daemon_pid >/dev/null || die 'the daemon ended at once'
    sleep 0.2
  done
  die 'the daemon does not answer'
}

# Sealed beside, then renamed into incoming/: the daemon never sees half a file.
drop_reports() {
  local file
  rm -rf "$HERE/sealed"
  install -d -m 700 "$HERE/sealed"
  spoold seal --account eu --output "$HERE/sealed" "${REPORTS[@]}"
  for file in "$HERE/sealed"/*; do
    mv "$file" "$HERE/spool/eu/incoming/"
    echo "dropped ${file##*/} into $HERE/spool/eu/incoming"
  done
}

# idle < status.json: 0 nothing left to do, 1 not yet, 2 it will not get better by itself.
idle() {
  python3 -c '
import json, sys
accounts = json.load(sys.stdin)["accounts"]
if any(account["gate"]["state"] == "paused" for account in accounts):
    sys.exit(2)
sys.exit(any(a["files_in_work"] or a["orders"]["pending"] or a["orders"]["started"] for a in accounts))'
}

# Where a file was dropped and no longer lies in incoming/, it is in work/ or at its end.
wait_until_idle() {
  local start=$SECONDS code quiet=0
  while [ $((SECONDS - start)) -lt "$PATIENCE_SECS" ]; do
    daemon_pid >/dev/null || die 'the daemon ended'
    code=0
    spoold status --json >"$HERE/status.json" || die 'the daemon does not answer'
    idle <"$HERE/status.json" || code=$?
    if [ "$code" = 2 ]; then
      spoold status
      die 'delivery is paused: see above'
    fi
    if [ "$code" = 0 ] && [ -z "$(ls "$HERE/spool/eu/incoming")" ]; then
      # Twice: between a file's end and its orders' start nothing counts as busy for a moment.
      if [ $((quiet += 1)) -ge 2 ]; then
        echo "idle after $((SECONDS - start)) s"
        return
      fi
    else
      quiet=0
    fi
    sleep 0.5
  done
  spoold status
  die "still busy after $PATIENCE_SECS s"
}

run() {
  title 'packages'
  [ "$(id -u)" = 0 ] || [ -n "${ODOO19_URL-}" ] || die 'run it as root: it sets up an Odoo and a PostgreSQL (or set ODOO19_URL)'
  need_packages || die 'see above for what is missing'
  need_cargo
  stop_daemon
  # From the start, with the database; an Odoo of yours stays as it is, and so does what is known of it.
  [ -n "${ODOO19_URL-}" ] || rm -rf "$HERE/spool" "$HERE/state" "$HERE/keys.toml"
  install -d -m 700 "$HERE"

  title 'build (the first time takes some minutes)'
  cargo build --locked --bin odoo-spoold
  title 'Odoo 19'
  bring_up_odoo
  title 'configuration'
  configure
  spoold check --fix
  title 'products of the sample reports'
  python3 -B tests/expected/expected.py --skus "${REPORTS[@]}" >"$HERE/products.tsv"
  odoo products "$DB" "$HERE/products.tsv"
  title 'the daemon takes the reports'
  start_daemon
  drop_reports
  wait_until_idle

  title 'the daemon'\''s log'
  cat "$LOG"
  title 'orders that wait, and for what'
  spoold hold list
  title 'sale orders, asked of Odoo'
  python3 -B tests/lab/orders.py <"$HERE/odoo.json"
  title 'files'
  spoold files
  stop_daemon
  explain
}

explain() {
  local fields=()
  readarray -t fields < <(python3 -c '
import json, sys
lab = json.load(sys.stdin)
print(lab["url"], lab["database"], lab["login"], lab["password"] or "(yours)", sep="\n")' <"$HERE/odoo.json")
  title 'look at it'
  echo "Odoo      ${fields[0]}/odoo/sales?db=${fields[1]}   login ${fields[2]}   password ${fields[3]}"
  echo "again     packaging/quickstart.sh"
  echo "remove    packaging/quickstart.sh --down          (--down --all: the build and Odoo's packages, too)"
}

case "${1-} ${2-}" in
  ' ')
    trap failed EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    run ;;
  '--down ') down ;;
  '--down --all')
    down
    down_all ;;
  *) usage ;;
esac
