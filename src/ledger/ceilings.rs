//! For the tests: how much may leave of a release, and what is known of it after a crash.

use std::time::Duration;

use rusqlite::Connection;

use super::tests::{all, clock, crash, intent, kinds, new_ledger, open, random, refusal, start};
use super::*;
use crate::store::StoredEntry;

#[tokio::test]
async fn bytes_past_a_ceiling_wait_until_their_grant_is_durable() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let mut release = ledger.open_release(intent(1)).await.unwrap();
    let grants = || kinds(directory.path()).iter().filter(|kind| *kind == "release.grant").count();
    let piece = vec![7; 1 << 20];
    for megabytes in 1..=40_u64 {
        release.allow(piece.len()).await.unwrap();
        // The ceiling is 8 MiB and then one step beyond what each grant was asked for.
        let stored: Vec<_> = all(directory.path());
        let ceiling = stored.iter().rev().find_map(|entry| match Entry::read(&entry.leaf) {
            Ok((_, Entry::Grant(grant))) => Some(grant.ceiling_bytes),
            Ok((_, Entry::Intent(intent))) => intent.ceiling_bytes,
            _ => None,
        });
        assert!(ceiling.unwrap() >= megabytes << 20, "{megabytes} MiB under a ceiling of {ceiling:?}");
        release.sent(&piece);
        // The grant that is asked for ahead may come at any time.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!((3..=9).contains(&grants()), "{} grants", grants());
    // What a crash leaves now is bounded by the last of them.
    let copy = crash(directory.path());
    open(copy.path(), &signer).unwrap().shut_down().await;
    let entries = all(copy.path());
    let of = |entry: &StoredEntry| Entry::read(&entry.leaf).unwrap().1;
    let last = entries.iter().rev().find_map(|entry| match of(entry) {
        Entry::Grant(grant) => Some(*grant),
        _ => None,
    });
    let last = last.unwrap();
    let Entry::Reconciled(closed) = of(entries.last().unwrap()) else { panic!("not reconciled") };
    assert_eq!((closed.bytes_min, closed.bytes_max), (last.bytes, Some(last.ceiling_bytes)));
    assert!(last.bytes > 20 << 20 && last.bytes <= 40 << 20);

    let account = release.account(Outcome::Complete, None);
    assert_eq!(account.bytes, 40 << 20);
    release.close(account).await.unwrap();
    ledger.shut_down().await;
    for ledger in [directory.path(), copy.path()] {
        let verdict = LedgerReader::open(ledger).unwrap().verify(None, None).unwrap();
        assert!(matches!(verdict, verify::Verdict::Sound(_)), "{verdict:?}");
    }
}

#[tokio::test]
async fn more_than_was_granted_is_a_flaw_of_the_ledger() {
    for (bytes, is_sound) in [(8 << 20, true), ((8 << 20) + 1, false)] {
        let (directory, signer) = new_ledger();
        let ledger = open(directory.path(), &signer).unwrap();
        let mut release = ledger.open_release(intent(1)).await.unwrap();
        release.sent(&vec![7; bytes]);
        let account = release.account(Outcome::Complete, None);
        release.close(account).await.unwrap();
        ledger.shut_down().await;
        let verdict = LedgerReader::open(directory.path()).unwrap().verify(None, None).unwrap();
        match verdict {
            verify::Verdict::Sound(_) => assert!(is_sound, "{bytes}"),
            verify::Verdict::Flawed(flaw) => {
                assert!(!is_sound, "{bytes}: {flaw}");
                assert_eq!((flaw.index, flaw.why), (Some(3), verify::Why::Ceiling));
            }
        }
    }
}

#[tokio::test]
async fn a_grant_that_does_not_become_durable_lets_nothing_more_out() {
    let (directory, signer) = new_ledger();
    let mut options = LedgerOptions::new(directory.path(), signer);
    options.append_deadline = Duration::from_millis(50);
    let ledger = Ledger::open(options, start(), clock(), random()).unwrap();
    let mut release = ledger.open_release(intent(1)).await.unwrap();
    let stranger = Connection::open(directory.path().join(DATABASE_FILE)).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    // Up to the ceiling nobody waits.
    release.allow(8 << 20).await.unwrap();
    release.sent(&vec![7; 8 << 20]);
    assert!(release.allow(1).await.is_err_and(|error| error.is_busy()));
    stranger.execute_batch("ROLLBACK").unwrap();
    drop(release);
    ledger.shut_down().await;
    let entries = all(directory.path());
    assert_eq!(entries.last().unwrap().card.outcome.as_deref(), Some("aborted"));
}

#[tokio::test]
async fn a_flood_of_intents_leaves_room_for_the_grants_of_open_releases() {
    let (directory, signer) = new_ledger();
    let mut options = LedgerOptions::new(directory.path(), signer);
    options.queue_entries_max = 16;
    let ledger = Ledger::open(options, start(), clock(), random()).unwrap();
    let mut releases = Vec::new();
    let refused = loop {
        match ledger.open_release(intent(releases.len() as u64)).await {
            Ok(release) => releases.push(release),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LedgerError::QueueFull));
    assert!(releases.len() >= 8 && !ledger.refuse(refusal()), "{} are open", releases.len());
    for release in &mut releases {
        release.sent(&vec![7; 8 << 20]);
        release.allow(1).await.unwrap();
    }
    for release in releases {
        let account = release.account(Outcome::Complete, None);
        release.close(account).await.unwrap();
    }
    ledger.shut_down().await;
}
