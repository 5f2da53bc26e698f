//! Checks a whole ledger: every entry, hash and tile, the head, its signature and the anchor.
//!
//! One pass in index order, so the first flaw found is the first there is. Memory holds the releases that are
//! open at a time and some pages of entries. Reading, checking entries by themselves, and the look at the store's own
//! structures go on beside one another. Nothing the store says beside the leaves is believed: cards, tiles,
//! head and the list of open releases are each held against what the leaves give. What entries say of one another is
//! checked in `follow`.

#[cfg(test)]
mod changed;
mod check;
mod follow;
mod quick;
#[cfg(test)]
mod reserved;
mod resume;
#[cfg(test)]
mod resumed;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod told;
mod verdict;

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use check::{Checker, Portion};
pub(super) use follow::had;
use follow::{Story, Told};
pub use resume::{ResumeError, Seal, Verified};
pub use verdict::{Flaw, Report, Verdict, Verification, Why};

use super::book::check_anchor;
use super::checkpoint::Checkpoint;
use super::error::LedgerError;
use super::keys::Keys;
use super::tree::{Hash, TILE_BYTES, TILE_WIDTH, Tree};
use crate::domain::Digest;
use crate::store::{Filter, Head, Inspected, Listed, Place, Reader, StoreError, Tile};

/// Entries read at a time: whole tiles. And pages that are on their way.
const PAGE: u64 = 4 * TILE_WIDTH;
const PAGES_AHEAD: usize = 3;
/// How often it is told how far it is, so that it can be gone on from there.
const KEEP_ENTRIES: u64 = 1 << 18;

