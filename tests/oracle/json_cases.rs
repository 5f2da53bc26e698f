//! What is accepted as a JSON value, and what is not: every case inside a record, dropped, kept and masked, alone and
//! deeper, under all cuts, and among long records.
//!
//! The cases are those of the grammar of RFC 8259 rule by rule, and the places where readers are known to differ.
//! One table is read as one long file.

use salinan::domain::{Action, Format, Mask, MaskPlan, Records};
use salinan::redact::Limits;

use super::plans::{self, rule};
use super::run::{agreed, agreed_in_pieces, agreed_under_cuts};

/// What `serde_json` says to a group.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    Agree,
    /// It takes what is refused here.
    Accept,
    /// It refuses what is taken here: a number beyond its range.
    Refuse,
}
use Others::{Accept, Agree, Refuse};

/// A group of texts where a value should be: what is done, as whose opinion.
type Group = (&'static str, &'static str, Others, &'static [&'static [u8]]);

#[rustfmt::skip] // one value a line would be four times as long
const GROUPS: &[Group] = &[
    ("numbers", "ok", Agree, &[
        b"0", b"-0", b"1", b"-1", b"9", b"10", b"-10", b"123456789", b"0.0", b"-0.0", b"0.5", b"-1.25", b"1.000",
        b"10.01", b"1e1", b"1E1", b"1e+1", b"1e-1", b"1E+1", b"1E-1", b"0e0", b"0e1", b"0E+0", b"-0e-0", b"1e00",
        b"1e007", b"1.5e3", b"-1.5E-3", b"123.456e78", b"1e-999", b"5e-324", b"2.2250738e-308",
    ]),
    ("long numbers, hidden by the sweep", "ok", Agree, &[
        b"9007199254740993", b"-9007199254740993", b"100000000000000000000", b"18446744073709551616",
        b"0.30000000000000004", b"1.7976931348623157e308", b"9901014512900003.0", b"99010145129000.03e1",
    ]),
    ("numbers of any size", "ok", Refuse, &[b"1e999", b"-1e999", b"1e309", b"-123e100000", b"1.0E+400"]),
    ("numbers, wrong", "syntax", Agree, &[
        b"00", b"01", b"-00", b"-01", b"007", b"+1", b"+0", b"++1", b"--1", b"-", b"-a", b"- 1", b".5", b"-.5",
        b"1.", b"-1.", b"1.e1", b"0.e0", b"1..5", b"1.2.3", b"1e", b"1E", b"1e+", b"1e-", b"1ee1", b"1eE1", b"1e1e1",
        b"1e+-1", b"1e1.5", b"1e 1", b"0e", b"0x1", b"0X1F", b"0b1", b"0o7", b"1f", b"1d", b"1L", b"1n", b"1_000",
        b"1 000", b"1-1", b"1+1", b"1/2", b"1%", b"$1", b"NaN", b"nan", b"-NaN", b"Infinity", b"-Infinity", b"inf",
        b"1.#INF", "１".as_bytes(), "1２".as_bytes(), "٣".as_bytes(), "−1".as_bytes(), "1.５".as_bytes(), b"1\0",
        b"0\0",
    ]),
    ("words", "ok", Agree, &[b"true", b"false", b"null"]),
    ("words, wrong", "syntax", Agree, &[
        b"True", b"TRUE", b"tru", b"truE", b"truee", b"true1", b"tr ue", b"False", b"fals", b"falsee", b"Null",
        b"NULL", b"nul", b"nulll", b"nullnull", b"None", b"nil", b"undefined", b"t", b"f", b"n", b"yes", b"on", b"a",
        b"null\0", "ｔrue".as_bytes(),
    ]),
    ("strings", "ok", Agree, &[
        br#""""#, br#"" ""#, br#""a""#, br#""\"""#, br#""\\""#, br#""\/""#, br#""/""#, br#""\b\f\n\r\t""#,
        br#""\u0041""#, br#""\u00e9""#, br#""\u00E9""#, br#""\uFFFF""#, br#""\ufffe""#, br#""\uE000""#,
        br#""\uD7FF""#, br#""\u0000""#, br#""a\u0000b""#, br#""\u001f""#, br#""\u007f""#, b"\"\x7f\"",
        br#""\u2028\u2029""#, br#""\ud83d\ude00""#, br#""\uD83D\uDE00""#, br#""\uDbFf\uDfFf""#, br#""\uD800\uDC00""#,
        br#""\\u0041""#, br#""\\ud800""#, br#""\\\\""#, br#""\\\"""#, br#""\"\"""#, br#""a\\""#, br#""'""#,
        br#""{}[],:""#, br#""/*x*/""#, br#""//""#, br#""\u005c\u0022""#, br#""\u0039901""#, "\"é\"".as_bytes(),
        "\"e\u{301}\"".as_bytes(), "\"€\"".as_bytes(), "\"\u{1F600}\"".as_bytes(), "\"\u{10FFFF}\"".as_bytes(),
        "\"\u{FFFE}\u{FFFF}\"".as_bytes(), "\"\u{1FFFF}\"".as_bytes(), "\"\u{FEFF}a\"".as_bytes(),
        "\"\u{2028}\u{2029}\"".as_bytes(), "\"\u{85}\u{A0}\"".as_bytes(), "\"\u{E000}\"".as_bytes(),
        "\"\u{200B}\u{202E}\"".as_bytes(), "\"\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFD}\u{10000}\"".as_bytes(),
    ]),
    ("strings, wrong escapes", "syntax", Agree, &[
        br#""\a""#, br#""\x41""#, br#""\0""#, br#""\'""#, br#""\ ""#, br#""\v""#, br#""\e""#, br#""\B""#, br#""\N""#,
        br#""\U0041""#, br#""\u""#, br#""\u0""#, br#""\u00""#, br#""\u004""#, br#""\u004g""#, br#""\ug041""#,
        br#""\u{41}""#, br#""\u+041""#, br#""\u-041""#, br#""\u 041""#, br#""\u0x41""#, br#""\ud83d\u""#,
        br#""\ud83d\u00""#, br#""\ud83d\ux""#, b"\"\\\n\"", b"\"\\\0\"", "\"\\é\"".as_bytes(),
        "\"\\u００４１\"".as_bytes(), b"\"\\u004\n\"", b"\"\\u004\0\"",
    ]),
    ("strings, wrong quotes", "syntax", Agree, &[
        b"'a'", b"`a`", "“a”".as_bytes(), "«a»".as_bytes(), b"a", br#""a"b"#, br#""a""b""#, br#""a" "b""#,
        br#"a"b""#, br"\u0022a\u0022", br#"\"a\""#, br#"r"a""#, br#"@"a""#,
    ]),
    ("halves of pairs", "lone_surrogate", Agree, &[
        br#""\ud800""#, br#""\udbff""#, br#""\udc00""#, br#""\udfff""#, br#""\uDfFf""#, br#""a\ud83d""#,
        br#""\ud83da""#, br#""\ud83d ""#, br#""\ud83d\n""#, br#""\ud83d\\""#, br#""\ud83d\"""#,
        br#""\ud83d\\ude00""#, br#""\ud83d\u0041""#, br#""\ud83d\ud83d""#, br#""\ud83d\ud83d\ude00""#,
        br#""\ude00\ud83d""#, br#""\ud800\uE000""#, br#""\ud800\udbff""#, br#""\ud800 \udc00""#,
        br#""\ud83d\ude00\ude00""#, "\"\\ud83d\u{1F600}\"".as_bytes(), "\"\\ud83dé\"".as_bytes(),
    ]),
    ("bytes that are not UTF-8, in a string", "invalid_utf8", Agree, &[
        b"\"\x80\"", b"\"\xBF\"", b"\"a\x80b\"", b"\"\xC0\x80\"", b"\"\xC0\xAF\"", b"\"\xC1\xBF\"", b"\"\xC2\"",
        b"\"\xC3\x28\"", b"\"\xC3\xC3\"", b"\"\xE0\x80\x80\"", b"\"\xE0\x9F\xBF\"", b"\"\xE2\x82\"",
        b"\"\xE2\x28\xA1\"", b"\"\xED\xA0\x80\"", b"\"\xED\xBF\xBF\"", b"\"\xED\xA0\xBD\xED\xB8\x80\"",
        b"\"\xEF\xBF\"", b"\"\xF0\x80\x80\x80\"", b"\"\xF0\x8F\xBF\xBF\"", b"\"\xF0\x9F\x98\"",
        b"\"\xF0\x28\x8C\x28\"", b"\"\xF4\x90\x80\x80\"", b"\"\xF5\x80\x80\x80\"", b"\"\xF8\x88\x80\x80\x80\"",
        b"\"\xFC\x84\x80\x80\x80\x80\"", b"\"\xFE\"", b"\"\xFF\"", b"\"S\xE9ti\"", b"\"\xE9\"", b"\"\\u0041\xFF\"",
        b"[\"\xFF\"]", b"{\"\xFF\":1}", b"{\"a\":\"\xFF\"}",
    ]),
    ("bytes that are not ASCII, outside strings", "syntax", Agree, &[
        b"\xE9", b"\xFF", b"\x80", b"1\xFF", b"[\xFF]", b"[1\xE9]", b"{\xFF:1}", b"\xEF\xBB\xBF1", b"1\xEF\xBB\xBF",
        b"\xC2\xA01", b"1\xC2\xA0", b"[\xE2\x80\xA8]", b"\xE3\x80\x801", b"\xE2\x80\x8B1",
    ]),
    ("blanks", "ok", Agree, &[
        b" 1", b"1 ", b"\t1\t", b"\n1\n", b"\r1\r", b"\r\n1\r\n", b" \t\r\n1 \t\r\n", b"[ ]", b"[\n]", b"{\t}",
        b" [ 1 , 2 ] ", b" { \"a\" : 1 , \"b\" : 2 } ", b"[\r1\r,\r2\r]",
    ]),
    ("what is no blank", "syntax", Agree, &[
        b"\x0B1", b"\x0C1", b"1\x0B", b"1\x0C", b"\x001", b"\x1E1", b"1\x1E", b"\x7F1", b"\x081",
        b"[\x0C]", b"[\x001]", b"\x1A", b"1\x04", b"\\n1", b"\\t", b"&nbsp;1",
    ]),
    ("comments", "syntax", Agree, &[
        b"/**/1", b"1/**/", b"/*a*/", b"//a\n1", b"1//a\n", b"#a\n1", b"--a\n1", b"<!--a-->1", b"[1/**/,2]",
        b"{/**/}",
    ]),
    ("arrays", "ok", Agree, &[
        b"[]", b"[0]", b"[[]]", b"[[],[]]", b"[1,2]", b"[1,\"1\",null,true,{},[]]", b"[[[[[[]]]]]]", b"[{}]",
        b"[\"\"]", b"[-1,1e1]", b"[\"]\"]", b"[\"\\\"]\"]", b"[null]",
    ]),
    ("arrays, wrong", "syntax", Agree, &[
        b"[,]", b"[1,]", b"[,1]", b"[1,,2]", b"[1,2,]", b"[1 2]", b"[1;2]", b"[1:2]", b"[1}", b"[}", b"[1,}", b"]",
        b"[1]]", b"[[1]", b"[\"a\",\n", b"[1", b"[", b"[[", b"[x]", b"[*]", b"[\"a\"b]", b"[:]", b"[\"a\":1]",
        b"[1,\n]", b"(1)", b"<1>", b"[1](2)", br#"["""#,
    ]),
    ("objects", "ok", Agree, &[
        b"{}", br#"{"a":1}"#, br#"{"":0}"#, br#"{" ":0}"#, br#"{"a":{}}"#, br#"{"a":{"a":{"a":1}}}"#,
        br#"{"a":1,"b":2}"#, br#"{"a":1,"A":2}"#, br#"{"a":1,"a ":2}"#, br#"{"\u0061":1,"b":2}"#,
        br#"{"a\"b":1,"a":2}"#, br#"{"}":"{"}"#, br#"{"a":[1,{"a":2}],"b":[{"a":3}]}"#,
        "{\"é\":1,\"e\u{301}\":2}".as_bytes(), br#"{"\ud83d\ude00":1}"#, br#"{"__proto__":1,"constructor":2}"#,
        br#"{"1":1,"01":2}"#, br#"{"a\u0001":1}"#, br#"{"Kode":"33"}"#,
    ]),
    ("objects, wrong", "syntax", Agree, &[
        br#"{"a"}"#, br#"{"a":}"#, br"{:1}", br#"{"a" 1}"#, br#"{"a","b"}"#, br"{1:1}", br"{a:1}", br"{'a':1}",
        br"{null:1}", br"{[]:1}", br"{{}:1}", br#"{"a":1,}"#, br#"{,"a":1}"#, br#"{"a":1,,"b":2}"#,
        br#"{"a":1 "b":2}"#, br#"{"a"::1}"#, br#"{"a":1:2}"#, br#"{"a"=1}"#, br#"{"a"=>1}"#, br#"{"a":1;"b":2}"#,
        br#"{"a":1]"#, br"{]", br"{,}", br"{:}", br#"{"a":1 2}"#, br#"{"a":"b":"c"}"#, br#"{"a":(1)}"#,
        br#"{"a":x}"#, br#"{{"a":1}}"#, br#"{"a":1,1}"#, br#"{"a":1,"b"}"#, br"{ ,", br#"{"a"/**/:1}"#,
        br#"{"a":1}a"#,
    ]),
    ("nothing", "syntax", Agree, &[b"", b" ", b"\n", b",", b":", b"}1", b";", b"*", b"?", b"\\", b"`"]),
    ("names twice", "duplicate_key", Accept, &[
        br#"{"a":1,"a":2}"#, br#"{"a":1,"a":1}"#, br#"{"a":1,"b":2,"a":3}"#, br#"{"":1,"":2}"#,
        br#"{"a":1,"\u0061":2}"#, br#"{"\u0061":1,"\u0061":2}"#, br#"[{"a":1,"a":2}]"#, br#"{"a":{"b":1,"b":2}}"#,
        br#"[[{"a":[],"a":[]}]]"#, "{\"é\":1,\"\\u00e9\":2}".as_bytes(),
        "{\"\u{1F600}\":1,\"\\uD83D\\uDE00\":2}".as_bytes(), br#"{"\/":1,"/":2}"#, br#"{"a\tb":1,"a\u0009b":2}"#,
        br#"{"a":{},"b":{},"b":{}}"#,
    ]),
    ("NUL in a name", "nul_in_name", Accept, &[
        br#"{"\u0000":1}"#, br#"{"a\u0000":1}"#, br#"{"\u0000a":1}"#, br#"{"a\u0000b":1}"#, br#"[{"\u0000":1}]"#,
    ]),
    ("ended too early", "truncated", Agree, &[
        br#"""#, br#""a"#, br#""\""#, br#""\\\""#, br#""\u0022"#, br"{", br#"{"a":{"#, br#"{"a":1,"b":{"c":2}"#,
        br#"{"a":"b"#,
    ]),
];

