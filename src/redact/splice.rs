//! Writes a record as what it was, with some members left out and some values replaced.
//!
//! The input from `pending` on has not been written yet. A kept member does nothing to it; a member that is
//! left out writes what is before it and goes on behind it. The separator belongs to the member that follows
//! it. So a record of which all is kept is written in one piece, byte for byte.

use std::ops::Range;

use super::error::Stop;

pub(super) struct Splice<'a> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
    pending: usize,
    has_left_out: bool,
    /// Whether a member was let out.
    pub has_let_out: bool,
}

/// How far a copy has got.
#[derive(Clone, Copy)]
pub(super) struct Written {
    len: usize,
    pending: usize,
}

impl<'a> Splice<'a> {
    pub fn new(input: &'a [u8], from: usize, out: &'a mut Vec<u8>) -> Self {
        Self { input, out, pending: from, has_left_out: false, has_let_out: false }
    }

    /// Another record, or row, begins behind what was looked at. Returns what is written so far.
    #[inline]
    pub fn begin(&mut self) -> Written {
        (self.has_left_out, self.has_let_out) = (false, false);
        Written { len: self.out.len(), pending: self.pending }
    }

    /// Takes back what was written since then.
    pub fn take_back(&mut self, written: Written) {
        self.out.truncate(written.len);
        self.pending = written.pending;
    }

    /// Lets a member out; `from` is behind the separator before it, which stays behind with the members
    /// before, if none of them was let out.
    #[inline]
    pub fn let_out(&mut self, from: usize) {
        if self.has_left_out && !self.has_let_out {
            self.pending = from;
        }
        self.has_let_out = true;
    }

    /// The same of a member whose separator, if it has one, stands behind blanks at `at`.
    #[inline]
    pub fn let_out_behind_comma(&mut self, at: usize) {
        if self.has_left_out && !self.has_let_out {
            let comma = self.input[at..].iter().position(|byte| *byte == b',');
            self.pending = comma.map_or(at, |comma| at + comma + 1);
        }
        self.has_let_out = true;
    }

    /// Leaves a member out, its separator included.
    #[inline]
    pub fn leave_out(&mut self, from: usize, to: usize) {
        self.write_to(from);
        self.pending = to;
        self.has_left_out = true;
    }

    pub fn replace(&mut self, from: usize, to: usize, fresh: &[u8]) {
        self.write_to(from);
        // Most answers are of one of these lengths, and a copy of a known length is faster.
        match (fresh.first_chunk::<16>(), fresh.first_chunk::<4>(), fresh.len()) {
            (Some(number), _, 16) => self.out.extend_from_slice(number),
            (_, Some(year), 4) => self.out.extend_from_slice(year),
            _ => self.out.extend_from_slice(fresh),
        }
        self.pending = to;
    }

    /// Replaces what `write` is for by what it writes.
    pub fn replace_by(
        &mut self,
        from: usize,
        to: usize,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        self.write_to(from);
        self.pending = to;
        write(self.out)
    }

    /// Adds what is not of the input, behind all that was written.
    pub fn append(&mut self, fresh: &[u8]) {
        self.out.extend_from_slice(fresh);
    }

    /// All before was left out, and so is what stands between there and here.
    pub fn go_on(&mut self, from: usize) {
        self.pending = from;
    }

    #[inline]
    pub fn write_to(&mut self, end: usize) {
        if end <= self.pending {
            return; // as between two members left out
        }
        self.write_some(end);
    }

    #[inline(never)]
    fn write_some(&mut self, end: usize) {
        copy(self.input, self.pending..end, self.out);
        self.pending = end;
    }
}

/// Bytes copied together.
const WIDE: usize = 64;

/// Appends a part of `input`. Many are short and of any length, for which a copy of a fixed length is faster, even if
/// some bytes more are copied: those are beyond the end of `out` and stay there.
#[inline]
pub(super) fn copy(input: &[u8], part: Range<usize>, out: &mut Vec<u8>) {
    let len = part.len();
    match input[part.start..].first_chunk::<WIDE>() {
        Some(wide) if len <= WIDE => {
            let end = out.len() + len;
            out.extend_from_slice(wide);
            out.truncate(end);
        }
        Some(_) | None => out.extend_from_slice(&input[part]),
    }
}
