//! What a copy held by the word of its intent: each field under the name it left by, what was done to it, and which field
//! of the source it came from.

use crate::domain::person::NUMBER_DIGITS;
use crate::domain::{Action, KodeGanda, Level, Mask};

/// One field of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// As [`plain_name`] writes it.
    pub name: String,
    /// The ledger's own word for what was done.
    pub word: String,
    pub how: How,
    /// Where it stands in the source's records.
    pub path: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// The text of a `fixed` is not in the ledger.
    Done(Action),
    Ganda,
    /// A word of a later version of this program.
    Unknown,
}

impl Given {
    /// `["usia", "age(2024-02-14) of tanggal_lahir"]`.
    pub fn read(name: &str, word: &str) -> Self {
        let (action, path) = word.split_once(" of ").unwrap_or((word, name));
        let of =
            action.strip_prefix(KodeGanda::NAME).and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
        let (how, path) = match of {
            Some(of) => (How::Ganda, of),
            None => (read_action(action).map_or(How::Unknown, How::Done), path),
        };
        Self { name: plain_name(name), word: word.to_owned(), how, path: path.to_owned() }
    }

    /// Whether what is done to it takes the key of the copy.
    pub fn is_keyed(&self) -> bool {
        matches!(self.how, How::Ganda | How::Done(Action::Token | Action::Fpe))
    }

    /// Whether a column of this name holds it, or a part of it: what is kept leaves with all below it.
    pub fn holds(&self, column: &str) -> bool {
        let Some(rest) = column.strip_prefix(&*self.name) else { return false };
        rest.is_empty() || (self.how == How::Done(Action::Keep) && rest.starts_with(['.', '[']))
    }
}

/// Names are compared without regard to case and blanks around them, which do not survive spreadsheets.
pub fn plain_name(name: &str) -> String {
    name.trim_matches(|sign: char| sign.is_whitespace() || sign == '\u{feff}').to_lowercase()
}

/// The other way round of how a plan writes its actions.
fn read_action(word: &str) -> Option<Action> {
    let (word, settings) = match word.split_once('(') {
        Some((word, rest)) => (word, rest.strip_suffix(')')?),
        None => (word, ""),
    };
    let both = || settings.split_once(',');
    Some(match (word, settings) {
        ("keep", "") => Action::Keep,
        ("year", "") => Action::Year,
        ("fixed", "") => Action::Fixed(String::new()),
        ("token", "") => Action::Token,
        ("fpe", "") => Action::Fpe,
        ("age", at) => Action::Age { at: at.parse().ok()? },
        ("age_band", _) => {
            let (at, width) = both()?;
            Action::AgeBand { at: at.parse().ok()?, width: width.parse().ok()? }
        }
        ("area", level) => Action::Area { level: Level::ALL.into_iter().find(|own| own.as_str() == level)? },
        ("mask", _) => match (settings.strip_prefix("letters="), both()) {
            (Some(first), _) => Action::Letters { first: first.parse().ok()? },
            (None, Some((first, last))) => {
                let mask = Mask { first: first.parse().ok()?, last: last.parse().ok()? };
                let shown = usize::from(mask.first) + usize::from(mask.last);
                Action::Mask((shown <= NUMBER_DIGITS).then_some(mask)?)
            }
            (None, None) => return None,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::*;

    #[test]
    fn every_action_is_read_back_from_the_ledgers_word_for_it() {
        let at = Date::constant(2024, 2, 14);
        let actions = [
            Action::Keep,
            Action::Mask(Mask { first: 6, last: 0 }),
            Action::Letters { first: 2 },
            Action::Year,
            Action::Age { at },
            Action::AgeBand { at, width: 10 },
            Action::Area { level: Level::Desa },
            Action::Fixed(String::new()),
            Action::Token,
            Action::Fpe,
        ];
        for action in actions {
            assert_eq!(read_action(&action.to_string()), Some(action.clone()), "{action}");
            let given = Given::read("Usia ", &format!("{action} of tanggal_lahir"));
            assert_eq!((&*given.name, &*given.path, given.how), ("usia", "tanggal_lahir", How::Done(action)));
        }
        let ganda = Given::read("kode_ganda", "kode_ganda(nik)");
        assert_eq!((ganda.how, &*ganda.path), (How::Ganda, "nik"));
        for word in [
            "",
            "mask",
            "mask(6)",
            "mask(6,0",
            "mask(12,9)",
            "mask(300,0)",
            "age()",
            "area(x)",
            "hash(3)",
            "keep(1)",
        ] {
            assert_eq!(Given::read("nik", word).how, How::Unknown, "{word}");
        }
    }

    #[test]
    fn what_is_kept_holds_all_below_it_and_nothing_else_does() {
        let kept = Given::read("alamat", "keep");
        for (column, held) in
            [("alamat", true), ("alamat.rt", true), ("alamat[]", true), ("alamat_2", false), ("ala", false)]
        {
            assert_eq!(kept.holds(column), held, "{column}");
        }
        assert!(!Given::read("nik", "token").holds("nik.x"));
    }
}
