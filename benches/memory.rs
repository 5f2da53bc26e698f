//! What a [`Redactor`] holds at most, whatever comes: `cargo bench --bench memory`.
//!
//! Every allocation is counted from where the redactor is made. Its output is taken and freed after each chunk and
//! counts too; the chunk that is handed in does not. Fails where the machine itself holds a MiB or more; what a decoder
//! holds comes on top and is stated.

#![expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]

#[path = "redact/plans.rs"]
#[expect(dead_code, reason = "these bodies need no other orders")]
mod plans;

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use peak_alloc::PeakAlloc;
use salinan::demo::{BodyShape, Roll, RowWriter};
use salinan::domain::{CopyKey, Format, MaskPlan};
use salinan::redact::{Coding, Limits, Redacted, Redactor};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const CHUNK: usize = 64 * 1024;
const HELD_MAX: usize = 1024 * 1024;

/// Bytes held at most while the body goes through, without those of the body. Ends where the body is refused.
fn peak(plan: &MaskPlan, coding: Coding, body: &[u8]) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let mut redactor = Redactor::new(plan, coding, &CopyKey::new([7; 32]), Limits::default());
    let mut out = Redacted::new();
    for chunk in body.chunks(CHUNK) {
        if redactor.push(chunk, &mut out).is_err() {
            break;
        }
        drop(std::mem::take(&mut out));
    }
    let _ = redactor.finish(&mut out);
    MEMORY.peak_usage() - before
}

fn voters(shape: BodyShape, rows: u64) -> Vec<u8> {
    let roll = Roll::new(1, rows);
    let numbers = roll.numbers_in(&"9901".parse().expect("a code"));
    let mut body = bytes::BytesMut::new();
    RowWriter::new(&roll, numbers, shape).fill(&mut body, u64::MAX);
    body.to_vec()
}

/// Records of nearly as many bytes as one may have, whose one long member is `member` over and over.
fn long(open: &str, member: &str, close: &str) -> Vec<u8> {
    let times = (Limits::default().record_bytes_max - 1_000) / member.replace('#', "00000").len();
    let members: String = (0..times).map(|at| member.replace('#', &format!("{at:05}"))).collect();
    format!("{open}{members}{close}\n").repeat(4).into_bytes()
}

fn main() {
    let mut out = io::stdout().lock();
    let mut say = |text: &str| out.write_all(text.as_bytes()).expect("standard output takes all");
    let (lines, cells) = (plans::study(Format::Ndjson), plans::study(plans::csv()));
    let row = "{\"kode_tps\":\"9901011001001\",\"nama\":\"";
    let usual = voters(BodyShape::Ndjson, 50_000);
    let bodies = [
        ("JSON", plans::study(plans::array()), voters(BodyShape::JsonArray, 50_000)),
        ("NDJSON", lines.clone(), usual.clone()),
        ("CSV", cells.clone(), voters(BodyShape::Csv, 50_000)),
        ("NDJSON, longest records, one text", lines.clone(), long(row, "SITI CONTOH ", "\"}")),
        (
            "NDJSON, longest records, of names",
            lines.clone(),
            long("{\"kode_tps\":\"9901011001001\"", ",\"#\":1", "}"),
        ),
        (
            "NDJSON, longest records, all escapes and NIKs",
            lines.clone(),
            long(row, "\\u0041 9901014512900003 ", "\"}"),
        ),
        (
            "NDJSON, longest records, arrays in arrays",
            lines.clone(),
            long("{\"kode_tps\":\"9901011001001\",\"x\":[0", ",[[[[1]]]]", "]}"),
        ),
        ("NDJSON, no end of a line", lines.clone(), vec![b'1'; 4_000_000]),
        ("CSV, longest rows, one quoted cell", cells, {
            let head = "nik,nama,kode_tps\n".to_owned();
            let rows = long(",\"", "SITI \"\"9901014512900003\"\"\n", "\",9901011001001");
            [head.into_bytes(), rows].concat()
        }),
    ];
    say("\n| | KiB held at most |\n| --- | --- |\n");
    let mut most = 0;
    for (name, plan, body) in &bodies {
        let held = peak(plan, Coding::Identity, body);
        most = most.max(held);
        say(&format!("| {name} | {:.0} |\n", held as f64 / 1024.0));
    }
    for (name, coding, body) in coded(&usual) {
        say(&format!("| NDJSON from {name} | {:.0} |\n", peak(&lines, coding, &body) as f64 / 1024.0));
    }
    assert!(most < HELD_MAX, "{most} bytes were held, where {HELD_MAX} are too many");
}

/// The body in each coding; in those that have windows, with the largest that the redactor takes.
fn coded(body: &[u8]) -> [(&'static str, Coding, Vec<u8>); 3] {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::new(6));
    gzip.write_all(body).expect("memory takes all");
    let params = brotli::enc::BrotliEncoderParams { quality: 5, lgwin: 22, ..Default::default() };
    let mut brotli = Vec::new();
    brotli::BrotliCompress(&mut &*body, &mut brotli, &params).expect("memory takes all");
    let mut zstd = Vec::with_capacity(zstd_safe::compress_bound(body.len()));
    zstd_safe::compress(&mut zstd, body, 19).expect("there is room");
    [
        ("gzip", Coding::Gzip, gzip.finish().expect("memory takes all")),
        ("br", Coding::Brotli, brotli),
        ("zstd", Coding::Zstd, zstd),
    ]
}
