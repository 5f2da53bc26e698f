//! What the recipient of a copy says it holds. Bytes given to a connection are an upper bound of what arrived; only
//! the recipient can say more, and what it says is entered beside what we say.

use http::Response;
use serde_json::json;

use super::body::ReplyBody;
use super::error::ReleaseError;
use super::receipt::{Recorded, document};
use crate::domain::{Ask, Digest, ReleaseId};
use crate::identity::Requester;
use crate::ledger::{Ack, Completion, Ledger, Outcome};

/// Statements of one release that are entered; who has said so much has said it all.
const ACKS_MAX: usize = 16;

/// Enters the statement and tells whether it agrees. The same statement again is answered with the first entry.
pub(super) async fn answer(
    ledger: &Ledger,
    requester: &Requester,
    release: ReleaseId,
    record: &Recorded,
    ask: &Ask,
) -> Result<Response<ReplyBody>, ReleaseError> {
    if !record.is_recipient(requester) {
        return Err(ReleaseError::ReceiptUnknown);
    }
    let Some(completion) = &record.completion else { return Err(ReleaseError::StillOpen) };
    let said = Said::read(ask)?;
    let ack = Ack {
        release,
        intent: record.index,
        requester: requester.subject.clone(),
        client_id: requester.client_id.clone(),
        rows: said.rows,
        bytes: said.bytes,
        body_sha256: said.sha256,
        is_match: said.agrees_with(completion),
    };
    let (index, is_match) = match record.acks.iter().find(|(_, known)| *known == ack) {
        Some((index, known)) => (*index, known.is_match),
        None if record.acks.len() >= ACKS_MAX => return Err(ReleaseError::SaidBefore),
        None => {
            let is_match = ack.is_match;
            (ledger.acknowledge(ack).await?, is_match)
        }
    };
    let said = json!({
        "release": release,
        "index": index,
        "match": is_match,
        "recorded": {
            "outcome": completion.outcome.as_str(),
            "rows": completion.rows_out,
            "bytes": completion.bytes,
            "sha256": completion.body_sha256,
        },
    });
    Ok(document(format!("{said:#}\n").into_bytes()))
}

/// The three parameters, each once and nothing else.
struct Said {
    rows: u64,
    bytes: u64,
    sha256: Digest,
}

impl Said {
    fn read(ask: &Ask) -> Result<Self, ReleaseError> {
        let number = |name: &str| ask.parameter(name).and_then(|text| text.parse().ok());
        let sha256 = ask.parameter("sha256").and_then(|text| text.parse().ok());
        match (number("rows"), number("bytes"), sha256, ask.parameters().len()) {
            (Some(rows), Some(bytes), Some(sha256), 3) => Ok(Self { rows, bytes, sha256 }),
            _ => Err(ReleaseError::Statement),
        }
    }

    fn agrees_with(&self, completion: &Completion) -> bool {
        completion.outcome == Outcome::Complete
            && self.rows == completion.rows_out
            && self.bytes == completion.bytes
            && self.sha256 == completion.body_sha256
    }
}
