//! The ledger as one writer sees it: a store, the tree over what it holds, and the key that signs.
//!
//! A book is opened on the truth on disk, after a start and after every failure of the store: head, signature,
//! hashes and the newest entries must agree. What lies further back is for `log verify`.

use super::checkpoint::Checkpoint;
use super::error::LedgerError;
use super::key::{Signer, Verifier};
use super::keys::Keys;
use super::tree::{TILE_WIDTH, Tree, leaf_hash};
use crate::store::{Batch, Head, NewEntry, Reader, Store, StoreError};

pub(super) struct Book {
    store: Box<dyn Store>,
    tree: Tree,
    signer: Signer,
    checkpoint: String,
    /// The index of the first entry of the latest batch, stored or not.
    committing: u64,
}

impl Book {
    /// Opens on what the store holds, and refuses what does not agree with itself or with the anchor. The right to
    /// append is taken, and held until the next commit: what is read until then belongs to this head.
    pub(super) fn open(
        mut store: Box<dyn Store>,
        signer: &Signer,
        anchor: &str,
    ) -> Result<Self, LedgerError> {
        let head = store.begin()?;
        let tree = check_edge(&mut *store, &head, &signer.verifier())?;
        check_anchor(&mut *store, head.size, anchor, &Keys::of(signer.verifier()))?;
        Ok(Self { store, tree, signer: signer.clone(), checkpoint: head.checkpoint, committing: 0 })
    }

    /// A book over a store without entries.
    pub(super) fn first(store: Box<dyn Store>, signer: &Signer) -> Self {
        Self {
            store,
            tree: Tree::default(),
            signer: signer.clone(),
            checkpoint: String::new(),
            committing: 0,
        }
    }

    pub(super) fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The index of the first entry of the latest batch, stored or not.
    pub(super) fn committing(&self) -> u64 {
        self.committing
    }

    pub(super) fn head(&self) -> Checkpoint {
        Checkpoint { size: self.tree.size(), root: self.tree.root() }
    }

    pub(super) fn store(&mut self) -> &mut dyn Store {
        &mut *self.store
    }

    /// Takes the right to append. The batch is gathered afterwards, since this may wait. What others have appended
    /// to a shared store meanwhile is built upon when it is signed and grew from what we know.
    pub(super) fn begin(&mut self) -> Result<(), LedgerError> {
        let head = self.store.begin()?;
        let known = self.head();
        if (head.size, head.root) == (known.size, known.root) {
            return Ok(());
        }
        if !self.store.is_shared() {
            return Err(StoreError::HeadMoved { expected: known.size, found: head.size }.into());
        }
        let store = &mut *self.store;
        if head.size < known.size {
            return Err(LedgerError::RolledBack { anchored: known.size, size: head.size });
        }
        let before = Tree::from_tiles(known.size, |level, index| store.tile(level, index))?;
        if before.is_none_or(|before| before.root() != known.root) {
            return Err(LedgerError::Forked { size: known.size });
        }
        self.tree = signed_tree(store, &head, &self.signer.verifier())?;
        self.checkpoint = head.checkpoint;
        Ok(())
    }

    /// Stores the entries with a newly signed checkpoint and returns the index of the first. Durable when it
    /// returns `Ok`; after an error the book must be dropped and opened anew.
    pub(super) fn commit(&mut self, entries: &[NewEntry]) -> Result<u64, StoreError> {
        let first = self.tree.size();
        self.committing = first;
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

    /// See [`Store::beat`].
    pub(super) fn beat(&mut self) -> Result<bool, StoreError> {
        self.store.beat()
    }

    /// See [`Store::leave`].
    pub(super) fn leave(&mut self) -> Result<(), StoreError> {
        self.store.leave()
    }

    pub(super) fn tidy(&mut self, idle: bool) -> Result<(), StoreError> {
        self.store.tidy(idle)
    }
}

/// The tree of the head, when signature, root and hashes agree.
fn signed_tree(store: &mut dyn Store, head: &Head, verifier: &Verifier) -> Result<Tree, LedgerError> {
    let size = head.size;
    let signed = Checkpoint::open(&head.checkpoint, verifier)?;
    let tree = Tree::from_tiles(size, |level, index| store.tile(level, index))?;
    let tree = tree.ok_or(LedgerError::Root { size })?;
    if signed != (Checkpoint { size, root: tree.root() }) || head.root != signed.root {
        return Err(LedgerError::Root { size });
    }
    Ok(tree)
}

/// The tree of the head, when its newest entries agree too.
fn check_edge(store: &mut dyn Store, head: &Head, verifier: &Verifier) -> Result<Tree, LedgerError> {
    let size = head.size;
    let tree = signed_tree(store, head, verifier)?;
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
    keys: &Keys,
) -> Result<(), LedgerError> {
    let anchored = keys.open(anchor).map_err(LedgerError::Anchor)?;
    if anchored.size > size {
        return Err(LedgerError::RolledBack { anchored: anchored.size, size });
    }
    let tree = Tree::from_tiles(anchored.size, |level, index| store.tile(level, index))?;
    match tree {
        Some(tree) if tree.root() == anchored.root => Ok(()),
        _ => Err(LedgerError::Forked { size: anchored.size }),
    }
}
