//! For the tests: runs a body through the redactor under every cut, and reads the output as an attacker would.

use crate::domain::{
    Action, CopyKey, FieldName, FieldRule, Format, Formulas, Mask, MaskPlan, Records, RowArea,
};

use super::{Coding, Limits, RedactError, Redacted, Redactor, Tally};

pub(super) const NIK: &str = "9901014512900003";
pub(super) const NKK: &str = "9901010101010001";

pub(super) fn name(text: &str) -> FieldName {
    text.parse().unwrap()
}

pub(super) fn rule(of: &str, action: Action) -> FieldRule {
    FieldRule { name: name(of), action, emit_as: None }
}

pub(super) fn plan(format: Format, fields: Vec<FieldRule>) -> MaskPlan {
    let row_area = RowArea { field: name("kode"), within: "9901".parse().unwrap() };
    MaskPlan { format, fields, row_area }
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
    Outcome { output: String::from_utf8(output).unwrap(), verdict, tally: *redactor.tally() }
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
    whole
}

/// The oracle: no eight digits in a row of a hidden number, however punctuated, and no address.
pub(super) fn assert_silent(output: &str) {
    let mut plain = String::new();
    let mut rest = output;
    while let Some(at) = rest.find("\\u") {
        plain.push_str(&rest[..at]);
        let digits = rest.get(at + 2..at + 6).unwrap_or_default();
        plain.extend(u32::from_str_radix(digits, 16).ok().and_then(char::from_u32));
        rest = rest.get(at + 6..).unwrap_or_default();
    }
    plain.push_str(rest);
    assert!(!plain.to_uppercase().contains("KENANGA"), "an address got out");
    let digits: String = plain
        .chars()
        .filter_map(|character| match character {
            '\u{FF10}'..='\u{FF19}' => char::from_u32(u32::from(character) - 0xFEE0),
            '\u{660}'..='\u{669}' => char::from_u32(u32::from(character) - 0x630),
            ' ' | '.' | '-' | '/' | '\u{A0}' | '\u{200B}' => None,
            other => Some(other),
        })
        .collect();
    for hidden in [NIK, NKK] {
        for from in 0..=hidden.len() - 8 {
            assert!(!digits.contains(&hidden[from..from + 8]), "hidden digits got out");
        }
    }
}
