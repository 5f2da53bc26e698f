//! Checks a whole ledger: every entry, hash and tile, the head, its signature and the anchor.
//!
//! One pass in index order, so the first flaw found is the first there is. Memory holds the releases that are
//! open at a time and one page of entries. Nothing the store says beside the leaves is believed: cards, tiles,
//! head and the list of open releases are each held against what the leaves give. What entries say of one another is
//! checked in `follow`.

mod check;
mod follow;
mod quick;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;

use check::{Checked, Page, Words};
use follow::{Story, Told};
use thiserror::Error;

use super::book::check_anchor;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::error::LedgerError;
use super::key::Verifier;
use super::keys::Keys;
use super::leaf::EntryError;
use super::tree::{Hash, TILE_BYTES, TILE_WIDTH, Tree};
use crate::domain::{Digest, ReleaseId};
use crate::store::{Head, Reader, StoreError, Tile};

/// Entries read at a time: whole tiles. And pages that are on their way.
const PAGE: u64 = 4 * TILE_WIDTH;
const PAGES_AHEAD: usize = 3;

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
    pub kinds: BTreeMap<String, u64>,
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
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Verdict, LedgerError> {
    let mut pass = Pass::default();
    let checked = pass.entries(store, progress).and_then(|(head, keys)| {
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
    fn entries(
        &mut self,
        store: &mut impl Reader,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Head, Keys), Stop> {
        let head = store.head()?;
        self.reading = true;
        thread::scope(|scope| {
            let (to_check, pages) = mpsc::sync_channel::<Page>(PAGES_AHEAD);
            let (told, checked) = mpsc::sync_channel(PAGES_AHEAD);
            scope.spawn(move || {
                let mut words = Words::default();
                for page in pages {
                    if told.send(check::check(&page, &mut words)).is_err() {
                        return;
                    }
                }
            });
            self.pages(store, &head, &to_check, &checked, progress)
        })?;
        self.reading = false;
        if self.tree.size() < head.size {
            return Err(Stop::at(self.tree.size(), Why::Missing));
        }
        let keys = self.story.keys.clone().ok_or_else(|| Stop::at(0, Why::Genesis))?;
        Ok((head, keys))
    }

    /// Reads some pages ahead of the one that is followed.
    fn pages(
        &mut self,
        store: &mut impl Reader,
        head: &Head,
        to_check: &mpsc::SyncSender<Page>,
        checked: &mpsc::Receiver<Vec<Checked>>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Stop> {
        let mut finished = Vec::new();
        let (mut next, mut count) = (self.tree.size(), PAGE);
        let (mut ahead, mut ended, mut failed) = (0, false, None);
        loop {
            while !ended && failed.is_none() && ahead < PAGES_AHEAD {
                match read_page(store, next, count) {
                    Ok(page) => {
                        let length = page.entries.len() as u64;
                        ended = length < count;
                        next += length;
                        // It takes what is sent until it is told that there is no more.
                        let _ = to_check.send(page);
                        ahead += 1;
                    }
                    Err(error) => failed = Some(error),
                }
            }
            // What was read before an error comes before it.
            if ahead > 0 {
                for (index, one) in checked.recv().unwrap_or_default() {
                    self.entry(store, head, index, one, &mut finished)?;
                }
                for tile in finished.drain(..) {
                    check_tile(store, &tile)?;
                }
                progress(self.tree.size(), head.size);
                ahead -= 1;
                continue;
            }
            match failed.take() {
                // One at a time, to learn which of them it is.
                Some(error) if error.is_damage() && count > 1 => count = 1,
                Some(error) => return Err(error.into()),
                None => return Ok(()),
            }
        }
    }

    fn entry(
        &mut self,
        store: &mut impl Reader,
        head: &Head,
        found: u64,
        one: Result<(Hash, Told), Why>,
        finished: &mut Vec<Tile>,
    ) -> Result<(), Stop> {
        let index = self.tree.size();
        if index >= head.size {
            return Err(Stop::at(found, Why::Beyond));
        }
        if found != index {
            return Err(Stop::at(index, Why::Missing));
        }
        let (hash, told) = one.map_err(|why| Stop::at(index, why))?;
        self.story.follow(&self.tree, store, &told)?;
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

/// Entries from an index on, and the hashes kept of them.
fn read_page(store: &mut impl Reader, from: u64, count: u64) -> Result<Page, StoreError> {
    let entries = store.entries(from, count)?;
    let mut hashes = Vec::new();
    let mut tile = from / TILE_WIDTH;
    while tile * TILE_WIDTH < from + entries.len() as u64 {
        let mut own = store.tile(0, tile)?.unwrap_or_default();
        // A tile that is too short leaves its entries without a hash, and not with that of others.
        let is_last = (tile + 1) * TILE_WIDTH >= from + entries.len() as u64;
        if !is_last {
            own.resize(TILE_BYTES, 0);
        }
        hashes.extend(own);
        tile += 1;
    }
    let before = usize::try_from(from % TILE_WIDTH * 32).unwrap_or(TILE_BYTES);
    hashes.drain(..hashes.len().min(before));
    Ok(Page { entries, hashes })
}

fn check_tile(store: &mut impl Reader, tile: &Tile) -> Result<(), Stop> {
    if store.tile(tile.level, tile.index)?.as_ref() == Some(&tile.hashes) {
        Ok(())
    } else {
        Err(Stop::at(None, Why::Tile { level: tile.level, tile: tile.index }))
    }
}
