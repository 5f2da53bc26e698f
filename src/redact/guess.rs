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

use super::lanes::{self, Accepted};
use super::rules::Ease;
use super::sweep;

/// Longest gap remembered, with the quote behind it; longer ones are read each time.
const GAP_BYTES: usize = lanes::BLOCK;
/// Bytes that have to follow for a gap and a short text to be looked at.
const AHEAD_BYTES: usize = 3 * GAP_BYTES;
/// Most gaps remembered, and the one that stands for none.
const GAPS_MAX: usize = 128;
const NONE: u8 = 127;
/// Most names in them: one bit of a word each, behind two that say where in the record it is.
const NAMES_MAX: usize = 64 - PLACE_BITS;
const PLACE_BITS: usize = 2;
const AT_FIRST: u64 = 1;
const BEHIND_FIRST: u64 = 2;
const ANYWHERE: u64 = AT_FIRST | BEHIND_FIRST;
/// Places of gaps by the bytes of their names, at most half full.
const SLOTS: usize = 256;
/// Gaps looked at from the expected one on: records may leave some out.
const AHEAD: usize = 4;
/// Slots looked at for one name.
const PROBES: usize = 4;
/// Texts of the same length one after another behind a gap, after which the next is taken to be as long.
const STEADY: u8 = 4;
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
    /// The bits of what was seen with which it is not passed over: those of its name and of where it does not stand.
    /// Both of the latter where its value is no text, or where there is more to it.
    bars: u64,
    /// The bits that are others behind it: its name's, and behind the first member those of where it is.
    turned: u64,
    /// The bytes of `text` that are the gap, with the quote of a text behind it, one bit each.
    extent: u32,
    /// Whether it stands before the first member, where there is no separator.
    is_first: Option<bool>,
    is_text: bool,
    value_at: u8,
    ease: Ease,
    is_kept: bool,
    /// The gap that came behind it.
    after: u8,
    /// Whether another stood in its place, and it has not come since.
    is_doubted: bool,
    /// How long the text behind it was, how often in a row, and how long it is expected to be.
    len: u8,
    times: u8,
    expected: u8,
}

impl Gap {
    const NONE: Self = Self {
        text: [0; GAP_BYTES],
        bars: u64::MAX,
        turned: 0,
        extent: 0,
        is_first: None,
        is_text: false,
        value_at: 0,
        ease: Ease::None,
        is_kept: false,
        after: NONE,
        is_doubted: true,
        len: 0,
        times: 0,
        expected: u8::MAX,
    };

    /// Whether `text` begins with this gap and not with one that goes on with more blanks.
    #[inline]
    fn is_at(&self, text: &[u8; GAP_BYTES], is_first: bool, seen: u64) -> bool {
        let behind = text[self.value_at()];
        lanes::same(text, &self.text) & self.extent == self.extent
            && seen & self.name() == 0
            && self.is_first == Some(is_first)
            && (behind == b'"') == self.is_text
            && !matches!(behind, b' ' | b'\t' | b'\n' | b'\r')
    }

    /// The name's bit.
    #[inline]
    fn name(&self) -> u64 {
        self.turned & !ANYWHERE
    }

    /// Whether `text` begins with this gap and the quote of a text, and it may be passed over.
    #[inline]
    fn is_open(&self, text: &[u8; GAP_BYTES], seen: u64) -> bool {
        lanes::same(text, &self.text) & self.extent == self.extent && seen & self.bars == 0
    }

    /// Notes the length of the text behind it, which is shorter than a block.
    #[inline]
    fn note_len(&mut self, len: usize) {
        // Nothing is decided here: lengths that vary are not foreseen, and neither are texts that could hold a number.
        let len = u8::try_from(len).unwrap_or_default();
        let is_same = u8::from(self.len == len);
        self.times = (self.times % STEADY + 1) * is_same;
        let is_steady = self.times == STEADY && !(self.is_kept && usize::from(len) >= sweep::RUN_DIGITS);
        self.expected = len | u8::from(is_steady).wrapping_sub(1);
        self.len = len;
    }

    #[inline]
    fn value_at(&self) -> usize {
        usize::from(self.value_at) % GAP_BYTES
    }
}

/// A member that was passed over.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    /// Where its gap and the next member's begin.
    pub at: usize,
    pub end: usize,
    /// Its gap, for [`Guesses::meaning_at`].
    pub place: usize,
    pub ease: Ease,
}

/// Members noted before what they mean is carried out.
const NOTED_MAX: usize = 32;

