//! The tree hash of RFC 6962, section 2.1, over a list that only grows.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// A SHA-256 hash of a tree, or the root of an archive. Written as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// SHA-256 of the parts, one behind the other.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// A list of leaves, of which the right edge is kept: the hashes of the largest whole subtrees, from left to right. There is one
/// for each 1 among the binary digits of the number of leaves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Tree {
    leaves: u64,
    edge: Vec<Hash>,
}

impl Tree {
    /// The list of so many leaves with this right edge; none where the numbers don't agree.
    pub(crate) fn from_edge(leaves: u64, edge: Vec<Hash>) -> Option<Self> {
        (u32::try_from(edge.len()) == Ok(leaves.count_ones())).then_some(Self { leaves, edge })
    }

    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: &[u8]) {
        let mut hash = Hash::of(&[&[0], leaf]);
        // As in counting: each 1 at the end of the number of leaves is a subtree that this one completes.
        for _ in 0..self.leaves.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node(left, hash);
            }
        }
        self.edge.push(hash);
        self.leaves += 1;
    }

    pub(crate) fn leaves(&self) -> u64 {
        self.leaves
    }

    pub(crate) fn edge(&self) -> &[Hash] {
        &self.edge
    }

    /// The tree hash: that of no bytes for no leaves.
    pub(crate) fn root(&self) -> Hash {
        let mut subtrees = self.edge.iter().rev().copied();
        let Some(last) = subtrees.next() else {
            return Hash::of(&[]);
        };
        subtrees.fold(last, |right, left| node(left, right))
    }
}

fn node(left: Hash, right: Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of the standard, word for word.
    fn by_definition(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => Hash::of(&[]),
            [leaf] => Hash::of(&[&[0], leaf]),
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                node(by_definition(&leaves[..half]), by_definition(&leaves[half..]))
            }
        }
    }

    #[test]
    fn root_is_that_of_the_standard_for_every_number_of_leaves() {
        let mut tree = Tree::default();
        let mut leaves: Vec<Vec<u8>> = Vec::new();
        for number in 0..70_u8 {
            assert_eq!(tree.root(), by_definition(&leaves), "{number} leaves");
            let again = Tree::from_edge(tree.leaves(), tree.edge().to_vec()).unwrap();
            assert_eq!(again.root(), tree.root());
            leaves.push(vec![number; usize::from(number)]);
            tree.push(leaves.last().unwrap());
        }
    }

    /// Of the Certificate Transparency test vectors.
    #[test]
    fn known_vectors_are_met() {
        let mut tree = Tree::default();
        assert_eq!(
            tree.root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        let leaves: [&[u8]; 8] = [
            &[],
            &[0x00],
            &[0x10],
            &[0x20, 0x21],
            &[0x30, 0x31],
            &[0x40, 0x41, 0x42, 0x43],
            &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
            &[
                0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f,
            ],
        ];
        for leaf in leaves {
            tree.push(leaf);
        }
        assert_eq!(
            tree.root().to_string(),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
    }

    #[test]
    fn edge_of_another_number_of_leaves_is_refused() {
        assert_eq!(Tree::from_edge(3, vec![Hash::new([0; 32])]), None);
        assert_eq!(Tree::from_edge(0, vec![Hash::new([0; 32])]), None);
    }
}
