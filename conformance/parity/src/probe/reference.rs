//! The foreign keys of a table, as both sides have them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ForeignKey, Table};

/// A foreign key of either side, or of both.
pub(super) struct Reference {
    /// In lower case.
    pub(super) columns: Vec<String>,
    /// As the catalog spells them.
    pub(super) spelled: Vec<String>,
    /// PostgreSQL's name of the table.
    pub(super) parent: String,
    /// In lower case.
    pub(super) parent_columns: Vec<String>,
    /// The columns that both sides take NULL in: with one of them NULL the row refers to nothing.
    pub(super) nullable: Vec<String>,
    /// Whether each side that has it checks it at the end of the transaction.
    pub(super) deferred: bool,
    /// Whether the first side that has it checks it with the statement.
    at_once: bool,
}

impl Reference {
    pub(super) fn is_checked_at_once(&self) -> bool {
        self.at_once
    }

    /// Whether a row can do without the row that it refers to.
    pub(super) fn can_be_left_open(&self) -> bool {
        self.deferred || !self.nullable.is_empty()
    }
}

/// The foreign keys of both sides, each once.
pub(super) fn references(postgres: &Table, sqlite: &Table, by_sqlite: &BTreeMap<&str, &str>) -> Vec<Reference> {
    let lower = |names: &[String]| -> Vec<String> { names.iter().map(|name| name.to_lowercase()).collect() };
    let takes_null = |name: &&String| {
        let of_sides = [postgres.column(name), sqlite.column(name)];
        of_sides.into_iter().flatten().all(|column| !column.not_null)
    };
    let reference = |key: &ForeignKey, parent: &str| {
        let columns = lower(&key.columns);
        Reference {
            nullable: columns.iter().filter(takes_null).cloned().collect(),
            columns,
            spelled: key.columns.clone(),
            parent: parent.to_owned(),
            parent_columns: lower(&key.parent_columns),
            deferred: key.deferred,
            at_once: !key.deferred,
        }
    };
    let mut references: Vec<Reference> = Vec::new();
    for key in &postgres.foreign_keys {
        references.push(reference(key, &key.parent));
    }
    for key in &sqlite.foreign_keys {
        let parent = by_sqlite.get(key.parent.as_str()).copied().unwrap_or(&key.parent);
        let new = reference(key, parent);
        let known = references
            .iter_mut()
            .find(|known| known.parent == new.parent && pairs(known).eq(pairs(&new)));
        match known {
            Some(known) => known.deferred &= new.deferred,
            None => references.push(new),
        }
    }
    references
}

/// Which column refers to which, in any order.
fn pairs(reference: &Reference) -> impl Iterator<Item = (&String, &String)> {
    let pairs: BTreeSet<_> = reference.columns.iter().zip(&reference.parent_columns).collect();
    pairs.into_iter()
}
