//! What a process enters before it serves: that it is there, what is in force from now on, the ends of releases that the
//! one before it left open, and the reads of auditors that wait.

use std::collections::HashSet;

use super::book::Book;
use super::entry::{Cause, Entry, ReplicaStart, Started};
use super::error::LedgerError;
use super::notice::{PolicyChange, RegisterChange};
use super::policies::Policies;
use super::reconcile::reconcile;
use super::spool::{self, Left};
use super::stamper::Stamper;
use super::verify::Why;
use crate::domain::{Digest, PolicyLine};
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
        let changes = policy_changes(book, &start, in_force)?.into_iter();
        entries.extend(changes.map(|own| Entry::PolicyChange(Box::new(own))));
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

fn policy_changes(
    book: &mut Book,
    start: &ReplicaStart,
    in_force: &InForce,
) -> Result<Vec<PolicyChange>, LedgerError> {
    let (mut policies, mut newest) = (Policies::default(), 0);
    each(book, "policy.change", |index, entry| {
        newest = index;
        let Entry::PolicyChange(own) = entry else { return Ok(()) };
        policies.follow(&own).map_err(|source| LedgerError::Unfit { index, source })
    })?;
    if policies.is_under_way() {
        return Err(LedgerError::Unfit { index: newest, source: Why::ChangePart });
    }
    Ok(policies.change_to(&in_force.policies, start))
}

fn register_change(
    book: &mut Book,
    start: &ReplicaStart,
    in_force: &InForce,
) -> Result<Option<RegisterChange>, LedgerError> {
    let mut old_digest = None;
    each(book, "register.change", |_, entry| {
        if let Entry::RegisterChange(before) = entry {
            old_digest = before.new_digest;
        }
        Ok(())
    })?;
    Ok((old_digest != in_force.register).then(|| RegisterChange {
        old_digest,
        new_digest: in_force.register,
        build: start.build.clone(),
        config_digest: start.config_digest,
    }))
}

/// Goes through the entries of a kind of which there are few.
fn each(
    book: &mut Book,
    kind: &str,
    mut follow: impl FnMut(u64, Entry) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    let filter = Filter { kind: Some(kind.to_owned()), ..Filter::default() };
    let mut from = 0;
    loop {
        let page = book.store().find(&filter, from, PAGE)?;
        for stored in &page {
            let index = stored.index;
            let read = Entry::read(&stored.leaf);
            follow(index, read.map_err(|source| LedgerError::Unreadable { index, source })?.1)?;
            from = index + 1;
        }
        if (page.len() as u64) < PAGE {
            return Ok(());
        }
    }
}
