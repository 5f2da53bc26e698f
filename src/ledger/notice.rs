//! Entries that speak of how the ledger is run, and not of a copy: what changed, who read, that it is alive, that it
//! ended, that a part of it was lost.
//!
//! As in `entry`, fields stand in the order they are written.

use serde::{Deserialize, Serialize};

use super::checkpoint::Checkpoint;
use super::key::{Signer, Verifier};
use super::leaf::wide;
use crate::domain::{Digest, PolicyLine};

/// Longest word of a question and of a parameter's name, and longest value of a parameter, in bytes.
pub const WORD_BYTES_MAX: usize = 64;
pub const VALUE_BYTES_MAX: usize = 128;

/// `policy.change`: durable before the new policies serve. A change of many lines stands in several entries, one behind the
/// other and stored at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyChange {
    /// Of all policies in force before the whole change and after it, not of this part; none at the first start.
    pub old_digest: Option<Digest>,
    pub new_digest: Digest,
    /// Which part of the change this is, from 1, and of how many.
    pub part: u32,
    pub parts: u32,
    /// Policies no longer in force, then those in force from here on. One that was changed is in both.
    pub removed: Vec<PolicyLine>,
    pub added: Vec<PolicyLine>,
    /// What brought the change: the build and the configuration that were started.
    pub build: String,
    pub config_digest: Digest,
}

/// `register.change`: durable before anybody is served by the new register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterChange {
    /// None: there was no register, or there is none any more.
    pub old_digest: Option<Digest>,
    pub new_digest: Option<Digest>,
    pub build: String,
    pub config_digest: Digest,
}

/// `key.rotate`: checkpoints of greater sizes are signed by the new key alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub old_vkey: String,
    pub new_vkey: String,
    /// The ledger before this entry.
    #[serde(with = "wide")]
    pub head_size: u64,
    pub head_root: Digest,
    /// Lines of a signed note over the handover, by the old key and by the new one.
    pub old_signature: String,
    pub new_signature: String,
}

impl Rotation {
    pub(super) fn sign(old: &Signer, new: &Signer, head: &Checkpoint) -> Self {
        let text = handover(old.name(), head, &new.vkey());
        Self {
            old_vkey: old.vkey(),
            new_vkey: new.vkey(),
            head_size: head.size,
            head_root: Digest(head.root),
            old_signature: old.sign_line(&text),
            new_signature: new.sign_line(&text),
        }
    }

    /// The new key, if the old one is `current` and both signed the handover.
    pub(super) fn successor(&self, current: &Verifier) -> Option<Verifier> {
        let new: Verifier = self.new_vkey.parse().ok()?;
        let head = Checkpoint { size: self.head_size, root: self.head_root.0 };
        let text = handover(current.name(), &head, &self.new_vkey);
        let is_signed = current.check_line(&text, &self.old_signature) == Some(true)
            && new.check_line(&text, &self.new_signature) == Some(true);
        let is_fit = self.old_vkey == current.to_string() && new.name() == current.name() && new != *current;
        (is_signed && is_fit).then_some(new)
    }
}

/// What both keys sign. No checkpoint begins so: the name of a ledger has no blank.
fn handover(origin: &str, head: &Checkpoint, new_vkey: &str) -> String {
    format!("salinan key.rotate\n{}{new_vkey}\n", head.text(origin))
}

/// `audit.read`: durable before the answer is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRead {
    /// Who asked, as they are known to the operator.
    pub auditor: String,
    /// A stable word, such as `party` or `trace`.
    pub question: String,
    /// Names and values: areas, parties, elections, releases, times, numbers. Whatever else was asked with stands
    /// as `sha256:` and its digest.
    pub parameters: Vec<(String, String)>,
    /// How many the ledger had when it was read.
    #[serde(with = "wide")]
    pub entries: u64,
}

