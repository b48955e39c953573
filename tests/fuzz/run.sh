#!/bin/bash
# tests/fuzz/run.sh TARGET SECONDS [SEED]: fuzzes one target; fails if anything crashes, hangs or eats memory.
# The last line is "counts: TARGET N executions, M crashes". What was found is kept in ${ODOO_SPOOLD_CACHE}/fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source-path=SCRIPTDIR source=../../packaging/prepare.sh
. ../../packaging/prepare.sh
target=${1:?target} seconds=${2:?seconds} seed=${3:-$RANDOM}
kept=$ODOO_SPOOLD_CACHE/fuzz
mkdir -p "$kept/corpus/$target" "$kept/found"
# Not --locked: this lock file follows ours, which is.
RUSTC_WRAPPER=$PWD/rustc.sh cargo build --quiet --bin "$target"
code=0
nice -n 10 "$CARGO_TARGET_DIR/debug/$target" -max_total_time="$seconds" -seed="$seed" -timeout=25 -rss_limit_mb=2048 \
  -max_len=8192 -print_final_stats=1 -verbosity=0 -artifact_prefix="$kept/found/$target-" \
  "$kept/corpus/$target" "corpus/$target" 2>&1 | tee "$kept/$target.log" || code=${PIPESTATUS[0]}
executions=$(awk '/^stat::number_of_executed_units:/ { print $2 }' "$kept/$target.log")
crashes=$(grep -c '^SUMMARY: libFuzzer' "$kept/$target.log" || true)
echo "counts: $target ${executions:-0} executions, $crashes crashes, seed $seed"
exit "$code"
