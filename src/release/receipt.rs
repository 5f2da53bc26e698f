//! `GET /receipts/{release}`: the requester's own proof of what was recorded, and the auditors'.
//!
//! Another party's receipt does not exist for one who asks for it: the answer is the same as for a number that
//! was never given.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};
use serde_json::json;

use super::body::ReplyBody;
use super::error::ReleaseError;
use crate::domain::ask::RECEIPTS;
use crate::domain::{Ask, ReleaseId};
use crate::identity::Requester;
use crate::ledger::{Entry, Intent, Ledger};

/// The role that may read every receipt and no voter data.
const AUDITOR: &str = "auditor";

/// Whether the path is one of receipts, well formed or not.
pub(super) fn is_asked(ask: &Ask) -> bool {
    ask.segments().next() == Some(RECEIPTS)
}

/// `/receipts/{release}` and nothing more.
fn release_of(ask: &Ask) -> Option<ReleaseId> {
    let mut segments = ask.segments().skip(1);
    let number = segments.next()?;
    let is_whole = segments.next().is_none() && ask.parameters().is_empty();
    if is_whole { number.parse().ok() } else { None }
}

/// The receipt as JSON, when this requester may have it.
pub(super) async fn answer(
    ledger: &Ledger,
    requester: &Requester,
    ask: &Ask,
) -> Result<Response<ReplyBody>, ReleaseError> {
    let release = release_of(ask).ok_or(ReleaseError::ReceiptUnknown)?;
    let receipt = ledger.receipt(release).await?.ok_or(ReleaseError::ReceiptUnknown)?;
    let opened = receipt.entries.iter().find_map(|proven| match Entry::read(&proven.leaf) {
        Ok((_, Entry::Intent(intent))) => Some(intent),
        _ => None,
    });
    if !opened.is_some_and(|intent| may_read(requester, &intent)) {
        return Err(ReleaseError::ReceiptUnknown);
    }
    let entries: Vec<_> = receipt
        .entries
        .iter()
        .map(|proven| {
            // The leaf stands as text too, byte for byte, so that it can be hashed as it was recorded.
            let leaf = String::from_utf8_lossy(&proven.leaf);
            json!({ "index": proven.index, "leaf": leaf, "proof": proven.proof })
        })
        .collect();
    let document = json!({
        "release": release,
        "vkey": ledger.vkey(),
        "checkpoint": receipt.checkpoint,
        "entries": entries,
    });
    let mut response = Response::new(ReplyBody::whole(format!("{document:#}\n")));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

fn may_read(requester: &Requester, intent: &Intent) -> bool {
    let is_recipient = requester.subject == intent.requester && requester.client_id == intent.client_id;
    is_recipient || requester.role.as_str() == AUDITOR
}
