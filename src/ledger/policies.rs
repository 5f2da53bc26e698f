//! The policies in force, as the ledger tells them: each `policy.change` says which come and which go, so that whoever has
//! followed all changes knows the list, and its digest can be held against the one that is stated.
//!
//! However many policies there are, an entry holds [`LINES_MAX`] lines at most: a larger change stands in several entries,
//! one behind the other. There is one way to write a change: what goes before what comes, each ascending, all parts but the
//! last of them full.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::entry::ReplicaStart;
use super::notice::PolicyChange;
use super::verify::Why;
use crate::domain::{Digest, PolicyLine, digest_of_policies};

/// Lines of one entry, removed and added.
pub(super) const LINES_MAX: usize = 64;

/// What is in force after the entries that were followed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Policies {
    /// None: no entry has said anything of policies.
    digest: Option<Digest>,
    lines: BTreeSet<PolicyLine>,
    under_way: Option<UnderWay>,
}

/// A change of which some parts are still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnderWay {
    /// The latest part, without its lines.
    part: PolicyChange,
    /// The latest line, and whether it was added.
    line: Option<(bool, PolicyLine)>,
}

impl Policies {
    /// Whether the next entry has to be a part of the change under way.
    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// The entries by which the policies that `start` was started with come into force; none if they are.
    pub(super) fn change_to(&self, new: &[PolicyLine], start: &ReplicaStart) -> Vec<PolicyChange> {
        let new: BTreeSet<&PolicyLine> = new.iter().collect();
        let new_digest = digest_of_policies(new.iter().copied());
        if self.digest == Some(new_digest) {
            return Vec::new();
        }
        let removed = self.lines.iter().filter(|line| !new.contains(line)).map(|line| (false, line));
        let added = new.iter().filter(|line| !self.lines.contains(**line)).map(|line| (true, *line));
        let lines: Vec<(bool, &PolicyLine)> = removed.chain(added).collect();
        let parts = lines.len().div_ceil(LINES_MAX).max(1);
        let part = |number: usize| {
            let of = lines.iter().skip(number * LINES_MAX).take(LINES_MAX);
            let only = |is_added| of.clone().filter(move |(added, _)| *added == is_added);
            PolicyChange {
                old_digest: self.digest,
                new_digest,
                part: u32::try_from(number + 1).unwrap_or(u32::MAX),
                parts: u32::try_from(parts).unwrap_or(u32::MAX),
                removed: only(false).map(|(_, line)| (*line).clone()).collect(),
                added: only(true).map(|(_, line)| (*line).clone()).collect(),
                build: start.build.clone(),
                config_digest: start.config_digest,
            }
        };
        (0..parts).map(part).collect()
    }

    /// Goes on by one part of a change.
    pub(super) fn follow(&mut self, own: &PolicyChange) -> Result<(), Why> {
        let (number, mut last) = match self.under_way.take() {
            Some(UnderWay { part, line }) => {
                let bare = PolicyChange { part: part.part, ..without_lines(own) };
                if bare != part {
                    return Err(Why::ChangePart);
                }
                (part.part.saturating_add(1), line)
            }
            None if own.old_digest != self.digest || own.old_digest == Some(own.new_digest) => {
                return Err(Why::Change);
            }
            None => (1, None),
        };
        let count = own.removed.len() + own.added.len();
        let is_last = own.part == own.parts;
        // Nothing to say is one part without a line: the first start, without a policy.
        let is_filled = if is_last { count > 0 || own.parts == 1 } else { count == LINES_MAX };
        if own.part != number || own.part > own.parts || count > LINES_MAX || !is_filled {
            return Err(Why::ChangePart);
        }
        let removed = own.removed.iter().map(|line| (false, line));
        for (is_added, line) in removed.chain(own.added.iter().map(|line| (true, line))) {
            let is_next = last.as_ref().is_none_or(|(added, before)| (*added, before) < (is_added, line));
            let is_new = if is_added { self.lines.insert(line.clone()) } else { self.lines.remove(line) };
            if !is_next || !is_new {
                return Err(Why::ChangeLine);
            }
            last = Some((is_added, line.clone()));
        }
        if !is_last {
            self.under_way = Some(UnderWay { part: without_lines(own), line: last });
            return Ok(());
        }
        if digest_of_policies(&self.lines) != own.new_digest {
            return Err(Why::ChangeDigest);
        }
        self.digest = Some(own.new_digest);
        Ok(())
    }
}

