//! `salinan policy`: `check` prints every problem of every file, or what the policies give to whom; `preview`
//! shows it on rows.

mod preview;

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use crate::cli::print::{self, Answer, Failure, Outcome, OutputFormat};
use crate::cli::problem::ProblemReport;
use crate::document::Diagnostic;
use crate::domain::{Action, Determination, Digest, Format, KodeGanda, Level, OnTokenEnd, Records, RowQuota};
use crate::policy::{BodyFormat, Policy, PolicyError, PolicySet};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check policy files and print all problems, or what the policies give
    Check(CheckArgs),
    /// Redact rows from stdin to stdout as a role would get them; writes no ledger
    Preview(preview::Args),
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Policy files, or folders of `*.toml` files; all are checked as one set
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: OutputFormat,
}

pub fn run(args: &Args) -> Outcome {
    match &args.command {
        Command::Check(args) => check(args, &mut anstream::stdout()),
        Command::Preview(args) => preview::run(args),
    }
}

fn check(args: &CheckArgs, out: &mut impl Write) -> Outcome {
    let loaded = PolicySet::load(&args.paths);
    match (args.format, &loaded) {
        (OutputFormat::Json, _) => {
            let text = serde_json::to_string_pretty(&Report::of(&loaded))
                .map_err(|error| Failure::caused("could not write the report", error))?;
            writeln!(out, "{text}")?;
        }
        (OutputFormat::Table, Ok(set)) => write_tables(out, set)?,
        // Colours are taken out again where the output is not a terminal.
        (OutputFormat::Table, Err(error)) => writeln!(out, "{}", error.render(true))?,
    }
    match loaded {
        Ok(_) => Ok(Answer::Yes),
        Err(error) if error.diagnostics().iter().any(Diagnostic::is_unread) => {
            Err(Failure::new("not all policy files could be read")
                .help("see the problems above; what could be read was checked"))
        }
        Err(_) => Ok(Answer::No),
    }
}

