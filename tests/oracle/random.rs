//! Bodies made up at random, small ones under many cuts and large ones under some.

use proptest::prelude::*;
use salinan::domain::{Action, Format, MaskPlan, Outside, Records, RowArea};
use salinan::redact::Limits;
use serde_json::Value as Other;

use super::bodies;
use super::dice::Dice;
use super::json::Reader;
use super::plans;
use super::run::{Outcome, agreed, agreed_in_pieces, run};

/// What other people's parsers say of a text that was accepted, and of its copy.
fn others_agree(plan: &MaskPlan, body: &str, copy: &str) {
    let json = |text: &str| {
        let own = Reader::new(text.as_bytes(), 64).value(0).unwrap().as_other();
        // A number beyond their range is no fault of the text.
        if let Some(own) = own {
            assert_eq!(serde_json::from_str::<Other>(text).unwrap(), own);
        }
    };
    match &plan.format {
        Format::Json(_) => [body, copy].map(str::trim).map(json),
        Format::Ndjson => {
            [body, copy].map(|text| text.lines().filter(|line| !line.trim().is_empty()).for_each(json))
        }
        Format::JsonSeq => {
            [body, copy].map(|text| text.split('\u{1E}').skip(1).map(str::trim).for_each(json))
        }
        Format::Csv { delimiter, .. } => [body, copy].map(|text| {
            let mut reader = csv::ReaderBuilder::new().delimiter(*delimiter).from_reader(text.as_bytes());
            assert!(reader.records().all(|row| row.is_ok()), "a table that others refuse");
        }),
    };
}

fn compare(plan: &MaskPlan, limits: Limits, body: &[u8], sizes: &[usize]) -> Outcome {
    let found = agreed_in_pieces("random", plan, limits, body, sizes);
    if found.verdict.is_ok() {
        others_agree(plan, std::str::from_utf8(body).unwrap(), &found.output);
    }
    found
}

