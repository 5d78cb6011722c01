//! The storage contract of a did:prism node: repository traits, validated types, error taxonomy. No SQL.
