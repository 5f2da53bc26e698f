//! Gaps that the plain path has read before: the bytes between two values of a record, with what they mean.
//!
//! `,"nik":` after a value is the name `nik`, whoever reads it and however often. So a gap that was read once
//! in full is recognised by one comparison of 32 bytes, and what was found then holds again. This is memory of
//! the plain path and nothing else: a gap that is not known byte for byte, at a place of the same kind, is read
//! in full.
//!
//! Each gap remembers which one came behind it. Where another stands there, that one is looked up by its name's
//! bytes. A name has one bit, whatever gaps it stands in: a name that comes twice in a record is not recognised
//! the second time, and the plain path finds that it does.
//!
//! The file is one piece: what is remembered of a gap and the loop that trusts it are read together.

use super::lanes;
use super::rules::Ease;
use super::sweep;

/// Longest gap remembered, with the quote behind it; longer ones are read each time.
const GAP_BYTES: usize = lanes::BLOCK;
/// Bytes that have to follow for a gap and a short text to be looked at.
const AHEAD_BYTES: usize = 3 * GAP_BYTES;
/// Most gaps remembered, and the one that stands for none.
const GAPS_MAX: usize = 128;
const NONE: u8 = 127;
/// Most names in them: one bit of a word each.
const NAMES_MAX: usize = 63;
/// The bit that no gap may have: of those that are none, all bits are set.
const NOWHERE: u64 = 1 << 63;
/// Places of gaps by the bytes of their names, at most half full.
const SLOTS: usize = 256;
/// Gaps looked at from the expected one on: records may leave some out.
const AHEAD: usize = 4;
/// Slots looked at for one name.
const PROBES: usize = 4;
/// Records without one known gap after which nothing is looked for until a while later.
const PATIENCE: u32 = 8;
const REST: u32 = 256;

/// A name and what follows from it. Places are counted from the beginning of the gap.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    /// Behind the separator.
    pub behind_comma: usize,
    pub key_start: usize,
    pub key_end: usize,
    /// Where the value begins: the length of the gap.
    pub value_at: usize,
    pub hash: u64,
    /// The place of the name's rule.
    pub rule: Option<usize>,
    /// Whether the name, without a rule, looks like one with a rule.
    pub is_near: bool,
    pub ease: Ease,
}

/// What is needed of a gap to pass over it: one line of the processor's memory.
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(super) struct Gap {
    text: [u8; GAP_BYTES],
    /// The bytes of `text` that are the gap, with the quote of a text behind it, one bit each.
    extent: u32,
    /// Whether it stands before the first member, where there is no separator.
    is_first: bool,
    is_text: bool,
    /// The same of a text, and nothing of another value.
    is_first_text: Option<bool>,
    behind_comma: u8,
    value_at: u8,
    ease: Ease,
    is_kept: bool,
    /// The gap that came behind it.
    after: u8,
    /// Whether another stood in its place, and it has not come since.
    is_doubted: bool,
    /// The name's bit; all bits where there is no gap.
    name: u64,
}

impl Gap {
    const NONE: Self = Self {
        text: [0; GAP_BYTES],
        extent: 0,
        is_first: false,
        is_text: false,
        is_first_text: None,
        behind_comma: 0,
        value_at: 0,
        ease: Ease::None,
        is_kept: false,
        after: NONE,
        is_doubted: true,
        name: u64::MAX,
    };

    /// Whether `text` begins with this gap and not with one that goes on with more blanks.
    #[inline]
    fn is_at(&self, text: &[u8; GAP_BYTES], is_first: bool, seen: u64) -> bool {
        let behind = text[self.value_at()];
        lanes::same(text, &self.text) & self.extent == self.extent
            && seen & self.name == 0
            && self.is_first == is_first
            && (behind == b'"') == self.is_text
            && !matches!(behind, b' ' | b'\t' | b'\n' | b'\r')
    }

    /// The plain text behind this gap, from the byte behind its quote on, and its length, if both stand where `text`
    /// begins and the text is short.
    #[inline]
    fn text<'a>(
        &self,
        text: &'a [u8; AHEAD_BYTES],
        is_first: bool,
        seen: u64,
    ) -> Option<(&'a [u8; GAP_BYTES], usize)> {
        let (head, _) = text.as_chunks::<GAP_BYTES>();
        if lanes::same(&head[0], &self.text) & self.extent != self.extent
            || seen & self.name != 0
            || self.is_first_text != Some(is_first)
        {
            return None;
        }
        let value = text[self.value_at() + 1..].first_chunk()?;
        let stops = lanes::text_stops(value);
        let len = stops.trailing_zeros() as usize;
        (stops != 0 && value[len % GAP_BYTES] == b'"').then_some((value, len))
    }

    #[inline]
    fn value_at(&self) -> usize {
        usize::from(self.value_at) % GAP_BYTES
    }
}

