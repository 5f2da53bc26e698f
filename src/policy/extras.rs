//! What a role may have beside its fields: the added column, and what is looked for in kept values.
//!
//! ```toml
//! kode_ganda = { of = "nik" }
//! sweep = "abort"
//! patterns = ['08[0-9]{8,11}']
//! ```

use super::role::read_name;
use crate::document::{Key, Keys, Problem, Problems, quote, word};
use crate::domain::{Action, FieldPath, FieldRule, Found, KodeGanda, Pattern, Sweep};

/// Names under which sources hold an NKK.
const NKK_NAMES: [&str; 2] = ["nkk", "no_kk"];

const FOUND: &[(&str, Found)] = &[("mask", Found::Mask), ("abort", Found::Abort)];

/// Each pattern is looked for in every kept value.
const PATTERNS_MAX: usize = 16;

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
