//! What the ledger says: one struct for each type of entry. How an entry becomes bytes stands in `leaf`.
//!
//! No entry holds voter data, a number of a person, a path or a query: routes are templates, and what was asked
//! is a salted digest. Fields stand here in the order they are written; a new one goes to the end and into
//! `docs/ledger-format.md`.

use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::leaf::{hex32, wide, wide_option};
use super::notice::{AuditRead, Continuation, Freeze, Heartbeat, PolicyChange, RegisterChange, Rotation};
use crate::domain::{Determination, Digest, Level, Party, ReleaseId, Role, Wilayah};
use crate::store::{Card, Turn};

/// `log.genesis`: the first entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    pub origin: String,
    pub vkeys: Vec<String>,
    pub operator: String,
}

/// What a process says of itself when it opens the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaStart {
    pub build: String,
    pub config_digest: Digest,
    pub policy_digest: Digest,
}

/// `replica.start`: durable before the process serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    #[serde(flatten)]
    pub start: ReplicaStart,
    #[serde(with = "wide")]
    pub head_size: u64,
    pub head_root: Digest,
    /// The boot that wrote the entry before this one.
    pub previous_boot: String,
}

/// `replica.resumed`: the store failed, was opened anew, and this is what it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    #[serde(with = "wide")]
    pub head_size: u64,
    pub head_root: Digest,
}

/// `release.intent`: durable before the source is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub release: ReleaseId,
    /// The token's `sub`.
    pub requester: String,
    pub client_id: String,
    /// The token's `jti`.
    pub token_id: String,
    pub role: Role,
    pub level: Level,
    pub party: Option<Party>,
    pub mandate: Option<String>,
    pub wilayah: Wilayah,
    /// The route's template, never the path itself.
    pub route: String,
    /// Names and values that narrowed the copy, such as `["tps", "9901011001001"]`. A policy's parameters are
    /// area codes and numbers of at most nine digits, so none can hold a person's number.
    pub parameters: Vec<(String, String)>,
    pub determination: Determination,
    /// Emitted name and action of every field, such as `["nik", "mask(12,0)"]`.
    pub fields: Vec<(String, String)>,
    pub legal_basis: String,
    pub policy: String,
    pub policy_digest: Digest,
    /// Digest of path and parameters with a salt.
    #[serde(with = "hex32")]
    pub ask_digest: [u8; 32],
    /// Form of the copy; none where the source's answer decides.
    pub media_type: Option<String>,
    /// At most this much leaves before the next grant; none: no bound was set.
    #[serde(with = "wide_option")]
    pub ceiling_bytes: Option<u64>,
    /// What the copy keeps back of its party's rows. The one key that is left out where there is nothing to say: most
    /// policies have no quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Reserved>,
}

/// Rows of a quota that are kept back for one copy until it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The period's first moment, and the first one behind it, in milliseconds since 1970.
    #[serde(with = "wide")]
    pub from_ms: u64,
    #[serde(with = "wide")]
    pub until_ms: u64,
    /// Rows of the whole period.
    #[serde(with = "wide")]
    pub rows: u64,
    /// Of those, rows that copies before this one had taken or kept back.
    #[serde(with = "wide")]
    pub taken: u64,
    /// Rows this copy may have: it breaks off before one more.
    #[serde(with = "wide")]
    pub reserved: u64,
}

impl Reserved {
    /// Whether there was so much left to keep back, in a period that lasts.
    pub(super) fn is_consistent(&self) -> bool {
        let left = self.rows.checked_sub(self.taken);
        self.from_ms < self.until_ms && left.is_some_and(|left| self.reserved <= left)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The whole copy was handed over.
    Complete,
    /// A part was, visibly cut off.
    Aborted,
    /// Nothing was sent to the requester.
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Aborted => "aborted",
            Self::Failed => "failed",
        }
    }
}

