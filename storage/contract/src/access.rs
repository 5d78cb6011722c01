//! What a store is opened for.

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading what others write. Nothing is changed, and the schema is never migrated; writes answer `ReadOnly`.
    Read,
    /// Writing. The first such opening writes the name of the network into the store.
    Write {
        /// Whether a schema that is missing or outdated is brought up to date. Otherwise it is refused.
        migrate: bool,
    },
}

impl Access {
    /// Whether writing is allowed.
    pub const fn is_write(self) -> bool {
        matches!(self, Self::Write { .. })
    }
}