/// A member that was passed over.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    /// Where its gap, its text and the next member's gap begin.
    pub at: usize,
    pub start: usize,
    pub end: usize,
    /// Its gap, for [`Guesses::meaning_at`].
    pub place: u8,
    pub ease: Ease,
}

/// Members noted before what they mean is carried out.
const NOTED_MAX: usize = 32;

/// A short text to compare others with.
#[derive(Default)]
pub(super) struct Accepted {
    text: [u8; lanes::BLOCK],
    len: usize,
}

impl Accepted {
    /// None, if it is not short.
    pub fn new(of: &[u8]) -> Self {
        let mut text = [0; lanes::BLOCK];
        let len = if of.len() < sweep::RUN_DIGITS { of.len() } else { 0 };
        text[..len].copy_from_slice(&of[..len]);
        Self { text, len }
    }

    #[inline]
    fn is(&self, value: &[u8; lanes::BLOCK], len: usize) -> bool {
        len == self.len && len > 0 && lanes::same(value, &self.text).trailing_ones() as usize >= len
    }
}

/// What was found where another gap than the expected one seemed to stand.
pub(super) enum Found {
    /// The expected one all the same, with a value that is no plain text.
    Expected,
    /// One that is known, and expected from here on.
    Other,
    Nothing,
}

pub(super) struct Guesses {
    gaps: Box<[Gap; GAPS_MAX]>,
    meanings: Vec<Meaning>,
    /// Hashes of the names, by their bits.
    names: Vec<u64>,
    slots: Box<[u8; SLOTS]>,
    /// The gap that the last record began with.
    first: u8,
    /// The gap taken last, and the one expected behind it.
    last: u8,
    next: u8,
    /// The names recognised in this record, and the bit that no gap may have.
    seen: u64,
    noted: Box<[Noted; NOTED_MAX]>,
    noted_len: usize,
    /// Records in a row in which none was; or, from `PATIENCE` on, how long to rest.
    misses: u32,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            gaps: Box::new([Gap::NONE; GAPS_MAX]),
            meanings: Vec::new(),
            names: Vec::new(),
            slots: Box::new([NONE; SLOTS]),
            first: NONE,
            last: NONE,
            next: NONE,
            seen: NOWHERE,
            noted: Box::new([Noted { at: 0, start: 0, end: 0, place: NONE, ease: Ease::None }; NOTED_MAX]),
            noted_len: 0,
            misses: 0,
        }
    }
}

impl Guesses {
    /// A new record begins.
    pub fn begin(&mut self) {
        if self.seen != NOWHERE {
            self.misses = 0;
        } else if !self.meanings.is_empty() {
            self.misses += 1;
            if self.misses == PATIENCE + REST {
                *self = Self::default();
            }
        }
        self.last = NONE;
        self.next = if self.is_resting() { NONE } else { self.first };
        self.seen = NOWHERE;
    }

    fn is_resting(&self) -> bool {
        self.misses >= PATIENCE
    }

    #[inline]
    fn at(&self, place: u8) -> &Gap {
        &self.gaps[usize::from(place) % GAPS_MAX]
    }

    #[inline]
    fn at_mut(&mut self, place: u8) -> &mut Gap {
        &mut self.gaps[usize::from(place) % GAPS_MAX]
    }

    /// What the expected gap means, once it is known that it is there.
    pub fn meaning(&self) -> &Meaning {
        self.meaning_at(self.next)
    }

    #[inline]
    pub fn meaning_at(&self, place: u8) -> &Meaning {
        &self.meanings[usize::from(place)]
    }

    #[inline]
    pub fn behind_comma(&self, place: u8) -> usize {
        usize::from(self.at(place).behind_comma)
    }

