//! The conformance suite of the storage contract: generic cases that no wrong backend survives.
