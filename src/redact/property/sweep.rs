//! The property of the sweep: no text that leaves holds a long number, and nothing else in it has changed, by a
//! reading of its own; and a kept value of each format is swept in the same way.

use std::sync::LazyLock;

use ::csv::ReaderBuilder;
use regex::Regex;

use crate::domain::{Action, Format, Formulas, Found, MaskPlan, Pattern, Sweep};

use super::super::harness::{Outcome, array, plan, rule, run};
use super::super::sweep::{Sweeper, may_hold};
use super::super::{Coding, Limits};
use super::people::{PEOPLE, tells_by_itself};

/// The first character chooses the patterns: of the digits 0 none, 1 to 3 some.
pub fn sweep(data: &[u8]) -> bool {
    let Some((&patterns, signs)) = data.split_first() else { return false };
    let patterns = &PATTERNS[usize::from(patterns) % PATTERNS.len()];
    let [text, of_other] = PEOPLE.map(|person| String::from_utf8_lossy(&person.fill(signs)).into_owned());
    let swept = check(&text, patterns);
    if patterns.is_empty() && !tells_by_itself(signs) && !signs.contains(&b'%') {
        assert_eq!(swept, cover(&of_other, &[]).0, "what is left tells one person from another");
    }
    true
}

static PATTERNS: LazyLock<[Vec<Pattern>; 4]> = LazyLock::new(|| {
    let sets: [&[&str]; 4] =
        [&[], &["08[0-9]{8,11}"], &["[0-9]{4} ", "(?i)kenanga"], &["\"+", "[^a-z]x", "é|a\\b"]];
    sets.map(|set| set.iter().map(|pattern| pattern.parse().expect("the pattern is a literal")).collect())
});

fn check(text: &str, patterns: &[Pattern]) -> String {
    let (expected, count) = cover(text, patterns);
    let fields = vec![rule("nama", Action::Keep), rule("kode", Action::Drop)];
    let orders = MaskPlan {
        sweep: Sweep { found: Found::Mask, patterns: patterns.to_vec() },
        ..plan(Format::Ndjson, fields)
    };
    let sweeper = Sweeper::new(&orders);
    let mut written = Vec::new();
    assert_eq!(sweeper.cover(text, &mut written), count, "the count of finds");
    assert_eq!(String::from_utf8(written).unwrap(), if count > 0 { &*expected } else { "" });
    assert!(count == 0 || sweeper.may_hold(text.as_bytes()), "the cheap look missed a find");
    assert!(!patterns.is_empty() || count == 0 || may_hold(text.as_bytes()));
    assert!(!LONG.is_match(&visible(&expected).0), "a long number is left");

    let in_json = serde_json::to_string(text).unwrap();
    let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    for value in [in_json, format!("\"{escaped}\"")] {
        // Records before it make the fast way known, and one behind it gives it room.
        let other = r#"{"kode":"9901","nama":"SITI CONTOH"}"#;
        for (format, open, between, close) in [(Format::Ndjson, "", "\n", "\n"), (array(), "[", ",", "]")] {
            let body = format!(
                "{open}{other}{between}{other}{between}{{\"kode\":\"9901\",\"nama\":{value}}}{between}{other}{close}"
            );
            let copy = whole(&MaskPlan { format, ..orders.clone() }, &body, count).output;
            let copy =
                if between == "," { copy } else { format!("[{}]", copy.trim_end().replace('\n', ",")) };
            let records: Vec<serde_json::Value> = serde_json::from_str(&copy).unwrap();
            assert_eq!(records[2]["nama"].as_str(), Some(&*expected), "in JSON");
        }
    }
    if !text.contains('\0') {
        let orders = MaskPlan { format: Format::Csv { delimiter: b',', formulas: Formulas::Keep }, ..orders };
        let quoted = format!("\"{}\"", text.replace('"', "\"\""));
        let is_bare = !text.contains([',', '"', '\r', '\n']);
        for cell in [quoted, text.to_owned()].into_iter().take(1 + usize::from(is_bare)) {
            let body = format!("kode,nama\n9901,SITI CONTOH\n9901,SITI CONTOH\n9901,{cell}\n9901,A\n");
            let found = whole(&orders, &body, count);
            let mut reader = ReaderBuilder::new().from_reader(found.output.as_bytes());
            let rows: Vec<_> = reader.records().map(|row| row.unwrap()).collect();
            assert_eq!(rows[2].get(0), Some(&*expected), "in CSV");
        }
    }
    expected
}

fn whole(orders: &MaskPlan, body: &str, count: u64) -> Outcome {
    let found = run(orders, Coding::Identity, Limits::default(), [body.as_bytes()]);
    assert_eq!((found.verdict, found.tally.swept), (Ok(()), count));
    found
}

/// Sixteen numeric characters with at most one separator between two.
static LONG: LazyLock<Regex> = LazyLock::new(|| {
    let separator = r"[\s\p{Pd}\p{Pc}./\x{B7}\x{6D4}\x{2022}\x{2024}\x{2027}\x{2043}\x{2044}\x{2212}\x{2215}\x{2219}\x{22C5}\x{29F8}\x{3002}\x{30FB}\x{FE12}\x{FE52}\x{FF0E}\x{FF0F}\x{FF61}\x{FF65}]";
    Regex::new(&format!(r"\p{{N}}(?:{separator}?\p{{N}}){{15,}}")).expect("the pattern is a literal")
});

static UNSEEN: LazyLock<Regex> = LazyLock::new(|| {
    let marks =
        r"\x{300}-\x{36F}\x{483}-\x{489}\x{1AB0}-\x{1AFF}\x{1DC0}-\x{1DFF}\x{20D0}-\x{20FF}\x{FE20}-\x{FE2F}";
    Regex::new(&format!(r"[\p{{Default_Ignorable_Code_Point}}{marks}]")).expect("the pattern is a literal")
});

/// A text without what takes no room, and where each byte of it stood.
fn visible(text: &str) -> (String, Vec<usize>) {
    let mut left = String::new();
    let mut places = Vec::new();
    for (at, character) in text.char_indices() {
        if !UNSEEN.is_match(character.encode_utf8(&mut [0; 4])) {
            left.push(character);
            places.extend(at..at + character.len_utf8());
        }
    }
    (left, places)
}

/// Covers finds and long numbers byte by byte; gives the new text and how much there was.
fn cover(text: &str, patterns: &[Pattern]) -> (String, u64) {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        None,
        Run(usize),
        Find,
    }
    let (left, places) = visible(text);
    let mut marks = vec![Mark::None; text.len()];
    for (number, run) in LONG.find_iter(&left).enumerate() {
        marks[places[run.start()]..=places[run.end() - 1]].fill(Mark::Run(number));
    }
    for find in patterns.iter().flat_map(|pattern| pattern.finds(text)) {
        marks[find].fill(Mark::Find);
    }
    let mut covered = String::new();
    let (mut count, mut last_run, mut is_in_find) = (0, None, false);
    for (at, character) in text.char_indices() {
        match marks[at] {
            Mark::Find if is_in_find => {}
            Mark::Find => {
                covered.push_str("****");
                count += 1;
            }
            Mark::Run(number) if character.is_numeric() => {
                covered.push('*');
                count += u64::from(last_run != Some(number));
                last_run = Some(number);
            }
            Mark::Run(_) | Mark::None => covered.push(character),
        }
        is_in_find = marks[at] == Mark::Find;
    }
    (covered, count)
}
