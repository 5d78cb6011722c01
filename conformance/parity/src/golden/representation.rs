//! The representation as text: what both sides have is one line, what one of them has alone is marked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::classes::Class;
use crate::engine::Engine;
use crate::expression::{self, Names};
use crate::model::{Schema, Table};

/// A line an object, in normal form, sorted by table.
pub(super) fn text(postgres: &Schema, sqlite: &Schema) -> String {
    let pairs = crate::compare::table_names(postgres, sqlite);
    let mut out = String::new();
    // Writing to a String can't fail.
    let mut write = |title: String, sides: [Option<BTreeSet<String>>; 2]| {
        let [a, b] = sides;
        let mark = match (&a, &b) {
            (Some(_), None) => "postgres: ",
            (None, Some(_)) => "sqlite: ",
            _ => "",
        };
        let _ = writeln!(out, "{mark}{title}");
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        for line in a.union(&b) {
            let mark = match (a.contains(line), b.contains(line)) {
                (true, false) if mark.is_empty() => "postgres: ",
                (false, true) if mark.is_empty() => "sqlite: ",
                _ => "",
            };
            let _ = writeln!(out, "    {mark}{line}");
        }
        out.push('\n');
    };
    let known: BTreeSet<&String> = pairs.values().collect();
    let mut tables: BTreeMap<&String, [Option<&Table>; 2]> = BTreeMap::new();
    for (key, table) in &postgres.tables {
        tables.insert(
            key,
            [Some(table), pairs.get(key).and_then(|name| sqlite.tables.get(name))],
        );
    }
    for (key, table) in sqlite.tables.iter().filter(|(key, _)| !known.contains(key)) {
        tables.insert(key, [None, Some(table)]);
    }
    for (key, sides) in tables {
        // PostgreSQL's types say more: they are how both sides' expressions are read.
        let mut names = Names::default();
        for column in sides.iter().rev().flatten().flat_map(|table| &table.columns) {
            names
                .classes
                .insert(column.name.to_lowercase(), column.kind.class.clone());
        }
        let [a, b] = sides;
        let lines = |engine, table: Option<&Table>| table.map(|table| lines(engine, table, &names));
        write(
            format!("table {key}"),
            [lines(Engine::Postgres, a), lines(Engine::Sqlite, b)],
        );
    }
    let mut views: BTreeMap<&String, [Option<BTreeSet<String>>; 2]> = BTreeMap::new();
    for (at, schema) in [postgres, sqlite].into_iter().enumerate() {
        for (key, view) in &schema.views {
            let numbered = view
                .columns
                .iter()
                .enumerate()
                .map(|(at, name)| format!("{:>2} {name}", at + 1));
            if let Some(side) = views.entry(key).or_default().get_mut(at) {
                *side = Some(numbered.collect());
            }
        }
    }
    for (key, sides) in views {
        write(format!("view {key}"), sides);
    }
    out
}

fn lines(engine: Engine, table: &Table, names: &Names) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for column in &table.columns {
        let name = column.name.to_lowercase();
        let class = names.classes.get(&name).unwrap_or(&Class::Unknown);
        let null = if column.not_null { " not null" } else { "" };
        let own = format!("{:?}", column.kind.class).to_lowercase();
        // SQLite's whole numbers have 64 bits, and its true is 1: that much is the same column.
        let fits = matches!(
            (class, &column.kind.class),
            (
                Class::Bool | Class::I16 | Class::I32 | Class::I64,
                Class::I64 | Class::I32 | Class::I16
            )
        );
        let shown = if fits { format!("{class:?}").to_lowercase() } else { own };
        lines.insert(format!("column {name} {shown}{null}"));
        if let Some(form) = expression::default(engine, column.default.as_deref(), class, names) {
            lines.insert(format!("column {name} default {form}"));
        }
        if let Some(text) = &column.generated {
            lines.insert(format!(
                "column {name} generated as {}",
                expression::normal(engine, text, names)
            ));
        }
    }
    if let Some(key) = &table.primary_key {
        lines.insert(format!("primary key ({})", key.columns.join(", ").to_lowercase()));
    }
    for key in &table.foreign_keys {
        let deferred = if key.deferred { " deferred" } else { "" };
        lines.insert(format!(
            "foreign key ({}) to {}({}) on delete {} on update {}{deferred}",
            key.columns.join(", ").to_lowercase(),
            key.parent,
            key.parent_columns.join(", ").to_lowercase(),
            key.on_delete.to_lowercase(),
            key.on_update.to_lowercase(),
        ));
    }
    for check in &table.checks {
        for form in expression::conjuncts(engine, &check.text, names) {
            lines.insert(format!("check {form}"));
        }
    }
    for index in &table.indexes {
        let columns: Vec<String> = index
            .columns
            .iter()
            .map(|column| {
                let form = expression::normal(engine, &column.text, names).to_string();
                if column.descending {
                    format!("{form} desc")
                } else {
                    form
                }
            })
            .collect();
        let predicate = index.predicate.as_ref().map(|text| {
            let forms: Vec<String> = expression::conjuncts(engine, text, names)
                .iter()
                .map(ToString::to_string)
                .collect();
            format!(" where {}", forms.join(" and "))
        });
        let kind = if index.constraint {
            "unique".to_owned()
        } else {
            format!("index {}", index.name)
        };
        let unique = if index.unique && !index.constraint {
            " unique"
        } else {
            ""
        };
        lines.insert(format!(
            "{kind}{unique} ({}){}",
            columns.join(", "),
            predicate.unwrap_or_default()
        ));
    }
    if table.strict {
        lines.insert("strict".to_owned());
    }
    lines
}
