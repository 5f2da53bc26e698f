//! `salinan log party`, `area`, `policy`, `open`: which copies left, to whom.

use std::io::Write as _;
use std::str::FromStr;

use super::ask::{Common, Question};
use super::reads::read_word;
use super::records::read_party;
use super::row::ReleaseRow;
use super::sheet::Sheet;
use crate::cli::print::{Answer, Outcome};
use crate::domain::{Digest, Level, Party, Tps, Wilayah};
use crate::ledger::entry::Entry;
use crate::ledger::{Account, Entries, Query};

const INTENT: &str = "release.intent";

/// Everything one party took
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: salinan log party pemilu-2024/7 --dir ledger --from 2023-06-21 --until 2023-06-28"
)]
pub struct ByParty {
    #[arg(value_name = "ELECTION/NUMBER", value_parser = read_party)]
    party: Party,
    #[command(flatten)]
    common: Common,
}

/// Everyone who took one area or one polling station: what a citizen may ask for by UU PDP Pasal 32
///
/// A copy of a larger area holds the asked one too, unless its record lists the polling stations it held and none of them
/// is in the asked area; and a copy of an area inside it holds a part of it. Copies still open,
/// broken off or found open after a crash are listed with what can have left at most; copies of which nothing left are
/// not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`holds` says how much of the asked area a copy holds: all; part; or perhaps some of it, where the copy broke \
                  off, has no end yet, or was narrowed by something else than a polling station.\n\n\
                  Example: salinan log area 9901011001001 --stage dpt --version 1 --dir ledger"
)]
pub struct ByArea {
    /// Code of a province (2 digits), kabupaten/kota (4), kecamatan (6), desa (10) or TPS (13), dotted or not
    #[arg(value_name = "WILAYAH|TPS")]
    spot: Spot,
    /// Copies of lists for this election alone
    #[arg(long, value_name = "NAME", value_parser = read_word)]
    election: Option<String>,
    /// Copies of this stage of the list alone, such as `dpt` or `dpthp-1`
    #[arg(long, value_name = "STAGE", value_parser = read_word)]
    stage: Option<String>,
    /// Copies of this version of the list alone
    #[arg(long, value_name = "VERSION", value_parser = read_word)]
    version: Option<String>,
    #[command(flatten)]
    common: Common,
}

/// What one policy released, and to whom
#[derive(Debug, clap::Args)]
#[command(after_help = "A name finds all versions of that policy, each with its digest.\n\n\
                        Example: salinan log policy dpt-2024 --dir ledger")]
pub struct ByPolicy {
    /// Name of the policy, or the SHA-256 of its file
    #[arg(value_name = "DIGEST|NAME", value_parser = read_word)]
    policy: String,
    #[command(flatten)]
    common: Common,
}

/// Releases without an end, and those that were found without one after a crash
///
/// What can have left of them lies between `bytes_min` and `bytes_max`. The period is that of the opening.
#[derive(Debug, clap::Args)]
pub struct Open {
    #[command(flatten)]
    common: Common,
}

/// An area or a polling station.
#[derive(Debug, Clone, Copy)]
enum Spot {
    Area(Wilayah),
    Tps(Tps),
}

impl FromStr for Spot {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(tps) = text.parse() {
            return Ok(Self::Tps(tps));
        }
        text.parse().map(Self::Area).map_err(|_| "a code has 2, 4, 6, 10 or 13 digits".to_owned())
    }
}

impl Spot {
    fn code(&self) -> &str {
        match self {
            Self::Area(area) => area.as_str(),
            Self::Tps(tps) => tps.as_str(),
        }
    }

    /// The areas above it.
    fn above(&self) -> impl Iterator<Item = Wilayah> {
        let levels =
            Level::ALL.into_iter().filter_map(|level| Wilayah::of_code(self.code().as_bytes(), level));
        let mut above: Vec<Wilayah> = levels.filter(|area| area.as_str().len() < self.code().len()).collect();
        above.dedup();
        above.into_iter()
    }

