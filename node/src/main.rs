//! A did:prism node.
fn main() {}
