//! What a process enters before it serves: that it is there, what is in force from now on, the ends of releases that the
//! one before it left open, and the reads of auditors that wait.

use std::collections::HashSet;

use super::book::Book;
use super::entry::{Cause, Entry, ReplicaStart, Started};
use super::error::LedgerError;
use super::notice::{PolicyChange, PolicyLine, RegisterChange};
use super::reconcile::reconcile;
use super::spool::{self, Left};
use super::stamper::Stamper;
use crate::domain::Digest;
use crate::store::Filter;

/// Changes read at a time.
const PAGE: u64 = 64;

/// What a process serves by, besides the digests of its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InForce {
    pub policies: Vec<PolicyLine>,
    /// Digest of the register's file; none: there is no register.
    pub register: Option<Digest>,
    /// Whether a policy has a quota of rows: then what was taken is read before anybody asks.
    pub quotas: bool,
}

/// Durable when it returns. The right to append is held.
pub(super) fn begin(
    book: &mut Book,
    stamper: &Stamper,
    start: ReplicaStart,
    in_force: Option<&InForce>,
    reads: &[Left],
) -> Result<(), LedgerError> {
    let found = book.head();
    let index = found.size.saturating_sub(1);
    let last = book.store().entries(index, 1)?.pop().ok_or(LedgerError::EntryChanged { index })?;
    let (before, _) = Entry::read(&last.leaf)?;
    let mut entries = Vec::new();
    if let Some(in_force) = in_force {
        entries.extend(policy_change(book, &start, in_force)?.map(|own| Entry::PolicyChange(Box::new(own))));
        entries.extend(register_change(book, &start, in_force)?.map(Entry::RegisterChange));
    }
    let (head_size, head_root) = (found.size, Digest(found.root));
    let started = Started { start, head_size, head_root, previous_boot: before.boot };
    entries.insert(0, Entry::ReplicaStart(started));
    let mut entries = entries.iter().map(|entry| stamper.write(entry)).collect::<Result<Vec<_>, _>>()?;
    entries.extend(reconcile(book, stamper, Cause::ProcessEnded, &HashSet::new())?);
    entries.extend(spool::entries(book.store(), stamper, reads)?);
    book.commit(&entries)?;
    Ok(())
}

fn policy_change(
    book: &mut Book,
    start: &ReplicaStart,
    in_force: &InForce,
) -> Result<Option<PolicyChange>, LedgerError> {
    let before = match last(book, "policy.change")? {
        Some(Entry::PolicyChange(before)) => Some(*before),
        _ => None,
    };
    let old_digest = before.as_ref().map(|before| before.new_digest);
    Ok((old_digest != Some(start.policy_digest)).then(|| PolicyChange {
        old_digest,
        new_digest: start.policy_digest,
        old: before.map(|before| before.new).unwrap_or_default(),
        new: in_force.policies.clone(),
        build: start.build.clone(),
        config_digest: start.config_digest,
    }))
}

fn register_change(
    book: &mut Book,
    start: &ReplicaStart,
    in_force: &InForce,
) -> Result<Option<RegisterChange>, LedgerError> {
    let old_digest = match last(book, "register.change")? {
        Some(Entry::RegisterChange(before)) => before.new_digest,
        _ => None,
    };
    Ok((old_digest != in_force.register).then(|| RegisterChange {
        old_digest,
        new_digest: in_force.register,
        build: start.build.clone(),
        config_digest: start.config_digest,
    }))
}

/// The last entry of a kind of which there are few.
fn last(book: &mut Book, kind: &str) -> Result<Option<Entry>, LedgerError> {
    let filter = Filter { kind: Some(kind.to_owned()), ..Filter::default() };
    let (mut from, mut last) = (0, None);
    loop {
        let page = book.store().find(&filter, from, PAGE)?;
        if let Some(stored) = page.last() {
            let index = stored.index;
            let read = Entry::read(&stored.leaf);
            last = Some(read.map_err(|source| LedgerError::Unreadable { index, source })?.1);
            from = index + 1;
        }
        if (page.len() as u64) < PAGE {
            return Ok(last);
        }
    }
}
