//! The ledger as its callers see it, on real files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::domain::{Dataset, Determination, Digest, Level, ReleaseId, SeededRandom, Stage, TestClock};
use crate::store::sqlite::SqliteReader;
use crate::store::{Reader as _, StoredEntry};

const NOW_MS: u64 = 1_718_935_200_000;
pub(super) const ORIGIN: &str = "ledger.example/dpt";

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(TestClock::at(NOW_MS))
}

/// Every process of a test draws other numbers.
pub(super) fn random() -> Arc<dyn Random> {
    static SEED: AtomicU32 = AtomicU32::new(1);
    Arc::new(SeededRandom::new(u64::from(SEED.fetch_add(1, Ordering::Relaxed)) << 32))
}

pub(super) fn start() -> ReplicaStart {
    let digest = Digest::of(b"made up");
    ReplicaStart { build: "test".to_owned(), config_digest: digest, policy_digest: digest }
}

pub(super) fn intent(number: u64) -> Intent {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&number.to_be_bytes());
    Intent {
        release: ReleaseId::new(NOW_MS + number, random),
        requester: "saksi-7".to_owned(),
        client_id: "portal".to_owned(),
        token_id: "t-1".to_owned(),
        role: "partai".parse().unwrap(),
        level: Level::Kabkota,
        party: Some(crate::domain::Party { election: "pemilu-2024".to_owned(), number: 7 }),
        mandate: None,
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

pub(super) fn refusal() -> Refusal {
    Refusal {
        requester: None,
        client_id: None,
        role: None,
        party: None,
        code: "invalid_token".to_owned(),
        status: 401,
        route: None,
        wilayah: None,
    }
}

/// A new ledger in a directory of its own.
pub(super) fn new_ledger() -> (TempDir, Signer) {
    let directory = tempfile::tempdir().unwrap();
    let signer = Signer::generate(&directory.path().join(KEY_FILE), ORIGIN).unwrap();
    Ledger::init(directory.path(), &signer, "KPU Contoh", clock(), random()).unwrap();
    (directory, signer)
}

pub(super) fn open(directory: &Path, signer: &Signer) -> Result<Ledger, LedgerError> {
    Ledger::open(LedgerOptions::new(directory, signer.clone()), start(), clock(), random())
}

pub(super) fn all(directory: &Path) -> Vec<StoredEntry> {
    let mut reader = SqliteReader::open(&directory.join(DATABASE_FILE)).unwrap();
    reader.entries(0, 100_000).unwrap()
}

pub(super) fn kinds(directory: &Path) -> Vec<String> {
    all(directory).into_iter().map(|entry| entry.card.kind).collect()
}

/// What a power cut would leave: the files as they are, without the lock.
pub(super) fn crash(directory: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in fs::read_dir(directory).unwrap() {
        let file = file.unwrap();
        if file.file_name() == LOCK_FILE || file.path().is_dir() {
            continue;
        }
        match fs::copy(file.path(), copy.path().join(file.file_name())) {
            // The anchor is written under another name first, which is gone a moment later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => drop(copied.unwrap()),
        }
    }
    copy
}

#[test]
fn only_its_owner_can_read_a_new_ledger() {
    use std::os::unix::fs::PermissionsExt;
    let (directory, signer) = new_ledger();
    let _open = open(directory.path(), &signer).unwrap();
    for file in ["ledger.sqlite", "ledger.sqlite-wal", "ledger-key.pem"] {
        let mode = fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file}");
    }
}

#[tokio::test]
async fn a_release_is_durable_when_opened_and_when_closed() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let mut release = ledger.open_release(intent(1)).await.unwrap();
    assert_eq!(kinds(directory.path()), ["log.genesis", "replica.start", "release.intent"]);
    assert_eq!(release.index(), 2);
    release.answered(200);
    release.sent(b"nama,nik\n");
    release.counted(Counts { rows_in: 1, rows_out: 1, ..Counts::default() });
    let account = release.account(Outcome::Complete, None);
    let index = release.close(account).await.unwrap();
    let last = all(directory.path()).pop().unwrap();
    assert_eq!(last.index, index);
    let (_, Entry::Complete(closed)) = Entry::read(&last.leaf).unwrap() else { panic!("not a completion") };
    assert_eq!((closed.intent, closed.completion.bytes, closed.completion.status), (2, 9, 200));
    assert_eq!(closed.completion.body_sha256, Digest::of(b"nama,nik\n"));
    assert_eq!(closed.completion.first_byte_ms, Some(NOW_MS));
    ledger.shut_down().await;
}

