//! Reads a CSV file whose first line names its columns, row by row, and says of each that is wrong where it stands.

use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use crate::document::{Diagnostic, Source};

/// What is wrong with a row, and what to do.
pub(super) struct Wrong {
    pub message: String,
    pub help: &'static str,
}

/// The columns of a file, of which one may be left out.
pub(super) struct Columns {
    pub names: [&'static str; 3],
    pub may_lack: &'static str,
    pub help: &'static str,
}

/// Hands the cells of each row on, in the order of `columns`, and gives all that was said of them.
pub(super) fn read(
    path: &Path,
    columns: &Columns,
    mut row: impl FnMut([&str; 3]) -> Result<(), Wrong>,
) -> Result<(), Vec<Diagnostic>> {
    let source = Source::read(path).map_err(|problem| vec![problem])?;
    let mut reader = ReaderBuilder::new().from_reader(source.text.as_bytes());
    let mut found = Vec::new();
    let mut report = |at: usize, wrong: Wrong| {
        found.push(Diagnostic::of_file(path, wrong.message).at(&source.text, at..at).help(wrong.help));
    };
    let header = reader.headers().cloned().unwrap_or_default();
    let places = columns.names.map(|name| header.iter().position(|own| own == name));
    let mut needed = columns.names.iter().zip(places).filter(|(name, _)| **name != columns.may_lack);
    if needed.clone().any(|(_, place)| place.is_none()) {
        let names = needed.next().zip(needed.next()).map(|((one, _), (other, _))| (*one, *other));
        let (one, other) = names.unwrap_or_default();
        let message = format!("the first line does not name the columns `{one}` and `{other}`");
        report(0, Wrong { message, help: columns.help });
        return Err(found);
    }
    let mut record = StringRecord::new();
    loop {
        let at = usize::try_from(reader.position().byte()).unwrap_or_default();
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                let cell = |place: Option<usize>| place.and_then(|at| record.get(at)).unwrap_or_default();
                if let Err(wrong) = row(places.map(|place| cell(place).trim())) {
                    report(at, wrong);
                }
            }
            Err(_) => {
                let message = "the line has more or fewer cells than the first".to_owned();
                report(at, Wrong { message, help: "write one cell for each column" });
            }
        }
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}
