# shellcheck shell=bash
# What both Odoo versions share: settings, the system user, PostgreSQL, databases, the server process.
# Sourced by odoo.sh, which sources v19.sh or v14.sh after it.

VERSION=${VERSION:?set by odoo.sh}
HERE=${HERE:?set by odoo.sh}
# shellcheck source-path=SCRIPTDIR source=../../packaging/apt.sh
. "$HERE/../../packaging/apt.sh"

CACHE=${ODOO_SPOOLD_CACHE:-/var/cache/odoo-spoold}
LAB=$CACHE/lab
HOME_OF=$LAB/$VERSION          # everything of this version
RUN=$HOME_OF/run               # PostgreSQL's socket and log, the pid file
OSUSER=${ODOO_LAB_USER:-odoolab}
PGPORT=${ODOO_PGPORT:-5499}      # only part of the socket's name: nothing listens on TCP
PGDATA=$HOME_OF/pg
TEMPLATE=tpl$VERSION
PIDFILE=$RUN/odoo.pid
FACTS=$HOME_OF/template.json   # what `env` prints, written by setup.py
MODULES=sale_management,stock,account,delivery,sms,stock_sms

say() { echo "odoo.sh $VERSION: $*" >&2; }
die() { say "$*"; exit 1; }

# --- packages, folders, the system user --------------------------------------------------------------------

# The mirror apt itself uses, so that the lab works behind whatever this machine is configured for.
mirror() {
  # shellcheck disable=SC2016  # $(SITE) is apt's, not the shell's
  apt-get indextargets --format '$(SITE)' | grep -v security | head -n 1
}

# need COMMAND_OR_FILE PACKAGE...: install the packages unless the command (or absolute path) is there.
need() {
  local what=$1
  shift
  if command -v "$what" >/dev/null; then return; fi
  say "installing $*"
  debian_install "$@" || die "apt-get could not install $*"
}

# PostgreSQL's server binaries.  Debian's package would also start a cluster of its own on port 5432: not wanted.
need_postgresql() {
  [ -z "$(pg_bin)" ] || return 0
  local no_cluster=/etc/postgresql-common/createcluster.d/odoo-spoold-lab.conf
  install -d "${no_cluster%/*}"
  echo 'create_main_cluster = false' >"$no_cluster"
  need postgres-server-of-the-lab postgresql postgresql-client
  rm -f "$no_cluster"
  [ -n "$(pg_bin)" ] || die "no PostgreSQL server found under /usr/lib/postgresql after installing it"
}

base_install() {
  need curl curl ca-certificates
  need flock util-linux
  need_postgresql
  id "$OSUSER" >/dev/null 2>&1 ||
    useradd --system --user-group --home-dir "$LAB" --no-create-home --shell /usr/sbin/nologin "$OSUSER"
  # Readable by the servers' user whatever the caller's umask.
  install -d -m 755 "$CACHE" "$LAB" "$LAB/dl" "$HOME_OF"
  install -d -m 755 -o "$OSUSER" -g "$OSUSER" "$RUN"
}

# Run a command as the servers' user, with nothing of the caller's environment (PYTHONPATH, PGHOST, ... would
# leak in).  It replaces the calling shell; setpriv and env replace themselves too, so a background `as` has the
# process id of the program itself.  DETACH=setsid takes it out of the terminal's reach.
as() {
  cd "$LAB" &&
    exec ${DETACH:+"$DETACH"} setpriv --reuid="$OSUSER" --regid="$OSUSER" --init-groups \
      env -i HOME="$HOME_OF" USER="$OSUSER" LOGNAME="$OSUSER" LANG=C.UTF-8 PATH=/usr/bin:/bin "$@"
}

# Standard input becomes FILE at once: another odoo.sh may be reading it.
replace_file() {
  local new
  new=$(mktemp "$1.XXXXXX")
  cat >"$new"
  chmod 644 "$new"
  mv "$new" "$1"
}

# Only one of several parallel callers may start a server or build a template.
locked() {
  (
    flock -w 900 9 || die "another odoo.sh holds $HOME_OF/$1.lock for 15 minutes"
    shift
    "$@"
  ) 9>>"$HOME_OF/$1.lock"
}

# --- PostgreSQL: one cluster for each version, so that the same database name can be used on both -----------------
# Socket only; data not worth an fsync.

