//! The ledger as one writer sees it: a store, the tree over what it holds, and the key that signs.
//!
//! A book is opened on the truth on disk, after a start and after every failure of the store: head, signature,
//! hashes and the newest entries must agree. What lies further back is for `log verify`.

use std::collections::BTreeSet;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::{Entry, Intent};
use super::error::LedgerError;
use super::key::Signer;
use super::keys::Keys;
use super::notice::Rotation;
use super::rows::Accounts;
use super::stamper::Stamper;
use super::tree::{TILE_WIDTH, Tree, leaf_hash};
use super::verify::had;
use crate::domain::ReleaseId;
use crate::store::{Batch, Filter, Head, NewEntry, Reader, Store, StoreError};

/// Ends of elections read at a time.
const PAGE: u64 = 64;

pub(super) struct Book {
    store: Box<dyn Store>,
    tree: Tree,
    signer: Signer,
    keys: Keys,
    /// Elections that are over.
    over: BTreeSet<String>,
    accounts: Accounts,
    checkpoint: String,
    /// The index of the first entry of the latest batch, stored or not.
    committing: u64,
}

impl Book {
    /// Opens on what the store holds, and refuses what does not agree with itself or with the anchor. The right to
    /// append is taken, and held until the next commit: what is read until then belongs to this head.
    pub(super) fn open(store: Box<dyn Store>, signer: &Signer, anchor: &str) -> Result<Self, LedgerError> {
        let mut book = Self::open_unanchored(store, signer)?;
        check_anchor(&mut *book.store, book.tree.size(), anchor, &book.keys, None)?;
        Ok(book)
    }

    /// As [`Book::open`], for who knows that the ledger is smaller than its anchor.
    pub(super) fn open_unanchored(mut store: Box<dyn Store>, signer: &Signer) -> Result<Self, LedgerError> {
        let head = store.begin()?;
        let keys = Keys::read(&mut *store)?;
        check_signer(&head, &keys, signer)?;
        let tree = check_edge(&mut *store, &head, &keys)?;
        let (signer, checkpoint) = (signer.clone(), head.checkpoint);
        let mut book = Self {
            store,
            tree,
            signer,
            keys,
            over: BTreeSet::new(),
            accounts: Accounts::default(),
            checkpoint,
            committing: 0,
        };
        book.learn_ends(0)?;
        Ok(book)
    }

