//! Finds the bytes at which a CSV cell can end, sixty-four at a time.

use wide::i8x16;

use super::stream::Window;

const BLOCK: usize = 64;
const LANES: usize = 16;

/// The marked bytes of the last block looked at: one bit each, the first lowest.
#[derive(Default)]
pub(super) struct Marks {
    from: usize,
    bits: u64,
}

impl Marks {
    /// The first delimiter, quote, line end or NUL at or behind `at`, if enough bytes follow it to be looked
    /// at together. `None` says nothing.
    #[inline]
    pub fn next(&mut self, window: Window<'_>, at: usize, delimiter: u8) -> Option<usize> {
        let mut from = at;
        // `bits` is zero until a block was looked at.
        if at >= self.from && at - self.from < BLOCK {
            let bits = self.bits & (u64::MAX << (at - self.from));
            if bits != 0 {
                return Some(self.from + bits.trailing_zeros() as usize);
            }
            if self.bits != 0 {
                from = self.from + BLOCK;
            }
        }
        loop {
            let block = window.bytes.get(from..)?.first_chunk::<BLOCK>()?;
            let bits = marked(block, delimiter);
            (self.from, self.bits) = (from, bits);
            if bits != 0 {
                return Some(from + bits.trailing_zeros() as usize);
            }
            from += BLOCK;
        }
    }
}

#[inline]
fn marked(block: &[u8; BLOCK], delimiter: u8) -> u64 {
    let signs = [delimiter, b'"', b'\n', b'\r', 0].map(|sign| i8x16::splat(sign.cast_signed()));
    let (parts, _) = block.as_chunks::<LANES>();
    let mut bits = 0;
    for part in parts.iter().rev() {
        let lanes = i8x16::from(part.map(u8::cast_signed));
        let [delimiters, quotes, feeds, returns, nuls] = signs.map(|sign| lanes.simd_eq(sign));
        let marks = (delimiters | quotes) | (feeds | returns) | nuls;
        bits = bits << LANES | u64::from(marks.to_bitmask());
    }
    bits
}

#[cfg(test)]
mod tests {
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
        let window = Window { bytes: &text, utf8_to: text.len(), is_last: true };
        let is_mark = |byte: &u8| b",\"\n\r\0".contains(byte);
        let mut found = 0;
        for start in 0..text.len() {
            let mut marks = Marks::default();
            let mut at = start;
            while let Some(mark) = marks.next(window, at, b',') {
                assert_eq!(text[at..].iter().position(is_mark), Some(mark - at), "from {start} at {at}");
                at = mark + 1;
                found += 1;
            }
            // What is left unsaid is less than a block, or holds no mark in its whole blocks.
            let unsaid = &text[at..];
            let whole = unsaid.len() / BLOCK * BLOCK;
            assert!(unsaid.len() < BLOCK * 2 || !unsaid[..whole].iter().any(is_mark), "from {start}");
        }
        assert!(found > 1_000);
    }
}
