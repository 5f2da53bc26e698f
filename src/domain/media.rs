//! Media types, parsed (RFC 9110, section 8.3.1), never compared as text.

use thiserror::Error;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MediaTypeError {
    #[error("not of the form type/subtype; name=value")]
    Shape,
    #[error("the same parameter is given twice")]
    ParameterTwice,
}

/// `Text/CSV; charset="UTF-8"` is `text/csv` with one parameter, `charset` = `UTF-8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    pub fn read(text: &str) -> Result<Self, MediaTypeError> {
        let (essence, mut rest) = text.split_once(';').map_or((text, ""), |(essence, rest)| (essence, rest));
        let essence = essence.trim_matches([' ', '\t']).to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/').ok_or(MediaTypeError::Shape)?;
        if !is_token(kind) || !is_token(subtype) {
            return Err(MediaTypeError::Shape);
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        while let Some((parameter, after)) = read_parameter(rest)? {
            rest = after;
            if let Some((name, value)) = parameter {
                if parameters.iter().any(|(known, _)| *known == name) {
                    return Err(MediaTypeError::ParameterTwice);
                }
                parameters.push((name, value));
            }
        }
        Ok(Self { essence, parameters })
    }

    /// Type and subtype in lower case: `text/csv`.
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// A parameter's value as given; names are in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether the text is declared, or left to be, UTF-8 (US-ASCII is a part of it).
    pub fn is_utf8(&self) -> bool {
        self.parameter("charset").is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii"].contains(&charset.to_ascii_lowercase().as_str())
        })
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

type Parameter = Option<(String, String)>;

/// The next parameter and what follows its `;`. An empty parameter, as in `a/b;`, is passed over.
fn read_parameter(text: &str) -> Result<Option<(Parameter, &str)>, MediaTypeError> {
    let text = text.trim_start_matches([' ', '\t']);
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(after) = text.strip_prefix(';') {
        return Ok(Some((None, after)));
    }
    let (name, rest) = text.split_once('=').ok_or(MediaTypeError::Shape)?;
    if !is_token(name) {
        return Err(MediaTypeError::Shape);
    }
    let (value, rest) = match rest.strip_prefix('"') {
        Some(quoted) => read_quoted(quoted)?,
        None => {
            let end = rest.find([';', ' ', '\t']).unwrap_or(rest.len());
            let (value, rest) = rest.split_at(end);
            if !is_token(value) {
                return Err(MediaTypeError::Shape);
            }
            (value.to_owned(), rest)
        }
    };
    let rest = rest.trim_start_matches([' ', '\t']);
    let rest = match rest.strip_prefix(';') {
        Some(after) => after,
        None if rest.is_empty() => rest,
        None => return Err(MediaTypeError::Shape),
    };
    Ok(Some((Some((name.to_ascii_lowercase(), value)), rest)))
}

fn read_quoted(text: &str) -> Result<(String, &str), MediaTypeError> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, next)) = chars.next() {
        match next {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => value.push(chars.next().ok_or(MediaTypeError::Shape)?.1),
            other => value.push(other),
        }
    }
    Err(MediaTypeError::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_parsed_and_not_compared_as_text() {
        let cases = [
            ("text/csv", Some(("text/csv", true))),
            ("TEXT/CSV;Charset=\"UTF-8\"", Some(("text/csv", true))),
            ("text/csv ; charset=utf-8; header=present", Some(("text/csv", true))),
            ("text/csv;", Some(("text/csv", true))),
            ("text/csv; charset=utf-16", Some(("text/csv", false))),
            ("text/csv; charset=\"utf-8", None),
            ("text/csv; charset=utf-8; charset=utf-16", None),
            ("text/csv, application/json", None),
            ("text", None),
            ("", None),
            ("text/csv charset=utf-8", None),
            ("text/csv; charset=utf-8 x", None),
        ];
        for (text, expected) in cases {
            let read = MediaType::read(text).ok();
            let read = read.as_ref().map(|media| (media.essence(), media.is_utf8()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
