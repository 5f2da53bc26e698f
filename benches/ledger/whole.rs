//! A large ledger: how fast it is made, verified, and asked for a receipt.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use salinan::ledger::verify::Verdict;
use salinan::ledger::{DATABASE_FILE, LedgerReader, Query};
use tokio::runtime::Runtime;

use super::{median, site};

/// Those who append at once while it is made.
const WAITERS: u64 = 1_024;
/// Acknowledgements of each release, so that a third of the entries are of each kind.
const ENTRIES_OF_A_RELEASE: u64 = 3;
const RECEIPTS: usize = 1_000;

pub fn run(runtime: &Runtime, folder: &Path, keep: Option<&Path>, entries: u64) -> String {
    let spare = site::folder(folder);
    let directory = keep.unwrap_or(spare.path());
    let mut text = String::new();
    std::fs::create_dir_all(directory).expect("the folder can be made");
    let there = if directory.join(DATABASE_FILE).exists() { size(directory) } else { 0 };
    if there + ENTRIES_OF_A_RELEASE * WAITERS < entries {
        runtime.block_on(make(directory, there, entries, &mut text));
    }

    let held = resident_kib();
    let (began, worked) = (Instant::now(), processor_seconds());
    let verdict = LedgerReader::open(directory).and_then(|mut reader| reader.verify(None, None));
    let seconds = began.elapsed().as_secs_f64();
    let worked = processor_seconds() - worked;
    let Ok(Verdict::Sound(report)) = verdict else { panic!("the ledger is not sound: {verdict:?}") };
    let size = report.size as f64;
    let _ = writeln!(
        text,
        "verified {} entries in {seconds:.2} s ({worked:.2} s of processors): {:.0} entries/s",
        report.size,
        size / seconds
    );
    let _ = writeln!(text, "memory before {held} KiB, at most {} KiB", peak_kib());

    let mut times = runtime.block_on(receipts(directory, report.size));
    let typical = median(&mut times) * 1e3;
    let _ =
        writeln!(text, "receipt: median {typical:.2} ms, p99 {:.2} ms", times[times.len() * 99 / 100] * 1e3);
    text
}

fn size(directory: &Path) -> u64 {
    LedgerReader::open(directory).and_then(|mut reader| reader.size()).expect("it can be read")
}

/// Makes the ledger, or goes on with one of so many entries.
async fn make(directory: &Path, there: u64, entries: u64, text: &mut String) {
    let ledger = if there == 0 { site::open(directory) } else { site::reopen(directory) };
    let began = Instant::now();
    let each = (entries - there) / ENTRIES_OF_A_RELEASE / WAITERS;
    let tasks: Vec<_> = (0..WAITERS)
        .map(|waiter| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                for number in there + waiter * each..there + (waiter + 1) * each {
                    let ack = site::release(&ledger, number).await;
                    ledger.acknowledge(ack).await.expect("it is stored");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a waiter ends");
    }
    ledger.shut_down().await;
    let seconds = began.elapsed().as_secs_f64();
    let made = each * WAITERS * ENTRIES_OF_A_RELEASE;
    let _ = writeln!(text, "made {made} entries in {seconds:.1} s: {:.0} entries/s", made as f64 / seconds);
}

/// Seconds that each of some receipts took, of releases from all over the ledger.
async fn receipts(directory: &Path, size: u64) -> Vec<f64> {
    let mut reader = LedgerReader::open(directory).expect("it can be read");
    let mut releases = Vec::new();
    for at in 0..RECEIPTS {
        let from = size / 2 * at as u64 / RECEIPTS as u64 * 2;
        let query = Query { kind: Some("release.complete".to_owned()), ..Query::default() };
        releases.extend(reader.find(&query, from, 1).expect("it can be read").pop());
    }
    drop(reader);
    let ledger = site::reopen(directory);
    let mut times = Vec::new();
    for release in releases.iter().filter_map(|record| record.entry.release()) {
        let began = Instant::now();
        let receipt = ledger.receipt(release).await.expect("it can be read");
        times.push(began.elapsed().as_secs_f64());
        assert!(receipt.is_some(), "the ledger knows the release");
    }
    ledger.shut_down().await;
    times
}

/// Of all threads together.
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn resident_kib() -> u64 {
    of_status("VmRSS:")
}

/// Also counts what making the ledger held, where that was more.
fn peak_kib() -> u64 {
    of_status("VmHWM:")
}

fn of_status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or_default()
}
