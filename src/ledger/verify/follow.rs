//! What entries mean after those before them: which releases are open and how much of each may have left, which key
//! signs, what policies and register are in force, which elections are over.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Stop, Why};
use crate::domain::{Digest, ReleaseId};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{Closed, Entry, Outcome};
use crate::ledger::keys::Keys;
use crate::ledger::policies::Policies;
use crate::ledger::proof::{self, Tiles};
use crate::ledger::tree::{Tree, empty_root, leaf_hash};
use crate::store::{Filter, Reader, StoreError};

/// Accounts kept at hand, since most acknowledgements come soon; older ones are read again.
pub(super) const ACCOUNTS_KEPT: usize = 4_096;

/// A release without an end so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Open {
    pub(super) release: ReleaseId,
    /// What may have left at most, and what had left at least.
    ceiling: Option<u64>,
    bytes: u64,
    /// Rows of a quota that were kept back for it; none: it has no quota.
    reserved: Option<u64>,
}

impl Open {
    fn holds(&self, bytes: u64) -> bool {
        bytes >= self.bytes && self.ceiling.is_none_or(|ceiling| bytes <= ceiling)
    }
}

/// A copy, as an account or its recipient counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) body_sha256: Digest,
}

/// What acknowledgements are held against.
#[derive(Clone, Copy)]
pub(super) struct Account {
    intent: u64,
    /// None of a part.
    whole: Option<Counted>,
}

impl Account {
    fn of(closed: &Closed) -> Self {
        let (whole, is_whole) = counted(closed);
        Self { intent: closed.intent, whole: is_whole.then_some(whole) }
    }
}

fn counted(closed: &Closed) -> (Counted, bool) {
    let of = &closed.completion;
    let counted = Counted { rows: of.rows_out, bytes: of.bytes, body_sha256: of.body_sha256 };
    (counted, of.outcome == Outcome::Complete)
}

/// What an entry says, as far as others have to fit to it.
pub(super) struct Told {
    pub(super) ts_ms: u64,
    pub(super) boot: Arc<str>,
    pub(super) step: Step,
}

pub(super) enum Step {
    Opens { release: ReleaseId, election: Arc<str>, ceiling: Option<u64>, reserved: Option<u64> },
    Closes { release: ReleaseId, intent: u64, counted: Counted, is_whole: bool },
    Acknowledges { release: ReleaseId, intent: u64, counted: Counted, is_match: bool },
    Other(Box<Entry>),
}

