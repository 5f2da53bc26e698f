//! Checks a whole ledger: every entry, hash and tile, the head, its signature and the anchor.
//!
//! One pass in index order, so the first flaw found is the first there is. Memory holds the releases that are
//! open at a time and one page of entries. Nothing the store says beside the leaves is believed: cards, tiles,
//! head and the list of open releases are each held against what the leaves give. What entries say of one another is
//! checked in `follow`.

mod follow;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;

use std::collections::BTreeMap;

use follow::Story;
use thiserror::Error;

use super::book::check_anchor;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::Entry;
use super::error::LedgerError;
use super::key::Verifier;
use super::keys::Keys;
use super::leaf::EntryError;
use super::tree::{Hash, TILE_WIDTH, Tree, leaf_hash};
use crate::domain::{Digest, ReleaseId};
use crate::store::{Head, Reader, StoreError, StoredEntry, Tile};

#[derive(Debug)]
pub enum Verdict {
    Sound(Box<Report>),
    Flawed(Flaw),
}

/// What a sound ledger holds.
#[derive(Debug)]
pub struct Report {
    pub size: u64,
    pub root: Digest,
    /// The first is the one that the ledger began with, the last the one that signs now.
    pub keys: Keys,
    /// Entries of each type.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Releases without an end, by the index of their intent.
    pub open: BTreeMap<u64, ReleaseId>,
    /// Elections that are over, with the index of the entry that said so.
    pub frozen: BTreeMap<String, u64>,
    /// Parts that an operator said are lost: each from the index of the entry that says so up to a size.
    pub lost: Vec<(u64, u64)>,
    pub first_ms: u64,
    pub last_ms: u64,
    /// Whether there was an anchor to hold the ledger against.
    pub anchored: bool,
}

/// The first thing that is wrong. `index` is the entry it lies at, where it can be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct Flaw {
    pub index: Option<u64>,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Why {
    #[error("the entry is missing")]
    Missing,
    #[error("the entry lies beyond the end that was signed")]
    Beyond,
    #[error("the entry cannot be read: {0}")]
    Entry(EntryError),
    #[error("the entry is not what was appended: its hash differs from the one kept")]
    Hash,
    #[error("the hash kept of the entry is missing")]
    NoHash,
    #[error("the entry's index card does not say what the entry says")]
    Card,
    #[error("the ledger does not begin with log.genesis, begins twice, or is of another name than its key")]
    Genesis,
    #[error("the ledger belongs to another key than the one given")]
    Key,
    #[error("the entry opens a release that is open already")]
    OpenedTwice,
    #[error("the entry closes a release that is not open, or another intent than it says")]
    NotOpen,
    #[error("the entry says that more left than was granted, or grants less than before")]
    Ceiling,
    #[error("the entry says that the ledger before it was another")]
    Head,
    #[error("the entry hands the ledger over to another key without the word of both")]
    Rotation,
    #[error("the entry goes on after a loss without the signed checkpoint of what was lost")]
    Continuation,
    #[error("the entry changes policies or register that were not in force before it, or changes nothing")]
    Change,
    #[error("the entry opens a copy of an election that was over")]
    Frozen,
    #[error(
        "the entry says that a recipient's word agrees with the account, or that it does not, and is wrong"
    )]
    Match,
    #[error("the entry's list of polling stations does not give its number and digest of them")]
    Coverage,
    #[error("the entry says of an audit what is neither a word, a code nor a digest")]
    Audit,
    #[error("the hashes of level {level}, tile {tile}, are not those of the entries")]
    Tile { level: u8, tile: u64 },
    #[error("the root of the entries is not the one that was signed")]
    Root,
    #[error("{0}")]
    Checkpoint(CheckpointError),
    #[error("the list of open releases is not what the entries give")]
    OpenList,
    #[error("{0}")]
    Anchor(String),
    #[error("the database is damaged")]
    Damaged,
}

pub(super) fn verify(
    store: &mut impl Reader,
    verifier: Option<&Verifier>,
    anchor: Option<&str>,
) -> Result<Verdict, LedgerError> {
    let mut pass = Pass::default();
    let checked = pass.entries(store).and_then(|(head, keys)| {
        if verifier.is_some_and(|given| keys.iter().all(|known| known != given)) {
            return Err(Stop::at(0, Why::Key));
        }
        pass.end(store, &head, &keys, anchor)?;
        Ok(keys)
    });
    match checked {
        Ok(keys) => Ok(Verdict::Sound(Box::new(Report {
            size: pass.tree.size(),
            root: Digest(pass.tree.root()),
            keys,
            kinds: pass.story.kinds,
            open: pass.story.open.iter().map(|(index, open)| (*index, open.release)).collect(),
            frozen: pass.story.frozen,
            lost: pass.story.lost,
            first_ms: pass.story.first_ms.unwrap_or_default(),
            last_ms: pass.story.last_ms,
            anchored: anchor.is_some(),
        }))),
        Err(Stop::Flaw(flaw)) => Ok(Verdict::Flawed(flaw)),
        Err(Stop::Store(error)) if error.is_damage() => {
            Ok(Verdict::Flawed(Flaw { index: pass.reading.then_some(pass.tree.size()), why: Why::Damaged }))
        }
        Err(Stop::Store(error)) => Err(error.into()),
    }
}

