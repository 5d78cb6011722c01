//! What the contract says, as tables that the cases walk: every read, every write, every kind of handle, every step of a call.
//!
//! A case of these does not list what a store may do wrong. It takes the product of the tables and asks the model what each
//! answer has to be.

pub(crate) mod author;
pub(crate) mod differences;
pub(crate) mod handles;
pub(crate) mod read;
pub(crate) mod refusals;
pub(crate) mod scales;
pub(crate) mod schedule;
pub(crate) mod stepped;
pub(crate) mod write;

use node_storage_contract::NodeStorage;

use crate::model::ModelStore;
use crate::step;
use crate::streams::short;
use read::{Read, Reading, Telling};

/// Asks all of these and compares with what a store in the model's state has to answer. `lens` says through which handle, after
/// what.
pub(crate) async fn look<S: NodeStorage>(store: &S, reads: &[Read], model: &ModelStore, lens: &str) {
    for read in reads {
        step::now(|| format!("{} {lens}", read.method()));
        let expected = read.expected(model).await;
        match read.ask(store).await {
            Ok(found) if found == expected => {}
            Ok(found) => panic!(
                "{lens}, {} answers {} instead of {}; the call is {}",
                read.method(),
                short(&found),
                short(&expected),
                short(read)
            ),
            Err(error) => panic!("{lens}, {} fails ({error}); the call is {}", read.method(), short(read)),
        }
    }
}

/// Whether what a read answers beside a write is the state after it; an answer that is neither of the two states fails.
pub(crate) fn is_after(telling: &Telling, found: node_storage_contract::Result<Reading>, lens: &str) -> bool {
    let Telling { read, before, after } = telling;
    match found {
        Ok(found) if found == *after => true,
        Ok(found) if found == *before => false,
        Ok(found) => panic!(
            "{lens}, {} answers {}, which is neither the state before, {}, nor the one after, {}; the call is {}",
            read.method(),
            short(&found),
            short(before),
            short(after),
            short(read)
        ),
        Err(error) => panic!("{lens}, {} fails ({error}); the call is {}", read.method(), short(read)),
    }
}
