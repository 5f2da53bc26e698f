//! The properties of whole bodies: JSON, NDJSON, CSV.

use ::csv::ReaderBuilder;

use crate::domain::{Format, Formulas, KodeGanda, MaskPlan, Records};

use super::super::cell::begins_formula;
use super::super::harness::{Outcome, array, assert_silent, check_among_others, envelope, name, run};
use super::super::{Coding, RedactError, Tally};
use super::orders::{Choice, Kind, Leaving, choose, places};
use super::people::{PEOPLE, tells_by_itself};
use super::reading::{Tree, check_member, check_record, read};

/// For a JSON text: an array, an object, an envelope, columns. Tells whether the body was accepted.
pub fn json(data: &[u8]) -> bool {
    let keep = vec![name("total"), name("catatan")];
    let columns = Records::Columns { columns: name("columns"), rows: name("rows"), keep };
    check(data, &[array(), Format::Json(Records::Object), envelope(), Format::Json(columns)])
}

/// For one object a line, and for text sequences. Tells whether the body was accepted.
pub fn ndjson(data: &[u8]) -> bool {
    check(data, &[Format::Ndjson, Format::JsonSeq])
}

/// For rows of cells, by four delimiters and three ways with formulas. Tells whether the body was accepted.
pub fn csv(data: &[u8]) -> bool {
    let csv = |delimiter, formulas| Format::Csv { delimiter, formulas };
    let formats = [
        csv(b',', Formulas::Neutralise),
        csv(b',', Formulas::Keep),
        csv(b',', Formulas::Abort),
        csv(b';', Formulas::Neutralise),
        csv(b'\t', Formulas::Neutralise),
        csv(b'|', Formulas::Keep),
    ];
    check(data, &formats)
}

fn check(data: &[u8], formats: &[Format]) -> bool {
    let Some((choice, mut dice, signs)) = choose(data, formats) else { return false };
    if tells_by_itself(signs) || (choice.kind != Kind::Closed && signs.contains(&b'%')) {
        return false;
    }
    let Choice { plan, limits, .. } = &choice;
    let [body, of_other] = PEOPLE.map(|person| person.fill(signs));
    let whole = run(plan, Coding::Identity, *limits, [&body[..]]);

    let other = run(plan, Coding::Identity, *limits, [&of_other[..]]);
    if choice.kind == Kind::Tokens {
        assert_eq!(other.output.len(), whole.output.len(), "a length tells one person from another");
        assert_eq!((other.verdict, other.tally, &other.fields), (whole.verdict, whole.tally, &whole.fields));
    } else {
        assert_eq!(other, whole, "the copy tells one person from another");
    }
    assert_silent(&whole.output);

    if body.len() <= 400 {
        assert_eq!(run(plan, Coding::Identity, *limits, body.chunks(1)), whole, "byte by byte");
    }
    let pieces = dice.cut(&body);
    assert_eq!(run(plan, Coding::Identity, *limits, pieces), whole, "in pieces");
    if choice.is_among_others && whole.tally.rows_withheld == 0 {
        check_among_others(plan, *limits, &body, &whole);
    }
    check_counts(plan, &whole);
    if whole.verdict.is_err() {
        return false;
    }

    let body = String::from_utf8(body).expect("an accepted body is UTF-8");
    match &plan.format {
        Format::Json(records) => {
            read(&body);
            check_text(plan, records, &whole.output);
        }
        Format::Ndjson => {
            body.lines().filter(|line| !line.trim().is_empty()).for_each(|line| drop(read(line)));
            let lines: Vec<_> = whole.output.lines().collect();
            assert_eq!(lines.len() as u64, whole.tally.rows_out);
            lines.into_iter().filter_map(read).for_each(|record| check_record(plan, &record));
        }
        Format::JsonSeq => {
            body.split('\u{1E}').skip(1).for_each(|text| drop(read(text)));
            let texts: Vec<_> = whole.output.split('\u{1E}').skip(1).collect();
            assert_eq!(texts.len() as u64, whole.tally.rows_out);
            texts.into_iter().filter_map(read).for_each(|record| check_record(plan, &record));
        }
        Format::Csv { delimiter, formulas } => {
            check_cells(plan, (*delimiter, *formulas), &body, &whole);
        }
    }
    if choice.kind == Kind::Keeping {
        check_kept(&choice, &body, &whole);
    }
    true
}

/// What was counted must fit together.
fn check_counts(plan: &MaskPlan, whole: &Outcome) {
    let Tally { rows_in, rows_out, rows_withheld, swept, unreadable, .. } = whole.tally;
    match whole.verdict {
        Ok(()) => assert_eq!(rows_in, rows_out + rows_withheld),
        Err(RedactError::Stopped { records, .. }) => {
            assert_eq!(records, rows_out);
            assert!(rows_in - rows_out - rows_withheld <= 1);
        }
        Err(RedactError::UnknownCoding | RedactError::Ended) => panic!("not a verdict on a text"),
    }
    // The members round records are swept too and belong to no field.
    if !matches!(plan.format, Format::Json(Records::Envelope { .. } | Records::Columns { .. })) {
        assert_eq!(whole.fields.iter().map(|(_, of)| of.swept).sum::<u64>(), swept);
        assert_eq!(whole.fields.iter().map(|(_, of)| of.unreadable).sum::<u64>(), unreadable);
    }
}

