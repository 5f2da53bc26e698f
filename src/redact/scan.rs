//! The grammar of JSON (RFC 8259) over a window: where a string, a number, a name or a whole value ends.
//!
//! Everything is checked, kept or not: escapes, surrogate pairs, leading zeros, UTF-8, nesting, and names
//! that occur twice in one object. Nothing recurses and nothing is built up but one hash for each name.

use super::error::{Problem, Stop};
use super::rules;
use super::stream::Window;

/// A string between its quotes.
#[derive(Clone, Copy)]
pub(super) struct Text {
    /// Just behind the closing quote.
    pub end: usize,
    pub is_escaped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text { is_escaped: bool },
    Number,
    Bool,
    Null,
    Container,
}

#[derive(Clone, Copy)]
pub(super) struct Value {
    pub start: usize,
    pub end: usize,
    pub kind: Kind,
}

/// A name with its quotes, from `start` to `end`.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub start: usize,
    pub end: usize,
    pub hash: u64,
    is_escaped: bool,
}

/// Levels that fit into the bits of one word, the record itself included.
const LEVELS_MAX: usize = 64;

/// Reads names and values, and holds what has to be remembered inside one record.
pub(super) struct Scanner {
    depth_max: usize,
    /// Hashes of the names in the objects that are open, outermost first.
    names: Vec<u64>,
    /// The last name that held escapes, decoded.
    name: Vec<u8>,
}

impl Scanner {
    pub fn new(depth_max: usize) -> Self {
        Self { depth_max: depth_max.min(LEVELS_MAX), names: Vec::new(), name: Vec::new() }
    }

    /// Forgets the names of an unfinished object; call it before each record.
    pub fn begin(&mut self) {
        self.names.clear();
    }

    /// Whether a name was noted since the record began.
    pub fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// Notes names that were read elsewhere, by their hashes.
    pub fn note(&mut self, hashes: impl Iterator<Item = u64>) {
        self.names.extend(hashes);
    }

    /// Ends an object whose names were noted from `first` on.
    pub fn end_object(&mut self, first: usize, at: usize) -> Result<(), Stop> {
        let is_twice = rules::has_twice(&mut self.names[first..]);
        self.names.truncate(first);
        if is_twice { Stop::bad(at, Problem::DuplicateKey) } else { Ok(()) }
    }

    /// The name at `at`, noted for its object.
    pub fn key(&mut self, window: Window<'_>, at: usize) -> Result<Key, Stop> {
        let key = self.read_key(window, at)?;
        self.names.push(key.hash);
        Ok(key)
    }

    /// The name at `at`, or a string that is read as one.
    pub fn read_key(&mut self, window: Window<'_>, at: usize) -> Result<Key, Stop> {
        if window.byte(at)? != b'"' {
            return Stop::bad(at, Problem::Syntax);
        }
        let text = string(window, at)?;
        let inner = &window.bytes[at + 1..text.end - 1];
        let hash = if text.is_escaped {
            self.name.clear();
            decode(inner, &mut self.name);
            if self.name.contains(&0) {
                return Stop::bad(at, Problem::NulInName);
            }
            rules::hash(&self.name)
        } else {
            rules::hash(inner)
        };
        Ok(Key { start: at, end: text.end, hash, is_escaped: text.is_escaped })
    }

    /// The decoded name; valid until the next one is read.
    pub fn name<'a>(&'a self, window: Window<'a>, key: Key) -> &'a [u8] {
        if key.is_escaped { &self.name } else { &window.bytes[key.start + 1..key.end - 1] }
    }

    pub fn value(&mut self, window: Window<'_>, at: usize) -> Result<Value, Stop> {
        let (end, kind) = match window.byte(at)? {
            b'"' => {
                let text = string(window, at)?;
                (text.end, Kind::Text { is_escaped: text.is_escaped })
            }
            b'-' | b'0'..=b'9' => (number(window, at)?, Kind::Number),
            b't' => (word(window, at, b"true")?, Kind::Bool),
            b'f' => (word(window, at, b"false")?, Kind::Bool),
            b'n' => (word(window, at, b"null")?, Kind::Null),
            b'{' | b'[' => (self.container(window, at)?, Kind::Container),
            _ => return Stop::bad(at, Problem::Syntax),
        };
        Ok(Value { start: at, end, kind })
    }

