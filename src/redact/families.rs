//! The ways in which data leaks through proxies, each as a table: what comes in, what leaves, how it ends.
//!
//! Every case runs under all cuts. A case that fails also states what was handed on before. The file is long and
//! one piece because the families are read, and compared with each other, as one list.

use crate::domain::{Action, Format, Formulas, Mask, MaskPlan, Records};

use super::harness::{array, csv, envelope, name, plan, rule, run, run_all_cuts, standard};
use super::{Coding, Limits, Problem, RedactError};

/// How a case ends: whole with this output, or stopped with a code after some records and this output.
pub(super) enum End {
    Whole(&'static str),
    Stopped(&'static str, u64, &'static str),
}
use End::{Stopped, Whole};

pub(super) fn check(plan: &MaskPlan, cases: &[(&str, &str, End)]) {
    for (name, body, end) in cases {
        check_bytes(plan, Limits::default(), name, body.as_bytes(), end);
    }
}

fn check_bytes(plan: &MaskPlan, limits: Limits, name: &str, body: &[u8], end: &End) {
    let outcome = run_all_cuts(plan, Coding::Identity, limits, body);
    let found = match outcome.verdict {
        Ok(()) => ("whole", outcome.tally.rows_out, outcome.output.as_str()),
        Err(RedactError::Stopped { records, problem, .. }) => {
            (problem.code(), records, outcome.output.as_str())
        }
        Err(RedactError::UnknownCoding | RedactError::Ended) => ("not stopped", 0, ""),
    };
    match *end {
        Whole(output) => assert_eq!((found.0, found.2), ("whole", output), "{name}"),
        Stopped(code, records, output) => assert_eq!(found, (code, records, output), "{name}"),
    }
}

fn object() -> MaskPlan {
    standard(Format::Json(Records::Object))
}

const GOOD: &str = r#"{"nik":"9901014512900003","nkk":"9901010101010001","nama":"SITI CONTOH","alamat":"JL KENANGA 7","tanggal_lahir":"1990-12-05","kode":"9901011001"}"#;
const GOOD_OUT: &str =
    r#"{"nik":"990101**********","nama":"SITI CONTOH","tahun_lahir":"1990","kode":"9901011001"}"#;

#[test]
fn family_1_a_name_twice_in_one_object_ends_the_pass() {
    check(
        &object(),
        &[
            ("named", r#"{"kode":"9901","nik":"1","nik":"2"}"#, Stopped("duplicate_key", 0, "")),
            ("escaped", r#"{"kode":"9901","nik":"1","n\u0069k":"2"}"#, Stopped("duplicate_key", 0, "")),
            ("unnamed", r#"{"kode":"9901","x":1,"y":2,"x":3}"#, Stopped("duplicate_key", 0, "")),
            ("area", r#"{"kode":"9901","kode":"9901"}"#, Stopped("duplicate_key", 0, "")),
            (
                "in a dropped object",
                r#"{"kode":"9901","x":[{"a":1,"a":2}]}"#,
                Stopped("duplicate_key", 0, ""),
            ),
            ("empty name", r#"{"kode":"9901","x":{"":1,"":2}}"#, Stopped("duplicate_key", 0, "")),
            (
                "same name at two depths",
                r#"{"kode":"9901","x":{"kode":1,"x":{"x":{}}},"y":[{"a":1},{"a":1}]}"#,
                Whole(r#"{"kode":"9901"}"#),
            ),
            ("other case", r#"{"kode":"9901","Kode":"33"}"#, Whole(r#"{"kode":"9901"}"#)),
        ],
    );
    for names in [20, 40, 80] {
        let field = |at: usize| [r#""field_"#.to_owned(), at.to_string(), r#"":0,"#.to_owned()];
        let body = |again: usize| {
            let many: String = (0..names).flat_map(field).collect();
            format!(r#"{{{many}"kode":"9901","field_{again}":1}}"#)
        };
        let limits = Limits::default();
        for again in 0..names {
            let outcome = run(&object(), Coding::Identity, limits, [body(again).as_bytes()]);
            assert_eq!(
                outcome.verdict.map_err(|error| error.code()),
                Err("duplicate_key"),
                "{again} of {names}"
            );
        }
        assert_eq!(run(&object(), Coding::Identity, limits, [body(names).as_bytes()]).verdict, Ok(()));
    }
    check(
        &standard(envelope()),
        &[
            ("records", r#"{"data":[],"data":[]}"#, Stopped("duplicate_key", 0, r#"{"data":[]"#)),
            (
                "kept",
                r#"{"total":1,"data":[],"total":2}"#,
                Stopped("duplicate_key", 0, r#"{"total":1,"data":[]"#),
            ),
            ("dropped", r#"{"x":1,"x":2,"data":[]}"#, Stopped("duplicate_key", 0, "{")),
        ],
    );
}

#[test]
fn family_2_names_are_compared_decoded_and_broken_unicode_ends_the_pass() {
    check(
        &object(),
        &[
            (
                "escaped name",
                r#"{"n\u0069k":"9901014512900003","\u006b\u006F\u0064e":"9901"}"#,
                Whole(r#"{"n\u0069k":"990101**********","\u006b\u006F\u0064e":"9901"}"#),
            ),
            ("escaped drop", r#"{"\u0061lamat":"JL KENANGA 7","kode":"9901"}"#, Whole(r#"{"kode":"9901"}"#)),
            (
                "renamed",
                r#"{"tanggal\u005flahir":"1990-12-05","kode":"9901"}"#,
                Whole(r#"{"tahun_lahir":"1990","kode":"9901"}"#),
            ),
            ("pair", r#"{"x":"\ud83d\ude00","kode":"9901"}"#, Whole(r#"{"kode":"9901"}"#)),
            ("lone high", r#"{"x":"\ud83d","kode":"9901"}"#, Stopped("lone_surrogate", 0, "")),
            (
                "lone high before text",
                r#"{"x":"\ud83dabcdef","kode":"9901"}"#,
                Stopped("lone_surrogate", 0, ""),
            ),
            ("high and no low", r#"{"x":"\ud83d\u0041","kode":"9901"}"#, Stopped("lone_surrogate", 0, "")),
            ("lone low", r#"{"\ude00":1,"kode":"9901"}"#, Stopped("lone_surrogate", 0, "")),
            (
                "NUL in a name",
                r#"{"nik\u0000":"9901014512900003","kode":"9901"}"#,
                Stopped("nul_in_name", 0, ""),
            ),
            ("NUL in a deep name", r#"{"x":{"\u0000":1},"kode":"9901"}"#, Stopped("nul_in_name", 0, "")),
            ("bad escape", r#"{"x":"\x41","kode":"9901"}"#, Stopped("syntax", 0, "")),
            ("short escape", r#"{"x":"\u004","kode":"9901"}"#, Stopped("syntax", 0, "")),
            ("upper U", r#"{"x":"\U0041","kode":"9901"}"#, Stopped("syntax", 0, "")),
            (
                "last control",
                "{\"x\":\"a\u{1f}bcdefghij\",\"kode\":\"9901\"}",
                Stopped("control_character", 0, ""),
            ),
            (
                "last control near the end",
                "{\"kode\":\"9901\",\"x\":\"\u{1f}\"}",
                Stopped("control_character", 0, ""),
            ),
            ("raw control", "{\"x\":\"a\u{1}\",\"kode\":\"9901\"}", Stopped("control_character", 0, "")),
            (
                "raw newline in a long string",
                "{\"x\":\"abcdefghijk\nlmnop\",\"kode\":\"9901\"}",
                Stopped("control_character", 0, ""),
            ),
            (
                "delete is no control",
                "{\"nama\":\"a\u{7f}\",\"kode\":\"9901\"}",
                Whole("{\"nama\":\"a\u{7f}\",\"kode\":\"9901\"}"),
            ),
        ],
    );
    let bad_bytes: [(&str, &[u8]); 7] = [
        ("dropped", b"{\"x\":\"\xC3\x28\",\"kode\":\"9901\"}"),
        ("cut off by the quote", b"{\"x\":\"abc\xE2\x82\",\"kode\":\"9901\"}"),
        ("name", b"{\"\xFF\":1,\"kode\":\"9901\"}"),
        ("overlong", b"{\"x\":\"\xC0\xAF\",\"kode\":\"9901\"}"),
        ("surrogate", b"{\"x\":\"\xED\xA0\x80\",\"kode\":\"9901\"}"),
        ("kept", b"{\"nama\":\"\x80\",\"kode\":\"9901\"}"),
        ("deep", b"{\"x\":[[\"\xF8\"]],\"kode\":\"9901\"}"),
    ];
    for (name, body) in bad_bytes {
        check_bytes(&object(), Limits::default(), name, body, &Stopped("invalid_utf8", 0, ""));
    }
}

#[test]
fn family_3_unnamed_fields_stay_behind_and_lookalikes_are_counted() {
    let cases = [
        ("upper case", r#"{"NIK":"9901014512900003","kode":"9901"}"#, 1),
        ("blank", r#"{"nik ":"9901014512900003","kode":"9901"}"#, 1),
        ("zero width", r#"{"ni\u200bk":"9901014512900003","kode":"9901"}"#, 1),
        ("alias", r#"{"no_kk":"9901010101010001","kode":"9901"}"#, 1),
        ("both", r#"{"No_NIK":"9901014512900003","NKK":"9901010101010001","kode":"9901"}"#, 2),
        ("new", r#"{"catatan":"JL KENANGA 7","kode":"9901"}"#, 0),
    ];
    for (name, body, near_misses) in cases {
        let outcome = run_all_cuts(&object(), Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!(outcome.verdict, Ok(()), "{name}");
        assert_eq!(outcome.output, r#"{"kode":"9901"}"#, "{name}");
        assert_eq!(outcome.tally.near_misses, near_misses, "{name}");
    }
}

#[test]
fn family_4_values_of_any_type_and_shape_are_masked() {
    let cases = [
        ("string", r#""9901014512900003""#, r#""990101**********""#, 0),
        ("number", "9901014512900003", r#""990101**********""#, 0),
        ("escaped digits", r#""\u0039901014512900003""#, r#""990101**********""#, 0),
        ("float", "9901014512900003.0", r#""****""#, 1),
        ("exponent", "9.901014512900003E15", r#""****""#, 1),
        ("negative", "-9901014512900003", r#""****""#, 1),
        ("dotted", r#""99.0101.451290.0003""#, r#""****""#, 1),
        ("spaced", r#""9901 0145 1290 0003""#, r#""****""#, 1),
        ("short", r#""990101451290000""#, r#""****""#, 1),
        ("long", r#""99010145129000031""#, r#""****""#, 1),
        ("full width", r#""９９０１０１４５１２９００００３""#, r#""****""#, 1),
        ("array", r#"["9901014512900003"]"#, r#"["990101**********"]"#, 0),
        (
            "arrays",
            r#"[ ["9901014512900003", 1 ],[],[{}]]"#,
            r#"[ ["990101**********", "****" ],[],["****"]]"#,
            2,
        ),
        ("object", r#"{"v":"9901014512900003"}"#, r#""****""#, 1),
        ("bool", "true", r#""****""#, 1),
        ("null", "null", "null", 0),
        ("empty", r#""""#, r#""""#, 0),
    ];
    for (name, value, shown, unreadable) in cases {
        let body = format!(r#"{{"nik":{value},"kode":"9901"}}"#);
        let outcome = run_all_cuts(&object(), Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!(outcome.output, format!(r#"{{"nik":{shown},"kode":"9901"}}"#), "{name}");
        assert_eq!(outcome.tally.unreadable, unreadable, "{name}");
    }
    let cases = [
        ("date as number", "19901205", "null", 1),
        ("date", r#""05|12|1990""#, r#""1990""#, 0),
        ("no date", r#""1990-02-30""#, "null", 1),
        ("container", r#"{"y":1990}"#, "null", 1),
        ("null", "null", "null", 0),
    ];
    for (name, value, shown, unreadable) in cases {
        let body = format!(r#"{{"tanggal_lahir":{value},"kode":"9901"}}"#);
        let outcome = run_all_cuts(&object(), Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!(outcome.output, format!(r#"{{"tahun_lahir":{shown},"kode":"9901"}}"#), "{name}");
        assert_eq!(outcome.tally.unreadable, unreadable, "{name}");
    }
}

#[test]
fn family_5_long_numbers_are_covered_in_what_is_kept() {
    let cases = [
        ("free text", r#""SITI 9901014512900003 CONTOH""#, r#""SITI **************** CONTOH""#, 1),
        ("escaped digit", r#""990101\u0034512900003 \"x\"\u0001""#, r#""**************** \"x\"\u0001""#, 1),
        ("escaped blank", r#""9901\t0145\t1290\t0003""#, r#""****\t****\t****\t****""#, 1),
        ("JSON in a string", r#""{\"nik\":9901014512900003}""#, r#""{\"nik\":****************}""#, 1),
        ("number", "9901014512900003", r#""****************""#, 1),
        ("float", "-0.9901014512900003", r#""-*.****************""#, 1),
        ("full width", r#""no ９９０１０１４５１２９００００３""#, r#""no ****************""#, 1),
        (
            "full width before plain text",
            r#""９９０１０１４５１２９００００３ abcdefgh""#,
            r#""**************** abcdefgh""#,
            1,
        ),
        ("full width at the very end", r#""x990101451290000３""#, r#""x****************""#, 1),
        ("two", r#""9901014512900003, 9901010101010001""#, r#""****************, ****************""#, 2),
        ("array", r#"["9901014512900003"]"#, r#"["****************"]"#, 1),
        (
            "all below",
            r#"{ "a" :[9901014512900003,{"9901010101010001":"x 9901014512900003"}, 5e-1,null,true,"A"]}"#,
            r#"{ "a" :["****************",{"****************":"x ****************"}, 5e-1,null,true,"A"]}"#,
            3,
        ),
        (
            "nothing below",
            r#"{"a":["JL KENARI 7",{"b":-1.50}, [], {} ]}"#,
            r#"{"a":["JL KENARI 7",{"b":-1.50}, [], {} ]}"#,
            0,
        ),
        ("short number", "1234", "1234", 0),
        ("exact number", "1.0e2", "1.0e2", 0),
        ("escapes stay", r#""a\/b\u00e9""#, r#""a\/b\u00e9""#, 0),
    ];
    for (name, value, shown, swept) in cases {
        let body = format!(r#"{{"nama":{value},"kode":"9901"}}"#);
        let outcome = run_all_cuts(&object(), Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!(outcome.verdict, Ok(()), "{name}");
        assert_eq!(outcome.output, format!(r#"{{"nama":{shown},"kode":"9901"}}"#), "{name}");
        assert_eq!(outcome.tally.swept, swept, "{name}");
    }
    check(
        &standard(envelope()),
        &[
            (
                "envelope",
                r#"{"catatan":"nik 9901014512900003","data":[],"total":9901014512900003}"#,
                Whole(r#"{"catatan":"nik ****************","data":[],"total":"****************"}"#),
            ),
            (
                "map keys",
                r#"{"data":[{"kode":"9901","9901014512900003":1}],"9901014512900003":{}}"#,
                Whole(r#"{"data":[{"kode":"9901"}]}"#),
            ),
        ],
    );
}

#[test]
fn family_6_records_leave_whole_and_the_same_under_every_cut() {
    let body = format!("[{GOOD} ,\n {GOOD}]\n");
    let expected = format!("[{GOOD_OUT} ,\n {GOOD_OUT}]\n");
    let outcome = run_all_cuts(&standard(array()), Coding::Identity, Limits::default(), body.as_bytes());
    assert_eq!((outcome.verdict, outcome.output), (Ok(()), expected));
    assert_eq!((outcome.tally.rows_in, outcome.tally.rows_out), (2, 2));

    let wide = "[{\"kode\":\"9901\",\"nama\":\"S\u{ed}ti \u{20ac} \u{1f600} \\ud83d\\ude00\"}]";
    let outcome = run_all_cuts(&standard(array()), Coding::Identity, Limits::default(), wide.as_bytes());
    assert_eq!((outcome.verdict, outcome.output.as_str()), (Ok(()), wide));
}

#[test]
fn family_8_texts_that_are_not_what_the_plan_states_end_the_pass() {
    check(
        &standard(array()),
        &[
            ("mark", "\u{feff}[]", Stopped("byte_order_mark", 0, "")),
            ("html", "<html>JL KENANGA 7</html>", Stopped("syntax", 0, "")),
            ("error object", r#"{"error":"9901014512900003"}"#, Stopped("unexpected_shape", 0, "")),
            ("scalar", r#""9901014512900003""#, Stopped("unexpected_shape", 0, "")),
            ("scalar record", "[9901014512900003]", Stopped("unexpected_shape", 0, "[")),
            ("array record", r#"[["9901014512900003"]]"#, Stopped("unexpected_shape", 0, "[")),
            ("csv", "nik,nama\n", Stopped("unexpected_shape", 0, "")),
            ("empty body", "", Stopped("truncated", 0, "")),
            ("blank body", " \n", Stopped("truncated", 0, " \n")),
            ("empty array", " [ ] \n", Whole(" [ ] \n")),
            ("two texts", "[][]", Stopped("trailing_bytes", 0, "[]")),
            ("rest", "[] x", Stopped("trailing_bytes", 0, "[] ")),
            ("leading comma", "[,]", Stopped("syntax", 0, "[")),
            ("trailing comma", r#"[{"kode":"9901"},]"#, Stopped("syntax", 1, r#"[{"kode":"9901"}"#)),
            ("no comma", r#"[{"kode":"9901"}{"kode":"9901"}]"#, Stopped("syntax", 1, r#"[{"kode":"9901"}"#)),
        ],
    );
    check_bytes(
        &standard(array()),
        Limits::default(),
        "utf-16",
        b"\xFF\xFE[\0]\0",
        &Stopped("syntax", 0, ""),
    );
    check(
        &standard(envelope()),
        &[
            ("error", r#"{"error":"no"}"#, Stopped("records_missing", 0, "{")),
            ("empty", "{ }", Stopped("records_missing", 0, "{")),
            ("not an array", r#"{"data":{"nik":"9901014512900003"}}"#, Stopped("unexpected_shape", 0, "{")),
            ("null", r#"{"data":null}"#, Stopped("unexpected_shape", 0, "{")),
            ("array", "[]", Stopped("unexpected_shape", 0, "")),
            (
                "members round the records",
                r#"{ "x" : {"nik":1} , "total" : 1 , "data" : [ {"kode":"9901"} ] , "y":[1], "catatan":[1] }"#,
                Whole(r#"{ "total" : 1 , "data" : [ {"kode":"9901"} ] }"#),
            ),
            (
                "all kept",
                r#"{"total":2, "data":[{"kode":"9901"}, {"kode":"9901"}], "catatan":null}"#,
                Whole(r#"{"total":2, "data":[{"kode":"9901"}, {"kode":"9901"}], "catatan":null}"#),
            ),
            ("name inside a record", r#"{"x":{"data":[]}}"#, Stopped("records_missing", 0, "{")),
            ("trailing comma", r#"{"data":[],}"#, Stopped("syntax", 0, r#"{"data":[]"#)),
        ],
    );
}

#[test]
fn the_grammar_holds_in_dropped_values_too() {
    let values = [
        ("leading zero", "01"),
        ("plus", "+1"),
        ("bare dot", "1."),
        ("dot first", ".1"),
        ("bare exponent", "1e"),
        ("minus", "-"),
        ("hex", "0x10"),
        ("NaN", "NaN"),
        ("upper literal", "True"),
        ("long literal", "nulll"),
        ("single quotes", "'a'"),
        ("trailing comma", "[1,]"),
        ("comma", "[,1]"),
        ("mismatch", "[1}"),
        ("mismatch in depth", r#"{"a":[1}]"#),
        ("no colon", r#"{"a" 1}"#),
        ("no name", "{1:1}"),
        ("comma in object", r#"{"a":1,}"#),
        ("deep leading zero", r#"{"a":[{"b":00}]}"#),
        ("comment", "1/**/"),
        ("nothing", ""),
    ];
    for (name, value) in values {
        let body = format!(r#"{{"kode":"9901","x":{value}}}"#);
        check_bytes(&object(), Limits::default(), name, body.as_bytes(), &Stopped("syntax", 0, ""));
    }
    for value in ["0", "-0", "1E+2", "-0.0e-0", "[ ]", "{ }", r#"[[],{},[{"a":[]}],-1]"#, r#""\/\b""#] {
        let body = format!(r#"{{"x" : {value} , "kode":"9901"}}"#);
        check_bytes(&object(), Limits::default(), value, body.as_bytes(), &Whole(r#"{ "kode":"9901"}"#));
    }
}

#[test]
fn a_row_must_say_that_it_lies_in_the_area() {
    let cases = [
        (r#"{"kode":"9901"}"#, None),
        (r#"{"kode":"99.01.01.1001"}"#, None),
        (r#"{"kode":"9901011001001"}"#, None),
        (r#"{"kode":"\u00399\u00301"}"#, None),
        (r#"{"kode":990101}"#, None),
        (r#"{"kode":"99"}"#, Some("row_outside_area")),
        (r#"{"kode":"9902"}"#, Some("row_outside_area")),
        (r#"{"kode":"99010"}"#, Some("row_outside_area")),
        (r#"{"kode":99.01}"#, Some("row_outside_area")),
        (r#"{"kode":9901e0}"#, Some("row_outside_area")),
        (r#"{"kode":""}"#, Some("row_area_missing")),
        (r#"{"kode":null}"#, Some("row_area_missing")),
        (r#"{"kode":["9901"]}"#, Some("row_area_missing")),
        (r#"{"KODE":"9901"}"#, Some("row_area_missing")),
        (r#"{"x":{"kode":"9901"}}"#, Some("row_area_missing")),
        ("{}", Some("row_area_missing")),
    ];
    for (record, code) in cases {
        let body = format!("[{GOOD},{record}]");
        let outcome = run_all_cuts(&standard(array()), Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!(outcome.verdict.err().map(|error| error.code()), code, "{record}");
        if code.is_some() {
            assert_eq!(outcome.output, format!("[{GOOD_OUT}"), "{record}");
            assert_eq!((outcome.tally.rows_in, outcome.tally.rows_out), (2, 1), "{record}");
        }
    }
    // The field is looked at even when it stays behind.
    let unnamed = plan(array(), vec![rule("nama", Action::Keep)]);
    check(
        &unnamed,
        &[
            ("inside", r#"[{"kode":"9901","nama":"A"}]"#, Whole(r#"[{"nama":"A"}]"#)),
            ("outside", r#"[{"nama":"A","kode":"33"}]"#, Stopped("row_outside_area", 0, "[")),
        ],
    );
}

#[test]
fn family_9_ndjson_holds_one_object_a_line() {
    check(
        &standard(Format::Ndjson),
        &[
            (
                "lines",
                "{\"kode\":\"9901\"}\n{\"kode\":\"9901\"}\n",
                Whole("{\"kode\":\"9901\"}\n{\"kode\":\"9901\"}\n"),
            ),
            ("CR LF", "{\"kode\":\"9901\"}\r\n", Whole("{\"kode\":\"9901\"}\r\n")),
            (
                "no last newline",
                "{\"kode\":\"9901\"}\n{\"kode\":\"9901\"}",
                Whole("{\"kode\":\"9901\"}\n{\"kode\":\"9901\"}"),
            ),
            ("blank lines", "\n{\"kode\":\"9901\"}\n \r\n\n", Whole("{\"kode\":\"9901\"}\n")),
            ("empty", "", Whole("")),
            ("two on a line", "{\"kode\":\"9901\"}{\"kode\":\"9901\"}\n", Stopped("trailing_bytes", 0, "")),
            ("comma", "{\"kode\":\"9901\"},\n", Stopped("trailing_bytes", 0, "")),
            ("over two lines", "{\"kode\":\n\"9901\"}\n", Stopped("syntax", 0, "")),
            ("wrong in its second line", "{\"kode\":\n9901x}\n", Stopped("syntax", 0, "")),
            ("twice in its second line", "{\"kode\":\n\"9901\",\"kode\":1}\n", Stopped("syntax", 0, "")),
            ("an area over two lines", "{\"kode\":[\n\"9901\"]}\n", Stopped("syntax", 0, "")),
            ("a line end in a text", "{\"kode\":\"9901\n\"}\n", Stopped("control_character", 0, "")),
            ("half a pair at the line's end", "{\"kode\":\"\\ud800\n\"}\n", Stopped("lone_surrogate", 0, "")),
            (
                "cut short",
                "{\"kode\":\"9901\"}\n{\"kode\":\"99",
                Stopped("truncated", 1, "{\"kode\":\"9901\"}\n"),
            ),
            ("array", "[{\"kode\":\"9901\"}]\n", Stopped("unexpected_shape", 0, "")),
            ("scalar", "9901014512900003\n", Stopped("unexpected_shape", 0, "")),
            ("mark", "\u{feff}{\"kode\":\"9901\"}\n", Stopped("byte_order_mark", 0, "")),
            (
                "mark in the middle",
                "{\"kode\":\"9901\"}\n\u{feff}{\"kode\":\"9901\"}\n",
                Stopped("unexpected_shape", 1, "{\"kode\":\"9901\"}\n"),
            ),
        ],
    );
}

#[test]
fn family_9_csv_is_read_strictly() {
    check(
        &standard(csv()),
        &[
            (
                "plain",
                "nik,nkk,nama,alamat,tanggal_lahir,kode\n9901014512900003,9901010101010001,SITI,JL KENANGA 7,1990-12-05,9901\n",
                Whole("nik,nama,tahun_lahir,kode\n990101**********,SITI,1990,9901\n"),
            ),
            (
                "reordered, CR LF, no last newline",
                "alamat,kode,nik\r\nJL KENANGA 7,9901,9901014512900003",
                Whole("kode,nik\r\n9901,990101**********"),
            ),
            ("mark", "\u{feff}kode,nama\n9901,A\n", Whole("kode,nama\n9901,A\n")),
            ("mark and quotes", "\u{feff}\"kode\",nama\n9901,A\n", Whole("\"kode\",nama\n9901,A\n")),
            (
                "quotes and newlines",
                "nama,x,kode\n\"A \"\"B\"\",\r\nC\",\"JL\nKENANGA, 7\",\"9901\"\n",
                Whole("nama,kode\n\"A \"\"B\"\",\r\nC\",\"9901\"\n"),
            ),
            (
                "quoted NIK",
                "nik,kode\n\"9901014512900003\",9901\n",
                Whole("nik,kode\n990101**********,9901\n"),
            ),
            ("dotted NIK", "nik,kode\n99.0101.451290.0003,9901\n", Whole("nik,kode\n****,9901\n")),
            (
                "empty cells",
                "nik,tanggal_lahir,kode,nama\n,,9901,\n",
                Whole("nik,tahun_lahir,kode,nama\n,,9901,\n"),
            ),
            ("swept", "nama,kode\nx 9901014512900003,9901\n", Whole("nama,kode\nx ****************,9901\n")),
            (
                "swept, full width",
                "nama,kode\n９９０１０１４５１２９００００３ abcdefgh,9901\n",
                Whole("nama,kode\n**************** abcdefgh,9901\n"),
            ),
            (
                "swept, full width at the end",
                "nama,kode\nx990101451290000３,9901\n",
                Whole("nama,kode\nx****************,9901\n"),
            ),
            (
                "swept in quotes",
                "nama,kode\n\"9901 0145 1290 0003, \"\"x\"\"\",9901\n",
                Whole("nama,kode\n\"**** **** **** ****, \"\"x\"\"\",9901\n"),
            ),
            ("only a header", "nama,kode\n", Whole("nama,kode\n")),
            ("header without newline", "nama,kode", Whole("nama,kode")),
            ("header twice", "nama,kode,nama\n", Stopped("duplicate_key", 0, "")),
            ("header twice by quotes", "nama,kode,\"nama\"\n", Stopped("duplicate_key", 0, "")),
            ("unnamed twice", "kode,x,x\n", Stopped("duplicate_key", 0, "")),
            ("no known column", "Nama,NIK\nA,9901014512900003\n", Stopped("no_known_column", 0, "")),
            ("only dropped columns", "alamat,nkk\n", Stopped("no_known_column", 0, "")),
            ("no area", "nama,nik\n", Stopped("row_area_missing", 0, "")),
            ("empty body", "", Stopped("header_missing", 0, "")),
            ("only a mark", "\u{feff}", Stopped("header_missing", 0, "")),
            ("empty header", "\nnama,kode\n", Stopped("no_known_column", 0, "")),
            ("short row", "nama,kode,x\n9901,9901\n", Stopped("ragged_row", 0, "nama,kode\n")),
            ("long row", "nama,kode\nA,9901,9901014512900003\n", Stopped("ragged_row", 0, "nama,kode\n")),
            (
                "shifted row",
                "kode,nama,nik\n9901,A,B,9901014512900003\n",
                Stopped("ragged_row", 0, "kode,nama,nik\n"),
            ),
            ("blank line", "nama,kode\nA,9901\n\n", Stopped("ragged_row", 1, "nama,kode\nA,9901\n")),
            ("quote in a bare cell", "nama,kode\nA\"B,9901\n", Stopped("stray_quote", 0, "nama,kode\n")),
            ("text after quotes", "nama,kode\n\"A\"B,9901\n", Stopped("stray_quote", 0, "nama,kode\n")),
            ("blank before quotes", "nama,kode\n \"A\",9901\n", Stopped("stray_quote", 0, "nama,kode\n")),
            ("open quotes", "nama,kode\n\"A,9901\n", Stopped("truncated", 0, "nama,kode\n")),
            ("bare CR", "nama,kode\rA,9901\r", Stopped("bare_carriage_return", 0, "")),
            ("bare CR at the end", "nama,kode\nA,9901\r", Stopped("bare_carriage_return", 0, "nama,kode\n")),
            ("NUL", "nama,kode\nA\0,9901\n", Stopped("control_character", 0, "nama,kode\n")),
            ("NUL in quotes", "nama,kode\n\"A\0\",9901\n", Stopped("control_character", 0, "nama,kode\n")),
            ("outside", "nama,kode\nA,9901\nB,33\n", Stopped("row_outside_area", 1, "nama,kode\nA,9901\n")),
            ("no area in the row", "nama,kode\nA,\n", Stopped("row_area_missing", 0, "nama,kode\n")),
            ("other delimiter", "nama;kode\nA;9901\n", Stopped("no_known_column", 0, "")),
        ],
    );
    let bad_bytes: [(&str, &[u8]); 3] = [
        ("dropped", b"kode,x\n9901,a\xC3\x28\n"),
        ("at the end", b"kode,x\n9901,\xE2\x82"),
        ("before the line end", b"kode,x\n9901,\xE2\x82\r\n"),
    ];
    for (name, body) in bad_bytes {
        check_bytes(&standard(csv()), Limits::default(), name, body, &Stopped("invalid_utf8", 0, "kode\n"));
    }
    let lookalikes =
        run_all_cuts(&standard(csv()), Coding::Identity, Limits::default(), b"NIK, nama,kode\n1,2,9901\n");
    assert_eq!((lookalikes.output.as_str(), lookalikes.tally.near_misses), ("kode\n9901\n", 2));
}

#[test]
fn family_9_formula_cells_follow_the_plan() {
    let body = "nama,kode\n=1+1,9901\n\"+A,\",9901\n-1,9901\n@x,9901\n\"\tx\",9901\n\"\rx\",9901\n＝1,9901\nA=1,9901\n-9901014512900003,9901\n";
    let neutral = "nama,kode\n'=1+1,9901\n\"'+A,\",9901\n'-1,9901\n'@x,9901\n\"'\tx\",9901\n\"'\rx\",9901\n'＝1,9901\nA=1,9901\n'-****************,9901\n";
    let kept = body.replace("9901014512900003", "****************");
    let csv = |formulas| standard(Format::Csv { delimiter: b',', formulas });
    let outcome =
        |formulas| run_all_cuts(&csv(formulas), Coding::Identity, Limits::default(), body.as_bytes());
    assert_eq!(outcome(Formulas::Neutralise).output, neutral);
    assert_eq!(outcome(Formulas::Keep).output, kept);
    let stopped = outcome(Formulas::Abort);
    assert_eq!(stopped.verdict.map_err(|error| error.code()), Err("formula_cell"));
    assert_eq!(stopped.output, "nama,kode\n");
}

#[test]
fn csv_fixed_texts_lone_columns_and_other_delimiters_stay_sound() {
    let lone = plan(csv(), vec![rule("tanggal_lahir", Action::Year)]);
    check(
        &lone,
        &[("lone", "kode,tanggal_lahir\n9901,x\n9901,1990-12-05\n", Whole("tanggal_lahir\n\"\"\n1990\n"))],
    );
    let lone = plan(csv(), vec![rule("nama", Action::Keep)]);
    check(&lone, &[("lone", "kode,nama\n9901,\n9901,A\n", Whole("nama\n\"\"\nA\n"))]);
    let fixed = plan(csv(), vec![rule("nama", Action::Fixed("=A, \"B\"".to_owned()))]);
    check(&fixed, &[("fixed", "kode,nama\n9901,JL KENANGA\n", Whole("nama\n\"'=A, \"\"B\"\"\"\n"))]);
    let fixed = plan(array(), vec![rule("nama", Action::Fixed("A\"\\\n".to_owned()))]);
    check(&fixed, &[("fixed", r#"[{"kode":"9901","nama":[1]}]"#, Whole(r#"[{"nama":"A\"\\\n"}]"#))]);
    for delimiter in [';', '\t', '|', '#'] {
        let plan = standard(Format::Csv { delimiter: delimiter as u8, formulas: Formulas::Neutralise });
        let body = "nama,kode,alamat\nA,9901,JL KENANGA\n".replace(',', &delimiter.to_string());
        let expected = "nama,kode\nA,9901\n".replace(',', &delimiter.to_string());
        let outcome = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!((outcome.verdict, outcome.output), (Ok(()), expected), "{delimiter:?}");
    }
    let plan = standard(Format::Csv { delimiter: b'"', formulas: Formulas::Keep });
    check(&plan, &[("quote", "nama\"kode\n", Stopped("delimiter", 0, ""))]);
}

#[test]
fn family_16_what_ends_early_is_never_whole() {
    let body = format!("[{GOOD},{GOOD}]");
    for end in 0..body.len() {
        let outcome = run(&standard(array()), Coding::Identity, Limits::default(), [&body.as_bytes()[..end]]);
        assert_eq!(outcome.verdict.map_err(|error| error.code()), Err("truncated"), "after {end} bytes");
    }
    let body = format!("{{\"data\":[{GOOD}],\"total\":12}}");
    for end in 0..body.len() {
        let outcome =
            run(&standard(envelope()), Coding::Identity, Limits::default(), [&body.as_bytes()[..end]]);
        assert_eq!(outcome.verdict.map_err(|error| error.code()), Err("truncated"), "after {end} bytes");
    }
}

#[test]
fn family_17_limits_are_met_at_the_same_place_under_every_cut() {
    let limits = Limits { record_bytes_max: 64, depth_max: 4, ..Limits::default() };
    let record = |len: usize| format!(r#"{{"kode":"9901","x":"{}"}}"#, "a".repeat(len - 22));
    let cases = [
        ("exact", array(), format!("[{},{}]", record(64), record(63)), None),
        ("one more", array(), format!("[{},{}]", record(64), record(64)), Some("record_too_long")),
        ("endless string", array(), format!("[{{\"x\":\"{}", "}".repeat(300)), Some("record_too_long")),
        ("endless blanks", array(), format!("[{}", " ".repeat(300)), Some("record_too_long")),
        ("endless number", Format::Ndjson, "9".repeat(300), Some("record_too_long")),
        ("exact line", Format::Ndjson, format!("{}\n{}", record(63), record(63)), None),
        ("endless line", Format::Ndjson, format!("{}\n", record(64)), Some("record_too_long")),
        ("blanks round the text", array(), format!("{}[]{}", " ".repeat(300), "\n".repeat(300)), None),
        ("endless cell", csv(), format!("kode,x\n9901,\"{}", "\n".repeat(300)), Some("record_too_long")),
        ("endless header", csv(), "a,".repeat(300), Some("record_too_long")),
        ("endless member", envelope(), format!("{{\"x\":\"{}", "a".repeat(300)), Some("record_too_long")),
        ("as deep as may be", array(), r#"[{"kode":"9901","x":[[[]]]}]"#.to_owned(), None),
        ("too deep", array(), r#"[{"kode":"9901","x":[[[[]]]]}]"#.to_owned(), Some("too_deep")),
        ("too deep at once", array(), format!("[{{\"x\":{}", "[".repeat(300)), Some("too_deep")),
        ("too deep objects", array(), format!("[{}", r#"{"x":"#.repeat(99)), Some("too_deep")),
    ];
    for (name, format, body, code) in cases {
        let outcome = run_all_cuts(&standard(format), Coding::Identity, limits, body.as_bytes());
        assert_eq!(outcome.verdict.err().map(|error| error.code()), code, "{name}");
    }
    let many: String =
        (0..2000).flat_map(|at| ["\"".to_owned(), at.to_string(), "\":0,".to_owned()]).collect();
    let outcome =
        run(&standard(envelope()), Coding::Identity, Limits::default(), [format!("{{{many}").as_bytes()]);
    assert_eq!(outcome.verdict.map_err(|error| error.code()), Err("too_many_members"));
    let short = Limits { decoded_bytes_max: 20, ..Limits::default() };
    let body = r#"[{"kode":"9901"},{"kode":"9901"}]"#;
    let outcome = run_all_cuts(&standard(array()), Coding::Identity, short, body.as_bytes());
    let problem = Problem::BodyTooLong { limit_bytes: 20 };
    assert_eq!(outcome.verdict, Err(RedactError::Stopped { records: 1, offset: 20, problem }));
}

#[test]
fn renamed_and_masked_members_keep_the_text_sound_wherever_they_stand() {
    let mut fields = vec![rule("a", Action::Keep), rule("b", Action::Mask(Mask { first: 0, last: 0 }))];
    fields.push(crate::domain::FieldRule { emit_as: Some(name("z")), ..rule("c", Action::Keep) });
    check(
        &plan(Format::Json(Records::Object), fields),
        &[
            ("dropped first", r#"{"kode":"9901", "a":1}"#, Whole(r#"{ "a":1}"#)),
            ("dropped last", r#"{"a":1, "kode":"9901" }"#, Whole(r#"{"a":1 }"#)),
            ("dropped between", r#"{"a":1 , "kode":"9901" , "b":2}"#, Whole(r#"{"a":1 , "b":"****"}"#)),
            ("all dropped", r#"{ "kode":"9901" , "x":1 }"#, Whole("{ }")),
            (
                "renamed",
                "{ \"c\" :\t3 , \"x\":1 , \"y\":2, \"kode\":\"9901\",\"a\":1}",
                Whole("{ \"z\" :\t3,\"a\":1}"),
            ),
            ("renamed after dropped", r#"{"x":[],"c":true,"kode":"9901"}"#, Whole(r#"{"z":true}"#)),
        ],
    );
}

#[test]
fn what_is_kept_whole_leaves_byte_for_byte() {
    let keep = |format| plan(format, ["kode", "a", "b"].map(|name| rule(name, Action::Keep)).to_vec());
    let records = [
        r#"{"kode":"9901","a":1,"b":"x"}"#,
        "{ \"b\" : \"\\u0041 \\/ \u{e9}\" ,\r\n\t\"kode\" :\"9901\"\n}",
        r#"{"\u0061":-0.0E+00,"kode":990101,"b":null}"#,
        r#"{"a":true , "kode" : "99.01","b" : "0812-3456-7890"  }"#,
    ];
    let lines: Vec<String> = records.iter().map(|record| record.replace(['\n', '\r'], " ")).collect();
    let envelope =
        Format::Json(Records::Envelope { field: name("data"), keep: vec![name("total"), name("b")] });
    let cases = [
        (array(), format!(" [\n  {}\n]\r\n ", records.join("\n ,\n"))),
        (array(), format!("[{}]", records.join(","))),
        (Format::Json(Records::Object), format!("\n{}\n", records[1])),
        (envelope.clone(), format!("{{\"data\" : [ {} ] , \"total\":\t2 }}\n", records.join(", "))),
        (envelope, format!(" {{ \"b\":\"\\n\", \"total\":1e0,\"\\u0064ata\":[{}]}}", records[0])),
        (Format::Ndjson, lines.join("\r\n") + "\n"),
        (Format::Ndjson, lines.join("\n")),
        (csv(), "kode,\"a\",b\r\n9901,\"\",\n\"9901\",\"x\"\"\r\n,\",' =\r\n9901,\u{e9},b".to_owned()),
    ];
    for (format, body) in cases {
        let outcome = run_all_cuts(&keep(format), Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!((outcome.verdict, outcome.output), (Ok(()), body));
    }
}

#[test]
fn tokens_are_equal_for_equal_values_only_and_differ_by_field() {
    let plan = plan(Format::Ndjson, ["nik", "nkk"].map(|name| rule(name, Action::Token)).to_vec());
    let body = [
        r#"{"kode":"9901","nik":"9901014512900003","nkk":"9901014512900003"}"#,
        r#"{"kode":"9901","nik":9901014512900003,"nkk":null}"#,
        r#"{"kode":"9901","nik":"\u0039901014512900003","nkk":{}}"#,
        r#"{"kode":"9901","nik":"9901014512900004","nkk":""}"#,
    ];
    let outcome = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.join("\n").as_bytes());
    let rows: Vec<serde_json::Value> =
        outcome.output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[0]["nik"].as_str().map(str::len), Some(16));
    assert_eq!(rows[0]["nik"], rows[1]["nik"]);
    assert_eq!(rows[0]["nik"], rows[2]["nik"]);
    assert_ne!(rows[0]["nik"], rows[3]["nik"]);
    assert_ne!(rows[0]["nik"], rows[0]["nkk"]);
    assert!(rows[1]["nkk"].is_null() && rows[2]["nkk"].is_null());
    assert_eq!((rows[3]["nkk"].as_str(), outcome.tally.unreadable), (Some(""), 1));

    // However the format writes a value, its token is that of the value.
    let token = |format, body: &str| {
        let plan = super::harness::plan(format, vec![rule("nik", Action::Token)]);
        run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes()).output
    };
    let in_csv = token(csv(), "kode,nik\n9901,\"A, \"\"B\"\"\"\n");
    let in_json = token(Format::Json(Records::Object), r#"{"kode":"9901","nik":"\u0041, \"B\""}"#);
    assert_eq!(in_json, format!("{{\"nik\":\"{}\"}}", in_csv.lines().nth(1).unwrap()));
}

#[test]
fn a_pass_can_be_moved_between_threads_and_shows_no_data() {
    fn is_send<T: Send + 'static>(_: &T) {}
    let redactor = super::Redactor::new(
        &object(),
        Coding::Identity,
        &crate::domain::CopyKey::new([7; 32]),
        Limits::default(),
    );
    is_send(&redactor);
    let mut out = super::Redacted::new();
    out.bytes.extend_from_slice(b"SITI");
    assert_eq!(format!("{out:?}"), "Redacted(4 bytes)");
    assert_eq!((out.as_slice(), out.len()), (&b"SITI"[..], 4));
    assert_eq!((&out.take()[..], out.is_empty()), (&b"SITI"[..], true));
    let problem = Problem::RowOutsideArea;
    let error = RedactError::Stopped { records: 2, offset: 70, problem };
    assert_eq!(
        error.to_string(),
        "stopped after 2 records at byte 70: a row lies outside the area of the copy"
    );
    assert_eq!(error.code(), "row_outside_area");
}
