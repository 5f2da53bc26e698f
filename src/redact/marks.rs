//! Finds the bytes at which a CSV cell can end, sixty-four at a time, some way ahead of the rows that are read; and
//! those that need a second look.

use wide::i8x16;

use super::stream::Window;
use super::sweep::RUN_DIGITS;

const BLOCK: usize = 64;
const LANES: usize = 16;
/// Places known ahead.
const AHEAD: usize = 1024;

/// Places in a text, in order, of which those from `next` to `len` are still to come.
struct Places {
    at: Box<[usize; AHEAD]>,
    next: usize,
    len: usize,
}

impl Places {
    fn new() -> Self {
        Self { at: Box::new([0; AHEAD]), next: 0, len: 0 }
    }

    fn has_room(&self) -> bool {
        self.len + BLOCK <= AHEAD
    }

    fn forget_passed(&mut self) {
        self.at.copy_within(self.next..self.len, 0);
        (self.next, self.len) = (0, self.len - self.next);
    }

    #[inline]
    fn to_come(&self) -> &[usize] {
        &self.at[self.next..self.len]
    }

    /// Passes over the places before `at`.
    #[inline]
    fn pass_to(&mut self, at: usize) {
        while self.to_come().first().is_some_and(|place| *place < at) {
            self.next += 1;
        }
    }

    /// Adds the places of the bits, of a block that begins at `from`.
    #[inline]
    fn add(&mut self, from: usize, mut bits: u64) {
        const FEW: usize = 8;
        let count = bits.count_ones() as usize;
        let Some(room) = self.at[self.len..].first_chunk_mut::<BLOCK>() else { return };
        let (parts, _) = room.as_chunks_mut::<FEW>();
        // What is written beyond the count is written over by the next block.
        for part in &mut parts[..count.div_ceil(FEW).max(1)] {
            for place in part {
                *place = from + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
        }
        self.len += count;
    }

    /// The same where there mostly are two or fewer.
    #[inline]
    fn add_few(&mut self, from: usize, bits: u64) {
        let second = bits & bits.wrapping_sub(1);
        let mut others = second & second.wrapping_sub(1);
        if let Some(room) = self.at[self.len..].first_chunk_mut::<2>() {
            *room = [bits, second].map(|bits| from + bits.trailing_zeros() as usize);
            self.len += usize::from(bits != 0) + usize::from(second != 0);
        }
        while others != 0 {
            self.at[self.len % AHEAD] = from + others.trailing_zeros() as usize;
            self.len += 1;
            others &= others.wrapping_sub(1);
        }
    }
}

pub(super) struct Marks {
    /// Delimiters, quotes, control characters and bytes beyond ASCII. The last two are not all of a kind that ends a
    /// cell; who finds one there looks again.
    ends: Places,
    /// Those of them that are no delimiters; the first byte of a cell, where it is neither a letter nor a digit; and in a
    /// cell where as many bytes as a long number has have gone by without a letter.
    odd: Places,
    /// How far the text was looked at, and what matters of the last block there.
    to: usize,
    before: Before,
}

impl Default for Marks {
    fn default() -> Self {
        Self { ends: Places::new(), odd: Places::new(), to: 0, before: Before::default() }
    }
}

impl Marks {
    /// Another text begins.
    pub fn clear(&mut self) {
        (self.ends.next, self.ends.len) = (0, 0);
        (self.odd.next, self.odd.len) = (0, 0);
        (self.to, self.before) = (0, Before::default());
    }

    /// Looks on until so many marks are known, unless the text ends before or they are too many.
    #[inline]
    pub fn look_ahead(&mut self, window: Window<'_>, delimiter: u8, count: usize) {
        if self.ends.to_come().len() < count.min(AHEAD / 2) {
            self.fill(window, delimiter);
        }
    }

    /// The next marks that are known, as places in the text.
    #[inline]
    pub fn ahead(&self) -> &[usize] {
        self.ends.to_come()
    }

    /// The next places that need a second look.
    #[inline]
    pub fn odd(&self) -> &[usize] {
        self.odd.to_come()
    }

    /// How far the text was looked at.
    #[inline]
    pub fn known_to(&self) -> usize {
        self.to
    }

    /// Passes over the marks before a place in the text.
    #[inline]
    pub fn seek(&mut self, at: usize) {
        self.ends.pass_to(at);
        self.odd.pass_to(at);
        if self.to < at {
            (self.to, self.before) = (at, Before::default());
        }
    }

    /// Passes over so many of the next marks, to the one before this place in the text.
    #[inline]
    pub fn pass(&mut self, count: usize, at: usize) {
        self.ends.next += count;
        self.odd.pass_to(at);
    }