#[tokio::test]
async fn fields_without_counts_are_left_out_and_further_ones_are_counted_together() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let mut release = ledger.open_release(intent(1)).await.unwrap();
    let longest = |number: usize| format!("{number:a<64}{}", format!("{:a<64}[].", "").repeat(8));
    let count = |changed| FieldCount { changed, swept: 1 << 60, unreadable: 1 << 60 };
    let mut fields = vec![("tanpa".to_owned(), FieldCount::default())];
    fields.extend((0..FIELDS_LISTED_MAX + 3).map(|number| (longest(number), count(number as u64))));
    release.counted(Counts { fields: fields.clone(), ..Counts::default() });
    let account = release.account(Outcome::Complete, None);
    let listed = FIELDS_LISTED_MAX as u64;
    let further = FieldCount { changed: 3 * listed + 3, swept: 3 << 60, unreadable: 3 << 60 };
    assert_eq!(account.fields[..FIELDS_LISTED_MAX], fields[1..=FIELDS_LISTED_MAX]);
    assert_eq!(account.fields[FIELDS_LISTED_MAX..], [(FURTHER_FIELDS.to_owned(), further)]);
    release.close(account).await.expect("the entry has room for them");
    ledger.shut_down().await;
}

#[tokio::test]
async fn a_dropped_release_is_recorded_as_aborted() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let mut release = ledger.open_release(intent(1)).await.unwrap();
    release.sent(b"four");
    release.counted(Counts { rows_out: 1, unreadable: 2, ..Counts::default() });
    drop(release);
    ledger.shut_down().await;
    let last = all(directory.path()).pop().unwrap();
    let (_, Entry::Complete(closed)) = Entry::read(&last.leaf).unwrap() else { panic!("not a completion") };
    assert_eq!(closed.completion.outcome, Outcome::Aborted);
    assert_eq!(closed.completion.cause.as_deref(), Some("requester_left"));
    assert_eq!(closed.completion.bytes, 4);
    assert_eq!((closed.completion.rows_out, closed.completion.unreadable), (1, 2));
}

#[tokio::test]
async fn a_closing_that_nobody_awaits_is_stored_all_the_same() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let release = ledger.open_release(intent(1)).await.unwrap();
    let account = release.account(Outcome::Complete, None);
    drop(release.close(account));
    ledger.shut_down().await;
    assert_eq!(all(directory.path()).pop().unwrap().card.outcome.as_deref(), Some("complete"));
}

#[tokio::test]
async fn a_release_left_open_by_a_crash_is_reconciled_by_the_next_start() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let open_one = ledger.open_release(intent(1)).await.unwrap();
    let copy = crash(directory.path());
    let again = open(copy.path(), &signer).unwrap();
    again.shut_down().await;
    let entries = all(copy.path());
    let (_, Entry::Reconciled(closed)) = Entry::read(&entries[4].leaf).unwrap() else {
        panic!("not reconciled")
    };
    assert_eq!((closed.release, closed.intent, closed.bytes_max), (open_one.id(), 2, Some(8 << 20)));
    let (before, _) = Entry::read(&entries[1].leaf).unwrap();
    let (_, Entry::ReplicaStart(started)) = Entry::read(&entries[3].leaf).unwrap() else {
        panic!("no start")
    };
    assert_eq!((started.head_size, started.previous_boot), (3, before.boot));
}

