//! Closes releases whose end nobody could enter: after a crash, after the store had failed, for a replica that fell silent.

use std::collections::HashSet;

use super::book::Book;
use super::entry::{Cause, Entry, Grant, Reconciled};
use super::error::LedgerError;
use super::stamper::Stamper;
use crate::domain::ReleaseId;
use crate::store::{Filter, NewEntry};

/// Grants of one release read at a time.
const GRANTS_PAGE: u64 = 256;

/// Closing entries for the open releases that nobody else can close and that are not `live`. The right to append
/// is held.
pub(super) fn reconcile(
    book: &mut Book,
    stamper: &Stamper,
    cause: Cause,
    live: &HashSet<ReleaseId>,
) -> Result<Vec<NewEntry>, LedgerError> {
    let mut entries = Vec::new();
    for (_, index) in book.store().orphans()? {
        let leaf = book.store().entries(index, 1)?.pop().filter(|entry| entry.index == index);
        let leaf = leaf.ok_or(LedgerError::EntryChanged { index })?.leaf;
        let Ok((stamp, Entry::Intent(intent))) = Entry::read(&leaf) else {
            return Err(LedgerError::EntryChanged { index });
        };
        if !live.contains(&intent.release) {
            let grant = last_grant(book, &intent.release)?;
            entries.push(stamper.write(&Entry::Reconciled(Reconciled {
                release: intent.release,
                intent: index,
                cause: if stamp.replica == stamper.replica().name { cause } else { Cause::ReplicaSilent },
                bytes_min: grant.as_ref().map_or(0, |grant| grant.bytes),
                bytes_max: grant.map(|grant| grant.ceiling_bytes).or(intent.ceiling_bytes),
            }))?);
        }
    }
    Ok(entries)
}

/// The grant that bounds what can have left of a release.
fn last_grant(book: &mut Book, release: &ReleaseId) -> Result<Option<Grant>, LedgerError> {
    let kind = Some("release.grant".to_owned());
    let filter = Filter { kind, release: Some(*release.as_bytes()), ..Filter::default() };
    let (mut from, mut last) = (0, None);
    loop {
        let page = book.store().find(&filter, from, GRANTS_PAGE)?;
        let is_end = (page.len() as u64) < GRANTS_PAGE;
        if let Some(stored) = page.last() {
            let Ok((_, Entry::Grant(grant))) = Entry::read(&stored.leaf) else {
                return Err(LedgerError::EntryChanged { index: stored.index });
            };
            from = stored.index + 1;
            last = Some(*grant);
        }
        if is_end {
            return Ok(last);
        }
    }
}