    #[inline(never)]
    fn fill(&mut self, window: Window<'_>, delimiter: u8) {
        self.ends.forget_passed();
        self.odd.forget_passed();
        while self.ends.has_room() && self.odd.has_room() {
            let rest = window.utf8.text().get(self.to..).unwrap_or_default();
            if let Some(block) = rest.first_chunk() {
                self.note(block, delimiter);
                self.to += BLOCK;
            } else {
                // Letters are no marks.
                let mut block = [b'x'; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                self.note(&block, delimiter);
                self.to += rest.len();
                self.before = Before::default();
                return;
            }
        }
    }

    #[inline]
    fn note(&mut self, block: &[u8; BLOCK], delimiter: u8) {
        let bits = Bits::of(block, delimiter);
        self.ends.add(self.to, bits.ends);
        let odd_starts = self.before.starts(bits.ends) & !(bits.ends | bits.letters | bits.digits);
        let long_runs = self.before.long_runs(!(bits.ends | bits.letters));
        self.odd.add_few(self.to, bits.ends & !bits.delimiters | odd_starts | long_runs);
    }
}

/// What the bytes of a block are, one bit for each, the first lowest.
struct Bits {
    ends: u64,
    delimiters: u64,
    letters: u64,
    digits: u64,
}

impl Bits {
    #[inline]
    fn of(block: &[u8; BLOCK], delimiter: u8) -> Self {
        let parts: [i8x16; BLOCK / LANES] = bytemuck::cast(*block);
        let splat = |byte: u8| i8x16::splat(byte.cast_signed());
        let mut all = Self { ends: 0, delimiters: 0, letters: 0, digits: 0 };
        for part in parts.iter().rev() {
            let part = *part;
            let delimiters = part.simd_eq(splat(delimiter));
            // Bytes beyond ASCII are negative here.
            let ends = delimiters | part.simd_lt(splat(b' ')) | part.simd_eq(splat(b'"'));
            let lower = part | splat(0x20);
            let letters = lower.simd_gt(splat(b'a' - 1)) & lower.simd_lt(splat(b'z' + 1));
            let digits = part.simd_gt(splat(b'0' - 1)) & part.simd_lt(splat(b'9' + 1));
            let add = |bits: &mut u64, lanes: i8x16| *bits = *bits << LANES | u64::from(lanes.to_bitmask());
            add(&mut all.ends, ends);
            add(&mut all.delimiters, delimiters);
            add(&mut all.letters, letters);
            add(&mut all.digits, digits);
        }
        all
    }
}

/// What matters of the block before.
struct Before {
    ends: u64,
    /// Where runs of one, two, four and eight bytes without a letter end.
    runs: [u64; 4],
}

impl Default for Before {
    /// Before the text, or the place from which it is looked at.
    fn default() -> Self {
        Self { ends: u64::MAX, runs: [0; 4] }
    }
}

impl Before {
    /// Where cells begin, from where the block's cells end.
    #[inline]
    fn starts(&mut self, ends: u64) -> u64 {
        let starts = ends << 1 | self.ends >> (BLOCK - 1);
        self.ends = ends;
        starts
    }

    /// Where runs end that are as long as a long number, from the bytes they are made of. Two runs of a length that meet
    /// are one of twice the length.
    #[inline]
    fn long_runs(&mut self, mut runs: u64) -> u64 {
        const { assert!(RUN_DIGITS == 1 << 4, "four times twice as long") };
        for (times, before) in self.runs.iter_mut().enumerate() {
            let len = 1 << times;
            let behind = runs << len | *before >> (BLOCK - len);
            *before = runs;
            runs &= behind;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::super::stream::Utf8;
    use super::*;

    /// Bytes of every kind, runs without letters of every length up to forty among them.
    fn text() -> Vec<u8> {
        let mut text: Vec<u8> = (0..600_u32)
            .map(|at| match at * at % 97 {
                3 | 8 => b',',
                5 => b'"',
                7 => b'\n',
                11 => b'\r',
                13 => 0,
                17 => 0x80,
                19 => 0xFF,
                23 => b'=',
                _ => b'x',
            })
            .collect();
        for len in 1..40 {
            text.extend(std::iter::repeat_n(b"0123 4-5._/6789"[len % 15], len));
            text.extend([b',', b'a', b',', b'+'].iter().take(1 + len % 4));
        }
        text
    }

    fn is_end(byte: u8) -> bool {
        byte < b' ' || b",\"".contains(&byte) || !byte.is_ascii()
    }

    /// The same by looking at one byte after another.
    fn odd(text: &[u8]) -> Vec<usize> {
        let mut run = 0;
        let is_odd = |at: &usize| {
            let byte = text[*at];
            run = if is_end(byte) || byte.is_ascii_alphabetic() { 0 } else { run + 1 };
            let is_start = *at == 0 || is_end(text[at - 1]);
            if is_end(byte) {
                byte != b','
            } else {
                run >= RUN_DIGITS || (is_start && !byte.is_ascii_alphanumeric())
            }
        };
        (0..text.len()).filter(is_odd).collect()
    }

    #[test]
    fn every_mark_and_every_odd_place_is_found_from_everywhere() {
        let text = text();
        let utf8 = Utf8::of(&text);
        let odd = odd(&text);
        let mut found = 0;
        for start in 0..text.len() {
            let mut marks = Marks::default();
            let mut at = start;
            while at < text.len() {
                let window = Window { bytes: &text[start..], utf8: &utf8, at: start, is_last: true };
                marks.seek(at);
                marks.look_ahead(window, b',', 3);
                let mark = text[at..].iter().position(|byte| is_end(*byte)).map(|mark| at + mark);
                assert_eq!(marks.ahead().first().copied(), mark, "from {start} at {at}");
                // Runs that began before the start are as long as what is left of them.
                let next = odd.iter().copied().find(|odd| *odd >= at && *odd >= start + RUN_DIGITS - 1);
                let told = marks.odd().iter().copied().find(|odd| *odd >= start + RUN_DIGITS - 1);
                assert_eq!(told, next.filter(|next| *next < marks.known_to()), "from {start} at {at}");
                // A few are passed over, as those between quotes are.
                at = mark.map_or(text.len(), |mark| mark + 1 + start % 5 * 20);
                found += 1;
            }
        }
        assert!(found > 10_000);
    }
}