#[tokio::test]
async fn an_intent_nobody_waits_for_is_closed_as_failed() {
    let (directory, signer) = new_ledger();
    let mut options = LedgerOptions::new(directory.path(), signer);
    options.append_deadline = Duration::from_millis(50);
    let ledger = Ledger::open(options, start(), clock(), random()).unwrap();
    let stranger = Connection::open(directory.path().join(DATABASE_FILE)).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    let late = ledger.open_release(intent(1)).await;
    assert!(late.as_ref().is_err_and(LedgerError::is_busy), "{:?}", late.err());
    stranger.execute_batch("ROLLBACK").unwrap();
    ledger.shut_down().await;
    let entries = all(directory.path());
    let outcomes: Vec<_> = entries[2..].iter().map(|entry| entry.card.outcome.as_deref()).collect();
    assert_eq!(outcomes, [None, Some("failed")]);
    assert_eq!(entries[3].card.code.as_deref(), Some("deadline"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_get_dense_indexes_in_few_commits() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let tasks: Vec<_> = (0..256)
        .map(|task| {
            let ledger = ledger.clone();
            tokio::spawn(async move {
                let mut indexes = Vec::new();
                for round in 0..4 {
                    let release = ledger.open_release(intent(task * 4 + round)).await.unwrap();
                    indexes.push(release.index());
                    let account = release.account(Outcome::Complete, None);
                    indexes.push(release.close(account).await.unwrap());
                }
                indexes
            })
        })
        .collect();
    let mut indexes = Vec::new();
    for task in tasks {
        indexes.extend(task.await.unwrap());
    }
    indexes.sort_unstable();
    assert!(indexes.into_iter().eq(2..2 + 256 * 4 * 2));
    ledger.shut_down().await;
    open(directory.path(), &signer).unwrap().shut_down().await;
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_open_releases_can_still_be_closed() {
    let (directory, signer) = new_ledger();
    let mut options = LedgerOptions::new(directory.path(), signer);
    options.queue_entries_max = 3;
    let ledger = Ledger::open(options, start(), clock(), random()).unwrap();
    let first = ledger.open_release(intent(1)).await.unwrap();
    let second = ledger.open_release(intent(2)).await.unwrap();
    // One place is left, and a release needs two.
    assert!(matches!(ledger.open_release(intent(3)).await, Err(LedgerError::QueueFull)));
    for release in [first, second] {
        let account = release.account(Outcome::Complete, None);
        release.close(account).await.unwrap();
    }
    assert!(ledger.open_release(intent(4)).await.is_ok());
    ledger.shut_down().await;
}

#[tokio::test]
async fn an_entry_that_is_too_large_is_refused_before_anything_is_stored() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let mut large = intent(1);
    large.legal_basis = "x".repeat(leaf::ENTRY_BYTES_MAX);
    let refused = ledger.open_release(large).await;
    assert!(matches!(refused, Err(LedgerError::Entry(leaf::EntryError::TooLarge { .. }))));
    assert!(ledger.is_writable());
    ledger.shut_down().await;
    assert_eq!(kinds(directory.path()).len(), 2);
}

#[tokio::test]
async fn a_release_that_is_open_is_not_opened_again_and_harms_no_other() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let release = ledger.open_release(intent(1)).await.unwrap();
    assert!(matches!(ledger.open_release(intent(1)).await, Err(LedgerError::OpenAlready)));
    assert!(ledger.is_writable());
    let account = release.account(Outcome::Complete, None);
    release.close(account).await.unwrap();
    ledger.shut_down().await;
    assert_eq!(kinds(directory.path()).len(), 4);
}

#[tokio::test]
async fn a_ledger_of_any_length_opens_again() {
    let (directory, signer) = new_ledger();
    for size in [255, 256, 257, 258, 511, 512, 513, 514] {
        let ledger = open(directory.path(), &signer).unwrap();
        for _ in all(directory.path()).len()..size {
            assert!(ledger.refuse(refusal()));
        }
        ledger.shut_down().await;
        assert_eq!(all(directory.path()).len(), size);
        let verdict = LedgerReader::open(directory.path()).unwrap().verify(None, None).unwrap();
        assert!(matches!(verdict, verify::Verdict::Sound(_)), "{size}: {verdict:?}");
    }
}

#[tokio::test]
async fn what_a_crash_left_is_verified_without_being_opened_for_writing() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let release = ledger.open_release(intent(1)).await.unwrap();
    let copy = crash(directory.path());
    fs::remove_file(copy.path().join("ledger.sqlite-shm")).unwrap();
    let verdict = LedgerReader::open(copy.path()).unwrap().verify(Some(&signer.verifier()), None).unwrap();
    let verify::Verdict::Sound(report) = verdict else { panic!("{verdict:?}") };
    assert_eq!((report.size, report.open.len()), (3, 1));
    drop(release);
    ledger.shut_down().await;
}

