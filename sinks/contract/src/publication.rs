//! What is published.

use did_prism::digest::OperationId;
use did_prism::envelope::{encode_object, operations_in_object};
use did_prism::ledger::{OperationBytes, PublishedOperation};

use crate::SubmitError;

/// Operations for one transaction: at least one, in their order, in an object that every reader of the ledger can decode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    object: Vec<u8>,
    operations: Vec<PublishedOperation>,
}

impl Publication {
    /// A publication of these operations. Whether they have an effect is not judged.
    ///
    /// # Errors
    /// `NoOperations`, and `Malformed` naming the first operation that does not decode.
    pub fn new(operations: impl IntoIterator<Item = OperationBytes>) -> Result<Self, SubmitError> {
        let bytes: Vec<_> = operations.into_iter().map(OperationBytes::into_vec).collect();
        let object = encode_object(&bytes);
        let operations = operations_in_object(&object)?;
        if operations.is_empty() {
            return Err(SubmitError::NoOperations);
        }
        Ok(Self { object, operations })
    }

    /// The serialized `PrismObject` with all operations.
    pub fn object(&self) -> &[u8] {
        &self.object
    }

    /// The operations, each with its index.
    pub fn operations(&self) -> &[PublishedOperation] {
        &self.operations
    }

    /// The ids of the operations, in their order.
    pub fn operation_ids(&self) -> Vec<OperationId> {
        self.operations.iter().map(|operation| operation.bytes.id()).collect()
    }
}

#[cfg(test)]
mod tests {
    use prism_fixtures::Identity;

    use super::*;

    fn create(index: u64) -> OperationBytes {
        OperationBytes::try_from(Identity::new(1, index).create().bytes).unwrap()
    }

    #[test]
    fn a_publication_has_the_operations_in_their_order() {
        let publication = Publication::new([create(1), create(2)]).unwrap();
        assert_eq!(publication.operation_ids(), [create(1).id(), create(2).id()]);
        assert_eq!(
            operations_in_object(publication.object()).unwrap(),
            publication.operations()
        );
    }

    #[test]
    fn what_no_reader_could_decode_is_no_publication() {
        assert_eq!(Publication::new([]), Err(SubmitError::NoOperations));
        let garbage = OperationBytes::try_from(vec![0xff]).unwrap();
        let error = Publication::new([create(1), garbage]).unwrap_err();
        assert!(error.to_string().contains("operation 1"), "{error}");
    }
}
