//! The fast way through a row of CSV: segments of columns of which all cells are kept, or left out.
//!
//! Where cells can end is known ahead, so a segment is taken with one look at its end. A segment with quotes, or with a
//! cell that may be a formula or hold a long number, and a row that does not end where it should, are left to the plain
//! path.

use std::ops::Range;

use super::Tally;
use super::csv::{Begun, Column, Memory, Place, Row};
use super::fields::Fields;
use super::lanes::Accepted;
use super::marks::Ahead;
use super::mask::{Order, Seen, Shown};
use super::rules::{Ease, Rule};
use super::splice::Splice;
use super::stream::Window;

/// Columns of which the same becomes.
#[expect(clippy::struct_excessive_bools, reason = "each is one question that a row is asked there")]
pub(super) struct Segment {
    ease: Ease,
    first: usize,
    last: usize,
    /// Whether it is left to the plain path.
    is_hard: bool,
    /// Whether its cells have to be without formulas and long numbers.
    is_swept: bool,
    is_area: bool,
    /// The place of the rule by which its one cell is changed.
    changes: Option<usize>,
    leaves: bool,
    /// Whether nothing leaves of the columns before it, of which there are some.
    is_first: bool,
    /// Whether it ends the row.
    is_end: bool,
}

impl Segment {
    /// Most columns in one: where one cell needs more, all of them are read by the plain path.
    const COLUMNS_MAX: usize = 8;

    /// Parts the columns, each of which is told which segment begins with it.
    pub fn all(columns: &mut [Column]) -> Vec<Self> {
        let mut segments: Vec<Self> = Vec::new();
        let mut is_begun = false;
        let end = columns.len() - 1;
        for (at, column) in columns.iter_mut().enumerate() {
            let is_run = matches!(column.ease, Ease::Keep | Ease::Drop) && at < end;
            match segments.last_mut() {
                Some(last) if is_run && last.ease == column.ease && at - last.first < Self::COLUMNS_MAX => {
                    last.last = at;
                }
                _ => {
                    column.segment = Some(segments.len());
                    segments.push(Self {
                        ease: column.ease,
                        first: at,
                        last: at,
                        is_hard: column.ease == Ease::None,
                        is_swept: column.ease == Ease::Keep,
                        is_area: matches!(column.ease, Ease::Area { .. }),
                        changes: column.place.filter(|_| column.ease == Ease::Change),
                        leaves: column.leaves,
                        is_first: !is_begun && at > 0,
                        is_end: at == end,
                    });
                }
            }
            is_begun |= column.leaves;
        }
        segments
    }
}

impl Row<'_> {
    /// Takes segments from one on as long as their cells are bare and need no more than to be kept, changed or left out,
    /// row after row. `row` and `place` are where it stopped; behind the last column, that row ended with a line feed.
    #[inline(never)]
    pub(super) fn hurry(
        &self,
        mut first: usize,
        memory: &mut Memory<'_>,
        window: Window<'_>,
        splice: &mut Splice<'_>,
        (row, place): (&mut Begun, &mut Place),
        tally: &mut Tally,
    ) {
        let columns = self.segments.last().map_or(0, |segment| segment.last + 1);
        let is_plain = memory.cells.ganda.is_none() && !memory.cells.is_withheld;
        loop {
            memory.marks.look_ahead(window, self.delimiter, columns - place.at);
            self.pass(&self.segments[first..], memory, window, splice, place, tally);
            let is_last = place.pos == window.bytes.len();
            if place.at < columns || is_last || !is_plain {
                return;
            }
            memory.hand_on(tally);
            *row = Begun::at(place.pos, splice, tally);
            (first, place.at) = (0, 0);
        }
    }

    /// The same, of one row.
    #[inline]
    fn pass(
        &self,
        segments: &[Segment],
        memory: &mut Memory<'_>,
        window: Window<'_>,
        splice: &mut Splice<'_>,
        place: &mut Place,
        tally: &mut Tally,
    ) {
        // Places here are those of the text.
        let text = &window.utf8.text()[..window.at + window.bytes.len()];
        let Ahead { ends, looks } = memory.marks.ahead();
        let mut looks = looks.iter().copied();
        let mut look = looks.next().unwrap_or(usize::MAX);
        let (mut at, mut start) = (place.at, window.at + place.pos);
        'row: for segment in segments {
            // The text that is looked through ahead goes on behind the window.
            let Some(&end) = ends.get(segment.last - place.at).filter(|end| **end < text.len()) else {
                break;
            };
            let mut is_ended = false;
            while look <= end {
                match text[look] {
                    b'\n' if segment.is_end && look == end => is_ended = true,
                    b' '..0x7F if !segment.is_swept && text[look] != b'"' => {}
                    _ => break 'row,
                }
                look = looks.next().unwrap_or(usize::MAX);
            }
            if segment.is_hard
                || segment.is_end != is_ended
                || (segment.is_area && !is_area(text, start..end, &memory.cells.accepted))
            {
                break;
            }
            let cells = start - window.at..end - window.at;
            if segment.leaves {
                splice.keep(cells.start, segment.is_first);
            } else {
                splice.leave_out(Place { at, pos: cells.start }.separator(), cells.end);
            }
            if let Some(place) = segment.changes {
                change(self.rules.at(place), memory.fields, window, cells, splice, tally);
            }
            at = segment.last + 1;
            start = end + 1;
        }
        #[cfg(test)]
        HURRIED.set(HURRIED.get() + (at - place.at) as u64);
        memory.marks.pass(at - place.at, start);
        *place = Place { at, pos: start - window.at };
    }
}

/// Writes what a bare cell becomes.
#[inline(never)]
fn change(
    rule: &Rule,
    fields: &mut Fields,
    window: Window<'_>,
    cell: Range<usize>,
    splice: &mut Splice<'_>,
    tally: &mut Tally,
) {
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