impl Step {
    /// Fails where the entry does not agree with itself.
    pub(super) fn of(entry: Entry) -> Result<Self, Why> {
        Ok(match entry {
            Entry::Intent(own) => {
                if own.quota.is_some_and(|quota| !quota.is_consistent()) {
                    return Err(Why::Reserved);
                }
                Self::Opens {
                    release: own.release,
                    election: own.determination.election.into(),
                    ceiling: own.ceiling_bytes,
                    reserved: own.quota.map(|quota| quota.reserved),
                }
            }
            Entry::Complete(own) => {
                if own.completion.tps.as_ref().is_some_and(|tps| !tps.is_consistent()) {
                    return Err(Why::Coverage);
                }
                let (counted, is_whole) = counted(&own);
                Self::Closes { release: own.release, intent: own.intent, counted, is_whole }
            }
            Entry::Ack(own) => Self::Acknowledges {
                release: own.release,
                intent: own.intent,
                counted: Counted { rows: own.rows, bytes: own.bytes, body_sha256: own.body_sha256 },
                is_match: own.is_match,
            },
            Entry::AuditRead(own) if !own.is_plain() => return Err(Why::Audit),
            other => Self::Other(Box::new(other)),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Opens { .. } => "release.intent",
            Self::Closes { .. } => "release.complete",
            Self::Acknowledges { .. } => "release.ack",
            Self::Other(entry) => entry.kind(),
        }
    }
}

/// All that later entries must fit to.
#[derive(Default)]
pub(super) struct Story {
    pub(super) keys: Option<Keys>,
    pub(super) open: BTreeMap<u64, Open>,
    pub(super) open_ids: HashSet<ReleaseId>,
    pub(super) accounts: HashMap<ReleaseId, Account>,
    pub(super) accounts_in_order: VecDeque<ReleaseId>,
    pub(super) policies: Policies,
    pub(super) register: Option<Digest>,
    /// Elections that are over, with the entry that said so.
    pub(super) frozen: BTreeMap<String, u64>,
    /// Where a part was lost: from this size up to that one.
    pub(super) lost: Vec<(u64, u64)>,
    pub(super) kinds: BTreeMap<String, u64>,
    pub(super) first_ms: Option<u64>,
    pub(super) last_ms: u64,
    pub(super) last_boot: String,
    /// What an earlier run verified. Of entries up to there nothing is believed but what this root proves.
    pub(super) base: Option<Checkpoint>,
}

impl Story {
    /// Goes on by one entry. `tree` and `store` hold those before it.
    pub(super) fn follow(&mut self, tree: &Tree, store: &mut impl Reader, told: &Told) -> Result<(), Stop> {
        let index = tree.size();
        if self.policies.is_under_way() && told.step.kind() != "policy.change" {
            return Err(Stop::at(index, Why::ChangePart));
        }
        let found = match &told.step {
            // Nothing but log.genesis gives the first key.
            Step::Opens { .. } | Step::Closes { .. } | Step::Acknowledges { .. } if self.keys.is_none() => {
                Err(Why::Genesis)
            }
            Step::Opens { release, election, ceiling, reserved } => {
                let open = Open { release: *release, ceiling: *ceiling, bytes: 0, reserved: *reserved };
                self.opens(index, election, open)
            }
            Step::Closes { release, intent, counted, is_whole } => {
                let account = Account { intent: *intent, whole: is_whole.then_some(*counted) };
                self.closes(*release, *intent, counted).map(|()| self.keep(*release, account))
            }
            Step::Acknowledges { release, intent, counted, is_match } => {
                let account = self.account(store, *release, *intent, index)?;
                let account = account.filter(|account| account.intent == *intent);
                self.acknowledges(*release, account, counted, *is_match)
            }
            Step::Other(entry) => match &**entry {
                Entry::Heartbeat(own) if self.keys.is_some() => {
                    self.holds(tree, store, own.head_size, own.head_root)?
                }
                entry => self.step(tree, entry),
            },
        };
        found.map_err(|why| Stop::at(index, why))?;
        let kind = told.step.kind();
        match self.kinds.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.kinds.insert(kind.to_owned(), 1)),
        }
        self.first_ms.get_or_insert(told.ts_ms);
        self.last_ms = told.ts_ms;
        if *self.last_boot != *told.boot {
            self.last_boot = told.boot.to_string();
        }
        Ok(())
    }

    fn step(&mut self, tree: &Tree, entry: &Entry) -> Result<(), Why> {
        let index = tree.size();
        let is_head = |size, root: Digest| size == index && root.0 == tree.root();
        let keys = match (&mut self.keys, entry) {
            (None, Entry::Genesis(genesis)) if index == 0 => {
                let vkey = genesis.vkeys.first().ok_or(Why::Genesis)?;
                let verifier: crate::ledger::Verifier = vkey.parse().map_err(|_| Why::Genesis)?;
                if verifier.name() != genesis.origin {
                    return Err(Why::Genesis);
                }
                self.keys = Some(Keys::of(verifier));
                return Ok(());
            }
            (None, _) | (_, Entry::Genesis(_)) => return Err(Why::Genesis),
            (Some(keys), _) => keys,
        };
        match entry {
            Entry::ReplicaStart(own) => {
                if !is_head(own.head_size, own.head_root) || own.previous_boot != self.last_boot {
                    return Err(Why::Head);
                }
            }
            Entry::ReplicaResumed(own) if !is_head(own.head_size, own.head_root) => return Err(Why::Head),
            Entry::Rotate(own) => {
                if !is_head(own.head_size, own.head_root) {
                    return Err(Why::Head);
                }
                if !keys.rotate(index, own) {
                    return Err(Why::Rotation);
                }
            }
            Entry::Continue(own) => {
                if !is_head(own.head_size, own.head_root) {
                    return Err(Why::Head);
                }
                let lost = keys.open(&own.lost).map_err(|_| Why::Continuation)?.size;
                if lost <= index {
                    return Err(Why::Continuation);
                }
                self.lost.push((index, lost));
            }
            Entry::PolicyChange(own) => self.policies.follow(own)?,
            Entry::RegisterChange(own) => {
                if own.old_digest != self.register || own.old_digest == own.new_digest {
                    return Err(Why::Change);
                }
                self.register = own.new_digest;
            }
            Entry::Freeze(own) => {
                self.frozen.entry(own.election.clone()).or_insert(index);
            }
            Entry::Grant(grant) => {
                let open = self.open.get_mut(&grant.intent).filter(|open| open.release == grant.release);
                let open = open.ok_or(Why::NotOpen)?;
                let is_raised = open.ceiling.is_none_or(|ceiling| grant.ceiling_bytes > ceiling);
                if !is_raised || !open.holds(grant.bytes) {
                    return Err(Why::Ceiling);
                }
                (open.ceiling, open.bytes) = (Some(grant.ceiling_bytes), grant.bytes);
            }
            Entry::Reconciled(closed) => {
                let open = self.close(closed.intent, closed.release)?;
                if (closed.bytes_min, closed.bytes_max) != (open.bytes, open.ceiling) {
                    return Err(Why::Ceiling);
                }
            }
            // The first five are steps of their own.
            Entry::Intent(_)
            | Entry::Complete(_)
            | Entry::Ack(_)
            | Entry::Heartbeat(_)
            | Entry::Genesis(_)
            | Entry::ReplicaResumed(_)
            | Entry::AuditRead(_)
            | Entry::Refused(_) => {}
        }
        Ok(())
    }

    fn opens(&mut self, index: u64, election: &str, open: Open) -> Result<(), Why> {
        if self.frozen.contains_key(election) {
            return Err(Why::Frozen);
        }
        if !self.open_ids.insert(open.release) {
            return Err(Why::OpenedTwice);
        }
        self.open.insert(index, open);
        Ok(())
    }

    fn closes(&mut self, release: ReleaseId, intent: u64, counted: &Counted) -> Result<(), Why> {
        let open = self.close(intent, release)?;
        if !open.holds(counted.bytes) {
            return Err(Why::Ceiling);
        }
        if open.reserved.is_some_and(|reserved| counted.rows > reserved) {
            return Err(Why::Quota);
        }
        Ok(())
    }

    fn close(&mut self, intent: u64, release: ReleaseId) -> Result<Open, Why> {
        self.open_ids.remove(&release);
        self.open.remove(&intent).filter(|open| open.release == release).ok_or(Why::NotOpen)
    }

    fn keep(&mut self, release: ReleaseId, account: Account) {
        if self.accounts_in_order.len() == ACCOUNTS_KEPT
            && let Some(oldest) = self.accounts_in_order.pop_front()
        {
            self.accounts.remove(&oldest);
        }
        self.accounts.insert(release, account);
        self.accounts_in_order.push_back(release);
    }

    /// The account that closed a release before the entry at `index`. Read again where it is no longer at hand: what
    /// lies before was checked.
    fn account(
        &self,
        store: &mut impl Reader,
        release: ReleaseId,
        intent: u64,
        index: u64,
    ) -> Result<Option<Account>, Stop> {
        if let Some(account) = self.accounts.get(&release) {
            return Ok(Some(*account));
        }
        let kind = Some("release.complete".to_owned());
        let filter = Filter { kind, release: Some(*release.as_bytes()), ..Filter::default() };
        let found = store.find(&filter, intent, 1)?;
        let Some(stored) = found.first().filter(|stored| stored.index < index) else { return Ok(None) };
        if let Some(base) = self.base.filter(|base| stored.index < base.size) {
            let path = proof::inclusion(&mut Tiles::of(store), stored.index, base.size)?;
            if !proof::is_included(stored.index, base.size, &leaf_hash(&stored.leaf), &path, &base.root) {
                return Err(Stop::at(stored.index, Why::Hash));
            }
        }
        Ok(match Entry::read(&stored.leaf) {
            Ok((_, Entry::Complete(closed))) if closed.release == release => Some(Account::of(&closed)),
            _ => None,
        })
    }

    /// Whether the ledger had this root at this size.
    pub(super) fn holds(
        &self,
        tree: &Tree,
        store: &mut impl Reader,
        size: u64,
        root: Digest,
    ) -> Result<Result<(), Why>, Stop> {
        let is_held = match size {
            size if size > tree.size() => false,
            size if size == tree.size() => tree.root() == root.0,
            size => had(store, &Checkpoint { size, root: root.0 }, self.base.as_ref())?,
        };
        Ok(if is_held { Ok(()) } else { Err(Why::Head) })
    }

    /// Of a release that was closed with an account before, and its word is held against that account.
    fn acknowledges(
        &self,
        release: ReleaseId,
        account: Option<Account>,
        counted: &Counted,
        is_match: bool,
    ) -> Result<(), Why> {
        match account {
            Some(account) if !self.open_ids.contains(&release) => {
                if (account.whole == Some(*counted)) == is_match { Ok(()) } else { Err(Why::Match) }
            }
            _ => Err(Why::NotOpen),
        }
    }
}

/// Whether the ledger was in this state. What lies before `base` is proven by it, since nobody looked at the tiles there
/// again.
pub(in crate::ledger) fn had(
    store: &mut (impl Reader + ?Sized),
    then: &Checkpoint,
    base: Option<&Checkpoint>,
) -> Result<bool, StoreError> {
    match base {
        Some(_) if then.size == 0 => Ok(then.root == empty_root()),
        Some(base) if then.size < base.size => {
            let path = proof::consistency(&mut Tiles::of(store), then.size, base.size)?;
            Ok(proof::is_consistent(then, base, &path))
        }
        _ => {
            let tree = Tree::from_tiles(then.size, |level, tile| store.tile(level, tile))?;
            Ok(tree.is_some_and(|tree| tree.root() == then.root))
        }
    }
}
