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
use crate::ledger::notice::PolicyChange;
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
    let mut known = Known::default();
    while let Some(record) = question.next(&mut found)? {
        let is_asked = common.period.holds(record.stamp.ts_ms);
        for row in rows(record, &mut known, common.period.zone) {
            if is_asked {
                sheet.add(&row)?;
            }
        }
    }
    told(sheet.end(&[])?)
}

/// What the entries before say, as far as those behind them are read with it.
#[derive(Default)]
struct Known {
    /// What each replica was last started with.
    started: BTreeMap<String, ReplicaStart>,
    policies: Parts,
}

/// What an entry says changed.
fn rows(record: Record, known: &mut Known, zone: Zone) -> Vec<ChangeRow> {
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
            let before = known.started.insert(record.stamp.replica.clone(), own.start.clone());
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
            let Some((index, changed)) = known.policies.add(head.index, &own) else { return Vec::new() };
            let by = with(&own.build, own.config_digest);
            let row = |(what, before, after)| ChangeRow {
                index,
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

/// A policy's name, what it was and what it is.
type Changed = (String, Option<String>, Option<String>);

/// The parts of a change of policies that were read so far.
#[derive(Default)]
struct Parts {
    /// Of the first one.
    index: u64,
    /// By name, what goes and what comes.
    lines: BTreeMap<String, [Vec<String>; 2]>,
}

impl Parts {
    /// With the last part, the index of the first and all policies that are no longer what they were.
    fn add(&mut self, index: u64, own: &PolicyChange) -> Option<(u64, Vec<Changed>)> {
        if own.part == 1 {
            *self = Self { index, ..Self::default() };
        }
        for (at, lines) in [&own.removed, &own.added].into_iter().enumerate() {
            for (name, version, digest) in lines {
                let of = self.lines.entry(name.clone()).or_default();
                of[at].push(format!("version {version}, {digest}"));
            }
        }
        if own.part < own.parts {
            return None;
        }
        let Self { index, lines } = std::mem::take(self);
        let joined = |lines: &[String]| (!lines.is_empty()).then(|| lines.join("; "));
        let mut changed: Vec<Changed> = lines
            .into_iter()
            .map(|(name, [before, after])| (name, joined(&before), joined(&after)))
            .collect();
        if changed.is_empty() {
            let shown = |digest: Digest| digest.to_string();
            changed.push(("policies".to_owned(), own.old_digest.map(shown), Some(shown(own.new_digest))));
        }
        Some((index, changed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PolicyLine;

    #[test]
    fn a_change_of_policies_names_those_that_differ_from_all_its_parts_at_once() {
        let line = |name: &str, version: &str, text: &[u8]| -> PolicyLine {
            (name.to_owned(), version.to_owned(), Digest::of(text))
        };
        let part = |part, removed: &[PolicyLine], added: &[PolicyLine]| PolicyChange {
            old_digest: None,
            new_digest: Digest::of(b""),
            part,
            parts: 2,
            removed: removed.to_vec(),
            added: added.to_vec(),
            build: String::new(),
            config_digest: Digest::of(b""),
        };
        let mut parts = Parts::default();
        let first =
            part(1, &[line("dpt-2024", "1", b"a"), line("lama", "1", b"c")], &[line("baru", "2", b"d")]);
        assert_eq!(parts.add(7, &first), None);
        let (index, changed) = parts.add(8, &part(2, &[], &[line("dpt-2024", "1", b"x")])).unwrap();
        let names: Vec<_> = changed
            .iter()
            .map(|(name, before, after)| (&**name, before.is_some(), after.is_some()))
            .collect();
        assert_eq!(names, [("baru", false, true), ("dpt-2024", true, true), ("lama", true, false)]);
        assert!(changed[1].1.as_ref().unwrap().contains(&Digest::of(b"a").to_string()));
        assert_eq!(index, 7);
        let nothing = PolicyChange { parts: 1, ..part(1, &[], &[]) };
        assert_eq!(parts.add(9, &nothing).unwrap().1[0].0, "policies");
    }
}
