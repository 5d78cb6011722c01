//! What was acknowledged is there, for everybody, at once (lines 2, 6, 7 and 9 of the storage contract).

use node_storage_contract::NodeStorage;

use crate::StoreFactory;
use crate::factory::{open, open_read_only};
use crate::lens::author::Kind;
use crate::lens::handles::Handles;
use crate::lens::look;
use crate::lens::read::{Read, questions, telling};
use crate::lens::write::copy;

/// After each write of each kind, every read answers the new state through every handle there is: the same one, clones, readers
/// opened before anybody wrote, just before and just after, and after closing and opening again. A reader outlives the writer
/// that it was opened beside.
pub async fn acknowledged_write_is_seen_through_every_handle(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    handles.look().await;
    for (step, kind) in Kind::ALL.into_iter().chain(Kind::ALL).enumerate() {
        let write = kind.next(&handles.model);
        let before = copy(&handles.model).await;
        handles.write(step, &write).await;
        if step < Kind::ALL.len() {
            handles.look().await;
        } else {
            let telling = telling(&before, &handles.model, 2).await;
            let reads: Vec<Read> = telling.into_iter().map(|telling| telling.read).collect();
            handles.glance(&reads).await;
        }
        if step % 4 == 3 {
            handles.reopen().await;
            handles.look().await;
        }
        if step % 3 == 2 {
            handles.renew_reader().await;
        }
    }
    handles.close().await;
}

/// Every handle has read everything before each write, so that whatever it may remember of that is not what it answers after.
pub async fn what_was_read_before_a_write_is_not_answered_after_it(factory: &impl StoreFactory) {
    let mut handles = Handles::open(factory).await;
    for (step, kind) in [Kind::Append, Kind::Index].into_iter().chain(Kind::ALL).enumerate() {
        let write = kind.next(&handles.model);
        let (after, _) = write.expected(&handles.model).await;
        // What is found only after the write is asked for before it.
        let reads = questions(&after.content());
        handles.glance(&reads).await;
        handles.write(step, &write).await;
        handles.glance(&reads).await;
    }
    handles.close().await;
}

/// Closing and dropping handles, while others are open, harms none of those.
pub async fn closing_a_handle_harms_no_other(factory: &impl StoreFactory) {
    const READERS: usize = 3;
    let writer = open(factory).await;
    let keeper = open_read_only(factory).await;
    let model = open(&crate::model::Model::default()).await;
    for round in 0..12 {
        let reader = open_read_only(factory).await;
        let clone = writer.clone();
        let of_reader = reader.clone();
        let kind = Kind::ALL[round % Kind::ALL.len()];
        let write = kind.next(&model);
        write
            .ask(&clone)
            .await
            .unwrap_or_else(|error| panic!("{} is refused: {error}", write.describe()));
        write.ask(&model).await.expect("the model accepts it");
        drop(of_reader);
        factory.close(reader).await;
        look_through(&clone, "a clone, after a reader was closed", &model).await;
        drop(clone);
        look_through(&writer, "the handle that was opened, after a clone was dropped", &model).await;
        look_through(&keeper, "a reader, after another one was closed", &model).await;
    }
    factory.close(writer).await;
    look_through(&keeper, "a reader, after the writer was closed", &model).await;
    let writer = open(factory).await;
    let write = Kind::Append.next(&model);
    write
        .ask(&writer)
        .await
        .unwrap_or_else(|error| panic!("{} is refused: {error}", write.describe()));
    write.ask(&model).await.expect("the model accepts it");
    look_through(
        &keeper,
        "a reader that has outlived a writer, after the next one wrote",
        &model,
    )
    .await;
    factory.close(keeper).await;
    look_through(&writer, "the writer, after a reader was closed", &model).await;
    // Of several readers, each is the first that ends, in turn; and each of them without being closed, too.
    for first in 0..READERS {
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(open_read_only(factory).await);
        }
        let ended = readers.remove(first);
        if first % 2 == 0 {
            factory.close(ended).await;
        } else {
            drop(ended);
        }
        readers.push(open_read_only(factory).await);
        while let Some(reader) = readers.pop() {
            let handle = format!(
                "a reader beside {} others, after number {first} of them had ended",
                readers.len()
            );
            look_through(&reader, &handle, &model).await;
            factory.close(reader).await;
        }
    }
}

async fn look_through<S: NodeStorage>(store: &S, handle: &str, model: &crate::model::ModelStore) {
    let reads: Vec<Read> = questions(&model.content());
    look(store, &reads, model, &format!("through {handle}")).await;
}
