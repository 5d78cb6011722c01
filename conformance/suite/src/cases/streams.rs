//! Calls of every kind in any order, the same in every run. The other cases say what is wrong; this one, that something is.

use crate::StoreFactory;
use crate::streams::{long_stream, take};

/// How many steps the stream has.
const STEPS: usize = 60;

/// Whatever comes one after another, the store answers and holds what the reference model answers and holds.
pub async fn long_stream_is_answered_as_the_model_answers_it(factory: &impl StoreFactory) {
    if let Err(divergence) = take(factory, &long_stream(STEPS)).await {
        panic!("the store differs from the model {divergence}");
    }
}
