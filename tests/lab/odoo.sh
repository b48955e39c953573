#!/bin/bash
# A real Odoo for tests, the quickstart and benchmarks.  See README.md beside this file.
#
#   odoo.sh VERSION VERB ...        VERSION is 19 or 14
#
#   install            fetch and unpack Odoo and what it needs; does nothing when that is there
#   web                fetch what its pages need in a browser (19; tests do without)
#   template [--force] build the template database; does nothing when it is there and of the same recipe
#   up [odoo args]     start the server (default: --workers=2) and wait until it answers
#   down               stop the server
#   pgdown             stop the server and PostgreSQL
#   status             one line
#   reset DB           create or replace DB: a copy of the template with its files and a database.uuid of its own
#   copy DB NEW        create or replace NEW: DB as it is now, marked as nothing else (a backup, its restore, a staging copy)
#   dump DB NAME       a backup as people make it: pg_dump -Fc of DB while it is served, and its files, kept as NAME
#   restore NAME DB    create or replace DB by that backup: pg_restore into an empty database
#   drop DB            remove DB and its files, and a backup of this name
#   shell DB           odoo shell as superuser, script on standard input
#   psql DB ...        psql as superuser
#   env DB [--json]    url, logins and keys: lines for a shell, or one JSON object
#   products DB FILE   create the products of FILE (default_code [TAB name [TAB list_price]]) that are not there yet
#   cpu                CPU seconds used so far by this server and PostgreSQL, exited processes included
set -euo pipefail
umask 022   # the servers run as another user and must be able to read what is made here

usage() {
  sed -n '/^#   /s/^# //p' "$0" >&2
  exit 64
}

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
VERSION=${1-}
VERB=${2-}
case "$VERSION ${VERB:+verb}" in "19 verb" | "14 verb") ;; *) usage ;; esac
shift 2

. "$HERE/common.sh"
# shellcheck source-path=SCRIPTDIR source=v19.sh
. "$HERE/v$VERSION.sh"

# A person may point the tests at an Odoo of their own: then nothing is installed, started or copied here.
own_url=ODOO${VERSION}_URL
if [ -n "${!own_url-}" ]; then
  case $VERB in
    install | web | template | up | down | pgdown | reset | copy | dump | restore | drop)
      say "$own_url is set: '$VERB' does nothing"
      exit 0 ;;
    env | products) ;;
    status)
      echo "own Odoo at ${!own_url}"
      exit 0 ;;
    *) die "'$VERB' needs a lab of ours, but $own_url is set" ;;
  esac
fi

[ "$(id -u)" = 0 ] || [[ $VERB = env || $VERB = products ]] || die "needs root (the servers themselves run as $OSUSER)"
needs_install() { version_installed || die "not installed; run 'odoo.sh $VERSION install'"; }
needs_template() { [ -s "$FACTS" ] || die "no template; run 'odoo.sh $VERSION template'"; }

install_all() {
  base_install
  version_install
}

# env_of DB FORMAT: with an Odoo of their own, people name things in ODOO<version>_DATABASE, _LOGIN, _API_KEY, ...
env_of() { /usr/bin/python3 "$HERE/env.py" "$VERSION" "$1" "$2" "$(base_url "$1")" "$FACTS"; }

case $VERB in
  install)
    install -d "$HOME_OF"
    locked install install_all ;;
  web)
    needs_install
    locked install version_web ;;
  template)
    needs_install
    pg_up
    locked template template_build "$@" ;;
  up)
    needs_install
    pg_up
    locked server server_up "$@" ;;
  down) server_down ;;
  pgdown)
    server_down
    pg_down ;;
  status)
    printf 'server %s, postgresql %s, template %s\n' \
      "$(pid=$(server_pid) && echo "up ($pid, port $PORT)" || echo down)" \
      "$(pg_running && echo up || echo down)" \
      "$([ -s "$HOME_OF/template.stamp" ] && cat "$HOME_OF/template.stamp" || echo missing)" ;;
  reset)
    check_db "${1-}"
    needs_template
    pg_up
    db_reset "$1" ;;
  copy)
    check_db "${1-}"
    check_db "${2-}"
    pg_up
    db_copy "$1" "$2" ;;
  dump)
    check_db "${1-}"
    check_db "${2-}"
    pg_up
    db_dump "$1" "$2" ;;
  restore)
    check_db "${1-}"
    check_db "${2-}"
    pg_up
    db_restore "$1" "$2" ;;
  drop)
    check_db "${1-}"
    pg_up
    db_drop "$1"
    backup_drop "$1" ;;
  shell)
    check_db "${1-}"
    needs_install
    pg_up
    db_shell "$1" ;;
  psql)
    check_db "${1-}"
    pg_up
    db=$1
    shift
    pg psql -X -d "$db" "$@" ;;
  env)
    check_db "${1-}"
    [ -n "${!own_url-}" ] || needs_template
    env_of "$1" "${2-}" ;;
  products)
    check_db "${1-}"
    [ -r "${2-}" ] || die "no such file: ${2-}"
    env_of "$1" --json | /usr/bin/python3 "$HERE/products.py" "$2" ;;
  cpu) cpu_seconds ;;
  *) usage ;;
esac
