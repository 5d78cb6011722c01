//! Columns, keys, CHECKs and indexes of one table.

use std::collections::{BTreeMap, BTreeSet};

use crate::classes::{self, Class, Relation};
use crate::expression::{self, Form, Names};
use crate::lexer::Engine;
use crate::model::{Column, ForeignKey, Index, Numbered, Table};

use super::{Collector, Draft, Severity, is_enforced_by_type, shown};

/// The two tables, and what is worked out once for them.
struct Pair<'a> {
    /// PostgreSQL's key.
    key: &'a str,
    postgres: &'a Table,
    sqlite: &'a Table,
    names: Names,
    /// SQLite's names of PostgreSQL's tables.
    tables: &'a BTreeMap<String, String>,
    /// Predicates of PostgreSQL, those that its types imply among them.
    ours: Vec<Predicate>,
    theirs: Vec<Form>,
}

/// A predicate of PostgreSQL.
struct Predicate {
    form: Form,
    /// What the type of a column says, not a CHECK.
    implied: Option<Implied>,
    origin: Option<String>,
    column: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Implied {
    /// Values of an enumerated type.
    Labels,
    /// A longest text.
    Length,
}

pub(super) fn compare(
    collector: &mut Collector<'_>,
    key: &str,
    postgres: &Table,
    sqlite: &Table,
    tables: &BTreeMap<String, String>,
) {
    let mut names = Names::default();
    for column in sqlite.columns.iter().chain(&postgres.columns) {
        names
            .classes
            .insert(column.name.to_lowercase(), column.kind.class.clone());
    }
    let ours = postgres_predicates(postgres, &names);
    let mut theirs: Vec<Form> = sqlite
        .checks
        .iter()
        .flat_map(|check| expression::conjuncts(Engine::Sqlite, &check.text, &names))
        .collect();
    theirs.sort();
    theirs.dedup();
    let pair = Pair {
        key,
        postgres,
        sqlite,
        names,
        tables,
        ours,
        theirs,
    };
    pair.columns(collector);
    pair.primary_key(collector);
    pair.foreign_keys(collector);
    pair.checks(collector);
    pair.indexes(collector);
    if collector.config.strict() && !sqlite.strict {
        collector.drift(pair.draft(
            format!("table.{key}.strict"),
            format!("table {key}"),
            "types are enforced",
            "not STRICT",
            "SQLite stores text in a column of numbers",
            Vec::new(),
        ));
    }
}

fn postgres_predicates(table: &Table, names: &Names) -> Vec<Predicate> {
    let mut predicates = Vec::new();
    for check in &table.checks {
        for form in expression::conjuncts(Engine::Postgres, &check.text, names) {
            predicates.push(Predicate {
                column: String::new(),
                form,
                implied: None,
                origin: shown(check.origin.as_ref()),
            });
        }
    }
    for column in &table.columns {
        let name = Form::Column(column.name.to_lowercase());
        let mut imply = |form, implied| {
            predicates.push(Predicate {
                form,
                implied: Some(implied),
                origin: shown(column.origin.as_ref()),
                column: column.name.clone(),
            });
        };
        if !column.kind.labels.is_empty() {
            let labels: Vec<String> = column
                .kind
                .labels
                .iter()
                .map(|label| format!("'{}'", label.replace('\'', "''")))
                .collect();
            let text = format!("\"{}\" IN ({})", column.name.replace('"', "\"\""), labels.join(", "));
            for form in expression::conjuncts(Engine::Postgres, &text, names) {
                imply(form, Implied::Labels);
            }
        }
        if let Some(length) = column.kind.length {
            let length = Form::Number(length.to_string());
            imply(
                Form::Call(
                    "<=".to_owned(),
                    vec![Form::Call("length".to_owned(), vec![name.clone()]), length],
                ),
                Implied::Length,
            );
        }
    }
    predicates
}

impl Pair<'_> {
    fn draft(
        &self,
        key: String,
        object: String,
        postgres: impl Into<String>,
        sqlite: impl Into<String>,
        meaning: impl Into<String>,
        columns: Vec<String>,
    ) -> Draft {
        let mut concerns = vec![self.sqlite.name.to_lowercase()];
        concerns.extend(columns.into_iter().map(|name| name.to_lowercase()));
        let text = |text: String| (!text.is_empty()).then_some(text);
        Draft {
            key,
            object,
            postgres: text(postgres.into()),
            sqlite: text(sqlite.into()),
            postgres_origin: shown(self.postgres.origin.as_ref()),
            sqlite_origin: shown(self.sqlite.origin.as_ref()),
            meaning: meaning.into(),
            concerns,
        }
    }

