//! The exact bytes of an entry.
//!
//! ```json
//! {"v":1,"type":"release.refused","ts":"2024-06-21T02:00:00.000Z","replica":"main","boot":"5c..","nonce":"9f..",
//!  "requester":null,"client_id":null,"role":"partai","party":null,"code":"wilayah_outside",..}
//! ```
//!
//! A leaf is compact JSON with its keys in the order of the structs here; absent values are `null`. The bytes
//! are hashed as stored: nobody writes them a second time. Reading is strict: a leaf that would not be written
//! the same way again is refused. No leaf holds voter data, and each has 128 random bits, since its hash is
//! public and what it says could otherwise be guessed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::entry::Entry;
use crate::store::NewEntry;

/// A leaf's length stands in two bytes in the public format.
pub const ENTRY_BYTES_MAX: usize = 65_535;
const VERSION: u8 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EntryError {
    #[error("it has {bytes} bytes and an entry has at most {ENTRY_BYTES_MAX}")]
    TooLarge { bytes: usize },
    #[error("it is not JSON of the ledger's form (line {line}, column {column})")]
    Json { line: usize, column: usize },
    #[error("it has version {found}, and this program knows version {VERSION}")]
    Version { found: u8 },
    #[error("it has a type this program does not know")]
    Type,
    #[error("its time is not one")]
    Time,
    #[error("its bytes are not the ones this program writes for what they say")]
    Form,
}

impl From<serde_json::Error> for EntryError {
    /// The place and not the text: the text may quote what was read.
    fn from(error: serde_json::Error) -> Self {
        Self::Json { line: error.line(), column: error.column() }
    }
}

/// What every entry begins with, besides its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub ts_ms: u64,
    pub replica: String,
    /// Random name of the process that wrote the entry.
    pub boot: String,
    pub nonce: [u8; 16],
}

#[derive(Serialize, Deserialize)]
struct Common<'a> {
    v: u8,
    #[serde(rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    ts: String,
    replica: String,
    boot: String,
    nonce: String,
}

