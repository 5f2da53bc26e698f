//! The quick way beside the long one.

use super::*;
use crate::domain::Party;
use crate::ledger::coverage::Coverage;
use crate::ledger::entry::{Ack, Closed, Completion, Entry, FieldCount};
use crate::ledger::leaf::Stamp;
use crate::ledger::tests::{intent, refusal};
use crate::ledger::verify::told::completion;
use crate::store::Card;

fn stamp(ts_ms: u64) -> Stamp {
    Stamp { ts_ms, replica: "main".to_owned(), boot: "0f".to_owned(), nonce: [0xAB; 16] }
}

fn ack(rows: u64, is_match: bool) -> Entry {
    Entry::Ack(Box::new(Ack {
        release: intent(1).release,
        intent: 9,
        requester: "saksi-7".to_owned(),
        client_id: "portal".to_owned(),
        rows,
        bytes: 4,
        body_sha256: Digest::of(b"body"),
        is_match,
    }))
}

fn complete(completion: Completion) -> Entry {
    Entry::Complete(Box::new(Closed { release: intent(1).release, intent: 9, completion }))
}

/// Entries, and whether the quick way takes them.
fn entries() -> Vec<(Entry, bool)> {
    let whole = || completion(Outcome::Complete, 4);
    let mut other = intent(2);
    other.party = None;
    other.mandate = Some("SM-07/2024".to_owned());
    other.parameters = Vec::new();
    other.fields = Vec::new();
    other.media_type = None;
    other.ceiling_bytes = None;
    let mut escaped = intent(3);
    escaped.requester = "saksi \"7\"".to_owned();
    let mut accented = intent(4);
    accented.party = Some(Party { election: "pemilu-é".to_owned(), number: u16::MAX });
    let counted = Completion {
        cause: Some("requester_left".to_owned()),
        outcome: Outcome::Aborted,
        first_byte_ms: Some(1),
        last_byte_ms: Some(EXACT_MAX),
        fields: vec![("nik".to_owned(), FieldCount { changed: 3, swept: 0, unreadable: 1 })],
        media_type: Some("text/csv".to_owned()),
        coding: Some("br".to_owned()),
        coded_bytes: Some(7),
        ..whole()
    };
    let tps = Some(Coverage::of(&["9901011001001".parse().unwrap()].into(), 0));
    vec![
        (Entry::Intent(Box::new(intent(1))), true),
        (Entry::Intent(Box::new(other)), true),
        (Entry::Intent(Box::new(accented)), true),
        (Entry::Intent(Box::new(escaped)), false),
        (complete(whole()), true),
        (complete(completion(Outcome::Failed, 0)), true),
        (complete(counted), true),
        (complete(Completion { rows_in: EXACT_MAX + 1, ..whole() }), false),
        (complete(Completion { tps, ..whole() }), false),
        (ack(2, true), true),
        (ack(0, false), true),
        (ack(u64::MAX, false), false),
        (Entry::Refused(Box::new(refusal())), false),
    ]
}

/// What the long way finds, in the words of the quick one.
fn long(leaf: &[u8]) -> Option<(u64, String, ReleaseId, &'static str, Vec<u64>)> {
    let (stamp, entry) = Entry::read(leaf).ok()?;
    let (kind, release) = (entry.kind(), entry.release()?);
    let numbers = match &entry {
        Entry::Intent(own) => own.ceiling_bytes.into_iter().collect(),
        Entry::Complete(own) => vec![own.intent, own.completion.rows_out, own.completion.bytes],
        Entry::Ack(own) => vec![own.intent, own.rows, own.bytes, u64::from(own.is_match)],
        _ => return None,
    };
    Some((stamp.ts_ms, stamp.boot, release, kind, numbers))
}

fn short(quick: &Quick<'_>) -> (u64, String, ReleaseId, &'static str, Vec<u64>) {
    let (kind, numbers) = match &quick.what {
        What::Intent { ceiling, .. } => ("release.intent", ceiling.iter().copied().collect()),
        What::Complete { intent, rows, bytes, .. } => ("release.complete", vec![*intent, *rows, *bytes]),
        What::Ack { intent, rows, bytes, is_match, .. } => {
            ("release.ack", vec![*intent, *rows, *bytes, u64::from(*is_match)])
        }
    };
    (quick.ts_ms, quick.boot.to_owned(), quick.release, kind, numbers)
}

fn card_of(card: &Card) -> PageCard<'_> {
    PageCard {
        kind: card.kind,
        ts_ms: card.ts_ms,
        release: card.release.as_ref(),
        party: card.party.as_deref(),
        wilayah: card.wilayah.as_deref(),
        outcome: card.outcome,
        code: card.code.as_deref(),
    }
}

#[test]
fn the_quick_way_finds_what_the_long_way_finds() {
    for (entry, is_quick) in entries() {
        for ts_ms in [0, 1, 951_782_399_999, 951_782_400_000, 1_718_935_200_007, 253_370_764_799_999] {
            let leaf = entry.write(&stamp(ts_ms)).unwrap().leaf;
            let quick = read(&leaf);
            assert_eq!(quick.is_some(), is_quick, "{}", String::from_utf8_lossy(&leaf));
            let Some(quick) = quick else { continue };
            assert_eq!(Some(short(&quick)), long(&leaf));
            let own = entry.card(ts_ms);
            let card = card_of(&own);
            assert!(quick.has_card(&card) && card.is_of(&own));
            let others = [
                PageCard { kind: "release.grant", ..card },
                PageCard { ts_ms: ts_ms + 1, ..card },
                PageCard { release: None, ..card },
                PageCard { party: Some("pemilu-2024/07"), ..card },
                PageCard { wilayah: Some("99"), ..card },
                PageCard { outcome: Some("refused"), ..card },
                PageCard { code: Some("x"), ..card },
            ];
            assert!(others.iter().all(|other| !quick.has_card(other) && !other.is_of(&own)));
        }
    }
}

/// Every byte of every entry in turn is taken out, doubled and replaced: what the quick way takes, the long way does.
#[test]
fn the_quick_way_takes_nothing_that_the_long_way_refuses() {
    let mut taken = 0;
    for (entry, _) in entries() {
        let leaf = entry.write(&stamp(1_718_935_200_007)).unwrap().leaf;
        for at in 0..leaf.len() {
            let mut changed =
                vec![[&leaf[..at], &leaf[at + 1..]].concat(), [&leaf[..=at], &leaf[at..]].concat()];
            for byte in *b"\" \\0159afAZ,:{}[]-.\x00\x1f\xff" {
                changed.push([&leaf[..at], &[byte], &leaf[at + 1..]].concat());
            }
            for leaf in changed {
                if let Some(quick) = read(&leaf) {
                    assert_eq!(Some(short(&quick)), long(&leaf), "{}", String::from_utf8_lossy(&leaf));
                    taken += 1;
                }
            }
        }
    }
    assert!(taken > 1_000, "only {taken} of the changed entries were taken");
}
