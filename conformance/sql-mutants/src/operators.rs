//! What can be wrong in a statement: each operator makes the mutations of one kind.

use std::ops::Range;

use crate::sql::{Kind, Sql};
use crate::{Catalog, Engine, Error, Result};

/// One, in the type of positions and limits: a bare `1` would make an untyped parameter beside it a narrower number.
const ONE: &str = "CAST(1 AS BIGINT)";

/// So many rows that a limit of more is none.
const MANY: &str = "CAST(1000000 AS BIGINT)";

/// The replacement of a range of bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// Where the range starts.
    pub start: usize,
    /// Where it ends; the same for an insertion.
    pub end: usize,
    /// What stands there instead.
    pub replacement: String,
}

/// A change that makes a statement another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// What changes, in words that name the text.
    pub description: String,
    /// The changes, by position; none overlaps another.
    pub edits: Vec<Edit>,
}

impl Mutation {
    /// The mutated text.
    pub fn apply(&self, text: &str) -> String {
        apply(&self.edits, text)
    }
}

/// A text with edits, which come by position.
pub(crate) fn apply(edits: &[Edit], text: &str) -> String {
    let mut mutated = String::with_capacity(text.len());
    let mut done = 0;
    for edit in edits {
        mutated += text.get(done..edit.start).unwrap_or("");
        mutated += &edit.replacement;
        done = edit.end;
    }
    mutated + text.get(done..).unwrap_or("")
}

/// All mutations of a statement, by position.
///
/// # Errors
/// `BrokenSql` for a text that is no statement of the engine's dialect.
pub fn mutations(engine: Engine, text: &str, catalog: &Catalog) -> Result<Vec<Mutation>> {
    let sql = Sql::parse(engine, text)?;
    let mut found = Found {
        sql: &sql,
        mutations: Vec::new(),
    };
    for index in 0..sql.len() {
        found.order(index);
        found.conditions(index);
        found.bounds(index);
        found.limits(index);
        found.arithmetic(index);
        found.conflicts(index);
        found.joins(index);
        found.locks(index);
        found.negations(index);
        found.functions(index);
        found.distinct(index);
        found.transactions(index);
        found.selected_columns(index, catalog);
        found.inserted_columns(index, catalog);
        found.assignments(index, catalog);
    }
    for mutation in &found.mutations {
        let mutated = mutation.apply(text);
        if let Err(Error::BrokenSql { text, detail }) = Sql::parse(engine, &mutated) {
            return Err(Error::BrokenMutation {
                description: mutation.description.clone(),
                text,
                detail,
            });
        }
    }
    Ok(found.mutations)
}

struct Found<'s, 'a> {
    sql: &'s Sql<'a>,
    mutations: Vec<Mutation>,
}

impl Found<'_, '_> {
    fn add(&mut self, description: String, mut edits: Vec<Edit>) {
        edits.sort();
        self.mutations.push(Mutation { description, edits });
    }

    /// These tokens on one line, cut where they are long.
    fn quote(&self, tokens: Range<usize>) -> String {
        let line = self
            .sql
            .written(tokens)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let cut: String = line.chars().take(60).collect();
        if cut == line {
            format!("`{line}`")
        } else {
            format!("`{}…`", cut.trim_end())
        }
    }

    fn replace(&self, tokens: Range<usize>, replacement: impl Into<String>) -> Edit {
        let bytes = self.sql.bytes(tokens);
        Edit {
            start: bytes.start,
            end: bytes.end,
            replacement: replacement.into(),
        }
    }

    fn insert_before(&self, token: usize, text: impl Into<String>) -> Edit {
        let at = self.sql.bytes(token..token + 1).start;
        Edit {
            start: at,
            end: at,
            replacement: text.into(),
        }
    }

    fn insert_behind(&self, tokens: Range<usize>, text: impl Into<String>) -> Edit {
        let at = self.sql.bytes(tokens).end;
        Edit {
            start: at,
            end: at,
            replacement: text.into(),
        }
    }

    fn lose(&mut self, tokens: Range<usize>) {
        let description = format!("{} lost", self.quote(tokens.clone()));
        self.add(description, vec![self.replace(tokens, "")]);
    }

