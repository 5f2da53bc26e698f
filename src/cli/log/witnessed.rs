//! `salinan log verify --policy`: whether enough witnesses signed a checkpoint of this ledger.

use std::fs;
use std::io;
use std::path::Path;

use comfy_table::Table;
use serde_json::{Value, json};

use super::time;
use crate::cli::print::Failure;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::quorum::{Quorum, TrustPolicy};
use crate::ledger::verify::Report;
use crate::ledger::{LedgerError, LedgerReader};

/// What witnesses have to do with the ledger.
pub struct Witnessed {
    /// Why there is nothing to count, or the size that was signed and who did.
    found: Result<(u64, Quorum), String>,
}

/// Reads a policy file.
pub fn load(path: &Path) -> Result<TrustPolicy, Failure> {
    let failed = || format!("could not use the policy {}", path.display());
    let text = fs::read_to_string(path).map_err(|error| Failure::caused(failed(), error))?;
    TrustPolicy::read(&text).map_err(|error| {
        Failure::caused(failed(), error)
            .help("it is a file of C2SP tlog-policy: log, witness, group and quorum lines")
    })
}

impl Witnessed {
    /// Holds the checkpoint in the file against the ledger, which is sound, and the policy.
    pub fn look(
        policy: &TrustPolicy,
        path: &Path,
        reader: &mut LedgerReader,
        report: &Report,
    ) -> Result<Self, LedgerError> {
        let note = match fs::read_to_string(path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self { found: Err("no checkpoint that witnesses signed is there".to_owned()) });
            }
            Err(source) => {
                return Err(LedgerError::File { path: path.to_owned(), source: source.into() });
            }
        };
        let no = |why: &str| Ok(Self { found: Err(why.to_owned()) });
        // By the policy's own word for the ledger where it has one, and else by the key that was verified with.
        let opened = if policy.logs().is_empty() {
            report.keys.open(&note).ok()
        } else {
            policy.logs().iter().find_map(|log| Checkpoint::open(&note, log).ok())
        };
        let Some(checkpoint) = opened else {
            return no("the witnessed checkpoint is not signed by the ledger's key");
        };
        if checkpoint.size > report.size {
            return no("witnesses signed a larger ledger: this one was put back or cut off");
        }
        if !reader.had(&checkpoint, report.base.as_ref())? {
            return no("witnesses signed another history: this ledger was forked or written anew");
        }
        Ok(Self { found: Ok((checkpoint.size, policy.judge(&note))) })
    }

    pub fn is_met(&self) -> bool {
        matches!(&self.found, Ok((_, quorum)) if quorum.is_met)
    }

    pub fn add_to(&self, table: &mut Table) {
        match &self.found {
            Err(why) => drop(table.add_row(["witnesses", why])),
            Ok((size, quorum)) => {
                table.add_row(["witnesses", &format!("{quorum}, at size {size}")]);
                for (name, _, time_s) in &quorum.witnesses {
                    let when = time_s
                        .map_or("did not sign".to_owned(), |time_s| format!("signed at {}", at(time_s)));
                    table.add_row(["witness", &format!("{name}: {when}")]);
                }
            }
        }
    }

    pub fn json(&self) -> Value {
        match &self.found {
            Err(why) => json!({ "met": false, "why": why }),
            Ok((size, quorum)) => {
                let witness = |(name, witness, time_s): &(String, String, Option<u64>)| json!({ "name": name, "witness": witness, "signed": time_s.map(at) });
                let witnesses: Vec<Value> = quorum.witnesses.iter().map(witness).collect();
                json!({ "met": quorum.is_met, "size": size, "witnesses": witnesses })
            }
        }
    }
}

fn at(time_s: u64) -> String {
    time(time_s.saturating_mul(1_000))
}
