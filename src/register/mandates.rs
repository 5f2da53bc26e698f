//! The mandate letters of a register whose last day is known.
//!
//! ```toml
//! [[mandate]]
//! party = 1
//! number = "015/SM/VI/2023"
//! until = "2023-07-31"
//! ```

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::file::{read_ballot_number, read_date};
use crate::document::{At, Key, Keys, Problem, Problems};
use crate::domain::Mandates;

const KEYS: &[Key] = &[
    Key { name: "party", example: "1" },
    Key { name: "number", example: "\"015/SM/VI/2023\"" },
    Key { name: "until", example: "\"2023-07-31\"" },
];

/// Longest number of a letter, as in tokens.
const NUMBER_BYTES_MAX: usize = 128;

/// Reads the `[[mandate]]` tables, if there are any.
pub(super) fn read(file: &Keys<'_>, election: &str, problems: &mut Problems<'_>) -> Option<Mandates> {
    let mut last_days: BTreeMap<(u16, String), Date> = BTreeMap::new();
    let mut is_whole = true;
    let tables =
        if file.get("mandate").is_some() { file.need_tables("mandate", problems) } else { Vec::new() };
    for table in tables {
        let keys = Keys::open(table.value, table.span.clone(), "`[[mandate]]`", KEYS, problems);
        keys.need("party", problems);
        let party = keys.number("party", problems).and_then(|number| read_ballot_number(&number, problems));
        let number = keys.need_text("number", problems).and_then(|text| read_number(&text, problems));
        let until = keys.need_text("until", problems).and_then(|text| read_date(&text, problems));
        let (Some(party), Some(number), Some(until)) = (party, number, until) else {
            is_whole = false;
            continue;
        };
        if last_days.insert((party, number), until).is_some() {
            problems.push(
                Problem::at(table.span, "this mandate letter of the party stands here twice")
                    .help("keep the one with the right day"),
            );
        }
    }
    is_whole.then(|| Mandates::new(election.to_owned(), last_days))
}

fn read_number(text: &At<&str>, problems: &mut Problems<'_>) -> Option<String> {
    let is_printable = text.value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if is_printable && (1..=NUMBER_BYTES_MAX).contains(&text.value.len()) {
        return Some(text.value.to_owned());
    }
    problems.push(
        Problem::at(
            text.span.clone(),
            format!("a mandate's number is 1 to {NUMBER_BYTES_MAX} printable ASCII characters"),
        )
        .help("write it as tokens carry it in `mandate`"),
    );
    None
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use crate::domain::Party;

    const REGISTER: &str = "[register]\nelection = \"pemilu-2024\"\nstage = \"dpt\"\nversion = \"1\"\n\
        legal_basis = \"-\"\ndays = 7\ncounting = \"calendar\"\n\n\
        [[area]]\nwilayah = \"9901\"\nname = \"Contoh\"\ndetermined = \"2023-06-21\"\n\n\
        [[party]]\nnumber = 1\nname = \"Satu\"\n";

    fn loaded(more: &str) -> Result<super::super::Register, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("register.toml");
        std::fs::write(&path, format!("{REGISTER}{more}")).unwrap();
        load(&path).map_err(|found| found.iter().map(|problem| problem.message().to_owned()).collect())
    }

    #[test]
    fn a_letter_has_a_last_day_or_the_register_says_what_is_wrong() {
        let letter = "\n[[mandate]]\nparty = 1\nnumber = \"015/SM\"\nuntil = \"2023-07-31\"\n";
        let register = loaded(letter).unwrap();
        let party = |election: &str, number| Party { election: election.to_owned(), number };
        let cases = [
            ("pemilu-2024", 1, "015/SM", Some("2023-07-31")),
            ("pemilu-2024", 1, "015/SM ", None),
            ("pemilu-2024", 2, "015/SM", None),
            ("pemilu-2029", 1, "015/SM", None),
        ];
        for (election, number, letter, expected) in cases {
            let day = register.mandates.last_day(&party(election, number), letter);
            assert_eq!(day.map(|day| day.to_string()).as_deref(), expected, "{election} {number} {letter}");
        }
        assert_ne!(
            register.digest(),
            loaded("").unwrap().digest(),
            "a change of it is entered in the ledger"
        );

        let wrong = [
            ("until = \"2023-07-31\"", "until = \"2023-02-30\"", "is not a date of the calendar"),
            ("until = \"2023-07-31\"\n", "", "`[[mandate]]` has no `until`"),
            ("party = 1", "party = 0", "a ballot number is a number from 1 to 65535"),
            ("\"015/SM\"", "\"\"", "a mandate's number is 1 to 128 printable ASCII characters"),
            ("\n[[mandate]]", "\n[mandate]", "`mandate` is a list of tables"),
        ];
        for (from, to, expected) in wrong {
            assert_eq!(loaded(&letter.replace(from, to)).unwrap_err(), [expected], "{to}");
        }
        let twice = loaded(&format!("{letter}{letter}")).unwrap_err();
        assert_eq!(twice, ["this mandate letter of the party stands here twice"]);
    }
}
