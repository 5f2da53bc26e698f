//! Finds the bytes at which a CSV cell can end, sixty-four at a time, some way ahead of the rows that are read; and the
//! cells of which more has to be known before they are kept.

use super::lanes;
use super::stream::Window;
use super::sweep;

const BLOCK: usize = 64;
/// Places known ahead, of each kind.
const AHEAD: usize = 1024;

/// What stands ahead, as places in the text.
pub(super) struct Marks {
    /// Delimiters, quotes, control characters and bytes beyond ASCII. The last two are not all of a kind that ends a
    /// cell; who finds one there looks again.
    ends: Places,
    /// Those that are no delimiters, and places in cells: at least one in each that may be a formula or hold a long
    /// number.
    looks: Places,
    /// How far the text was looked at.
    to: usize,
    before: Before,
}

/// What stands before a place.
#[derive(Clone, Copy)]
struct Before {
    /// Bytes of a long number, perhaps, that end there.
    numeric: u32,
    /// One, if a cell begins there.
    mark: u64,
}

/// A cell begins there.
const NOTHING: Before = Before { numeric: 0, mark: 1 };

/// Places in order; those from `next` to `len` are still to come.
struct Places {
    at: Box<[usize; AHEAD]>,
    next: usize,
    len: usize,
}

/// What is known ahead.
pub(super) struct Ahead<'a> {
    pub ends: &'a [usize],
    pub looks: &'a [usize],
}

impl Ahead<'_> {
    /// The first place to look at.
    #[inline]
    pub fn look(&self) -> usize {
        self.looks.first().copied().unwrap_or(usize::MAX)
    }

    /// Whether all places to look at before `end` are of cells; passes over those that are.
    #[inline]
    pub fn is_bare(&mut self, text: &[u8], end: usize) -> bool {
        while let [at, rest @ ..] = self.looks
            && *at < end
        {
            if !matches!(text[*at], b' '..0x7F) || text[*at] == b'"' {
                return false;
            }
            self.looks = rest;
        }
        true
    }

    /// A line feed is the first place to look at.
    #[inline]
    pub fn pass_line_end(&mut self) {
        self.looks = self.looks.split_first().map_or(&[], |(_, rest)| rest);
    }
}

impl Places {
    fn new() -> Self {
        Self { at: Box::new([0; AHEAD]), next: 0, len: 0 }
    }

    #[inline]
    fn ahead(&self) -> &[usize] {
        &self.at[self.next..self.len]
    }

    #[inline]
    fn pass(&mut self, place: usize) {
        while self.ahead().first().is_some_and(|at| *at < place) {
            self.next += 1;
        }
    }

    fn move_up(&mut self) {
        self.at.copy_within(self.next..self.len, 0);
        (self.next, self.len) = (0, self.len - self.next);
    }

    fn has_room(&self) -> bool {
        self.len + BLOCK <= AHEAD
    }

    /// Adds the places of the bits, of a block that begins at `start`. Most blocks have up to `FEW`.
    #[inline]
    fn add<const FEW: usize>(&mut self, mut bits: u64, start: usize) {
        let count = bits.count_ones() as usize;
        let Some(room) = self.at[self.len..].first_chunk_mut::<BLOCK>() else { return };
        // What is written beyond the count is written over by the next block.
        let mut put = |places: &mut [usize]| {
            for place in places {
                *place = start + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
        };
        let (few, more) = room.split_at_mut(FEW);
        put(few);
        if count > FEW {
            put(&mut more[..count - FEW]);
        }
        self.len += count;
    }
}

impl Default for Marks {
    fn default() -> Self {
        Self { ends: Places::new(), looks: Places::new(), to: 0, before: NOTHING }
    }
}

impl Marks {
    /// Another text begins, or the text is looked at again from here on.
    pub fn begin(&mut self, at: usize) {
        for places in [&mut self.ends, &mut self.looks] {
            (places.next, places.len) = (0, 0);
        }
        self.look_from(at);
    }

    fn look_from(&mut self, at: usize) {
        (self.to, self.before) = (at, NOTHING);
    }