/// What was found where another gap than the expected one seemed to stand.
pub(super) enum Found {
    /// The expected one all the same, with a value that is no plain text.
    Expected,
    /// One that is known, and expected from here on.
    Other,
    Nothing,
}

/// The gaps, found by the bytes of their names.
struct Gaps {
    all: Box<[Gap; GAPS_MAX]>,
    slots: Box<[u8; SLOTS]>,
    /// The gap that the last record began with.
    first: u8,
}

impl Gaps {
    #[inline]
    fn at_mut(&mut self, place: usize) -> &mut Gap {
        &mut self.all[place % GAPS_MAX]
    }

    /// The gap that came behind one.
    #[inline]
    fn after(&self, place: usize) -> usize {
        usize::from(self.all[place % GAPS_MAX].after)
    }

    /// The gap that `text` begins with, by its name, if it may be passed over there; it stands behind the last
    /// one, where the next one was expected. Otherwise none.
    #[inline(never)]
    fn look_up(&mut self, text: &[u8; GAP_BYTES], (last, next): (usize, usize), seen: u64) -> usize {
        let none = usize::from(NONE);
        if text[0] == b'}' {
            return none;
        }
        let Some(slot) = slot(text) else { return none };
        let places = (slot..slot + PROBES).map(|slot| usize::from(self.slots[slot % SLOTS]));
        let mut places = places.take_while(|place| *place != none);
        let Some(place) = places.find(|place| self.all[*place % GAPS_MAX].is_open(text, seen)) else {
            return none;
        };
        self.expect(place, last, next);
        #[cfg(test)]
        LOOKED_UP.set(LOOKED_UP.get() + 1);
        place
    }

    /// A gap stands behind the last one. Where another was expected, it is from the second time on.
    fn expect(&mut self, place: usize, last: usize, next: usize) {
        let found = u8::try_from(place).unwrap_or(NONE);
        let expected = self.at_mut(next);
        if next != place && !expected.is_doubted {
            expected.is_doubted = true;
        } else if last == usize::from(NONE) {
            self.first = found;
        } else {
            self.at_mut(last).after = found;
        }
        self.at_mut(place).is_doubted = false;
    }
}

pub(super) struct Guesses {
    gaps: Gaps,
    meanings: Vec<Meaning>,
    /// Hashes of the names, by their bits.
    names: Vec<u64>,
    /// The gap taken last, and the one expected behind it.
    last: usize,
    next: usize,
    /// The names recognised in this record.
    seen: u64,
    noted: Box<[Noted; NOTED_MAX]>,
    noted_len: usize,
    /// Records in a row in which none was; or, from `PATIENCE` on, how long to rest.
    misses: u32,
}

impl Default for Guesses {
    fn default() -> Self {
        Self {
            gaps: Gaps { all: Box::new([Gap::NONE; GAPS_MAX]), slots: Box::new([NONE; SLOTS]), first: NONE },
            meanings: Vec::new(),
            names: Vec::new(),
            last: usize::from(NONE),
            next: usize::from(NONE),
            seen: ANYWHERE,
            noted: Box::new([Noted { at: 0, end: 0, place: 0, ease: Ease::None }; NOTED_MAX]),
            noted_len: 0,
            misses: 0,
        }
    }
}

impl Guesses {
    /// A new record begins.
    pub fn begin(&mut self) {
        if self.seen != ANYWHERE {
            self.misses = 0;
        } else if !self.meanings.is_empty() {
            self.misses += 1;
            if self.misses == PATIENCE + REST {
                *self = Self::default();
            }
        }
        self.last = usize::from(NONE);
        self.next = usize::from(if self.is_resting() { NONE } else { self.gaps.first });
        self.seen = ANYWHERE;
    }

    fn is_resting(&self) -> bool {
        self.misses >= PATIENCE
    }

    #[inline]
    fn at(&self, place: usize) -> &Gap {
        &self.gaps.all[place % GAPS_MAX]
    }

    /// What the expected gap means, once it is known that it is there.
    pub fn meaning(&self) -> &Meaning {
        self.meaning_at(self.next)
    }

    #[inline]
    pub fn meaning_at(&self, place: usize) -> &Meaning {
        &self.meanings[place]
    }

    /// Where the value begins behind the beginning of the gap.
    #[inline]
    pub fn value_at(&self, place: usize) -> usize {
        self.at(place).value_at()
    }

