//! `[[role]]`: what becomes of each field for one role at one level.
//!
//! ```toml
//! [[role]]
//! role = "partai"
//! level = "kabkota"
//! [role.fields]
//! nama = "keep"
//! nik = { action = "mask", first = 12 }
//! tanggal_lahir = { action = "age", at = 2024-02-14, as = "usia" }
//! ```
//!
//! A role may have `kode_ganda = { of = "nik" }` beside its fields: a column that the copy has on top of them;
//! `sweep = "abort"` and `patterns = ['08[0-9]{8,11}']` say what is looked for in kept values and what follows;
//! `quota = { rows = 5000000, period = "day" }` says how many rows a party may take; `on_token_end = "finish"` says that
//! a copy under way may outlive its token.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::extras;
use super::paths::{self, holds_number};
use crate::document::{At, Key, Keys, word};
use crate::document::{Problem, Problems};
use crate::document::{holds_long_number, quote};
use crate::domain::person::NUMBER_DIGITS;
use crate::domain::{
    Action, FieldName, FieldRule, KodeGanda, LETTERS_MAX, Level, Mask, OnTokenEnd, Role, RowQuota, Sweep,
};

/// Years of a band: a narrower one is an age, a wider one says nothing.
const WIDTHS: std::ops::RangeInclusive<u8> = 2..=50;

/// Longest text of `fixed`, in bytes.
const FIXED_BYTES_MAX: usize = 256;

/// One role at one level, and its fields in the order of the file.
#[derive(Debug)]
pub struct RoleRule {
    pub role: Role,
    pub level: Level,
    pub fields: Vec<FieldRule>,
    pub kode_ganda: Option<KodeGanda>,
    pub sweep: Sweep,
    /// Rows that one party may take by this rule in a period; none: as many as it asks for.
    pub quota: Option<RowQuota>,
    pub on_token_end: OnTokenEnd,
}

/// Which digits of a field a mask leaves in sight, for the comparison of all recipients. The same number may stand at
/// different places in the answers of two routes, so the field's own name is compared and not its path.
pub(super) struct Sight {
    pub(super) field: FieldName,
    pub(super) mask: Mask,
}

const ROLE_KEYS: &[Key] = &[
    Key { name: "role", example: "\"partai\"" },
    Key { name: "level", example: "\"kabkota\"" },
    Key { name: "fields", example: "{ nama = \"keep\" }" },
    Key { name: "kode_ganda", example: "{ of = \"nik\" }" },
    Key { name: "sweep", example: "\"abort\"" },
    Key { name: "patterns", example: "['08[0-9]{8,11}']" },
    Key { name: "quota", example: "{ rows = 5000000, period = \"day\" }" },
    Key { name: "on_token_end", example: "\"abort\"" },
];

#[derive(Clone, Copy)]
enum Word {
    Keep,
    Drop,
    Mask,
    Year,
    Age,
    AgeBand,
    Area,
    Fixed,
    Token,
    Fpe,
}

const WORDS: &[(&str, Word)] = &[
    ("keep", Word::Keep),
    ("drop", Word::Drop),
    ("mask", Word::Mask),
    ("year", Word::Year),
    ("age", Word::Age),
    ("age_band", Word::AgeBand),
    ("area", Word::Area),
    ("fixed", Word::Fixed),
    ("token", Word::Token),
    ("fpe", Word::Fpe),
];

const ACTION: Key = Key { name: "action", example: "\"keep\"" };
const AS: Key = Key { name: "as", example: "\"usia\"" };
const AS_NUMBER: Key = Key { name: "as", example: "\"nik_semu\"" };
const AT: Key = Key { name: "at", example: "2024-02-14" };
const FIRST: Key = Key { name: "first", example: "6" };
const LAST: Key = Key { name: "last", example: "4" };
const LETTERS: Key = Key { name: "letters", example: "1" };
const WIDTH: Key = Key { name: "width", example: "10" };
const AREA_LEVEL: Key = Key { name: "level", example: "\"desa\"" };
const TEXT: Key = Key { name: "text", example: "\"-\"" };

/// Everything that a rule may hold, but for its action.
const SETTINGS: &[&str] = &["as", "at", "first", "last", "letters", "width", "level", "text"];

