//! A method that is added to the contract reaches every delegate of it.
//!
//! The compiler asks for every method of a trait that has no body. One with a body would pass a delegate by in silence: it
//! would answer by the default, and not by the store behind.
#![allow(clippy::panic, clippy::unwrap_used, reason = "all of this is test code")]

use std::fs;
use std::path::Path;

use syn::{File, Item, ItemTrait, TraitItem};

/// The files with traits that something delegates, and how many traits are in each.
const CONTRACTS: &[(&str, usize)] = &[
    ("storage/contract/src/repo.rs", 5),
    ("storage/contract/src/any.rs", 5),
    ("storage/contract/src/engine.rs", 3),
    ("storage/contract/src/load.rs", 1),
    ("sources/contract/src/source.rs", 2),
    ("sources/contract/src/kind.rs", 2),
    ("conformance/sources/src/ledger.rs", 2),
];

fn traits(file: &str) -> Vec<ItemTrait> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let file: File = syn::parse_file(&text).unwrap();
    let traits = file.items.into_iter().filter_map(|item| match item {
        Item::Trait(item) => Some(item),
        _ => None,
    });
    traits.collect()
}

fn defaulted(item: &ItemTrait) -> Vec<String> {
    let methods = item.items.iter().filter_map(|method| match method {
        TraitItem::Fn(method) if method.default.is_some() => Some(format!("{}::{}", item.ident, method.sig.ident)),
        _ => None,
    });
    methods.collect()
}

#[test]
fn no_trait_that_is_delegated_has_a_method_with_a_body() {
    for (file, count) in CONTRACTS {
        let traits = traits(file);
        assert_eq!(
            traits.len(),
            *count,
            "the number of traits in {file} is kept up to date here"
        );
        let defaulted: Vec<_> = traits.iter().flat_map(defaulted).collect();
        assert!(
            defaulted.is_empty(),
            "{file}: {defaulted:?} would answer for stores and sources that do it otherwise; take the body away"
        );
    }
}

#[test]
fn a_method_with_a_body_is_found() {
    let item: ItemTrait = syn::parse_str("trait One { fn without(&self); fn with(&self) {} }").unwrap();
    assert_eq!(defaulted(&item), ["One::with"]);
}
