# shellcheck shell=bash disable=SC2034  # the variables are used by common.sh
# Odoo 19: Debian's package (it is only in sid) unpacked beside a Python environment; nothing is installed.

DEB=odoo-19_19.0.0+dfsg-1_all.deb
DEB_SHA256=9d2f598b0555db17e291d48ed24df184c70823c053c4c5ed53c467ca7f629bbf
POOL=pool/main/o/odoo

PORT=${ODOO19_PORT:-8069}
HEALTH=/web/health
FILESTORE=$HOME_OF/data/filestore
LOGFILE=$HOME_OF/data/server.log
CONF=$HOME_OF/odoo.conf
EXTRA_MODULES=stock_delivery
ODOO_BUILD=$DEB
SERVER_ARGS=()
FORGET_CACHES="do \$\$
  declare cache text;
  begin
    for cache in select table_name from information_schema.tables
      where table_name like 'orm_signaling_%' and table_name <> 'orm_signaling_registry'
    loop
      perform setval(pg_get_serial_sequence(cache, 'id'), (1000 + random() * 1e9)::int);
      execute format('insert into %I default values', cache);
    end loop;
  end \$\$"
ROOT=$HOME_OF/root
PACKAGES=$ROOT/usr/lib/python3/dist-packages

version_install() {
  # Not any python3 of the path: one below /root could not be read by the servers' user.
  [ -e /usr/lib/python3/dist-packages/ensurepip ] || /usr/bin/python3 -c 'import ensurepip, venv' 2>/dev/null ||
    need python-venv-of-the-lab python3-venv
  if [ ! -d "$ROOT" ]; then
    fetch_deb
    rm -rf "$ROOT.new"
    dpkg -x "$LAB/dl/$DEB" "$ROOT.new"
    mv "$ROOT.new" "$ROOT"
  fi
  # The stamp says that this environment is complete and made from these pins.
  if ! cmp -s "$HERE/requirements19.txt" "$HOME_OF/requirements.stamp"; then
    rm -rf "$HOME_OF/venv"
    /usr/bin/python3 -m venv "$HOME_OF/venv"
    "$HOME_OF/venv/bin/pip" install -q --prefer-binary -r "$HERE/requirements19.txt" 2>&1 | grep -v DEPRECATION >&2 || true
    "$HOME_OF/venv/bin/python" -c 'import psycopg2, gevent, lxml, werkzeug' || die "the Python environment is not complete"
    cp "$HERE/requirements19.txt" "$HOME_OF/requirements.stamp"
  fi
  install -d -o "$OSUSER" -g "$OSUSER" "$HOME_OF/data"
  install -D -m 755 "$HERE/wkhtmltopdf" "$HOME_OF/bin/wkhtmltopdf"
}

# sid's archive keeps one version only: once Debian has a newer one, the pinned file is gone from it.
fetch_deb() {
  local site newest
  site=$(mirror)
  if [ ! -f "$LAB/dl/$DEB" ] && ! curl -fsS --retry 3 -o "$LAB/dl/$DEB.part" "$site/$POOL/$DEB"; then
    newest=$(curl -fsS --retry 3 "$site/$POOL/" | grep -o 'odoo-19_[^"<>&]*_all\.deb' | sort -uV | tail -n 1) || true
    [ -n "$newest" ] || die "the archive has no odoo-19 package at all"
    say "NOTICE: $DEB is gone from the archive; taking $newest, which these tests were not written against"
    DEB=$newest DEB_SHA256=
    curl -fsS --retry 3 -o "$LAB/dl/$DEB.part" "$site/$POOL/$DEB"
  fi
  [ ! -f "$LAB/dl/$DEB.part" ] || mv "$LAB/dl/$DEB.part" "$LAB/dl/$DEB"
  [ -z "$DEB_SHA256" ] || echo "$DEB_SHA256  $LAB/dl/$DEB" | sha256sum -c --quiet ||
    die "$LAB/dl/$DEB is not the file it should be; remove it and try again"
}

version_installed() { [ -d "$PACKAGES/odoo" ] && [ -f "$HOME_OF/requirements.stamp" ]; }

write_conf() {
  replace_file "$CONF" <<CONF
[options]
db_host = $RUN
db_port = $PGPORT
db_user = $OSUSER
bin_path = $HOME_OF/bin
data_dir = $HOME_OF/data
addons_path = $PACKAGES/odoo/addons
http_interface = 127.0.0.1
http_port = $PORT
gevent_port = $((PORT + 3))
with_demo = False
max_cron_threads = 0
CONF
}

# odoo_exec [shell] ARGS...: becomes Odoo's command with the lab's configuration.
odoo_exec() {
  local command=()
  if [ "${1-}" = shell ]; then command=(shell) && shift; fi
  write_conf
  as PYTHONPATH="$PACKAGES" "$HOME_OF/venv/bin/python" "$ROOT/usr/bin/odoo" "${command[@]}" -c "$CONF" "$@"
}

base_url() { echo "http://127.0.0.1:$PORT"; }
