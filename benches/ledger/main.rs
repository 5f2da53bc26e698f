//! What the ledger costs: `cargo bench --bench ledger`.
//!
//! Durable appends a second with so many who wait for theirs, the time one append alone takes, and in the same rounds
//! two plain ways of keeping a record: a transaction of `SQLite` for each entry, and a file without tree, index or
//! signature, synced for all who wait. Rounds are interleaved and a figure is the median of its rounds; times are on
//! the wall, since the disk is what is waited for. `--seconds N` and `--rounds N` take more than one second and five rounds.
//!
//! `--whole N` makes a ledger of about N entries instead, verifies it and fetches receipts from it. With `--keep DIR` it is
//! made in that folder and stays there, and the next run goes on with what is there: where nothing is missing, the memory
//! measured is that of verifying alone.
//!
//! Everything is written below `target/`, or below the folder that `--dir` names: a file system in memory would say
//! nothing of syncing.

#![expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]

mod appends;
mod rivals;
mod site;
mod whole;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Those who wait at once: as many as the bars are set for.
const WAITERS: [usize; 2] = [64, 256];

struct Options {
    seconds: Duration,
    rounds: usize,
    whole: Option<u64>,
    keep: Option<PathBuf>,
    folder: PathBuf,
}

impl Options {
    /// Cargo hands on `--bench`, which says nothing.
    fn read() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let value = |name: &str| words.iter().skip_while(|word| *word != name).nth(1);
        let number = |name: &str| {
            value(name)
                .map(|value| value.parse::<u64>().expect("a number behind --seconds, --rounds and --whole"))
        };
        Self {
            seconds: Duration::from_secs(number("--seconds").unwrap_or(1)),
            rounds: usize::try_from(number("--rounds").unwrap_or(5)).expect("few rounds"),
            whole: number("--whole"),
            keep: value("--keep").map(PathBuf::from),
            folder: value("--dir")
                .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from),
        }
    }
}

fn main() {
    let options = Options::read();
    let mut out = io::stdout().lock();
    let mut say = |text: &str| writeln!(out, "{text}").expect("standard output takes all");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if let Some(entries) = options.whole {
        say(&whole::run(&runtime, &options.folder, options.keep.as_deref(), entries));
        return;
    }
    let (mut alone, mut many, mut singly, mut plain) = (vec![], vec![vec![]; 2], vec![], vec![vec![]; 2]);
    for _ in 0..options.rounds {
        alone.push(appends::alone(&runtime, &options.folder, options.seconds));
        for (row, waiters) in WAITERS.iter().enumerate() {
            many[row].push(appends::by(&runtime, &options.folder, *waiters, options.seconds));
            plain[row].push(rivals::file(&options.folder, *waiters, options.seconds));
        }
        singly.push(rivals::transactions(&options.folder, options.seconds));
    }
    let singly = median(&mut singly);
    say(&format!("entries of {} bytes, medians of {} rounds\n", site::entry_bytes(), options.rounds));
    say("| | appends/s | |\n| --- | --- | --- |");
    for (row, waiters) in WAITERS.iter().enumerate() {
        let (ours, file) = (median(&mut many[row]), median(&mut plain[row]));
        say(&format!(
            "| ledger, {waiters} waiters | {ours:.0} | {:.1} times SQLite, {:.2} of the file |",
            ours / singly,
            ours / file
        ));
        say(&format!("| plain file, {waiters} waiters | {file:.0} | |"));
    }
    say(&format!("| SQLite, a transaction for each entry | {singly:.0} | |"));
    say(&format!("\none append alone: median {:.3} ms", median(&mut alone) * 1e3));
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
