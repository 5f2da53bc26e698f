//! Looks for long numbers in what is kept: a NIK in a free text is a NIK all the same.
//!
//! A run is 16 digits or more, with at most one separator between two of them: a blank, `.`, `-`, `/` or `_`
//! or what Unicode has in their place. Characters that are not seen, and marks on a digit, do not part digits,
//! however many. Any character that Unicode calls numeric counts as a digit, full-width and Arabic-Indic ones too.
//! The digits of a run become `*`; the rest stays. Numbers in base64 or in words are out of reach here: that a
//! field is kept at all is the policy's answer to those.
//!
//! A policy may add patterns of its own, which are looked for in every kept value, and may have a find end the
//! pass.

use std::ops::Range;

use crate::domain::{Found, MaskPlan, Sweep};

use super::lanes;

pub(super) const RUN_DIGITS: usize = 16;

/// Whether a text in UTF-8 could hold a run, told cheaply. `false` is certain: a digit outside ASCII has bytes
/// outside ASCII, and those are counted as if each was a digit.
pub(super) fn may_hold(text: &[u8]) -> bool {
    if text.len() < RUN_DIGITS {
        return false;
    }
    // Sums of at most 255 bytes fit into a byte, which lets the compiler count many at once.
    let counted = text.chunks(255).map(|part| {
        part.iter().map(|byte| u8::from(byte.wrapping_sub(b'0') < 10 || !byte.is_ascii())).sum::<u8>()
    });
    counted.map(usize::from).sum::<usize>() >= RUN_DIGITS
}

/// The same of an ASCII text that begins a block and ends in it.
#[inline]
pub(super) fn short_may_hold(block: &[u8; lanes::BLOCK], len: usize) -> bool {
    let digits = u64::from(lanes::digits(block)) & ((1 << len) - 1);
    digits.count_ones() as usize >= RUN_DIGITS
}

/// The sweep of one copy: runs of digits, and what the plan adds.
#[derive(Default)]
pub(super) struct Sweeper(Sweep);

impl Sweeper {
    pub fn new(plan: &MaskPlan) -> Self {
        Self(plan.sweep.clone())
    }

    /// Whether every kept value has to be looked through, short ones included.
    pub fn has_patterns(&self) -> bool {
        !self.0.patterns.is_empty()
    }

    pub fn aborts(&self) -> bool {
        self.0.found == Found::Abort
    }

    /// Whether a text in UTF-8 could hold what is looked for; `false` is certain.
    pub fn may_hold(&self, text: &[u8]) -> bool {
        self.has_patterns() || may_hold(text)
    }

    /// Covers what is found in `text`, appending all of it to `to`; returns how much there was. When nothing
    /// was, `to` is left as it was.
    ///
    /// Finds of a pattern become `****`, digits of a run `*`. Runs are those of the text as it came: a pattern
    /// that finds the middle of a number does not make it two short ones.
    pub fn cover(&self, text: &str, to: &mut Vec<u8>) -> u64 {
        let mut finds: Vec<Range<usize>> =
            self.0.patterns.iter().flat_map(|pattern| pattern.finds(text)).collect();
        if finds.is_empty() {
            return cover(text, to);
        }
        finds.sort_unstable_by_key(|find| (find.start, find.end));
        finds.dedup_by(|next, last| {
            let is_joined = next.start <= last.end;
            if is_joined {
                last.end = last.end.max(next.end);
            }
            is_joined
        });
        let mut runs = Vec::new();
        each_run(text, |run| runs.push(run));
        write_covered(text, &finds, &runs, to)
    }
}

/// Stands for a find, whatever its length.
const FIND: &[u8] = b"****";