fn nested(levels: usize, open: &str, close: &str) -> String {
    format!("{}1{}", open.repeat(levels), close.repeat(levels))
}

/// Cases too many or too long to be written out.
fn made() -> Vec<(String, &'static str, Others, Vec<u8>)> {
    let mut cases = Vec::new();
    for control in 0..0x20_u8 {
        // At all places of what is looked at together.
        for before in [0, 6, 7, 8, 15, 16, 17, 30] {
            let text = [b"\"", &b"a".repeat(before)[..], &[control], b"bcdefghijklmnopqrstuvwxyz\""].concat();
            cases.push((format!("control {control} after {before}"), "control_character", Agree, text));
        }
    }
    for before in 0..34 {
        let string = |inside: &[u8]| [b"\"", &b"a".repeat(before)[..], inside, b"\""].concat();
        for (what, code, inside) in [
            ("an escape", "ok", &br"\n"[..]),
            ("a quote", "ok", br#"\""#),
            ("a pair", "ok", br"\ud83d\ude00"),
            ("a letter of two bytes", "ok", "é".as_bytes()),
            ("a letter of four bytes", "ok", "\u{1F600}".as_bytes()),
            ("half a pair", "lone_surrogate", br"\ud83d"),
            ("a wrong escape", "syntax", br"\x"),
            ("half a letter", "invalid_utf8", b"\xC3"),
            ("a run of digits", "ok", b"9901014512900003"),
        ] {
            cases.push((format!("{what} after {before}"), code, Agree, string(inside)));
        }
    }
    // The record is the first level.
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        cases.push(("as deep as may be".into(), "ok", Agree, nested(63, open, close).into_bytes()));
        cases.push(("too deep".into(), "too_deep", Accept, nested(64, open, close).into_bytes()));
        cases.push(("much too deep".into(), "too_deep", Agree, open.repeat(5_000).into_bytes()));
    }
    let mixed = nested(32, "[{\"a\":", "}]");
    cases.push(("both, too deep".into(), "too_deep", Accept, mixed.into_bytes()));
    let names = |count: usize| {
        let members: Vec<String> = (0..count).map(|name| format!("\"n{name}\":0")).collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    };
    cases.push(("many names".into(), "ok", Agree, names(300)));
    let twice = String::from_utf8(names(300)).unwrap().replace("n299", "n0").into_bytes();
    cases.push(("the first of many again".into(), "duplicate_key", Accept, twice));
    cases.push(("a long array".into(), "ok", Agree, format!("[{}0]", "0,".repeat(400)).into_bytes()));
    cases
}

