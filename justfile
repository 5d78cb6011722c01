# Every command of this project. `just` alone lists them.

set positional-arguments

results := justfile_directory() / "target/conformance"

default:
    @just --list --unsorted

# Fast checks: format, lints, unit tests, the suite on the model and on SQLite.
test: lint
    #!/usr/bin/env bash
    set -euo pipefail
    export TEST_BACKENDS=model,sqlite CONFORMANCE_RESULTS="{{ results }}"
    rm -rf "$CONFORMANCE_RESULTS"
    cargo nextest run --workspace -E 'not (test(/postgres/) | binary(/postgres/) | package(test-databases) & binary(command))'
    ci/real-data-note
    "${CARGO_TARGET_DIR:-target}/debug/conformance-report" model sqlite

# Everything on the model, SQLite and PostgreSQL; the last line says how many cases ran on each.
test-all-backends:
    #!/usr/bin/env bash
    set -euo pipefail
    export CONFORMANCE_RESULTS="{{ results }}"
    rm -rf "$CONFORMANCE_RESULTS"
    # Builds the commands below too, with the features that the whole workspace needs.
    cargo nextest run --workspace --no-run
    if [[ ",${TEST_BACKENDS:-postgres}," == *,postgres,* ]]; then
        # Once, before the tests, so that the choice is printed where a person sees it.
        "${CARGO_TARGET_DIR:-target}/debug/test-databases" up >/dev/null
    fi
    cargo nextest run --workspace
    cargo test --workspace --doc --quiet
    ci/real-data-note
    "${CARGO_TARGET_DIR:-target}/debug/conformance-report" model sqlite postgres

# Formatting and lints; warnings are errors.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --quiet -- -D warnings

# Each engine alone compiles.
check-features:
    cargo check --quiet -p neoprism-node --no-default-features --features postgres
    cargo check --quiet -p neoprism-node --no-default-features --features sqlite-backend

# Regenerates the compile-time query metadata of both engines.
sqlx-prepare:
    ci/sqlx-prepare

# Fails when the committed query metadata is stale.
sqlx-check:
    ci/sqlx-prepare --check

# Makes the embedded database at its default path (see `just db-path`).
db-init-sqlite *ARGS:
    cargo run -q -p neoprism-node -- db migrate --db-backend sqlite "$@"

# Where the embedded database lies.
db-path *ARGS:
    cargo run -q -p neoprism-node -- db path --db-backend sqlite "$@"

# Deletes the embedded database at its default path, after asking.
[confirm("Delete the embedded database?")]
db-clean-sqlite *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    file=$(cargo run -q -p neoprism-node -- db path --db-backend sqlite "$@")
    rm -fv -- "$file" "$file-wal" "$file-shm" "$file.lock"

# Stops and removes the PostgreSQL server that tests have started.
db-test-down:
    cargo run -q -p test-databases -- down
