//! Splits a migration file into its statements, each with its line.

use crate::engine::Engine;
use crate::lexer::{Lexer, Token};

/// One statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The text, without the semicolon behind it.
    pub(crate) text: String,
    /// Where it starts, from 1.
    pub(crate) line: usize,
}

impl Statement {
    /// The first words in upper case, for telling kinds of statements apart.
    pub(crate) fn words(&self, engine: Engine) -> Vec<String> {
        Lexer::new(engine, &self.text)
            .take(8)
            .map(|token| token.text.to_ascii_uppercase())
            .collect()
    }
}

/// The statements of a text in the engine's dialect.
///
/// Bodies of triggers, functions and rules stay whole. Lines for `psql` (`\connect`) and the data of `COPY … FROM stdin` are
/// left out.
pub(crate) fn statements(engine: Engine, text: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut lexer = Lexer::new(engine, text);
    let mut current: Vec<Token> = Vec::new();
    while let Some(token) = lexer.next() {
        // Lines for psql, and for the sqlite3 command.
        let command = if engine == Engine::Postgres { '\\' } else { '.' };
        if current.is_empty() && token.is_symbol(command) {
            let rest = text.get(token.start..).unwrap_or_default();
            lexer.skip_to(token.start + rest.find('\n').unwrap_or(rest.len()));
            continue;
        }
        if !token.is_symbol(';') || is_inside_body(engine, &current) {
            current.push(token);
            continue;
        }
        if is_copy_from_input(&current) {
            let data = text.get(lexer.position()..).unwrap_or_default();
            let end = data.find("\n\\.").map_or(data.len(), |at| at + 3);
            lexer.skip_to(lexer.position() + end);
        } else if let Some(statement) = statement(text, &current) {
            found.push(statement);
        }
        current.clear();
    }
    found.extend(statement(text, &current));
    found
}

fn statement(text: &str, tokens: &[Token]) -> Option<Statement> {
    let (first, last) = (tokens.first()?, tokens.last()?);
    Some(Statement {
        text: text.get(first.start..last.end)?.to_owned(),
        line: first.line,
    })
}

/// Whether a semicolon behind these tokens belongs to a body.
fn is_inside_body(engine: Engine, tokens: &[Token]) -> bool {
    if !tokens.first().is_some_and(|token| token.is("CREATE")) {
        return false;
    }
    let head = &tokens[..tokens.len().min(6)];
    let creates = |what: &str| head.iter().any(|token| token.is(what));
    match engine {
        Engine::Sqlite => creates("TRIGGER") && is_block_open(tokens, |_, token| token.is("BEGIN")),
        Engine::Postgres if creates("RULE") => {
            let opened = tokens.iter().filter(|token| token.is_symbol('(')).count();
            let closed = tokens.iter().filter(|token| token.is_symbol(')')).count();
            opened > closed
        }
        Engine::Postgres => {
            (creates("FUNCTION") || creates("PROCEDURE"))
                && is_block_open(tokens, |previous, token| {
                    token.is("ATOMIC") && previous.is_some_and(|previous| previous.is("BEGIN"))
                })
        }
    }
}

fn is_block_open(tokens: &[Token], opens: impl Fn(Option<&Token>, &Token) -> bool) -> bool {
    let mut depth = 0_usize;
    let mut previous = None;
    for token in tokens {
        if depth == 0 {
            if opens(previous, token) {
                depth = 1;
            }
        } else if token.is("CASE") {
            depth += 1;
        } else if token.is("END") {
            depth -= 1;
            if depth == 0 {
                return false;
            }
        }
        previous = Some(token);
    }
    depth > 0
}

fn is_copy_from_input(tokens: &[Token]) -> bool {
    tokens.first().is_some_and(|token| token.is("COPY"))
        && tokens.windows(2).any(|pair| pair[0].is("FROM") && pair[1].is("STDIN"))
}

