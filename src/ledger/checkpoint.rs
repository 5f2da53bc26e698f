//! Checkpoints: the signed size and root of the ledger, as C2SP `tlog-checkpoint` in a `signed-note`.
//!
//! ```text
//! ledger.example            origin: the signer's name
//! 3                         entries
//! GR5C...=                  base64 of the root
//!
//! — ledger.example aBcD...  base64 of key id and Ed25519 signature, over all before the empty line
//! ```

use base64::prelude::{BASE64_STANDARD, Engine as _};
use thiserror::Error;

use super::key::{Signer, Verifier};
use super::tree::Hash;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointError {
    #[error("the checkpoint is not of the form origin, size, root, empty line, signatures")]
    Shape,
    #[error("the checkpoint is of another ledger")]
    Origin,
    #[error("the checkpoint bears no signature of the ledger's key")]
    Unsigned,
    #[error("the checkpoint's signature is wrong")]
    Signature,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// Name, size and root, which are what is signed.
    pub(super) fn text(&self, origin: &str) -> String {
        format!("{origin}\n{}\n{}\n", self.size, BASE64_STANDARD.encode(self.root))
    }

    /// The signed note.
    pub fn sign(&self, signer: &Signer) -> String {
        self.sign_by(&[signer])
    }

    /// A note signed by each of these keys of one name.
    pub(super) fn sign_by(&self, signers: &[&Signer]) -> String {
        let text = self.text(signers.first().map(|signer| signer.name()).unwrap_or_default());
        let lines = signers.iter().map(|signer| signer.sign_line(&text) + "\n").collect::<String>();
        format!("{text}\n{lines}")
    }

    /// The size that a note states, whether or not it is signed.
    pub fn stated_size(note: &str) -> Result<u64, CheckpointError> {
        note.split('\n').nth(1).ok_or(CheckpointError::Shape).and_then(read_size)
    }

    /// Reads a signed note. One signature must be the verifier's; lines of others are passed over.
    pub fn open(note: &str, verifier: &Verifier) -> Result<Self, CheckpointError> {
        let (body, signatures) = note.split_once("\n\n").ok_or(CheckpointError::Shape)?;
        let text = &note[..=body.len()];
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Shape);
        };
        let checkpoint = Self { size: read_size(size)?, root: read_root(root)? };
        if origin != verifier.name() {
            return Err(CheckpointError::Origin);
        }
        let lines = signatures.strip_suffix('\n').ok_or(CheckpointError::Shape)?;
        let mut signed = false;
        for line in lines.split('\n') {
            match verifier.check_line(text, line) {
                Some(true) => signed = true,
                Some(false) => return Err(CheckpointError::Signature),
                None if line.starts_with("— ") => {}
                None => return Err(CheckpointError::Shape),
            }
        }
        if signed { Ok(checkpoint) } else { Err(CheckpointError::Unsigned) }
    }
}

/// Decimal digits without leading zeros.
fn read_size(text: &str) -> Result<u64, CheckpointError> {
    let size: u64 = text.parse().map_err(|_| CheckpointError::Shape)?;
    if size.to_string() == text { Ok(size) } else { Err(CheckpointError::Shape) }
}

fn read_root(text: &str) -> Result<Hash, CheckpointError> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| CheckpointError::Shape)?;
    bytes.try_into().map_err(|_| CheckpointError::Shape)
}

#[cfg(test)]
mod tests {
    use super::super::tree::empty_root;
    use super::*;

    #[test]
    fn a_checkpoint_opens_as_it_was_signed_and_not_when_anything_differs() {
        let directory = tempfile::tempdir().unwrap();
        let signer = Signer::generate(&directory.path().join("a.pem"), "ledger.example").unwrap();
        let other = Signer::generate(&directory.path().join("b.pem"), "ledger.example").unwrap();
        let note = Checkpoint { size: 12, root: empty_root() }.sign(&signer);
        let stranger = "— witness.example AAAAAAAA\n";
        let cases = [
            ("as signed", note.clone(), Ok(12)),
            ("with a stranger's line", format!("{note}{stranger}"), Ok(12)),
            ("another size", note.replace("\n12\n", "\n13\n"), Err(CheckpointError::Signature)),
            ("a padded size", note.replace("\n12\n", "\n012\n"), Err(CheckpointError::Shape)),
            ("another origin", note.replacen("ledger", "ladder", 1), Err(CheckpointError::Origin)),
            ("no line end", note.trim_end().to_owned(), Err(CheckpointError::Shape)),
            (
                "another key",
                Checkpoint { size: 12, root: empty_root() }.sign(&other),
                Err(CheckpointError::Unsigned),
            ),
            ("nothing", String::new(), Err(CheckpointError::Shape)),
        ];
        for (name, note, expected) in cases {
            let opened = Checkpoint::open(&note, &signer.verifier()).map(|checkpoint| checkpoint.size);
            assert_eq!(opened, expected, "{name}");
        }
    }

    #[test]
    fn notes_signed_by_go_are_accepted() {
        // The example of golang.org/x/mod/sumdb/note has a text of another kind, so only its line is checked.
        let verifier: Verifier =
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
        let text = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n";
        let line = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
        assert_eq!(verifier.check_line(text, line), Some(true));
        assert_eq!(verifier.check_line("another text\n", line), Some(false));
    }
}
