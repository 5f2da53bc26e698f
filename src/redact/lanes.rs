//! Looks at thirty-two bytes together: one bit for each, the first lowest.

use wide::i8x32;

/// Bytes looked at together: most gaps and most values are shorter.
pub(super) const BLOCK: usize = 32;

/// Thirty-two bytes as the processor takes them.
#[inline]
fn lanes(block: &[u8; BLOCK]) -> i8x32 {
    bytemuck::cast(*block)
}

#[inline]
fn splat(byte: u8) -> i8x32 {
    i8x32::splat(byte.cast_signed())
}

#[inline]
fn bits(lanes: i8x32) -> u32 {
    lanes.to_bitmask()
}

/// The bytes equal to this one.
#[inline]
pub(super) fn equal(block: &[u8; BLOCK], byte: u8) -> u32 {
    bits(lanes(block).simd_eq(splat(byte)))
}

/// The bytes in which two blocks are the same.
#[inline]
pub(super) fn same(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> u32 {
    bits(lanes(one).simd_eq(lanes(other)))
}

/// The bytes at which a plain text may not go on: quotes, backslashes, control characters and what is beyond ASCII.
#[inline]
pub(super) fn text_stops(block: &[u8; BLOCK]) -> u32 {
    let block = lanes(block);
    // With this bit turned the quote is just above the control characters; what is beyond ASCII is negative, so
    // below them.
    let is_low = (block ^ splat(0x02)).simd_lt(splat(0x21));
    bits(is_low | block.simd_eq(splat(b'\\')))
}

/// The bytes that are digits.
#[inline]
pub(super) fn digits(block: &[u8; BLOCK]) -> u32 {
    let block = lanes(block);
    bits(block.simd_gt(splat(b'0' - 1)) & block.simd_lt(splat(b'9' + 1)))
}

/// A short text to compare others with.
#[derive(Default)]
pub(super) struct Accepted {
    text: [u8; BLOCK],
    len: usize,
}

impl Accepted {
    /// None, if it is not short.
    pub fn new(of: &[u8]) -> Self {
        let mut text = [0; BLOCK];
        let len = if of.len() <= BLOCK { of.len() } else { 0 };
        text[..len].copy_from_slice(&of[..len]);
        Self { text, len }
    }

    /// Whether it is what the block begins with, of so many bytes.
    #[inline]
    pub fn is(&self, block: &[u8; BLOCK], len: usize) -> bool {
        len == self.len && len > 0 && same(block, &self.text).trailing_ones() as usize >= len
    }
}

/// What stands at which bytes of a CSV text.
pub(super) struct CellMarks {
    /// Delimiters, quotes, control characters and bytes beyond ASCII.
    pub marks: u32,
    pub delimiters: u32,
    /// Bytes before the letters that are no digits: with some of them a formula begins.
    pub odd: u32,
    /// Bytes before the letters, and `_`: long numbers are of them.
    pub numeric: u32,
}

#[inline]
pub(super) fn cell_marks(block: &[u8; BLOCK], delimiter: u8) -> CellMarks {
    let block = lanes(block);
    let is = |byte| block.simd_eq(splat(byte));
    let delimiters = is(delimiter);
    // As above: bytes beyond ASCII, control characters, and the quote.
    let marks = delimiters | (block ^ splat(0x02)).simd_lt(splat(0x21));
    let low = block.simd_lt(splat(b'A'));
    let odd = low & (block ^ splat(b'0')).simd_gt(splat(9));
    CellMarks {
        marks: bits(marks),
        delimiters: bits(delimiters),
        odd: bits(odd),
        numeric: bits(low | is(b'_')),
    }
}
