//! `salinan log changes`: what changed in how the ledger is run, before and after.

use std::collections::BTreeMap;

use serde::Serialize;

use super::ask::Common;
use super::releases::told;
use super::row::text;
use super::sheet::{Row, Sheet, plain};
use super::when::Zone;
use crate::cli::print::Outcome;
use crate::domain::Digest;
use crate::ledger::entry::Entry;
use crate::ledger::notice::PolicyLine;
use crate::ledger::{Entries, Query, Record, ReplicaStart};

/// What changed, before and after: policies, register, keys, configuration, elections that ended
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Policies, registers and configurations stand here by the SHA-256 of their files, which they can be held \
                        against.\n\nExample: salinan log changes --dir ledger --from 2023-06-01 --format csv"
)]
pub struct Changes {
    #[command(flatten)]
    common: Common,
}

/// Types of entries that speak of a change. None is frequent.
const KINDS: [&str; 7] = [
    "log.genesis",
    "replica.start",
    "policy.change",
    "register.change",
    "key.rotate",
    "log.freeze",
    "log.continue",
];

#[derive(Debug, Default, Serialize)]
struct ChangeRow {
    index: u64,
    time: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// What changed: a policy's name, an election, or a word.
    what: String,
    before: Option<String>,
    after: Option<String>,
    /// Who changed it, or with which program and configuration.
    by: String,
    reason: Option<String>,
}

impl Row for ChangeRow {
    const COLUMNS: &'static [&'static str] =
        &["index", "time", "type", "what", "before", "after", "by", "reason"];
    const HEADS: &'static [&'static str] = Self::COLUMNS;

    fn cells(&self) -> Vec<String> {
        vec![
            self.index.to_string(),
            self.time.clone(),
            self.kind.to_owned(),
            self.what.clone(),
            text(self.before.as_ref()),
            text(self.after.as_ref()),
            self.by.clone(),
            text(self.reason.as_ref()),
        ]
    }

    fn shown(&self) -> Vec<String> {
        self.cells().iter().map(|cell| plain(cell)).collect()
    }
}

pub fn changes(args: &Changes) -> Outcome {
    let common = &args.common;
    let mut question = common.begin("changes", Vec::new())?;
    let mut sheet = Sheet::begin::<ChangeRow>(common.format, &question.asked())?;
    // From the first on, since what a configuration was before stands in an earlier entry.
    let of_kind = |kind: &&str| Query { kind: Some((*kind).to_owned()), ..Query::default() };
    let mut found = Entries::of(KINDS.iter().map(of_kind));
    let mut started = BTreeMap::new();
    while let Some(record) = question.next(&mut found)? {
        let is_asked = common.period.holds(record.stamp.ts_ms);
        for row in rows(record, &mut started, common.period.zone) {
            if is_asked {
                sheet.add(&row)?;
            }
        }
    }
    told(sheet.end(&[])?)
}

