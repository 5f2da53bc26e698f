//! For the tests: runs a body through the redactor under every cut, and reads the output as an attacker would.

use crate::domain::{
    Action, CopyKey, FieldName, FieldRule, Format, Formulas, Mask, MaskPlan, Outside, Records, RowArea, Sweep,
};

use super::{Coding, FieldTally, Limits, Problem, RedactError, Redacted, Redactor, Tally};

pub(super) const NIK: &str = "9901014512900003";
pub(super) const NKK: &str = "9901010101010001";

pub(super) fn name(text: &str) -> FieldName {
    text.parse().unwrap()
}

pub(super) fn rule(of: &str, action: Action) -> FieldRule {
    FieldRule { path: of.parse().unwrap(), action, emit_as: None }
}

pub(super) fn plan(format: Format, fields: Vec<FieldRule>) -> MaskPlan {
    let row_area = RowArea { field: name("kode"), within: "9901".parse().unwrap(), outside: Outside::Abort };
    MaskPlan { format, fields, row_area, kode_ganda: None, sweep: Sweep::default() }
}

/// The orders for role `partai`.
pub(super) fn standard(format: Format) -> MaskPlan {
    let fields = vec![
        rule("nik", Action::Mask(Mask { first: 6, last: 0 })),
        rule("nkk", Action::Drop),
        rule("nama", Action::Keep),
        rule("alamat", Action::Drop),
        FieldRule { emit_as: Some(name("tahun_lahir")), ..rule("tanggal_lahir", Action::Year) },
        rule("kode", Action::Keep),
    ];
    plan(format, fields)
}

pub(super) fn array() -> Format {
    Format::Json(Records::Array)
}

pub(super) fn envelope() -> Format {
    Format::Json(Records::Envelope { field: name("data"), keep: vec![name("total"), name("catatan")] })
}

pub(super) fn csv() -> Format {
    Format::Csv { delimiter: b',', formulas: Formulas::Neutralise }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub output: String,
    pub verdict: Result<(), RedactError>,
    pub tally: Tally,
    pub fields: Vec<(String, FieldTally)>,
}

pub(super) fn run<'a>(
    plan: &MaskPlan,
    coding: Coding,
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut redactor = Redactor::new(plan, coding, &CopyKey::new([7; 32]), limits);
    let mut out = Redacted::new();
    let mut verdict = Ok(());
    let mut output = Vec::new();
    for piece in pieces {
        verdict = redactor.push(piece, &mut out);
        output.extend_from_slice(&out.take());
        if verdict.is_err() {
            break;
        }
    }
    if verdict.is_ok() {
        verdict = redactor.finish(&mut out);
        output.extend_from_slice(out.as_slice());
    }
    let end = out.len();
    assert!(redactor.push(b"[", &mut out).is_err(), "nothing is taken after the end or an error");
    assert!(redactor.finish(&mut out).is_err());
    assert_eq!(out.len(), end);
    Outcome {
        output: String::from_utf8(output).unwrap(),
        verdict,
        tally: *redactor.tally(),
        fields: redactor.fields(),
    }
}

/// Bodies up to this length are tried with every pair of cuts.
const TWO_CUTS_MAX: usize = 100;

/// The outcome of the body in one piece, after all other ways to cut it gave the same.
pub(super) fn run_all_cuts(plan: &MaskPlan, coding: Coding, limits: Limits, body: &[u8]) -> Outcome {
    let whole = run(plan, coding, limits, [body]);
    for cut in 0..=body.len() {
        let (head, tail) = body.split_at(cut);
        assert_eq!(run(plan, coding, limits, [head, tail]), whole, "cut at {cut}");
        if body.len() <= TWO_CUTS_MAX {
            for second in 0..=tail.len() {
                let (middle, tail) = tail.split_at(second);
                let pieces = [head, middle, tail];
                assert_eq!(run(plan, coding, limits, pieces), whole, "cuts at {cut} and {}", cut + second);
            }
        }
    }
    for size in [1, 2, 3, 7, 16, 61] {
        assert_eq!(run(plan, coding, limits, body.chunks(size)), whole, "pieces of {size}");
    }
    assert_silent(&whole.output);
    if coding == Coding::Identity {
        check_among_others(plan, limits, body, &whole);
    }
    whole
}

/// Sound records whose gaps are those of most cases, in two orders.
const OTHERS: [&str; 2] = [
    r#"{"nik":"9901014512900003","nkk":"9901010101010001","nama":"SITI CONTOH","alamat":"JL KENANGA 7","tanggal_lahir":"1990-12-05","kode":"9901011001"}"#,
    r#"{"kode":"9901011001","nik":"9901014512900003","nama":"BUDI","x":{"y":[1]},"y":2}"#,
];

