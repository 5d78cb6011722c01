//! Which file introduced an object: kept while files are applied.

use std::collections::{BTreeMap, HashSet};

use crate::engine::Engine;
use crate::lexer;
use crate::model::Origin;
use crate::split::Statement;

/// The files that were applied to a database, and what each of them did.
#[derive(Debug, Default)]
pub(crate) struct History {
    files: Vec<File>,
    /// PostgreSQL's next transaction number before each file.
    first_transaction: Vec<i64>,
    /// The file that introduced or last changed an object, by its key.
    introduced: BTreeMap<String, usize>,
    /// The file in which an object vanished.
    removed: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct File {
    name: String,
    version: String,
    statements: Vec<Mentions>,
}

#[derive(Debug)]
struct Mentions {
    line: usize,
    creates: bool,
    names: HashSet<String>,
}

impl History {
    /// Notes a file before it is applied.
    pub(crate) fn start(
        &mut self,
        engine: Engine,
        name: &str,
        version: &str,
        statements: &[Statement],
        transaction: i64,
    ) {
        let mentions = |statement: &Statement| {
            let tokens = lexer::tokens(engine, &statement.text);
            Mentions {
                line: statement.line,
                creates: tokens
                    .first()
                    .is_some_and(|token| token.is("CREATE") || token.is("ALTER")),
                names: tokens
                    .into_iter()
                    .filter(lexer::Token::is_name)
                    .map(|token| token.text.to_lowercase())
                    .collect(),
            }
        };
        self.files.push(File {
            name: name.to_owned(),
            version: version.to_owned(),
            statements: statements.iter().map(mentions).collect(),
        });
        self.first_transaction.push(transaction);
    }

    /// Notes what the last file has left, as texts by key.
    pub(crate) fn finish(&mut self, before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) {
        let file = self.files.len().saturating_sub(1);
        for (key, text) in after {
            if before.get(key) != Some(text) {
                self.introduced.insert(key.clone(), file);
                self.removed.remove(key);
            }
        }
        for key in before.keys().filter(|key| !after.contains_key(*key)) {
            self.removed.insert(key.clone(), file);
        }
    }

    /// Where the object of this key was made; `names` are those that its statement mentions.
    pub(crate) fn introduced(&self, key: &str, names: &[&str]) -> Option<Origin> {
        self.introduced.get(key).and_then(|file| self.origin(*file, names))
    }

    /// Where the object of this key was lost.
    pub(crate) fn removed(&self, key: &str, names: &[&str]) -> Option<Origin> {
        self.removed.get(key).and_then(|file| self.origin(*file, names))
    }

    /// Where the catalog row of this transaction was written.
    pub(crate) fn of_transaction(&self, transaction: i64, names: &[&str]) -> Option<Origin> {
        let files = self.first_transaction.partition_point(|first| *first <= transaction);
        files.checked_sub(1).and_then(|file| self.origin(file, names))
    }

    fn origin(&self, file: usize, names: &[&str]) -> Option<Origin> {
        let file = self.files.get(file)?;
        let names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
        let matching = |test: &dyn Fn(&Mentions) -> bool| file.statements.iter().find(|statement| test(statement));
        let all = |statement: &Mentions| names.iter().all(|name| statement.names.contains(name));
        let last = |statement: &Mentions| names.last().is_some_and(|name| statement.names.contains(name));
        let first = |statement: &Mentions| names.first().is_some_and(|name| statement.names.contains(name));
        let found = matching(&|statement| statement.creates && all(statement))
            .or_else(|| matching(&all))
            .or_else(|| matching(&|statement| statement.creates && last(statement)))
            .or_else(|| matching(&first));
        Some(Origin {
            file: file.name.clone(),
            version: file.version.clone(),
            line: found.map(|statement| statement.line),
        })
    }
}
