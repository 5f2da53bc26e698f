//! What a requester keeps of a release: the entries that opened and closed it, each with a proof that it is in
//! the ledger, in the format C2SP `tlog-proof@v1`, in one JSON document.
//!
//! Made from the store on a connection of its own, so that proofs never wait for the writer nor it for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::checkpoint::Checkpoint;
use super::entry::Entry;
use super::proof::{self, Tiles};
use super::tree::Hash;
use crate::domain::ReleaseId;
use crate::store::{Filter, Reader, StoreError, StoredEntry};

/// Entries of one type that are shown of a release.
const ENTRIES_MAX: u64 = 64;
/// What is shown: grants are many, and the completion says more than the last of them.
const KINDS: [&str; 4] = ["release.intent", "release.complete", "release.reconciled", "release.ack"];
/// Handovers read at a time.
const PAGE: u64 = 256;
/// What the document calls itself.
const FORMAT: &str = "salinan-receipt@v1";
/// Largest receipt that is read: four types of entries at their longest are below it.
pub const RECEIPT_BYTES_MAX: usize = 32 << 20;
const PROOF_HEAD: &str = "c2sp.org/tlog-proof@v1";

/// The entries of one release and their proofs under one checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    format: String,
    pub release: ReleaseId,
    /// The verifier key that signed the checkpoint, for convenience.
    pub vkey: String,
    /// The signed note, verbatim.
    pub checkpoint: String,
    pub entries: Vec<Proven>,
    /// All handovers from one key to the next up to the checkpoint, so that who knows an earlier key comes to this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handovers: Vec<Proven>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proven {
    pub index: u64,
    /// The exact text of the entry.
    pub leaf: String,
    /// `tlog-proof@v1`, checkpoint included.
    pub proof: String,
}

/// Why a file is not a receipt at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReceiptError {
    #[error("it is not a receipt's JSON (line {line}, column {column})")]
    Json { line: usize, column: usize },
    #[error("its `format` is not `{FORMAT}`, the one this program knows")]
    Format,
    #[error("it is longer than {RECEIPT_BYTES_MAX} bytes")]
    TooLong,
}

impl Receipt {
    /// Reads the document; what it claims is not checked.
    pub fn read(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong);
        }
        let receipt: Self = serde_json::from_slice(bytes)
            .map_err(|error| ReceiptError::Json { line: error.line(), column: error.column() })?;
        if receipt.format == FORMAT { Ok(receipt) } else { Err(ReceiptError::Format) }
    }

    /// The document, with its line ends.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// The receipt of a release as the ledger stands; `None` when it names no entry. It is under the checkpoint that
/// witnesses signed where that covers all of it, and else under the newest one.
pub(super) fn of(
    reader: &mut (impl Reader + ?Sized),
    release: ReleaseId,
    vkey: &str,
    cosigned: Option<String>,
) -> Result<Option<Receipt>, StoreError> {
    let head = reader.head()?;
    let mut found = Vec::new();
    for kind in KINDS {
        let kind = Some(kind.to_owned());
        let filter = Filter { kind, release: Some(*release.as_bytes()), ..Filter::default() };
        found.extend(reader.find(&filter, 0, ENTRIES_MAX)?);
    }
    found.sort_by_key(|entry| entry.index);
    let covers = |size: u64| found.last().is_none_or(|last| last.index < size);
    let cosigned = cosigned.and_then(|note| Some((Checkpoint::stated_size(&note).ok()?, note)));
    let cosigned = cosigned.filter(|(size, _)| *size <= head.size && covers(*size));
    let (size, checkpoint) = cosigned.unwrap_or((head.size, head.checkpoint));
    let handovers = handovers(reader)?;
    // What was handed over later was still in the hands of the key that it names first.
    let later = handovers.iter().find(|entry| entry.index >= size);
    let later = later.and_then(|entry| match Entry::read(&entry.leaf) {
        Ok((_, Entry::Rotate(rotation))) => Some(rotation.old_vkey),
        _ => None,
    });
    let vkey = later.unwrap_or_else(|| vkey.to_owned());
    let mut tiles = Tiles::of(reader);
    let mut prove = |entries: Vec<StoredEntry>| -> Result<Vec<Proven>, StoreError> {
        // What came after the head that was read is not under its checkpoint.
        let covered = entries.into_iter().filter(|entry| entry.index < size);
        covered.map(|entry| Proven::of(entry, &mut tiles, size, &checkpoint)).collect()
    };
    let (entries, handovers) = (prove(found)?, prove(handovers)?);
    let format = FORMAT.to_owned();
    Ok((!entries.is_empty()).then_some(Receipt { format, release, vkey, checkpoint, entries, handovers }))
}

