//! How many entries two replicas append to one ledger on a server: `cargo bench --bench replicas`.
//!
//! 256 tasks wait, half of them at each replica, and each appends its next entry when the one before it is durable.
//! The server is one of its own with its usual safety (`fsync`, `synchronous_commit`), on this machine. Entries
//! have about 400 bytes; indexes, tiles, head and a signed checkpoint for each batch are included. Afterwards every
//! index has been answered once.

#![expect(clippy::cast_precision_loss, reason = "numbers are far below 2^53")]
#![expect(clippy::unwrap_used, reason = "what fails here ends the bench")]

#[path = "../tests/support/postgres.rs"]
#[expect(dead_code, reason = "a bench needs no TLS")]
mod server;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use salinan::domain::{Digest, ReleaseId, SystemClock};
use salinan::ledger::{
    ANCHOR_FILE, Ack, KEY_FILE, Ledger, LedgerOptions, LedgerReader, ReplicaStart, Signer,
};
use salinan::store::Place;
use salinan::store::postgres::PostgresOptions;

use server::TestServer;

const ORIGIN: &str = "bench.example/ledger";
/// Appends a second that the program is to reach with two replicas.
const BAR: f64 = 40_000.0;
const LENGTH: Duration = Duration::from_secs(8);

/// Two names of a requester that make an entry about 400 bytes long.
fn ack(number: u64) -> Ack {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    Ack {
        release: ReleaseId::new(1_718_935_200_000, random),
        intent: 0,
        requester: "saksi-7".to_owned(),
        client_id: "partai-7".to_owned(),
        rows: 395_000,
        bytes: 56_000_000,
        body_sha256: Digest::of(b"copy"),
        is_match: false,
    }
}

/// Appends a second, and how long each took, ascending.
fn measure(server: &TestServer, replicas: usize, waiters: usize) -> (f64, Vec<Duration>) {
    let database = format!("bench_{replicas}_{waiters}");
    server.database(&database);
    let made = tempfile::tempdir().unwrap();
    let signer = Signer::generate(&made.path().join(KEY_FILE), ORIGIN).unwrap();
    let options = |user| PostgresOptions::load(server.address(user, &database).parse().unwrap(), None, None);
    let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom::new()));
    Ledger::init_on(
        &options("owner").unwrap(),
        "salinan",
        made.path(),
        &signer,
        "",
        clock.clone(),
        random.clone(),
    )
    .unwrap();
    let digest = Digest::of(b"made up");
    let ledgers: Vec<_> = (0..replicas)
        .map(|number| {
            let folder = made.path().join(number.to_string());
            std::fs::create_dir(&folder).unwrap();
            std::fs::copy(made.path().join(ANCHOR_FILE), folder.join(ANCHOR_FILE)).unwrap();
            let own = LedgerOptions::new(folder, signer.clone());
            let store = Place::Server(options("salinan").unwrap());
            let own = LedgerOptions { store, replica: number.to_string(), ..own };
            let start =
                ReplicaStart { build: "bench".to_owned(), config_digest: digest, policy_digest: digest };
            Ledger::open(own, start, clock.clone(), random.clone()).unwrap()
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let since = Instant::now();
    let (mut indexes, mut times) = runtime.block_on(async {
        let is_over = Arc::new(AtomicBool::new(false));
        let tasks: Vec<_> = (0..waiters)
            .map(|task| {
                let (ledger, is_over) = (ledgers[task % replicas].clone(), Arc::clone(&is_over));
                tokio::spawn(async move {
                    let (mut indexes, mut times) = (Vec::new(), Vec::new());
                    while !is_over.load(Ordering::Relaxed) {
                        let since = Instant::now();
                        indexes.push(ledger.acknowledge(ack(task as u64)).await.unwrap());
                        times.push(since.elapsed());
                    }
                    (indexes, times)
                })
            })
            .collect();
        tokio::time::sleep(LENGTH).await;
        is_over.store(true, Ordering::Relaxed);
        let (mut indexes, mut times) = (Vec::new(), Vec::new());
        for task in tasks {
            let (own_indexes, own_times) = task.await.unwrap();
            indexes.extend(own_indexes);
            times.extend(own_times);
        }
        (indexes, times)
    });
    let took = since.elapsed();
    for ledger in ledgers {
        runtime.block_on(ledger.shut_down());
    }
    indexes.sort_unstable();
    let first = 1 + replicas as u64;
    assert!(
        indexes.iter().copied().eq(first..first + indexes.len() as u64),
        "an index is missing or came twice"
    );
    let mut reader = LedgerReader::open_at(&Place::Server(options("salinan").unwrap()), None).unwrap();
    let size = reader.checkpoint().unwrap().lines().nth(1).unwrap().parse::<u64>().unwrap();
    assert_eq!(size, first + indexes.len() as u64);
    times.sort_unstable();
    (times.len() as f64 / took.as_secs_f64(), times)
}

fn main() {
    let Some(server) = TestServer::start(&["shared_buffers = '512MB'", "max_wal_size = '4GB'"]) else {
        return;
    };
    let mut out = io::stdout();
    let mut reached = 0.0;
    for (replicas, waiters) in [(1, 1), (1, 256), (2, 64), (2, 256), (4, 256)] {
        let (rate, times) = measure(&server, replicas, waiters);
        let at = |share: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
            let index = ((times.len() - 1) as f64 * share) as usize;
            times[index].as_secs_f64() * 1_000.0
        };
        let line = format!(
            "{replicas} replicas, {waiters:3} waiters: {rate:7.0} appends/s; p50 {:.2} ms, p99 {:.2} ms, longest {:.0} ms",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        writeln!(out, "{line}").unwrap();
        if (replicas, waiters) == (2, 256) {
            reached = rate;
        }
    }
    writeln!(
        out,
        "bar: {BAR:.0}/s with two replicas and 256 waiters: {}",
        if reached >= BAR { "met" } else { "NOT met" }
    )
    .unwrap();
}
