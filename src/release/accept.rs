//! Which coding a request asks for. The one header that plays a part in what a copy looks like, and none in whether
//! there is one.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

use crate::domain::ContentCoding;

/// The coding for the copy, of those that its route offers. Several lines of the header are one list (RFC 9110,
/// section 5.3); one that is no text is malformed, and then the copy leaves as it is.
pub(super) fn coding(headers: &HeaderMap, offered: &[ContentCoding]) -> Option<ContentCoding> {
    let mut lines = headers.get_all(ACCEPT_ENCODING).iter().peekable();
    lines.peek()?;
    let lines: Option<Vec<&str>> = lines.map(|line| line.to_str().ok()).collect();
    ContentCoding::choose(Some(&lines?.join(",")), offered)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn several_lines_are_one_list_and_what_is_no_text_is_no_wish() {
        let cases: [(&[&[u8]], Option<ContentCoding>); 6] = [
            (&[], None),
            (&[b""], None),
            (&[b"gzip"], Some(ContentCoding::Gzip)),
            (&[b"gzip;q=0.1", b"br"], Some(ContentCoding::Br)),
            (&[b"gzip", b"gzip;q=0"], None),
            (&[b"gzip", b"\xff"], None),
        ];
        for (lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(ACCEPT_ENCODING, HeaderValue::from_bytes(line).unwrap());
            }
            assert_eq!(coding(&headers, &ContentCoding::ALL), expected, "{lines:?}");
        }
    }
}
