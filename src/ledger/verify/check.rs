//! Entries each by itself: hash, form and card. Done a page at a time in a thread of its own, while the next page is read
//! and the one before is followed.

use std::sync::Arc;

use super::Why;
use super::follow::{Counted, Step, Told};
use super::quick::{self, Quick, What};
use crate::ledger::entry::{Entry, Outcome};
use crate::ledger::tree::{Hash, leaf_hash};
use crate::store::StoredEntry;

/// Entries as they are stored, and the hashes kept of the indexes from the first one on.
pub(super) struct Page {
    pub(super) entries: Vec<StoredEntry>,
    pub(super) hashes: Vec<u8>,
}

/// An entry's index, and what is found at it.
pub(super) type Checked = (u64, Result<(Hash, Told), Why>);

/// Words that come again and again.
#[derive(Default)]
pub(super) struct Words {
    boot: Option<Arc<str>>,
    election: Option<Arc<str>>,
}

/// Up to the first entry that is wrong.
pub(super) fn check(page: &Page, words: &mut Words) -> Vec<Checked> {
    let mut hashes = page.hashes.as_chunks::<32>().0.iter();
    let mut checked = Vec::with_capacity(page.entries.len());
    for stored in &page.entries {
        let one = check_one(stored, hashes.next(), words);
        let is_wrong = one.is_err();
        checked.push((stored.index, one));
        if is_wrong {
            break;
        }
    }
    checked
}

fn check_one(stored: &StoredEntry, kept: Option<&Hash>, words: &mut Words) -> Result<(Hash, Told), Why> {
    let hash = leaf_hash(&stored.leaf);
    match kept {
        Some(kept) if *kept == hash => {}
        Some(_) => return Err(Why::Hash),
        None => return Err(Why::NoHash),
    }
    if let Some(quick) = quick::read(&stored.leaf) {
        return if quick.has_card(&stored.card) { Ok((hash, told(&quick, words))) } else { Err(Why::Card) };
    }
    let (stamp, entry) = Entry::read(&stored.leaf).map_err(Why::Entry)?;
    if !stored.card.is_of(&entry.card(stamp.ts_ms)) {
        return Err(Why::Card);
    }
    let boot = again(&mut words.boot, &stamp.boot);
    Ok((hash, Told { ts_ms: stamp.ts_ms, boot, step: Step::of(entry)? }))
}

fn told(quick: &Quick<'_>, words: &mut Words) -> Told {
    let release = quick.release;
    let step = match quick.what {
        What::Intent { election, ceiling, .. } => {
            Step::Opens { release, election: again(&mut words.election, election), ceiling }
        }
        What::Complete { intent, outcome, rows, bytes, body_sha256, .. } => {
            let counted = Counted { rows, bytes, body_sha256 };
            Step::Closes { release, intent, counted, is_whole: outcome == Outcome::Complete }
        }
        What::Ack { intent, rows, bytes, body_sha256, is_match } => {
            Step::Acknowledges { release, intent, counted: Counted { rows, bytes, body_sha256 }, is_match }
        }
    };
    Told { ts_ms: quick.ts_ms, boot: again(&mut words.boot, quick.boot), step }
}

/// The word, in the memory that it had the last time.
fn again(known: &mut Option<Arc<str>>, word: &str) -> Arc<str> {
    match known {
        Some(known) if **known == *word => Arc::clone(known),
        _ => Arc::clone(known.insert(word.into())),
    }
}
