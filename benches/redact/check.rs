//! That all those measured do the same work, looked at before they are.

use csv::{ByteRecord, ReaderBuilder};
use salinan::domain::{Format, MaskPlan};
use serde_json::Value;

use super::{bodies, pass, plans, rivals};

/// As much of a body as is compared.
const BYTES: usize = 2_000_000;

fn redacted(plan: &MaskPlan, body: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    pass(plan, body, |out| all.extend_from_slice(out.as_slice()));
    all
}

fn values(text: &[u8]) -> Vec<Value> {
    let values = serde_json::Deserializer::from_slice(text).into_iter();
    values.map(|value| value.expect("a record")).collect()
}

fn rows(text: &[u8]) -> Vec<ByteRecord> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text);
    reader.byte_records().map(|record| record.expect("a row")).collect()
}

/// The rivals and the redactor say the same of the first records.
pub fn rivals(ndjson: &[u8], csv: &[u8]) {
    let mut by = Vec::new();
    let lines = bodies::lines(ndjson, BYTES);
    let shown = values(&redacted(&plans::study(Format::Ndjson), lines));
    assert!(shown.len() > 1_000, "too few records to compare");
    rivals::serde_json(lines, &mut by);
    assert!(values(&by) == shown, "serde_json does other work");
    let array = ["[", String::from_utf8_lossy(lines).trim_end().replace('\n', ",").as_str(), "]"].concat();
    by.clear();
    rivals::serde_json(array.as_bytes(), &mut by);
    assert!(values(&by) == shown, "serde_json does other work on an array");
    by.clear();
    if rivals::jq(lines, &mut by).is_some() {
        assert!(values(&by) == shown, "jq does other work");
    }
    by.clear();
    let lines = bodies::lines(csv, BYTES);
    rivals::csv(lines, &mut by);
    assert!(
        rows(&by) == rows(&redacted(&plans::study(plans::csv()), lines)),
        "the csv crate does other work"
    );
}

/// Orders that keep all give the body back.
pub fn kept(plan: &MaskPlan, body: &[u8]) {
    let mut at = 0;
    pass(plan, body, |out| {
        assert!(body[at..].starts_with(out.as_slice()), "something was changed");
        at += out.len();
    });
    assert!(at == body.len(), "something was left out");
}
