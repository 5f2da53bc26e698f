//! Why the ledger could not be opened or could not take an entry.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::checkpoint::CheckpointError;
use super::leaf::EntryError;
use super::verify::{ResumeError, Why};
use crate::store::StoreError;

/// Cloned to everyone whose entry was in the batch that failed.
#[derive(Debug, Clone, Error)]
pub enum LedgerError {
    #[error("the ledger's queue is full")]
    QueueFull,
    #[error("the ledger did not answer in time; the entry may have been stored all the same")]
    Deadline,
    #[error("the ledger cannot be written at present")]
    NotWritable,
    #[error("the ledger's store failed")]
    Store(#[from] Arc<StoreError>),
    #[error("the ledger was shut down")]
    ShutDown,
    #[error("a release of this name is open already")]
    OpenAlready,
    #[error("another replica closed the release, since this one had fallen silent")]
    ClosedByOther,
    #[error("the election is over, and no copy of its lists is opened any more")]
    ElectionOver,
    #[error("the party has taken or asked for all {rows} rows of its quota in this period")]
    QuotaExceeded {
        rows: u64,
        /// Length of the period.
        window: Duration,
        /// Until the period ends.
        left: Duration,
        /// Whether copies under way keep some of the rows back, and may give them up.
        is_kept_back: bool,
    },
    #[error("no random numbers could be had")]
    Random,
    #[error("the entry cannot be written")]
    Entry(#[from] EntryError),

    #[error("there is no ledger in {place}")]
    Missing { place: String },
    #[error("there is a ledger in {place} already")]
    Exists { place: String },
    #[error("another process has the ledger in {} open", directory.display())]
    Held { directory: PathBuf },
    #[error("could not open the ledger's file {}", path.display())]
    File { path: PathBuf, source: Arc<io::Error> },
    #[error("the ledger's checkpoint is wrong")]
    Checkpoint(#[from] CheckpointError),
    #[error("entry {index} differs from the hash the ledger keeps of it, or is missing")]
    EntryChanged { index: u64 },
    #[error("the hashes the ledger keeps do not give the root it signed at {size} entries")]
    Root { size: u64 },
    #[error("entry {index} lies beyond the {size} entries the ledger signed")]
    Beyond { index: u64, size: u64 },
    #[error("the anchor says {anchored} entries but the ledger has {size}: an older copy was put back")]
    RolledBack { anchored: u64, size: u64 },
    #[error("the ledger's history up to entry {size} is not the one its anchor was made of")]
    Forked { size: u64 },
    #[error("entry {index} cannot be read")]
    Unreadable { index: u64, source: EntryError },
    #[error("entry {index} does not fit to those before it; `salinan log verify` checks all of them")]
    Unfit { index: u64, source: Why },
    #[error("the key was replaced by another; the ledger's `key.rotate` says by which")]
    KeyReplaced,
    #[error("nothing was lost: the anchor says {anchored} entries and the ledger has {size}")]
    NothingLost { anchored: u64, size: u64 },
    #[error("the anchor says {anchored} entries, and not the {stated} that were stated")]
    LossMisstated { anchored: u64, stated: u64 },
    #[error("the ledger's anchor is wrong")]
    Anchor(#[source] CheckpointError),
    #[error("what an earlier verification left cannot be used")]
    Resume(#[from] ResumeError),
    #[error("what an earlier verification left is of another ledger")]
    OtherLedger,
    #[error("could not write {}", path.display())]
    Save { path: PathBuf, source: Arc<io::Error> },
}

impl LedgerError {
    /// A stable word for refusals and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::QueueFull | Self::Deadline => "ledger_busy",
            Self::Entry(_) | Self::OpenAlready => "ledger_entry",
            Self::ElectionOver => "election_over",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::NotWritable
            | Self::Store(_)
            | Self::ShutDown
            | Self::ClosedByOther
            | Self::Random
            | Self::Missing { .. }
            | Self::Exists { .. }
            | Self::Held { .. }
            | Self::File { .. }
            | Self::Checkpoint(_)
            | Self::EntryChanged { .. }
            | Self::Root { .. }
            | Self::Beyond { .. }
            | Self::RolledBack { .. }
            | Self::Forked { .. }
            | Self::Unreadable { .. }
            | Self::Unfit { .. }
            | Self::KeyReplaced
            | Self::NothingLost { .. }
            | Self::LossMisstated { .. }
            | Self::Anchor(_)
            | Self::Resume(_)
            | Self::OtherLedger
            | Self::Save { .. } => "ledger_unavailable",
        }
    }

    /// Whether waiting a little may be enough.
    pub fn is_busy(&self) -> bool {
        self.code() == "ledger_busy"
    }
}

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}
