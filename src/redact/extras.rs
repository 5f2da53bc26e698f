//! What a policy may order beside the actions, as tables: the added column, patterns for the sweep, rows withheld;
//! and what is counted of it by field. All under every cut.

use crate::domain::{Action, Format, Found, KodeGanda, MaskPlan, Outside, Records, RowArea, Sweep};

use super::families::End::{Stopped, Whole};
use super::families::check;
use super::harness::{NIK, array, csv, envelope, name, plan, rule, run, run_all_cuts, standard};
use super::{Coding, Limits, Tally};

/// The standard orders with the added column, of the NIK.
fn with_ganda(format: Format) -> MaskPlan {
    MaskPlan { kode_ganda: Some(KodeGanda { of: name("nik") }), ..standard(format) }
}

#[test]
fn an_added_column_is_equal_for_equal_numbers_only() {
    let code = r#""kode_ganda":"R4H5QEBJRHGOJJAY""#; // as another program computed it
    let cases = [
        (
            "last",
            r#""kode":"9901","nik":"9901014512900003""#,
            r#""kode":"9901","nik":"990101**********","#,
            code,
            0,
        ),
        (
            "first",
            r#""nik":"9901014512900003","kode":"9901" "#,
            r#""nik":"990101**********","kode":"9901" ,"#,
            code,
            0,
        ),
        (
            "number",
            r#""nik":9901014512900003,"kode":"9901""#,
            r#""nik":"990101**********","kode":"9901","#,
            code,
            0,
        ),
        (
            "escaped",
            r#""kode":"9901","n\u0069k":"\u0039901014512900003""#,
            r#""kode":"9901","n\u0069k":"990101**********","#,
            code,
            0,
        ),
        ("absent", r#""kode":"9901""#, r#""kode":"9901","#, r#""kode_ganda":null"#, 0),
        ("null", r#""kode":"9901","nik":null"#, r#""kode":"9901","nik":null,"#, r#""kode_ganda":null"#, 0),
        ("empty", r#""kode":"9901","nik":"""#, r#""kode":"9901","nik":"","#, r#""kode_ganda":null"#, 0),
        // Counted once for the mask and once for the code.
        (
            "dotted",
            r#""kode":"9901","nik":"99.0101.451290.0003""#,
            r#""kode":"9901","nik":"****","#,
            r#""kode_ganda":null"#,
            2,
        ),
        (
            "list",
            r#""kode":"9901","nik":["9901014512900003"]"#,
            r#""kode":"9901","nik":["990101**********"],"#,
            r#""kode_ganda":null"#,
            1,
        ),
        (
            "of the source",
            r#""kode":"9901","kode_ganda":"9901014512900003""#,
            r#""kode":"9901","#,
            r#""kode_ganda":null"#,
            0,
        ),
        (
            "dropped at the end",
            r#""kode":"9901","alamat":"JL KENANGA 7""#,
            r#""kode":"9901","#,
            r#""kode_ganda":null"#,
            0,
        ),
    ];
    for (name, members, shown, code, unreadable) in cases {
        let record = format!("{{{members}}}");
        let copy = format!("{{{shown}{code}}}");
        for (format, body, expected) in [
            (Format::Json(Records::Object), record.clone(), copy.clone()),
            (array(), format!("[{record} , {record}]"), format!("[{copy} , {copy}]")),
            (Format::Ndjson, format!("{record}\r\n{record}"), format!("{copy}\r\n{copy}")),
        ] {
            let outcome =
                run_all_cuts(&with_ganda(format), Coding::Identity, Limits::default(), body.as_bytes());
            assert_eq!((outcome.verdict, outcome.output), (Ok(()), expected), "{name}");
            assert_eq!(outcome.tally.unreadable, unreadable * outcome.tally.rows_out, "{name}");
        }
    }
}

#[test]
fn an_added_column_stands_last_and_needs_no_other() {
    check(
        &with_ganda(csv()),
        &[
            (
                "rows",
                "nik,alamat,kode,nkk\r\n9901014512900003,A,9901,1\r\n\"9901014512900003\",B,9901,2\r\n,C,9901,3\r\n1,D,9901,",
                Whole(
                    "nik,kode,kode_ganda\r\n990101**********,9901,R4H5QEBJRHGOJJAY\r\n990101**********,9901,R4H5QEBJRHGOJJAY\r\n,9901,\r\n****,9901,",
                ),
            ),
            ("no such column", "kode,nama\n9901,A\n", Whole("kode,nama,kode_ganda\n9901,A,\n")),
            ("a ragged row", "kode,nik\n9901,1,2\n", Stopped("ragged_row", 0, "kode,nik,kode_ganda\n")),
        ],
    );
    // The field may stay behind, and then its column is not there.
    let alone = MaskPlan {
        kode_ganda: Some(KodeGanda { of: name("nik") }),
        ..plan(csv(), vec![rule("nama", Action::Keep)])
    };
    check(
        &alone,
        &[(
            "dropped",
            "nik,nama,kode\n9901014512900003,,9901\n",
            Whole("nama,kode_ganda\n,R4H5QEBJRHGOJJAY\n"),
        )],
    );
    let alone = MaskPlan { format: Format::Ndjson, fields: vec![rule("tetap", Action::Keep)], ..alone };
    check(
        &alone,
        &[(
            "alone",
            r#"{ "nik":"9901014512900003", "kode":"9901"}"#,
            Whole(r#"{"kode_ganda":"R4H5QEBJRHGOJJAY"}"#),
        )],
    );
}

#[test]
fn the_policy_may_look_for_more_and_may_end_the_pass() {
    let sweep =
        |found| Sweep { found, patterns: vec!["08[0-9]{8,11}".parse().unwrap(), "Q\"+".parse().unwrap()] };
    let masks = |format| MaskPlan { sweep: sweep(Found::Mask), ..standard(format) };
    let cases = [
        ("text", r#""telp 0812345678 ya""#, r#""telp **** ya""#, 1),
        ("short", r#""0812345678""#, r#""****""#, 1),
        ("escaped", r#""\u0030812345678\n""#, r#""****\n""#, 1),
        ("number", "10812345678", r#""1****""#, 1),
        ("with a run", r#""0812345678/9901014512900003""#, r#""****/****************""#, 2),
        ("quotes", r#""Q\"\"Q""#, r#""****Q""#, 1),
        ("nothing", r#""081234\u0041""#, r#""081234\u0041""#, 0),
        ("boolean", "true", "true", 0),
    ];
    for (name, value, shown, swept) in cases {
        let record = |value| format!(r#"{{"kode":"9901","nama":{value}}}"#);
        for (format, open, close) in [(Format::Ndjson, "", ""), (array(), "[", "]")] {
            let body = format!("{open}{}{close}", record(value));
            let outcome = run_all_cuts(&masks(format), Coding::Identity, Limits::default(), body.as_bytes());
            assert_eq!(
                (outcome.verdict, outcome.output),
                (Ok(()), format!("{open}{}{close}", record(shown))),
                "{name}"
            );
            assert_eq!(outcome.tally.swept, swept, "{name}");
        }
    }
    check(
        &masks(csv()),
        &[(
            "cells",
            "kode,nama\n9901,0812345678\n9901,\"a, 0812345678\"\n9901,\"Q\"\"\"\"Q\"\n9901,=0812345678\n9901,=1\n9901,\n9901,9901014512900003\n",
            Whole(
                "kode,nama\n9901,****\n9901,\"a, ****\"\n9901,****Q\n9901,'=****\n9901,'=1\n9901,\n9901,****************\n",
            ),
        )],
    );
    // Patterns are looked for in what a cell says: the quotes round it are none of that.
    let quotes = MaskPlan {
        sweep: Sweep { found: Found::Mask, patterns: vec!["\"".parse().unwrap(), "\\W{2}".parse().unwrap()] },
        ..standard(csv())
    };
    check(
        &quotes,
        &[(
            "quotes round a cell",
            "kode,nama\n9901,\"=1,2\"\n9901,\"A, LONG ENOUGH, 0123456789\"\n9901,\"A \"\"B\"\n",
            Whole("kode,nama\n9901,\"'=1,2\"\n9901,A****LONG ENOUGH****0123456789\n9901,A****B\n"),
        )],
    );
    let aborts = |format| MaskPlan { sweep: sweep(Found::Abort), ..standard(format) };
    check(
        &aborts(Format::Ndjson),
        &[
            (
                "pattern",
                "{\"kode\":\"9901\"}\n{\"kode\":\"9901\",\"nama\":\"0812345678\"}",
                Stopped("sweep_found", 1, "{\"kode\":\"9901\"}\n"),
            ),
            ("run", r#"{"kode":"9901","nama":"9901 0145 1290 0003"}"#, Stopped("sweep_found", 0, "")),
            (
                "in what is hidden",
                r#"{"kode":"9901","nik":"9901014512900003","alamat":"0812345678"}"#,
                Whole(r#"{"kode":"9901","nik":"990101**********"}"#),
            ),
        ],
    );
    check(
        &MaskPlan { sweep: Sweep { found: Found::Abort, patterns: Vec::new() }, ..standard(csv()) },
        &[
            (
                "run",
                "kode,nama\n9901,A\n9901,9901014512900003\n",
                Stopped("sweep_found", 1, "kode,nama\n9901,A\n"),
            ),
            ("short", "kode,nama\n9901,0812345678\n", Whole("kode,nama\n9901,0812345678\n")),
            ("a formula", "kode,nama\n9901,=1\n", Whole("kode,nama\n9901,'=1\n")),
            (
                "two short ones",
                "kode,nama\n9901,081234567890  081345678901\n",
                Whole("kode,nama\n9901,081234567890  081345678901\n"),
            ),
        ],
    );
    check(
        &aborts(csv()),
        &[
            ("pattern", "kode,nama\n9901,\"0812345678\"\n", Stopped("sweep_found", 0, "kode,nama\n")),
            ("nothing", "kode,nama\n9901,\"A\"\n", Whole("kode,nama\n9901,\"A\"\n")),
        ],
    );
    let two = b"kode,nama\n9901,0812345678 0812345678\n9901,0812345678\n";
    assert_eq!(run_all_cuts(&masks(csv()), Coding::Identity, Limits::default(), two).tally.swept, 3);
}

#[test]
fn patterns_are_not_looked_for_in_the_quotes_round_a_cell() {
    let quotes = Sweep { patterns: vec!["\"".parse().unwrap()], ..Sweep::default() };
    check(
        &MaskPlan { sweep: quotes, ..standard(csv()) },
        &[
            ("wide", "kode,nama\n9901,\"éééééééé, é\"\n", Whole("kode,nama\n9901,\"éééééééé, é\"\n")),
            ("formula", "kode,nama\n9901,\"=é, é\"\n", Whole("kode,nama\n9901,\"'=é, é\"\n")),
            ("found", "kode,nama\n9901,\"=é,\"\" é\"\n", Whole("kode,nama\n9901,\"'=é,**** é\"\n")),
        ],
    );
}

/// The standard orders, with rows outside the area withheld.
fn withholding(format: Format) -> MaskPlan {
    let plan = standard(format);
    MaskPlan { row_area: RowArea { outside: Outside::Withhold, ..plan.row_area }, ..plan }
}

#[test]
fn rows_outside_the_area_may_stay_behind_and_are_counted() {
    let inside = r#"{"kode":"9901","nama":"A"}"#;
    let outside = r#"{"kode":"9902","nama":"KENANGA 9901014512900003","nik":1,"NIK":2}"#;
    // Which of three records lie outside, and how the array is written then.
    let cases = [
        ([false, false, false], "[ IN , IN\n,IN ]"),
        ([true, false, false], "[ IN\n,IN ]"),
        ([false, true, false], "[ IN\n,IN ]"),
        ([false, false, true], "[ IN , IN ]"),
        ([true, true, false], "[IN ]"),
        ([true, false, true], "[ IN ]"),
        ([true, true, true], "[ ]"),
    ];
    for (are_outside, written) in cases {
        let [one, two, three] = are_outside.map(|is_outside| if is_outside { outside } else { inside });
        let withheld = are_outside.iter().filter(|is_outside| **is_outside).count() as u64;
        let array_text = format!("[ {one} , {two}\n,{three} ]");
        let array_copy = written.replace("IN", inside);
        let cut = |from: usize| format!("{inside}\r\n").repeat(from);
        let rows = are_outside.map(|is_outside| if is_outside { "=B,9902\r\n" } else { "A,9901\r\n" });
        let kept = 3 - usize::try_from(withheld).unwrap();
        for (format, body, expected) in [
            (array(), array_text.clone(), array_copy.clone()),
            (
                envelope(),
                format!("{{\"data\":{array_text},\"total\":3}}"),
                format!("{{\"data\":{array_copy},\"total\":3}}"),
            ),
            (Format::Ndjson, format!("{one}\r\n {two}\r\n{three}\r\n").replace("\n {", "\n{"), cut(kept)),
            (
                csv(),
                format!("nama,kode\r\n{}", rows.concat()),
                format!("nama,kode\r\n{}", "A,9901\r\n".repeat(kept)),
            ),
        ] {
            let outcome =
                run_all_cuts(&withholding(format), Coding::Identity, Limits::default(), body.as_bytes());
            assert_eq!((outcome.verdict, outcome.output), (Ok(()), expected), "{are_outside:?}");
            let tally =
                Tally { rows_in: 3, rows_out: kept as u64, rows_withheld: withheld, ..Tally::default() };
            assert_eq!(outcome.tally, tally, "{are_outside:?}");
        }
    }
    let strict = [
        ("no area", r#"[{"nama":"A"}]"#, Stopped("row_area_missing", 0, "[")),
        ("an area that is none", r#"[{"kode":null}]"#, Stopped("row_area_missing", 0, "[")),
        ("no code", r#"[{"kode":"KENANGA"},{"kode":"9901"}]"#, Whole(r#"[{"kode":"9901"}]"#)),
        ("wrong outside", r#"[{"kode":"33","x":1,"x":2}]"#, Stopped("duplicate_key", 0, "[")),
        ("wrong behind it", r#"[{"kode":"33"} {"kode":"9901"}]"#, Stopped("syntax", 0, "[")),
        ("a comma behind it", r#"[{"kode":"33"},]"#, Stopped("syntax", 0, "[")),
    ];
    check(&withholding(array()), &strict);
    check(
        &withholding(Format::Ndjson),
        &[("rest", "{\"kode\":\"33\"} x\n", Stopped("trailing_bytes", 0, ""))],
    );
    check(&withholding(csv()), &[("ragged", "kode,nama\n33,A,B\n", Stopped("ragged_row", 0, "kode,nama\n"))]);
    // A text of one record would be none without it.
    check(
        &withholding(Format::Json(Records::Object)),
        &[("one", r#"{"kode":"33"}"#, Stopped("row_outside_area", 0, ""))],
    );
}

#[test]
fn fields_are_counted_in_the_rows_handed_on() {
    let rows = [
        ("9901", NIK, "SITI", "1990-12-05"),
        ("9901", NIK, "SITI", "1990-12-05"),
        ("9901", "1", "9901014512900003", "x"),
        ("9902", "1", "9901014512900003", "x"),
        ("9901", NIK, "9901014512900003 9901010101010001, 9901014512900003", ""),
    ];
    let object = |(code, nik, name, birth): (&str, &str, &str, &str)| {
        format!(
            r#"{{"kode":"{code}","nik":"{nik}","nama":"{name}","tanggal_lahir":"{birth}","alamat":"KENANGA"}}"#
        )
    };
    let line = |(code, nik, name, birth): (&str, &str, &str, &str)| {
        format!("{code},{nik},\"{name}\",{birth},KENANGA\n")
    };
    let objects = rows.map(object);
    for (format, body) in [
        (array(), format!("[{}]", objects.join(","))),
        (envelope(), format!(r#"{{"catatan":"{NIK}","data":[{}]}}"#, objects.join(","))),
        (Format::Ndjson, objects.join("\n")),
        (csv(), format!("kode,nik,nama,tanggal_lahir,alamat\n{}", rows.map(line).concat())),
    ] {
        let plan = withholding(format);
        let outcome = run_all_cuts(&plan, Coding::Identity, Limits::default(), body.as_bytes());
        assert_eq!(outcome.verdict, Ok(()));
        let found: Vec<_> = outcome
            .fields
            .iter()
            .map(|(name, of)| (name.as_str(), of.changed, of.swept, of.unreadable))
            .collect();
        let expected = [
            ("nik", 4, 0, 1),
            ("nkk", 0, 0, 0),
            ("nama", 0, 3, 0),
            ("alamat", 0, 0, 0),
            ("tanggal_lahir", 4, 0, 1),
            ("kode", 0, 0, 0),
        ];
        assert_eq!(found, expected, "{}", plan.format.as_str());
    }
    // More rules than there are bits.
    let names: Vec<String> = (0..70).map(|at| format!("f{at}")).collect();
    let fixed = |name: &String| rule(name, Action::Fixed("-".to_owned()));
    let plan = plan(Format::Ndjson, names.iter().map(fixed).collect());
    let record = |of: &[String]| {
        let members: Vec<String> = of.iter().map(|name| format!(r#""{name}":1"#)).collect();
        format!("{{{},\"kode\":\"9901\"}}\n", members.join(","))
    };
    let body = [record(&names), record(&names[30..]), record(&names[30..])].concat();
    let outcome = run(&plan, Coding::Identity, Limits::default(), [body.as_bytes()]);
    for (at, (name, of)) in outcome.fields.iter().enumerate() {
        let expected = if at < 30 { 1 } else { 3 };
        assert_eq!(of.changed, if name == "kode" { 0 } else { expected }, "{name}");
    }
}