fn cases() -> Vec<(String, &'static str, Others, Vec<u8>)> {
    let listed = GROUPS.iter().flat_map(|(group, code, others, texts)| {
        texts.iter().map(move |text| {
            let name = format!("{group}: {}", String::from_utf8_lossy(text));
            (name, *code, *others, text.to_vec())
        })
    });
    listed.chain(made()).collect()
}

fn plan(format: Format) -> MaskPlan {
    let fields = vec![
        rule("kode", Action::Keep),
        rule("nama", Action::Keep),
        rule("nik", Action::Mask(Mask { first: 6, last: 0 })),
        rule("rumah.jalan", Action::Keep),
    ];
    plans::plan(format, fields)
}

fn object() -> Format {
    Format::Json(Records::Object)
}

#[test]
fn there_are_cases_enough() {
    let listed: usize = GROUPS.iter().map(|(_, _, _, texts)| texts.len()).sum();
    assert!(listed >= 450, "only {listed}");
}

#[test]
fn serde_json_agrees_on_every_value_or_differs_as_stated() {
    for (name, code, others, text) in cases() {
        let accepted = serde_json::from_slice::<serde_json::Value>(&text).is_ok();
        let expected = match others {
            Agree => code == "ok",
            Accept => true,
            Refuse => false,
        };
        assert_eq!(accepted, expected, "{name}");
    }
}

