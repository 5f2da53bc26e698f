//! What is asked of a verification, and what it answers.

use std::collections::BTreeMap;
use std::path::Path;

use thiserror::Error;

use super::Verified;
use crate::domain::{Digest, ReleaseId};
use crate::ledger::checkpoint::{Checkpoint, CheckpointError};
use crate::ledger::error::LedgerError;
use crate::ledger::key::Verifier;
use crate::ledger::keys::Keys;
use crate::ledger::leaf::EntryError;

#[derive(Debug)]
pub enum Verdict {
    Sound(Box<Report>),
    Flawed(Flaw),
}

/// What a sound ledger holds.
#[derive(Debug)]
pub struct Report {
    pub size: u64,
    pub root: Digest,
    /// The first is the one that the ledger began with, the last the one that signs now.
    pub keys: Keys,
    /// Entries of each type.
    pub kinds: BTreeMap<String, u64>,
    /// Releases without an end, by the index of their intent.
    pub open: BTreeMap<u64, ReleaseId>,
    /// Elections that are over, with the index of the entry that said so.
    pub frozen: BTreeMap<String, u64>,
    /// Parts that an operator said are lost: each from the index of the entry that says so up to a size.
    pub lost: Vec<(u64, u64)>,
    pub first_ms: u64,
    pub last_ms: u64,
    /// Whether there was an anchor to hold the ledger against.
    pub anchored: bool,
    /// What an earlier run verified, which was not looked at again.
    pub base: Option<Checkpoint>,
    /// At which size the store's own structures and indexes were looked at last.
    pub structures: Option<u64>,
}

/// What to verify, and whom to tell.
#[derive(Default)]
pub struct Verification<'a> {
    /// Without it the key is the one that the ledger itself names: then a ledger written anew from the start is not
    /// noticed.
    pub verifier: Option<&'a Verifier>,
    /// Where the anchor is; without it the one in the ledger's directory is used, if there is one.
    pub anchor: Option<&'a Path>,
    /// Goes on where an earlier run was. The store's own structures are not looked at, unless `structures` says so.
    pub from: Option<Verified>,
    pub structures: bool,
    /// Told now and then how many entries of how many were checked.
    pub progress: Option<&'a mut dyn FnMut(u64, u64)>,
    /// Handed now and then, and at the end of a sound ledger, what another run can go on from.
    pub keep: Option<&'a mut dyn FnMut(&Verified) -> Result<(), LedgerError>>,
}

/// The first thing that is wrong. `index` is the entry it lies at, where it can be told.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct Flaw {
    pub index: Option<u64>,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Why {
    #[error("the entry is missing")]
    Missing,
    #[error("the entry lies beyond the end that was signed")]
    Beyond,
    #[error("the entry cannot be read: {0}")]
    Entry(EntryError),
    #[error("the entry is not what was appended: its hash differs from the one kept")]
    Hash,
    #[error("the hash kept of the entry is missing")]
    NoHash,
    #[error("the entry's index card does not say what the entry says")]
    Card,
    #[error("the ledger does not begin with log.genesis, begins twice, or is of another name than its key")]
    Genesis,
    #[error("the ledger belongs to another key than the one given")]
    Key,
    #[error("the ledger does not begin with the {0} entries that were verified before")]
    Before(u64),
    #[error("the entry opens a release that is open already")]
    OpenedTwice,
    #[error("the entry closes a release that is not open, or another intent than it says")]
    NotOpen,
    #[error("the entry says that more left than was granted, or grants less than before")]
    Ceiling,
    #[error("the entry says that more rows were handed over than its intent had kept back of the quota")]
    Quota,
    #[error("the entry keeps back more rows than its quota had left, or of a period that does not last")]
    Reserved,
    #[error("the entry says that the ledger before it was another")]
    Head,
    #[error("the entry hands the ledger over to another key without the word of both")]
    Rotation,
    #[error("the entry goes on after a loss without the signed checkpoint of what was lost")]
    Continuation,
    #[error("the entry changes policies or register that were not in force before it, or changes nothing")]
    Change,
    #[error(
        "the entry is not the next part of the change of policies that is under way, or has more or fewer lines than such a \
         part"
    )]
    ChangePart,
    #[error(
        "the entry removes a policy that was not in force, adds one that was, or names them out of order"
    )]
    ChangeLine,
    #[error("the policies that the change removes and adds do not lead from its old digest to its new one")]
    ChangeDigest,
    #[error("the entry opens a copy of an election that was over")]
    Frozen,
    #[error(
        "the entry says that a recipient's word agrees with the account, or that it does not, and is wrong"
    )]
    Match,
    #[error("the entry's list of polling stations does not give its number and digest of them")]
    Coverage,
    #[error("the entry says of an audit what is neither a word, a code nor a digest")]
    Audit,
    #[error("the hashes of level {level}, tile {tile}, are not those of the entries")]
    Tile { level: u8, tile: u64 },
    #[error("the root of the entries is not the one that was signed")]
    Root,
    #[error("{0}")]
    Checkpoint(CheckpointError),
    #[error("the list of open releases is not what the entries give")]
    OpenList,
    #[error("the list of reads that were entered names one that is no audit.read, or names one twice")]
    ReadList,
    #[error("{0}")]
    Anchor(String),
    #[error("the database is damaged")]
    Damaged,
}
