#!/bin/bash
# Builds the Debian package, for Debian 12 and 13, and lets lintian look at it.
#
#   packaging/build-deb.sh [OUTPUT]           the package goes into OUTPUT (default: ${ODOO_SPOOLD_CACHE}/deb); its path is
#                                             the last line printed
#   packaging/build-deb.sh --next [OUTPUT]    the same program under a higher version: to test upgrades with
#
# Run it on Debian 12: a program linked there runs on 13, too. Needs what tests/run.sh needs, and debhelper and lintian;
# root installs what is missing. The source tree stays as it is: cargo builds in ${CARGO_TARGET_DIR}, the package in a
# scratch folder. The same commit gives the same package.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=prepare.sh
. packaging/prepare.sh

usage() {
  sed -n '/^#   /s/^# //p' "$0" >&2
  exit 64
}

SUFFIX=
if [ "${1-}" = --next ]; then
  SUFFIX=+next1
  shift
fi
case ${1-} in -*) usage ;; esac
[ $# -le 1 ] || usage
OUTPUT=${1-$ODOO_SPOOLD_CACHE/deb}
SCRATCH=$(mktemp -d)
trap 'rm -rf "$SCRATCH"' EXIT
TREE=$SCRATCH/odoo-spoold

# build_program: the release, without a path of this machine in it.  Paths in the source tree are relative already.
build_program() {
  local cargo_home=${CARGO_HOME:-$HOME/.cargo}
  mkdir -p "$CARGO_TARGET_DIR"
  CARGO_TARGET_DIR=$(cd "$CARGO_TARGET_DIR" && pwd)
  # Only what stays the same from run to run: with other words here cargo builds everything again.
  RUSTFLAGS="--remap-path-prefix=$cargo_home=cargo --remap-path-prefix=$CARGO_TARGET_DIR=target" \
    CFLAGS="-ffile-prefix-map=$cargo_home=cargo -ffile-prefix-map=$CARGO_TARGET_DIR=target" \
    nice cargo build --release --locked --bin odoo-spoold
  cp "$CARGO_TARGET_DIR/release/odoo-spoold" "$SCRATCH/program"
}

no_path_inside() {
  local path found=0
  for path in "$PWD" "${CARGO_HOME:-$HOME/.cargo}" "$CARGO_TARGET_DIR" "$HOME/"; do
    if grep -qaF "$path" "$SCRATCH/program"; then
      echo "the program has a path of this machine in it: $path" >&2
      found=1
    fi
  done
  return "$found"
}

# The tree that dpkg-buildpackage wants, with debian/ at its root.
lay_out() {
  local version schema
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
  schema=$(sed -n 's/^pub(super) const SCHEMA: u8 = \([0-9]*\);/\1/p' src/store/layout.rs)
  [ -n "$schema" ] || { echo "src/store/layout.rs names no schema" >&2; return 1; }
  grep -q "^odoo-spoold ($version)" packaging/debian/changelog ||
    { echo "packaging/debian/changelog does not begin with version $version" >&2; return 1; }
  mkdir -p "$TREE/built" "$TREE/text"
  cp -r packaging/debian "$TREE/debian"
  cp README.md CHANGELOG.md config.example.toml packaging/examples/only-odoo.conf "$TREE/text"
  mv "$TREE/debian/config.toml" "$TREE"
  cp systemd/odoo-spoold.service systemd/odoo-spoold.socket "$TREE/debian"
  cp systemd/odoo-spoold-failed.service "$TREE/built"
  cp systemd/sysusers.conf "$TREE/debian/odoo-spoold.sysusers"
  cp systemd/tmpfiles.conf "$TREE/debian/odoo-spoold.tmpfiles"
  sed -i "s/@SCHEMA@/$schema/" "$TREE/debian/odoo-spoold.preinst"
  if [ -n "$SUFFIX" ]; then
    sed -i "1s/($version)/($version$SUFFIX)/" "$TREE/debian/changelog" "$TREE/debian/NEWS"
  fi
  cp "$SCRATCH/program" "$TREE/built/odoo-spoold"
  "$SCRATCH/program" generate man --output "$TREE/built/man"
  "$SCRATCH/program" generate catalog >"$TREE/built/odoo-spoold.catalog"
  "$SCRATCH/program" generate completions bash >"$TREE/built/odoo-spoold.bash"
  "$SCRATCH/program" generate completions zsh >"$TREE/built/_odoo-spoold"
  "$SCRATCH/program" generate completions fish >"$TREE/built/odoo-spoold.fish"
}

need_packages
need_debian_tools
build_program
no_path_inside
lay_out
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(date -d "$(dpkg-parsechangelog -l"$TREE/debian/changelog" -S Date)" +%s)
# Not -d: what is missing is to be said.
(cd "$TREE" && dpkg-buildpackage --build=binary --no-sign) >"$SCRATCH/build.log" 2>&1 || {
  cat "$SCRATCH/build.log" >&2
  exit 1
}
[ -n "$SUFFIX" ] || lintian --allow-root --pedantic --display-info --tag-display-limit 0 --fail-on error,warning,info,pedantic "$SCRATCH"/*.changes
mkdir -p "$OUTPUT"
for package in "$SCRATCH"/odoo-spoold_*.deb; do
  install -m 644 "$package" "$OUTPUT/"
  echo "$OUTPUT/${package##*/}"
done
