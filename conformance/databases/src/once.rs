//! Work that a process does once for each name, however many tests ask for it at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::Result;

/// The results so far, by name.
#[derive(Debug)]
pub(crate) struct OncePerName<T> {
    cells: Mutex<HashMap<String, Arc<OnceCell<T>>>>,
}

impl<T> Default for OncePerName<T> {
    fn default() -> Self {
        Self {
            cells: Mutex::default(),
        }
    }
}

impl<T: Clone> OncePerName<T> {
    /// The result of the work for this name. Others that ask meanwhile wait for it; after an error the next one tries.
    pub(crate) async fn get_or_try_init<Work>(&self, name: &str, work: impl FnOnce() -> Work) -> Result<T>
    where
        Work: Future<Output = Result<T>>,
    {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(name.to_owned()).or_default())
        };
        cell.get_or_try_init(work).await.cloned()
    }

    /// Forgets the result for this name, so that the work is done again.
    pub(crate) fn forget(&self, name: &str) {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}
