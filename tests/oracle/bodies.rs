//! Bodies made up at random: sound ones, ones with a fault of meaning here and there, and damaged ones.

use salinan::domain::{Format, MaskPlan, Records};

use super::dice::Dice;
use super::json::quoted;
use super::plans::FIELDS;
use super::{NIK, NKK};

const UNNAMED: [&str; 7] = ["id", "NIK", "catatan \"x\"", "é\u{200b}", "no_kk", "Nama", "kode_ganda"];

const TEXTS: [&str; 28] = [
    NIK,
    NIK,
    NKK,
    "",
    "SITI CONTOH",
    "JL KENARI 7, \"RAYA\"",
    "lihat 9901 0145 1290 0003 dan 99.0101.010101.0001!",
    "９９０１０１４５１２９００００３",
    "\u{1D7D7}\u{1D7D7}\u{1D7CE}\u{1D7CF}01\u{1D7D2}51290\u{1D7FF}0003",
    "9901\u{200B}\u{200D}0145\u{2060}1290 \u{FEFF}0003",
    "990101451290000",
    "1990-12-05",
    "05/12/1990",
    "31-02-1990",
    "29|02|2000",
    "=1+1",
    "-5\t\\ a\nb",
    "\u{1F600} \u{e9} \u{20ac}",
    "telp 081234567890 / 9901014512900003",
    "0812 3456 7890",
    "12345678901234567 1",
    "99.01.01.1001.002",
    "9901011001",
    "9902",
    "Éva\u{301} 7",
    "contoh\u{1}\u{8}\u{c}",
    "9901_0145\u{2009}1290\u{2212}0003",
    "\u{664}4-44/44.44\u{2015}44\u{AD}44 44\u{2044}44\r\n44",
];

/// A body for the plan.
pub fn any(dice: &mut Dice, plan: &MaskPlan) -> Vec<u8> {
    let rows = if plan.format == Format::Json(Records::Object) { 1 } else { dice.below(6) };
    let style = Style::any(dice, &plan.format);
    let rows: Vec<String> = (0..rows).map(|_| style.row(dice)).collect();
    style.body(dice, &rows).into_bytes()
}

/// A body of at least so many bytes, with records of all lengths up to `record_bytes_max` and shortly above, the
/// latter seldom.
pub fn large(dice: &mut Dice, plan: &MaskPlan, len: usize, record_bytes_max: usize) -> Vec<u8> {
    let style = Style::any(dice, &plan.format);
    let over = if dice.fault_in(4) { 10 } else { 0 };
    let (mut rows, mut rows_len) = (Vec::new(), 0);
    while rows_len < len {
        let row = style.row(dice);
        let row = match dice.below(40) {
            0 => style.padded(&row, record_bytes_max - 8 + dice.below(4 + over)),
            1 => style.padded(&row, dice.below(record_bytes_max - 8)),
            2 | 3 => style.padded(&row, 4096),
            _ => row,
        };
        rows_len += row.len();
        rows.push(row);
        if plan.format == Format::Json(Records::Object) {
            break;
        }
    }
    style.body(dice, &rows).into_bytes()
}

/// How the rows of one body are written.
struct Style<'p> {
    format: &'p Format,
    /// Of a table, or of columns named once.
    names: Vec<&'static str>,
    /// Whether all cells are quoted.
    always: bool,
}

impl<'p> Style<'p> {
    fn any(dice: &mut Dice, format: &'p Format) -> Self {
        Self { format, names: columns(dice), always: dice.one_in(3) }
    }

    fn row(&self, dice: &mut Dice) -> String {
        match self.format {
            Format::Csv { delimiter, .. } => self.cells(dice, *delimiter),
            Format::Json(Records::Columns { .. }) => values(dice, &self.names),
            Format::Ndjson if !dice.fault_in(40) => record(dice).replace('\n', " "),
            Format::Json(_) | Format::Ndjson | Format::JsonSeq => record(dice),
        }
    }

    /// A row of so many bytes, or as it is where it is longer.
    fn padded(&self, row: &str, len: usize) -> String {
        let pad = |around: usize| {
            "Kelurahan } ] { e, ".chars().cycle().take(len.saturating_sub(row.len() + around))
        };
        match self.format {
            Format::Csv { .. } => match row.strip_suffix('"') {
                Some(open) => format!("{open}{}\"", pad(0).collect::<String>()),
                None => row.to_owned() + &"x".repeat(len.saturating_sub(row.len())),
            },
            Format::Json(Records::Columns { .. }) => {
                format!("{}{}]", &row[..row.len() - 1], " ".repeat(len.saturating_sub(row.len())))
            }
            Format::Json(_) | Format::Ndjson | Format::JsonSeq => {
                format!("{},\"isi\":\"{}\"}}", &row[..row.len() - 1], pad(9).collect::<String>())
            }
        }
    }

