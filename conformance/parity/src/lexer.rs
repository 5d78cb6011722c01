//! Tokens of either dialect: as much of the grammar as splitting files and reading `CREATE TABLE` texts needs.

use crate::engine::Engine;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or keyword without quotes.
    Word,
    /// A name in quotes.
    Quoted,
    /// A literal in single quotes or dollars.
    Text,
    /// A number.
    Number,
    /// One other character.
    Symbol(char),
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Byte offsets in the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// From 1.
    pub(crate) line: usize,
    /// The name without its quotes; for the rest the text as it stands.
    pub(crate) text: String,
}

impl Token {
    /// Whether it is this keyword.
    pub(crate) fn is(&self, keyword: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(keyword)
    }

    pub(crate) fn is_symbol(&self, symbol: char) -> bool {
        self.kind == Kind::Symbol(symbol)
    }

    /// Whether it can be a name.
    pub(crate) fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted)
    }
}

/// The tokens of a text, without white space and comments. Never fails: what is not closed ends with the text.
pub(crate) fn tokens(engine: Engine, text: &str) -> Vec<Token> {
    Lexer {
        engine,
        text,
        position: 0,
        line: 1,
    }
    .collect()
}

pub(crate) struct Lexer<'text> {
    engine: Engine,
    text: &'text str,
    position: usize,
    line: usize,
}

impl<'text> Lexer<'text> {
    pub(crate) fn new(engine: Engine, text: &'text str) -> Self {
        Self {
            engine,
            text,
            position: 0,
            line: 1,
        }
    }

    /// Where the next token is looked for.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    /// Goes on at this offset, which is not before the present one.
    pub(crate) fn skip_to(&mut self, position: usize) {
        let passed = self.text.get(self.position..position).unwrap_or_default();
        self.line += passed.matches('\n').count();
        self.position = position.min(self.text.len());
    }

    fn rest(&self) -> &'text str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        self.skip_to(self.position + bytes);
    }

    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len()
                - rest
                    .trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
                    .len();
            self.advance(blank);
            let rest = self.rest();
            if rest.starts_with("--") {
                self.advance(rest.find('\n').unwrap_or(rest.len()));
            } else if rest.starts_with("/*") {
                self.advance(block_comment(rest, self.engine == Engine::Postgres));
            } else if blank == 0 {
                return;
            }
        }
    }

    fn token(&mut self, kind: Kind, length: usize, text: String) -> Token {
        let (start, line) = (self.position, self.line);
        self.advance(length);
        Token {
            kind,
            start,
            end: self.position,
            line,
            text,
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blank();
        let rest = self.rest();
        let first = rest.chars().next()?;
        let postgres = self.engine == Engine::Postgres;
        if first == '\'' {
            let length = quoted(rest, '\'', false);
            return Some(self.token(Kind::Text, length, rest[..length].to_owned()));
        }
        if first == '"' || (!postgres && first == '`') {
            let length = quoted(rest, first, false);
            let doubled: String = [first, first].iter().collect();
            let name = inner(&rest[..length]).replace(&doubled, &first.to_string());
            return Some(self.token(Kind::Quoted, length, name));
        }
        if !postgres && first == '[' {
            let length = rest.find(']').map_or(rest.len(), |end| end + 1);
            return Some(self.token(Kind::Quoted, length, inner(&rest[..length]).to_owned()));
        }
        if postgres
            && first == '$'
            && let Some(length) = dollar_quoted(rest)
        {
            return Some(self.token(Kind::Text, length, rest[..length].to_owned()));
        }
        // E'…' with backslashes, X'…', B'…', N'…', U&'…'
        let mut start = rest.char_indices().take(3);
        let prefix = start.find(|(_, c)| *c == '\'').map(|(at, _)| at).filter(|at| {
            let prefix = &rest[..*at];
            matches!(prefix, "X" | "x")
                || (postgres && matches!(prefix, "E" | "e" | "B" | "b" | "N" | "n" | "U&" | "u&"))
        });
        if let Some(at) = prefix {
            let backslashes = rest.starts_with(['E', 'e']);
            let length = at + quoted(&rest[at..], '\'', backslashes);
            return Some(self.token(Kind::Text, length, rest[..length].to_owned()));
        }
        if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            let mut length = 0;
            let mut previous = ' ';
            for c in rest.chars() {
                let sign = matches!(c, '+' | '-') && matches!(previous, 'e' | 'E') && !rest.starts_with("0x");
                if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || sign) {
                    break;
                }
                previous = c;
                length += 1;
            }
            return Some(self.token(Kind::Number, length, rest[..length].to_owned()));
        }
        if first.is_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len());
            return Some(self.token(Kind::Word, length, rest[..length].to_owned()));
        }
        Some(self.token(Kind::Symbol(first), first.len_utf8(), first.to_string()))
    }
}

/// What stands between the first and the last character, each of one byte.
fn inner(text: &str) -> &str {
    text.get(1..text.len().saturating_sub(1)).unwrap_or_default()
}

/// The length of a literal that starts with its quote, the closing quote included.
fn quoted(text: &str, quote: char, backslashes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if backslashes && c == '\\' {
            characters.next();
        } else if c == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return at + 1;
            }
        }
    }
    text.len()
}

/// The length of a literal between `$tag$` and `$tag$`, if one starts here.
fn dollar_quoted(text: &str) -> Option<usize> {
    let tag_end = text[1..].find('$')? + 2;
    let tag = &text[..tag_end];
    let name = inner(tag);
    let is_name =
        name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    if !is_name {
        return None;
    }
    Some(
        text[tag_end..]
            .find(tag)
            .map_or(text.len(), |at| tag_end + at + tag.len()),
    )
}

fn block_comment(text: &str, nested: bool) -> usize {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") if depth == 0 || nested => {
                depth += 1;
                at += 2;
            }
            Some(b"*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(engine: Engine, text: &str) -> Vec<String> {
        tokens(engine, text).into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn semicolons_and_quotes_inside_literals_and_comments_are_not_tokens() {
        assert_eq!(
            texts(
                Engine::Postgres,
                "a 'b;''c' E'\\';' $x$ ; $y$ $x$ /* ; /* ; */ ; */ -- ;\n\"d\"\"e\" $1"
            ),
            ["a", "'b;''c'", "E'\\';'", "$x$ ; $y$ $x$", "d\"e", "$", "1"]
        );
        assert_eq!(
            texts(Engine::Sqlite, "[a;b] `c``d` x'00' '\\' /* /* */ e"),
            ["a;b", "c`d", "x'00'", "'\\'", "e"]
        );
    }

    #[test]
    fn what_is_not_closed_ends_with_the_text() {
        for text in ["'a", "\"a", "$a$ b", "/* a", "[a", "-- a", "é'", "$", "/* /"] {
            for engine in [Engine::Postgres, Engine::Sqlite] {
                let _ = tokens(engine, text);
            }
        }
    }

    #[test]
    fn lines_count_from_one_across_literals() {
        let lines: Vec<usize> = tokens(Engine::Sqlite, "a\r\n'b\n'\n/*\n*/ c")
            .iter()
            .map(|token| token.line)
            .collect();
        assert_eq!(lines, [1, 2, 5]);
    }
}
