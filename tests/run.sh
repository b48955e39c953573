#!/bin/bash
# shellcheck disable=SC2317  # functions are also called by name: from traps, through `step`
# Every kind of test there is.  The last line says how many: "N passed, 0 failed, K skipped"; above it stands why.
#
#   tests/run.sh               everything: format, lints, docs, Rust tests, the Python checks, real Odoo 19 and 14, and
#                              the package in a booted Debian 12 and 13
#   tests/run.sh --fast        the inner loop: no Odoo, no documentation
#   tests/run.sh --long PART   something for the night instead, each at most an hour; a line of what came of it goes to
#                              long-results.txt in the cache:
#                                properties   the property tests with 50 times as many cases (those that fix no number)
#                                crash        every crash test 20 times
#                                faults-1     the daemon dies at every single step, Odoo's answers get lost
#                                faults-2     the disk refuses every single step; SIGTERM 100 times
#                                powercut     a modelled power cut after every sync
#                                model        the store against its model, 100,000 steps
#                                fuzz-1       fuzzing, a quarter of an hour each: envelope, lines, report
#                                fuzz-2       likewise: sealed, control, settings, whole
#                                kill-19      kill -9 of the daemon against real Odoo 19, 300 rounds
#                                kill-14      likewise Odoo 14
#
# What is fetched and built is kept in ${ODOO_SPOOLD_CACHE:-/var/cache/odoo-spoold}.  ODOO19_URL or ODOO14_URL name an Odoo
# of your own (tests/lab/README.md).  Root is needed only for the Odoos.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=../packaging/prepare.sh
. packaging/prepare.sh

usage() {
  sed -n '/^#   /s/^# //p' "$0" >&2
  exit 64
}

MODE=all PART=
case "${1-}" in
  '') ;;
  --fast) MODE=fast ;;
  --long)
    MODE=long PART=${2-}
    case $PART in properties | crash | faults-[12] | powercut | model | fuzz-[12] | kill-19 | kill-14) ;; *) usage ;; esac ;;
  *) usage ;;
esac

passed=0 failed=0 skipped=0
lab_pid='' lab_wanted=0 package_pid='' booted_pids=() stop_servers=() stop_postgres=()
WORK=$(mktemp -d)
export ODOO_SPOOLD_SKIPS=$WORK/skips # tests that cannot run here write one line each (tests/it/support/skip.rs)
: >"$ODOO_SPOOLD_SKIPS"

# The one way out: stop what was started, say what came of it.
finish() {
  local code=$? version pid
  trap - EXIT INT TERM
  set +e
  stop_aside "$lab_pid"
  stop_aside "$package_pid"
  for pid in "${booted_pids[@]}"; do stop_aside "$pid"; done
  for version in "${stop_servers[@]}"; do tests/lab/odoo.sh "$version" down; done
  for version in "${stop_postgres[@]}"; do tests/lab/odoo.sh "$version" pgdown; done
  [ "$code" = 0 ] || fail "the script ended early (code $code)"
  echo
  [ ! -s "$WORK/failed" ] || cat "$WORK/failed"
  sort "$ODOO_SPOOLD_SKIPS" | uniq -c | sed -E 's/^ *1 //; s/^ *([0-9]+) (.*)/\2 (\1 times)/'
  skipped=$(skips)
  rm -rf "$WORK"
  echo "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ] || exit 1
  exit 0
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  failed=$((failed + 1))
  echo "failed: $*" >>"$WORK/failed"
}
skips() { grep -c '^skipped: ' "$ODOO_SPOOLD_SKIPS" || true; }
skip() { echo "skipped: $*" >>"$ODOO_SPOOLD_SKIPS"; }

# step NAME COMMAND...: counts as one test; its output is shown only if it fails.
step() {
  local name=$1 start=$SECONDS
  shift
  printf '%s ... ' "$name"
  if "$@" >"$WORK/step.log" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok ($((SECONDS - start)) s)"
  else
    echo FAILED
    tail -n 200 "$WORK/step.log"
    fail "$name"
  fi
}

# step_with PROGRAM NAME COMMAND...: a step that is skipped where the program is not installed.
step_with() {
  local program=$1
  shift
  if $program --version >/dev/null 2>&1; then step "$@"; else skip "$1: $program is not installed"; fi
}

# --- Rust tests -----------------------------------------------------------------------------------------------------

