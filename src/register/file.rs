//! Reads a register.
//!
//! ```toml
//! [register]
//! election = "pemilu-2024"
//! stage = "dpt"
//! version = "1"
//! legal_basis = "UU 7/2017 Pasal 208 ayat (5)"
//! days = 7
//! counting = "calendar"
//! areas = "wilayah.csv"
//!
//! [[party]]
//! number = 1
//! name = "Partai Contoh Satu"
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use toml::de::DeTable;

use super::{Area, Counting, EntitledParty, Register, areas, mandates, parties};
use crate::document::{At, Diagnostic, Key, Keys, Problem, Problems, Source, quote, word};
use crate::domain::{Dataset, Determination, Stage, Wilayah};

const FILE_KEYS: &[Key] = &[
    Key { name: "register", example: "{ .. }" },
    Key { name: "party", example: "[{ .. }]" },
    Key { name: "area", example: "[{ .. }]" },
    Key { name: "mandate", example: "[{ .. }]" },
];

const REGISTER_KEYS: &[Key] = &[
    Key { name: "election", example: "\"pemilu-2024\"" },
    Key { name: "stage", example: "\"dpt\"" },
    Key { name: "version", example: "\"1\"" },
    Key { name: "legal_basis", example: "\"UU 7/2017 Pasal 208 ayat (5)\"" },
    Key { name: "days", example: "7" },
    Key { name: "counting", example: "\"calendar\"" },
    Key { name: "days_off", example: "[\"2023-06-29\"]" },
    Key { name: "areas", example: "\"wilayah.csv\"" },
    Key { name: "parties", example: "\"partai.csv\"" },
];

const PARTY_KEYS: &[Key] = &[
    Key { name: "number", example: "1" },
    Key { name: "name", example: "\"Partai Contoh Satu\"" },
    Key { name: "within", example: "[\"11\"]" },
];

const COUNTINGS: &[(&str, bool)] = &[("calendar", false), ("working", true)];

/// Most days a register may give: more is a slip of the hand.
const DAYS_MAX: u64 = 366;

/// Reads the register at `path` and the files of its areas and parties beside it, where it names them; or all that is
/// wrong with any.
pub fn load(path: &Path) -> Result<Register, Vec<Diagnostic>> {
    let source = Source::read(path).map_err(|problem| vec![problem])?;
    let mut problems = Problems::of(&source);
    let mut beside = Vec::new();
    let read = source.parse(&mut problems).and_then(|table| {
        let keys = Keys::open(&table, 0..0, "the file", FILE_KEYS, &mut problems);
        read(&keys, path, &mut beside, &mut problems)
    });
    let mut found = problems.into_sorted();
    found.extend(beside);
    match read {
        Some(register) if found.is_empty() => Ok(register),
        _ => Err(found),
    }
}

fn read(
    file: &Keys<'_>,
    path: &Path,
    beside: &mut Vec<Diagnostic>,
    problems: &mut Problems<'_>,
) -> Option<Register> {
    let head = file.need_table("register", problems);
    let Some(head) = head else {
        // What else is wrong is said all the same.
        let tables = file.need_tables("party", problems);
        read_parties(&tables, problems);
        return None;
    };
    let keys = Keys::open(head.value, head.span.clone(), "`[register]`", REGISTER_KEYS, problems);
    let election = keys.need_text("election", problems).map(|text| text.value.to_owned());
    let stage =
        keys.need_text("stage", problems).and_then(|text| word("stage", &text, &Stage::WORDS, problems));
    let version = keys.need_text("version", problems).map(|text| text.value.to_owned());
    let legal_basis = keys.need_text("legal_basis", problems).map(|text| text.value.to_owned());
    keys.need("days", problems);
    let days = keys.number("days", problems).and_then(|number| read_days(&number, problems));
    let counting = read_counting(&keys, problems);
    let parties = read_all_parties(file, &keys, path, beside, problems);
    let areas = read_areas(file, &keys, path, beside, problems);
    let mandates = mandates::read(file, election.as_deref().unwrap_or_default(), problems);
    let (days, counting) = (days?, counting?);
    let mut areas: BTreeMap<Wilayah, Area> = areas?;
    for area in areas.values_mut() {
        area.deadline = area.determined.and_then(|date| counting.deadline(date, days));
    }
    Some(Register {
        determination: Determination {
            dataset: Dataset::Dpt,
            election: election?,
            stage: stage?,
            version: version?,
        },
        legal_basis: legal_basis?,
        days,
        counting,
        parties: parties?,
        areas,
        mandates: mandates?,
    })
}