/// What was counted of one field in the rows handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FieldCount {
    /// Values that an action was carried out on.
    #[serde(with = "wide")]
    pub changed: u64,
    /// Finds of the sweep.
    #[serde(with = "wide")]
    pub swept: u64,
    /// Values that the action could not read and hid whole.
    #[serde(with = "wide")]
    pub unreadable: u64,
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    pub outcome: Outcome,
    /// A stable code.
    pub cause: Option<String>,
    /// 0: no answer was begun.
    pub status: u16,
    #[serde(with = "wide")]
    pub rows_in: u64,
    #[serde(with = "wide")]
    pub rows_out: u64,
    #[serde(with = "wide")]
    pub rows_withheld: u64,
    /// Values the sweep hid.
    #[serde(with = "wide")]
    pub swept: u64,
    /// Bytes given to the connection, before they were coded: an upper bound on what arrived.
    #[serde(with = "wide")]
    pub bytes: u64,
    pub body_sha256: Digest,
    #[serde(with = "wide_option")]
    pub first_byte_ms: Option<u64>,
    #[serde(with = "wide_option")]
    pub last_byte_ms: Option<u64>,
    /// Values that an action could not read and hid whole.
    #[serde(with = "wide")]
    pub unreadable: u64,
    /// Names without a rule that look like one with a rule.
    #[serde(with = "wide")]
    pub near_misses: u64,
    /// Name in the source, and what was counted of it, of every field with a count.
    pub fields: Vec<(String, FieldCount)>,
    /// Form of the copy; none where no copy was begun.
    pub media_type: Option<String>,
    /// The coding it left in; none: it left as it is.
    pub coding: Option<String>,
    /// Coded bytes given to the connection.
    #[serde(with = "wide_option")]
    pub coded_bytes: Option<u64>,
    /// The TPS of the rows handed over; none where nobody looked.
    pub tps: Option<Coverage>,
}

/// `release.grant`: durable before bytes past the old ceiling leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub release: ReleaseId,
    /// Index of the release's intent.
    #[serde(with = "wide")]
    pub intent: u64,
    /// Of all that leaves, at most this much does before the next grant.
    #[serde(with = "wide")]
    pub ceiling_bytes: u64,
    /// What was given to the connection until now, and its digest.
    #[serde(with = "wide")]
    pub bytes: u64,
    pub body_sha256: Digest,
}

/// `release.complete`: durable before the last chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    pub release: ReleaseId,
    /// Index of the release's intent.
    #[serde(with = "wide")]
    pub intent: u64,
    #[serde(flatten)]
    pub completion: Completion,
}

/// `release.ack`: what the recipient says it holds; durable before it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub release: ReleaseId,
    /// Index of the release's intent.
    #[serde(with = "wide")]
    pub intent: u64,
    /// The token's `sub` and `client_id`.
    pub requester: String,
    pub client_id: String,
    #[serde(with = "wide")]
    pub rows: u64,
    #[serde(with = "wide")]
    pub bytes: u64,
    pub body_sha256: Digest,
    /// Whether the copy was complete and all three are what its account says.
    #[serde(rename = "match")]
    pub is_match: bool,
}

/// `release.refused`: best effort, since only intents gate data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub requester: Option<String>,
    pub client_id: Option<String>,
    pub role: Option<Role>,
    pub party: Option<Party>,
    pub code: String,
    pub status: u16,
    pub route: Option<String>,
    pub wilayah: Option<Wilayah>,
}

/// `release.reconciled`: closes a release whose end nobody could record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    pub release: ReleaseId,
    #[serde(with = "wide")]
    pub intent: u64,
    pub cause: Cause,
    /// What can have left at least and at most.
    #[serde(with = "wide")]
    pub bytes_min: u64,
    #[serde(with = "wide_option")]
    pub bytes_max: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The process ended while the release was open.
    ProcessEnded,
    /// The store failed when the release was to be closed.
    StoreFailed,
    /// The process fell silent, was shut out, and another closed its releases.
    ReplicaSilent,
}

impl Cause {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProcessEnded => "process_ended",
            Self::StoreFailed => "store_failed",
            Self::ReplicaSilent => "replica_silent",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Genesis(Genesis),
    ReplicaStart(Started),
    ReplicaResumed(Resumed),
    Intent(Box<Intent>),
    Grant(Box<Grant>),
    Ack(Box<Ack>),
    Complete(Box<Closed>),
    Refused(Box<Refusal>),
    Reconciled(Reconciled),
    PolicyChange(Box<PolicyChange>),
    RegisterChange(RegisterChange),
    Rotate(Box<Rotation>),
    AuditRead(Box<AuditRead>),
    Heartbeat(Heartbeat),
    Freeze(Box<Freeze>),
    Continue(Box<Continuation>),
}

