//! The made-up voters and the policy that all tests share.
//!
//! Role `partai`: NIK and NKK are hidden whole, the address is dropped, a birth date becomes its year, and what
//! is not named stays behind.

use std::fmt::Write;

use salinan::ledger::FieldCount;

pub const NIK: &str = "9901014512900003";
pub const NKK: &str = "9901010101010001";
pub const STREET: &str = "KENANGA";
/// A polling station inside the area that is asked for, and one outside it.
pub const INSIDE: &str = "9901011001001";
pub const OUTSIDE: &str = "9902011001001";

pub const POLICY: &str = r#"
[policy]
name = "fixture"
dataset = "dpt"
election = "pemilu-2024"
stage = "dpt"
version = "1"
valid_from = 2023-06-21
valid_until = 2099-12-31
legal_basis = "UU 7/2017 Pasal 208 ayat (5)"
approved_by = "KPU Kabupaten Contoh"

[[route]]
path = "/dpt/{wilayah}.csv"
methods = ["GET"]
format = "csv"
media_types = ["text/csv", "application/csv"]
row_area = "kode_tps"
codings = ["zstd", "gzip", "br"]
[route.parameters]
tps = "tps"
halaman = "number"

[[route]]
path = "/dpt/{wilayah}.ndjson"
methods = ["GET", "HEAD"]
format = "ndjson"
media_types = ["application/x-ndjson"]
row_area = "kode_tps"
codings = ["zstd", "gzip", "br"]

[[route]]
path = "/dpt/{wilayah}.json"
methods = ["GET"]
format = "json"
records = "array"
media_types = ["application/json"]
row_area = "kode_tps"
codings = ["zstd", "gzip", "br"]

[[route]]
path = "/dpt-envelope/{wilayah}.json"
methods = ["GET"]
format = "json"
records = { envelope = "data", keep = ["jumlah"] }
media_types = ["application/json"]
row_area = "kode_tps"
codings = ["zstd", "gzip", "br"]

[[route]]
path = "/daftar"
wilayah_parameter = "wilayah"
methods = ["GET"]
format = "csv"
media_types = ["text/csv"]
row_area = "kode_tps"

[[route]]
path = "/dpt-tabel/{wilayah}"
methods = ["GET", "HEAD"]
format = "csv"
media_types = ["text/csv", "text/tab-separated-values"]
row_area = "kode_tps"

[[role]]
role = "partai"
level = "kabkota"
[role.fields]
nama = "keep"
nik = "mask"
nkk = "mask"
tanggal_lahir = "year"
alamat = "drop"

[[role]]
role = "bawaslu"
level = "kabkota"
[role.fields]
nama = "keep"
tanggal_lahir = "year"

[[role]]
role = "peneliti"
level = "kabkota"
[role.fields]
nama = "keep"
nik = "token"
kode_tps = "keep"
"#;

/// The forms in which the fixture's source answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Csv,
    Ndjson,
    Json,
    Envelope,
}

impl Form {
    pub const ALL: [Self; 4] = [Self::Csv, Self::Ndjson, Self::Json, Self::Envelope];

    pub fn path(self) -> &'static str {
        match self {
            Self::Csv => "/dpt/9901.csv",
            Self::Ndjson => "/dpt/9901.ndjson",
            Self::Json => "/dpt/9901.json",
            Self::Envelope => "/dpt-envelope/9901.json",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
            Self::Json | Self::Envelope => "application/json",
        }
    }

    pub fn head(self) -> &'static str {
        match self {
            Self::Csv => "id,nkk,nik,nama,tanggal_lahir,alamat,kode_tps\n",
            Self::Ndjson => "",
            Self::Json => "[",
            Self::Envelope => r#"{"jumlah":3,"penyusun":"JL KENANGA","data":["#,
        }
    }

    /// One voter, with what parts it from the one before.
    pub fn row(self, name: &str, station: &str, is_first: bool) -> String {
        let object = format!(
            r#"{{"id":1,"nkk":"{NKK}","nik":"{NIK}","nama":"{name}","tanggal_lahir":"1990-12-05","alamat":"JL {STREET} 7","kode_tps":"{station}"}}"#
        );
        match self {
            Self::Csv => format!("1,{NKK},{NIK},{name},1990-12-05,JL {STREET} 7,{station}\n"),
            Self::Ndjson => format!("{object}\n"),
            Self::Json | Self::Envelope if is_first => object,
            Self::Json | Self::Envelope => format!(",{object}"),
        }
    }

    pub fn tail(self) -> &'static str {
        match self {
            Self::Csv | Self::Ndjson => "",
            Self::Json => "]",
            Self::Envelope => "]}",
        }
    }

    /// So many voters, named `WARGA 0`, `WARGA 1` and so on, without the tail.
    pub fn begun(self, rows: usize) -> String {
        let mut body = self.head().to_owned();
        for number in 0..rows {
            let _ = write!(body, "{}", self.row(&format!("WARGA {number}"), INSIDE, number == 0));
        }
        body
    }

    pub fn whole(self, rows: usize) -> String {
        format!("{}{}", self.begun(rows), self.tail())
    }

    /// What must leave for [`Form::whole`].
    pub fn released(self, rows: usize) -> String {
        let object = |number: usize| {
            format!(
                r#"{{"nkk":"****************","nik":"****************","nama":"WARGA {number}","tanggal_lahir":"1990"}}"#
            )
        };
        let objects = (0..rows).map(object).collect::<Vec<_>>();
        match self {
            Self::Csv => {
                let row = |number| format!("****************,****************,WARGA {number},1990\n");
                format!("nkk,nik,nama,tanggal_lahir\n{}", (0..rows).map(row).collect::<String>())
            }
            Self::Ndjson => objects.iter().flat_map(|object| [object.as_str(), "\n"]).collect(),
            Self::Json => format!("[{}]", objects.join(",")),
            Self::Envelope => format!(r#"{{"jumlah":3,"data":[{}]}}"#, objects.join(",")),
        }
    }

    /// What has left when [`Form::begun`] has been handed over and nothing after it.
    pub fn released_begun(self, rows: usize) -> String {
        self.released(rows).trim_end_matches(['}', ']']).to_owned() + if self.is_json() { "}" } else { "" }
    }

    fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Envelope)
    }
}

/// What the ledger counts of the fields of so many voters, in the order of the policy.
pub fn changed(rows: u64) -> Vec<(String, FieldCount)> {
    let count = FieldCount { changed: rows, ..FieldCount::default() };
    ["nik", "nkk", "tanggal_lahir"].map(|name| (name.to_owned(), count)).to_vec()
}
