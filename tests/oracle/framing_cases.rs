//! Where records may stand: JSON arrays, single objects, envelopes, columns named once, NDJSON and text sequences, each
//! under all cuts. `{}` in a text stands for a record that may leave.

use salinan::domain::{Action, FieldRule, Format, Outside, Records, RowArea};
use salinan::redact::Limits;

use super::plans::{self, rule};
use super::run::agreed_under_cuts;

/// A text and what becomes of it: the copy, or a code.
type Case = (&'static str, &'static str, Result<&'static str, &'static str>);

fn check(format: &Format, cases: &[Case]) {
    let fields = |format: &Format| -> Vec<FieldRule> {
        let mut fields = vec![rule("kode", Action::Keep), rule("nama", Action::Keep)];
        fields.extend(
            matches!(format, Format::Json(Records::Columns { .. })).then(|| rule("nik", Action::Drop)),
        );
        fields
    };
    let mut wrong = Vec::new();
    for (name, text, expected) in cases {
        let filled = |text: &str| text.replace("{}", r#"{"kode":"9901"}"#);
        let plan = plans::plan(format.clone(), fields(format));
        let found = agreed_under_cuts(name, &plan, Limits::default(), filled(text).as_bytes());
        let shown = if found.verdict.is_ok() { Ok(&*found.output) } else { Err(found.code()) };
        let expected = expected.map(filled);
        if shown.map(str::to_owned) != expected {
            wrong.push(format!("{name}: {shown:?} and not {expected:?}"));
        }
        // The same where rows outside stay behind: the reference says how.
        let row_area = RowArea { outside: Outside::Withhold, ..plan.row_area.clone() };
        let outside = text.replacen("{}", r#"{"kode":"33","nama":"X"}"#, 1);
        let plan = salinan::domain::MaskPlan { row_area, ..plan };
        agreed_under_cuts(name, &plan, Limits::default(), filled(&outside).as_bytes());
    }
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn an_array_of_records() {
    check(
        &Format::Json(Records::Array),
        &[
            ("empty", "[]", Ok("[]")),
            ("blanks in it", "[ \n ]", Ok("[ \n ]")),
            ("blanks round it", " \t\r\n[{}] \t\r\n", Ok(" \t\r\n[{}] \t\r\n")),
            ("one", "[{}]", Ok("[{}]")),
            ("two", "[{},{}]", Ok("[{},{}]")),
            ("blanks between", "[ {} ,\n{} ]", Ok("[ {} ,\n{} ]")),
            ("nothing", "", Err("truncated")),
            ("only blanks", " \n ", Err("truncated")),
            ("open", "[", Err("truncated")),
            ("open behind a record", "[{}", Err("truncated")),
            ("open behind a comma", "[{},", Err("truncated")),
            ("comma first", "[,{}]", Err("syntax")),
            ("comma last", "[{},]", Err("syntax")),
            ("two commas", "[{},,{}]", Err("syntax")),
            ("no comma", "[{}{}]", Err("syntax")),
            ("a blank for a comma", "[{} {}]", Err("syntax")),
            ("a semicolon", "[{};{}]", Err("syntax")),
            ("a colon", "[{}:{}]", Err("syntax")),
            ("closed by a brace", "[{}}", Err("syntax")),
            ("closed twice", "[{}]]", Err("trailing_bytes")),
            ("two arrays", "[{}][{}]", Err("trailing_bytes")),
            ("two arrays on two lines", "[{}]\n[{}]", Err("trailing_bytes")),
            ("a comma behind", "[{}],", Err("trailing_bytes")),
            ("a NUL behind", "[{}]\0", Err("trailing_bytes")),
            ("a mark behind", "[{}]\u{feff}", Err("trailing_bytes")),
            ("a comment behind", "[{}]//", Err("trailing_bytes")),
            ("a mark before", "\u{feff}[{}]", Err("byte_order_mark")),
            ("a mark behind blanks", " \u{feff}[{}]", Err("byte_order_mark")),
            ("a guard before", ")]}',\n[{}]", Err("syntax")),
            ("a comment before", "/**/[{}]", Err("syntax")),
            ("in brackets", "([{}])", Err("syntax")),
            ("a callback", "f([{}])", Err("unexpected_shape")),
            ("an assignment", "a=[{}]", Err("syntax")),
            ("an object", "{}", Err("unexpected_shape")),
            ("a string", "\"9901014512900003\"", Err("unexpected_shape")),
            ("a number", "9901014512900003", Err("unexpected_shape")),
            ("null", "null", Err("unexpected_shape")),
            ("null among records", "[{},null]", Err("unexpected_shape")),
            ("a number among records", "[9901014512900003]", Err("unexpected_shape")),
            ("a string among records", "[{},\"9901014512900003\"]", Err("unexpected_shape")),
            ("an array among records", "[[{}]]", Err("unexpected_shape")),
            ("a name among records", "[{},x]", Err("syntax")),
            ("markup", "<html>9901014512900003</html>", Err("syntax")),
            ("lines", "{}\n{}\n", Err("unexpected_shape")),
            ("a sequence", "\u{1e}{}\n", Err("syntax")),
        ],
    );
}

#[test]
fn a_single_object() {
    check(
        &Format::Json(Records::Object),
        &[
            ("one", "{}", Ok("{}")),
            ("blanks round it", "\r\n {} \n", Ok("\r\n {} \n")),
            ("blanks in it", "{ \"kode\" : \"9901\" }", Ok("{ \"kode\" : \"9901\" }")),
            ("nothing", "", Err("truncated")),
            ("only blanks", "\n", Err("truncated")),
            ("two", "{}{}", Err("trailing_bytes")),
            ("two on two lines", "{}\n{}", Err("trailing_bytes")),
            ("a comma behind", "{},", Err("trailing_bytes")),
            ("closed twice", "{}}", Err("trailing_bytes")),
            ("an array", "[{}]", Err("unexpected_shape")),
            ("null", "null", Err("unexpected_shape")),
            ("a mark before", "\u{feff}{}", Err("byte_order_mark")),
            ("a brace alone", "}", Err("syntax")),
            ("empty", "{ }", Err("row_area_missing")),
            ("open", "{\"kode\":\"9901\"", Err("truncated")),
            ("open behind a comma", "{\"kode\":\"9901\",", Err("truncated")),
            ("open behind a colon", "{\"kode\":", Err("truncated")),
            ("open in a number", "{\"kode\":9901", Err("truncated")),
            ("open in a word", "{\"x\":tru", Err("truncated")),
        ],
    );
}

#[test]
fn an_envelope() {
    check(
        &plans::envelope(),
        &[
            ("records alone", r#"{"data":[{}]}"#, Ok(r#"{"data":[{}]}"#)),
            ("no records", r#"{"data":[]}"#, Ok(r#"{"data":[]}"#)),
            ("blanks", " { \"data\" : [ {} , {} ] } ", Ok(" { \"data\" : [ {} , {} ] } ")),
            ("kept before", r#"{"total":2,"data":[{}]}"#, Ok(r#"{"total":2,"data":[{}]}"#)),
            ("kept behind", r#"{"data":[{}], "total":2}"#, Ok(r#"{"data":[{}], "total":2}"#)),
            ("dropped before", r#"{"x":1, "data":[{}]}"#, Ok(r#"{ "data":[{}]}"#)),
            ("dropped behind", r#"{"data":[{}], "x":1}"#, Ok(r#"{"data":[{}]}"#)),
            (
                "dropped between",
                r#"{"total":2,"x":{"data":[{}]},"data":[{}]}"#,
                Ok(r#"{"total":2,"data":[{}]}"#),
            ),
            (
                "kept as a word",
                r#"{"total":true,"data":[],"catatan":null}"#,
                Ok(r#"{"total":true,"data":[],"catatan":null}"#),
            ),
            ("no container is kept", r#"{"total":[1],"data":[],"catatan":{"a":1}}"#, Ok(r#"{"data":[]}"#)),
            (
                "swept",
                r#"{"catatan":"9901014512900003","data":[]}"#,
                Ok(r#"{"catatan":"****************","data":[]}"#),
            ),
            ("an escaped name", r#"{"d\u0061ta":[{}]}"#, Ok(r#"{"d\u0061ta":[{}]}"#)),
            ("a name in capitals", r#"{"DATA":[{}]}"#, Err("records_missing")),
            ("empty", "{ }", Err("records_missing")),
            ("an error", r#"{"error":"x"}"#, Err("records_missing")),
            ("records deeper", r#"{"x":{"data":[{}]}}"#, Err("records_missing")),
            ("records twice", r#"{"data":[],"data":[{}]}"#, Err("duplicate_key")),
            ("records twice, escaped", r#"{"data":[],"dat\u0061":[{}]}"#, Err("duplicate_key")),
            ("a dropped name twice", r#"{"x":1,"x":2,"data":[]}"#, Err("duplicate_key")),
            ("a name twice deeper", r#"{"x":{"a":1,"a":2},"data":[]}"#, Err("duplicate_key")),
            ("records as an object", r#"{"data":{"0":1}}"#, Err("unexpected_shape")),
            ("records as null", r#"{"data":null}"#, Err("unexpected_shape")),
            ("records as a string", r#"{"data":"9901014512900003"}"#, Err("unexpected_shape")),
            ("a number among records", r#"{"data":[1]}"#, Err("unexpected_shape")),
            ("an array", "[{}]", Err("unexpected_shape")),
            ("comma last", r#"{"data":[],}"#, Err("syntax")),
            ("comma first", r#"{,"data":[]}"#, Err("syntax")),
            ("no comma", r#"{"data":[]"total":1}"#, Err("syntax")),
            ("no colon", r#"{"data"[{}]}"#, Err("syntax")),
            ("a bare name", r"{data:[{}]}", Err("syntax")),
            ("closed by a bracket", r#"{"data":[]]"#, Err("syntax")),
            ("wrong in what is dropped", r#"{"x":01,"data":[]}"#, Err("syntax")),
            ("half a pair in a dropped name", r#"{"\ud800":1,"data":[]}"#, Err("lone_surrogate")),
            ("NUL in a dropped name", r#"{"\u0000":1,"data":[]}"#, Err("nul_in_name")),
            ("open", r#"{"data":[{}]"#, Err("truncated")),
            ("open in the records", r#"{"data":[{}"#, Err("truncated")),
            ("open in a number", r#"{"data":[],"total":1"#, Err("truncated")),
            ("rest", r#"{"data":[]} x"#, Err("trailing_bytes")),
        ],
    );
}

#[test]
fn columns_named_once() {
    check(
        &plans::columns(),
        &[
            (
                "one row",
                r#"{"columns":["kode","nama"],"rows":[["9901","A"]]}"#,
                Ok(r#"{"columns":["kode","nama"],"rows":[["9901","A"]]}"#),
            ),
            ("no rows", r#"{"columns":["kode"],"rows":[]}"#, Ok(r#"{"columns":["kode"],"rows":[]}"#)),
            (
                "a column dropped",
                r#"{"columns":["nik","kode"],"rows":[["1", "9901"]]}"#,
                Ok(r#"{"columns":["kode"],"rows":[[ "9901"]]}"#),
            ),
            (
                "an unnamed column",
                r#"{"columns":["kode", "x"],"rows":[["9901", {"a":[1]}]]}"#,
                Ok(r#"{"columns":["kode"],"rows":[["9901"]]}"#),
            ),
            (
                "kept and dropped members",
                r#"{"total":1,"x":[],"columns":["kode"],"rows":[["9901"]],"y":{}}"#,
                Ok(r#"{"total":1,"columns":["kode"],"rows":[["9901"]]}"#),
            ),
            (
                "an escaped name",
                r#"{"columns":["kod\u0065"],"rows":[["9901"]]}"#,
                Ok(r#"{"columns":["kod\u0065"],"rows":[["9901"]]}"#),
            ),
            (
                "a container kept",
                r#"{"columns":["kode","nama"],"rows":[["9901",{"a":[1]}]]}"#,
                Ok(r#"{"columns":["kode","nama"],"rows":[["9901",{"a":[1]}]]}"#),
            ),
            ("rows first", r#"{"rows":[["9901"]],"columns":["kode"]}"#, Err("unexpected_shape")),
            ("no columns", r#"{"rows":[["9901"]]}"#, Err("unexpected_shape")),
            ("no rows at all", r#"{"columns":["kode"]}"#, Err("records_missing")),
            ("neither", r#"{"error":1}"#, Err("records_missing")),
            ("a column twice", r#"{"columns":["kode","x","x"],"rows":[]}"#, Err("duplicate_key")),
            (
                "a column twice, escaped",
                r#"{"columns":["kode","kod\u0065"],"rows":[]}"#,
                Err("duplicate_key"),
            ),
            ("columns twice", r#"{"columns":["kode"],"columns":["kode"],"rows":[]}"#, Err("duplicate_key")),
            ("no column may leave", r#"{"columns":["nik"],"rows":[]}"#, Err("no_known_column")),
            ("no columns in it", r#"{"columns":[],"rows":[]}"#, Err("no_known_column")),
            ("no area", r#"{"columns":["nama"],"rows":[]}"#, Err("row_area_missing")),
            ("columns as an object", r#"{"columns":{"kode":1},"rows":[]}"#, Err("unexpected_shape")),
            ("columns as null", r#"{"columns":null,"rows":[]}"#, Err("unexpected_shape")),
            ("a column as a number", r#"{"columns":["kode",1],"rows":[]}"#, Err("unexpected_shape")),
            ("a column as an object", r#"{"columns":[{"name":"kode"}],"rows":[]}"#, Err("unexpected_shape")),
            ("NUL in a column", r#"{"columns":["kode","\u0000"],"rows":[]}"#, Err("nul_in_name")),
            ("a value less", r#"{"columns":["kode","nama"],"rows":[["9901"]]}"#, Err("ragged_row")),
            (
                "a value more",
                r#"{"columns":["kode"],"rows":[["9901","9901014512900003"]]}"#,
                Err("ragged_row"),
            ),
            ("no values", r#"{"columns":["kode"],"rows":[[]]}"#, Err("ragged_row")),
            ("a row as an object", r#"{"columns":["kode"],"rows":[{}]}"#, Err("unexpected_shape")),
            ("a row as null", r#"{"columns":["kode"],"rows":[null]}"#, Err("unexpected_shape")),
            ("rows as an object", r#"{"columns":["kode"],"rows":{}}"#, Err("unexpected_shape")),
            ("a row outside", r#"{"columns":["kode"],"rows":[["9901"],["33"]]}"#, Err("row_outside_area")),
            ("a row without area", r#"{"columns":["kode"],"rows":[[null]]}"#, Err("row_area_missing")),
            ("comma last in the columns", r#"{"columns":["kode",],"rows":[]}"#, Err("syntax")),
            ("comma last in a row", r#"{"columns":["kode"],"rows":[["9901",]]}"#, Err("ragged_row")),
            ("comma last in the rows", r#"{"columns":["kode"],"rows":[["9901"],]}"#, Err("syntax")),
            ("wrong in what is dropped", r#"{"columns":["kode","x"],"rows":[["9901",01]]}"#, Err("syntax")),
            ("open", r#"{"columns":["kode"],"rows":[["9901"]]"#, Err("truncated")),
            ("open in the columns", r#"{"columns":["kode""#, Err("truncated")),
        ],
    );
}

#[test]
fn an_object_a_line() {
    check(
        &Format::Ndjson,
        &[
            ("nothing", "", Ok("")),
            ("one", "{}\n", Ok("{}\n")),
            ("no last end", "{}\n{}", Ok("{}\n{}")),
            ("CR LF", "{}\r\n{}\r\n", Ok("{}\r\n{}\r\n")),
            ("blanks round it", " {} \n\t{}\t\n", Ok(" {} \n\t{}\t\n")),
            ("blank lines", "\n{}\n\n \r\n{}\n", Ok("{}\n{}\n")),
            ("only blank lines", "\n \n", Ok("")),
            ("only a blank", " ", Ok("")),
            ("a CR before the line", "\r{}\n", Ok("\r{}\n")),
            ("bare CR between", "{}\r{}\n", Err("trailing_bytes")),
            ("two on a line", "{}{}\n", Err("trailing_bytes")),
            ("two with a blank", "{} {}\n", Err("trailing_bytes")),
            ("a comma behind", "{},\n{}\n", Err("trailing_bytes")),
            ("a NUL behind", "{}\0\n", Err("trailing_bytes")),
            ("over two lines", "{\"kode\":\n\"9901\"}\n", Err("syntax")),
            ("an array over two lines", "{\"kode\":\"9901\",\"x\":[\n]}\n", Err("syntax")),
            ("a string over two lines", "{\"kode\":\"99\n01\"}\n", Err("control_character")),
            ("a NUL for an end", "{}\0{}\0", Err("trailing_bytes")),
            ("another line end", "{}\u{2028}{}", Err("trailing_bytes")),
            ("an array", "[{}]\n", Err("unexpected_shape")),
            ("an open array", "[\n{},\n{}\n]\n", Err("unexpected_shape")),
            ("a number", "9901014512900003\n", Err("unexpected_shape")),
            ("null", "{}\nnull\n", Err("unexpected_shape")),
            ("a comment", "{}\n#\n", Err("unexpected_shape")),
            ("a sequence", "\u{1e}{}\n", Err("unexpected_shape")),
            ("a mark", "\u{feff}{}\n", Err("byte_order_mark")),
            ("a mark in the second line", "{}\n\u{feff}{}\n", Err("unexpected_shape")),
            ("open", "{}\n{\"kode\":\"9901\"", Err("truncated")),
            ("open in the first line", "{\"kode\":\"9901\"\n{}\n", Err("syntax")),
            ("a string open at the line's end", "{\"kode\":\"9901\n{}\n", Err("control_character")),
            ("an escape at the line's end", "{\"kode\":\"9901\\\n{}\n", Err("syntax")),
            ("half a pair at the line's end", "{\"kode\":\"\\ud800\n{}\n", Err("lone_surrogate")),
        ],
    );
}

#[test]
fn a_text_sequence() {
    check(
        &Format::JsonSeq,
        &[
            ("nothing", "", Ok("")),
            ("one", "\u{1e}{}\n", Ok("\u{1e}{}\n")),
            ("two", "\u{1e}{}\n\u{1e}{}\n", Ok("\u{1e}{}\n\u{1e}{}\n")),
            ("CR LF", "\u{1e}{}\r\n", Ok("\u{1e}{}\r\n")),
            ("blanks before", "\u{1e} \n{}\n", Ok("\u{1e} \n{}\n")),
            ("blanks behind", "\u{1e}{} \n \u{1e}{}\n", Ok("\u{1e}{} \n \u{1e}{}\n")),
            ("over two lines", "\u{1e}{\"kode\":\n\"9901\"}\n", Ok("\u{1e}{\"kode\":\n\"9901\"}\n")),
            ("no separator", "{}\n", Err("syntax")),
            ("no second separator", "\u{1e}{}\n{}\n", Err("trailing_bytes")),
            ("a blank before the separator", " \u{1e}{}\n", Err("syntax")),
            ("two separators", "\u{1e}\u{1e}{}\n", Err("syntax")),
            ("no line feed between", "\u{1e}{}\u{1e}{}\n", Err("syntax")),
            ("a CR for a line feed", "\u{1e}{}\r\u{1e}{}\n", Err("syntax")),
            ("no last line feed", "\u{1e}{}", Err("truncated")),
            ("a last blank for a line feed", "\u{1e}{} ", Err("truncated")),
            ("a separator alone", "\u{1e}", Err("truncated")),
            ("a separator and a line feed", "\u{1e}\n", Err("truncated")),
            ("a separator at the end", "\u{1e}{}\n\u{1e}", Err("truncated")),
            ("two texts", "\u{1e}{}{}\n", Err("trailing_bytes")),
            ("a comma behind", "\u{1e}{},\n", Err("trailing_bytes")),
            ("an array", "\u{1e}[{}]\n", Err("unexpected_shape")),
            ("a number", "\u{1e}9901014512900003\n", Err("unexpected_shape")),
            ("null", "\u{1e}null\n", Err("unexpected_shape")),
            ("a word", "\u{1e}x\n", Err("syntax")),
            ("a mark", "\u{feff}\u{1e}{}\n", Err("byte_order_mark")),
            ("a mark behind the separator", "\u{1e}\u{feff}{}\n", Err("syntax")),
            ("cut off, and the next", "\u{1e}{\"kode\":\"9901\"\u{1e}{}\n", Err("syntax")),
            ("cut off in a string", "\u{1e}{\"kode\":\"99\u{1e}{}\n", Err("control_character")),
            (
                "a separator in a string",
                "\u{1e}{\"kode\":\"9901\",\"x\":\"\u{1e}\"}\n",
                Err("control_character"),
            ),
            (
                "an escaped one",
                "\u{1e}{\"kode\":\"9901\",\"nama\":\"\\u001e\"}\n",
                Ok("\u{1e}{\"kode\":\"9901\",\"nama\":\"\\u001e\"}\n"),
            ),
            ("a NUL behind", "\u{1e}{}\n\0", Err("trailing_bytes")),
        ],
    );
}
