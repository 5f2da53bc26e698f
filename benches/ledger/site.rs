//! A new ledger in a folder of its own, and entries for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use salinan::domain::{Dataset, Determination, Digest, Level, Party, ReleaseId, Stage, SystemClock};
use salinan::ledger::{
    Ack, Entry, Intent, KEY_FILE, Ledger, LedgerOptions, Outcome, ReplicaStart, Signer, leaf::Stamp,
};
use tempfile::TempDir;

pub fn folder(below: &Path) -> TempDir {
    std::fs::create_dir_all(below).expect("the folder can be made");
    tempfile::Builder::new().prefix("ledger-bench").tempdir_in(below).expect("a folder of its own")
}

const ORIGIN: &str = "bench.example/ledger";

/// Makes a ledger and opens it.
pub fn open(directory: &Path) -> Ledger {
    let signer = Signer::generate(&directory.join(KEY_FILE), ORIGIN).expect("a key");
    let random = Arc::new(SystemRandom::new());
    Ledger::init(directory, &signer, "bench", Arc::new(SystemClock), random).expect("a new ledger");
    reopen(directory)
}

pub fn reopen(directory: &Path) -> Ledger {
    let signer = Signer::load(&directory.join(KEY_FILE), ORIGIN).expect("its key");
    let random = Arc::new(SystemRandom::new());
    let digest = Digest::of(b"bench");
    let start = ReplicaStart { build: "bench".to_owned(), config_digest: digest, policy_digest: digest };
    // How long the disk takes is measured here, and nobody is refused for it.
    let append_deadline = Duration::from_mins(10);
    let options = LedgerOptions { append_deadline, ..LedgerOptions::new(directory, signer) };
    Ledger::open(options, start, Arc::new(SystemClock), random).expect("it opens")
}

/// Hands over an empty copy, which can then be acknowledged as often as one likes.
pub async fn release(ledger: &Ledger, number: u64) -> Ack {
    let release = ledger.open_release(intent(number)).await.expect("the intent is stored");
    let ack = Ack { intent: release.index(), ..ack(number) };
    let account = release.account(Outcome::Complete, None);
    release.close(account).await.expect("the account is stored");
    ack
}

/// What a recipient says of it: the entry that appends are measured with.
pub fn ack(number: u64) -> Ack {
    Ack {
        release: id(number),
        intent: 1,
        requester: "saksi-7".to_owned(),
        client_id: "portal".to_owned(),
        rows: 0,
        bytes: 0,
        body_sha256: Digest::of(b""),
        is_match: true,
    }
}

/// The length of an acknowledgement as it is stored.
pub fn entry_bytes() -> usize {
    let stamp = Stamp { ts_ms: 0, replica: "main".to_owned(), boot: "0".repeat(32), nonce: [0; 16] };
    Entry::Ack(Box::new(ack(1))).write(&stamp).expect("it is short").leaf.len()
}

fn id(number: u64) -> ReleaseId {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    ReleaseId::new(1_718_935_200_000 + number, random)
}

fn intent(number: u64) -> Intent {
    Intent {
        release: id(number),
        requester: "saksi-7".to_owned(),
        client_id: "portal".to_owned(),
        token_id: "t-1".to_owned(),
        role: "partai".parse().expect("a role"),
        level: Level::Kabkota,
        party: Some(Party { election: "pemilu-2024".to_owned(), number: 7 }),
        mandate: None,
        wilayah: "9901".parse().expect("a code"),
        route: "/dpt/{wilayah}.csv".to_owned(),
        parameters: Vec::new(),
        determination: Determination {
            dataset: Dataset::Dpt,
            election: "pemilu-2024".to_owned(),
            stage: Stage::Dpt,
            version: "1".to_owned(),
        },
        fields: vec![("nama".to_owned(), "keep".to_owned()), ("nik".to_owned(), "mask(6,0)".to_owned())],
        legal_basis: "UU 7/2017 Pasal 208(5)".to_owned(),
        policy: "dpt-2024".to_owned(),
        policy_digest: Digest::of(b"policy"),
        ask_digest: [7; 32],
        media_type: Some("text/csv".to_owned()),
        ceiling_bytes: Some(8 << 20),
        quota: None,
    }
}
