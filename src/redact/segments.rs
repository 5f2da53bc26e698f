//! The fast way through rows of CSV: only segments of columns that do not simply stay are looked at.
//!
//! Where cells can end is known ahead, so a segment is taken with one look at each of its ends. A cell with quotes, a kept
//! one that may be a formula or hold a long number, and a row that does not end where it should are left to the plain path.

use std::ops::Range;

use super::Tally;
use super::cells::Cells;
use super::csv::{Begun, Column, Memory, Place, Row, hand_on};
use super::fields::Fields;
use super::lanes::Accepted;
use super::marks::Ahead;
use super::mask::{Order, Seen, Shown};
use super::rules::{Ease, Rule};
use super::splice::Splice;
use super::stream::Window;

/// Columns of which the same becomes, and which do not just stay.
#[expect(clippy::struct_excessive_bools, reason = "each is one question that a row is asked there")]
pub(super) struct Segment {
    first: usize,
    last: usize,
    /// Whether it is left to the plain path.
    is_hard: bool,
    /// The place of the rule by which its one cell is changed.
    changes: Option<usize>,
    is_area: bool,
    leaves: bool,
    /// Whether nothing leaves of it, nor of the columns before it.
    is_leading: bool,
    /// Whether it ends the row.
    is_end: bool,
}

impl Segment {
    pub fn all(columns: &[Column]) -> Vec<Self> {
        let mut segments: Vec<Self> = Vec::new();
        let leading = leading(columns);
        for (at, column) in columns.iter().enumerate().filter(|(_, column)| column.ease != Ease::Keep) {
            match segments.last_mut() {
                Some(last) if column.ease == Ease::Drop && last.is_dropped() && last.last + 1 == at => {
                    last.last = at;
                }
                _ => segments.push(Self {
                    first: at,
                    last: at,
                    is_hard: column.ease == Ease::None,
                    changes: column.place.filter(|_| column.ease == Ease::Change),
                    is_area: column.ease.is_area(),
                    leaves: column.leaves,
                    is_leading: false,
                    is_end: false,
                }),
            }
        }
        for segment in &mut segments {
            segment.is_leading = segment.last < leading;
            segment.is_end = segment.last + 1 == columns.len();
        }
        segments
    }

    fn is_dropped(&self) -> bool {
        !(self.leaves || self.is_hard || self.is_area)
    }
}

/// How many columns there are before the first of which anything leaves.
pub(super) fn leading(columns: &[Column]) -> usize {
    columns.iter().take_while(|column| !column.leaves).count()
}

/// What rows are read with.
struct Tools<'a, 'b> {
    window: Window<'a>,
    cells: &'a mut Cells,
    fields: &'a mut Fields,
    splice: &'a mut Splice<'b>,
    tally: &'a mut Tally,
}

