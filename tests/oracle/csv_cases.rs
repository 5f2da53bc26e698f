//! What is accepted as CSV, and what is not: the grammar of RFC 4180 and the places where readers are known to differ,
//! each alone under all cuts and among long rows.

use salinan::domain::{Action, Format, Formulas, Mask, MaskPlan};
use salinan::redact::Limits;

use super::plans::{self, rule};
use super::run::{agreed, agreed_under_cuts};

/// What the `csv` crate makes of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Others {
    /// The same rows of the same cells, or an error where there is one here.
    Agree,
    /// Rows, where it is refused here.
    Accept,
    /// Other rows or cells than here.
    Differ,
}
use Others::{Accept, Agree, Differ};

/// A text, what becomes of it (the copy, or a code), and what others make of the text.
type Case = (&'static str, &'static [u8], Result<&'static str, &'static str>, Others);

/// `nama` is kept, `nik` masked; the area is `kode`, and all else stays behind.
const CASES: &[Case] = &[
    // Rows and their ends.
    ("one row", b"kode,nama\n9901,A\n", Ok("kode,nama\n9901,A\n"), Agree),
    ("no last end", b"kode,nama\n9901,A", Ok("kode,nama\n9901,A"), Agree),
    ("CR LF", b"kode,nama\r\n9901,A\r\n", Ok("kode,nama\r\n9901,A\r\n"), Agree),
    ("CR LF, no last end", b"kode,nama\r\n9901,A", Ok("kode,nama\r\n9901,A"), Agree),
    ("mixed ends", b"kode,nama\n9901,A\r\n9901,B\n", Ok("kode,nama\n9901,A\r\n9901,B\n"), Agree),
    ("bare CR ends", b"kode,nama\r9901,A\r", Err("bare_carriage_return"), Accept),
    ("bare CR in a cell", b"kode,nama\n9901,A\rB\n", Err("bare_carriage_return"), Agree),
    ("bare CR at the end", b"kode,nama\n9901,A\r", Err("bare_carriage_return"), Accept),
    ("two CR", b"kode,nama\n9901,A\r\r\n", Err("bare_carriage_return"), Accept),
    ("LF CR", b"kode,nama\n\r9901,A\n", Err("bare_carriage_return"), Accept),
    ("empty line", b"nama,kode\n\nA,9901\n", Err("ragged_row"), Accept),
    ("empty line of CR LF", b"nama,kode\r\n\r\nA,9901\r\n", Err("ragged_row"), Accept),
    ("empty line at the end", b"nama,kode\nA,9901\n\n", Err("ragged_row"), Accept),
    ("blank line", b"nama,kode\n \n", Err("ragged_row"), Agree),
    ("empty line of one column", b"kode\n9901\n\n", Err("row_area_missing"), Accept),
    (
        "other line ends",
        "kode,nama\n9901,A\u{85}B\u{2028}C\n".as_bytes(),
        Ok("kode,nama\n9901,A\u{85}B\u{2028}C\n"),
        Agree,
    ),
    (
        "vertical tab and form feed",
        b"kode,nama\n9901,A\x0B\x0C\n",
        Ok("kode,nama\n9901,A\u{b}\u{c}\n"),
        Agree,
    ),
    ("control Z", b"nama,kode\nA,9901\n\x1A", Err("ragged_row"), Agree),
    ("nothing", b"", Err("header_missing"), Accept),
    ("only an end", b"\n", Err("no_known_column"), Accept),
    ("an empty first line", b"\nkode,nama\n9901,A\n", Err("no_known_column"), Accept),
    // The header.
    ("only a header", b"kode,nama\n", Ok("kode,nama\n"), Agree),
    ("only a header, no end", b"kode,nama", Ok("kode,nama"), Agree),
    ("header in quotes", b"\"kode\",\"nama\"\n9901,A\n", Ok("\"kode\",\"nama\"\n9901,A\n"), Agree),
    ("header with a blank", b"kode, nama\n9901,A\n", Ok("kode\n9901\n"), Agree),
    ("header with a line end", b"kode,\"na\nma\",nama\n9901,A,B\n", Ok("kode,nama\n9901,B\n"), Agree),
    ("header with quotes in it", b"kode,\"na\"\"ma\",nama\n9901,A,B\n", Ok("kode,nama\n9901,B\n"), Agree),
    ("header in capitals", b"KODE,NAMA\n9901,A\n", Err("no_known_column"), Accept),
    ("a column twice", b"kode,nama,nama\n9901,A,B\n", Err("duplicate_key"), Accept),
    ("a column twice, once in quotes", b"kode,nama,\"nama\"\n9901,A,B\n", Err("duplicate_key"), Accept),
    ("the area twice", b"kode,kode\n9901,33\n", Err("duplicate_key"), Accept),
    ("an unnamed column twice", b"kode,x,x\n9901,1,2\n", Err("duplicate_key"), Accept),
    ("two columns without a name", b"kode,,\n9901,1,2\n", Err("duplicate_key"), Accept),
    ("one column without a name", b"kode,,nama\n9901,1,A\n", Ok("kode,nama\n9901,A\n"), Agree),
    ("no area column", b"nama,nik\nA,1\n", Err("row_area_missing"), Accept),
    ("only unnamed columns", b"x,y\n1,2\n", Err("no_known_column"), Accept),
    ("no header", b"9901,A\n9901,B\n", Err("no_known_column"), Accept),
    ("another delimiter", b"kode;nama\n9901;A\n", Err("no_known_column"), Accept),
    ("a separator line", b"sep=,\nkode,nama\n9901,A\n", Err("no_known_column"), Accept),
    ("a comment line", b"#daftar\nkode,nama\n9901,A\n", Err("no_known_column"), Agree),
    ("a delimiter more", b"kode,nama,\n9901,A,\n", Ok("kode,nama\n9901,A\n"), Agree),
    // Cells and their number.
    ("empty cells", b"x,nama,kode\n,,9901\n", Ok("nama,kode\n,9901\n"), Agree),
    ("empty in quotes", b"kode,nama\n9901,\"\"\n", Ok("kode,nama\n9901,\"\"\n"), Agree),
    ("a cell less", b"kode,nama,x\n9901,A\n", Err("ragged_row"), Agree),
    ("a cell more", b"kode,nama\n9901,A,B\n", Err("ragged_row"), Agree),
    ("an empty cell more", b"kode,nama\n9901,A,\n", Err("ragged_row"), Agree),
    ("a cell less at the end", b"kode,nama\n9901", Err("ragged_row"), Agree),
    ("blanks stay", b"kode,nama\n9901, A \n", Ok("kode,nama\n9901, A \n"), Agree),
    ("tabs stay", b"kode,nama\n9901,A\tB\n", Ok("kode,nama\n9901,A\tB\n"), Agree),
    ("backslashes are text", b"kode,nama\n9901,A\\,9901\n", Err("ragged_row"), Agree),
    ("a backslash at the end", b"kode,nama\n9901,A\\\n", Ok("kode,nama\n9901,A\\\n"), Agree),
    ("a null in words", b"kode,nama\n9901,\\N\n", Ok("kode,nama\n9901,\\N\n"), Agree),
    ("a single quote is text", b"kode,nama\n9901,'A\n", Ok("kode,nama\n9901,'A\n"), Agree),
    ("a delimiter in single quotes", b"kode,nama\n9901,'A,B'\n", Err("ragged_row"), Agree),
    ("full-width comma", "kode,nama\n9901,A，B\n".as_bytes(), Ok("kode,nama\n9901,A，B\n"), Agree),
    ("full-width quotes", "kode,nama\n9901,＂A＂\n".as_bytes(), Ok("kode,nama\n9901,＂A＂\n"), Agree),
    // Quotes.
    ("in quotes", b"kode,nama\n9901,\"A\"\n", Ok("kode,nama\n9901,\"A\"\n"), Agree),
    ("a delimiter in quotes", b"kode,nama\n9901,\"A,B\"\n", Ok("kode,nama\n9901,\"A,B\"\n"), Agree),
    ("LF in quotes", b"kode,nama\n9901,\"A\nB\"\n", Ok("kode,nama\n9901,\"A\nB\"\n"), Agree),
    ("CR LF in quotes", b"kode,nama\n9901,\"A\r\nB\"\n", Ok("kode,nama\n9901,\"A\r\nB\"\n"), Agree),
    ("bare CR in quotes", b"kode,nama\n9901,\"A\rB\"\n", Ok("kode,nama\n9901,\"A\rB\"\n"), Agree),
    ("doubled quotes", b"kode,nama\n9901,\"A \"\"B\"\"\"\n", Ok("kode,nama\n9901,\"A \"\"B\"\"\"\n"), Agree),
    ("only doubled quotes", b"kode,nama\n9901,\"\"\"\"\n", Ok("kode,nama\n9901,\"\"\"\"\n"), Agree),
    ("three quotes", b"kode,nama\n9901,\"\"\"\n", Err("truncated"), Accept),
    ("the area in quotes", b"kode,nama\n\"9901\",A\n", Ok("kode,nama\n\"9901\",A\n"), Agree),
    ("quotes at the very end", b"nama,kode\nA,\"9901\"", Ok("nama,kode\nA,\"9901\""), Agree),
    ("dropped, with all of it", b"x,kode,nama\n\"a,\"\"\r\n\",9901,A\n", Ok("kode,nama\n9901,A\n"), Agree),
    ("a quote in a bare cell", b"kode,nama\n9901,A\"B\n", Err("stray_quote"), Accept),
    ("a quote at its end", b"kode,nama\n9901,A\"\n", Err("stray_quote"), Accept),
    ("quotes in a bare cell", b"kode,nama\n9901,A\"B\"C\n", Err("stray_quote"), Accept),
    ("a blank before quotes", b"kode,nama\n9901, \"A\"\n", Err("stray_quote"), Accept),
    ("a blank behind quotes", b"kode,nama\n9901,\"A\" \n", Err("stray_quote"), Accept),
    ("a tab before quotes", b"kode,nama\n9901,\t\"A\"\n", Err("stray_quote"), Accept),
    ("text behind quotes", b"kode,nama\n9901,\"A\"B\n", Err("stray_quote"), Accept),
    ("quotes behind quotes", b"kode,nama\n9901,\"A\" \"B\"\n", Err("stray_quote"), Accept),
    ("an escaped quote", b"kode,nama\n9901,\"A\\\"B\"\n", Err("stray_quote"), Accept),
    ("open to the end", b"kode,nama\n9901,\"A\n", Err("truncated"), Accept),
    ("open, over rows", b"kode,nama\n9901,\"A\n9901,B\n9901,C\n", Err("truncated"), Accept),
    ("open and empty", b"kode,nama\n9901,\"", Err("truncated"), Accept),
    ("open in a dropped cell", b"kode,x\n9901,\"A\n9901,B\n", Err("truncated"), Accept),
    ("open in the header", b"kode,\"nama\n9901,A\n", Err("truncated"), Accept),
    ("a quote in the header", b"kode,na\"ma\n9901,A\n", Err("stray_quote"), Accept),
    ("a quote in the area", b"kode,nama\n99\"01,A\n", Err("stray_quote"), Accept),
    ("a quote in a dropped cell", b"kode,x,nama\n9901,a\"b,A\n", Err("stray_quote"), Accept),
    ("CR behind quotes", b"kode,nama\n9901,\"A\"\rB\n", Err("bare_carriage_return"), Agree),
    // Characters.
    ("a mark", b"\xEF\xBB\xBFkode,nama\n9901,A\n", Ok("kode,nama\n9901,A\n"), Agree),
    ("a mark before quotes", b"\xEF\xBB\xBF\"kode\",nama\n9901,A\n", Ok("\"kode\",nama\n9901,A\n"), Agree),
    ("a mark in quotes", b"\"\xEF\xBB\xBFkode\",nama\n9901,A\n", Err("row_area_missing"), Accept),
    ("two marks", b"\xEF\xBB\xBF\xEF\xBB\xBFkode,nama\n9901,A\n", Err("row_area_missing"), Accept),
    ("a mark in a row", b"kode,nama\n\xEF\xBB\xBF9901,A\n", Err("row_outside_area"), Accept),
    ("only a mark", b"\xEF\xBB\xBF", Err("header_missing"), Accept),
    ("half a mark", b"\xEF\xBBkode,nama\n9901,A\n", Err("invalid_utf8"), Agree),
    ("UTF-16", b"\xFF\xFEk\0o\0d\0e\0,\0n\0a\0m\0a\0\n\0", Err("control_character"), Agree),
    ("NUL in a cell", b"kode,nama\n9901,A\0\n", Err("control_character"), Accept),
    ("NUL in quotes", b"kode,nama\n9901,\"A\0\"\n", Err("control_character"), Accept),
    ("NUL in a dropped cell", b"kode,x,nama\n9901,\0,A\n", Err("control_character"), Accept),
    ("NUL in the header", b"kode,nama,\0\n9901,A,B\n", Err("control_character"), Accept),
    ("Latin-1", b"kode,nama\n9901,S\xE9ti\n", Err("invalid_utf8"), Agree),
    ("Latin-1 in a dropped cell", b"kode,x,nama\n9901,S\xE9ti,A\n", Err("invalid_utf8"), Agree),
    ("Latin-1 in a dropped name", b"kode,S\xE9ti,nama\n9901,B,A\n", Err("invalid_utf8"), Agree),
    ("an overlong form", b"kode,nama\n9901,\xC0\xAC\n", Err("invalid_utf8"), Agree),
    ("half a letter before the delimiter", b"kode,x,nama\n9901,\xE2\x82,A\n", Err("invalid_utf8"), Agree),
    ("half a letter before the end", b"kode,nama\n9901,\xE2\x82", Err("invalid_utf8"), Agree),
    ("half a letter in quotes", b"kode,nama\n9901,\"\xE2\x82\"\n", Err("invalid_utf8"), Agree),
    (
        "other controls are text",
        b"kode,nama\n9901,\x01\x7F\x1B\n",
        Ok("kode,nama\n9901,\u{1}\u{7f}\u{1b}\n"),
        Agree,
    ),
    // What cells become.
    ("masked", b"kode,nik\n9901,9901014512900003\n", Ok("kode,nik\n9901,990101**********\n"), Agree),
    (
        "masked in quotes",
        b"kode,nik\n9901,\"9901014512900003\"\n",
        Ok("kode,nik\n9901,990101**********\n"),
        Agree,
    ),
    ("as a spreadsheet writes it", b"kode,nik\n9901,9.90101E+15\n", Ok("kode,nik\n9901,****\n"), Agree),
    ("as text for a spreadsheet", b"kode,nik\n9901,'9901014512900003\n", Ok("kode,nik\n9901,****\n"), Agree),
    ("as a formula", b"kode,nik\n9901,\"=\"\"9901014512900003\"\"\"\n", Ok("kode,nik\n9901,****\n"), Agree),
    ("over two cells", b"kode,nama,x\n9901,99010145,12900003\n", Ok("kode,nama\n9901,99010145\n"), Agree),
    (
        "swept",
        b"kode,nama\n9901,\"A, 9901014512900003\"\n",
        Ok("kode,nama\n9901,\"A, ****************\"\n"),
        Agree,
    ),
    (
        "swept, all of a cell",
        b"kode,nama\n9901,9901014512900003\n",
        Ok("kode,nama\n9901,****************\n"),
        Agree,
    ),
    (
        "swept over a line end",
        b"kode,nama\n9901,\"99010145\r12900003\"\n",
        Ok("kode,nama\n9901,\"********\r********\"\n"),
        Agree,
    ),
    (
        "over CR LF it is two",
        b"kode,nama\n9901,\"99010145\r\n12900003\"\n",
        Ok("kode,nama\n9901,\"99010145\r\n12900003\"\n"),
        Agree,
    ),
    ("a formula", b"kode,nama\n9901,=1+1\n", Ok("kode,nama\n9901,'=1+1\n"), Differ),
    (
        "a formula in quotes",
        b"kode,nama\n9901,\"=A,\"\"1\"\"\"\n",
        Ok("kode,nama\n9901,\"'=A,\"\"1\"\"\"\n"),
        Differ,
    ),
    ("a formula behind a blank", b"kode,nama\n9901, =1\n", Ok("kode,nama\n9901, =1\n"), Agree),
    ("a formula behind a tab", b"kode,nama\n9901,\t=1\n", Ok("kode,nama\n9901,'\t=1\n"), Differ),
    ("a formula behind a line end", b"kode,nama\n9901,\"\n=1\"\n", Ok("kode,nama\n9901,\"'\n=1\"\n"), Differ),
    ("a full-width formula", "kode,nama\n9901,＝1\n".as_bytes(), Ok("kode,nama\n9901,'＝1\n"), Differ),
    (
        "all other full-width formulas",
        "kode,nama\n9901,＋1\n9901,－1\n9901,＠1\n".as_bytes(),
        Ok("kode,nama\n9901,'＋1\n9901,'－1\n9901,'＠1\n"),
        Differ,
    ),
    ("a negative number", b"kode,nama\n9901,-5\n", Ok("kode,nama\n9901,'-5\n"), Differ),
    ("a formula that stays behind", b"kode,x,nama\n9901,=1,A\n", Ok("kode,nama\n9901,A\n"), Agree),
    // The area.
    ("outside", b"kode,nama\n33,A\n", Err("row_outside_area"), Accept),
    ("no area in the row", b"kode,nama\n,A\n", Err("row_area_missing"), Accept),
    ("an empty area in quotes", b"kode,nama\n\"\",A\n", Err("row_area_missing"), Accept),
    ("a blank before the area", b"kode,nama\n 9901,A\n", Err("row_outside_area"), Accept),
    ("a dotted area", b"kode,nama\n99.01.01,A\n", Ok("kode,nama\n99.01.01,A\n"), Agree),
];