    /// Passes over members from `at` on as long as they are known and their values short plain texts of which no more
    /// has to be known. Notes those that do not just stay as they are. Returns where it stopped.
    #[inline(never)]
    pub fn pass(&mut self, bytes: &[u8], mut at: usize, first: usize, accepted: &Accepted) -> usize {
        self.noted_len = 0;
        if self.is_resting() {
            return at;
        }
        let gaps = &mut self.gaps;
        let begun = at;
        // The gap taken last, and the one to look for.
        let (mut last, mut place) = (self.last, self.next);
        let mut seen = self.seen ^ if at == first { BEHIND_FIRST } else { AT_FIRST };
        let mut noted = 0;
        while let Some(text) = bytes.get(at..at + AHEAD_BYTES).and_then(<[u8]>::first_chunk::<AHEAD_BYTES>) {
            let (head, _) = text.as_chunks();
            let mut gap = gaps.at_mut(place);
            if !gap.is_open(&head[0], seen) {
                place = usize::from(gap.after);
                gap = gaps.at_mut(place);
                if !gap.is_open(&head[0], seen) {
                    let next = if at == begun { self.next } else { gaps.after(last) };
                    place = gaps.look_up(&head[0], (last, next), seen);
                    gap = gaps.at_mut(place);
                    if gap.extent == 0 {
                        break;
                    }
                }
            }
            let value_at = gap.value_at() + 1;
            let Some(value) = text[value_at..].first_chunk() else { break };
            // Where texts are as long as the last ones, the next member is looked for there, and whether this one really
            // ends there is found out at the same time.
            let expected = usize::from(gap.expected);
            let stop = lanes::text_stops(value).trailing_zeros() as usize;
            let len = if stop == expected && value[stop % GAP_BYTES] == b'"' {
                #[cfg(test)]
                FORESEEN.set(FORESEEN.get() + 1);
                expected
            } else {
                if value.get(stop) != Some(&b'"') || gap.is_kept && sweep::short_may_hold(value, stop) {
                    break;
                }
                gap.note_len(stop);
                stop
            };
            let end = at + value_at + len + 1;
            if !gap.is_kept {
                if gap.ease.is_area() && !accepted.is(value, len) {
                    break;
                }
                let Some(note) = self.noted.get_mut(noted) else { break };
                *note = Noted { at, end, place, ease: gap.ease };
                noted += 1;
            }
            at = end;
            seen ^= gap.turned;
            last = place;
            place = usize::from(gap.after);
            #[cfg(test)]
            RECOGNISED.set(RECOGNISED.get() + 1);
        }
        if at > begun {
            (self.last, self.next) = (last, gaps.after(last));
        }
        self.seen = seen | ANYWHERE;
        self.noted_len = noted;
        at
    }

    /// The members that were noted by the last [`Guesses::pass`].
    #[inline]
    pub fn noted(&self) -> &[Noted] {
        &self.noted[..self.noted_len]
    }

    /// Takes the expected gap as read.
    #[inline]
    pub fn take(&mut self) {
        let gap = self.at(self.next);
        let (name, after) = (gap.name(), gap.after);
        self.seen |= name;
        (self.last, self.next) = (self.next, usize::from(after));
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
            place = usize::from(gap.after);
        }
        let Some(slot) = slot(text) else { return Found::Nothing };
        let places = (slot..slot + PROBES).map(|slot| self.gaps.slots[slot % SLOTS]);
        let mut places = places.take_while(|place| *place != NONE).map(usize::from);
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

    /// The gap that stands behind the last one.
    fn expect(&mut self, place: usize) {
        self.gaps.expect(place, self.last, self.next);
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
        let (Some(slot), false) = (slot(&text), self.gaps.all[..place].iter().any(is_known)) else { return };
        let Some(slot) = (slot..slot + PROBES).find(|slot| self.gaps.slots[slot % SLOTS] == NONE) else {
            return;
        };
        let name = match self.names.iter().position(|name| *name == meaning.hash) {
            Some(name) => name,
            None if self.names.len() == NAMES_MAX => return,
            None => {
                self.names.push(meaning.hash);
                self.names.len() - 1
            }
        };
        let byte = |place: usize| u8::try_from(place).unwrap_or_default();
        let name = 1 << (name + PLACE_BITS);
        let elsewhere = match (is_text && meaning.ease != Ease::None, is_first) {
            (false, _) => ANYWHERE,
            (true, true) => BEHIND_FIRST,
            (true, false) => AT_FIRST,
        };
        *self.gaps.at_mut(place) = Gap {
            text,
            bars: name | elsewhere,
            turned: if is_first { name | ANYWHERE } else { name },
            extent,
            ease: meaning.ease,
            is_kept: meaning.ease == Ease::Keep,
            is_first: Some(is_first),
            is_text,
            value_at: byte(meaning.value_at),
            after: NONE,
            is_doubted: false,
            len: 0,
            times: 0,
            expected: u8::MAX,
        };
        self.gaps.slots[slot % SLOTS] = byte(place);
        self.meanings.push(meaning);
        self.expect(place);
        (self.last, self.next) = (place, usize::from(NONE));
    }

