//! All policies of an installation: loaded together, checked against one another, with one digest.

use std::path::PathBuf;
use std::sync::Arc;

use super::Policy;
use super::check::{Checked, check};
use super::error::PolicyError;
use super::role::Sight;
use crate::document::At;
use crate::document::{Diagnostic, quote};
use crate::document::{Source, read_all};
use crate::domain::{Digest, digest_of_policies};

/// Policies without a known problem, no two of which answer the same path.
#[derive(Debug)]
pub struct PolicySet {
    policies: Vec<Arc<Policy>>,
    digest: Digest,
}

impl PolicySet {
    /// Reads and checks files, and the `*.toml` of folders. Fails with all problems of all files.
    pub fn load(paths: &[PathBuf]) -> Result<Self, PolicyError> {
        let mut sources = Vec::new();
        let mut slots = Vec::new();
        for read in read_all(paths) {
            match read {
                Ok(source) => {
                    let mut checked = check(&source);
                    slots.push(std::mem::take(&mut checked.problems));
                    sources.push((source, checked, slots.len() - 1));
                }
                Err(problem) => slots.push(vec![problem]),
            }
        }
        if slots.is_empty() {
            slots.push(vec![
                Diagnostic::unread(".".as_ref(), "no policy file was named")
                    .help("name at least one file or folder; without a policy everything is denied"),
            ]);
        }
        for at in 0..sources.len() {
            let found = compare(&sources[..=at]);
            let slot = &mut slots[sources[at].2];
            slot.extend(found);
            slot.sort_by_key(Diagnostic::start);
        }
        let diagnostics: Vec<Diagnostic> = slots.into_iter().flatten().collect();
        if !diagnostics.is_empty() {
            return Err(PolicyError::new(diagnostics));
        }
        let policies: Vec<_> =
            sources.into_iter().filter_map(|(_, checked, _)| checked.policy).map(Arc::new).collect();
        let digest = digest_of_policies(&policies.iter().map(|policy| policy.line()).collect::<Vec<_>>());
        Ok(Self { policies, digest })
    }

    /// Over the lines of all policies: the same wherever their files lie and whatever those are called.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether a role of any policy has a quota of rows.
    pub fn has_quotas(&self) -> bool {
        self.policies().flat_map(Policy::roles).any(|role| role.quota.is_some())
    }

    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter().map(Arc::as_ref)
    }

    pub(super) fn shared(&self) -> &[Arc<Policy>] {
        &self.policies
    }
}

type Entry = (Source, Checked, usize);

/// What of the last file cannot stand beside the files before it, or beside its own earlier lines.
fn compare(entries: &[Entry]) -> Vec<Diagnostic> {
    let Some(((source, checked, _), before)) = entries.split_last() else { return Vec::new() };
    let mut found = Vec::new();
    if let Some(name) = &checked.marks.name {
        let first = before.iter().find_map(|(file, other, _)| {
            other.marks.name.as_ref().filter(|known| known.value == name.value).map(|known| (file, known))
        });
        if let Some((file, known)) = first {
            found.push(
                problem(source, name, format!("two policies are named {}", quote(&name.value)))
                    .note(first_at(file, known, source))
                    .help("give each its own name, and each file once"),
            );
        }
    }
    for (at, template) in checked.marks.templates.iter().enumerate() {
        let own = checked.marks.templates[..at].iter().map(|known| (source, known));
        let others = before
            .iter()
            .flat_map(|(file, other, _)| other.marks.templates.iter().map(move |one| (file, one)));
        if let Some((file, known)) =
            others.chain(own).find(|(_, known)| known.value.overlaps(&template.value))
        {
            found.push(
                problem(source, template, "two routes answer the same path")
                    .note(first_at(file, known, source))
                    .help("remove one of the two, or give it another path"),
            );
        }
    }
    for (at, sight) in checked.marks.sights.iter().enumerate() {
        let own = checked.marks.sights[..at].iter().map(|known| (source, known));
        let others =
            before.iter().flat_map(|(file, other, _)| other.marks.sights.iter().map(move |one| (file, one)));
        if let Some((file, known)) = others.chain(own).find(|(_, known)| join(&known.value, &sight.value)) {
            let (one, two) = (&known.value.mask, &sight.value.mask);
            found.push(
                problem(
                    source,
                    sight,
                    format!(
                        "two masks of {} together show more than each",
                        quote(&sight.value.field.to_string())
                    ),
                )
                .note(first_at(file, known, source))
                .note(format!(
                    "one shows the first {} and last {} digits, the other the first {} and last {}",
                    one.first, one.last, two.first, two.last
                ))
                .help("hide the same digits from all recipients; one may hide more at the same end"),
            );
        }
    }
    found
}

/// Whether two recipients who put their copies side by side see digits that neither sees alone.
fn join(one: &Sight, two: &Sight) -> bool {
    let (a, b) = (&one.mask, &two.mask);
    one.field == two.field && (a.first > b.first && a.last < b.last || a.first < b.first && a.last > b.last)
}

fn problem<T>(source: &Source, place: &At<T>, message: impl Into<String>) -> Diagnostic {
    Diagnostic::of_file(&source.path, message).at(&source.text, place.span.clone())
}

fn first_at<T>(file: &Source, known: &At<T>, source: &Source) -> String {
    let (line, column) = crate::document::line_column(&file.text, known.span.start);
    if std::ptr::eq(file, source) {
        format!("first at line {line}")
    } else {
        format!("first at {}:{line}:{column}", file.path.display())
    }
}
