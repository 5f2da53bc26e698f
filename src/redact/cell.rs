//! One cell of a CSV row (RFC 4180): where it ends, whether it is quoted, and how a text is written as one.

use crate::domain::Formulas;

use super::error::{Problem, Stop};
use super::stream::Window;

/// A cell from `start` to `end`, its content inside the quotes it may have.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    pub start: usize,
    pub end: usize,
    pub is_quoted: bool,
    /// Whether quotes are doubled in it.
    pub is_escaped: bool,
    pub next: Next,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Cell,
    /// The line end's length; none behind the last row's, perhaps.
    Row(usize),
}

/// The cell at `at`, which may be empty.
pub(super) fn cell(window: Window<'_>, at: usize, delimiter: u8) -> Result<Cell, Stop> {
    let is_quoted = window.bytes.get(at) == Some(&b'"');
    let (end, is_escaped) =
        if is_quoted { quoted(window, at + 1)? } else { (bare(window, at, delimiter)?, false) };
    let next = match window.bytes.get(end) {
        None if window.is_last => Next::Row(0),
        None => return Err(Stop::More),
        Some(b'\n') => Next::Row(1),
        Some(b'\r') => match window.bytes.get(end + 1) {
            Some(b'\n') => Next::Row(2),
            None if !window.is_last => return Err(Stop::More),
            Some(_) | None => return Stop::bad(end, Problem::BareCarriageReturn),
        },
        Some(&byte) if byte == delimiter => Next::Cell,
        Some(_) => return Stop::bad(end, Problem::StrayQuote),
    };
    if !window.bytes[at..end].is_ascii() {
        window.check_utf8(end)?;
    }
    Ok(Cell { start: at, end, is_quoted, is_escaped, next })
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks each byte of `eight` that is `byte`; the lowest mark is exact.
fn marks(eight: u64, byte: u8) -> u64 {
    let bytes = eight ^ (ONES * u64::from(byte));
    bytes.wrapping_sub(ONES) & !bytes & HIGHS
}

/// Passes over plain bytes from `at`, eight at a time: to the next marked one, or to the last seven.
fn plain(window: Window<'_>, mut at: usize, marks: impl Fn(u64) -> u64) -> usize {
    while let Some(eight) = window.bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let eight = u64::from_le_bytes(*eight);
        let marks = marks(eight);
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// The end of a cell without quotes: a delimiter, a line end, or the window's end.
fn bare(window: Window<'_>, at: usize, delimiter: u8) -> Result<usize, Stop> {
    let all = |eight| {
        let ends = marks(eight, delimiter) | marks(eight, b'\n') | marks(eight, b'\r');
        ends | marks(eight, b'"') | marks(eight, 0)
    };
    let mut pos = at;
    loop {
        pos = plain(window, pos, all);
        match window.bytes.get(pos) {
            None | Some(b'\n' | b'\r') => return Ok(pos),
            Some(b'"') => return Stop::bad(pos, Problem::StrayQuote),
            Some(0) => return Stop::bad(pos, Problem::ControlCharacter),
            Some(&byte) if byte == delimiter => return Ok(pos),
            Some(_) => pos += 1,
        }
    }
}

/// Just behind the closing quote, and whether quotes were doubled before it.
fn quoted(window: Window<'_>, at: usize) -> Result<(usize, bool), Stop> {
    let all = |eight| marks(eight, b'"') | marks(eight, 0);
    let mut pos = at;
    let mut is_escaped = false;
    loop {
        pos = plain(window, pos, all);
        match window.byte(pos)? {
            b'"' => match window.bytes.get(pos + 1) {
                Some(b'"') => {
                    is_escaped = true;
                    pos += 2;
                }
                // Whether the quote is doubled in the next piece is looked at when there is one.
                Some(_) | None => return Ok((pos + 1, is_escaped)),
            },
            0 => return Stop::bad(pos, Problem::ControlCharacter),
            _ => pos += 1,
        }
    }
}

/// Whether a spreadsheet would read a formula, in half or full width.
pub(super) fn begins_formula(content: &[u8]) -> bool {
    match content.first() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\n') => true,
        Some(0xEF) => ["＝", "＋", "－", "＠"].iter().any(|sign| content.starts_with(sign.as_bytes())),
        Some(_) | None => false,
    }
}

/// A text of the plan as a cell. Where formulas do not leave as they came, they do not leave the plan either.
pub(super) fn write_cell(text: &str, delimiter: u8, formulas: Formulas) -> Vec<u8> {
    let mut cell = text.replace('"', "\"\"");
    match formulas {
        Formulas::Neutralise | Formulas::Abort if begins_formula(text.as_bytes()) => cell.insert(0, '\''),
        Formulas::Neutralise | Formulas::Abort | Formulas::Keep => {}
    }
    if text.bytes().any(|byte| byte == delimiter || b"\"\r\n".contains(&byte)) {
        cell = format!("\"{cell}\"");
    }
    cell.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_bytes_have_no_mark_and_the_lowest_mark_is_exact() {
        assert_eq!(marks(u64::from_le_bytes(*b"SITI 123"), b','), 0);
        for at in 0..8 {
            // A byte above a mark may be marked without cause: those that differ from it in the lowest bit.
            let mut eight = [b'-'; 8];
            eight[..at].fill(b'a');
            eight[at] = b',';
            assert_eq!(
                marks(u64::from_le_bytes(eight), b',').trailing_zeros() / 8,
                u32::try_from(at).unwrap()
            );
        }
    }
}
