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

use jiff::civil::Date;

use super::Area;
use super::table::{self, Columns, Wrong};
use crate::document::{Diagnostic, quote};
use crate::domain::{Level, Wilayah};

/// The areas as they are listed, before days are handed down.
#[derive(Default)]
pub(super) struct Listed(BTreeMap<Wilayah, Area>);

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

const COLUMNS: Columns = Columns {
    names: ["wilayah", "determined", "name"],
    may_lack: "name",
    help: "write `wilayah,name,determined`",
};

/// Reads a CSV file with the columns `wilayah`, `determined` and, if it likes, `name`.
pub(super) fn read(path: &Path) -> Result<BTreeMap<Wilayah, Area>, Vec<Diagnostic>> {
    let mut listed = Listed::default();
    table::read(path, &COLUMNS, |[wilayah, determined, name]| {
        let wilayah = wilayah.parse::<Wilayah>().map_err(|error| Wrong {
            message: format!("{} is not an area: {error}", quote(wilayah)),
            help: "write the code of a kabupaten/kota or kecamatan, such as `9901`",
        })?;
        let date = match determined {
            "" => None,
            text => Some(text.parse::<Date>().map_err(|_| Wrong {
                message: format!("{} is not a date of the calendar", quote(text)),
                help: "write it like `2023-06-21`, or nothing where the list is not determined yet",
            })?),
        };
        listed.add(wilayah, name, date)
    })?;
    Ok(listed.finish())
}