/// Both lists are in order and their ranges do not touch; a find and a run may overlap.
fn write_covered(text: &str, finds: &[Range<usize>], runs: &[Range<usize>], to: &mut Vec<u8>) -> u64 {
    let mut counted = finds.len() as u64;
    let (mut finds, mut runs) = (finds.iter().peekable(), runs.iter().peekable());
    let mut is_counted = false;
    for (at, character) in text.char_indices() {
        finds.next_if(|find| find.end <= at);
        if runs.next_if(|run| run.end <= at).is_some() {
            is_counted = false;
        }
        if let Some(find) = finds.peek().filter(|find| find.start <= at) {
            if find.start == at {
                to.extend_from_slice(FIND);
            }
            continue;
        }
        let is_in_run = runs.peek().is_some_and(|run| run.start <= at);
        match Role::of(character) {
            Role::Digit if is_in_run => {
                counted += u64::from(!is_counted);
                is_counted = true;
                to.push(b'*');
            }
            _ => to.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    counted
}

/// Covers the runs in `text`, appending all of it to `to`; returns how many runs there were. Without one
/// `to` is left as it was.
pub(super) fn cover(text: &str, to: &mut Vec<u8>) -> u64 {
    let mut runs = 0;
    let mut written = 0;
    each_run(text, |run| {
        to.extend_from_slice(&text.as_bytes()[written..run.start]);
        written = run.end;
        runs += 1;
        for character in text[run].chars() {
            match Role::of(character) {
                Role::Digit => to.push(b'*'),
                Role::Unseen | Role::Separator | Role::Other => {
                    to.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
    });
    if runs > 0 {
        to.extend_from_slice(&text.as_bytes()[written..]);
    }
    runs
}

/// Gives each run, from its first digit to just behind its last.
fn each_run(text: &str, mut found: impl FnMut(Range<usize>)) {
    let mut run = Run::default();
    let mut end = |run: &mut Run| {
        let run = std::mem::take(run);
        if run.digits >= RUN_DIGITS {
            found(run.start..run.end);
        }
    };
    for (at, character) in text.char_indices() {
        match Role::of(character) {
            Role::Digit => run.digit(at, at + character.len_utf8()),
            Role::Unseen => {}
            Role::Separator if run.digits > 0 && !run.is_parted => run.is_parted = true,
            Role::Separator | Role::Other => end(&mut run),
        }
    }
    end(&mut run);
}

/// Digits so far, from the first to just behind the last.
#[derive(Default)]
struct Run {
    start: usize,
    end: usize,
    digits: usize,
    /// Whether a separator stands behind the last digit.
    is_parted: bool,
}

impl Run {
    fn digit(&mut self, at: usize, end: usize) {
        if self.digits == 0 {
            self.start = at;
        }
        self.digits += 1;
        self.end = end;
        self.is_parted = false;
    }
}

enum Role {
    Digit,
    /// Takes no room when shown.
    Unseen,
    Separator,
    Other,
}

impl Role {
    fn of(character: char) -> Self {
        if character.is_ascii_digit() {
            Self::Digit
        } else if is_unseen(character) {
            Self::Unseen
        } else if is_separator(character) {
            Self::Separator
        } else if character.is_numeric() {
            Self::Digit
        } else {
            Self::Other
        }
    }
}

/// What Unicode lets a reader not see (`Default_Ignorable_Code_Point`): soft hyphens, joiners, marks of direction,
/// fillers, variation selectors. And the blocks of marks that stand on the character before them, where a digit can
/// be struck through or put into a keycap.
/// Whether an ASCII character does not end a run.
#[cfg(test)]
pub(super) fn is_of_runs(byte: u8) -> bool {
    !matches!(Role::of(char::from(byte)), Role::Other)
}

fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFF8}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    ) || matches!(
        character,
        '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
            | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}'
    )
}

/// Blanks of any width; all that Unicode calls a dash or a connector (`Pd`, `Pc`), an underscore among them, and the
/// minus; points, and slashes.
fn is_separator(character: char) -> bool {
    let is_dash = matches!(
        character,
        '-' | '_' | '\u{58A}' | '\u{5BE}' | '\u{1400}' | '\u{1806}' | '\u{2010}'..='\u{2015}' | '\u{203F}'
            | '\u{2040}' | '\u{2043}' | '\u{2054}' | '\u{2212}' | '\u{2E17}' | '\u{2E1A}' | '\u{2E3A}'
            | '\u{2E3B}' | '\u{2E40}' | '\u{2E5D}' | '\u{301C}' | '\u{3030}' | '\u{30A0}'
            | '\u{FE31}'..='\u{FE34}' | '\u{FE4D}'..='\u{FE4F}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}'
            | '\u{FF3F}' | '\u{10D6E}' | '\u{10EAD}'
    );
    let is_point = matches!(
        character,
        '.' | '\u{B7}'
            | '\u{6D4}'
            | '\u{2022}'
            | '\u{2024}'
            | '\u{2027}'
            | '\u{2219}'
            | '\u{22C5}'
            | '\u{3002}'
            | '\u{30FB}'
            | '\u{FE12}'
            | '\u{FE52}'
            | '\u{FF0E}'
            | '\u{FF61}'
            | '\u{FF65}'
    );
    let is_slash = matches!(character, '/' | '\u{2044}' | '\u{2215}' | '\u{29F8}' | '\u{FF0F}');
    is_dash || is_point || is_slash || character.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swept(text: &str) -> (String, u64) {
        let mut to = Vec::new();
        let runs = cover(text, &mut to);
        assert!(runs == 0 || may_hold(text.as_bytes()), "the cheap look missed {text}");
        if runs == 0 {
            assert!(to.is_empty());
            return (text.to_owned(), 0);
        }
        (String::from_utf8(to).unwrap(), runs)
    }

    #[test]
    fn runs_of_sixteen_digits_are_covered_however_written() {
        let cases = [
            ("9901014512900003", "****************", 1),
            ("NIK 9901014512900003.", "NIK ****************.", 1),
            ("x99010145129000031y", "x*****************y", 1),
            ("9901 0145 1290 0003", "**** **** **** ****", 1),
            ("99.0101.451290.0003", "**.****.******.****", 1),
            ("9-9-0-1-0-1-4-5-1-2-9-0-0-0-0-3", "*-*-*-*-*-*-*-*-*-*-*-*-*-*-*-*", 1),
            ("99/0101\u{A0}451290\u{2009}0003", "**/****\u{A0}******\u{2009}****", 1),
            (
                "9901\u{200B}\u{200D}0145\u{2060}1290 \u{FEFF}0003",
                "****\u{200B}\u{200D}****\u{2060}**** \u{FEFF}****",
                1,
            ),
            // In keycaps, struck through, and with a selector of a variant.
            (&"9\u{FE0F}\u{20E3}".repeat(16), &"*\u{FE0F}\u{20E3}".repeat(16), 1),
            (
                "9901\u{336}0145\u{336}\u{332}1290\u{E0101}0003",
                "****\u{336}****\u{336}\u{332}****\u{E0101}****",
                1,
            ),
            ("９９０１０１４５１２９００００３", "****************", 1),
            ("٩٩٠١٠١٤٥١٢٩٠٠٠٠٣", "****************", 1),
            ("99010145129０000３", "****************", 1),
            ("9901014512900003 dan 9901010101010001", "**************** dan ****************", 2),
            ("0812 3456 7890 0813 4567 8901", "**** **** **** **** **** ****", 1),
        ];
        for (text, expected, runs) in cases {
            assert_eq!(swept(text), (expected.to_owned(), runs), "{text}");
        }
    }

    #[test]
    fn every_dash_and_every_connector_of_unicode_is_a_separator() {
        let dashes = regex::Regex::new(r"[\p{Pd}\p{Pc}]").unwrap();
        let mut found = 0;
        for character in '\0'..=char::MAX {
            if dashes.is_match(character.encode_utf8(&mut [0; 4])) {
                assert!(is_separator(character), "U+{:X}", u32::from(character));
                found += 1;
            }
        }
        assert!(found > 30);
        for sign in
            "-\u{FE58}\u{FE63}\u{FF0D}\u{2212}_\u{FF3F}.\u{FF61}\u{FE52}\u{30FB}\u{FF65}/\u{FF0F}".chars()
        {
            let text = format!("9901{sign}0145{sign}1290{sign}0003");
            assert_eq!(swept(&text), (format!("****{sign}****{sign}****{sign}****"), 1), "{text}");
        }
    }

    #[test]
    fn patterns_are_covered_beside_the_runs_and_never_part_one() {
        let sweeper = |patterns: &[&str]| {
            let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
            Sweeper(Sweep { patterns, ..Sweep::default() })
        };
        let cases: [(&[&str], &str, &str, u64); 12] = [
            (&["08[0-9]{8,11}"], "telp 081234567890 ya", "telp **** ya", 1),
            (&["08[0-9]{8,11}"], "0812345678", "****", 1),
            (&["CONTOH", "TOH S"], "SITI CONTOH SARI", "SITI ****ARI", 1),
            (&["A", "B"], "AB-A", "****-****", 2),
            (&["A"], "xA 9901014512900003 A", "x**** **************** ****", 3),
            (&["1290"], "990101451290 0003", "************ ****", 2),
            (&["[0-9]+"], "x9901014512900003", "x****", 1),
            (&["[0-9]{4} "], "9901 0145 1290 0003", "********", 2),
            (&["(?i)é"], "É ９９０１０１４５１２９００００３é", "**** ********************", 3),
            (&["é"], "aéb\u{1F600}é", "a****b\u{1F600}****", 2),
            (&["^x|x$"], "x x x", "**** x ****", 2),
            (&["\\b"], "SITI 9901014512900003", "SITI ****************", 1),
        ];
        for (patterns, text, expected, counted) in cases {
            let mut to = Vec::new();
            assert_eq!(sweeper(patterns).cover(text, &mut to), counted, "{text}");
            assert_eq!(String::from_utf8(to).unwrap(), expected, "{text}");
        }
        assert_eq!(sweeper(&["x"]).cover("SITI", &mut Vec::new()), 0);
    }

    #[test]
    fn shorter_numbers_and_wider_gaps_stay() {
        let cases = [
            "",
            "990101451290000",
            "9901014512900  003",
            "99010145, 12900003",
            "+62 812-3456-7890",
            "JL KENARI 7 RT 003/004",
            "3101011001001",
            "2024-02-14 08:00:00.000",
            "990101a4512900003",
            "a\u{200B}b",
            "é9901014512900é",
        ];
        for text in cases {
            assert_eq!(swept(text), (text.to_owned(), 0), "{text}");
        }
        assert!(!may_hold(b"JL KENARI 7 RT 003/004 KAMPUNG RAYA"));
        // The signs next to the digits.
        assert!(!may_hold(b"::::::::::::::::////////////////"));
        assert!(may_hold(b"9901014512900003") && !may_hold(b"x990101451290000"));
        // Without patterns most texts are passed over.
        let none = Sweeper::default();
        assert!(!none.has_patterns() && !none.may_hold(b"JL KENARI 7") && none.may_hold(b"9901014512900003"));
    }
}
