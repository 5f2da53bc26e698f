//! One replica: copies are opened and closed on it all the time, and every answer of its ledger is said aloud.
//!
//! A line is what a requester would have seen: `opened` when the first byte may leave, `complete` when the last
//! one may. `checkpoint` is shown to anybody.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use salinan::domain::{
    Clock as _, Dataset, Determination, Digest, Level, Party, ReleaseId, Stage, SystemClock,
};
use salinan::ledger::{Intent, KEY_FILE, Ledger, LedgerOptions, Outcome, ReplicaStart, Signer};
use salinan::store::Place;
use salinan::store::postgres::PostgresOptions;

use crate::say;

pub const ORIGIN: &str = "replicas.example/ledger";
/// Copies at one time.
const REQUESTERS: u64 = 8;
/// How long a requester waits after an error, and to begin with until the ledger can be opened.
const PAUSE: Duration = Duration::from_millis(20);

/// `worker DIRECTORY NAME ADDRESS NUMBER`: until its standard input ends. Number 0 opens no copies.
pub fn run(arguments: &[String]) {
    let [directory, name, address, number] = arguments else { panic!("{arguments:?}") };
    let (directory, number) = (PathBuf::from(directory), number.parse::<u64>().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = loop {
            match open(&directory, name, address) {
                Ok(ledger) => break ledger,
                // The server may be away at the moment.
                Err(error) => say(&format!("closed {error}")),
            }
            tokio::time::sleep(PAUSE * 5).await;
        };
        say("ready");
        for requester in 0..if number == 0 { 0 } else { REQUESTERS } {
            tokio::spawn(ask(ledger.clone(), number, requester));
        }
        // The end of our input is the order to end; whatever is open then stays open.
        let told = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        let _ = told.await;
        ledger.shut_down().await;
    });
    say("ended");
}

fn open(directory: &Path, name: &str, address: &str) -> Result<Ledger, Box<dyn std::error::Error>> {
    let signer = Signer::load(&directory.join(KEY_FILE), ORIGIN)?;
    let store = Place::Server(PostgresOptions::load(address.parse()?, None, None)?);
    let options = LedgerOptions { store, replica: name.to_owned(), ..LedgerOptions::new(directory, signer) };
    let digest = Digest::of(b"made up");
    let start = ReplicaStart { build: "test".to_owned(), config_digest: digest, policy_digest: digest };
    Ok(Ledger::open(options, start, Arc::new(SystemClock), Arc::new(SystemRandom::new()))?)
}

/// Copies one after the other: some end whole, some are left by their requester, some need a grant.
async fn ask(ledger: Ledger, number: u64, requester: u64) {
    for round in 0_u64.. {
        let intent = intent(number, requester, round);
        let id = intent.release;
        let Ok(mut release) = ledger.open_release(intent).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        say(&format!("opened {id} {}", release.index()));
        release.answered(200);
        release.begun("text/csv", None);
        if round % 7 == 3 {
            release.sent(&vec![b'x'; 8 << 20]);
            if release.allow(1).await.is_err() {
                continue;
            }
            say(&format!("granted {id}"));
        }
        if round % 5 == 4 {
            continue;
        }
        let account = release.account(Outcome::Complete, None);
        match release.close(account).await {
            Ok(index) => say(&format!("complete {id} {index}")),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
        if round % 16 == 0
            && let Ok(Some(receipt)) = ledger.receipt(id).await
        {
            let mut lines = receipt.checkpoint.lines().skip(1);
            say(&format!("checkpoint {} {}", lines.next().unwrap_or(""), lines.next().unwrap_or("")));
        }
    }
}

fn intent(number: u64, requester: u64, round: u64) -> Intent {
    let mut random = [0; 10];
    random[..2].copy_from_slice(&number.to_be_bytes()[6..]);
    random[2] = requester.to_be_bytes()[7];
    random[3..].copy_from_slice(&round.to_be_bytes()[1..]);
    Intent {
        release: ReleaseId::new(SystemClock.unix_ms(), random),
        requester: "saksi-7".to_owned(),
        client_id: "portal".to_owned(),
        token_id: "t-1".to_owned(),
        role: "partai".parse().unwrap(),
        level: Level::Kabkota,
        party: Some(Party { election: "pemilu-2024".to_owned(), number: 7 }),
        mandate: None,
        wilayah: "9901".parse().unwrap(),
        route: "/dpt/{wilayah}.csv".to_owned(),
        parameters: Vec::new(),
        determination: Determination {
            dataset: Dataset::Dpt,
            election: "pemilu-2024".to_owned(),
            stage: Stage::Dpt,
            version: "1".to_owned(),
        },
        fields: vec![("nama".to_owned(), "keep".to_owned())],
        legal_basis: "UU 7/2017 Pasal 208(5)".to_owned(),
        policy: "partai".to_owned(),
        policy_digest: Digest::of(b"policy"),
        ask_digest: [7; 32],
        media_type: Some("text/csv".to_owned()),
        ceiling_bytes: Some(8 << 20),
        quota: None,
    }
}
