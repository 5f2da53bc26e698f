//! What each feature costs more than the study's orders on the same body.
//!
//! The sweep cannot be switched off. What is measured of it is its second look: a text in every record that holds
//! no digits, almost a number, or a number. What the first look costs, `docs/measure.md` tells.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use salinan::domain::digest::Hasher;
use salinan::domain::{ContentCoding, Format, MaskPlan};
use salinan::redact::{Coding, Encoder};

use super::table::{Row, Table};
use super::{bodies, clock, coded_pass, pass, plans};

/// As long as each other: without digits, with fifteen of them, with a made-up NIK.
const NOTES: [(&str, &str); 3] = [
    ("NDJSON, a note of 32 letters in every record", r#""keterangan":"perlu dicocokkan dengan kartunya""#),
    ("the same with 15 digits in the note", r#""keterangan":"perlu dicocokkan 990101451290000""#),
    ("the same with a NIK in the note", r#""keterangan":"dicocokkan dgn. 9901014512900003""#),
];

/// The last records of a body that were made, coded as sources do.
struct Coded {
    gzip: Vec<u8>,
    brotli: Vec<u8>,
    zstd: Vec<u8>,
}

impl Coded {
    fn new(body: &[u8]) -> Self {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
        gzip.write_all(body).expect("memory takes all");
        let params = brotli::enc::BrotliEncoderParams { quality: 5, ..Default::default() };
        let mut brotli = Vec::new();
        brotli::BrotliCompress(&mut &*body, &mut brotli, &params).expect("memory takes all");
        let mut zstd = Vec::with_capacity(zstd_safe::compress_bound(body.len()));
        zstd_safe::compress(&mut zstd, body, 3).expect("there is room");
        Self { gzip: gzip.finish().expect("memory takes all"), brotli, zstd }
    }
}

/// The table. `ndjson` and `csv` are whole bodies of which a part is taken.
pub fn text(ndjson: &[u8], csv: &[u8], rounds: usize) -> String {
    let (ndjson, csv) = (bodies::lines(ndjson, ndjson.len() / 4), bodies::lines(csv, csv.len() / 4));
    let noted = NOTES.map(|(name, note)| (name, bodies::with_note(ndjson, note)));
    let coded = Coded::new(ndjson);
    let (study, study_csv) = (plans::study(Format::Ndjson), plans::study(plans::csv()));
    let study_array = plans::study(plans::array());
    let features = [
        ("NDJSON, token for the NIK", ndjson, plans::token(Format::Ndjson)),
        ("NDJSON, kode_ganda", ndjson, plans::ganda(Format::Ndjson)),
        ("NDJSON, a pattern of the policy's own", ndjson, plans::pattern(Format::Ndjson)),
        ("CSV, token for the NIK", csv, plans::token(plans::csv())),
        ("CSV, kode_ganda", csv, plans::ganda(plans::csv())),
        ("CSV, a pattern of the policy's own", csv, plans::pattern(plans::csv())),
    ];

    let mut table = Table::default();
    table.push(Row::new("NDJSON", ndjson.len(), || Some(pass(&study, ndjson, |_| {}))));
    table.push(Row::new("CSV", csv.len(), || Some(pass(&study_csv, csv, |_| {}))));
    for (name, body, plan) in &features {
        let beside = if name.starts_with("CSV") { "CSV" } else { "NDJSON" };
        table.push(Row::new(name, body.len(), || Some(pass(plan, body, |_| {}))).beside(beside));
    }
    for (at, (name, body)) in noted.iter().enumerate() {
        let row = Row::new(name, body.len(), || Some(pass(&study_array, body, |_| {})));
        table.push(if at == 0 { row } else { row.beside(NOTES[0].0) });
    }
    table.push(
        Row::new("NDJSON, SHA-256 of what leaves", ndjson.len(), || Some(hashed(&study, ndjson)))
            .beside("NDJSON"),
    );
    for (name, coding, body) in [
        ("NDJSON from gzip", Coding::Gzip, &coded.gzip),
        ("NDJSON from br", Coding::Brotli, &coded.brotli),
        ("NDJSON from zstd", Coding::Zstd, &coded.zstd),
    ] {
        let study = &study;
        table.push(
            Row::new(name, ndjson.len(), move || Some(coded_pass(study, coding, body, |_| {})))
                .beside("NDJSON"),
        );
    }
    for (name, coding) in [
        ("NDJSON to gzip, flushed after each chunk", ContentCoding::Gzip),
        ("NDJSON to br, flushed after each chunk", ContentCoding::Br),
        ("NDJSON to zstd, flushed after each chunk", ContentCoding::Zstd),
    ] {
        let study = &study;
        let row = Row::new(name, ndjson.len(), move || Some(encoded(study, coding, ndjson)));
        table.push(row.beside("NDJSON"));
    }
    table.run(rounds);
    table.text_of_features()
}

/// A pass with the running digest that the ledger's completion holds.
fn hashed(plan: &MaskPlan, body: &[u8]) -> f64 {
    let began = clock::thread_seconds();
    let mut hasher = Hasher::default();
    pass(plan, body, |out| hasher.update(out.as_slice()));
    std::hint::black_box(hasher.digest());
    clock::thread_seconds() - began
}

/// A pass that leaves coded.
fn encoded(plan: &MaskPlan, coding: ContentCoding, body: &[u8]) -> f64 {
    let began = clock::thread_seconds();
    let mut encoder = Encoder::new(Some(coding)).expect("there is memory");
    pass(plan, body, |out| {
        std::hint::black_box(encoder.code(out).expect("there is memory"));
    });
    std::hint::black_box(encoder.finish().expect("there is memory"));
    clock::thread_seconds() - began
}
