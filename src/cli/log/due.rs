//! `salinan log due`: what the operator still owes to whom, from a register and the ledger.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::civil::Date;
use serde::Serialize;

use super::ask::Asker;
use super::sheet::Format;
use super::when::Zone;
use super::{Place, unreadable};
use crate::cli::print::{self, Answer, Failure, Outcome};
use crate::domain::{Clock as _, Determination, SystemClock, Wilayah, day_in_wib, end_in_wib};
use crate::ledger::entry::{Entry, Intent};
use crate::ledger::{Entries, LedgerError, LedgerReader, Query, Record};
use crate::register::due::{Handover, Obligation, Stage, State, Totals, due};
use crate::register::{self, Register};

/// Entries fetched at a time.
const PAGE: u64 = 4_096;

#[derive(Debug, clap::Args)]
pub struct Due {
    #[command(flatten)]
    place: Place,
    /// Who is owed which copies: a TOML file, see docs/register.md
    #[arg(long, value_name = "FILE")]
    register: PathBuf,
    /// As it stood at the end of this day, counted in WIB; today without it
    #[arg(long, value_name = "YYYY-MM-DD")]
    at: Option<Date>,
    /// The party with this ballot number alone
    #[arg(long, value_name = "NUMBER")]
    party: Option<u16>,
    /// This area and those inside it alone
    #[arg(long, value_name = "CODE")]
    wilayah: Option<Wilayah>,
    /// Obligations in this state alone
    #[arg(long, value_enum)]
    state: Option<Wanted>,
    /// At most so many rows in the table, the most urgent first; CSV and JSON have all
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    asker: Asker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    NotDetermined,
    Owed,
    Offered,
    Fetched,
    Acknowledged,
    /// Owed or offered, and behind the deadline
    Overdue,
    /// Handed over behind the deadline
    Late,
}

/// The JSON.
#[derive(Serialize)]
struct Document<'a> {
    register: &'a Determination,
    at: Date,
    days: u16,
    counting: &'static str,
    /// Since when no copy of these lists is handed over any more, the election being over.
    frozen: Option<String>,
    totals: Totals,
    obligations: Vec<Row<'a>>,
}

/// A line of the CSV and an element of the JSON.
#[derive(Serialize)]
struct Row<'a> {
    party: u16,
    party_name: &'a str,
    wilayah: &'a str,
    wilayah_name: &'a str,
    determined: Option<Date>,
    deadline: Option<Date>,
    state: State,
    overdue: bool,
    days_left: Option<i32>,
    handed_over: Option<Date>,
    late: bool,
}

impl<'a> Row<'a> {
    fn of(one: &'a Obligation<'a>) -> Self {
        Self {
            party: one.party.number,
            party_name: &one.party.name,
            wilayah: one.wilayah.as_str(),
            wilayah_name: &one.area.name,
            determined: one.area.determined,
            deadline: one.area.deadline,
            state: one.state,
            overdue: one.is_overdue(),
            days_left: one.days_left,
            handed_over: one.handed_over,
            late: one.was_late(),
        }
    }
}

