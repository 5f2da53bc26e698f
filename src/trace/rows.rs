//! Which rows of a file can stand in a copy with certain fields, and where those rows belong.

use std::collections::{BTreeMap, HashMap};

use super::fragment::Table;
use super::given::{Given, How};
use crate::domain::{Action, Level, Wilayah};
use crate::redact::{Fit, fit};

/// Names of columns that hold codes of areas, by what is in them; and by what is in them where the area is not the one
/// that a row belongs to.
const AREA_NAMES: [&str; 7] = ["kode", "tps", "wilayah", "kel", "desa", "kec", "kab"];
const OTHER_AREA_NAMES: [&str; 5] = ["lahir", "asal", "ktp", "domisili", "tujuan"];
const DESA_DIGITS: usize = 10;

/// Why a column of the file cannot be of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Misfit {
    /// The copy had no such field.
    NotGiven,
    /// It shows what the copy hid.
    TooMuch,
    /// Its values are of another form than the copy's.
    Other,
}

/// What the rows of a file say of all copies that had the same fields.
#[derive(Debug)]
pub struct Fitting {
    /// Rows that can stand in such a copy.
    pub rows: u64,
    /// Misfits by column, and the rows that have them.
    pub misfits: BTreeMap<(usize, Misfit), u64>,
    /// Of those rows: how many say no area, and how many lie in each area, under each code above theirs too.
    homeless: u64,
    inside: HashMap<String, u64>,
    /// How many have this very code.
    at: HashMap<String, u64>,
}

impl Fitting {
    /// `homes` are the rows' own codes; `strangers` columns that no release gave and that are set aside.
    pub fn of(table: &Table, fields: &[Given], homes: &[Option<String>], strangers: &[bool]) -> Self {
        let given: Vec<Option<&Given>> =
            table.columns.iter().map(|name| fields.iter().find(|field| field.holds(name))).collect();
        let fixed: Vec<&str> = (0..table.columns.len())
            .map(|column| table.values(column).find(|value| !value.is_empty()).unwrap_or_default())
            .collect();
        let mut fitting = Self {
            rows: 0,
            misfits: BTreeMap::new(),
            homeless: 0,
            inside: HashMap::new(),
            at: HashMap::new(),
        };
        for (row, home) in homes.iter().enumerate() {
            let mut is_fit = true;
            for column in (0..table.columns.len()).filter(|column| !strangers[*column]) {
                let value = table.cell(row, column);
                if let Some(misfit) = misfit(given[column], value, fixed[column]) {
                    *fitting.misfits.entry((column, misfit)).or_default() += 1;
                    is_fit = false;
                }
            }
            if is_fit {
                fitting.add(home.as_deref());
            }
        }
        fitting
    }

    fn add(&mut self, home: Option<&str>) {
        self.rows += 1;
        let Some(home) = home else {
            self.homeless += 1;
            return;
        };
        *self.at.entry(home.to_owned()).or_default() += 1;
        for level in [2, 4, 6, DESA_DIGITS, DESA_DIGITS + 3] {
            if let Some(code) = home.get(..level) {
                *self.inside.entry(code.to_owned()).or_default() += 1;
            }
        }
    }

    /// Fitting rows that can lie in the area or TPS with this code. A row that names a larger area may.
    pub fn within(&self, code: &str) -> u64 {
        let above = (2..code.len()).filter_map(|end| self.at.get(code.get(..end)?)).sum::<u64>();
        self.homeless + above + self.inside.get(code).copied().unwrap_or_default()
    }

    /// The polling stations that rows name, each with its rows.
    pub fn stations(&self) -> impl Iterator<Item = (&str, u64)> {
        let all = self.at.iter().filter(|(code, _)| code.len() > DESA_DIGITS);
        all.map(|(code, rows)| (code.as_str(), *rows))
    }
}

