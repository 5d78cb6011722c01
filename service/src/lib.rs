//! Sync worker, index worker and resolver of a did:prism node, generic over the storage contract.
