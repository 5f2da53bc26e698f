//! Going on from what an earlier run verified: the same verdict at the end, and nothing believed that a file or the
//! store says of what came before.

use std::path::Path;

use super::told::{Made, ack, close, completion, freeze, heartbeat, open_one, policies};
use super::*;
use crate::ledger::LedgerReader;
use crate::ledger::entry::Outcome;
use crate::ledger::tests::{intent, new_ledger, tamper};

const SEAL: [u8; 32] = [7; 32];

/// Verifies, from an earlier run where one is given, and gives what the next can go on from.
fn run(
    directory: &Path,
    from: Option<Verified>,
    structures: bool,
) -> (Result<Verdict, LedgerError>, Option<Verified>) {
    let mut kept = None;
    let mut keep = |verified: &Verified| {
        kept = Some(verified.clone());
        Ok(())
    };
    let terms = Verification { from, structures, keep: Some(&mut keep), ..Verification::default() };
    let verdict = LedgerReader::open(directory).unwrap().verify_by(terms);
    (verdict, kept)
}

fn sound(verdict: Result<Verdict, LedgerError>) -> Report {
    match verdict.unwrap() {
        Verdict::Sound(report) => *report,
        Verdict::Flawed(flaw) => panic!("{flaw:?}"),
    }
}

fn flaw(verdict: Result<Verdict, LedgerError>) -> Flaw {
    match verdict.unwrap() {
        Verdict::Flawed(flaw) => flaw,
        Verdict::Sound(report) => panic!("sound, with {} entries", report.size),
    }
}

/// Two copies, one of which is open, and policies; then what closes and acknowledges them, and more.
fn first_half(made: &mut Made) -> [(crate::ledger::Intent, u64); 2] {
    let (first, index) = open_one(made, 1);
    close(made, &first, index, completion(Outcome::Complete, 4));
    made.add(&policies(None, b"a"));
    [(first, index), open_one(made, 2)]
}

fn second_half(made: &mut Made, copies: &[(crate::ledger::Intent, u64); 2], early: Checkpoint) {
    close(made, &copies[1].0, copies[1].1, completion(Outcome::Complete, 4));
    ack(made, &copies[0].0, copies[0].1, 2, true);
    made.add(&policies(Some(b"a"), b"b"));
    made.add(&heartbeat(early.size, early.root));
    for number in 10..300 {
        let (one, index) = open_one(made, number);
        close(made, &one, index, completion(Outcome::Complete, 4));
    }
    made.add(&freeze("pemilu-2024"));
}

#[test]
fn a_run_that_goes_on_ends_as_one_from_the_beginning() {
    let mut made = Made::new();
    let early = made.head();
    let copies = first_half(&mut made);
    let (verdict, kept) = run(made.path(), None, false);
    assert_eq!((sound(verdict).size, kept.as_ref().unwrap().size()), (5, 5));
    second_half(&mut made, &copies, early);
    let (whole, all) = run(made.path(), None, false);
    let whole = sound(whole);
    for structures in [false, true] {
        let (resumed, kept) = run(made.path(), kept.clone(), structures);
        let resumed = sound(resumed);
        assert_eq!((resumed.size, resumed.root), (whole.size, whole.root));
        assert_eq!((&resumed.kinds, &resumed.frozen), (&whole.kinds, &whole.frozen));
        assert_eq!((resumed.first_ms, resumed.last_ms), (whole.first_ms, whole.last_ms));
        assert_eq!(resumed.base.map(|base| base.size), Some(5));
        assert_eq!(resumed.structures, Some(if structures { whole.size } else { 5 }));
        if structures {
            assert_eq!(kept, all);
        }
        // At the very end nothing is left to look at.
        assert_eq!(sound(run(made.path(), kept, structures).0).root, whole.root);
    }
    // What the rest of the rules needs was taken along: the open copy, the policies, the end of the election.
    let (_, kept) = run(made.path(), None, false);
    let cases: [(&str, fn(&mut Made), Why); 4] = [
        ("opened after the end", |made| drop(open_one(made, 900)), Why::Frozen),
        ("policies from nowhere", |made| made.put(&policies(Some(b"a"), b"c")), Why::Change),
        (
            "closed twice",
            |made| {
                close(made, &intent(2), 4, completion(Outcome::Complete, 4));
            },
            Why::NotOpen,
        ),
        ("a match that is none", |made| ack(made, &intent(1), 1, 3, true), Why::Match),
    ];
    for (name, add, why) in cases {
        let mut other = made.copy();
        let index = other.head().size;
        add(&mut other);
        let (verdict, kept) = run(other.path(), kept.clone(), false);
        assert_eq!(flaw(verdict), Flaw { index: Some(index), why }, "{name}");
        assert_eq!(kept, None, "{name}");
    }
}