impl Word {
    /// What a rule with this action may hold.
    fn keys(self) -> &'static [Key] {
        match self {
            Self::Drop => &[ACTION],
            Self::Keep | Self::Year | Self::Token => &[ACTION, AS],
            Self::Fpe => &[ACTION, AS_NUMBER],
            Self::Mask => &[ACTION, FIRST, LAST, LETTERS, AS],
            Self::Age => &[ACTION, AT, AS],
            Self::AgeBand => &[ACTION, AT, WIDTH, AS],
            Self::Area => &[ACTION, AREA_LEVEL, AS],
            Self::Fixed => &[ACTION, TEXT, AS],
        }
    }
}

fn read_levels() -> Vec<(&'static str, Level)> {
    Level::ALL.iter().map(|level| (level.as_str(), *level)).collect()
}

/// Reads one `[[role]]`. Masks are put into `sights` even where the rest of the role is wrong.
pub(super) fn read(
    table: &At<&DeTable<'_>>,
    sights: &mut Vec<At<Sight>>,
    problems: &mut Problems<'_>,
) -> Option<RoleRule> {
    let keys = Keys::open(table.value, table.span.clone(), "`[[role]]`", ROLE_KEYS, problems);
    let role = keys.need_text("role", problems).and_then(|text| {
        let role = text.value.parse::<Role>();
        if let Err(error) = &role {
            problems.push(
                Problem::at(text.span, error.to_string()).help("write the word that tokens carry as `role`"),
            );
        }
        role.ok()
    });
    let level =
        keys.need_text("level", problems).and_then(|text| word("level", &text, &read_levels(), problems));
    keys.need("fields", problems);
    let fields = keys.table("fields", problems).and_then(|table| read_fields(&table, sights, problems));
    let kode_ganda = extras::read_ganda(&keys, fields.as_deref().unwrap_or_default(), problems);
    let sweep = extras::read_sweep(&keys, problems);
    let quota = extras::read_quota(&keys, problems);
    let on_token_end = extras::read_on_token_end(&keys, problems);
    Some(RoleRule {
        role: role?,
        level: level?,
        fields: fields?,
        kode_ganda,
        sweep: sweep?,
        quota: quota.ok()?,
        on_token_end: on_token_end?,
    })
}

fn read_fields(
    table: &At<&DeTable<'_>>,
    sights: &mut Vec<At<Sight>>,
    problems: &mut Problems<'_>,
) -> Option<Vec<FieldRule>> {
    let mut entries: Vec<_> = table.value.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut fields: Vec<At<FieldRule>> = Vec::new();
    let mut sound = true;
    for (name, value) in entries {
        let name = At { value: name.get_ref().as_ref(), span: name.span() };
        let Some(rule) = read_rule(&name, value, problems) else {
            sound = false;
            continue;
        };
        if let Action::Mask(mask) = &rule.action {
            let sight = Sight { field: rule.path.leaf().clone(), mask: *mask };
            sights.push(At { value: sight, span: name.span.clone() });
        }
        fields.push(At { value: rule, span: name.span });
    }
    sound &= paths::check(&fields, problems);
    if sound && fields.iter().all(|rule| rule.value.action == Action::Drop) {
        let what = if fields.is_empty() { "names no field" } else { "drops every field" };
        problems.push(
            Problem::at(table.span.clone(), format!("the role {what}, so that its copy would be empty"))
                .help("name what the role may have, or remove the role: a role without a rule is denied"),
        );
        sound = false;
    }
    sound.then(|| fields.into_iter().map(|rule| rule.value).collect())
}