fn misfit(given: Option<&Given>, value: &str, first: &str) -> Option<Misfit> {
    if value.is_empty() {
        return None;
    }
    let Some(given) = given else { return Some(Misfit::NotGiven) };
    let fit = match &given.how {
        How::Unknown => Fit::Fits,
        // A code has the form of a token.
        How::Ganda => fit(&Action::Token, value),
        // The same in every row, whatever it is.
        How::Done(Action::Fixed(_)) => {
            if value == first {
                Fit::Fits
            } else {
                Fit::Other
            }
        }
        How::Done(action) => fit(action, value),
    };
    match fit {
        Fit::Fits => None,
        Fit::TooMuch => Some(Misfit::TooMuch),
        Fit::Other => Some(Misfit::Other),
    }
}

/// The code of the smallest area that each row names.
pub fn homes(table: &Table, fields: &[Vec<Given>]) -> (Vec<Option<String>>, Vec<usize>) {
    let columns: Vec<usize> =
        (0..table.columns.len()).filter(|column| holds_areas(table, *column, fields)).collect();
    let home = |row: usize| {
        let codes = columns.iter().filter_map(|column| code(table.cell(row, *column)));
        codes.max_by_key(String::len)
    };
    ((0..table.rows()).map(home).collect(), columns)
}

/// Whether a column holds codes of areas and nothing else: those of desa and TPS under a name that says so, those of
/// larger areas only where every copy's field of that name does. Other numbers are as long as short codes.
fn holds_areas(table: &Table, column: usize, fields: &[Vec<Given>]) -> bool {
    let name = &table.columns[column];
    let mut given = fields.iter().flatten().filter(|field| field.holds(name)).peekable();
    let is_area =
        given.peek().is_some() && given.all(|field| matches!(field.how, How::Done(Action::Area { .. })));
    if OTHER_AREA_NAMES.iter().any(|part| name.contains(part)) {
        return false;
    }
    let is_named = AREA_NAMES.iter().any(|part| name.contains(part));
    let mut values = table.values(column).filter(|value| !value.is_empty()).peekable();
    values.peek().is_some()
        && values
            .all(|value| code(value).is_some_and(|code| is_area || (is_named && code.len() >= DESA_DIGITS)))
}

/// The digits of a code of an area or a TPS, plain or dotted.
fn code(text: &str) -> Option<String> {
    Wilayah::of_code(text.as_bytes(), Level::Desa)?;
    Some(text.chars().filter(char::is_ascii_digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(of: &[(&str, &str)]) -> Vec<Given> {
        of.iter().map(|(name, word)| Given::read(name, word)).collect()
    }

    #[test]
    fn rows_are_counted_where_they_fit_and_where_they_lie() {
        let table = Table::read(
            b"nik,nama,kode_tps\n\
              990101**********,A,9901011001001\n\
              990101**********,B,99.01.01.1001.002\n\
              9901014512900003,C,9902011001001\n\
              ****,D,\n",
            None,
        )
        .unwrap();
        let fields = fields(&[("nik", "mask(6,0)"), ("nama", "keep"), ("kode_tps", "keep")]);
        let (homes, columns) = homes(&table, std::slice::from_ref(&fields));
        assert_eq!(columns, [2]);
        let fitting = Fitting::of(&table, &fields, &homes, &[false; 3]);
        assert_eq!((fitting.rows, fitting.misfits[&(0, Misfit::TooMuch)]), (3, 1));
        for (code, rows) in [("9901", 3), ("9901011001001", 2), ("9902", 1), ("99", 3), ("990102", 1)] {
            assert_eq!(fitting.within(code), rows, "{code}");
        }
        let without = Fitting::of(&table, &fields[..2], &homes, &[false; 3]);
        assert_eq!((without.rows, without.misfits[&(2, Misfit::NotGiven)]), (1, 3));
        assert_eq!(Fitting::of(&table, &fields[..2], &homes, &[false, false, true]).rows, 3);
    }

    #[test]
    fn numbers_that_look_like_codes_are_none_without_a_name_that_says_so() {
        let table = Table::read(b"telepon,tahun_lahir,kode_tps\n0812345678,1990,9901011001\n", None).unwrap();
        let fields =
            fields(&[("telepon", "keep"), ("tahun_lahir", "year of tanggal_lahir"), ("kode_tps", "keep")]);
        assert_eq!(homes(&table, &[fields]).1, [2]);
    }
}
