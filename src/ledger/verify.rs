//! Checks a whole ledger: every entry, hash and tile, the head, its signature and the anchor.
//!
//! One pass in index order, so the first flaw found is the first there is. Memory holds the releases that are
//! open at a time and one page of entries. Nothing the store says beside the leaves is believed: cards, tiles,
//! head and the list of open releases are each held against what the leaves give. The file is one piece: a reader who
//! does not trust us wants all that is checked, and in which order, on one page.

use std::collections::{BTreeMap, HashSet};

use thiserror::Error;

use super::book::check_anchor;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::Entry;
use super::error::LedgerError;
use super::key::Verifier;
use super::leaf::{EntryError, Stamp};
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
    pub verifier: Verifier,
    /// Entries of each type.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Releases without an end, by the index of their intent.
    pub open: BTreeMap<u64, ReleaseId>,
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
    #[error("the ledger does not begin with log.genesis, or begins twice")]
    Genesis,
    #[error("the ledger belongs to another key than the one given")]
    Key,
    #[error("the entry opens a release that is open already")]
    OpenedTwice,
    #[error("the entry closes a release that is not open, or another intent than it says")]
    NotOpen,
    #[error("the entry says that more left than was granted, or grants less than before")]
    Ceiling,
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
    let checked = pass.entries(store, verifier).and_then(|(head, verifier)| {
        pass.end(store, &head, &verifier, anchor)?;
        Ok(verifier)
    });
    match checked {
        Ok(verifier) => Ok(Verdict::Sound(Box::new(Report {
            size: pass.tree.size(),
            root: Digest(pass.tree.root()),
            verifier,
            kinds: pass.kinds,
            open: pass.open.iter().map(|(index, open)| (*index, open.release)).collect(),
            first_ms: pass.first_ms.unwrap_or_default(),
            last_ms: pass.last_ms,
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

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn flaw(index: impl Into<Option<u64>>, why: Why) -> Stop {
    Stop::Flaw(Flaw { index: index.into(), why })
}

/// A release without an end so far.
struct Open {
    release: ReleaseId,
    /// What may have left at most, and what had left at least.
    ceiling: Option<u64>,
    bytes: u64,
}

impl Open {
    fn holds(&self, bytes: u64) -> bool {
        bytes >= self.bytes && self.ceiling.is_none_or(|ceiling| bytes <= ceiling)
    }
}

#[derive(Default)]
struct Pass {
    tree: Tree,
    verifier: Option<Verifier>,
    kinds: BTreeMap<&'static str, u64>,
    open: BTreeMap<u64, Open>,
    open_ids: HashSet<ReleaseId>,
    first_ms: Option<u64>,
    last_ms: u64,
    /// Whether entries are being read.
    reading: bool,
}

impl Pass {
    fn entries(
        &mut self,
        store: &mut impl Reader,
        given: Option<&Verifier>,
    ) -> Result<(Head, Verifier), Stop> {
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
                self.entry(&entry, hashes.next(), &head, &mut finished)?;
                if self.tree.size() == 1 {
                    self.check_key(given)?;
                }
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
            return Err(flaw(self.tree.size(), Why::Missing));
        }
        let verifier = self.verifier.clone().ok_or_else(|| flaw(0, Why::Genesis))?;
        Ok((head, verifier))
    }

    fn entry(
        &mut self,
        stored: &StoredEntry,
        kept: Option<&Hash>,
        head: &Head,
        finished: &mut Vec<Tile>,
    ) -> Result<(), Stop> {
        let index = self.tree.size();
        if index >= head.size {
            return Err(flaw(stored.index, Why::Beyond));
        }
        if stored.index != index {
            return Err(flaw(index, Why::Missing));
        }
        let hash = leaf_hash(&stored.leaf);
        match kept {
            Some(kept) if *kept == hash => {}
            Some(_) => return Err(flaw(index, Why::Hash)),
            None => return Err(flaw(index, Why::NoHash)),
        }
        let (stamp, entry) = Entry::read(&stored.leaf).map_err(|error| flaw(index, Why::Entry(error)))?;
        if !stored.card.is_of(&entry.card(stamp.ts_ms)) {
            return Err(flaw(index, Why::Card));
        }
        self.follow(index, &stamp, &entry).map_err(|why| flaw(index, why))?;
        self.tree.push(hash, finished);
        Ok(())
    }

    /// What the entry means after those before it.
    fn follow(&mut self, index: u64, stamp: &Stamp, entry: &Entry) -> Result<(), Why> {
        match entry {
            Entry::Genesis(genesis) if index == 0 => {
                let vkey = genesis.vkeys.first().ok_or(Why::Genesis)?;
                self.verifier = Some(vkey.parse().map_err(|_| Why::Genesis)?);
            }
            Entry::Genesis(_) => return Err(Why::Genesis),
            _ if index == 0 => return Err(Why::Genesis),
            Entry::Intent(intent) => {
                if !self.open_ids.insert(intent.release) {
                    return Err(Why::OpenedTwice);
                }
                let open = Open { release: intent.release, ceiling: intent.ceiling_bytes, bytes: 0 };
                self.open.insert(index, open);
            }
            Entry::Grant(grant) => {
                let open = self.open.get_mut(&grant.intent).filter(|open| open.release == grant.release);
                let open = open.ok_or(Why::NotOpen)?;
                let is_raised = open.ceiling.is_none_or(|ceiling| grant.ceiling_bytes > ceiling);
                if !is_raised || !open.holds(grant.bytes) {
                    return Err(Why::Ceiling);
                }
                (open.ceiling, open.bytes) = (Some(grant.ceiling_bytes), grant.bytes);
            }
            Entry::Complete(closed) => {
                if !self.close(closed.intent, closed.release)?.holds(closed.completion.bytes) {
                    return Err(Why::Ceiling);
                }
            }
            Entry::Reconciled(closed) => {
                let open = self.close(closed.intent, closed.release)?;
                if (closed.bytes_min, closed.bytes_max) != (open.bytes, open.ceiling) {
                    return Err(Why::Ceiling);
                }
            }
            // Of a release that was closed before: which of them is not remembered here.
            Entry::Ack(ack) if self.open_ids.contains(&ack.release) => return Err(Why::NotOpen),
            Entry::Ack(_) | Entry::ReplicaStart(_) | Entry::ReplicaResumed(_) | Entry::Refused(_) => {}
        }
        *self.kinds.entry(entry.kind()).or_default() += 1;
        self.first_ms.get_or_insert(stamp.ts_ms);
        self.last_ms = stamp.ts_ms;
        Ok(())
    }

    fn close(&mut self, intent: u64, release: ReleaseId) -> Result<Open, Why> {
        self.open_ids.remove(&release);
        self.open.remove(&intent).filter(|open| open.release == release).ok_or(Why::NotOpen)
    }

    fn check_key(&mut self, given: Option<&Verifier>) -> Result<(), Stop> {
        match given {
            Some(given) if self.verifier.as_ref() != Some(given) => Err(flaw(0, Why::Key)),
            _ => Ok(()),
        }
    }

    /// What can only be checked once all entries were seen.
    fn end(
        &mut self,
        store: &mut impl Reader,
        head: &Head,
        verifier: &Verifier,
        anchor: Option<&str>,
    ) -> Result<(), Stop> {
        for edge in self.tree.edges() {
            check_tile(store, &edge)?;
        }
        let signed = Checkpoint::open(&head.checkpoint, verifier);
        let signed = signed.map_err(|error| flaw(None, Why::Checkpoint(error)))?;
        let root = self.tree.root();
        if signed != (Checkpoint { size: self.tree.size(), root }) || head.root != root {
            return Err(flaw(None, Why::Root));
        }
        let listed = store.open_releases()?;
        let found = self.open.iter().map(|(index, open)| (*open.release.as_bytes(), *index));
        if !found.eq(listed) {
            return Err(flaw(None, Why::OpenList));
        }
        if !store.is_intact()? {
            return Err(flaw(None, Why::Damaged));
        }
        match anchor.map(|anchor| check_anchor(store, head.size, anchor, verifier)) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(LedgerError::Store(error))) => {
                Err(flaw(None, if error.is_damage() { Why::Damaged } else { Why::Anchor(error.to_string()) }))
            }
            Some(Err(error)) => Err(flaw(None, Why::Anchor(error.to_string()))),
        }
    }
}

fn check_tile(store: &mut impl Reader, tile: &Tile) -> Result<(), Stop> {
    if store.tile(tile.level, tile.index)?.as_ref() == Some(&tile.hashes) {
        Ok(())
    } else {
        Err(flaw(None, Why::Tile { level: tile.level, tile: tile.index }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{FLIP, intent, new_ledger, open, tamper};
    use super::super::{LedgerReader, Outcome};
    use super::*;

    /// A ledger of 304 entries: three releases left open at a crash-free end, two tiles begun.
    async fn ledger() -> tempfile::TempDir {
        let (directory, signer) = new_ledger();
        let ledger = open(directory.path(), &signer).unwrap();
        for number in 0..151 {
            let release = ledger.open_release(intent(number)).await.unwrap();
            let account = release.account(Outcome::Complete, None);
            release.close(account).await.unwrap();
        }
        ledger.shut_down().await;
        directory
    }

    #[tokio::test]
    async fn a_sound_ledger_is_reported_and_every_change_is_named_where_it_is() {
        type Expected = (Option<u64>, fn(&Why) -> bool);
        let sound: Option<Expected> = None;
        let cases: [(&str, &str, Option<Expected>); 17] = [
            ("untouched", "", sound),
            ("a byte changed", FLIP, Some((Some(2), |why| *why == Why::Hash))),
            (
                "two swapped",
                "UPDATE entry SET idx = -1 WHERE idx = 40; UPDATE entry SET idx = 40 WHERE idx = 90;
                 UPDATE entry SET idx = 90 WHERE idx = -1",
                Some((Some(40), |why| *why == Why::Hash)),
            ),
            (
                "one deleted",
                "DELETE FROM entry WHERE idx = 100",
                Some((Some(100), |why| *why == Why::Missing)),
            ),
            ("tail cut", "DELETE FROM entry WHERE idx >= 300", Some((Some(300), |why| *why == Why::Missing))),
            (
                "one added",
                "INSERT INTO entry SELECT 304, leaf, kind, ts_ms, release, party, wilayah, outcome, code
                 FROM entry WHERE idx = 303",
                Some((Some(304), |why| *why == Why::Beyond)),
            ),
            (
                "card changed",
                "UPDATE entry SET party = 'pemilu-2024/8' WHERE idx = 4",
                Some((Some(4), |why| *why == Why::Card)),
            ),
            (
                "card time changed",
                "UPDATE entry SET ts_ms = ts_ms + 1 WHERE idx = 5",
                Some((Some(5), |why| *why == Why::Card)),
            ),
            ("a hash cut off", "DELETE FROM tile WHERE level = 0 AND idx = 1", {
                Some((Some(256), |why| *why == Why::NoHash))
            }),
            (
                "an upper hash changed",
                "UPDATE tile SET hashes = zeroblob(32) WHERE level = 1",
                Some((None, |why| matches!(why, Why::Tile { level: 1, tile: 0 }))),
            ),
            (
                "head without its signature",
                "UPDATE head SET checkpoint = replace(checkpoint, char(10) || '304' || char(10), \
                 char(10) || '305' || char(10))",
                Some((None, |why| *why == Why::Checkpoint(CheckpointError::Signature))),
            ),
            ("another root", "UPDATE head SET root = zeroblob(32)", Some((None, |why| *why == Why::Root))),
            (
                "an open release invented",
                "INSERT INTO open_release VALUES (zeroblob(16), 2)",
                Some((None, |why| *why == Why::OpenList)),
            ),
            (
                "an index that finds less",
                "CREATE TABLE spare (x); PRAGMA writable_schema = ON;
                 UPDATE sqlite_schema SET rootpage =
                     (SELECT rootpage FROM sqlite_schema AS other WHERE other.name = 'entry_party')
                 WHERE name = 'entry_release'",
                Some((None, |why| *why == Why::Damaged)),
            ),
            (
                "a number that is none",
                "UPDATE entry SET release = x'00' WHERE idx = 6",
                Some((Some(6), |why| *why == Why::Damaged)),
            ),
            ("all deleted", "DELETE FROM entry", Some((Some(0), |why| *why == Why::Missing))),
            ("head deleted", "DELETE FROM head", Some((None, |why| *why == Why::Damaged))),
        ];
        let whole = ledger().await;
        for (name, statements, expected) in cases {
            let directory = tempfile::tempdir().unwrap();
            for file in std::fs::read_dir(whole.path()).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
            }
            tamper(directory.path(), statements);
            let verdict = LedgerReader::open(directory.path()).unwrap().verify(None, None).unwrap();
            match (verdict, expected) {
                (Verdict::Sound(report), None) => {
                    assert_eq!((report.size, report.open.len(), report.anchored), (304, 0, true));
                    assert_eq!(report.kinds["release.complete"], 151);
                }
                (Verdict::Flawed(flaw), Some((index, why))) => {
                    assert!(flaw.index == index && why(&flaw.why), "{name}: {flaw:?}");
                }
                (verdict, _) => panic!("{name}: {verdict:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_running_ledger_can_be_verified_and_its_open_releases_are_named() {
        let (directory, signer) = new_ledger();
        let ledger = open(directory.path(), &signer).unwrap();
        let release = ledger.open_release(intent(1)).await.unwrap();
        let verifier = signer.verifier();
        let verdict = LedgerReader::open(directory.path()).unwrap().verify(Some(&verifier), None).unwrap();
        let Verdict::Sound(report) = verdict else { panic!("{verdict:?}") };
        assert_eq!(report.open.get(&2), Some(&release.id()));
        let (_other, stranger) = new_ledger();
        let verdict =
            LedgerReader::open(directory.path()).unwrap().verify(Some(&stranger.verifier()), None).unwrap();
        assert!(matches!(verdict, Verdict::Flawed(Flaw { index: Some(0), why: Why::Key })), "{verdict:?}");
        drop(release);
        ledger.shut_down().await;
    }
}
