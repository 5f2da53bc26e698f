//! Wrong policies, each with all that is said about it; and the shipped ones, pinned. The list is in one piece, so
//! that what is said of one thing can be compared with what is said of another.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::PolicyError;
use super::{PolicySet, RoleRule};
use crate::document::Diagnostic;
use crate::domain::FieldPath;

const RIGHT: &str = r#"[policy]
name = "contoh"
dataset = "dpt"
election = "pemilu-2024"
stage = "dpt"
version = "1"
valid_from = 2023-06-21
valid_until = 2024-12-31
legal_basis = "UU 7/2017"
approved_by = "KPU Contoh"

[[route]]
path = "/dpt/{wilayah}.csv"
methods = ["GET"]
format = "csv"
media_types = ["text/csv"]
row_area = "kode_tps"

[[role]]
role = "partai"
level = "kabkota"
[role.fields]
nama = "keep"
nik = { action = "mask", first = 6 }
alamat = "drop"
"#;

/// Files in a folder of their own, loaded by the folder or by one name.
fn load(files: &[(&str, &[u8])]) -> Result<PolicySet, PolicyError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    PolicySet::load(&[folder.path().to_owned()])
}

/// `21:7 message; note; note ? remedy`
fn line(problem: &Diagnostic) -> String {
    let mut text = String::new();
    if let Some((line, column)) = problem.line_column() {
        write!(text, "{line}:{column} ").unwrap();
    }
    text.push_str(problem.message());
    let folder = format!("{}/", problem.path().parent().unwrap().display());
    for note in problem.notes() {
        write!(text, "; {}", note.replace(&folder, "")).unwrap();
    }
    if let Some(remedy) = problem.remedy() {
        write!(text, " ? {remedy}").unwrap();
    }
    text
}

fn problems(loaded: Result<PolicySet, PolicyError>) -> Vec<String> {
    loaded.err().map(|error| error.diagnostics().iter().map(line).collect()).unwrap_or_default()
}

