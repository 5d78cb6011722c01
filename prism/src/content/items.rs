//! A list of keys or services that remembers the revoked ones.

use std::sync::Arc;

use crate::item_id::ItemId;
use crate::key::PublicKey;
use crate::service::Service;

/// What is named by an id within its list.
pub trait HasId {
    /// What items of this kind are called, in the singular.
    const KIND: &'static str;

    /// The id.
    fn id(&self) -> &ItemId;
}

impl HasId for PublicKey {
    const KIND: &'static str = "key";

    fn id(&self) -> &ItemId {
        self.id()
    }
}

impl HasId for Service {
    const KIND: &'static str = "service";

    fn id(&self) -> &ItemId {
        self.id()
    }
}

/// The keys, or the services, of a DID in the order in which they were added. An id is used once and for all: that of
/// a revoked item is not free again.
#[derive(Debug, Clone, PartialEq)]
pub struct Items<T> {
    items: Vec<Item<T>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Item<T> {
    value: Arc<T>,
    active: bool,
}

/// An id that an item of the list has, or had, already.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} id {id:?} is in use or was in use")]
pub struct DuplicateId {
    /// `key` or `service`.
    pub kind: &'static str,
    /// The id.
    pub id: String,
}

/// An id that no active item of the list has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no active {kind} has the id {id:?}")]
pub struct NotActive {
    /// `key` or `service`.
    pub kind: &'static str,
    /// The id.
    pub id: String,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self { items: Vec::new() }
    }
}

impl<T: HasId> Items<T> {
    /// The active items.
    pub fn active(&self) -> impl Iterator<Item = &T> {
        self.items
            .iter()
            .filter(|item| item.active)
            .map(|item| item.value.as_ref())
    }

    /// The revoked items.
    pub fn revoked(&self) -> impl Iterator<Item = &T> {
        self.items
            .iter()
            .filter(|item| !item.active)
            .map(|item| item.value.as_ref())
    }

    /// The active item with this id.
    pub fn get(&self, id: &str) -> Result<&T, NotActive> {
        self.active()
            .find(|value| value.id().as_str() == id)
            .ok_or_else(|| not_active::<T>(id))
    }

    /// Adds an item whose id was never used in this list.
    pub(crate) fn add(&mut self, value: T) -> Result<(), DuplicateId> {
        if self.items.iter().any(|item| item.value.id() == value.id()) {
            return Err(DuplicateId {
                kind: T::KIND,
                id: value.id().to_string(),
            });
        }
        self.items.push(Item {
            value: Arc::new(value),
            active: true,
        });
        Ok(())
    }

    /// Revokes the active item with this id.
    pub(crate) fn revoke(&mut self, id: &str) -> Result<(), NotActive> {
        self.active_mut(id).map(|item| item.active = false)
    }

    /// Revokes all items.
    pub(crate) fn revoke_all(&mut self) {
        for item in &mut self.items {
            item.active = false;
        }
    }

    /// Puts `value` in the place of the active item with the same id.
    pub(crate) fn replace(&mut self, value: T) -> Result<(), NotActive> {
        let item = self.active_mut(value.id().as_str())?;
        item.value = Arc::new(value);
        Ok(())
    }

    fn active_mut(&mut self, id: &str) -> Result<&mut Item<T>, NotActive> {
        self.items
            .iter_mut()
            .find(|item| item.active && item.value.id().as_str() == id)
            .ok_or_else(|| not_active::<T>(id))
    }
}

fn not_active<T: HasId>(id: &str) -> NotActive {
    NotActive {
        kind: T::KIND,
        id: id.to_owned(),
    }
}
