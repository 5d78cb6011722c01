//! A statement as tokens that know where they stand, so that a change touches nothing else.

use std::ops::Range;

use sqlparser::dialect::{PostgreSqlDialect, SQLiteDialect};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Location, Token as ParserToken, Tokenizer, Whitespace};

use crate::{Engine, Error, Result};

/// The words that end a clause, and a condition in particular, at the depth of parentheses that it stands at.
const CLAUSES: [&str; 19] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "RETURNING",
    "JOIN",
    "INNER",
    "CROSS",
    "NATURAL",
    ";",
];

/// What a token is, as far as a mutation has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A keyword, or a name without quotes.
    Word,
    /// A name in quotes.
    QuotedName,
    /// A number.
    Number,
    /// A parameter: `$1`, `?1` or `?`.
    Parameter,
    /// Anything else.
    Other,
}

/// A token that is neither a blank nor a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Where it stands in the text, in bytes.
    pub(crate) range: Range<usize>,
    /// How many parentheses are open around it; a parenthesis stands outside of itself.
    pub(crate) depth: usize,
    pub(crate) kind: Kind,
}

/// A statement that the parser of its engine's dialect takes.
#[derive(Debug)]
pub(crate) struct Sql<'a> {
    text: &'a str,
    tokens: Vec<Token>,
}

