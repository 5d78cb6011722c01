//! The report for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::compare::Comparison;
use crate::difference::{Difference, Severity};
use crate::engine::Engine;
use crate::plan::Plans;
use crate::probe::{Disagreement, Outcome, Probes};
use crate::side::Loaded;

/// How many objects a group names before it only counts them.
const NAMED: usize = 6;

/// The report as text: drifts first, one line each or one a convention, with both texts and where they come from.
#[must_use]
pub fn text(comparison: &Comparison, postgres: &Loaded, sqlite: &Loaded, verbose: bool) -> String {
    let mut out = String::new();
    for loaded in [postgres, sqlite] {
        let engine = loaded.schema.engine;
        let (schema, rows): (Vec<_>, Vec<_>) = loaded
            .schema
            .failures
            .iter()
            .partition(|failure| failure.changes_schema || verbose);
        for failure in schema {
            line(
                &mut out,
                &format!("failed  {engine}  {}: {}", failure.origin, failure.error),
            );
            line(&mut out, &format!("        {}", failure.statement));
        }
        if let [first, ..] = rows.as_slice() {
            let count = rows.len();
            line(
                &mut out,
                &format!(
                    "failed  {engine}  {count} × statements that only change rows: {}: {}",
                    first.origin, first.error
                ),
            );
        }
    }
    for entry in &comparison.stale {
        line(&mut out, &format!("stale   {entry}"));
    }
    groups(&mut out, "drift ", &comparison.drifts, verbose);
    if verbose {
        groups(&mut out, "unjudged", &comparison.unjudged, verbose);
        groups(&mut out, "note  ", &comparison.notes, verbose);
        for loaded in [postgres, sqlite] {
            for skipped in &loaded.schema.skipped {
                line(&mut out, &format!("not run {}  {skipped}", loaded.schema.engine));
            }
            for (kind, names) in others(loaded) {
                line(
                    &mut out,
                    &format!("apart   {}  {kind}: {}", loaded.schema.engine, names.join(", ")),
                );
            }
        }
    } else {
        note_lines(&mut out, &comparison.notes);
    }
    for loaded in [postgres, sqlite] {
        if !loaded.schema.runner_tables.is_empty() {
            let names = loaded.schema.runner_tables.join(", ");
            line(
                &mut out,
                &format!(
                    "left out {}  tables of the migration runner: {names}",
                    loaded.schema.engine
                ),
            );
        }
    }
    summary(&mut out, comparison, postgres, sqlite);
    out
}

/// What the probes found as text: one line a kind of row, with the columns' names.
#[must_use]
pub fn probes(probes: &Probes, verbose: bool) -> String {
    let mut out = String::new();
    let differences = |found: &[Disagreement], severity| -> Vec<Difference> {
        found.iter().map(|one| of_rows(one, severity)).collect()
    };
    let (drifts, notes) = (
        differences(&probes.disagreements, Severity::Drift),
        differences(&probes.notes, Severity::Note),
    );
    groups(&mut out, "drift ", &drifts, verbose);
    for entry in &probes.stale {
        line(&mut out, &format!("stale   {entry}"));
    }
    let mut unprobed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for table in &probes.unprobed {
        unprobed.entry(&table.reason).or_default().push(&table.table);
    }
    for (reason, tables) in unprobed {
        line(&mut out, &format!("unprobed  {}: {reason}", named(&tables, verbose)));
    }
    if verbose {
        groups(&mut out, "note  ", &notes, verbose);
    } else {
        note_lines(&mut out, &notes);
    }
    // Writing to a String can't fail.
    let _ = writeln!(
        out,
        "{} rows tried: {} disagreements in {} lines, {} notes, {} allowed, {} tables without probes",
        probes.tried,
        drifts.len(),
        grouped(&drifts).len(),
        notes.len(),
        probes.allowed.len() + probes.allowed_unprobed.len(),
        probes.unprobed.len(),
    );
    out
}

/// The report of plans: each problem with the plan that has it.
#[must_use]
pub fn plans(plans: &Plans) -> String {
    let mut out = String::new();
    for finding in &plans.findings {
        let scenario = finding
            .scenario
            .as_ref()
            .map(|name| format!(" ({name})"))
            .unwrap_or_default();
        line(
            &mut out,
            &format!("{}  {}{scenario}: {}", finding.engine, finding.query, finding.problem),
        );
        for step in &finding.plan {
            line(&mut out, &format!("        {step}"));
        }
    }
    line(
        &mut out,
        &format!("{} plans read: {} problems", plans.read, plans.findings.len()),
    );
    out
}

/// A disagreement on a row, as a difference.
fn of_rows(disagreement: &Disagreement, severity: Severity) -> Difference {
    let outcome = |outcome: &Outcome| match outcome {
        Outcome::Accepted => "accepted".to_owned(),
        Outcome::Refused(reason) => format!("refused: {reason}"),
    };
    let meaning = if disagreement.postgres == Outcome::Accepted {
        "PostgreSQL takes the row, SQLite refuses it"
    } else {
        "PostgreSQL refuses the row, SQLite takes it"
    };
    Difference {
        key: disagreement.key.clone(),
        severity,
        object: disagreement.probe.clone(),
        postgres: Some(outcome(&disagreement.postgres)),
        sqlite: Some(outcome(&disagreement.sqlite)),
        postgres_origin: None,
        sqlite_origin: None,
        meaning: meaning.to_owned(),
        group: Some(disagreement.kind.clone()),
        concerns: Vec::new(),
    }
}