# count_tests CODE LOG: adds up what cargo-nextest or cargo test (any number of binaries) said.
count_tests() {
  local code=$1 log=$2 ok bad ignored reason
  read -r ok bad ignored < <(awk '
    # nextest: N tests run: N passed (N slow), N failed, N skipped; with --stress-count a line each time.
    / (Stress test|Summary) \[.* tests? run: / {
      run = good = 0
      for (i = 2; i <= NF; i++) {
        if ($i ~ /^tests?$/) run = $(i - 1) + 0
        if ($i ~ /^passed/) good += $(i - 1)
        if ($i ~ /^skipped/) ignored += $(i - 1)
      }
      ok += good
      bad += run - good
    }
    /^test result:/ { ok += $4; bad += $6; ignored += $8 }
    END { print ok + 0, bad + 0, ignored + 0 }' "$log")
  passed=$((passed + ok))
  # A long part picks its tests.
  [ "$MODE" != long ] || ignored=0
  if [ "$bad" != 0 ]; then
    failed=$((failed + bad))
    grep -hE '^ +(FAIL|TIMEOUT|SIG[A-Z]+|ABORT|LEAK-FAIL) \[|^test .* FAILED$' "$log" | sed 's/^ */failed: /' |
      sort -u >>"$WORK/failed" || true
  elif [ "$code" != 0 ]; then
    fail "the tests could not be built or run (code $code)"
  fi
  # Children that another test runs, and measurements, are no tests of their own.
  ignored=$((ignored - $(ignored_reasons | grep -cE '^(run by|a measurement)' || true)))
  # Neither runner tells why: the reason stands in the source.
  while read -r reason && [ $((ignored--)) -gt 0 ]; do skip "$reason"; done < <(ignored_reasons | grep -vE '^(run by|a measurement)' || true)
  while [ $((ignored--)) -gt 0 ]; do skip 'slow, left out of --fast'; done
}

ignored_reasons() { git grep -hoP '#\[ignore = "\K[^"]*' -- '*.rs' || true; }

# counted NAME COMMAND...: a command whose summary is counted test by test; its output is shown.
counted() {
  local name=$1 code=0 start=$SECONDS before
  shift
  before=$(skips)
  echo "$name:"
  "$@" </dev/null 2>&1 | tee "$WORK/tests.log" || code=${PIPESTATUS[0]}
  # A test that skipped itself has passed as far as its runner knows.
  passed=$((passed - $(skips) + before))
  count_tests "$code" "$WORK/tests.log"
  echo "$name: $((SECONDS - start)) s"
}

has_nextest() { cargo nextest --version >/dev/null 2>&1; }

rust_tests() {
  if has_nextest; then
    NEXTEST_HIDE_PROGRESS_BAR=1 cargo nextest run --locked --no-fail-fast --color never --status-level slow "$@"
  else
    cargo test --locked --no-fail-fast --quiet --lib --bins --tests # no profiles here: --fast leaves nothing out
  fi
}

# --- the Odoos --------------------------------------------------------------------------------------------------------

LAB_VERSIONS='19 14'

# In the background while the tests are built: much of it is waiting for the network.
start_lab_setup() {
  local version status
  if [ "$(id -u)" != 0 ] && [ -z "${ODOO19_URL-}" ]; then
    skip "real Odoo 19 and 14: setting them up needs root"
    return
  fi
  for version in $LAB_VERSIONS; do
    status=$(tests/lab/odoo.sh "$version" status 2>/dev/null || true)
    case $status in own* | 'server up'*) ;; *) stop_servers+=("$version") ;; esac
    case $status in own* | *'postgresql up'*) ;; *) stop_postgres+=("$version") ;; esac
  done
  lab_wanted=1
  # shellcheck disable=SC2016,SC2086  # expanded by the inner shell; one word a version
  setsid bash -c '
    for version; do
      for verb in install template up; do tests/lab/odoo.sh "$version" "$verb" || exit 1; done
    done' lab $LAB_VERSIONS >"$WORK/lab.log" 2>&1 </dev/null &
  lab_pid=$!
}

lab_ready() {
  local code=0
  wait "$lab_pid" || code=$?
  lab_pid=
  cat "$WORK/lab.log"
  return "$code"
}

# stop_aside PID: what runs in the background, with all its children.
stop_aside() {
  [ -n "$1" ] || return 0
  kill -TERM -- "-$1" 2>/dev/null
  wait "$1" 2>/dev/null
}

# --- the package in booted Debians ----------------------------------------------------------------------------------------

