//! Indexes, unique ones among them.

use super::Pair;
use crate::classes::Class;
use crate::compare::{Collector, shown};
use crate::difference::Severity;
use crate::engine::Engine;
use crate::expression::{self, Form};
use crate::model::{Index, Table};

impl Pair<'_> {
    pub(super) fn indexes(&self, collector: &mut Collector<'_>) {
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
        let rules: [Rule; 7] = [
            |a, b| a.is_alike(b),
            |a, b| a.is_tree() && a.refuses_the_same(b),
            |a, b| a.is_tree() && a.index.name.eq_ignore_ascii_case(&b.index.name),
            |a, b| a.is_tree() && a.columns() == b.columns() && a.index.unique == b.index.unique,
            |a, b| a.is_tree() && a.columns() == b.columns(),
            // GIN and its like refuse nothing: SQLite has a plain index in their place, maybe on another expression.
            |a, b| !a.is_tree() && !a.is_exclusion() && !b.index.unique && a.read_columns() == b.read_columns(),
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
                    .find(|other| other.is_tree() && other.predicate.is_none() && other.starts_with(shape))
                    .or_else(|| {
                        others.iter().find(|other| {
                            other.is_tree()
                                && other.predicate.is_none()
                                && other.columns.first() == shape.columns.first()
                        })
                    });
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
        } else if a.refuses_the_same(b) && a.columns() != b.columns() {
            "the key's index serves other queries"
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
        let same_key = shape.predicate.is_none() && sorted(&own_key[1]) == sorted(&plain);
        let meaning = if shape.index.unique && same_key {
            "the key's index serves other queries".to_owned()
        } else if shape.index.unique {
            format!("{engine} refuses duplicates, {other} takes them")
        } else if let Some(similar) = replaced_by {
            format!("{other} has to answer its queries from {}", similar.text())
        } else if own_key[1].first() == plain.first() {
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
        if shape.is_exclusion() {
            "PostgreSQL refuses rows that exclude each other, SQLite takes them".clone_into(&mut draft.meaning);
            collector.add(Severity::Note, draft, Some("exclusion constraints".to_owned()));
        } else if !shape.is_tree() {
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

fn sorted(names: &[String]) -> Vec<&String> {
    let mut names: Vec<&String> = names.iter().collect();
    names.sort();
    names
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

    /// Whether both are unique on the same columns, in whatever order.
    fn refuses_the_same(&self, other: &Shape<'_>) -> bool {
        self.index.unique
            && other.index.unique
            && sorted(&self.columns()) == sorted(&other.columns())
            && self.predicate == other.predicate
            && self.index.nulls_not_distinct == other.index.nulls_not_distinct
    }

    /// Whether the other's columns are the first of this one's.
    fn starts_with(&self, other: &Shape<'_>) -> bool {
        self.columns.starts_with(&other.columns)
    }

    fn is_tree(&self) -> bool {
        matches!(self.index.method.as_str(), "btree" | "hash") && !self.is_exclusion()
    }

    /// Whether an exclusion constraint made it: of the constraints with an index only these are not unique.
    fn is_exclusion(&self) -> bool {
        self.index.constraint && !self.index.unique
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
        } else if self.is_exclusion() {
            format!("EXCLUDE {} ", self.index.method)
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
