//! The mutants of a crate.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use crate::operators::apply;
use crate::source::{LiteralId, Piece, Source, Statement};
use crate::{Catalog, Edit, Engine, Error, Mutation, Result, mutations};

/// A wrong version of a crate's SQL.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// The file, below the root of the workspace.
    pub file: PathBuf,
    /// The function whose literal changes, or the macro with an exclamation mark.
    pub function: String,
    /// The number among the function's mutants with the same description, from 1 on.
    pub number: usize,
    /// What changes.
    pub description: String,
    /// The lines of the literals that change.
    pub lines: Range<usize>,
    /// The literals that change, with their new values.
    pub changed: BTreeMap<LiteralId, String>,
}

impl fmt::Display for Mutant {
    /// The mutant's name, which stays the same while its statement does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.file.display(), self.function, self.description)?;
        if self.number > 1 {
            write!(f, " (number {})", self.number)?;
        }
        Ok(())
    }
}

/// All mutants of the statements of a crate, by file and place. What several statements share changes in all of them.
///
/// # Errors
/// `BrokenSql` for a statement that can't be read.
pub fn mutants(engine: Engine, source: &Source, catalog: &Catalog) -> Result<Vec<Mutant>> {
    let mut found: Vec<Mutant> = Vec::new();
    for statement in &source.statements {
        let text = source.text(statement, &BTreeMap::new());
        for mutation in mutations(engine, &text, catalog)? {
            let mutant = mutant(source, statement, mutation)?;
            if !found.iter().any(|other| other.changed == mutant.changed) {
                found.push(mutant);
            }
        }
    }
    found.sort_by(|one, other| {
        let key = |mutant: &Mutant| (mutant.file.clone(), mutant.changed.keys().next().copied());
        key(one).cmp(&key(other))
    });
    let mut numbers: BTreeMap<(PathBuf, String, String), usize> = BTreeMap::new();
    for mutant in &mut found {
        let name = (mutant.file.clone(), mutant.function.clone(), mutant.description.clone());
        let number = numbers.entry(name).or_default();
        *number += 1;
        mutant.number = *number;
    }
    Ok(found)
}

/// Brings a mutation from a statement to the literals that it is made of.
fn mutant(source: &Source, statement: &Statement, mutation: Mutation) -> Result<Mutant> {
    let mut start = 0;
    let mut edits: BTreeMap<LiteralId, Vec<Edit>> = BTreeMap::new();
    let mut touched: Vec<LiteralId> = Vec::new();
    let mut pending = mutation.edits.as_slice();
    for piece in &statement.pieces {
        let (length, id) = match piece {
            Piece::Literal(id) => (source.literal(*id).map_or(0, |literal| literal.value.len()), Some(*id)),
            Piece::Built(text) => (text.len(), None),
        };
        let end = start + length;
        while let [edit, rest @ ..] = pending {
            if edit.end > end {
                break;
            }
            let Some(id) = id.filter(|_| edit.start >= start) else {
                return Err(Error::BrokenMutation {
                    description: mutation.description,
                    text: source.text(statement, &BTreeMap::new()),
                    detail: "it changes what no single literal says".to_owned(),
                });
            };
            edits.entry(id).or_default().push(Edit {
                start: edit.start - start,
                end: edit.end - start,
                replacement: edit.replacement.clone(),
            });
            touched.push(id);
            pending = rest;
        }
        start = end;
    }
    let first = touched.first().and_then(|id| source.literal(*id));
    let changed = edits
        .into_iter()
        .filter_map(|(id, edits)| Some((id, apply(&edits, &source.literal(id)?.value))))
        .collect();
    Ok(Mutant {
        file: first.map(|literal| literal.file.clone()).unwrap_or_default(),
        function: first.map(|literal| literal.function.clone()).unwrap_or_default(),
        number: 1,
        description: mutation.description,
        lines: first.map(|literal| literal.lines.clone()).unwrap_or_default(),
        changed,
    })
}