    /// A book over a store without entries.
    pub(super) fn first(store: Box<dyn Store>, signer: &Signer) -> Self {
        Self {
            store,
            tree: Tree::default(),
            signer: signer.clone(),
            keys: Keys::of(signer.verifier()),
            over: BTreeSet::new(),
            accounts: Accounts::default(),
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

    /// The keys that have signed this ledger.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Whether no copy of this election's lists is opened any more.
    pub(super) fn is_over(&self, election: &str) -> bool {
        self.over.contains(election)
    }

    /// Goes on with accounts of rows that were read before.
    pub(super) fn take_accounts(&mut self, accounts: Accounts) {
        self.accounts = accounts;
    }

    /// Keeps rows of a quota back for an intent that is about to be stored, and writes into it how many. The right to
    /// append is held, so that nobody else can take them.
    pub(super) fn keep_back(&mut self, intent: &mut Intent, now_ms: u64) -> Result<(), LedgerError> {
        self.accounts.keep_back(&mut *self.store, self.tree.size(), intent, now_ms)
    }

    /// An intent that rows were kept back for is not stored.
    pub(super) fn give_back(&mut self, release: &ReleaseId) {
        self.accounts.forget(release.as_bytes());
    }

    pub(super) fn store(&mut self) -> &mut dyn Store {
        &mut *self.store
    }

    /// Takes the right to append. The batch is gathered afterwards, since this may wait. What others have appended
    /// meanwhile, be it other replicas or an operator by hand, is built upon when it is signed and grew from what we
    /// know.
    pub(super) fn begin(&mut self) -> Result<(), LedgerError> {
        let head = self.store.begin()?;
        let known = self.head();
        if (head.size, head.root) == (known.size, known.root) {
            return Ok(());
        }
        let store = &mut *self.store;
        if head.size < known.size {
            return Err(LedgerError::RolledBack { anchored: known.size, size: head.size });
        }
        let before = Tree::from_tiles(known.size, |level, index| store.tile(level, index))?;
        if before.is_none_or(|before| before.root() != known.root) {
            return Err(LedgerError::Forked { size: known.size });
        }
        self.keys.learn(store, known.size)?;
        check_signer(&head, &self.keys, &self.signer)?;
        self.tree = signed_tree(store, &head, &self.keys)?;
        self.checkpoint = head.checkpoint;
        self.learn_ends(known.size)
    }

    /// Takes the ends of elections from index `from` on.
    fn learn_ends(&mut self, mut from: u64) -> Result<(), LedgerError> {
        let filter = Filter { kind: Some("log.freeze".to_owned()), ..Filter::default() };
        loop {
            let page = self.store.find(&filter, from, PAGE)?;
            for stored in &page {
                let Ok((_, Entry::Freeze(freeze))) = Entry::read(&stored.leaf) else {
                    return Err(LedgerError::EntryChanged { index: stored.index });
                };
                self.over.insert(freeze.election);
                from = stored.index + 1;
            }
            if (page.len() as u64) < PAGE {
                return Ok(());
            }
        }
    }

    /// Stores the entries with a newly signed checkpoint and returns the index of the first. Durable when it
    /// returns `Ok`; after an error the book must be dropped and opened anew.
    pub(super) fn commit(&mut self, entries: &[NewEntry]) -> Result<u64, StoreError> {
        let signer = self.signer.clone();
        self.commit_by(entries, &[&signer])
    }

    /// Hands the ledger over to another key: the entry that says so, and a checkpoint that both have signed. The right
    /// to append is held.
    pub(super) fn rotate(&mut self, new: &Signer, stamper: &Stamper) -> Result<u64, LedgerError> {
        let old = self.signer.clone();
        let rotation = Rotation::sign(&old, new, &self.head());
        let index = self.tree.size();
        if !self.keys.rotate(index, &rotation) {
            return Err(LedgerError::KeyReplaced);
        }
        let entry = stamper.write(&Entry::Rotate(Box::new(rotation)))?;
        self.signer = new.clone();
        Ok(self.commit_by(&[entry], &[&old, new])?)
    }

    fn commit_by(&mut self, entries: &[NewEntry], signers: &[&Signer]) -> Result<u64, StoreError> {
        let first = self.tree.size();
        self.committing = first;
        let mut tiles = Vec::new();
        for entry in entries {
            self.tree.push(leaf_hash(&entry.leaf), &mut tiles);
        }
        tiles.extend(self.tree.edges());
        let checkpoint = self.head().sign_by(signers);
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

/// Who signs must be who signs now.
fn check_signer(head: &Head, keys: &Keys, signer: &Signer) -> Result<(), LedgerError> {
    let own = signer.verifier();
    if keys.current() == Some(&own) {
        return Ok(());
    }
    if keys.iter().any(|known| *known == own) {
        return Err(LedgerError::KeyReplaced);
    }
    Checkpoint::open(&head.checkpoint, &own)?;
    Err(CheckpointError::Unsigned.into())
}

/// The tree of the head, when signature, root and hashes agree.
fn signed_tree(store: &mut dyn Store, head: &Head, keys: &Keys) -> Result<Tree, LedgerError> {
    let size = head.size;
    let signed = keys.open(&head.checkpoint)?;
    let tree = Tree::from_tiles(size, |level, index| store.tile(level, index))?;
    let tree = tree.ok_or(LedgerError::Root { size })?;
    if signed != (Checkpoint { size, root: tree.root() }) || head.root != signed.root {
        return Err(LedgerError::Root { size });
    }
    Ok(tree)
}

/// The tree of the head, when its newest entries agree too.
fn check_edge(store: &mut dyn Store, head: &Head, keys: &Keys) -> Result<Tree, LedgerError> {
    let size = head.size;
    let tree = signed_tree(store, head, keys)?;
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
    base: Option<&Checkpoint>,
) -> Result<(), LedgerError> {
    let anchored = keys.open(anchor).map_err(LedgerError::Anchor)?;
    if anchored.size > size {
        return Err(LedgerError::RolledBack { anchored: anchored.size, size });
    }
    if had(store, &anchored, base)? { Ok(()) } else { Err(LedgerError::Forked { size: anchored.size }) }
}
