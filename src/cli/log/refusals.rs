//! `salinan log refusals`: who was refused, what, and why.

use serde::Serialize;

use super::ask::Common;
use super::records::read_party;
use super::releases::told;
use super::row::text;
use super::sheet::{Row, Sheet, plain};
use crate::cli::print::Outcome;
use crate::domain::{Party, Wilayah};
use crate::ledger::entry::Entry;
use crate::ledger::{Entries, Query};

/// Who was refused, what, and why
#[derive(Debug, clap::Args)]
#[command(after_help = "docs/refusals.md explains the codes.\n\n\
                        Example: salinan log refusals --dir ledger --from 2023-06-21 --format csv")]
pub struct Refusals {
    /// Refusals of this party alone
    #[arg(long, value_name = "ELECTION/NUMBER", value_parser = read_party)]
    party: Option<Party>,
    /// Refusals for this area and all inside it alone
    #[arg(long, value_name = "CODE")]
    wilayah: Option<Wilayah>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Serialize)]
struct RefusalRow {
    index: u64,
    time: String,
    party: Option<String>,
    requester: Option<String>,
    client_id: Option<String>,
    role: Option<String>,
    code: String,
    status: u16,
    route: Option<String>,
    wilayah: Option<Wilayah>,
}

impl Row for RefusalRow {
    const COLUMNS: &'static [&'static str] =
        &["index", "time", "party", "requester", "client_id", "role", "code", "status", "route", "wilayah"];
    const HEADS: &'static [&'static str] = Self::COLUMNS;

    fn cells(&self) -> Vec<String> {
        vec![
            self.index.to_string(),
            self.time.clone(),
            text(self.party.as_ref()),
            text(self.requester.as_ref()),
            text(self.client_id.as_ref()),
            text(self.role.as_ref()),
            self.code.clone(),
            self.status.to_string(),
            text(self.route.as_ref()),
            text(self.wilayah),
        ]
    }

    fn shown(&self) -> Vec<String> {
        self.cells().iter().map(|cell| plain(cell)).collect()
    }
}

pub fn refusals(args: &Refusals) -> Outcome {
    let common = &args.common;
    let mut parameters = Vec::new();
    parameters.extend(args.party.as_ref().map(|party| ("party", party.to_string())));
    parameters.extend(args.wilayah.map(|wilayah| ("wilayah", wilayah.to_string())));
    let query =
        Query { party: args.party.clone(), wilayah: args.wilayah, ..common.of_kind("release.refused") };
    let mut question = common.begin("refusals", parameters)?;
    let mut sheet = Sheet::begin::<RefusalRow>(common.format, &question.asked())?;
    let mut found = Entries::of([query]);
    while let Some(record) = question.next(&mut found)? {
        let Entry::Refused(refusal) = record.entry else { continue };
        sheet.add(&RefusalRow {
            index: record.index,
            time: common.period.zone.show(record.stamp.ts_ms),
            party: refusal.party.map(|party| party.to_string()),
            requester: refusal.requester,
            client_id: refusal.client_id,
            role: refusal.role.map(|role| role.to_string()),
            code: refusal.code,
            status: refusal.status,
            route: refusal.route,
            wilayah: refusal.wilayah,
        })?;
    }
    told(sheet.end(&[])?)
}