fn write_tables(out: &mut impl Write, set: &PolicySet) -> Result<(), Failure> {
    let mut notes = Vec::new();
    let mut policies = print::table(&["policy", "election", "stage", "version", "valid (WIB)", "sha-256"]);
    let mut routes = print::table(&["policy", "route", "methods", "format", "codings", "parameters"]);
    let mut roles = print::table(&["policy", "role", "level", "field", "action"]);
    for policy in set.policies() {
        let (of, valid) = (policy.determination(), policy.validity());
        policies.add_row([
            policy.name().to_owned(),
            of.election.clone(),
            of.stage.to_string(),
            of.version.clone(),
            format!("{} to {}", valid.from, valid.until),
            format!("{:.16}..", policy.digest().to_string()),
        ]);
        for route in RouteReport::all(policy) {
            routes.add_row([
                policy.name().to_owned(),
                route.path,
                route.methods.join(" "),
                route.body,
                route.codings.join(" "),
                route.parameters.join(" "),
            ]);
        }
        for role in RoleReport::all(policy) {
            let called = format!("{}, {} at {}", policy.name(), role.role, role.level.as_str());
            if let Some(quota) = role.quota {
                notes.push(format!("Quota of {called}: {quota}, for each party"));
            }
            if role.on_token_end != OnTokenEnd::default().as_str() {
                notes.push(format!("When the token ends, {called}: {}", role.on_token_end));
            }
            for field in role.fields {
                let action = match field.action.as_str() {
                    "drop" => "drop".to_owned(),
                    action if field.emitted_as == field.field => action.to_owned(),
                    action => format!("{action} as {}", field.emitted_as),
                };
                roles.add_row([policy.name(), &role.role, role.level.as_str(), &field.field, &action]);
            }
        }
    }
    writeln!(out, "{policies}\n\n{routes}\n\n{roles}\n")?;
    for note in notes {
        writeln!(out, "{note}")?;
    }
    writeln!(out, "What is not named here is denied or stays behind. Digest of the set: {}", set.digest())?;
    Ok(())
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Report {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    policies: Vec<PolicyReport>,
    problems: Vec<ProblemReport>,
}

#[derive(Serialize)]
struct PolicyReport {
    name: String,
    digest: Digest,
    determination: Determination,
    valid_from: String,
    valid_until: String,
    legal_basis: String,
    approved_by: String,
    routes: Vec<RouteReport>,
    roles: Vec<RoleReport>,
}

#[derive(Serialize)]
struct RouteReport {
    path: String,
    methods: Vec<&'static str>,
    format: &'static str,
    /// How the source's body is built, in words.
    body: String,
    media_types: Vec<String>,
    codings: Vec<&'static str>,
    parameters: Vec<String>,
}

#[derive(Serialize)]
struct RoleReport {
    role: String,
    level: Level,
    fields: Vec<FieldReport>,
    /// Rows that a party may take; left out where there is no quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    quota: Option<RowQuota>,
    on_token_end: &'static str,
}

#[derive(Serialize)]
struct FieldReport {
    field: String,
    action: String,
    emitted_as: String,
}

impl Report {
    fn of(loaded: &Result<PolicySet, PolicyError>) -> Self {
        let (mut policies, mut problems) = (Vec::new(), Vec::new());
        match loaded {
            Ok(set) => policies = set.policies().map(PolicyReport::of).collect(),
            Err(error) => problems = error.diagnostics().iter().map(ProblemReport::of).collect(),
        }
        Self { ok: loaded.is_ok(), digest: loaded.as_ref().ok().map(PolicySet::digest), policies, problems }
    }
}

impl PolicyReport {
    fn of(policy: &Policy) -> Self {
        let valid = policy.validity();
        Self {
            name: policy.name().to_owned(),
            digest: policy.digest(),
            determination: policy.determination().clone(),
            valid_from: valid.from.to_string(),
            valid_until: valid.until.to_string(),
            legal_basis: policy.legal_basis().to_owned(),
            approved_by: policy.approved_by().to_owned(),
            routes: RouteReport::all(policy),
            roles: RoleReport::all(policy),
        }
    }
}

impl RouteReport {
    fn all(policy: &Policy) -> Vec<Self> {
        let routes = policy.routes().iter().map(|route| {
            let area = route.wilayah_parameter().into_iter();
            let others = route.parameters().iter().map(|(name, _)| name.as_str());
            Self {
                path: route.template().to_owned(),
                methods: route.methods().iter().map(|method| method.as_str()).collect(),
                format: route.format().as_str(),
                body: describe_body(route.format()),
                media_types: route.media_types().to_vec(),
                codings: route.codings().iter().map(|coding| coding.as_str()).collect(),
                parameters: area.chain(others).map(str::to_owned).collect(),
            }
        });
        routes.collect()
    }
}

impl RoleReport {
    fn all(policy: &Policy) -> Vec<Self> {
        let roles = policy.roles().iter().map(|role| Self {
            role: role.role.to_string(),
            level: role.level,
            quota: role.quota,
            on_token_end: role.on_token_end.as_str(),
            fields: role
                .fields
                .iter()
                .map(|rule| FieldReport {
                    field: rule.path.to_string(),
                    action: describe(&rule.action),
                    emitted_as: rule.emitted().to_string(),
                })
                .chain(role.kode_ganda.iter().map(|added| FieldReport {
                    field: KodeGanda::NAME.to_owned(),
                    action: added.to_string(),
                    emitted_as: KodeGanda::NAME.to_owned(),
                }))
                .collect(),
        });
        roles.collect()
    }
}

fn describe_body(format: &BodyFormat) -> String {
    let Some(format) = format.settled() else { return "csv, comma or tab by media type".to_owned() };
    match format {
        Format::Json(Records::Array) => "json, array".to_owned(),
        Format::Json(Records::Object) => "json, one record".to_owned(),
        Format::Json(Records::Envelope { field, .. }) => format!("json, array in `{field}`"),
        Format::Json(Records::Columns { columns, rows, .. }) => {
            format!("json, names in `{columns}`, values in `{rows}`")
        }
        Format::Csv { delimiter: b'\t', .. } => "csv, tab".to_owned(),
        Format::Csv { delimiter, .. } => format!("csv, `{}`", char::from(*delimiter)),
        Format::Ndjson | Format::JsonSeq => format.as_str().to_owned(),
    }
}

/// The action with all of its settings; a fixed text is part of the policy and may be shown here.
fn describe(action: &Action) -> String {
    match action {
        Action::Fixed(text) => format!("fixed({text:?})"),
        Action::Keep
        | Action::Drop
        | Action::Mask(_)
        | Action::Letters { .. }
        | Action::Year
        | Action::Age { .. }
        | Action::AgeBand { .. }
        | Action::Area { .. }
        | Action::Token
        | Action::Fpe => action.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(files: &[(&str, &str)], named: &[&str], format: OutputFormat) -> (Option<Answer>, String) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let paths = named.iter().map(|name| folder.path().join(name)).collect();
        let mut out = Vec::new();
        let answer = check(&CheckArgs { paths, format }, &mut out).ok();
        let text = String::from_utf8(anstream::adapter::strip_bytes(&out).into_vec()).unwrap();
        (answer, text.replace(&format!("{}/", folder.path().display()), ""))
    }

    const RIGHT: &str = include_str!("../../../policies/dpt-2024.toml");

    #[test]
    fn the_answer_is_yes_or_no_or_that_it_could_not_run() {
        let wrong = RIGHT.replace("\"kabkota\"", "\"kabkot\"");
        let files = [("right.toml", RIGHT), ("wrong.toml", wrong.as_str())];
        let cases = [
            ("right", vec!["right.toml"], Some(Answer::Yes)),
            ("wrong", vec!["wrong.toml"], Some(Answer::No)),
            ("one of two", vec!["right.toml", "wrong.toml"], Some(Answer::No)),
            ("absent", vec!["absent.toml"], None),
            ("right and absent", vec!["right.toml", "absent.toml"], None),
        ];
        for (name, named, expected) in cases {
            for format in [OutputFormat::Table, OutputFormat::Json] {
                let (answer, text) = run(&files, &named, format);
                assert_eq!(answer, expected, "{name}");
                assert!(!text.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn bodies_and_paths_are_shown_as_they_are_read() {
        let more = |path: &str, form: &str| {
            format!(
                "[[route]]\npath = \"/{path}/{{wilayah}}\"\nmethods = [\"GET\"]\nrow_area = \"kode_tps\"\n{form}\n\n"
            )
        };
        let json = "format = \"json\"\nmedia_types = [\"application/json\"]\nrecords";
        let csv = "format = \"csv\"\nmedia_types = [\"text/csv\", \"text/tab-separated-values\"]\n";
        let routes = [
            more("a", &format!("{json} = \"object\"")),
            more("b", &format!("{json} = {{ columns = \"kolom\", rows = \"baris\" }}")),
            more("c", &format!("{csv}codings = [\"zstd\", \"br\"]")),
            more("d", &format!("{csv}delimiter = \"\\t\"")),
            more("e", "format = \"json-seq\"\nmedia_types = [\"application/json-seq\"]"),
        ];
        let policy = RIGHT.replacen("[[role]]", &(routes.concat() + "[[role]]"), 1).replacen(
            "jenis_kelamin = \"keep\"",
            "\"anggota[].nik\" = { action = \"fpe\", as = \"nik_semu\" }\n\"alamat_lain.kelurahan\" = \"keep\"",
            1,
        );
        let (answer, text) = run(&[("a.toml", &policy)], &["a.toml"], OutputFormat::Table);
        assert_eq!(answer, Some(Answer::Yes), "{text}");
        let wanted = [
            "csv, `,`",
            "json, array in `data`",
            "json, one record",
            "json, names in `kolom`, values in `baris`",
            "csv, comma or tab by media type",
            "csv, tab",
            "zstd br",
            "json-seq",
            "anggota[].nik",
            "fpe as anggota[].nik_semu",
            "alamat_lain.kelurahan",
        ];
        for part in wanted {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }

    #[test]
    fn problems_for_machines_hold_place_and_remedy() {
        let (_, text) = run(&[("a.toml", "[policy]\nname = 1\n")], &["a.toml"], OutputFormat::Json);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["ok"], false);
        assert!(report.get("digest").is_none());
        let wrong_type = serde_json::json!({
            "path": "a.toml",
            "line": 2,
            "column": 8,
            "message": "`name` is a string, and this is of type integer",
            "notes": [],
            "remedy": "write it like `name = \"dpt-2024\"`",
        });
        assert!(report["problems"].as_array().unwrap().contains(&wrong_type), "{text}");
    }

    #[test]
    fn a_right_policy_is_shown_field_by_field() {
        let (_, text) = run(&[("a.toml", RIGHT)], &["a.toml"], OutputFormat::Table);
        let wanted = ["dpt-2024", "/dpt-envelope/{wilayah}.json", "age(2024-02-14) as usia", "mask(6,0)"];
        for part in wanted {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        let (_, text) = run(&[("a.toml", RIGHT)], &["a.toml"], OutputFormat::Json);
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let role = &report["policies"][0]["roles"][2];
        assert_eq!(role["role"], "bawaslu");
        assert_eq!(role["fields"].as_array().unwrap().len(), 7);
    }
}
