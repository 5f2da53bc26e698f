//! Where the record rests. The store keeps exact bytes and moves them atomically; it knows nothing of what an
//! entry says, how hashes are made or who signs.
//!
//! The store is not trusted: who changes it can stop us, but not change a delivered record unseen. What it
//! must do is tell the truth about durability: when [`Store::commit`] returns without an error, the batch
//! survives a power cut.

#[cfg(test)]
pub(crate) mod contract;
mod listed;
mod page;
mod place;
pub mod postgres;
pub mod sqlite;

use std::cmp::Ordering;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use rusqlite::ErrorCode;
use thiserror::Error;
use tokio_postgres::error::SqlState;

pub use listed::{Inspected, Listed};
pub use page::{Page, PageCard, PageEntry};
pub use place::Place;

/// Why the store could not do what was asked. After any of these the connection is not to be used again:
/// whether the last batch was stored is known only after opening anew.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("the database reported an error")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database engine is version {found}, and older ones than {needed} can lose commits")]
    Engine { found: String, needed: &'static str },
    #[error("the database's setting `{name}` is not one that a record can rest on")]
    Setting { name: &'static str },
    #[error("the database is not a ledger of this format")]
    Format,
    #[error(
        "the ledger's tables are of version {found} and this program needs {needed}: stop the servers and run `salinan log upgrade`"
    )]
    Older { found: i64, needed: i64 },
    #[error(
        "the ledger's tables are of version {found} and this program knows {needed}: use the newer program"
    )]
    Newer { found: i64, needed: i64 },
    #[error("the head was moved by someone else: expected {expected} entries, found {found}")]
    HeadMoved { expected: u64, found: u64 },
    #[error("the write-ahead log cannot be emptied while another process reads the ledger")]
    Read,
    #[error("the database's files were deleted, moved or replaced while it was open")]
    FilesGone,
    #[error("a number does not fit the database")]
    Number,
    #[error("the name of the file is not UTF-8")]
    Name,

    #[error("the server reported an error")]
    Postgres(#[source] tokio_postgres::Error),
    #[error("the server did not answer within {} ms", wait.as_millis())]
    Silent { wait: Duration },
    #[error("a commit was not answered, and may have been stored")]
    Unanswered { source: Box<StoreError> },
    #[error("a commit was answered with a warning, and may not be durable")]
    Warned,
    #[error("the server is a standby")]
    Standby,
    #[error("this replica had fallen silent, and another shut it out")]
    ShutOut,
    #[error("another process runs under the name of this replica")]
    NameTaken,
    #[error("the database holds no ledger, or this role may not use it")]
    NoLedger { source: tokio_postgres::Error },
    #[error("the server takes no writes, so that nothing can be left in it: is it a standby?")]
    ReadOnly { source: tokio_postgres::Error },
    #[error("the database holds a ledger already")]
    Exists,
    #[error("a role's name is lower-case letters, digits and `_`")]
    Role,
    #[error(
        "this role may change what is stored, which the service must not: use the role given to `log init`"
    )]
    TooMuch,
    #[error("could not read the password file {}", path.display())]
    Password { path: PathBuf, source: io::Error },
    #[error("the password file {} is empty or too long", path.display())]
    NoPassword { path: PathBuf },
    #[error("a server on another machine needs a certificate that vouches for it")]
    NoRoots,
    #[error("{} holds no certificate", path.display())]
    Roots { path: PathBuf },
    #[error("the certificate that is to vouch for the server cannot be used")]
    Root { source: rustls::Error },
    #[error("could not prepare to connect")]
    Runtime { source: io::Error },
}

/// Whether tables of version `found` are those of a program that has `needed` steps behind it.
fn check_version(found: i64, needed: usize) -> Result<(), StoreError> {
    let needed = i64::try_from(needed).map_err(|_| StoreError::Number)?;
    match found.cmp(&needed) {
        Ordering::Less => Err(StoreError::Older { found, needed }),
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(StoreError::Newer { found, needed }),
    }
}

