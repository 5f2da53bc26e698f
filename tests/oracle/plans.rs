//! Plans: the one that tables of cases are judged by, and others made up at random.

use jiff::civil::Date;
use salinan::domain::{
    Action, FieldName, FieldRule, Format, Formulas, Found, KodeGanda, Level, Mask, MaskPlan, Outside,
    Records, RowArea, Sweep,
};

use super::dice::Dice;

pub fn name(text: &str) -> FieldName {
    text.parse().unwrap()
}

pub fn rule(of: &str, action: Action) -> FieldRule {
    FieldRule { path: of.parse().unwrap(), action, emit_as: None }
}

pub fn plan(format: Format, fields: Vec<FieldRule>) -> MaskPlan {
    let row_area = RowArea { field: name("kode"), within: "9901".parse().unwrap(), outside: Outside::Abort };
    MaskPlan { format, fields, row_area, kode_ganda: None, sweep: Sweep::default() }
}

/// Fields of records made up at random, those of nested objects by their paths.
pub const FIELDS: [&str; 6] = ["nik", "nkk", "nama", "alamat", "tanggal_lahir", "rt"];
pub const NESTED: [&str; 8] = [
    "rumah.jalan",
    "rumah.rt",
    "rumah.titik.garis",
    "anggota[].nik",
    "anggota[].nama",
    "anggota[].rumah.jalan",
    "kartu.anggota[].nkk",
    "kartu.nama",
];

fn any_action(dice: &mut Dice) -> Action {
    let at = Date::constant(2024, 2, 14);
    match dice.below(16) {
        0..=2 => Action::Keep,
        3 => Action::Drop,
        4 => Action::Mask(Mask { first: 6, last: 0 }),
        5 => Action::Mask(Mask { first: 0, last: 4 }),
        6 => Action::Mask(Mask { first: 12, last: 4 }),
        7 => Action::Year,
        8 => Action::Age { at },
        9 => Action::Fixed((*dice.pick(&[&"tertutup, \"x\"", &"=1", &"", &"a\tb\\\n\u{1}"])).to_owned()),
        10 => Action::Letters { first: 2 },
        11 => Action::AgeBand { at, width: 10 },
        12 => Action::Fpe,
        14 => Action::Area { level: Level::Kecamatan },
        13 => Action::Area { level: Level::Desa },
        _ => Action::Token,
    }
}

pub fn any(dice: &mut Dice, format: Format) -> MaskPlan {
    let mut fields = Vec::new();
    let is_nested = dice.one_in(2);
    // What a path goes through has no order of its own.
    let whole = ["rumah", "anggota", "kartu"].iter().filter(|_| !is_nested);
    let paths = NESTED.iter().filter(|_| is_nested).chain(whole);
    for path in FIELDS.iter().chain(&["kode"]).chain(paths) {
        if dice.one_in(6) {
            continue;
        }
        let own = rule(path, any_action(dice));
        let emit_as = dice.one_in(3).then(|| name(&format!("{}_baru", own.path.leaf())));
        fields.push(FieldRule { emit_as, ..own });
    }
    // Something must leave, or a text with a header would be refused.
    fields.push(rule("tetap", Action::Keep));
    let outside = if dice.fault_in(3) { Outside::Abort } else { Outside::Withhold };
    let kode_ganda = dice.one_in(2).then(|| KodeGanda { of: name(dice.pick(&["nik", "nkk", "kode"])) });
    let patterns = if dice.one_in(3) { &["08[0-9]{8,11}", "(?i)contoh|toh ", "7.?$", "\""][..] } else { &[] };
    let patterns =
        patterns.iter().filter(|_| !dice.one_in(3)).map(|pattern| pattern.parse().unwrap()).collect();
    let found = if dice.fault_in(8) { Found::Abort } else { Found::Mask };
    let sound = plan(format, fields);
    MaskPlan {
        kode_ganda,
        row_area: RowArea { outside, ..sound.row_area },
        sweep: Sweep { found, patterns },
        ..sound
    }
}

pub fn envelope() -> Format {
    Format::Json(Records::Envelope { field: name("data"), keep: vec![name("total"), name("catatan")] })
}

pub fn columns() -> Format {
    let keep = vec![name("total"), name("catatan")];
    Format::Json(Records::Columns { columns: name("columns"), rows: name("rows"), keep })
}

pub fn csv(delimiter: u8) -> Format {
    Format::Csv { delimiter, formulas: Formulas::Neutralise }
}

pub fn any_json(dice: &mut Dice) -> Format {
    match dice.below(6) {
        0 => Format::Json(Records::Object),
        1 => Format::Json(Records::Array),
        2 => envelope(),
        3 => columns(),
        4 => Format::JsonSeq,
        _ => Format::Ndjson,
    }
}

pub fn any_csv(dice: &mut Dice) -> Format {
    let delimiter = *dice.pick(&[&b',', &b';', &b'\t']);
    let formulas = match dice.below(6) {
        0 => Formulas::Keep,
        1 => Formulas::Abort,
        _ => Formulas::Neutralise,
    };
    Format::Csv { delimiter, formulas }
}
