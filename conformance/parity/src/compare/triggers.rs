//! Triggers: what runs before or after which change. What their bodies do is not compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::difference::Severity;
use crate::engine::Engine;
use crate::model::Trigger;

use super::{Collector, Draft, shown};

pub(super) fn compare(collector: &mut Collector<'_>, pairs: &BTreeMap<String, String>) {
    let (postgres, sqlite) = (collector.postgres.schema, collector.sqlite.schema);
    // On tables of both sides: the triggers of a missing table are missing with it.
    let is_common = |name: &String| {
        (sqlite.tables.contains_key(name) || sqlite.views.contains_key(name)) && pairs.values().any(|pair| pair == name)
    };
    let own_name = |trigger: &Trigger| {
        pairs
            .get(&trigger.table)
            .cloned()
            .unwrap_or_else(|| trigger.table.clone())
    };
    let ours: Vec<(String, &Trigger)> = postgres
        .triggers
        .iter()
        .filter(|trigger| !trigger.serves_search)
        .map(|trigger| (own_name(trigger), trigger))
        .filter(|(table, _)| is_common(table))
        .collect();
    let theirs: Vec<&Trigger> = sqlite
        .triggers
        .iter()
        .filter(|trigger| !trigger.serves_search && is_common(&trigger.table))
        .collect();
    let mut taken = BTreeSet::new();
    for (table, trigger) in &ours {
        // SQLite has one trigger an event: several of them may be the counterpart of one.
        let mut counterparts = Vec::new();
        for event in &trigger.events {
            let mut candidates: Vec<(usize, &&Trigger)> = theirs
                .iter()
                .enumerate()
                .filter(|(at, other)| !taken.contains(at) && other.table == *table && other.events.contains(event))
                .collect();
            candidates.sort_by_key(|(at, other)| {
                let named = other.name.eq_ignore_ascii_case(&trigger.name);
                (
                    !named,
                    other.timing != trigger.timing,
                    other.columns != trigger.columns,
                    *at,
                )
            });
            if let Some((at, other)) = candidates.first() {
                taken.insert(*at);
                counterparts.push(**other);
            }
        }
        let covered: BTreeSet<&String> = counterparts.iter().flat_map(|other| &other.events).collect();
        // SQLite has no TRUNCATE.
        let missing: Vec<&String> = trigger
            .events
            .iter()
            .filter(|event| !covered.contains(event) && *event != "TRUNCATE")
            .collect();
        if !missing.is_empty() || counterparts.is_empty() && !trigger.events.iter().all(|event| event == "TRUNCATE") {
            let events: Vec<&str> = missing.iter().map(|event| event.as_str()).collect();
            collector.drift(Draft {
                key: format!("trigger.{table}.{}", trigger.name),
                object: format!("trigger {} on {table}", trigger.name),
                postgres: Some(text(trigger)),
                sqlite: counterparts.first().map(|other| text(other)),
                postgres_origin: shown(trigger.origin.as_ref()),
                sqlite_origin: collector.lost(
                    Engine::Sqlite,
                    &[format!("trigger {}", trigger.name.to_lowercase())],
                    &[&trigger.name],
                ),
                meaning: format!("SQLite does nothing of its own on {}", events.join(" and ")),
                concerns: vec![table.clone(), trigger.name.to_lowercase()],
            });
            continue;
        }
        let differs = counterparts.iter().find(|other| {
            other.timing != trigger.timing
                || (other.columns != trigger.columns && other.events.iter().all(|event| event == "UPDATE"))
        });
        if let Some(other) = differs {
            // SQLite's BEFORE triggers can't change the row, so AFTER is the usual counterpart.
            let usual = trigger.timing == "BEFORE" && other.timing == "AFTER" && trigger.columns == other.columns;
            let draft = Draft {
                key: format!("trigger.{table}.{}", trigger.name),
                object: format!("trigger {} on {table}", trigger.name),
                postgres: Some(text(trigger)),
                sqlite: Some(text(other)),
                postgres_origin: shown(trigger.origin.as_ref()),
                sqlite_origin: shown(other.origin.as_ref()),
                meaning: "the triggers run at different times".to_owned(),
                concerns: vec![table.clone(), trigger.name.to_lowercase()],
            };
            if usual {
                let group = "triggers that run BEFORE on PostgreSQL and AFTER on SQLite".to_owned();
                collector.add(Severity::Note, draft, Some(group));
            } else {
                collector.drift(draft);
            }
        }
    }
    let left = theirs.iter().enumerate().filter(|(at, _)| !taken.contains(at));
    for (_, trigger) in left {
        only_on_sqlite(collector, trigger);
    }
}

fn only_on_sqlite(collector: &mut Collector<'_>, trigger: &Trigger) {
    collector.drift(Draft {
        key: format!("trigger.{}.{}", trigger.table, trigger.name),
        object: format!("trigger {} on {}", trigger.name, trigger.table),
        postgres: None,
        sqlite: Some(text(trigger)),
        postgres_origin: None,
        sqlite_origin: shown(trigger.origin.as_ref()),
        meaning: format!("PostgreSQL does nothing of its own on {}", trigger.events.join(" and ")),
        concerns: vec![trigger.table.clone(), trigger.name.to_lowercase()],
    });
}

fn text(trigger: &Trigger) -> String {
    let columns = if trigger.columns.is_empty() {
        String::new()
    } else {
        format!(" OF {}", trigger.columns.join(", "))
    };
    format!("{} {}{columns}", trigger.timing, trigger.events.join(" OR "))
}
