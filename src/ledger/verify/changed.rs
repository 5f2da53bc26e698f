//! Changes of policies that a whole ledger does not bear out, and starts that fail amid one.

use super::told::{Made, freeze};
use super::*;
use crate::domain::PolicyLine;
use crate::ledger::entry::Entry;
use crate::ledger::notice::PolicyChange;
use crate::ledger::policies::Policies;
use crate::ledger::tests::start;

/// A change from no policy to so many.
fn from_none(count: u32) -> Vec<PolicyChange> {
    let lines: Vec<PolicyLine> =
        (0..count).map(|number| (format!("p{number}"), "1".to_owned(), Digest::of(b"a"))).collect();
    Policies::default().change_to(&lines, &start())
}

fn put(made: &mut Made, changes: &[PolicyChange]) {
    for change in changes {
        made.put(&Entry::PolicyChange(Box::new(change.clone())));
    }
}

#[test]
fn a_forged_change_of_policies_is_found_at_its_entry() {
    type Write = fn(&mut Made);
    let cases: [(&str, Write, Option<(Option<u64>, Why)>); 6] = [
        ("200 policies", |made| put(made, &from_none(200)), None),
        (
            "a list that does not give the digest",
            |made| {
                let mut changes = from_none(200);
                changes[3].added[7].2 = Digest::of(b"forged");
                put(made, &changes);
            },
            Some((Some(4), Why::ChangeDigest)),
        ),
        (
            "a policy that comes twice",
            |made| {
                let mut changes = from_none(200);
                changes[2].added[0] = changes[0].added[0].clone();
                put(made, &changes);
            },
            Some((Some(3), Why::ChangeLine)),
        ),
        (
            "another entry between two parts",
            |made| {
                let changes = from_none(200);
                put(made, &changes[..2]);
                made.put(&freeze("pemilu-2024"));
                put(made, &changes[2..]);
            },
            Some((Some(3), Why::ChangePart)),
        ),
        ("the last part is missing", |made| put(made, &from_none(200)[..3]), Some((None, Why::ChangePart))),
        ("a part is left out", |made| put(made, &from_none(200)[1..]), Some((Some(1), Why::ChangePart))),
    ];
    for (name, write, expected) in cases {
        let mut made = Made::new();
        write(&mut made);
        match (made.verify(), expected) {
            (Verdict::Sound(_), None) => {}
            (Verdict::Flawed(flaw), Some((index, why))) => assert_eq!(flaw, Flaw { index, why }, "{name}"),
            (verdict, expected) => panic!("{name}: {verdict:?}, not {expected:?}"),
        }
    }
}