impl Row<'_> {
    /// Goes over cells from one on as long as they are bare and need no more than to be kept, changed or left out,
    /// row after row. `row` and `place` are where it stopped; behind the last column, that row ended with a line feed.
    #[inline(never)]
    pub(super) fn hurry(
        &self,
        memory: &mut Memory<'_>,
        window: Window<'_>,
        splice: &mut Splice<'_>,
        (row, place): (&mut Begun, &mut Place),
        tally: &mut Tally,
    ) {
        if 0 < place.at && place.at <= self.leading {
            splice.go_on(place.pos);
        }
        let Memory { cells, fields, marks } = memory;
        let is_plain = cells.ganda.is_none() && !cells.is_withheld;
        let mut tools = Tools { window, cells, fields, splice, tally };
        let mut goes_on = true;
        while goes_on {
            marks.look_ahead(window, self.delimiter, self.columns - place.at);
            let mut ahead = marks.ahead();
            let known = ahead.ends.len();
            loop {
                let left = self.columns - place.at;
                let passed = self.pass(place, &mut ahead, &mut tools);
                place.at += passed.len();
                place.pos = behind(passed, place.pos, window.at);
                ahead.ends = &ahead.ends[passed.len()..];
                goes_on = passed.len() == left && place.pos < window.bytes.len() && is_plain;
                if !goes_on {
                    break;
                }
                ahead.pass_line_end();
                hand_on(tools.cells, tools.fields, tools.tally);
                *row = Begun::at(place.pos, tools.splice, tools.tally);
                place.at = 0;
                if ahead.ends.len() < self.columns {
                    break;
                }
            }
            let passed = known - ahead.ends.len();
            marks.pass(passed, window.at + place.pos);
        }
    }

    /// The same, of the rest of one row. Gives the ends of the cells it went over.
    #[inline]
    fn pass<'a>(&self, place: &Place, ahead: &mut Ahead<'a>, tools: &mut Tools<'_, '_>) -> &'a [usize] {
        let Tools { window, cells, fields, splice, tally } = tools;
        // The text that is looked through ahead goes on behind the window.
        let text = &window.utf8.text()[..window.at + window.bytes.len()];
        let left = self.columns - place.at;
        let mut ends = &ahead.ends[..ahead.ends.len().min(left)];
        let mut line_end = 0;
        match ends.last() {
            Some(end) if ends.len() == left && text.get(*end) == Some(&b'\n') => line_end = *end,
            // The last cell is not known to end the row.
            _ => {
                ends = &ends[..ends.len().min(left - 1)];
                ends = &ends[..ends.partition_point(|end| *end < text.len())];
            }
        }
        // So many cells, apart from some at the end that stay.
        let mut to = ends.len();
        for segment in self.segments {
            if segment.last < place.at {
                continue;
            }
            let first = segment.first.max(place.at) - place.at;
            let Some(&end) = ends.get(segment.last - place.at) else {
                to = to.min(first);
                break;
            };
            let start = behind(&ends[..first], place.pos, window.at);
            let is_easy = !segment.is_hard
                && ahead.look() >= window.at + start
                && ahead.is_bare(text, end + usize::from(!segment.is_end));
            let part = start..end - window.at;
            if !is_easy || (segment.is_area && !is_area(window.bytes, part.clone(), &cells.accepted)) {
                to = first;
                break;
            }
            if let Some(place) = segment.changes {
                change(self.rules.at(place), fields, window.bytes, part, splice, tally);
            } else if segment.is_leading {
                splice.leave_out(part.start, part.end + 1);
            } else if !segment.leaves {
                splice.leave_out(part.start - 1, part.end);
            }
        }
        if to < left || ahead.look() < line_end {
            to = to.min(ends.partition_point(|end| *end < ahead.look()));
        }
        splice.has_let_out |= place.at + to > self.leading;
        #[cfg(test)]
        HURRIED.set(HURRIED.get() + to as u64);
        &ends[..to]
    }
}

/// Where the cell behind these begins: in the window, which begins at `base`.
#[inline]
fn behind(ends: &[usize], from: usize, base: usize) -> usize {
    ends.last().map_or(from, |end| end + 1 - base)
}

/// Writes what a bare cell becomes.
#[inline(never)]
fn change(
    rule: &Rule,
    fields: &mut Fields,
    text: &[u8],
    cell: Range<usize>,
    splice: &mut Splice<'_>,
    tally: &mut Tally,
) {
    let Order::Change(change) = &rule.order else { return };
    let unreadable = tally.unreadable;
    match change.show(Seen::Text(&text[cell.clone()]), &mut [0; 16], tally) {
        Shown::Nothing => splice.replace(cell.start, cell.end, b""),
        Shown::Text(shown) | Shown::Written(shown) => splice.replace(cell.start, cell.end, shown),
    }
    fields.change(rule.place, 1);
    if tally.unreadable > unreadable {
        fields.note(rule.place, &Tally { unreadable, ..*tally }, tally);
    }
}

/// Whether the cell is this code.
#[inline]
fn is_area(text: &[u8], cell: Range<usize>, code: &Accepted) -> bool {
    text[cell.start..].first_chunk().is_some_and(|block| code.is(block, cell.len()))
}

#[cfg(test)]
std::thread_local! {
    /// How many columns were passed over the fast way by this thread.
    pub(super) static HURRIED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}