    /// ORDER BY lost; each of its terms in the other direction.
    fn order(&mut self, index: usize) {
        let sql = self.sql;
        if !(sql.is(index, "ORDER") && sql.is(index + 1, "BY")) {
            return;
        }
        let end = sql.clause_end(index + 2);
        self.lose(index..end);
        for term in sql.split(index + 2..end, ",") {
            let last = term.end - 1;
            let whole = self.quote(index..end);
            if sql.is(last, "DESC") {
                let key = self.quote(term.start..last);
                let edit = self.replace(last..term.end, "ASC");
                self.add(format!("{whole}: {key} ascends"), vec![edit]);
            } else if sql.is(last, "ASC") {
                let key = self.quote(term.start..last);
                let edit = self.replace(last..term.end, "DESC");
                self.add(format!("{whole}: {key} descends"), vec![edit]);
            } else {
                let key = self.quote(term.clone());
                let edit = self.insert_behind(term, " DESC");
                self.add(format!("{whole}: {key} descends"), vec![edit]);
            }
        }
    }

    /// Each term of a WHERE, HAVING or join condition without effect. The term stays in the text, since the type of its
    /// parameters is known from it alone.
    fn conditions(&mut self, index: usize) {
        let sql = self.sql;
        let is_condition =
            sql.is(index, "WHERE") || sql.is(index, "HAVING") || sql.is(index, "ON") && !sql.is(index + 1, "CONFLICT");
        if !is_condition || sql.follows(index, "DISTINCT") {
            return;
        }
        let end = sql.clause_end(index + 1);
        for term in sql.split(index + 1..end, "AND") {
            let alternatives = sql.split(term.clone(), "OR");
            let (parts, neutral) = if alternatives.len() > 1 {
                (alternatives, "FALSE")
            } else {
                (vec![term], "TRUE")
            };
            let joint = if neutral == "TRUE" { "OR" } else { "AND" };
            for part in parts {
                if part.len() == 1 && (sql.is(part.start, "TRUE") || sql.is(part.start, "FALSE")) {
                    continue;
                }
                let description = format!("{}: {} lost", sql.text(index), self.quote(part.clone()));
                let edits = vec![
                    self.insert_before(part.start, "("),
                    self.insert_behind(part, format!(" {joint} {neutral})")),
                ];
                self.add(description, edits);
            }
        }
    }

    /// A bound that includes what it excluded or excludes what it included; the next higher bound; a key of several columns
    /// that takes one of them for equal.
    fn bounds(&mut self, index: usize) {
        let sql = self.sql;
        let shifted = match sql.text(index) {
            ">" => ">=",
            ">=" => ">",
            "<" => "<=",
            "<=" => "<",
            _ => return,
        };
        let left_end = index;
        let left_start = operand_start(sql, index);
        let right = operand(sql, index + 1);
        let whole = self.quote(left_start..right.end);
        self.add(
            format!("{whole}: {shifted}"),
            vec![self.replace(index..index + 1, shifted)],
        );
        let elements = |tokens: Range<usize>| {
            if sql.is(tokens.start, "(") && tokens.len() > 2 {
                sql.split(tokens.start + 1..tokens.end - 1, ",")
            } else {
                vec![tokens]
            }
        };
        let (left, right) = (elements(left_start..left_end), elements(right));
        let is_value = |tokens: &Range<usize>| matches!(sql.kind(tokens.start), Some(Kind::Parameter | Kind::Number));
        if let Some(last) = right.last().filter(|last| is_value(last)) {
            let edit = self.insert_behind(last.clone(), format!(" + {ONE}"));
            self.add(format!("{whole}: bound + 1"), vec![edit]);
        }
        if left.len() > 1 && left.len() == right.len() && right.iter().all(is_value) {
            for (column, value) in left.iter().zip(&right) {
                let description = format!("{whole}: {} taken for equal", self.quote(column.clone()));
                let edit = self.replace(column.clone(), sql.written(value.clone()));
                self.add(description, vec![edit]);
            }
        }
    }