fn small(dice: &mut Dice, format: Format) {
    let plan = plans::any(dice, format);
    let mut body = bodies::any(dice, &plan);
    if dice.one_in(3) {
        body = bodies::damaged(dice, body);
    }
    let sizes = [1, 2 + dice.below(30), 1 + dice.below(body.len().max(1))];
    let limits = match dice.below(4) {
        0 => Limits { record_bytes_max: 1 + dice.below(400), ..Limits::default() },
        1 => Limits { depth_max: 1 + dice.below(6), ..Limits::default() },
        _ => Limits::default(),
    };
    compare(&plan, limits, &body, &sizes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn json_agrees_with_the_slow_reading(seed: u64) {
        let mut dice = Dice::new(seed);
        let format = plans::any_json(&mut dice);
        small(&mut dice, format);
    }

    #[test]
    fn csv_agrees_with_the_slow_reading(seed: u64) {
        let mut dice = Dice::new(seed);
        let format = plans::any_csv(&mut dice);
        small(&mut dice, format);
    }
}

/// A code that was found inside the area says nothing of another that looks like it.
#[test]
fn a_code_is_looked_at_whatever_codes_came_before() {
    let codes = [
        "9901",
        "99",
        "990",
        "9",
        "",
        "9902",
        "99010",
        "990101",
        "990201",
        "9901011001",
        "9901011001002",
        "9901 ",
    ];
    let plan = |format| {
        let sound =
            plans::plan(format, vec![plans::rule("kode", Action::Keep), plans::rule("nama", Action::Keep)]);
        MaskPlan { row_area: RowArea { outside: Outside::Withhold, ..sound.row_area.clone() }, ..sound }
    };
    for first in codes {
        for second in codes {
            let rows = |row: &dyn Fn(&str) -> String| {
                [[first; 4], [second; 4], [first; 4]].concat().into_iter().map(row).collect::<Vec<_>>()
            };
            let json = |code: &str| format!("{{\"kode\":\"{code}\",\"nama\":\"SITI CONTOH\",\"x\":\"A\"}}");
            let name = format!("{second:?} behind {first:?}");
            let limits = Limits::default();
            let array = format!("[{}]", rows(&json).join(","));
            agreed(&name, &plan(Format::Json(Records::Array)), limits, array.as_bytes());
            let lines = rows(&json).join("\n");
            agreed(&name, &plan(Format::Ndjson), limits, lines.as_bytes());
            let table = format!("kode,nama,x\n{}", rows(&|code| format!("{code},SITI CONTOH,A\n")).concat());
            agreed(&name, &plan(plans::csv(b',')), limits, table.as_bytes());
        }
    }
}

/// Names that were read before are recognised; one that stands twice must not be, in whatever order they came.
#[test]
fn a_name_twice_is_found_whatever_was_read_before() {
    const NAMES: [&str; 5] = ["kode", "nama", "nik", "x", "y"];
    let plan = plans::plan(Format::Json(Records::Array), vec![plans::rule("nama", Action::Keep)]);
    for seed in 0..3_000 {
        let mut dice = Dice::new(seed);
        let mut record = |twice: Option<usize>| {
            let mut names: Vec<&str> =
                NAMES.into_iter().filter(|name| *name == "kode" || !dice.one_in(4)).collect();
            bodies::shuffle(&mut dice, &mut names);
            if let Some(at) = twice {
                let name = names[at % names.len()];
                names.insert(dice.below(names.len() + 1), name);
            }
            let members: Vec<String> = names.iter().map(|name| format!("\"{name}\":\"9901\"")).collect();
            format!("{{{}}}", members.join(","))
        };
        let before: Vec<String> = (0..12).map(|_| record(None)).collect();
        let twice = record(Some(usize::try_from(seed).unwrap()));
        let behind = record(None);
        let body = format!("[{},{twice},{behind},{behind},{behind}]", before.join(","));
        let found = agreed("a name twice", &plan, Limits::default(), body.as_bytes());
        assert_eq!((found.code(), found.tally.rows_out), ("duplicate_key", 12), "seed {seed}: {twice}");
    }
}

/// Large bodies meet the ends of what is held and of what is looked at together.
fn large(dice: &mut Dice, format: Format) {
    dice.is_faulty = dice.one_in(4);
    let plan = plans::any(dice, format);
    let record_bytes_max = *dice.pick(&[&8_192, &65_536, &262_144]);
    let limits = Limits { record_bytes_max, ..Limits::default() };
    let len = 400_000 + dice.below(1_600_000);
    let mut body = bodies::large(dice, &plan, len, record_bytes_max);
    if dice.one_in(3) {
        body = bodies::damaged(dice, body);
    }
    let whole = agreed("large", &plan, limits, &body);
    for _ in 0..3 {
        let longest = *dice.pick(&[&300, &5_000, &70_000, &600_000]);
        let mut rest = &body[..];
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at((1 + dice.below(longest)).min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        assert!(run(&plan, limits, pieces) == whole, "pieces of up to {longest} bytes");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn large_bodies_agree_with_the_slow_reading(seed: u64) {
        let mut dice = Dice::new(seed);
        let format = if dice.one_in(3) { plans::any_csv(&mut dice) } else { plans::any_json(&mut dice) };
        large(&mut dice, format);
    }
}

#[test]
fn bodies_of_every_format_agree_byte_by_byte() {
    let mut dice = Dice::new(1);
    dice.is_faulty = false;
    let json =
        [Format::Json(Records::Array), plans::envelope(), plans::columns(), Format::Ndjson, Format::JsonSeq];
    for format in json.into_iter().chain([plans::csv(b',')]) {
        let plan = plans::any(&mut dice, format);
        let limits = Limits { record_bytes_max: 16_384, ..Limits::default() };
        let body = bodies::large(&mut dice, &plan, 200_000, limits.record_bytes_max);
        let whole = agreed_in_pieces("byte by byte", &plan, limits, &body, &[1]);
        assert_eq!(whole.code(), "ok", "{:?} after {} rows", plan.format, whole.tally.rows_out);
        assert!(whole.tally.rows_out > 50, "only {} rows", whole.tally.rows_out);
    }
}
