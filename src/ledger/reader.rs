//! Reads a ledger beside the process that writes it, on what a crash left, or on a copy. Changes nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::Checkpoint;
use super::entry::Entry;
use super::error::LedgerError;
use super::key::Verifier;
use super::keys::Keys;
use super::leaf::Stamp;
use super::verify::{self, Verdict, Verification};
use super::{ANCHOR_FILE, DATABASE_FILE, export};
use crate::domain::{Party, ReleaseId, Wilayah};
use crate::store::{Filter, Place, ReadId, Reader, StoredEntry};

/// One state of the ledger: what is appended after opening is not seen.
pub struct LedgerReader {
    place: Place,
    store: Box<dyn Reader + Send>,
    /// Where the anchor is if nobody says otherwise.
    anchor: Option<PathBuf>,
}

/// What to look for; everything named must hold.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// A type such as `release.intent`.
    pub kind: Option<String>,
    pub release: Option<ReleaseId>,
    pub party: Option<Party>,
    /// This area and all inside it.
    pub wilayah: Option<Wilayah>,
    /// This area and no other.
    pub area: Option<Wilayah>,
    pub outcome: Option<String>,
    /// From this moment on, and before that one.
    pub from_ms: Option<u64>,
    pub until_ms: Option<u64>,
}

/// An entry as read back.
#[derive(Debug, Clone)]
pub struct Record {
    pub index: u64,
    /// The exact bytes, which are JSON.
    pub leaf: String,
    pub stamp: Stamp,
    pub entry: Entry,
}

impl LedgerReader {
    /// Opens the ledger that rests in its own directory.
    pub fn open(directory: &Path) -> Result<Self, LedgerError> {
        Self::open_at(&Place::File(directory.join(DATABASE_FILE)), Some(directory))
    }

    /// Opens the ledger that rests in `store`; its anchor is in `directory`, where there is one.
    pub fn open_at(store: &Place, directory: Option<&Path>) -> Result<Self, LedgerError> {
        if store.is_missing() {
            return Err(LedgerError::Missing { place: store.to_string() });
        }
        let anchor = directory.map(|directory| directory.join(ANCHOR_FILE));
        Ok(Self { place: store.clone(), store: store.reader()?, anchor })
    }

    /// The keys that have signed this ledger, the first one first.
    pub fn keys(&mut self) -> Result<Keys, LedgerError> {
        Keys::read(&mut self.store)
    }

    /// The current signed note, verbatim.
    pub fn checkpoint(&mut self) -> Result<String, LedgerError> {
        Ok(self.store.head()?.checkpoint)
    }

    /// Up to `count` entries that match, from index `from` on.
    pub fn find(&mut self, query: &Query, from: u64, count: u64) -> Result<Vec<Record>, LedgerError> {
        self.lines(query, from, count)?.iter().map(Record::read).collect()
    }

    /// The same, unread: for those who need more entries than they need to read.
    pub fn lines(&mut self, query: &Query, from: u64, count: u64) -> Result<Vec<StoredEntry>, LedgerError> {
        let filter = Filter {
            kind: query.kind.clone(),
            release: query.release.map(|release| *release.as_bytes()),
            party: query.party.as_ref().map(ToString::to_string),
            wilayah: query.wilayah.map(|wilayah| wilayah.to_string()),
            area: query.area.map(|area| area.to_string()),
            outcome: query.outcome.clone(),
            from_ms: query.from_ms,
            until_ms: query.until_ms,
        };
        Ok(self.store.find(&filter, from, count)?)
    }

    /// The releases opened and not closed, in the order of their intents.
    pub fn open_releases(&mut self) -> Result<Vec<Record>, LedgerError> {
        let open = self.store.open_releases()?;
        open.into_iter().filter_map(|(_, index)| self.at(index).transpose()).collect()
    }

    /// Entries in the ledger.
    pub fn size(&mut self) -> Result<u64, LedgerError> {
        Ok(self.store.head()?.size)
    }

    /// The entry at an index.
    pub fn at(&mut self, index: u64) -> Result<Option<Record>, LedgerError> {
        let found = self.store.entries(index, 1)?.into_iter().find(|entry| entry.index == index);
        found.as_ref().map(Record::read).transpose()
    }

    /// The index of the entry of a read that was left under this name.
    pub fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, LedgerError> {
        Ok(self.store.entered(id)?)
    }

    /// Checks every entry, hash and signature, by the key given and the anchor at this path; see [`Verification`].
    pub fn verify(
        &mut self,
        verifier: Option<&Verifier>,
        anchor: Option<&Path>,
    ) -> Result<Verdict, LedgerError> {
        self.verify_by(Verification { verifier, anchor, ..Verification::default() })
    }

    /// As [`LedgerReader::verify`], with a word on how far it is, or from where an earlier run was.
    pub fn verify_by(&mut self, terms: Verification<'_>) -> Result<Verdict, LedgerError> {
        let path = terms.anchor.or(self.anchor.as_deref());
        let anchor = match path.map(|path| (path, fs::read_to_string(path))) {
            None => None,
            Some((_, Ok(text))) => Some(text),
            Some((_, Err(error))) if error.kind() == io::ErrorKind::NotFound && terms.anchor.is_none() => {
                None
            }
            Some((path, Err(error))) => {
                return Err(LedgerError::File { path: path.to_owned(), source: Arc::new(error) });
            }
        };
        verify::verify(&mut self.store, &self.place, anchor.as_deref(), terms)
    }

    /// Whether the ledger was in this state, which it had before it grew to `base` or after.
    pub fn had(&mut self, then: &Checkpoint, base: Option<&Checkpoint>) -> Result<bool, LedgerError> {
        Ok(verify::had(&mut self.store, then, base)?)
    }

    /// Writes the ledger as the files of C2SP `tlog-tiles` into a new directory.
    pub fn export_tiles(&mut self, directory: &Path) -> Result<(), LedgerError> {
        export::write_tiles(&mut self.store, directory)
    }
}

impl Record {
    pub fn read(stored: &StoredEntry) -> Result<Self, LedgerError> {
        let index = stored.index;
        let (stamp, entry) =
            Entry::read(&stored.leaf).map_err(|source| LedgerError::Unreadable { index, source })?;
        // What was read as JSON is UTF-8, so nothing is replaced here.
        Ok(Self { index, leaf: String::from_utf8_lossy(&stored.leaf).into_owned(), stamp, entry })
    }
}
