//! What a receipt proves and what it does not, in sentences.

use super::verify::Compared;
use crate::domain::Digest;
use crate::ledger::entry::{Ack, Completion, Intent};
use crate::ledger::leaf::write_time;
use crate::ledger::notice::Rotation;
use crate::ledger::quorum::Quorum;
use crate::ledger::{Coverage, Ending, Evidence, Outcome, Proved};

pub struct Said {
    pub proven: Vec<String>,
    pub not_proven: Vec<String>,
}

pub fn of(
    evidence: &Evidence,
    key_given: bool,
    compared: Option<&Compared>,
    quorum: Option<&Quorum>,
) -> Said {
    let mut said = Said { proven: Vec::new(), not_proven: Vec::new() };
    let last = evidence.acks.last().map(|ack| ack.index);
    let last = last.or(evidence.ending.as_ref().map(|ending| ending.index)).unwrap_or(evidence.intent.index);
    said.proven.push(format!(
        "Entries {} to {last} named below stand in the ledger `{}`: they are in the tree of {} entries with root {} that \
         the key {} signed.",
        evidence.intent.index,
        evidence.signer.name(),
        evidence.checkpoint.size,
        Digest(evidence.checkpoint.root),
        evidence.signer,
    ));
    handed_over(&evidence.handovers, &mut said);
    opened(&evidence.intent, &mut said);
    match &evidence.ending {
        None => said.not_proven.push(
            "How the copy ended: up to that size the ledger has no end of it. Fetch the receipt again."
                .to_owned(),
        ),
        Some(Proved { index, stamp, entry: Ending::Complete(end) }) => {
            said.proven.push(format!("{}: {}", place(*index, stamp.ts_ms), ended(end)));
            if let Some(compared) = compared {
                body(compared, end, &mut said);
            } else {
                said.not_proven.push("That the file you hold is this copy: give it with --body.".to_owned());
            }
        }
        Some(Proved { index, stamp, entry: Ending::Reconciled(own) }) => {
            let most = own.bytes_max.map_or("no known bound".to_owned(), |most| format!("{most} bytes"));
            said.proven.push(format!(
                "{}: the end of the copy could not be recorded as it happened. Between {} bytes and {most} had been \
                 handed to the connection.",
                place(*index, stamp.ts_ms),
                own.bytes_min,
            ));
        }
    }
    acknowledged(&evidence.acks, &mut said);
    if !key_given {
        said.not_proven.push(
            "Whose ledger it is: the key was taken from the receipt itself. Give the one you know with --vkey.".to_owned(),
        );
    }
    witnessed(quorum, &mut said);
    said.not_proven
        .push("That the times are right: they are by the server's clock. The order is proven.".to_owned());
    said
}

fn handed_over(handovers: &[Proved<Rotation>], said: &mut Said) {
    let (Some(first), Some(last)) = (handovers.first(), handovers.last()) else { return };
    let places: Vec<String> =
        handovers.iter().map(|handover| place(handover.index, handover.stamp.ts_ms)).collect();
    said.proven.push(format!(
        "The key you gave, {}, named its successor in the ledger, and that one the next, up to {}: {}.",
        first.entry.old_vkey,
        last.entry.new_vkey,
        places.join("; "),
    ));
    said.not_proven.push(
        "That nobody else had the key you gave: whoever holds it can hand over to a key of their own. Ask the KPU for the \
         key in force where that matters."
            .to_owned(),
    );
}

fn witnessed(quorum: Option<&Quorum>, said: &mut Said) {
    let Some(quorum) = quorum else {
        said.not_proven.push(
            "That nobody was shown another ledger: give the witnesses that you trust with --policy, or compare the \
             checkpoint with one that others hold."
                .to_owned(),
        );
        return;
    };
    let signed = quorum.witnesses.iter().filter_map(|(name, _, time_s)| {
        let time = write_time(time_s.as_ref()?.saturating_mul(1_000)).unwrap_or_default();
        Some(format!("{name} at {time}"))
    });
    let signed: Vec<String> = signed.collect();
    let signed = if signed.is_empty() { "none".to_owned() } else { signed.join(", ") };
    if quorum.is_met {
        said.proven.push(format!(
            "By the policy you gave, enough witnesses saw this very ledger and signed its checkpoint: {signed}."
        ));
    } else {
        said.not_proven.push(format!(
            "That nobody was shown another ledger: by the policy you gave, too few witnesses signed this checkpoint: {signed}."
        ));
    }
}