/// Why a pass ends early.
enum Stop {
    Flaw(Flaw),
    Store(StoreError),
}

impl Stop {
    fn at(index: impl Into<Option<u64>>, why: Why) -> Self {
        Self::Flaw(Flaw { index: index.into(), why })
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[derive(Default)]
struct Pass {
    tree: Tree,
    story: Story,
    /// Whether entries are being read.
    reading: bool,
}

impl Pass {
    fn entries(&mut self, store: &mut impl Reader) -> Result<(Head, Keys), Stop> {
        let head = store.head()?;
        let mut finished = Vec::new();
        self.reading = true;
        let mut count = TILE_WIDTH;
        loop {
            // Pages of 256 begin where tiles do.
            let from = self.tree.size();
            let page = match store.entries(from, count) {
                Err(error) if error.is_damage() && count > 1 => {
                    // One at a time, to learn which of them it is.
                    count = 1;
                    continue;
                }
                page => page?,
            };
            let full = page.len() as u64 == count;
            let hashes = store.tile(0, from / TILE_WIDTH)?.unwrap_or_default();
            let hashes = (from - from % TILE_WIDTH..).zip(hashes.as_chunks::<32>().0);
            let mut hashes = hashes.skip_while(|(index, _)| *index < from).map(|(_, hash)| hash);
            for entry in page {
                self.entry(store, &entry, hashes.next(), &head, &mut finished)?;
            }
            for tile in finished.drain(..) {
                check_tile(store, &tile)?;
            }
            if !full {
                break;
            }
        }
        self.reading = false;
        if self.tree.size() < head.size {
            return Err(Stop::at(self.tree.size(), Why::Missing));
        }
        let keys = self.story.keys.clone().ok_or_else(|| Stop::at(0, Why::Genesis))?;
        Ok((head, keys))
    }

    fn entry(
        &mut self,
        store: &mut impl Reader,
        stored: &StoredEntry,
        kept: Option<&Hash>,
        head: &Head,
        finished: &mut Vec<Tile>,
    ) -> Result<(), Stop> {
        let index = self.tree.size();
        if index >= head.size {
            return Err(Stop::at(stored.index, Why::Beyond));
        }
        if stored.index != index {
            return Err(Stop::at(index, Why::Missing));
        }
        let hash = leaf_hash(&stored.leaf);
        match kept {
            Some(kept) if *kept == hash => {}
            Some(_) => return Err(Stop::at(index, Why::Hash)),
            None => return Err(Stop::at(index, Why::NoHash)),
        }
        let read = Entry::read(&stored.leaf);
        let (stamp, entry) = read.map_err(|error| Stop::at(index, Why::Entry(error)))?;
        if !stored.card.is_of(&entry.card(stamp.ts_ms)) {
            return Err(Stop::at(index, Why::Card));
        }
        self.story.follow(&self.tree, store, &stamp, &entry)?;
        self.tree.push(hash, finished);
        Ok(())
    }

    /// What can only be checked once all entries were seen.
    fn end(
        &mut self,
        store: &mut impl Reader,
        head: &Head,
        keys: &Keys,
        anchor: Option<&str>,
    ) -> Result<(), Stop> {
        for edge in self.tree.edges() {
            check_tile(store, &edge)?;
        }
        let signed = keys.open(&head.checkpoint);
        let signed = signed.map_err(|error| Stop::at(None, Why::Checkpoint(error)))?;
        let root = self.tree.root();
        if signed != (Checkpoint { size: self.tree.size(), root }) || head.root != root {
            return Err(Stop::at(None, Why::Root));
        }
        let listed = store.open_releases()?;
        let found = self.story.open.iter().map(|(index, open)| (*open.release.as_bytes(), *index));
        if !found.eq(listed) {
            return Err(Stop::at(None, Why::OpenList));
        }
        if !store.is_intact()? {
            return Err(Stop::at(None, Why::Damaged));
        }
        match anchor.map(|anchor| check_anchor(store, head.size, anchor, keys)) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(LedgerError::Store(error))) => Err(Stop::at(
                None,
                if error.is_damage() { Why::Damaged } else { Why::Anchor(error.to_string()) },
            )),
            Some(Err(error)) => Err(Stop::at(None, Why::Anchor(error.to_string()))),
        }
    }
}

fn check_tile(store: &mut impl Reader, tile: &Tile) -> Result<(), Stop> {
    if store.tile(tile.level, tile.index)?.as_ref() == Some(&tile.hashes) {
        Ok(())
    } else {
        Err(Stop::at(None, Why::Tile { level: tile.level, tile: tile.index }))
    }
}
