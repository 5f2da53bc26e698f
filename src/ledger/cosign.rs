//! Cosignatures of witnesses, C2SP `tlog-cosignature`, version 1 with Ed25519: a signature line under a checkpoint whose
//! bytes are a key id, a time in seconds since 1970 (eight bytes, big-endian), and the signature over
//!
//! ```text
//! cosignature/v1
//! time 1718935200
//! ledger.example            the checkpoint's text
//! 3
//! GR5C...=
//! ```
//!
//! Its verifier key is like a ledger's with 4 in place of 1: `name+key id+base64(0x04 || public key)`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::key::{KeyError, Signer, key_id, read_vkey, write_vkey};

/// The signature type of Ed25519 cosignatures in a signed note.
const ALGORITHM: u8 = 4;

/// Verifies a witness's cosignatures; read from a vkey, printed as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigner {
    name: Arc<str>,
    public: [u8; 32],
    key_id: [u8; 4],
}

impl Cosigner {
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key itself: two witnesses of one key are one witness, whatever they are called.
    pub fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// When this witness signed the text, if the line is its cosignature. A line that is its own by name and key id but
    /// does not verify is none.
    fn time_of(&self, text: &str, line: &str) -> Option<u64> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        if name != &*self.name {
            return None;
        }
        let bytes = BASE64_STANDARD.decode(signature).ok()?;
        let (time, signature) = bytes.strip_prefix(&self.key_id)?.split_first_chunk()?;
        let time_s = u64::from_be_bytes(*time);
        let message = message(text, time_s);
        let is_good =
            UnparsedPublicKey::new(&ED25519, self.public).verify(message.as_bytes(), signature).is_ok();
        // Times beyond are not allowed, and no clock shows them.
        (is_good && i64::try_from(time_s).is_ok()).then_some(time_s)
    }

    /// This witness's line among those of a signed note, and when it signed.
    pub fn find<'n>(&self, note: &'n str) -> Option<(&'n str, u64)> {
        let (body, lines) = note.split_once("\n\n")?;
        let text = &note[..=body.len()];
        lines.lines().find_map(|line| Some((line, self.time_of(text, line)?)))
    }
}

fn message(text: &str, time_s: u64) -> String {
    format!("cosignature/v1\ntime {time_s}\n{text}")
}

impl FromStr for Cosigner {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, public, key_id) = read_vkey(text, ALGORITHM)?;
        Ok(Self { name, public, key_id })
    }
}

impl fmt::Display for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_vkey(f, &self.name, self.key_id, ALGORITHM, &self.public)
    }
}

impl Signer {
    /// The public half of this key as a witness's. A key that cosigns must sign nothing else.
    pub fn cosigner(&self) -> Cosigner {
        let public = self.public();
        Cosigner { name: self.name().into(), public, key_id: key_id(self.name(), ALGORITHM, &public) }
    }

    /// The cosignature of a checkpoint's text, with its line end.
    pub fn cosign(&self, text: &str, time_s: u64) -> String {
        let mut bytes = self.cosigner().key_id.to_vec();
        bytes.extend_from_slice(&time_s.to_be_bytes());
        bytes.extend_from_slice(&self.sign(message(text, time_s).as_bytes()));
        format!("— {} {}\n", self.name(), BASE64_STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosignature_is_found_under_its_text_alone() {
        let directory = tempfile::tempdir().unwrap();
        let key = |name: &str| Signer::generate(&directory.path().join(name), "witness.example/w1").unwrap();
        let (own, other) = (key("a.pem"), key("b.pem"));
        let text = "ledger.example\n3\nGR5C\n";
        let line = own.cosign(text, 1_718_935_200);
        let note = format!("{text}\n— ledger.example AAAA\n{line}");
        let witness: Cosigner = own.cosigner().to_string().parse().unwrap();
        assert_eq!(witness, own.cosigner());
        assert_eq!(witness.find(&note), Some((line.trim_end(), 1_718_935_200)));
        let cases = [
            ("another size", note.replacen("\n3\n", "\n4\n", 1)),
            ("another name", note.replace("example/w1", "example/w2")),
            ("another's", note.replace(line.trim_end(), other.cosign(text, 1_718_935_200).trim_end())),
            ("another time", {
                let mut bytes = BASE64_STANDARD.decode(line.trim_end().rsplit(' ').next().unwrap()).unwrap();
                bytes[11] ^= 1;
                format!("{text}\n— witness.example/w1 {}\n", BASE64_STANDARD.encode(bytes))
            }),
            ("a ledger's own signature", format!("{text}\n{}\n", own.sign_line(text))),
            ("no signature", text.to_owned()),
        ];
        for (name, note) in cases {
            assert_eq!(witness.find(&note), None, "{name}");
        }
        assert_eq!(
            other.verifier().to_string().parse::<Cosigner>().err().map(|_| ()),
            Some(()),
            "a ledger's key"
        );
    }
}
