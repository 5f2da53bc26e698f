//! For the tests: what is kept back of a quota, and what becomes of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::tests::{all, crash, intent, new_ledger, random, start};
use super::*;
use crate::domain::{Period, TestClock};

/// 2024-06-21 09:00 in WIB.
const NOW_MS: u64 = 1_718_935_200_000;

/// An intent within a quota of 100 rows a day, which asks for `rows` of them.
pub(super) fn within(number: u64, now_ms: u64, rows: u64) -> Intent {
    let (from_ms, until_ms) = Period::Day.around(now_ms);
    let quota = Reserved { from_ms, until_ms, rows: 100, taken: 100, reserved: rows };
    Intent { quota: Some(quota), ..intent(number) }
}

/// Closes a release that handed so many rows over.
pub(super) async fn close(mut release: OpenRelease, outcome: Outcome, cause: Option<&str>, rows: u64) {
    release.counted(Counts { rows_in: rows, rows_out: rows, ..Counts::default() });
    let account = release.account(outcome, cause);
    release.close(account).await.unwrap();
}

pub(super) fn kept(opened: &Result<OpenRelease, LedgerError>) -> Option<(u64, u64)> {
    let quota = opened.as_ref().ok()?.quota()?;
    Some((quota.taken, quota.reserved))
}

fn open_at(directory: &Path, signer: &Signer, clock: &Arc<TestClock>) -> Ledger {
    let mut options = LedgerOptions::new(directory, signer.clone());
    options.in_force = Some(InForce { quotas: true, ..InForce::default() });
    Ledger::open(options, start(), Arc::clone(clock) as Arc<dyn Clock>, random()).unwrap()
}

#[tokio::test]
async fn rows_are_kept_back_taken_and_given_back() {
    let (directory, signer) = new_ledger();
    let clock = Arc::new(TestClock::at(NOW_MS));
    let ledger = open_at(directory.path(), &signer, &clock);
    let ends = [
        // What it asked for, how it ended, at which row, and what is taken afterwards.
        (60, Outcome::Complete, None, 20, 20),
        (60, Outcome::Failed, Some("source_failed"), 0, 20),
        (60, Outcome::Aborted, Some("source_failed"), 50, 20),
        (60, Outcome::Aborted, Some("server_stopped"), 50, 20),
        (60, Outcome::Aborted, Some("requester_left"), 5, 25),
        (60, Outcome::Aborted, Some("requester_stalled"), 5, 30),
        (60, Outcome::Aborted, Some("quota_exceeded"), 5, 35),
    ];
    let mut taken = 0;
    for (number, (asked, outcome, cause, rows, after)) in (1..).zip(ends) {
        let opened = ledger.open_release(within(number, NOW_MS, asked)).await;
        assert_eq!(kept(&opened), Some((taken, 60)), "{cause:?}");
        close(opened.unwrap(), outcome, cause, rows).await;
        taken = after;
    }
    // Two at once share what is left, and a third gets nothing until one of them gives back.
    let first = ledger.open_release(within(10, NOW_MS, 60)).await;
    let second = ledger.open_release(within(11, NOW_MS, 60)).await;
    assert_eq!((kept(&first), kept(&second)), (Some((35, 60)), Some((95, 5))));
    let third = ledger.open_release(within(12, NOW_MS, 60)).await.unwrap_err();
    assert!(matches!(third, LedgerError::QuotaExceeded { rows: 100, is_kept_back: true, .. }), "{third}");
    // Others are not concerned: another party, another rule, another client of no party, and who has no quota.
    let other = |change: fn(&mut Intent), number| {
        let mut intent = within(number, NOW_MS, 60);
        change(&mut intent);
        intent
    };
    for intent in [
        other(|own| own.party.as_mut().unwrap().number = 8, 20),
        other(|own| own.policy = "lain".to_owned(), 21),
        other(|own| own.level = crate::domain::Level::Kecamatan, 22),
        other(|own| own.party = None, 23),
        other(|own| (own.party, own.client_id) = (None, "lain".to_owned()), 24),
    ] {
        assert_eq!(kept(&ledger.open_release(intent).await), Some((0, 60)));
    }
    assert_eq!(kept(&ledger.open_release(intent(25)).await), None);
    close(first.unwrap(), Outcome::Complete, None, 60).await;
    close(second.unwrap(), Outcome::Complete, None, 5).await;
    let full = ledger.open_release(within(13, NOW_MS, 1)).await.unwrap_err();
    let LedgerError::QuotaExceeded { window, left, is_kept_back, .. } = full else { panic!("{full}") };
    // Until midnight in WIB.
    let hours = |hours: u64| Duration::from_secs(hours * 3_600);
    assert_eq!((window, left, is_kept_back), (hours(24), hours(15), false));
    // What was refused is no intent.
    let intents = all(directory.path()).iter().filter(|entry| entry.card.kind == "release.intent").count();
    assert_eq!(intents, 7 + 2 + 6);

    // Another day has rows of its own, also for a copy that began before it.
    let tomorrow = NOW_MS + 24 * 3_600_000;
    clock.set(tomorrow);
    let next = ledger.open_release(within(30, tomorrow, 60)).await;
    assert_eq!(kept(&next), Some((0, 60)));
    ledger.shut_down().await;
    let verdict = LedgerReader::open(directory.path()).unwrap().verify(None, None).unwrap();
    assert!(matches!(verdict, verify::Verdict::Sound(_)), "{verdict:?}");
}

#[tokio::test]
async fn a_crash_loses_no_row_of_a_quota_and_gives_none_out_twice() {
    let (directory, signer) = new_ledger();
    let clock = Arc::new(TestClock::at(NOW_MS));
    let ledger = open_at(directory.path(), &signer, &clock);
    let opened = ledger.open_release(within(1, NOW_MS, 60)).await.unwrap();
    close(opened, Outcome::Complete, None, 30).await;
    let open = ledger.open_release(within(2, NOW_MS, 60)).await;
    assert_eq!(kept(&open), Some((30, 60)));
    let copy = crash(directory.path());
    // What was open is reconciled and takes nothing; what was taken stays so.
    let after = open_at(copy.path(), &signer, &clock);
    let opened = after.open_release(within(3, NOW_MS, 100)).await;
    assert_eq!(kept(&opened), Some((30, 70)));
    drop(opened);
    after.shut_down().await;
    // A month later nothing of it is read any more, and a clock that was put back finds it again.
    let later = NOW_MS + 40 * 24 * 3_600_000;
    clock.set(later);
    let after = open_at(copy.path(), &signer, &clock);
    assert_eq!(kept(&after.open_release(within(4, later, 10)).await), Some((0, 10)));
    assert_eq!(kept(&after.open_release(within(5, NOW_MS, 10)).await), Some((30, 10)));
    after.shut_down().await;
}
