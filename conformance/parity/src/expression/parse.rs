//! From the text of a dialect to the parser's tree.

use std::borrow::Cow;

use sqlparser::ast::Expr;
use sqlparser::dialect::{Dialect, PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::engine::Engine;
use crate::lexer;

/// The tree of an expression; none where the parser does not understand all of it.
pub(super) fn parse(engine: Engine, text: &str) -> Option<Expr> {
    let postgres = PostgreSqlDialect {};
    let sqlite = SQLiteDialect {};
    let (dialect, text): (&dyn Dialect, Cow<'_, str>) = match engine {
        Engine::Postgres => (&postgres, text.into()),
        Engine::Sqlite => (&sqlite, in_words_of_the_parser(text).into()),
    };
    let mut parser = Parser::new(dialect)
        .with_recursion_limit(400)
        .try_with_sql(&text)
        .ok()?;
    let expression = parser.parse_expr().ok()?;
    // Something behind the expression: it was not understood.
    (parser.peek_token().token == Token::EOF).then_some(expression)
}

/// SQLite's text without what only SQLite says and the parser does not know: `ISNULL`, `NOTNULL`, and `NOT GLOB`, for which
/// `NOT SIMILAR TO` stands in, since SQLite has no such operator.
fn in_words_of_the_parser(text: &str) -> String {
    let tokens = lexer::tokens(Engine::Sqlite, text);
    let mut rewritten = String::new();
    let mut at = 0;
    for (position, token) in tokens.iter().enumerate() {
        let negated = position.checked_sub(1).is_some_and(|before| tokens[before].is("NOT"));
        let replacement = if token.is("ISNULL") {
            "IS NULL"
        } else if token.is("NOTNULL") {
            "IS NOT NULL"
        } else if token.is("GLOB") && negated {
            "SIMILAR TO"
        } else {
            continue;
        };
        rewritten += text.get(at..token.start).unwrap_or_default();
        rewritten += replacement;
        at = token.end;
    }
    rewritten + text.get(at..).unwrap_or_default()
}
