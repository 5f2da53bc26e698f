//! `kill -9` at random moments of streaming copies. What the ledger says afterwards has to cover all that requesters
//! saw: no byte without an intent, no whole copy without its completion.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use salinan::domain::{Clock, Digest, SystemClock};
use salinan::ledger::{Entry, Outcome};

use crate::support::aloud;
use crate::support::client::{Client, Drained, End};
use crate::support::demo::Demo;
use crate::support::site::{records, verify_ledger};

const ROUNDS: usize = 10;
/// Copies at one time.
const REQUESTERS: usize = 5;
/// Latest moment of the kill after the start of the copies.
const LATEST_MS: u64 = 900;

/// Asks for copies, one after the other, until nobody answers.
async fn ask(client: Client, path: String, token: String, h2: bool, seen: Arc<Mutex<Vec<Drained>>>) {
    while let Some(copy) = client.drain(&path, &token, h2, b'\n').await {
        let is_whole = copy.end == End::Clean;
        seen.lock().unwrap().push(copy);
        if !is_whole {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_moment_of_a_kill_the_ledger_covers_what_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut seed = SystemClock.unix_ms();
    aloud(&format!("kill moments are drawn from seed {seed}"));
    let (mut whole, mut cut) = (0, 0);
    for round in 0..ROUNDS {
        let mut demo = Demo::start(folder.path(), 200_000);
        let ledger = demo.ledger();
        // The start has closed what the kill before it left open.
        let open = salinan::ledger::LedgerReader::open(&ledger).unwrap();
        drop(open);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let urls = ["csv", "ndjson", "json", "kecamatan", "refused"];
        let requesters: Vec<_> = (0..REQUESTERS)
            .map(|at| {
                let token = if urls[at] == "kecamatan" { "partai_kecamatan" } else { "partai_kabkota" };
                let path = match urls[at] {
                    // A small copy, so that ends are frequent.
                    "refused" => format!("{}?tps=9901011001001", demo.path("csv")),
                    url => demo.path(url).to_owned(),
                };
                let (client, seen) = (demo.client(), Arc::clone(&seen));
                tokio::spawn(ask(client, path, demo.token(token).to_owned(), (at + round) % 2 == 0, seen))
            })
            .collect();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(5 + (seed >> 33) % LATEST_MS)).await;
        demo.kill();
        for requester in requesters {
            requester.await.unwrap();
        }

        // What a crash left is sound by itself, before any repair.
        verify_ledger(&ledger);
        let records = records(&ledger);
        for copy in seen.lock().unwrap().iter() {
            assert_eq!(copy.status, 200);
            let release = copy.release.as_ref().expect("a copy has its number");
            let of_it: Vec<_> = records
                .iter()
                .filter(|record| record.entry.release().is_some_and(|own| own.to_string() == *release))
                .collect();
            let opened = of_it.iter().any(|record| matches!(record.entry, Entry::Intent(_)));
            assert!(opened, "round {round}: {} bytes left without an intent", copy.bytes);
            let ceiling = of_it.iter().rev().find_map(|record| match &record.entry {
                Entry::Grant(grant) => Some(grant.ceiling_bytes),
                Entry::Intent(intent) => intent.ceiling_bytes,
                _ => None,
            });
            assert!(Some(copy.bytes) <= ceiling, "round {round}: {} bytes over {ceiling:?}", copy.bytes);
            let closed = of_it.iter().find_map(|record| match &record.entry {
                Entry::Complete(closed) => Some(&closed.completion),
                _ => None,
            });
            if copy.end == End::Clean {
                whole += 1;
                let closed =
                    closed.unwrap_or_else(|| panic!("round {round}: a whole copy without completion"));
                assert_eq!(closed.outcome, Outcome::Complete);
                assert_eq!((closed.bytes, closed.body_sha256), (copy.bytes, Digest(copy.sha256)));
            } else {
                cut += 1;
                if let Some(closed) = closed {
                    assert!(closed.bytes >= copy.bytes, "round {round}: more left than the ledger says");
                }
            }
        }
    }
    // The last start closes the last open releases; the demo's end checks each.
    let demo = Demo::start(folder.path(), 1_000);
    let reconciled =
        records(&demo.ledger()).iter().filter(|record| matches!(record.entry, Entry::Reconciled(_))).count();
    aloud(&format!("{whole} whole copies, {cut} cut ones, {reconciled} releases reconciled"));
    assert!(whole > 0 && cut > 0, "{whole} whole, {cut} cut: the moments were no good");
    assert!(reconciled > 0);
}
