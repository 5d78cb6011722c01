//! Outcomes in files: those of cargo-mutants, to be judged in the same way, and our own, to be judged again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Error, Outcome, Result, Tested};

/// Reads the `outcomes.json` of several runs of cargo-mutants, of shards or one after the other: a mutant is killed where
/// one of them killed it. The last of the runs has to have come to its end. The version of cargo-mutants comes with them.
///
/// A name says what changes in which function and not at which line, so that it outlives changes elsewhere in the file.
///
/// # Errors
/// `Content` for a file that is none, for a last run that ended early, and for one whose unchanged tests failed.
pub fn cargo_mutants_outcomes(files: &[PathBuf]) -> Result<(String, Vec<Tested>)> {
    let mut version = String::new();
    let mut places: BTreeMap<(String, u64, u64, String), Outcome> = BTreeMap::new();
    for file in files {
        let wrong = |detail: &str| Error::content(file, detail);
        let text = std::fs::read_to_string(file).map_err(Error::io(format!("read {}", file.display())))?;
        let run: Value = serde_json::from_str(&text).map_err(|error| wrong(&format!("not JSON: {error}")))?;
        run["cargo_mutants_version"]
            .as_str()
            .unwrap_or("")
            .clone_into(&mut version);
        if run["end_time"].is_null() && Some(file) == files.last() {
            return Err(wrong("the run did not end; run it again with --iterate"));
        }
        let outcomes = run["outcomes"].as_array().ok_or_else(|| wrong("no outcomes"))?;
        for outcome in outcomes {
            let summary = outcome["summary"].as_str().unwrap_or("");
            let mutant = &outcome["scenario"]["Mutant"];
            if mutant.is_null() {
                if summary != "Success" {
                    return Err(wrong("the tests fail without any mutant"));
                }
                continue;
            }
            let outcome = match summary {
                "CaughtMutant" | "Timeout" => Outcome::Killed,
                "MissedMutant" => Outcome::Survived,
                "Unviable" => Outcome::Unviable(String::new()),
                other => return Err(wrong(&format!("unknown outcome {other:?}"))),
            };
            let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
            let start = &mutant["span"]["start"];
            let number = |value: &Value| value.as_u64().unwrap_or(0);
            let (line, column) = (number(&start["line"]), number(&start["column"]));
            let name = text(&mutant["name"]);
            let path = text(&mutant["file"]);
            let description = name
                .strip_prefix(&format!("{path}:{line}:{column}: "))
                .ok_or_else(|| wrong(&format!("the name {name:?} does not start with its place")))?;
            let key = (path, line, column, description.to_owned());
            match places.get(&key) {
                Some(Outcome::Killed) => {}
                _ => {
                    places.insert(key, outcome);
                }
            }
        }
    }
    let mut numbers: BTreeMap<(String, String), usize> = BTreeMap::new();
    let tested = places
        .into_iter()
        .map(|((file, _, _, description), outcome)| {
            let number = numbers.entry((file.clone(), description.clone())).or_default();
            *number += 1;
            let mut name = format!("{file}: {description}");
            if *number > 1 {
                name = format!("{name} (number {number})");
            }
            Tested { file, name, outcome }
        })
        .collect();
    Ok((version, tested))
}

/// Writes the outcomes of a run, and lines about it.
///
/// # Errors
/// `Io` where the file can't be written.
pub fn write_outcomes(file: &Path, about: &[String], tested: &[Tested]) -> Result<()> {
    let outcomes: Vec<Value> = tested
        .iter()
        .map(|tested| {
            let (outcome, reason) = match &tested.outcome {
                Outcome::Killed => ("killed", None),
                Outcome::Survived => ("survived", None),
                Outcome::Unviable(reason) => ("unviable", Some(reason)),
            };
            json!({"file": tested.file, "name": tested.name, "outcome": outcome, "reason": reason})
        })
        .collect();
    let content = json!({"about": about, "outcomes": outcomes}).to_string();
    std::fs::write(file, content).map_err(Error::io(format!("write {}", file.display())))
}

/// Reads what [`write_outcomes`] wrote, of several runs that share the mutants.
///
/// # Errors
/// `Content` for a file that is none.
pub fn read_outcomes(files: &[PathBuf]) -> Result<(Vec<String>, Vec<Tested>)> {
    let mut about = Vec::new();
    let mut tested = Vec::new();
    for file in files {
        let wrong = |detail: &str| Error::content(file, detail);
        let text = std::fs::read_to_string(file).map_err(Error::io(format!("read {}", file.display())))?;
        let run: Value = serde_json::from_str(&text).map_err(|error| wrong(&format!("not JSON: {error}")))?;
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong("no outcomes"));
        let list = |value: &Value| value.as_array().cloned().ok_or_else(|| wrong("no outcomes"));
        about = list(&run["about"])?.iter().map(text).collect::<Result<_>>()?;
        for outcome in list(&run["outcomes"])? {
            tested.push(Tested {
                file: text(&outcome["file"])?,
                name: text(&outcome["name"])?,
                outcome: match text(&outcome["outcome"])?.as_str() {
                    "killed" => Outcome::Killed,
                    "survived" => Outcome::Survived,
                    "unviable" => Outcome::Unviable(text(&outcome["reason"])?),
                    other => return Err(wrong(&format!("unknown outcome {other:?}"))),
                },
            });
        }
    }
    Ok((about, tested))
}
