//! One release as auditors see it: who took what, when, under which policy, and how it ended.

use serde::Serialize;

use super::sheet::{Row, plain};
use super::when::Zone;
use crate::domain::{Level, Wilayah};
use crate::ledger::Account;

/// A line of the CSV and an element of the JSON.
#[derive(Debug, Serialize)]
pub struct ReleaseRow {
    release: String,
    /// Index of the intent.
    intent: u64,
    opened: String,
    ended: Option<String>,
    party: Option<String>,
    requester: String,
    client_id: String,
    role: String,
    level: Level,
    mandate: Option<String>,
    wilayah: Wilayah,
    /// What narrowed the copy.
    parameters: Vec<(String, String)>,
    /// What it holds of the area asked about, where one was: `all`, `part` or `perhaps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    holds: Option<&'static str>,
    election: String,
    stage: String,
    version: String,
    fields: Vec<(String, String)>,
    legal_basis: String,
    policy: String,
    policy_digest: String,
    media_type: Option<String>,
    outcome: &'static str,
    cause: Option<String>,
    rows: Option<u64>,
    bytes_min: u64,
    bytes_max: Option<u64>,
    body_sha256: Option<String>,
    acknowledged: Option<&'static str>,
    acknowledged_at: Option<String>,
}

impl ReleaseRow {
    pub fn of(account: &Account, holds: Option<&'static str>, zone: Zone) -> Self {
        let intent = &account.intent;
        let (bytes_min, bytes_max) = account.bytes();
        let completion = account.completion();
        let ack = account.ack.as_ref();
        Self {
            release: intent.release.to_string(),
            intent: account.index,
            opened: zone.show(account.opened_ms),
            ended: account.end.as_ref().map(|end| zone.show(end.ts_ms)),
            party: intent.party.as_ref().map(ToString::to_string),
            requester: intent.requester.clone(),
            client_id: intent.client_id.clone(),
            role: intent.role.to_string(),
            level: intent.level,
            mandate: intent.mandate.clone(),
            wilayah: intent.wilayah,
            parameters: intent.parameters.clone(),
            holds,
            election: intent.determination.election.clone(),
            stage: intent.determination.stage.to_string(),
            version: intent.determination.version.clone(),
            fields: intent.fields.clone(),
            legal_basis: intent.legal_basis.clone(),
            policy: intent.policy.clone(),
            policy_digest: intent.policy_digest.to_string(),
            media_type: completion
                .and_then(|completion| completion.media_type.clone())
                .or_else(|| intent.media_type.clone()),
            outcome: account.outcome(),
            cause: account.cause().map(str::to_owned),
            rows: completion.map(|completion| completion.rows_out),
            bytes_min,
            bytes_max,
            body_sha256: completion.map(|completion| completion.body_sha256.to_string()),
            acknowledged: ack.map(|(_, ack)| if ack.is_match { "match" } else { "mismatch" }),
            acknowledged_at: ack.map(|(ts_ms, _)| zone.show(*ts_ms)),
        }
    }
}

/// `nik=mask(6,0); nama=keep`.
fn pairs(pairs: &[(String, String)], joint: &str) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(joint)
}

pub fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

impl Row for ReleaseRow {
    const COLUMNS: &'static [&'static str] = &[
        "release",
        "intent",
        "opened",
        "ended",
        "party",
        "requester",
        "client_id",
        "role",
        "level",
        "mandate",
        "wilayah",
        "parameters",
        "holds",
        "election",
        "stage",
        "version",
        "fields",
        "legal_basis",
        "policy",
        "policy_digest",
        "media_type",
        "outcome",
        "cause",
        "rows",
        "bytes_min",
        "bytes_max",
        "body_sha256",
        "acknowledged",
        "acknowledged_at",
    ];
    const HEADS: &'static [&'static str] =
        &["opened, release", "who", "area", "list, policy", "fields", "outcome", "rows, bytes, SHA-256"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.release.clone(),
            self.intent.to_string(),
            self.opened.clone(),
            text(self.ended.as_ref()),
            text(self.party.as_ref()),
            self.requester.clone(),
            self.client_id.clone(),
            self.role.clone(),
            self.level.to_string(),
            text(self.mandate.as_ref()),
            self.wilayah.to_string(),
            pairs(&self.parameters, "; "),
            text(self.holds),
            self.election.clone(),
            self.stage.clone(),
            self.version.clone(),
            pairs(&self.fields, "; "),
            self.legal_basis.clone(),
            self.policy.clone(),
            self.policy_digest.clone(),
            text(self.media_type.as_ref()),
            self.outcome.to_owned(),
            text(self.cause.as_ref()),
            text(self.rows),
            self.bytes_min.to_string(),
            text(self.bytes_max),
            text(self.body_sha256.as_ref()),
            text(self.acknowledged),
            text(self.acknowledged_at.as_ref()),
        ]
    }

    fn shown(&self) -> Vec<String> {
        let who = format!(
            "{}\n{} ({} {})",
            plain(self.party.as_deref().unwrap_or("no party")),
            plain(&self.requester),
            self.role,
            self.level
        );
        let mut area = self.wilayah.to_string();
        if !self.parameters.is_empty() {
            area = format!("{area}\n{}", plain(&pairs(&self.parameters, " ")));
        }
        if let Some(holds) = self.holds {
            area = format!("{area}\nholds: {holds}");
        }
        let list = format!(
            "{} {} {}\n{}\n{}",
            self.election,
            self.stage,
            self.version,
            self.policy,
            &self.policy_digest[..self.policy_digest.len().min(16)]
        );
        let mut outcome = self.outcome.to_owned();
        for (name, value) in
            [("", &self.cause), ("", &self.acknowledged.map(|word| format!("acknowledged: {word}")))]
        {
            if let Some(value) = value {
                outcome = format!("{outcome}\n{name}{}", plain(value));
            }
        }
        let bytes = match (self.bytes_min, self.bytes_max) {
            (least, Some(most)) if least == most => format!("{most} bytes"),
            (least, Some(most)) => format!("{least} to {most} bytes"),
            (least, None) => format!("{least} bytes or more"),
        };
        let digest = self.body_sha256.as_deref().unwrap_or_default();
        let (head, tail) = digest.split_at(digest.len() / 2);
        vec![
            format!("{}\n{}", self.opened, self.release),
            who,
            area,
            list,
            plain(&pairs(&self.fields, ", ")).replace(", ", ",\n"),
            outcome,
            format!(
                "{}{bytes}\n{head}\n{tail}",
                self.rows.map_or(String::new(), |rows| format!("{rows} rows\n"))
            ),
        ]
    }
}