    /// The end of an object or array that is a member of the record. The innermost level is the lowest bit of
    /// `objects`.
    fn container(&mut self, window: Window<'_>, at: usize) -> Result<usize, Stop> {
        let mut objects = 0_u64;
        let mut depth = 1;
        let mut firsts = [0; LEVELS_MAX];
        let mut pos = at;
        loop {
            // A value begins at `pos`.
            let first = window.byte(pos)?;
            if first == b'{' || first == b'[' {
                if depth == self.depth_max {
                    return Stop::bad(pos, Problem::TooDeep { limit: self.depth_max });
                }
                firsts[depth] = self.names.len();
                depth += 1;
                objects = objects << 1 | u64::from(first == b'{');
                pos = blanks(window, pos + 1);
                match (first, window.byte(pos)?) {
                    (b'{', b'}') | (b'[', b']') => {}
                    (b'{', _) => {
                        pos = self.member(window, pos)?;
                        continue;
                    }
                    _ => continue,
                }
            } else {
                pos = match first {
                    b'"' => string(window, pos)?.end,
                    b'-' | b'0'..=b'9' => number(window, pos)?,
                    b't' => word(window, pos, b"true")?,
                    b'f' => word(window, pos, b"false")?,
                    b'n' => word(window, pos, b"null")?,
                    _ => return Stop::bad(pos, Problem::Syntax),
                };
            }
            // A value ended before `pos`, or the container that opened there is empty.
            loop {
                if depth == 1 {
                    return Ok(pos);
                }
                pos = blanks(window, pos);
                let is_object = objects & 1 == 1;
                match window.byte(pos)? {
                    b',' => {
                        pos = blanks(window, pos + 1);
                        if is_object {
                            pos = self.member(window, pos)?;
                        }
                        break;
                    }
                    b'}' if is_object => self.end_object(firsts[depth - 1], pos)?,
                    b']' if !is_object => {}
                    _ => return Stop::bad(pos, Problem::Syntax),
                }
                objects >>= 1;
                depth -= 1;
                pos += 1;
            }
        }
    }

    /// A name and its colon; returns where the value begins.
    fn member(&mut self, window: Window<'_>, at: usize) -> Result<usize, Stop> {
        let key = self.key(window, at)?;
        colon(window, key.end)
    }
}

/// The colon at or behind `at`; returns where the value begins.
pub(super) fn colon(window: Window<'_>, at: usize) -> Result<usize, Stop> {
    let at = blanks(window, at);
    if window.byte(at)? == b':' { Ok(blanks(window, at + 1)) } else { Stop::bad(at, Problem::Syntax) }
}

/// The next member or element of a container, from behind the opening bracket or the value before it: where its text
/// begins behind the comma, and where it begins itself. `None` where the container ends.
pub(super) fn element(
    window: Window<'_>,
    from: usize,
    is_first: bool,
    close: u8,
) -> Result<Option<(usize, usize)>, Stop> {
    let at = blanks(window, from);
    match window.byte(at)? {
        byte if byte == close => Ok(None),
        b',' if !is_first => Ok(Some((at + 1, blanks(window, at + 1)))),
        _ if is_first => Ok(Some((from, at))),
        _ => Stop::bad(at, Problem::Syntax),
    }
}

/// Sees to it that what stands at `at` begins as it has to: a value of another kind is of the wrong shape, and
/// anything else breaks the grammar.
pub(super) fn expect(window: Window<'_>, at: usize, first: u8) -> Result<(), Stop> {
    match window.byte(at)? {
        byte if byte == first => Ok(()),
        b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
            Stop::bad(at, Problem::UnexpectedShape)
        }
        _ => Stop::bad(at, Problem::Syntax),
    }
}

/// The first byte at or behind `at` that is not a blank, or the window's end.
pub(super) fn blanks(window: Window<'_>, mut at: usize) -> usize {
    while let Some(b' ' | b'\t' | b'\n' | b'\r') = window.bytes.get(at) {
        at += 1;
    }
    at
}

fn word(window: Window<'_>, at: usize, word: &[u8]) -> Result<usize, Stop> {
    for (offset, &expected) in word.iter().enumerate() {
        if window.byte(at + offset)? != expected {
            return Stop::bad(at + offset, Problem::Syntax);
        }
    }
    Ok(at + word.len())
}

/// Needs one byte behind the number, which in an object there always is.
fn number(window: Window<'_>, at: usize) -> Result<usize, Stop> {
    let mut pos = at + usize::from(window.byte(at)? == b'-');
    if window.byte(pos)? == b'0' {
        pos += 1;
    } else {
        pos = digits(window, pos)?;
    }
    if window.byte(pos)? == b'.' {
        pos = digits(window, pos + 1)?;
    }
    if matches!(window.byte(pos)?, b'e' | b'E') {
        pos += 1;
        pos += usize::from(matches!(window.byte(pos)?, b'+' | b'-'));
        pos = digits(window, pos)?;
    }
    window.byte(pos)?;
    Ok(pos)
}

/// One digit or more.
fn digits(window: Window<'_>, at: usize) -> Result<usize, Stop> {
    if !window.byte(at)?.is_ascii_digit() {
        return Stop::bad(at, Problem::Syntax);
    }
    let mut pos = at + 1;
    while window.byte(pos)?.is_ascii_digit() {
        pos += 1;
    }
    Ok(pos)
}

