//! A run is right where its score is reached and exactly the listed mutants survive.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::fs;

use sql_mutants::{Judgement, Outcome, Survivors, Tested, cargo_mutants_outcomes, read_outcomes, write_outcomes};

fn tested(name: &str, outcome: Outcome) -> Tested {
    Tested {
        file: "src/a.rs".to_owned(),
        name: format!("src/a.rs {name}"),
        outcome,
    }
}

/// 19 killed ones, one that survives, and one that is not viable.
fn run() -> Vec<Tested> {
    let mut all: Vec<Tested> = (10..29)
        .map(|number| tested(&format!("killed {number}"), Outcome::Killed))
        .collect();
    all.push(tested("survivor", Outcome::Survived));
    all.push(tested("broken", Outcome::Unviable("no such column".to_owned())));
    all
}

fn survivors(text: &str) -> Survivors {
    Survivors::parse(text).unwrap()
}

#[test]
fn listed_survivor_and_reached_score_are_right() {
    let known = survivors("# comment\n\nsrc/a.rs survivor\n    It means\n    the same.\n");
    let judgement = Judgement::new(run(), known, 95.0, true);
    assert_eq!(judgement.problems(), Vec::<String>::new());
    assert_eq!(
        judgement.summary(),
        "21 mutants: 1 not viable, 0 equivalent, 19 killed, 1 survived; score 95.0 % (95.0 % with the equivalent ones)"
    );
    let report = judgement.report("Title", &["a tool 1.0".to_owned()]);
    assert_eq!(
        report,
        "# Title\n\n- a tool 1.0\n\
         - 21 mutants: 1 not viable, 0 equivalent, 19 killed, 1 survived; score 95.0 % (95.0 % with the equivalent ones)\n\n\
         | File | Mutants | Not viable | Equivalent | Killed | Survived | Score |\n|---|---:|---:|---:|---:|---:|---:|\n\
         | src/a.rs | 21 | 1 | 0 | 19 | 1 | 95.0 % |\n| **all** | 21 | 1 | 0 | 19 | 1 | 95.0 % |\n\n\
         ## Survivors\n\n- src/a.rs survivor\n  It means the same.\n\n## Not viable\n\n- src/a.rs broken (no such column)\n"
    );
}

#[test]
fn equivalent_mutant_does_not_count_in_the_score() {
    let known = survivors("src/a.rs survivor\n  Equivalent: it means the same.\n");
    let judgement = Judgement::new(run(), known, 100.0, true);
    assert_eq!(judgement.problems(), Vec::<String>::new());
    assert_eq!(
        judgement.summary(),
        "21 mutants: 1 not viable, 1 equivalent, 19 killed, 0 survived; score 100.0 % (95.0 % with the equivalent ones)"
    );
}

#[test]
fn outcomes_are_read_as_they_were_written() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("outcomes");
    let about = vec!["a tool 1.0".to_owned()];
    write_outcomes(&file, &about, &run()).unwrap();
    assert_eq!(read_outcomes(&[file]).unwrap(), (about, run()));
}

#[test]
fn order_of_the_outcomes_does_not_matter() {
    let mut reversed = run();
    reversed.reverse();
    let report = |run| Judgement::new(run, Survivors::default(), 95.0, true).report("Title", &[]);
    assert_eq!(report(run()), report(reversed));
}

#[test]
fn survivor_without_a_reason_is_wrong_even_where_the_score_is_reached() {
    for is_complete in [true, false] {
        let judgement = Judgement::new(run(), Survivors::default(), 95.0, is_complete);
        assert_eq!(judgement.problems(), ["survived without a reason: src/a.rs survivor"]);
    }
}

#[test]
fn listed_mutant_that_is_killed_or_gone_is_wrong_where_all_were_tried() {
    let text = "src/a.rs survivor\n  x\nsrc/a.rs killed 10\n  x\nsrc/a.rs gone\n  x\n";
    let problems = Judgement::new(run(), survivors(text), 95.0, true).problems();
    assert_eq!(
        problems,
        [
            "listed as a survivor, and is none: src/a.rs gone",
            "listed as a survivor, and is none: src/a.rs killed 10"
        ]
    );
    assert_eq!(
        Judgement::new(run(), survivors(text), 95.0, false).problems(),
        Vec::<String>::new()
    );
}

#[test]
fn score_below_the_line_is_wrong_where_all_were_tried() {
    let known = || survivors("src/a.rs survivor\n  x\n");
    let problems = Judgement::new(run(), known(), 95.1, true).problems();
    assert_eq!(problems, ["the score is below 95.1 %"]);
    assert_eq!(
        Judgement::new(run(), known(), 95.1, false).problems(),
        Vec::<String>::new()
    );
}

#[test]
fn survivors_file_has_each_name_once_and_a_reason_for_it() {
    for (text, error) in [
        ("a\n", "a has no reason"),
        ("a\nb\n  x\n", "a has no reason"),
        ("a\n  x\na\n  y\n", "a is listed twice"),
        ("  x\n", "a reason stands before the first name"),
    ] {
        assert_eq!(Survivors::parse(text).unwrap_err(), error);
    }
}

fn outcomes(summary: &str, end: &str) -> String {
    format!(
        r#"{{"cargo_mutants_version": "27.1.0", "end_time": {end}, "outcomes": [
            {{"scenario": "Baseline", "summary": "Success"}},
            {{"scenario": {{"Mutant": {{"name": "src/a.rs:3:5: replace f with ()", "file": "src/a.rs",
               "span": {{"start": {{"line": 3, "column": 5}}}}}}}}, "summary": "{summary}"}},
            {{"scenario": {{"Mutant": {{"name": "src/a.rs:9:5: replace f with ()", "file": "src/a.rs",
               "span": {{"start": {{"line": 9, "column": 5}}}}}}}}, "summary": "Unviable"}}]}}"#
    )
}

#[test]
fn mutant_is_killed_where_one_of_several_runs_of_cargo_mutants_killed_it() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, content: String| {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let missed = write("missed", outcomes("MissedMutant", "1"));
    let killed = write("killed", outcomes("CaughtMutant", "1"));
    let names = ["src/a.rs: replace f with ()", "src/a.rs: replace f with () (number 2)"];
    for (files, first) in [
        (vec![missed.clone()], Outcome::Survived),
        (vec![missed.clone(), killed.clone()], Outcome::Killed),
        (vec![killed, missed], Outcome::Killed),
    ] {
        let (version, tested) = cargo_mutants_outcomes(&files).unwrap();
        assert_eq!(version, "27.1.0");
        let found: Vec<_> = tested.into_iter().map(|tested| (tested.name, tested.outcome)).collect();
        let second = Outcome::Unviable(String::new());
        assert_eq!(found, [(names[0].to_owned(), first), (names[1].to_owned(), second)]);
    }
    let early = write("early", outcomes("CaughtMutant", "null"));
    let error = cargo_mutants_outcomes(&[early]).unwrap_err();
    assert!(error.to_string().contains("did not end"), "{error}");
}
