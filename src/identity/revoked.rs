//! Tokens that are refused though they are good: a file that is read again while the program runs.
//!
//! ```toml
//! jti = ["0197b3f0-0000-7000-8000-000000000001"]
//! sub = ["saksi-7"]
//! client_id = []
//! kid = ["2026-a"]
//! ```
//!
//! All four lists stand in it, even when empty: a file cut short in the middle of writing lacks some, and is not taken
//! for one in which less is revoked. A name counts for every issuer. Errors give a place and never a name.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use thiserror::Error;

use super::claims::is_name;
use super::kept::{ReadError, read_file};
use super::requester::Requester;

#[derive(Debug, Error)]
pub enum RevokedError {
    #[error("could not be read")]
    Read(#[from] ReadError),
    #[error("is not UTF-8")]
    Encoding,
    #[error("is not the four lists of strings `jti`, `sub`, `client_id` and `kid` in TOML, at line {line}")]
    Toml { line: usize },
    #[error("name {position} of `{list}` is not 1 to 128 printable ASCII characters")]
    Name { list: &'static str, position: usize },
}

/// The names whose tokens are refused.
#[derive(Debug)]
pub struct Revocations {
    jti: HashSet<String>,
    sub: HashSet<String>,
    client_id: HashSet<String>,
    kid: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    jti: Vec<String>,
    sub: Vec<String>,
    client_id: Vec<String>,
    kid: Vec<String>,
}

impl Revocations {
    pub fn load(path: &Path) -> Result<Self, RevokedError> {
        Self::read(&read_file(path)?)
    }

    pub fn read(bytes: &[u8]) -> Result<Self, RevokedError> {
        let text = std::str::from_utf8(bytes).map_err(|_| RevokedError::Encoding)?;
        let lists: Lists = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            RevokedError::Toml { line: 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..at]).count() }
        })?;
        let names = |list, names: Vec<String>| match names.iter().position(|name| !is_name(name)) {
            Some(at) => Err(RevokedError::Name { list, position: at + 1 }),
            None => Ok(names.into_iter().collect()),
        };
        Ok(Self {
            jti: names("jti", lists.jti)?,
            sub: names("sub", lists.sub)?,
            client_id: names("client_id", lists.client_id)?,
            kid: names("kid", lists.kid)?,
        })
    }

    /// By which of its names a requester's token is revoked, if it is.
    pub(super) fn of(&self, requester: &Requester) -> Option<&'static str> {
        let of = [
            ("jti", &self.jti, &requester.token_id),
            ("sub", &self.sub, &requester.subject),
            ("client_id", &self.client_id, &requester.client_id),
            ("kid", &self.kid, &requester.key_id),
        ];
        of.into_iter().find(|(_, names, name)| names.contains(*name)).map(|(list, ..)| list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_four_lists_are_there_or_the_file_is_not_whole() {
        let whole = "jti = ['a']\nsub = []\nclient_id = []\nkid = ['k']\n";
        let wrong = |line| {
            format!(
                "is not the four lists of strings `jti`, `sub`, `client_id` and `kid` in TOML, at line {line}"
            )
        };
        let cases = [
            ("whole", whole.to_owned(), "yes".to_owned()),
            ("empty", String::new(), wrong(1)),
            ("cut between lists", whole[..whole.len() - 12].to_owned(), wrong(1)),
            ("cut inside a list", whole[..whole.len() - 3].to_owned(), wrong(4)),
            ("one more list", format!("{whole}iss = []\n"), wrong(5)),
            ("a list twice", format!("{whole}kid = []\n"), wrong(5)),
            ("a number", whole.replace("'a'", "9901014512900003"), wrong(1)),
            ("a text", whole.replace("['a']", "'a'"), wrong(1)),
            (
                "a name too long",
                whole.replace("'a'", &format!("'a', '{}'", "a".repeat(129))),
                "name 2 of `jti` is not 1 to 128 printable ASCII characters".to_owned(),
            ),
            (
                "an empty name",
                whole.replace("'k'", "''"),
                "name 1 of `kid` is not 1 to 128 printable ASCII characters".to_owned(),
            ),
        ];
        for (name, text, expected) in cases {
            let said = Revocations::read(text.as_bytes())
                .map_or_else(|error| error.to_string(), |_| "yes".to_owned());
            assert_eq!(said, expected, "{name}");
        }
        assert_eq!(Revocations::read(b"jti = ['\xff']").unwrap_err().to_string(), "is not UTF-8");
    }
}