/// The string whose opening quote is at `at`.
pub(super) fn string(window: Window<'_>, at: usize) -> Result<Text, Stop> {
    let mut pos = at + 1;
    let mut is_escaped = false;
    // The bits of bytes beyond ASCII, of some behind the string perhaps.
    let mut beyond = 0;
    loop {
        while let Some(eight) = window.bytes.get(pos..).and_then(<[u8]>::first_chunk::<8>) {
            let eight = u64::from_le_bytes(*eight);
            beyond |= eight & HIGHS;
            let stops = stops(eight);
            if stops != 0 {
                pos += (stops.trailing_zeros() / 8) as usize;
                break;
            }
            pos += 8;
        }
        match window.byte(pos)? {
            b'"' => break,
            b'\\' => {
                is_escaped = true;
                pos = escape(window, pos)?;
            }
            0..=0x1F => return Stop::bad(pos, Problem::ControlCharacter),
            byte => {
                beyond |= u64::from(byte) & HIGHS;
                pos += 1;
            }
        }
    }
    let end = pos + 1;
    if beyond != 0 {
        window.check_utf8(end)?;
    }
    Ok(Text { end, is_escaped })
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Marks quotes, backslashes and control characters among eight bytes; the lowest mark is exact.
fn stops(eight: u64) -> u64 {
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let control = eight.wrapping_sub(ONES * 0x20) & !eight;
    (zero(eight ^ (ONES * 0x22)) | zero(eight ^ (ONES * 0x5C)) | control) & HIGHS
}

/// The end of the escape whose backslash is at `at`.
fn escape(window: Window<'_>, at: usize) -> Result<usize, Stop> {
    match window.byte(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => match hex(window, at + 2)? {
            0xD800..=0xDBFF => {
                for (offset, expected) in [(6, b'\\'), (7, b'u')] {
                    if window.byte(at + offset)? != expected {
                        return Stop::bad(at, Problem::LoneSurrogate);
                    }
                }
                if matches!(hex(window, at + 8)?, 0xDC00..=0xDFFF) {
                    Ok(at + 12)
                } else {
                    Stop::bad(at, Problem::LoneSurrogate)
                }
            }
            0xDC00..=0xDFFF => Stop::bad(at, Problem::LoneSurrogate),
            _ => Ok(at + 6),
        },
        _ => Stop::bad(at + 1, Problem::Syntax),
    }
}

fn hex(window: Window<'_>, at: usize) -> Result<u32, Stop> {
    let mut unit = 0;
    for pos in at..at + 4 {
        match hex_digit(window.byte(pos)?) {
            Some(digit) => unit = unit << 4 | digit,
            None => return Stop::bad(pos, Problem::Syntax),
        }
    }
    Ok(unit)
}

fn hex_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}

/// Appends what the inside of a checked string means, escapes undone.
pub(super) fn decode(mut inner: &[u8], to: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(b'\\', inner) {
        to.extend_from_slice(&inner[..at]);
        let (character, len) = match inner.get(at + 1) {
            Some(b'b') => ('\u{8}', 2),
            Some(b'f') => ('\u{C}', 2),
            Some(b'n') => ('\n', 2),
            Some(b'r') => ('\r', 2),
            Some(b't') => ('\t', 2),
            Some(b'u') => decode_unicode(&inner[at..]),
            Some(&other) => (char::from(other), 2),
            None => (char::REPLACEMENT_CHARACTER, 1),
        };
        to.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        inner = inner.get(at + len..).unwrap_or_default();
    }
    to.extend_from_slice(inner);
}

/// The character of a `\uXXXX` or of a pair of them, and the length of its escapes.
fn decode_unicode(escapes: &[u8]) -> (char, usize) {
    let unit = |at: usize| {
        let digits = escapes.get(at..at + 4).unwrap_or_default();
        digits.iter().fold(0, |unit, &byte| unit << 4 | hex_digit(byte).unwrap_or_default())
    };
    let (code, len) = match unit(2) {
        high @ 0xD800..=0xDBFF => {
            (0x1_0000 + ((high - 0xD800) << 10 | unit(8).wrapping_sub(0xDC00) & 0x3FF), 12)
        }
        code => (code, 6),
    };
    (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), len)
}

/// Appends `text` as a JSON string with its quotes.
pub(super) fn write_string(text: &[u8], to: &mut Vec<u8>) {
    to.push(b'"');
    let mut rest = text;
    // Bytes of longer characters are all above these.
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)) {
        to.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => to.extend_from_slice(b"\\n"),
            b'\r' => to.extend_from_slice(b"\\r"),
            b'\t' => to.extend_from_slice(b"\\t"),
            control @ 0..=0x1F => {
                to.extend_from_slice(b"\\u00");
                to.extend([control >> 4, control & 0xF].map(|digit| b"0123456789abcdef"[usize::from(digit)]));
            }
            sign => to.extend([b'\\', sign]),
        }
        rest = &rest[at + 1..];
    }
    to.extend_from_slice(rest);
    to.push(b'"');
}
