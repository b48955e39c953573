# shellcheck shell=bash
# What quickstart.sh and tests/run.sh share: where things are kept, and what building needs.  Sourced.

# shellcheck source=apt.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt.sh"

# Everything that is fetched or built lies here, never in the source tree.
if [ -z "${ODOO_SPOOLD_CACHE-}" ]; then
  ODOO_SPOOLD_CACHE=/var/cache/odoo-spoold
  [ "$(id -u)" = 0 ] || ODOO_SPOOLD_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/odoo-spoold
fi
export ODOO_SPOOLD_CACHE
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$ODOO_SPOOLD_CACHE/target}

# need_packages: what a Debian needs to build and test, installed if missing.  1: something is missing and cannot be.
need_packages() {
  need_debian build-essential pkg-config libsystemd-dev python3 python3-venv curl ca-certificates procps util-linux || return 1
  need_cargo
}

# need_debian_tools: what building the package needs besides.
need_debian_tools() { need_debian debhelper lintian fakeroot; }

# need_boot_tools: what booting a Debian needs.
need_boot_tools() { need_debian systemd-container mmdebstrap zstd util-linux; }

# need_debian PACKAGE...: installs those that are missing.
need_debian() {
  local package missing=()
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "missing: ${missing[*]} (install them, or run this as root on Debian)" >&2
    return 1
  fi
  echo "installing ${missing[*]}"
  if ! debian_install "${missing[@]}"; then
    echo "apt-get could not install ${missing[*]}" >&2
    return 1
  fi
}

need_cargo() {
  # A toolchain made by rustup is not in the path of a shell that is no login shell.
  if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then PATH=$HOME/.cargo/bin:$PATH; fi
  if ! command -v cargo >/dev/null; then
    echo "missing: a Rust toolchain (cargo); https://rustup.rs tells how to get one" >&2
    return 1
  fi
}
