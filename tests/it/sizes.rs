//! Writes ledgers of the sizes at which trees change their shape, for verifiers that others wrote. Asked for by
//! `.ci/run interop`, which reads them from `target/tmp/interop`:
//!
//! ```text
//! vkey                the verifier key of all of them: it is one ledger that grows
//! 00256/checkpoint    what `salinan log export` writes at 256 entries
//! 00256/tile/..
//! ```

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use salinan::domain::{
    Dataset, Determination, Digest, Level, Party, ReleaseId, SeededRandom, Stage, SystemClock,
};
use salinan::ledger::{
    Ack, Counts, FieldCount, Intent, KEY_FILE, Ledger, LedgerOptions, LedgerReader, OpenRelease, Outcome,
    Refusal, ReplicaStart, Signer,
};

use crate::support::{run, shown};

const SIZES: [u64; 9] = [1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 70_000];
/// Releases open at one time.
const TOGETHER: u64 = 256;
/// Most entries that a release of `one` comes to.
const ENTRIES_OF_ONE: u64 = 6;
const NOW_MS: u64 = 1_718_935_200_000;

fn intent(number: u64) -> Intent {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    let party = u16::try_from(number % 18 + 1).unwrap();
    Intent {
        release: ReleaseId::new(NOW_MS + number, random),
        requester: format!("saksi-{party}"),
        client_id: "portal".to_owned(),
        token_id: format!("t-{number}"),
        role: "partai".parse().unwrap(),
        level: Level::Kabkota,
        party: Some(Party { election: "pemilu-2024".to_owned(), number: party }),
        // Texts with all that JSON escapes, and with what it does not.
        mandate: Some(format!("SM-\"{party}\"\\ \u{1}\t\n\u{7f}é\u{1f4c4}")),
        wilayah: "9901".parse().unwrap(),
        route: "/dpt/{wilayah}.csv".to_owned(),
        parameters: vec![("tps".to_owned(), "9901011001001".to_owned())],
        determination: Determination {
            dataset: Dataset::Dpt,
            election: "pemilu-2024".to_owned(),
            stage: Stage::Dpt,
            version: "1".to_owned(),
        },
        fields: vec![("nama".to_owned(), "keep".to_owned()), ("nik".to_owned(), "mask(12,0)".to_owned())],
        legal_basis: "UU 7/2017 Pasal 208(5)".to_owned(),
        policy: "partai".to_owned(),
        policy_digest: Digest::of(b"policy"),
        ask_digest: [7; 32],
        media_type: Some("text/csv".to_owned()),
        ceiling_bytes: Some(8 << 20),
        quota: None,
    }
}

/// One release, as they come: most whole, some in two pieces with a grant between, some broken off or never begun; some
/// are acknowledged, truly or not.
async fn one(ledger: Ledger, number: u64, large: Arc<Vec<u8>>) {
    let mut release = ledger.open_release(intent(number)).await.unwrap();
    let (id, index) = (release.id(), release.index());
    let outcome = match number % 16 {
        14 => Outcome::Aborted,
        15 => Outcome::Failed,
        _ => Outcome::Complete,
    };
    if outcome != Outcome::Failed {
        send(&mut release, &large[..usize::try_from(number % 900 + 1).unwrap()]).await;
        if number.is_multiple_of(1_000) {
            send(&mut release, &large).await;
            send(&mut release, &large).await;
        }
        let counted = FieldCount { changed: number, swept: number % 2, unreadable: 0 };
        let fields = if number > 0 { vec![("nik".to_owned(), counted)] } else { Vec::new() };
        release.counted(Counts { rows_in: 3, rows_out: 2, rows_withheld: 1, fields, ..Counts::default() });
    }
    let account = release.account(outcome, (outcome != Outcome::Complete).then_some("requester_left"));
    let (rows, bytes, body_sha256) = (account.rows_out, account.bytes, account.body_sha256);
    release.close(account).await.unwrap();
    if number.is_multiple_of(4) {
        let is_match = outcome == Outcome::Complete && number.is_multiple_of(8);
        let rows = if is_match { rows } else { rows + 1 };
        let (requester, client_id) = ("saksi-1".to_owned(), "portal".to_owned());
        let ack =
            Ack { release: id, intent: index, requester, client_id, rows, bytes, body_sha256, is_match };
        ledger.acknowledge(ack).await.unwrap();
    }
}

