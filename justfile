# Every command of this project. `just` alone lists them.

set positional-arguments

results := justfile_directory() / "target/conformance"

[private]
default:
    @just --list --unsorted

# Fast checks: format, lints, unit tests, the suite on the model and on SQLite.
test: lint
    TEST_BACKENDS=model,sqlite ci/tests-and-report "{{ results }}" "model sqlite postgres" \
        -E 'not (test(/postgres/) | binary(/postgres/) | test(/^db_?sync::/) | package(test-databases) & binary(command) | package(dialect-parity) & kind(test))'

# Everything on the model, SQLite and PostgreSQL; the last line says how many cases passed on each.
test-all-backends:
    WITH_DOC_TESTS=1 ci/tests-and-report "{{ results }}" "model sqlite postgres"

# Faults of databases, networks, files and processes, with their real waiting times. Prints what was done to the node.
test-faults *ARGS:
    cargo nextest run --workspace --ignore-default-filter -E 'binary(/^faults_/)' "$@"

# The suite with 16 times as many schedules and streams, on every backend: for a run at night.
conformance-nightly:
    CONFORMANCE_LEVEL=nightly CONFORMANCE_CASE_LIMIT=1200 ci/tests-and-report "{{ results }}-nightly" "model sqlite postgres" \
        -E 'binary(/^(model|sqlite|postgres|streams)$/)'

# The suite on PostgreSQL databases with a linguistic collation, and another locale, time zone and formats.
test-hostile:
    TEST_POSTGRES_HOSTILE=1 ci/tests-and-report "{{ results }}-hostile" postgres -E 'binary(=postgres)'

# The suite on every PostgreSQL from 14 to 18 that can be had; one matrix at the end.
test-postgres-versions *VERSIONS:
    ci/postgres-versions "{{ results }}-versions" "$@"

# The suite on the example of a third backend, a crate outside this workspace.
test-example:
    #!/usr/bin/env bash
    set -euo pipefail
    export CONFORMANCE_RESULTS="{{ results }}-example"
    rm -rf "$CONFORMANCE_RESULTS"
    cd conformance/examples/redb-backend
    status=0
    cargo test --quiet || status=$?
    cargo run --quiet --example report || status=$?
    exit $status

# The report of the last `just test-all-backends` as Markdown: target/conformance/report.md.
report:
    #!/usr/bin/env bash
    set -euo pipefail
    [[ -d "{{ results }}" ]] || just test-all-backends
    export CONFORMANCE_RESULTS="{{ results }}"
    status=0
    "${CARGO_TARGET_DIR:-target}/debug/conformance-report" --markdown model sqlite postgres \
        >"$CONFORMANCE_RESULTS/report.md" || status=$?
    [[ $status = 2 ]] || echo "written to $CONFORMANCE_RESULTS/report.md"
    exit $status

# Which case finds which store that is wrong on purpose: writes conformance/suite/defects.md.
defects:
    CONFORMANCE_WRITE_DEFECTS=1 cargo test --quiet --workspace --test defects every_defect_fails_a_case

# Formatting and lints; warnings are errors.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --quiet -- -D warnings

# Each engine alone compiles, and the suite without its seeded defects.
check-features:
    cargo clippy --quiet -p node-storage-conformance -- -D warnings
    cargo check --quiet -p neoprism-node --no-default-features --features postgres
    cargo check --quiet -p neoprism-node --no-default-features --features sqlite
    cargo check --quiet -p neoprism-node --no-default-features --features sqlite,dbsync
    cargo check --quiet -p neoprism-node --no-default-features --features sqlite,wallet
    cargo check --quiet -p neoprism-node --no-default-features --features sqlite,blockfrost

# The oldest Rust that Cargo.toml promises (rust-version) compiles everything; rustup gets it.
check-msrv:
    #!/usr/bin/env bash
    set -euo pipefail
    version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
    # A toolchain's name has three numbers.
    [[ $version == *.*.* ]] || version=$version.0
    rustup run "$version" rustc --version || rustup toolchain install "$version" --profile minimal --no-self-update
    cargo "+$version" check --workspace --all-targets --quiet

