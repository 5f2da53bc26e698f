//! What a role may have beside its fields: the added column, what is looked for in kept values, a quota of rows, and what
//! becomes of a copy whose token ends.
//!
//! ```toml
//! kode_ganda = { of = "nik" }
//! sweep = "abort"
//! patterns = ['08[0-9]{8,11}']
//! quota = { rows = 5000000, period = "day", copy = 500000 }
//! on_token_end = "finish_expired"
//! ```

use super::role::read_name;
use crate::document::{At, Key, Keys, Problem, Problems, quote, word};
use crate::domain::{
    Action, FieldPath, FieldRule, Found, KodeGanda, OnTokenEnd, Pattern, Period, RowQuota, Sweep,
};

/// Names under which sources hold an NKK.
const NKK_NAMES: [&str; 2] = ["nkk", "no_kk"];

const FOUND: &[(&str, Found)] = &[("mask", Found::Mask), ("abort", Found::Abort)];

/// Each pattern is looked for in every kept value.
const PATTERNS_MAX: usize = 16;

const QUOTA_KEYS: &[Key] = &[
    Key { name: "rows", example: "5000000" },
    Key { name: "period", example: "\"day\"" },
    Key { name: "copy", example: "500000" },
];

/// More than there are people: a greater number is a slip of the hand.
const ROWS_MAX: u64 = 1_000_000_000_000;

const GANDA_KEYS: &[Key] = &[Key { name: "of", example: "\"nik\"" }];

pub(super) fn read_sweep(role: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Sweep> {
    let found = match role.text("sweep", problems) {
        Some(text) => word("sweep", &text, FOUND, problems),
        None => role.get("sweep").is_none().then(Found::default),
    };
    let Some(list) = role.get("patterns") else { return Some(Sweep { found: found?, patterns: Vec::new() }) };
    let texts = role.need_texts("patterns", problems)?;
    if texts.len() > PATTERNS_MAX {
        problems.push(
            Problem::at(list.span(), format!("the role has more than {PATTERNS_MAX} patterns"))
                .help("join some by `|`; each is looked for in every kept value"),
        );
    }
    let mut patterns = Vec::new();
    for text in texts {
        match text.value.parse::<Pattern>() {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => problems.push(
                Problem::at(text.span, format!("the pattern {error}"))
                    .help("write it in single quotes, such as `'08[0-9]{8,11}'`, without look-around"),
            ),
        }
    }
    Some(Sweep { found: found?, patterns })
}

/// What becomes of a copy when its token ends; the strictest unless the policy says otherwise.
pub(super) fn read_on_token_end(role: &Keys<'_>, problems: &mut Problems<'_>) -> Option<OnTokenEnd> {
    match role.text("on_token_end", problems) {
        Some(text) => word("on_token_end", &text, &OnTokenEnd::WORDS, problems),
        None => role.get("on_token_end").is_none().then(OnTokenEnd::default),
    }
}

/// The quota of rows, if there is one. `Err`: what stands there is wrong, which `problems` says.
pub(super) fn read_quota(role: &Keys<'_>, problems: &mut Problems<'_>) -> Result<Option<RowQuota>, ()> {
    let Some(table) = role.table("quota", problems) else {
        return if role.get("quota").is_none() { Ok(None) } else { Err(()) };
    };
    let keys = Keys::open(table.value, table.span, "`quota`", QUOTA_KEYS, problems);
    keys.need("rows", problems);
    let rows = read_rows(&keys, "rows", ROWS_MAX, problems);
    let period =
        keys.need_text("period", problems).and_then(|text| word("period", &text, &Period::WORDS, problems));
    let copy = match keys.get("copy") {
        Some(_) => Some(read_rows(&keys, "copy", rows.unwrap_or(ROWS_MAX), problems).ok_or(())?),
        None => None,
    };
    rows.zip(period).map(|(rows, period)| Some(RowQuota { rows, period, copy })).ok_or(())
}

fn read_rows(keys: &Keys<'_>, name: &'static str, max: u64, problems: &mut Problems<'_>) -> Option<u64> {
    let At { value, span } = keys.number(name, problems)?;
    if (1..=max).contains(&value) {
        return Some(value);
    }
    problems.push(Problem::at(span, format!("`{name}` is a number of rows from 1 to {max}")).help(
        "`rows` are those of a period, `copy` those that one copy may take of them; a role that may take none has no rule",
    ));
    None
}

/// The added column, if there is one.
pub(super) fn read_ganda(
    role: &Keys<'_>,
    fields: &[FieldRule],
    problems: &mut Problems<'_>,
) -> Option<KodeGanda> {
    let table = role.table("kode_ganda", problems)?;
    let keys = Keys::open(table.value, table.span.clone(), "`kode_ganda`", GANDA_KEYS, problems);
    let text = keys.need_text("of", problems)?;
    let of = read_name("the name after `of`", &text, problems)?;
    let mut sound = true;
    if NKK_NAMES.iter().any(|number| text.value.eq_ignore_ascii_case(number)) {
        problems.push(
            Problem::at(text.span.clone(), "equal family cards would show who lives together")
                .help("write `kode_ganda = { of = \"nik\" }`: voters are doubled by their NIK"),
        );
        sound = false;
    }
    let first = |path: &FieldPath| path.steps().first().map_or(path.leaf(), |step| &step.name).clone();
    // An object on the way to a field stays, even when nothing of it leaves.
    let leaves = |rule: &&FieldRule| rule.action != Action::Drop || rule.path.name().is_none();
    let mut leaving = fields.iter().filter(leaves);
    if let Some(rule) = leaving.find(|rule| first(&rule.emitted()).as_str() == KodeGanda::NAME) {
        problems.push(
            Problem::at(table.span, format!("{} leaves as `kode_ganda` too", quote(&rule.path.to_string())))
                .help("give the field another name by `as`, or drop it"),
        );
        sound = false;
    }
    if let Some(rule) = fields.iter().find(|rule| rule.path.name().is_none() && first(&rule.path) == of) {
        problems.push(
            Problem::at(
                text.span,
                format!(
                    "{} is an object in the rule of {}",
                    quote(text.value),
                    quote(&rule.path.to_string())
                ),
            )
            .help("write the field of the record itself that holds the number"),
        );
        sound = false;
    }
    sound.then_some(KodeGanda { of })
}
