//! Paths of fields as policy files hold them: how they are written, and which cannot stand beside each other.
//!
//! ```toml
//! [role.fields]
//! "alamat.kelurahan" = "keep"
//! "anggota[].nik" = { action = "mask", first = 6 }
//! ```

use toml::de::{DeTable, DeValue};

use crate::document::{At, Problem, Problems, quote};
use crate::domain::{Action, FieldName, FieldPath, FieldRule};

/// Names under which sources hold a NIK or an NKK.
pub(super) const NUMBER_NAMES: [&str; 5] = ["nik", "nkk", "no_kk", "no_nik", "no_ktp"];

/// Whether a field of this name holds a NIK or NKK.
pub(super) fn is_number(name: &str) -> bool {
    NUMBER_NAMES.iter().any(|number| name.eq_ignore_ascii_case(number))
}

/// Whether a path leads to a NIK or NKK, or into one.
pub(super) fn holds_number(path: &str) -> bool {
    path.split('.').any(|part| is_number(part.strip_suffix("[]").unwrap_or(part)))
}

pub(super) fn read_path(text: &At<&str>, problems: &mut Problems<'_>) -> Option<FieldPath> {
    let path = text.value.parse::<FieldPath>();
    if let Err(error) = &path {
        problems.push(
            Problem::at(text.span.clone(), format!("the field's name is malformed: {error}"))
                .help("spell it exactly as the source does; names of another form never leave"),
        );
    }
    path.ok()
}

/// The path that a table without an action was meant as: to TOML a dot outside quotes makes a table. `settings` are the
/// words that a rule may hold, so that a rule which only lacks its action is not taken for one.
pub(super) fn unquoted(name: &str, table: &DeTable<'_>, settings: &[&str]) -> Option<String> {
    let (below, value) = table.iter().next()?;
    if table.keys().any(|key| settings.contains(&key.get_ref().as_ref())) {
        return None;
    }
    let path = format!("{name}.{}", below.get_ref());
    match value.get_ref() {
        DeValue::Table(inner) => unquoted(&path, inner, settings).or(Some(path)),
        _ => Some(path),
    }
}

/// Why two paths cannot both be ordered, if they cannot.
pub(super) enum Clash {
    /// The second lies below the first.
    Below,
    /// The first lies below the second.
    Above,
    /// This name stands for an object in one of them and for an array in the other.
    Shape(FieldName),
}

pub(super) fn clash(one: &FieldPath, two: &FieldPath) -> Option<Clash> {
    for (at, (first, second)) in one.steps().iter().zip(two.steps()).enumerate() {
        if first.name != second.name {
            return None;
        }
        if first.is_list != second.is_list {
            return Some(Clash::Shape(one.steps()[at].name.clone()));
        }
    }
    let depth = one.steps().len().min(two.steps().len());
    match (one.steps().get(depth), two.steps().get(depth)) {
        (None, Some(step)) if step.name == *one.leaf() => Some(Clash::Below),
        (Some(step), None) if step.name == *two.leaf() => Some(Clash::Above),
        _ => None,
    }
}

/// Reports each rule that cannot stand beside one before it in the file, and says whether there was none.
pub(super) fn check(rules: &[At<FieldRule>], problems: &mut Problems<'_>) -> bool {
    let mut sound = true;
    for (at, rule) in rules.iter().enumerate() {
        let wrong = |known: &At<FieldRule>| {
            against_path(&known.value, &rule.value).or_else(|| against_name(&known.value, &rule.value))
        };
        let found = rules[..at].iter().find_map(|known| Some((known, wrong(known)?)));
        if let Some((known, (message, help))) = found {
            let line = problems.line(known.span.start);
            problems.push(
                Problem::at(rule.span.clone(), message).note(format!("first at line {line}")).help(help),
            );
            sound = false;
        }
    }
    sound
}

/// What is wrong, and what to do.
type Wrong = (String, String);

/// Where both rules speak of one value.
fn against_path(known: &FieldRule, rule: &FieldRule) -> Option<Wrong> {
    let clash = clash(&known.path, &rule.path)?;
    let (first, second) = (quote(&known.path.to_string()), quote(&rule.path.to_string()));
    let of_both = |inner, outer| {
        (
            format!("{inner} lies below {outer}, which has a rule of its own"),
            format!("keep one of the two; without a rule for {outer} only what is named below it leaves"),
        )
    };
    Some(match clash {
        Clash::Below => of_both(second, first),
        Clash::Above => of_both(first, second),
        Clash::Shape(name) => (
            format!("{} is an object in one path and an array in another", quote(name.as_str())),
            "write `[]` behind it in all paths if the source has an array there, else in none".to_owned(),
        ),
    })
}

/// Where both rules put a value under one name of the copy. Objects and arrays on the way keep their names, and stay
/// even when nothing of them leaves.
fn against_name(known: &FieldRule, rule: &FieldRule) -> Option<Wrong> {
    if known.emit_as.is_none() && rule.emit_as.is_none() {
        return None; // their names are apart as their paths are
    }
    let leaves = |rule: &FieldRule| rule.action != Action::Drop;
    let (first, second) = (known.emitted(), rule.emitted());
    if leaves(known) && leaves(rule) && first == second {
        return Some((
            format!("two fields leave as {}", quote(&first.to_string())),
            "give one of the two another name by `as`, or drop it".to_owned(),
        ));
    }
    let (field, name) = match clash(&first, &second)? {
        Clash::Below if leaves(known) => (known, first),
        Clash::Above if leaves(rule) => (rule, second),
        Clash::Below | Clash::Above | Clash::Shape(_) => return None,
    };
    Some((
        format!(
            "{} leaves as {}, where other fields lie below",
            quote(&field.path.to_string()),
            quote(&name.to_string())
        ),
        "give it another name by `as`, or drop it".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_paths_clash_where_one_value_would_have_two_orders() {
        let cases = [
            ("alamat", "alamat.jalan", "below"),
            ("alamat.jalan", "alamat", "above"),
            ("a", "a[].b", "below"),
            ("a.b", "a[].c", "shape a"),
            ("a.b.c", "a.b[].c", "shape b"),
            ("a.b", "a.b.c", "below"),
            ("a.b[].c", "a.b", "above"),
            ("a.b", "a.c", "none"),
            ("a.b", "c.b", "none"),
            ("a", "b.a", "none"),
            ("a.b", "b.a.b", "none"),
            ("a.b", "b[].a", "none"),
            ("alamat", "alamat2.jalan", "none"),
        ];
        for (one, two, expected) in cases {
            let found = match clash(&one.parse().unwrap(), &two.parse().unwrap()) {
                None => "none".to_owned(),
                Some(Clash::Below) => "below".to_owned(),
                Some(Clash::Above) => "above".to_owned(),
                Some(Clash::Shape(name)) => format!("shape {name}"),
            };
            assert_eq!(found, expected, "{one} {two}");
        }
    }

    #[test]
    fn a_number_is_known_by_any_name_of_its_path() {
        let cases = [
            ("nik", true),
            ("NIK", true),
            ("anggota[].nik", true),
            ("nik.nilai", true),
            ("no_kk[].nilai", true),
            ("nikah", false),
            ("alamat.jalan", false),
        ];
        for (path, expected) in cases {
            assert_eq!(holds_number(path), expected, "{path}");
        }
    }
}