# In the background, too: the release is built while the tests run, and two root file systems are fetched once.
start_package() {
  local why
  if [ -n "${ODOO19_URL-}" ]; then
    skip 'the package in a booted Debian 12 and 13: it delivers into databases of its own, and ODOO19_URL is set'
    return
  fi
  if ! why=$({ need_debian_tools && need_boot_tools; } </dev/null 2>&1 | tail -n 1; exit "${PIPESTATUS[0]}") ||
    ! why=$(tests/boot/machine.sh can); then
    skip "the package in a booted Debian 12 and 13: $why"
    return
  fi
  # shellcheck disable=SC2016  # expanded by the inner shell
  setsid nice bash -c '
    for suite in bookworm trixie; do tests/boot/machine.sh create "$suite" || exit 1; done
    packaging/build-deb.sh "$1" && packaging/build-deb.sh --next "$1"' package "$WORK/deb" \
    >"$WORK/package.log" 2>&1 </dev/null &
  package_pid=$!
}

package_ready() {
  local code=0
  wait "$package_pid" || code=$?
  package_pid=
  cat "$WORK/package.log"
  return "$code"
}

# booted: both Debians at the same time, for much of it is waiting; check by check, each says for itself how it went.
booted() {
  local suite start=$SECONDS code version pids=()
  version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
  for suite in bookworm trixie; do
    setsid python3 -B tests/boot/booted.py "$suite" "$WORK/deb/odoo-spoold_${version}_amd64.deb" \
      "$WORK/deb/odoo-spoold_${version}+next1_amd64.deb" >"$WORK/$suite.log" 2>&1 </dev/null &
    pids+=($!)
  done
  booted_pids=("${pids[@]}")
  for suite in bookworm trixie; do
    code=0
    wait "${pids[0]}" || code=$?
    pids=("${pids[@]:1}")
    echo "booted Debian, $suite:"
    cat "$WORK/$suite.log"
    passed=$((passed + $(grep -c '^ok ' "$WORK/$suite.log" || true)))
    failed=$((failed + $(grep -c '^FAILED ' "$WORK/$suite.log" || true)))
    sed -n 's/^FAILED /failed: /p' "$WORK/$suite.log" >>"$WORK/failed"
    sed -n '/^skipped: /p' "$WORK/$suite.log" >>"$ODOO_SPOOLD_SKIPS"
    [ "$code" = 0 ] || grep -q '^FAILED ' "$WORK/$suite.log" || fail "booted Debian, $suite: ended early (code $code)"
  done
  booted_pids=()
  echo "booted Debians: $((SECONDS - start)) s"
}

# --- tools --------------------------------------------------------------------------------------------------------------

# What the checks below want and Debian or the toolchain may not have; kept in the cache. What cannot be had is skipped.
need_tools() {
  local tools=$ODOO_SPOOLD_CACHE/tools
  PATH=$tools/bin:$PATH
  if ! command -v shellcheck >/dev/null && [ "$(id -u)" = 0 ]; then
    debian_install shellcheck || true
  fi
  if ! typos --version >/dev/null 2>&1; then
    echo 'installing typos'
    if python3 -m venv "$tools"; then "$tools/bin/pip" install --quiet typos==1.52.0 || true; fi
  fi
  if ! cargo deny --version >/dev/null 2>&1; then
    echo 'installing cargo-deny (once, some minutes)'
    CARGO_TARGET_DIR=$ODOO_SPOOLD_CACHE/tools/target \
      cargo install --quiet --locked --debug --root "$tools" cargo-deny@0.20.2 </dev/null || true
    rm -rf "$tools/target"
  fi
}

# --- parts ------------------------------------------------------------------------------------------------------------

docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items; }

scripts() { git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck -x -P SCRIPTDIR; }

python_checks() {
  step 'oracle: self-test' python3 -B tests/expected/expected.py --self-test
  step 'vectors: as their script makes them' python3 -B tests/vectors/make.py --check
}

# What `cargo test` says is shown and kept; one binary, so that a seed and its counts stand together.
told() { cargo test --locked --quiet --test it -- --nocapture --test-threads 1 "$@"; }

fuzz() {
  local target log=$WORK/fuzz.log
  for target; do
    step "fuzzing $target" tests/fuzz/run.sh "$target" "${ODOO_SPOOLD_FUZZ_SECS:-900}" "$ODOO_SPOOLD_SEED"
    cat "$WORK/step.log" >>"$log"
  done
  cp "$log" "$WORK/tests.log"
}