    /// Passes over members from `at` on as long as they are those expected or the next but one, and their values short
    /// plain texts of which no more has to be known. Notes those that do not just stay as they are, and the first
    /// that does. Returns where it stopped. A loop without calls, and so without memory for what it has in hand.
    #[inline(never)]
    pub fn pass(&mut self, bytes: &[u8], mut at: usize, first: usize, accepted: &Accepted) -> usize {
        let (mut last, mut next, mut seen) = (self.last, self.next, self.seen);
        let mut noted = 0;
        let mut is_kept_noted = false;
        while let Some(text) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let is_first = at == first;
            let (mut place, mut gap) = (next, &self.gaps[usize::from(next) % GAPS_MAX]);
            let (value, len) = match gap.text(text, is_first, seen) {
                Some(found) => found,
                None => {
                    place = gap.after;
                    gap = &self.gaps[usize::from(place) % GAPS_MAX];
                    match gap.text(text, is_first, seen) {
                        Some(found) => found,
                        None => break,
                    }
                }
            };
            let start = at + gap.value_at() + 1;
            let end = start + len + 1;
            if gap.is_kept {
                if sweep::short_may_hold(value, len) {
                    break;
                }
            } else if gap.ease == Ease::None
                || (matches!(gap.ease, Ease::Area { .. }) && !accepted.is(value, len))
            {
                break;
            }
            if !gap.is_kept || !is_kept_noted {
                let Some(note) = self.noted.get_mut(noted) else { break };
                *note = Noted { at, start, end, place, ease: gap.ease };
                noted += 1;
                is_kept_noted |= gap.is_kept;
            }
            at = end;
            seen |= gap.name;
            (last, next) = (place, gap.after);
            #[cfg(test)]
            RECOGNISED.set(RECOGNISED.get() + 1);
        }
        (self.last, self.next, self.seen) = (last, next, seen);
        self.noted_len = noted;
        at
    }

    /// The members that were noted by the last [`Guesses::pass`].
    #[inline]
    pub fn noted(&self, which: usize) -> Option<&Noted> {
        self.noted[..self.noted_len].get(which)
    }

    /// Takes the expected gap as read.
    #[inline]
    pub fn take(&mut self) {
        let gap = self.at(self.next);
        let (name, after) = (gap.name, gap.after);
        self.seen |= name;
        (self.last, self.next) = (self.next, after);
        #[cfg(test)]
        RECOGNISED.set(RECOGNISED.get() + 1);
    }

    /// Another gap than the expected one stands at `text`, or none that is known. If it is known, it is expected from
    /// here on.
    #[inline(never)]
    pub fn find(&mut self, text: &[u8; GAP_BYTES], is_first: bool) -> Found {
        if text[0] == b'}' || self.is_resting() {
            return Found::Nothing;
        }
        let mut place = self.next;
        for ahead in 0..AHEAD {
            let gap = self.at(place);
            if gap.is_at(text, is_first, self.seen) {
                self.expect(place);
                return if ahead == 0 { Found::Expected } else { Found::Other };
            }
            place = gap.after;
        }
        let Some(slot) = slot(text) else { return Found::Nothing };
        let places = (slot..slot + PROBES).map(|slot| self.slots[slot % SLOTS]);
        let mut places = places.take_while(|place| *place != NONE);
        match places.find(|place| self.at(*place).is_at(text, is_first, self.seen)) {
            Some(place) => {
                self.expect(place);
                #[cfg(test)]
                LOOKED_UP.set(LOOKED_UP.get() + 1);
                Found::Other
            }
            None => Found::Nothing,
        }
    }

    /// The gap that stands behind the last one. Where another was expected, it is from the second time on.
    fn expect(&mut self, place: u8) {
        let is_other = self.next != place;
        let expected = self.at_mut(self.next);
        if is_other && !expected.is_doubted {
            expected.is_doubted = true;
        } else if self.last == NONE {
            self.first = place;
        } else {
            self.at_mut(self.last).after = place;
        }
        self.at_mut(place).is_doubted = false;
        self.next = place;
    }

    /// Remembers a gap that was just read in full, with the byte behind it, unless it cannot be.
    pub fn learn(&mut self, gap: &[u8], value: u8, is_first: bool, meaning: Meaning) {
        let place = self.meanings.len();
        if self.is_resting() || gap.len() >= GAP_BYTES || place == usize::from(NONE) {
            return;
        }
        let is_text = value == b'"';
        let len = gap.len() + usize::from(is_text);
        let mut text = [0; GAP_BYTES];
        text[..gap.len()].copy_from_slice(gap);
        text[gap.len()..len].fill(b'"');
        let extent = u32::MAX >> (GAP_BYTES - len);
        let is_known = |known: &Gap| known.text == text && known.extent == extent;
        let (Some(slot), false) = (slot(&text), self.gaps[..place].iter().any(is_known)) else { return };
        let Some(slot) = (slot..slot + PROBES).find(|slot| self.slots[slot % SLOTS] == NONE) else { return };
        let name = match self.names.iter().position(|name| *name == meaning.hash) {
            Some(name) => name,
            None if self.names.len() == NAMES_MAX => return,
            None => {
                self.names.push(meaning.hash);
                self.names.len() - 1
            }
        };
        let byte = |place: usize| u8::try_from(place).unwrap_or_default();
        let place = byte(place);
        *self.at_mut(place) = Gap {
            text,
            extent,
            ease: meaning.ease,
            is_kept: meaning.ease == Ease::Keep,
            is_first,
            is_text,
            is_first_text: is_text.then_some(is_first),
            behind_comma: byte(meaning.behind_comma),
            value_at: byte(meaning.value_at),
            after: NONE,
            is_doubted: false,
            name: 1 << name,
        };
        self.slots[slot % SLOTS] = place;
        self.meanings.push(meaning);
        self.expect(place);
        (self.last, self.next) = (place, NONE);
    }

    /// Hashes of the names recognised in this record.
    pub fn seen(&self) -> impl Iterator<Item = u64> {
        let is_seen = |name: usize| self.seen >> name & 1 == 1;
        self.names.iter().enumerate().filter(move |(name, _)| is_seen(*name)).map(|(_, hash)| *hash)
    }
}

