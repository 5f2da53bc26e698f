//! Bodies of made-up voters in memory: the demo's rows, as they are and with their members cut and mixed.

use bytes::BytesMut;
use csv::{ReaderBuilder, WriterBuilder};
use salinan::demo::{BodyShape, Roll, RowWriter};
use salinan::domain::random::next_u64;

/// About what a row takes as JSON.
const ROW_BYTES: usize = 425;
const CSV_ROW_BYTES: usize = 190;

/// A body of that shape, of about so many bytes.
pub fn voters(shape: BodyShape, bytes: usize) -> Vec<u8> {
    let row_bytes = if shape == BodyShape::Csv { CSV_ROW_BYTES } else { ROW_BYTES };
    let roll = Roll::new(1, (bytes / row_bytes) as u64);
    let area = "9901".parse().expect("9901 is a code of an area");
    let numbers = roll.numbers_in(&area);
    let mut writer = RowWriter::new(&roll, numbers, shape);
    let mut body = BytesMut::with_capacity(bytes + bytes / 8);
    writer.fill(&mut body, u64::MAX);
    body.to_vec()
}

/// The same records with other members, as an array: `change` is handed the members of one record, such as
/// `"rt":"003"`.
fn changed<'a>(ndjson: &'a [u8], mut change: impl FnMut(&mut Vec<&'a str>)) -> Vec<u8> {
    let text = std::str::from_utf8(ndjson).expect("the demo's rows are ASCII");
    let mut body = Vec::with_capacity(ndjson.len());
    for record in text.lines() {
        // No text of the demo's rows holds a quote.
        let members = record.trim_start_matches('{').trim_end_matches('}');
        let quotes = members.match_indices(",\"").map(|(at, _)| at).chain([members.len()]);
        let mut from = 0;
        let mut members: Vec<&str> = quotes
            .map(|at| {
                let member = &members[from..at];
                from = at + 1;
                member
            })
            .collect();
        change(&mut members);
        body.extend_from_slice(if body.is_empty() { b"[{" } else { b",\n{" });
        body.extend_from_slice(members.join(",").as_bytes());
        body.push(b'}');
    }
    body.extend_from_slice(b"]\n");
    body
}

/// Every member but the area's left out with a chance of one in ten.
pub fn absent(ndjson: &[u8]) -> Vec<u8> {
    let mut state = 1;
    changed(ndjson, |members| {
        members
            .retain(|member| !next_u64(&mut state).is_multiple_of(10) || member.starts_with("\"kode_tps\""));
    })
}

/// The members of every record in an order of its own.
pub fn shuffled(ndjson: &[u8]) -> Vec<u8> {
    let mut state = 1;
    changed(ndjson, |members| {
        for last in (1..members.len()).rev() {
            let other = next_u64(&mut state) % (last as u64 + 1);
            members.swap(last, usize::try_from(other).unwrap_or_default());
        }
    })
}

/// Without the long numbers, which no policy keeps: the sweep would cover them.
pub fn without_numbers(ndjson: &[u8]) -> Vec<u8> {
    changed(ndjson, |members| members.retain(|member| !is_number(member.trim_start_matches('"'))))
}

fn is_number(name: &str) -> bool {
    name.starts_with("nik") || name.starts_with("nkk")
}

pub fn csv_without_numbers(csv: &[u8]) -> Vec<u8> {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(csv);
    let mut writer = WriterBuilder::new().from_writer(Vec::with_capacity(csv.len()));
    let mut kept: Option<Vec<usize>> = None;
    for record in reader.byte_records() {
        let record = record.expect("the demo's rows are CSV");
        let kept = kept.get_or_insert_with(|| {
            let names = record.iter().map(|name| String::from_utf8_lossy(name).into_owned()).enumerate();
            names.filter(|(_, name)| !is_number(name)).map(|(at, _)| at).collect()
        });
        writer.write_record(kept.iter().map(|at| &record[*at])).expect("memory takes all");
    }
    writer.into_inner().expect("memory takes all")
}

/// With this member in every record in place of `keterangan`, which in most rows of the demo is empty.
pub fn with_note<'a>(ndjson: &'a [u8], note: &'a str) -> Vec<u8> {
    changed(ndjson, |members| {
        for member in members.iter_mut().filter(|member| member.starts_with("\"keterangan\"")) {
            *member = note;
        }
    })
}

/// The first records of a body: up to the last line feed before `bytes`.
pub fn lines(body: &[u8], bytes: usize) -> &[u8] {
    let head = &body[..bytes.min(body.len())];
    let end = head.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    &head[..end]
}