pg_bin() {
  local dir newest=
  for dir in /usr/lib/postgresql/*/bin; do
    [ ! -x "$dir/initdb" ] || newest=$dir
  done
  echo "$newest"
}

# pg PROGRAM ARGS...: a client program (psql, createdb, ...) on the lab's cluster.
pg() {
  local program=$1
  shift
  (as "$(pg_bin)/$program" -h "$RUN" -p "$PGPORT" -U "$OSUSER" "$@")
}

pg_ctl() { (as "$(pg_bin)/pg_ctl" -D "$PGDATA" "$@"); }
pg_running() { pg_ctl status >/dev/null 2>&1; }

pg_up() { pg_running || locked postgres pg_up_now; }

pg_up_now() {
  if pg_running; then return; fi
  if [ ! -f "$PGDATA/PG_VERSION" ]; then
    install -d -m 700 -o "$OSUSER" -g "$OSUSER" "$PGDATA"
    (as "$(pg_bin)/initdb" -D "$PGDATA" -U "$OSUSER" -A peer -E UTF8 --locale=C.UTF-8 --no-sync >/dev/null)
    # Spreads the databases over the disk.  ext4 without a journal will not reuse the inodes of files deleted a
    # minute ago, and looks past each of them at every new file: a reset took 3 s of CPU instead of 0.4 s.
    chattr +T "$PGDATA/base" 2>/dev/null || true
  fi
  # Rewritten at every start, so that another port or fsync takes effect.
  # autovacuum stays on: a benchmark without it would flatter both sides differently.
  replace_file "$PGDATA/lab.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$RUN'
port = $PGPORT
max_connections = 100
shared_buffers = 256MB
max_wal_size = 2GB
checkpoint_timeout = 30min
random_page_cost = 1.1
fsync = ${PG_FSYNC:-off}
full_page_writes = ${PG_FSYNC:-off}
CONF
  chown "$OSUSER:" "$PGDATA/lab.conf"
  grep -q "^include 'lab.conf'" "$PGDATA/postgresql.conf" || echo "include 'lab.conf'" >>"$PGDATA/postgresql.conf"
  pg_ctl -l "$RUN/postgres.log" -w start >/dev/null 9>&- || die "PostgreSQL did not start; see $RUN/postgres.log"
}

pg_down() { ! pg_running || pg_ctl -m fast -w stop >/dev/null; }

sql() { pg psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2"; }

# --- databases -----------------------------------------------------------------------------------------------

# Lower case, because on 14 the name is also a host name (see `base_url`).
check_db() {
  [[ ${1-} =~ ^[a-z0-9][a-z0-9_-]{0,62}$ ]] || die "a database name is wanted (a-z 0-9 _ -), not '${1-}'"
  [[ $1 != "$TEMPLATE" && $1 != postgres && $1 != template[01] ]] || die "$1 is not for use"
}

db_drop() {
  pg dropdb --if-exists --force "$1" 2>/dev/null || pg dropdb --if-exists --force "$1"
  rm -rf "${FILESTORE:?}/$1"
}

# A backup: NAME/db.dump and NAME/files.
backup_of() { echo "$HOME_OF/backups/$1"; }
backup_drop() { rm -rf "$(backup_of "$1")"; }

# The template takes no connections: Odoo does not list it, and nothing can be in the way of a copy.
template_seal() { sql postgres "alter database $TEMPLATE with is_template true allow_connections false"; }
template_drop() {
  if template_exists; then sql postgres "alter database $TEMPLATE with is_template false allow_connections true"; fi
  db_drop "$TEMPLATE"
}
template_exists() { [ "$(sql postgres "select 1 from pg_database where datname = '$TEMPLATE'")" = 1 ]; }

db_reset() {
  local db=$1
  db_drop "$db"
  pg createdb -T "$TEMPLATE" --strategy="${ODOO_LAB_COPY:-wal_log}" "$db"
  # A copy is another Odoo: it must not share its source's identity.  And a server that knew an earlier database of
  # this name must forget what it cached (external ids, among others): each kind of cache has a number in the
  # database, workers compare it with the last one they saw.
  sql "$db" "update ir_config_parameter set value = gen_random_uuid()::text where key = 'database.uuid';
    $FORGET_CACHES" >/dev/null
  # Hard links: the files are named by their content, Odoo never writes into one.
  if [ -d "$FILESTORE/$TEMPLATE" ]; then (as cp -al "$FILESTORE/$TEMPLATE" "$FILESTORE/$db"); fi
}

# Whoever is connected to either database is thrown out, as when a backup is restored.
db_copy() {
  local from=$1 to=$2 try
  db_drop "$to"
  for try in 1 2 3 4 5 6 7 8 9 10; do
    sql postgres "select pg_terminate_backend(pid) from pg_stat_activity where datname = '$from'" >/dev/null
    if pg createdb -T "$from" --strategy="${ODOO_LAB_COPY:-wal_log}" "$to" 2>/dev/null; then break; fi
    [ "$try" -lt 10 ] || die "$from is in use and cannot be copied"
    sleep 0.2
  done
  sql "$to" "$FORGET_CACHES" >/dev/null
  if [ -d "$FILESTORE/$from" ]; then (as cp -al "$FILESTORE/$from" "$FILESTORE/$to"); fi
}

# While Odoo serves it, as pg_dump allows: nobody is thrown out.
db_dump() {
  local db=$1 to
  to=$(backup_of "$2")
  rm -rf "$to"
  install -d -m 755 -o "$OSUSER" -g "$OSUSER" "$HOME_OF/backups" "$to"
  pg pg_dump -Fc -Z 1 -f "$to/db.dump" "$db"
  if [ -d "$FILESTORE/$db" ]; then (as cp -al "$FILESTORE/$db" "$to/files"); fi
}

# Into an empty database of that name; whoever is connected to the one before is thrown out.
db_restore() {
  local from db=$2
  from=$(backup_of "$1")
  [ -s "$from/db.dump" ] || die "no backup $1"
  db_drop "$db"
  pg createdb -T template0 "$db"
  pg pg_restore --exit-on-error --jobs=4 -d "$db" "$from/db.dump"
  sql "$db" "$FORGET_CACHES" >/dev/null
  if [ -d "$from/files" ]; then (as cp -al "$from/files" "$FILESTORE/$db"); fi
}

# --- template --------------------------------------------------------------------------------------------------

recipe() { { cat "$HERE/setup.py" && echo "$MODULES $EXTRA_MODULES $ODOO_BUILD"; } | sha256sum | cut -c 1-16; }

template_build() {
  local stamp=$HOME_OF/template.stamp
  if [ "${1-}" != --force ] && template_exists && [ "$(cat "$stamp" 2>/dev/null)" = "$(recipe)" ]; then
    say "$TEMPLATE is up to date"
    return
  fi
  say "building $TEMPLATE (one to three minutes)"
  rm -f "$stamp" "$FACTS"
  template_drop
  odoo_run -d "$TEMPLATE" -i "$MODULES,$EXTRA_MODULES" --load-language=en_US,de_DE --stop-after-init --no-http \
    --log-level=warn >"$HOME_OF/template.log" 2>&1 || die "installing the modules failed; see $HOME_OF/template.log"
  db_shell "$TEMPLATE" <"$HERE/setup.py" >"$HOME_OF/setup.log" 2>&1 || die "setup.py failed; see $HOME_OF/setup.log"
  # odoo shell ends with 0 even after a traceback: the last line of setup.py is the proof.
  grep '^FACTS ' "$HOME_OF/setup.log" | cut -d ' ' -f 2- >"$FACTS.new"
  [ -s "$FACTS.new" ] || die "setup.py did not finish; see $HOME_OF/setup.log"
  template_seal
  recipe >"$stamp"
  mv "$FACTS.new" "$FACTS"
}

odoo_run() { (odoo_exec "$@"); }

db_shell() { odoo_run shell -d "$1" --no-http --log-level=warn --shell-interface=python; }

# --- server ------------------------------------------------------------------------------------------------------

server_pid() {
  local pid
  # The number may be another process's by now.
  pid=$(cat "$PIDFILE" 2>/dev/null) && grep -qsaF "$CONF" "/proc/$pid/cmdline" && echo "$pid"
}

server_ready() { curl -fsS -o /dev/null -m 5 "http://127.0.0.1:$PORT$HEALTH" 2>/dev/null; }

server_up() {
  local pid i
  if pid=$(server_pid); then
    say "already up (process $pid); 'down' first to change its arguments"
    return
  fi
  if server_ready; then die "something else answers on port $PORT"; fi
  [ $# -gt 0 ] || set -- --workers=2
  # No file descriptor of ours may live on in the server: a caller reading our output would wait for ever.
  DETACH=setsid odoo_exec --logfile="$LOGFILE" "${SERVER_ARGS[@]}" "$@" </dev/null >"$HOME_OF/server.out" 2>&1 9>&- &
  pid=$!
  echo "$pid" >"$PIDFILE"
  for ((i = 0; i < 600; i++)); do
    if server_ready; then
      say "ready at http://127.0.0.1:$PORT (process $pid)"
      return
    fi
    kill -0 "$pid" 2>/dev/null || die "the server ended; see $HOME_OF/server.out and its log"
    sleep 0.1
  done
  die "the server does not answer on port $PORT; see its log"
}

server_down() {
  local pid i
  pid=$(server_pid) || return 0
  kill -TERM "$pid"
  for ((i = 0; i < 150; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  # A worker in a long call can outlast the polite way.
  if kill -0 "$pid" 2>/dev/null; then
    pkill -KILL -P "$pid" || true
    kill -KILL "$pid" || true
  fi
  rm -f "$PIDFILE"
}

# CPU seconds of this Odoo and of PostgreSQL, exited workers and backends included: the parent of each tree has
# waited for them, so their time stands in its cutime/cstime; those still alive are added one by one.
cpu_seconds() {
  local roots=() pid
  if pid=$(server_pid); then roots+=("$pid"); fi
  if pid=$(head -n 1 "$PGDATA/postmaster.pid" 2>/dev/null); then roots+=("$pid"); fi
  # Through cat: a process that ends meanwhile is no error.
  { cat /proc/[0-9]*/stat 2>/dev/null || true; } | awk -v roots="${roots[*]}" -v hz="$(getconf CLK_TCK)" '
    {
      pid = $1
      sub(/^.*\) /, "")          # the command name may hold blanks; after it: state, parent, ...
      parent[pid] = $2
      ticks[pid] = $12 + $13 + $14 + $15
    }
    END {
      split(roots, list, " ")
      for (i in list) wanted[list[i]] = 1
      for (pid in parent)
        for (p = pid; p > 1; p = parent[p])
          if (p in wanted) { sum += ticks[pid]; break }
      printf "%.2f\n", sum / hz
    }'
}
