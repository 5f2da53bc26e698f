//! `[[route]]`: which paths are answered, by which methods, and how the source's body is built.
//!
//! ```toml
//! [[route]]
//! path = "/dpt/{wilayah}.csv"
//! methods = ["GET"]
//! format = "csv"
//! delimiter = ";"
//! media_types = ["text/csv"]
//! row_area = "kode_tps"
//! [route.parameters]
//! tps = "tps"
//! ```

use toml::de::DeTable;

use super::format::{self, BodyFormat};
use super::template::Template;
use crate::document::quote;
use crate::document::{At, Key, Keys, word};
use crate::document::{Problem, Problems};
use crate::domain::{ContentCoding, FieldName, Format, MediaType, Method, Outside, Records};

/// What a parameter's value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// An area inside the asked one.
    Wilayah,
    /// A polling station inside the asked area.
    Tps,
    /// One to nine digits, which is too short for a NIK.
    Number,
}

/// Where an ask says which area it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AreaPlace {
    Path,
    Parameter(String),
}

/// One route. What it does not list is denied.
#[derive(Debug)]
pub struct Route {
    pub(super) template: Template,
    pub(super) methods: Vec<Method>,
    pub(super) area: AreaPlace,
    pub(super) parameters: Vec<(String, ParameterKind)>,
    pub(super) format: BodyFormat,
    pub(super) media_types: Vec<String>,
    pub(super) row_area: FieldName,
    pub(super) outside: Outside,
    pub(super) codings: Vec<ContentCoding>,
}

impl Route {
    pub fn template(&self) -> &str {
        self.template.as_str()
    }

    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// The parameter that holds the area, where the path does not.
    pub fn wilayah_parameter(&self) -> Option<&str> {
        match &self.area {
            AreaPlace::Path => None,
            AreaPlace::Parameter(name) => Some(name),
        }
    }

    pub fn parameters(&self) -> &[(String, ParameterKind)] {
        &self.parameters
    }

    pub fn format(&self) -> &BodyFormat {
        &self.format
    }

    /// Essences the source may give its body, such as `text/csv`.
    pub fn media_types(&self) -> &[String] {
        &self.media_types
    }

    /// The field that says where a row belongs.
    pub fn row_area(&self) -> &FieldName {
        &self.row_area
    }

    /// What becomes of a row outside the asked area.
    pub fn outside(&self) -> Outside {
        self.outside
    }

    /// Codings that a copy may leave in when a request asks for one, the policy's first choice first.
    pub fn codings(&self) -> &[ContentCoding] {
        &self.codings
    }
}

const ROUTE_KEYS: &[Key] = &[
    Key { name: "path", example: "\"/dpt/{wilayah}.csv\"" },
    Key { name: "methods", example: "[\"GET\"]" },
    Key { name: "wilayah_parameter", example: "\"wilayah\"" },
    Key { name: "parameters", example: "{ tps = \"tps\" }" },
    Key { name: "format", example: "\"csv\"" },
    Key { name: "delimiter", example: "\";\"" },
    Key { name: "formulas", example: "\"neutralise\"" },
    Key { name: "records", example: "\"array\"" },
    Key { name: "media_types", example: "[\"text/csv\"]" },
    Key { name: "row_area", example: "\"kode_tps\"" },
    Key { name: "outside", example: "\"withhold\"" },
    Key { name: "codings", example: "[\"zstd\", \"gzip\"]" },
];

const METHODS: &[(&str, Method)] = &[("GET", Method::Get), ("HEAD", Method::Head)];

const KINDS: &[(&str, ParameterKind)] =
    &[("wilayah", ParameterKind::Wilayah), ("tps", ParameterKind::Tps), ("number", ParameterKind::Number)];

const OUTSIDES: &[(&str, Outside)] = &[("abort", Outside::Abort), ("withhold", Outside::Withhold)];

/// Reads one `[[route]]`. Its template is put into `templates` even where the rest of the route is wrong.
pub(super) fn read(
    table: &At<&DeTable<'_>>,
    templates: &mut Vec<At<Template>>,
    problems: &mut Problems<'_>,
) -> Option<Route> {
    let keys = Keys::open(table.value, table.span.clone(), "`[[route]]`", ROUTE_KEYS, problems);
    let template = read_template(&keys, problems);
    if let Some(template) = &template {
        templates.push(At { value: template.value.clone(), span: template.span.clone() });
    }
    let area = read_area_place(&keys, template.as_ref(), problems);
    let methods = read_methods(&keys, problems);
    let parameters = read_parameters(&keys, problems);
    let media_types = read_media_types(&keys, problems);
    let format = format::read(&keys, media_types.as_deref().unwrap_or_default(), problems);
    let row_area =
        keys.need_text("row_area", problems).and_then(|text| read_field("row_area", &text, problems));
    let outside = choose(&keys, "outside", OUTSIDES, Outside::Abort, problems);
    if let (Some(outside), Some(format)) = (outside, &format) {
        check_outside(outside, format, &keys, problems);
    }
    let codings = read_codings(&keys, problems);
    Some(Route {
        template: template?.value,
        methods: methods?,
        area: area?,
        parameters: parameters?,
        format: format?,
        media_types: media_types?,
        row_area: row_area?,
        outside: outside?,
        codings: codings?,
    })
}

/// A text that is one record has nothing left to hand over when that record is withheld.
fn check_outside(outside: Outside, format: &BodyFormat, keys: &Keys<'_>, problems: &mut Problems<'_>) {
    if let (Outside::Withhold, BodyFormat::Of(Format::Json(Records::Object)), Some(value)) =
        (outside, format, keys.get("outside"))
    {
        problems.push(
            Problem::at(value.span(), "the one record of `records = \"object\"` cannot be withheld")
                .help("remove `outside`: a record outside the asked area then ends the copy"),
        );
    }
}