    /// LIMIT and OFFSET: one more, one less, none.
    fn limits(&mut self, index: usize) {
        let sql = self.sql;
        if !(sql.is(index, "LIMIT") || sql.is(index, "OFFSET")) {
            return;
        }
        let value = index + 1..sql.clause_end(index + 1);
        let whole = self.quote(index..value.end);
        if let (1, Ok(number)) = (value.len(), sql.text(value.start).parse::<u64>()) {
            let more = self.replace(value.clone(), number.saturating_add(1).to_string());
            self.add(format!("{whole}: + 1"), vec![more]);
            if let Some(less) = number.checked_sub(1) {
                let less = self.replace(value.clone(), less.to_string());
                self.add(format!("{whole}: - 1"), vec![less]);
            }
            self.lose(index..value.end);
        } else {
            for (name, changed) in [("+ 1", format!(" + {ONE}")), ("- 1", format!(" - {ONE}"))] {
                let edit = self.insert_behind(value.clone(), changed);
                self.add(format!("{whole}: {name}"), vec![edit]);
            }
            if sql.is(index, "LIMIT") {
                let edit = self.insert_behind(value, format!(" + {MANY}"));
                self.add(format!("{whole} lost"), vec![edit]);
            }
        }
    }

    /// A number that is added or subtracted: one more.
    fn arithmetic(&mut self, index: usize) {
        let sql = self.sql;
        let is_operator = sql.is(index, "+") || sql.is(index, "-");
        let behind_operand = index.checked_sub(1).is_some_and(|before| {
            matches!(
                sql.kind(before),
                Some(Kind::Word | Kind::QuotedName | Kind::Number | Kind::Parameter)
            ) || sql.is(before, ")")
        });
        if let (true, true, Ok(number)) = (is_operator, behind_operand, sql.text(index + 1).parse::<u64>()) {
            let start = operand_start(sql, index);
            let description = format!("{}: number + 1", self.quote(start..index + 2));
            let edit = self.replace(index + 1..index + 2, number.saturating_add(1).to_string());
            self.add(description, vec![edit]);
        }
    }

    /// ON CONFLICT lost; DO NOTHING in place of DO UPDATE and the other way round.
    fn conflicts(&mut self, index: usize) {
        let sql = self.sql;
        if !(sql.is(index, "ON") && sql.is(index + 1, "CONFLICT")) {
            return;
        }
        let end = sql.until(index + 2, |token| sql.is(token, "RETURNING") || sql.is(token, ";"));
        self.lose(index..end);
        let Some(action) = (index..end).find(|token| sql.is(*token, "DO")) else {
            return;
        };
        if sql.is(action + 1, "UPDATE") {
            let description = format!("{}: nothing instead", self.quote(action..end));
            let edit = self.replace(action..end, "DO NOTHING");
            self.add(description, vec![edit]);
            return;
        }
        let Some((_, columns)) = inserted(sql) else { return };
        let names: Vec<&str> = columns.iter().map(|column| sql.written(column.clone())).collect();
        let target = if sql.is(index + 2, "(") {
            sql.written(index + 2..sql.behind_parenthesis(index + 2)).to_owned()
        } else {
            format!("({})", names.first().copied().unwrap_or(""))
        };
        let keys: Vec<&str> = target.trim_matches(['(', ')']).split(',').map(str::trim).collect();
        let mut updated: Vec<&str> = names.iter().copied().filter(|name| !keys.contains(name)).collect();
        if updated.is_empty() {
            updated = keys;
        }
        let updated: Vec<String> = updated.iter().map(|name| format!("{name} = excluded.{name}")).collect();
        let description = format!("{}: update instead", self.quote(index..end));
        let edit = self.replace(
            index..end,
            format!("ON CONFLICT {target} DO UPDATE SET {}", updated.join(", ")),
        );
        self.add(description, vec![edit]);
    }

