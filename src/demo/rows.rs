//! Rows of voters as bytes, in the four shapes a source may answer in.
//!
//! The writer is handed a list and a range of voter numbers and fills whatever buffer it is given, a chunk at a
//! time; it allocates once per TPS and never per voter. The length of a body is counted by the same code that
//! writes it, so the two cannot differ; for that it is one piece.

use std::ops::Range;

use bytes::BytesMut;

use super::person::{Voter, put_digits};
use super::voters::{PROVINSI_NAME, Roll, Station};

/// Names of the fields, in the order of every row.
pub const FIELDS: [&str; 20] = [
    "id",
    "nkk",
    "nik",
    "nama",
    "tempat_lahir",
    "tanggal_lahir",
    "status_kawin",
    "jenis_kelamin",
    "alamat",
    "rt",
    "rw",
    "disabilitas",
    "status_ktp_el",
    "keterangan",
    "provinsi",
    "kabupaten",
    "kecamatan",
    "kelurahan",
    "tps",
    "kode_tps",
];
/// What the envelope says the list is.
const DETERMINATION: &str = "pemilu-2024 dpt 1";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyShape {
    /// `[{..},{..}]`
    JsonArray,
    /// `{"jumlah":2,"determinasi":"..","data":[{..},{..}]}`
    JsonEnvelope,
    /// An object a line.
    Ndjson,
    /// A header line, then a voter a line.
    Csv,
}

impl BodyShape {
    pub const ALL: [Self; 4] = [Self::JsonArray, Self::JsonEnvelope, Self::Ndjson, Self::Csv];

    pub fn media_type(self) -> &'static str {
        match self {
            Self::JsonArray | Self::JsonEnvelope => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }
}

/// Where bytes go: a buffer, or a count of them.
trait Sink {
    fn put(&mut self, bytes: &[u8]);
    fn held(&self) -> u64;
}

impl Sink for BytesMut {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn held(&self) -> u64 {
        self.len() as u64
    }
}

struct Count(u64);

impl Sink for Count {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
    }

    fn held(&self) -> u64 {
        self.0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Rows { first: bool },
    End,
}

/// A body in the making.
pub struct RowWriter {
    roll: Roll,
    left: Range<u64>,
    shape: BodyShape,
    stage: Stage,
    /// The station of the row last written, and the end that all its rows have in common.
    station: Option<(Station, Vec<u8>)>,
}

impl RowWriter {
    /// The body of the voters of these numbers, as [`Roll::numbers_in`] gives them.
    pub fn new(roll: &Roll, numbers: Range<u64>, shape: BodyShape) -> Self {
        Self { roll: roll.clone(), left: numbers, shape, stage: Stage::Begin, station: None }
    }

    /// Adds whole rows to `out` until it holds `bytes` or the body has ended. Nothing is added after the end.
    pub fn fill(&mut self, out: &mut BytesMut, bytes: u64) {
        self.write(out, bytes);
    }

    /// Bytes that are still to come.
    pub fn count(mut self) -> u64 {
        let mut count = Count(0);
        self.write(&mut count, u64::MAX);
        count.0
    }

    fn write<S: Sink>(&mut self, out: &mut S, bytes: u64) {
        while out.held() < bytes {
            match self.stage {
                Stage::Begin => {
                    self.begin(out);
                    self.stage = Stage::Rows { first: true };
                }
                Stage::Rows { first } => {
                    let Some(number) = self.left.next() else {
                        self.end(out);
                        self.stage = Stage::End;
                        return;
                    };
                    if !first && matches!(self.shape, BodyShape::JsonArray | BodyShape::JsonEnvelope) {
                        out.put(b",\n");
                    }
                    self.row(number, out);
                    if matches!(self.shape, BodyShape::Ndjson | BodyShape::Csv) {
                        out.put(b"\n");
                    }
                    self.stage = Stage::Rows { first: false };
                }
                Stage::End => return,
            }
        }
    }

    fn begin<S: Sink>(&self, out: &mut S) {
        match self.shape {
            BodyShape::JsonArray => out.put(b"["),
            BodyShape::JsonEnvelope => {
                let count = self.left.end.saturating_sub(self.left.start);
                let text = format!("{{\"jumlah\":{count},\"determinasi\":\"{DETERMINATION}\",\"data\":[");
                out.put(text.as_bytes());
            }
            BodyShape::Ndjson => {}
            BodyShape::Csv => {
                out.put(FIELDS.join(",").as_bytes());
                out.put(b"\n");
            }
        }
    }

