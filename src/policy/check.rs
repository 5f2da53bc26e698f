//! One file, checked: TOML tables in, a [`Policy`] out, or every problem in the file's own order.
//!
//! What can only be judged beside other files (names, paths and masks that meet) is handed on as [`Marks`],
//! also by a file that has problems of its own.

use toml::de::DeTable;

use super::paths::NUMBER_NAMES;
use super::role::{self, RoleRule, Sight};
use super::route::{self, ParameterKind, Route};
use super::template::Template;
use super::{Policy, PolicyRef, Validity};
use crate::document::{At, Key, Keys, word};
use crate::document::{Diagnostic, quote};
use crate::document::{Problem, Problems, Source};
use crate::domain::{Action, Dataset, Determination, Digest, FieldPath, Stage};

/// Longest free text, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// What one file says that other files, and its own other lines, must agree with.
#[derive(Default)]
pub(super) struct Marks {
    pub(super) name: Option<At<String>>,
    pub(super) templates: Vec<At<Template>>,
    pub(super) sights: Vec<At<Sight>>,
}

/// Everything one file gave.
pub(super) struct Checked {
    /// `None` when there are problems.
    pub(super) policy: Option<Policy>,
    pub(super) marks: Marks,
    pub(super) problems: Vec<Diagnostic>,
}

const FILE_KEYS: &[Key] = &[
    Key { name: "policy", example: "{ .. }" },
    Key { name: "route", example: "[{ .. }]" },
    Key { name: "role", example: "[{ .. }]" },
];

const POLICY_KEYS: &[Key] = &[
    Key { name: "name", example: "\"dpt-2024\"" },
    Key { name: "dataset", example: "\"dpt\"" },
    Key { name: "election", example: "\"pemilu-2024\"" },
    Key { name: "stage", example: "\"dpt\"" },
    Key { name: "version", example: "\"1\"" },
    Key { name: "valid_from", example: "2023-06-21" },
    Key { name: "valid_until", example: "2024-12-31" },
    Key { name: "legal_basis", example: "\"UU 7/2017 Pasal 208 ayat (5)\"" },
    Key { name: "approved_by", example: "\"Ketua KPU Kabupaten, Keputusan 12/2023\"" },
];

const DATASETS: &[(&str, Dataset)] = &[("dpt", Dataset::Dpt)];

pub(super) fn check(source: &Source) -> Checked {
    let mut problems = Problems::of(source);
    let mut marks = Marks::default();
    let file = source.parse(&mut problems).and_then(|table| read_file(&table, &mut marks, &mut problems));
    let problems = problems.into_sorted();
    let policy = file.filter(|_| problems.is_empty()).map(|file| Policy {
        reference: PolicyRef { name: file.head.name, digest: Digest::of(source.text.as_bytes()) },
        determination: file.head.determination,
        valid: file.head.valid,
        legal_basis: file.head.legal_basis,
        approved_by: file.head.approved_by,
        routes: file.routes,
        roles: file.roles,
    });
    Checked { policy, marks, problems }
}

struct File {
    head: Head,
    routes: Vec<Route>,
    roles: Vec<RoleRule>,
}

struct Head {
    name: String,
    determination: Determination,
    valid: Validity,
    legal_basis: String,
    approved_by: String,
}

fn read_file(table: &DeTable<'_>, marks: &mut Marks, problems: &mut Problems<'_>) -> Option<File> {
    let keys = Keys::open(table, 0..0, "the file", FILE_KEYS, problems);
    let head = read_head(&keys, marks, problems);
    let route_tables = keys.need_tables("route", problems);
    let role_tables = keys.need_tables("role", problems);
    let routes: Vec<Option<Route>> =
        route_tables.iter().map(|table| route::read(table, &mut marks.templates, problems)).collect();
    let roles: Vec<Option<RoleRule>> =
        role_tables.iter().map(|table| role::read(table, &mut marks.sights, problems)).collect();
    check_roles_once(&role_tables, &roles, problems);
    check_parameters(&route_tables, &routes, &roles, problems);
    check_row_areas(&route_tables, &routes, &roles, problems);
    let routes = routes.into_iter().collect::<Option<Vec<_>>>()?;
    let roles = roles.into_iter().collect::<Option<Vec<_>>>()?;
    Some(File { head: head?, routes, roles })
}

fn read_head(file: &Keys<'_>, marks: &mut Marks, problems: &mut Problems<'_>) -> Option<Head> {
    let table = file.need_table("policy", problems)?;
    let keys = Keys::open(table.value, table.span, "`[policy]`", POLICY_KEYS, problems);
    let name = read_label(&keys, "name", problems);
    if let Some(name) = &name {
        marks.name = Some(At { value: name.value.clone(), span: name.span.clone() });
    }
    let dataset =
        keys.need_text("dataset", problems).and_then(|text| word("dataset", &text, DATASETS, problems));
    let election = read_label(&keys, "election", problems);
    let stage =
        keys.need_text("stage", problems).and_then(|text| word("stage", &text, &Stage::WORDS, problems));
    let version = read_label(&keys, "version", problems);
    let valid = read_validity(&keys, problems);
    let legal_basis = read_free_text(&keys, "legal_basis", problems);
    let approved_by = read_free_text(&keys, "approved_by", problems);
    Some(Head {
        name: name?.value,
        determination: Determination {
            dataset: dataset?,
            election: election?.value,
            stage: stage?,
            version: version?.value,
        },
        valid: valid?,
        legal_basis: legal_basis?,
        approved_by: approved_by?,
    })
}