    /// Inner joins instead of left ones and the other way round.
    fn joins(&mut self, index: usize) {
        let sql = self.sql;
        if !sql.is(index, "JOIN") {
            return;
        }
        let factor = index + 1..sql.clause_end(index + 1);
        let words_start = |words: &[&str]| {
            let start = index.checked_sub(words.len())?;
            words
                .iter()
                .enumerate()
                .all(|(offset, word)| sql.is(start + offset, word))
                .then_some(start)
        };
        if words_start(&["NATURAL"]).is_some() {
            return;
        }
        if let Some(start) = words_start(&["LEFT", "OUTER"]).or_else(|| words_start(&["LEFT"])) {
            let description = format!("{}: inner join", self.quote(start..factor.end));
            let edit = self.replace(start..index + 1, "INNER JOIN");
            self.add(description, vec![edit]);
        } else if let Some(start) = words_start(&["CROSS"]) {
            let description = format!("{}: left join", self.quote(start..factor.end));
            let edits = vec![
                self.replace(start..index + 1, "LEFT JOIN"),
                self.insert_behind(factor, " ON TRUE"),
            ];
            self.add(description, edits);
        } else {
            let start = words_start(&["INNER"]).unwrap_or(index);
            let description = format!("{}: left join", self.quote(start..factor.end));
            let edit = self.replace(start..index + 1, "LEFT JOIN");
            self.add(description, vec![edit]);
        }
    }

    /// FOR UPDATE and its like lost.
    fn locks(&mut self, index: usize) {
        let sql = self.sql;
        let locks = ["UPDATE", "SHARE", "NO", "KEY"]
            .iter()
            .any(|word| sql.is(index + 1, word));
        if sql.is(index, "FOR") && locks {
            let end = sql.until(index + 1, |token| {
                token > index && ["LIMIT", "FOR", ";"].iter().any(|word| sql.is(token, word))
            });
            self.lose(index..end);
        }
    }

    /// IS NULL, EXISTS and IN negated.
    fn negations(&mut self, index: usize) {
        let sql = self.sql;
        if sql.is(index, "IS") && sql.is(index + 1, "NULL") {
            let whole = self.quote(operand_start(sql, index)..index + 2);
            let edit = self.insert_before(index + 1, "NOT ");
            self.add(format!("{whole}: negated"), vec![edit]);
        } else if sql.is(index, "IS") && sql.is(index + 1, "NOT") && sql.is(index + 2, "NULL") {
            let whole = self.quote(operand_start(sql, index)..index + 3);
            let edit = self.replace(index + 1..index + 3, "NULL");
            self.add(format!("{whole}: negated"), vec![edit]);
        } else if (sql.is(index, "EXISTS") || sql.is(index, "IN")) && sql.is(index + 1, "(") {
            let end = sql.behind_parenthesis(index + 1);
            if sql.follows(index, "NOT") {
                let description = format!("{}: negated", self.quote(index - 1..end));
                let edit = self.replace(index - 1..index + 1, sql.text(index));
                self.add(description, vec![edit]);
            } else if !sql.follows(index, "IF") {
                let description = format!("{}: negated", self.quote(index..end));
                let edit = self.insert_before(index, "NOT ");
                self.add(description, vec![edit]);
            }
        }
    }

    /// The lowest instead of the highest and the other way round; nothing in place of the last choice of COALESCE.
    fn functions(&mut self, index: usize) {
        let sql = self.sql;
        if !sql.is(index + 1, "(") {
            return;
        }
        let end = sql.behind_parenthesis(index + 1);
        let whole = self.quote(index..end);
        for (name, other) in [("MIN", "max"), ("MAX", "min")] {
            if sql.is(index, name) {
                let edit = self.replace(index..index + 1, other);
                self.add(format!("{whole}: {other}"), vec![edit]);
            }
        }
        if sql.is(index, "COALESCE") {
            let choices = sql.split(index + 2..end - 1, ",");
            if let Some(last) = choices.last() {
                let edit = self.replace(last.clone(), "NULL");
                self.add(format!("{whole}: NULL as the last choice"), vec![edit]);
            }
        }
    }

