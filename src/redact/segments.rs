//! The fast way through a row of CSV: segments of columns of which all cells are kept, or left out.
//!
//! Where cells can end is known ahead, so a segment is taken with one look at each of its ends. A cell with
//! quotes, one that may be a formula or hold a long number, or a row that does not end where it should, is left to the
//! plain path.

use std::ops::Range;

use super::csv::{Column, Memory, Place, Row};
use super::fields::Fields;
use super::lanes;
use super::mask::{Order, Seen, Shown};
use super::rules::Ease;
use super::splice::Splice;
use super::stream::Window;
use super::{Tally, sweep};

impl Row<'_> {
    /// Takes columns as long as their cells are bare and need no more than to be kept, changed or left out. `place`
    /// is where it stopped; behind the last column, the row ended with a line feed.
    pub(super) fn hurry(
        &self,
        columns: &[Column],
        memory: &mut Memory<'_>,
        window: Window<'_>,
        splice: &mut Splice<'_>,
        place: &mut Place,
        tally: &mut Tally,
    ) {
        memory.marks.look_ahead(window, self.delimiter, columns.len() - place.at);
        let places = memory.marks.ahead();
        let mut odd = memory.marks.odd();
        let mut passed = 0;
        while let Some(column) = columns.get(place.at) {
            let first = place.pos;
            let is_last = place.at + 1 == columns.len();
            let alike = if is_last { 1 } else { column.alike.min(columns.len() - 1 - place.at) };
            let ends = &places[passed..places.len().min(passed + alike)];
            while odd.first().is_some_and(|odd| *odd < window.at + first) {
                odd = &odd[1..];
            }
            // Up to there all cells are bare, begin with a letter or a digit and hold no long number.
            let even_to = odd.first().copied().unwrap_or(memory.marks.known_to());
            let even_to = even_to.min(window.at + window.bytes.len());
            let cells = Run { window, ends, mark: if is_last { b'\n' } else { self.delimiter }, even_to };
            let (count, end) = match column.ease {
                Ease::Keep | Ease::Drop if !is_last && cells.are_even() => cells.all(),
                Ease::Keep => cells.pass(first, |start, end| may_stay(window.bytes, start, end)),
                Ease::Drop => cells.pass(first, |_, _| true),
                Ease::Area { .. } => {
                    let accepted = &memory.cells.accepted;
                    cells.pass(first, |start, end| start < end && *accepted == window.bytes[start..end])
                }
                Ease::Change => cells.one().pass(first, |_, _| true),
                Ease::None => (0, first),
            };
            if count == 0 {
                break;
            }
            match column.ease {
                Ease::Drop | Ease::Area { is_kept: false } => splice.leave_out(first.saturating_sub(1), end),
                Ease::Keep | Ease::Area { is_kept: true } | Ease::Change | Ease::None => {
                    splice.let_out(first);
                }
            }
            passed += count;
            place.at += count;
            place.pos = end + 1;
            #[cfg(test)]
            HURRIED.set(HURRIED.get() + count as u64);
            if column.ease == Ease::Change {
                self.change(column, memory.fields, window, first..end, splice, tally);
            }
        }
        memory.marks.pass(passed, window.at + place.pos);
    }

    /// Writes what a bare cell becomes.
    fn change(
        &self,
        column: &Column,
        fields: &mut Fields,
        window: Window<'_>,
        cell: Range<usize>,
        splice: &mut Splice<'_>,
        tally: &mut Tally,
    ) {
        let Some(rule) = column.place.map(|place| self.rules.at(place)) else { return };
        let Order::Change(change) = &rule.order else { return };
        let unreadable = tally.unreadable;
        match change.show(Seen::Text(&window.bytes[cell.clone()]), &mut [0; 16], tally) {
            Shown::Nothing => splice.replace(cell.start, cell.end, b""),
            Shown::Text(shown) | Shown::Written(shown) => splice.replace(cell.start, cell.end, shown),
        }
        fields.change(rule.place, 1);
        if tally.unreadable > unreadable {
            fields.note(rule.place, &Tally { unreadable, ..*tally }, tally);
        }
    }
}

/// Cells in a row that are treated alike, by where they can end: places in the text.
#[derive(Clone, Copy)]
struct Run<'a> {
    window: Window<'a>,
    ends: &'a [usize],
    /// What has to stand there.
    mark: u8,
    even_to: usize,
}

impl Run<'_> {
    fn one(self) -> Self {
        Self { ends: &self.ends[..self.ends.len().min(1)], ..self }
    }

    /// All cells, and where the last of them ends.
    #[inline]
    fn all(self) -> (usize, usize) {
        (self.ends.len(), self.ends.last().map_or(0, |end| end - self.window.at))
    }

    /// Whether there are cells and all are such as most are.
    #[inline]
    fn are_even(self) -> bool {
        self.ends.last().is_some_and(|end| *end < self.even_to)
    }

    /// How many cells from `start` on end as they should and are taken, and where the last of them ends.
    #[inline]
    fn pass(self, mut start: usize, is_taken: impl Fn(usize, usize) -> bool) -> (usize, usize) {
        let mut count = 0;
        for end in self.ends {
            let end = end - self.window.at;
            if self.window.bytes.get(end) != Some(&self.mark) || !is_taken(start, end) {
                break;
            }
            count += 1;
            start = end + 1;
        }
        (count, start.saturating_sub(1))
    }
}

/// Whether a bare cell can be neither a long number nor a formula: most are short and begin with a letter or a digit.
#[inline]
fn may_stay(bytes: &[u8], start: usize, end: usize) -> bool {
    start == end
        || bytes[start].is_ascii_alphanumeric()
            && (end - start < sweep::RUN_DIGITS || !may_hold(bytes, start, end))
}

/// Whether an ASCII text could hold a long number.
#[inline]
fn may_hold(bytes: &[u8], start: usize, end: usize) -> bool {
    let text = &bytes[start..];
    let len = end - start;
    match text.first_chunk() {
        Some(block) if len < lanes::BLOCK => sweep::short_may_hold(block, len),
        Some(_) | None => sweep::may_hold(&text[..len]),
    }
}

#[cfg(test)]
std::thread_local! {
    /// How many columns were passed over the fast way by this thread.
    pub(super) static HURRIED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