/// Names under which a value is dropped, kept, masked, or lies in an object of which some leaves.
const PLACES: [(&str, &str, &str); 4] = [
    ("dropped", "{\"x\":", "}"),
    ("kept", "{\"nama\":", "}"),
    ("masked", "{\"nik\":", "}"),
    ("inside", "{\"rumah\":{\"jalan\":", "}}"),
];

/// A record with the value in its place, and its area behind it.
fn record((_, open, close): (&str, &str, &str), value: &[u8]) -> Vec<u8> {
    let open = open.replacen('{', "{\"kode\":\"9901\",", 1);
    [open.as_bytes(), value, close.as_bytes()].concat()
}

#[test]
fn a_value_is_accepted_or_refused_wherever_it_stands() {
    let plan = plan(object());
    for (name, code, _, text) in cases() {
        for place in PLACES {
            let name = format!("{name}, {}", place.0);
            let body = record(place, &text);
            let found = agreed(&name, &plan, Limits::default(), &body);
            // One level deeper a value may be too deep, and a brace that it lacks may be there.
            if place.0 == "inside" {
                let is_expected = code == "ok" && !name.starts_with("as deep");
                assert_eq!(found.code() == "ok", is_expected, "{name}: {}", found.code());
            } else {
                assert_eq!(found.code(), code, "{name}");
            }
            let has_number = text.windows(8).any(|eight| eight.iter().all(u8::is_ascii_digit));
            if place.0 == "kept" && code == "ok" && !has_number {
                assert_eq!(found.output.as_bytes(), body, "{name}: kept is kept byte for byte");
            }
        }
    }
}

