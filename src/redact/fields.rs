//! Counts by field, for the account of a copy: how often a value was changed, covered by the sweep, or could not
//! be read.
//!
//! A row is counted once it has been handed on whole. Most rows have the same fields changed, so those are held
//! as bits, and equal rows in a row are counted as one number.

use std::ops::AddAssign;

use super::Tally;
use super::rules::Rules;

/// What became of the values of one field in the rows handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FieldTally {
    /// Values that an action other than keep and drop was carried out on, readable or not.
    pub changed: u64,
    /// Finds of the sweep.
    pub swept: u64,
    /// Values not as the action, or the added column, expects them.
    pub unreadable: u64,
}

impl AddAssign for FieldTally {
    fn add_assign(&mut self, more: Self) {
        self.changed += more.changed;
        self.swept += more.swept;
        self.unreadable += more.unreadable;
    }
}

pub(super) struct Fields {
    /// By the places of rules.
    counts: Vec<FieldTally>,
    /// The fields changed in the row that is being read, of the first 64.
    changed: u64,
    /// What else is to be counted of that row.
    rare: Vec<(usize, FieldTally)>,
    /// The last row's `changed`, and how many rows in a row had it; not in `counts` yet.
    last: u64,
    repeats: u64,
}

impl Fields {
    pub fn new(rules: &Rules) -> Self {
        let counts = vec![FieldTally::default(); rules.paths().len()];
        Self { counts, changed: 0, rare: Vec::new(), last: 0, repeats: 0 }
    }

    /// A new row begins; what was counted of one that was not handed on is forgotten.
    pub fn begin(&mut self) {
        self.changed = 0;
        self.rare.clear();
    }

    /// So many values of a field were changed. Most rows have one of each.
    pub fn change(&mut self, place: usize, times: u64) {
        if times == 1 && place < 64 && self.changed >> place & 1 == 0 {
            self.changed |= 1 << place;
        } else {
            self.add(place, FieldTally { changed: times, ..FieldTally::default() });
        }
    }

    /// Takes what the tally gained by one value.
    pub fn note(&mut self, place: usize, before: &Tally, after: &Tally) {
        let (swept, unreadable) = (after.swept - before.swept, after.unreadable - before.unreadable);
        if swept + unreadable > 0 {
            self.add(place, FieldTally { changed: 0, swept, unreadable });
        }
    }

    fn add(&mut self, place: usize, more: FieldTally) {
        match self.rare.last_mut() {
            Some((last, count)) if *last == place => *count += more,
            Some(_) | None => self.rare.push((place, more)),
        }
    }

    /// The row, or what else was read, is handed on.
    #[inline]
    pub fn commit(&mut self) {
        if self.changed == self.last && self.rare.is_empty() {
            self.repeats += 1;
            self.changed = 0;
        } else {
            self.commit_other();
        }
    }

    fn commit_other(&mut self) {
        if self.changed == self.last {
            self.repeats += 1;
        } else {
            for (place, count) in self.counts.iter_mut().enumerate().take(64) {
                count.changed += (self.last >> place & 1) * self.repeats;
            }
            self.last = self.changed;
            self.repeats = 1;
        }
        for (place, more) in self.rare.drain(..) {
            self.counts[place] += more;
        }
        self.changed = 0;
    }

    /// The count of the rule at a place.
    pub fn at(&self, place: usize) -> FieldTally {
        let count = self.counts[place];
        let pending = if place < 64 { (self.last >> place & 1) * self.repeats } else { 0 };
        FieldTally { changed: count.changed + pending, ..count }
    }
}
