#!/bin/sh
# rustc for fuzzing: coverage instrumentation for our own code only, so that the dependencies need not be built again.
# cargo calls it through RUSTC_WRAPPER with rustc first.
case " $* " in
  *' --crate-name odoo_spoold '*)
    exec "$@" --cfg fuzzing -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=4 \
      -C llvm-args=-sanitizer-coverage-inline-8bit-counters -C llvm-args=-sanitizer-coverage-pc-table \
      -C llvm-args=-sanitizer-coverage-trace-compares -C codegen-units=1 ;;
esac
exec "$@"
