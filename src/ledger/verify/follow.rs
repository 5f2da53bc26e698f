//! What entries mean after those before them: which releases are open and how much of each may have left, which key
//! signs, what policies and register are in force, which elections are over.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::{Stop, Why};
use crate::domain::{Digest, ReleaseId};
use crate::ledger::entry::{Ack, Completion, Entry, Outcome};
use crate::ledger::keys::Keys;
use crate::ledger::leaf::Stamp;
use crate::ledger::tree::Tree;
use crate::store::{Filter, Reader};

/// Accounts kept at hand, since most acknowledgements come soon; older ones are read again.
pub(super) const ACCOUNTS_KEPT: usize = 4_096;

/// A release without an end so far.
pub(super) struct Open {
    pub(super) release: ReleaseId,
    /// What may have left at most, and what had left at least.
    ceiling: Option<u64>,
    bytes: u64,
}

impl Open {
    fn holds(&self, bytes: u64) -> bool {
        bytes >= self.bytes && self.ceiling.is_none_or(|ceiling| bytes <= ceiling)
    }
}

/// What an acknowledgement is held against.
#[derive(Clone, Copy)]
struct Account {
    intent: u64,
    is_complete: bool,
    rows: u64,
    bytes: u64,
    body_sha256: Digest,
}

impl Account {
    fn of(intent: u64, completion: &Completion) -> Self {
        Self {
            intent,
            is_complete: completion.outcome == Outcome::Complete,
            rows: completion.rows_out,
            bytes: completion.bytes,
            body_sha256: completion.body_sha256,
        }
    }

    fn agrees_with(&self, ack: &Ack) -> bool {
        self.is_complete
            && (self.rows, self.bytes, self.body_sha256) == (ack.rows, ack.bytes, ack.body_sha256)
    }
}

/// All that later entries must fit to.
#[derive(Default)]
pub(super) struct Story {
    pub(super) keys: Option<Keys>,
    pub(super) open: BTreeMap<u64, Open>,
    open_ids: HashSet<ReleaseId>,
    accounts: HashMap<ReleaseId, Account>,
    accounts_in_order: VecDeque<ReleaseId>,
    policy: Option<Digest>,
    register: Option<Digest>,
    /// Elections that are over, with the entry that said so.
    pub(super) frozen: BTreeMap<String, u64>,
    /// Where a part was lost: from this size up to that one.
    pub(super) lost: Vec<(u64, u64)>,
    pub(super) kinds: BTreeMap<&'static str, u64>,
    pub(super) first_ms: Option<u64>,
    pub(super) last_ms: u64,
    last_boot: String,
}

impl Story {
    /// Goes on by one entry. `tree` and `store` hold those before it.
    pub(super) fn follow(
        &mut self,
        tree: &Tree,
        store: &mut impl Reader,
        stamp: &Stamp,
        entry: &Entry,
    ) -> Result<(), Stop> {
        let index = tree.size();
        let found = match entry {
            Entry::Ack(ack) => self.acknowledge(store, ack)?,
            Entry::Heartbeat(own) => holds(tree, store, own.head_size, own.head_root)?,
            _ => self.step(tree, entry),
        };
        found.map_err(|why| Stop::at(index, why))?;
        *self.kinds.entry(entry.kind()).or_default() += 1;
        self.first_ms.get_or_insert(stamp.ts_ms);
        self.last_ms = stamp.ts_ms;
        if self.last_boot != stamp.boot {
            self.last_boot.clone_from(&stamp.boot);
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
            Entry::PolicyChange(own) => {
                if own.old_digest != self.policy || own.old_digest == Some(own.new_digest) {
                    return Err(Why::Change);
                }
                self.policy = Some(own.new_digest);
            }
            Entry::RegisterChange(own) => {
                if own.old_digest != self.register || own.old_digest == own.new_digest {
                    return Err(Why::Change);
                }
                self.register = own.new_digest;
            }
            Entry::Freeze(own) => {
                self.frozen.entry(own.election.clone()).or_insert(index);
            }
            Entry::AuditRead(own) if !own.is_plain() => return Err(Why::Audit),
            Entry::Intent(intent) => {
                if self.frozen.contains_key(&intent.determination.election) {
                    return Err(Why::Frozen);
                }
                if !self.open_ids.insert(intent.release) {
                    return Err(Why::OpenedTwice);
                }
                let open = Open { release: intent.release, ceiling: intent.ceiling_bytes, bytes: 0 };
                self.open.insert(index, open);
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
            Entry::Complete(closed) => {
                if !self.close(closed.intent, closed.release)?.holds(closed.completion.bytes) {
                    return Err(Why::Ceiling);
                }
                if closed.completion.tps.as_ref().is_some_and(|tps| !tps.is_consistent()) {
                    return Err(Why::Coverage);
                }
                self.keep(closed.release, Account::of(closed.intent, &closed.completion));
            }
            Entry::Reconciled(closed) => {
                let open = self.close(closed.intent, closed.release)?;
                if (closed.bytes_min, closed.bytes_max) != (open.bytes, open.ceiling) {
                    return Err(Why::Ceiling);
                }
            }
            Entry::Genesis(_)
            | Entry::ReplicaResumed(_)
            | Entry::AuditRead(_)
            | Entry::Ack(_)
            | Entry::Heartbeat(_)
            | Entry::Refused(_) => {}
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

    /// Of a release that was closed with an account before, and its word is held against that account.
    fn acknowledge(&self, store: &mut impl Reader, ack: &Ack) -> Result<Result<(), Why>, Stop> {
        if self.keys.is_none() {
            return Ok(Err(Why::Genesis));
        }
        if self.open_ids.contains(&ack.release) {
            return Ok(Err(Why::NotOpen));
        }
        let account = match self.accounts.get(&ack.release) {
            Some(account) => Some(*account),
            None => stored_account(store, ack)?,
        };
        Ok(match account.filter(|account| account.intent == ack.intent) {
            None => Err(Why::NotOpen),
            Some(account) if account.agrees_with(ack) == ack.is_match => Ok(()),
            Some(_) => Err(Why::Match),
        })
    }
}

/// The account that closed the release, read again. What is read lies before the acknowledgement, where everything was
/// checked, or is not taken.
fn stored_account(store: &mut impl Reader, ack: &Ack) -> Result<Option<Account>, Stop> {
    let kind = Some("release.complete".to_owned());
    let filter = Filter { kind, release: Some(*ack.release.as_bytes()), ..Filter::default() };
    let found = store.find(&filter, ack.intent, 1)?;
    Ok(found.first().and_then(|stored| match Entry::read(&stored.leaf) {
        Ok((_, Entry::Complete(closed))) => Some(Account::of(closed.intent, &closed.completion)),
        _ => None,
    }))
}

/// Whether the ledger had this root at this size.
fn holds(tree: &Tree, store: &mut impl Reader, size: u64, root: Digest) -> Result<Result<(), Why>, Stop> {
    let then = match size {
        size if size > tree.size() => None,
        size if size == tree.size() => Some(tree.root()),
        size => Tree::from_tiles(size, |level, tile| store.tile(level, tile))?.map(|then| then.root()),
    };
    Ok(if then == Some(root.0) { Ok(()) } else { Err(Why::Head) })
}