/// The same body with other records before and behind it has the same output and verdict: what was read
/// before may make a pass faster and nothing else. Short bodies alone never reach the fast way.
pub(super) fn check_among_others(plan: &MaskPlan, limits: Limits, body: &[u8], alone: &Outcome) {
    if body.starts_with(b"\xEF") {
        return; // a mark at the start of a text, and a wrong byte anywhere else
    }
    match plan.format {
        Format::Json(Records::Array) if body.starts_with(b"[{") => {
            for other in OTHERS {
                let before = format!("{other},").repeat(8);
                check_behind(plan, limits, ("[", &before, "]"), body, alone);
            }
        }
        Format::Ndjson => {
            for other in OTHERS {
                check_behind(plan, limits, ("", &format!("{other}\n").repeat(8), ""), body, alone);
            }
        }
        Format::Csv { delimiter, .. } => {
            let header = body.iter().position(|byte| *byte == b'\n').map_or(body.len(), |at| at + 1);
            let (Ok(header), false) = (std::str::from_utf8(&body[..header]), body[..header].contains(&b'"'))
            else {
                return;
            };
            let columns = header.matches(char::from(delimiter)).count();
            for cell in ["9901", "9901011001001"] {
                let row = format!("{cell}{}\n", format!("{}{cell}", char::from(delimiter)).repeat(columns));
                check_behind(plan, limits, (header, &row.repeat(40), ""), body, alone);
            }
        }
        Format::Json(_) | Format::JsonSeq => {}
    }
}

/// `open`, records, `close` make a sound body, if they belong to this plan; `body` begins with `open`.
fn check_behind(
    plan: &MaskPlan,
    limits: Limits,
    (open, before, close): (&str, &str, &str),
    body: &[u8],
    alone: &Outcome,
) {
    let whole = |body: &[u8]| run(plan, Coding::Identity, limits, [body]);
    let nothing = whole(open.as_bytes()).output;
    let sound = whole(format!("{open}{}{close}", before.trim_end_matches(',')).as_bytes());
    let Some(rest) = body.get(open.len()..).filter(|_| sound.verdict.is_ok()) else { return };
    let rows = sound.tally.rows_out;
    let own = alone.output.get(nothing.len()..).unwrap_or_default();
    let shown = &sound.output[nothing.len()..sound.output.len() - close.len()];
    // In an array a comma leaves with the record behind it.
    let comma = if open == "[" && !own.is_empty() { "," } else { "" };
    let mut expected = format!("{nothing}{shown}{comma}{own}");
    let mut among = [open.as_bytes(), before.as_bytes(), rest].concat();
    let stops_early = !matches!(
        alone.verdict,
        Err(RedactError::Stopped { problem: Problem::Truncated | Problem::StrayQuote | Problem::Syntax, .. })
    );
    if close.is_empty() && body.ends_with(b"\n") && stops_early {
        among.extend_from_slice(before.as_bytes());
        if alone.verdict.is_ok() {
            expected.push_str(shown);
        }
    }
    let found = whole(&among);
    assert_eq!(found.output, expected);
    match (found.verdict, alone.verdict) {
        (Ok(()), Ok(())) => {}
        (
            Err(RedactError::Stopped { records, offset, problem }),
            Err(RedactError::Stopped {
                records: alone_records,
                offset: alone_offset,
                problem: alone_problem,
            }),
        ) => {
            let behind = (alone_records + rows, alone_offset + before.len() as u64, alone_problem);
            assert_eq!((records, offset, problem), behind);
        }
        (found, alone) => assert_eq!(found, alone),
    }
}

/// What a text says, as an attacker reads it: escapes undone, digits of any width as plain ones, separators set aside.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        plain.push_str(&rest[..at]);
        let digits = rest.get(at + 2..at + 6).unwrap_or_default();
        plain.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
        rest = rest.get(at + 6..).unwrap_or_default();
    }
    plain.push_str(rest);
    let digits = plain.chars().filter_map(|character| match character {
        '\u{FF10}'..='\u{FF19}' => char::from_u32(u32::from(character) - 0xFEE0),
        '\u{660}'..='\u{669}' => char::from_u32(u32::from(character) - 0x630),
        ' ' | '.' | '-' | '/' | '\u{A0}' | '\u{200B}' => None,
        other => Some(other),
    });
    digits.collect()
}

/// The oracle: no eight digits in a row of a hidden number, however punctuated, and no address.
pub(super) fn assert_silent(output: &str) {
    let plain = plain(output);
    assert!(!plain.to_uppercase().contains("KENANGA"), "an address got out");
    for hidden in [NIK, NKK] {
        for from in 0..=hidden.len() - 8 {
            assert!(!plain.contains(&hidden[from..from + 8]), "hidden digits got out");
        }
    }
}
