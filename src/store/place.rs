//! Where a ledger's store is: all it takes to open it, as often as needed.

use std::fmt;
use std::path::PathBuf;

use super::postgres::{PostgresOptions, PostgresReader, PostgresStore};
use super::sqlite::{SqliteReader, SqliteStore};
use super::{Reader, Replica, Store, StoreError};

#[derive(Debug, Clone)]
pub enum Place {
    /// A database file of `SQLite`, for one process.
    File(PathBuf),
    /// A `PostgreSQL` server, for several.
    Server(PostgresOptions),
}

impl Place {
    /// Whether it is known, without asking anybody, that nothing is there. Opening never makes a store.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::File(path) => !path.exists(),
            Self::Server(_) => false,
        }
    }

    /// Opens one state of the ledger for reading, beside whoever writes it. A server must not be waited for on a
    /// thread that runs futures.
    pub fn reader(&self) -> Result<Box<dyn Reader + Send>, StoreError> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteReader::open(path)?)),
            Self::Server(options) => Ok(Box::new(PostgresReader::open(options)?)),
        }
    }

    /// Opens the store for appending.
    pub fn store(&self, replica: &Replica<'_>) -> Result<Box<dyn Store>, StoreError> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteStore::open(path)?)),
            Self::Server(options) => Ok(Box::new(PostgresStore::open(options, replica)?)),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Server(options) => write!(f, "{}", options.address),
        }
    }
}
