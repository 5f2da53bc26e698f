//! The same work by other people's parsers. Each is written as its manual shows, with its memory used again from
//! record to record, and each really masks: `main` compares what comes out.
//!
//! None of them checks the area of a row, names that come twice or formulas, and jq does not sweep: what is left
//! out counts in their favour.

use std::fmt;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use csv::{ByteRecord, ReaderBuilder, WriterBuilder};
use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::Value;

const DROPPED: [&str; 4] = ["nkk", "alamat", "rt", "rw"];
const HIDDEN: &str = "**********";

/// `serde_json`: one `Value` a record, changed and written again. Both an array and lines of objects.
pub fn serde_json(body: &[u8], out: &mut dyn Write) {
    if body.first() == Some(&b'[') {
        let mut reader = serde_json::Deserializer::from_slice(body);
        reader.deserialize_seq(Records(out)).expect("an array of records");
        return;
    }
    for record in serde_json::Deserializer::from_slice(body).into_iter::<Value>() {
        write_record(record.expect("a record"), out);
    }
}

struct Records<'a>(&'a mut dyn Write);

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element::<Value>()? {
            write_record(record, self.0);
        }
        Ok(())
    }
}

fn write_record(mut record: Value, out: &mut dyn Write) {
    if let Some(members) = record.as_object_mut() {
        for name in DROPPED {
            members.remove(name);
        }
        for (name, value) in members.iter_mut() {
            let Value::String(text) = value else { continue };
            match name.as_str() {
                "nik" => mask(text),
                "tanggal_lahir" => text.truncate(4),
                _ => sweep(text),
            }
        }
    }
    serde_json::to_writer(&mut *out, &record).expect("the output takes all");
    out.write_all(b"\n").expect("the output takes all");
}

fn mask(text: &mut String) {
    if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.replace_range(6.., HIDDEN);
    } else {
        "****".clone_into(text);
    }
}

/// Only the cheap look: no text of these bodies holds a long number.
fn sweep(text: &str) {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    assert!(digits < 16, "these bodies hold no long number in a kept text");
}

/// The `csv` crate: one `ByteRecord`, read again and again, and its writer.
pub fn csv(body: &[u8], out: &mut dyn Write) {
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(body);
    let mut writer = WriterBuilder::new().from_writer(out);
    let mut record = ByteRecord::new();
    let mut names: Vec<String> = Vec::new();
    let mut masked = [b'*'; 16];
    while reader.read_byte_record(&mut record).expect("rows of cells") {
        let is_header = names.is_empty();
        if is_header {
            names.extend(record.iter().map(|name| String::from_utf8_lossy(name).into_owned()));
        }
        for (name, cell) in names.iter().zip(&record) {
            let shown = match name.as_str() {
                name if DROPPED.contains(&name) => continue,
                _ if is_header => cell,
                "nik" if cell.len() == 16 && cell.iter().all(u8::is_ascii_digit) => {
                    masked[..6].copy_from_slice(&cell[..6]);
                    &masked
                }
                "nik" => b"****",
                "tanggal_lahir" => &cell[..4],
                _ => {
                    let text = std::str::from_utf8(cell).expect("UTF-8");
                    sweep(text);
                    cell
                }
            };
            writer.write_field(shown).expect("the output takes all");
        }
        writer.write_record(None::<&[u8]>).expect("the output takes all");
    }
    writer.flush().expect("the output takes all");
}

/// What jq is asked for; no more than is needed to get these bodies right.
const FILTER: &str =
    r#"del(.nkk, .alamat, .rt, .rw) | .nik |= .[0:6] + "**********" | .tanggal_lahir |= .[0:4]"#;

/// jq over lines of objects; `None` where it is not installed.
pub fn jq(body: &[u8], out: &mut (dyn Write + Send)) -> Option<()> {
    let mut jq =
        Command::new("jq").args(["-c", FILTER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let (mut to, mut from) = (jq.stdin.take()?, jq.stdout.take()?);
    std::thread::scope(|scope| {
        scope.spawn(move || to.write_all(body).expect("jq reads all"));
        io::copy(&mut from, out).expect("jq writes");
    });
    assert!(jq.wait().expect("jq ends").success(), "jq failed");
    Some(())
}