impl AuditRead {
    /// Whether question and parameters are words: nothing that could be a sentence about a person.
    pub fn is_plain(&self) -> bool {
        let is_plain = |text: &str, max: usize, marks: &[u8]| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || marks.contains(&byte);
            (1..=max).contains(&text.len()) && text.bytes().all(fits)
        };
        is_plain(&self.question, WORD_BYTES_MAX, b"._-")
            && self.parameters.iter().all(|(name, value)| {
                is_plain(name, WORD_BYTES_MAX, b"._-") && is_plain(value, VALUE_BYTES_MAX, b"._-:/+,")
            })
    }
}

/// `log.heartbeat`: nothing else happened for a while, and the process is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// A durable state of the ledger before this entry.
    #[serde(with = "wide")]
    pub head_size: u64,
    pub head_root: Digest,
    /// Longest time from one entry to the next while this process runs.
    #[serde(with = "wide")]
    pub interval_ms: u64,
}

/// `log.freeze`: the end of an election; no copy of its lists is opened any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    pub election: String,
    /// Who ordered it, and why.
    pub operator: String,
    pub reason: String,
}

/// `log.continue`: the newest part of the ledger was lost, and an operator went on without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    /// What was left: entries from here on, up to the size in `lost`, had been signed and are gone.
    #[serde(with = "wide")]
    pub head_size: u64,
    pub head_root: Digest,
    /// The newest checkpoint that the ledger is known to have signed, verbatim.
    pub lost: String,
    pub operator: String,
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::super::tree::empty_root;
    use super::*;

    #[test]
    fn a_handover_needs_the_word_of_both_keys_over_all_that_it_says() {
        let directory = tempfile::tempdir().unwrap();
        let key = |name: &str| Signer::generate(&directory.path().join(name), "ledger.example").unwrap();
        let (old, new, stranger) = (key("old"), key("new"), key("stranger"));
        let head = Checkpoint { size: 7, root: empty_root() };
        let rotation = Rotation::sign(&old, &new, &head);
        let by_stranger = Rotation::sign(&stranger, &new, &head);
        let cases = [
            ("as signed", rotation.clone(), true),
            ("another size", Rotation { head_size: 8, ..rotation.clone() }, false),
            ("another root", Rotation { head_root: Digest([1; 32]), ..rotation.clone() }, false),
            ("another new key", Rotation { new_vkey: stranger.vkey(), ..rotation.clone() }, false),
            ("another old key", Rotation { old_vkey: stranger.vkey(), ..rotation.clone() }, false),
            ("without the old key", Rotation { old_signature: String::new(), ..rotation.clone() }, false),
            (
                "by a stranger",
                Rotation { old_signature: by_stranger.old_signature, ..rotation.clone() },
                false,
            ),
            (
                "without the new key",
                Rotation { new_signature: rotation.old_signature.clone(), ..rotation },
                false,
            ),
            ("to itself", Rotation::sign(&old, &old, &head), false),
        ];
        for (name, rotation, is_good) in cases {
            let expected = is_good.then(|| new.verifier());
            assert_eq!(rotation.successor(&old.verifier()), expected, "{name}");
        }
    }

    #[test]
    fn what_an_audit_says_is_words_codes_and_digests() {
        let read = |question: &str, value: &str| AuditRead {
            auditor: "bawaslu".to_owned(),
            question: question.to_owned(),
            parameters: vec![("value".to_owned(), value.to_owned())],
            entries: 0,
        };
        let cases = [
            ("party", "pemilu-2024/7", true),
            ("open", "2024-06-21T02:00:00.000Z", true),
            ("trace", "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", true),
            ("", "9901", false),
            ("party", "", false),
            ("party", "a sentence", false),
            ("who asked", "9901", false),
            ("party", "kata\u{e9}", false),
        ];
        for (question, value, is_good) in cases {
            assert_eq!(read(question, value).is_plain(), is_good, "{question} {value}");
        }
        assert!(!read("party", &"9".repeat(VALUE_BYTES_MAX + 1)).is_plain());
    }
}