#[test]
fn what_lies_before_is_proven_or_not_believed() {
    type Expected = Option<(Option<u64>, Why)>;
    let other_account = "UPDATE entry SET leaf = CAST(replace(leaf, '\"rows_out\":2', '\"rows_out\":3') AS BLOB) \
                         WHERE idx = 2";
    let cases: [(&str, &str, Expected, Expected); 5] = [
        ("untouched", "", None, None),
        (
            "an account that an acknowledgement is held against",
            other_account,
            Some((Some(2), Why::Hash)),
            Some((Some(2), Why::Hash)),
        ),
        // Nobody looks at this one again, and the document says so.
        ("another entry", "UPDATE entry SET ts_ms = 1 WHERE idx = 1", None, Some((Some(1), Why::Card))),
        (
            "the hashes of the tree",
            "UPDATE tile SET hashes = CAST(zeroblob(32) || substr(hashes, 33) AS BLOB) WHERE level = 0 AND idx = 0",
            Some((None, Why::Before(5))),
            Some((Some(0), Why::Hash)),
        ),
        ("an index", "DROP INDEX entry_party", None, Some((None, Why::Damaged))),
    ];
    let mut made = Made::new();
    let early = made.head();
    let copies = first_half(&mut made);
    let (_, kept) = run(made.path(), None, false);
    second_half(&mut made, &copies, early);
    for (name, statements, resumed, whole) in cases {
        let copy = made.copy();
        tamper(copy.path(), statements);
        for (from, expected) in [(kept.clone(), resumed), (None, whole)] {
            let (verdict, _) = run(copy.path(), from, false);
            match expected {
                None => drop(sound(verdict)),
                Some((index, why)) => assert_eq!(flaw(verdict), Flaw { index, why }, "{name}"),
            }
        }
    }
    tamper(made.path(), "DROP INDEX entry_party");
    assert_eq!(flaw(run(made.path(), kept, true).0).why, Why::Damaged);
}

#[test]
fn another_ledger_or_another_history_is_not_gone_on_from() {
    let mut made = Made::new();
    drop(first_half(&mut made));
    let (_, kept) = run(made.path(), None, false);
    let (stranger, _) = new_ledger();
    let (verdict, _) = run(stranger.path(), kept.clone(), false);
    assert!(matches!(verdict, Err(LedgerError::OtherLedger)), "{verdict:?}");
    // Cut back to its first entry and written on, by whoever holds the key.
    let mut forked = Made::of(&made.signer);
    for _ in 0..9 {
        forked.add(&freeze("another"));
    }
    let (verdict, _) = run(forked.path(), kept.clone(), false);
    assert_eq!(flaw(verdict), Flaw { index: None, why: Why::Before(5) });
    let short = Made::of(&made.signer);
    assert_eq!(flaw(run(short.path(), kept, false).0).why, Why::Before(5));
}

#[test]
fn a_saved_file_is_read_with_its_own_secret_and_as_it_was_written() {
    let mut made = Made::new();
    drop(first_half(&mut made));
    let verified = run(made.path(), None, false).1.unwrap();
    let seal = Seal::new(&SEAL);
    let text = verified.write(&seal).unwrap();
    assert_eq!(Verified::read(&text, &seal), Ok(verified.clone()));
    let other = verified.write(&Seal::new(&[8; 32])).unwrap();
    let mark = text.lines().last().unwrap();
    let cases = [
        ("another's", other, ResumeError::Seal),
        ("a greater size", text.replace("\"size\":5", "\"size\":6"), ResumeError::Seal),
        ("nothing open", text.replace("\"open\":{", "\"open\":{\"9\":"), ResumeError::Seal),
        ("another mark", text.replace(mark, &"0".repeat(64)), ResumeError::Seal),
        ("no mark", text.replace(mark, ""), ResumeError::Form),
        ("another format", text.replace("@v1", "@v2"), ResumeError::Form),
        ("a checkpoint", made.head().sign(&made.signer), ResumeError::Form),
        ("nothing", String::new(), ResumeError::Form),
    ];
    for (name, text, why) in cases {
        assert_eq!(Verified::read(&text, &seal), Err(why), "{name}");
    }
}