fn read_days(number: &At<u64>, problems: &mut Problems<'_>) -> Option<u16> {
    let days = u16::try_from(number.value).ok().filter(|_| (1..=DAYS_MAX).contains(&number.value));
    if days.is_none() {
        problems.push(
            Problem::at(number.span.clone(), format!("`days` is not a number from 1 to {DAYS_MAX}"))
                .help("the law gives seven: `days = 7`"),
        );
    }
    days
}

fn read_counting(keys: &Keys<'_>, problems: &mut Problems<'_>) -> Option<Counting> {
    let text = keys.need_text("counting", problems)?;
    let is_working = word("counting", &text, COUNTINGS, problems)?;
    let Some(value) = keys.get("days_off") else {
        return Some(if is_working {
            Counting::Working { days_off: BTreeSet::new() }
        } else {
            Counting::Calendar
        });
    };
    if !is_working {
        problems.push(
            Problem::at(value.span(), "calendar days count whether people work or not")
                .help("remove `days_off`, or write `counting = \"working\"`"),
        );
        return None;
    }
    let texts = keys.need_texts("days_off", problems)?;
    let dates: Vec<Option<Date>> = texts.iter().map(|text| read_date(text, problems)).collect();
    Some(Counting::Working { days_off: dates.into_iter().collect::<Option<_>>()? })
}

/// A date written as text, in lists and in CSV.
pub(super) fn read_date(text: &At<&str>, problems: &mut Problems<'_>) -> Option<Date> {
    let date = text.value.parse::<Date>();
    if date.is_err() {
        problems.push(
            Problem::at(text.span.clone(), "is not a date of the calendar")
                .help("write it like `\"2023-06-21\"`"),
        );
    }
    date.ok()
}

/// From the tables of this file or from the CSV file it names: one of the two.
fn read_all_parties(
    file: &Keys<'_>,
    keys: &Keys<'_>,
    path: &Path,
    beside: &mut Vec<Diagnostic>,
    problems: &mut Problems<'_>,
) -> Option<Vec<EntitledParty>> {
    if keys.get("parties").is_none() {
        let tables = file.need_tables("party", problems);
        return read_parties(&tables, problems);
    }
    let name = keys.text("parties", problems)?;
    if file.get("party").is_some() {
        problems.push(
            Problem::at(name.span, "the parties stand here and in another file")
                .help("remove `parties`, or the `[[party]]` tables"),
        );
        return None;
    }
    parties::read(&next_to(path, name.value)).map_err(|found| beside.extend(found)).ok()
}

/// The file of this name in the folder of the register.
fn next_to(register: &Path, name: &str) -> PathBuf {
    register.parent().unwrap_or(Path::new("")).join(name)
}

