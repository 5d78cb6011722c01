//! One storage for a did:prism node, on the engine that the configuration names.
