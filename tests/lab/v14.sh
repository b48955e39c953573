# shellcheck shell=bash disable=SC2034  # the variables are used by common.sh
# Odoo 14: a Debian 11 root file system with its odoo-14 package (it wants Python 3.9), entered by chroot.

PORT=${ODOO14_PORT:-8169}
HEALTH=/web/login
ROOT=$HOME_OF/root
FILESTORE=$ROOT/var/lib/odoo/data/filestore
LOGFILE=/var/lib/odoo/data/server.log # inside $ROOT
CONF=/etc/odoo/lab.conf            # inside $ROOT
EXTRA_MODULES=l10n_generic_coa
ODOO_BUILD=bullseye
FORGET_CACHES="select setval('base_cache_signaling', (1000 + random() * 1e9)::int)"
# With several databases in sight Odoo 14 answers every error on /jsonrpc with a bare HTTP 500.  %d is the first
# label of the host name in the request: at http://DB.localhost exactly one database is in sight.
SERVER_ARGS=('--db-filter=^%d$')

version_install() {
  need mmdebstrap mmdebstrap
  # For the address http://DB.localhost: nothing in plain Debian resolves it (curl does so by itself).
  if ! resolves; then
    need nss-module-of-the-lab libnss-myhostname
    resolves || say "NOTICE: *.localhost does not resolve; errors of Odoo 14 will carry no detail"
  fi
  if ! version_installed; then build_root; fi
  install -D -m 755 "$HERE/wkhtmltopdf" "$ROOT/usr/local/bin/wkhtmltopdf"
}

build_root() {
  rm -rf "$ROOT"
  # Without the security archive: its index can name files its pool no longer has.  Debian 11 is past its end, so
  # its Release file may have expired.
  mmdebstrap --quiet --variant=minbase --include=odoo-14,ca-certificates \
    --aptopt='Apt::Install-Recommends false' --aptopt='Acquire::Check-Valid-Until false' --aptopt='Acquire::Retries 5' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    bullseye "$ROOT" "deb $(mirror) bullseye main"
  touch "$HOME_OF/root.stamp"
}

version_web() { :; } # installed as a whole, its pages work as they are

version_installed() { [ -f "$HOME_OF/root.stamp" ]; }

write_conf() {
  install -d -o "$OSUSER" -g "$OSUSER" "$ROOT/run/lab" "$ROOT/var/lib/odoo" "$ROOT/var/lib/odoo/data"
  replace_file "$ROOT$CONF" <<CONF
[options]
db_host = /run/lab
db_port = $PGPORT
db_user = $OSUSER
data_dir = /var/lib/odoo/data
addons_path = /usr/lib/python3/dist-packages/odoo/addons
http_interface = 127.0.0.1
http_port = $PORT
longpolling_port = $((PORT + 3))
without_demo = all
max_cron_threads = 0
CONF
}

# odoo_exec [shell] ARGS...: becomes Odoo's command with the lab's configuration, as the servers' user inside the root
# file system.  /proc and PostgreSQL's socket are mounted in a mount namespace of its own: nothing to clean up.
# USER is set because the uid has no name in there.
odoo_exec() {
  local command=()
  if [ "${1-}" = shell ]; then command=(shell) && shift; fi
  write_conf
  # shellcheck disable=SC2016  # expanded by the inner shell
  exec ${DETACH:+"$DETACH"} unshare --mount --propagation private bash -c '
    root=$1 run=$2 ids=$3 user=$4
    shift 4
    mount -t proc proc "$root/proc"
    mount --bind "$run" "$root/run/lab"
    exec chroot --userspec="$ids" "$root" env -i USER="$user" LOGNAME="$user" HOME=/var/lib/odoo LANG=C.UTF-8 \
      PATH=/usr/local/bin:/usr/bin:/bin "$@"
  ' _ "$ROOT" "$RUN" "$(id -u "$OSUSER"):$(id -g "$OSUSER")" "$OSUSER" odoo "${command[@]}" -c "$CONF" "$@"
}

resolves() { getent ahostsv4 lab.localhost >/dev/null; }

base_url() { if resolves; then echo "http://$1.localhost:$PORT"; else echo "http://127.0.0.1:$PORT"; fi; }
