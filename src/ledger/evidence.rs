//! What a receipt proves, worked out without the ledger: every entry is under the checkpoint, the checkpoint bears the
//! key's signature, and the entries are of one release, in the order in which a release goes.

use thiserror::Error;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::entry::{Ack, Completion, Entry, Intent, Reconciled};
use super::key::Verifier;
use super::leaf::{EntryError, Stamp};
use super::notice::Rotation;
use super::proof;
use super::receipt::{Proof, Proven, Receipt};
use super::tree::leaf_hash;

/// An entry as a receipt proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved<T> {
    pub index: u64,
    pub stamp: Stamp,
    pub entry: T,
}

/// How the release ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Complete(Box<Completion>),
    Reconciled(Reconciled),
}

/// Everything a sound receipt proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    pub checkpoint: Checkpoint,
    /// The key that signed the checkpoint.
    pub signer: Verifier,
    /// How the known key led to it, one after the other; none, where it is the same.
    pub handovers: Vec<Proved<Rotation>>,
    pub intent: Proved<Intent>,
    /// None: no end was recorded up to the checkpoint.
    pub ending: Option<Proved<Ending>>,
    pub acks: Vec<Proved<Ack>>,
}

/// The first thing in a receipt that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unproven {
    #[error("its checkpoint does not hold")]
    Checkpoint(#[from] CheckpointError),
    #[error("the proof of entry {index} is not of the form `tlog-proof@v1`")]
    Form { index: u64 },
    #[error("the proof of entry {index} is of entry {found}")]
    Index { index: u64, found: u64 },
    #[error("the proof of entry {index} is under another checkpoint than the receipt's")]
    OtherCheckpoint { index: u64 },
    #[error("entry {index} is not in the tree that the checkpoint signs: it, or its proof, was changed")]
    NotIncluded { index: u64 },
    #[error("entry {index} cannot be read")]
    Entry { index: u64, source: EntryError },
    #[error("entry {index} is of another release")]
    OtherRelease { index: u64 },
    #[error("entry {index} does not belong in a receipt, or not in that place")]
    Order { index: u64 },
    #[error(
        "entry {index} does not hand over from the key before it to another: a signature in it does not hold"
    )]
    Handover { index: u64 },
    #[error("it does not have the entry that opened the release")]
    NoIntent,
}

impl Receipt {
    /// Checks everything against a key: the one that signed the checkpoint, or one that handed over to it, by way of
    /// others perhaps. Whether the key is the ledger's is for who calls to know.
    pub fn prove(&self, known: &Verifier) -> Result<Evidence, Unproven> {
        let signer = self.follow(known)?;
        let checkpoint = Checkpoint::open(&self.checkpoint, &signer)?;
        let mut handovers = Vec::new();
        for proven in &self.handovers {
            let (stamp, entry) = self.included(proven, &checkpoint)?;
            let Entry::Rotate(rotation) = entry else { return Err(Unproven::Order { index: proven.index }) };
            handovers.push(Proved { index: proven.index, stamp, entry: *rotation });
        }
        let (mut intent, mut ending, mut acks) = (None, None, Vec::new());
        let mut before = None;
        for proven in &self.entries {
            let index = proven.index;
            let (stamp, entry) = self.included(proven, &checkpoint)?;
            if entry.release() != Some(self.release) {
                return Err(Unproven::OtherRelease { index });
            }
            if before.is_some_and(|before| before >= index) {
                return Err(Unproven::Order { index });
            }
            before = Some(index);
            let opened = intent.as_ref().map(|intent: &Proved<Intent>| intent.index);
            match entry {
                Entry::Intent(own) if opened.is_none() => {
                    intent = Some(Proved { index, stamp, entry: *own });
                }
                Entry::Complete(own) if opened == Some(own.intent) && ending.is_none() => {
                    ending = Some(Proved { index, stamp, entry: Ending::Complete(Box::new(own.completion)) });
                }
                Entry::Reconciled(own) if opened == Some(own.intent) && ending.is_none() => {
                    ending = Some(Proved { index, stamp, entry: Ending::Reconciled(own) });
                }
                Entry::Ack(own) if opened == Some(own.intent) && ending.is_some() => {
                    acks.push(Proved { index, stamp, entry: *own });
                }
                _ => return Err(Unproven::Order { index }),
            }
        }
        let intent = intent.ok_or(Unproven::NoIntent)?;
        // Those before the known key came in are of no weight for who knows it.
        let name = known.to_string();
        let first = handovers.iter().position(|handover| handover.entry.old_vkey == name);
        let handovers = handovers.split_off(first.unwrap_or(handovers.len()));
        Ok(Evidence { checkpoint, signer, handovers, intent, ending, acks })
    }

