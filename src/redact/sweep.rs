//! Looks for long numbers in what is kept: a NIK in a free text is a NIK all the same.
//!
//! A run is 16 digits or more, with at most one separator between two of them: a blank, `.`, `-`, `/` or `_`
//! or what Unicode has in their place. Characters without width do not part digits, however many. Any
//! character that Unicode calls numeric counts as a digit, full-width and Arabic-Indic ones too. The digits of
//! a run become `*`; the rest stays. Numbers in base64 or in words are out of reach here: that a field is
//! kept at all is the policy's answer to those.

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

/// Covers the runs in `text`, appending all of it to `to`; returns how many runs there were. Without one
/// `to` is left as it was.
pub(super) fn cover(text: &str, to: &mut Vec<u8>) -> u64 {
    let mut runs = 0;
    let mut written = 0;
    let mut run = Run::default();
    for (at, character) in text.char_indices() {
        match Role::of(character) {
            Role::Digit => run.digit(at, at + character.len_utf8()),
            Role::Unseen => {}
            Role::Separator if run.digits > 0 && !run.is_parted => run.is_parted = true,
            Role::Separator | Role::Other => {
                runs += run.cover(text, &mut written, to);
                run = Run::default();
            }
        }
    }
    runs += run.cover(text, &mut written, to);
    if runs > 0 {
        to.extend_from_slice(&text.as_bytes()[written..]);
    }
    runs
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

    /// Writes the text up to the end of this run, if it is long enough, with its digits covered.
    fn cover(&self, text: &str, written: &mut usize, to: &mut Vec<u8>) -> u64 {
        if self.digits < RUN_DIGITS {
            return 0;
        }
        to.extend_from_slice(&text.as_bytes()[*written..self.start]);
        for character in text[self.start..self.end].chars() {
            match Role::of(character) {
                Role::Digit => to.push(b'*'),
                Role::Unseen | Role::Separator | Role::Other => {
                    to.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        *written = self.end;
        1
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

/// Soft hyphens, joiners, marks of direction, variation selectors.
fn is_unseen(character: char) -> bool {
    matches!(
        character,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
    )
}

/// Blanks of any width, points, dashes, slashes and underscores.
fn is_separator(character: char) -> bool {
    let is_mark = matches!(
        character,
        '.' | '-' | '/' | '_' | '\u{B7}' | '\u{2010}'
            ..='\u{2015}'
                | '\u{2024}'
                | '\u{2027}'
                | '\u{2044}'
                | '\u{2212}'
                | '\u{2215}'
                | '\u{3002}'
                | '\u{FF0D}'
                | '\u{FF0E}'
                | '\u{FF0F}'
                | '\u{FF3F}'
    );
    is_mark || character.is_whitespace()
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
    fn shorter_numbers_and_wider_gaps_stay() {
        let cases = [
            "",
            "990101451290000",
            "9901014512900  03",
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
    }
}
