//! Ledgers that say of themselves what is not so.

use std::path::Path;

use super::*;
use crate::domain::digest_of_policies;
use crate::ledger::book::Book;
use crate::ledger::checkpoint::CheckpointError;
use crate::ledger::entry::{
    Ack, Cause, Closed, Completion, Entry, Intent, Reconciled, ReplicaStart, Resumed, Started,
};
use crate::ledger::notice::{
    AuditRead, Continuation, Freeze, Heartbeat, PolicyChange, RegisterChange, Rotation,
};
use crate::ledger::stamper::Stamper;
use crate::ledger::tests::{clock, intent, new_ledger, random};
use crate::ledger::{ANCHOR_FILE, Coverage, DATABASE_FILE, Ledger, LedgerReader, Outcome, Signer};
use crate::store::sqlite::{SqliteReader, SqliteStore};

/// A ledger that holds just these entries behind its first one, each with a checkpoint of its own.
pub(super) struct Made {
    directory: tempfile::TempDir,
    pub(super) signer: Signer,
    book: Book,
    stamper: Stamper,
}

impl Made {
    pub(super) fn new() -> Self {
        let (directory, signer) = new_ledger();
        Self::open(directory, signer)
    }

    /// Another ledger of the same key.
    pub(super) fn of(signer: &Signer) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Ledger::init(directory.path(), signer, "KPU Contoh", clock(), random()).unwrap();
        Self::open(directory, signer.clone())
    }

    /// The same ledger in another place.
    pub(super) fn copy(&self) -> Self {
        let directory = tempfile::tempdir().unwrap();
        SqliteReader::copy(&self.path().join(DATABASE_FILE), &directory.path().join(DATABASE_FILE)).unwrap();
        std::fs::write(directory.path().join(ANCHOR_FILE), self.head().sign(&self.signer)).unwrap();
        Self::open(directory, self.signer.clone())
    }

    fn open(directory: tempfile::TempDir, signer: Signer) -> Self {
        let store = SqliteStore::open(&directory.path().join(DATABASE_FILE)).unwrap();
        let anchor = std::fs::read_to_string(directory.path().join(ANCHOR_FILE)).unwrap();
        let mut book = Book::open(Box::new(store), &signer, &anchor).unwrap();
        book.abandon().unwrap();
        Self { directory, signer, book, stamper: Stamper::new("made", clock(), random()).unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn add(&mut self, entry: &Entry) -> u64 {
        let written = self.stamper.write(entry).unwrap();
        self.book.begin().unwrap();
        self.book.commit(&[written]).unwrap()
    }

    pub(super) fn put(&mut self, entry: &Entry) {
        self.add(entry);
    }

    pub(super) fn head(&self) -> Checkpoint {
        self.book.head()
    }

    pub(super) fn verify(self) -> Verdict {
        let Self { directory, book, .. } = self;
        drop(book);
        LedgerReader::open(directory.path()).unwrap().verify(None, None).unwrap()
    }
}

pub(super) fn completion(outcome: Outcome, bytes: u64) -> Completion {
    Completion {
        outcome,
        cause: None,
        status: 200,
        rows_in: 2,
        rows_out: 2,
        rows_withheld: 0,
        swept: 0,
        bytes,
        body_sha256: Digest::of(b"body"),
        first_byte_ms: None,
        last_byte_ms: None,
        unreadable: 0,
        near_misses: 0,
        fields: Vec::new(),
        media_type: None,
        coding: None,
        coded_bytes: None,
        tps: None,
    }
}

pub(super) fn close(made: &mut Made, intent: &Intent, index: u64, completion: Completion) -> u64 {
    made.add(&Entry::Complete(Box::new(Closed { release: intent.release, intent: index, completion })))
}

pub(super) fn open_one(made: &mut Made, number: u64) -> (Intent, u64) {
    let intent = intent(number);
    let index = made.add(&Entry::Intent(Box::new(intent.clone())));
    (intent, index)
}

pub(super) fn ack(made: &mut Made, intent: &Intent, index: u64, rows: u64, is_match: bool) {
    made.add(&Entry::Ack(Box::new(Ack {
        release: intent.release,
        intent: index,
        requester: "saksi-7".to_owned(),
        client_id: "portal".to_owned(),
        rows,
        bytes: 4,
        body_sha256: Digest::of(b"body"),
        is_match,
    })));
}

pub(super) fn policies(old: Option<&[u8]>, new: &[u8]) -> Entry {
    let line = |text: &[u8]| ("dpt".to_owned(), "1".to_owned(), Digest::of(text));
    Entry::PolicyChange(Box::new(PolicyChange {
        old_digest: old.map(|text| digest_of_policies([&line(text)])),
        new_digest: digest_of_policies([&line(new)]),
        part: 1,
        parts: 1,
        removed: old.map(line).into_iter().collect(),
        added: vec![line(new)],
        build: String::new(),
        config_digest: Digest::of(b""),
    }))
}

fn registers(old: Option<&[u8]>, new: Option<&[u8]>) -> Entry {
    Entry::RegisterChange(RegisterChange {
        old_digest: old.map(Digest::of),
        new_digest: new.map(Digest::of),
        build: String::new(),
        config_digest: Digest::of(b""),
    })
}

pub(super) fn freeze(election: &str) -> Entry {
    let election = election.to_owned();
    Entry::Freeze(Box::new(Freeze { election, operator: String::new(), reason: String::new() }))
}

pub(super) fn heartbeat(size: u64, root: Hash) -> Entry {
    Entry::Heartbeat(Heartbeat { head_size: size, head_root: Digest(root), interval_ms: 1 })
}

fn started(head: Checkpoint, previous_boot: &str) -> Entry {
    let digest = Digest::of(b"");
    let start = ReplicaStart { build: String::new(), config_digest: digest, policy_digest: digest };
    let (head_size, head_root) = (head.size, Digest(head.root));
    Entry::ReplicaStart(Started { start, head_size, head_root, previous_boot: previous_boot.to_owned() })
}

fn continued(made: &Made, lost_size: u64) -> Entry {
    let head = made.head();
    Entry::Continue(Box::new(Continuation {
        head_size: head.size,
        head_root: Digest(head.root),
        lost: Checkpoint { size: lost_size, root: [3; 32] }.sign(&made.signer),
        operator: String::new(),
        reason: String::new(),
    }))
}

#[test]
fn what_entries_say_of_those_before_them_is_held_against_them() {
    type Case = (&'static str, fn(&mut Made), Option<Why>);
    let cases: [Case; 33] = [
        ("policies begin", |made| made.put(&policies(None, b"a")), None),
        (
            "policies follow",
            |made| {
                made.add(&policies(None, b"a"));
                made.add(&policies(Some(b"a"), b"b"));
            },
            None,
        ),
        ("policies from nowhere", |made| made.put(&policies(Some(b"a"), b"b")), Some(Why::Change)),
        (
            "policies begin twice",
            |made| {
                made.add(&policies(None, b"a"));
                made.add(&policies(None, b"b"));
            },
            Some(Why::Change),
        ),
        (
            "policies stay",
            |made| {
                made.add(&policies(None, b"a"));
                made.add(&policies(Some(b"a"), b"a"));
            },
            Some(Why::Change),
        ),
        (
            "a register comes and goes",
            |made| {
                made.add(&registers(None, Some(b"a")));
                made.add(&registers(Some(b"a"), None));
            },
            None,
        ),
        ("no register stays none", |made| made.put(&registers(None, None)), Some(Why::Change)),
        (
            "an open copy ends after the election",
            |made| {
                let (intent, index) = open_one(made, 1);
                made.add(&freeze("pemilu-2024"));
                close(made, &intent, index, completion(Outcome::Complete, 4));
                ack(made, &intent, index, 2, true);
            },
            None,
        ),
        (
            "a copy after the election",
            |made| {
                made.add(&freeze("pemilu-2024"));
                open_one(made, 1);
            },
            Some(Why::Frozen),
        ),
        (
            "a copy after another election",
            |made| {
                made.add(&freeze("pilkada-2024"));
                let (intent, index) = open_one(made, 1);
                close(made, &intent, index, completion(Outcome::Complete, 4));
            },
            None,
        ),
        (
            "a true match",
            |made| {
                let (intent, index) = open_one(made, 1);
                close(made, &intent, index, completion(Outcome::Complete, 4));
                ack(made, &intent, index, 2, true);
                ack(made, &intent, index, 3, false);
            },
            None,
        ),
        (
            "a match that is none",
            |made| {
                let (intent, index) = open_one(made, 1);
                close(made, &intent, index, completion(Outcome::Complete, 4));
                ack(made, &intent, index, 3, true);
            },
            Some(Why::Match),
        ),
        (
            "a match that is denied",
            |made| {
                let (intent, index) = open_one(made, 1);
                close(made, &intent, index, completion(Outcome::Complete, 4));
                ack(made, &intent, index, 2, false);
            },
            Some(Why::Match),
        ),
        (
            "a match of a part",
            |made| {
                let (intent, index) = open_one(made, 1);
                close(made, &intent, index, completion(Outcome::Aborted, 4));
                ack(made, &intent, index, 2, true);
            },
            Some(Why::Match),
        ),
        (
            "a match of another intent",
            |made| {
                let (intent, index) = open_one(made, 1);
                close(made, &intent, index, completion(Outcome::Complete, 4));
                ack(made, &intent, index - 1, 2, true);
            },
            Some(Why::NotOpen),
        ),
        (
            "a word about a copy that is open",
            |made| {
                let (intent, index) = open_one(made, 1);
                ack(made, &intent, index, 2, true);
            },
            Some(Why::NotOpen),
        ),
        ("a word about a copy that never was", |made| ack(made, &intent(1), 1, 2, true), Some(Why::NotOpen)),
        (
            "a word about a copy without an account",
            |made| {
                let (intent, index) = open_one(made, 1);
                made.add(&Entry::Reconciled(Reconciled {
                    release: intent.release,
                    intent: index,
                    cause: Cause::ProcessEnded,
                    bytes_min: 0,
                    bytes_max: intent.ceiling_bytes,
                }));
                ack(made, &intent, index, 2, false);
            },
            Some(Why::NotOpen),
        ),
        (
            "a late word, when its account is no longer at hand",
            |made| {
                let (first, index) = open_one(made, 0);
                close(made, &first, index, completion(Outcome::Complete, 4));
                let mut entries = Vec::new();
                for number in 1..=follow::ACCOUNTS_KEPT as u64 {
                    let intent = intent(number);
                    let (release, index) = (intent.release, 3 + 2 * (number - 1));
                    entries.push(made.stamper.write(&Entry::Intent(Box::new(intent))).unwrap());
                    let completion = completion(Outcome::Complete, 4);
                    let closed = Entry::Complete(Box::new(Closed { release, intent: index, completion }));
                    entries.push(made.stamper.write(&closed).unwrap());
                }
                made.book.begin().unwrap();
                made.book.commit(&entries).unwrap();
                ack(made, &first, index, 3, true);
            },
            Some(Why::Match),
        ),
        (
            "polling stations that do not add up",
            |made| {
                let (intent, index) = open_one(made, 1);
                let tps = Coverage::of(&["9901011001001".parse().unwrap()].into(), 0);
                let tps = Some(Coverage { count: 2, ..tps });
                close(made, &intent, index, Completion { tps, ..completion(Outcome::Complete, 4) });
            },
            Some(Why::Coverage),
        ),
        (
            "heartbeats of this state and an earlier one",
            |made| {
                let before = made.head();
                made.add(&freeze("a"));
                made.add(&heartbeat(before.size, before.root));
                let now = made.head();
                made.add(&heartbeat(now.size, now.root));
            },
            None,
        ),
        ("a heartbeat of another state", |made| made.put(&heartbeat(1, [1; 32])), Some(Why::Head)),
        ("a heartbeat of the future", |made| made.put(&heartbeat(2, made.head().root)), Some(Why::Head)),
        (
            "a start that found another ledger",
            |made| made.put(&started(Checkpoint { size: 1, root: [1; 32] }, "")),
            Some(Why::Head),
        ),
        ("a start after another process", |made| made.put(&started(made.head(), "0f")), Some(Why::Head)),
        (
            "a store that was another when it was opened anew",
            |made| {
                let root = Digest(made.head().root);
                made.add(&Entry::ReplicaResumed(Resumed { head_size: 0, head_root: root }));
            },
            Some(Why::Head),
        ),
        ("a loss that is admitted", |made| made.put(&continued(made, 9)), None),
        ("a loss of nothing", |made| made.put(&continued(made, 1)), Some(Why::Continuation)),
        (
            "a loss that nobody signed",
            |made| {
                let head = made.head();
                made.add(&Entry::Continue(Box::new(Continuation {
                    head_size: head.size,
                    head_root: Digest(head.root),
                    lost: String::new(),
                    operator: String::new(),
                    reason: String::new(),
                })));
            },
            Some(Why::Continuation),
        ),
        (
            "an audit with a sentence",
            |made| {
                let parameters = vec![("name".to_owned(), "somebody's name".to_owned())];
                let (auditor, question) = (String::new(), "party".to_owned());
                made.add(&Entry::AuditRead(Box::new(AuditRead {
                    auditor,
                    question,
                    parameters,
                    entries: 0,
                })));
            },
            Some(Why::Audit),
        ),
        (
            "a handover by a stranger",
            |made| {
                let key = |name| Signer::generate(&made.directory.path().join(name), made.signer.name());
                let (other, new) = (key("other").unwrap(), key("new").unwrap());
                made.add(&Entry::Rotate(Box::new(Rotation::sign(&other, &new, &made.head()))));
            },
            Some(Why::Rotation),
        ),
        (
            "a handover of another state",
            |made| {
                let new = Signer::generate(&made.directory.path().join("new"), made.signer.name()).unwrap();
                let head = Checkpoint { size: 1, root: [1; 32] };
                made.add(&Entry::Rotate(Box::new(Rotation::sign(&made.signer, &new, &head))));
            },
            Some(Why::Head),
        ),
        (
            "a handover after which the old key signs alone",
            |made| {
                let new = Signer::generate(&made.directory.path().join("new"), made.signer.name()).unwrap();
                made.add(&Entry::Rotate(Box::new(Rotation::sign(&made.signer, &new, &made.head()))));
            },
            Some(Why::Checkpoint(CheckpointError::Unsigned)),
        ),
    ];
    for (name, write, expected) in cases {
        let mut made = Made::new();
        write(&mut made);
        let last = made.head().size - 1;
        match (made.verify(), expected) {
            (Verdict::Sound(_), None) => {}
            (Verdict::Flawed(flaw), Some(why)) => {
                let index = (!matches!(why, Why::Checkpoint(_))).then_some(last);
                assert_eq!(flaw, Flaw { index, why }, "{name}");
            }
            (verdict, expected) => panic!("{name}: {verdict:?}, not {expected:?}"),
        }
    }
}