/// The names, or the first of them.
fn named(names: &[impl AsRef<str>], verbose: bool) -> String {
    let shown = if verbose { names.len() } else { NAMED };
    let mut list: Vec<&str> = names.iter().take(shown).map(AsRef::as_ref).collect();
    let rest = format!("… (--verbose or --json names all {})", names.len());
    if names.len() > shown {
        list.push(&rest);
    }
    list.join(", ")
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}

fn others(loaded: &Loaded) -> BTreeMap<&str, Vec<&str>> {
    let mut all: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for other in &loaded.schema.others {
        all.entry(&other.kind).or_default().push(&other.name);
    }
    all
}

/// Differences in their order; those of a group together, at the place of its first.
fn grouped(differences: &[Difference]) -> Vec<Vec<&Difference>> {
    let mut groups: Vec<Vec<&Difference>> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for difference in differences {
        let Some(group) = &difference.group else {
            groups.push(vec![difference]);
            continue;
        };
        if let Some(group) = places
            .get(&(group.as_str(), difference.meaning.as_str()))
            .and_then(|at| groups.get_mut(*at))
        {
            group.push(difference);
        } else {
            places.insert((group, &difference.meaning), groups.len());
            groups.push(vec![difference]);
        }
    }
    groups
}

fn groups(out: &mut String, word: &str, differences: &[Difference], verbose: bool) {
    for group in grouped(differences) {
        match group.as_slice() {
            [] => {}
            [one] => single(out, word, one),
            [first, ..] => {
                let name = first.group.as_deref().unwrap_or_default();
                let objects: Vec<String> = group.iter().map(|difference| short(difference)).collect();
                line(out, &format!("{word}  {} × {name}: {}", group.len(), first.meaning));
                line(out, &format!("        {}", named(&objects, verbose)));
            }
        }
    }
}

/// The name without its kind, and without what the group says.
fn short(difference: &Difference) -> String {
    let object = &difference.object;
    let object = object
        .strip_prefix("column ")
        .or_else(|| object.strip_prefix("primary key of "))
        .unwrap_or(object);
    let group = difference.group.as_deref().unwrap_or_default();
    let case = object.strip_suffix(group).and_then(|object| object.strip_suffix(": "));
    case.unwrap_or(object).to_owned()
}

fn single(out: &mut String, word: &str, difference: &Difference) {
    line(out, &format!("{word}  {}: {}", difference.object, difference.meaning));
    let side = |text: &Option<String>, origin: &Option<String>| {
        let text = text.as_deref().unwrap_or("–");
        match origin {
            Some(origin) => format!("{text}   [{origin}]"),
            None => text.to_owned(),
        }
    };
    line(
        out,
        &format!(
            "        PostgreSQL  {}",
            side(&difference.postgres, &difference.postgres_origin)
        ),
    );
    line(
        out,
        &format!(
            "        SQLite      {}",
            side(&difference.sqlite, &difference.sqlite_origin)
        ),
    );
}

fn note_lines(out: &mut String, notes: &[Difference]) {
    for group in grouped(notes) {
        if let [first, ..] = group.as_slice() {
            let name = first.group.as_deref().unwrap_or(&first.object);
            line(out, &format!("note    {} × {name}: {}", group.len(), first.meaning));
        }
    }
}

fn summary(out: &mut String, comparison: &Comparison, postgres: &Loaded, sqlite: &Loaded) {
    for loaded in [postgres, sqlite] {
        let schema = &loaded.schema;
        // Writing to a String can't fail.
        let _ = writeln!(
            out,
            "{}: {}, {}, {} from {}",
            schema.engine,
            counted(schema.tables.len(), "table"),
            counted(schema.views.len(), "view"),
            counted(schema.triggers.len(), "trigger"),
            loaded.shown,
        );
    }
    let verdict = if comparison.incomplete {
        let of = |engine: Engine| {
            let loaded = if engine == Engine::Postgres { postgres } else { sqlite };
            loaded
                .schema
                .failures
                .iter()
                .filter(|failure| failure.changes_schema)
                .count()
        };
        format!(
            "incomplete: {} of PostgreSQL and {} of SQLite failed; not judged: {} that they may explain",
            counted(of(Engine::Postgres), "statement"),
            of(Engine::Sqlite),
            counted(comparison.unjudged.len(), "difference"),
        )
    } else if comparison.is_alike() {
        "alike".to_owned()
    } else {
        "not alike".to_owned()
    };
    let _ = writeln!(
        out,
        "{verdict}: {} in {}, {}, {} allowed, {}",
        counted(comparison.drifts.len(), "drift"),
        counted(grouped(&comparison.drifts).len(), "line"),
        counted(comparison.notes.len(), "note"),
        comparison.allowed.len(),
        if comparison.stale.len() == 1 {
            "1 stale entry".to_owned()
        } else {
            format!("{} stale entries", comparison.stale.len())
        },
    );
}

/// `1 table`, `2 tables`.
fn counted(count: usize, thing: &str) -> String {
    if count == 1 {
        format!("1 {thing}")
    } else {
        format!("{count} {thing}s")
    }
}