async fn send(release: &mut OpenRelease, bytes: &[u8]) {
    release.allow(bytes.len()).await.unwrap();
    release.sent(bytes);
}

fn size_of(directory: &Path) -> u64 {
    let note = LedgerReader::open(directory).unwrap().checkpoint().unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

async fn grow(ledger: &Ledger, directory: &Path, size: u64, number: &mut u64, large: &Arc<Vec<u8>>) {
    loop {
        let left = size - size_of(directory);
        if left == 0 {
            return;
        }
        let together = TOGETHER.min(left / ENTRIES_OF_ONE);
        if together == 0 {
            // Refusals do not wait: all of them are there once the last release is.
            for code in 0..left {
                refuse(ledger, code);
            }
            while size_of(directory) < size {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            continue;
        }
        let releases: Vec<_> = (*number..*number + together)
            .map(|number| tokio::spawn(one(ledger.clone(), number, Arc::clone(large))))
            .collect();
        *number += together;
        for release in releases {
            release.await.unwrap();
        }
    }
}

fn refuse(ledger: &Ledger, number: u64) {
    let is_known = number.is_multiple_of(2);
    let refusal = Refusal {
        requester: is_known.then(|| "saksi-7".to_owned()),
        client_id: None,
        role: is_known.then(|| "partai".parse().unwrap()),
        party: is_known.then(|| Party { election: "pemilu-2024".to_owned(), number: 7 }),
        code: "area_not_allowed".to_owned(),
        status: 403,
        route: None,
        wilayah: is_known.then(|| "990101".parse().unwrap()),
    };
    assert!(ledger.refuse(refusal));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "70,000 entries for verifiers that others wrote: .ci/run interop"]
async fn ledgers_of_every_shape_are_exported() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("interop");
    let _ = fs::remove_dir_all(&folder);
    let directory = folder.join("ledger");
    fs::create_dir_all(&directory).unwrap();
    let signer = Signer::generate(&directory.join(KEY_FILE), "ledger.example/dpt").unwrap();
    fs::write(folder.join("vkey"), signer.vkey()).unwrap();
    let random = Arc::new(SystemRandom::new());
    Ledger::init(&directory, &signer, "KPU Contoh", Arc::new(SystemClock), random).unwrap();
    let digest = Digest::of(b"made up");
    let start = || ReplicaStart { build: "test".to_owned(), config_digest: digest, policy_digest: digest };
    let large = Arc::new(vec![7; 5 << 20]);
    let (mut ledger, mut number) = (None::<Ledger>, 0);
    for size in SIZES {
        let options = LedgerOptions::new(&directory, signer.clone());
        if size == 65_535 {
            // A process that leaves a release open, and one that closes it.
            let old = ledger.take().unwrap();
            std::mem::forget(old.open_release(intent(u64::MAX >> 8)).await.unwrap());
            old.shut_down().await;
        }
        if size > 1 && ledger.is_none() {
            let random = Arc::new(SeededRandom::new(size));
            ledger = Some(Ledger::open(options, start(), Arc::new(SystemClock), random).unwrap());
        }
        if let Some(ledger) = &ledger {
            grow(ledger, &directory, size, &mut number, &large).await;
        }
        assert_eq!(size_of(&directory), size);
        let (ledger, export) = (directory.to_string_lossy(), folder.join(format!("{size:05}")));
        let written =
            run(&["log", "export", "--dir", &ledger, "--tiles", &export.to_string_lossy()], &folder);
        assert!(written.status.success(), "{}", shown(&written));
    }
    ledger.unwrap().shut_down().await;
    let verified = run(&["log", "verify", "--dir", &directory.to_string_lossy()], &folder);
    assert!(verified.status.success(), "{}", shown(&verified));
    fs::remove_dir_all(&directory).unwrap();
}
