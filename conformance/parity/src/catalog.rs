//! Reads the engines' catalogs.

pub(crate) mod postgres;
pub(crate) mod sqlite;