    /// Hashes of the names recognised in this record.
    pub fn seen(&self) -> impl Iterator<Item = u64> {
        let is_seen = |name: usize| self.seen >> (name + PLACE_BITS) & 1 == 1;
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
    /// How often a text was as long as those before it.
    static FORESEEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::super::harness::{array, run_all_cuts, standard};
    use super::super::{Coding, Limits};
    use super::*;

    /// A record as often as it takes for its gaps and the lengths of its texts to be known, then the one to be looked
    /// at, then others again.
    fn among(known: &str, looked_at: &str) -> String {
        let known = vec![known; 3 + usize::from(STEADY)].join(",");
        format!("[{known},{looked_at},{known}]")
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
            ("no comma", r#"{"nama":"A""kode":"9901"}"#, "syntax"),
            ("comma first", r#"{,"kode":"9901"}"#, "syntax"),
            ("comma last", r#"{"kode":"9901","nik":"1",}"#, "syntax"),
            ("no value", r#"{"kode":"9901","nik":}"#, "syntax"),
        ];
        for (name, record, code) in stopped {
            let body = among(KNOWN, record);
            let found = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
            assert_eq!(found.verdict.err().map(|error| error.code()), Some(code), "{name}");
            let shown = among(SHOWN, "").split_once(",,").map(|(shown, _)| shown.to_owned());
            assert_eq!(Some(found.output), shown, "{name}");
        }
    }

    #[test]
    fn a_long_number_where_texts_of_its_length_stood_is_found() {
        for known in ["SITI CONTOH ABCD", "SITI CONTOH BINTI CONTOH AB"] {
            let number = &"9901014512900003 9901014512900003"[..known.len()];
            let record = |name: &str| format!(r#"{{"kode":"9901","nama":"{name}"}}"#);
            let body = among(&record(known), &record(number));
            let found =
                run_all_cuts(&standard(array()), Coding::Identity, Limits::default(), body.as_bytes());
            let covered: String = number.chars().map(|sign| if sign == ' ' { sign } else { '*' }).collect();
            let shown = if number.len() == 16 { covered } else { "**************** **********".to_owned() };
            assert_eq!(found.output, among(&record(known), &record(&shown)));
        }
    }

    #[test]
    fn a_text_is_looked_at_whether_or_not_it_is_as_long_as_those_before() {
        const KNOWN: &str = r#"{"kode":"9901","nik":"9901014512900003","nama":"SITI","alamat":"KENANGA"}"#;
        const SHOWN: &str = r#"{"kode":"9901","nik":"990101**********","nama":"SITI"}"#;
        let plan = standard(array());
        // What follows the name, and the name with what leaves of it.
        let cases = [
            ("as long", "BUDI", Ok("BUDI")),
            ("shorter", "TIA", Ok("TIA")),
            ("none", "", Ok("")),
            ("longer", "SUSILO", Ok("SUSILO")),
            ("longer than half a block", "SITI CONTOH SARI BUDI", Ok("SITI CONTOH SARI BUDI")),
            ("an escaped quote where it should end", "SIT\\\"", Ok("SIT\\\"")),
            ("an escaped quote before", "S\\\"TI\\\\X", Ok("S\\\"TI\\\\X")),
            ("a member in it", "\\\",\\\"x\\\":\\\"", Ok("\\\",\\\"x\\\":\\\"")),
            ("beyond ASCII", "S\u{cf}I", Ok("S\u{cf}I")),
            ("a number", "9901014512900003", Ok("****************")),
            ("a number with points", "9901.0145.1290.0003", Ok("****.****.****.****")),
            ("a control character", "S\u{1}TI", Err("control_character")),
            ("a line feed where it should end", "SITI\n", Err("control_character")),
            ("a quote before", "S\"TI", Err("syntax")),
        ];
        for (name, text, shown) in cases {
            let before = FORESEEN.get();
            let body = among(KNOWN, &KNOWN.replace("SITI", text));
            let found = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
            match shown {
                Ok(shown) => assert_eq!(found.output, among(SHOWN, &SHOWN.replace("SITI", shown)), "{name}"),
                Err(code) => assert_eq!(found.verdict.map_err(|error| error.code()), Err(code), "{name}"),
            }
            assert!(FORESEEN.get() > before, "{name}: no length was foreseen");
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
