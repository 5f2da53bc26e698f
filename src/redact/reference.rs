//! For the tests: the same orders carried out slowly, on whole documents, with other people's parsers, and
//! bodies made up at random to compare the two on.
//!
//! A case is made from one number, which a failure prints.

use aws_lc_rs::hmac;
use csv::{ReaderBuilder, WriterBuilder};
use jiff::civil::Date;
use proptest::prelude::*;
use regex::Regex;
use serde_json::{Map, Value};

use crate::domain::random::next_u64;
use crate::domain::{Action, FieldRule, Format, Formulas, KodeGanda, Level, Mask, MaskPlan, Records};

use super::harness::{NIK, NKK, array, assert_silent, name, plan, rule, run, standard};
use super::{Coding, Limits};

/// Choices made from one number.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(next_u64(&mut self.0) >> 33).unwrap() % limit
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const FIELDS: [&str; 6] = ["nik", "nkk", "nama", "alamat", "tanggal_lahir", "rt"];
const UNNAMED: [&str; 4] = ["id", "NIK", "catatan \"x\"", "é\u{200b}"];

const TEXTS: [&str; 19] = [
    NIK,
    NKK,
    "",
    "SITI CONTOH",
    "JL KENARI 7, \"RAYA\"",
    "lihat 9901 0145 1290 0003 dan 99.0101.010101.0001!",
    "９９０１０１４５１２９００００３",
    "990101451290000",
    "1990-12-05",
    "05/12/1990",
    "31-02-1990",
    "=1+1",
    "-5\t\\ a\nb",
    "\u{1F600} \u{e9} \u{20ac}",
    "0812 3456 7890",
    "12345678901234567 1",
    "99.01.01.1001.002",
    "9901011001",
    "Éva\u{301} 7",
];

fn any_plan(dice: &mut Dice, format: Format) -> MaskPlan {
    let mut fields = Vec::new();
    for field in FIELDS.into_iter().chain(["kode"]) {
        let at = Date::constant(2024, 2, 14);
        let action = match dice.below(12) {
            0 | 1 => Action::Keep,
            2 => Action::Drop,
            3 => Action::Mask(Mask { first: 6, last: 0 }),
            4 => Action::Mask(Mask { first: 0, last: 4 }),
            5 => Action::Year,
            6 => Action::Age { at },
            7 => Action::Fixed("tertutup, \"x\"".to_owned()),
            8 => Action::Letters { first: 2 },
            9 => Action::AgeBand { at, width: 10 },
            10 => Action::Area { level: Level::Kecamatan },
            _ => continue,
        };
        let emit_as = (dice.below(3) == 0).then(|| name(&format!("{field}_baru")));
        fields.push(FieldRule { emit_as, ..rule(field, action) });
    }
    // Something must leave, or a CSV body would be refused.
    fields.push(rule("tetap", Action::Keep));
    let kode_ganda = (dice.below(2) == 0).then(|| KodeGanda { of: name("nik") });
    MaskPlan { kode_ganda, ..plan(format, fields) }
}

/// The code of a number under the key of the harness, spelt out bit by bit.
fn ganda(text: &str) -> Option<String> {
    Regex::new("^[0-9]{16}$").unwrap().is_match(text).then(|| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let tag = hmac::sign(&key, format!("salinan kode_ganda v1\0{text}").as_bytes());
        let bits: Vec<u8> =
            tag.as_ref()[..10].iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
        let five = |bits: &[u8]| bits.iter().fold(0, |number, bit| number * 2 + usize::from(*bit));
        bits.chunks(5).map(|bits| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[five(bits)])).collect()
    })
}

