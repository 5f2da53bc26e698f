//! What an operator enters without serving: the end of an election, another key, a loss.
//!
//! Beside a running server an entry is added between two of its batches; the server finds it before its next one. What
//! changes who signs, or what there is, needs the ledger for itself.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::anchor;
use super::book::Book;
use super::entry::Entry;
use super::error::LedgerError;
use super::key::Signer;
use super::notice::{Continuation, Freeze};
use super::stamper::Stamper;
use super::{LedgerOptions, lock, writer};
use crate::domain::{Clock, Digest, Random};
use crate::store::{Store, StoreError};

/// The name that stands in these entries in place of a replica's.
const REPLICA: &str = "by-hand";

/// Enters one thing at a time, each durable when the method returns.
pub struct ByHand {
    options: LedgerOptions,
    stamper: Stamper,
}

/// What an operator's word is given with.
#[derive(Debug, Clone)]
pub struct Ordered {
    pub operator: String,
    pub reason: String,
}

/// What was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// The index of the entry that says so.
    pub index: u64,
    /// What was signed up to this size is gone.
    pub until: u64,
    /// Where the anchor of what was lost is kept.
    pub kept: PathBuf,
}

impl ByHand {
    pub fn new(
        options: LedgerOptions,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, LedgerError> {
        let stamper = Stamper::new(REPLICA, clock, random)?;
        Ok(Self { options, stamper })
    }

    /// Ends an election: from this entry on no copy of its lists is opened.
    pub fn freeze(&self, election: &str, ordered: Ordered) -> Result<u64, LedgerError> {
        let Ordered { operator, reason } = ordered;
        self.enter(&Entry::Freeze(Box::new(Freeze { election: election.to_owned(), operator, reason })))
    }

    /// Hands the ledger over to another key. No server may be running.
    pub fn rotate(&self, new: &Signer) -> Result<u64, LedgerError> {
        let _alone = lock(&self.options.directory)?;
        let mut book = self.open(true)?;
        let index = book.rotate(new, &self.stamper)?;
        self.anchor(&book)?;
        Self::leave(book);
        Ok(index)
    }

    /// Goes on with a ledger that is smaller than its anchor, and says so in it for ever. `anchored` is the size that
    /// the operator believes to have been signed last. No server may be running.
    pub fn go_on(&self, anchored: u64, ordered: Ordered) -> Result<Loss, LedgerError> {
        let _alone = lock(&self.options.directory)?;
        let lost = writer::read_anchor(&self.options.anchor)?;
        let mut book = Book::open_unanchored(self.store(true)?, &self.options.signer)?;
        let until = book.keys().open(&lost).map_err(LedgerError::Anchor)?.size;
        let head = book.head();
        if until <= head.size {
            return Err(LedgerError::NothingLost { anchored: until, size: head.size });
        }
        if until != anchored {
            return Err(LedgerError::LossMisstated { anchored: until, stated: anchored });
        }
        let kept = self.options.anchor.with_extension(format!("lost-{until}"));
        let file_error = |source| LedgerError::File { path: kept.clone(), source: Arc::new(source) };
        anchor::write(&kept, &lost).map_err(file_error)?;
        let Ordered { operator, reason } = ordered;
        let (head_size, head_root) = (head.size, Digest(head.root));
        let own = Continuation { head_size, head_root, lost, operator, reason };
        let index = book.commit(&[self.stamper.write(&Entry::Continue(Box::new(own)))?])?;
        self.anchor(&book)?;
        Self::leave(book);
        Ok(Loss { index, until, kept })
    }

    fn enter(&self, entry: &Entry) -> Result<u64, LedgerError> {
        // Whoever has the lock keeps the anchor.
        let alone: Option<File> = match lock(&self.options.directory) {
            Ok(lock) => Some(lock),
            Err(LedgerError::Held { .. }) => None,
            Err(error) => return Err(error),
        };
        let mut book = self.open(alone.is_some())?;
        let index = book.commit(&[self.stamper.write(entry)?])?;
        if alone.is_some() {
            self.anchor(&book)?;
        }
        Self::leave(book);
        Ok(index)
    }

    /// What was to be entered is: nobody need wait for us, and if they do it is for a minute.
    fn leave(mut book: Book) {
        if let Err(error) = book.leave() {
            tracing::warn!(%error, "replicas were not told that this command ends");
        }
    }

    /// The right to append is held when it returns.
    fn open(&self, is_alone: bool) -> Result<Book, LedgerError> {
        let anchor = writer::read_anchor(&self.options.anchor)?;
        Book::open(self.store(is_alone)?, &self.options.signer, &anchor)
    }

    fn store(&self, is_alone: bool) -> Result<Box<dyn Store>, LedgerError> {
        if self.options.store.is_missing() {
            return Err(LedgerError::Missing { place: self.options.store.to_string() });
        }
        let mut store = self.options.store.store(&self.stamper.replica())?;
        if is_alone {
            match store.settle() {
                Err(StoreError::Read) => {}
                settled => settled?,
            }
        }
        Ok(store)
    }

    fn anchor(&self, book: &Book) -> Result<(), LedgerError> {
        let path = &self.options.anchor;
        let file_error =
            |source: io::Error| LedgerError::File { path: path.clone(), source: Arc::new(source) };
        anchor::write(path, book.checkpoint()).map_err(file_error)
    }
}