    /// The key to which the known one handed over, and that one to the next, as far as the receipt tells. Each was
    /// named by the one before it: where they stand in the tree is looked at once the last one's signature holds.
    fn follow(&self, known: &Verifier) -> Result<Verifier, Unproven> {
        let mut signer = known.clone();
        let mut before = None;
        for Proven { index, leaf, .. } in &self.handovers {
            let index = *index;
            let (_, entry) =
                Entry::read(leaf.as_bytes()).map_err(|source| Unproven::Entry { index, source })?;
            let Entry::Rotate(rotation) = entry else { return Err(Unproven::Order { index }) };
            if before.is_some_and(|before| before >= index) {
                return Err(Unproven::Order { index });
            }
            before = Some(index);
            if signer != *known || rotation.old_vkey == known.to_string() {
                signer = rotation.successor(&signer).ok_or(Unproven::Handover { index })?;
            }
        }
        Ok(signer)
    }

    /// The entry, which is in the tree of the checkpoint.
    fn included(&self, proven: &Proven, checkpoint: &Checkpoint) -> Result<(Stamp, Entry), Unproven> {
        let index = proven.index;
        let proof = Proof::read(&proven.proof).ok_or(Unproven::Form { index })?;
        if proof.index != index {
            return Err(Unproven::Index { index, found: proof.index });
        }
        if proof.checkpoint != self.checkpoint {
            return Err(Unproven::OtherCheckpoint { index });
        }
        let hash = leaf_hash(proven.leaf.as_bytes());
        if !proof::is_included(index, checkpoint.size, &hash, &proof.path, &checkpoint.root) {
            return Err(Unproven::NotIncluded { index });
        }
        Entry::read(proven.leaf.as_bytes()).map_err(|source| Unproven::Entry { index, source })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ledger;
    use super::super::entry::Outcome;
    use super::super::key::Signer;
    use super::super::operated::by_hand;
    use super::super::tests::{intent, new_ledger, open};
    use super::*;
    use crate::domain::Digest;

    /// A release that was completed and acknowledged, and one that is open.
    async fn receipts(ledger: &Ledger) -> [Receipt; 2] {
        let mut done = ledger.open_release(intent(1)).await.unwrap();
        let open = ledger.open_release(intent(2)).await.unwrap();
        let (id, index) = (done.id(), done.index());
        done.sent(b"x");
        let account = done.account(Outcome::Complete, None);
        done.close(account).await.unwrap();
        let ack = Ack {
            release: id,
            intent: index,
            requester: "saksi-7".to_owned(),
            client_id: "portal".to_owned(),
            rows: 0,
            bytes: 1,
            body_sha256: Digest::of(b"x"),
            is_match: true,
        };
        ledger.acknowledge(ack).await.unwrap();
        let of = async |release| ledger.receipt(release).await.unwrap().unwrap();
        [of(id).await, of(open.id()).await]
    }

    #[tokio::test]
    async fn a_receipt_proves_what_was_recorded_and_nothing_once_it_was_changed() {
        let (directory, signer) = new_ledger();
        let ledger = open(directory.path(), &signer).unwrap();
        let [receipt, other] = receipts(&ledger).await;
        let verifier = signer.verifier();
        let evidence = receipt.prove(&verifier).unwrap();
        assert_eq!(evidence.intent.entry, intent(1));
        let Some(Proved { entry: Ending::Complete(end), .. }) = &evidence.ending else { panic!("no end") };
        assert_eq!((end.outcome, end.bytes), (Outcome::Complete, 1));
        assert_eq!(evidence.acks.len(), 1);
        let still_open = other.prove(&verifier).unwrap();
        assert_eq!((still_open.ending, still_open.acks.len()), (None, 0));

        let of = |at: usize| receipt.entries[at].index;
        let changed = |change: &dyn Fn(&mut Receipt)| {
            let mut receipt = receipt.clone();
            change(&mut receipt);
            receipt.prove(&verifier).unwrap_err()
        };
        let cases: [(&str, &dyn Fn(&mut Receipt), Unproven); 10] = [
            (
                "a leaf changed",
                &|own| own.entries[0].leaf = own.entries[0].leaf.replace("9901", "9902"),
                Unproven::NotIncluded { index: of(0) },
            ),
            (
                "a proof of another place",
                &|own| own.entries[1].proof = own.entries[0].proof.clone(),
                Unproven::Index { index: of(1), found: of(0) },
            ),
            (
                "another place",
                &|own| own.entries[0].index += 1,
                Unproven::Index { index: of(0) + 1, found: of(0) },
            ),
            ("no proof", &|own| own.entries[0].proof.clear(), Unproven::Form { index: of(0) }),
            (
                "another checkpoint in a proof",
                &|own| own.entries[0].proof.push_str("— witness.example AAAA\n"),
                Unproven::OtherCheckpoint { index: of(0) },
            ),
            (
                "another size",
                &|own| own.checkpoint = own.checkpoint.replacen("\n6\n", "\n7\n", 1),
                Unproven::Checkpoint(CheckpointError::Signature),
            ),
            (
                "an entry of another release",
                &|own| own.entries[0] = other.entries[0].clone(),
                Unproven::OtherRelease { index: other.entries[0].index },
            ),
            ("without its intent", &|own| drop(own.entries.remove(0)), Unproven::Order { index: of(1) }),
            ("the end before the beginning", &|own| own.entries.swap(0, 1), Unproven::Order { index: of(1) }),
            ("no entry", &|own| own.entries.clear(), Unproven::NoIntent),
        ];
        for (name, change, expected) in cases {
            assert_eq!(changed(change), expected, "{name}");
        }
        let (_elsewhere, stranger) = new_ledger();
        let error = receipt.prove(&stranger.verifier()).unwrap_err();
        assert_eq!(error, Unproven::Checkpoint(CheckpointError::Unsigned), "the key of another ledger");
        ledger.shut_down().await;
    }

    #[tokio::test]
    async fn an_earlier_key_leads_to_the_one_that_signed_and_a_strangers_leads_nowhere() {
        let (directory, first) = new_ledger();
        let key = |name: &str| Signer::generate(&directory.path().join(name), first.name()).unwrap();
        let [second, third, stranger] = ["second", "third", "stranger"].map(key);
        let mut receipts = Vec::new();
        for (signer, next) in [(&first, Some(&second)), (&second, Some(&third)), (&third, None)] {
            let ledger = open(directory.path(), signer).unwrap();
            let release = ledger.open_release(intent(receipts.len() as u64)).await.unwrap();
            receipts.push(ledger.receipt(release.id()).await.unwrap().unwrap());
            drop(release);
            ledger.shut_down().await;
            if let Some(next) = next {
                by_hand(directory.path(), signer).rotate(next).unwrap();
            }
        }
        let unsigned = Unproven::Checkpoint(CheckpointError::Unsigned);
        let names = [&first, &second, &third, &stranger];
        // Handovers followed by who knows each of the keys, in the receipts under each of the first three.
        let expected =
            [[Some(0), None, None, None], [Some(1), Some(0), None, None], [Some(2), Some(1), Some(0), None]];
        for (receipt, expected) in receipts.iter().zip(expected) {
            let found = names.map(|key| match receipt.prove(&key.verifier()) {
                Ok(evidence) => {
                    assert_eq!(evidence.signer.to_string(), receipt.vkey);
                    Some(evidence.handovers.len())
                }
                Err(error) => {
                    assert_eq!(error, unsigned);
                    None
                }
            });
            assert_eq!(found, expected);
        }

        let latest = &receipts[2];
        let at = |place: usize| latest.handovers[place].index;
        let head = Checkpoint { size: at(0), root: [0; 32] };
        let forged = |leaf: &str| {
            let (stamp, _) = Entry::read(leaf.as_bytes()).unwrap();
            let written =
                Entry::Rotate(Box::new(Rotation::sign(&first, &stranger, &head))).write(&stamp).unwrap();
            String::from_utf8(written.leaf).unwrap()
        };
        let cases: [(&str, &dyn Fn(&mut Receipt), Unproven); 6] = [
            ("one left out", &|own| drop(own.handovers.remove(1)), unsigned.clone()),
            ("all left out", &|own| own.handovers.clear(), unsigned.clone()),
            ("in another order", &|own| own.handovers.swap(0, 1), Unproven::Order { index: at(0) }),
            (
                "to a stranger, by the first key",
                &|own| own.handovers[0].leaf = forged(&own.handovers[0].leaf),
                Unproven::Handover { index: at(1) },
            ),
            (
                "to a stranger, who did not sign",
                &|own| {
                    own.handovers.truncate(1);
                    own.handovers[0].leaf = forged(&own.handovers[0].leaf);
                },
                unsigned.clone(),
            ),
            (
                "a release in its place",
                &|own| own.handovers[0] = own.entries[0].clone(),
                Unproven::Order { index: latest.entries[0].index },
            ),
        ];
        for (name, change, expected) in cases {
            let mut receipt = latest.clone();
            change(&mut receipt);
            assert_eq!(receipt.prove(&first.verifier()).unwrap_err(), expected, "{name}");
        }
        // Who knows the last key learns all the same when another handover was changed.
        let mut changed = latest.clone();
        changed.handovers[0].leaf = forged(&latest.handovers[0].leaf);
        assert_eq!(changed.prove(&third.verifier()).unwrap_err(), Unproven::NotIncluded { index: at(0) });
    }
    #[tokio::test]
    async fn the_first_key_leads_to_the_last_however_many_there_were() {
        let (directory, first) = new_ledger();
        let mut current = first.clone();
        for number in 0..300 {
            let path = directory.path().join(format!("key-{number}"));
            let next = Signer::generate(&path, first.name()).unwrap();
            by_hand(directory.path(), &current).rotate(&next).unwrap();
            current = next;
        }
        let ledger = open(directory.path(), &current).unwrap();
        let release = ledger.open_release(intent(1)).await.unwrap();
        let receipt = ledger.receipt(release.id()).await.unwrap().unwrap();
        drop(release);
        ledger.shut_down().await;
        assert_eq!(receipt.vkey, current.vkey());
        let evidence = receipt.prove(&first.verifier()).unwrap();
        assert_eq!((evidence.handovers.len(), evidence.signer), (300, current.verifier()));
        // It is read back, and without one of them it leads nowhere.
        let mut read = Receipt::read(&receipt.write()).unwrap();
        assert_eq!(read, receipt);
        read.handovers.remove(280);
        read.prove(&first.verifier()).unwrap_err();
    }
}