fn opened(intent: &Proved<Intent>, said: &mut Said) {
    let Proved { index, stamp, entry: own } = intent;
    let of = &own.determination;
    let narrowed: String = own.parameters.iter().map(|(name, value)| format!(", {name} {value}")).collect();
    let party = own.party.as_ref().map(|party| format!(" of party {party}")).unwrap_or_default();
    let mandate = own.mandate.as_ref().map(|number| format!(", mandate {number}")).unwrap_or_default();
    said.proven.push(format!(
        "{}: a copy of the list {} of {}, stage {}, version {}, for area {}{narrowed}, was opened for {} (client {}), \
         role {}{party} at level {}{mandate}.",
        place(*index, stamp.ts_ms),
        of.dataset,
        of.election,
        of.stage,
        of.version,
        own.wilayah,
        own.requester,
        own.client_id,
        own.role,
        own.level,
    ));
    let fields: Vec<String> = own.fields.iter().map(|(name, action)| format!("{name} ({action})")).collect();
    said.proven.push(format!(
        "It was decided by policy `{}`, SHA-256 {}, on the basis of: {}. Fields given, and what was done to each: {}. No \
         other field was.",
        own.policy,
        own.policy_digest,
        own.legal_basis,
        fields.join(", "),
    ));
}

fn ended(end: &Completion) -> String {
    let cause = end.cause.as_deref().unwrap_or("no cause");
    let what = match end.outcome {
        Outcome::Complete => "the whole copy was handed to the connection".to_owned(),
        Outcome::Aborted => {
            format!("the copy was broken off ({cause}); only a part was handed to the connection")
        }
        Outcome::Failed => return format!("no copy was sent ({cause})."),
    };
    let coding = match (&end.coding, end.coded_bytes) {
        (Some(coding), Some(bytes)) => format!(", sent as {bytes} bytes of {coding}"),
        _ => String::new(),
    };
    format!(
        "{what}: {} rows, {} bytes, SHA-256 {}{coding}. {} rows were withheld.{}",
        end.rows_out,
        end.bytes,
        end.body_sha256,
        end.rows_withheld,
        end.tps.as_ref().map(covered).unwrap_or_default(),
    )
}

/// Most desa that a sentence lists.
const DESA_SHOWN_MAX: usize = 12;

fn covered(tps: &Coverage) -> String {
    let desa = tps.ranges.as_deref().unwrap_or_default();
    let mut named: Vec<String> =
        desa.iter().take(DESA_SHOWN_MAX).map(|(desa, numbers)| format!("{desa}: {numbers}")).collect();
    if desa.len() > DESA_SHOWN_MAX {
        named.push(format!("and {} more desa", desa.len() - DESA_SHOWN_MAX));
    }
    let named = if named.is_empty() { String::new() } else { format!(" ({})", named.join("; ")) };
    format!(
        " They are of {} polling stations (TPS){named}; SHA-256 of their codes {}.",
        tps.count, tps.sha256
    )
}

fn body(compared: &Compared, end: &Completion, said: &mut Said) {
    let Compared { held, is_same, is_coded } = compared;
    if *is_same {
        let rows = match held.rows {
            Some(rows) if rows == end.rows_out => format!(" Its rows, counted, are {rows} as recorded."),
            Some(rows) => format!(" Its rows, counted, are {rows}; {} are recorded.", end.rows_out),
            None => String::new(),
        };
        said.proven.push(format!("The file you gave is what was handed over, byte for byte.{rows}"));
        return;
    }
    let why = if *is_coded {
        "it has the length of the coded copy: decode it first"
    } else if held.bytes < end.bytes {
        "it is shorter"
    } else {
        "it differs"
    };
    said.not_proven.push(format!(
        "That the file you gave is this copy. It is NOT what was recorded: {why}. It has {} bytes with SHA-256 {}.",
        held.bytes, held.sha256
    ));
}

fn acknowledged(acks: &[Proved<Ack>], said: &mut Said) {
    for Proved { index, stamp, entry: own } in acks {
        let word = if own.is_match { "that is what was recorded" } else { "that is NOT what was recorded" };
        said.proven.push(format!(
            "{}: the recipient stated that it holds {} rows, {} bytes, SHA-256 {}; {word}.",
            place(*index, stamp.ts_ms),
            own.rows,
            own.bytes,
            own.body_sha256,
        ));
    }
    if !acks.iter().any(|ack| ack.entry.is_match) {
        said.not_proven.push(
            "That the copy arrived: what was handed to a connection need not have, and the recipient has not said that it \
             holds this copy."
                .to_owned(),
        );
    }
}

fn place(index: u64, ts_ms: u64) -> String {
    format!("Entry {index}, {}", write_time(ts_ms).unwrap_or_default())
}
