#!/bin/bash
# A throw-away Debian with a real systemd as its first process, in systemd-nspawn.  See README.md beside this file.
#
#   machine.sh can                     can it be done here?  0, or 1 and why
#   machine.sh create SUITE            the root file system, once (kept in the cache)
#   machine.sh boot MACHINE SUITE ...  start one (further words: systemd-nspawn's options); its writes are in memory only
#   machine.sh exec MACHINE CMD ...    run something in it, as root
#   machine.sh destroy MACHINE         stop it; nothing of it stays
#
# Works where the outer machine's first process is no systemd and its control groups are old: nothing is registered with
# machined, and `exec` enters by nsenter.  The network is the outer machine's, so 127.0.0.1 is, too.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../packaging/prepare.sh"

BASE=$ODOO_SPOOLD_CACHE/boot
# What the checks want inside; the package's own dependencies are among it, so that nothing is fetched in a run.
INCLUDE=systemd,systemd-sysv,dbus,ca-certificates,procps,iproute2,python3,age,man-db,libsystemd0,libnss-systemd
# Made anew when the list above changes, and once a week for security updates.
STAMP=$(printf '%s\n' "$INCLUDE" | sha256sum | cut -c1-12)

usage() {
  sed -n '/^#   /s/^# //p' "$0" >&2
  exit 64
}
say() { echo "machine: $*" >&2; }

supervisor() { cat "$BASE/run/$1.pid"; }
# The first process of MACHINE, as it is numbered out here: the only child of systemd-nspawn.
leader() {
  local pid
  pid=$(supervisor "$1") && awk '{print $1}' "/proc/$pid/task/$pid/children"
}

can() {
  local tool
  [ "$(id -u)" = 0 ] || { echo 'needs root'; return 1; }
  for tool in systemd-nspawn mmdebstrap nsenter zstd; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed"; return 1; }
  done
  unshare --mount --pid --fork true 2>/dev/null || { echo 'namespaces cannot be made here'; return 1; }
}

create() {
  local suite=$1 root=$BASE/rootfs/$1
  install -d "$BASE/rootfs"
  exec 9>"$BASE/lock" # two runs at once fetch once
  flock 9
  if [ "$(cat "$root.stamp" 2>/dev/null)" = "$STAMP" ] && [ -z "$(find "$root.stamp" -mtime +7)" ]; then return; fi
  say "fetching Debian $suite (once, about a minute)"
  rm -rf "$root.new"
  # `--mode=root` and no cache of packages: the tree is the cache.
  if ! mmdebstrap --quiet --mode=root --variant=minbase --include="$INCLUDE" --aptopt='Acquire::Languages "none"' --aptopt='Acquire::Retries 5' \
    "$suite" "$root.new"; then
    rm -rf "$root.new"
    [ "$(cat "$root.stamp" 2>/dev/null)" = "$STAMP" ] || return 1
    say "Debian $suite cannot be fetched now: the one of $(date -r "$root.stamp" +%F) is taken"
    return
  fi
  # "uninitialized" would mean a first boot, which systemd-firstboot then fails.
  tr -d - </proc/sys/kernel/random/uuid >"$root.new/etc/machine-id"
  rm -rf "$root" "$root.stamp"
  mv "$root.new" "$root"
  echo "$STAMP" >"$root.stamp"
}

boot() {
  local machine=$1 suite=$2 state pid
  shift 2
  install -d "$BASE/run"
  (
    # A control group of its own: two machines would meet in /supervisor and /payload.
    for hierarchy in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup; do
      [ -e "$hierarchy/cgroup.procs" ] || continue
      if mkdir -p "$hierarchy/nspawn-$machine" 2>/dev/null; then
        echo "$BASHPID" >"$hierarchy/nspawn-$machine/cgroup.procs" || true
      fi
    done
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
    exec setsid systemd-nspawn --quiet --directory="$BASE/rootfs/$suite" --volatile=overlay --boot --machine="$machine" \
      --register=no --keep-unit --console=pipe --kill-signal=SIGRTMIN+3 --resolv-conf=replace-host --link-journal=no \
      "$@" </dev/null >"$BASE/run/$machine.console" 2>&1
  ) &
  echo $! >"$BASE/run/$machine.pid"
  for _ in {1..600}; do
    sleep 0.1
    if ! kill -0 "$(supervisor "$machine")" 2>/dev/null; then
      cat "$BASE/run/$machine.console" >&2
      say "$machine ended at once"
      return 1
    fi
    pid=$(leader "$machine" || true)
    [ -n "$pid" ] || continue
    state=$(run_in "$machine" systemctl is-system-running 2>/dev/null || true)
    case $state in
      running) return ;;
      degraded)
        run_in "$machine" systemctl --failed --no-pager >&2
        return 1 ;;
    esac
  done
  say "$machine did not come up: ${state:-no answer}"
  return 1
}

# nsenter's --wd is resolved out here, hence env -C.
run_in() {
  local machine=$1
  shift
  nsenter -t "$(leader "$machine")" -m -u -i -n -p -C --root --wd env -i -C / TERM=dumb LANG=C.UTF-8 HOME=/root \
    DEBIAN_FRONTEND=noninteractive PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}

destroy() {
  local machine=$1 pid
  pid=$(supervisor "$machine" 2>/dev/null) || return 0
  if kill -TERM "$pid" 2>/dev/null; then # handed on as an orderly halt
    for _ in {1..150}; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$BASE/run/$machine".*
  for hierarchy in /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup; do
    find "$hierarchy/nspawn-$machine" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}

verb=${1-}
shift || usage
case $verb in
  can | create | destroy) "$verb" "$@" ;;
  boot)
    [ $# -ge 2 ] || usage
    boot "$@" ;;
  exec)
    [ $# -ge 2 ] || usage
    run_in "$@" ;;
  *) usage ;;
esac
