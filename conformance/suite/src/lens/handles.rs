//! The ways in which one store is open at the same time.

use node_storage_contract::Result;

use super::look;
use super::read::{Read, questions};
use super::write::{Write, Written};
use crate::StoreFactory;
use crate::factory::{open, open_read_only};
use crate::model::{Model, ModelStore};
use crate::step;
use crate::streams::short;

/// Handles of one store, and the model of what it has to hold.
pub(crate) struct Handles<'f, F: StoreFactory> {
    factory: &'f F,
    /// Clones of the opening that writes; there is always one.
    writers: Vec<(&'static str, F::Store)>,
    /// Those that only read.
    readers: Vec<(&'static str, F::Store)>,
    pub(crate) model: ModelStore,
    /// What was done last.
    pub(crate) last: String,
}

const EARLY: &str = "the reader that was opened before anybody wrote";
const BESIDE: &str = "the reader that was opened just before";
const LATE: &str = "a reader that was opened after it";

impl<'f, F: StoreFactory> Handles<'f, F> {
    /// Opens the store in every way.
    pub(crate) async fn open(factory: &'f F) -> Self {
        let mut handles = Self {
            factory,
            writers: Vec::new(),
            readers: vec![(EARLY, open_read_only(factory).await)],
            model: open(&Model::default()).await,
            last: "opening".to_owned(),
        };
        handles.open_writers().await;
        handles.renew_reader().await;
        handles
    }

    async fn open_writers(&mut self) {
        let writer = open(self.factory).await;
        let clone = writer.clone();
        // The clone between the two is gone.
        let of_clone = clone.clone().clone();
        self.writers = vec![
            ("the handle that was opened", writer),
            ("a clone", clone),
            ("a clone of a clone that is gone", of_clone),
        ];
    }

    /// The handle that writes at this step; they take turns.
    pub(crate) fn writer(&self, step: usize) -> (&'static str, &F::Store) {
        let (name, store) = &self.writers[step % self.writers.len()];
        (name, store)
    }

    pub(crate) fn all(&self) -> Vec<(&'static str, &F::Store)> {
        let both = self.writers.iter().chain(&self.readers);
        both.map(|(name, store)| (*name, store)).collect()
    }

    /// The handle of this number, beginning again after the last.
    pub(crate) fn nth(&self, number: usize) -> (&'static str, &F::Store) {
        let all = self.all();
        all[number % all.len()]
    }

    /// Closes the reader that was opened last, and opens another.
    pub(crate) async fn renew_reader(&mut self) {
        if self.readers.len() > 1
            && let Some((_, reader)) = self.readers.pop()
        {
            self.factory.close(reader).await;
        }
        self.readers.push((BESIDE, open_read_only(self.factory).await));
    }

    /// Writes through one of the handles. The answer has to be the model's, which takes the step too.
    pub(crate) async fn write(&mut self, step: usize, write: &Write) {
        let (after, expected) = write.expected(&self.model).await;
        let (handle, store) = self.writer(step);
        step::now(|| format!("the {} through {handle}, after {}", write.describe(), self.last));
        let answer = write.ask(store).await;
        self.accept(
            after,
            &expected,
            &answer,
            &format!("{} through {handle}", write.describe()),
        );
    }

    /// Takes over the state after a write whose answer has to be this.
    pub(crate) fn accept(
        &mut self,
        after: ModelStore,
        expected: &Result<Written>,
        found: &Result<Written>,
        what: &str,
    ) {
        assert!(
            same_answer(expected, found),
            "the {what} answers {} instead of {}; before it there was {}",
            short(found),
            short(expected),
            self.last
        );
        self.model = after;
        self.last = format!("the {what}");
    }

    /// Every read, through every handle and a reader that is opened now, answers the model's state.
    pub(crate) async fn look(&self) {
        let reads = questions(&self.model.content());
        for (handle, store) in self.all() {
            look(
                store,
                &reads,
                &self.model,
                &format!("after {}, through {handle}", self.last),
            )
            .await;
        }
        let reader = open_read_only(self.factory).await;
        look(
            &reader,
            &reads,
            &self.model,
            &format!("after {}, through {LATE}", self.last),
        )
        .await;
        self.factory.close(reader).await;
    }

    /// Every read through a reader that is opened now: enough where much is stored.
    pub(crate) async fn look_once(&self) {
        let reader = open_read_only(self.factory).await;
        let reads = questions(&self.model.content());
        let lens = format!("after {}, through {LATE}", self.last);
        look(&reader, &reads, &self.model, &lens).await;
        self.factory.close(reader).await;
    }

    /// Some reads through every handle.
    pub(crate) async fn glance(&self, reads: &[Read]) {
        for (handle, store) in self.all() {
            look(
                store,
                reads,
                &self.model,
                &format!("after {}, through {handle}", self.last),
            )
            .await;
        }
    }

    /// Closes what writes and opens it again. The reader that was opened first stays open.
    pub(crate) async fn reopen(&mut self) {
        self.reopen_writers().await;
        self.last = format!("closing and opening again, which came after {}", self.last);
    }

    pub(crate) async fn reopen_writers(&mut self) {
        let mut writers = std::mem::take(&mut self.writers).into_iter();
        let first = writers.next();
        // Clones go first: a factory closes a store whose clones are gone.
        drop(writers);
        if let Some((_, writer)) = first {
            self.factory.close(writer).await;
        }
        self.open_writers().await;
    }

    /// Closes everything.
    pub(crate) async fn close(mut self) {
        let first = self.writers.swap_remove(0);
        drop(self.writers);
        self.factory.close(first.1).await;
        for (_, reader) in self.readers {
            self.factory.close(reader).await;
        }
    }
}

/// Whether two answers are the same: refusals too, with every field that the contract gives them.
pub(crate) fn same_answer<T: PartialEq>(expected: &Result<T>, found: &Result<T>) -> bool {
    match (expected, found) {
        (Ok(expected), Ok(found)) => expected == found,
        (Err(expected), Err(found)) => crate::streams::same_refusal(expected, found),
        _ => false,
    }
}
