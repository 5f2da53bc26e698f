//! The request as HTTP gives it becomes an [`Ask`], or is refused before its path is looked at.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
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
    #[error("the request has a body")]
    BodyNotAllowed,
    #[error(transparent)]
    Ask(#[from] AskError),
}

/// Reads what is asked for. Headers play no part in it.
pub fn read_ask<B: Body>(request: &Request<B>) -> Result<Ask, RequestError> {
    if request.version() < Version::HTTP_11 {
        return Err(RequestError::HttpVersion);
    }
    // HTTP/2 carries the host beside the path; in HTTP/1.1 only a request to a forward proxy names it.
    if request.version() == Version::HTTP_11 && request.uri().authority().is_some() {
        return Err(RequestError::AbsoluteForm);
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::{Empty, Full};

    use super::*;

    #[test]
    fn odd_forms_of_a_request_are_refused_beside_the_plain_one() {
        let plain = || Request::get("/dpt/9901.csv").body(Empty::<Bytes>::new()).unwrap();
        assert!(read_ask(&plain()).is_ok());

        let mut old = plain();
        *old.version_mut() = Version::HTTP_10;
        assert_eq!(read_ask(&old).unwrap_err(), RequestError::HttpVersion);

        let mut absolute = plain();
        *absolute.uri_mut() = "https://other.example/dpt/9901.csv".parse().unwrap();
        assert_eq!(read_ask(&absolute).unwrap_err(), RequestError::AbsoluteForm);
        *absolute.version_mut() = Version::HTTP_2;
        assert!(read_ask(&absolute).is_ok());

        let body = Request::get("/dpt/9901.csv").body(Full::new(Bytes::from_static(b"x"))).unwrap();
        assert_eq!(read_ask(&body).unwrap_err(), RequestError::BodyNotAllowed);

        let mut chunked = plain();
        chunked.headers_mut().insert(TRANSFER_ENCODING, "chunked".parse().unwrap());
        assert_eq!(read_ask(&chunked).unwrap_err(), RequestError::BodyNotAllowed);
    }
}
