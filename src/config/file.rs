//! The file as written: which tables and keys it may hold, and readers for numbers with a default and limits.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::{At, Key, Keys, Problem, Problems};

/// Every table with its keys. What stands beside a key that may be left out is its default; beside one that must
/// be there, and beside `ca`, `client_ca`, `policy`, `revoked`, `store` and what goes with it, it is an example.
pub const KEYS: &[(&str, &[Key])] = &[
    ("server", SERVER),
    ("identity", IDENTITY),
    ("identity.issuer", ISSUER),
    ("policy", POLICY),
    ("source", SOURCE),
    ("ledger", LEDGER),
    ("witness", WITNESS),
    ("admission", ADMISSION),
    ("trace", TRACE),
];

pub(super) const TOP: &[Key] = &[
    Key { name: "server", example: "{ listen = \"0.0.0.0:8443\", .. }" },
    Key { name: "identity", example: "{ issuer = [{ issuer = \"https://sso.example\", .. }] }" },
    Key { name: "policy", example: "{ paths = [\"policies\"] }" },
    Key { name: "source", example: "{ url = \"https://dpt.example\", .. }" },
    Key { name: "ledger", example: "{ directory = \"ledger\", .. }" },
    Key { name: "witness", example: "{ policy = \"witnesses.policy\", .. }" },
    Key { name: "admission", example: "{ address_per_second = 20, .. }" },
    Key { name: "trace", example: "{ format = \"json\" }" },
];

pub(super) const SERVER: &[Key] = &[
    Key { name: "listen", example: "\"0.0.0.0:8443\"" },
    Key { name: "certificate", example: "\"certs/server.pem\"" },
    Key { name: "key", example: "\"certs/server-key.pem\"" },
    Key { name: "client_certificates", example: "\"off\"" },
    Key { name: "client_ca", example: "\"certs/clients-ca.pem\"" },
    Key { name: "connections_max", example: "1024" },
    Key { name: "address_connections_max", example: "64" },
    Key { name: "handshake_timeout_ms", example: "5000" },
    Key { name: "head_timeout_ms", example: "10000" },
    Key { name: "idle_timeout_ms", example: "60000" },
    Key { name: "stall_timeout_ms", example: "30000" },
    Key { name: "drain_timeout_ms", example: "30000" },
];

pub(super) const IDENTITY: &[Key] = IDENTITY_AND_ISSUERS.split_at(IDENTITY_AND_ISSUERS.len() - 1).0;

/// With the key under which the tables of issuers stand, which is written as `[[identity.issuer]]`.
pub(super) const IDENTITY_AND_ISSUERS: &[Key] = &[
    Key { name: "revoked", example: "\"certs/revoked.toml\"" },
    Key { name: "poll_ms", example: "2000" },
    Key { name: "refresh_ms", example: "300000" },
    Key { name: "cooldown_ms", example: "30000" },
    Key { name: "timeout_ms", example: "5000" },
    Key { name: "stale_max_ms", example: "3600000" },
    Key { name: "issuer", example: "[{ issuer = \"https://sso.example\", .. }]" },
];

pub(super) const ISSUER: &[Key] = &[
    Key { name: "issuer", example: "\"https://sso.kpu.example\"" },
    Key { name: "audience", example: "\"https://salinan.kpu.example\"" },
    Key { name: "algorithms", example: "[\"ES256\", \"EdDSA\", \"RS256\"]" },
    Key { name: "lifetime_max_s", example: "86400" },
    Key { name: "bound", example: "\"optional\"" },
    Key { name: "jwks", example: "\"certs/jwks.json\"" },
    Key { name: "ca", example: "\"certs/sso-ca.pem\"" },
];

pub(super) const POLICY: &[Key] = &[Key { name: "paths", example: "[\"policies/dpt-2024.toml\"]" }];

pub(super) const SOURCE: &[Key] = &[
    Key { name: "url", example: "\"https://dpt.kpu.example\"" },
    Key { name: "ca", example: "\"certs/source-ca.pem\"" },
    Key { name: "connect_timeout_ms", example: "3000" },
    Key { name: "head_timeout_ms", example: "30000" },
    Key { name: "idle_timeout_ms", example: "30000" },
    Key { name: "requests_max", example: "256" },
    Key { name: "record_bytes_max", example: "65536" },
];

pub(super) const LEDGER: &[Key] = &[
    Key { name: "origin", example: "\"kpu-9901.example/salinan\"" },
    Key { name: "directory", example: "\"ledger\"" },
    Key { name: "key", example: "\"ledger/ledger-key.pem\"" },
    Key { name: "master_key", example: "\"certs/master.key\"" },
    Key { name: "anchor", example: "\"/mnt/other/ledger.anchor\"" },
    Key { name: "register", example: "\"register.toml\"" },
    Key { name: "append_timeout_ms", example: "2000" },
    Key { name: "heartbeat_ms", example: "300000" },
    Key { name: "public", example: "\"nobody\"" },
    Key { name: "store", example: "\"postgres://salinan@db.example/ledger\"" },
    Key { name: "store_password", example: "\"certs/store-password\"" },
    Key { name: "store_ca", example: "\"certs/store-ca.pem\"" },
    Key { name: "replica", example: "\"main\"" },
];

pub(super) const WITNESS: &[Key] = &[
    Key { name: "policy", example: "\"witnesses.policy\"" },
    Key { name: "ca", example: "\"certs/witness-ca.pem\"" },
    Key { name: "ca_of", example: "{ bawaslu = \"certs/bawaslu-ca.pem\" }" },
    Key { name: "interval_ms", example: "60000" },
    Key { name: "timeout_ms", example: "10000" },
];

pub(super) const ADMISSION: &[Key] = &[
    Key { name: "address_per_second", example: "20" },
    Key { name: "address_burst", example: "100" },
    Key { name: "requester_per_second", example: "5" },
    Key { name: "requester_burst", example: "25" },
    Key { name: "party_per_second", example: "10" },
    Key { name: "party_burst", example: "50" },
    Key { name: "party_copies_max", example: "16" },
];

pub(super) const TRACE: &[Key] =
    &[Key { name: "format", example: "\"text\"" }, Key { name: "level", example: "\"info\"" }];

/// A whole number within limits, or the default that its table gives.
pub(super) fn number(
    keys: &Keys<'_>,
    name: &'static str,
    limits: RangeInclusive<u64>,
    problems: &mut Problems<'_>,
) -> u64 {
    let default = keys.example(name).parse().expect("the tables give every number a default");
    let Some(At { value, span }) = keys.number(name, problems) else { return default };
    if limits.contains(&value) {
        return value;
    }
    problems.push(
        Problem::at(span, format!("`{name}` is from {} to {}", limits.start(), limits.end()))
            .help(format!("leave it out for {default}")),
    );
    default
}

/// A time in milliseconds, from 1 ms to an hour.
pub(super) fn wait(keys: &Keys<'_>, name: &'static str, problems: &mut Problems<'_>) -> Duration {
    Duration::from_millis(number(keys, name, 1..=3_600_000, problems))
}

/// A path of a key that must be there, meant from the folder of the file.
pub(super) fn need_path(
    keys: &Keys<'_>,
    name: &'static str,
    folder: &Path,
    problems: &mut Problems<'_>,
) -> Option<At<PathBuf>> {
    let text = keys.need_text(name, problems)?;
    Some(At { value: folder.join(text.value), span: text.span })
}
