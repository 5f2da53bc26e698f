//! What the indexes of a store list, drawn together, so that it can be held against what the entries give without
//! looking each of them up.
//!
//! Two lists are taken for the same where their sums are. What is summed are hashes under a key of this run, which
//! nobody knows who could have written a database to fit.

use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};

use super::PageCard;

/// Kinds of which there are several for each copy; all others are in an index of their own, by the schema.
pub(super) const OFTEN: [&str; 4] = ["release.intent", "release.grant", "release.complete", "release.ack"];

/// The indexes that entries are found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Index {
    Release,
    Party,
    Wilayah,
    Seldom,
}

impl Index {
    pub(super) const ALL: [Self; 4] = [Self::Release, Self::Party, Self::Wilayah, Self::Seldom];
}

#[derive(Debug, Clone, Default)]
pub struct Listed {
    key: RandomState,
    sums: [u64; Index::ALL.len()],
}

impl Listed {
    /// Nothing, to be filled from somewhere else and compared.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { key: self.key.clone(), sums: Default::default() }
    }

    /// Whether both hold the same, which only those can that were emptied from one another.
    pub fn is(&self, other: &Self) -> bool {
        self.sums == other.sums
    }

    /// All that the indexes should list for an entry.
    pub fn add(&mut self, index: u64, card: &PageCard<'_>) {
        if let Some(release) = card.release {
            self.add_to(Index::Release, release, index);
        }
        if let Some(party) = card.party {
            self.add_to(Index::Party, party.as_bytes(), index);
        }
        if let Some(wilayah) = card.wilayah {
            self.add_to(Index::Wilayah, wilayah.as_bytes(), index);
        }
        if !OFTEN.contains(&card.kind) {
            self.add_to(Index::Seldom, card.kind.as_bytes(), index);
        }
    }

    pub(super) fn add_to(&mut self, list: Index, value: &[u8], index: u64) {
        let mut hasher = self.key.build_hasher();
        value.hash(&mut hasher);
        hasher.write_u64(index);
        let sum = &mut self.sums[list as usize];
        *sum = sum.wrapping_add(hasher.finish());
    }
}

/// What was found in a store's own structures.
#[derive(Debug)]
pub enum Inspected {
    /// They contradict one another.
    Damaged,
    /// They agree, and the indexes list just what is there.
    Whole,
    /// They agree, and this is what the indexes list of the entries asked about: to be held against them.
    Lists(Listed),
}
