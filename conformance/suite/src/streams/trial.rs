//! The steps of a stream, taken on the model and on stores.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use super::Divergence;
use super::call::{Answer, Call};
use super::difference::{difference, first_difference};
use super::interpret::Known;
use super::moving::{Archive, Moving};
use super::step::Step;
use crate::factory::{open, open_read_only};
use crate::model::{Model, ModelStore};
use crate::observe::{Observation, observe};
use node_storage_contract::AnyStore;

use crate::{AnyFactory, StoreFactory};

/// Steps that are being taken.
pub(super) struct Trial<'a> {
    steps: &'a [Step],
    /// How many of them were taken.
    taken: usize,
    model: ModelStore,
    /// What the model holds.
    expected: Observation,
    /// The last backup.
    base: Option<Archive>,
}

impl<'a> Trial<'a> {
    pub(super) async fn new(steps: &'a [Step]) -> Self {
        let model = open(&Model::default()).await;
        Self {
            steps,
            taken: 0,
            expected: observe(&model).await,
            model,
            base: None,
        }
    }

    /// Takes steps on a new store of this factory, into which `moving` comes first, until the stream ends or moves on.
    pub(super) async fn go_on(
        &mut self,
        factory: &AnyFactory<'_>,
        moving: Option<Moving>,
    ) -> Result<Option<Moving>, Divergence> {
        let reader = open_read_only(factory).await;
        let mut handles = Handles::open(factory, reader.clone()).await;
        let result = catch_panic(self.take_steps(factory, &mut handles, moving)).await;
        handles.close_writers(factory).await;
        drop(handles);
        factory.close(reader).await;
        result.and_then(|result| result).map_err(|difference| Divergence {
            step: self.taken.saturating_sub(1),
            difference,
        })
    }

    async fn take_steps(
        &mut self,
        factory: &AnyFactory<'_>,
        handles: &mut Handles,
        moving: Option<Moving>,
    ) -> Result<Option<Moving>, String> {
        if let Some(moving) = &moving {
            moving.unpack_into(handles.writer(self.taken)).await?;
            must_be_none(first_difference(
                &self.expected,
                &observe(handles.reader(self.taken)).await,
            ))?;
        }
        while let Some(step) = self.steps.get(self.taken) {
            self.taken += 1;
            let call = Known::new(&self.expected).call(step);
            let is_one_contradiction = step.is_one_contradiction(self.expected.cursor);
            let answer = call.ask(&self.model).await;
            self.expected = observe(&self.model).await;
            if matches!(call, Call::Reopen) {
                handles.close_writers(factory).await;
                handles.open_writers(factory).await;
            }
            let store = match &call {
                Call::Read(_) | Call::BackUp => handles.reader(self.taken),
                _ => handles.writer(self.taken),
            };
            let found = call.ask(store).await;
            must_be_none(difference(&answer, &found, is_one_contradiction))?;
            // Another handle sees what this one has written, and what was opened just now what was written before.
            let other = if matches!(call, Call::Reopen) {
                handles.writer(self.taken)
            } else {
                handles.reader(self.taken + 1)
            };
            must_be_none(first_difference(&self.expected, &observe(other).await))?;
            match (call, answer) {
                (Call::BackUp, Ok(Answer::Archive(archive))) => self.base = Some(archive),
                (Call::Move, _) => return self.move_out_of(handles.reader(self.taken)).await.map(Some),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Packs what the store holds, which is what the model holds, and moves the model.
    async fn move_out_of(&mut self, store: &AnyStore) -> Result<Moving, String> {
        let expected = Moving::pack(&self.model, self.base.as_ref(), &self.expected).await;
        let expected = expected.expect("the model can be backed up");
        let found = Moving::pack(store, self.base.as_ref(), &self.expected)
            .await
            .map_err(|error| format!("no archive is made of it: {error}"))?;
        if found != expected {
            return Err("other archives are made of it than of the model".to_owned());
        }
        self.model = open(&Model::default()).await;
        expected
            .unpack_into(&self.model)
            .await
            .expect("the model can be restored");
        must_be_none(first_difference(&self.expected, &observe(&self.model).await)).expect("the model stays as it was");
        Ok(found)
    }
}

/// Handles of one store, which steps take in turn.
struct Handles {
    /// Clones of the opening that writes.
    writers: Vec<AnyStore>,
    /// Was opened before anybody wrote.
    reader: AnyStore,
}

impl Handles {
    async fn open(factory: &AnyFactory<'_>, reader: AnyStore) -> Self {
        let mut handles = Self {
            writers: Vec::new(),
            reader,
        };
        handles.open_writers(factory).await;
        handles
    }

    async fn open_writers(&mut self, factory: &AnyFactory<'_>) {
        let store = open(factory).await;
        self.writers = vec![store.clone(), store];
    }

    /// Clones go first: a factory closes a store whose clones are gone.
    async fn close_writers(&mut self, factory: &AnyFactory<'_>) {
        self.writers.truncate(1);
        if let Some(store) = self.writers.pop() {
            factory.close(store).await;
        }
    }

    fn writer(&self, step: usize) -> &AnyStore {
        &self.writers[step % self.writers.len()]
    }

    /// Any of them: they all read.
    fn reader(&self, step: usize) -> &AnyStore {
        self.writers
            .get(step % (self.writers.len() + 1))
            .unwrap_or(&self.reader)
    }
}

fn must_be_none(difference: Option<String>) -> Result<(), String> {
    difference.map_or(Ok(()), Err)
}

/// The output of a future, or what it said when it panicked.
async fn catch_panic<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("nothing");
                Poll::Ready(Err(format!("the store, or reading all of it, panics: {said}")))
            }
        },
    )
    .await
}
