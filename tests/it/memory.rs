//! A copy of a million voters takes no more memory than one of ten thousand, and is whole.

use salinan::domain::Digest;
use salinan::ledger::{Entry, Outcome};

use crate::support::aloud;
use crate::support::client::End;
use crate::support::demo::Demo;
use crate::support::site::records;

const PEAK_KIB_MAX: u64 = 64 * 1_024;
const GROWTH_KIB_MAX: u64 = 8 * 1_024;

/// The most memory that was resident at one time.
fn peak_kib(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells the peak");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_voters_stay_under_64_mib_in_every_format() {
    // Which byte there is one of for each row, and how many more.
    for (url, byte, more) in [("csv", b'\n', 1), ("ndjson", b'\n', 0), ("json", b'{', 0)] {
        let mut peaks = Vec::new();
        for voters in [10_000, 1_000_000] {
            let folder = tempfile::tempdir().unwrap();
            let demo = Demo::start(folder.path(), voters);
            let since = std::time::Instant::now();
            let copy =
                demo.client().drain(demo.path(url), demo.token("partai_kabkota"), false, byte).await.unwrap();
            let took = since.elapsed();
            let peak = peak_kib(demo.id());
            aloud(&format!("{url}: {voters} voters, {} bytes in {took:.1?}, peak {peak} KiB", copy.bytes));
            assert_eq!((copy.status, copy.end, copy.count), (200, End::Clean, voters + more), "{url}");
            let closed = records(&demo.ledger()).into_iter().find_map(|record| match record.entry {
                Entry::Complete(closed) => Some(closed.completion),
                _ => None,
            });
            let closed = closed.expect("a completion before the end of the body");
            assert_eq!((closed.outcome, closed.rows_out), (Outcome::Complete, voters), "{url}");
            assert_eq!((closed.bytes, closed.body_sha256), (copy.bytes, Digest(copy.sha256)), "{url}");
            peaks.push(peak);
        }
        assert!(peaks[1] < PEAK_KIB_MAX, "{url}: {} KiB for a million voters", peaks[1]);
        assert!(peaks[1] < peaks[0] + GROWTH_KIB_MAX, "{url}: from {} to {} KiB", peaks[0], peaks[1]);
    }
}
