//! What the redactor costs, beside what others cost for the same work: `cargo bench --bench redact`.
//!
//! Bodies are made up in memory and redacted in chunks of 64 KiB by one thread. Rounds are interleaved, a figure is
//! the median of its rounds, and time is processor time of the thread that worked, so that other work on the
//! machine touches all alike. `--mb N` takes bodies of another size than 256 MB, `--rounds N` other than 5 rounds.
//! `--quick` takes little of both and fails when a ratio, never a time, is far from what it was: a check that can
//! run anywhere.

#![expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]

mod bodies;
mod check;
mod clock;
mod features;
mod plans;
mod rivals;
mod table;

use std::io::{self, Write};

use salinan::demo::BodyShape;
use salinan::domain::{CopyKey, Format, MaskPlan};
use salinan::redact::{Coding, Limits, Redacted, Redactor};

use table::{Row, Table};

/// What a figure has to reach in a quick run: about half of what it reaches, so that noise does not fail it.
const QUICK: [(&str, f64); 3] = [("serde_json", 8.0), ("csv crate", 1.5), ("jq", 20.0)];

struct Options {
    bytes: usize,
    rounds: usize,
    is_quick: bool,
}

impl Options {
    /// Cargo hands on `--bench`, which says nothing.
    fn read() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let is_quick = words.iter().any(|word| word == "--quick");
        let (bytes, rounds) = if is_quick { (16, 3) } else { (256, 5) };
        let number = |name: &str, otherwise: usize| {
            let value = words.iter().skip_while(|word| *word != name).nth(1);
            value.map_or(otherwise, |value| value.parse().expect("a number behind --mb and --rounds"))
        };
        Self { bytes: number("--mb", bytes) * 1_000_000, rounds: number("--rounds", rounds), is_quick }
    }
}

/// One pass over a body in chunks as they come from a socket; what leaves is handed to `take`. Gives the seconds
/// it took.
fn pass(plan: &MaskPlan, body: &[u8], take: impl FnMut(&Redacted)) -> f64 {
    coded_pass(plan, Coding::Identity, body, take)
}

fn coded_pass(plan: &MaskPlan, coding: Coding, body: &[u8], mut take: impl FnMut(&Redacted)) -> f64 {
    let began = clock::thread_seconds();
    let mut redactor = Redactor::new(plan, coding, &CopyKey::new([7; 32]), Limits::default());
    let mut out = Redacted::new();
    for chunk in body.chunks(64 * 1024) {
        redactor.push(chunk, &mut out).expect("the body is sound");
        take(&out);
        out.clear();
    }
    redactor.finish(&mut out).expect("the body is whole");
    take(&out);
    clock::thread_seconds() - began
}

/// Others' work on a body, which nobody looks at.
fn other(work: fn(&[u8], &mut dyn Write), body: &[u8]) -> f64 {
    let began = clock::thread_seconds();
    work(body, &mut io::sink());
    clock::thread_seconds() - began
}

fn main() {
    let options = Options::read();
    let mut out = io::stdout().lock();
    let mut say = |text: &str| out.write_all(text.as_bytes()).expect("standard output takes all");
    say(&format!(
        "{} MB a body, chunks of 64 KiB, medians of {} interleaved rounds, one thread\n",
        options.bytes / 1_000_000,
        options.rounds
    ));
    let json = bodies::voters(BodyShape::JsonArray, options.bytes);
    let ndjson = bodies::voters(BodyShape::Ndjson, options.bytes);
    let csv = bodies::voters(BodyShape::Csv, options.bytes);
    check::rivals(&ndjson, &csv);
    say(&against_others(&json, &ndjson, &csv, &options));
    if !options.is_quick {
        say(&features::text(&ndjson, &csv, options.rounds));
    }
}

/// The bodies whose figures have a bar, and the rivals on parts of them: they take long.
fn against_others(json: &[u8], ndjson: &[u8], csv: &[u8], options: &Options) -> String {
    let (absent, shuffled) = (bodies::absent(ndjson), bodies::shuffled(ndjson));
    let (json_kept, csv_kept) = (bodies::without_numbers(ndjson), bodies::csv_without_numbers(csv));
    let (array, lines, cells) =
        (plans::study(plans::array()), plans::study(Format::Ndjson), plans::study(plans::csv()));
    let (keep_array, keep_cells) = (plans::keep_all(plans::array()), plans::keep_all(plans::csv()));
    check::kept(&keep_array, &json_kept);
    check::kept(&keep_cells, &csv_kept);
    let part_json = bodies::voters(BodyShape::JsonArray, options.bytes / 8);
    let (part_ndjson, part_csv) =
        (bodies::lines(ndjson, options.bytes / 8), bodies::lines(csv, csv.len() / 8));
    let for_jq = bodies::lines(ndjson, options.bytes / 16);

    let mut table = Table::default();
    for (name, plan, body) in [
        ("JSON", &array, json),
        ("NDJSON", &lines, ndjson),
        ("CSV", &cells, csv),
        ("JSON, members absent at random", &array, &*absent),
        ("JSON, members shuffled", &array, &*shuffled),
        ("JSON, all kept", &keep_array, &*json_kept),
        ("CSV, all kept", &keep_cells, &*csv_kept),
    ] {
        table.push(Row::new(name, body.len(), move || Some(pass(plan, body, |_| {}))));
    }
    let json_row =
        Row::new("serde_json, JSON", part_json.len(), || Some(other(rivals::serde_json, &part_json)));
    table.push(json_row.beside("JSON"));
    let ndjson_row =
        Row::new("serde_json, NDJSON", part_ndjson.len(), || Some(other(rivals::serde_json, part_ndjson)));
    table.push(ndjson_row.beside("NDJSON"));
    let csv_row = Row::new("csv crate, CSV", part_csv.len(), || Some(other(rivals::csv, part_csv)));
    table.push(csv_row.beside("CSV"));
    let jq_row = Row::new("jq, NDJSON", for_jq.len(), || {
        let began = clock::programs_seconds();
        rivals::jq(for_jq, &mut io::sink())?;
        Some(clock::programs_seconds() - began)
    });
    table.push(jq_row.beside("NDJSON"));
    table.run(options.rounds);
    if options.is_quick {
        for (rival, least) in QUICK {
            table.check(rival, least);
        }
    }
    table.text()
}
