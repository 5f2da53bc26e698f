//! The head of the source's answer, checked: only a whole 200 of a listed media type in UTF-8, with an end that can
//! be told from a break, is read on.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, StatusCode};

use super::UpstreamError;
use crate::domain::MediaType;

/// What the head says, as far as we use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub media_type: MediaType,
    /// `Content-Encoding` as given; whether it can be undone is the redactor's word.
    pub coding: Option<String>,
}

impl Answer {
    /// Checks status and headers against the media types the route lists.
    pub fn read(status: StatusCode, headers: &HeaderMap, listed: &[String]) -> Result<Self, UpstreamError> {
        if status == StatusCode::PARTIAL_CONTENT || headers.contains_key(CONTENT_RANGE) {
            return Err(UpstreamError::Partial);
        }
        if status != StatusCode::OK {
            return Err(UpstreamError::Status { status: status.as_u16() });
        }
        let media_type = only(headers, &CONTENT_TYPE, "Content-Type")?
            .and_then(|text| MediaType::read(text).ok())
            .ok_or(UpstreamError::Header { header: "Content-Type" })?;
        if !listed.iter().any(|essence| essence == media_type.essence()) {
            return Err(UpstreamError::MediaType);
        }
        if !media_type.is_utf8() {
            return Err(UpstreamError::Charset);
        }
        // Without either the body ends where the connection does, and a source that breaks off looks whole.
        if !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Err(UpstreamError::Unframed);
        }
        let coding = only(headers, &CONTENT_ENCODING, "Content-Encoding")?.map(str::to_owned);
        Ok(Self { media_type, coding })
    }
}

/// The header's one value, or none. Two lines of it have two readings, so they are refused.
fn only<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    shown: &'static str,
) -> Result<Option<&'h str>, UpstreamError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| UpstreamError::Header { header: shown }),
        (Some(_), Some(_)) => Err(UpstreamError::Header { header: shown }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_listed_utf8_answer_is_read_on() {
        let length = ("content-length", "9");
        let cases: [(&str, u16, &[(&str, &str)], &str); 16] = [
            ("plain", 200, &[("content-type", "text/csv"), length], "ok"),
            ("parameters and case", 200, &[("content-type", "Text/CSV; charset=UTF-8"), length], "ok"),
            (
                "gzip is named on",
                200,
                &[("content-type", "text/csv"), ("content-encoding", "gzip"), length],
                "ok",
            ),
            ("missing type", 200, &[], "source_header"),
            ("an end that only the close marks", 200, &[("content-type", "text/csv")], "source_unframed"),
            ("chunks", 200, &[("content-type", "text/csv"), ("transfer-encoding", "chunked")], "ok"),
            (
                "two types",
                200,
                &[("content-type", "text/csv"), ("content-type", "text/html")],
                "source_header",
            ),
            ("malformed type", 200, &[("content-type", "text/csv; charset")], "source_header"),
            ("html", 200, &[("content-type", "text/html")], "source_media_type"),
            ("json on a csv route", 200, &[("content-type", "application/json")], "source_media_type"),
            ("a longer name", 200, &[("content-type", "text/csvx")], "source_media_type"),
            ("utf-16", 200, &[("content-type", "text/csv; charset=utf-16")], "source_charset"),
            ("unasked part", 206, &[("content-type", "text/csv")], "source_partial"),
            (
                "range on 200",
                200,
                &[("content-type", "text/csv"), ("content-range", "bytes 0-1/2")],
                "source_partial",
            ),
            ("redirect", 302, &[("location", "https://elsewhere.example/")], "source_status"),
            ("error page", 500, &[("content-type", "text/csv")], "source_status"),
        ];
        for (name, status, pairs, expected) in cases {
            let mut headers = HeaderMap::new();
            for (key, value) in pairs {
                headers.append(HeaderName::try_from(*key).unwrap(), value.parse().unwrap());
            }
            let read =
                Answer::read(StatusCode::from_u16(status).unwrap(), &headers, &["text/csv".to_owned()]);
            assert_eq!(read.as_ref().map_or_else(UpstreamError::code, |_| "ok"), expected, "{name}");
        }
    }
}
