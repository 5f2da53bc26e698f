//! Rows of a quota: what an intent kept back, and what its account says was handed over.

use super::told::{Made, close, completion};
use super::*;
use crate::ledger::entry::{Completion, Entry, Outcome, Reserved};
use crate::ledger::tests::intent;
use crate::ledger::{Intent, LedgerReader};

const QUOTA: Reserved = Reserved { from_ms: 1, until_ms: 2, rows: 100, taken: 40, reserved: 60 };

/// Opens a copy with this quota, and ends it with so many rows.
fn copy(made: &mut Made, quota: Option<Reserved>, outcome: Outcome, rows: u64) {
    let intent = Intent { quota, ..intent(1) };
    let index = made.add(&Entry::Intent(Box::new(intent.clone())));
    let cause = (outcome != Outcome::Complete).then(|| "requester_left".to_owned());
    close(made, &intent, index, Completion { rows_out: rows, cause, ..completion(outcome, 4) });
}

#[test]
fn no_more_rows_were_handed_over_than_were_kept_back() {
    let (complete, aborted, failed) = (Outcome::Complete, Outcome::Aborted, Outcome::Failed);
    let at = |index, why| Some((Some(index), why));
    let cases = [
        ("all that was kept back", Some(QUOTA), complete, 60, None),
        ("a part of it", Some(QUOTA), aborted, 7, None),
        ("without a quota", None, complete, 1 << 40, None),
        ("one row more", Some(QUOTA), complete, 61, at(2, Why::Quota)),
        ("one row more of a part", Some(QUOTA), aborted, 61, at(2, Why::Quota)),
        ("one row more of what failed", Some(QUOTA), failed, 61, at(2, Why::Quota)),
        ("more than was left", Some(Reserved { taken: 41, ..QUOTA }), complete, 1, at(1, Why::Reserved)),
        (
            "more taken than there is",
            Some(Reserved { taken: 101, ..QUOTA }),
            complete,
            1,
            at(1, Why::Reserved),
        ),
        (
            "sums beyond all numbers",
            Some(Reserved { taken: u64::MAX, ..QUOTA }),
            complete,
            1,
            at(1, Why::Reserved),
        ),
        ("no period", Some(Reserved { until_ms: 1, ..QUOTA }), complete, 1, at(1, Why::Reserved)),
    ];
    for (name, quota, outcome, rows, expected) in cases {
        let mut made = Made::new();
        copy(&mut made, quota, outcome, rows);
        match (made.verify(), expected) {
            (Verdict::Sound(_), None) => {}
            (Verdict::Flawed(flaw), Some((index, why))) => assert_eq!(flaw, Flaw { index, why }, "{name}"),
            (verdict, expected) => panic!("{name}: {verdict:?}, not {expected:?}"),
        }
    }
}

fn verify_by(made: &Made, terms: Verification<'_>) -> Verdict {
    LedgerReader::open(made.path()).unwrap().verify_by(terms).unwrap()
}

#[test]
fn what_was_kept_back_is_known_to_a_run_that_goes_on() {
    let mut made = Made::new();
    let open = Intent { quota: Some(QUOTA), ..intent(1) };
    let index = made.add(&Entry::Intent(Box::new(open.clone())));
    let mut kept = None;
    let mut keep = |verified: &Verified| {
        kept = Some(verified.clone());
        Ok(())
    };
    let first = verify_by(&made, Verification { keep: Some(&mut keep), ..Verification::default() });
    assert!(matches!(first, Verdict::Sound(_)), "{first:?}");
    close(&mut made, &open, index, Completion { rows_out: 61, ..completion(Outcome::Complete, 4) });
    let second = verify_by(&made, Verification { from: kept, ..Verification::default() });
    let Verdict::Flawed(flaw) = second else { panic!("{second:?}") };
    assert_eq!(flaw, Flaw { index: Some(2), why: Why::Quota });
}
