# The commands of a working day; `just` alone lists them.

_default:
    @just --list --unsorted

# format and lint
lint:
    cargo fmt
    cargo clippy --all-targets -- -D warnings

# the inner loop
test:
    tests/run.sh --fast

# everything, as on every change
ci:
    .ci/run

# the daemon against a throw-away Odoo
quickstart:
    packaging/quickstart.sh

# the documentation of the code, private items too
doc:
    cargo doc --no-deps --document-private-items

# licences, sources, duplicates
deny:
    cargo deny --locked check licenses bans sources