/// What an entry says changed. `started` is what each replica was last started with.
fn rows(record: Record, started: &mut BTreeMap<String, ReplicaStart>, zone: Zone) -> Vec<ChangeRow> {
    let head = ChangeRow {
        index: record.index,
        time: zone.show(record.stamp.ts_ms),
        kind: record.entry.kind(),
        ..ChangeRow::default()
    };
    let with = |build: &str, config: Digest| format!("version {build}, configuration {config}");
    let shown = |digest: Option<Digest>| digest.map(|digest| digest.to_string());
    match record.entry {
        Entry::Genesis(own) => {
            vec![ChangeRow { what: own.origin, after: Some(own.vkeys.join(" ")), by: own.operator, ..head }]
        }
        Entry::ReplicaStart(own) => {
            let before = started.insert(record.stamp.replica.clone(), own.start.clone());
            let is_same = |before: &ReplicaStart| {
                before.build == own.start.build && before.config_digest == own.start.config_digest
            };
            // A change of policies has an entry of its own.
            if before.as_ref().is_some_and(is_same) {
                return Vec::new();
            }
            vec![ChangeRow {
                what: "program and configuration".to_owned(),
                before: before.map(|before| with(&before.build, before.config_digest)),
                after: Some(with(&own.start.build, own.start.config_digest)),
                by: format!("replica {}", record.stamp.replica),
                ..head
            }]
        }
        Entry::PolicyChange(own) => {
            let by = with(&own.build, own.config_digest);
            let mut changed = changed_policies(&own.old, &own.new);
            if changed.is_empty() {
                changed.push((
                    "policies".to_owned(),
                    shown(own.old_digest),
                    Some(own.new_digest.to_string()),
                ));
            }
            let row = |(what, before, after)| ChangeRow {
                index: head.index,
                time: head.time.clone(),
                kind: head.kind,
                what,
                before,
                after,
                by: by.clone(),
                reason: None,
            };
            changed.into_iter().map(row).collect()
        }
        Entry::RegisterChange(own) => vec![ChangeRow {
            what: "register".to_owned(),
            before: shown(own.old_digest),
            after: shown(own.new_digest),
            by: with(&own.build, own.config_digest),
            ..head
        }],
        Entry::Rotate(own) => vec![ChangeRow {
            what: "signing key".to_owned(),
            before: Some(own.old_vkey),
            after: Some(own.new_vkey),
            by: format!("replica {}", record.stamp.replica),
            ..head
        }],
        Entry::Freeze(own) => vec![ChangeRow {
            what: own.election,
            before: Some("open".to_owned()),
            after: Some("over: no copy of its lists is opened any more".to_owned()),
            by: own.operator,
            reason: Some(own.reason),
            ..head
        }],
        Entry::Continue(own) => {
            let lost = own.lost.lines().nth(1).unwrap_or_default();
            vec![ChangeRow {
                what: "entries that were lost".to_owned(),
                before: Some(format!("{lost} entries")),
                after: Some(format!("{} entries", own.head_size)),
                by: own.operator,
                reason: Some(own.reason),
                ..head
            }]
        }
        _ => Vec::new(),
    }
}

/// Each policy of which name, version or file differs: its name, what it was, what it is.
fn changed_policies(old: &[PolicyLine], new: &[PolicyLine]) -> Vec<(String, Option<String>, Option<String>)> {
    let lines = |of: &[PolicyLine], name: &str| {
        let own: Vec<String> = of
            .iter()
            .filter(|(own, _, _)| own == name)
            .map(|(_, version, digest)| format!("version {version}, {digest}"))
            .collect();
        (!own.is_empty()).then(|| own.join("; "))
    };
    let mut names: Vec<&String> = old.iter().chain(new).map(|(name, _, _)| name).collect();
    names.sort();
    names.dedup();
    let both = names.into_iter().map(|name| (name.clone(), lines(old, name), lines(new, name)));
    both.filter(|(_, before, after)| before != after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_policies_names_those_that_differ() {
        let line = |name: &str, version: &str, text: &[u8]| {
            (name.to_owned(), version.to_owned(), Digest::of(text)) as PolicyLine
        };
        let old = [line("dpt-2024", "1", b"a"), line("tetap", "1", b"b"), line("lama", "1", b"c")];
        let new = [line("dpt-2024", "1", b"x"), line("tetap", "1", b"b"), line("baru", "2", b"d")];
        let changed = changed_policies(&old, &new);
        let names: Vec<_> = changed
            .iter()
            .map(|(name, before, after)| (&**name, before.is_some(), after.is_some()))
            .collect();
        assert_eq!(names, [("baru", false, true), ("dpt-2024", true, true), ("lama", true, false)]);
        assert!(changed[1].1.as_ref().unwrap().contains(&Digest::of(b"a").to_string()));
        assert_eq!(changed_policies(&old, &old), []);
    }
}
