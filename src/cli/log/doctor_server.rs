//! What `salinan log doctor` says of a server that holds a ledger.

use super::doctor::{Finding, SYNC_MAX};
use crate::store::StoreError;
use crate::store::postgres::PostgresOptions;
use crate::store::postgres::health::{Health, examine};

/// Fewer free connections than this, and receipts may not be had.
const FREE_CONNECTIONS_MIN: i64 = 5;
/// A standby that is further behind than this is of little use.
const LAG_MS_MAX: i64 = 10_000;

/// Looks at the server; nothing that it says is changed.
pub(super) fn findings(server: &PostgresOptions) -> Result<Vec<Finding>, StoreError> {
    let health = examine(server)?;
    let Health { is_standby, connections, connections_max, standbys, waits_for, .. } = &health;
    let mut findings = vec![
        Finding::of(
            "server",
            health.is_version_fit,
            format!("PostgreSQL {}", health.version),
            "use a version that still gets repairs, 14 or later",
        ),
        Finding::of(
            "standby",
            !is_standby,
            if *is_standby { format!("yes, {} behind", lag(health.standby_lag_ms)) } else { "no".to_owned() },
            "replicas need the server that takes writes",
        ),
    ];
    for (name, value, is_good) in &health.settings {
        let help = "with this a commit that was answered can be lost, and no replica starts";
        findings.push(Finding::of(name, *is_good, value, help));
    }
    findings.push(commits(&health));
    findings.push(Finding::of(
        "isolation",
        true,
        "read committed under the lock of the head; commands read one state (repeatable read)",
        "",
    ));
    findings.push(match &health.tls {
        Some(version) => Finding::of("TLS", true, version, ""),
        None if server.address.is_verified => {
            Finding::of("TLS", false, "not in use", "something between here and the server ends it")
        }
        None => Finding::of("TLS", true, "not in use: the server is on this machine", ""),
    });
    findings.push(Finding::of(
        "role",
        !health.may_change,
        format!(
            "{} {} change or delete what is stored",
            server.address.user,
            if health.may_change { "may" } else { "may not" }
        ),
        "the service must not: give it the role of `log init --role`; no replica starts with this one",
    ));
    let found = match health.changers.as_slice() {
        [] => format!("nobody but {}, who owns it", health.owner),
        names => format!("besides {}, who owns it: {}", health.owner, names.join(", ")),
    };
    let help = "each of these can change entries; signatures and anchors show it, nothing prevents it";
    findings.push(Finding::of("who may change entries", health.changers.is_empty(), found, help).or_advice());
    let found = if health.is_guarded { "on" } else { "off or gone" };
    let help = "the triggers against slips were switched off: by whom, and what for?";
    findings.push(Finding::of("guards", health.is_guarded, found, help));
    let free = connections_max - connections;
    findings.push(Finding::of(
        "connections",
        free >= FREE_CONNECTIONS_MIN,
        format!("{connections} of {connections_max}"),
        "each replica needs one and more for receipts; raise max_connections",
    ));
    let found = match (standbys, waits_for.as_str()) {
        (0, "") => "no standby".to_owned(),
        (count, "") => format!("{count}, and no commit waits for one; {} behind", lag(health.replay_lag_ms)),
        (count, names) => format!("{count}; commits wait for {names}; {} behind", lag(health.replay_lag_ms)),
    };
    let is_near = health.replay_lag_ms.is_none_or(|lag| lag <= LAG_MS_MAX);
    let is_waited_for = *is_standby || (*standbys > 0 && !waits_for.is_empty() && is_near);
    let help = "with synchronous_standby_names nothing is released that only one machine has";
    findings.push(Finding::of("standbys", is_waited_for, found, help).or_advice());
    let help = "initdb --data-checksums, or pg_checksums, notices a disk that returns other bytes";
    let found = if health.has_checksums { "on" } else { "off" };
    findings.push(Finding::of("checksums", health.has_checksums, found, help).or_advice());
    findings.push(Finding::of("size", true, format!("{} MiB", health.bytes >> 20), ""));
    let found = if health.replicas.is_empty() { "none".to_owned() } else { health.replicas.join(", ") };
    findings.push(Finding::of("replicas", true, found, ""));
    let is_read = health.waiting_reads == 0 || health.replicas.is_empty();
    let help = "reads of auditors are not entered although replicas are there; their traces say why";
    findings.push(Finding::of("reads that wait", is_read, health.waiting_reads.to_string(), help));
    Ok(findings)
}

/// How long it takes until something is on the server's disk, and on that of those it waits for.
fn commits(health: &Health) -> Finding {
    let (Some(longest), typical) = (health.commits.last(), health.commits.get(health.commits.len() / 2))
    else {
        return Finding::of("commit", false, "a standby takes none", "ask the server that takes writes");
    };
    let typical = typical.unwrap_or(longest);
    let found = format!(
        "a commit takes {:.2} ms, the longest of {} took {:.2} ms; a round trip {:.2} ms",
        typical.as_secs_f64() * 1e3,
        health.commits.len(),
        longest.as_secs_f64() * 1e3,
        health.round_trip.as_secs_f64() * 1e3
    );
    Finding::of("commit", *typical <= SYNC_MAX, found, "the server needs a faster disk or network")
}

fn lag(ms: Option<i64>) -> String {
    ms.map_or_else(|| "an unknown time".to_owned(), |ms| format!("{ms} ms"))
}
