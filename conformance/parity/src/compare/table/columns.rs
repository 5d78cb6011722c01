//! Columns: there or not, their types, defaults and numbering.

use super::Pair;
use crate::classes::{self, Class, Relation};
use crate::compare::{Collector, shown};
use crate::difference::Severity;
use crate::engine::Engine;
use crate::expression::{self, Form, Names};
use crate::model::{Column, Numbered, Table};

/// How many columns of a table one side may lack, each in a line of its own.
const SINGLE_COLUMNS: usize = 3;

impl Pair<'_> {
    pub(super) fn columns(&self, collector: &mut Collector<'_>) {
        // Many of one table are one line.
        let group = |own: &Table, other: &Table, lacking: Engine| {
            let missing = own.columns.iter().filter(|column| other.column(&column.name).is_none());
            (missing.count() > SINGLE_COLUMNS).then(|| format!("columns of {} that {lacking} lacks", self.key))
        };
        let of_postgres = group(self.postgres, self.sqlite, Engine::Sqlite);
        let of_sqlite = group(self.sqlite, self.postgres, Engine::Postgres);
        for column in &self.postgres.columns {
            if let Some(other) = self.sqlite.column(&column.name) {
                self.column(collector, column, other);
                continue;
            }
            let table = self.sqlite.name.to_lowercase();
            let lost = [format!("column {table}.{}", column.name.to_lowercase())];
            let mut draft = self.draft(
                format!("column.{}.{}", self.key, column.name),
                format!("column {}.{}", self.key, column.name),
                describe(column),
                "",
                "SQLite has no such column",
                vec![column.name.clone()],
            );
            draft.postgres_origin = shown(column.origin.as_ref());
            draft.sqlite_origin = collector.lost(Engine::Sqlite, &lost, &[&table]);
            if column.kind.class == Class::Search {
                collector.add(Severity::Note, draft, Some("columns for full-text search".to_owned()));
            } else {
                collector.add(Severity::Drift, draft, of_postgres.clone());
            }
        }
        for column in &self.sqlite.columns {
            if self.postgres.column(&column.name).is_none() {
                let mut draft = self.draft(
                    format!("column.{}.{}", self.key, column.name),
                    format!("column {}.{}", self.key, column.name),
                    "",
                    describe(column),
                    "PostgreSQL has no such column",
                    vec![column.name.clone()],
                );
                draft.postgres_origin = None;
                draft.sqlite_origin = shown(column.origin.as_ref());
                collector.add(Severity::Drift, draft, of_sqlite.clone());
            }
        }
    }

    fn column(&self, collector: &mut Collector<'_>, a: &Column, b: &Column) {
        self.column_type(collector, a, b);
        let key_takes_null = self
            .sqlite
            .primary_key
            .as_ref()
            .is_some_and(|key| key.nullable.contains(&b.name));
        // SQLite gives NULL in a column that it numbers the next number.
        let is_numbered = !a.not_null && b.numbered.is_some();
        if a.not_null != b.not_null && !(a.not_null && key_takes_null) && !is_numbered && a.generated.is_none() {
            let (texts, meaning) = if a.not_null {
                (
                    ("NOT NULL", "takes NULL"),
                    "PostgreSQL refuses NULL here, SQLite stores it",
                )
            } else {
                (
                    ("takes NULL", "NOT NULL"),
                    "SQLite refuses NULL here, PostgreSQL stores it",
                )
            };
            let texts = (texts.0.to_owned(), texts.1.to_owned());
            collector.drift(self.column_draft(a, b, "null", texts, meaning));
        }
        self.numbering(collector, a, b);
        self.default(collector, a, b);
        self.generated(collector, a, b);
    }

    fn column_type(&self, collector: &mut Collector<'_>, a: &Column, b: &Column) {
        let declared = collector.config.declared_class(self.key, &a.name).is_some();
        let pair = (a.kind.declared.clone(), spelled(b));
        if declared || collector.config.is_convention(&pair.0, &pair.1) {
            return;
        }
        let group = format!("{} ↔ {}", pair.0, if pair.1.is_empty() { "(no type)" } else { &pair.1 });
        match classes::relate(&a.kind, &b.kind) {
            Relation::Same => {}
            Relation::Different(meaning) => {
                let draft = self.column_draft(a, b, "type", pair, meaning);
                collector.add(Severity::Drift, draft, Some(group));
            }
            Relation::Convention(meaning) => {
                let key_bounds = |table: &Table, column: &Column| {
                    is_bounded_by_parent(collector.sqlite.schema, table, &column.name, 0)
                };
                let number = matches!(a.kind.class, Class::Bool | Class::I16 | Class::I32);
                if self.is_enforced(a) || number && key_bounds(self.sqlite, b) {
                    return;
                }
                let strict = collector.config.strict() && matches!(a.kind.class, Class::Bool | Class::I16 | Class::I32);
                let severity = if strict { Severity::Drift } else { Severity::Note };
                collector.add(severity, self.column_draft(a, b, "range", pair, meaning), Some(group));
            }
        }
        let lengths = (a.kind.length, b.kind.length);
        if let (Some(ours), Some(theirs)) = lengths
            && ours != theirs
        {
            let texts = (a.kind.declared.clone(), spelled(b));
            let meaning = "the declared lengths differ; PostgreSQL enforces its own, SQLite none";
            collector.drift(self.column_draft(a, b, "length", texts, meaning));
        }
        let collation = b.collation.as_deref().unwrap_or_default();
        let no_case = collation.eq_ignore_ascii_case("NOCASE");
        match a.kind.class {
            Class::TextNoCase if !no_case => {
                let texts = (a.kind.declared.clone(), format!("{} COLLATE BINARY", spelled(b)));
                let meaning = "PostgreSQL compares without case, SQLite with it";
                collector.drift(self.column_draft(a, b, "collation", texts, meaning));
            }
            Class::Text if no_case && a.collation.is_none() => {
                let lower = expression::normal(Engine::Postgres, &format!("lower({})", quoted(&a.name)), &self.names);
                let unique_without_case = self.postgres.indexes.iter().any(|index| {
                    index.columns.iter().any(|column| {
                        column.expression && expression::normal(Engine::Postgres, &column.text, &self.names) == lower
                    })
                });
                if !unique_without_case {
                    let texts = (a.kind.declared.clone(), format!("{} COLLATE NOCASE", spelled(b)));
                    let meaning = "SQLite compares without case, PostgreSQL with it";
                    let draft = self.column_draft(a, b, "collation", texts, meaning);
                    // Many such columns are one convention.
                    let group = Some("columns with COLLATE NOCASE on SQLite alone".to_owned());
                    collector.add(Severity::Drift, draft, group);
                }
            }
            _ => {}
        }
    }

    /// Whether CHECKs of SQLite enforce what PostgreSQL's type does.
    fn is_enforced(&self, column: &Column) -> bool {
        let name = Form::Column(column.name.to_lowercase());
        let mentions = |test: &dyn Fn(&str) -> bool| {
            self.theirs
                .iter()
                .any(|form| form.columns() == [column.name.to_lowercase()] && test(&form.to_string()))
        };
        match column.kind.class {
            Class::Bool => self.is_bounded(&name, 0, 1),
            Class::I16 => self.is_bounded(&name, i16::MIN.into(), i16::MAX.into()),
            Class::I32 => self.is_bounded(&name, i32::MIN.into(), i32::MAX.into()),
            Class::Uuid => mentions(&|text| text.contains("length") || text.contains("glob") || text.contains("like")),
            Class::Json => mentions(&|text| text.contains("json")),
            _ => false,
        }
    }

    /// Whether SQLite's predicates keep a number within these bounds.
    fn is_bounded(&self, column: &Form, low: i64, high: i64) -> bool {
        let number = |form: &Form| match form {
            Form::Number(text) => text.parse::<i64>().ok(),
            _ => None,
        };
        let (mut lower, mut upper) = (false, false);
        for form in &self.theirs {
            let Form::Call(name, operands) = form else { continue };
            match (name.as_str(), operands.as_slice()) {
                ("in", [operand, values @ ..]) if operand == column => {
                    let within = values
                        .iter()
                        .all(|value| number(value).is_some_and(|value| low <= value && value <= high));
                    lower |= within;
                    upper |= within;
                }
                ("=", [a, b]) if a == column || b == column => {
                    let value = number(if a == column { b } else { a });
                    let within = value.is_some_and(|value| low <= value && value <= high);
                    lower |= within;
                    upper |= within;
                }
                ("<=" | "<", [value, operand]) if operand == column => {
                    lower |= number(value).is_some_and(|value| value >= low.saturating_sub(i64::from(name == "<")));
                }
                ("<=" | "<", [operand, value]) if operand == column => {
                    upper |= number(value).is_some_and(|value| value <= high.saturating_add(i64::from(name == "<")));
                }
                _ => {}
            }
        }
        lower && upper
    }

    fn numbering(&self, collector: &mut Collector<'_>, a: &Column, b: &Column) {
        let texts = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let default = expression::default(Engine::Postgres, a.default.as_deref(), &a.kind.class, &Names::default());
        match (a.numbered, b.numbered) {
            (None, Some(_)) if default.is_some() => {
                let ours = with_word(a.default.as_deref().unwrap_or_default(), true);
                let meaning = "a row without a value gets this one on PostgreSQL, and the next number on SQLite";
                let draft = self.column_draft(a, b, "default", (ours, "INTEGER PRIMARY KEY".to_owned()), meaning);
                // A function of the project may number rows too.
                if default.is_some_and(|form| form.is_engine_specific()) {
                    let group = "keys that SQLite numbers of its own accord".to_owned();
                    collector.add(Severity::Note, draft, Some(group));
                } else {
                    collector.drift(draft);
                }
            }
            (Some(Numbered::Always), Some(_)) => {
                let texts = texts("GENERATED ALWAYS AS IDENTITY", "INTEGER PRIMARY KEY");
                let meaning = "PostgreSQL refuses a number that the program gives, SQLite takes it";
                let draft = self.column_draft(a, b, "given", texts, meaning);
                let group = "numbers that are always PostgreSQL's own".to_owned();
                collector.add(Severity::Note, draft, Some(group));
            }
            (Some(_), None) => {
                let is_key = self
                    .sqlite
                    .primary_key
                    .as_ref()
                    .is_some_and(|key| key.columns.contains(&b.name));
                let meaning = if is_key && !b.not_null {
                    "a row without a value gets the next number on PostgreSQL, and NULL as its key on SQLite"
                } else {
                    "a row without a value gets the next number on PostgreSQL, and none on SQLite"
                };
                let texts = (format!("{}, numbered", a.kind.declared), spelled(b));
                collector.drift(self.column_draft(a, b, "numbered", texts, meaning));
            }
            (None, Some(Numbered::Autoincrement)) => {
                let texts = texts("not numbered", "AUTOINCREMENT");
                let meaning = "a row without a value gets the next number on SQLite, and is refused by PostgreSQL";
                collector.drift(self.column_draft(a, b, "numbered", texts, meaning));
            }
            (None, Some(Numbered::Rowid)) => {
                let meaning = "SQLite numbers rows without a value, PostgreSQL refuses them";
                let draft = self.column_draft(a, b, "numbered", texts("not numbered", "INTEGER PRIMARY KEY"), meaning);
                let group = "keys that SQLite numbers of its own accord".to_owned();
                collector.add(Severity::Note, draft, Some(group));
            }
            _ => {}
        }
    }

    fn default(&self, collector: &mut Collector<'_>, a: &Column, b: &Column) {
        if a.numbered.is_some() || b.numbered.is_some() || a.generated.is_some() || b.generated.is_some() {
            return;
        }
        let form = |engine, column: &Column| {
            expression::default(engine, column.default.as_deref(), &a.kind.class, &Names::default())
        };
        let (mut ours, theirs) = (form(Engine::Postgres, a), form(Engine::Sqlite, b));
        // The type knows the zone: local time and UTC are one instant.
        if a.kind.declared.ends_with(" with time zone") {
            ours = ours.map(|form| form.without_zone());
        }
        if ours == theirs {
            return;
        }
        let text = |column: &Column| column.default.clone().unwrap_or_default();
        let shown = (
            with_word(&text(a), ours.is_some()),
            with_word(&text(b), theirs.is_some()),
        );
        let meaning = match (&ours, &theirs) {
            (Some(_), None) if b.not_null => {
                "a row without a value gets this one on PostgreSQL, and is refused by SQLite"
            }
            (None, Some(_)) if a.not_null => {
                "a row without a value gets this one on SQLite, and is refused by PostgreSQL"
            }
            (Some(_), None) => "a row without a value gets this one on PostgreSQL, and NULL on SQLite",
            (None, Some(_)) => "a row without a value gets this one on SQLite, and NULL on PostgreSQL",
            _ => "a row without a value gets another one on each engine",
        };
        let draft = self.column_draft(a, b, "default", shown, meaning);
        // Two texts in the words of one engine each may mean the same.
        let unclear = match (&ours, &theirs) {
            (Some(a), Some(b)) if a.reads_clock() && b.reads_clock() => {
                a.is_engine_specific()
                    || b.is_engine_specific()
                    // PostgreSQL's day is that of the session's time zone.
                    || a.without_zone() == b.without_zone() && a.is_day()
            }
            (Some(a), Some(b)) => a.is_engine_specific() && b.is_engine_specific(),
            _ => false,
        };
        if unclear {
            let group = "expressions in the words of one engine each, not compared".to_owned();
            collector.add(Severity::Note, draft, Some(group));
        } else {
            // The same default on one side of many tables is one convention.
            let group = match (&ours, &theirs) {
                (Some(form), None) => Some(format!("defaults that only PostgreSQL has ({form})")),
                (None, Some(form)) => Some(format!("defaults that only SQLite has ({form})")),
                (Some(a), Some(b)) => Some(format!("default {a} ↔ {b}")),
                (None, None) => None,
            };
            collector.add(Severity::Drift, draft, group);
        }
    }

    fn generated(&self, collector: &mut Collector<'_>, a: &Column, b: &Column) {
        let form =
            |engine, text: &Option<String>| text.as_ref().map(|text| expression::normal(engine, text, &self.names));
        let (ours, theirs) = (form(Engine::Postgres, &a.generated), form(Engine::Sqlite, &b.generated));
        if ours == theirs {
            return;
        }
        let unclear =
            matches!((&ours, &theirs), (Some(a), Some(b)) if a.is_engine_specific() || b.is_engine_specific());
        let texts = (
            a.generated.clone().unwrap_or_default(),
            b.generated.clone().unwrap_or_default(),
        );
        let search = a.kind.class == Class::Search;
        let meaning = "the engines work out other values, or only one works one out";
        let draft = self.column_draft(a, b, "generated", texts, meaning);
        if unclear || search {
            let group = "expressions in the words of one engine each, not compared".to_owned();
            collector.add(Severity::Note, draft, Some(group));
        } else {
            collector.drift(draft);
        }
    }
}

