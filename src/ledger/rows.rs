//! How many rows each party has taken of its quota in a period: an account drawn from the ledger's own entries, and
//! nothing beside them. So replicas agree, a crash can lose none of it, and it is the same after every start.
//!
//! An intent keeps rows back before the copy begins. A complete copy takes those it handed over. One that its requester
//! left, or that ran into its quota, takes those that left until then, since otherwise a list could be had for nothing by
//! leaving before its last row. One that failed, was stopped by us or was reconciled after a crash takes none.
//!
//! The account is brought up to date while the right to append is held, so nobody can take rows in between. It is first
//! read from where the month began, found by the times of entries; clocks are trusted to be nearer the truth than
//! [`SLACK_MS`].

use std::collections::HashMap;
use std::time::Duration;

use super::entry::{Entry, Intent, Outcome, Reserved};
use super::error::LedgerError;
use crate::domain::Period;
use crate::store::{Store, StoredEntry};

/// Entries read at a time.
const PAGE: u64 = 1_024;
/// How much further back than the month's first moment is read.
const SLACK_MS: u64 = 24 * 3_600 * 1_000;
/// What only an intent within a quota has. No text in a leaf holds it: quotes in texts are escaped.
const QUOTA_KEY: &[u8] = b",\"quota\":{";

/// Ends of aborted releases after which their rows count: the requester's own, its token's, and the quota's.
const TAKING_CAUSES: [&str; 6] = [
    "requester_left",
    "requester_stalled",
    "quota_exceeded",
    "token_expired",
    "token_revoked",
    "mandate_over",
];

/// Whose rows, by which rule, in which period.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Account {
    policy: String,
    role: String,
    level: &'static str,
    /// The party, or the client of those who are of none.
    taker: String,
    from_ms: u64,
    until_ms: u64,
}

impl Account {
    fn of(intent: &Intent, quota: &Reserved) -> Self {
        let client = || format!("client {}", intent.client_id);
        Self {
            policy: intent.policy.clone(),
            role: intent.role.to_string(),
            level: intent.level.as_str(),
            taker: intent.party.as_ref().map_or_else(client, |party| format!("party {party}")),
            from_ms: quota.from_ms,
            until_ms: quota.until_ms,
        }
    }
}

/// What one copy keeps back.
#[derive(Debug, Clone)]
struct Held {
    account: Account,
    rows: u64,
}

/// The accounts of all parties, as of the entries before `next` and of the intents about to be stored.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// Accounted for from this moment on; none: nothing has been read yet.
    since_ms: Option<u64>,
    next: u64,
    /// Rows taken or kept back.
    taken: HashMap<Account, u64>,
    open: HashMap<[u8; 16], Held>,
    /// Kept back for intents of the batch that is being made.
    waiting: Vec<([u8; 16], Held)>,
}

impl Accounts {
    /// Keeps rows back for the intent, as many as it asks for or as are left, and writes them into it.
    pub(super) fn keep_back(
        &mut self,
        store: &mut dyn Store,
        size: u64,
        intent: &mut Intent,
        now_ms: u64,
    ) -> Result<(), LedgerError> {
        let Some(mut quota) = intent.quota else { return Ok(()) };
        self.catch_up(store, size, quota.from_ms)?;
        let account = Account::of(intent, &quota);
        quota.taken = self.taken.get(&account).copied().unwrap_or_default();
        quota.reserved = quota.reserved.min(quota.rows.saturating_sub(quota.taken));
        if quota.reserved == 0 {
            return Err(LedgerError::QuotaExceeded {
                rows: quota.rows,
                window: Duration::from_millis(quota.until_ms.saturating_sub(quota.from_ms)),
                left: Duration::from_millis(quota.until_ms.saturating_sub(now_ms)),
                is_kept_back: self.open.values().any(|held| held.account == account),
            });
        }
        intent.quota = Some(quota);
        let held = Held { account, rows: quota.reserved };
        let release = *intent.release.as_bytes();
        self.waiting.push((release, held.clone()));
        self.hold(release, held);
        Ok(())
    }