    /// The body that rows make.
    fn body(&self, dice: &mut Dice, rows: &[String]) -> String {
        let mut lines = |ends: [&str; 4], open: &str| -> String {
            rows.iter().map(|row| format!("{open}{row}{}", dice.pick(&ends))).collect()
        };
        match self.format {
            Format::Ndjson => lines(["\n", "\n", "\r\n", "\n\n \n"], ""),
            Format::JsonSeq => lines(["\n", "\r\n", "\n\n", " \n"], "\u{1E}"),
            Format::Csv { delimiter, .. } => {
                let (mark, line_end) = *dice.pick(&[&("", "\n"), &("", "\r\n"), &("\u{feff}", "\n")]);
                let end = if dice.one_in(3) { "" } else { line_end };
                let header: Vec<String> =
                    self.names.iter().map(|name| self.cell(dice, *delimiter, name)).collect();
                let header = header.join(&char::from(*delimiter).to_string());
                let lines: Vec<&str> =
                    std::iter::once(&*header).chain(rows.iter().map(|row| &**row)).collect();
                format!("{mark}{}{end}", lines.join(line_end))
            }
            Format::Json(Records::Object) => format!(" {}\n", rows.concat()),
            Format::Json(Records::Array) => array(dice, rows),
            Format::Json(Records::Envelope { .. }) => {
                let rows = array(dice, rows);
                around(dice, vec![format!("\"data\":{rows}")])
            }
            Format::Json(Records::Columns { .. }) => {
                let names: Vec<String> = self.names.iter().map(|name| written(dice, name)).collect();
                let (names, rows) = (array(dice, &names), array(dice, rows));
                around(dice, vec![format!("\"columns\":{names}"), format!("\"rows\" : {rows}")])
            }
        }
    }

    fn cells(&self, dice: &mut Dice, delimiter: u8) -> String {
        let mut cells: Vec<String> = Vec::new();
        for name in &self.names {
            let text = if *name == "kode" { code(dice) } else { dice.pick(&TEXTS) };
            cells.push(self.cell(dice, delimiter, text));
        }
        if dice.fault_in(60) {
            cells.pop();
        }
        cells.join(&char::from(delimiter).to_string())
    }

    /// A text as a cell, in quotes where it needs them, and now and then where it does not.
    fn cell(&self, dice: &mut Dice, delimiter: u8, text: &str) -> String {
        let needs_quotes = text.contains(['"', '\r', '\n', char::from(delimiter)]);
        if self.always || needs_quotes || dice.one_in(10) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_owned()
        }
    }
}

/// The members of an envelope, in their order, among others.
fn around(dice: &mut Dice, own: Vec<String>) -> String {
    let mut members = Vec::new();
    let mut others =
        vec!["\"total\":12", "\"catatan\":\"nik 9901014512900003\"", "\"x\" : {\"data\":[]}", "\"y\":[1]"];
    for member in own {
        while dice.one_in(2) && !others.is_empty() {
            let at = dice.below(others.len());
            members.push(others.remove(at).to_owned());
        }
        members.push(member);
    }
    if dice.one_in(2) {
        members.extend(others.pop().map(str::to_owned));
    }
    let between = dice.pick(&[",", " , ", ",\n  "]);
    format!("{{{}}}{}", members.join(between), dice.pick(&["", "\n"]))
}

fn array(dice: &mut Dice, items: &[String]) -> String {
    let between = dice.pick(&[",", ", ", " ,\n", ","]);
    let (open, close) = *dice.pick(&[&("[", "]"), &("[", "]"), &("[ ", "\n]")]);
    format!("{open}{}{close}", items.join(between))
}

pub fn shuffle<T>(dice: &mut Dice, items: &mut [T]) {
    for at in 1..items.len() {
        items.swap(at, dice.below(at + 1));
    }
}

/// A row's code: inside mostly.
fn code(dice: &mut Dice) -> &'static str {
    match dice.below(24) {
        0 => "9902",
        1 => "\u{665}",
        2 => "99",
        _ => dice.pick(&["9901", "99.01.01", "9901011001", "9901011001002"]),
    }
}

fn record(dice: &mut Dice) -> String {
    // Most records of a body have their members in one order, so that what reads those fast is reached.
    let is_plain = !dice.one_in(3);
    let code = if dice.fault_in(12) {
        dice.pick(&["null", "9901.0", "\"\"", "{}", "[\"9901\"]", "true"]).to_owned()
    } else if dice.one_in(20) {
        "990101".to_owned()
    } else {
        let code = code(dice);
        if is_plain { quoted(code) } else { written(dice, code) }
    };
    let mut members = vec![("kode".to_owned(), code)];
    for field in FIELDS.into_iter().chain(["rumah", "anggota", "kartu", "tetap"]).chain(UNNAMED) {
        if dice.one_in(4) {
            continue;
        }
        members.push((field.to_owned(), nested(dice, field, 0)));
    }
    if !is_plain {
        shuffle(dice, &mut members);
    }
    if dice.fault_in(40) {
        members.push((dice.pick(&["nik", "kode", "id"]).to_owned(), "1".to_owned()));
    }
    object(dice, &members, is_plain)
}

