//! Cuts of real copies are traced back to them: whatever rows, columns, order and format a cut has, the copy it was taken
//! from is never excluded and never behind another.

use std::collections::BTreeSet;
use std::convert::Infallible;

use jiff::civil::Date;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::random::next_u64;
use crate::domain::{
    Action, CopyKey, Dataset, Determination, Digest, FieldRule, Format, KodeGanda, Level, Mask, MaskPlan,
    Outside, Party, Records, ReleaseId, RowArea, Stage, Sweep, Wilayah,
};
use crate::ledger::{Account, Completion, Coverage, End, How, Intent, Outcome};
use crate::redact::{Coding, Limits, Redacted, Redactor};

const CUTS: usize = 600;

struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(next_u64(&mut self.0) % end as u64).unwrap()
    }

    fn chance(&mut self, in_ten: usize) -> bool {
        self.below(10) < in_ten
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

/// Made-up people of an area, in clear, as the source has them.
fn people(area: &str, dice: &mut Dice) -> Vec<Value> {
    const NAMES: [&str; 5] = ["SITI CONTOH", "BUDI UJI", "ÉLISE, A", "RAHMAT \"UJI\"", "=DEWI"];
    let count = 8 + dice.below(20);
    (0..count)
        .map(|at| {
            let tps = format!("{}{:03}", format!("{area}010110011001").get(..10).unwrap(), 1 + at % 3);
            let day = 1 + dice.below(28);
            let year = 1950 + dice.below(55);
            json!({
                "nik": format!("{area:0<6.6}{day:02}05{:02}{:04}", year % 100, 1 + dice.below(9_000)),
                "nkk": format!("990101{day:02}0510{:04}", 1 + dice.below(9_000)),
                "nama": NAMES[dice.below(NAMES.len())],
                "tanggal_lahir": format!("{year}-05-{day:02}"),
                "jenis_kelamin": if dice.chance(5) { "L" } else { "P" },
                "alamat": format!("JL UJI {}", dice.below(90)),
                "rt": format!("{:03}", dice.below(9)),
                "kode_tps": tps,
            })
        })
        .collect()
}

fn plan(kind: usize, within: Wilayah) -> MaskPlan {
    let rule = |path: &str, action: Action| FieldRule { path: path.parse().unwrap(), action, emit_as: None };
    let named = |path: &str, action: Action, name: &str| FieldRule {
        emit_as: Some(name.parse().unwrap()),
        ..rule(path, action)
    };
    let mask = |first| Action::Mask(Mask { first, last: 0 });
    let at = Date::constant(2024, 2, 14);
    let fields = match kind {
        0 => vec![
            rule("nik", mask(6)),
            rule("nama", Action::Keep),
            named("tanggal_lahir", Action::Year, "tahun_lahir"),
            rule("kode_tps", Action::Keep),
        ],
        1 => vec![
            rule("nik", mask(12)),
            rule("nkk", mask(12)),
            rule("nama", Action::Keep),
            rule("alamat", Action::Keep),
            rule("rt", Action::Keep),
            rule("kode_tps", Action::Keep),
        ],
        2 => vec![
            rule("nik", Action::Token),
            named("nama", Action::Letters { first: 1 }, "inisial"),
            named("tanggal_lahir", Action::AgeBand { at, width: 10 }, "kelompok_usia"),
            rule("kode_tps", Action::Area { level: Level::Desa }),
        ],
        3 => vec![
            named("nik", Action::Fpe, "nik_semu"),
            rule("nama", Action::Keep),
            rule("jenis_kelamin", Action::Keep),
            named("tanggal_lahir", Action::Age { at }, "usia"),
        ],
        _ => vec![
            rule("nama", Action::Keep),
            rule("jenis_kelamin", Action::Keep),
            rule("rt", Action::Fixed("-".to_owned())),
            rule("kode_tps", Action::Keep),
        ],
    };
    MaskPlan {
        format: Format::Json(Records::Array),
        fields,
        row_area: RowArea { field: "kode_tps".parse().unwrap(), within, outside: Outside::Abort },
        kode_ganda: (kind == 1).then(|| KodeGanda { of: "nik".parse().unwrap() }),
        sweep: Sweep::default(),
    }
}

/// As `policy` tells it to the ledger.
fn told(plan: &MaskPlan) -> Vec<(String, String)> {
    let fields = plan.fields.iter().map(|rule| match &rule.emit_as {
        Some(_) => (rule.emitted().to_string(), format!("{} of {}", rule.action, rule.path)),
        None => (rule.path.to_string(), rule.action.to_string()),
    });
    let ganda = plan.kode_ganda.iter().map(|ganda| (KodeGanda::NAME.to_owned(), ganda.to_string()));
    fields.chain(ganda).collect()
}

/// In earnest the key is made from the master key.
fn key_of(release: &ReleaseId) -> CopyKey {
    CopyKey::new(Digest::of(release.as_bytes()).0)
}

struct Copy {
    account: Account,
    body: Vec<u8>,
    source: Vec<Value>,
    is_keyed: bool,
}

/// Makes the copy with the real redactor.
fn release(index: u64, kind: usize, area: &str, source: &[Value], party: u16) -> Copy {
    let id = ReleaseId::new(1_718_935_200_000 + index, [u8::try_from(index).unwrap(); 10]);
    let plan = plan(kind, area.parse().unwrap());
    let mut redactor = Redactor::new(&plan, Coding::Identity, &key_of(&id), Limits::default());
    let mut out = Redacted::new();
    redactor.push(Value::from(source.to_vec()).to_string().as_bytes(), &mut out).unwrap();
    redactor.finish(&mut out).unwrap();
    let body = out.as_slice().to_vec();
    let codes: BTreeSet<_> =
        source.iter().map(|row| row["kode_tps"].as_str().unwrap().parse().unwrap()).collect();
    let completion = Completion {
        outcome: Outcome::Complete,
        cause: None,
        status: 200,
        rows_in: source.len() as u64,
        rows_out: source.len() as u64,
        rows_withheld: 0,
        swept: 0,
        bytes: body.len() as u64,
        body_sha256: Digest::of(&body),
        first_byte_ms: None,
        last_byte_ms: None,
        unreadable: 0,
        near_misses: 0,
        fields: Vec::new(),
        media_type: None,
        coding: None,
        coded_bytes: None,
        tps: index.is_multiple_of(2).then(|| Coverage::of(&codes, 0)),
    };
    let intent = Intent {
        release: id,
        requester: format!("saksi-{party}"),
        client_id: "partai".to_owned(),
        token_id: "t".to_owned(),
        role: "partai".parse().unwrap(),
        level: Level::Kabkota,
        party: Some(Party { election: "pemilu-2024".to_owned(), number: party }),
        mandate: None,
        wilayah: area.parse().unwrap(),
        route: "/dpt/{wilayah}.json".to_owned(),
        parameters: Vec::new(),
        determination: Determination {
            dataset: Dataset::Dpt,
            election: "pemilu-2024".to_owned(),
            stage: Stage::Dpt,
            version: "1".to_owned(),
        },
        fields: told(&plan),
        legal_basis: String::new(),
        policy: format!("policy-{kind}"),
        policy_digest: Digest::of(b""),
        ask_digest: [0; 32],
        media_type: None,
        ceiling_bytes: None,
        quota: None,
    };
    let account = Account {
        index,
        opened_ms: 1_718_935_200_000 + index,
        intent,
        end: Some(End { index: index + 1_000, ts_ms: 0, how: How::Complete(Box::new(completion)) }),
        grant: None,
        ack: None,
    };
    Copy { account, body, source: source.to_vec(), is_keyed: (1..=3).contains(&kind) }
}

/// Two parties' copies of every kind for two kabupaten and two kecamatan of the first.
fn copies(dice: &mut Dice) -> Vec<Copy> {
    let mut first = people("990101", dice);
    let second = people("990102", dice);
    let parts = [("990101", first.clone()), ("990102", second.clone())];
    first.extend(second);
    let areas = [("9901", first), ("9902", people("990201", dice))].into_iter().chain(parts);
    let mut copies = Vec::new();
    for (area, source) in areas {
        for kind in 0..5 {
            for party in [7, 8] {
                copies.push(release(copies.len() as u64, kind, area, &source, party));
            }
        }
    }
    copies
}

/// Some rows and columns of a copy in some order and format; the columns, and the rows by their places in the copy.
fn cut(copy: &Copy, dice: &mut Dice) -> (Vec<u8>, Vec<String>, Vec<usize>) {
    let records: Vec<Map<String, Value>> = serde_json::from_slice(&copy.body).unwrap();
    let mut rows: Vec<usize> = (0..records.len()).collect();
    dice.shuffle(&mut rows);
    rows.truncate(1 + dice.below(records.len()));
    let mut columns: Vec<String> = records[0].keys().cloned().collect();
    dice.shuffle(&mut columns);
    columns.truncate(1 + dice.below(columns.len()));
    let cell = |row: usize, name: &str| {
        records[row].get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let objects = || {
        rows.iter().map(|row| {
            let members = columns.iter().map(|name| (name.clone(), Value::from(cell(*row, name))));
            Value::Object(members.collect())
        })
    };
    let separated = |delimiter: u8| {
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(columns.iter().map(|name| name.to_uppercase())).unwrap();
        for row in &rows {
            writer.write_record(columns.iter().map(|name| cell(*row, name))).unwrap();
        }
        writer.into_inner().unwrap()
    };
    let text = match dice.below(6) {
        0 => separated(b','),
        1 => separated(b';'),
        2 => separated(b'\t'),
        3 => objects().collect::<Value>().to_string().into_bytes(),
        4 => objects().map(|object| format!("{object}\n")).collect::<String>().into_bytes(),
        _ => json!({ "total": rows.len(), "data": objects().collect::<Value>() }).to_string().into_bytes(),
    };
    (text, columns, rows)
}

fn judge(copies: &[Copy], file: &[u8], source: Option<&Table>, with_keys: bool) -> Report {
    let mut trace = Trace::default();
    for copy in copies {
        trace.add(copy.account.index, &copy.account.intent);
    }
    let table = Table::read(file, None).unwrap();
    let keys: &Keys<'_> = &key_of;
    let case =
        Case { digest: Digest::of(file), table: Some(&table), source, keys: with_keys.then_some(keys) };
    let account = |index: u64| Ok::<_, Infallible>(copies[usize::try_from(index).unwrap()].account.clone());
    trace.judge(&case, account).unwrap()
}

fn source_table(rows: &[Value]) -> Table {
    Table::read(Value::from(rows.to_vec()).to_string().as_bytes(), None).unwrap()
}

#[test]
fn a_cut_of_a_copy_is_traced_to_it_or_to_those_that_nothing_tells_from_it() {
    let seed = 20_240_214;
    let mut dice = Dice(seed);
    let copies = copies(&mut dice);
    let (mut alone, mut shared, mut by_code, mut reasons) = (0, 0, 0, BTreeSet::new());
    for number in 0..CUTS {
        let copy = &copies[dice.below(copies.len())];
        let (file, columns, rows) = cut(copy, &mut dice);
        let with_source = dice.chance(5);
        let source = with_source.then(|| source_table(&copy.source));
        let report = judge(&copies, &file, source.as_ref(), with_source || dice.chance(5));
        let context = format!("cut {number} of seed {seed}: {columns:?} of {} rows", rows.len());
        let first = report.first();
        let own = first.iter().find(|finding| finding.account.index == copy.account.index);
        let own = own.unwrap_or_else(|| panic!("{context}: the copy is not among the first"));
        assert_eq!(own.rows, rows.len() as u64, "{context}: every row can have come from it");
        let has = |name: &str| columns.iter().any(|own| own == name);
        let is_token = has("nik") && own.account.intent.policy == "policy-2";
        if with_source && (has("kode_ganda") || has("nik_semu") || is_token) {
            assert!(own.strength.is_proof() && first.len() == 1, "{context}: {:?}", own.strength);
            by_code += 1;
        }
        match first {
            [_] => alone += 1,
            several => {
                assert!(
                    several.iter().all(|other| other.strength == own.strength && other.rows == own.rows),
                    "{context}"
                );
                shared += 1;
            }
        }
        reasons.extend(report.reasons().into_keys().map(|why| match why {
            Excluded::Column(_, misfit) => format!("{misfit:?}"),
            why => format!("{why:?}"),
        }));
    }
    // The test has teeth: both kinds of answers come, and releases are excluded for each reason that a cut can give.
    assert!(alone > 100 && shared > 100 && by_code > 50, "{alone} alone, {shared} shared, {by_code} by code");
    assert_eq!(
        reasons.into_iter().collect::<Vec<_>>(),
        ["Area", "NotGiven", "Other", "OtherCopy", "TooMuch"]
    );
}

#[test]
fn a_whole_copy_is_known_by_its_digest_whatever_else_fits() {
    let mut dice = Dice(7);
    let copies = copies(&mut dice);
    for copy in &copies {
        let report = judge(&copies, &copy.body, None, false);
        // Two parties were given the same bytes, unless a key of their own was in them.
        let first = report.first();
        assert_eq!(first.len(), if copy.is_keyed { 1 } else { 2 });
        assert!(first.iter().any(|own| own.account.index == copy.account.index));
        assert!(first.iter().all(|own| own.strength == Strength::Whole && own.has_all_fields));
    }
}

#[test]
fn few_hidden_digits_prove_a_copy_without_a_source() {
    let mut dice = Dice(8);
    let copies = copies(&mut dice);
    let copy = copies.iter().find(|copy| copy.account.intent.policy == "policy-1").unwrap();
    let records: Vec<Map<String, Value>> = serde_json::from_slice(&copy.body).unwrap();
    let line = |record: &Map<String, Value>| {
        format!("{},{}\n", record["nik"].as_str().unwrap(), record["kode_ganda"].as_str().unwrap())
    };
    let file = format!("nik,kode_ganda\n{}", records.iter().take(1).map(line).collect::<String>());
    let report = judge(&copies, file.as_bytes(), None, true);
    let [own] = report.first() else { panic!("one copy has these codes") };
    assert_eq!((own.account.index, own.strength), (copy.account.index, Strength::Codes { made: 1, of: 1 }));
    let without = judge(&copies, file.as_bytes(), None, false);
    assert!(without.first().len() > 1 && without.lacks_keys);
}

#[test]
fn what_a_release_never_held_excludes_it() {
    let mut dice = Dice(9);
    let copies = copies(&mut dice);
    let excluded = |file: &str, why: fn(&Excluded) -> bool| {
        let report = judge(&copies, file.as_bytes(), None, false);
        assert!(
            report.findings.is_empty() && report.excluded.iter().all(|(_, own)| why(own)),
            "{file}: {report:?}"
        );
    };
    // A number in full, an area of nobody's copy, and a disability that nobody was given beside a name that all were.
    excluded("nik\n9901014512900003\n", |why| matches!(why, Excluded::Column(0, _)));
    excluded("nama,kode_tps\nSITI,9955011001001\n", |why| {
        matches!(why, Excluded::Area | Excluded::Column(..))
    });
    excluded("warna\nbiru\n", |why| *why == Excluded::NotWhole);
    // Half of the rows are of another kabupaten: then the one explains half, and the whole nobody.
    let mixed = judge(&copies, b"nama,kode_tps\nSITI,9901010101001\nBUDI,9902010101001\n", None, false);
    assert!(mixed.findings.iter().all(|finding| finding.strength == Strength::Partial && finding.rows == 1));
    assert!(!mixed.findings.is_empty());
}
