//! What the ledger shows outside: checkpoints, tiles and entries, and that it only grew; and the newest checkpoint that
//! witnesses signed, which is kept in a file beside the ledger.
//!
//! Reads go over connections of their own, so that they never wait for the writer nor it for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::checkpoint::Checkpoint;
use super::entry::Entry;
use super::error::LedgerError;
use super::export::{self, TileName};
use super::key::Verifier;
use super::notice::AuditRead;
use super::proof::{self, Tiles};
use super::receipt::{self, Receipt};
use super::tree::{Hash, Tree};
use super::{Ledger, anchor};
use crate::domain::ReleaseId;
use crate::store::{Place, Reader};

/// The newest checkpoint with the lines of witnesses.
pub const COSIGNED_FILE: &str = "ledger.cosigned";

/// The checkpoint that witnesses signed, in memory and on disk.
#[derive(Debug)]
pub(super) struct Cosigned {
    path: PathBuf,
    note: Mutex<Option<String>>,
}

impl Cosigned {
    /// What an earlier process kept, if it is of this ledger as it stands.
    pub(super) fn load(directory: &Path, store: &Place, size: u64, verifier: &Verifier) -> Self {
        let path = directory.join(COSIGNED_FILE);
        let note = fs::read_to_string(&path).ok();
        let note = note.filter(|note| {
            let is_ours = store.reader().is_ok_and(|mut reader| is_of(note, &mut *reader, size, verifier));
            if !is_ours {
                tracing::warn!(file = %path.display(), "the checkpoint that witnesses signed is not of this ledger");
            }
            is_ours
        });
        Self { path, note: Mutex::new(note) }
    }

    fn get(&self) -> Option<String> {
        self.note.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn is_of(note: &str, reader: &mut dyn Reader, size: u64, verifier: &Verifier) -> bool {
    let Ok(checkpoint) = Checkpoint::open(note, verifier) else { return false };
    let tree = Tree::from_tiles(checkpoint.size, |level, index| reader.tile(level, index));
    checkpoint.size <= size && matches!(tree, Ok(Some(tree)) if tree.root() == checkpoint.root)
}

impl Ledger {
    /// The entries of a release with their proofs, its grants apart; `None` when the ledger names no such release.
    pub async fn receipt(&self, release: ReleaseId) -> Result<Option<Receipt>, LedgerError> {
        let (vkey, cosigned) = (self.0.vkey.clone(), self.cosigned());
        self.read(move |reader| Ok(receipt::of(reader, release, &vkey, cosigned)?)).await
    }

    /// The key that verifies this ledger's checkpoints, in the form of a signed note's verifier.
    pub fn vkey(&self) -> &str {
        &self.0.vkey
    }

    /// The newest checkpoint.
    pub async fn newest_checkpoint(&self) -> Result<String, LedgerError> {
        self.read(|reader| Ok(reader.head()?.checkpoint)).await
    }

    /// The newest checkpoint that witnesses signed, or the newest where none did.
    pub async fn shown_checkpoint(&self) -> Result<String, LedgerError> {
        match self.cosigned() {
            Some(note) => Ok(note),
            None => self.newest_checkpoint().await,
        }
    }

    /// A tile's bytes; `None`: the tree is not that large.
    pub async fn tile(&self, name: TileName) -> Result<Option<Vec<u8>>, LedgerError> {
        let read = move |reader: &mut dyn Reader| {
            let is_there = name.is_within(reader.head()?.size);
            is_there.then(|| export::tile(reader, &name)).transpose()
        };
        self.read(read).await
    }

    /// The proof that the tree of `new` entries grew out of that of `old`.
    pub async fn growth(&self, old: u64, new: u64) -> Result<Vec<Hash>, LedgerError> {
        self.read(move |reader| Ok(proof::consistency(&mut Tiles::of(reader), old, new)?)).await
    }

    /// Records that somebody read the record; durable when it returns, with the entry's index.
    pub async fn read_by(&self, read: AuditRead) -> Result<u64, LedgerError> {
        self.check_room()?;
        self.enter(&Entry::AuditRead(Box::new(read))).await
    }

    /// The newest checkpoint that witnesses signed.
    pub fn cosigned(&self) -> Option<String> {
        self.0.cosigned.get()
    }

    /// Keeps a checkpoint with its witnesses' lines; on disk when it returns.
    pub async fn keep_cosigned(&self, note: String) -> Result<(), LedgerError> {
        let ledger = self.clone();
        let keep = move || {
            let Cosigned { path, note: kept } = &ledger.0.cosigned;
            let written = anchor::write(path, &note);
            written.map_err(|source| LedgerError::File { path: path.clone(), source: Arc::new(source) })?;
            *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(note);
            Ok(())
        };
        tokio::task::spawn_blocking(keep).await.map_err(|_| LedgerError::ShutDown)?
    }

    /// Reads one state of the ledger off the runtime's threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut dyn Reader) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let store = self.0.store.clone();
        let read = move || read(&mut *store.reader()?);
        tokio::task::spawn_blocking(read).await.map_err(|_| LedgerError::ShutDown)?
    }
}