impl StoreError {
    /// Whether a commit that failed like this may have been stored all the same.
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Unanswered { .. } | Self::Warned)
    }

    /// Whether the database's files could not be opened or made.
    fn is_unopenable(&self) -> bool {
        let Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) = self else { return false };
        matches!(failure.code, ErrorCode::CannotOpen | ErrorCode::ReadOnly)
    }

    /// Whether what the store holds is wrong, rather than that it cannot be reached.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => {
                matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            }
            Self::Sqlite(
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..),
            )
            | Self::Format
            | Self::Number => true,
            Self::Postgres(error) => {
                matches!(error.code(), Some(&SqlState::DATA_CORRUPTED | &SqlState::INDEX_CORRUPTED))
            }
            Self::Sqlite(_)
            | Self::Engine { .. }
            | Self::Setting { .. }
            | Self::Older { .. }
            | Self::Newer { .. }
            | Self::ReadOnly { .. }
            | Self::HeadMoved { .. }
            | Self::Read
            | Self::Name
            | Self::FilesGone
            | Self::Silent { .. }
            | Self::Unanswered { .. }
            | Self::Warned
            | Self::Standby
            | Self::ShutOut
            | Self::NameTaken
            | Self::NoLedger { .. }
            | Self::Exists
            | Self::Role
            | Self::TooMuch
            | Self::Password { .. }
            | Self::NoPassword { .. }
            | Self::NoRoots
            | Self::Roots { .. }
            | Self::Root { .. }
            | Self::Runtime { .. } => false,
        }
    }
}

/// A process that appends among others: its name, and the random name of this run of it.
#[derive(Debug, Clone, Copy)]
pub struct Replica<'a> {
    pub name: &'a str,
    pub boot: &'a str,
}

/// The state of the whole ledger after its last batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub size: u64,
    pub root: [u8; 32],
    /// The signed note over size and root, verbatim.
    pub checkpoint: String,
}

/// What one may ask for without reading every entry. Drawn from the leaf by `ledger`, and checked against it
/// by `log verify`: the leaf is the record, this is its index card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub kind: &'static str,
    pub ts_ms: u64,
    pub release: Option<[u8; 16]>,
    pub party: Option<String>,
    pub wilayah: Option<String>,
    pub outcome: Option<&'static str>,
    pub code: Option<String>,
    pub turn: Turn,
}

/// What an entry does besides being there: to the release it names, or to what was left to be entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    #[default]
    Nothing,
    Opens,
    Closes,
    /// It enters the read that an auditor's command left under this name. A batch that enters one a second time is
    /// not stored.
    Enters(ReadId),
}

/// The random name under which a read is left to be entered.
pub type ReadId = [u8; 16];

/// An entry to be stored: its exact bytes and its card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    pub leaf: Vec<u8>,
    pub card: Card,
}

/// An entry as stored. The card's words are owned here, since nobody vouches for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    pub index: u64,
    pub leaf: Vec<u8>,
    pub card: StoredCard,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCard {
    pub kind: String,
    pub ts_ms: u64,
    pub release: Option<[u8; 16]>,
    pub party: Option<String>,
    pub wilayah: Option<String>,
    pub outcome: Option<String>,
    pub code: Option<String>,
}

/// A tile of hashes: rewritten while it fills, never again once it holds 256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    pub level: u8,
    pub index: u64,
    pub hashes: Vec<u8>,
}

/// What one commit stores: all of it or nothing.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The index of the first entry: the size of the head that [`Store::begin`] returned.
    pub first: u64,
    pub entries: &'a [NewEntry],
    pub tiles: &'a [Tile],
    pub head: &'a Head,
}

/// What to look for; everything named must hold. `Default` finds all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub kind: Option<String>,
    pub release: Option<[u8; 16]>,
    pub party: Option<String>,
    /// This area and all inside it.
    pub wilayah: Option<String>,
    /// This area and no other.
    pub area: Option<String>,
    pub outcome: Option<String>,
    /// From this moment on, and before that one.
    pub from_ms: Option<u64>,
    pub until_ms: Option<u64>,
}

pub trait Reader {
    fn head(&mut self) -> Result<Head, StoreError>;