    /// DISTINCT lost.
    fn distinct(&mut self, index: usize) {
        let sql = self.sql;
        let names_rows = sql.follows(index, "SELECT") || sql.follows(index, "(");
        if sql.is(index, "DISTINCT") && names_rows && !sql.is(index + 1, "ON") {
            self.lose(index..index + 1);
        }
    }

    /// A transaction that locks later, or sees another state.
    fn transactions(&mut self, index: usize) {
        let sql = self.sql;
        if index == 0 && sql.is(0, "BEGIN") && (sql.is(1, "IMMEDIATE") || sql.is(1, "EXCLUSIVE")) {
            self.lose(1..2);
        }
        if sql.is(index, "ISOLATION") && sql.is(index + 1, "LEVEL") {
            let (level, other) = if sql.is(index + 2, "READ") {
                (index + 2..index + 4, "REPEATABLE READ")
            } else if sql.is(index + 2, "REPEATABLE") {
                (index + 2..index + 4, "READ COMMITTED")
            } else {
                (index + 2..index + 3, "READ COMMITTED")
            };
            let description = format!("{}: {other}", self.quote(index..level.end));
            let edit = self.replace(level, other);
            self.add(description, vec![edit]);
        }
    }

    /// Two columns of a SELECT list that answer in each other's place, under each other's name.
    fn selected_columns(&mut self, index: usize, catalog: &Catalog) {
        let sql = self.sql;
        if !sql.is(index, "SELECT") {
            return;
        }
        let mut start = index + 1;
        if sql.is(start, "DISTINCT") || sql.is(start, "ALL") {
            start += 1;
        }
        let end = sql.clause_end(start);
        let items: Vec<_> = sql
            .split(start..end, ",")
            .into_iter()
            .filter_map(|tokens| Item::new(sql, tokens, catalog))
            .collect();
        self.swap(&items, |found, item, other| {
            let mut replacement = sql.written(other.expression.clone()).to_owned();
            if item.has_no_alias {
                replacement = format!("{replacement} AS {}", item.name);
            }
            found.replace(item.expression.clone(), replacement)
        });
    }

    /// Two columns of an INSERT that take each other's value.
    fn inserted_columns(&mut self, index: usize, catalog: &Catalog) {
        let sql = self.sql;
        if !(sql.is(index, "INSERT") && index == 0) {
            return;
        }
        let Some((table, columns)) = inserted(sql) else { return };
        let items = self.targets(columns, table, catalog);
        self.swap(&items, |found, item, other| {
            found.replace(item.expression.clone(), sql.written(other.expression.clone()))
        });
    }

    /// Two columns of an UPDATE that take each other's value.
    fn assignments(&mut self, index: usize, catalog: &Catalog) {
        let sql = self.sql;
        let table = if sql.is(index, "SET") && index == 2 && sql.is(0, "UPDATE") {
            sql.text(1)
        } else if sql.is(index, "SET") && sql.follows(index, "UPDATE") {
            let Some((table, _)) = inserted(sql) else { return };
            table
        } else {
            return;
        };
        let end = sql.clause_end(index + 1);
        let columns = sql
            .split(index + 1..end, ",")
            .into_iter()
            .filter(|assignment| sql.is(assignment.start + 1, "="))
            .map(|assignment| assignment.start..assignment.start + 1)
            .collect();
        let items = self.targets(columns, table, catalog);
        self.swap(&items, |found, item, other| {
            found.replace(item.expression.clone(), sql.written(other.expression.clone()))
        });
    }

    /// Columns that a statement writes, where their types are known.
    fn targets(&self, columns: Vec<Range<usize>>, table: &str, catalog: &Catalog) -> Vec<Item> {
        columns
            .into_iter()
            .filter_map(|expression| {
                let name = self.sql.written(expression.clone()).to_owned();
                let type_name = catalog.type_in(table, &name)?.to_owned();
                Some(Item {
                    expression,
                    name,
                    has_no_alias: false,
                    type_name,
                })
            })
            .collect()
    }

