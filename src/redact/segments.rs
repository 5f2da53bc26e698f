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
    #[inline(never)]
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
        // All places here are those of the text.
        let text = &window.utf8.text()[..window.at + window.bytes.len()];
        let (mut at, mut first) = (place.at, window.at + place.pos);
        let mut ends = memory.marks.ahead();
        while let Some(column) = columns.get(at) {
            let (segment, behind) = ends.split_at(ends.len().min(column.alike));
            let count = match column.ease {
                Ease::Keep => kept(text, segment, first, column.mark),
                Ease::Drop | Ease::Change => bare(text, segment, column.mark),
                Ease::Area { .. } if is_area(text, segment, first, &memory.cells.accepted) => {
                    bare(text, segment, column.mark)
                }
                Ease::Area { .. } | Ease::None => 0,
            };
            let Some(end) = segment[..count].last() else { break };
            let cells = first - window.at..end - window.at;
            if column.leaves {
                splice.let_out(cells.start);
            } else {
                let separator = Place { at, pos: cells.start }.separator();
                splice.leave_out(separator, cells.end);
            }
            if column.ease == Ease::Change {
                self.change(column, memory.fields, window, cells, splice, tally);
            }
            #[cfg(test)]
            HURRIED.set(HURRIED.get() + count as u64);
            at += count;
            first = end + 1;
            if count < segment.len() {
                break;
            }
            ends = behind;
        }
        memory.marks.pass(at - place.at);
        *place = Place { at, pos: first - window.at };
    }

    /// Writes what a bare cell becomes.
    #[inline(never)]
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

/// How many cells from the first on, that begins at `start`, end with this mark and can be neither a long number nor a
/// formula: most are short and begin with a letter or a digit.
#[inline(never)]
fn kept(text: &[u8], ends: &[usize], mut start: usize, mark: u8) -> usize {
    for (count, &end) in ends.iter().enumerate() {
        let (Some(first), Some(behind)) = (text.get(start), text.get(end)) else { return count };
        let len = end - start;
        if *behind != mark
            || !(PLAIN_STARTS[usize::from(*first)] || len == 0)
            || (len >= sweep::RUN_DIGITS && may_hold(text, start, end))
        {
            return count;
        }
        start = end + 1;
    }
    ends.len()
}

/// Whether the first cell is this code.
#[inline(never)]
fn is_area(text: &[u8], ends: &[usize], start: usize, code: &[u8]) -> bool {
    let area = ends.first().and_then(|end| text.get(start..*end));
    area.is_some_and(|area| !area.is_empty() && area == code)
}

/// How many cells end with this mark.
#[inline]
fn bare(text: &[u8], ends: &[usize], mark: u8) -> usize {
    ends.iter().take_while(|end| text.get(**end) == Some(&mark)).count()
}

/// Bytes with which no formula begins.
const PLAIN_STARTS: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        plain[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    plain
};

/// Whether an ASCII text could hold a long number.
#[inline(never)]
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