fn check_text(plan: &MaskPlan, records: &Records, output: &str) {
    let Some(copy) = read(output) else { return };
    match (records, copy) {
        (Records::Array, Tree::Array(copy)) => copy.iter().for_each(|record| check_record(plan, record)),
        (Records::Object, copy) => check_record(plan, &copy),
        (Records::Envelope { field, keep }, Tree::Object(members)) => {
            for (name, value) in &members {
                match value {
                    Tree::Array(copy) if *name == field.as_str() => {
                        for record in copy {
                            check_record(plan, record);
                        }
                    }
                    Tree::Array(_) | Tree::Object(_) => panic!("a container round the records got out"),
                    _ => assert!(keep.iter().any(|kept| *name == kept.as_str()), "a name round the records"),
                }
            }
        }
        (Records::Columns { columns, rows, keep }, Tree::Object(members)) => {
            let texts = |value: &Tree| match value {
                Tree::Array(names) => names.iter().map(text).collect::<Vec<_>>(),
                _ => panic!("no array of columns"),
            };
            let names = members.iter().find(|(name, _)| *name == columns.as_str());
            let names = names.map(|(_, value)| texts(value)).expect("the columns leave");
            for (name, value) in &members {
                match value {
                    Tree::Array(_) if *name == columns.as_str() => {}
                    Tree::Array(copy) if *name == rows.as_str() => {
                        for row in copy {
                            let Tree::Array(values) = row else { panic!("a row is no array") };
                            assert_eq!(values.len(), names.len(), "a ragged row");
                            names
                                .iter()
                                .zip(values)
                                .for_each(|(name, value)| check_member(plan, name, value));
                        }
                    }
                    Tree::Array(_) | Tree::Object(_) => panic!("a container round the records got out"),
                    _ => assert!(keep.iter().any(|kept| *name == kept.as_str()), "a name round the records"),
                }
            }
        }
        (Records::Array | Records::Envelope { .. } | Records::Columns { .. }, _) => {
            panic!("of another shape")
        }
    }
}

fn text(tree: &Tree) -> String {
    match tree {
        Tree::Text(text) => text.clone(),
        _ => panic!("a column's name is no text"),
    }
}

fn check_cells(plan: &MaskPlan, (delimiter, formulas): (u8, Formulas), body: &str, whole: &Outcome) {
    let rows = |text: &str| -> Vec<Vec<String>> {
        let mut reader =
            ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text.as_bytes());
        let rows = reader.records().map(|row| row.expect("an accepted text is CSV"));
        rows.map(|row| row.iter().map(str::to_owned).collect()).collect()
    };
    let source = rows(body);
    // That reader passes over empty lines, which are cells of a lone column.
    if source[0].len() > 1 {
        assert_eq!(source.len() as u64 - 1, whole.tally.rows_in);
    }
    let copy = rows(&whole.output);
    let (header, rows) = copy.split_first().expect("a header leaves");
    assert_eq!(rows.len() as u64, whole.tally.rows_out);
    let places = places(plan);
    for name in header {
        let own = places.iter().find(|(path, _)| path.name().is_some_and(|own| own.as_str() == name));
        assert!(own.is_some_and(|(_, leaving)| *leaving != Leaving::Never), "a column that no rule lets out");
    }
    if plan.kode_ganda.is_some() {
        assert_eq!(header.last().map(String::as_str), Some(KodeGanda::NAME));
    }
    if formulas != Formulas::Keep {
        assert!(rows.iter().flatten().all(|cell| !begins_formula(cell.as_bytes())), "a formula got out");
    }
}

/// By orders that only keep and drop a copy is its own copy, and that of a body of which nothing is dropped or
/// covered is the body.
fn check_kept(Choice { plan, limits, .. }: &Choice, body: &str, whole: &Outcome) {
    if whole.output.len() < limits.record_bytes_max && limits.depth_max == 64 {
        let again = run(plan, Coding::Identity, *limits, [whole.output.as_bytes()]);
        assert_eq!((again.verdict, &again.output), (Ok(()), &whole.output), "the copy of the copy");
        assert_eq!(again.tally.swept, 0);
    }
    let Tally { swept, unreadable, .. } = whole.tally;
    if swept + unreadable > 0 {
        return;
    }
    let are_all_ruled = |record: &Tree| {
        let Tree::Object(members) = record else { return false };
        members.iter().all(|(name, _)| plan.fields.iter().any(|field| field.path.to_string() == *name))
    };
    let is_ruled = |text: &str| read(text).as_ref().is_some_and(are_all_ruled);
    let is_all_kept = match &plan.format {
        Format::Json(Records::Array) => match read(body) {
            Some(Tree::Array(records)) => records.iter().all(are_all_ruled),
            _ => false,
        },
        Format::Json(Records::Object) => is_ruled(body),
        Format::Ndjson => body.lines().all(is_nonblank_and(&is_ruled)),
        Format::JsonSeq => body.split('\u{1E}').skip(1).all(is_ruled),
        Format::Json(Records::Envelope { .. } | Records::Columns { .. }) | Format::Csv { .. } => false,
    };
    if is_all_kept {
        assert_eq!(whole.output, body, "all is kept");
    }
}

fn is_nonblank_and(is_ruled: &impl Fn(&str) -> bool) -> impl Fn(&str) -> bool {
    move |line| !line.trim().is_empty() && is_ruled(line)
}
