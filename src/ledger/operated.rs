//! What an operator does to a ledger, and what a process enters of itself, on real files.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;

use super::by_hand::Ordered;
use super::tests::{all, clock, crash, intent, kinds, new_ledger, open, random, start};
use super::verify::{Report, Verdict};
use super::*;
use crate::domain::{Digest, TestClock, digest_of_policies};

/// Longest wait for a thread to do something.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) fn by_hand(directory: &Path, signer: &Signer) -> ByHand {
    ByHand::new(LedgerOptions::new(directory, signer.clone()), clock(), random()).unwrap()
}

fn ordered() -> Ordered {
    Ordered { operator: "KPU Contoh".to_owned(), reason: "tahapan selesai".to_owned() }
}

fn sound(directory: &Path, verifier: Option<&Verifier>) -> Report {
    match LedgerReader::open(directory).unwrap().verify(verifier, None).unwrap() {
        Verdict::Sound(report) => *report,
        Verdict::Flawed(flaw) => panic!("{flaw:?}"),
    }
}

fn new_key(directory: &TempDir, signer: &Signer, name: &str) -> Signer {
    Signer::generate(&directory.path().join(name), signer.name()).unwrap()
}

#[tokio::test]
async fn changes_of_policies_and_register_are_entered_once_and_with_what_was_before() {
    let (directory, signer) = new_ledger();
    let run = async |policy: &[u8], register: Option<&[u8]>| {
        let policies = vec![("dpt".to_owned(), "1".to_owned(), Digest::of(policy))];
        let mut options = LedgerOptions::new(directory.path(), signer.clone());
        options.in_force = Some(InForce { policies, register: register.map(Digest::of), quotas: false });
        let start = ReplicaStart { policy_digest: Digest::of(policy), ..start() };
        Ledger::open(options, start, clock(), random()).unwrap().shut_down().await;
    };
    run(b"a", None).await;
    run(b"a", None).await;
    run(b"b", Some(b"r")).await;
    run(b"b", None).await;
    let expected = [
        "log.genesis",
        "replica.start",
        "policy.change",
        "replica.start",
        "replica.start",
        "policy.change",
        "register.change",
        "replica.start",
        "register.change",
    ];
    assert_eq!(kinds(directory.path()), expected);
    let (_, Entry::PolicyChange(change)) = Entry::read(&all(directory.path())[5].leaf).unwrap() else {
        panic!("not a change of policies")
    };
    let line = |policy: &[u8]| vec![("dpt".to_owned(), "1".to_owned(), Digest::of(policy))];
    let digests = (Some(digest_of_policies(&line(b"a"))), digest_of_policies(&line(b"b")));
    assert_eq!(
        (change.old_digest, change.new_digest, change.part, change.parts),
        (digests.0, digests.1, 1, 1)
    );
    assert_eq!((change.removed, change.added), (line(b"a"), line(b"b")));
    sound(directory.path(), None);
}

#[tokio::test]
async fn silence_is_entered_and_business_is_not() {
    let (directory, signer) = new_ledger();
    let clock = Arc::new(TestClock::at(1_718_935_200_000));
    let mut options = LedgerOptions::new(directory.path(), signer);
    options.heartbeat = Some(Duration::from_millis(20));
    let ledger = Ledger::open(options, start(), clock.clone(), random()).unwrap();
    // By this clock no time passes, however often the writer is reminded.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(kinds(directory.path()), ["log.genesis", "replica.start"]);
    clock.set(1_718_935_200_010);
    let until = Instant::now() + LIMIT;
    while kinds(directory.path()).len() < 3 {
        assert!(Instant::now() < until, "no heartbeat");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(kinds(directory.path()), ["log.genesis", "replica.start", "log.heartbeat"]);
    ledger.shut_down().await;
    sound(directory.path(), None);
}

#[tokio::test]
async fn an_election_ends_beside_a_running_ledger_and_what_is_open_may_end_too() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let under_way = ledger.open_release(intent(1)).await.unwrap();
    let index = by_hand(directory.path(), &signer).freeze("pemilu-2024", ordered()).unwrap();
    assert_eq!(index, 3);
    let refused = ledger.open_release(intent(2)).await.err().unwrap();
    assert!(matches!(refused, LedgerError::ElectionOver), "{refused}");
    let account = under_way.account(Outcome::Complete, None);
    under_way.close(account).await.unwrap();
    let mut other = intent(3);
    other.determination.election = "pilkada-2024".to_owned();
    let other = ledger.open_release(other).await.unwrap();
    let account = other.account(Outcome::Complete, None);
    other.close(account).await.unwrap();
    ledger.shut_down().await;
    // A new process knows it too.
    let ledger = open(directory.path(), &signer).unwrap();
    let refused = ledger.open_release(intent(4)).await.err().unwrap();
    assert!(matches!(refused, LedgerError::ElectionOver), "{refused}");
    ledger.shut_down().await;
    let report = sound(directory.path(), None);
    assert_eq!(report.frozen.into_iter().collect::<Vec<_>>(), [("pemilu-2024".to_owned(), 3)]);
    assert_eq!(report.kinds["release.intent"], 2);
}