    /// Exchanges each column with the next of its type.
    fn swap(&mut self, items: &[Item], exchanged: impl Fn(&Self, &Item, &Item) -> Edit) {
        for (place, first) in items.iter().enumerate() {
            let next = items
                .iter()
                .skip(place + 1)
                .find(|second| second.type_name == first.type_name);
            if let Some(second) = next {
                let description = format!(
                    "{} and {} exchanged",
                    self.quote(first.expression.clone()),
                    self.quote(second.expression.clone())
                );
                let edits = vec![exchanged(self, first, second), exchanged(self, second, first)];
                self.add(description, edits);
            }
        }
    }
}

/// A column of a SELECT list, or one that is written, whose type is known.
struct Item {
    /// The tokens of what is exchanged.
    expression: Range<usize>,
    name: String,
    has_no_alias: bool,
    type_name: String,
}

impl Item {
    fn new(sql: &Sql<'_>, tokens: Range<usize>, catalog: &Catalog) -> Option<Self> {
        let last = tokens.end.checked_sub(1)?;
        let alias = tokens.len() > 2 && sql.follows(last, "AS") && sql.depth(last) == sql.depth(tokens.start);
        let expression = if alias { tokens.start..last - 1 } else { tokens };
        let name = |token| match sql.kind(token) {
            Some(Kind::Word | Kind::QuotedName) => Some(sql.text(token)),
            _ => None,
        };
        // A name, perhaps qualified, perhaps cast.
        let cast = expression.clone().find(|token| sql.is(*token, "::"));
        let column = cast.unwrap_or(expression.end);
        let is_column = (expression.start..column).enumerate().all(|(place, token)| {
            if place % 2 == 0 {
                name(token).is_some()
            } else {
                sql.is(token, ".")
            }
        });
        if !is_column || column == expression.start {
            return None;
        }
        let column = name(column - 1)?;
        let type_name = match cast {
            Some(cast) => sql.written(cast + 1..expression.end).to_lowercase(),
            None => catalog.type_of(column.trim_matches('"'))?.to_owned(),
        };
        Some(Self {
            name: if alias { name(last)? } else { column }.to_owned(),
            has_no_alias: !alias,
            expression,
            type_name,
        })
    }
}

/// The table of an INSERT and the columns it names.
fn inserted<'a>(sql: &Sql<'a>) -> Option<(&'a str, Vec<Range<usize>>)> {
    let into = (0..sql.len()).find(|index| sql.is(*index, "INTO") && sql.depth(*index) == 0)?;
    let open = into + 2;
    if !sql.is(open, "(") {
        return None;
    }
    let columns = sql.split(open + 1..sql.behind_parenthesis(open) - 1, ",");
    Some((sql.text(into + 1), columns))
}

/// The tokens of the operand that starts here: a parenthesis, or a name, number or parameter, with what is cast or called.
fn operand(sql: &Sql<'_>, start: usize) -> Range<usize> {
    let mut end = if sql.is(start, "(") {
        sql.behind_parenthesis(start)
    } else {
        start + 1
    };
    while end < sql.len() {
        if sql.is(end, ".") || sql.is(end, "::") {
            end += 2;
        } else if sql.is(end, "(") && matches!(sql.kind(end - 1), Some(Kind::Word)) {
            end = sql.behind_parenthesis(end);
        } else {
            break;
        }
    }
    start..end.min(sql.len())
}

/// The first token of the operand before this one.
fn operand_start(sql: &Sql<'_>, end: usize) -> usize {
    let Some(mut start) = end.checked_sub(1) else {
        return end;
    };
    let before_parenthesis = |close: usize| (0..close).rev().find(|index| sql.depth(*index) == sql.depth(close));
    if sql.is(start, ")") {
        start = before_parenthesis(start).unwrap_or(start);
        if let Some(function) = start
            .checked_sub(1)
            .filter(|token| sql.kind(*token) == Some(Kind::Word))
        {
            let is_keyword = ["WHERE", "AND", "OR", "NOT", "ON", "IN", "WHEN", "THEN", "SELECT"]
                .iter()
                .any(|word| sql.is(function, word));
            if !is_keyword {
                start = function;
            }
        }
    }
    while start >= 2 && (sql.is(start - 1, ".") || sql.is(start - 1, "::")) {
        start -= 2;
    }
    start
}
