# shellcheck shell=bash
# How every script of this project calls apt-get.  Sourced.
#
# Several of our scripts run side by side, and a fresh machine may be running unattended-upgrades.  So only one of ours
# runs apt-get at a time, each waits for a package manager that is busy, and a fault of the network is tried again.

APT_WAIT_SECS=${APT_WAIT_SECS:-900} # how long to wait for another package manager
APT_LOCK=${TMPDIR:-/tmp}/odoo-spoold-apt.lock

# apt_get ARGS...: apt-get with that patience.  1: it failed three times, or another held its lock for too long.
apt_get() {
  (
    flock -w "$APT_WAIT_SECS" 8 || {
      echo "another script holds $APT_LOCK for $APT_WAIT_SECS s" >&2
      exit 1
    }
    for try in 1 2 3; do
      wait_for_lists
      if DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout="$APT_WAIT_SECS" -o Acquire::Retries=5 \
        "$@" 8>&- </dev/null; then exit 0; fi
      [ "$try" = 3 ] || { echo "apt-get $1 failed; trying again in 10 s" >&2 && sleep 10; }
    done
    exit 1
  ) 8>>"$APT_LOCK"
}

# DPkg::Lock::Timeout does not cover the locks on the package lists and on the archives.
wait_for_lists() {
  local deadline=$((SECONDS + APT_WAIT_SECS)) lock
  for lock in /var/lib/apt/lists/lock /var/cache/apt/archives/lock; do
    while [ -e "$lock" ] && lock_held "$lock" && [ "$SECONDS" -lt "$deadline" ]; do sleep 1; done
  done
}

# lock_held FILE: does another process hold a lock of the kind apt takes (fcntl, not flock) on this file?
lock_held() {
  local inode
  inode=$(stat -c %i "$1" 2>/dev/null) && grep -qE "POSIX .*:$inode [0-9]" /proc/locks
}

# debian_install PACKAGE...: installs packages.  1: not possible.
debian_install() {
  apt_get update && apt_get install -y --no-install-recommends "$@" >/dev/null
}
