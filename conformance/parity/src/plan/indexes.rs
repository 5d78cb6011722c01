//! The indexes that a query relies on, under the names that the engines have for them.

use std::collections::BTreeSet;

use crate::model::Schema;

/// What an engine calls the indexes that `table(column, …)` or a name means.
pub(super) fn names(schema: &Schema, wanted: &str) -> Vec<String> {
    let Some((table, columns)) = wanted.trim_end_matches(')').split_once('(') else {
        return vec![wanted.to_lowercase()];
    };
    let plain = |text: &str| {
        text.chars()
            .filter(|c| !c.is_whitespace() && *c != '"')
            .collect::<String>()
            .to_lowercase()
    };
    let columns: Vec<String> = columns.split(',').map(plain).collect();
    let table = table.trim().to_lowercase();
    let Some(known) = schema.tables.get(&table) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let key = known
        .primary_key
        .as_ref()
        .map(|key| key.columns.iter().map(|name| plain(name)).collect::<Vec<_>>());
    if key.as_ref() == Some(&columns) {
        names.push(format!("primary key of {table}"));
        names.push(format!("{table}_pkey"));
        // SQLite numbers them with the unique constraints, in their order.
        names.extend(
            (1..=9)
                .map(|number| format!("sqlite_autoindex_{table}_{number}"))
                .filter(|name| !known.indexes.iter().any(|index| index.name.to_lowercase() == *name)),
        );
    }
    for index in &known.indexes {
        let own: Vec<String> = index.columns.iter().map(|column| plain(&column.text)).collect();
        if own == columns {
            names.push(index.name.to_lowercase());
        }
    }
    names
}

/// What is wrong where none of the wanted index's names is among those that a plan uses.
pub(super) fn problem(wanted: &str, names: &[String], used: &BTreeSet<String>) -> Option<String> {
    if names.iter().any(|name| used.contains(name)) {
        return None;
    }
    let used = if used.is_empty() {
        "none".to_owned()
    } else {
        used.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    Some(if names.is_empty() {
        format!("it relies on {wanted}, which does not exist; it uses {used}")
    } else {
        format!("it relies on {wanted}, and uses {used}")
    })
}