#[tokio::test]
async fn a_second_process_is_refused_and_so_is_a_second_ledger() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    assert!(matches!(open(directory.path(), &signer), Err(LedgerError::Held { .. })));
    ledger.shut_down().await;
    let again = Ledger::init(directory.path(), &signer, "", clock(), random());
    assert!(matches!(again, Err(LedgerError::Exists { .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(open(empty.path(), &signer), Err(LedgerError::Missing { .. })));
}

#[tokio::test]
async fn a_refusal_is_recorded_when_there_is_room_and_counted_when_not() {
    let (directory, signer) = new_ledger();
    let mut options = LedgerOptions::new(directory.path(), signer);
    options.queue_entries_max = 2;
    let ledger = Ledger::open(options, start(), clock(), random()).unwrap();
    assert!(ledger.refuse(refusal()));
    let gone = ledger.clone();
    ledger.shut_down().await;
    assert!(!gone.refuse(refusal()));
    assert_eq!(gone.dropped_refusals(), 1);
    assert_eq!(all(directory.path()).pop().unwrap().card.code.as_deref(), Some("invalid_token"));
}

/// Puts another requester into entry 2.
pub(super) const FLIP: &str = "UPDATE entry SET leaf = \
    CAST(replace(CAST(leaf AS TEXT), 'saksi-7', 'saksi-8') AS BLOB) WHERE idx = 2";

/// Changes a closed ledger's database behind its back, triggers off.
pub(super) fn tamper(directory: &Path, statements: &str) {
    let connection = Connection::open(directory.join(DATABASE_FILE)).unwrap();
    let triggers: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for trigger in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    connection.execute_batch(statements).unwrap();
}

#[tokio::test]
async fn a_ledger_changed_behind_our_back_does_not_open() {
    type Expected = fn(&LedgerError) -> bool;
    let cases: [(&str, &str, Expected); 5] = [
        ("flipped", FLIP, |error| matches!(error, LedgerError::EntryChanged { index: 2 })),
        ("tail cut", "DELETE FROM entry WHERE idx = 3", |error| {
            matches!(error, LedgerError::EntryChanged { index: 3 })
        }),
        (
            "added",
            "INSERT INTO entry (idx, leaf, kind, ts_ms) VALUES (4, x'7b7d', 'log.genesis', 0)",
            |error| matches!(error, LedgerError::Beyond { index: 4, size: 4 }),
        ),
        ("hash changed", "UPDATE tile SET hashes = zeroblob(length(hashes))", |error| {
            matches!(error, LedgerError::Root { size: 4 })
        }),
        ("head set back", "UPDATE head SET size = 3", |error| matches!(error, LedgerError::Root { size: 3 })),
    ];
    for (name, statements, expected) in cases {
        let (directory, signer) = new_ledger();
        let ledger = open(directory.path(), &signer).unwrap();
        drop(ledger.open_release(intent(1)).await.unwrap());
        ledger.shut_down().await;
        tamper(directory.path(), statements);
        let error = open(directory.path(), &signer).err().unwrap();
        assert!(expected(&error), "{name}: {error}");
    }
}

#[tokio::test]
async fn an_older_copy_put_back_does_not_open() {
    let (directory, signer) = new_ledger();
    let yesterday = crash(directory.path());
    let ledger = open(directory.path(), &signer).unwrap();
    ledger.shut_down().await;
    fs::copy(yesterday.path().join(DATABASE_FILE), directory.path().join(DATABASE_FILE)).unwrap();
    let error = open(directory.path(), &signer).err().unwrap();
    assert!(matches!(error, LedgerError::RolledBack { anchored: 2, size: 1 }), "{error}");

    // The same size, grown from the same beginning, but another history.
    open(yesterday.path(), &signer).unwrap().shut_down().await;
    fs::copy(yesterday.path().join(DATABASE_FILE), directory.path().join(DATABASE_FILE)).unwrap();
    let error = open(directory.path(), &signer).err().unwrap();
    assert!(matches!(error, LedgerError::Forked { size: 2 }), "{error}");
}
