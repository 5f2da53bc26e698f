//! `GET /checkpoint` and `GET /tile/..`: the ledger in the public form of C2SP `tlog-tiles`, for those whom the
//! configuration allows. Hashes say nothing; entries name requesters, so they are for auditors, and each read of them is
//! entered before it is answered.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};

use super::body::ReplyBody;
use super::error::ReleaseError;
use super::receipt::is_auditor;
use crate::domain::{Ask, Method};
use crate::identity::Requester;
use crate::ledger::notice::AuditRead;
use crate::ledger::{Ledger, TileName};

const CHECKPOINT: &str = "/checkpoint";
const TILES: &str = "/tile/";

/// Who may read checkpoints and hashes besides auditors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Public {
    #[default]
    Nobody,
    /// Everybody with a valid token.
    Token,
    /// Also who has none.
    Anyone,
}

impl Public {
    /// Whether this path is answered without a token.
    pub(super) fn opens(self, path: &str) -> bool {
        let is_entries = || TileName::read(&path[1..]).is_none_or(|name| name.is_entries());
        self == Self::Anyone && (path == CHECKPOINT || (path.starts_with(TILES) && !is_entries()))
    }
}

/// Whether the path is one of the ledger's public form, well formed or not.
pub(super) fn is_asked(ask: &Ask) -> bool {
    ask.path() == CHECKPOINT || ask.path().starts_with(TILES)
}

/// The answer to who asks; without a requester only what [`Public::opens`] lets through comes here.
pub(super) async fn answer(
    ledger: &Ledger,
    public: Public,
    requester: Option<&Requester>,
    ask: &Ask,
) -> Result<Response<ReplyBody>, ReleaseError> {
    let auditor = requester.filter(|requester| is_auditor(requester));
    if public == Public::Nobody && auditor.is_none() {
        return Err(ReleaseError::NotPublic);
    }
    if ask.method() != Method::Get {
        return Err(ReleaseError::OwnMethod { allowed: Method::Get });
    }
    if !ask.parameters().is_empty() {
        return Err(ReleaseError::NotPublic);
    }
    if ask.path() == CHECKPOINT {
        let note = ledger.shown_checkpoint().await?;
        return Ok(respond(note.into_bytes(), "text/plain; charset=utf-8", "no-store"));
    }
    let name = TileName::read(&ask.path()[1..]).ok_or(ReleaseError::NotPublic)?;
    if name.is_entries() && auditor.is_none() {
        return Err(ReleaseError::NotPublic);
    }
    let bytes = ledger.tile(name).await?.ok_or(ReleaseError::NotPublic)?;
    if let (true, Some(auditor)) = (name.is_entries(), auditor) {
        let parameters = vec![("tile".to_owned(), name.to_string())];
        let entries = name.width();
        let auditor = auditor.subject.clone();
        let read = AuditRead { auditor, question: "tile".to_owned(), parameters, entries };
        ledger.read_by(read).await?;
    }
    let cache = match (name.is_full() && !name.is_entries(), public) {
        (false, _) => "no-store",
        (true, Public::Anyone) => "public, max-age=31536000, immutable",
        (true, Public::Token | Public::Nobody) => "private, max-age=31536000, immutable",
    };
    Ok(respond(bytes, "application/octet-stream", cache))
}

fn respond(bytes: Vec<u8>, kind: &'static str, cache: &'static str) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_token_only_hashes_and_checkpoints_are_open_and_only_where_anyone_may() {
        let cases = [
            ("/checkpoint", true),
            ("/tile/0/000", true),
            ("/tile/1/000.p/3", true),
            ("/tile/entries/000", false),
            ("/tile/entries/000.p/1", false),
            ("/tile/0/0", false),
            ("/tile/", false),
            ("/tile", false),
            ("/receipts/x", false),
            ("/", false),
            ("*", false),
        ];
        for (path, opens) in cases {
            assert_eq!(Public::Anyone.opens(path), opens, "{path}");
            assert!(!Public::Token.opens(path) && !Public::Nobody.opens(path), "{path}");
        }
    }
}