#[tokio::test]
async fn what_is_entered_by_hand_finds_its_place_between_the_batches_of_a_busy_ledger() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let busy = tokio::spawn({
        let ledger = ledger.clone();
        async move {
            for number in 0..100 {
                let release = ledger.open_release(intent(number)).await.unwrap();
                let account = release.account(Outcome::Complete, None);
                release.close(account).await.unwrap();
            }
        }
    });
    let by_hand = by_hand(directory.path(), &signer);
    let ends = tokio::task::spawn_blocking(move || {
        for number in 0..10 {
            by_hand.freeze(&format!("pilkada-{number}"), ordered()).unwrap();
        }
    });
    ends.await.unwrap();
    busy.await.unwrap();
    ledger.shut_down().await;
    let report = sound(directory.path(), None);
    assert_eq!((report.kinds["log.freeze"], report.kinds["release.complete"], report.size), (10, 100, 212));
}

#[tokio::test]
async fn a_ledger_is_handed_over_to_another_key_and_verified_from_the_first_one_on() {
    let (directory, signer) = new_ledger();
    let ledger = open(directory.path(), &signer).unwrap();
    let second = new_key(&directory, &signer, "second.pem");
    let held = by_hand(directory.path(), &signer).rotate(&second).err().unwrap();
    assert!(matches!(held, LedgerError::Held { .. }), "{held}");
    ledger.shut_down().await;
    let before = fs::read_to_string(directory.path().join(ANCHOR_FILE)).unwrap();
    assert_eq!(by_hand(directory.path(), &signer).rotate(&second).unwrap(), 2);

    // The checkpoint of the handover itself is for those who know either key.
    let note = LedgerReader::open(directory.path()).unwrap().checkpoint().unwrap();
    for key in [&signer, &second] {
        assert_eq!(checkpoint::Checkpoint::open(&note, &key.verifier()).unwrap().size, 3);
    }
    // A power cut before the anchor was written leaves the one that the old key signed.
    let cut = crash(directory.path());
    fs::write(cut.path().join(ANCHOR_FILE), &before).unwrap();
    open(cut.path(), &second).unwrap().shut_down().await;

    for gone in [open(directory.path(), &signer).err().unwrap(), {
        by_hand(directory.path(), &signer).freeze("a", ordered()).err().unwrap()
    }] {
        assert!(matches!(gone, LedgerError::KeyReplaced), "{gone}");
    }
    let ledger = open(directory.path(), &second).unwrap();
    drop(ledger.open_release(intent(1)).await.unwrap());
    ledger.shut_down().await;
    let again = by_hand(directory.path(), &second).rotate(&signer).err().unwrap();
    assert!(matches!(again, LedgerError::KeyReplaced), "a key that was put away stays away: {again}");
    let third = new_key(&directory, &signer, "third.pem");
    by_hand(directory.path(), &second).rotate(&third).unwrap();
    open(directory.path(), &third).unwrap().shut_down().await;

    for known in [None, Some(&signer), Some(&second), Some(&third)] {
        let verifier = known.map(Signer::verifier);
        let report = sound(directory.path(), verifier.as_ref());
        assert!(report.keys.iter().eq(&[signer.verifier(), second.verifier(), third.verifier()]));
    }
    let stranger = new_key(&directory, &signer, "stranger.pem").verifier();
    let verdict = LedgerReader::open(directory.path()).unwrap().verify(Some(&stranger), None).unwrap();
    assert!(matches!(verdict, Verdict::Flawed(verify::Flaw { why: verify::Why::Key, .. })), "{verdict:?}");
}

