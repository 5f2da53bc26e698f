//! `salinan log trace`: from a leaked file to the releases it can have come from.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;

use super::ask::Common;
use super::reads::read_word;
use super::row::text;
use super::sheet::{Row, Sheet, plain};
use super::when::Zone;
use crate::cli::print::{Answer, Failure, Outcome};
use crate::config;
use crate::domain::digest::Hasher;
use crate::domain::{Digest, ReleaseId};
use crate::ledger::Entries;
use crate::ledger::entry::{Entry, Intent};
use crate::release::MasterKey;
use crate::trace::{self, Case, Finding, Keys, Report, Strength, TEXT_BYTES_MAX, Table};

/// Releases that a leaked file can have come from, ranked, and why
///
/// The file is CSV, JSON or JSON line by line: a whole copy or a part of it, some of its columns, in any order. A release is
/// proven where the file is that copy byte for byte, or where keyed values in it (`token`, `kode_ganda`, `fpe`) are those
/// that the copy's key makes; all else is only consistent. Nothing of the file is printed.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Proof by keyed values needs the master key, and something to make them from: rows of the source in clear \
                        (--source), or a masked number in the same row of which at most four digits are hidden.\n\
                        Exit code 1: no release of the ledger can have been the origin.\n\n\
                        Example: salinan log trace leaked.csv --dir ledger --master-key certs/master.key --source extract.csv"
)]
pub struct Args {
    file: PathBuf,
    /// The secret that keys of copies are made from, as `[ledger] master_key` names it
    #[arg(long, value_name = "FILE")]
    master_key: Option<PathBuf>,
    /// Rows of the source in clear, such as those of the polling stations in the file; CSV, JSON or JSON line by line
    #[arg(long, value_name = "FILE", requires = "master_key")]
    source: Option<PathBuf>,
    /// Names of the file's columns, where its first line does not give them
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Copies of lists for this election alone
    #[arg(long, value_name = "NAME", value_parser = read_word)]
    election: Option<String>,
    /// Copies of this stage of the list alone
    #[arg(long, value_name = "STAGE", value_parser = read_word)]
    stage: Option<String>,
    /// Copies of this version of the list alone
    #[arg(long, value_name = "VERSION", value_parser = read_word)]
    version: Option<String>,
    /// At most so many releases in the table; CSV and JSON have all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    common: Common,
}

/// A release that the file can have come from.
#[derive(Debug, Serialize)]
struct TraceRow {
    rank: u64,
    /// Whether it is proven, or only consistent.
    proven: bool,
    verdict: &'static str,
    release: String,
    intent: u64,
    opened: String,
    party: Option<String>,
    requester: String,
    role: String,
    wilayah: String,
    election: String,
    stage: String,
    version: String,
    policy: String,
    policy_digest: String,
    outcome: &'static str,
    rows_explained: u64,
    why: Vec<String>,
}

impl Row for TraceRow {
    const COLUMNS: &'static [&'static str] = &[
        "rank",
        "proven",
        "verdict",
        "release",
        "intent",
        "opened",
        "party",
        "requester",
        "role",
        "wilayah",
        "election",
        "stage",
        "version",
        "policy",
        "policy_digest",
        "outcome",
        "rows_explained",
        "why",
    ];
    const HEADS: &'static [&'static str] =
        &["rank", "verdict", "opened, release", "who", "list, area, policy", "why"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.rank.to_string(),
            self.proven.to_string(),
            self.verdict.to_owned(),
            self.release.clone(),
            self.intent.to_string(),
            self.opened.clone(),
            text(self.party.as_ref()),
            self.requester.clone(),
            self.role.clone(),
            self.wilayah.clone(),
            self.election.clone(),
            self.stage.clone(),
            self.version.clone(),
            self.policy.clone(),
            self.policy_digest.clone(),
            self.outcome.to_owned(),
            self.rows_explained.to_string(),
            self.why.join("; "),
        ]
    }

    fn shown(&self) -> Vec<String> {
        vec![
            self.rank.to_string(),
            if self.proven { format!("PROOF\n{}", self.verdict) } else { self.verdict.to_owned() },
            format!("{}\n{}", self.opened, self.release),
            format!("{}\n{} ({})", plain(&text(self.party.as_ref())), plain(&self.requester), self.role),
            format!("{} {} {}\n{}\n{}", self.election, self.stage, self.version, self.wilayah, self.policy),
            self.why.join("\n"),
        ]
    }
}