fn read_parties(tables: &[At<&DeTable<'_>>], problems: &mut Problems<'_>) -> Option<Vec<EntitledParty>> {
    let mut parties: Vec<Option<EntitledParty>> = Vec::new();
    for table in tables {
        let keys = Keys::open(table.value, table.span.clone(), "`[[party]]`", PARTY_KEYS, problems);
        keys.need("number", problems);
        let number = keys.number("number", problems);
        let name = keys.need_text("name", problems).map(|text| text.value.to_owned());
        let within = match keys.get("within") {
            Some(_) => keys.need_texts("within", problems).and_then(|texts| {
                let areas: Vec<_> = texts.iter().map(|text| read_area(text, problems)).collect();
                areas.into_iter().collect::<Option<Vec<_>>>()
            }),
            None => Some(Vec::new()),
        };
        let number = number.and_then(|number| read_number(&number, &parties, problems));
        parties.push(number.zip(name).zip(within).map(|((number, name), within)| EntitledParty {
            number,
            name,
            within,
        }));
    }
    parties.into_iter().collect()
}

fn read_number(
    number: &At<u64>,
    known: &[Option<EntitledParty>],
    problems: &mut Problems<'_>,
) -> Option<u16> {
    let own = read_ballot_number(number, problems)?;
    if known.iter().flatten().any(|party| party.number == own) {
        problems.push(
            Problem::at(number.span.clone(), format!("two parties have the number {own}"))
                .help("keep one of the two; a number means one party in one election"),
        );
        return None;
    }
    Some(own)
}

pub(super) fn read_ballot_number(number: &At<u64>, problems: &mut Problems<'_>) -> Option<u16> {
    let own = u16::try_from(number.value).ok().filter(|own| *own > 0);
    if own.is_none() {
        problems.push(
            Problem::at(number.span.clone(), "a ballot number is a number from 1 to 65535")
                .help("write the party's number in this election"),
        );
    }
    own
}

fn read_area(text: &At<&str>, problems: &mut Problems<'_>) -> Option<Wilayah> {
    let area = text.value.parse::<Wilayah>();
    if let Err(error) = &area {
        problems.push(
            Problem::at(text.span.clone(), format!("{} is not an area: {error}", quote(text.value)))
                .help("write the code of a province, kabupaten/kota or kecamatan, such as `\"9901\"`"),
        );
    }
    area.ok()
}

const AREA_KEYS: &[Key] = &[
    Key { name: "wilayah", example: "\"9901\"" },
    Key { name: "name", example: "\"Kabupaten Contoh\"" },
    Key { name: "determined", example: "\"2023-06-21\"" },
];

/// From the tables of this file or from the CSV file it names: one of the two.
fn read_areas(
    file: &Keys<'_>,
    keys: &Keys<'_>,
    path: &Path,
    beside: &mut Vec<Diagnostic>,
    problems: &mut Problems<'_>,
) -> Option<BTreeMap<Wilayah, Area>> {
    let tables = if file.get("area").is_some() { file.need_tables("area", problems) } else { Vec::new() };
    match (keys.text("areas", problems), tables.is_empty()) {
        (Some(name), true) => {
            areas::read(&next_to(path, name.value)).map_err(|found| beside.extend(found)).ok()
        }
        (Some(name), false) => {
            problems.push(
                Problem::at(name.span, "the areas stand here and in another file")
                    .help("remove `areas`, or the `[[area]]` tables"),
            );
            None
        }
        (None, true) => {
            if keys.get("areas").is_none() {
                problems.push(
                    Problem::at(keys.span(), "the register names no area")
                        .help("add `areas = \"wilayah.csv\"`, or `[[area]]` tables"),
                );
            }
            None
        }
        (None, false) => read_area_tables(&tables, problems),
    }
}

fn read_area_tables(
    tables: &[At<&DeTable<'_>>],
    problems: &mut Problems<'_>,
) -> Option<BTreeMap<Wilayah, Area>> {
    let mut listed = areas::Listed::default();
    let mut is_sound = true;
    for table in tables {
        let keys = Keys::open(table.value, table.span.clone(), "`[[area]]`", AREA_KEYS, problems);
        let wilayah = keys.need_text("wilayah", problems);
        let area = wilayah.as_ref().and_then(|text| read_area(text, problems));
        let name = keys.text("name", problems).map_or("", |text| text.value);
        let determined = match keys.text("determined", problems) {
            Some(text) => read_date(&text, problems).map(Some),
            None => keys.get("determined").is_none().then_some(None),
        };
        match (area, determined) {
            (Some(area), Some(determined)) => {
                if let Err(wrong) = listed.add(area, name, determined) {
                    let span = wilayah.map_or(table.span.clone(), |text| text.span);
                    problems.push(Problem::at(span, wrong.message).help(wrong.help));
                    is_sound = false;
                }
            }
            _ => is_sound = false,
        }
    }
    is_sound.then(|| listed.finish())
}