impl Entry {
    /// All types this program knows.
    pub const KINDS: [&str; 16] = [
        "log.genesis",
        "replica.start",
        "replica.resumed",
        "release.intent",
        "release.grant",
        "release.complete",
        "release.ack",
        "release.refused",
        "release.reconciled",
        "policy.change",
        "register.change",
        "key.rotate",
        "audit.read",
        "log.heartbeat",
        "log.freeze",
        "log.continue",
    ];

    /// The word for this type in the leaf.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "log.genesis",
            Self::ReplicaStart(_) => "replica.start",
            Self::ReplicaResumed(_) => "replica.resumed",
            Self::Intent(_) => "release.intent",
            Self::Grant(_) => "release.grant",
            Self::Ack(_) => "release.ack",
            Self::Complete(_) => "release.complete",
            Self::Refused(_) => "release.refused",
            Self::Reconciled(_) => "release.reconciled",
            Self::PolicyChange(_) => "policy.change",
            Self::RegisterChange(_) => "register.change",
            Self::Rotate(_) => "key.rotate",
            Self::AuditRead(_) => "audit.read",
            Self::Heartbeat(_) => "log.heartbeat",
            Self::Freeze(_) => "log.freeze",
            Self::Continue(_) => "log.continue",
        }
    }

    /// The release this entry opens, closes or speaks of.
    pub fn release(&self) -> Option<ReleaseId> {
        match self {
            Self::Intent(own) => Some(own.release),
            Self::Grant(own) => Some(own.release),
            Self::Complete(own) => Some(own.release),
            Self::Ack(own) => Some(own.release),
            Self::Reconciled(own) => Some(own.release),
            Self::Genesis(_)
            | Self::ReplicaStart(_)
            | Self::ReplicaResumed(_)
            | Self::Refused(_)
            | Self::PolicyChange(_)
            | Self::RegisterChange(_)
            | Self::Rotate(_)
            | Self::AuditRead(_)
            | Self::Heartbeat(_)
            | Self::Freeze(_)
            | Self::Continue(_) => None,
        }
    }

    /// What the store keeps beside the leaf so that it can be found.
    pub fn card(&self, ts_ms: u64) -> Card {
        let mut card = Card {
            kind: self.kind(),
            ts_ms,
            release: self.release().map(|release| *release.as_bytes()),
            party: None,
            wilayah: None,
            outcome: None,
            code: None,
            turn: Turn::Nothing,
        };
        match self {
            Self::Intent(own) => {
                card.party = own.party.as_ref().map(ToString::to_string);
                card.wilayah = Some(own.wilayah.to_string());
                card.turn = Turn::Opens;
            }
            Self::Complete(own) => {
                card.outcome = Some(own.completion.outcome.as_str());
                card.code.clone_from(&own.completion.cause);
                card.turn = Turn::Closes;
            }
            Self::Reconciled(own) => {
                card.outcome = Some("reconciled");
                card.code = Some(own.cause.as_str().to_owned());
                card.turn = Turn::Closes;
            }
            Self::Refused(own) => {
                card.party = own.party.as_ref().map(ToString::to_string);
                card.wilayah = own.wilayah.map(|wilayah| wilayah.to_string());
                card.outcome = Some("refused");
                card.code = Some(own.code.clone());
            }
            Self::Ack(own) => card.outcome = Some(if own.is_match { "match" } else { "mismatch" }),
            Self::AuditRead(own) => card.code = Some(own.question.clone()),
            Self::Genesis(_)
            | Self::ReplicaStart(_)
            | Self::ReplicaResumed(_)
            | Self::Grant(_)
            | Self::PolicyChange(_)
            | Self::RegisterChange(_)
            | Self::Rotate(_)
            | Self::Heartbeat(_)
            | Self::Freeze(_)
            | Self::Continue(_) => {}
        }
        card
    }
}
