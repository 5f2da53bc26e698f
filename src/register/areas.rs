//! The areas of a register: kabupaten/kota and kecamatan, each with the day on which its list was determined.
//!
//! ```csv
//! wilayah,name,determined
//! 9901,Kabupaten Contoh,2023-06-21
//! 990101,Kecamatan Contoh Utara,
//! ```
//!
//! A kecamatan without a day has that of its kabupaten/kota, since the list is determined there.

use std::collections::BTreeMap;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};
use jiff::civil::Date;

use super::Area;
use crate::document::{Diagnostic, Source, quote};
use crate::domain::{Level, Wilayah};

/// The areas as they are listed, before days are handed down.
#[derive(Default)]
pub(super) struct Listed(BTreeMap<Wilayah, Area>);

/// What is wrong with an area, and what to do.
pub(super) struct Wrong {
    pub message: String,
    pub help: &'static str,
}

impl Listed {
    pub fn add(&mut self, wilayah: Wilayah, name: &str, determined: Option<Date>) -> Result<(), Wrong> {
        if !matches!(wilayah.level(), Level::Kabkota | Level::Kecamatan) {
            return Err(Wrong {
                message: format!(
                    "copies are owed for kabupaten/kota and kecamatan, and {wilayah} is neither"
                ),
                help: "list codes of 4 and 6 digits",
            });
        }
        let area = Area { name: name.to_owned(), determined, deadline: None };
        match self.0.insert(wilayah, area) {
            None => Ok(()),
            Some(_) => {
                Err(Wrong { message: format!("{wilayah} is listed twice"), help: "keep one of the two" })
            }
        }
    }

    pub fn finish(self) -> BTreeMap<Wilayah, Area> {
        let mut areas = self.0;
        let inherited: Vec<(Wilayah, Date)> = areas
            .iter()
            .filter(|(_, area)| area.determined.is_none())
            .filter_map(|(wilayah, _)| {
                let above = Wilayah::of_code(wilayah.as_str().as_bytes(), Level::Kabkota)?;
                Some((*wilayah, areas.get(&above)?.determined?))
            })
            .collect();
        for (wilayah, determined) in inherited {
            if let Some(area) = areas.get_mut(&wilayah) {
                area.determined = Some(determined);
            }
        }
        areas
    }
}

const COLUMNS: [&str; 3] = ["wilayah", "name", "determined"];

/// Reads a CSV file with the columns `wilayah`, `determined` and, if it likes, `name`.
pub(super) fn read(path: &Path) -> Result<BTreeMap<Wilayah, Area>, Vec<Diagnostic>> {
    let source = Source::read(path).map_err(|problem| vec![problem])?;
    let mut reader = ReaderBuilder::new().from_reader(source.text.as_bytes());
    let mut found = Vec::new();
    let mut report = |at: usize, message: String, help: &str| {
        found.push(Diagnostic::of_file(path, message).at(&source.text, at..at).help(help));
    };
    let header = reader.headers().cloned().unwrap_or_default();
    let column = |name: &str| header.iter().position(|own| own == name);
    let (wilayah, name, determined) = (column(COLUMNS[0]), column(COLUMNS[1]), column(COLUMNS[2]));
    let (Some(wilayah), Some(determined)) = (wilayah, determined) else {
        report(
            0,
            "the first line does not name the columns `wilayah` and `determined`".into(),
            "write `wilayah,name,determined`",
        );
        return Err(found);
    };
    let mut listed = Listed::default();
    let mut row = StringRecord::new();
    loop {
        let at = usize::try_from(reader.position().byte()).unwrap_or_default();
        match reader.read_record(&mut row) {
            Ok(false) => break,
            Ok(true) => {}
            Err(_) => {
                report(
                    at,
                    "the line has more or fewer cells than the first".into(),
                    "write one cell for each column",
                );
                continue;
            }
        }
        let cell = |at: usize| row.get(at).unwrap_or_default().trim();
        let date = match cell(determined) {
            "" => Ok(None),
            text => text.parse::<Date>().map(Some),
        };
        match (cell(wilayah).parse::<Wilayah>(), date) {
            (Err(error), _) => report(
                at,
                format!("{} is not an area: {error}", quote(cell(wilayah))),
                "write the code of a kabupaten/kota or kecamatan, such as `9901`",
            ),
            (_, Err(_)) => report(
                at,
                format!("{} is not a date of the calendar", quote(cell(determined))),
                "write it like `2023-06-21`, or nothing where the list is not determined yet",
            ),
            (Ok(wilayah), Ok(date)) => {
                if let Err(wrong) = listed.add(wilayah, name.map_or("", cell), date) {
                    report(at, wrong.message, wrong.help);
                }
            }
        }
    }
    if found.is_empty() { Ok(listed.finish()) } else { Err(found) }
}