#[test]
fn a_value_is_the_same_however_it_is_cut() {
    let plan = plan(object());
    for (name, _, _, text) in cases() {
        for place in PLACES {
            let name = format!("{name}, {}", place.0);
            let body = record(place, &text);
            if body.len() < 100 {
                agreed_under_cuts(&name, &plan, Limits::default(), &body);
            } else {
                agreed_in_pieces(&name, &plan, Limits::default(), &body, &[1, 7, 16, 100]);
            }
        }
    }
}

#[test]
fn a_value_alone_is_no_body() {
    let plan = plan(object());
    for (name, code, _, text) in cases() {
        let found = agreed_in_pieces(&name, &plan, Limits::default(), &text, &[1, 7]).code();
        let first = text.iter().find(|byte| !b" \t\r\n".contains(byte));
        match first {
            None => assert_eq!(found, "truncated", "{name}"),
            Some(0xEF) => assert_eq!(found, "byte_order_mark", "{name}"),
            // An object is read, and lacks the area or something more.
            Some(b'{') if code == "ok" => assert_eq!(found, "row_area_missing", "{name}"),
            Some(b'{') => {
                assert!([code, "truncated", "row_area_missing"].contains(&found), "{name}: {found}");
            }
            Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                assert_eq!(found, "unexpected_shape", "{name}");
            }
            Some(_) => assert_eq!(found, "syntax", "{name}"),
        }
    }
}