kills() {
  LAB_VERSIONS=$1
  start_lab_setup
  [ "$lab_wanted" = 1 ] || return 0
  step 'build' cargo test --locked --quiet --no-run --test it
  step "Odoo $1" lab_ready
  [ "$failed" = 0 ] || return 0
  export ODOO_SPOOLD_LAB=1 ODOO_SPOOLD_LAB_ONLY=$1 ODOO_SPOOLD_ROUNDS=${ODOO_SPOOLD_ROUNDS:-300}
  counted "kill -9, Odoo $1" told --exact real_crash::killed_at_any_moment_every_order_stands_in_odoo_once
}

long_part() {
  local start=$SECONDS results=$ODOO_SPOOLD_CACHE/long-results.txt
  export ODOO_SPOOLD_SEED=${ODOO_SPOOLD_SEED:-$((RANDOM * 32768 + RANDOM))}
  : >"$WORK/tests.log"
  case $PART in
    properties | crash) has_nextest || { fail "--long $PART needs cargo-nextest" && exit 0; } ;;
  esac
  case $PART in
    # A property under proptest takes the seed of its own; it prints what failed.
    properties) PROPTEST_CASES=12800 counted 'properties' rust_tests --profile long ;;
    faults-1)
      ODOO_SPOOLD_FAULT_POINTS=all counted 'crashes' rust_tests --profile long --success-output final \
        -E 'test(/^fault_crash/)'
      ;;
    faults-2)
      ODOO_SPOOLD_FAULT_POINTS=all counted 'disk faults, stops' rust_tests --profile long --success-output final \
        -E 'test(/^fault_(disk|stop)/)'
      ;;
    powercut)
      ODOO_SPOOLD_FAULT_POINTS=all counted 'power cuts' rust_tests --profile long --success-output final \
        -E 'test(/^fault_power/)'
      ;;
    crash) counted 'crash tests' rust_tests --profile long --stress-count 20 -E 'test(/crash|kill/)' ;;
    model)
      export ODOO_SPOOLD_MODEL_STEPS=${ODOO_SPOOLD_MODEL_STEPS:-100000}
      counted 'model' told store_model:: ;;
    fuzz-1) fuzz envelope lines report ;;
    fuzz-2) fuzz sealed control settings whole ;;
    kill-19) kills 19 ;;
    kill-14) kills 14 ;;
  esac
  # A line a run: when, what, from which sources, with which seed, what came of it, and what was counted.
  {
    printf '%s %s %s seed %s: %s passed, %s failed, %s skipped in %s s' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$PART" \
      "$(git describe --always --dirty 2>/dev/null || echo unknown)" "$ODOO_SPOOLD_SEED" \
      "$passed" "$failed" "$(skips)" "$((SECONDS - start))"
    sed -n 's/.*counts: /; /p' "$WORK/tests.log" | tr -d '\n'
    echo
  } >>"$results"
  tail -n 1 "$results"
  echo "kept in $results"
}

need_packages </dev/null || { fail 'what building needs is missing, see above' && exit 0; }
if [ "$MODE" = long ]; then
  long_part
  exit 0
fi
# First: it may install packages, and so may the other, in the background.
[ "$MODE" = fast ] || start_package
[ "$MODE" = fast ] || start_lab_setup
[ "$MODE" = fast ] || need_tools
step_with 'cargo fmt' 'format' cargo fmt --check
step_with shellcheck 'shell scripts' scripts
step_with typos 'spelling' typos
step_with 'cargo deny' 'licences and duplicates' cargo deny --locked check licenses bans sources
python_checks
step_with 'cargo clippy' 'lints' cargo clippy --locked --quiet --all-targets -- -D warnings
if [ "$MODE" = all ]; then
  step 'documentation' docs
  counted 'documentation tests' cargo test --locked --quiet --doc
  if [ "$lab_wanted" = 1 ]; then
    # Built before the wait, so that both go on at the same time.
    step 'build' cargo test --locked --quiet --no-run
    before=$failed
    step 'Odoo 19 and 14' lab_ready
    # Without its Odoos every real test would wait and fail by itself: the one failure above says why, and this ends.
    [ "$failed" = "$before" ] || exit 0
    export ODOO_SPOOLD_LAB=1
  fi
fi
if [ "$MODE" = fast ]; then counted 'tests' rust_tests --profile fast; else counted 'tests' rust_tests; fi
if [ -n "$package_pid" ]; then
  before=$failed
  step 'package, and lintian' package_ready
  if [ "$failed" = "$before" ]; then
    booted
  fi
fi
exit 0