fn read_rule(
    name: &At<&str>,
    value: &Spanned<DeValue<'_>>,
    problems: &mut Problems<'_>,
) -> Option<FieldRule> {
    let path = paths::read_path(name, problems);
    let (action, emit_as) = match value.get_ref() {
        DeValue::String(text) => {
            let text = At { value: text.as_ref(), span: value.span() };
            (read_word(name.value, &text, problems)?, None)
        }
        DeValue::Table(table) => read_settings(name.value, table, value.span(), problems)?,
        other => {
            problems.push(
                Problem::at(
                    value.span(),
                    format!("the rule of {} is of type {}", quote(name.value), other.type_str()),
                )
                .help("write an action such as `\"keep\"` or `{ action = \"mask\", first = 6 }`"),
            );
            return None;
        }
    };
    if action == Action::Keep && holds_number(name.value) {
        problems.push(
            Problem::at(value.span(), format!("{} would leave in full", quote(name.value)))
                .note("the whole number may be inspected at KPU's office; no copy holds it")
                .help("write `{ action = \"mask\", first = 6 }`, `\"token\"` or `\"drop\"`"),
        );
        return None;
    }
    Some(FieldRule { path: path?, action, emit_as })
}

pub(super) fn read_name(what: &str, text: &At<&str>, problems: &mut Problems<'_>) -> Option<FieldName> {
    let name = text.value.parse::<FieldName>();
    if let Err(error) = &name {
        problems.push(
            Problem::at(text.span.clone(), format!("{what} is malformed: {error}"))
                .help("spell it exactly as the source does; names of another form never leave"),
        );
    }
    name.ok()
}

/// An action that is written as a word alone.
fn read_word(field: &str, text: &At<&str>, problems: &mut Problems<'_>) -> Option<Action> {
    let (what, example) = match word("action", text, WORDS, problems)? {
        Word::Keep => return Some(Action::Keep),
        Word::Drop => return Some(Action::Drop),
        Word::Mask => return Some(Action::Mask(Mask { first: 0, last: 0 })),
        Word::Year => return Some(Action::Year),
        Word::Token => return Some(Action::Token),
        Word::Age => ("a date `at` and a name `as`", "{ action = \"age\", at = 2024-02-14, as = \"usia\" }"),
        Word::AgeBand => (
            "a date `at`, a `width` and a name `as`",
            "{ action = \"age_band\", at = 2024-02-14, width = 10, as = \"kelompok_usia\" }",
        ),
        Word::Area => ("a `level`", "{ action = \"area\", level = \"desa\" }"),
        Word::Fpe => ("a name `as`", "{ action = \"fpe\", as = \"nik_semu\" }"),
        Word::Fixed => ("a `text`", "{ action = \"fixed\", text = \"-\" }"),
    };
    problems.push(
        Problem::at(text.span.clone(), format!("{} for {} needs {what}", quote(text.value), quote(field)))
            .help(format!("write `{example}`")),
    );
    None
}

/// An action with settings: `{ action = "mask", first = 12 }`.
fn read_settings(
    field: &str,
    table: &DeTable<'_>,
    span: Range<usize>,
    problems: &mut Problems<'_>,
) -> Option<(Action, Option<FieldName>)> {
    let Some(text) = table.get("action") else {
        problems.push(match paths::unquoted(field, table, SETTINGS) {
            Some(path) => Problem::at(span, format!("the path {} is written without quotes", quote(&path)))
                .help(format!("write `\"{path}\"`, with quotes: to TOML a dot outside them makes a table")),
            None => Problem::at(span, format!("the rule of {} has no `action`", quote(field)))
                .help("write it like `{ action = \"mask\", first = 6 }`"),
        });
        return None;
    };
    let Some(text) = text.get_ref().as_str().map(|value| At { value, span: text.span() }) else {
        problems.push(
            Problem::at(text.span(), format!("the action of {} is not a string", quote(field)))
                .help("write it like `{ action = \"mask\", first = 6 }`"),
        );
        return None;
    };
    let chosen = word("action", &text, WORDS, problems)?;
    let keys = Keys::open(table, span, format!("`{}`", text.value), chosen.keys(), problems);
    let emit_as = match keys.text("as", problems) {
        Some(name) => Some(read_name("the name after `as`", &name, problems)?),
        None if keys.get("as").is_some() => return None,
        None => None,
    };
    let action = match chosen {
        Word::Keep => Action::Keep,
        Word::Drop => Action::Drop,
        Word::Year => Action::Year,
        Word::Token => Action::Token,
        Word::Fpe => {
            check_fpe_name(&keys, problems)?;
            Action::Fpe
        }
        Word::Mask if keys.get("letters").is_some() => read_letters(field, &keys, problems)?,
        Word::Mask => Action::Mask(read_mask(&keys, problems)?),
        Word::Age => {
            // A number of years under the name of a birth date would be read as a date.
            let named = keys.need("as", problems).is_some();
            let at = keys.need_date("at", problems)?.value;
            named.then_some(Action::Age { at })?
        }
        Word::AgeBand => {
            let named = keys.need("as", problems).is_some();
            let at = keys.need_date("at", problems);
            let width = read_width(&keys, problems);
            named.then_some(Action::AgeBand { at: at?.value, width: width? })?
        }
        Word::Area => {
            let text = keys.need_text("level", problems)?;
            // An area of the whole country says nothing; `drop` says so.
            let levels: Vec<_> =
                read_levels().into_iter().filter(|(_, level)| *level != Level::Nasional).collect();
            Action::Area { level: word("level", &text, &levels, problems)? }
        }
        Word::Fixed => Action::Fixed(read_fixed(&keys, problems)?),
    };
    Some((action, emit_as))
}

