//! The parsed request line: method, path segments and parameters in their one normal form.
//!
//! The same form decides and is sent to the source, so the two can never see different paths. What has more
//! than one reading (percent escapes, dot segments, empty segments, repeated parameters) is refused, not
//! repaired. Error texts never quote the request: a NIK typed into a path must not reach a trace.

use std::fmt;

use thiserror::Error;

/// Longest path and query, in bytes, and most parameters.
pub const PATH_BYTES_MAX: usize = 1_024;
pub const QUERY_BYTES_MAX: usize = 2_048;
pub const PARAMETERS_MAX: usize = 16;

/// First segments of paths that the program answers itself; a policy cannot have routes there.
pub const RESERVED: [&str; 4] = [RECEIPTS, "checkpoint", "tile", "portal"];
/// `/receipts/{release}` and `/receipts/{release}/ack`
pub const RECEIPTS: &str = "receipts";

/// Methods that are read. A route may list the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Head,
    /// For what a recipient says of a copy; no route has it.
    Post,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }

    /// The method of that exact name; methods are case-sensitive (RFC 9110, section 9.1).
    pub fn read(name: &str) -> Option<Self> {
        match name {
            "GET" => Some(Self::Get),
            "HEAD" => Some(Self::Head),
            "POST" => Some(Self::Post),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AskError {
    #[error("the method is not one that any route lists")]
    Method,
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    PathLength,
    #[error("the path has an empty, `.` or `..` segment or does not begin with one `/`")]
    PathSegment,
    #[error("the path holds a character outside letters, digits, `-`, `.`, `_`, `~`")]
    PathCharacter,
    #[error("the query is longer than {QUERY_BYTES_MAX} bytes or has more than {PARAMETERS_MAX} parameters")]
    QueryLength,
    #[error("the query is not `name=value` pairs of letters, digits, `-`, `.`, `_`, `~`")]
    QueryShape,
    #[error("a parameter is given twice")]
    ParameterTwice,
}

/// What was asked for. Made only by [`Ask::read`].
#[derive(Clone, PartialEq, Eq)]
pub struct Ask {
    method: Method,
    path: String,
    parameters: Vec<(String, String)>,
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

impl Ask {
    /// Reads a request's method, path and query (without the `?`).
    pub fn read(method: &str, path: &str, query: Option<&str>) -> Result<Self, AskError> {
        let method = Method::read(method).ok_or(AskError::Method)?;
        if path.len() > PATH_BYTES_MAX {
            return Err(AskError::PathLength);
        }
        let rest = path.strip_prefix('/').ok_or(AskError::PathSegment)?;
        for segment in rest.split('/') {
            if !segment.bytes().all(is_plain) {
                return Err(AskError::PathCharacter);
            }
            if segment.is_empty() || segment == "." || segment == ".." {
                return Err(AskError::PathSegment);
            }
        }
        Ok(Self { method, path: path.to_owned(), parameters: read_parameters(query)? })
    }

    pub fn method(&self) -> Method {
        self.method
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path's segments, none empty.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.path[1..].split('/')
    }

    /// Parameters in the order given; names are distinct.
    pub fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Path and query as sent to the source.
    pub fn path_and_query(&self) -> String {
        let mut text = self.path.clone();
        for (at, (name, value)) in self.parameters.iter().enumerate() {
            text.push(if at == 0 { '?' } else { '&' });
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        text
    }
}

fn read_parameters(query: Option<&str>) -> Result<Vec<(String, String)>, AskError> {
    let Some(query) = query else { return Ok(Vec::new()) };
    if query.len() > QUERY_BYTES_MAX || query.split('&').count() > PARAMETERS_MAX {
        return Err(AskError::QueryLength);
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').ok_or(AskError::QueryShape)?;
        if name.is_empty() || !name.bytes().chain(value.bytes()).all(is_plain) {
            return Err(AskError::QueryShape);
        }
        if parameters.iter().any(|(known, _)| known == name) {
            return Err(AskError::ParameterTwice);
        }
        parameters.push((name.to_owned(), value.to_owned()));
    }
    Ok(parameters)
}

/// Shows the method alone: path and query are the requester's own text.
impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ask({} ..)", self.method.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_reading_or_none() {
        let cases = [
            ("/dpt/3374.csv", None, Ok("/dpt/3374.csv")),
            ("/dpt", Some("wilayah=3374&tps=3374011001001"), Ok("/dpt?wilayah=3374&tps=3374011001001")),
            ("dpt", None, Err(AskError::PathSegment)),
            ("/", None, Err(AskError::PathSegment)),
            ("//dpt", None, Err(AskError::PathSegment)),
            ("/dpt/", None, Err(AskError::PathSegment)),
            ("/dpt/../audit", None, Err(AskError::PathSegment)),
            ("/dpt/./x", None, Err(AskError::PathSegment)),
            ("/dpt/%2e%2e/x", None, Err(AskError::PathCharacter)),
            ("/dpt%2F3374", None, Err(AskError::PathCharacter)),
            ("/dpt\\3374", None, Err(AskError::PathCharacter)),
            ("/dpt;v=1", None, Err(AskError::PathCharacter)),
            ("/dpt\0", None, Err(AskError::PathCharacter)),
            ("*", None, Err(AskError::PathSegment)),
            ("/dpt", Some(""), Err(AskError::QueryShape)),
            ("/dpt", Some("wilayah"), Err(AskError::QueryShape)),
            ("/dpt", Some("nik=99%30"), Err(AskError::QueryShape)),
            ("/dpt", Some("a=1+2"), Err(AskError::QueryShape)),
            ("/dpt", Some("a=1&a=1"), Err(AskError::ParameterTwice)),
            ("/dpt", Some("a=1&&b=2"), Err(AskError::QueryShape)),
        ];
        for (path, query, expected) in cases {
            let read = Ask::read("GET", path, query).map(|ask| ask.path_and_query());
            assert_eq!(read, expected.map(str::to_owned), "{path} {query:?}");
        }
    }

    #[test]
    fn only_listed_methods_in_their_exact_spelling_are_read() {
        for (method, known) in
            [("GET", true), ("HEAD", true), ("get", false), ("POST", true), ("post", false), ("TRACE", false)]
        {
            assert_eq!(Ask::read(method, "/dpt", None).is_ok(), known, "{method}");
        }
    }
}
