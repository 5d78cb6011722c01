//! The hot look-ups, through the engine's own type and through the erased store that applications hold.

use std::time::{Duration, Instant};

use node_storage::DbBackend;
use node_storage::contract::{Access, AnyStore, DidSuffix, NodeStorage, OperationId, PageLimit, TransactionId};
use node_storage::postgres::{PostgresDb, PostgresOptions};
use node_storage::sqlite::{SqliteDb, SqliteOptions};

use crate::NETWORK;

/// Rounds in which every look-up is made once through either store.
const ROUNDS: usize = 3_000;

/// What is looked up, in turn.
struct Known {
    operations: Vec<OperationId>,
    transactions: Vec<TransactionId>,
    dids: Vec<DidSuffix>,
}

/// Prints the median of each look-up through both, and the ratio.
pub(crate) async fn compare(backend: DbBackend, url: &str) {
    println!("\n{backend}, look-ups                       erased store   the engine's type");
    match backend {
        DbBackend::Sqlite => {
            let path = url.trim_start_matches("sqlite://");
            let store = SqliteDb::open(&SqliteOptions::new(path), NETWORK, Access::Read).await;
            measure(store.unwrap()).await;
        }
        DbBackend::Postgres => {
            let store = PostgresDb::open(&PostgresOptions::new(url).unwrap(), NETWORK, Access::Read).await;
            measure(store.unwrap()).await;
        }
    }
}

async fn measure<S: NodeStorage>(store: S) {
    let erased = AnyStore::new(store.clone());
    let known = known(&store).await;
    let names = [
        "an operation by its id",
        "a transaction by its id",
        "a page of a DID's operations",
        "a listed DID",
        "the state of the indexer",
    ];
    let mut ours: Vec<Vec<Duration>> = vec![Vec::new(); names.len()];
    let mut theirs = ours.clone();
    for round in 0..ROUNDS {
        // In turn, so that whatever else the machine does slows both.
        for (figure, time) in ours.iter_mut().zip(look_up(&erased, &known, round).await) {
            figure.push(time);
        }
        for (figure, time) in theirs.iter_mut().zip(look_up(&store, &known, round).await) {
            figure.push(time);
        }
    }
    for ((name, ours), theirs) in names.iter().zip(ours).zip(theirs) {
        let (ours, theirs) = (median(ours), median(theirs));
        println!("  {name:<32}{ours:12.1} µs{theirs:16.1} µs{:9.2}x", ours / theirs);
    }
}

/// The time of each look-up.
async fn look_up<S: NodeStorage>(store: &S, known: &Known, round: usize) -> [Duration; 5] {
    let operation = &known.operations[round % known.operations.len()];
    let transaction = &known.transactions[round % known.transactions.len()];
    let did = &known.dids[round % known.dids.len()];
    let page = PageLimit::try_from(50).unwrap();
    let mut times = [Duration::ZERO; 5];
    let mut started = Instant::now();
    let mut lap = |index: usize| {
        times[index] = started.elapsed();
        started = Instant::now();
    };
    assert!(store.operation(operation).await.unwrap().is_some());
    lap(0);
    assert!(store.transaction(transaction, None, page).await.unwrap().is_some());
    lap(1);
    assert!(!store.operations_of_did(did, None, page).await.unwrap().is_empty());
    lap(2);
    assert!(store.listed_did(did).await.unwrap().is_some());
    lap(3);
    assert!(store.indexer_state().await.unwrap().watermark.is_some());
    lap(4);
    times
}

async fn known<S: NodeStorage>(store: &S) -> Known {
    let dids = store.listed_dids_after(None, PageLimit::MAX).await.unwrap();
    let records = store.operations_after(None, PageLimit::MAX).await.unwrap();
    Known {
        operations: records.iter().map(|record| record.id).collect(),
        transactions: records.iter().map(|record| record.transaction_id).collect(),
        dids: dids.iter().map(|listed| listed.did).collect(),
    }
}

/// In microseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}
