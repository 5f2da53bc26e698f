//! The key that signs checkpoints (Ed25519), and the key others verify them with, in the form of C2SP
//! `signed-note`: a vkey is `name+hex(key id)+base64(0x01 || public key)`.
//!
//! The signer's name is the ledger's origin. The key file is PKCS#8 in PEM; only its owner may read it.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use thiserror::Error;

use crate::domain::Digest;

/// Longest name of a ledger, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// The signature type of Ed25519 in a signed note.
const ALGORITHM_ED25519: u8 = 1;

#[derive(Debug, Error)]
pub enum KeyError {
    #[error("a ledger's name has 1 to {NAME_BYTES_MAX} bytes, without blanks, control characters or `+`")]
    Name,
    #[error("could not read the key file")]
    Read(#[source] io::Error),
    #[error("the key file holds no PKCS#8 key in PEM")]
    Pem,
    #[error("the key is not an Ed25519 key")]
    Kind,
    #[error("could not generate a key")]
    Generate,
    #[error("could not write the key file")]
    Write(#[source] io::Error),
    #[error("a verifier key is `name+8 hex digits+base64`, and these digits must fit the rest")]
    Vkey,
}

/// Signs checkpoints. Cheap to clone.
#[derive(Clone)]
pub struct Signer {
    name: Arc<str>,
    pair: Arc<Ed25519KeyPair>,
    key_id: [u8; 4],
}

impl Signer {
    /// The key in a PEM file, under this name.
    pub fn load(path: &Path, name: &str) -> Result<Self, KeyError> {
        let pem = std::fs::read(path).map_err(KeyError::Read)?;
        let der = PrivatePkcs8KeyDer::from_pem_slice(&pem).map_err(|_| KeyError::Pem)?;
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map_err(|_| KeyError::Kind)?;
        Self::new(name, pair)
    }

    /// A new key, written to a file that must not exist yet and that only its owner may read.
    pub fn generate(path: &Path, name: &str) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
        let signer = Self::new(name, pair)?;
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let pem = pem::encode_config(&pem::Pem::new("PRIVATE KEY", der.as_ref()), lines);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(KeyError::Write)?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(KeyError::Write)?;
        Ok(signer)
    }

    fn new(name: &str, pair: Ed25519KeyPair) -> Result<Self, KeyError> {
        check_name(name)?;
        let key_id = key_id(name, ALGORITHM_ED25519, pair.public_key().as_ref());
        Ok(Self { name: name.into(), pair: Arc::new(pair), key_id })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half, for everybody who wants to check this ledger.
    pub fn vkey(&self) -> String {
        self.verifier().to_string()
    }

    pub fn verifier(&self) -> Verifier {
        Verifier { name: self.name.clone(), public: self.public(), key_id: self.key_id }
    }

    pub(super) fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        public.copy_from_slice(self.pair.public_key().as_ref());
        public
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    /// The signature line of a note, without its line end.
    pub(super) fn sign_line(&self, text: &str) -> String {
        let mut bytes = self.key_id.to_vec();
        bytes.extend_from_slice(&self.sign(text.as_bytes()));
        format!("— {} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} ..)", self.name)
    }
}

/// Verifies checkpoints; read from a vkey, printed as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: Arc<str>,
    public: [u8; 32],
    key_id: [u8; 4],
}

impl Verifier {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn public(&self) -> &[u8; 32] {
        &self.public
    }

    /// Whether this line, without its line end, is this key's signature of the text. `None`: it is of another
    /// key or kind, and says nothing.
    pub(super) fn check_line(&self, text: &str, line: &str) -> Option<bool> {
        let (name, signature) = line.strip_prefix("— ")?.split_once(' ')?;
        if name != &*self.name {
            return None;
        }
        let bytes = BASE64_STANDARD.decode(signature).ok()?;
        let signature = bytes.strip_prefix(&self.key_id)?;
        Some(UnparsedPublicKey::new(&ED25519, self.public).verify(text.as_bytes(), signature).is_ok())
    }
}

impl FromStr for Verifier {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, public, key_id) = read_vkey(text, ALGORITHM_ED25519)?;
        Ok(Self { name, public, key_id })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_vkey(f, &self.name, self.key_id, ALGORITHM_ED25519, &self.public)
    }
}

/// Name, public key and key id of a verifier key whose signatures are of this type.
pub(super) fn read_vkey(text: &str, algorithm: u8) -> Result<(Arc<str>, [u8; 32], [u8; 4]), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Vkey);
    };
    check_name(name)?;
    let key = BASE64_STANDARD.decode(key).map_err(|_| KeyError::Vkey)?;
    let public: [u8; 32] = match key.split_first() {
        Some((own, public)) if *own == algorithm => public.try_into().map_err(|_| KeyError::Vkey)?,
        _ => return Err(KeyError::Vkey),
    };
    let key_id = key_id(name, algorithm, &public);
    if id.len() != 8 || u32::from_str_radix(id, 16).ok() != Some(u32::from_be_bytes(key_id)) {
        return Err(KeyError::Vkey);
    }
    Ok((name.into(), public, key_id))
}

pub(super) fn write_vkey(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    key_id: [u8; 4],
    algorithm: u8,
    public: &[u8; 32],
) -> fmt::Result {
    let mut key = vec![algorithm];
    key.extend_from_slice(public);
    write!(f, "{name}+{:08x}+{}", u32::from_be_bytes(key_id), BASE64_STANDARD.encode(key))
}

/// A name stands in lines and between `+`, so it holds neither.
fn check_name(name: &str) -> Result<(), KeyError> {
    let plain = name.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '+');
    if plain && (1..=NAME_BYTES_MAX).contains(&name.len()) { Ok(()) } else { Err(KeyError::Name) }
}

pub(super) fn key_id(name: &str, algorithm: u8, public: &[u8]) -> [u8; 4] {
    let mut bytes = name.as_bytes().to_vec();
    bytes.extend_from_slice(&[b'\n', algorithm]);
    bytes.extend_from_slice(public);
    let [a, b, c, d, ..] = Digest::of(&bytes).0;
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_file_is_its_owners_alone_and_loads_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let made = Signer::generate(&path, "ledger.example").unwrap();
        let loaded = Signer::load(&path, "ledger.example").unwrap();
        assert_eq!(made.vkey(), loaded.vkey());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Signer::generate(&path, "ledger.example"), Err(KeyError::Write(_))));
        assert!(matches!(Signer::load(&path, "two words"), Err(KeyError::Name)));
    }

    #[test]
    fn vkeys_read_back_only_when_the_key_id_fits() {
        // The example key of Go's golang.org/x/mod/sumdb/note.
        let known = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let cases = [
            (known.to_owned(), true),
            (known.replace("c74f20a3", "c74f20a4"), false),
            (known.replace("Peter", "Pieter"), false),
            (known.replace("ARpc", "BRpc"), false),
            (known.replace("c74f20a3", "+c74f20"), false),
            ("PeterNeumann".to_owned(), false),
        ];
        for (text, good) in cases {
            let read = text.parse::<Verifier>();
            assert_eq!(read.as_ref().ok().map(ToString::to_string), good.then(|| text.clone()), "{text}");
        }
    }
}