    fn end<S: Sink>(&self, out: &mut S) {
        match self.shape {
            BodyShape::JsonArray => out.put(b"]\n"),
            BodyShape::JsonEnvelope => out.put(b"]}\n"),
            BodyShape::Ndjson | BodyShape::Csv => {}
        }
    }

    fn row<S: Sink>(&mut self, number: u64, out: &mut S) {
        if !self.station.as_ref().is_some_and(|(station, _)| station.numbers.contains(&number)) {
            let is_csv = self.shape == BodyShape::Csv;
            let row_end = if is_csv { csv_row_end } else { json_row_end };
            self.station = self.roll.station(number).map(|station| {
                let end = row_end(&station).into_bytes();
                (station, end)
            });
        }
        let Some((station, row_end)) = &self.station else { return };
        let voter = Voter::new(self.roll.seed, number, station);
        match self.shape {
            BodyShape::JsonArray | BodyShape::JsonEnvelope | BodyShape::Ndjson => json_row(&voter, out),
            BodyShape::Csv => csv_row(&voter, out),
        }
        out.put(row_end);
    }
}

/// One voter alone, as in a body of that shape; `None` past the end of the list.
pub fn row(roll: &Roll, number: u64, shape: BodyShape) -> Option<Vec<u8>> {
    roll.station(number)?;
    let mut out = BytesMut::new();
    RowWriter::new(roll, number..number + 1, shape).row(number, &mut out);
    Some(out.to_vec())
}

fn json_row<S: Sink>(voter: &Voter, out: &mut S) {
    out.put(b"{\"id\":\"");
    put_number::<9, _>(voter.number + 1, out);
    out.put(b"\",\"nkk\":\"");
    out.put(&voter.nkk);
    out.put(b"\",\"nik\":\"");
    out.put(&voter.nik);
    out.put(b"\",\"nama\":\"");
    put_name(voter, out);
    out.put(b"\",\"tempat_lahir\":\"");
    out.put(voter.birthplace.as_bytes());
    out.put(b"\",\"tanggal_lahir\":\"");
    out.put(&voter.birth);
    out.put(b"\",\"status_kawin\":\"");
    out.put(&[voter.marital]);
    out.put(b"\",\"jenis_kelamin\":\"");
    out.put(&[voter.sex]);
    out.put(b"\",\"alamat\":\"");
    put_address(voter, out);
    out.put(b"\",\"rt\":\"");
    put_number::<3, _>(voter.rt, out);
    out.put(b"\",\"rw\":\"");
    put_number::<3, _>(voter.rw, out);
    out.put(b"\",\"disabilitas\":\"");
    out.put(&[voter.disability]);
    out.put(b"\",\"status_ktp_el\":\"");
    out.put(&[voter.ktp]);
    out.put(b"\",\"keterangan\":\"");
    out.put(voter.note.as_bytes());
}

fn json_row_end(station: &Station) -> String {
    let (tps, code) = station.tps_codes();
    format!(
        "\",\"provinsi\":\"{PROVINSI_NAME}\",\"kabupaten\":\"{}\",\"kecamatan\":\"{}\",\"kelurahan\":\"{}\",\"tps\":\"{tps}\",\
         \"kode_tps\":\"{code}\"}}",
        station.kabkota_name(),
        station.kecamatan_name(),
        station.kelurahan_name(),
    )
}

fn csv_row<S: Sink>(voter: &Voter, out: &mut S) {
    put_number::<9, _>(voter.number + 1, out);
    out.put(b",");
    out.put(&voter.nkk);
    out.put(b",");
    out.put(&voter.nik);
    out.put(b",");
    put_name(voter, out);
    out.put(b",");
    out.put(voter.birthplace.as_bytes());
    out.put(b",");
    out.put(&voter.birth);
    out.put(&[b',', voter.marital, b',', voter.sex, b',']);
    if voter.block.is_some() {
        out.put(b"\"");
        put_address(voter, out);
        out.put(b"\"");
    } else {
        put_address(voter, out);
    }
    out.put(b",");
    put_number::<3, _>(voter.rt, out);
    out.put(b",");
    put_number::<3, _>(voter.rw, out);
    out.put(&[b',', voter.disability, b',', voter.ktp, b',']);
    out.put(voter.note.as_bytes());
}

