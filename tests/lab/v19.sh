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
    rm -f "$HOME_OF/web.stamp"
  fi
  # The stamp says that this environment is complete and made from these pins.
  if ! cmp -s "$HERE/requirements19.txt" "$HOME_OF/requirements.stamp"; then
    rm -rf "$HOME_OF/venv"
    /usr/bin/python3 -m venv "$HOME_OF/venv"
    "$HOME_OF/venv/bin/pip" install -q --retries 10 --prefer-binary -r "$HERE/requirements19.txt" 2>&1 | grep -v DEPRECATION >&2 || true
    "$HOME_OF/venv/bin/python" -c 'import psycopg2, gevent, lxml, werkzeug' || die "the Python environment is not complete"
    cp "$HERE/requirements19.txt" "$HOME_OF/requirements.stamp"
  fi
  install -d -o "$OSUSER" -g "$OSUSER" "$HOME_OF/data"
  install -D -m 755 "$HERE/wkhtmltopdf" "$HOME_OF/bin/wkhtmltopdf"
}

# sid's archive keeps one version only: once Debian has a newer one, the pinned file is gone from it.
fetch_deb() {
  if [ ! -f "$LAB/dl/$DEB" ]; then
    if curl -fsS --retry 5 --retry-connrefused -o "$LAB/dl/$DEB.part" "$(mirror)/$POOL/$DEB"; then
      mv "$LAB/dl/$DEB.part" "$LAB/dl/$DEB"
    else
      fetch_newest
      return
    fi
  fi
  echo "$DEB_SHA256  $LAB/dl/$DEB" | sha256sum -c --quiet ||
    die "$LAB/dl/$DEB is not the file it should be; remove it and try again"
}

# Whatever odoo-19 sid has now.  There is no checksum of ours for it, so apt fetches it and checks the archive's
# signature, with lists and sources of its own: this machine's are not touched.
fetch_newest() {
  local apt=$LAB/dl/apt options
  rm -rf "$apt"
  install -d "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/new"
  echo "deb $(mirror) sid main" >"$apt/sources.list"
  options=(-o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$apt/lists"
    -o Dir::Cache="$apt/cache" -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root)
  apt_get "${options[@]}" update
  (cd "$apt/new" && apt_get "${options[@]}" download odoo-19) || die "the archive has no odoo-19 package at all"
  DEB=$(cd "$apt/new" && echo odoo-19_*.deb)
  mv "$apt/new/$DEB" "$LAB/dl/$DEB"
  rm -rf "$apt"
  say "NOTICE: the pinned package is gone from the archive; took $DEB, which these tests were not written against"
}

# What its pages need in a browser: the package's links lead to scripts and fonts of other packages.
version_web() {
  local packages=(libjs-jquery libjs-jquery-form libjs-underscore fonts-font-awesome fonts-roboto-unhinted) fetched deb
  [ ! -f "$HOME_OF/web.stamp" ] || return 0
  fetched=$(mktemp -d)
  apt_get update
  (cd "$fetched" && apt_get -o APT::Sandbox::User=root download "${packages[@]}") || die "could not fetch ${packages[*]}"
  for deb in "$fetched"/*.deb; do dpkg -x "$deb" "$ROOT"; done
  rm -rf "$fetched"
  touch "$HOME_OF/web.stamp"
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