    /// How much of it a copy held: `None` for nothing.
    fn held_by(&self, account: &Account) -> Option<&'static str> {
        let intent = &account.intent;
        if account.is_empty() {
            return None;
        }
        let is_complete = account.outcome() == "complete";
        let listed = account.completion().and_then(|completion| completion.tps.as_ref());
        // What broke off may have taken rows along that were not counted.
        if is_complete && listed.and_then(|tps| tps.holds(self.code())) == Some(false) {
            return None;
        }
        let (mut is_part, mut is_unsure) = (false, !is_complete);
        for (_, value) in &intent.parameters {
            match (self, value.parse::<Tps>()) {
                (Self::Tps(tps), Ok(own)) if *tps == own => {}
                (Self::Area(area), Ok(own)) if area.contains_tps(&own) => is_part = true,
                // The source was trusted to keep to the parameter; where its rows were looked at, they tell.
                (_, Ok(_)) if listed.and_then(|tps| tps.holds(self.code())) == Some(true) => is_unsure = true,
                (_, Ok(_)) => return None,
                // The area itself may stand among the parameters; any other one leaves rows out.
                (_, Err(_)) => is_unsure |= value.parse() != Ok(intent.wilayah),
            }
        }
        is_part |= match self {
            Self::Area(area) => !intent.wilayah.contains(area),
            Self::Tps(tps) => !intent.wilayah.contains_tps(tps),
        };
        Some(match (is_unsure, is_part) {
            (true, _) => "perhaps",
            (false, true) => "part",
            (false, false) => "all",
        })
    }
}

pub fn party(args: &ByParty) -> Outcome {
    let question = args.common.begin("party", vec![("party", args.party.to_string())])?;
    let query = Query { party: Some(args.party.clone()), ..args.common.of_kind(INTENT) };
    print(question, [query], |_| Some(None))
}

pub fn area(args: &ByArea) -> Outcome {
    let spot = &args.spot;
    let list = [("election", &args.election), ("stage", &args.stage), ("version", &args.version)];
    let given = list.iter().filter_map(|(name, value)| Some((*name, (*value).clone()?)));
    let name = if matches!(spot, Spot::Tps(_)) { "tps" } else { "wilayah" };
    let question =
        args.common.begin("area", [(name, spot.code().to_owned())].into_iter().chain(given).collect())?;
    let above = spot.above().map(|area| Query { area: Some(area), ..args.common.of_kind(INTENT) });
    let inside = match spot {
        Spot::Area(area) => Some(Query { wilayah: Some(*area), ..args.common.of_kind(INTENT) }),
        Spot::Tps(_) => None,
    };
    print(question, above.chain(inside), |account| {
        let list = &account.intent.determination;
        let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
        let is_listed = is(&args.election, &list.election)
            && is(&args.stage, &list.stage.to_string())
            && is(&args.version, &list.version);
        if is_listed { spot.held_by(account).map(Some) } else { None }
    })
}

pub fn policy(args: &ByPolicy) -> Outcome {
    let question = args.common.begin("policy", vec![("policy", args.policy.clone())])?;
    let digest = args.policy.parse::<Digest>().ok();
    print(question, [args.common.of_kind(INTENT)], |account| {
        let is_it = match digest {
            Some(digest) => account.intent.policy_digest == digest,
            None => account.intent.policy == args.policy,
        };
        is_it.then_some(None)
    })
}

pub fn open(args: &Open) -> Outcome {
    let mut question = args.common.begin("open", Vec::new())?;
    let mut sheet = Sheet::begin::<ReleaseRow>(args.common.format, &question.asked())?;
    let mut add = |account: Option<Account>| match account {
        Some(account) if args.common.period.holds(account.opened_ms) => {
            sheet.add(&ReleaseRow::of(&account, None, args.common.period.zone))
        }
        Some(_) | None => Ok(()),
    };
    let mut reconciled =
        Entries::of([Query { kind: Some("release.reconciled".to_owned()), ..Query::default() }]);
    while let Some(record) = question.next(&mut reconciled)? {
        if let Entry::Reconciled(closed) = record.entry
            && let Some(opened) = question.at(closed.intent)?
        {
            add(question.account(opened)?)?;
        }
    }
    for opened in question.open_releases()? {
        add(question.account(opened)?)?;
    }
    told(sheet.end(&[])?)
}

/// Prints the releases that `choose` takes, with what it says they hold.
fn print(
    mut question: Question<'_>,
    queries: impl IntoIterator<Item = Query>,
    choose: impl Fn(&Account) -> Option<Option<&'static str>>,
) -> Outcome {
    let common = question.common;
    let mut sheet = Sheet::begin::<ReleaseRow>(common.format, &question.asked())?;
    let mut opened = Entries::of(queries);
    while let Some(record) = question.next(&mut opened)? {
        let Some(account) = question.account(record)? else { continue };
        if let Some(holds) = choose(&account) {
            sheet.add(&ReleaseRow::of(&account, holds, common.period.zone))?;
        }
    }
    told(sheet.end(&[])?)
}

/// An empty answer is an answer, but nobody should take it for a slip of the program.
pub fn told(rows: u64) -> Outcome {
    if rows == 0 {
        writeln!(anstream::stderr(), "nothing of the kind is in the ledger")?;
    }
    Ok(Answer::Yes)
}