fn read_template(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<At<Template>> {
    let text = keys.need_text("path", problems)?;
    match Template::read(text.value) {
        Ok(value) => Some(At { value, span: text.span }),
        Err(error) => {
            problems.push(
                Problem::at(text.span, format!("the path {error}"))
                    .help("write it like `/dpt/{wilayah}.csv`, of letters, digits, `-`, `.`, `_`, `~`"),
            );
            None
        }
    }
}

fn read_area_place(
    keys: &Keys<'_>,
    template: Option<&At<Template>>,
    problems: &mut Problems<'_>,
) -> Option<AreaPlace> {
    let text = keys.text("wilayah_parameter", problems);
    let in_path = template?.value.has_area();
    match text {
        Some(text) if in_path => {
            problems.push(
                Problem::at(text.span, "the area stands in the path and in a parameter")
                    .help("remove `wilayah_parameter`, or `{wilayah}` from the path"),
            );
            None
        }
        Some(text) => read_parameter_name(&text, problems).map(AreaPlace::Parameter),
        None if in_path => Some(AreaPlace::Path),
        None if keys.get("wilayah_parameter").is_some() => None,
        None => {
            problems.push(
                Problem::at(template?.span.clone(), "the route does not say where the area stands")
                    .help("put `{wilayah}` into the path or add `wilayah_parameter = \"wilayah\"`"),
            );
            None
        }
    }
}

fn read_parameter_name(text: &At<&str>, problems: &mut Problems<'_>) -> Option<String> {
    let plain = text.value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if plain && !text.value.is_empty() && text.value.len() <= 64 {
        return Some(text.value.to_owned());
    }
    problems.push(
        Problem::at(text.span.clone(), "a parameter's name has 1 to 64 letters, digits, `-`, `.`, `_`, `~`")
            .help("spell it as the source does; a name of another form can never be asked for"),
    );
    None
}

fn read_methods(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Vec<Method>> {
    let texts = keys.need_texts("methods", problems)?;
    if texts.is_empty() {
        problems.push(
            Problem::at(keys.get("methods")?.span(), "`methods` is empty")
                .help("write `methods = [\"GET\"]`, or remove the route"),
        );
        return None;
    }
    let methods: Vec<_> = texts.iter().map(|text| word("methods", text, METHODS, problems)).collect();
    methods.into_iter().collect()
}

fn read_codings(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Vec<ContentCoding>> {
    if keys.get("codings").is_none() {
        return Some(Vec::new());
    }
    let words = ContentCoding::ALL.map(|coding| (coding.as_str(), coding));
    let texts = keys.need_texts("codings", problems)?;
    let codings: Vec<_> = texts.iter().map(|text| word("codings", text, &words, problems)).collect();
    codings.into_iter().collect()
}

fn read_parameters(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Vec<(String, ParameterKind)>> {
    if keys.get("parameters").is_none() {
        return Some(Vec::new());
    }
    let table = keys.table("parameters", problems)?;
    let mut entries: Vec<_> = table.value.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let area = keys.get("wilayah_parameter").and_then(|value| value.get_ref().as_str());
    let mut parameters = Vec::new();
    let mut sound = true;
    for (name, value) in entries {
        let text = At { value: name.get_ref().as_ref(), span: name.span() };
        let known = read_parameter_name(&text, problems);
        if Some(text.value) == area {
            problems.push(
                Problem::at(text.span, "the parameter of the area is listed again")
                    .help("remove it here; `wilayah_parameter` already allows it"),
            );
            sound = false;
        }
        let kind = match value.get_ref().as_str() {
            Some(written) => word("parameters", &At { value: written, span: value.span() }, KINDS, problems),
            None => {
                problems.push(keys.wrong_type("parameters", "a table of types", value));
                None
            }
        };
        match (known, kind) {
            (Some(name), Some(kind)) => parameters.push((name, kind)),
            _ => sound = false,
        }
    }
    sound.then_some(parameters)
}

/// A word under a key that may be absent.
pub(super) fn choose<T: Copy>(
    keys: &Keys<'_>,
    name: &'static str,
    words: &[(&'static str, T)],
    default: T,
    problems: &mut Problems<'_>,
) -> Option<T> {
    match keys.text(name, problems) {
        Some(text) => word(name, &text, words, problems),
        None => keys.get(name).is_none().then_some(default),
    }
}

pub(super) fn read_field(key: &str, text: &At<&str>, problems: &mut Problems<'_>) -> Option<FieldName> {
    let name = text.value.parse::<FieldName>();
    if let Err(error) = &name {
        problems.push(
            Problem::at(text.span.clone(), format!("`{key}` is not a field: {error}"))
                .help("spell it exactly as the source does"),
        );
    }
    name.ok()
}

fn read_media_types(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Vec<String>> {
    let texts = keys.need_texts("media_types", problems)?;
    if texts.is_empty() {
        problems.push(
            Problem::at(keys.get("media_types")?.span(), "`media_types` is empty")
                .help("list what the source calls its body, such as `text/csv`"),
        );
        return None;
    }
    let mut sound = true;
    for text in &texts {
        if MediaType::read(text.value).ok().is_none_or(|media| media.essence() != text.value) {
            problems.push(
                Problem::at(
                    text.span.clone(),
                    format!("{} is not the bare name of a media type", quote(text.value)),
                )
                .help("write it in lower case and without parameters, such as `text/csv`"),
            );
            sound = false;
        }
    }
    sound.then(|| texts.iter().map(|text| text.value.to_owned()).collect())
}
