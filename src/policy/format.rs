//! How the bodies of one route are built: `format`, and the keys that say more of it.
//!
//! ```toml
//! format = "json"
//! records = { columns = "columns", rows = "rows", keep = ["total"] }
//! ```

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::route::{choose, read_field};
use crate::document::{At, Key, Keys, Problem, Problems, word};
use crate::domain::{FieldName, Format, Formulas, MediaType, Records};

/// What a source calls a body whose cells are parted by tabs.
const TABS: &str = "text/tab-separated-values";

/// What a route says of the form of its bodies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyFormat {
    Of(Format),
    /// CSV: a tab parts the cells of what the source calls `text/tab-separated-values`, a comma those of all else.
    CsvByMediaType {
        formulas: Formulas,
    },
}

impl BodyFormat {
    /// The form of a body of this media type.
    pub fn of(&self, media_type: &MediaType) -> Format {
        match self {
            Self::Of(format) => format.clone(),
            Self::CsvByMediaType { formulas } => csv(media_type.essence(), *formulas),
        }
    }

    /// The form of all bodies, unless the source's media type decides.
    pub fn settled(&self) -> Option<&Format> {
        match self {
            Self::Of(format) => Some(format),
            Self::CsvByMediaType { .. } => None,
        }
    }

    /// The form that a preview calls so: `json`, `ndjson`, `json-seq`, `csv`, and `tsv` for CSV with tabs.
    pub(super) fn called(&self, name: &str) -> Option<Format> {
        match self {
            Self::Of(format) => {
                [format.as_str(), format.file_ending()].contains(&name).then(|| format.clone())
            }
            Self::CsvByMediaType { formulas } => match name {
                "csv" => Some(csv("text/csv", *formulas)),
                "tsv" => Some(csv(TABS, *formulas)),
                _ => None,
            },
        }
    }

    /// The word of policy files.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Of(format) => format.as_str(),
            Self::CsvByMediaType { .. } => "csv",
        }
    }
}

fn csv(essence: &str, formulas: Formulas) -> Format {
    Format::Csv { delimiter: if essence == TABS { b'\t' } else { b',' }, formulas }
}

const FORMULAS: &[(&str, Formulas)] =
    &[("neutralise", Formulas::Neutralise), ("keep", Formulas::Keep), ("abort", Formulas::Abort)];

const DELIMITERS: &[(&str, u8)] = &[(",", b','), (";", b';'), ("|", b'|'), ("\t", b'\t')];

#[derive(Clone, Copy)]
enum Word {
    Csv,
    Ndjson,
    JsonSeq,
    Json,
}

const WORDS: &[(&str, Word)] =
    &[("csv", Word::Csv), ("ndjson", Word::Ndjson), ("json-seq", Word::JsonSeq), ("json", Word::Json)];

const ENVELOPE_KEYS: &[Key] =
    &[Key { name: "envelope", example: "\"data\"" }, Key { name: "keep", example: "[\"jumlah\"]" }];

const COLUMNS_KEYS: &[Key] = &[
    Key { name: "columns", example: "\"columns\"" },
    Key { name: "rows", example: "\"rows\"" },
    Key { name: "keep", example: "[\"total\"]" },
];

/// Reads the form of a route's bodies, which the source may give these media types.
pub(super) fn read(
    keys: &Keys<'_>,
    media_types: &[String],
    problems: &mut Problems<'_>,
) -> Option<BodyFormat> {
    let text = keys.need_text("format", problems)?;
    let format = word("format", &text, WORDS, problems)?;
    let strangers: &[&str] = match format {
        Word::Csv => &["records"],
        Word::Json => &["delimiter", "formulas"],
        Word::Ndjson | Word::JsonSeq => &["delimiter", "formulas", "records"],
    };
    let mut sound = true;
    for name in ["delimiter", "formulas", "records"] {
        if let (true, Some(value)) = (strangers.contains(&name), keys.get(name)) {
            problems.push(
                Problem::at(value.span(), format!("`{name}` says nothing to the format `{}`", text.value))
                    .help(format!("remove `{name}`, or change `format`")),
            );
            sound = false;
        }
    }
    let format = match format {
        Word::Csv => read_csv(keys, media_types, problems)?,
        Word::Ndjson => BodyFormat::Of(Format::Ndjson),
        Word::JsonSeq => BodyFormat::Of(Format::JsonSeq),
        Word::Json => BodyFormat::Of(Format::Json(read_records(keys, problems)?)),
    };
    sound.then_some(format)
}