pub fn run(args: &Args) -> Outcome {
    let file = Leaked::read(&args.file)?;
    let parsed = file.table(args.columns.as_deref());
    let source = args.source.as_deref().map(read_source).transpose()?;
    let master = args.master_key.as_deref().map(read_master_key).transpose()?;
    let rows = parsed.as_ref().map_or(0, Table::rows);
    let mut parameters = vec![("rows", rows.to_string())];
    parameters.push(("source", source.as_ref().map_or(0, Table::rows).to_string()));
    let list = [("election", &args.election), ("stage", &args.stage), ("version", &args.version)];
    parameters.extend(list.iter().filter_map(|(name, value)| Some((*name, (*value).clone()?))));
    let mut question = args.common.begin("trace", parameters)?;

    let mut releases = trace::Trace::default();
    let mut intents = Entries::of([args.common.of_kind("release.intent")]);
    while let Some(record) = question.next(&mut intents)? {
        if let Entry::Intent(intent) = &record.entry
            && args.is_asked(intent)
        {
            releases.add(record.index, intent);
        }
    }
    let key_of = master.as_ref().map(|master| |release: &ReleaseId| master.copy_key(release));
    let keys = key_of.as_ref().map(|keys| keys as &Keys<'_>);
    let case = Case { digest: file.digest, table: parsed.as_ref().ok(), source: source.as_ref(), keys };
    let report = releases.judge(&case, |index| {
        let opened = question.at(index)?;
        let account = opened.map(|opened| question.account(opened)).transpose()?.flatten();
        account.ok_or_else(|| Failure::new(format!("entry {index} is no intent any more")))
    })?;
    if let Err(why) = &parsed {
        if report.findings.is_empty() {
            let what = format!("the file is no whole copy, and could not be read as rows: {why}");
            return Err(Failure::new(what).help(
                "CSV, JSON and JSON line by line are read; --columns names the columns of CSV whose first line does not",
            ));
        }
        writeln!(anstream::stderr(), "note: the file was not read as rows: {why}")?;
    }
    let limit = if args.common.format == super::sheet::Format::Table { args.limit } else { usize::MAX };
    let mut sheet = Sheet::begin::<TraceRow>(args.common.format, &question.asked())?;
    for finding in report.findings.iter().take(limit) {
        sheet.add(&row(finding, &report, args.common.period.zone))?;
    }
    let reasons: Vec<(String, u64)> =
        report.reasons().into_iter().map(|(why, count)| (excluded(why, &report), count)).collect();
    let further = [
        ("file_sha256", json!(file.digest.to_string())),
        ("file_rows", json!(report.rows)),
        ("file_columns", json!(report.columns)),
        ("columns_set_aside", json!(report.strangers)),
        ("conclusion", json!(conclusion(&report))),
        ("excluded", json!(reasons)),
        ("notes", json!(notes(&report, master.is_some()))),
    ];
    sheet.end(&further)?;
    say(&report, &reasons, limit, master.is_some())?;
    Ok(if report.findings.is_empty() { Answer::No } else { Answer::Yes })
}

impl Args {
    fn is_asked(&self, intent: &Intent) -> bool {
        let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
        let list = &intent.determination;
        is(&self.election, &list.election)
            && is(&self.stage, &list.stage.to_string())
            && is(&self.version, &list.version)
    }
}

/// What is said of the answer as a whole, to people.
fn say(report: &Report, reasons: &[(String, u64)], limit: usize, has_key: bool) -> Result<(), Failure> {
    let mut talk = anstream::stderr();
    writeln!(talk, "{}", conclusion(report))?;
    if report.findings.len() > limit {
        writeln!(
            talk,
            "{} more can have been the origin; --limit N shows more",
            report.findings.len() - limit
        )?;
    }
    for (why, count) in reasons {
        writeln!(talk, "excluded {count}: {why}")?;
    }
    for note in notes(report, has_key) {
        writeln!(talk, "note: {note}")?;
    }
    Ok(())
}

fn conclusion(report: &Report) -> String {
    match report.first() {
        [] => "no release of this ledger can have been the origin of the file".to_owned(),
        [one] if one.strength.is_proof() => {
            format!("proven: the file came from release {}", one.account.intent.release)
        }
        several if several[0].strength == Strength::Whole => format!(
            "proven: the file is what each of {} releases gave, byte for byte; nothing in it tells them apart",
            several.len()
        ),
        several if several[0].strength.is_proof() => {
            format!("proven: the file was put together of copies of {} releases at least", several.len())
        }
        [one] if one.strength == Strength::Consistent => {
            format!(
                "one release alone is consistent with the whole file, which is no proof: {}",
                one.account.intent.release
            )
        }
        several if several[0].strength == Strength::Consistent => {
            format!(
                "nothing in the file tells these {} releases apart; each is consistent with it, none is proven",
                several.len()
            )
        }
        _ => "no single release explains the whole file: it was altered, or put together of several copies"
            .to_owned(),
    }
}

fn notes(report: &Report, has_key: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if !report.strangers.is_empty() {
        notes.push(format!(
            "no release gave these columns, which were set aside: {}",
            report.strangers.join(", ")
        ));
    }
    if !report.area_columns.is_empty() {
        notes.push(format!("rows were placed in areas by {}", report.area_columns.join(", ")));
    }
    if report.lacks_keys {
        notes.push(if has_key {
            "the file has keyed columns and nothing that they could be made again from: --source may prove a copy".to_owned()
        } else {
            "the file has keyed columns: --master-key, with --source where needed, may prove a copy".to_owned()
        });
    }
    if report.is_cut_short {
        notes.push(format!(
            "no more than {} keyed values were made; a smaller --source, or --election and --version, narrow the search",
            trace::CODES_MAX
        ));
    }
    if report.first().iter().any(|finding| matches!(finding.strength, Strength::Codes { .. })) {
        notes.push("a keyed value proves the copy that rows came from, not who passed them on".to_owned());
    }
    notes
}

fn row(finding: &Finding, report: &Report, zone: Zone) -> TraceRow {
    let (account, intent) = (&finding.account, &finding.account.intent);
    TraceRow {
        rank: finding.rank,
        proven: finding.strength.is_proof(),
        verdict: match finding.strength {
            Strength::Whole => "the whole copy",
            Strength::Codes { .. } => "keyed values",
            Strength::Consistent => "consistent",
            Strength::Partial => "a part is consistent",
        },
        release: intent.release.to_string(),
        intent: account.index,
        opened: zone.show(account.opened_ms),
        party: intent.party.as_ref().map(ToString::to_string),
        requester: intent.requester.clone(),
        role: intent.role.to_string(),
        wilayah: intent.wilayah.to_string(),
        election: intent.determination.election.clone(),
        stage: intent.determination.stage.to_string(),
        version: intent.determination.version.clone(),
        policy: intent.policy.clone(),
        policy_digest: intent.policy_digest.to_string(),
        outcome: account.outcome(),
        rows_explained: finding.rows,
        why: why(finding, report),
    }
}

fn why(finding: &Finding, report: &Report) -> Vec<String> {
    let intent = &finding.account.intent;
    let mut why = match finding.strength {
        Strength::Whole => vec!["proof: SHA-256 and length are those of the copy's completion".to_owned()],
        Strength::Codes { made, of } => vec![format!(
            "proof: {made} of {of} keyed values are those that this copy's key makes; under another key one would come out \
             once in 2^80 (fpe: once in 10^16)"
        )],
        Strength::Consistent | Strength::Partial => Vec::new(),
    };
    let Some(rows) = report.rows else { return why };
    why.push(format!("consistent: {} of {rows} rows", finding.rows));
    let masks: Vec<String> = report
        .columns
        .iter()
        .filter(|column| !report.strangers.contains(column))
        .filter_map(|column| intent.fields.iter().find(|(name, _)| name.to_lowercase() == **column))
        .map(|(name, word)| format!("{name} {word}"))
        .collect();
    why.push(format!("consistent: {}", masks.join(", ")));
    if finding.has_all_fields {
        why.push("the file has every field of this copy".to_owned());
    }
    if !report.area_columns.is_empty() {
        why.push(format!("consistent: those rows lie in {}", intent.wilayah));
    }
    why
}

fn excluded(why: trace::Excluded, report: &Report) -> String {
    use trace::{Excluded, Misfit};
    match why {
        Excluded::Column(column, misfit) => {
            let name = report.columns.get(column).cloned().unwrap_or_default();
            match misfit {
                Misfit::NotGiven => format!("the copy had no `{name}`"),
                Misfit::TooMuch => format!("`{name}` shows what the copy hid"),
                Misfit::Other => format!("`{name}` is of another form than the copy's"),
            }
        }
        Excluded::Area => "no row lies in the copy's area".to_owned(),
        Excluded::Stations => "the copy held no polling station of the rows".to_owned(),
        Excluded::Nothing => "nothing of the copy left".to_owned(),
        Excluded::OtherCopy => "its keyed values are those of another copy".to_owned(),
        Excluded::NotWhole => "the file is not this copy, byte for byte".to_owned(),
    }
}

/// The file: its digest whatever its length, and its bytes as far as they are read as rows.
struct Leaked {
    digest: Digest,
    bytes: Vec<u8>,
    is_whole: bool,
}

impl Leaked {
    fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::caused(format!("could not read {}", path.display()), error);
        let mut file = File::open(path).map_err(failed)?;
        let (mut hasher, mut bytes, mut is_whole) = (Hasher::default(), Vec::new(), true);
        let mut piece = vec![0; 1 << 20];
        loop {
            let read = file.read(&mut piece).map_err(failed)?;
            if read == 0 {
                return Ok(Self { digest: hasher.digest(), bytes, is_whole });
            }
            hasher.update(&piece[..read]);
            let room = TEXT_BYTES_MAX - bytes.len();
            bytes.extend_from_slice(&piece[..read.min(room)]);
            is_whole &= read <= room;
        }
    }

    fn table(&self, columns: Option<&[String]>) -> Result<Table, String> {
        if !self.is_whole {
            return Err(format!(
                "it is longer than {TEXT_BYTES_MAX} bytes; give a part of its lines with the first one"
            ));
        }
        Table::read(&self.bytes, columns).map_err(|error| error.to_string())
    }
}

fn read_source(path: &Path) -> Result<Table, Failure> {
    let source = Leaked::read(path)?;
    source
        .table(None)
        .map_err(|why| Failure::caused(format!("could not read rows from {}", path.display()), why))
}

fn read_master_key(path: &Path) -> Result<MasterKey, Failure> {
    config::master_key(path).map_err(|why| Failure::caused("could not read the master key", why))
}
