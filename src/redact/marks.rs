//! Finds the bytes at which a CSV cell can end, sixty-four at a time.

use wide::i8x16;

use super::stream::Window;

const BLOCK: usize = 64;
const LANES: usize = 16;

/// The marks not yet taken of the block looked at last: one bit each, the first lowest.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    block: usize,
    bits: u64,
    /// Those of them that are delimiters.
    delimiters: u64,
    /// Where the next block begins.
    next: usize,
}

impl Marks {
    /// The next delimiter, quote, line end or NUL, and whether it is a delimiter, if enough bytes follow to be
    /// looked at together. `None` says nothing.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "or the marks of a row live in memory and not in registers")]
    pub fn look(&mut self, window: Window<'_>, delimiter: u8) -> Option<(usize, bool)> {
        while self.bits == 0 {
            let block = window.bytes.get(self.next..)?.first_chunk::<BLOCK>()?;
            (self.bits, self.delimiters) = marked(block, delimiter);
            self.block = self.next;
            self.next += BLOCK;
        }
        let lowest = self.bits & self.bits.wrapping_neg();
        Some((self.block + lowest.trailing_zeros() as usize, self.delimiters & lowest != 0))
    }

    /// Passes over the mark that was looked at.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as above")]
    pub fn pass(&mut self) {
        self.bits &= self.bits.wrapping_sub(1);
    }

    /// Passes over the marks before `at`.
    pub fn seek(&mut self, at: usize) {
        if at >= self.next {
            (self.bits, self.next) = (0, at);
        } else {
            self.bits &= u64::MAX << at.saturating_sub(self.block);
        }
    }
}

/// All marks of a block, and the delimiters among them.
#[inline]
fn marked(block: &[u8; BLOCK], delimiter: u8) -> (u64, u64) {
    let signs = [delimiter, b'"', b'\n', b'\r', 0].map(|sign| i8x16::splat(sign.cast_signed()));
    let (parts, _) = block.as_chunks::<LANES>();
    let (mut bits, mut ends) = (0, 0);
    for part in parts.iter().rev() {
        let lanes = i8x16::from(part.map(u8::cast_signed));
        let [delimiters, quotes, feeds, returns, nuls] = signs.map(|sign| lanes.simd_eq(sign));
        let others = quotes | (feeds | returns) | nuls;
        ends = ends << LANES | u64::from(delimiters.to_bitmask());
        bits = bits << LANES | u64::from(others.to_bitmask());
    }
    (bits | ends, ends)
}

#[cfg(test)]
mod tests {
    use super::super::stream::Utf8;
    use super::*;

    #[test]
    fn every_mark_is_found_from_everywhere_or_nothing_is_said() {
        let text: Vec<u8> = (0..400_u32)
            .map(|at| match at * at % 97 {
                3 => b',',
                5 => b'"',
                7 => b'\n',
                11 => b'\r',
                13 => 0,
                17 => 0x80,
                19 => 0xFF,
                _ => b'x',
            })
            .collect();
        let utf8 = Utf8::of(&text);
        let window = Window { bytes: &text, utf8: &utf8, at: 0, is_last: true };
        let is_mark = |byte: &u8| b",\"\n\r\0".contains(byte);
        let mut found = 0;
        for start in 0..text.len() {
            let mut marks = Marks::default();
            marks.seek(start);
            let mut at = start;
            while let Some((mark, is_delimiter)) = marks.look(window, b',') {
                marks.pass();
                assert_eq!(text[at..].iter().position(is_mark), Some(mark - at), "from {start} at {at}");
                assert_eq!(is_delimiter, text[mark] == b',', "from {start} at {at}");
                // A few are passed over, as those between quotes are.
                at = (mark + 1 + start % 5 * 20).min(text.len());
                marks.seek(at);
                found += 1;
            }
            // What is left unsaid is less than a block behind the last one.
            assert!(
                text.len() - at < BLOCK || !text[at..text.len() - BLOCK].iter().any(is_mark),
                "from {start}"
            );
        }
        assert!(found > 1_000);
    }
}
