//! Problem documents (RFC 9457) and the choice of their language (RFC 9110, section 12.5.4).

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use serde::Serialize;

use super::kinds::Kind;
use crate::domain::ReleaseId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Indonesian,
}

impl Language {
    /// Indonesian where the requester prefers it, English otherwise.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let weight = |wanted: &[&str]| {
            text.split(',')
                .filter_map(|range| {
                    let (tag, parameters) = range.split_once(';').unwrap_or((range, "q=1"));
                    let primary = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
                    let weight = parameters.trim().strip_prefix("q=")?.trim().parse::<f32>().ok()?;
                    wanted.contains(&primary.as_str()).then_some(weight)
                })
                .fold(0.0, f32::max)
        };
        // `in` is the tag that some old systems still send for Indonesian.
        if weight(&["id", "in"]) > weight(&["en"]) { Self::Indonesian } else { Self::English }
    }

    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Indonesian => "id",
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseId>,
}

/// The document's bytes.
pub fn document(kind: &Kind, release: Option<ReleaseId>, language: Language) -> Vec<u8> {
    let title = match language {
        Language::English => kind.english,
        Language::Indonesian => kind.indonesian,
    };
    let document = Document {
        kind: format!("urn:salinan:refusal:{}", kind.code),
        title,
        status: kind.status,
        code: kind.code,
        release,
    };
    let mut bytes = serde_json::to_vec(&document).unwrap_or_default();
    bytes.push(b'\n'); // for who reads it in a terminal
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indonesian_is_spoken_where_it_is_preferred() {
        let cases = [
            ("", Language::English),
            ("id", Language::Indonesian),
            ("id-ID,id;q=0.9,en-US;q=0.8,en;q=0.7", Language::Indonesian),
            ("in", Language::Indonesian),
            ("en;q=0.9, id;q=0.5", Language::English),
            ("en, id", Language::English),
            ("fr", Language::English),
            ("id;q=0", Language::English),
            ("id;q=x", Language::English),
        ];
        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, text.parse().unwrap());
            assert_eq!(Language::of(&headers), expected, "{text}");
        }
    }

    #[test]
    fn every_refusal_has_its_row_in_the_table_for_people() {
        let table = include_str!("../../docs/refusals.md");
        let rows = table.lines().filter(|line| line.starts_with("| ") && line.contains('`')).count();
        assert_eq!(rows, crate::release::REFUSALS.len());
        for kind in crate::release::REFUSALS {
            let Kind { status, code, english, indonesian } = kind;
            let row = format!("| {status} | `{code}` | {english} | {indonesian} |");
            assert!(table.contains(&row), "{row}");
        }
    }
}
