//! The types of columns, so that columns are only exchanged with others of their type.

use std::collections::{BTreeMap, BTreeSet};

/// The columns of tables and views, with the names of their types.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    tables: BTreeMap<String, BTreeMap<String, String>>,
}

impl Catalog {
    /// Adds a column.
    pub fn insert(&mut self, table: &str, column: &str, type_name: &str) {
        self.tables
            .entry(table.to_lowercase())
            .or_default()
            .insert(column.to_lowercase(), type_name.to_lowercase());
    }

    /// The type of a table's column.
    pub fn type_in(&self, table: &str, column: &str) -> Option<&str> {
        let columns = self.tables.get(&table.to_lowercase())?;
        columns.get(&column.to_lowercase()).map(String::as_str)
    }

    /// The type of the columns with this name, where all of them have the same.
    pub fn type_of(&self, column: &str) -> Option<&str> {
        let column = column.to_lowercase();
        let types: BTreeSet<&str> = self
            .tables
            .values()
            .filter_map(|columns| columns.get(&column))
            .map(String::as_str)
            .collect();
        match types.len() {
            1 => types.first().copied(),
            _ => None,
        }
    }
}
