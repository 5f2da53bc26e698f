//! Which files a connection writes to, and whether they still stand under their names.
//!
//! A file that was deleted or replaced goes on taking bytes, and even syncing them, for the process that has it
//! open. What is written there is no record, since nobody will find it.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The database and its write-ahead log, each with what the file system knows it by.
#[derive(Debug)]
pub(super) struct Files([(PathBuf, (u64, u64)); 2]);

impl Files {
    /// The files of a connection that has read or written in write-ahead mode, so that both are there.
    pub(super) fn of(database: &Path) -> io::Result<Self> {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        let log = PathBuf::from(log);
        let identities = (identity(database)?, identity(&log)?);
        Ok(Self([(database.to_owned(), identities.0), (log, identities.1)]))
    }

    pub(super) fn are_in_place(&self) -> bool {
        self.0.iter().all(|(path, known)| identity(path).is_ok_and(|found| found == *known))
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::metadata(path).map(|file| (file.dev(), file.ino()))
}
