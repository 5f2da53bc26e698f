//! The parties of a register in a file of their own.
//!
//! ```csv
//! number,name,within
//! 1,Partai Contoh Satu,
//! 18,Partai Lokal Contoh,11 12
//! ```

use std::path::Path;

use super::EntitledParty;
use super::table::{self, Columns, Wrong};
use crate::document::{Diagnostic, quote};
use crate::domain::Wilayah;

const COLUMNS: Columns = Columns {
    names: ["number", "name", "within"],
    may_lack: "within",
    help: "write `number,name,within`; `within` may be left out",
};

/// Reads a CSV file with the columns `number`, `name` and, if it likes, `within`: areas with spaces between them.
pub(super) fn read(path: &Path) -> Result<Vec<EntitledParty>, Vec<Diagnostic>> {
    let mut parties: Vec<EntitledParty> = Vec::new();
    table::read(path, &COLUMNS, |[number, name, within]| {
        let number = number.parse::<u16>().ok().filter(|number| *number > 0).ok_or_else(|| Wrong {
            message: format!("{} is no ballot number", quote(number)),
            help: "write the party's number in this election, from 1 to 65535",
        })?;
        if parties.iter().any(|party| party.number == number) {
            let message = format!("two parties have the number {number}");
            return Err(Wrong {
                message,
                help: "keep one of the two; a number means one party in one election",
            });
        }
        if name.is_empty() {
            let message = format!("the party {number} has no name");
            return Err(Wrong { message, help: "write the name that stands on the ballot" });
        }
        let areas = within.split_whitespace().map(|code| {
            code.parse::<Wilayah>().map_err(|error| Wrong {
                message: format!("{} is not an area: {error}", quote(code)),
                help: "write codes such as `11`, with spaces between them, or nothing for everywhere",
            })
        });
        let within = areas.collect::<Result<Vec<_>, _>>()?;
        parties.push(EntitledParty { number, name: name.to_owned(), within });
        Ok(())
    })?;
    if parties.is_empty() {
        let problem = Diagnostic::of_file(path, "the file names no party");
        return Err(vec![problem.help("write a line for each party that takes part")]);
    }
    Ok(parties)
}

#[cfg(test)]
mod tests {
    use super::super::load;

    const REGISTER: &str = "[register]\nelection = \"pemilu-2024\"\nstage = \"dpt\"\nversion = \"1\"\n\
        legal_basis = \"-\"\ndays = 7\ncounting = \"calendar\"\nparties = \"partai.csv\"\n\n\
        [[area]]\nwilayah = \"9901\"\nname = \"Contoh\"\ndetermined = \"2023-06-21\"\n";

    fn loaded(register: &str, parties: &str) -> Result<super::super::Register, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("register.toml"), register).unwrap();
        std::fs::write(folder.path().join("partai.csv"), parties).unwrap();
        load(&folder.path().join("register.toml")).map_err(|found| {
            let said = |problem: &crate::document::Diagnostic| {
                let line = problem.line_column().map_or(0, |(line, _)| line);
                format!("{line} {}", problem.message())
            };
            found.iter().map(said).collect()
        })
    }

    #[test]
    fn a_register_says_the_same_wherever_its_parties_stand() {
        let parties = "number,name,within\n1,Partai Contoh Satu,\n18,Partai Lokal Contoh,11 12\n";
        let beside = loaded(REGISTER, parties).unwrap();
        let tables = "\n[[party]]\nnumber = 1\nname = \"Partai Contoh Satu\"\n\n[[party]]\nnumber = 18\n\
                      name = \"Partai Lokal Contoh\"\nwithin = [\"11\", \"12\"]\n";
        let inside = REGISTER.replace("parties = \"partai.csv\"\n", "") + tables;
        assert_eq!(beside.digest(), loaded(&inside, "").unwrap().digest());
        assert_ne!(beside.digest(), loaded(REGISTER, "name,number\nSatu,1\n").unwrap().digest());
        let both = loaded(&(REGISTER.to_owned() + tables), parties).unwrap_err();
        assert_eq!(both, ["8 the parties stand here and in another file"]);
    }

    #[test]
    fn all_that_is_wrong_is_said_with_its_line() {
        let parties = "number,name,within\n0,Nol,\n1,Satu,\n1,Satu,\n2,,\n3,Tiga,11 X\n4,Empat\n5,Lima,99\n";
        let expected = [
            "2 `0` is no ballot number",
            "4 two parties have the number 1",
            "5 the party 2 has no name",
            "6 `X` is not an area: ",
            "7 the line has more or fewer cells than the first",
        ];
        let found = loaded(REGISTER, parties).unwrap_err();
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}, not {expected}");
        }
        let said = |parties| loaded(REGISTER, parties).unwrap_err();
        assert_eq!(said("nomor,nama\n"), ["1 the first line does not name the columns `number` and `name`"]);
        assert_eq!(said("number,name\n"), ["0 the file names no party"]);
    }
}