/// What `fpe` makes would be taken for a real number under the name of one.
fn check_fpe_name(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<()> {
    keys.need("as", problems)?;
    let name = keys.text("as", problems)?;
    if !holds_number(name.value) {
        return Some(());
    }
    problems.push(
        Problem::at(name.span, format!("{} would be taken for a real number", quote(name.value)))
            .help("write another name, such as `as = \"nik_semu\"`"),
    );
    None
}

fn read_mask(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Mask> {
    let mut digits = |name| match keys.number(name, problems) {
        Some(number) => Some(number.value),
        None => keys.get(name).is_none().then_some(0),
    };
    let (first, last) = (digits("first"), digits("last"));
    let (first, last) = (first?, last?);
    let fits = first.checked_add(last).is_some_and(|shown| shown < NUMBER_DIGITS as u64);
    match (u8::try_from(first), u8::try_from(last)) {
        (Ok(first), Ok(last)) if fits => Some(Mask { first, last }),
        _ => {
            problems.push(
                Problem::at(keys.span(), "the mask hides nothing")
                    .note(format!(
                        "a number has {NUMBER_DIGITS} digits, of which the first {first} and the last {last} stay"
                    ))
                    .help("let fewer digits stay, such as `first = 6`"),
            );
            None
        }
    }
}

fn read_width(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<u8> {
    keys.need("width", problems)?;
    let number = keys.number("width", problems)?;
    let width = u8::try_from(number.value).ok().filter(|width| WIDTHS.contains(width));
    if width.is_none() {
        problems.push(
            Problem::at(number.span, format!("a band is {} to {} years wide", WIDTHS.start(), WIDTHS.end()))
                .help("write `width = 10`, or `age` for the age itself"),
        );
    }
    width
}

/// A mask of a free text: `{ action = "mask", letters = 1 }`.
fn read_letters(field: &str, keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Action> {
    let number = keys.number("letters", problems)?;
    let wrong = if holds_number(field) {
        format!("{} is a number and has no letters", quote(field))
    } else if keys.get("first").is_some() || keys.get("last").is_some() {
        "a mask counts digits or letters, not both".to_owned()
    } else {
        match u8::try_from(number.value) {
            Ok(first) if (1..=LETTERS_MAX).contains(&first) => return Some(Action::Letters { first }),
            _ => format!("a mask lets 1 to {LETTERS_MAX} letters stay"),
        }
    };
    problems.push(
        Problem::at(number.span, wrong)
            .help("write `letters = 1` for texts, `first = 6` for 16-digit numbers, or `\"mask\"` alone"),
    );
    None
}

fn read_fixed(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<String> {
    let text = keys.need_text("text", problems)?;
    let wrong = if text.value.len() > FIXED_BYTES_MAX {
        "is longer than 256 bytes"
    } else if text.value.chars().any(char::is_control) {
        "holds a control character"
    } else if holds_long_number(text.value) {
        "holds 16 digits in a row, which no copy may show"
    } else {
        return Some(text.value.to_owned());
    };
    problems.push(
        Problem::at(text.span, format!("the fixed text {wrong}")).help("write a short word such as `\"-\"`"),
    );
    None
}
