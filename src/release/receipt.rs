//! `GET /receipts/{release}`: the requester's own proof of what was recorded, and the auditors'.
//! `POST /receipts/{release}/ack?rows=3&bytes=241&sha256=..`: what the recipient says it holds, for the record.
//!
//! Another party's receipt does not exist for one who asks for it: the answer is the same as for a number that
//! was never given.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};

use super::ack;
use super::body::ReplyBody;
use super::error::ReleaseError;
use crate::domain::ask::RECEIPTS;
use crate::domain::{Ask, Method, ReleaseId};
use crate::identity::Requester;
use crate::ledger::notice::AuditRead;
use crate::ledger::{Ack, Completion, Entry, Intent, Ledger, Receipt};

/// The role that may read every receipt and no voter data.
const AUDITOR: &str = "auditor";

/// Whether the requester may read the record of all copies.
pub(super) fn is_auditor(requester: &Requester) -> bool {
    requester.role.as_str() == AUDITOR
}

/// Whether the path is one of receipts, well formed or not.
pub(super) fn is_asked(ask: &Ask) -> bool {
    ask.segments().next() == Some(RECEIPTS)
}

/// What is asked of a release's record.
pub(super) async fn answer(
    ledger: &Ledger,
    requester: &Requester,
    ask: &Ask,
) -> Result<Response<ReplyBody>, ReleaseError> {
    let mut segments = ask.segments().skip(1);
    let number = segments.next().and_then(|number| number.parse().ok());
    let release: ReleaseId = number.ok_or(ReleaseError::ReceiptUnknown)?;
    let is_ack = match (segments.next(), segments.next()) {
        (None, None) => false,
        (Some("ack"), None) => true,
        _ => return Err(ReleaseError::ReceiptUnknown),
    };
    let receipt = ledger.receipt(release).await?.ok_or(ReleaseError::ReceiptUnknown)?;
    let record = Recorded::read(&receipt).filter(|record| record.is_for(requester));
    let record = record.ok_or(ReleaseError::ReceiptUnknown)?;
    match (is_ack, ask.method()) {
        (false, Method::Get) if ask.parameters().is_empty() => {
            if !record.is_recipient(requester) {
                let parameters = vec![("release".to_owned(), release.to_string())];
                let (auditor, entries) = (requester.subject.clone(), receipt.entries.len() as u64);
                let question = "receipt".to_owned();
                ledger.read_by(AuditRead { auditor, question, parameters, entries }).await?;
            }
            Ok(document(receipt.write()))
        }
        (false, Method::Get) => Err(ReleaseError::ReceiptUnknown),
        (true, Method::Post) => ack::answer(ledger, requester, release, &record, ask).await,
        (false, _) => Err(ReleaseError::OwnMethod { allowed: Method::Get }),
        (true, _) => Err(ReleaseError::OwnMethod { allowed: Method::Post }),
    }
}

/// What the ledger says of a release.
pub(super) struct Recorded {
    /// The index of the intent.
    pub index: u64,
    pub intent: Intent,
    pub completion: Option<Completion>,
    pub acks: Vec<(u64, Ack)>,
}

impl Recorded {
    fn read(receipt: &Receipt) -> Option<Self> {
        let mut opened = None;
        let (mut completion, mut acks) = (None, Vec::new());
        for proven in &receipt.entries {
            match Entry::read(proven.leaf.as_bytes()) {
                Ok((_, Entry::Intent(intent))) => opened = Some((proven.index, *intent)),
                Ok((_, Entry::Complete(closed))) => completion = Some(closed.completion),
                Ok((_, Entry::Ack(ack))) => acks.push((proven.index, *ack)),
                Ok(_) | Err(_) => {}
            }
        }
        let (index, intent) = opened?;
        Some(Self { index, intent, completion, acks })
    }

    fn is_for(&self, requester: &Requester) -> bool {
        self.is_recipient(requester) || is_auditor(requester)
    }

    pub fn is_recipient(&self, requester: &Requester) -> bool {
        requester.subject == self.intent.requester && requester.client_id == self.intent.client_id
    }
}

/// A document of our own about a release.
pub(super) fn document(json: Vec<u8>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(json));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
