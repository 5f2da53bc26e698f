//! Route templates: `/dpt/{wilayah}.csv` answers `/dpt/3374.csv` and reads the area `3374`.
//!
//! A template is segments of letters, digits, `-`, `.`, `_`, `~`, which is all that an `Ask` can hold; at most
//! one segment carries the placeholder, with a fixed beginning or end beside it. The placeholder takes digits
//! and dots alone. No digit or dot may touch it from outside: else `/dpt/33{wilayah}` would read 74 where the
//! source reads 3374.

use thiserror::Error;

use crate::domain::ask::RESERVED;

/// Longest template, in bytes.
const TEMPLATE_BYTES_MAX: usize = 256;
const PLACEHOLDER: &str = "{wilayah}";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum TemplateError {
    #[error("does not begin with one `/`")]
    Start,
    #[error("is longer than {TEMPLATE_BYTES_MAX} bytes")]
    Length,
    #[error("has an empty, `.` or `..` segment")]
    Segment,
    #[error("holds a character outside letters, digits, `-`, `.`, `_`, `~`")]
    Character,
    #[error("holds a placeholder other than `{{wilayah}}`")]
    Placeholder,
    #[error("holds `{{wilayah}}` more than once")]
    PlaceholderTwice,
    #[error("has a digit or a dot beside `{{wilayah}}` that could be read as part of the area")]
    Touching,
    #[error("begins with `/{name}`, where the program answers itself")]
    Reserved { name: &'static str },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Area { before: String, after: String },
}

/// How a path stands to a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match<'p> {
    No,
    /// It would match, were there an area in the placeholder's place.
    Malformed,
    /// The text in the placeholder's place, if the template has one.
    Yes(Option<&'p str>),
}

impl Template {
    pub(super) fn read(text: &str) -> Result<Self, TemplateError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(TemplateError::Length);
        }
        let rest = text.strip_prefix('/').ok_or(TemplateError::Start)?;
        let segments: Vec<Segment> = rest.split('/').map(Segment::read).collect::<Result<_, _>>()?;
        if segments.iter().filter(|segment| matches!(segment, Segment::Area { .. })).count() > 1 {
            return Err(TemplateError::PlaceholderTwice);
        }
        let first = segments.first();
        if let Some(name) =
            RESERVED.into_iter().find(|name| first == Some(&Segment::Literal((*name).to_owned())))
        {
            return Err(TemplateError::Reserved { name });
        }
        Ok(Self { text: text.to_owned(), segments })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn has_area(&self) -> bool {
        self.segments.iter().any(|segment| matches!(segment, Segment::Area { .. }))
    }

    pub(super) fn read_path<'p>(&self, path: impl Iterator<Item = &'p str>) -> Match<'p> {
        let mut own = self.segments.iter();
        let mut found = Match::Yes(None);
        for part in path {
            let Some(segment) = own.next() else { return Match::No };
            match segment.read_part(part) {
                Match::No => return Match::No,
                Match::Malformed => found = Match::Malformed,
                Match::Yes(Some(area)) => found = Match::Yes(Some(area)),
                Match::Yes(None) => {}
            }
        }
        if own.next().is_some() { Match::No } else { found }
    }

    /// Whether some path is answered by both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(|(one, two)| one.overlaps(two))
    }
}