fn csv_row_end(station: &Station) -> String {
    let (tps, code) = station.tps_codes();
    format!(
        ",{PROVINSI_NAME},{},{},{},{tps},{code}",
        station.kabkota_name(),
        station.kecamatan_name(),
        station.kelurahan_name(),
    )
}

fn put_name<S: Sink>(voter: &Voter, out: &mut S) {
    let [first, others @ ..] = voter.name;
    out.put(first.as_bytes());
    for other in others {
        if !other.is_empty() {
            out.put(b" ");
            out.put(other.as_bytes());
        }
    }
}

/// `JL MELATI 12` or `JL MELATI 12, BLOK C`, whose comma must be quoted in CSV.
fn put_address<S: Sink>(voter: &Voter, out: &mut S) {
    out.put(voter.street.as_bytes());
    out.put(b" ");
    match voter.house {
        0..10 => put_number::<1, _>(voter.house, out),
        10..100 => put_number::<2, _>(voter.house, out),
        _ => put_number::<3, _>(voter.house, out),
    }
    if let Some(block) = voter.block {
        out.put(b", BLOK ");
        out.put(&[block]);
    }
}

fn put_number<const N: usize, S: Sink>(number: u64, out: &mut S) {
    let mut digits = [0; N];
    put_digits(&mut digits, number);
    out.put(&digits);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;
    use crate::domain::{Digest, Wilayah};

    fn body(roll: &Roll, area: &str, shape: BodyShape, chunk: u64) -> Vec<u8> {
        let area: Wilayah = area.parse().unwrap();
        let mut writer = RowWriter::new(roll, roll.numbers_in(&area), shape);
        let (mut whole, mut out) = (Vec::new(), BytesMut::new());
        loop {
            writer.fill(&mut out, chunk);
            if out.is_empty() {
                return whole;
            }
            whole.extend_from_slice(&out);
            out.clear();
        }
    }

    fn json_rows(text: &[u8]) -> Vec<Vec<(String, String)>> {
        let rows: Vec<serde_json::Map<String, Value>> = serde_json::from_slice(text).unwrap();
        let texts = |row: serde_json::Map<String, Value>| {
            FIELDS.iter().map(|name| ((*name).to_owned(), row[*name].as_str().unwrap().to_owned())).collect()
        };
        rows.into_iter().inspect(|row| assert_eq!(row.len(), FIELDS.len())).map(texts).collect()
    }

    #[test]
    fn the_standard_voter_comes_first_in_every_shape() {
        let roll = Roll::new(7, 3);
        let json = concat!(
            r#"{"id":"000000001","nkk":"9901010101010001","nik":"9901014512900003","nama":"SITI CONTOH","#,
            r#""tempat_lahir":"KOTA TENGAH","tanggal_lahir":"1990-12-05","status_kawin":"S","#,
            r#""jenis_kelamin":"P","alamat":"JL KENANGA 7","rt":"003","rw":"005","disabilitas":"0","#,
            r#""status_ktp_el":"S","keterangan":"","provinsi":"PROVINSI UJI","#,
            r#""kabupaten":"KABUPATEN UJI COBA","kecamatan":"KARANG MAJU","kelurahan":"SUKA MAJU","#,
            r#""tps":"001","kode_tps":"9901011001001"}"#
        );
        let csv = "000000001,9901010101010001,9901014512900003,SITI CONTOH,KOTA TENGAH,1990-12-05,S,P,\
                   JL KENANGA 7,003,005,0,S,,PROVINSI UJI,KABUPATEN UJI COBA,KARANG MAJU,SUKA MAJU,001,\
                   9901011001001";
        for shape in BodyShape::ALL {
            let expected = if shape == BodyShape::Csv { csv } else { json };
            assert_eq!(row(&roll, 0, shape).as_deref(), Some(expected.as_bytes()), "{shape:?}");
            let whole = String::from_utf8(body(&roll, "9901", shape, 1)).unwrap();
            assert!(whole.contains(expected), "{shape:?}");
        }
        assert_eq!(row(&roll, 1_003, BodyShape::Csv), None);
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_whatever_the_chunks() {
        let roll = Roll::new(1, 2_000);
        for shape in BodyShape::ALL {
            let whole = body(&roll, "9901", shape, u64::MAX);
            for chunk in [1, 1_000, 65_536] {
                assert_eq!(body(&Roll::new(1, 2_000), "9901", shape, chunk), whole, "{shape:?} by {chunk}");
            }
            assert_ne!(body(&Roll::new(2, 2_000), "9901", shape, 1_000), whole, "{shape:?} of another seed");
        }
        let digest = Digest::of(&body(&roll, "99", BodyShape::Csv, 65_536)).to_string();
        assert_eq!(digest, "c982fb922c4b697c9e3e710f683c3da182a0c7812976e8c88337f57668f2b67b");
    }

    #[test]
    fn all_shapes_hold_the_same_values_and_the_length_that_was_counted() {
        let roll = Roll::new(3, 3_000);
        for (area, voters) in
            [("99", 4_000), ("9901", 3_000), ("9902", 1_000), ("9901011002", 768), ("9903", 0)]
        {
            let wilayah: Wilayah = area.parse().unwrap();
            for shape in BodyShape::ALL {
                let counted = RowWriter::new(&roll, roll.numbers_in(&wilayah), shape).count();
                assert_eq!(body(&roll, area, shape, 65_536).len() as u64, counted, "{area} {shape:?}");
            }
            let rows = json_rows(&body(&roll, area, BodyShape::JsonArray, 65_536));
            assert_eq!(rows.len(), voters, "{area}");

            let envelope: Value =
                serde_json::from_slice(&body(&roll, area, BodyShape::JsonEnvelope, 65_536)).unwrap();
            assert_eq!(envelope["jumlah"], voters, "{area}");
            assert_eq!(json_rows(envelope["data"].to_string().as_bytes()), rows, "{area}");

            let lines = body(&roll, area, BodyShape::Ndjson, 65_536);
            let lines: Vec<&[u8]> = lines.split_inclusive(|&byte| byte == b'\n').collect();
            assert_eq!(
                json_rows(format!("[{}]", String::from_utf8(lines.join(&b","[..])).unwrap()).as_bytes()),
                rows
            );

            let csv = body(&roll, area, BodyShape::Csv, 65_536);
            let mut reader = csv::Reader::from_reader(&csv[..]);
            assert_eq!(reader.headers().unwrap(), &FIELDS[..]);
            let read = reader.records().map(|record| {
                let record = record.unwrap();
                let pairs = FIELDS.iter().zip(&record);
                pairs.map(|(name, value)| ((*name).to_owned(), value.to_owned())).collect::<Vec<_>>()
            });
            assert!(read.eq(rows), "{area}");
        }
    }

    #[test]
    fn numbers_are_made_up_agree_with_the_row_and_name_one_person() {
        let roll = Roll::new(5, 60_000);
        let (mut niks, mut families) = (HashSet::new(), HashSet::new());
        let mut quoted = 0;
        for area in ["9901", "9902"] {
            let wilayah: Wilayah = area.parse().unwrap();
            let csv = body(&roll, area, BodyShape::Csv, 65_536);
            let mut reader = csv::Reader::from_reader(&csv[..]);
            for (at, record) in reader.records().enumerate() {
                let record = record.unwrap();
                let value = |name: &str| &record[FIELDS.iter().position(|field| *field == name).unwrap()];
                let (nik, code) = (value("nik"), value("kode_tps"));
                assert!(wilayah.contains_tps(&code.parse().unwrap()));
                assert_eq!(code[10..], *value("tps"));
                assert_eq!(nik[..6], code[..6]);
                let born: jiff::civil::Date = value("tanggal_lahir").parse().unwrap();
                let day: i8 = nik[6..8].parse().unwrap();
                let is_woman = value("jenis_kelamin") == "P";
                assert_eq!(day, born.day() + if is_woman { 40 } else { 0 });
                assert_eq!(nik[8..12], format!("{:02}{:02}", born.month(), born.year() % 100));
                assert!(nik.len() == 16 && niks.insert(nik.to_owned()), "row {at}");
                let nkk = value("nkk");
                assert!(nkk.len() == 16 && nkk[..6] == code[..6], "row {at}");
                families.insert(nkk.to_owned());
                quoted += usize::from(value("alamat").contains(','));
            }
        }
        assert_eq!(niks.len(), 61_000);
        assert!((20_000..22_000).contains(&families.len()), "{}", families.len());
        assert!((1_000..5_000).contains(&quoted), "some addresses need quotes: {quoted}");
    }
}