fn without_lines(of: &PolicyChange) -> PolicyChange {
    PolicyChange { removed: Vec::new(), added: Vec::new(), ..of.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::tests::start;
    use super::*;

    fn lines(numbers: std::ops::Range<u32>, text: &str) -> Vec<PolicyLine> {
        // Not in the order in which they are written.
        numbers.map(|number| (format!("p{number}"), "1".to_owned(), Digest::of(text.as_bytes()))).collect()
    }

    fn followed(changes: &[PolicyChange], policies: &mut Policies) -> Result<(), Why> {
        changes.iter().try_for_each(|change| policies.follow(change))
    }

    #[test]
    fn a_change_of_any_length_leads_from_the_old_list_to_the_new_one() {
        let few = |count| lines(0..count, "a");
        // From one list to the next: how many parts it takes, and how many lines the last one has.
        let course = [
            (few(0), 1, 0),
            (few(1), 1, 1),
            (few(1), 0, 0),
            (few(64), 1, 63),
            (few(0), 1, 64),
            (few(65), 2, 1),
            (few(0), 2, 1),
            (few(200), 4, 8),
            // All changed: each stands twice.
            (lines(0..200, "b"), 7, 16),
            (few(2_000), 35, 24),
            (few(1_999), 1, 1),
            (few(0), 32, 15),
        ];
        let mut policies = Policies::default();
        for (new, parts, last) in course {
            let changes = policies.change_to(&new, &start());
            assert_eq!(changes.len(), parts);
            assert!(changes.iter().all(|change| change.removed.len() + change.added.len() <= LINES_MAX));
            let found = changes.last().map_or(0, |change| change.removed.len() + change.added.len());
            assert_eq!(found, last);
            followed(&changes, &mut policies).unwrap();
            assert_eq!(policies.digest, Some(digest_of_policies(&new)));
            assert!(policies.lines.iter().eq(new.iter().collect::<BTreeSet<_>>()));
            assert!(!policies.is_under_way());
        }
    }

    #[test]
    fn what_was_followed_up_to_the_middle_of_a_change_is_gone_on_from() {
        let changes = Policies::default().change_to(&lines(0..200, "a"), &start());
        let (mut whole, mut half) = (Policies::default(), Policies::default());
        followed(&changes, &mut whole).unwrap();
        followed(&changes[..2], &mut half).unwrap();
        let saved = serde_json::to_string(&half).unwrap();
        let mut read: Policies = serde_json::from_str(&saved).unwrap();
        assert!(read == half && read.is_under_way());
        followed(&changes[2..], &mut read).unwrap();
        assert_eq!(read, whole);
        assert_eq!(followed(&changes[3..], &mut half), Err(Why::ChangePart));
    }

    #[test]
    fn a_change_that_is_forged_is_found_where_it_is() {
        type Forge = fn(&mut Vec<PolicyChange>);
        let mut before = Policies::default();
        followed(&before.change_to(&lines(0..100, "a"), &start()), &mut before).unwrap();
        let sound = before.change_to(&lines(50..170, "a"), &start());
        assert_eq!(sound.len(), 2);
        let cases: [(&str, Forge, Why); 17] = [
            ("another list before", |of| of[0].old_digest = None, Why::Change),
            ("nothing changes", |of| of[0].new_digest = of[0].old_digest.unwrap(), Why::Change),
            ("a part is missing", |of| drop(of.remove(0)), Why::ChangePart),
            ("a part comes twice", |of| of.insert(1, of[0].clone()), Why::ChangePart),
            ("more parts", |of| of[1].parts = 3, Why::ChangePart),
            ("fewer parts", |of| of[0].parts = 1, Why::ChangeDigest),
            ("part 0", |of| of[0].part = 0, Why::ChangePart),
            ("parts of two changes", |of| of[1].new_digest = Digest::of(b""), Why::ChangePart),
            ("another program in between", |of| of[1].build = "other".to_owned(), Why::ChangePart),
            (
                "a part that is not full",
                |of| {
                    let line = of[0].added.pop().unwrap();
                    of[1].added.insert(0, line);
                },
                Why::ChangePart,
            ),
            (
                "a part that is too full",
                |of| {
                    let line = of[1].added.remove(0);
                    of[0].added.push(line);
                },
                Why::ChangePart,
            ),
            ("a policy is not named", |of| drop(of[1].added.pop()), Why::ChangeDigest),
            ("a policy has another file", |of| of[1].added[0].2 = Digest::of(b"x"), Why::ChangeDigest),
            ("a policy has another name", |of| of[1].added[0].0.push('x'), Why::ChangeDigest),
            ("one goes that was not there", |of| of[0].removed[0].0.insert(0, 'o'), Why::ChangeLine),
            ("one comes that was there", |of| of[0].added[0].0 = "p50".to_owned(), Why::ChangeLine),
            ("in another order", |of| of[0].removed.swap(0, 1), Why::ChangeLine),
        ];
        for (name, forge, why) in cases {
            let mut changes = sound.clone();
            forge(&mut changes);
            assert_eq!(followed(&changes, &mut before.clone()), Err(why), "{name}");
        }
        followed(&sound, &mut before).unwrap();
    }
}