/// Whether a foreign key keeps a column among the values of one that has CHECKs on both ends.
fn is_bounded_by_parent(schema: &crate::model::Schema, table: &Table, column: &str, depth: usize) -> bool {
    let parents = table.foreign_keys.iter().filter_map(|key| {
        let at = key.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        Some((schema.tables.get(&key.parent)?, key.parent_columns.get(at)?))
    });
    parents.into_iter().any(|(parent, name)| {
        let mut names = Names::default();
        names.classes.insert(name.to_lowercase(), Class::I64);
        let conjuncts = parent
            .checks
            .iter()
            .flat_map(|check| expression::conjuncts(Engine::Sqlite, &check.text, &names));
        let form = Form::Column(name.to_lowercase());
        let (mut lower, mut upper) = (false, false);
        for conjunct in conjuncts {
            if let Form::Call(operator, operands) = &conjunct {
                let bound = matches!(operator.as_str(), "<" | "<=");
                let listed = matches!(operator.as_str(), "in" | "=") && operands.first() == Some(&form);
                lower |= bound && operands.get(1) == Some(&form) || listed;
                upper |= bound && operands.first() == Some(&form) || listed;
            }
        }
        lower && upper || depth < 8 && is_bounded_by_parent(schema, parent, name, depth + 1)
    })
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn spelled(column: &Column) -> String {
    column.kind.declared.to_uppercase()
}

fn describe(column: &Column) -> String {
    let mut text = match column.kind.affinity {
        Some(_) => spelled(column),
        None => column.kind.declared.clone(),
    };
    if column.not_null {
        text += " NOT NULL";
    }
    if let Some(default) = &column.default {
        text += " DEFAULT ";
        text += default;
    }
    text
}

fn with_word(text: &str, there: bool) -> String {
    if there {
        format!("DEFAULT {text}")
    } else {
        String::new()
    }
}
