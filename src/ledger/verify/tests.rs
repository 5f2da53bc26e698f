//! Tampering, and what is said of it.

use super::*;
use crate::ledger::checkpoint::CheckpointError;
use crate::ledger::tests::{FLIP, intent, new_ledger, open, tamper};
use crate::ledger::{LedgerReader, Outcome};

/// A ledger of 304 entries: three releases left open at a crash-free end, two tiles begun.
async fn ledger() -> tempfile::TempDir {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    for number in 0..151 {
        let release = ledger.open_release(intent(number)).await.unwrap();
        let account = release.account(Outcome::Complete, None);
        release.close(account).await.unwrap();
    }
    ledger.shut_down().await;
    directory
}

#[tokio::test]
async fn a_sound_ledger_is_reported_and_every_change_is_named_where_it_is() {
    type Expected = (Option<u64>, fn(&Why) -> bool);
    let sound: Option<Expected> = None;
    let damaged: Option<Expected> = Some((None, |why| *why == Why::Damaged));
    // Another index takes the place of one, so that each page is in order and used once.
    let swapped = |spare: &str| {
        format!(
            "CREATE INDEX spare ON entry ({spare}; PRAGMA writable_schema = ON;
             CREATE TEMP TABLE roots AS SELECT name, rootpage FROM sqlite_schema;
             UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM roots WHERE roots.name = 'spare')
             WHERE name = 'entry_party';
             UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM roots WHERE roots.name = 'entry_party')
             WHERE name = 'spare'"
        )
    };
    let (lacks_one, lists_other, is_unsorted) = (
        swapped("party, idx) WHERE party IS NOT NULL AND idx <> 4"),
        swapped("kind, idx) WHERE party IS NOT NULL"),
        swapped("party, idx DESC) WHERE party IS NOT NULL"),
    );
    let read_list: Option<Expected> = Some((None, |why| *why == Why::ReadList));
    let cases: [(&str, &str, Option<Expected>); 24] = [
        ("a read that is none", "INSERT INTO entered_read (id, idx) VALUES (zeroblob(16), 2)", read_list),
        ("a read to come", "INSERT INTO entered_read (id, idx) VALUES (zeroblob(16), 9000)", read_list),
        ("untouched", "", sound),
        ("a byte changed", FLIP, Some((Some(2), |why| *why == Why::Hash))),
        (
            "two swapped",
            "UPDATE entry SET idx = -1 WHERE idx = 40; UPDATE entry SET idx = 40 WHERE idx = 90;
             UPDATE entry SET idx = 90 WHERE idx = -1",
            Some((Some(40), |why| *why == Why::Hash)),
        ),
        ("one deleted", "DELETE FROM entry WHERE idx = 100", Some((Some(100), |why| *why == Why::Missing))),
        ("tail cut", "DELETE FROM entry WHERE idx >= 300", Some((Some(300), |why| *why == Why::Missing))),
        (
            "one added",
            "INSERT INTO entry SELECT 304, leaf, kind, ts_ms, release, party, wilayah, outcome, code
             FROM entry WHERE idx = 303",
            Some((Some(304), |why| *why == Why::Beyond)),
        ),
        (
            "card changed",
            "UPDATE entry SET party = 'pemilu-2024/8' WHERE idx = 4",
            Some((Some(4), |why| *why == Why::Card)),
        ),
        (
            "card time changed",
            "UPDATE entry SET ts_ms = ts_ms + 1 WHERE idx = 5",
            Some((Some(5), |why| *why == Why::Card)),
        ),
        ("a hash cut off", "DELETE FROM tile WHERE level = 0 AND idx = 1", {
            Some((Some(256), |why| *why == Why::NoHash))
        }),
        (
            "an upper hash changed",
            "UPDATE tile SET hashes = zeroblob(32) WHERE level = 1",
            Some((None, |why| matches!(why, Why::Tile { level: 1, tile: 0 }))),
        ),
        (
            "head without its signature",
            "UPDATE head SET checkpoint = replace(checkpoint, char(10) || '304' || char(10), \
             char(10) || '305' || char(10))",
            Some((None, |why| *why == Why::Checkpoint(CheckpointError::Signature))),
        ),
        ("another root", "UPDATE head SET root = zeroblob(32)", Some((None, |why| *why == Why::Root))),
        (
            "an open release invented",
            "INSERT INTO open_release VALUES (zeroblob(16), 2)",
            Some((None, |why| *why == Why::OpenList)),
        ),
        (
            "an index that finds less",
            "CREATE TABLE spare (x); PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET rootpage =
                 (SELECT rootpage FROM sqlite_schema AS other WHERE other.name = 'entry_party')
             WHERE name = 'entry_release'",
            damaged,
        ),
        ("an index that lacks an entry", &lacks_one, damaged),
        ("an index that lists something else", &lists_other, damaged),
        ("an index that is not sorted", &is_unsorted, damaged),
        ("an index taken away", "DROP INDEX entry_party", damaged),
        (
            "an index made anew for less",
            "DROP INDEX entry_party; CREATE INDEX entry_party ON entry (party, idx) WHERE idx > 4",
            damaged,
        ),
        (
            "a number that is none",
            "UPDATE entry SET release = x'00' WHERE idx = 6",
            Some((Some(6), |why| *why == Why::Damaged)),
        ),
        ("all deleted", "DELETE FROM entry", Some((Some(0), |why| *why == Why::Missing))),
        ("head deleted", "DELETE FROM head", Some((None, |why| *why == Why::Damaged))),
    ];
    let whole = ledger().await;
    for (name, statements, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        for file in std::fs::read_dir(whole.path()).unwrap() {
            let file = file.unwrap();
            if file.path().is_dir() {
                continue;
            }
            std::fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
        }
        tamper(directory.path(), statements);
        let verdict = LedgerReader::open(directory.path()).unwrap().verify(None, None).unwrap();
        match (verdict, expected) {
            (Verdict::Sound(report), None) => {
                assert_eq!((report.size, report.open.len(), report.anchored), (304, 0, true));
                assert_eq!(report.kinds["release.complete"], 151);
            }
            (Verdict::Flawed(flaw), Some((index, why))) => {
                assert!(flaw.index == index && why(&flaw.why), "{name}: {flaw:?}");
            }
            (verdict, _) => panic!("{name}: {verdict:?}"),
        }
    }
}

#[tokio::test]
async fn a_running_ledger_can_be_verified_and_its_open_releases_are_named() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let release = ledger.open_release(intent(1)).await.unwrap();
    let verifier = signer.verifier();
    let verdict = LedgerReader::open(directory.path()).unwrap().verify(Some(&verifier), None).unwrap();
    let Verdict::Sound(report) = verdict else { panic!("{verdict:?}") };
    assert_eq!(report.open.get(&2), Some(&release.id()));
    let (_other, stranger) = new_ledger();
    let verdict =
        LedgerReader::open(directory.path()).unwrap().verify(Some(&stranger.verifier()), None).unwrap();
    assert!(matches!(verdict, Verdict::Flawed(Flaw { index: Some(0), why: Why::Key })), "{verdict:?}");
    drop(release);
    ledger.shut_down().await;
}