/// The part of a file that takes a database up, for runners that keep both directions in one file (goose, sql-migrate,
/// dbmate, tern), with every other line blank, so that line numbers stay. Without their marks the file as it is.
pub(crate) fn up_section(text: &str) -> String {
    let marks: Vec<Option<bool>> = text.lines().map(direction).collect();
    if !marks.iter().any(Option::is_some) {
        return text.to_owned();
    }
    // `-- Down` alone ends what is up; a file that starts without a mark is up until then.
    let mut up = !marks.contains(&Some(true)) || marks.iter().flatten().next() == Some(&false);
    let mut kept = String::with_capacity(text.len());
    for (line, mark) in text.lines().zip(marks) {
        if let Some(direction) = mark {
            up = direction;
        } else if up {
            kept += line;
        }
        kept.push('\n');
    }
    kept
}

/// `Some(true)` for a line that starts the Up section, `Some(false)` for one that starts the Down section.
fn direction(line: &str) -> Option<bool> {
    let comment = line.trim().trim_start_matches('\u{feff}').strip_prefix("--")?;
    let words = comment
        .trim_matches(|c: char| c == '-' || c.is_whitespace())
        .to_ascii_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    match words.as_slice() {
        ["+goose" | "+migrate", "up", ..] | ["migrate:up", ..] | ["up"] => Some(true),
        ["+goose" | "+migrate", "down", ..]
        | ["migrate:down", ..]
        | ["down"]
        | ["create", "above", "/", "drop", "below"] => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(engine: Engine, text: &str) -> Vec<(usize, String)> {
        statements(engine, text)
            .into_iter()
            .map(|statement| (statement.line, statement.text))
            .collect()
    }

    #[test]
    fn bodies_of_triggers_functions_and_rules_stay_whole() {
        let trigger =
            "CREATE TRIGGER t AFTER UPDATE ON a BEGIN\n UPDATE a SET b = CASE WHEN c THEN 1 END;\n DELETE FROM d;\nEND";
        assert_eq!(
            split(Engine::Sqlite, &format!("{trigger};\nSELECT 1")),
            [(1, trigger.to_owned()), (5, "SELECT 1".to_owned())]
        );
        let function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN a; RETURN NEW; END; $$";
        let atomic =
            "CREATE OR REPLACE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END";
        let rule = "CREATE RULE r AS ON INSERT TO a DO ALSO (DELETE FROM b; DELETE FROM c)";
        let all = split(Engine::Postgres, &format!("{function};{atomic};{rule};;\n;"));
        assert_eq!(all, [function, atomic, rule].map(|text| (1, text.to_owned())));
    }

    #[test]
    fn transactions_are_statements_and_begin_no_body() {
        assert_eq!(split(Engine::Sqlite, "BEGIN;\nCREATE TABLE a (b);\nEND;").len(), 3);
    }

    #[test]
    fn lines_for_psql_and_copied_data_are_left_out() {
        let text = "\\restrict abc\nSELECT 1;\nCOPY a (b) FROM stdin;\n1;2\n\\.\n\\unrestrict abc\nSELECT 2;";
        assert_eq!(
            split(Engine::Postgres, text),
            [(2, "SELECT 1".to_owned()), (7, "SELECT 2".to_owned())]
        );
    }

    #[test]
    fn only_the_up_section_is_read_and_lines_stay() {
        for (up, down) in [
            ("-- +goose Up", "-- +goose Down"),
            ("--+migrate Up notransaction", "-- +migrate Down"),
            ("-- migrate:up transaction:false", "-- migrate:down"),
            ("-- Up", "-- Down"),
            ("", "---- create above / drop below ----"),
        ] {
            let text = format!("{up}\nCREATE TABLE a (b int);\n{down}\nDROP TABLE a;\n");
            let up = up_section(&text);
            assert_eq!(
                split(Engine::Sqlite, &up),
                [(2, "CREATE TABLE a (b int)".to_owned())],
                "{text}"
            );
        }
        assert_eq!(up_section("-- up to date\nSELECT 1;"), "-- up to date\nSELECT 1;");
    }
}
