//! The ledger as one writer sees it: a store, the tree over what it holds, and the key that signs.
//!
//! A book is opened on the truth on disk, after a start and after every failure of the store: head, signature,
//! hashes and the newest entries must agree. What lies further back is for `log verify`.

use super::checkpoint::Checkpoint;
use super::error::LedgerError;
use super::key::{Signer, Verifier};
use super::tree::{TILE_WIDTH, Tree, leaf_hash};
use crate::store::{Batch, Head, NewEntry, Reader, Store, StoreError};

pub(super) struct Book {
    store: Box<dyn Store>,
    tree: Tree,
    signer: Signer,
    checkpoint: String,
}

impl Book {
    /// Opens on what the store holds, and refuses what does not agree with itself or with the anchor.
    pub(super) fn open(
        mut store: Box<dyn Store>,
        signer: &Signer,
        anchor: &str,
    ) -> Result<Self, LedgerError> {
        let head = store.head()?;
        let tree = check_edge(&mut *store, &head, &signer.verifier())?;
        check_anchor(&mut *store, head.size, anchor, &signer.verifier())?;
        Ok(Self { store, tree, signer: signer.clone(), checkpoint: head.checkpoint })
    }

    /// A book over a store without entries.
    pub(super) fn first(store: Box<dyn Store>, signer: &Signer) -> Self {
        Self { store, tree: Tree::default(), signer: signer.clone(), checkpoint: String::new() }
    }

    pub(super) fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    pub(super) fn head(&self) -> Checkpoint {
        Checkpoint { size: self.tree.size(), root: self.tree.root() }
    }

    pub(super) fn reader(&mut self) -> &mut dyn Reader {
        &mut *self.store
    }

    /// Takes the right to append. The batch is gathered afterwards, since this may wait.
    pub(super) fn begin(&mut self) -> Result<(), StoreError> {
        let head = self.store.begin()?;
        if head.size == self.tree.size() {
            Ok(())
        } else {
            Err(StoreError::HeadMoved { expected: self.tree.size(), found: head.size })
        }
    }

    /// Stores the entries with a newly signed checkpoint and returns the index of the first. Durable when it
    /// returns `Ok`; after an error the book must be dropped and opened anew.
    pub(super) fn commit(&mut self, entries: &[NewEntry]) -> Result<u64, StoreError> {
        let first = self.tree.size();
        let mut tiles = Vec::new();
        for entry in entries {
            self.tree.push(leaf_hash(&entry.leaf), &mut tiles);
        }
        tiles.extend(self.tree.edges());
        let checkpoint = self.head().sign(&self.signer);
        let head = Head { size: self.tree.size(), root: self.tree.root(), checkpoint };
        self.store.commit(&Batch { first, entries, tiles: &tiles, head: &head })?;
        self.checkpoint = head.checkpoint;
        Ok(first)
    }

    pub(super) fn abandon(&mut self) -> Result<(), StoreError> {
        self.store.abandon()
    }

    pub(super) fn tidy(&mut self, idle: bool) -> Result<(), StoreError> {
        self.store.tidy(idle)
    }
}

/// The tree of the head, when signature, root, hashes and newest entries agree.
fn check_edge(store: &mut dyn Store, head: &Head, verifier: &Verifier) -> Result<Tree, LedgerError> {
    let size = head.size;
    let signed = Checkpoint::open(&head.checkpoint, verifier)?;
    let tree = Tree::from_tiles(size, |level, index| store.tile(level, index))?;
    let tree = tree.ok_or(LedgerError::Root { size })?;
    if signed != (Checkpoint { size, root: tree.root() }) || head.root != signed.root {
        return Err(LedgerError::Root { size });
    }
    let tile = size.saturating_sub(1) / TILE_WIDTH;
    let hashes = store.tile(0, tile)?.unwrap_or_default();
    let mut entries = store.entries(tile * TILE_WIDTH, TILE_WIDTH)?.into_iter();
    for (index, hash) in (tile * TILE_WIDTH..size).zip(hashes.as_chunks::<32>().0) {
        match entries.next() {
            Some(entry) if entry.index == index && leaf_hash(&entry.leaf) == *hash => {}
            _ => return Err(LedgerError::EntryChanged { index }),
        }
    }
    match store.entries(size, 1)?.first() {
        Some(beyond) => Err(LedgerError::Beyond { index: beyond.index, size }),
        None => Ok(tree),
    }
}

/// The store must hold at least what its anchor says, and the same history up to there.
pub(super) fn check_anchor(
    store: &mut (impl Reader + ?Sized),
    size: u64,
    anchor: &str,
    verifier: &Verifier,
) -> Result<(), LedgerError> {
    let anchored = Checkpoint::open(anchor, verifier).map_err(LedgerError::Anchor)?;
    if anchored.size > size {
        return Err(LedgerError::RolledBack { anchored: anchored.size, size });
    }
    let tree = Tree::from_tiles(anchored.size, |level, index| store.tile(level, index))?;
    match tree {
        Some(tree) if tree.root() == anchored.root => Ok(()),
        _ => Err(LedgerError::Forked { size: anchored.size }),
    }
}