#[test]
fn every_wrong_policy_is_refused_with_place_and_remedy() {
    assert_eq!(problems(load(&[("a.toml", RIGHT.as_bytes())])), [""; 0]);
    #[rustfmt::skip] // one case, one row: what was changed, and all that is said about it
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("an unknown table", "[policy]\n", "[polcy]\n", &["1:2 the file has no key `polcy` ? did you mean `policy`?"]),
        ("an unknown key", r#"version = "1""#, r#"versoin = "1""#, &["6:1 `[policy]` has no key `versoin` ? did you mean `version`?"]),
        ("a strange key", r#"version = "1""#, "version = \"1\"\nowner = \"x\"", &["7:1 `[policy]` has no key `owner` ? known here: `name`, `dataset`, `election`, `stage`, `version`, `valid_from`, `valid_until`, `legal_basis`, `approved_by`"]),
        ("a missing key", "election = \"pemilu-2024\"\n", "", &[r#"1:1 `[policy]` has no `election` ? add `election = "pemilu-2024"`"#]),
        ("a wrong type", r#"version = "1""#, "version = 1", &[r#"6:11 `version` is a string, and this is of type integer ? write it like `version = "1"`"#]),
        ("a blank in a name", r#""contoh""#, r#""con toh""#, &["2:8 `name` has 1 to 64 letters, digits, `-`, `.` and `_` ? write it without blanks, such as `pemilu-2024`"]),
        ("an unknown dataset", r#"dataset = "dpt""#, r#"dataset = "dptb""#, &["3:11 `dataset` cannot be `dptb` ? did you mean `dpt`?"]),
        ("an unknown stage", r#"stage = "dpt""#, r#"stage = "dpthp1""#, &["5:9 `stage` cannot be `dpthp1` ? did you mean `dpthp-1`?"]),
        ("a date in quotes", "2023-06-21", r#""2023-06-21""#, &["7:14 `valid_from` is a date without a time or quotes, and this is of type string ? write it like `valid_from = 2023-06-21`"]),
        ("a date with a time", "2024-12-31", "2024-12-31T00:00:00Z", &["8:15 `valid_until` is a date without a time or quotes, and this is of type datetime ? write it like `valid_until = 2024-12-31`"]),
        ("days in the wrong order", "2024-12-31", "2023-06-20", &["8:15 the policy ends before it begins; it begins on 2023-06-21, at line 7 ? both days are included: for one day write the same date twice"]),
        ("an empty legal basis", r#""UU 7/2017""#, r#"" ""#, &["9:15 `legal_basis` is empty ? say it in a sentence: it stands in the ledger beside every release"]),
        ("a line break in a text", r#""KPU Contoh""#, r#""KPU\nContoh""#, &["10:15 `approved_by` holds a control character ? say it in a sentence: it stands in the ledger beside every release"]),
        ("no route", "[[route]]\npath = \"/dpt/{wilayah}.csv\"\nmethods = [\"GET\"]\nformat = \"csv\"\nmedia_types = [\"text/csv\"]\nrow_area = \"kode_tps\"\n", "", &["1:1 the file has no `[[route]]` ? add a `[[route]]` table; without one everything is denied"]),
        ("a route in single brackets", "[[route]]", "[route]", &["12:1 `route` is a list of tables ? write `[[route]]`, with two brackets"]),
        ("a path without a slash", r#""/dpt/{wilayah}.csv""#, r#""dpt/{wilayah}.csv""#, &["13:8 the path does not begin with one `/` ? write it like `/dpt/{wilayah}.csv`, of letters, digits, `-`, `.`, `_`, `~`"]),
        ("a path no ask can have", r#""/dpt/{wilayah}.csv""#, r#""/dpt//{wilayah}.csv""#, &["13:8 the path has an empty, `.` or `..` segment ? write it like `/dpt/{wilayah}.csv`, of letters, digits, `-`, `.`, `_`, `~`"]),
        ("an escape in a path", r#""/dpt/{wilayah}.csv""#, r#""/d%70t/{wilayah}.csv""#, &["13:8 the path holds a character outside letters, digits, `-`, `.`, `_`, `~` ? write it like `/dpt/{wilayah}.csv`, of letters, digits, `-`, `.`, `_`, `~`"]),
        ("another placeholder", r#""/dpt/{wilayah}.csv""#, r#""/dpt/{area}.csv""#, &["13:8 the path holds a placeholder other than `{wilayah}` ? write it like `/dpt/{wilayah}.csv`, of letters, digits, `-`, `.`, `_`, `~`"]),
        ("two placeholders", r#""/dpt/{wilayah}.csv""#, r#""/{wilayah}/{wilayah}.csv""#, &["13:8 the path holds `{wilayah}` more than once ? write it like `/dpt/{wilayah}.csv`, of letters, digits, `-`, `.`, `_`, `~`"]),
        ("digits beside the placeholder", r#""/dpt/{wilayah}.csv""#, r#""/dpt/33{wilayah}.csv""#, &["13:8 the path has a digit or a dot beside `{wilayah}` that could be read as part of the area ? write it like `/dpt/{wilayah}.csv`, of letters, digits, `-`, `.`, `_`, `~`"]),
        ("no place for the area", r#""/dpt/{wilayah}.csv""#, r#""/dpt.csv""#, &[r#"13:8 the route does not say where the area stands ? put `{wilayah}` into the path or add `wilayah_parameter = "wilayah"`"#]),
        ("two places for the area", r#"format = "csv""#, "format = \"csv\"\nwilayah_parameter = \"wilayah\"", &["16:21 the area stands in the path and in a parameter ? remove `wilayah_parameter`, or `{wilayah}` from the path"]),
        ("a malformed parameter of the area", r#"path = "/dpt/{wilayah}.csv""#, "path = \"/dpt.csv\"\nwilayah_parameter = \"wil ayah\"", &["14:21 a parameter's name has 1 to 64 letters, digits, `-`, `.`, `_`, `~` ? spell it as the source does; a name of another form can never be asked for"]),
        ("an unknown method", r#"["GET"]"#, r#"["GET", "POST"]"#, &["14:19 `methods` cannot be `POST` ? known here: `GET`, `HEAD`"]),
        ("no method", r#"["GET"]"#, "[]", &[r#"14:11 `methods` is empty ? write `methods = ["GET"]`, or remove the route"#]),
        ("a method twice", r#"["GET"]"#, r#"["GET", "GET"]"#, &["14:19 `GET` stands twice in `methods` ? keep one of the two"]),
        ("methods that are no list", r#"["GET"]"#, r#""GET""#, &[r#"14:11 `methods` is a list of strings, and this is of type string ? write it like `methods = ["GET"]`"#]),
        ("an unknown format", r#"format = "csv""#, r#"format = "cvs""#, &["15:10 `format` cannot be `cvs` ? did you mean `csv`?"]),
        ("an odd delimiter", r#"format = "csv""#, "format = \"csv\"\ndelimiter = \"'\"", &[r"16:13 `delimiter` cannot be `'` ? known here: `,`, `;`, `|`, `\t`"]),
        ("an unknown word for formulas", r#"format = "csv""#, "format = \"csv\"\nformulas = \"neutralize\"", &["16:12 `formulas` cannot be `neutralize` ? did you mean `neutralise`?"]),
        ("records in csv", r#"format = "csv""#, "format = \"csv\"\nrecords = \"array\"", &["16:11 `records` says nothing to the format `csv` ? remove `records`, or change `format`"]),
        ("csv settings in ndjson", r#"format = "csv""#, "format = \"ndjson\"\ndelimiter = \",\"\nformulas = \"keep\"", &["16:13 `delimiter` says nothing to the format `ndjson` ? remove `delimiter`, or change `format`", "17:12 `formulas` says nothing to the format `ndjson` ? remove `formulas`, or change `format`"]),
        ("json without records", r#"format = "csv""#, r#"format = "json""#, &[r#"12:1 `[[route]]` has no `records` ? add `records = "array"`"#]),
        ("unknown records", r#"format = "csv""#, "format = \"json\"\nrecords = \"arrays\"", &["16:11 `records` cannot be `arrays` ? did you mean `array`?"]),
        ("an envelope without a name", r#"format = "csv""#, "format = \"json\"\nrecords = { keep = [\"jumlah\"] }", &[r#"16:11 `records` has no `envelope` ? add `envelope = "data"`"#]),
        ("an envelope that keeps its records", r#"format = "csv""#, "format = \"json\"\nrecords = { envelope = \"data\", keep = [\"data\"] }", &["16:40 the records are kept a second time, without any rule ? remove it from `keep`; the records leave by the rules of the role"]),
        ("a media type with a parameter", r#"["text/csv"]"#, r#"["text/csv; charset=utf-8"]"#, &["16:16 `text/csv; charset=utf-8` is not the bare name of a media type ? write it in lower case and without parameters, such as `text/csv`"]),
        ("no media type", r#"["text/csv"]"#, "[]", &["16:15 `media_types` is empty ? list what the source calls its body, such as `text/csv`"]),
        ("no row area", "row_area = \"kode_tps\"\n", "", &[r#"12:1 `[[route]]` has no `row_area` ? add `row_area = "kode_tps"`"#]),
        ("a row area that is no field", r#""kode_tps""#, r#""kode tps""#, &["17:12 `row_area` is not a field: a field name holds letters, digits, `_` and `-` ? spell it exactly as the source does"]),
        ("an unknown type of parameter", "\n[[role]]", "[route.parameters]\ntps = \"tsp\"\n\n[[role]]", &["19:7 `parameters` cannot be `tsp` ? did you mean `tps`?"]),
        ("a malformed parameter", "\n[[role]]", "[route.parameters]\n\"t p\" = \"tps\"\n\n[[role]]", &["19:1 a parameter's name has 1 to 64 letters, digits, `-`, `.`, `_`, `~` ? spell it as the source does; a name of another form can never be asked for"]),
        ("a parameter that asks by a hidden field", "\n[[role]]", "[route.parameters]\nnik_sampai = \"number\"\nalamat = \"number\"\n\n[[role]]", &["19:1 the parameter `nik_sampai` asks by a field that is hidden ? remove it: who may try values learns the hidden field", "20:1 the parameter `alamat` asks by a field that is hidden ? remove it: who may try values learns the hidden field"]),
        ("the parameter of the area twice", r#"path = "/dpt/{wilayah}.csv""#, "path = \"/dpt.csv\"\nwilayah_parameter = \"w\"\nparameters = { w = \"wilayah\" }", &["15:16 the parameter of the area is listed again ? remove it here; `wilayah_parameter` already allows it"]),
        ("two routes with one path", "\n[[role]]", "\n[[route]]\npath = \"/dpt/{wilayah}.csv\"\nmethods = [\"HEAD\"]\nformat = \"csv\"\nmedia_types = [\"text/csv\"]\nrow_area = \"kode_tps\"\n\n[[role]]", &["20:8 two routes answer the same path; first at line 13 ? remove one of the two, or give it another path"]),
        ("a role no token can carry", r#""partai""#, r#""Partai""#, &["20:8 a role is 1 to 32 lower-case letters, digits, `_` or `-`, beginning with a letter ? write the word that tokens carry as `role`"]),
        ("an unknown level", r#""kabkota""#, r#""kabupaten""#, &["21:9 `level` cannot be `kabupaten` ? known here: `nasional`, `provinsi`, `kabkota`, `kecamatan`, `desa`"]),
        ("a role twice", "[[role]]", "[[role]]\nrole = \"partai\"\nlevel = \"kabkota\"\nfields = { nama = \"keep\" }\n\n[[role]]", &["24:1 the role `partai` at level `kabkota` stands twice; first at line 19 ? put all fields of the role under one `[[role]]`"]),
        ("a role without fields", "[role.fields]\nnama = \"keep\"\nnik = { action = \"mask\", first = 6 }\nalamat = \"drop\"\n", "[role.fields]\n", &["22:1 the role names no field, so that its copy would be empty ? name what the role may have, or remove the role: a role without a rule is denied"]),
        ("a role whose table of fields is missing", "[role.fields]\nnama = \"keep\"\nnik = { action = \"mask\", first = 6 }\nalamat = \"drop\"\n", "", &[r#"19:1 `[[role]]` has no `fields` ? add `fields = { nama = "keep" }`"#]),
        ("a role that gets nothing", "nama = \"keep\"\nnik = { action = \"mask\", first = 6 }\n", "", &["22:1 the role drops every field, so that its copy would be empty ? name what the role may have, or remove the role: a role without a rule is denied"]),
        ("a field twice", r#"alamat = "drop""#, "alamat = \"drop\"\nnama = \"mask\"", &["26:1 field `nama` is ordered twice; first at line 23, as `keep` ? keep one of the two; the stricter is the safer"]),
        ("an unknown action", r#"nama = "keep""#, r#"nama = "kep""#, &["23:8 `action` cannot be `kep` ? did you mean `keep`?"]),
        ("a hash", r#"nama = "keep""#, r#"nama = "sha256""#, &["23:8 `action` cannot be `sha256` ? known here: `keep`, `drop`, `mask`, `year`, `age`, `age_band`, `area`, `fixed`, `token`, `fpe`"]),
        ("a rule that is no word", r#"nama = "keep""#, "nama = true", &[r#"23:8 the rule of `nama` is of type boolean ? write an action such as `"keep"` or `{ action = "mask", first = 6 }`"#]),
        ("a rule without an action", r#"nama = "keep""#, "nama = { first = 6 }", &[r#"23:8 the rule of `nama` has no `action` ? write it like `{ action = "mask", first = 6 }`"#]),
        ("a setting of another action", r#"nama = "keep""#, r#"nama = { action = "keep", frist = 6 }"#, &["23:27 `keep` has no key `frist` ? known here: `action`, `as`"]),
        ("a dropped field with a name", r#"alamat = "drop""#, r#"alamat = { action = "drop", as = "jalan" }"#, &["25:29 `drop` has no key `as` ? known here: `action`"]),
        ("a malformed name", r#"nama = "keep""#, r#"nama = { action = "keep", as = "nama lengkap" }"#, &["23:32 the name after `as` is malformed: a field name holds letters, digits, `_` and `-` ? spell it exactly as the source does; names of another form never leave"]),
        ("a malformed field", r#"nama = "keep""#, r#""nama lengkap" = "keep""#, &["23:1 the field's name is malformed: a field name holds letters, digits, `_` and `-` ? spell it exactly as the source does; names of another form never leave"]),
        ("two fields under one name", r#"nama = "keep""#, "nama = \"keep\"\nkelurahan = { action = \"keep\", as = \"nama\" }", &["24:1 two fields leave as `nama`; first at line 23 ? give one of the two another name by `as`, or drop it"]),
        ("a mask that hides nothing", "first = 6", "first = 12, last = 4", &["24:7 the mask hides nothing; a number has 16 digits, of which the first 12 and the last 4 stay ? let fewer digits stay, such as `first = 6`"]),
        ("a mask longer than the number", "first = 6", "first = 300", &["24:7 the mask hides nothing; a number has 16 digits, of which the first 300 and the last 0 stay ? let fewer digits stay, such as `first = 6`"]),
        ("a negative mask", "first = 6", "first = -1", &["24:34 `first` is not a whole number from 0 ? write it like `first = 6`"]),
        ("a whole number kept", r#"nik = { action = "mask", first = 6 }"#, r#"NIK = "keep""#, &[r#"24:7 `NIK` would leave in full; the whole number may be inspected at KPU's office; no copy holds it ? write `{ action = "mask", first = 6 }`, `"token"` or `"drop"`"#]),
        ("masks that join", "[[role]]", "[[role]]\nrole = \"bawaslu\"\nlevel = \"kabkota\"\nfields = { nik = { action = \"mask\", last = 4 } }\n\n[[role]]", &["29:1 two masks of `nik` together show more than each; first at line 22; one shows the first 0 and last 4 digits, the other the first 6 and last 0 ? hide the same digits from all recipients; one may hide more at the same end"]),
        ("an age in a word", r#"nama = "keep""#, "nama = \"keep\"\ntanggal_lahir = \"age\"", &[r#"24:17 `age` for `tanggal_lahir` needs a date `at` and a name `as` ? write `{ action = "age", at = 2024-02-14, as = "usia" }`"#]),
        ("an age without a day or name", r#"nama = "keep""#, "nama = \"keep\"\ntanggal_lahir = { action = \"age\" }", &[r#"24:17 `age` has no `as` ? add `as = "usia"`"#, "24:17 `age` has no `at` ? add `at = 2024-02-14`"]),
        ("an impossible day", r#"nama = "keep""#, "nama = \"keep\"\ntanggal_lahir = { action = \"age\", at = 2024-02-30, as = \"usia\" }", &["24:40 not TOML: invalid date, expected day between 01 and 29 ? see https://toml.io for how strings, dates and tables are written"]),
        ("a fixed text with a number", r#"nama = "keep""#, r#"nama = { action = "fixed", text = "99.0101.451290.0003" }"#, &[r#"23:35 the fixed text holds 16 digits in a row, which no copy may show ? write a short word such as `"-"`"#]),
        ("a fixed text with a line break", r#"nama = "keep""#, r#"nama = { action = "fixed", text = "a\nb" }"#, &[r#"23:35 the fixed text holds a control character ? write a short word such as `"-"`"#]),
        ("a string without an end", r#"version = "1""#, r#"version = "1"#, &[r#"6:13 not TOML: invalid basic string, expected `"` ? see https://toml.io for how strings, dates and tables are written"#]),
        ("half a line", r#"version = "1""#, "version", &["6:8 not TOML: key with no value, expected `=` ? see https://toml.io for how strings, dates and tables are written"]),
        ("a table twice", "[[route]]", "[policy]\n[[route]]", &["12:2 `policy` is given twice ? keep one of the two"]),
    ];
    check_wrong(cases);
}

#[test]
fn wrong_settings_of_actions_and_of_the_added_column_are_refused_with_place_and_remedy() {
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("an age band in a word", r#"nama = "keep""#, "nama = \"keep\"\ntanggal_lahir = \"age_band\"", &[r#"24:17 `age_band` for `tanggal_lahir` needs a date `at`, a `width` and a name `as` ? write `{ action = "age_band", at = 2024-02-14, width = 10, as = "kelompok_usia" }`"#]),
        ("an age band without its settings", r#"nama = "keep""#, "nama = \"keep\"\ntanggal_lahir = { action = \"age_band\" }", &[r#"24:17 `age_band` has no `as` ? add `as = "usia"`"#, "24:17 `age_band` has no `at` ? add `at = 2024-02-14`", "24:17 `age_band` has no `width` ? add `width = 10`"]),
        ("an age band of one year", r#"nama = "keep""#, "nama = \"keep\"\ntanggal_lahir = { action = \"age_band\", at = 2024-02-14, width = 1, as = \"usia\" }", &["24:65 a band is 2 to 50 years wide ? write `width = 10`, or `age` for the age itself"]),
        ("an age with a width", r#"nama = "keep""#, "nama = \"keep\"\ntanggal_lahir = { action = \"age\", at = 2024-02-14, width = 10, as = \"usia\" }", &["24:52 `age` has no key `width` ? known here: `action`, `at`, `as`"]),
        ("an area in a word", r#"nama = "keep""#, "nama = \"keep\"\nkode_tps = \"area\"", &[r#"24:12 `area` for `kode_tps` needs a `level` ? write `{ action = "area", level = "desa" }`"#]),
        ("an area without a level", r#"nama = "keep""#, "nama = \"keep\"\nkode_tps = { action = \"area\" }", &[r#"24:12 `area` has no `level` ? add `level = "desa"`"#]),
        ("an area of the whole country", r#"nama = "keep""#, "nama = \"keep\"\nkode_tps = { action = \"area\", level = \"nasional\" }", &["24:39 `level` cannot be `nasional` ? known here: `provinsi`, `kabkota`, `kecamatan`, `desa`"]),
        ("a mask by letters of a number", "first = 6", "letters = 1", &[r#"24:36 `nik` is a number and has no letters ? write `letters = 1` for texts, `first = 6` for 16-digit numbers, or `"mask"` alone"#]),
        ("a mask by letters and digits", r#"nama = "keep""#, r#"nama = { action = "mask", letters = 1, last = 2 }"#, &[r#"23:37 a mask counts digits or letters, not both ? write `letters = 1` for texts, `first = 6` for 16-digit numbers, or `"mask"` alone"#]),
        ("a mask of many letters", r#"nama = "keep""#, r#"nama = { action = "mask", letters = 4 }"#, &[r#"23:37 a mask lets 1 to 3 letters stay ? write `letters = 1` for texts, `first = 6` for 16-digit numbers, or `"mask"` alone"#]),
        ("a mask of no letters", r#"nama = "keep""#, r#"nama = { action = "mask", letters = 0 }"#, &[r#"23:37 a mask lets 1 to 3 letters stay ? write `letters = 1` for texts, `first = 6` for 16-digit numbers, or `"mask"` alone"#]),
        ("letters that are no number", r#"nama = "keep""#, r#"nama = { action = "mask", letters = "1" }"#, &["23:37 `letters` is not a whole number from 0 ? write it like `letters = 1`"]),
        ("an unknown word for the sweep", "[role.fields]", "sweep = \"drop\"\n[role.fields]", &["22:9 `sweep` cannot be `drop` ? known here: `mask`, `abort`"]),
        ("a sweep that is no word", "[role.fields]", "sweep = true\n[role.fields]", &[r#"22:9 `sweep` is a string, and this is of type boolean ? write it like `sweep = "abort"`"#]),
        ("patterns that are no list", "[role.fields]", "patterns = 'a'\n[role.fields]", &["22:12 `patterns` is a list of strings, and this is of type string ? write it like `patterns = ['08[0-9]{8,11}']`"]),
        ("a pattern that is none", "[role.fields]", "patterns = ['a', '(a', 'a*', '(?=a)']\n[role.fields]", &["22:18 the pattern is not a regular expression as the crate `regex` knows them ? write it in single quotes, such as `'08[0-9]{8,11}'`, without look-around", "22:24 the pattern finds nothing at all ? write it in single quotes, such as `'08[0-9]{8,11}'`, without look-around", "22:30 the pattern is not a regular expression as the crate `regex` knows them ? write it in single quotes, such as `'08[0-9]{8,11}'`, without look-around"]),
        ("a quota that is no table", "[role.fields]", "quota = 5\n[role.fields]", &[r#"22:9 `quota` is a table, and this is of type integer ? write it like `quota = { rows = 5000000, period = "day" }`"#]),
        ("a quota of nothing", "[role.fields]", "quota = { rows = 0, period = \"day\" }\n[role.fields]", &["22:18 `rows` is a number of rows from 1 to 1000000000000 ? `rows` are those of a period, `copy` those that one copy may take of them; a role that may take none has no rule"]),
        ("a copy beyond its quota", "[role.fields]", "quota = { rows = 5, period = \"day\", copy = 6 }\n[role.fields]", &["22:44 `copy` is a number of rows from 1 to 5 ? `rows` are those of a period, `copy` those that one copy may take of them; a role that may take none has no rule"]),
        ("a quota of an unknown period", "[role.fields]", "quota = { rows = 5, period = \"year\" }\n[role.fields]", &["22:30 `period` cannot be `year` ? known here: `day`, `month`"]),
        ("a quota without a period", "[role.fields]", "quota = { rows = 5 }\n[role.fields]", &["22:9 `quota` has no `period` ? add `period = \"day\"`"]),
        ("many patterns", "[role.fields]", "patterns = ['a','b','c','d','e','f','g','h','i','j','k','l','m','n','o','p','q']\n[role.fields]", &["22:12 the role has more than 16 patterns ? join some by `|`; each is looked for in every kept value"]),
        ("an unknown word for rows outside", r#"row_area = "kode_tps""#, "row_area = \"kode_tps\"\noutside = \"drop\"", &["18:11 `outside` cannot be `drop` ? known here: `abort`, `withhold`"]),
        ("one record that is withheld", r#"format = "csv""#, "format = \"json\"\nrecords = \"object\"\noutside = \"withhold\"", &["17:11 the one record of `records = \"object\"` cannot be withheld ? remove `outside`: a record outside the asked area then ends the copy"]),
        ("an added column that is no table", "[role.fields]", "kode_ganda = true\n[role.fields]", &[r#"22:14 `kode_ganda` is a table, and this is of type boolean ? write it like `kode_ganda = { of = "nik" }`"#]),
        ("an added column of nothing", "[role.fields]", "kode_ganda = {}\n[role.fields]", &[r#"22:14 `kode_ganda` has no `of` ? add `of = "nik"`"#]),
        ("an added column with a name of its own", "[role.fields]", "kode_ganda = { of = \"nik\", as = \"kode\" }\n[role.fields]", &["22:28 `kode_ganda` has no key `as` ? known here: `of`"]),
        ("an added column of a malformed field", "[role.fields]", "kode_ganda = { of = \"nomor nik\" }\n[role.fields]", &["22:21 the name after `of` is malformed: a field name holds letters, digits, `_` and `-` ? spell it exactly as the source does; names of another form never leave"]),
        ("an added column of the family card", "[role.fields]", "kode_ganda = { of = \"No_KK\" }\n[role.fields]", &[r#"22:21 equal family cards would show who lives together ? write `kode_ganda = { of = "nik" }`: voters are doubled by their NIK"#]),
        ("an added column under a name that is taken", "[role.fields]\nnama = \"keep\"", "kode_ganda = { of = \"nik\" }\n[role.fields]\nnama = { action = \"keep\", as = \"kode_ganda\" }", &["22:14 `nama` leaves as `kode_ganda` too ? give the field another name by `as`, or drop it"]),
        ("an added column beside fields that are wrong", "[role.fields]\nnama = \"keep\"", "kode_ganda = { of = \"nik\" }\n[role.fields]\nnama = \"kep\"", &["24:8 `action` cannot be `kep` ? did you mean `keep`?"]),
        ("a parameter that asks by the number of the added column", "\n[[role]]\nrole = \"partai\"", "[route.parameters]\nidentitas = \"number\"\n\n[[role]]\nkode_ganda = { of = \"identitas\" }\nrole = \"partai\"", &["19:1 the parameter `identitas` asks by a field that is hidden ? remove it: who may try values learns the hidden field"]),
    ];
    check_wrong(cases);
}

#[test]
fn every_wrong_path_and_form_of_a_body_is_refused_with_place_and_remedy() {
    let drop = r#"alamat = "drop""#;
    let csv = r#"format = "csv""#;
    #[rustfmt::skip]
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("a path without quotes", drop, r#"alamat.jalan = "keep""#, &[r#"25:1 the path `alamat.jalan` is written without quotes ? write `"alamat.jalan"`, with quotes: to TOML a dot outside them makes a table"#]),
        ("a path without quotes, with settings", drop, r#"alamat.jalan = { action = "mask", letters = 1 }"#, &[r#"25:1 the path `alamat.jalan` is written without quotes ? write `"alamat.jalan"`, with quotes: to TOML a dot outside them makes a table"#]),
        ("a deep path without quotes", drop, "alamat.rumah.jalan = \"keep\"\nalamat.rumah.nomor = \"drop\"", &[r#"25:1 the path `alamat.rumah.jalan` is written without quotes ? write `"alamat.rumah.jalan"`, with quotes: to TOML a dot outside them makes a table"#]),
        ("a table of its own for fields below", drop, "[role.fields.alamat]\njalan = \"keep\"", &[r#"25:1 the path `alamat.jalan` is written without quotes ? write `"alamat.jalan"`, with quotes: to TOML a dot outside them makes a table"#]),
        ("a path through an array without quotes", drop, r#"anggota[].nama = "keep""#, &[r#"25:8 not TOML: key with no value, expected `=` ? write the path of a field in quotes, such as `"anggota[].nik"`"#]),
        ("a path that ends in an array", drop, r#""anggota[]" = "keep""#, &["25:1 the field's name is malformed: `[]` stands behind an array of objects, and a field of theirs behind that, as in `anggota[].nik` ? spell it exactly as the source does; names of another form never leave"]),
        ("a path with an empty name", drop, r#""alamat..jalan" = "keep""#, &["25:1 the field's name is malformed: a field name has 1 to 64 characters ? spell it exactly as the source does; names of another form never leave"]),
        ("a deep path", drop, r#""a.b.c.d.e.f.g.h.i.j" = "keep""#, &["25:1 the field's name is malformed: a field lies in at most 8 objects below the record ? spell it exactly as the source does; names of another form never leave"]),
        ("a field below one that is dropped", drop, "alamat = \"drop\"\n\"alamat.jalan\" = \"keep\"", &["26:1 `alamat.jalan` lies below `alamat`, which has a rule of its own; first at line 25 ? keep one of the two; without a rule for `alamat` only what is named below it leaves"]),
        ("a field above one that is kept", drop, "\"alamat.jalan\" = \"keep\"\nalamat = \"mask\"", &["26:1 `alamat.jalan` lies below `alamat`, which has a rule of its own; first at line 25 ? keep one of the two; without a rule for `alamat` only what is named below it leaves"]),
        ("an object and an array", drop, "\"anggota.nama\" = \"keep\"\n\"anggota[].umur\" = \"keep\"", &["26:1 `anggota` is an object in one path and an array in another; first at line 25 ? write `[]` behind it in all paths if the source has an array there, else in none"]),
        ("a name that an object has", drop, "\"alamat.jalan\" = \"keep\"\ntempat = { action = \"keep\", as = \"alamat\" }", &["26:1 `tempat` leaves as `alamat`, where other fields lie below; first at line 25 ? give it another name by `as`, or drop it"]),
        ("a name that an object has of which nothing leaves", drop, "tempat = { action = \"keep\", as = \"alamat\" }\n\"alamat.jalan\" = \"drop\"", &["26:1 `tempat` leaves as `alamat`, where other fields lie below; first at line 25 ? give it another name by `as`, or drop it"]),
        ("two nested fields under one name", drop, "\"alamat.jalan\" = \"keep\"\n\"alamat.nomor\" = { action = \"keep\", as = \"jalan\" }", &["26:1 two fields leave as `alamat.jalan`; first at line 25 ? give one of the two another name by `as`, or drop it"]),
        ("a nested number in full", drop, r#""anggota[].nik" = "keep""#, &[r#"25:19 `anggota[].nik` would leave in full; the whole number may be inspected at KPU's office; no copy holds it ? write `{ action = "mask", first = 6 }`, `"token"` or `"drop"`"#]),
        ("what lies below a number in full", drop, r#""No_KK.nilai" = "keep""#, &[r#"25:17 `No_KK.nilai` would leave in full; the whole number may be inspected at KPU's office; no copy holds it ? write `{ action = "mask", first = 6 }`, `"token"` or `"drop"`"#]),
        ("a nested number by letters", drop, r#""anggota[].nkk" = { action = "mask", letters = 1 }"#, &[r#"25:48 `anggota[].nkk` is a number and has no letters ? write `letters = 1` for texts, `first = 6` for 16-digit numbers, or `"mask"` alone"#]),
        ("nested masks that join", drop, r#""anggota[].nik" = { action = "mask", last = 4 }"#, &["25:1 two masks of `nik` together show more than each; first at line 24; one shows the first 6 and last 0 digits, the other the first 0 and last 4 ? hide the same digits from all recipients; one may hide more at the same end"]),
        ("an added column of an object", "[role.fields]", "kode_ganda = { of = \"orang\" }\n[role.fields]\n\"orang.umur\" = \"keep\"", &["22:21 `orang` is an object in the rule of `orang.umur` ? write the field of the record itself that holds the number"]),
        ("an added column under the name of an object", "[role.fields]", "kode_ganda = { of = \"nik\" }\n[role.fields]\n\"kode_ganda.umur\" = \"drop\"", &["22:14 `kode_ganda.umur` leaves as `kode_ganda` too ? give the field another name by `as`, or drop it"]),
        ("an object that says where a row belongs", drop, r#""kode_tps.kode" = "keep""#, &["17:12 `kode_tps` is an object in the rule of `kode_tps.kode` ? write the field of the record itself that says where a row belongs"]),
        ("fpe in a word", "{ action = \"mask\", first = 6 }", r#""fpe""#, &[r#"24:7 `fpe` for `nik` needs a name `as` ? write `{ action = "fpe", as = "nik_semu" }`"#]),
        ("fpe without a name", "{ action = \"mask\", first = 6 }", r#"{ action = "fpe" }"#, &[r#"24:7 `fpe` has no `as` ? add `as = "nik_semu"`"#]),
        ("fpe under the name of a number", "{ action = \"mask\", first = 6 }", r#"{ action = "fpe", as = "NKK" }"#, &[r#"24:30 `NKK` would be taken for a real number ? write another name, such as `as = "nik_semu"`"#]),
        ("fpe with the settings of a mask", "{ action = \"mask\", first = 6 }", r#"{ action = "fpe", first = 6, as = "nik_semu" }"#, &["24:25 `fpe` has no key `first` ? known here: `action`, `as`"]),
        ("records in a text sequence", csv, "format = \"json-seq\"\nrecords = \"array\"\ndelimiter = \";\"", &["16:11 `records` says nothing to the format `json-seq` ? remove `records`, or change `format`", "17:13 `delimiter` says nothing to the format `json-seq` ? remove `delimiter`, or change `format`"]),
        ("columns without rows", csv, "format = \"json\"\nrecords = { columns = \"columns\" }", &[r#"16:11 `records` has no `rows` ? add `rows = "rows"`"#]),
        ("rows without columns", csv, "format = \"json\"\nrecords = { rows = \"rows\", keep = [] }", &[r#"16:11 `records` has no `columns` ? add `columns = "columns"`"#]),
        ("columns in an envelope", csv, "format = \"json\"\nrecords = { envelope = \"data\", columns = \"columns\", rows = \"rows\" }", &["16:13 `records` has no key `envelope` ? known here: `columns`, `rows`, `keep`"]),
        ("columns under the name of the rows", csv, "format = \"json\"\nrecords = { columns = \"rows\", rows = \"rows\" }", &[r#"16:38 the columns and the rows have one name ? spell both exactly as the source does, such as `columns = "columns", rows = "rows"`"#]),
        ("columns that are kept twice", csv, "format = \"json\"\nrecords = { columns = \"columns\", rows = \"rows\", keep = [\"rows\", \"total\", \"columns\"] }", &["16:57 the records are kept a second time, without any rule ? remove it from `keep`; the records leave by the rules of the role", "16:74 the records are kept a second time, without any rule ? remove it from `keep`; the records leave by the rules of the role"]),
        ("columns that are no name", csv, "format = \"json\"\nrecords = { columns = \"kolom 1\", rows = 2 }", &["16:23 `columns` is not a field: a field name holds letters, digits, `_` and `-` ? spell it exactly as the source does", r#"16:41 `rows` is a string, and this is of type integer ? write it like `rows = "rows"`"#]),
        ("an unknown coding", csv, "format = \"csv\"\ncodings = [\"gzip\", \"deflate\"]", &["16:20 `codings` cannot be `deflate` ? known here: `gzip`, `br`, `zstd`"]),
        ("a coding twice", csv, "format = \"csv\"\ncodings = [\"br\", \"br\"]", &["16:18 `br` stands twice in `codings` ? keep one of the two"]),
        ("codings that are no list", csv, "format = \"csv\"\ncodings = \"gzip\"", &[r#"16:11 `codings` is a list of strings, and this is of type string ? write it like `codings = ["zstd", "gzip"]`"#]),
        ("records that are no word", csv, "format = \"json\"\nrecords = 1", &[r#"16:11 `records` is `"array"`, `"object"`, `{ envelope = "data" }` or `{ columns = "columns", rows = "rows" }`, and this is of type integer ? write it like `records = "array"`"#]),
    ];
    check_wrong(cases);
}

#[test]
fn paths_and_forms_of_bodies_are_read_as_written() {
    let paths = RIGHT.replace(
        "alamat = \"drop\"",
        "\"alamat.jalan\" = \"drop\"\n\"alamat.kelurahan\" = \"keep\"\n\"anggota[].nik\" = { action = \"mask\", first = 4 }\n\
         \"anggota[].lahir.tanggal\" = { action = \"age\", at = 2024-02-14, as = \"usia\" }\n\
         nkk = { action = \"fpe\", as = \"kk_semu\" }",
    );
    let set = load(&[("a.toml", paths.as_bytes())]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let fields = &set.policies().next().unwrap().roles()[0].fields;
    let told: Vec<String> =
        fields.iter().map(|rule| format!("{} {} {}", rule.path, rule.action, rule.emitted())).collect();
    assert_eq!(
        told,
        [
            "nama keep nama",
            "nik mask(6,0) nik",
            "alamat.jalan drop alamat.jalan",
            "alamat.kelurahan keep alamat.kelurahan",
            "anggota[].nik mask(4,0) anggota[].nik",
            "anggota[].lahir.tanggal age(2024-02-14) anggota[].lahir.usia",
            "nkk fpe kk_semu",
        ]
    );
    let forms = [
        ("format = \"json-seq\"", "Of(JsonSeq)"),
        (
            "format = \"json\"\nrecords = { columns = \"kolom\", rows = \"baris\" }",
            "Of(Json(Columns { columns: FieldName(\"kolom\"), rows: FieldName(\"baris\"), keep: [] }))",
        ),
        (
            "format = \"json\"\nrecords = { columns = \"columns\", rows = \"rows\", keep = [\"total\"] }",
            "Of(Json(Columns { columns: FieldName(\"columns\"), rows: FieldName(\"rows\"), keep: [FieldName(\"total\")] }))",
        ),
    ];
    for (form, expected) in forms {
        let policy = RIGHT.replace("format = \"csv\"", form);
        let set = load(&[("a.toml", policy.as_bytes())]).unwrap();
        assert_eq!(format!("{:?}", set.policies().next().unwrap().routes()[0].format()), expected);
    }
}

fn check_wrong(cases: &[(&str, &str, &str, &[&str])]) {
    let mut other = String::new();
    for (name, old, new, expected) in cases {
        assert!(RIGHT.contains(old), "{name}: the text to change is there");
        let wrong = RIGHT.replacen(old, new, 1);
        let found = problems(load(&[("a.toml", wrong.as_bytes())]));
        if found != *expected {
            writeln!(other, "{name}: {found:#?}").unwrap();
        }
    }
    assert!(other.is_empty(), "something else is said than stated:\n{other}");
}

/// Name, files, and what is said about them.
type SetCase<'c> = (&'c str, &'c [(&'c str, &'c [u8])], &'c [&'c str]);

#[test]
fn every_wrong_set_of_files_is_refused() {
    let right = RIGHT.as_bytes();
    let renamed = RIGHT.replace("\"contoh\"", "\"lain\"");
    let elsewhere = renamed.replace("/dpt/", "/lain/");
    let other_end = elsewhere.replace("first = 6", "last = 4");
    let broken = RIGHT.replace("\"csv\"", "\"cvs\"");
    let large = vec![b'#'; 1_048_577];
    let cases: [SetCase<'_>; 9] = [
        (
            "nothing",
            &[],
            &[
                "the folder holds no policy file ? policy files are named `*.toml` and lie in the folder itself",
            ],
        ),
        (
            "no policy among the files",
            &[(".a.toml", right), ("a.tml", right)],
            &[
                "the folder holds no policy file ? policy files are named `*.toml` and lie in the folder itself",
            ],
        ),
        (
            "an empty file",
            &[("a.toml", b"")],
            &[
                "1:1 the file has no `[policy]` ? add a `[policy]` table",
                "1:1 the file has no `[[route]]` ? add a `[[route]]` table; without one everything is denied",
                "1:1 the file has no `[[role]]` ? add a `[[role]]` table; without one everything is denied",
            ],
        ),
        (
            "a large file",
            &[("a.toml", &large)],
            &["the file is larger than 1048576 bytes ? such a file is a few pages; is this the right one?"],
        ),
        (
            "another encoding",
            &[("a.toml", b"[policy]\nname = \"caf\xe9\"")],
            &["2:12 the file is not UTF-8 ? save the file as UTF-8"],
        ),
        (
            "one policy twice",
            &[("a.toml", right), ("b.toml", right)],
            &[
                "2:8 two policies are named `contoh`; first at a.toml:2:8 ? give each its own name, and each file once",
                "13:8 two routes answer the same path; first at a.toml:13:8 ? remove one of the two, or give it another path",
            ],
        ),
        (
            "one path twice",
            &[("a.toml", right), ("b.toml", renamed.as_bytes())],
            &[
                "13:8 two routes answer the same path; first at a.toml:13:8 ? remove one of the two, or give it another path",
            ],
        ),
        (
            "masks that join",
            &[("a.toml", right), ("b.toml", other_end.as_bytes())],
            &[
                "24:1 two masks of `nik` together show more than each; first at a.toml:24:1; one shows the first 6 and last 0 digits, the other the first 0 and last 4 ? hide the same digits from all recipients; one may hide more at the same end",
            ],
        ),
        (
            "problems in two files, and between them",
            &[("b.toml", broken.as_bytes()), ("a.toml", broken.as_bytes())],
            &[
                "15:10 `format` cannot be `cvs` ? did you mean `csv`?",
                "2:8 two policies are named `contoh`; first at a.toml:2:8 ? give each its own name, and each file once",
                "13:8 two routes answer the same path; first at a.toml:13:8 ? remove one of the two, or give it another path",
                "15:10 `format` cannot be `cvs` ? did you mean `csv`?",
            ],
        ),
    ];
    for (name, files, expected) in cases {
        assert_eq!(problems(load(files)), expected, "{name}");
    }
    assert!(load(&[("a.toml", right), ("b.toml", elsewhere.as_bytes())]).is_ok());
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (absent, wrong) = (folder.path().join("absent.toml"), folder.path().join("a.toml"));
    std::fs::write(&wrong, RIGHT.replace("\"kabkota\"", "\"kabkot\"")).unwrap();
    let error = PolicySet::load(&[absent, wrong]).unwrap_err();
    let found: Vec<_> = error.diagnostics().iter().map(|one| (one.is_unread(), one.line_column())).collect();
    assert_eq!(found, [(true, None), (false, Some((21, 9)))]);
    let nothing = PolicySet::load(&[]).unwrap_err();
    assert_eq!(nothing.to_string(), "1 problem in the policy files, the first: .: no policy file was named");
}

#[test]
fn a_problem_shows_its_line_but_never_a_long_number() {
    let wrong = RIGHT.replace(
        "alamat = \"drop\"",
        "alamat = { action = \"fixed\", text = \"9901014512900003\" }\nnama = \"mask\"",
    );
    let error = load(&[("saksi.toml", wrong.as_bytes())]).unwrap_err();
    let folder = format!("{}/", error.diagnostics()[0].path().parent().unwrap().display());
    let shown = error.render(false).replace(&folder, "");
    insta::assert_snapshot!(shown, @r#"
    error: the fixed text holds 16 digits in a row, which no copy may show
    --> saksi.toml:25:37
     = help: write a short word such as `"-"`

    error: field `nama` is ordered twice
      --> saksi.toml:26:1
       |
    26 | nama = "mask"
       | ^^^^
       |
       = note: first at line 23, as `keep`
       = help: keep one of the two; the stricter is the safer
    "#);
    assert!(!shown.contains("45129"));
    assert!(error.render(true).contains('\u{1b}'));
}

#[test]
fn deep_nesting_is_a_problem_and_not_a_crash() {
    let cases = [
        ("arrays", "a = ".to_owned() + &"[".repeat(200_000)),
        ("tables", "a = ".to_owned() + &"{a=".repeat(200_000)),
        ("dotted keys", "a".to_owned() + &".a".repeat(200_000) + " = 1"),
        ("dotted headers", "[a".to_owned() + &".a".repeat(200_000) + "]"),
    ];
    for (name, text) in cases {
        assert!(load(&[("a.toml", text.as_bytes())]).is_err(), "{name}");
    }
}

#[test]
fn the_digest_follows_every_byte_and_name_and_not_where_files_lie() {
    let right = RIGHT.as_bytes();
    let other = RIGHT.replace("contoh", "lain").replace("/dpt/", "/lain/");
    let spaced = format!("{RIGHT} ");
    let digest = |files: &[(&str, &[u8])]| load(files).unwrap().digest();
    let renamed = other.replace("lain\"", "lainnya\"");
    assert_ne!(renamed, other);
    let base = digest(&[("a.toml", right), ("b.toml", other.as_bytes())]);
    assert_eq!(base, digest(&[("b.toml", other.as_bytes()), ("a.toml", right)]), "the order of writing");
    assert_eq!(base, digest(&[("a.toml", other.as_bytes()), ("c.toml", right)]), "the files' names");
    for (name, files) in [
        ("a blank", [("a.toml", spaced.as_bytes()), ("b.toml", other.as_bytes())]),
        ("a name", [("a.toml", right), ("b.toml", renamed.as_bytes())]),
    ] {
        assert_ne!(base, digest(&files), "{name}");
    }
    assert_ne!(base, digest(&[("a.toml", right)]), "a file less");

    let folder = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = ["b.toml", "a.toml"].iter().map(|name| folder.path().join(name)).collect();
    std::fs::write(&paths[0], &other).unwrap();
    std::fs::write(&paths[1], RIGHT).unwrap();
    assert_eq!(base, PolicySet::load(&paths).unwrap().digest(), "the order of naming");
    let single = load(&[("a.toml", right)]).unwrap();
    assert_eq!(single.policies().next().unwrap().digest(), crate::domain::Digest::of(right));
}

/// Any change of a shipped rule has to be made here too, where it is seen.
#[test]
fn the_shipped_policies_give_what_is_written_here() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let set = PolicySet::load(&[folder]).unwrap_or_else(|error| panic!("{}", error.render(false)));
    let mut golden = String::new();
    for policy in set.policies() {
        let (of, valid) = (policy.determination(), policy.validity());
        writeln!(golden, "{} {} {} {}", policy.name(), of.election, of.stage, of.version).unwrap();
        writeln!(golden, "  {}..={}", valid.from, valid.until).unwrap();
        for route in policy.routes() {
            let parameters: Vec<&str> = route.parameters().iter().map(|(name, _)| name.as_str()).collect();
            writeln!(
                golden,
                "  {} {:?} {:?} {:?} by {} {parameters:?}",
                route.template(),
                route.methods(),
                route.format(),
                route.media_types(),
                route.row_area()
            )
            .unwrap();
        }
        let roles = policy.roles();
        let mut names: Vec<&FieldPath> =
            roles.iter().flat_map(|role| &role.fields).map(|rule| &rule.path).collect();
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(*name));
        let mut row = |head: &str, cells: Vec<String>| {
            let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:<24}")).collect();
            writeln!(golden, "  {head:<16}{}", cells.concat().trim_end()).unwrap();
        };
        row("", roles.iter().map(|role| format!("{} {}", role.role, role.level)).collect());
        for name in names {
            let cell = |role: &RoleRule| match role.fields.iter().find(|rule| rule.path == *name) {
                None => "-".to_owned(),
                Some(rule) if rule.emit_as.is_none() => rule.action.to_string(),
                Some(rule) => format!("{} {}", rule.emitted(), rule.action),
            };
            row(&name.to_string(), roles.iter().map(cell).collect());
        }
    }
    insta::assert_snapshot!(golden, @r#"
    dpt-2018 pemilu-2019 dpt 1
      2018-09-01..=2029-12-31
      /2018/dpt/{wilayah}.csv [Get] Of(Csv { delimiter: 44, formulas: Neutralise }) ["text/csv", "application/csv", "text/plain"] by kode_tps []
      /2018/dpt/{wilayah}.ndjson [Get] Of(Ndjson) ["application/x-ndjson", "application/ndjson", "application/jsonl"] by kode_tps []
      /2018/dpt/{wilayah}.json [Get] Of(Json(Array)) ["application/json"] by kode_tps []
                      partai kabkota          partai kecamatan
      nkk             mask(12,0)              mask(12,0)
      nik             mask(12,0)              mask(12,0)
      nama            keep                    keep
      tempat_lahir    keep                    keep
      tanggal_lahir   keep                    keep
      status_kawin    keep                    keep
      jenis_kelamin   keep                    keep
      alamat          keep                    keep
      rt              keep                    keep
      rw              keep                    keep
      disabilitas     drop                    drop
      status_ktp_el   keep                    keep
      keterangan      keep                    keep
      kecamatan       keep                    keep
      kelurahan       keep                    keep
      tps             keep                    keep
    dpt-2024 pemilu-2024 dpt 1
      2023-06-21..=2029-12-31
      /dpt/{wilayah}.csv [Get] Of(Csv { delimiter: 44, formulas: Neutralise }) ["text/csv", "application/csv", "text/plain"] by kode_tps ["tps"]
      /dpt/{wilayah}.ndjson [Get] Of(Ndjson) ["application/x-ndjson", "application/ndjson", "application/jsonl"] by kode_tps ["tps"]
      /dpt/{wilayah}.json [Get] Of(Json(Array)) ["application/json"] by kode_tps ["tps"]
      /dpt-envelope/{wilayah}.json [Get] Of(Json(Envelope { field: FieldName("data"), keep: [FieldName("jumlah")] })) ["application/json"] by kode_tps []
                      partai kabkota          partai kecamatan        bawaslu kabkota
      nik             mask(6,0)               drop                    -
      nama            keep                    keep                    keep
      jenis_kelamin   keep                    keep                    keep
      tanggal_lahir   usia age(2024-02-14)    usia age(2024-02-14)    usia age(2024-02-14)
      kecamatan       keep                    -                       -
      kelurahan       keep                    keep                    -
      tps             keep                    keep                    -
      nkk             drop                    drop                    -
      alamat          drop                    drop                    keep
      disabilitas     drop                    drop                    -
      rt              -                       keep                    keep
      rw              -                       keep                    keep
      keterangan      -                       -                       keep
    "#);
}

#[test]
fn the_examples_of_the_manual_are_right_and_its_tables_whole() {
    let manual = include_str!("../../docs/policy.md");
    let examples: Vec<&str> =
        manual.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [whole, route, role, nested, ganda, sweep, quota, token] = examples[..] else {
        panic!("eight examples, not {}", examples.len())
    };
    let all = format!("{whole}\n{route}\n{role}\n{nested}\n{ganda}\n{sweep}\n{quota}\n{token}");
    assert_eq!(problems(load(&[("a.toml", all.as_bytes())])), [""; 0]);
    let rules: Vec<&str> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .filter(|(rule, _)| rule.contains(" = "))
        .map(|(rule, _)| rule)
        .collect();
    assert_eq!(rules.len(), 14, "{rules:?}");
    for rule in rules {
        let policy = RIGHT.replace("nik = { action = \"mask\", first = 6 }\nalamat = \"drop\"", rule);
        let policy =
            if rule.starts_with("nama") { policy.replacen("nama = \"keep\"\n", "", 1) } else { policy };
        assert_eq!(problems(load(&[("a.toml", policy.as_bytes())])), [""; 0], "{rule}");
    }
    // The codes of `decide` stand in its own file as the only words after `=> "`.
    let codes: Vec<&str> = include_str!("decide.rs")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split_once(" => \"")?.1.strip_suffix("\","))
        .collect();
    assert_eq!(codes.len(), 11);
    for code in codes {
        assert!(manual.contains(&format!("`{code}`")), "{code}");
    }
}
