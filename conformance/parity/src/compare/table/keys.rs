//! Primary and foreign keys.

use std::collections::BTreeSet;

use super::Pair;
use crate::compare::{Collector, shown};
use crate::difference::Severity;
use crate::model::{ForeignKey, Index, Schema, Table};

impl Pair<'_> {
    pub(super) fn primary_key(&self, collector: &mut Collector<'_>) {
        let (ours, theirs) = (&self.postgres.primary_key, &self.sqlite.primary_key);
        let columns = |key: &Option<crate::model::Key>| key.as_ref().map(|key| key.columns.clone()).unwrap_or_default();
        let (a, b) = (columns(ours), columns(theirs));
        let lower = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
        let object = format!("primary key of {}", self.key);
        let replaced = |names: &[String], table: &Table| names.is_empty() || has_unique(table, &lower(names));
        if lower(&a) != lower(&b) && replaced(&a, self.sqlite) && replaced(&b, self.postgres) {
            let text = |names: &[String]| {
                if names.is_empty() {
                    "UNIQUE".to_owned()
                } else {
                    format!("({})", names.join(", "))
                }
            };
            let names = a.iter().chain(&b).cloned().collect();
            let meaning = "a unique constraint on the other side refuses the same rows";
            let draft = self.draft(
                format!("primary_key.{}", self.key),
                object,
                text(&a),
                text(&b),
                meaning,
                names,
            );
            let group = "primary keys that are unique constraints on the other side".to_owned();
            collector.add(Severity::Note, draft, Some(group));
        } else if lower(&a) != lower(&b) {
            let same_set = lower(&a).iter().collect::<BTreeSet<_>>() == lower(&b).iter().collect::<BTreeSet<_>>();
            let meaning = match (a.is_empty(), b.is_empty()) {
                (true, _) => "PostgreSQL takes rows that SQLite refuses as duplicates",
                (_, true) => "SQLite takes rows that PostgreSQL refuses as duplicates",
                _ if same_set => "the key's index serves other queries",
                _ => "rows are duplicates on one engine and not on the other",
            };
            let names = a.iter().chain(&b).cloned().collect();
            let text = |names: &[String]| {
                if names.is_empty() {
                    String::new()
                } else {
                    format!("({})", names.join(", "))
                }
            };
            let mut draft = self.draft(
                format!("primary_key.{}", self.key),
                object,
                text(&a),
                text(&b),
                meaning,
                names,
            );
            draft.postgres_origin = ours.as_ref().and_then(|key| shown(key.origin.as_ref()));
            collector.drift(draft);
        } else if let Some(key) = theirs.as_ref().filter(|key| !key.nullable.is_empty()) {
            let names = key.nullable.join(", ");
            let draft = self.draft(
                format!("primary_key.{}.null", self.key),
                object,
                format!("({names}) NOT NULL"),
                format!("({names}) takes NULL"),
                "PostgreSQL refuses NULL in a key, SQLite stores it, several times",
                key.nullable.clone(),
            );
            collector.add(
                Severity::Drift,
                draft,
                Some("keys that take NULL on SQLite, for want of NOT NULL".to_owned()),
            );
        }
    }

    pub(super) fn foreign_keys(&self, collector: &mut Collector<'_>) {
        let parent = |key: &ForeignKey| {
            self.tables
                .get(&key.parent)
                .cloned()
                .unwrap_or_else(|| key.parent.clone())
        };
        let side = |names: &[String]| names.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>();
        // The order in which the pairs of columns are listed means nothing.
        let ends = |key: &ForeignKey, parent: &str| {
            let mut pairs: Vec<_> = side(&key.columns).into_iter().zip(side(&key.parent_columns)).collect();
            pairs.sort();
            (pairs, parent.to_lowercase())
        };
        let mut left: Vec<&ForeignKey> = Vec::new();
        for key in &self.sqlite.foreign_keys {
            // Twice the same key changes nothing.
            if !left
                .iter()
                .any(|other| ends(other, &other.parent) == ends(key, &key.parent))
            {
                left.push(key);
            }
        }
        let mut seen = BTreeSet::new();
        for key in &self.postgres.foreign_keys {
            let own = ends(key, &parent(key));
            if !seen.insert(own.clone()) {
                continue;
            }
            let exact = left.iter().position(|other| ends(other, &other.parent) == own);
            let similar = exact.or_else(|| left.iter().position(|other| side(&other.columns) == side(&key.columns)));
            let counterpart = similar.map(|at| left.remove(at));
            self.foreign_key(collector, key, counterpart, exact.is_some());
        }
        for key in left {
            let columns = key.columns.join(", ");
            if !self.has_columns(&key.columns) {
                continue;
            }
            let mut draft = self.draft(
                format!("foreign_key.{}({columns})", self.key),
                format!("foreign key {}({columns})", self.key),
                "",
                key_text(key, &key.parent),
                "SQLite refuses rows without a parent, PostgreSQL takes them",
                key.columns.clone(),
            );
            draft.postgres_origin = None;
            draft.sqlite_origin = shown(key.origin.as_ref());
            if let Some(reason) = &key.dangling {
                draft.meaning = format!("SQLite refuses every write: {reason}");
                draft.concerns = parent_names(key);
            }
            let group = has_no_foreign_key(collector.postgres.schema)
                .then(|| "foreign keys, of which PostgreSQL has none at all".to_owned());
            collector.add(Severity::Drift, draft, group);
        }
    }

    fn foreign_key(&self, collector: &mut Collector<'_>, key: &ForeignKey, other: Option<&ForeignKey>, exact: bool) {
        if !self.has_columns(&key.columns) {
            return;
        }
        let columns = key.columns.join(", ");
        let parent = self.tables.get(&key.parent).unwrap_or(&key.parent);
        let mut draft = self.draft(
            format!("foreign_key.{}({columns})", self.key),
            format!("foreign key {}({columns})", self.key),
            key_text(key, &key.parent),
            other.map(|other| key_text(other, &other.parent)).unwrap_or_default(),
            "",
            key.columns.clone(),
        );
        draft.postgres_origin = shown(key.origin.as_ref());
        draft.sqlite_origin = other.map_or_else(|| draft.sqlite_origin.clone(), |other| shown(other.origin.as_ref()));
        let meaning = match other {
            None => "PostgreSQL refuses rows without a parent, SQLite takes them".to_owned(),
            Some(other) if other.dangling.is_some() => {
                format!(
                    "SQLite refuses every write: {}",
                    other.dangling.clone().unwrap_or_default()
                )
            }
            Some(_) if !exact => "the key refers to other rows".to_owned(),
            Some(other) if key.on_delete != other.on_delete => {
                format!(
                    "to delete a parent does {} on PostgreSQL and {} on SQLite",
                    key.on_delete, other.on_delete
                )
            }
            Some(other) if key.on_update != other.on_update => {
                format!(
                    "to change a parent's key does {} on PostgreSQL and {} on SQLite",
                    key.on_update, other.on_update
                )
            }
            Some(other) if key.deferred != other.deferred => {
                "one engine checks it with each statement, the other at the end of the transaction".to_owned()
            }
            Some(_) if key.match_full && key.columns.len() > 1 => {
                "PostgreSQL refuses a key of which only a part is NULL, SQLite takes it".to_owned()
            }
            Some(_) => return,
        };
        // The parent is reported missing for itself.
        if other.is_none() && !collector.sqlite.schema.tables.contains_key(parent) {
            return;
        }
        draft.meaning = meaning;
        if let Some(dangling) = other.filter(|other| other.dangling.is_some()) {
            draft.concerns = parent_names(dangling);
        }
        let group = has_no_foreign_key(collector.sqlite.schema)
            .then(|| "foreign keys, of which SQLite has none at all".to_owned());
        collector.add(Severity::Drift, draft, group);
    }
}

