//! The keys that a ledger's checkpoints were signed with, one after the other: the one of `log.genesis`, then those that
//! `key.rotate` handed over to.
//!
//! The new key signs from the size on that includes its `key.rotate`; the checkpoint of exactly that size bears the old
//! key's signature too.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::Entry;
use super::error::LedgerError;
use super::key::Verifier;
use super::notice::Rotation;
use crate::store::{Filter, Reader, StoreError};

/// Handovers read at a time.
const PAGE: u64 = 64;

/// Each with the smallest size that it signs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(Vec<(u64, Verifier)>);

impl Keys {
    pub fn of(genesis: Verifier) -> Self {
        Self(vec![(0, genesis)])
    }

    /// All keys that the entries of a store name.
    pub(super) fn read(store: &mut (impl Reader + ?Sized)) -> Result<Self, LedgerError> {
        let mut keys = Self::genesis(store)?.ok_or(LedgerError::EntryChanged { index: 0 })?;
        keys.learn(store, 1)?;
        Ok(keys)
    }

    /// The first one alone; `None`: there is no `log.genesis` that names it.
    pub(super) fn genesis(store: &mut (impl Reader + ?Sized)) -> Result<Option<Self>, StoreError> {
        let first = store.entries(0, 1)?.pop().filter(|entry| entry.index == 0);
        Ok(match first.and_then(|entry| Entry::read(&entry.leaf).ok()) {
            Some((_, Entry::Genesis(genesis))) => {
                genesis.vkeys.first().and_then(|vkey| vkey.parse().ok()).map(Self::of)
            }
            _ => None,
        })
    }

    /// Takes the keys of entries from index `from` on.
    pub(super) fn learn(
        &mut self,
        store: &mut (impl Reader + ?Sized),
        mut from: u64,
    ) -> Result<(), LedgerError> {
        let filter = Filter { kind: Some("key.rotate".to_owned()), ..Filter::default() };
        loop {
            let page = store.find(&filter, from, PAGE)?;
            for stored in &page {
                let index = stored.index;
                match Entry::read(&stored.leaf) {
                    Ok((_, Entry::Rotate(rotation))) if self.rotate(index, &rotation) => from = index + 1,
                    _ => return Err(LedgerError::EntryChanged { index }),
                }
            }
            if (page.len() as u64) < PAGE {
                return Ok(());
            }
        }
    }

    /// Takes the key that the entry at `index` hands over to. `false`: the entry does not prove that both agreed.
    pub(super) fn rotate(&mut self, index: u64, rotation: &Rotation) -> bool {
        let successor = self.current().and_then(|current| rotation.successor(current));
        // A key that was put away stays away: whoever found it must not sign again.
        let successor = successor.filter(|new| self.iter().all(|known| known != new));
        self.0.extend(successor.clone().map(|new| (index + 1, new)));
        successor.is_some()
    }

    /// Each as others know it, with the smallest size that it signs.
    pub(super) fn to_list(&self) -> Vec<(u64, String)> {
        self.0.iter().map(|(from, verifier)| (*from, verifier.to_string())).collect()
    }

    /// What [`Keys::to_list`] gave; `None`: there is no key, or one that is none.
    pub(super) fn from_list(list: &[(u64, String)]) -> Option<Self> {
        let read = |(from, vkey): &(u64, String)| Some((*from, vkey.parse().ok()?));
        list.iter().map(read).collect::<Option<Vec<_>>>().filter(|keys| !keys.is_empty()).map(Self)
    }

    /// The key of `log.genesis`.
    pub(super) fn first(&self) -> Option<&Verifier> {
        self.iter().next()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Verifier> {
        self.0.iter().map(|(_, verifier)| verifier)
    }

    pub fn current(&self) -> Option<&Verifier> {
        self.0.last().map(|(_, verifier)| verifier)
    }

    /// Reads a signed note, with the key that signs notes of its size, and with the one before it at a handover.
    pub fn open(&self, note: &str) -> Result<Checkpoint, CheckpointError> {
        let size = Checkpoint::stated_size(note)?;
        let known = self.0.iter().take_while(|(from, _)| *from <= size).count().max(1);
        let (from, verifier) = self.0.get(known - 1).ok_or(CheckpointError::Unsigned)?;
        if *from == size
            && let Some((_, before)) = known.checked_sub(2).and_then(|before| self.0.get(before))
        {
            Checkpoint::open(note, before)?;
        }
        Checkpoint::open(note, verifier)
    }
}
