//! Gaps that the plain path has read before: the bytes between two values of a record, with what they mean.
//!
//! `,"nik":` after a value is the name `nik`, whoever reads it and however often. So a gap that was read once
//! in full is recognised by one comparison of 32 bytes, and what was found then holds again. This is memory of
//! the plain path and nothing else: a gap that is not known byte for byte, at a place of the same kind, is read
//! in full.
//!
//! Gaps are kept in the order in which records have them, each name once, and are looked for from where the
//! last one stood. So names found here never come twice in one record, and need not be compared with one
//! another.

use super::rules::Ease;

/// Longest gap remembered; longer ones are read each time.
const GAP_BYTES: usize = 32;
/// Most gaps remembered: one bit of a word each.
const GAPS_MAX: usize = 64;
/// Gaps looked at from the expected one on: records may leave some out.
const AHEAD: usize = 4;
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

struct Gap {
    words: [u64; 4],
    masks: [u64; 4],
    /// Whether it stands before the first member, where there is no separator.
    is_first: bool,
    meaning: Meaning,
}

#[derive(Default)]
pub(super) struct Guesses {
    gaps: Vec<Gap>,
    /// Where in `gaps` the next one is expected.
    next: usize,
    /// The gaps recognised in this record.
    seen: u64,
    /// Records in a row in which none was; or, from `PATIENCE` on, how long to rest.
    misses: u32,
}

impl Guesses {
    /// A new record begins.
    pub fn begin(&mut self) {
        if self.seen != 0 {
            self.misses = 0;
        } else if !self.gaps.is_empty() {
            self.misses += 1;
            if self.misses == PATIENCE + REST {
                self.gaps.clear();
                self.misses = 0;
            }
        }
        self.next = 0;
        self.seen = 0;
    }

    /// The gap `rest` begins with, if it is known at this place: for [`Guesses::take`].
    #[inline]
    pub fn recognise(&self, rest: &[u8], is_first: bool) -> Option<usize> {
        if self.misses >= PATIENCE {
            return None;
        }
        let text = rest.first_chunk::<GAP_BYTES>()?;
        let words = words(text);
        let ahead = self.gaps.get(self.next..)?;
        for (place, gap) in (self.next..).zip(ahead.iter().take(AHEAD)) {
            // A gap that goes on with more blanks is another gap.
            if gap.is_at(&words) && gap.is_first == is_first && !is_blank(rest.get(gap.meaning.value_at)) {
                return Some(place);
            }
        }
        None
    }

    #[inline]
    pub fn meaning(&self, place: usize) -> &Meaning {
        &self.gaps[place].meaning
    }

    /// Takes a recognised gap as read: the next one is looked for behind it.
    #[inline]
    pub fn take(&mut self, place: usize) {
        self.next = place + 1;
        self.seen |= 1 << place;
        #[cfg(test)]
        RECOGNISED.set(RECOGNISED.get() + 1);
    }

    /// Remembers a gap that was just read in full, unless its name is known already.
    pub fn learn(&mut self, gap: &[u8], is_first: bool, meaning: Meaning) {
        let is_known = self.gaps.iter().any(|known| known.meaning.hash == meaning.hash);
        if self.misses >= PATIENCE || gap.len() > GAP_BYTES || self.gaps.len() == GAPS_MAX || is_known {
            return;
        }
        let (mut text, mut mask) = ([0; GAP_BYTES], [0; GAP_BYTES]);
        text[..gap.len()].copy_from_slice(gap);
        mask[..gap.len()].fill(0xFF);
        let gap = Gap { words: words(&text), masks: words(&mask), is_first, meaning };
        self.gaps.insert(self.next, gap);
        self.next += 1;
    }

    /// Hashes of the names recognised in this record.
    pub fn seen(&self) -> impl Iterator<Item = u64> {
        let is_seen = |place: usize| self.seen >> place & 1 == 1;
        self.gaps
            .iter()
            .enumerate()
            .filter(move |(place, _)| is_seen(*place))
            .map(|(_, gap)| gap.meaning.hash)
    }
}

impl Gap {
    fn is_at(&self, text: &[u64; 4]) -> bool {
        let differ = |word: usize| (text[word] ^ self.words[word]) & self.masks[word];
        differ(0) == 0 && (differ(1) | differ(2) | differ(3)) == 0
    }
}

fn is_blank(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b' ' | b'\t' | b'\n' | b'\r'))
}

fn words(text: &[u8; GAP_BYTES]) -> [u64; 4] {
    let (eights, _) = text.as_chunks::<8>();
    [0, 1, 2, 3].map(|word| u64::from_le_bytes(eights[word]))
}

#[cfg(test)]
std::thread_local! {
    /// How often a gap was recognised by this thread: tests of the fast way fail when it was never taken.
    pub(super) static RECOGNISED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
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
        guesses.begin();
        guesses.learn(br#","nik":"#, false, meaning);
        let known = format!(r#","nik":"{}""#, "0".repeat(40));
        let strange = known.replace("nik", "kin");
        guesses.begin();
        assert!(guesses.recognise(known.as_bytes(), true).is_none());
        let place = guesses.recognise(known.as_bytes(), false).unwrap();
        guesses.take(place);
        for _ in 0..=PATIENCE {
            guesses.begin();
            assert!(guesses.recognise(strange.as_bytes(), false).is_none());
        }
        assert!(guesses.recognise(known.as_bytes(), false).is_none(), "resting");
        for _ in 0..=REST {
            guesses.begin();
        }
        guesses.learn(br#","nik":"#, false, meaning);
        guesses.begin();
        assert!(guesses.recognise(known.as_bytes(), false).is_some(), "rested");
    }
}