fn object(dice: &mut Dice, members: &[(String, String)], is_plain: bool) -> String {
    let mut text = "{".to_owned();
    for (at, (name, value)) in members.iter().enumerate() {
        let name = if is_plain { quoted(name) } else { written(dice, name) };
        let mut blank = || if is_plain { "" } else { dice.pick(&["", "", "", " ", "\t", "  "]) };
        let comma = if at == 0 { "" } else { "," };
        text.extend([blank(), comma, blank(), &name, blank(), ":", blank(), value, blank()]);
    }
    text + "}"
}

/// A value for a field: of the shape its paths go through mostly, of any other now and then.
fn nested(dice: &mut Dice, field: &str, depth: usize) -> String {
    let inside = match field {
        "rumah" => &["jalan", "rt", "titik", "x"][..],
        "titik" => &["garis", "rt"],
        "kartu" => &["anggota", "nama", "NKK"],
        "anggota" => &["nik", "nama", "rumah", "nkk"],
        _ => return any_value(dice, depth),
    };
    if dice.fault_in(20) {
        return any_value(dice, depth);
    }
    let one = |dice: &mut Dice| {
        let mut members = Vec::new();
        for field in inside {
            if !dice.one_in(4) {
                members.push(((*field).to_owned(), nested(dice, field, depth + 1)));
            }
        }
        let is_plain = dice.one_in(2);
        object(dice, &members, is_plain)
    };
    if field == "anggota" {
        let items: Vec<String> = (0..dice.below(4))
            .map(|_| if dice.fault_in(12) { any_value(dice, depth) } else { one(dice) })
            .collect();
        array(dice, &items)
    } else if dice.one_in(8) {
        "null".to_owned()
    } else {
        one(dice)
    }
}

fn any_value(dice: &mut Dice, depth: usize) -> String {
    match dice.below(16) {
        0 => "null".to_owned(),
        1 => dice.pick(&["true", "false"]).to_owned(),
        2 => dice.pick(&["[]", "{}", r#"[{"nik":["9901014512900003"]}, {"a":{}}]"#, "[ [ ] ]"]).to_owned(),
        3 if depth < 3 => {
            let items: Vec<String> = (0..dice.below(4)).map(|_| any_value(dice, depth + 1)).collect();
            array(dice, &items)
        }
        4 if depth < 3 => {
            let names = ["a", "nik", NIK, "9901 0145 1290 0003", "****************", ""];
            let mut names: Vec<&str> = names.into_iter().filter(|_| dice.one_in(3)).collect();
            if !dice.is_faulty {
                // Once the sweep covered them, two of these would be one name.
                names.truncate(1);
            }
            shuffle(dice, &mut names);
            let members: Vec<_> =
                names.into_iter().map(|name| (name.to_owned(), any_value(dice, depth + 1))).collect();
            object(dice, &members, false)
        }
        5 | 6 => {
            let numbers = ["0", "-1.50e+3", NIK, "1234567890.123456", "1990", "10812345678", "9901", "1e999"];
            dice.pick(&numbers).to_owned()
        }
        7..=9 => {
            let text = dice.pick(&TEXTS);
            written(dice, text)
        }
        _ => quoted(dice.pick(&TEXTS)),
    }
}

/// A text as a JSON string, now and then with escapes where none are needed.
fn written(dice: &mut Dice, text: &str) -> String {
    let escapes = dice.one_in(3);
    let mut written = "\"".to_owned();
    for character in text.chars() {
        if escapes && dice.one_in(4) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                written = format!("{written}\\u{unit:04x}");
            }
        } else {
            let quoted = quoted(&character.to_string());
            written.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    written + "\""
}

fn columns(dice: &mut Dice) -> Vec<&'static str> {
    let all = FIELDS.into_iter().chain(["rumah", "anggota", "kartu"]).chain(UNNAMED);
    let mut names: Vec<&str> = all.filter(|_| !dice.one_in(4)).collect();
    for name in ["kode", "tetap"] {
        names.insert(dice.below(names.len() + 1), name);
    }
    if dice.fault_in(30) {
        names.remove(0);
        names.push(names[0]);
    }
    names
}

/// A columnar row.
fn values(dice: &mut Dice, names: &[&str]) -> String {
    let mut values: Vec<String> = names
        .iter()
        .map(|name| if *name == "kode" { quoted(code(dice)) } else { nested(dice, name, 0) })
        .collect();
    if dice.fault_in(60) {
        values.pop();
    }
    if dice.fault_in(60) {
        values.push("1".to_owned());
    }
    array(dice, &values)
}

/// The same with one to three bytes changed, added or left out.
pub fn damaged(dice: &mut Dice, mut body: Vec<u8>) -> Vec<u8> {
    let bytes = b"\"\\{}[],:0.\n\r \0\x1E\x80\xC3ue-";
    for _ in 0..=dice.below(3) {
        let at = dice.below(body.len() + 1);
        let byte = bytes[dice.below(bytes.len())];
        match dice.below(3) {
            0 if at < body.len() => body[at] = byte,
            1 if at < body.len() => drop(body.remove(at)),
            _ => body.insert(at, byte),
        }
    }
    if dice.one_in(8) {
        body.truncate(dice.below(body.len() + 1));
    }
    body
}