pub(super) fn verify(
    store: &mut impl Reader,
    place: &Place,
    anchor: Option<&str>,
    mut terms: Verification<'_>,
) -> Result<Verdict, LedgerError> {
    let mut pass = Pass::default();
    let looked = terms.from.as_ref().and_then(Verified::structures);
    let is_whole = terms.from.is_none() || terms.structures;
    let checked = pass.resume(store, terms.from.take()).and_then(|head| {
        let listed = Listed::default();
        // In a thread of its own, which may outlive this: nobody waits for it once a flaw is found.
        let inspection = is_whole.then(|| {
            let (place, range, empty) = (place.clone(), pass.tree.size()..head.size, listed.emptied());
            thread::spawn(move || place.reader()?.inspect(range, empty))
        });
        let (keys, listed) = pass.entries(store, &head, listed, &mut terms)?;
        if terms.verifier.is_some_and(|given| keys.iter().all(|known| known != given)) {
            return Err(Stop::at(0, Why::Key));
        }
        let is_intact = || match inspection.map(|thread| thread.join().unwrap_or_else(|it| resume_unwind(it)))
        {
            None => Ok(true),
            Some(inspected) => Ok(match inspected? {
                Inspected::Damaged => false,
                Inspected::Whole => true,
                Inspected::Lists(found) => found.is(&listed),
            }),
        };
        pass.end(store, &head, &keys, is_intact, anchor)?;
        let structures = if is_whole { Some(head.size) } else { looked };
        pass.keep(&mut terms, structures)?;
        Ok((keys, structures))
    });
    match checked {
        Ok((keys, structures)) => Ok(Verdict::Sound(Box::new(Report {
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
            base: pass.story.base,
            structures,
        }))),
        Err(Stop::Flaw(flaw)) => Ok(Verdict::Flawed(flaw)),
        Err(Stop::Store(error)) if error.is_damage() => {
            Ok(Verdict::Flawed(Flaw { index: pass.reading.then_some(pass.tree.size()), why: Why::Damaged }))
        }
        Err(Stop::Store(error)) => Err(error.into()),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// Why a pass ends early.
enum Stop {
    Flaw(Flaw),
    Store(StoreError),
    Failed(LedgerError),
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
    /// Takes up what an earlier run verified, where there was one, and gives the head of the ledger.
    fn resume(&mut self, store: &mut impl Reader, from: Option<Verified>) -> Result<Head, Stop> {
        let head = store.head()?;
        let Some(from) = from else { return Ok(head) };
        let (base, story) = from.story().map_err(|error| Stop::Failed(LedgerError::Resume(error)))?;
        let keys = Keys::genesis(store)?.ok_or_else(|| Stop::at(0, Why::Genesis))?;
        if story.keys.as_ref().and_then(Keys::first) != keys.first() {
            return Err(Stop::Failed(LedgerError::OtherLedger));
        }
        let tree = Tree::from_tiles(base.size, |level, tile| store.tile(level, tile))?;
        let tree = tree.filter(|tree| base.size <= head.size && tree.root() == base.root);
        self.tree = tree.ok_or_else(|| Stop::at(None, Why::Before(base.size)))?;
        self.story = story;
        Ok(head)
    }

    /// Hands over what another run can go on from.
    fn keep(&self, terms: &mut Verification<'_>, structures: Option<u64>) -> Result<(), Stop> {
        let Some(keep) = &mut terms.keep else { return Ok(()) };
        keep(&Verified::of(&self.story, &self.tree, structures)).map_err(Stop::Failed)
    }

    fn entries(
        &mut self,
        store: &mut impl Reader,
        head: &Head,
        listed: Listed,
        terms: &mut Verification<'_>,
    ) -> Result<(Keys, Listed), Stop> {
        self.reading = true;
        let listed = thread::scope(|scope| {
            let (to_check, portions) = sync_channel::<Portion>(PAGES_AHEAD);
            let (told, checked) = sync_channel(PAGES_AHEAD);
            let checking = scope.spawn(move || {
                let mut checker = Checker::new(listed);
                for mut portion in portions {
                    checker.check(&mut portion);
                    if told.send(portion).is_err() {
                        break;
                    }
                }
                checker.listed
            });
            self.pages(store, head, &to_check, &checked, terms)?;
            drop(to_check);
            Ok::<_, Stop>(checking.join().unwrap_or_else(|panic| resume_unwind(panic)))
        })?;
        self.reading = false;
        if self.tree.size() < head.size {
            return Err(Stop::at(self.tree.size(), Why::Missing));
        }
        if self.story.policies.is_under_way() {
            return Err(Stop::at(None, Why::ChangePart));
        }
        let keys = self.story.keys.clone().ok_or_else(|| Stop::at(0, Why::Genesis))?;
        Ok((keys, listed))
    }

    /// Reads some pages ahead of the one that is followed.
    fn pages(
        &mut self,
        store: &mut impl Reader,
        head: &Head,
        to_check: &SyncSender<Portion>,
        checked: &Receiver<Portion>,
        terms: &mut Verification<'_>,
    ) -> Result<(), Stop> {
        let (mut finished, mut spare) = (Vec::new(), Vec::new());
        let (mut next, mut count, mut kept) = (self.tree.size(), PAGE, self.tree.size());
        let (mut ahead, mut ended, mut failed) = (0, false, None);
        loop {
            while !ended && failed.is_none() && ahead < PAGES_AHEAD {
                let mut portion = spare.pop().unwrap_or_default();
                match read_portion(store, next, count, &mut portion) {
                    Ok(()) => {
                        let length = portion.page.len() as u64;
                        ended = length < count;
                        next += length;
                        // It takes what is sent until it is told that there is no more.
                        let _ = to_check.send(portion);
                        ahead += 1;
                    }
                    Err(error) => failed = Some(error),
                }
            }
            // What was read before an error comes before it.
            if ahead > 0 {
                let mut portion = checked.recv().unwrap_or_default();
                for (index, one) in portion.checked.drain(..) {
                    self.entry(store, head, index, one, &mut finished)?;
                }
                spare.push(portion);
                for tile in finished.drain(..) {
                    check_tile(store, &tile)?;
                }
                ahead -= 1;
                if let Some(progress) = &mut terms.progress {
                    progress(self.tree.size(), head.size);
                }
                if self.tree.size() >= kept + KEEP_ENTRIES {
                    kept = self.tree.size();
                    self.keep(terms, None)?;
                }
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
        is_intact: impl FnOnce() -> Result<bool, StoreError>,
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
        if !are_of_reads(store)? {
            return Err(Stop::at(None, Why::ReadList));
        }
        if !is_intact()? {
            return Err(Stop::at(None, Why::Damaged));
        }
        let base = self.story.base.as_ref();
        match anchor.map(|anchor| check_anchor(store, head.size, anchor, keys, base)) {
            None | Some(Ok(())) => Ok(()),
            Some(Err(LedgerError::Store(error))) => Err(Stop::at(
                None,
                if error.is_damage() { Why::Damaged } else { Why::Anchor(error.to_string()) },
            )),
            Some(Err(error)) => Err(Stop::at(None, Why::Anchor(error.to_string()))),
        }
    }
}

/// Whether each name under which a read was left leads to an entry of one, and no two to the same.
fn are_of_reads(store: &mut impl Reader) -> Result<bool, StoreError> {
    let filter = Filter { kind: Some("audit.read".to_owned()), ..Filter::default() };
    let mut named = store.entered_reads()?.into_iter().map(|(_, index)| index).peekable();
    let mut from = 0;
    while named.peek().is_some() {
        let page = store.find(&filter, from, PAGE)?;
        for stored in &page {
            named.next_if_eq(&stored.index);
        }
        match page.last() {
            Some(last) if page.len() as u64 == PAGE => from = last.index + 1,
            _ => break,
        }
    }
    Ok(named.next().is_none())
}

/// Entries from an index on, and the hashes kept of them.
fn read_portion(
    store: &mut impl Reader,
    from: u64,
    count: u64,
    portion: &mut Portion,
) -> Result<(), StoreError> {
    let Portion { page, hashes, .. } = portion;
    page.clear();
    hashes.clear();
    store.read(from, count, page)?;
    let until = from + page.len() as u64;
    let mut tile = from / TILE_WIDTH;
    while tile * TILE_WIDTH < until {
        let mut own = store.tile(0, tile)?.unwrap_or_default();
        // A tile that is too short leaves its entries without a hash, and not with that of others.
        let is_last = (tile + 1) * TILE_WIDTH >= until;
        if !is_last {
            own.resize(TILE_BYTES, 0);
        }
        hashes.extend(own);
        tile += 1;
    }
    let before = usize::try_from(from % TILE_WIDTH * 32).unwrap_or(TILE_BYTES);
    hashes.drain(..hashes.len().min(before));
    Ok(())
}

fn check_tile(store: &mut impl Reader, tile: &Tile) -> Result<(), Stop> {
    if store.tile(tile.level, tile.index)?.as_ref() == Some(&tile.hashes) {
        Ok(())
    } else {
        Err(Stop::at(None, Why::Tile { level: tile.level, tile: tile.index }))
    }
}