/// A name that stands in the ledger and in file names: 1 to 64 letters, digits, `-`, `.`, `_`.
fn read_label(keys: &Keys<'_>, name: &'static str, problems: &mut Problems<'_>) -> Option<At<String>> {
    let text = keys.need_text(name, problems)?;
    let plain = text.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if plain && !text.value.is_empty() && text.value.len() <= 64 {
        return Some(At { value: text.value.to_owned(), span: text.span });
    }
    problems.push(
        Problem::at(text.span, format!("`{name}` has 1 to 64 letters, digits, `-`, `.` and `_`"))
            .help("write it without blanks, such as `pemilu-2024`"),
    );
    None
}

fn read_free_text(keys: &Keys<'_>, name: &'static str, problems: &mut Problems<'_>) -> Option<String> {
    let text = keys.need_text(name, problems)?;
    let wrong = if text.value.trim().is_empty() {
        "is empty"
    } else if text.value.len() > TEXT_BYTES_MAX {
        "is longer than 2000 bytes"
    } else if text.value.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Some(text.value.to_owned());
    };
    problems.push(
        Problem::at(text.span, format!("`{name}` {wrong}"))
            .help("say it in a sentence: it stands in the ledger beside every release"),
    );
    None
}

fn read_validity(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Validity> {
    let from = keys.need_date("valid_from", problems);
    let until = keys.need_date("valid_until", problems);
    let (from, until) = (from?, until?);
    if from.value > until.value {
        problems.push(
            Problem::at(until.span, "the policy ends before it begins")
                .note(format!("it begins on {}, at line {}", from.value, problems.line(from.span.start)))
                .help("both days are included: for one day write the same date twice"),
        );
        return None;
    }
    Some(Validity { from: from.value, until: until.value })
}

fn check_roles_once(tables: &[At<&DeTable<'_>>], roles: &[Option<RoleRule>], problems: &mut Problems<'_>) {
    let read: Vec<_> =
        tables.iter().zip(roles).filter_map(|(table, role)| Some((table, role.as_ref()?))).collect();
    for (at, (table, role)) in read.iter().enumerate() {
        let same = |(_, other): &&(_, &RoleRule)| other.role == role.role && other.level == role.level;
        if let Some((first, _)) = read[..at].iter().find(same) {
            let line = problems.line(first.span.start);
            problems.push(
                Problem::at(
                    table.span.clone(),
                    format!("the role `{}` at level `{}` stands twice", role.role, role.level),
                )
                .note(format!("first at line {line}"))
                .help("put all fields of the role under one `[[role]]`"),
            );
        }
    }
}

/// A filter on a field reads what the rules hide: by trying values one learns the field.
fn check_parameters(
    tables: &[At<&DeTable<'_>>],
    routes: &[Option<Route>],
    roles: &[Option<RoleRule>],
    problems: &mut Problems<'_>,
) {
    for (table, route) in tables.iter().zip(routes) {
        for (name, kind) in route.iter().flat_map(|route| &route.parameters) {
            let protected = NUMBER_NAMES.iter().any(|word| name.to_ascii_lowercase().starts_with(word));
            let hidden = roles.iter().flatten().any(|role| {
                role.kode_ganda.as_ref().is_some_and(|added| added.of.as_str() == name)
                    || role
                        .fields
                        .iter()
                        .any(|rule| rule.path.leaf().as_str() == name && rule.action != Action::Keep)
            });
            if *kind == ParameterKind::Number && (protected || hidden) {
                problems.push(
                    Problem::at(
                        parameter_span(table.value, name).unwrap_or_else(|| table.span.clone()),
                        format!("the parameter {} asks by a field that is hidden", quote(name)),
                    )
                    .help("remove it: who may try values learns the hidden field"),
                );
            }
        }
    }
}

/// An object cannot say where a row belongs.
fn check_row_areas(
    tables: &[At<&DeTable<'_>>],
    routes: &[Option<Route>],
    roles: &[Option<RoleRule>],
    problems: &mut Problems<'_>,
) {
    let paths = || roles.iter().flatten().flat_map(|role| &role.fields).map(|rule| &rule.path);
    for (table, route) in tables.iter().zip(routes) {
        let Some(route) = route else { continue };
        let is_above =
            |path: &&FieldPath| path.steps().first().is_some_and(|step| step.name == route.row_area);
        if let (Some(path), Some(value)) = (paths().find(is_above), table.value.get("row_area")) {
            problems.push(
                Problem::at(
                    value.span(),
                    format!(
                        "{} is an object in the rule of {}",
                        quote(route.row_area.as_str()),
                        quote(&path.to_string())
                    ),
                )
                .help("write the field of the record itself that says where a row belongs"),
            );
        }
    }
}

fn parameter_span(table: &DeTable<'_>, name: &str) -> Option<std::ops::Range<usize>> {
    let parameters = table.get("parameters")?.get_ref().as_table()?;
    parameters.get_key_value(name).map(|(key, _)| key.span())
}
