//! The request as HTTP gives it becomes an [`Ask`], or is refused before its path is looked at.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{Request, Version};
use http_body::Body;
use thiserror::Error;

use crate::domain::{Ask, AskError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RequestError {
    #[error("HTTP/1.0 and older cannot show that a body was cut short")]
    HttpVersion,
    #[error("the request names a host in its target")]
    AbsoluteForm,
    #[error("the request does not name one host, plainly and once")]
    Host,
    #[error("the request has a body")]
    BodyNotAllowed,
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Reads what is asked for. Headers play no part in it but those by which another reader could see another request.
pub fn read_ask<B: Body>(request: &Request<B>) -> Result<Ask, RequestError> {
    if request.version() < Version::HTTP_11 {
        return Err(RequestError::HttpVersion);
    }
    // HTTP/2 carries the host beside the path; in HTTP/1.1 only a request to a forward proxy names it.
    if request.version() == Version::HTTP_11 && request.uri().authority().is_some() {
        return Err(RequestError::AbsoluteForm);
    }
    if !names_one_host(request) {
        return Err(RequestError::Host);
    }
    let headers = request.headers();
    if headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
        || !request.body().is_end_stream()
    {
        return Err(RequestError::BodyNotAllowed);
    }
    let uri = request.uri();
    Ok(Ask::read(request.method().as_str(), uri.path(), uri.query())?)
}

/// Whether whoever routes by host reads the same one everywhere (RFC 9112, section 3.2; RFC 9113, section 8.3.1).
fn names_one_host<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (request.uri().authority(), hosts.next(), hosts.next()) {
        (Some(authority), None, _) => is_plain_host(authority.as_str().as_bytes()),
        (Some(authority), Some(host), None) => {
            is_plain_host(host.as_bytes())
                && authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes())
        }
        (None, Some(host), None) => is_plain_host(host.as_bytes()),
        _ => false,
    }
}

/// A name or an address, with at most a port.
fn is_plain_host(text: &[u8]) -> bool {
    Authority::try_from(text).is_ok_and(|authority| {
        let has_port = authority.as_str() != authority.host();
        !authority.host().is_empty()
            && !authority.as_str().contains('@')
            && (!has_port || authority.port_u16().is_some())
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn odd_forms_of_a_request_are_refused_beside_the_plain_one() {
        let plain = || Request::get("/dpt/9901.csv").header("host", "a").body(Empty::<Bytes>::new()).unwrap();
        assert!(read_ask(&plain()).is_ok());

        let mut old = plain();
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(read_ask(&old).unwrap_err(), RequestError::HttpVersion);

        let mut absolute = plain();
        *absolute.uri_mut() = "https://other.example/dpt/9901.csv".parse().unwrap();
        assert_eq!(read_ask(&absolute).unwrap_err(), RequestError::AbsoluteForm);
        *absolute.version_mut() = Version::HTTP_2;
        absolute.headers_mut().insert(HOST, "Other.example".parse().unwrap());
        assert!(read_ask(&absolute).is_ok());
        absolute.headers_mut().insert(HOST, "salinan.example".parse().unwrap());
        assert_eq!(read_ask(&absolute).unwrap_err(), RequestError::Host);
        absolute.headers_mut().remove(HOST);
        assert!(read_ask(&absolute).is_ok());

        let body = plain().map(|_| Full::new(Bytes::from_static(b"x")));
        assert_eq!(read_ask(&body).unwrap_err(), RequestError::BodyNotAllowed);

        let mut chunked = plain();
        chunked.headers_mut().insert(TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert_eq!(read_ask(&chunked).unwrap_err(), RequestError::BodyNotAllowed);
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_at_most_a_port() {
        for host in ["a", "salinan.example:8443", "127.0.0.1", "[::1]", "[::1]:443"] {
            assert!(is_plain_host(host.as_bytes()), "{host}");
        }
        for host in ["", " ", "a b", "a:", "a:x", ":443", "a:99999", "u@a", "u:p@a", "a/b", "a?b", "a\\b"] {
            assert!(!is_plain_host(host.as_bytes()), "{host}");
        }
    }
}