fn is_area_text(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

impl Segment {
    fn read(text: &str) -> Result<Self, TemplateError> {
        let Some((before, after)) = text.split_once(PLACEHOLDER) else {
            if text.contains(['{', '}']) {
                return Err(TemplateError::Placeholder);
            }
            if text.is_empty() || text == "." || text == ".." {
                return Err(TemplateError::Segment);
            }
            return if is_plain(text) {
                Ok(Self::Literal(text.to_owned()))
            } else {
                Err(TemplateError::Character)
            };
        };
        if after.contains(PLACEHOLDER) {
            return Err(TemplateError::PlaceholderTwice);
        }
        if before.contains(['{', '}']) || after.contains(['{', '}']) {
            return Err(TemplateError::Placeholder);
        }
        if !is_plain(before) || !is_plain(after) {
            return Err(TemplateError::Character);
        }
        let first_after = after.trim_start_matches('.').bytes().next();
        let touched_after = !after.is_empty() && first_after.is_none_or(|byte| byte.is_ascii_digit());
        let touched_before = before.bytes().last().is_some_and(|byte| byte.is_ascii_digit() || byte == b'.');
        if touched_after || touched_before {
            return Err(TemplateError::Touching);
        }
        Ok(Self::Area { before: before.to_owned(), after: after.to_owned() })
    }

    fn read_part<'p>(&self, part: &'p str) -> Match<'p> {
        match self {
            Self::Literal(text) if text == part => Match::Yes(None),
            Self::Literal(_) => Match::No,
            Self::Area { before, after } => {
                match part.strip_prefix(before.as_str()).and_then(|rest| rest.strip_suffix(after.as_str())) {
                    Some(area) if !area.is_empty() && is_area_text(area) => Match::Yes(Some(area)),
                    Some(_) => Match::Malformed,
                    None => Match::No,
                }
            }
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(one), Self::Literal(two)) => one == two,
            (area @ Self::Area { .. }, Self::Literal(text))
            | (Self::Literal(text), area @ Self::Area { .. }) => {
                matches!(area.read_part(text), Match::Yes(_))
            }
            // What stands beside the placeholder is, but for leading dots, not of the area's alphabet, so two
            // templates meet only where the fixed parts are the same.
            (Self::Area { before: b1, after: a1 }, Self::Area { before: b2, after: a2 }) => {
                b1 == b2 && a1.trim_start_matches('.') == a2.trim_start_matches('.')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_holds_what_an_ask_can_hold_and_one_placeholder() {
        use TemplateError as E;
        let cases = [
            ("/dpt", Ok(false)),
            ("/dpt/{wilayah}", Ok(true)),
            ("/dpt/{wilayah}.csv", Ok(true)),
            ("/dpt/kab-{wilayah}_v2", Ok(true)),
            ("/{wilayah}/dpt.csv", Ok(true)),
            ("dpt", Err(E::Start)),
            ("", Err(E::Start)),
            ("/", Err(E::Segment)),
            ("//dpt", Err(E::Segment)),
            ("/dpt/", Err(E::Segment)),
            ("/dpt/../x", Err(E::Segment)),
            ("/dpt?x", Err(E::Character)),
            ("/dpt/{wilayah}%2e", Err(E::Character)),
            ("/dpt/{tps}", Err(E::Placeholder)),
            ("/dpt/{wilayah", Err(E::Placeholder)),
            ("/dpt/{{wilayah}}", Err(E::Placeholder)),
            ("/{wilayah}/{wilayah}", Err(E::PlaceholderTwice)),
            ("/{wilayah}-{wilayah}", Err(E::PlaceholderTwice)),
            ("/dpt/33{wilayah}", Err(E::Touching)),
            ("/dpt/33.{wilayah}", Err(E::Touching)),
            ("/dpt/{wilayah}01", Err(E::Touching)),
            ("/dpt/{wilayah}.01", Err(E::Touching)),
            ("/dpt/{wilayah}.", Err(E::Touching)),
        ];
        for (text, expected) in cases {
            assert_eq!(Template::read(text).map(|read| read.has_area()), expected, "{text}");
        }
        assert_eq!(Template::read(&format!("/{}", "a".repeat(256))), Err(E::Length));
    }

    #[test]
    fn a_path_matches_whole_or_not_at_all() {
        let cases = [
            ("/dpt/{wilayah}.csv", "/dpt/3374.csv", Match::Yes(Some("3374"))),
            ("/dpt/{wilayah}.csv", "/dpt/33.74.csv", Match::Yes(Some("33.74"))),
            ("/dpt/{wilayah}.csv", "/dpt/.csv", Match::Malformed),
            ("/dpt/{wilayah}.csv", "/dpt/kendal.csv", Match::Malformed),
            ("/dpt/{wilayah}.csv", "/dpt/3374.json", Match::No),
            ("/dpt/{wilayah}.csv", "/dpt/3374.csv/x", Match::No),
            ("/dpt/{wilayah}.csv", "/dpt", Match::No),
            ("/dpt/{wilayah}.csv", "/DPT/3374.csv", Match::No),
            ("/dpt", "/dpt", Match::Yes(None)),
            ("/aba{wilayah}aba", "/aba", Match::No),
        ];
        for (template, path, expected) in cases {
            let read = Template::read(template).unwrap();
            assert_eq!(read.read_path(path[1..].split('/')), expected, "{template} {path}");
        }
    }

    #[test]
    fn templates_overlap_where_one_path_fits_both() {
        let cases = [
            ("/dpt/{wilayah}.csv", "/dpt/{wilayah}.csv", true),
            ("/dpt/{wilayah}.csv", "/dpt/{wilayah}.json", false),
            ("/dpt/{wilayah}.csv", "/dpt/{wilayah}", false),
            ("/dpt/{wilayah}.csv", "/dpt/{wilayah}csv", true),
            ("/dpt/{wilayah}", "/dpt/3374", true),
            ("/dpt/{wilayah}", "/dpt/jumlah", false),
            ("/{wilayah}/dpt", "/33/{wilayah}", false),
            ("/{wilayah}/33", "/33/{wilayah}", true),
            ("/dpt", "/dpt", true),
            ("/dpt", "/dpt/x", false),
        ];
        for (one, two, expected) in cases {
            let (one, two) = (Template::read(one).unwrap(), Template::read(two).unwrap());
            assert_eq!(one.overlaps(&two), expected, "{} {}", one.text, two.text);
            assert_eq!(two.overlaps(&one), expected, "{} {}", two.text, one.text);
        }
    }
}