    /// Reads what there is before the right to append is taken, so that nobody waits while a month is read.
    pub(super) fn read_ahead(&mut self, store: &mut dyn Store, now_ms: u64) -> Result<(), LedgerError> {
        let size = store.head()?.size;
        self.catch_up(store, size, now_ms)
    }

    /// The intent is not stored after all.
    pub(super) fn forget(&mut self, release: &[u8; 16]) {
        self.waiting.retain(|(waiting, _)| waiting != release);
        self.release(release, 0);
    }

    /// Accounts for the entries stored since the last time, and for all since the month of `from_ms` began.
    fn catch_up(&mut self, store: &mut dyn Store, size: u64, from_ms: u64) -> Result<(), LedgerError> {
        if self.next < size {
            // The batch they were in is stored.
            self.waiting.clear();
        }
        let since_ms = Period::Month.around(from_ms).0.saturating_sub(SLACK_MS);
        if self.since_ms.is_none_or(|known| since_ms < known) {
            self.next = first_since(store, size, since_ms)?;
            self.since_ms = Some(since_ms);
            self.taken.clear();
            self.open.clear();
        }
        while self.next < size {
            let page = store.entries(self.next, PAGE.min(size - self.next))?;
            if page.is_empty() {
                return Err(LedgerError::EntryChanged { index: self.next });
            }
            for stored in &page {
                if stored.index != self.next {
                    return Err(LedgerError::EntryChanged { index: self.next });
                }
                self.learn(stored)?;
                self.next += 1;
            }
        }
        for (release, held) in self.waiting.clone() {
            self.hold(release, held);
        }
        Ok(())
    }

    fn learn(&mut self, stored: &StoredEntry) -> Result<(), LedgerError> {
        let is_ours = match &*stored.card.kind {
            "release.intent" => memchr::memmem::find(&stored.leaf, QUOTA_KEY).is_some(),
            "release.complete" | "release.reconciled" => {
                let named = stored.card.release;
                named.is_some_and(|release| self.open.contains_key(&release))
            }
            _ => false,
        };
        if !is_ours {
            return Ok(());
        }
        let index = stored.index;
        let read = Entry::read(&stored.leaf);
        match read.map_err(|source| LedgerError::Unreadable { index, source })?.1 {
            Entry::Intent(intent) => {
                if let Some(quota) = &intent.quota {
                    let account = Account::of(&intent, quota);
                    self.hold(*intent.release.as_bytes(), Held { account, rows: quota.reserved });
                }
            }
            Entry::Complete(closed) => {
                let own = &closed.completion;
                let took = match own.outcome {
                    Outcome::Complete => true,
                    Outcome::Aborted => own.cause.as_deref().is_some_and(|of| TAKING_CAUSES.contains(&of)),
                    Outcome::Failed => false,
                };
                self.release(closed.release.as_bytes(), if took { own.rows_out } else { 0 });
            }
            Entry::Reconciled(closed) => self.release(closed.release.as_bytes(), 0),
            _ => return Err(LedgerError::EntryChanged { index }),
        }
        Ok(())
    }

    fn hold(&mut self, release: [u8; 16], held: Held) {
        if self.open.contains_key(&release) {
            return;
        }
        let taken = self.taken.entry(held.account.clone()).or_default();
        *taken = taken.saturating_add(held.rows);
        self.open.insert(release, held);
    }

    /// Gives back what the release held, but for the rows it took.
    fn release(&mut self, release: &[u8; 16], took: u64) {
        if let Some(Held { account, rows }) = self.open.remove(release) {
            let taken = self.taken.entry(account).or_default();
            *taken = taken.saturating_sub(rows).saturating_add(took);
        }
    }
}

/// The index of the first entry from a moment on.
fn first_since(store: &mut dyn Store, size: u64, since_ms: u64) -> Result<u64, LedgerError> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let index = low + (high - low) / 2;
        let stored = store.entries(index, 1)?.pop().filter(|stored| stored.index == index);
        let stored = stored.ok_or(LedgerError::EntryChanged { index })?;
        let read = Entry::read(&stored.leaf);
        let (stamp, _) = read.map_err(|source| LedgerError::Unreadable { index, source })?;
        if stamp.ts_ms < since_ms {
            low = index + 1;
        } else {
            high = index;
        }
    }
    Ok(low)
}