/// What a statement that explains a key without a parent names.
fn parent_names(key: &ForeignKey) -> Vec<String> {
    vec![key.parent.to_lowercase()]
}

/// Whether a side does without foreign keys, which is one decision and not one for each key.
fn has_no_foreign_key(schema: &Schema) -> bool {
    schema.tables.values().all(|table| table.foreign_keys.is_empty())
}

/// Whether no two rows of a table can have the same values of these columns, by an index of their own.
fn has_unique(table: &Table, columns: &[String]) -> bool {
    let is_unique = |index: &Index| {
        let own: BTreeSet<String> = index.columns.iter().map(|column| column.text.to_lowercase()).collect();
        index.unique && index.predicate.is_none() && own.iter().eq(columns.iter().collect::<BTreeSet<_>>())
    };
    table.indexes.iter().any(is_unique)
}

fn key_text(key: &ForeignKey, parent: &str) -> String {
    let mut text = format!("→ {parent}({})", key.parent_columns.join(", "));
    for (event, action) in [("DELETE", &key.on_delete), ("UPDATE", &key.on_update)] {
        if action != "NO ACTION" {
            text = format!("{text} ON {event} {action}");
        }
    }
    if key.match_full {
        text += " MATCH FULL";
    }
    if key.deferred {
        text += " DEFERRED";
    }
    text
}
