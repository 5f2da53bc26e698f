//! Copies a ledger from one store into another: the same entries, hashes and signed checkpoint, under which the copy is
//! verified like any ledger.
//!
//! What is found on the way is checked: an entry that is missing, whose index card is not its own, or that does not give
//! the root that was signed ends the copy. The checkpoint is written with the last entries, so that half a copy is never
//! taken for a ledger.

use std::path::Path;
use std::sync::Arc;

use super::Ledger;
use super::entry::Entry;
use super::error::LedgerError;
use super::make::empty;
use super::stamper::Stamper;
use super::tree::{Tree, leaf_hash};
use crate::domain::{Clock, Random};
use crate::store::postgres::{PostgresOptions, PostgresStore};
use crate::store::sqlite::SqliteStore;
use crate::store::{Batch, Head, NewEntry, Place, Reader, Store, StoreError, Turn};

/// Entries copied at a time.
const PAGE: u64 = 1_024;
/// The name under which a server takes a copy.
const RESTORER: &str = "restore";

impl Ledger {
    /// Copies the ledger as it stands into a database file, which must not be there. Not yet synced as a file; must not
    /// be called on a thread that runs futures.
    pub fn copy_to_file(from: &Place, to: &Path) -> Result<(), LedgerError> {
        let mut reader = from.reader()?;
        // Closing the store moves its write-ahead log into the database.
        copy(&mut *reader, &mut SqliteStore::create(to, &empty())?)
    }

    /// Copies a ledger into a server that holds none, whose owner `server` names, for a service of the role `role`.
    /// Releases that were open are closed by the next replica that starts. Must not be called on a thread that runs
    /// futures.
    pub fn restore_on(
        from: &Place,
        server: &PostgresOptions,
        role: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<(), LedgerError> {
        let mut reader = from.reader()?;
        let stamper = Stamper::new(RESTORER, clock, random)?;
        let mut store = match PostgresStore::create(server, role, &stamper.replica(), &empty()) {
            Err(StoreError::Exists) => {
                return Err(LedgerError::Exists { place: Place::Server(server.clone()).to_string() });
            }
            made => made?,
        };
        copy(&mut *reader, &mut store)?;
        Ok(store.leave()?)
    }
}

/// Copies all that `from` sees into a store without entries.
fn copy(from: &mut dyn Reader, to: &mut dyn Store) -> Result<(), LedgerError> {
    let head = from.head()?;
    let mut reads = from.entered_reads()?.into_iter().peekable();
    let mut tree = Tree::default();
    while tree.size() < head.size {
        let first = tree.size();
        let count = PAGE.min(head.size - first);
        let mut stored = from.entries(first, count)?.into_iter();
        let (mut entries, mut tiles) = (Vec::new(), Vec::new());
        for index in first..first + count {
            let stored = stored.next().filter(|stored| stored.index == index);
            let stored = stored.ok_or(LedgerError::EntryChanged { index })?;
            let (stamp, entry) =
                Entry::read(&stored.leaf).map_err(|source| LedgerError::Unreadable { index, source })?;
            let mut card = entry.card(stamp.ts_ms);
            if let Some((id, _)) = reads.next_if(|(_, of)| *of == index) {
                card.turn = Turn::Enters(id);
            }
            if !stored.borrowed().card.is_of(&card) {
                return Err(LedgerError::EntryChanged { index });
            }
            tree.push(leaf_hash(&stored.leaf), &mut tiles);
            entries.push(NewEntry { leaf: stored.leaf, card });
        }
        let is_last = tree.size() == head.size;
        if is_last && tree.root() != head.root {
            return Err(LedgerError::Root { size: head.size });
        }
        tiles.extend(tree.edges());
        let checkpoint = if is_last { head.checkpoint.clone() } else { String::new() };
        let new = Head { size: tree.size(), root: tree.root(), checkpoint };
        to.begin()?;
        to.commit(&Batch { first, entries: &entries, tiles: &tiles, head: &new })?;
    }
    Ok(())
}