/// Where a gap is looked for: by its bytes up to the second quote, of which the first sixteen count.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
fn slot(text: &[u8; GAP_BYTES]) -> Option<usize> {
    let quotes = lanes::equal(text, b'"');
    let second = quotes & quotes.wrapping_sub(1);
    if second == 0 {
        return None;
    }
    let beyond = 16_usize.saturating_sub(second.trailing_zeros() as usize);
    let name = u128::from_le_bytes(*text.first_chunk()?) << (beyond * 8);
    let mixed = (name as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (name >> 64) as u64;
    Some((mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as usize)
}

#[cfg(test)]
std::thread_local! {
    /// How often a gap was recognised by this thread: tests of the fast way fail when it was never taken.
    pub(super) static RECOGNISED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    /// How often one was looked up by its name.
    static LOOKED_UP: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::super::harness::{array, run_all_cuts, standard};
    use super::super::{Coding, Limits};
    use super::*;

    /// A record as often as it takes for its gaps to be known, then the one to be looked at, then others again.
    fn among(known: &str, looked_at: &str) -> String {
        format!("[{known},{known},{looked_at},{known},{known}]")
    }

    #[test]
    fn a_known_gap_is_the_same_gap_or_is_read_again() {
        const KNOWN: &str =
            r#"{"kode":"9901","nik":"9901014512900003","nama":"SITI","x":1,"alamat":"KENANGA"}"#;
        const SHOWN: &str = r#"{"kode":"9901","nik":"990101**********","nama":"SITI"}"#;
        let cases = [
            (
                "more blanks",
                r#"{"kode": "9901","nik": "1", "nama":"A"}"#,
                r#"{"kode": "9901","nik": "****", "nama":"A"}"#,
            ),
            ("blanks before the comma", r#"{"kode":"9901" ,"nama":"A"}"#, r#"{"kode":"9901" ,"nama":"A"}"#),
            ("another order", r#"{"nama":"A","kode":"9901"}"#, r#"{"nama":"A","kode":"9901"}"#),
            ("some absent", r#"{"kode":"9901","nama":"A"}"#, r#"{"kode":"9901","nama":"A"}"#),
            ("all but the first absent", r#"{"kode":"9901"}"#, r#"{"kode":"9901"}"#),
            ("a longer name", r#"{"kode":"9901","nikk":"1","nama":"A"}"#, r#"{"kode":"9901","nama":"A"}"#),
            (
                "an escaped name",
                r#"{"kode":"9901","n\u0069k":"1","nama":"A"}"#,
                r#"{"kode":"9901","n\u0069k":"****","nama":"A"}"#,
            ),
            (
                "a name known deeper",
                r#"{"kode":"9901","y":{"nik":"1","nama":"B"},"nama":"A"}"#,
                r#"{"kode":"9901","nama":"A"}"#,
            ),
            (
                "a gap in a text",
                r#"{"kode":"9901","nama":"A\",\"nik\":\"1"}"#,
                r#"{"kode":"9901","nama":"A\",\"nik\":\"1"}"#,
            ),
        ];
        let plan = standard(array());
        for (name, record, expected) in cases {
            let before = RECOGNISED.get();
            let found =
                run_all_cuts(&plan, Coding::Identity, Limits::default(), among(KNOWN, record).as_bytes());
            assert_eq!(found.output, among(SHOWN, expected), "{name}");
            assert!(RECOGNISED.get() > before, "{name}: the fast way was never taken");
        }
        let stopped = [
            ("twice, known both times", r#"{"kode":"9901","nik":"1","nik":"2"}"#, "duplicate_key"),
            ("twice, read then known", r#"{"nik":"1","kode":"9901","nik":"2"}"#, "duplicate_key"),
            (
                "twice, known then read",
                r#"{"kode":"9901","nama":"A","nik":"1","kode":"9901"}"#,
                "duplicate_key",
            ),
            ("twice, one with blanks", r#"{"kode":"9901","nik":"1", "nik":"2"}"#, "duplicate_key"),
            ("twice, one escaped", r#"{"kode":"9901","nik":"1","\u006eik":"2"}"#, "duplicate_key"),
            ("twice, neither ruled", r#"{"kode":"9901","x":"1","y":"2","x":"3"}"#, "duplicate_key"),
            ("no area", r#"{"nik":"1","nama":"A"}"#, "row_area_missing"),
            ("an empty area", r#"{"kode":"","nik":"1"}"#, "row_area_missing"),
            ("another area", r#"{"kode":"9902","nik":"1"}"#, "row_outside_area"),
            ("an area as a list", r#"{"kode":["9901"],"nik":"1"}"#, "row_area_missing"),
            ("comma first", r#"{,"kode":"9901"}"#, "syntax"),
            ("comma last", r#"{"kode":"9901","nik":"1",}"#, "syntax"),
            ("no value", r#"{"kode":"9901","nik":}"#, "syntax"),
        ];
        for (name, record, code) in stopped {
            let body = among(KNOWN, record);
            let found = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
            assert_eq!(found.verdict.err().map(|error| error.code()), Some(code), "{name}");
            assert_eq!(found.output, format!("[{SHOWN},{SHOWN}"), "{name}");
        }
    }

    #[test]
    fn members_in_any_order_are_looked_up_and_a_name_that_comes_twice_is_found() {
        const KNOWN: &str =
            r#"{"id":"1","kode":"9901","nik":"9901014512900003","nama":"SITI","x":"1","alamat":"KENANGA"}"#;
        const MIXED: &str =
            r#"{"id":"1","alamat":"KENANGA","nama":"SITI","nik":"9901014512900003","x":"1","kode":"9901"}"#;
        const SHOWN: &str = r#"{"kode":"9901","nik":"990101**********","nama":"SITI"}"#;
        const MIXED_SHOWN: &str = r#"{"nama":"SITI","nik":"990101**********","kode":"9901"}"#;
        let plan = standard(array());
        let before = LOOKED_UP.get();
        let found = run_all_cuts(&plan, Coding::Identity, Limits::default(), among(KNOWN, MIXED).as_bytes());
        assert_eq!(found.output, among(SHOWN, MIXED_SHOWN));
        assert!(LOOKED_UP.get() > before, "no name was looked up");
        for member in
            [r#""nik":"9901014512900003""#, r#""x":"1""#, r#""alamat":"KENANGA""#, r#""kode":"9901""#]
        {
            for behind in [r#""id":"1","#, r#""nama":"SITI","#, r#""x":"1","#] {
                let twice = MIXED.replace(behind, &format!("{behind}{member},"));
                let body = among(KNOWN, &twice);
                let found = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
                let code = found.verdict.err().map(|error| error.code());
                assert_eq!(code, Some("duplicate_key"), "{member} behind {behind}");
            }
        }
    }

    #[test]
    fn records_without_a_known_gap_cost_no_search_for_long() {
        let mut guesses = Guesses::default();
        let meaning = Meaning {
            behind_comma: 1,
            key_start: 1,
            key_end: 6,
            value_at: 7,
            hash: 1,
            rule: None,
            is_near: false,
            ease: Ease::None,
        };
        let learn = |guesses: &mut Guesses| guesses.learn(br#","nik":"#, b'"', false, meaning);
        let is_known = |guesses: &mut Guesses, text: &str, is_first| {
            !matches!(guesses.find(text.as_bytes().first_chunk().unwrap(), is_first), Found::Nothing)
        };
        guesses.begin();
        learn(&mut guesses);
        let known = format!(r#","nik":"{}""#, "0".repeat(40));
        let strange = known.replace("nik", "kin");
        guesses.begin();
        assert!(!is_known(&mut guesses, &known, true));
        assert!(is_known(&mut guesses, &known, false));
        guesses.take();
        assert!(!is_known(&mut guesses, &known, false), "a name once in a record");
        for _ in 0..=PATIENCE {
            guesses.begin();
            assert!(!is_known(&mut guesses, &strange, false));
        }
        assert!(!is_known(&mut guesses, &known, false), "resting");
        for _ in 0..=REST {
            guesses.begin();
        }
        learn(&mut guesses);
        guesses.begin();
        assert!(is_known(&mut guesses, &known, false), "rested");
    }
}
