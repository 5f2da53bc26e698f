//! Entries each by itself: hash, form and card. Done a page at a time in a thread of its own, while the next page is read
//! and the one before is followed.

use std::sync::Arc;

use super::Why;
use super::follow::{Counted, Step, Told};
use super::quick::{self, Quick, What};
use crate::ledger::entry::{Entry, Outcome};
use crate::ledger::tree::{Hash, leaf_hash};
use crate::store::{Listed, Page, PageEntry};

/// Entries as they are stored, the hashes kept of the indexes from the first one on, and what is found.
#[derive(Default)]
pub(super) struct Portion {
    pub(super) page: Page,
    pub(super) hashes: Vec<u8>,
    pub(super) checked: Vec<Checked>,
}

/// An entry's index, and what is found at it.
pub(super) type Checked = (u64, Result<(Hash, Told), Why>);

/// What goes on from one portion to the next.
pub(super) struct Checker {
    /// What the indexes should list of all that was checked.
    pub(super) listed: Listed,
    /// Words that come again and again.
    boot: Option<Arc<str>>,
    election: Option<Arc<str>>,
}

impl Checker {
    pub(super) fn new(listed: Listed) -> Self {
        Self { listed, boot: None, election: None }
    }

    /// Up to the first entry that is wrong.
    pub(super) fn check(&mut self, portion: &mut Portion) {
        let mut hashes = portion.hashes.as_chunks::<32>().0.iter();
        for stored in portion.page.iter() {
            let one = self.check_one(&stored, hashes.next());
            let is_wrong = one.is_err();
            portion.checked.push((stored.index, one));
            if is_wrong {
                return;
            }
            self.listed.add(stored.index, &stored.card);
        }
    }

    fn check_one(&mut self, stored: &PageEntry<'_>, kept: Option<&Hash>) -> Result<(Hash, Told), Why> {
        let hash = leaf_hash(stored.leaf);
        match kept {
            Some(kept) if *kept == hash => {}
            Some(_) => return Err(Why::Hash),
            None => return Err(Why::NoHash),
        }
        if let Some(quick) = quick::read(stored.leaf) {
            return if quick.has_card(&stored.card) { Ok((hash, self.told(&quick))) } else { Err(Why::Card) };
        }
        let (stamp, entry) = Entry::read(stored.leaf).map_err(Why::Entry)?;
        if !stored.card.is_of(&entry.card(stamp.ts_ms)) {
            return Err(Why::Card);
        }
        let boot = again(&mut self.boot, &stamp.boot);
        Ok((hash, Told { ts_ms: stamp.ts_ms, boot, step: Step::of(entry)? }))
    }

    fn told(&mut self, quick: &Quick<'_>) -> Told {
        let release = quick.release;
        let step = match quick.what {
            What::Intent { election, ceiling, .. } => {
                // One with a quota is read the long way.
                let election = again(&mut self.election, election);
                Step::Opens { release, election, ceiling, reserved: None }
            }
            What::Complete { intent, outcome, rows, bytes, body_sha256, .. } => {
                let counted = Counted { rows, bytes, body_sha256 };
                Step::Closes { release, intent, counted, is_whole: outcome == Outcome::Complete }
            }
            What::Ack { intent, rows, bytes, body_sha256, is_match } => Step::Acknowledges {
                release,
                intent,
                counted: Counted { rows, bytes, body_sha256 },
                is_match,
            },
        };
        Told { ts_ms: quick.ts_ms, boot: again(&mut self.boot, quick.boot), step }
    }
}

/// The word, in the memory that it had the last time.
fn again(known: &mut Option<Arc<str>>, word: &str) -> Arc<str> {
    match known {
        Some(known) if **known == *word => Arc::clone(known),
        _ => Arc::clone(known.insert(word.into())),
    }
}