#[tokio::test]
async fn a_loss_is_gone_on_from_only_when_stated_and_stays_visible() {
    let (directory, signer) = new_ledger();
    let yesterday = crash(directory.path());
    let ledger = open(directory.path(), &signer).unwrap();
    drop(ledger.open_release(intent(1)).await.unwrap());
    ledger.shut_down().await;
    let none = by_hand(directory.path(), &signer).go_on(4, ordered()).err().unwrap();
    assert!(matches!(none, LedgerError::NothingLost { anchored: 4, size: 4 }), "{none}");

    fs::copy(yesterday.path().join(DATABASE_FILE), directory.path().join(DATABASE_FILE)).unwrap();
    let lost = fs::read_to_string(directory.path().join(ANCHOR_FILE)).unwrap();
    for _ in 0..2 {
        let refused = open(directory.path(), &signer).err().unwrap();
        assert!(matches!(refused, LedgerError::RolledBack { anchored: 4, size: 1 }), "{refused}");
        let misstated = by_hand(directory.path(), &signer).go_on(3, ordered()).err().unwrap();
        assert!(matches!(misstated, LedgerError::LossMisstated { anchored: 4, stated: 3 }), "{misstated}");
    }
    let loss = by_hand(directory.path(), &signer).go_on(4, ordered()).unwrap();
    assert_eq!((loss.index, loss.until), (1, 4));
    assert_eq!(fs::read_to_string(loss.kept).unwrap(), lost);
    open(directory.path(), &signer).unwrap().shut_down().await;
    let report = sound(directory.path(), None);
    assert_eq!((report.size, report.lost), (3, vec![(1, 4)]));
    // Who holds the checkpoint of what was lost sees that it is.
    let kept = directory.path().join("ledger.lost-4");
    let verdict = LedgerReader::open(directory.path()).unwrap().verify(None, Some(&kept)).unwrap();
    assert!(
        matches!(verdict, Verdict::Flawed(verify::Flaw { why: verify::Why::Anchor(_), .. })),
        "{verdict:?}"
    );
}

#[tokio::test]
async fn a_read_is_entered_once_however_often_its_file_is_found() {
    let (directory, signer) = new_ledger();
    let read = AuditRead {
        auditor: "panwas".to_owned(),
        question: "open".to_owned(),
        parameters: Vec::new(),
        entries: 2,
    };
    let reads = || kinds(directory.path()).iter().filter(|kind| **kind == "audit.read").count();
    let taken = async |waiting: &spool::Waiting| {
        let until = Instant::now() + LIMIT;
        while !waiting.is_taken() {
            assert!(Instant::now() < until, "it is not taken away");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let ledger = open(directory.path(), &signer).unwrap();
    let waiting = spool::Waiting::leave(directory.path(), &read, &*random()).unwrap().unwrap();
    let name = leaf::hex(&waiting.id);
    let file = directory.path().join(spool::DIRECTORY).join(format!("{name}.json"));
    let text = serde_json::to_string(&read).unwrap();
    taken(&waiting).await;
    // As if the process had died between the entry and the file, and looked again later, or started anew.
    fs::write(&file, &text).unwrap();
    taken(&waiting).await;
    assert_eq!(reads(), 1);
    ledger.shut_down().await;
    fs::write(&file, &text).unwrap();
    let cut = crash(directory.path());
    open(directory.path(), &signer).unwrap().shut_down().await;
    assert!(waiting.is_taken());
    open(cut.path(), &signer).unwrap().shut_down().await;
    let of_cut = kinds(cut.path()).iter().filter(|kind| **kind == "audit.read").count();
    assert_eq!((reads(), of_cut), (1, 1));
    // The same question asked again is another read.
    spool::Waiting::leave(directory.path(), &read, &crate::domain::SeededRandom::new(77)).unwrap().unwrap();
    open(directory.path(), &signer).unwrap().shut_down().await;
    assert_eq!(reads(), 2);
    sound(directory.path(), None);
    // One that is copied into another store knows the names too.
    let copy = tempfile::tempdir().unwrap();
    let place = Place::File(directory.path().join(DATABASE_FILE));
    Ledger::copy_to_file(&place, &copy.path().join(DATABASE_FILE)).unwrap();
    let entered = |of: &Path| LedgerReader::open(of).unwrap().entered(&waiting.id).unwrap();
    assert!(entered(copy.path()).is_some());
    assert_eq!(entered(copy.path()), entered(directory.path()));
    sound(copy.path(), None);
}