    fn column_draft(&self, a: &Column, b: &Column, aspect: &str, texts: (String, String), meaning: &str) -> Draft {
        let mut draft = self.draft(
            format!("column.{}.{}.{aspect}", self.key, a.name),
            format!("column {}.{}", self.key, a.name),
            texts.0,
            texts.1,
            meaning,
            vec![a.name.clone()],
        );
        draft.postgres_origin = shown(a.origin.as_ref());
        draft.sqlite_origin = shown(b.origin.as_ref());
        draft
    }

    /// Whether both sides have all of these columns: what reads a missing one is missing with it.
    fn has_columns(&self, names: &[String]) -> bool {
        names
            .iter()
            .all(|name| self.postgres.column(name).is_some() && self.sqlite.column(name).is_some())
    }

    fn columns(&self, collector: &mut Collector<'_>) {
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
                collector.drift(draft);
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
                collector.drift(draft);
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
        if a.not_null != b.not_null && !(a.not_null && key_takes_null) && a.generated.is_none() {
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
                let unique_without_case = self.postgres.indexes.iter().any(|index| {
                    index
                        .columns
                        .iter()
                        .any(|column| column.expression && column.text.to_lowercase().contains("lower("))
                });
                if !unique_without_case {
                    let texts = (a.kind.declared.clone(), format!("{} COLLATE NOCASE", spelled(b)));
                    let meaning = "SQLite compares without case, PostgreSQL with it";
                    collector.drift(self.column_draft(a, b, "collation", texts, meaning));
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
        match (a.numbered, b.numbered) {
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
            (None, Some(Numbered::Autoincrement)) if a.default.is_none() => {
                let texts = texts("not numbered", "AUTOINCREMENT");
                let meaning = "a row without a value gets the next number on SQLite, and is refused by PostgreSQL";
                collector.drift(self.column_draft(a, b, "numbered", texts, meaning));
            }
            (None, Some(Numbered::Rowid)) if a.default.is_none() => {
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
        let (ours, theirs) = (form(Engine::Postgres, a), form(Engine::Sqlite, b));
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
        let unclear =
            matches!((&ours, &theirs), (Some(a), Some(b)) if a.is_engine_specific() && b.is_engine_specific());
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

    fn primary_key(&self, collector: &mut Collector<'_>) {
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

    fn foreign_keys(&self, collector: &mut Collector<'_>) {
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
            }
            collector.drift(draft);
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
            Some(_) => return,
        };
        // The parent is reported missing for itself.
        if other.is_none() && !collector.sqlite.schema.tables.contains_key(parent) {
            return;
        }
        draft.meaning = meaning;
        collector.drift(draft);
    }

    fn checks(&self, collector: &mut Collector<'_>) {
        let mut theirs: Vec<&Form> = self.theirs.iter().collect();
        let mut ours: Vec<&Predicate> = Vec::new();
        for predicate in &self.ours {
            if let Some(at) = theirs.iter().position(|form| **form == predicate.form) {
                theirs.remove(at);
            } else if !self.theirs.contains(&predicate.form) {
                ours.push(predicate);
            }
        }
        theirs.retain(|form| !self.catches_up(form));
        ours.retain(|predicate| {
            predicate
                .form
                .columns()
                .iter()
                .all(|name| self.has_columns(std::slice::from_ref(name)))
        });
        theirs.retain(|form| {
            form.columns()
                .iter()
                .all(|name| self.has_columns(std::slice::from_ref(name)))
        });
        ours.retain(|predicate| !is_trivial(&predicate.form));
        theirs.retain(|form| !is_trivial(form));

        for predicate in ours {
            let columns = predicate.form.columns();
            let counterpart = theirs
                .iter()
                .position(|form| form.columns() == columns && is_alike(form, &predicate.form));
            let counterpart = counterpart.or_else(|| theirs.iter().position(|form| form.columns() == columns));
            // VARCHAR(n): a CHECK on something else does not contradict it.
            let counterpart = counterpart
                .filter(|at| predicate.implied != Some(Implied::Length) || theirs[*at].to_string().contains("length"));
            let form = counterpart.map(|at| theirs.remove(at));
            let subject = if predicate.implied.is_some() {
                predicate.column.clone()
            } else {
                columns.join(", ")
            };
            let meaning = match (form, predicate.implied) {
                (Some(_), _) => "one engine takes values that the other refuses",
                (None, Some(Implied::Length)) => "PostgreSQL refuses longer texts, SQLite stores them",
                (None, _) => "PostgreSQL refuses what does not satisfy this, SQLite stores it",
            };
            let mut draft = self.draft(
                format!("check.{}.{}", self.key, predicate.form),
                format!("check of {}({subject})", self.key),
                predicate.form.to_string(),
                form.map(ToString::to_string).unwrap_or_default(),
                meaning,
                columns,
            );
            draft.postgres_origin.clone_from(&predicate.origin);
            let unclear = form.is_some_and(|form| form.is_engine_specific() || predicate.form.is_engine_specific());
            match (predicate.implied, form) {
                (Some(Implied::Length), None) => {
                    let group = "texts whose length only PostgreSQL limits".to_owned();
                    collector.add(Severity::Note, draft, Some(group));
                }
                (Some(Implied::Labels), None) => {
                    let group = "enumerated types that are free text on SQLite".to_owned();
                    collector.add(Severity::Drift, draft, Some(group));
                }
                _ if unclear => {
                    let group = "expressions in the words of one engine each, not compared".to_owned();
                    collector.add(Severity::Note, draft, Some(group));
                }
                _ => collector.drift(draft),
            }
        }
        for form in theirs {
            let columns = form.columns();
            let mut draft = self.draft(
                format!("check.{}.{form}", self.key),
                format!("check of {}({})", self.key, columns.join(", ")),
                "",
                form.to_string(),
                "SQLite refuses what does not satisfy this, PostgreSQL stores it",
                columns,
            );
            draft.postgres_origin = None;
            collector.drift(draft);
        }
    }

    /// Whether a predicate of SQLite only enforces what PostgreSQL's type does anyway.
    fn catches_up(&self, form: &Form) -> bool {
        let columns = form.columns();
        let [name] = columns.as_slice() else { return false };
        let Some(column) = self.postgres.column(name) else {
            return false;
        };
        let text = form.to_string();
        if text.contains("typeof(") {
            return true;
        }
        let bound = |form: &Form, low: i64, high: i64| match form {
            Form::Call(operator, operands) if matches!(operator.as_str(), "<=" | "<") => match operands.as_slice() {
                [Form::Number(number), Form::Column(_)] => number.parse().is_ok_and(|number: i64| number <= low),
                [Form::Column(_), Form::Number(number)] => number.parse().is_ok_and(|number: i64| number >= high),
                _ => false,
            },
            _ => false,
        };
        match column.kind.class {
            Class::Bool => {
                matches!(form, Form::Call(operator, values) if operator == "in" && values.len() == 3)
                    || bound(form, 0, 1)
            }
            Class::I16 => bound(form, i16::MIN.into(), i16::MAX.into()),
            Class::I32 => bound(form, i32::MIN.into(), i32::MAX.into()),
            Class::I64 => bound(form, i64::MIN, i64::MAX),
            Class::Text | Class::TextNoCase => false,
            ref class => {
                is_enforced_by_type(class) && form.is_engine_specific()
                    || matches!(column.kind.class, Class::Uuid) && text.contains("length")
            }
        }
    }

    fn indexes(&self, collector: &mut Collector<'_>) {
        let ours: Vec<Shape<'_>> = self
            .postgres
            .indexes
            .iter()
            .map(|index| self.shape(Engine::Postgres, index))
            .collect();
        let theirs: Vec<Shape<'_>> = self
            .sqlite
            .indexes
            .iter()
            .map(|index| self.shape(Engine::Sqlite, index))
            .collect();
        let mut left: Vec<&Shape<'_>> = ours.iter().collect();
        let mut right: Vec<&Shape<'_>> = theirs.iter().collect();
        let mut pairs: Vec<(&Shape<'_>, &Shape<'_>)> = Vec::new();
        let rules: [Rule; 5] = [
            |a, b| a.is_alike(b),
            |a, b| a.index.name.eq_ignore_ascii_case(&b.index.name),
            |a, b| a.columns() == b.columns() && a.index.unique == b.index.unique,
            |a, b| a.columns() == b.columns(),
            |a, b| a.is_tree() && !a.index.unique && !b.index.unique && (a.starts_with(b) || b.starts_with(a)),
        ];
        for rule in rules {
            left.retain(|a| {
                let Some(at) = right.iter().position(|b| rule(a, b)) else {
                    return true;
                };
                pairs.push((a, right.remove(at)));
                false
            });
        }
        for (a, b) in &pairs {
            if !a.is_alike(b) && a.is_tree() && !a.is_only_of(self) && !b.is_only_of(self) {
                self.index_differs(collector, a, b);
            }
        }
        for (engine, missing, all, others) in [
            (Engine::Postgres, &left, &ours, &theirs),
            (Engine::Sqlite, &right, &theirs, &ours),
        ] {
            for shape in missing {
                // A second index of the same kind on the same columns changes nothing.
                let twin = all.iter().any(|other| {
                    !std::ptr::eq(*shape, other)
                        && other.columns() == shape.columns()
                        && other.predicate.is_none()
                        && (other.index.unique || !shape.index.unique)
                        && others.iter().any(|counterpart| counterpart.is_alike(other))
                });
                let replaced_by = others
                    .iter()
                    .find(|other| other.predicate.is_none() && other.starts_with(shape));
                self.index_missing(collector, engine, shape, twin, replaced_by);
            }
        }
    }

    fn index_differs(&self, collector: &mut Collector<'_>, a: &Shape<'_>, b: &Shape<'_>) {
        let meaning = if a.index.unique != b.index.unique {
            if a.index.unique {
                "PostgreSQL refuses duplicates, SQLite takes them"
            } else {
                "SQLite refuses duplicates, PostgreSQL takes them"
            }
        } else if a.index.nulls_not_distinct {
            "PostgreSQL refuses a second NULL, SQLite takes it"
        } else if a.index.unique && (a.columns() != b.columns() || a.predicate != b.predicate) {
            "rows are duplicates on one engine and not on the other"
        } else if a.columns() == b.columns() && a.predicate == b.predicate {
            "the index gives another order"
        } else if a.predicate == b.predicate && (a.starts_with(b) || b.starts_with(a)) {
            "the longer one answers more queries, or gives their order"
        } else {
            "a query that one engine answers from the index reads the whole table on the other"
        };
        let columns = a.read_columns().into_iter().chain(b.read_columns()).collect();
        let mut draft = self.draft(
            format!("index.{}.{}", self.key, a.index.name),
            format!("index {} on {}", a.index.name, self.key),
            a.text(),
            b.text(),
            meaning,
            columns,
        );
        draft.postgres_origin = shown(a.index.origin.as_ref());
        draft.sqlite_origin = shown(b.index.origin.as_ref());
        if a.is_engine_specific() && b.is_engine_specific() {
            let group = "expressions in the words of one engine each, not compared".to_owned();
            collector.add(Severity::Note, draft, Some(group));
        } else {
            collector.drift(draft);
        }
    }

    fn index_missing(
        &self,
        collector: &mut Collector<'_>,
        engine: Engine,
        shape: &Shape<'_>,
        twin: bool,
        replaced_by: Option<&Shape<'_>>,
    ) {
        let columns = shape.read_columns();
        if shape.is_only_of(self) {
            return;
        }
        let key_of = |table: &Table| {
            let key = table
                .primary_key
                .as_ref()
                .map(|key| key.columns.clone())
                .unwrap_or_default();
            key.iter().map(|name| name.to_lowercase()).collect::<Vec<_>>()
        };
        let own_key = match engine {
            Engine::Postgres => [key_of(self.postgres), key_of(self.sqlite)],
            Engine::Sqlite => [key_of(self.sqlite), key_of(self.postgres)],
        };
        let plain = shape.columns();
        // The primary key serves the same queries and refuses the same rows.
        let is_key = !plain.is_empty() && shape.predicate.is_none() && own_key[1] == plain;
        let other = engine.other();
        let meaning = if shape.index.unique {
            format!("{engine} refuses duplicates, {other} takes them")
        } else if let Some(longer) = replaced_by {
            format!("{other} has to answer its queries from {}", longer.text())
        } else if own_key[1].starts_with(&plain) {
            format!("{other} has to answer its queries from the primary key")
        } else {
            format!("a query that {engine} answers from the index reads the whole table on {other}")
        };
        let kind = if shape.index.unique && shape.index.constraint {
            "unique"
        } else {
            "index"
        };
        let name = if shape.index.constraint {
            format!("({})", shape.column_texts().join(", "))
        } else {
            shape.index.name.clone()
        };
        let (a, b) = if engine == Engine::Postgres {
            (shape.text(), String::new())
        } else {
            (String::new(), shape.text())
        };
        let mut draft = self.draft(
            format!("index.{}.{name}", self.key),
            format!("{kind} {name} on {}", self.key),
            a,
            b,
            meaning,
            columns,
        );
        let origin = shown(shape.index.origin.as_ref());
        let lost = collector.lost(
            other,
            &[format!("index {}", shape.index.name.to_lowercase())],
            &[&shape.index.name],
        );
        (draft.postgres_origin, draft.sqlite_origin) = match engine {
            Engine::Postgres => (origin, lost),
            Engine::Sqlite => (lost, origin),
        };
        if !shape.is_tree() {
            let group = format!("indexes of a kind that SQLite does not have ({})", shape.index.method);
            collector.add(Severity::Note, draft, Some(group));
        } else if twin || is_key {
            "an index or a key of the same columns does its work".clone_into(&mut draft.meaning);
            collector.add(
                Severity::Note,
                draft,
                Some("indexes that another one of the same columns makes needless".to_owned()),
            );
        } else {
            collector.drift(draft);
        }
    }

    fn shape<'a>(&self, engine: Engine, index: &'a Index) -> Shape<'a> {
        let mut columns = Vec::new();
        for column in &index.columns {
            let no_case = column
                .collation
                .as_ref()
                .is_some_and(|name| name.eq_ignore_ascii_case("NOCASE"));
            let form = if column.expression {
                expression::normal(engine, &column.text, &self.names)
            } else {
                Form::Column(column.text.to_lowercase())
            };
            // lower(x) and x COLLATE NOCASE serve the same queries.
            let form = if no_case {
                Form::Call("lower".to_owned(), vec![form])
            } else {
                form
            };
            let form = match &form {
                Form::Call(name, operands) if name == "lower" => match operands.as_slice() {
                    [Form::Column(inner)] if self.compares_without_case(inner) => Form::Column(inner.clone()),
                    _ => form,
                },
                _ => form,
            };
            columns.push((form, column.descending));
        }
        let mut predicate = index
            .predicate
            .as_ref()
            .map(|text| expression::conjuncts(engine, text, &self.names))
            .filter(|conjuncts| !conjuncts.is_empty());
        // A unique index passes over rows with NULL anyway: to leave them out changes nothing but its size.
        if index.unique
            && let Some(conjuncts) = &mut predicate
        {
            conjuncts.retain(|conjunct| match conjunct {
                Form::Call(operator, operands) if operator == "is not null" => {
                    !columns.iter().any(|(form, _)| operands.contains(form))
                }
                _ => true,
            });
        }
        let predicate = predicate.filter(|conjuncts| !conjuncts.is_empty());
        Shape {
            index,
            columns,
            predicate,
        }
    }

    fn compares_without_case(&self, column: &str) -> bool {
        self.postgres
            .column(column)
            .is_some_and(|column| column.kind.class == Class::TextNoCase)
            || self.sqlite.column(column).is_some_and(|column| {
                column.kind.class == Class::TextNoCase
                    || column
                        .collation
                        .as_ref()
                        .is_some_and(|name| name.eq_ignore_ascii_case("NOCASE"))
            })
    }
}

/// Whether two indexes belong together.
type Rule = fn(&Shape<'_>, &Shape<'_>) -> bool;

/// An index in normal form.
struct Shape<'a> {
    index: &'a Index,
    columns: Vec<(Form, bool)>,
    predicate: Option<Vec<Form>>,
}

impl Shape<'_> {
    /// Whether both refuse the same rows and serve the same queries.
    fn is_alike(&self, other: &Shape<'_>) -> bool {
        let with_include = |shape: &Shape<'_>| {
            let mut columns = shape.columns.clone();
            columns.extend(
                shape
                    .index
                    .include
                    .iter()
                    .map(|name| (Form::Column(name.to_lowercase()), false)),
            );
            columns
        };
        let same_columns =
            self.columns == other.columns || (!self.index.unique && with_include(self) == with_include(other));
        self.is_tree()
            && same_columns
            && self.index.unique == other.index.unique
            && self.predicate == other.predicate
            && self.index.nulls_not_distinct == other.index.nulls_not_distinct
    }

    /// Whether the other's columns are the first of this one's.
    fn starts_with(&self, other: &Shape<'_>) -> bool {
        self.columns.starts_with(&other.columns)
    }

    fn is_tree(&self) -> bool {
        matches!(self.index.method.as_str(), "btree" | "hash")
    }

    fn columns(&self) -> Vec<String> {
        self.columns.iter().map(|(form, _)| form.to_string()).collect()
    }

    fn column_texts(&self) -> Vec<String> {
        let order = |descending: bool| if descending { " DESC" } else { "" };
        self.columns
            .iter()
            .map(|(form, descending)| format!("{form}{}", order(*descending)))
            .collect()
    }

    /// The names that it reads.
    fn read_columns(&self) -> Vec<String> {
        let predicate = self.predicate.iter().flatten();
        let mut names: Vec<String> = self
            .columns
            .iter()
            .map(|(form, _)| form)
            .chain(predicate)
            .flat_map(Form::columns)
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether it reads a column that one side lacks: then it lacks the index too.
    fn is_only_of(&self, pair: &Pair<'_>) -> bool {
        let names = self.read_columns();
        let known = names
            .iter()
            .filter(|name| pair.postgres.column(name).is_some() || pair.sqlite.column(name).is_some());
        known
            .into_iter()
            .any(|name| !pair.has_columns(std::slice::from_ref(name)))
    }

    fn is_engine_specific(&self) -> bool {
        let predicate = self.predicate.iter().flatten();
        self.columns
            .iter()
            .map(|(form, _)| form)
            .chain(predicate)
            .any(Form::is_engine_specific)
    }

    fn text(&self) -> String {
        let unique = if self.index.unique { "UNIQUE " } else { "" };
        let predicate = self.predicate.as_ref().map(|conjuncts| {
            let texts: Vec<String> = conjuncts.iter().map(ToString::to_string).collect();
            format!(" WHERE {}", texts.join(" and "))
        });
        let nulls = if self.index.nulls_not_distinct {
            " NULLS NOT DISTINCT"
        } else {
            ""
        };
        let method = if self.is_tree() {
            String::new()
        } else {
            format!("{} ", self.index.method)
        };
        format!(
            "{unique}{method}({}){nulls}{}",
            self.column_texts().join(", "),
            predicate.unwrap_or_default()
        )
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

/// Whether no two rows of a table can have the same values of these columns, by an index of their own.
fn has_unique(table: &Table, columns: &[String]) -> bool {
    let is_unique = |index: &Index| {
        let own: Vec<String> = index.columns.iter().map(|column| column.text.to_lowercase()).collect();
        index.unique && index.predicate.is_none() && own == columns
    };
    table.indexes.iter().any(is_unique)
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

fn key_text(key: &ForeignKey, parent: &str) -> String {
    let mut text = format!("→ {parent}({})", key.parent_columns.join(", "));
    for (event, action) in [("DELETE", &key.on_delete), ("UPDATE", &key.on_update)] {
        if action != "NO ACTION" {
            text = format!("{text} ON {event} {action}");
        }
    }
    if key.deferred {
        text += " DEFERRED";
    }
    text
}

/// A predicate that every row satisfies.
fn is_trivial(form: &Form) -> bool {
    matches!(form, Form::Bool(true)) || form.columns().is_empty()
}

/// Two predicates of one shape, with other literals.
fn is_alike(a: &Form, b: &Form) -> bool {
    match (a, b) {
        (Form::Call(a, left), Form::Call(b, right)) => {
            a == b
                && (a == "in"
                    || left
                        .iter()
                        .map(std::mem::discriminant)
                        .eq(right.iter().map(std::mem::discriminant)))
        }
        _ => false,
    }
}