    /// Looks on until so many marks are known, unless the text ends before or they are too many.
    #[inline]
    pub fn look_ahead(&mut self, window: Window<'_>, delimiter: u8, count: usize) {
        if self.ends.ahead().len() < count.min(AHEAD / 2) {
            self.fill(window, delimiter);
        }
    }

    #[inline]
    pub fn ahead(&self) -> Ahead<'_> {
        Ahead { ends: self.ends.ahead(), looks: self.looks.ahead() }
    }

    /// Passes over what stands before a cell that begins at `at`.
    #[inline]
    pub fn seek(&mut self, at: usize) {
        self.ends.pass(at);
        self.looks.pass(at);
        if self.to < at {
            self.look_from(at);
        }
    }

    /// The same, where so many ends are before it.
    #[inline]
    pub fn pass(&mut self, ends: usize, at: usize) {
        self.ends.next += ends;
        self.looks.pass(at);
    }

    #[inline(never)]
    fn fill(&mut self, window: Window<'_>, delimiter: u8) {
        let Self { ends, looks, to, before } = self;
        ends.move_up();
        looks.move_up();
        let (blocks, rest) = window.utf8.text().get(*to..).unwrap_or_default().as_chunks();
        for block in blocks {
            if !ends.has_room() || !looks.has_room() {
                return;
            }
            *before = look_at(block, delimiter, *before, *to, ends, looks);
            *to += BLOCK;
        }
        if ends.has_room() && looks.has_room() {
            // Letters are no marks.
            let mut block = [b'x'; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            *before = look_at(&block, delimiter, *before, *to, ends, looks);
            *to += rest.len();
        }
    }
}

/// Adds what stands in a block that begins at a place.
#[expect(clippy::inline_always, reason = "a call for each block takes a tenth of the time")]
#[inline(always)]
fn look_at(
    block: &[u8; BLOCK],
    delimiter: u8,
    before: Before,
    at: usize,
    ends: &mut Places,
    looks: &mut Places,
) -> Before {
    let halves: [[u8; lanes::BLOCK]; 2] = bytemuck::cast(*block);
    let [low, high] = halves.map(|half| lanes::cell_marks(&half, delimiter));
    let join = |low, high| u64::from(low) | u64::from(high) << lanes::BLOCK;
    let marks = join(low.marks, high.marks);
    let delimiters = join(low.delimiters, high.delimiters);
    let numeric = join(low.numeric, high.numeric) & !marks;
    let starts = marks << 1 | before.mark;
    let odd = starts & join(low.odd, high.odd);
    ends.add::<8>(marks, at);
    looks.add::<2>((marks | odd) & !delimiters | sixteenths(numeric, before.numeric), at);
    Before { numeric: numeric.leading_ones(), mark: marks >> (BLOCK - 1) }
}

/// A bit within each sixteen or more in a row; so many come before the first.
#[inline]
fn sixteenths(bits: u64, before: u32) -> u64 {
    const { assert!(sweep::RUN_DIGITS == 16) };
    let mut all = bits;
    for by in [1, 2, 4, 8] {
        all &= all << by;
    }
    // Those that began in the block before: the bit may be its last one there, and is none if none is here.
    let first = bits.trailing_ones();
    let is_long = first > 0 && first + before >= 16;
    all | u64::from(is_long)
}

#[cfg(test)]
mod tests {
    use super::super::cell::begins_formula;
    use super::super::stream::Utf8;
    use super::*;

    fn is_mark(byte: u8) -> bool {
        byte < b' ' || b",\"".contains(&byte) || !byte.is_ascii()
    }

    fn is_numeric(byte: u8) -> bool {
        !is_mark(byte) && (byte < b'A' || byte == b'_')
    }

