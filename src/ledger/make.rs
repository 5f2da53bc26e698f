//! Makes a ledger: its first entry, a checkpoint and the anchor.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use super::book::Book;
use super::entry::{Entry, Genesis};
use super::error::LedgerError;
use super::key::Signer;
use super::stamper::Stamper;
use super::{ANCHOR_FILE, DATABASE_FILE, Ledger, anchor, lock, tree};
use crate::domain::{Clock, Random};
use crate::store::postgres::{self, PostgresOptions, PostgresStore};
use crate::store::sqlite::SqliteStore;
use crate::store::{Head, NewEntry, Place, Store, StoreError};

/// The name under which the first entry is written.
const MAKER: &str = "init";

impl Ledger {
    /// Makes a new ledger in a directory: the first entry, a checkpoint and the anchor are durable when it returns.
    /// Refuses a directory that holds one already.
    pub fn init(
        directory: &Path,
        signer: &Signer,
        operator: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<(), LedgerError> {
        let database = directory.join(DATABASE_FILE);
        let _lock = lock(directory)?;
        if database.exists() {
            return Err(LedgerError::Exists { place: directory.display().to_string() });
        }
        let genesis = genesis(&Stamper::new(MAKER, clock, random)?, signer, operator)?;
        // Under another name until it is whole, so that a crash leaves no half ledger behind.
        let unfinished = directory.join("ledger.sqlite.new");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&unfinished)(error)),
            _ => {}
        }
        // SQLite gives its other files the mode of this one: the ledger names who asked.
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished);
        made.map_err(at(&unfinished))?;
        // Closing the store moves the write-ahead log into the database.
        let checkpoint = begin(Box::new(SqliteStore::create(&unfinished, &empty())?), signer, genesis)?;
        let anchor = directory.join(ANCHOR_FILE);
        anchor::write(&anchor, &checkpoint).map_err(at(&anchor))?;
        fs::rename(&unfinished, &database).map_err(at(&database))?;
        anchor::sync_directory_of(&database).map_err(at(&database))
    }

    /// Brings the tables of a store to those of this program, and gives the versions before and now. For a file no
    /// server may hold the directory; for a server the address is that of its owner, and `role` that of the service.
    /// Must not be called on a thread that runs futures.
    pub fn upgrade(place: &Place, directory: Option<&Path>, role: &str) -> Result<(i64, i64), LedgerError> {
        if place.is_missing() {
            return Err(LedgerError::Missing { place: place.to_string() });
        }
        match place {
            Place::File(path) => {
                let _lock = directory.map(lock).transpose()?;
                Ok(SqliteStore::upgrade(path)?)
            }
            Place::Server(server) => Ok(postgres::upgrade(server, role)?),
        }
    }

    /// Makes a new ledger on a server, whose owner the address names, for a service that has the role `role`. The
    /// anchor is written into the directory last. Must not be called on a thread that runs futures.
    pub fn init_on(
        server: &PostgresOptions,
        role: &str,
        directory: &Path,
        signer: &Signer,
        operator: &str,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<(), LedgerError> {
        let _lock = lock(directory)?;
        let stamper = Stamper::new(MAKER, clock, random)?;
        let genesis = genesis(&stamper, signer, operator)?;
        let store = match PostgresStore::create(server, role, &stamper.replica(), &empty()) {
            Err(StoreError::Exists) => {
                return Err(LedgerError::Exists { place: Place::Server(server.clone()).to_string() });
            }
            made => made?,
        };
        let checkpoint = begin(Box::new(store), signer, genesis)?;
        let anchor = directory.join(ANCHOR_FILE);
        anchor::write(&anchor, &checkpoint).map_err(at(&anchor))
    }
}

fn genesis(stamper: &Stamper, signer: &Signer, operator: &str) -> Result<NewEntry, LedgerError> {
    stamper.write(&Entry::Genesis(Genesis {
        origin: signer.name().to_owned(),
        vkeys: vec![signer.vkey()],
        operator: operator.to_owned(),
    }))
}

/// The head of a store without entries.
pub(super) fn empty() -> Head {
    Head { size: 0, root: tree::empty_root(), checkpoint: String::new() }
}

/// Stores the first entry and returns the checkpoint over it.
fn begin(store: Box<dyn Store>, signer: &Signer, genesis: NewEntry) -> Result<String, LedgerError> {
    let mut book = Book::first(store, signer);
    book.begin()?;
    book.commit(&[genesis])?;
    book.leave()?;
    Ok(book.checkpoint().to_owned())
}

fn at(path: &Path) -> impl Fn(io::Error) -> LedgerError {
    move |source| LedgerError::File { path: path.to_owned(), source: Arc::new(source) }
}
