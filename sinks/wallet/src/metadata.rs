//! The metadata of a transaction, as cardano-wallet's API takes it, and how much fits.

use data_encoding::HEXLOWER;
use did_prism::envelope::{METADATA_LABEL, encode_metadata, encode_object};
use dlt_sink::{Publication, SubmitError};
use serde_json::{Map, Value, json};

/// Most bytes of a transaction: Cardano's protocol parameter `maxTxSize` on every public network.
pub const MAX_TRANSACTION_LENGTH: usize = 16_384;

/// What is kept free for the rest of the transaction. One input, the payment, the change and one signature take about 340 bytes;
/// each further input takes up to 137 with its signature. So five inputs fit, or tokens in the change. A wallet that needs more
/// says so itself.
pub const RESERVED_LENGTH: usize = 1_024;

/// Most bytes of the metadata.
const MAX_METADATA_LENGTH: usize = MAX_TRANSACTION_LENGTH - RESERVED_LENGTH;

/// Bytes in each chunk but the last: the longest byte string that Cardano metadata allows.
const CHUNK_LENGTH: usize = 64;

/// The metadata that publishes an object, in the API's typed form. It is the metadata of
/// [`encode_metadata`](did_prism::envelope::encode_metadata).
pub fn metadata_json(object: &[u8]) -> Value {
    let chunks: Vec<_> = object
        .chunks(CHUNK_LENGTH)
        .map(|chunk| json!({ "bytes": HEXLOWER.encode(chunk) }))
        .collect();
    let entry = json!({"map": [
        {"k": {"string": "v"}, "v": {"int": 1}},
        {"k": {"string": "c"}, "v": {"list": chunks}},
    ]});
    Value::Object(Map::from_iter([(METADATA_LABEL.to_string(), entry)]))
}

/// Refuses what does not fit into one transaction, with the number of operations that do.
pub(crate) fn check_length(publication: &Publication) -> Result<(), SubmitError> {
    let length = encode_metadata(publication.object()).len();
    if length <= MAX_METADATA_LENGTH {
        return Ok(());
    }
    let operations: Vec<_> = publication
        .operations()
        .iter()
        .map(|operation| operation.bytes.as_slice().to_vec())
        .collect();
    let count = operations.len();
    // The length grows with each operation, so the first prefix that is too long ends the search.
    let fitting = (1..count)
        .take_while(|fitting| {
            let first = operations.get(..*fitting).unwrap_or_default();
            encode_metadata(&encode_object(first)).len() <= MAX_METADATA_LENGTH
        })
        .count();
    let what_fits = match fitting {
        0 => "the first operation alone does not fit".to_owned(),
        1 => format!("the first 1 of {count} operations fits"),
        _ => format!("the first {fitting} of {count} operations fit"),
    };
    Err(SubmitError::TooLarge(format!(
        "the operations take {length} bytes of metadata, and a Cardano transaction of {MAX_TRANSACTION_LENGTH} bytes has room for \
         {MAX_METADATA_LENGTH}: {what_fits}"
    )))
}

#[cfg(test)]
mod tests {
    use did_prism::envelope::operations_in_metadata;
    use did_prism::ledger::OperationBytes;
    use prism_fixtures::Identity;

    use super::*;

    fn creates(count: u64) -> Publication {
        let creates = (1..=count).map(|index| Identity::new(1, index).create().bytes);
        Publication::new(creates.map(|bytes| OperationBytes::try_from(bytes).unwrap())).unwrap()
    }

    #[test]
    fn the_wallet_makes_of_the_json_what_the_protocol_writes() {
        for count in [1, 2, 7, 20] {
            let publication = creates(count);
            let json = metadata_json(publication.object());
            let cbor = mock_wallet::metadata_cbor(&json).unwrap();
            assert_eq!(cbor, encode_metadata(publication.object()));
            assert_eq!(
                operations_in_metadata(&cbor).unwrap().unwrap(),
                publication.operations()
            );
        }
    }

    #[test]
    fn chunks_have_sixty_four_bytes_but_for_the_last() {
        for (length, lengths) in [(1, &[1][..]), (64, &[64]), (65, &[64, 1]), (130, &[64, 64, 2])] {
            let json = metadata_json(&vec![7; length]);
            let chunks = json["21325"]["map"][1]["v"]["list"].as_array().unwrap();
            let found: Vec<_> = chunks
                .iter()
                .map(|chunk| chunk["bytes"].as_str().unwrap().len() / 2)
                .collect();
            assert_eq!(found, lengths);
        }
    }

    #[test]
    fn what_is_said_to_fit_fits_and_one_more_does_not() {
        let large = creates(500);
        let error = check_length(&large).unwrap_err();
        let SubmitError::TooLarge(text) = &error else {
            panic!("{error:?}")
        };
        let (_, rest) = text.split_once("the first ").unwrap();
        let fitting: u64 = rest.split(' ').next().unwrap().parse().unwrap();
        assert!(
            fitting > 10 && text.contains("16384") && text.contains("15360"),
            "{text}"
        );
        assert_eq!(check_length(&creates(fitting)), Ok(()));
        assert!(check_length(&creates(fitting + 1)).is_err());
    }
}