impl<'a> Sql<'a> {
    /// Reads a statement.
    ///
    /// # Errors
    /// `BrokenSql` for what is no statement of this engine's dialect, or more than one.
    pub(crate) fn parse(engine: Engine, text: &'a str) -> Result<Self> {
        let broken = |detail: String| Error::BrokenSql {
            text: text.trim().to_owned(),
            detail,
        };
        let statements = match engine {
            Engine::Postgres => Parser::parse_sql(&PostgreSqlDialect {}, text),
            Engine::Sqlite => Parser::parse_sql(&SQLiteDialect {}, text),
        }
        .map_err(|error| broken(error.to_string()))?;
        if statements.len() != 1 {
            return Err(broken(format!("{} statements instead of one", statements.len())));
        }
        let tokens = match engine {
            Engine::Postgres => Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location(),
            Engine::Sqlite => Tokenizer::new(&SQLiteDialect {}, text).tokenize_with_location(),
        }
        .map_err(|error| broken(error.to_string()))?;
        let lines = line_starts(text);
        let mut placed = Vec::with_capacity(tokens.len());
        let mut depth = 0_usize;
        for token in &tokens {
            let kind = match &token.token {
                ParserToken::EOF
                | ParserToken::Whitespace(
                    Whitespace::Space
                    | Whitespace::Newline
                    | Whitespace::Tab
                    | Whitespace::SingleLineComment { .. }
                    | Whitespace::MultiLineComment(_),
                ) => continue,
                ParserToken::Word(word) if word.quote_style.is_some() => Kind::QuotedName,
                ParserToken::Word(_) => Kind::Word,
                ParserToken::Number(..) => Kind::Number,
                ParserToken::Placeholder(_) => Kind::Parameter,
                _ => Kind::Other,
            };
            let place =
                |location| byte_of(text, &lines, location).ok_or_else(|| broken("a token without a place".into()));
            let range = place(token.span.start)?..place(token.span.end)?;
            if token.token == ParserToken::RParen {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| broken("a parenthesis too many".into()))?;
            }
            placed.push(Token { range, depth, kind });
            if token.token == ParserToken::LParen {
                depth += 1;
            }
        }
        Ok(Self { text, tokens: placed })
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The token with this number, as it is written; empty behind the last.
    pub(crate) fn text(&self, index: usize) -> &'a str {
        self.tokens
            .get(index)
            .and_then(|token| self.text.get(token.range.clone()))
            .unwrap_or("")
    }

    /// Whether a token is this keyword or symbol.
    pub(crate) fn is(&self, index: usize, word: &str) -> bool {
        self.kind(index) != Some(Kind::QuotedName) && self.text(index).eq_ignore_ascii_case(word)
    }

    /// Whether the token before this one is this keyword or symbol.
    pub(crate) fn follows(&self, index: usize, word: &str) -> bool {
        index.checked_sub(1).is_some_and(|before| self.is(before, word))
    }

    pub(crate) fn kind(&self, index: usize) -> Option<Kind> {
        self.tokens.get(index).map(|token| token.kind)
    }

    pub(crate) fn depth(&self, index: usize) -> usize {
        self.tokens.get(index).map_or(0, |token| token.depth)
    }

    /// The bytes from the first of these tokens to the end of the last.
    pub(crate) fn bytes(&self, tokens: Range<usize>) -> Range<usize> {
        let start = self
            .tokens
            .get(tokens.start)
            .map_or(self.text.len(), |token| token.range.start);
        let end = tokens
            .end
            .checked_sub(1)
            .and_then(|last| self.tokens.get(last))
            .map_or(start, |token| token.range.end);
        start..end.max(start)
    }

    /// These tokens as they are written.
    pub(crate) fn written(&self, tokens: Range<usize>) -> &'a str {
        self.text.get(self.bytes(tokens)).unwrap_or("")
    }

    /// The first token from `start` on that is one of `stops` at the depth of `start`, or that closes the parenthesis around
    /// it.
    pub(crate) fn until(&self, start: usize, is_stop: impl Fn(usize) -> bool) -> usize {
        let depth = self.depth(start);
        (start..self.len())
            .find(|index| self.depth(*index) < depth || self.depth(*index) == depth && is_stop(*index))
            .unwrap_or(self.len())
    }

    /// The end of the clause whose first token behind its keywords is `start`.
    pub(crate) fn clause_end(&self, start: usize) -> usize {
        self.until(start, |index| self.starts_clause(index))
    }

    fn starts_clause(&self, index: usize) -> bool {
        CLAUSES.iter().any(|word| self.is(index, word))
            || ["LEFT", "RIGHT", "FULL"].iter().any(|word| self.is(index, word))
                && (self.is(index + 1, "JOIN") || self.is(index + 1, "OUTER"))
            || self.is(index, "FOR")
                && ["UPDATE", "SHARE", "NO", "KEY"]
                    .iter()
                    .any(|word| self.is(index + 1, word))
            || self.is(index, "ON")
    }

    /// The parts of these tokens between separators at the depth of the first.
    pub(crate) fn split(&self, tokens: Range<usize>, separator: &str) -> Vec<Range<usize>> {
        let depth = self.depth(tokens.start);
        let mut parts = Vec::new();
        let mut start = tokens.start;
        let mut between = false;
        let mut cases = 0_usize;
        for index in tokens.clone() {
            if self.depth(index) != depth {
                continue;
            }
            if self.is(index, "CASE") {
                cases += 1;
            } else if self.is(index, "END") {
                cases = cases.saturating_sub(1);
            } else if self.is(index, "BETWEEN") {
                between = true;
            } else if self.is(index, "AND") && between {
                // The AND of BETWEEN separates no terms.
                between = false;
            } else if self.is(index, separator) && cases == 0 {
                parts.push(start..index);
                start = index + 1;
            }
        }
        parts.push(start..tokens.end);
        parts
    }

    /// The token behind the parenthesis that closes the one at `open`.
    pub(crate) fn behind_parenthesis(&self, open: usize) -> usize {
        let depth = self.depth(open);
        (open + 1..self.len())
            .find(|index| self.depth(*index) == depth)
            .map_or(self.len(), |close| close + 1)
    }
}

/// The bytes at which the lines of a text start.
fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(text.match_indices('\n').map(|(index, _)| index + 1))
        .collect()
}

/// The byte at a place that the tokenizer names by line and by column, a character each, both from 1 on.
fn byte_of(text: &str, lines: &[usize], location: Location) -> Option<usize> {
    let line = usize::try_from(location.line).ok()?.checked_sub(1)?;
    let column = usize::try_from(location.column).ok()?.checked_sub(1)?;
    let start = *lines.get(line)?;
    let rest = text.get(start..)?;
    rest.char_indices()
        .map(|(index, _)| start + index)
        .chain(std::iter::once(text.len()))
        .nth(column)
}
