//! The redactor on one body, in pieces of all kinds, beside the reference.

use salinan::domain::{CopyKey, MaskPlan};
use salinan::redact::{Coding, FieldTally, Limits, RedactError, Redacted, Redactor, Tally};

use super::KEY;
use super::texts::{copy, counted};

#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub output: String,
    pub verdict: Result<(), RedactError>,
    pub tally: Tally,
    pub fields: Vec<(String, FieldTally)>,
}

impl Outcome {
    /// `ok` or why not.
    pub fn code(&self) -> &'static str {
        self.verdict.map_or_else(|error| error.code(), |()| "ok")
    }
}

pub fn run<'a>(plan: &MaskPlan, limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut redactor = Redactor::new(plan, Coding::Identity, &CopyKey::new(KEY), limits);
    let (mut out, mut output) = (Redacted::new(), Vec::new());
    let mut verdict = Ok(());
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
    Outcome {
        output: String::from_utf8(output).unwrap(),
        verdict,
        tally: *redactor.tally(),
        fields: redactor.fields(),
    }
}

/// The outcome of the body in one piece, which the reference has to share.
pub fn agreed(name: &str, plan: &MaskPlan, limits: Limits, body: &[u8]) -> Outcome {
    let found = run(plan, limits, [body]);
    let expected = copy(plan, limits, body);
    let code = found.code();
    let is_known = expected.codes.contains(&code) || expected.codes.is_empty() && code == "ok";
    let mut tally = expected.tally;
    tally.rows_in += u64::from(expected.ends_in_row && expected.short != Some(code));
    let fields = counted(found.fields.iter().cloned());
    let differs = [
        ("verdict", !is_known, format!("{code} and not {:?}", expected.codes)),
        ("copy", found.output != expected.output, difference(&found.output, &expected.output)),
        ("counts", found.tally != tally, format!("{:?}\nand not {tally:?}", found.tally)),
        ("counts by field", fields != expected.fields, format!("{fields:?}\nand not {:?}", expected.fields)),
    ];
    if let Some((what, _, how)) = differs.into_iter().find(|(_, differs, _)| *differs) {
        let body = String::from_utf8_lossy(&body[..body.len().min(4096)]);
        panic!("{name}: another {what}: {how}\nof {body:?}\nby {}", told(plan));
    }
    found
}

fn assert_same(name: &str, how: &str, found: &Outcome, whole: &Outcome, plan: &MaskPlan, body: &[u8]) {
    if found != whole {
        let body = String::from_utf8_lossy(&body[..body.len().min(4096)]);
        let copy = difference(&found.output, &whole.output);
        panic!(
            "{name}: {how}: {:?} {:?}\nand not {:?} {:?}\ncopy {copy}\nof {body:?}\nby {}",
            found.verdict,
            found.tally,
            whole.verdict,
            whole.tally,
            told(plan)
        );
    }
}

/// A plan in few words.
fn told(plan: &MaskPlan) -> String {
    let rules: Vec<String> = plan
        .fields
        .iter()
        .map(|rule| {
            let name = rule.emit_as.as_ref().map(|name| format!(" as {name}"));
            format!("{}: {}{}", rule.path, rule.action, name.unwrap_or_default())
        })
        .collect();
    let MaskPlan { format, row_area, kode_ganda, sweep, .. } = plan;
    format!("{} {format:?}, {:?}, {kode_ganda:?}, {sweep:?}", rules.join(", "), row_area.outside)
}

/// Two copies from shortly before they part.
fn difference(found: &str, expected: &str) -> String {
    let same = found.bytes().zip(expected.bytes()).take_while(|(one, other)| one == other).count();
    let part = |text: &str| {
        let part = &text.as_bytes()[same.saturating_sub(60)..(same + 200).min(text.len())];
        String::from_utf8_lossy(part).into_owned()
    };
    format!("{:?}\nand not {:?}", part(found), part(expected))
}

/// [`agreed`], and the same in pieces of these sizes.
pub fn agreed_in_pieces(
    name: &str,
    plan: &MaskPlan,
    limits: Limits,
    body: &[u8],
    sizes: &[usize],
) -> Outcome {
    let whole = agreed(name, plan, limits, body);
    for size in sizes {
        let found = run(plan, limits, body.chunks((*size).max(1)));
        assert_same(name, &format!("in pieces of {size}"), &found, &whole, plan, body);
    }
    whole
}

/// Bodies up to this length are tried with every pair of cuts.
const TWO_CUTS_MAX: usize = 30;

/// [`agreed`], and the same under every cut, every two cuts of a short body, and in small pieces.
pub fn agreed_under_cuts(name: &str, plan: &MaskPlan, limits: Limits, body: &[u8]) -> Outcome {
    let whole = agreed_in_pieces(name, plan, limits, body, &[1, 2, 3, 7, 16, 61]);
    for cut in 0..=body.len() {
        let (head, tail) = body.split_at(cut);
        let found = run(plan, limits, [head, tail]);
        assert_same(name, &format!("cut at {cut}"), &found, &whole, plan, body);
        if body.len() <= TWO_CUTS_MAX {
            for second in 0..=tail.len() {
                let (middle, tail) = tail.split_at(second);
                let found = run(plan, limits, [head, middle, tail]);
                let how = format!("cut at {cut} and {}", cut + second);
                assert_same(name, &how, &found, &whole, plan, body);
            }
        }
    }
    whole
}
