//! What an operator does by hand to a ledger that several replicas append to, on a real server. Tests only.

use tempfile::TempDir;

use super::shared::Shared;
use super::tests::{ORIGIN, clock, intent, random, start};
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_done_by_hand_beside_replicas_makes_no_second_history() {
    let Some(shared) = Shared::new() else { return };
    let ((_a, a), (_b, b)) = (shared.open("a"), shared.open("b"));
    let held = a.open_release(intent(1)).await.unwrap();
    let by_hand = |signer: &Signer| {
        let (directory, options) = shared.options("by-hand", shared.service());
        let options = LedgerOptions { signer: signer.clone(), ..options };
        (directory, ByHand::new(options, clock(), random()).unwrap())
    };
    let ordered = || by_hand::Ordered { operator: "KPU".to_owned(), reason: "selesai".to_owned() };
    // The end of an election holds for all of them at once, and what runs may end.
    let (_directory, hand) = by_hand(&shared.signer);
    let ended = tokio::task::spawn_blocking(move || hand.freeze("pemilu-2024", ordered())).await;
    ended.unwrap().unwrap();
    for ledger in [&a, &b] {
        let refused = ledger.open_release(intent(2)).await.err().unwrap();
        assert!(matches!(refused, LedgerError::ElectionOver), "{refused}");
        assert!(ledger.is_writable());
    }
    let mut other = intent(3);
    other.determination.election = "pilkada-2024".to_owned();
    let other = b.open_release(other).await.unwrap();
    let account = other.account(Outcome::Complete, None);
    other.close(account).await.unwrap();

    // Another key: none of them appends with the old one any more, and what was under way cannot be said to be whole.
    let keys = tempfile::tempdir().unwrap();
    let new = Signer::generate(&keys.path().join("new.pem"), ORIGIN).unwrap();
    let (_directory, hand) = by_hand(&shared.signer);
    let handed = new.clone();
    let at = tokio::task::spawn_blocking(move || hand.rotate(&handed)).await.unwrap().unwrap();
    let account = held.account(Outcome::Complete, None);
    let unsaid = held.close(account).await;
    assert!(unsaid.is_err(), "{unsaid:?}");
    let mut another = intent(4);
    another.determination.election = "pilkada-2024".to_owned();
    for ledger in [&a, &b] {
        assert!(ledger.open_release(another.clone()).await.is_err());
        assert!(!ledger.is_writable());
    }
    a.shut_down().await;
    b.shut_down().await;
    assert_eq!(shared.entries().len() as u64, at + 1, "nothing came behind the handover");

    // With the new key each serves again, from the anchor that the old key signed, and closes what was left open.
    let rotated = Shared { signer: new, ..shared };
    let ((_a, a), (_b, b)) = (rotated.open("a"), rotated.open("b"));
    for (number, ledger) in [(5, &a), (6, &b)] {
        let mut own = intent(number);
        own.determination.election = "pilkada-2024".to_owned();
        let release = ledger.open_release(own).await.unwrap();
        let account = release.account(Outcome::Complete, None);
        release.close(account).await.unwrap();
    }
    a.shut_down().await;
    b.shut_down().await;
    let report = rotated.verify();
    assert!(report.open.is_empty());
    assert_eq!(
        (report.kinds["key.rotate"], report.kinds["release.reconciled"], report.keys.iter().count()),
        (1, 1, 2)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_loss_only_replicas_that_were_told_go_on() {
    let Some(shared) = Shared::new() else { return };
    shared.server.sql("postgres", "CREATE DATABASE yesterday TEMPLATE ledger");
    let ((of_a, a), (of_b, b)) = (shared.open("a"), shared.open("b"));
    drop(a.open_release(intent(1)).await.unwrap());
    b.shut_down().await;
    // The server is put back beneath a replica that runs.
    let back = "DROP DATABASE ledger WITH (FORCE)";
    shared.server.sql("postgres", back);
    shared.server.sql("postgres", "ALTER DATABASE yesterday RENAME TO ledger");
    assert!(a.open_release(intent(2)).await.is_err());
    assert!(!a.is_writable());
    let options = |directory: &TempDir, name: &str| {
        let options = LedgerOptions::new(directory.path(), shared.signer.clone());
        LedgerOptions { store: Place::Server(shared.service()), replica: name.to_owned(), ..options }
    };
    let go_on = |directory: &TempDir, size: u64| {
        let hand = ByHand::new(options(directory, "by-hand"), clock(), random()).unwrap();
        let ordered = by_hand::Ordered { operator: "KPU".to_owned(), reason: "diska".to_owned() };
        tokio::task::spawn_blocking(move || hand.go_on(size, ordered))
    };
    // Not in the folder of one that runs.
    let held = go_on(&of_a, 0).await.unwrap().err().unwrap();
    assert!(matches!(held, LedgerError::Held { .. }), "{held}");
    a.shut_down().await;
    let anchor = std::fs::read_to_string(of_a.path().join(ANCHOR_FILE)).unwrap();
    let size = keys::Keys::of(shared.signer.verifier()).open(&anchor).unwrap().size;
    let loss = go_on(&of_a, size).await.unwrap().unwrap();
    assert_eq!((loss.index, loss.until), (1, size));
    let a = Ledger::open(options(&of_a, "a"), start(), clock(), random()).unwrap();
    // Another one is not led on: its anchor is of what was lost, before and after the ledger grew past it.
    let refused = |directory: &TempDir| {
        Ledger::open(options(directory, "b"), start(), clock(), random()).err().unwrap()
    };
    let early = refused(&of_b);
    assert!(matches!(early, LedgerError::RolledBack { .. } | LedgerError::Forked { .. }), "{early}");
    for number in 10..20 {
        drop(a.open_release(intent(number)).await.unwrap());
    }
    let late = refused(&of_b);
    assert!(matches!(late, LedgerError::Forked { .. }), "{late}");
    // Given the anchor of the one that goes on, it does too.
    std::fs::copy(of_a.path().join(ANCHOR_FILE), of_b.path().join(ANCHOR_FILE)).unwrap();
    let b = Ledger::open(options(&of_b, "b"), start(), clock(), random()).unwrap();
    a.shut_down().await;
    b.shut_down().await;
    assert_eq!(shared.verify().lost, [(1, size)]);
}
