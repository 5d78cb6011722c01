//! Instants are whole microseconds of the years 1 to 9999, UTC (line 5 of the storage contract).

use node_storage_contract::{BlockTime, PublishedBlock, RawOperationRepo};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds};
use crate::data::{block, cursor_after};
use crate::factory::open;

/// Stores blocks of these times, and compares every answer.
async fn round_trip<F: StoreFactory>(factory: &F, times: impl IntoIterator<Item = BlockTime>) -> F::Store {
    let store = open(factory).await;
    let blocks: Vec<_> = (1_u64..)
        .zip(times)
        .map(|(number, time)| PublishedBlock { time, ..block(number) })
        .collect();
    append(&store, &blocks).await;
    assert_holds(&store, &blocks, cursor_after(&blocks), &[]).await;
    store
}

fn micros(micros: i64) -> BlockTime {
    BlockTime::from_unix_micros(micros).expect("an instant in range")
}

/// The first and the last instant, and their neighbours.
pub async fn years_1_and_9999_are_stored(factory: &impl StoreFactory) {
    let (first, last) = (BlockTime::MIN.unix_micros(), BlockTime::MAX.unix_micros());
    round_trip(factory, [first, first + 1, last - 1, last].map(micros)).await;
}

/// Instants around 1970, and before.
pub async fn instants_before_1970_are_stored(factory: &impl StoreFactory) {
    let day = 86_400_000_000;
    let instants = [-2, -1, 0, 1, -1_000_000, -1_000_001, -day, -day * 365 * 70 - 1];
    round_trip(factory, instants.map(micros)).await;
}

/// Every microsecond counts: a floating-point number of seconds, or a millisecond, would lose them.
pub async fn microseconds_are_kept(factory: &impl StoreFactory) {
    let second = 1_700_000_000_000_000;
    let instants = [0, 1, 9, 499, 500, 999, 1_000, 123_456, 999_999].map(|fraction| micros(second + fraction));
    round_trip(factory, instants).await;
    let far = [253_402_300_799_000_001, -62_135_596_799_999_999].map(micros);
    assert_eq!(
        far.map(BlockTime::unix_micros),
        [253_402_300_799_000_001, -62_135_596_799_999_999]
    );
}

/// The order of block times means nothing: they may repeat and descend.
pub async fn block_times_need_not_ascend(factory: &impl StoreFactory) {
    round_trip(factory, [500, 400, 400, 600].map(micros)).await;
}

/// A fraction finer than a microsecond is floored, also before 1970, when the instant is read.
pub async fn finer_fractions_are_floored(factory: &impl StoreFactory) {
    let texts = ["1969-12-31T23:59:59.9999999Z", "2022-09-12T10:00:00.0000019+02:00"];
    let instants = texts.map(|text| text.parse::<BlockTime>().expect("an instant"));
    assert_eq!(instants.map(BlockTime::unix_micros), [-1, 1_662_969_600_000_001]);
    let store = round_trip(factory, instants).await;
    let header = store.block(block(1).number).await.unwrap().expect("block 1");
    assert_eq!(header.time.to_string(), "1969-12-31T23:59:59.999999Z");
}