impl Entry {
    /// The leaf's exact bytes and its index card.
    pub fn write(&self, stamp: &Stamp) -> Result<NewEntry, EntryError> {
        let common = Common {
            v: VERSION,
            kind: self.kind().into(),
            ts: write_time(stamp.ts_ms)?,
            replica: stamp.replica.clone(),
            boot: stamp.boot.clone(),
            nonce: hex(&stamp.nonce),
        };
        let mut leaf = Vec::with_capacity(1_024);
        serde_json::to_writer(&mut leaf, &common)?;
        // `{common}{own}` becomes `{common,own}`.
        leaf.pop();
        let joint = leaf.len();
        match self {
            Self::Genesis(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::ReplicaStart(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::ReplicaResumed(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Intent(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Grant(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Ack(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Complete(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Refused(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Reconciled(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::PolicyChange(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::RegisterChange(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Rotate(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::AuditRead(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Heartbeat(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Freeze(own) => serde_json::to_writer(&mut leaf, own)?,
            Self::Continue(own) => serde_json::to_writer(&mut leaf, own)?,
        }
        leaf[joint] = b',';
        if leaf.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge { bytes: leaf.len() });
        }
        Ok(NewEntry { leaf, card: self.card(stamp.ts_ms) })
    }

    /// Reads a leaf and holds it against what would be written for it.
    pub fn read(leaf: &[u8]) -> Result<(Stamp, Self), EntryError> {
        let common: Common<'_> = serde_json::from_slice(leaf)?;
        if common.v != VERSION {
            return Err(EntryError::Version { found: common.v });
        }
        let entry = match &*common.kind {
            "log.genesis" => Self::Genesis(serde_json::from_slice(leaf)?),
            "replica.start" => Self::ReplicaStart(serde_json::from_slice(leaf)?),
            "replica.resumed" => Self::ReplicaResumed(serde_json::from_slice(leaf)?),
            "release.intent" => Self::Intent(serde_json::from_slice(leaf)?),
            "release.grant" => Self::Grant(serde_json::from_slice(leaf)?),
            "release.ack" => Self::Ack(serde_json::from_slice(leaf)?),
            "release.complete" => Self::Complete(serde_json::from_slice(leaf)?),
            "release.refused" => Self::Refused(serde_json::from_slice(leaf)?),
            "release.reconciled" => Self::Reconciled(serde_json::from_slice(leaf)?),
            "policy.change" => Self::PolicyChange(serde_json::from_slice(leaf)?),
            "register.change" => Self::RegisterChange(serde_json::from_slice(leaf)?),
            "key.rotate" => Self::Rotate(serde_json::from_slice(leaf)?),
            "audit.read" => Self::AuditRead(serde_json::from_slice(leaf)?),
            "log.heartbeat" => Self::Heartbeat(serde_json::from_slice(leaf)?),
            "log.freeze" => Self::Freeze(serde_json::from_slice(leaf)?),
            "log.continue" => Self::Continue(serde_json::from_slice(leaf)?),
            _ => return Err(EntryError::Type),
        };
        let nonce = u128::from_str_radix(&common.nonce, 16).map_err(|_| EntryError::Form)?.to_be_bytes();
        let stamp =
            Stamp { ts_ms: read_time(&common.ts)?, replica: common.replica, boot: common.boot, nonce };
        if entry.write(&stamp)?.leaf == leaf { Ok((stamp, entry)) } else { Err(EntryError::Form) }
    }
}

/// `2024-06-21T02:00:00.000Z`.
pub fn write_time(unix_ms: u64) -> Result<String, EntryError> {
    let ms = i64::try_from(unix_ms).map_err(|_| EntryError::Time)?;
    let time = Timestamp::from_millisecond(ms).map_err(|_| EntryError::Time)?;
    Ok(format!("{time:.3}"))
}

fn read_time(text: &str) -> Result<u64, EntryError> {
    let time: Timestamp = text.parse().map_err(|_| EntryError::Time)?;
    u64::try_from(time.as_millisecond()).map_err(|_| EntryError::Time)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Integers above 2^53 are written as strings, since many readers of JSON would round them.
pub(super) mod wide {
    use serde::{Deserialize, Deserializer, Serializer};

    const EXACT_MAX: u64 = 1 << 53;

    #[derive(Deserialize)]
    #[serde(untagged)]
    pub enum Written {
        Number(u64),
        Text(String),
    }

    impl Written {
        pub fn read<E: serde::de::Error>(self) -> Result<u64, E> {
            match self {
                Self::Number(number) => Ok(number),
                Self::Text(text) => text.parse().map_err(E::custom),
            }
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if *number <= EXACT_MAX { serializer.serialize_u64(*number) } else { serializer.collect_str(number) }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        Written::deserialize(deserializer)?.read()
    }
}

pub(super) mod wide_option {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::wide;

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub fn serialize<S: Serializer>(number: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => wide::serialize(number, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        Option::<wide::Written>::deserialize(deserializer)?.map(wide::Written::read).transpose()
    }
}

pub(super) mod hex32 {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::domain::Digest;

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        Digest(*bytes).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        Digest::deserialize(deserializer).map(|digest| digest.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{
        Ack, Cause, Closed, Completion, FieldCount, Genesis, Grant, Outcome, Reconciled, Refusal,
        ReplicaStart, Resumed, Started,
    };
    use super::super::notice::{
        AuditRead, Continuation, Freeze, Heartbeat, PolicyChange, RegisterChange, Rotation,
    };
    use super::*;
    use crate::domain::{Digest, Party, ReleaseId};
    use crate::ledger::coverage::Coverage;

    fn stamp() -> Stamp {
        Stamp {
            ts_ms: 1_718_935_200_007,
            replica: "main".to_owned(),
            boot: "0f".to_owned(),
            nonce: [0xAB; 16],
        }
    }

    fn refusal() -> Refusal {
        Refusal {
            requester: Some("saksi \"7\"\n".to_owned()),
            client_id: None,
            role: Some("partai".parse().unwrap()),
            party: Some(Party { election: "pemilu-2024".to_owned(), number: 7 }),
            code: "wilayah_outside".to_owned(),
            status: 403,
            route: None,
            wilayah: Some("9902".parse().unwrap()),
        }
    }

    #[test]
    fn a_leaf_is_written_exactly_so() {
        let written = Entry::Refused(Box::new(refusal())).write(&stamp()).unwrap();
        let expected = concat!(
            r#"{"v":1,"type":"release.refused","ts":"2024-06-21T02:00:00.007Z","replica":"main","boot":"0f","#,
            r#""nonce":"abababababababababababababababab","requester":"saksi \"7\"\n","client_id":null,"#,
            r#""role":"partai","party":{"election":"pemilu-2024","number":7},"code":"wilayah_outside","#,
            r#""status":403,"route":null,"wilayah":"9902"}"#,
        );
        assert_eq!(String::from_utf8(written.leaf).unwrap(), expected);
    }

    #[test]
    fn every_type_reads_back_as_it_was_written() {
        let digest = Digest::of(b"");
        let start = ReplicaStart { build: "1".to_owned(), config_digest: digest, policy_digest: digest };
        let release = ReleaseId::new(7, [1; 10]);
        let completion = Completion {
            outcome: Outcome::Aborted,
            cause: Some("requester_left".to_owned()),
            status: 200,
            rows_in: 1 << 53,
            rows_out: (1 << 53) + 1,
            rows_withheld: 0,
            swept: 1,
            bytes: u64::MAX,
            body_sha256: digest,
            first_byte_ms: Some(u64::MAX),
            last_byte_ms: None,
            unreadable: 2,
            near_misses: u64::MAX,
            fields: vec![
                ("alamat.jalan".to_owned(), FieldCount { changed: 3, swept: 0, unreadable: 1 << 54 }),
                ("nama".to_owned(), FieldCount { changed: 0, swept: u64::MAX, unreadable: 0 }),
            ],
            media_type: Some("text/csv".to_owned()),
            coding: Some("br".to_owned()),
            coded_bytes: Some(u64::MAX),
            tps: Some(Coverage::of(&["9901011001001".parse().unwrap()].into(), u64::MAX)),
        };
        let entries = [
            Entry::Genesis(Genesis { origin: "a".to_owned(), vkeys: vec![], operator: String::new() }),
            Entry::ReplicaStart(Started {
                start,
                head_size: 1,
                head_root: digest,
                previous_boot: "0".to_owned(),
            }),
            Entry::ReplicaResumed(Resumed { head_size: 1, head_root: digest }),
            Entry::Intent(Box::new(super::super::quotas::within(1, 1_718_935_200_000, 1 << 54))),
            Entry::Grant(Box::new(Grant {
                release,
                intent: 9,
                ceiling_bytes: u64::MAX,
                bytes: 1 << 54,
                body_sha256: digest,
            })),
            Entry::Complete(Box::new(Closed { release, intent: 9, completion })),
            Entry::Ack(Box::new(Ack {
                release,
                intent: 9,
                requester: "saksi-7".to_owned(),
                client_id: "portal".to_owned(),
                rows: 1 << 54,
                bytes: u64::MAX,
                body_sha256: digest,
                is_match: true,
            })),
            Entry::Refused(Box::new(refusal())),
            Entry::Reconciled(Reconciled {
                release,
                intent: 9,
                cause: Cause::StoreFailed,
                bytes_min: 0,
                bytes_max: None,
            }),
            Entry::PolicyChange(Box::new(PolicyChange {
                old_digest: None,
                new_digest: digest,
                part: 1,
                parts: 2,
                removed: vec![],
                added: vec![("dpt-2024".to_owned(), "1".to_owned(), digest)],
                build: "1".to_owned(),
                config_digest: digest,
            })),
            Entry::RegisterChange(RegisterChange {
                old_digest: Some(digest),
                new_digest: None,
                build: "1".to_owned(),
                config_digest: digest,
            }),
            Entry::Rotate(Box::new(Rotation {
                old_vkey: "a".to_owned(),
                new_vkey: "b".to_owned(),
                head_size: u64::MAX,
                head_root: digest,
                old_signature: "\u{2014} a c".to_owned(),
                new_signature: String::new(),
            })),
            Entry::AuditRead(Box::new(AuditRead {
                auditor: "bawaslu".to_owned(),
                question: "party".to_owned(),
                parameters: vec![("party".to_owned(), "pemilu-2024/7".to_owned())],
                entries: u64::MAX,
            })),
            Entry::Heartbeat(Heartbeat { head_size: 1, head_root: digest, interval_ms: 60_000 }),
            Entry::Freeze(Box::new(Freeze {
                election: "pemilu-2024".to_owned(),
                operator: "KPU Contoh".to_owned(),
                reason: "tahapan selesai".to_owned(),
            })),
            Entry::Continue(Box::new(Continuation {
                head_size: 4,
                head_root: digest,
                lost: "a\n9\n\n".to_owned(),
                operator: String::new(),
                reason: String::new(),
            })),
        ];
        assert!(entries.iter().map(Entry::kind).eq(Entry::KINDS));
        for entry in entries {
            let leaf = entry.write(&stamp()).unwrap().leaf;
            assert_eq!(Entry::read(&leaf), Ok((stamp(), entry)), "{}", String::from_utf8_lossy(&leaf));
        }
    }

    #[test]
    fn numbers_that_readers_would_round_are_text() {
        let resumed = |head_size| {
            let entry = Entry::ReplicaResumed(Resumed { head_size, head_root: Digest::of(b"") });
            String::from_utf8(entry.write(&stamp()).unwrap().leaf).unwrap()
        };
        assert!(resumed(1 << 53).contains(r#""head_size":9007199254740992,"#));
        assert!(resumed((1 << 53) + 1).contains(r#""head_size":"9007199254740993","#));
    }

    #[test]
    fn a_leaf_in_any_other_form_is_refused() {
        let leaf =
            String::from_utf8(Entry::Refused(Box::new(refusal())).write(&stamp()).unwrap().leaf).unwrap();
        let cases = [
            ("a blank", leaf.replacen(',', ", ", 1), EntryError::Form),
            ("an unknown key", leaf.replacen('{', r#"{"x":1,"#, 1), EntryError::Form),
            (
                "keys in another order",
                leaf.replace(r#""status":403,"route":null"#, r#""route":null,"status":403"#),
                { EntryError::Form },
            ),
            ("an escape that is not needed", leaf.replace("saksi", r"\u0073aksi"), EntryError::Form),
            ("a time without milliseconds", leaf.replace(".007Z", "Z"), EntryError::Form),
            ("no time", leaf.replace("2024-06-21T", "2024-06-31T"), EntryError::Time),
            ("another version", leaf.replace(r#""v":1"#, r#""v":2"#), EntryError::Version { found: 2 }),
            ("an unknown type", leaf.replace("refused", "given"), EntryError::Type),
            ("a nonce in capitals", leaf.replace("abab", "ABAB"), EntryError::Form),
        ];
        for (name, leaf, expected) in cases {
            assert_eq!(Entry::read(leaf.as_bytes()).unwrap_err(), expected, "{name}");
        }
        let doubled = leaf.replace(r#""status":403"#, r#""status":403,"status":200"#);
        assert!(matches!(Entry::read(doubled.as_bytes()), Err(EntryError::Json { .. })));
        assert!(matches!(Entry::read(b""), Err(EntryError::Json { .. })));
        assert!(matches!(Entry::read(&[0xFF, b'{']), Err(EntryError::Json { .. })));
    }

    #[test]
    fn an_entry_of_the_greatest_length_is_written_and_a_longer_one_is_not() {
        let of = |length: usize| {
            Entry::Refused(Box::new(Refusal { code: "x".repeat(length), ..refusal() })).write(&stamp())
        };
        let rest = of(0).unwrap().leaf.len();
        assert_eq!(of(ENTRY_BYTES_MAX - rest).unwrap().leaf.len(), ENTRY_BYTES_MAX);
        assert_eq!(of(ENTRY_BYTES_MAX - rest + 1), Err(EntryError::TooLarge { bytes: ENTRY_BYTES_MAX + 1 }));
    }
}