/// Covers long numbers by a pattern instead of a pass.
fn swept(text: &str) -> String {
    let run = Regex::new(r"[0-9０-９](?:[\s./_-]?[0-9０-９]){15,}").unwrap();
    let digit = Regex::new("[0-9０-９]").unwrap();
    run.replace_all(text, |run: &regex::Captures<'_>| digit.replace_all(&run[0], "*").into_owned())
        .into_owned()
}

/// What a scalar becomes; `None` is null or an empty cell.
fn shown(action: &Action, text: Option<&str>, is_text: bool) -> Option<String> {
    let date = |text: &str| {
        let parts =
            Regex::new(r"^(?:([0-9]{4})-([0-9]{2})-([0-9]{2})|([0-9]{2})[-/|]([0-9]{2})[-/|]([0-9]{4}))$")
                .unwrap();
        let parts = parts.captures(text)?;
        let part = |at: usize, or: usize| parts.get(at).or(parts.get(or)).unwrap().as_str().parse().unwrap();
        let (year, month, day): (i16, i16, i16) = (part(1, 6), part(2, 5), part(3, 4));
        Date::new(year, month.try_into().unwrap(), day.try_into().unwrap()).ok()
    };
    match (action, text) {
        (Action::Fixed(text), _) => Some(text.clone()),
        (_, None) => None,
        (Action::Mask(_) | Action::Letters { .. }, Some("")) => Some(String::new()),
        (Action::Mask(Mask { first, last }), Some(text)) => {
            let is_number = Regex::new("^[0-9]{16}$").unwrap().is_match(text);
            let (first, last) = (usize::from(*first), usize::from(*last));
            let stars = "*".repeat(16 - first - last);
            Some(if is_number {
                format!("{}{stars}{}", &text[..first], &text[16 - last..])
            } else {
                "****".to_owned()
            })
        }
        (Action::Letters { first }, Some(text)) => {
            let letters =
                text.chars().take(usize::from(*first)).take_while(|sign| is_text && sign.is_alphabetic());
            Some(letters.chain("***".chars()).collect())
        }
        (Action::AgeBand { at, width }, Some(_)) => {
            let years: i64 = shown(&Action::Age { at: *at }, text, is_text)?.parse().unwrap();
            let band = years / i64::from(*width);
            Some(format!("{}-{}", band * i64::from(*width), (band + 1) * i64::from(*width) - 1))
        }
        (Action::Area { .. }, Some(text)) => {
            let dot = if is_text { "[.]" } else { "" };
            let plain = "^(?:[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{10}|[0-9]{13})$";
            let parted = format!(
                "^[0-9]{{2}}(?:{dot}[0-9]{{2}}(?:{dot}[0-9]{{2}}(?:{dot}[0-9]{{4}}(?:{dot}[0-9]{{3}})?)?)?)?$"
            );
            let is_code = [plain, &parted].iter().any(|shape| Regex::new(shape).unwrap().is_match(text));
            is_code.then(|| text.chars().filter(|sign| *sign != '.').take(6).collect())
        }
        (Action::Year, Some(text)) => date(text).filter(|_| is_text).map(|date| date.year().to_string()),
        (Action::Age { at }, Some(text)) => date(text)
            .filter(|_| is_text)
            .and_then(|birth| at.since((jiff::Unit::Year, birth)).ok())
            .map(|age| age.get_years().to_string()),
        (Action::Keep | Action::Drop | Action::Token | Action::Fpe, Some(_)) => unreachable!("not of these"),
    }
}

/// What is kept, with all that lies below it.
fn kept(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(swept(text)),
        Value::Array(list) => list.iter().map(kept).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, value)| (swept(name), kept(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// An array is changed element by element, an object as a whole.
fn changed(action: &Action, value: &Value) -> Value {
    let text = match (action, value) {
        (_, Value::Array(list)) => return list.iter().map(|value| changed(action, value)).collect(),
        (_, Value::String(text)) => shown(action, Some(text), true),
        (_, Value::Null) => None,
        (Action::Mask(_), _) => Some("****".to_owned()),
        (Action::Letters { .. }, _) => Some("***".to_owned()),
        _ => None,
    };
    text.map_or(Value::Null, Value::String)
}

fn redact_record(plan: &MaskPlan, record: &Map<String, Value>, literals: &Map<String, Value>) -> Value {
    let mut copy = Map::new();
    for rule in &plan.fields {
        let Some(value) = record.get(&*rule.path.to_string()) else { continue };
        // Numbers are told by how they were written, which a parsed number has forgotten.
        let literal = literals.get(&*rule.path.to_string()).and_then(Value::as_str);
        let fresh = match (&rule.action, value) {
            (Action::Drop, _) => continue,
            (Action::Keep, Value::String(text)) => Value::String(swept(text)),
            (Action::Keep, Value::Number(_)) => match literal.map(|literal| (literal, swept(literal))) {
                Some((literal, swept)) if literal != swept => Value::String(swept),
                Some(_) | None => value.clone(),
            },
            (Action::Keep, value) => kept(value),
            (Action::Fixed(text), _) => text.as_str().into(),
            (action, Value::Array(_) | Value::Object(_)) => changed(action, value),
            (action, Value::String(text)) => {
                shown(action, Some(text), true).map_or(Value::Null, Value::String)
            }
            (action, Value::Null) => shown(action, None, false).map_or(Value::Null, Value::String),
            (action, _) => {
                shown(action, Some(literal.unwrap_or("other")), false).map_or(Value::Null, Value::String)
            }
        };
        copy.insert(rule.emitted().to_string(), fresh);
    }
    if let Some(added) = &plan.kode_ganda {
        let of = added.of.as_str();
        let text = record.get(of).and_then(Value::as_str).or(literals.get(of).and_then(Value::as_str));
        copy.insert(KodeGanda::NAME.to_owned(), text.and_then(ganda).map_or(Value::Null, Value::String));
    }
    Value::Object(copy)
}

/// A record as text and, apart, how its numbers were written.
fn any_record(dice: &mut Dice) -> (String, Map<String, Value>) {
    let mut literals = Map::new();
    let code = dice.pick(&["\"9901\"", "\"99.01.01\"", "9901011001", "\"\\u00399\\u00301\""]);
    if !code.starts_with('"') {
        literals.insert("kode".to_owned(), code.into());
    }
    let mut members = vec![(r#""kode""#.to_owned(), code.to_owned())];
    for field in FIELDS.into_iter().chain(UNNAMED) {
        if dice.below(4) == 0 {
            continue;
        }
        let value = match dice.below(12) {
            0 => "null".to_owned(),
            1 => dice.pick(&["true", "false"]).to_owned(),
            2 => dice.pick(&["[]", "{}", r#"[{"nik":["9901014512900003"]}, {"a":{}}]"#]).to_owned(),
            3 | 4 => {
                let number = dice.pick(&["0", "-1.50e+3", "9901014512900003", "1234567890.123456", "1990"]);
                literals.insert(field.to_owned(), number.into());
                number.to_owned()
            }
            _ => {
                let text = dice.pick(&TEXTS);
                write_text(dice, text)
            }
        };
        members.push((write_text(dice, field), value));
    }
    for at in 1..members.len() {
        let other = dice.below(at + 1);
        members.swap(at, other);
    }
    let mut text = "{".to_owned();
    for (at, (name, value)) in members.iter().enumerate() {
        let mut blank = || dice.pick(&["", "", "", " ", "\t", "  "]);
        let comma = if at == 0 { "" } else { "," };
        text.extend([blank(), comma, blank(), name, blank(), ":", blank(), value, blank()]);
    }
    text.push('}');
    (text, literals)
}

/// A text as a JSON string, now and then with escapes where none are needed.
fn write_text(dice: &mut Dice, text: &str) -> String {
    let escapes = dice.below(3) == 0;
    let mut written = "\"".to_owned();
    for character in text.chars() {
        if escapes && dice.below(4) == 0 {
            for unit in character.encode_utf16(&mut [0; 2]) {
                written = format!("{written}\\u{unit:04x}");
            }
        } else {
            let quoted = Value::String(character.to_string()).to_string();
            written.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    written + "\""
}

/// The output of the body in one piece, after random cuts gave the same.
fn output(dice: &mut Dice, plan: &MaskPlan, body: &str) -> String {
    let whole = run(plan, Coding::Identity, Limits::default(), [body.as_bytes()]);
    for _ in 0..3 {
        let size = 1 + dice.below(body.len().max(1));
        assert_eq!(run(plan, Coding::Identity, Limits::default(), body.as_bytes().chunks(size)), whole);
    }
    assert_eq!(whole.verdict, Ok(()));
    whole.output
}

fn compare_json(seed: u64) {
    let mut dice = Dice(seed);
    let records = match dice.below(4) {
        0 => Format::Json(Records::Object),
        1 => array(),
        2 => Format::Json(Records::Envelope { field: name("data"), keep: vec![name("total")] }),
        _ => Format::Ndjson,
    };
    let plan = any_plan(&mut dice, records);
    let count = if plan.format == Format::Json(Records::Object) { 1 } else { dice.below(5) };
    let (texts, literals): (Vec<_>, Vec<_>) = (0..count).map(|_| any_record(&mut dice)).unzip();
    let body = match &plan.format {
        Format::Json(Records::Object) => texts[0].clone(),
        Format::Json(Records::Array) => format!("[{}]", texts.join(" ,\n")),
        Format::Json(Records::Envelope { .. } | Records::Columns { .. }) => {
            format!("{{\"x\":[1], \"total\":{count},\"data\":[{}],\"y\":{{}}}}", texts.join(","))
        }
        Format::Ndjson | Format::JsonSeq | Format::Csv { .. } => texts.join("\n"),
    };
    let found = output(&mut dice, &plan, &body);
    let expected: Vec<Value> = texts
        .iter()
        .zip(&literals)
        .map(|(text, literals)| redact_record(&plan, &serde_json::from_str(text).unwrap(), literals))
        .collect();
    let found: Vec<Value> = match &plan.format {
        Format::Json(Records::Object) => vec![serde_json::from_str(&found).unwrap()],
        Format::Json(Records::Array) => serde_json::from_str(&found).unwrap(),
        Format::Json(Records::Envelope { .. } | Records::Columns { .. }) => {
            let envelope: Map<String, Value> = serde_json::from_str(&found).unwrap();
            assert_eq!(envelope.keys().collect::<Vec<_>>(), ["data", "total"]);
            envelope["data"].as_array().unwrap().clone()
        }
        Format::Ndjson | Format::JsonSeq | Format::Csv { .. } => {
            found.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        }
    };
    assert_eq!(found, expected);
}

fn compare_csv(seed: u64) {
    let mut dice = Dice(seed);
    let delimiter = *dice.pick(&[&b',', &b';', &b'\t']);
    let plan = any_plan(&mut dice, Format::Csv { delimiter, formulas: Formulas::Neutralise });
    let mut header: Vec<&str> = FIELDS.into_iter().chain(UNNAMED).filter(|_| dice.below(4) > 0).collect();
    header.insert(dice.below(header.len() + 1), "kode");
    header.insert(dice.below(header.len() + 1), "tetap");
    let rows: Vec<Vec<&str>> = (0..dice.below(5))
        .map(|_| {
            let cell = |dice: &mut Dice, field| if field == "kode" { "9901" } else { dice.pick(&TEXTS) };
            header.iter().map(|field| cell(&mut dice, *field)).collect()
        })
        .collect();
    let style = dice.pick(&[&csv::QuoteStyle::Necessary, &csv::QuoteStyle::Always]);
    let mut writer = WriterBuilder::new().delimiter(delimiter).quote_style(*style).from_writer(Vec::new());
    writer.write_record(&header).unwrap();
    for row in &rows {
        writer.write_record(row).unwrap();
    }
    let body = String::from_utf8(writer.into_inner().unwrap()).unwrap();

    let found = output(&mut dice, &plan, &body);
    let mut found =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(found.as_bytes());
    let found: Vec<Vec<String>> =
        found.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();

    let rule_of = |field: &str| {
        let rule = plan.fields.iter().find(|rule| &*rule.path.to_string() == field)?;
        (rule.action != Action::Drop).then_some(rule)
    };
    let mut expected = vec![
        header.iter().filter_map(|field| Some(rule_of(field)?.emitted().to_string())).collect::<Vec<_>>(),
    ];
    let has_ganda = plan.kode_ganda.is_some();
    expected[0].extend(has_ganda.then(|| KodeGanda::NAME.to_owned()));
    for row in &rows {
        let cells = header.iter().zip(row).filter_map(|(field, cell)| {
            let rule = rule_of(field)?;
            Some(match &rule.action {
                Action::Keep if cell.starts_with(['=', '-']) => format!("'{}", swept(cell)),
                Action::Keep => swept(cell),
                action => shown(action, Some(cell), true).unwrap_or_default(),
            })
        });
        let nik = header.iter().zip(row).find(|(field, _)| **field == "nik").map(|(_, cell)| *cell);
        let added = has_ganda.then(|| nik.and_then(ganda).unwrap_or_default());
        expected.push(cells.chain(added).collect());
    }
    assert_eq!(found, expected);
}

/// A sound body with a few bytes changed: whatever becomes of it, the cuts have no say, nothing panics, and
/// what other parsers refuse is refused here.
fn damage(seed: u64) {
    // The code is short: a changed digit must not make it look like a part of a hidden number.
    let mut dice = Dice(seed);
    let good = r#"{"nik":"9901014512900003", "nkk":9901010101010001,"nama":"SITI é \u20ac","x":[{"a":-1.5e3,"b":[true,null]}],"alamat":"JL KENANGA 7","kode":"9901"}"#;
    let (format, body) = match dice.below(4) {
        0 => (array(), format!("[{good} ,{good}]")),
        1 => (Format::Ndjson, format!("{good}\r\n{good}\n")),
        2 => (super::harness::envelope(), format!("{{\"total\":2 , \"data\":[{good}],\"y\":[0]}}")),
        _ => {
            let rows =
                "nik,kode,nama\r\n9901014512900003,9901,\"SITI \"\"é\"\"\"\r\n\"9901014512900003\",9901,A\n";
            (super::harness::csv(), rows.to_owned())
        }
    };
    let plan = standard(format);
    let mut body = body.into_bytes();
    for _ in 0..=dice.below(3) {
        let at = dice.below(body.len());
        let byte = *dice.pick(&[
            &b'"', &b'\\', &b'{', &b'}', &b'[', &b']', &b',', &b':', &b'0', &b'.', &b'\n', &b'\r', &b' ', &0,
            &0x80, &0xC3,
        ]);
        match dice.below(3) {
            0 => body[at] = byte,
            1 => body.insert(at, byte),
            _ => drop(body.remove(at)),
        }
    }
    let whole = run(&plan, Coding::Identity, Limits::default(), [&body[..]]);
    for size in [1, 2 + dice.below(30), 1 + dice.below(body.len())] {
        assert_eq!(
            run(&plan, Coding::Identity, Limits::default(), body.chunks(size)),
            whole,
            "pieces of {size}"
        );
    }
    assert_silent(&whole.output);
    if whole.verdict.is_ok() {
        match plan.format {
            Format::Json(_) => {
                serde_json::from_slice::<Value>(&body).unwrap();
                serde_json::from_str::<Value>(&whole.output).unwrap();
            }
            Format::Ndjson | Format::JsonSeq => {
                for line in whole.output.lines() {
                    serde_json::from_str::<Value>(line).unwrap();
                }
            }
            Format::Csv { .. } => {
                let mut reader = ReaderBuilder::new().from_reader(whole.output.as_bytes());
                assert!(reader.records().all(|row| row.is_ok()));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_agrees_with_whole_documents(seed: u64) {
        compare_json(seed);
    }

    #[test]
    fn csv_agrees_with_whole_documents(seed: u64) {
        compare_csv(seed);
    }

    #[test]
    fn damaged_bodies_end_the_same_under_every_cut(seed: u64) {
        damage(seed);
    }
}
