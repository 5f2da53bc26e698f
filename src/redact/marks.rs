//! Finds the bytes at which a CSV cell can end, sixty-four at a time, some way ahead of the rows that are read.

use wide::i8x16;

use super::stream::Window;

const BLOCK: usize = 64;
const LANES: usize = 16;
/// Places known ahead.
const AHEAD: usize = 1024;

/// Places of delimiters, quotes, control characters and bytes beyond ASCII. The last two are not all of a kind that ends
/// a cell; who finds one there looks again.
pub(super) struct Marks {
    /// In order; those from `next` to `len` are still to come.
    at: Box<[usize; AHEAD]>,
    next: usize,
    len: usize,
    /// How far the text was looked at.
    to: usize,
}

impl Default for Marks {
    fn default() -> Self {
        Self { at: Box::new([0; AHEAD]), next: 0, len: 0, to: 0 }
    }
}

impl Marks {
    /// Another text begins, or the text is looked at again from here on.
    pub fn begin(&mut self, at: usize) {
        (self.next, self.len, self.to) = (0, 0, at);
    }

    /// Looks on until so many marks are known, unless the text ends before or they are too many.
    #[inline]
    pub fn look_ahead(&mut self, window: Window<'_>, delimiter: u8, count: usize) {
        if self.len - self.next < count.min(AHEAD / 2) {
            self.fill(window, delimiter);
        }
    }

    /// The next marks that are known, as places in the text.
    #[inline]
    pub fn ahead(&self) -> &[usize] {
        &self.at[self.next..self.len]
    }

    /// Passes over the marks before a place in the text.
    #[inline]
    pub fn seek(&mut self, at: usize) {
        while self.ahead().first().is_some_and(|mark| *mark < at) {
            self.next += 1;
        }
        self.to = self.to.max(at);
    }

    /// Passes over so many of the next marks.
    #[inline]
    pub fn pass(&mut self, count: usize) {
        self.next += count;
    }

    #[inline(never)]
    fn fill(&mut self, window: Window<'_>, delimiter: u8) {
        self.at.copy_within(self.next..self.len, 0);
        (self.next, self.len) = (0, self.len - self.next);
        while self.len + BLOCK <= AHEAD {
            let rest = window.utf8.text().get(self.to..).unwrap_or_default();
            if let Some(block) = rest.first_chunk() {
                self.add(marks(block, delimiter));
                self.to += BLOCK;
            } else {
                // Letters are no marks.
                let mut block = [b'x'; BLOCK];
                block[..rest.len()].copy_from_slice(rest);
                self.add(marks(&block, delimiter));
                self.to += rest.len();
                return;
            }
        }
    }

    /// Adds the places of the bits, of a block that begins at `to`.
    #[inline]
    fn add(&mut self, mut bits: u64) {
        const FEW: usize = 8;
        let count = bits.count_ones() as usize;
        let Some(room) = self.at[self.len..].first_chunk_mut::<BLOCK>() else { return };
        let (parts, _) = room.as_chunks_mut::<FEW>();
        // What is written beyond the count is written over by the next block.
        for part in parts {
            for place in part {
                *place = self.to + bits.trailing_zeros() as usize;
                bits &= bits.wrapping_sub(1);
            }
            if bits == 0 {
                break;
            }
        }
        self.len += count;
    }
}

/// The marks of a block, one bit for each byte, the first lowest.
#[inline]
fn marks(block: &[u8; BLOCK], delimiter: u8) -> u64 {
    let parts: [i8x16; BLOCK / LANES] = bytemuck::cast(*block);
    let splat = |byte: u8| i8x16::splat(byte.cast_signed());
    parts.iter().rev().fold(0, |bits, part| {
        // Bytes beyond ASCII are negative here.
        let marks = part.simd_eq(splat(delimiter)) | part.simd_lt(splat(b' ')) | part.simd_eq(splat(b'"'));
        bits << LANES | u64::from(marks.to_bitmask())
    })
}

#[cfg(test)]
mod tests {
    use super::super::stream::Utf8;
    use super::*;

    fn is_mark(byte: u8) -> bool {
        byte < b' ' || b",\"".contains(&byte) || !byte.is_ascii()
    }

    #[test]
    fn every_mark_is_found_from_everywhere() {
        let text: Vec<u8> = (0..600_u32)
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
            .chain([b','; 100])
            .collect();
        let utf8 = Utf8::of(&text);
        let mut found = 0;
        for start in 0..text.len() {
            let mut marks = Marks::default();
            let mut at = start;
            while at < text.len() {
                let window = Window { bytes: &text[start..], utf8: &utf8, at: start, is_last: true };
                marks.seek(at);
                marks.look_ahead(window, b',', 3);
                let mark = text[at..].iter().position(|byte| is_mark(*byte)).map(|mark| at + mark);
                assert_eq!(marks.ahead().first().copied(), mark, "from {start} at {at}");
                let all = (at..text.len()).filter(|at| is_mark(text[*at]));
                assert!(all.zip(marks.ahead()).all(|(one, other)| one == *other), "from {start} at {at}");
                // A few are passed over, as those between quotes are.
                at = mark.map_or(text.len(), |mark| mark + 1 + start % 5 * 20);
                found += 1;
            }
        }
        assert!(found > 10_000);
    }
}