/// Every one of them: a receipt without the first holds only with the latest keys, and an operator makes each by hand.
fn handovers(reader: &mut (impl Reader + ?Sized)) -> Result<Vec<StoredEntry>, StoreError> {
    let filter = Filter { kind: Some("key.rotate".to_owned()), ..Filter::default() };
    let mut found: Vec<StoredEntry> = Vec::new();
    loop {
        let page = reader.find(&filter, found.last().map_or(0, |last| last.index + 1), PAGE)?;
        let is_end = (page.len() as u64) < PAGE;
        found.extend(page);
        if is_end {
            return Ok(found);
        }
    }
}

impl Proven {
    fn of(
        entry: StoredEntry,
        tiles: &mut Tiles<'_, impl Reader + ?Sized>,
        size: u64,
        checkpoint: &str,
    ) -> Result<Self, StoreError> {
        let path = proof::inclusion(tiles, entry.index, size)?;
        let proof = Proof { index: entry.index, path, checkpoint: checkpoint.to_owned() }.write();
        let leaf = String::from_utf8(entry.leaf).map_err(|_| StoreError::Format)?;
        Ok(Self { index: entry.index, leaf, proof })
    }
}

/// A `tlog-proof@v1` as read: nothing in it is checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof {
    pub index: u64,
    pub path: Vec<Hash>,
    /// The signed note, verbatim.
    pub checkpoint: String,
}

impl Proof {
    fn write(&self) -> String {
        let mut text = format!("{PROOF_HEAD}\nindex {}\n", self.index);
        for hash in &self.path {
            STANDARD.encode_string(hash, &mut text);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// `None`: it is not of that form. An `extra` line is passed over, since nothing vouches for it.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.split('\n').peekable();
        if lines.next()? != PROOF_HEAD {
            return None;
        }
        lines.next_if(|line| line.starts_with("extra "));
        let number = lines.next()?.strip_prefix("index ")?;
        let index: u64 = number.parse().ok()?;
        let hash = |line: &str| STANDARD.decode(line).ok()?.try_into().ok();
        let path: Vec<Hash> = lines.map(hash).collect::<Option<_>>()?;
        let is_plain = index.to_string() == number && path.len() <= proof::PATH_HASHES_MAX;
        is_plain.then(|| Self { index, path, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_reads_back_as_it_was_written_and_in_no_other_form() {
        let proof =
            Proof { index: 7, path: vec![[1; 32], [2; 32]], checkpoint: "a\n8\nx\n\n— a b\n".to_owned() };
        let text = proof.write();
        let with = |from: &str, to: &str| text.replacen(from, to, 1);
        let cases = [
            ("as written", text.clone(), true),
            ("with something extra", with("index", "extra aGFpDQo=\nindex"), true),
            ("another version", with("@v1", "@v2"), false),
            ("a padded index", with("index 7", "index 07"), false),
            ("no index", with("index 7\n", ""), false),
            ("a hash too short", with("AQEB", "AQ"), false),
            ("no checkpoint", with("\n\n", "\n"), false),
            (
                "too many hashes",
                with("index 7\n", &format!("index 7\n{}", format!("{}=\n", "A".repeat(43)).repeat(64))),
                false,
            ),
        ];
        for (name, text, reads) in cases {
            assert_eq!(Proof::read(&text), reads.then(|| proof.clone()), "{name}");
        }
    }

    #[test]
    fn a_receipt_reads_back_and_what_is_none_is_told_with_its_place() {
        let receipt = Receipt {
            format: FORMAT.to_owned(),
            release: ReleaseId::new(1, [1; 10]),
            vkey: "a+b+c".to_owned(),
            checkpoint: "a\n8\nx\n\n— a b\n".to_owned(),
            entries: vec![Proven { index: 1, leaf: "{\"v\":1}".to_owned(), proof: "p".to_owned() }],
            handovers: Vec::new(),
        };
        let text = String::from_utf8(receipt.write()).unwrap();
        assert_eq!(Receipt::read(text.as_bytes()), Ok(receipt));
        let cases = [
            ("another format", text.replace("@v1", "@v2"), ReceiptError::Format),
            ("nothing", String::new(), ReceiptError::Json { line: 1, column: 0 }),
            (
                "a key nobody knows",
                text.replace("\"vkey\"", "\"vkeys\""),
                ReceiptError::Json { line: 4, column: 9 },
            ),
        ];
        for (name, text, expected) in cases {
            assert_eq!(Receipt::read(text.as_bytes()), Err(expected), "{name}");
        }
    }
}