    /// Up to `count` entries from index `from` on, in order. A missing index leaves a gap.
    fn entries(&mut self, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError>;

    /// The same, added to a page.
    fn read(&mut self, from: u64, count: u64, page: &mut Page) -> Result<(), StoreError> {
        self.entries(from, count)?.iter().for_each(|entry| page.push(&entry.borrowed()));
        Ok(())
    }

    /// The hashes of a tile, as many as there are.
    fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError>;

    /// The releases opened and not closed, with the index of the entry that opened each, by index.
    fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError>;

    /// The index of the entry of a read that was left under this name, once it is stored.
    fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, StoreError>;

    /// All names under which reads were left that are stored, with the index of the entry of each, by index.
    fn entered_reads(&mut self) -> Result<Vec<(ReadId, u64)>, StoreError>;

    /// Whether the store's own structures agree, so that searching finds all there is. Reads everything. What the
    /// indexes list of the entries in `range` is left to whoever reads these anyway; `empty` is theirs, emptied.
    fn inspect(&mut self, range: Range<u64>, empty: Listed) -> Result<Inspected, StoreError>;

    /// Up to `count` entries that match, from index `from` on, in order.
    fn find(&mut self, filter: &Filter, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError>;
}

/// A reader whose engine is known only when it runs.
impl<R: Reader + ?Sized> Reader for Box<R> {
    fn head(&mut self) -> Result<Head, StoreError> {
        (**self).head()
    }

    fn entries(&mut self, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        (**self).entries(from, count)
    }

    fn read(&mut self, from: u64, count: u64, page: &mut Page) -> Result<(), StoreError> {
        (**self).read(from, count, page)
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<Option<Vec<u8>>, StoreError> {
        (**self).tile(level, index)
    }

    fn open_releases(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        (**self).open_releases()
    }

    fn entered(&mut self, id: &ReadId) -> Result<Option<u64>, StoreError> {
        (**self).entered(id)
    }

    fn entered_reads(&mut self) -> Result<Vec<(ReadId, u64)>, StoreError> {
        (**self).entered_reads()
    }

    fn inspect(&mut self, range: Range<u64>, empty: Listed) -> Result<Inspected, StoreError> {
        (**self).inspect(range, empty)
    }

    fn find(&mut self, filter: &Filter, from: u64, count: u64) -> Result<Vec<StoredEntry>, StoreError> {
        (**self).find(filter, from, count)
    }
}

pub trait Store: Reader + Send {
    /// Whether other processes append too, so that the head may move while we do not hold the right to.
    fn is_shared(&self) -> bool {
        false
    }

    /// Makes what is stored durable once more, by writing it anew. After an fsync that failed the system may
    /// report the next one as done although the bytes of the first never arrived; so what an earlier
    /// connection wrote is not built upon before this succeeded.
    fn settle(&mut self) -> Result<(), StoreError>;

    /// Takes the only right to append and returns the head to build upon. A shared store waits here for other
    /// replicas, so a caller gathers its batch afterwards. What is read until the right is given back belongs to
    /// this head.
    fn begin(&mut self) -> Result<Head, StoreError>;

    /// Stores the batch and gives the right back. Durable when it returns `Ok`.
    fn commit(&mut self, batch: &Batch<'_>) -> Result<(), StoreError>;

    /// Gives the right back without storing anything.
    fn abandon(&mut self) -> Result<(), StoreError>;

    /// The open releases that no other process can close or raise the ceiling of: those of this one, of what ran
    /// before under its name, and of others that were shut out. Asked while the right to append is held.
    fn orphans(&mut self) -> Result<Vec<([u8; 16], u64)>, StoreError> {
        self.open_releases()
    }

    /// Some of the reads that were left in the store itself and are not entered, as they were written.
    fn waiting(&mut self) -> Result<Vec<(ReadId, String)>, StoreError> {
        Ok(Vec::new())
    }

    /// Takes something away that was left as a read and is none. The right to append is not held.
    fn set_aside(&mut self, _id: &ReadId) -> Result<(), StoreError> {
        Ok(())
    }

    /// Tells the others that this process lives, and shuts out those that fell silent. `true`: one of them left
    /// releases open.
    fn beat(&mut self) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// Tells the others that this process ends, so that they need not wait for it to fall silent.
    fn leave(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Housekeeping that may take a while; called when there is time (`idle`) and now and then when there is
    /// none.
    fn tidy(&mut self, idle: bool) -> Result<(), StoreError>;
}