pub fn run(args: &Due) -> Outcome {
    let register = match register::load(&args.register) {
        Ok(register) => register,
        Err(problems) => {
            let mut talk = anstream::stderr();
            for problem in &problems {
                writeln!(talk, "{}", problem.render(true))?;
            }
            return Err(Failure::new("the register cannot be used").help("see docs/register.md"));
        }
    };
    let at = args.at.unwrap_or_else(|| day_in_wib(SystemClock.unix_ms()));
    let list = &register.determination;
    let mut parameters = vec![
        ("election", list.election.clone()),
        ("stage", list.stage.to_string()),
        ("version", list.version.clone()),
        ("at", at.to_string()),
    ];
    parameters.extend(args.party.map(|number| ("party", number.to_string())));
    parameters.extend(args.wilayah.map(|area| ("wilayah", area.to_string())));
    let (mut reader, _) = args.asker.open(&args.place, "due", &parameters)?;
    let handovers = handovers(&mut reader, &register, at).map_err(|error| unreadable(&args.place, error))?;
    let frozen = frozen_ms(&mut reader, &register, at).map_err(|error| unreadable(&args.place, error))?;
    let frozen = frozen.map(|ts_ms| Zone::default().show(ts_ms));
    let all = due(&register, handovers, at);
    let chosen: Vec<&Obligation<'_>> = all.iter().filter(|one| args.chooses(one)).collect();
    match args.format {
        Format::Table => {
            print_table(&register, at, &chosen, args.limit)?;
            if let Some(since) = &frozen {
                let end = "the election is over, and no copy of its lists is handed over any more";
                writeln!(anstream::stdout(), "since {since} {end}")?;
            }
        }
        Format::Csv => {
            let mut out = csv::Writer::from_writer(io::stdout().lock());
            for one in &chosen {
                out.serialize(Row::of(one))
                    .map_err(|error| Failure::caused("could not write the table", error))?;
            }
            out.flush()?;
        }
        Format::Json => {
            let document = Document {
                register: &register.determination,
                at,
                days: register.days,
                counting: register.counting.as_str(),
                frozen,
                totals: totals(chosen.iter().copied()),
                obligations: chosen.iter().map(|one| Row::of(one)).collect(),
            };
            let mut out = BufWriter::new(io::stdout().lock());
            serde_json::to_writer(&mut out, &document)
                .map_err(|error| Failure::caused("could not write the document", error))?;
            writeln!(out)?;
            out.flush()?;
        }
    }
    Ok(Answer::Yes)
}

impl Due {
    fn chooses(&self, one: &Obligation<'_>) -> bool {
        let is_wanted = match self.state {
            None => true,
            Some(Wanted::NotDetermined) => one.state == State::NotDetermined,
            Some(Wanted::Owed) => one.state == State::Owed,
            Some(Wanted::Offered) => one.state == State::Offered,
            Some(Wanted::Fetched) => one.state == State::Fetched,
            Some(Wanted::Acknowledged) => one.state == State::Acknowledged,
            Some(Wanted::Overdue) => one.is_overdue(),
            Some(Wanted::Late) => one.was_late(),
        };
        is_wanted
            && self.party.is_none_or(|number| one.party.number == number)
            && self.wilayah.is_none_or(|area| area.contains(&one.wilayah))
    }
}

/// What the ledger says of the releases of the register's list, up to the end of a day. One pass in the order of the
/// ledger, in which an intent comes before its end and that before what its recipient says.
fn handovers(reader: &mut LedgerReader, register: &Register, at: Date) -> Result<Vec<Handover>, LedgerError> {
    let query = Query { until_ms: end_in_wib(at), ..Query::default() };
    let mut handovers: Vec<Handover> = Vec::new();
    let mut places: HashMap<[u8; 16], usize> = HashMap::new();
    let mut from = 0;
    loop {
        let page = reader.lines(&query, from, PAGE)?;
        for line in &page {
            from = line.index + 1;
            let card = &line.card;
            match (&*card.kind, card.outcome.as_deref(), card.release) {
                ("release.intent", _, Some(release)) if card.party.is_some() => {
                    if let Entry::Intent(intent) = Record::read(line)?.entry
                        && intent.determination == register.determination
                        && let Some(handover) = handover(&intent)
                    {
                        places.insert(release, handovers.len());
                        handovers.push(handover);
                    }
                }
                ("release.complete", Some("complete"), Some(release)) => {
                    if let Some(place) = places.get(&release) {
                        handovers[*place].stage = Stage::Complete(day_in_wib(card.ts_ms));
                    }
                }
                ("release.ack", Some("match"), Some(release)) => {
                    if let Some(place) = places.get(&release)
                        && let Stage::Complete(day) = handovers[*place].stage
                    {
                        handovers[*place].stage = Stage::Acknowledged(day);
                    }
                }
                _ => {}
            }
        }
        if (page.len() as u64) < PAGE {
            return Ok(handovers);
        }
    }
}

