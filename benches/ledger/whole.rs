//! A large ledger: how fast it is made, verified, and asked for a receipt.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use salinan::domain::ReleaseId;
use salinan::ledger::LedgerReader;
use salinan::ledger::verify::Verdict;
use tokio::runtime::Runtime;

use super::{median, site};

/// Those who append at once while it is made.
const WAITERS: u64 = 1_024;
/// Acknowledgements of each release, so that a third of the entries are of each kind.
const ENTRIES_OF_A_RELEASE: u64 = 3;
const RECEIPTS: usize = 1_000;

pub fn run(runtime: &Runtime, folder: &Path, entries: u64) -> String {
    let directory = site::folder(folder);
    let mut text = String::new();
    let releases = runtime.block_on(make(directory.path(), entries, &mut text));

    let held = resident_kib();
    let began = Instant::now();
    let verdict = LedgerReader::open(directory.path()).and_then(|mut reader| reader.verify(None, None));
    let seconds = began.elapsed().as_secs_f64();
    let Ok(Verdict::Sound(report)) = verdict else { panic!("the ledger is not sound: {verdict:?}") };
    let size = report.size as f64;
    let _ =
        writeln!(text, "verified {} entries in {seconds:.1} s: {:.0} entries/s", report.size, size / seconds);
    let _ = writeln!(text, "memory before {held} KiB, at most {} KiB", peak_kib());

    let mut times = runtime.block_on(receipts(directory.path(), &releases));
    let typical = median(&mut times) * 1e3;
    let _ =
        writeln!(text, "receipt: median {typical:.2} ms, p99 {:.2} ms", times[times.len() * 99 / 100] * 1e3);
    text
}

/// Makes the ledger and gives some of its releases.
async fn make(directory: &Path, entries: u64, text: &mut String) -> Vec<ReleaseId> {
    let ledger = site::open(directory);
    let began = Instant::now();
    let each = entries / ENTRIES_OF_A_RELEASE / WAITERS;
    let tasks: Vec<_> = (0..WAITERS)
        .map(|waiter| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let mut last = None;
                for number in waiter * each..(waiter + 1) * each {
                    let ack = site::release(&ledger, number).await;
                    last = Some(ack.release);
                    ledger.acknowledge(ack).await.expect("it is stored");
                }
                last
            })
        })
        .collect();
    let mut releases = Vec::new();
    for task in tasks {
        releases.extend(task.await.expect("a waiter ends"));
    }
    ledger.shut_down().await;
    let seconds = began.elapsed().as_secs_f64();
    let made = each * WAITERS * ENTRIES_OF_A_RELEASE;
    let _ = writeln!(text, "made {made} entries in {seconds:.1} s: {:.0} entries/s", made as f64 / seconds);
    releases
}

/// Seconds that each of some receipts took.
async fn receipts(directory: &Path, releases: &[ReleaseId]) -> Vec<f64> {
    let ledger = site::reopen(directory);
    let mut times = Vec::new();
    for release in releases.iter().cycle().take(RECEIPTS) {
        let began = Instant::now();
        let receipt = ledger.receipt(*release).await.expect("it can be read");
        times.push(began.elapsed().as_secs_f64());
        assert!(receipt.is_some(), "the ledger knows the release");
    }
    ledger.shut_down().await;
    times
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
