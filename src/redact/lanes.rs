//! Looks at thirty-two bytes together: one bit for each, the first lowest.

use wide::i8x16;

/// Bytes looked at together: most gaps and most values are shorter.
pub(super) const BLOCK: usize = 32;
pub(super) const HALF: usize = BLOCK / 2;
/// Bytes that one register holds.
const LANES: usize = HALF;

#[inline]
fn halves(block: &[u8; BLOCK]) -> [i8x16; 2] {
    bytemuck::cast(*block)
}

#[inline]
fn bits([low, high]: [i8x16; 2]) -> u32 {
    low.to_bitmask() | high.to_bitmask() << LANES
}

/// The bytes equal to this one.
#[inline]
pub(super) fn equal(block: &[u8; BLOCK], byte: u8) -> u32 {
    let byte = i8x16::splat(byte.cast_signed());
    let [low, high] = halves(block);
    bits([low.simd_eq(byte), high.simd_eq(byte)])
}

/// The bytes in which two blocks are the same.
#[inline]
pub(super) fn same(one: &[u8; BLOCK], other: &[u8; BLOCK]) -> u32 {
    let ([one_low, one_high], [low, high]) = (halves(one), halves(other));
    bits([one_low.simd_eq(low), one_high.simd_eq(high)])
}

/// The bytes at which a plain text may not go on: quotes, backslashes, control characters and what is beyond ASCII.
#[inline]
pub(super) fn text_stops(block: &[u8; BLOCK]) -> u32 {
    let [low, high] = halves(block);
    bits([stops(low), stops(high)])
}

/// Where the first of them is, if it is in the first half.
#[inline]
pub(super) fn first_stop(block: &[u8; BLOCK]) -> usize {
    stops(halves(block)[0]).to_bitmask().trailing_zeros() as usize
}

#[inline]
fn stops(half: i8x16) -> i8x16 {
    // With this bit turned the quote is just above the control characters; what is beyond ASCII is negative, so
    // below them.
    let is_low = (half ^ i8x16::splat(0x02)).simd_lt(i8x16::splat(0x21));
    is_low | half.simd_eq(i8x16::splat(0x5C))
}

/// Whether the byte at `AT` is a letter, without a look at it alone.
#[inline]
pub(super) fn is_letter_at<const AT: usize>(block: &[u8; BLOCK]) -> bool {
    let lower = halves(block)[AT / LANES] | i8x16::splat(0x20);
    let letters = lower.simd_gt(i8x16::splat(0x60)) & lower.simd_lt(i8x16::splat(0x7B));
    letters.to_bitmask() >> (AT % LANES) & 1 == 1
}

/// How many of the first `len` bytes are digits.
#[inline]
pub(super) fn digits(block: &[u8; BLOCK], len: usize) -> usize {
    let [low, high] = halves(block);
    let digits = bits([is_digit(low), is_digit(high)]);
    (u64::from(digits) & ((1 << len) - 1)).count_ones() as usize
}

#[inline]
fn is_digit(half: i8x16) -> i8x16 {
    half.simd_gt(i8x16::splat(0x2F)) & half.simd_lt(i8x16::splat(0x3A))
}