/// Where the policy names no delimiter, the media types do.
fn read_csv(keys: &Keys<'_>, media_types: &[String], problems: &mut Problems<'_>) -> Option<BodyFormat> {
    let delimiter = choose(keys, "delimiter", DELIMITERS, b',', problems);
    let formulas = choose(keys, "formulas", FORMULAS, Formulas::Neutralise, problems);
    let (delimiter, formulas) = (delimiter?, formulas?);
    if keys.get("delimiter").is_some() {
        return Some(BodyFormat::Of(Format::Csv { delimiter, formulas }));
    }
    let mut formats = media_types.iter().map(|essence| csv(essence, formulas));
    let first = formats.next().unwrap_or(Format::Csv { delimiter, formulas });
    let is_one = formats.all(|format| format == first);
    Some(if is_one { BodyFormat::Of(first) } else { BodyFormat::CsvByMediaType { formulas } })
}

fn read_records(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Records> {
    let value = keys.need("records", problems)?;
    match value.get_ref() {
        DeValue::String(text) => {
            let text = At { value: text.as_ref(), span: value.span() };
            let object = word("records", &text, &[("array", false), ("object", true)], problems)?;
            Some(if object { Records::Object } else { Records::Array })
        }
        DeValue::Table(table) => {
            if ["columns", "rows"].iter().any(|key| table.contains_key(*key)) {
                read_columns(table, value.span(), problems)
            } else {
                read_envelope(table, value.span(), problems)
            }
        }
        _ => {
            problems.push(keys.wrong_type(
                "records",
                "`\"array\"`, `\"object\"`, `{ envelope = \"data\" }` or `{ columns = \"columns\", rows = \"rows\" }`",
                value,
            ));
            None
        }
    }
}

fn read_envelope(table: &DeTable<'_>, span: Range<usize>, problems: &mut Problems<'_>) -> Option<Records> {
    let keys = Keys::open(table, span, "`records`", ENVELOPE_KEYS, problems);
    let field = keys.need_text("envelope", problems).and_then(|text| read_field("envelope", &text, problems));
    let keep = read_keep(&keys, &[&field], problems)?;
    Some(Records::Envelope { field: field?, keep })
}

fn read_columns(table: &DeTable<'_>, span: Range<usize>, problems: &mut Problems<'_>) -> Option<Records> {
    let keys = Keys::open(table, span, "`records`", COLUMNS_KEYS, problems);
    let columns = keys.need_text("columns", problems).and_then(|text| read_field("columns", &text, problems));
    let rows = keys.need_text("rows", problems);
    let named = rows.as_ref().and_then(|text| read_field("rows", text, problems));
    let keep = read_keep(&keys, &[&columns, &named], problems);
    let (columns, rows_named) = (columns?, named?);
    if columns == rows_named {
        problems.push(
            Problem::at(rows?.span, "the columns and the rows have one name").help(
                "spell both exactly as the source does, such as `columns = \"columns\", rows = \"rows\"`",
            ),
        );
        return None;
    }
    Some(Records::Columns { columns, rows: rows_named, keep: keep? })
}

/// The members that leave beside the records, which those that hold the records are not among.
fn read_keep(
    keys: &Keys<'_>,
    records: &[&Option<FieldName>],
    problems: &mut Problems<'_>,
) -> Option<Vec<FieldName>> {
    let texts = if keys.get("keep").is_some() { keys.need_texts("keep", problems)? } else { Vec::new() };
    let mut sound = true;
    let mut keep = Vec::new();
    for text in &texts {
        let name = read_field("keep", text, problems);
        if name.is_some() && records.contains(&&name) {
            problems.push(
                Problem::at(text.span.clone(), "the records are kept a second time, without any rule")
                    .help("remove it from `keep`; the records leave by the rules of the role"),
            );
            sound = false;
        }
        keep.push(name);
    }
    let keep: Option<Vec<FieldName>> = keep.into_iter().collect();
    keep.filter(|_| sound)
}
