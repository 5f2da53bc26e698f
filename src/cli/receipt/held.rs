//! A copy on this machine: its digest, bytes and rows, read as a stream.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};

use crate::domain::Digest;
use crate::domain::digest::Hasher;

const CHUNK_BYTES: usize = 64 * 1_024;
/// Begins each text of `application/json-seq` (RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1E;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub bytes: u64,
    pub sha256: Digest,
    /// None where the form does not tell, or the text is not of its form.
    pub rows: Option<u64>,
}

/// Reads a file twice: for its digest, and for its rows by the form that the ledger names.
pub fn read(path: &Path, media_type: Option<&str>) -> io::Result<Held> {
    let (mut hasher, mut bytes) = (Hasher::default(), 0);
    chunks(path, |chunk| {
        hasher.update(chunk);
        bytes += chunk.len() as u64;
    })?;
    let kind = media_type.map(|text| text.split(';').next().unwrap_or_default().trim());
    let rows = match kind {
        Some("text/csv") => rows_of_cells(path, b',')?,
        Some("text/tab-separated-values") => rows_of_cells(path, b'\t')?,
        Some("application/x-ndjson") => Some(lines(path)?),
        Some("application/json-seq") => {
            let mut count = 0;
            chunks(path, |chunk| count += memchr::memchr_iter(RECORD_SEPARATOR, chunk).count() as u64)?;
            Some(count)
        }
        Some("application/json") => elements(path)?,
        _ => None,
    };
    Ok(Held { bytes, sha256: hasher.digest(), rows })
}

fn chunks(path: &Path, mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(()),
            read => each(&buffer[..read]),
        }
    }
}

/// Records after the head. `None`: it is not a table.
fn rows_of_cells(path: &Path, delimiter: u8) -> io::Result<Option<u64>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(File::open(path)?);
    let (mut record, mut rows) = (csv::ByteRecord::new(), 0);
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => rows += 1,
            Ok(false) => return Ok(Some(rows)),
            Err(error) if error.is_io_error() => return Err(error.into()),
            Err(_) => return Ok(None),
        }
    }
}

/// Lines that hold anything.
fn lines(path: &Path) -> io::Result<u64> {
    let (mut count, mut is_blank) = (0, true);
    chunks(path, |chunk| {
        for byte in chunk {
            match byte {
                b'\n' => {
                    count += u64::from(!is_blank);
                    is_blank = true;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => is_blank = false,
            }
        }
    })?;
    Ok(count + u64::from(!is_blank))
}

/// Elements of the array that the text is. Of an object the text alone does not say where its records stand.
fn elements(path: &Path) -> io::Result<Option<u64>> {
    struct Count;

    impl<'de> Visitor<'de> for Count {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<u64, A::Error> {
            let mut count = 0;
            while elements.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }

    let mut text = serde_json::Deserializer::from_reader(BufReader::new(File::open(path)?));
    let counted = text.deserialize_seq(Count).and_then(|count| text.end().map(|()| count));
    match counted {
        Err(error) if error.is_io() => Err(error.into()),
        counted => Ok(counted.ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_counted_in_every_form_that_tells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy");
        let cases = [
            ("text/csv; charset=utf-8; header=present", "a,b\n1,\"x\ny\"\n2,z\n", Some(2)),
            ("text/csv", "a,b\n", Some(0)),
            ("text/csv", "a,b\n1\n", None),
            ("text/tab-separated-values", "a\tb\n1\t2\n", Some(1)),
            ("application/x-ndjson", "{}\n{}\n{}", Some(3)),
            ("application/x-ndjson", "", Some(0)),
            ("application/json-seq", "\u{1E}{}\n\u{1E}{}\n", Some(2)),
            ("application/json", "[{\"a\":[1,2]},{}] ", Some(2)),
            ("application/json", "[]", Some(0)),
            ("application/json", "{\"data\":[1,2]}", None),
            ("application/json", "[1,", None),
            ("application/pdf", "x", None),
        ];
        for (media_type, text, rows) in cases {
            std::fs::write(&path, text).unwrap();
            let held = read(&path, Some(media_type)).unwrap();
            let expected = Held { bytes: text.len() as u64, sha256: Digest::of(text.as_bytes()), rows };
            assert_eq!(held, expected, "{media_type}: {text}");
        }
        assert_eq!(read(&path, None).unwrap().rows, None);
        assert!(read(&folder.path().join("missing"), None).is_err());
    }
}
