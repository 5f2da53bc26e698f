//! Nested fields, columns named once, and text sequences, each as a table: what comes in, what leaves, how it ends.

use crate::domain::{Action, FieldRule, Format, KodeGanda, Mask, MaskPlan, Outside, Records};

use super::families::{End, check};
use super::harness::{array, assert_silent, csv, name, plan, rule, run, run_all_cuts, standard};
use super::{Coding, Limits};
use End::{Stopped, Whole};

fn nested(format: Format) -> MaskPlan {
    let fields = vec![
        rule("kode", Action::Keep),
        rule("alamat.kelurahan", Action::Keep),
        FieldRule { emit_as: Some(name("tahun")), ..rule("alamat.sejak", Action::Year) },
        rule("alamat.rinci.pos", Action::Keep),
        rule("anggota[].nik", Action::Mask(Mask { first: 6, last: 0 })),
        rule("anggota[].nama", Action::Keep),
        rule("anggota[].alamat", Action::Drop),
        rule("anggota[].kartu[].jenis", Action::Keep),
    ];
    plan(format, fields)
}

#[test]
fn of_nested_objects_only_what_a_path_names_leaves() {
    check(
        &nested(Format::Json(Records::Object)),
        &[
            (
                "in an object",
                r#"{"kode":"9901","alamat":{"jalan":"JL KENANGA 7", "kelurahan" : "CONTOH","sejak":"1990-12-05"}}"#,
                Whole(r#"{"kode":"9901","alamat":{ "kelurahan" : "CONTOH","tahun":"1990"}}"#),
            ),
            (
                "two levels down",
                r#"{"alamat":{"rinci":{"jalan":"JL KENANGA 7","pos":"12345","x":{"pos":1}},"pos":2},"kode":"9901"}"#,
                Whole(r#"{"alamat":{"rinci":{"pos":"12345"}},"kode":"9901"}"#),
            ),
            (
                "in an array",
                r#"{"kode":"9901","anggota":[ {"nik":"9901014512900003","alamat":"JL KENANGA 7","x":1} ,{"nama":"SITI"},null, {"nik":9901014512900003}]}"#,
                Whole(
                    r#"{"kode":"9901","anggota":[ {"nik":"990101**********"} ,{"nama":"SITI"},null, {"nik":"990101**********"}]}"#,
                ),
            ),
            (
                "arrays in arrays of objects",
                r#"{"kode":"9901","anggota":[{"kartu":[{"nkk":"9901010101010001","jenis":"A"},{"x":1}]},{"kartu":[]}]}"#,
                Whole(r#"{"kode":"9901","anggota":[{"kartu":[{"jenis":"A"},{}]},{"kartu":[]}]}"#),
            ),
            (
                "nothing named is there",
                r#"{"kode":"9901","alamat":{"jalan":"JL KENANGA 7"},"anggota":[{},{"x":[1]}]}"#,
                Whole(r#"{"kode":"9901","alamat":{},"anggota":[{},{}]}"#),
            ),
            (
                "empty and null",
                r#"{"kode":"9901","alamat":null,"anggota":[]}"#,
                Whole(r#"{"kode":"9901","alamat":null,"anggota":[]}"#),
            ),
            (
                "escaped names",
                r#"{"kode":"9901","al\u0061mat":{"jal\u0061n":"JL KENANGA 7","k\u0065lurahan":"C"}}"#,
                Whole(r#"{"kode":"9901","al\u0061mat":{"k\u0065lurahan":"C"}}"#),
            ),
            (
                "the name of another level",
                r#"{"kode":"9901","kelurahan":"KENANGA","anggota":[{"kelurahan":"KENANGA","kode":1}],"nik":"9901014512900003"}"#,
                Whole(r#"{"kode":"9901","anggota":[{}]}"#),
            ),
            (
                "swept below",
                r#"{"kode":"9901","alamat":{"kelurahan":"x 9901014512900003","rinci":{"pos":["9901010101010001"]}}}"#,
                Whole(
                    r#"{"kode":"9901","alamat":{"kelurahan":"x ****************","rinci":{"pos":["****************"]}}}"#,
                ),
            ),
            (
                "a text for an object",
                r#"{"kode":"9901","alamat":"JL KENANGA 7"}"#,
                Stopped("unexpected_shape", 0, ""),
            ),
            (
                "an array for an object",
                r#"{"kode":"9901","alamat":[{}]}"#,
                Stopped("unexpected_shape", 0, ""),
            ),
            ("an object for an array", r#"{"kode":"9901","anggota":{}}"#, Stopped("unexpected_shape", 0, "")),
            ("a number for an array", r#"{"kode":"9901","anggota":1}"#, Stopped("unexpected_shape", 0, "")),
            (
                "a text among objects",
                r#"{"kode":"9901","anggota":[{},"A"]}"#,
                Stopped("unexpected_shape", 0, ""),
            ),
            (
                "an array among objects",
                r#"{"kode":"9901","anggota":[[]]}"#,
                Stopped("unexpected_shape", 0, ""),
            ),
            (
                "a boolean below",
                r#"{"kode":"9901","alamat":{"rinci":true}}"#,
                Stopped("unexpected_shape", 0, ""),
            ),
            (
                "a name twice below",
                r#"{"kode":"9901","alamat":{"x":1,"x":2}}"#,
                Stopped("duplicate_key", 0, ""),
            ),
            ("broken below", r#"{"kode":"9901","alamat":{"kelurahan":01}}"#, Stopped("syntax", 0, "")),
        ],
    );
}

#[test]
fn nested_fields_are_counted_by_their_paths() {
    let body = br#"[{"kode":"9901","anggota":[{"nik":"9901014512900003"},{"nik":"1"},{"nama":"9901014512900003"}],"alamat":{"NO_NIK":1}}]"#;
    let outcome = run_all_cuts(&nested(array()), Coding::Identity, Limits::default(), body);
    let counted: Vec<_> = outcome
        .fields
        .iter()
        .filter(|(_, count)| count.changed + count.swept + count.unreadable > 0)
        .map(|(path, count)| (path.as_str(), count.changed, count.swept, count.unreadable))
        .collect();
    assert_eq!(counted, [("anggota[].nik", 2, 0, 1), ("anggota[].nama", 0, 1, 0)]);
    let paths: Vec<_> = outcome.fields.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "kode",
            "alamat",
            "anggota",
            "alamat.kelurahan",
            "alamat.sejak",
            "alamat.rinci",
            "alamat.rinci.pos",
            "anggota[].nik",
            "anggota[].nama",
            "anggota[].alamat",
            "anggota[].kartu",
            "anggota[].kartu[].jenis"
        ]
    );
    let tally = outcome.tally;
    assert_eq!((tally.rows_out, tally.swept, tally.unreadable, tally.near_misses), (1, 1, 1, 1));
}

#[test]
fn orders_that_contradict_each_other_let_nothing_out() {
    let of = |paths: &[&str]| {
        let fields = paths.iter().map(|path| rule(path, Action::Keep)).chain([rule("kode", Action::Keep)]);
        plan(Format::Json(Records::Object), fields.collect())
    };
    for paths in [["a", "a.b"], ["a.b", "a"], ["a.b", "a[].c"], ["a", "a"], ["a.b.c", "a.b"]] {
        let body = r#"{"a":{"b":{"c":1}},"kode":"9901"}"#;
        let outcome = run(&of(&paths), Coding::Identity, Limits::default(), [body.as_bytes()]);
        let hidden =
            if paths == ["a.b.c", "a.b"] { r#"{"a":{},"kode":"9901"}"# } else { r#"{"kode":"9901"}"# };
        assert_eq!((outcome.verdict, outcome.output.as_str()), (Ok(()), hidden), "{paths:?}");
    }
}

#[test]
fn two_names_that_look_alike_once_covered_end_the_pass() {
    check(
        &standard(Format::Json(Records::Object)),
        &[
            (
                "one",
                r#"{"kode":"9901","nama":{"9901014512900003":1,"x":2}}"#,
                Whole(r#"{"kode":"9901","nama":{"****************":1,"x":2}}"#),
            ),
            (
                "two",
                r#"{"kode":"9901","nama":{"9901014512900003":1,"9901010101010001":2}}"#,
                Stopped("duplicate_key", 0, ""),
            ),
            (
                "in two objects",
                r#"{"kode":"9901","nama":[{"9901014512900003":1},{"9901010101010001":2}]}"#,
                Whole(r#"{"kode":"9901","nama":[{"****************":1},{"****************":2}]}"#),
            ),
        ],
    );
}

#[test]
fn a_path_with_a_dot_names_no_column_of_csv() {
    let plan = MaskPlan { format: csv(), ..nested(array()) };
    check(
        &plan,
        &[("alamat", "kode,alamat,alamat.kelurahan\n9901,KENANGA,KENANGA\n", Whole("kode\n9901\n"))],
    );
}

fn columnar() -> MaskPlan {
    let records =
        Records::Columns { columns: name("columns"), rows: name("rows"), keep: vec![name("total")] };
    standard(Format::Json(records))
}

#[test]
fn columns_named_once_hold_for_every_row() {
    check(
        &columnar(),
        &[
            (
                "rows",
                r#"{"total":2,"x":[1],"columns":["nik","nkk", "nama" ,"alamat","tanggal_lahir","y","kode"],"rows":[ ["9901014512900003","9901010101010001","SITI CONTOH","JL KENANGA 7","1990-12-05",{},"9901"] , [9901014512900003,null,"x 9901010101010001","",null,[1],"990101"]],"z":1}"#,
                Whole(
                    r#"{"total":2,"columns":["nik", "nama","tahun_lahir","kode"],"rows":[ ["990101**********","SITI CONTOH","1990","9901"] , ["990101**********","x ****************",null,"990101"]]}"#,
                ),
            ),
            ("no rows", r#"{"columns":["kode"],"rows":[]}"#, Whole(r#"{"columns":["kode"],"rows":[]}"#)),
            (
                "the first column stays behind",
                r#"{"columns":["alamat","kode"] ,"rows":[["JL KENANGA 7", "9901"]]}"#,
                Whole(r#"{"columns":["kode"] ,"rows":[[ "9901"]]}"#),
            ),
            (
                "escaped names",
                r#"{"c\u006flumns":["\u006eik","kode"],"row\u0073":[["9901014512900003","9901"]]}"#,
                Whole(r#"{"c\u006flumns":["\u006eik","kode"],"row\u0073":[["990101**********","9901"]]}"#),
            ),
            ("rows first", r#"{"rows":[["9901"]],"columns":["kode"]}"#, Stopped("unexpected_shape", 0, "{")),
            ("no columns", r#"{"total":1}"#, Stopped("records_missing", 0, r#"{"total":1"#)),
            (
                "no rows at all",
                r#"{"columns":["kode"]}"#,
                Stopped("records_missing", 0, r#"{"columns":["kode"]"#),
            ),
            (
                "columns twice",
                r#"{"columns":["kode"],"columns":["nik"],"rows":[]}"#,
                Stopped("duplicate_key", 0, r#"{"columns":["kode"]"#),
            ),
            ("a name twice", r#"{"columns":["kode","x","x"],"rows":[]}"#, Stopped("duplicate_key", 0, "{")),
            (
                "a name that is none",
                r#"{"columns":["kode",1],"rows":[]}"#,
                Stopped("unexpected_shape", 0, "{"),
            ),
            ("a comma last", r#"{"columns":["kode",],"rows":[]}"#, Stopped("syntax", 0, "{")),
            ("a comma first", r#"{"columns":[,"kode"],"rows":[]}"#, Stopped("syntax", 0, "{")),
            (
                "names in an object",
                r#"{"columns":{"kode":1},"rows":[]}"#,
                Stopped("unexpected_shape", 0, "{"),
            ),
            ("nothing leaves", r#"{"columns":["nkk","x"],"rows":[]}"#, Stopped("no_known_column", 0, "{")),
            ("no column", r#"{"columns":[],"rows":[]}"#, Stopped("no_known_column", 0, "{")),
            ("no area", r#"{"columns":["nama"],"rows":[]}"#, Stopped("row_area_missing", 0, "{")),
            (
                "a value less",
                r#"{"columns":["kode","nama"],"rows":[["9901","A"],["9901"]]}"#,
                Stopped("ragged_row", 1, r#"{"columns":["kode","nama"],"rows":[["9901","A"]"#),
            ),
            (
                "a value more",
                r#"{"columns":["kode"],"rows":[["9901",1]]}"#,
                Stopped("ragged_row", 0, r#"{"columns":["kode"],"rows":["#),
            ),
            (
                "an empty row",
                r#"{"columns":["kode"],"rows":[[]]}"#,
                Stopped("ragged_row", 0, r#"{"columns":["kode"],"rows":["#),
            ),
            (
                "an object for a row",
                r#"{"columns":["kode"],"rows":[{"kode":"9901"}]}"#,
                Stopped("unexpected_shape", 0, r#"{"columns":["kode"],"rows":["#),
            ),
            (
                "another area",
                r#"{"columns":["kode"],"rows":[["9902"]]}"#,
                Stopped("row_outside_area", 0, r#"{"columns":["kode"],"rows":["#),
            ),
            (
                "an area that is none",
                r#"{"columns":["kode"],"rows":[[null]]}"#,
                Stopped("row_area_missing", 0, r#"{"columns":["kode"],"rows":["#),
            ),
            (
                "a name twice in a value",
                r#"{"columns":["kode","x"],"rows":[["9901",{"a":1,"a":2}]]}"#,
                Stopped("duplicate_key", 0, r#"{"columns":["kode"],"rows":["#),
            ),
            (
                "cut off",
                r#"{"columns":["kode"],"rows":[["9901"]"#,
                Stopped("truncated", 1, r#"{"columns":["kode"],"rows":[["9901"]"#),
            ),
        ],
    );
}

#[test]
fn rows_of_columns_are_withheld_and_get_the_added_code() {
    let mut plan = columnar();
    plan.row_area.outside = Outside::Withhold;
    plan.kode_ganda = Some(KodeGanda { of: name("nik") });
    let body = br#"{"columns":["kode","nkk","nik"],"rows":[["9902","A","9901014512900003"],["9901","B","9901014512900003"],["9902","C",1],["9901","D","x"]]}"#;
    let outcome = run_all_cuts(&plan, Coding::Identity, Limits::default(), body);
    let alone = br#"[{"kode":"9901","nik":"9901014512900003"}]"#;
    let alone = run(
        &MaskPlan { kode_ganda: plan.kode_ganda.clone(), ..standard(array()) },
        Coding::Identity,
        Limits::default(),
        [&alone[..]],
    );
    let code = alone.output.rsplit('"').nth(1).unwrap();
    assert_eq!(code.len(), 16);
    let expected = format!(
        r#"{{"columns":["kode","nik","kode_ganda"],"rows":[["9901","990101**********","{code}"],["9901","****",null]]}}"#
    );
    assert_eq!((outcome.verdict, outcome.output), (Ok(()), expected));
    let tally = outcome.tally;
    assert_eq!((tally.rows_in, tally.rows_out, tally.rows_withheld, tally.unreadable), (4, 2, 2, 2));
}

#[test]
fn a_text_sequence_has_a_separator_before_and_a_line_feed_behind_each_text() {
    check(
        &standard(Format::JsonSeq),
        &[
            (
                "two",
                "\u{1e}{\"nik\":\"9901014512900003\",\"kode\":\"9901\"}\n\u{1e} {\"kode\":\"9901\",\n\"alamat\":\"JL KENANGA 7\"} \r\n",
                Whole(
                    "\u{1e}{\"nik\":\"990101**********\",\"kode\":\"9901\"}\n\u{1e} {\"kode\":\"9901\"} \r\n",
                ),
            ),
            ("none", "", Whole("")),
            (
                "no line feed between",
                "\u{1e}{\"kode\":\"9901\"}\n\u{1e}{\"kode\":\"9901\"} \u{1e}{\"kode\":\"9901\"}\n",
                Stopped("syntax", 1, "\u{1e}{\"kode\":\"9901\"}\n"),
            ),
            ("no line feed last", "\u{1e}{\"kode\":\"9901\"}", Stopped("truncated", 0, "")),
            ("cut off", "\u{1e}{\"kode\":\"9901\"", Stopped("truncated", 0, "")),
            ("nothing behind the separator", "\u{1e}", Stopped("truncated", 0, "")),
            ("no separator", "{\"kode\":\"9901\"}\n", Stopped("syntax", 0, "")),
            ("two separators", "\u{1e}\u{1e}{\"kode\":\"9901\"}\n", Stopped("syntax", 0, "")),
            ("two texts", "\u{1e}{\"kode\":\"9901\"}\n{}\n", Stopped("trailing_bytes", 0, "")),
            ("another value", "\u{1e}[]\n", Stopped("unexpected_shape", 0, "")),
            ("a byte order mark", "\u{feff}\u{1e}{\"kode\":\"9901\"}\n", Stopped("byte_order_mark", 0, "")),
            (
                "a separator in a text",
                "\u{1e}{\"kode\":\"9901\",\"x\":\"\u{1e}\"}\n",
                Stopped("control_character", 0, ""),
            ),
            ("another area", "\u{1e}{\"kode\":\"9902\"}\n", Stopped("row_outside_area", 0, "")),
        ],
    );
    let mut plan = standard(Format::JsonSeq);
    plan.row_area.outside = Outside::Withhold;
    let body = b"\x1e{\"kode\":\"9902\"}\n\x1e{\"kode\":\"9901\"}\n";
    let outcome = run_all_cuts(&plan, Coding::Identity, Limits::default(), body);
    assert_eq!((outcome.verdict, outcome.output.as_str()), (Ok(()), "\u{1e}{\"kode\":\"9901\"}\n"));
    assert_eq!(outcome.tally.rows_withheld, 1);
}

#[test]
fn all_kept_leaves_byte_for_byte_below_too() {
    let body = r#"[ { "kode" : "9901" , "alamat":{ "x" : [ 1.50e+2 , {"y":"\u00e9"} ] , "z":null } } ,{"kode":"9901"}]"#;
    for paths in [&["alamat"][..], &["alamat.x", "alamat.z"]] {
        let fields = paths.iter().map(|path| rule(path, Action::Keep)).chain([rule("kode", Action::Keep)]);
        let outcome = run_all_cuts(
            &plan(array(), fields.collect()),
            Coding::Identity,
            Limits::default(),
            body.as_bytes(),
        );
        assert_eq!((outcome.verdict, outcome.output.as_str()), (Ok(()), body));
        assert_silent(&outcome.output);
    }
}