/// When the register's election was declared over, if it was by the end of that day.
fn frozen_ms(reader: &mut LedgerReader, register: &Register, at: Date) -> Result<Option<u64>, LedgerError> {
    let kind = Some("log.freeze".to_owned());
    let mut found = Entries::of([Query { kind, until_ms: end_in_wib(at), ..Query::default() }]);
    while let Some(record) = found.next_in(reader)? {
        if let Entry::Freeze(freeze) = record.entry
            && freeze.election == register.determination.election
        {
            return Ok(Some(record.stamp.ts_ms));
        }
    }
    Ok(None)
}

/// `None` for who is no party, or one of another election.
fn handover(intent: &Intent) -> Option<Handover> {
    let party = intent.party.as_ref()?;
    // The area asked for may stand among the parameters; any other one leaves rows out.
    let is_area = |value: &str| value.parse::<Wilayah>().is_ok_and(|area| area == intent.wilayah);
    (party.election == intent.determination.election).then(|| Handover {
        party: party.number,
        level: intent.level,
        wilayah: intent.wilayah,
        is_narrowed: intent.parameters.iter().any(|(_, value)| !is_area(value)),
        stage: Stage::Opened,
    })
}

fn totals<'a>(obligations: impl IntoIterator<Item = &'a Obligation<'a>>) -> Totals {
    let mut totals = Totals::default();
    for one in obligations {
        totals.add(one);
    }
    totals
}

fn print_table(
    register: &Register,
    at: Date,
    chosen: &[&Obligation<'_>],
    limit: usize,
) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    let list = &register.determination;
    writeln!(
        out,
        "{} {} {}, at the end of {at} (WIB); {} {} days",
        list.election,
        list.stage,
        list.version,
        register.days,
        register.counting.as_str()
    )?;
    let heads = [
        "party",
        "obligations",
        "not determined",
        "owed",
        "offered",
        "fetched",
        "acknowledged",
        "overdue",
        "late",
    ];
    let mut table = print::table(&heads);
    let mut add = |name: String, totals: Totals| {
        let counts = [
            totals.obligations,
            totals.not_determined,
            totals.owed,
            totals.offered,
            totals.fetched,
            totals.acknowledged,
            totals.overdue,
            totals.late,
        ];
        table.add_row([name].into_iter().chain(counts.map(|count| count.to_string())));
    };
    for party in &register.parties {
        let own = totals(chosen.iter().copied().filter(|one| one.party.number == party.number));
        if own.obligations > 0 {
            add(format!("{} {}", party.number, party.name), own);
        }
    }
    add("all".to_owned(), totals(chosen.iter().copied()));
    writeln!(out, "{table}")?;

    let mut urgent: Vec<&&Obligation<'_>> = chosen.iter().filter(|one| one.days_left.is_some()).collect();
    urgent.sort_by_key(|one| (one.days_left, one.wilayah, one.party.number));
    if !urgent.is_empty() && limit > 0 {
        let mut table = print::table(&["party", "wilayah", "name", "deadline", "days left", "state"]);
        for one in urgent.iter().take(limit) {
            table.add_row([
                one.party.number.to_string(),
                one.wilayah.to_string(),
                one.area.name.clone(),
                one.area.deadline.map_or(String::new(), |day| day.to_string()),
                one.days_left.map_or(String::new(), |days| days.to_string()),
                one.state.as_str().to_owned(),
            ]);
        }
        writeln!(out, "{table}")?;
        if urgent.len() > limit {
            writeln!(out, "and {} more; --limit N shows more, --format csv all", urgent.len() - limit)?;
        }
    }
    Ok(())
}