# Runs the fuzz targets on the stable compiler, each for 60 seconds, or so many; or one of them.
fuzz *ARGS:
    ci/fuzz "$@"

# Every committed seed of the fuzz targets, and inputs near it. The ordinary tests do the same.
test-fuzz:
    cargo nextest run -p fuzz-targets

# Writes the seeds that the fuzz targets begin with; those that a fuzzer has found stay.
fuzz-seeds:
    FUZZ_WRITE_SEEDS=1 cargo test --quiet -p fuzz-targets --test seeds committed_seeds

# Nothing is linked, so a library that is named need not exist, and libFuzzer, which takes a C++ compiler, is not built.
# The binaries of the fuzz targets compile.
check-fuzz:
    CUSTOM_LIBFUZZER_PATH=/none/libfuzzer.a cargo check --quiet --locked --manifest-path fuzz/Cargo.toml

# The API documentation in target/doc; a broken link is an error.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --quiet

# Licences, sources, duplicates and advisories of all dependencies, as deny.toml says; or some: bans licenses sources.
deny *CHECKS:
    ci/deny "$@"

# ShellCheck on the scripts of this project.
lint-scripts:
    ci/lint-scripts

# actionlint on .github/workflows; needs github.com once.
lint-workflows:
    ci/lint-workflows

# The migrations of both engines are alike: as structure, row by row, and as the golden files say.
schema-parity:
    ci/schema-parity

# The same schemas, with sqlx's own command-line tool in place of the node.
schema-parity-sqlx:
    ci/schema-parity --sqlx

# Writes the golden files in migrations/schema, whether or not the sides agree.
schema-golden:
    ci/schema-parity --golden

# Both engines answer every hot query from its index and touch few rows, on 100,000 operations.
plan-parity:
    ci/plan-parity

# Lints the SQL of both dialects.
lint-sql:
    ci/sql-lint lint

# Formats the SQL of both dialects.
format-sql:
    ci/sql-lint format

# Regenerates the compile-time query metadata of both engines.
sqlx-prepare:
    ci/sqlx-prepare

# Fails when the committed query metadata is stale.
sqlx-check:
    ci/sqlx-prepare --check

# Does a test fail when the Rust of an engine crate (postgres, sqlite) is wrong? SHARD=k/n tries every nth mutant.
mutants ENGINE *ARGS:
    ci/mutants rust "$@"

# The same for its SQL.
sql-mutants ENGINE *ARGS:
    ci/mutants sql "$@"

# mutants and sql-mutants of what has changed in storage/ENGINE since the branch left BASE, uncommitted changes included.
mutants-in-diff ENGINE BASE="main":
    ci/mutants-in-diff "$@"

# Makes the embedded database at its default path (see `just db-path`).
db-init-sqlite *ARGS:
    cargo run -q -p neoprism-node -- db migrate --db-backend sqlite "$@"

# An empty, migrated SQLite file for a release, the same bytes each time, and its checksum: target/release-sqlite.
release-sqlite:
    ci/release-sqlite

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

# Archives the database that the environment (NPRISM_DB_BACKEND, NPRISM_DB_URL, …) names.
db-backup FILE *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    file=$1; shift
    cargo run -q --release -p neoprism-node -- backup --output "$file" "$@"

# Restores an archive into the database that the environment names, which has to be empty.
db-restore FILE *ARGS:
    #!/usr/bin/env bash
    set -euo pipefail
    file=$1; shift
    cargo run -q --release -p neoprism-node -- restore --input "$file" "$@"

# Backup and restore beside the engines' own tools at 100,000 operations, or so many; `lookups` for the hot look-ups, `sources` for reading a ledger.
bench *WHAT:
    cargo run -q --release -p node-bench -- "$@"

# Stops and removes the PostgreSQL server that tests have started.
db-test-down:
    cargo run -q -p test-databases -- down
