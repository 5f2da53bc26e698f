//! What every answer of a release bears: its name, the policy that decided, where its receipt is; and after the body,
//! where the requester reads that far, its digest.

use std::time::Duration;

use http::header::{LINK, TE, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::admission::Rate;
use crate::domain::ask::RECEIPTS;
use crate::domain::digest::Hasher;
use crate::domain::{Digest, ReleaseId};

const RELEASE_ID: HeaderName = HeaderName::from_static("release-id");
const POLICY_DIGEST: HeaderName = HeaderName::from_static("policy-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const UNENCODED_DIGEST: HeaderName = HeaderName::from_static("unencoded-digest");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// A release as its answers name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    pub release: ReleaseId,
    /// Digest of the policy that decided.
    pub policy: Digest,
}

impl Named {
    pub(super) fn put(&self, headers: &mut HeaderMap) {
        put_policy(headers, self.policy);
        let release = self.release;
        put(headers, RELEASE_ID, &release.to_string());
        // `describedby` is the registered relation that fits; `receipt` says which description it is.
        put(headers, LINK, &format!("</{RECEIPTS}/{release}>; rel=\"receipt describedby\""));
    }
}

pub(super) fn put_policy(headers: &mut HeaderMap, digest: Digest) {
    put(headers, POLICY_DIGEST, &format!("sha-256={digest}"));
}

/// A limit as the fields of draft-ietf-httpapi-ratelimit-headers name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    name: &'static str,
    quota: u64,
    /// What is counted; requests, where it is left out.
    unit: Option<&'static str>,
    window: Option<Duration>,
}

impl Limit {
    /// A quota of rows.
    pub fn rows(rows: u64, window: Duration) -> Self {
        Self { name: "rows", quota: rows, unit: Some("rows"), window: Some(window) }
    }

    /// A rate of requests, of whom the name says.
    pub fn rate(name: &'static str, rate: Rate) -> Self {
        Self { name, quota: rate.burst.get().into(), unit: None, window: Some(rate.window()) }
    }

    /// Copies under way at one time.
    pub fn copies(max: usize) -> Self {
        Self { name: "copies", quota: max as u64, unit: Some("concurrent-requests"), window: None }
    }

    /// What there is in all.
    pub fn put_policy(&self, headers: &mut HeaderMap) {
        let Self { name, quota, unit, window } = self;
        let mut text = format!("\"{name}\";q={quota}");
        if let Some(unit) = unit {
            text.push_str(&format!(";qu=\"{unit}\""));
        }
        if let Some(window) = window {
            text.push_str(&format!(";w={}", window.as_secs()));
        }
        put(headers, RATELIMIT_POLICY, &text);
    }

    /// What is left, and for how many seconds that is so.
    pub fn put_left(&self, headers: &mut HeaderMap, left: u64, seconds: u64) {
        put(headers, RATELIMIT, &format!("\"{}\";r={left};t={seconds}", self.name));
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::try_from(text) {
        headers.insert(name, value);
    }
}

/// The digests that follow a body (RFC 9530). `Content-Digest` is of the body as it is sent. Of a coded body that is
/// not what the ledger holds, so `Unencoded-Digest` follows it: what the body decodes to.
#[derive(Default)]
pub(super) struct Trailers {
    coded: Option<Hasher>,
}

impl Trailers {
    /// HTTP/2 has a place for them that who does not look passes over. In HTTP/1.1 they are sent to who says
    /// `TE: trailers`.
    pub fn wanted<B>(request: &Request<B>, is_coded: bool) -> Option<Self> {
        let said = request.headers().get_all(TE).iter().filter_map(|line| line.to_str().ok());
        let mut words = said.flat_map(|line| line.split(',')).map(str::trim);
        let wanted =
            request.version() == Version::HTTP_2 || words.any(|word| word.eq_ignore_ascii_case("trailers"));
        wanted.then(|| Self { coded: is_coded.then(Hasher::default) })
    }

    pub fn announce(&self, headers: &mut HeaderMap) {
        let names = if self.coded.is_some() { "content-digest, unencoded-digest" } else { "content-digest" };
        headers.insert(TRAILER, HeaderValue::from_static(names));
    }

    /// These bytes of the body are sent.
    pub fn sent(&mut self, bytes: &[u8]) {
        if let Some(coded) = &mut self.coded {
            coded.update(bytes);
        }
    }

    /// The trailers of a body whose digest before any coding is `body`.
    pub fn end(self, body: Digest) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        let field = |digest: Digest| format!("sha-256=:{}:", BASE64_STANDARD.encode(digest.0));
        match self.coded {
            None => put(&mut trailers, CONTENT_DIGEST, &field(body)),
            Some(coded) => {
                put(&mut trailers, CONTENT_DIGEST, &field(coded.digest()));
                put(&mut trailers, UNENCODED_DIGEST, &field(body));
            }
        }
        trailers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_go_to_who_reads_that_far() {
        let cases: [(Version, &[&str], bool); 7] = [
            (Version::HTTP_11, &[], false),
            (Version::HTTP_11, &["trailers"], true),
            (Version::HTTP_11, &["gzip, Trailers"], true),
            (Version::HTTP_11, &["gzip", "trailers"], true),
            (Version::HTTP_11, &["trailers-not"], false),
            (Version::HTTP_11, &["gzip;q=0.5"], false),
            (Version::HTTP_2, &[], true),
        ];
        for (version, lines, expected) in cases {
            let mut request = Request::new(());
            *request.version_mut() = version;
            for line in lines {
                request.headers_mut().append(TE, HeaderValue::from_static(line));
            }
            assert_eq!(Trailers::wanted(&request, false).is_some(), expected, "{version:?} {lines:?}");
        }
    }

    #[test]
    fn a_coded_body_has_two_digests_and_another_one() {
        let mut request = Request::new(());
        *request.version_mut() = Version::HTTP_2;
        let ended = |is_coded| {
            let mut trailers = Trailers::wanted(&request, is_coded).unwrap();
            trailers.sent(b"hello");
            let mut announced = HeaderMap::new();
            trailers.announce(&mut announced);
            let ended = trailers.end(Digest::of(b""));
            let names: Vec<_> = ended.keys().map(HeaderName::as_str).collect();
            assert_eq!(announced[TRAILER], names.join(", "));
            ended
        };
        // The digests of nothing and of `hello`, as `openssl dgst -sha256 -binary | base64` prints them.
        let (empty, hello) = (
            "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:",
            "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:",
        );
        assert_eq!(ended(false)[CONTENT_DIGEST], empty);
        assert_eq!(ended(true)[CONTENT_DIGEST], hello);
        assert_eq!(ended(true)[UNENCODED_DIGEST], empty);
    }
}