/// Records whose gaps, and the lengths of their texts, are known by the time a case is read, with a long text behind it;
/// and the same with short ones.
const KNOWN: [&str; 2] = [SHORT, LONG];
const SHORT: &str = r#"{"kode":"9901","nik":"9901","nama":"SITI","x":"9901","rumah":{"jalan":"JALAN YANG TENANG DEKAT KENARI"}}"#;
const LONG: &str = r#"{"kode":"9901","nik":"9901014512900003","nama":"SITI CONTOH DARI KELURAHAN","x":"9901","rumah":{"jalan":"KENARI"}}"#;

/// How many of them stand before it.
const BEFORE: usize = 7;

#[test]
fn a_value_among_long_records_is_what_it_is_alone() {
    let formats = [Format::Json(Records::Array), Format::Ndjson, Format::JsonSeq, plans::envelope()];
    let all = formats.iter().flat_map(|format| KNOWN.map(|known| (format, known)));
    for (format, known) in all.filter(|(format, known)| **format == formats[0] || *known == LONG) {
        let plan = plan(format.clone());
        for (name, code, _, text) in cases() {
            for place in PLACES {
                let record = record(place, &text);
                let mut rows = vec![known.as_bytes(); BEFORE + 2];
                rows.insert(BEFORE, &record);
                let (open, between, close) = match format {
                    Format::Ndjson => ("", "\n", "\n"),
                    Format::JsonSeq => ("\u{1E}", "\n\u{1E}", "\n"),
                    Format::Json(Records::Array) => ("[", ",", "]"),
                    _ => ("{\"data\":[", ",", "],\"total\":1}"),
                };
                let body = [open.as_bytes(), &rows.join(between.as_bytes()), close.as_bytes()].concat();
                let name = format!("{name}, {} among others, {}", place.0, format.as_str());
                let found = agreed(&name, &plan, Limits::default(), &body);
                if code == "ok"
                    && place.0 != "inside"
                    && !(*format == Format::Ndjson && text.contains(&b'\n'))
                {
                    assert_eq!((found.code(), found.tally.rows_out), ("ok", BEFORE as u64 + 3), "{name}");
                } else if code != "ok" {
                    assert_ne!(found.code(), "ok", "{name}");
                    assert_eq!(found.tally.rows_out, BEFORE as u64, "{name}");
                }
            }
        }
    }
}