    /// All that may be looked for, in every place of a block.
    fn text() -> Vec<u8> {
        let mixed = (0..600_u32).map(|at| match at * at % 97 {
            3 | 8 => b',',
            5 => b'"',
            7 => b'\n',
            11 => b'\r',
            13 => 0,
            17 => 0x80,
            19 => 0xFF,
            23 | 29 => b'=',
            31 => b'9',
            _ => b'x',
        });
        // From fifteen to fifty digits in a row, with and without a mark before them.
        let numbers = (15..50).flat_map(|len| {
            let parts: [&[u8]; 3] = [if len % 2 == 0 { b"x," } else { b",x" }, b"9-", b"0"];
            [parts[0].to_vec(), parts[1].to_vec(), parts[2].repeat(len - 2)].concat()
        });
        let formulas = b",=1,x,-2\"=x\n=yy,".repeat(9);
        mixed.chain(numbers).chain(formulas).chain([b','; 100]).collect()
    }

    #[test]
    fn every_mark_and_every_look_is_found_from_everywhere() {
        let text = text();
        let utf8 = Utf8::of(&text);
        let mut found = [0; 3];
        for start in 0..text.len() {
            let mut marks = Marks::default();
            let mut at = start;
            while at < text.len() {
                let window = Window { bytes: &text[start..], utf8: &utf8, at: start, is_last: true };
                marks.seek(at);
                marks.look_ahead(window, b',', 3);
                let ahead = marks.ahead();
                let mark = text[at..].iter().position(|byte| is_mark(*byte)).map(|mark| at + mark);
                assert_eq!(ahead.ends.first().copied(), mark, "from {start} at {at}");
                let all = (at..text.len()).filter(|at| is_mark(text[*at]));
                assert!(all.zip(ahead.ends).all(|(one, other)| one == *other), "from {start} at {at}");
                let (mut run, mut is_seen) = (0, false);
                for place in at..marks.to {
                    let byte = text[place];
                    let is_found = ahead.looks.binary_search(&place).is_ok();
                    (run, is_seen) =
                        if is_numeric(byte) { (run + 1, is_seen || is_found) } else { (0, false) };
                    let ends = place + 1 == marks.to || !is_numeric(text[place + 1]);
                    let is_start = place > at && is_mark(text[place - 1]) && b"=-".contains(&byte);
                    let due = [is_mark(byte) && byte != b',', is_start, ends && run >= sweep::RUN_DIGITS];
                    assert!(is_found || !(due[0] || due[1]), "{due:?} at {place}, from {start} at {at}");
                    assert!(is_seen || !due[2], "a long number up to {place}, from {start} at {at}");
                    for (found, due) in found.iter_mut().zip(due) {
                        *found += usize::from(due);
                    }
                }
                // A few are passed over, as those between quotes are; behind the next mark a cell may begin.
                let from = mark.map_or(text.len(), |mark| text.len().min(mark + start % 5 * 20));
                let mark = text[from..].iter().position(|byte| is_mark(*byte));
                at = mark.map_or(text.len(), |mark| from + mark + 1);
            }
        }
        assert!(found.iter().all(|found| *found > 10_000), "{found:?}");
    }

    #[test]
    fn most_cells_are_passed_over_without_a_look() {
        let text =
            b"000000001,SITI CONTOH,1990-12-05,S,,JL KENANGA 7,003,9901011001001,x_1,NO. 12/34,".repeat(3);
        let utf8 = Utf8::of(&text);
        let mut marks = Marks::default();
        marks.look_ahead(Window { bytes: &text, utf8: &utf8, at: 0, is_last: true }, b',', 3);
        assert_eq!((marks.ahead().ends.len(), marks.ahead().looks), (30, &[][..]));
    }

    #[test]
    fn a_byte_that_begins_a_formula_or_is_of_a_long_number_is_marked_as_such() {
        for byte in 0..=u8::MAX {
            let seen = lanes::cell_marks(&[byte; lanes::BLOCK], b',');
            let [marks, odd, numeric] = [seen.marks, seen.odd, seen.numeric].map(|bits| bits == u32::MAX);
            assert_eq!(marks, is_mark(byte), "{byte}");
            assert_eq!(seen.delimiters == u32::MAX, byte == b',');
            assert!(marks || odd || !begins_formula(&[byte]), "{byte} begins a formula");
            assert!(marks || numeric || !sweep::is_of_runs(byte), "{byte} is of long numbers");
            assert!(!(odd && byte.is_ascii_alphanumeric()), "{byte} begins most cells");
        }
    }
}
