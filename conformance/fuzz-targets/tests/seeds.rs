//! Every committed seed keeps every promise, and the seeds are those that the targets make.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz_targets::{TARGETS, Target};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;

/// Set to write the seeds in place of comparing them.
const WRITE: &str = "FUZZ_WRITE_SEEDS";

/// Inputs that were found by a fuzzer, kept for good, begin with this.
const REGRESSION: &str = "regression-";

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// The committed inputs of a target, by file name.
fn committed(target: &Target) -> BTreeMap<String, Vec<u8>> {
    let directory = fuzz().join("seeds").join(target.name);
    let Ok(files) = fs::read_dir(directory) else {
        return BTreeMap::new();
    };
    files
        .map(|file| {
            let file = file.unwrap();
            (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())
        })
        .collect()
}

/// Says which input it is that breaks a promise.
fn check(target: &Target, name: &str, input: &[u8]) {
    let kept = catch_unwind(AssertUnwindSafe(|| (target.check)(input))).is_ok();
    assert!(kept, "{} {name}: {:?}", target.name, String::from_utf8_lossy(input));
}

#[test]
fn committed_seeds_are_those_that_the_targets_make() {
    let mut problems = Vec::new();
    for target in &TARGETS {
        let directory = fuzz().join("seeds").join(target.name);
        let made: BTreeMap<_, _> = (target.seeds)()
            .into_iter()
            .map(|seed| (seed.name, seed.bytes))
            .collect();
        assert!(!made.is_empty(), "{} has no seeds", target.name);
        if std::env::var_os(WRITE).is_some() {
            fs::create_dir_all(&directory).unwrap();
            for name in committed(target).keys().filter(|name| !name.starts_with(REGRESSION)) {
                fs::remove_file(directory.join(name)).unwrap();
            }
            for (name, bytes) in &made {
                fs::write(directory.join(name), bytes).unwrap();
            }
        }
        let mut found = committed(target);
        found.retain(|name, _| !name.starts_with(REGRESSION));
        if found != made {
            problems.push(target.name);
        }
    }
    assert!(
        problems.is_empty(),
        "the seeds of {problems:?} differ; `just fuzz-seeds` writes them"
    );
}

#[rstest]
#[case::accept_header("accept_header")]
#[case::archive_reader("archive_reader")]
#[case::database_url("database_url")]
#[case::envelope("envelope")]
#[case::ledger_line("ledger_line")]
#[case::long_form("long_form")]
#[case::protobuf("protobuf")]
#[case::query_options("query_options")]
#[case::state_machine("state_machine")]
fn seeds_and_what_is_near_them_keep_every_promise(#[case] name: &str) {
    /// Changed inputs for each seed.
    const NEAR: usize = 20;

    let target = target(name);
    let seeds = committed(target);
    assert!(!seeds.is_empty());
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for (file, seed) in &seeds {
        check(target, file, seed);
        for _ in 0..NEAR {
            check(target, &format!("near {file}"), &changed(seed, &mut random));
        }
    }
    check(target, "nothing", &[]);
}

/// The input with a few bytes changed, removed or added.
fn changed(seed: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..random.random_range(1..4_u32) {
        let length = u32::try_from(input.len()).unwrap();
        let place = usize::try_from(random.random_range(0..=length)).unwrap();
        let byte = random.random_range(0..=255_u8);
        match random.random_range(0..3_u32) {
            0 if place < input.len() => input[place] = byte,
            1 if place < input.len() => drop(input.remove(place)),
            _ => input.insert(place, byte),
        }
    }
    input
}

#[test]
fn each_target_has_a_binary_and_nothing_else_has() {
    let names: BTreeSet<_> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let binaries: BTreeSet<_> = manifest["bin"]
        .as_array()
        .unwrap()
        .iter()
        .map(|binary| binary["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(binaries, names);
    let directories: BTreeSet<_> = fs::read_dir(fuzz().join("seeds"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(directories, names);
}