fn plan(delimiter: u8) -> MaskPlan {
    let fields = vec![
        rule("kode", Action::Keep),
        rule("nama", Action::Keep),
        rule("nik", Action::Mask(Mask { first: 6, last: 0 })),
    ];
    plans::plan(Format::Csv { delimiter, formulas: Formulas::Neutralise }, fields)
}

fn rows(text: &[u8], delimiter: u8) -> Option<Vec<csv::StringRecord>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(text);
    reader.records().collect::<Result<_, _>>().ok()
}

/// Fails with all cases that came out wrong.
fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_text_is_accepted_or_refused_however_it_is_cut() {
    assert!(CASES.len() >= 120, "only {} cases", CASES.len());
    let mut wrong = Vec::new();
    for (name, text, expected, _) in CASES {
        let found = agreed_under_cuts(name, &plan(b','), Limits::default(), text);
        let shown = if found.verdict.is_ok() { Ok(&*found.output) } else { Err(found.code()) };
        if shown != *expected {
            wrong.push(format!("{name}: {shown:?} and not {expected:?}"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_delimiter_is_as_good_as_the_comma() {
    for (name, text, expected, _) in CASES.iter().filter(|(_, text, ..)| !text.contains(&b';')) {
        let other = |text: &[u8]| -> Vec<u8> {
            text.iter().map(|byte| if *byte == b',' { b';' } else { *byte }).collect()
        };
        let found = agreed(name, &plan(b';'), Limits::default(), &other(text));
        match expected {
            Ok(copy) => assert_eq!(found.output.as_bytes(), other(copy.as_bytes()), "{name}"),
            Err(code) => assert_eq!(found.code(), *code, "{name}"),
        }
    }
}

/// The cells of the kept column, digits covered as the sweep may cover them.
fn names(rows: &[csv::StringRecord]) -> Option<Vec<String>> {
    let at = rows.first()?.iter().position(|name| name == "nama")?;
    Some(rows.iter().map(|row| row[at].replace(char::is_numeric, "*")).collect())
}

#[test]
fn the_csv_crate_agrees_on_every_text_or_differs_as_stated() {
    let mut wrong = Vec::new();
    for (name, text, expected, others) in CASES {
        let read = rows(text, b',');
        let found = match (expected, &read) {
            (Err(_), Some(_)) => Accept,
            (Err(_), None) => Agree,
            (Ok(copy), Some(read)) => {
                let copy = rows(copy.as_bytes(), b',').unwrap();
                if read.len() == copy.len() && names(read) == names(&copy) { Agree } else { Differ }
            }
            (Ok(_), None) => Differ,
        };
        if found != *others {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_row_among_long_ones_is_what_it_is_alone() {
    let mut rows = 0;
    for (name, text, expected, _) in CASES {
        let Some(end) = text.iter().position(|byte| *byte == b'\n').map(|at| at + 1) else { continue };
        let (header, rest) = text.split_at(end);
        if header.contains(&b'"') {
            continue; // not all of the header, perhaps
        }
        let columns = header.split(|byte| *byte == b',').count();
        for cell in ["9901", "9901011001002"] {
            let long = vec![cell; columns].join(",") + "\n";
            let long = long.repeat(40);
            // Quotes that are never closed would take in what is behind them.
            let is_closed = rest.ends_with(b"\n") && *expected != Err("truncated");
            let end = if is_closed { &long } else { "" };
            let body = [header, long.as_bytes(), rest, end.as_bytes()].concat();
            let found = agreed(name, &plan(b','), Limits::default(), &body);
            rows += found.tally.rows_out;
            match expected {
                Ok(_) => assert_eq!(found.code(), "ok", "{name}"),
                Err(code) => assert_eq!(found.code(), *code, "{name}"),
            }
        }
    }
    assert!(rows > 5_000, "only {rows} rows were read");
}
