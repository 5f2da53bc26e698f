//! The keys that tokens are verified with, from a JWKS file (RFC 7517).
//!
//! ```json
//! {"keys": [{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "2026-a", "x": "..", "y": ".."}]}
//! ```
//!
//! A key belongs to one algorithm, named in the file: ES256, `EdDSA` (Ed25519) or RS256 with 2048 to
//! 8192 bits.
//! The file is the administrator's and public; a private or symmetric key in it is an error, since then a
//! secret lies where it must not. Members this module does not know are passed over, as the RFC orders.

use std::fmt;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};
use thiserror::Error;

use super::error::IdentityError;
use super::kept::{ReadError, read_file};
use super::strict_json;

/// Longest key file, in bytes, most keys in it, and longest `kid`.
const FILE_BYTES_MAX: u64 = 256 * 1_024;
const KEYS_MAX: usize = 64;
pub(super) const KID_BYTES_MAX: usize = 128;
const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 8_192;
/// 65537, the exponent in use everywhere; small ones have a history of forgeries.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
/// Members of private and symmetric keys (RFC 7518, section 6).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Es256,
    EdDsa,
    Rs256,
}

impl Algorithm {
    pub const ALL: [Self; 3] = [Self::Es256, Self::EdDsa, Self::Rs256];

    /// The name in `alg`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

#[derive(Debug, Error)]
pub enum KeyError {
    #[error("could not read {}", path.display())]
    Read { path: PathBuf, source: ReadError },
    #[error("the key file is longer than {FILE_BYTES_MAX} bytes")]
    Length,
    #[error("the key file is not a JSON object whose members are each given once")]
    Json { source: serde_json::Error },
    #[error("the key file has no list `keys` of 1 to {KEYS_MAX} keys, one of them for signatures")]
    Keys,
    #[error("key {position} of the key file")]
    Key { position: usize, source: KeyProblem },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyProblem {
    #[error("is not an object")]
    Object,
    #[error("has `{member}`, which only a private or symmetric key has; publish the public part alone")]
    Private { member: &'static str },
    #[error("is symmetric; only public keys can be used")]
    Symmetric,
    #[error("lacks `{member}`, or has it in another form than text")]
    Member { member: &'static str },
    #[error("has a `kid` that is not 1 to {KID_BYTES_MAX} printable ASCII characters")]
    Kid,
    #[error("has the `kid` of key {first}")]
    KidTwice { first: usize },
    #[error("has an `alg` other than ES256, EdDSA or RS256")]
    Algorithm,
    #[error("has a `kty` or `crv` that does not belong to its `alg`")]
    Kind,
    #[error("is meant for something else than signatures, by `use` or `key_ops`")]
    Use,
    #[error("has a `{member}` that is not base64url of the right length")]
    Encoding { member: &'static str },
    #[error("has a modulus of {bits} bits, outside {RSA_BITS_MIN} to {RSA_BITS_MAX}")]
    Modulus { bits: usize },
    #[error("has an RSA exponent other than 65537 (`AQAB`)")]
    Exponent,
    #[error("is not a point or modulus that can be used")]
    Unusable,
}

struct Key {
    kid: String,
    algorithm: Algorithm,
    public: DecodingKey,
}

/// Public keys by their `kid`. Made only by reading a key file.
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let text = read_file(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })?;
        Self::read(&text)
    }

    pub fn read(text: &[u8]) -> Result<Self, KeyError> {
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(KeyError::Length);
        }
        let file = strict_json::object(text).map_err(|source| KeyError::Json { source })?;
        let entries = file.get("keys").and_then(Value::as_array).ok_or(KeyError::Keys)?;
        if entries.is_empty() || entries.len() > KEYS_MAX {
            return Err(KeyError::Keys);
        }
        let mut keys: Vec<(usize, Key)> = Vec::with_capacity(entries.len());
        for (at, entry) in entries.iter().enumerate() {
            let wrong = |source| KeyError::Key { position: at + 1, source };
            let key = match read_key(entry) {
                // Providers list keys for encryption beside the others.
                Err(KeyProblem::Use) => continue,
                read => read.map_err(wrong)?,
            };
            if let Some((first, _)) = keys.iter().find(|(_, known)| known.kid == key.kid) {
                return Err(wrong(KeyProblem::KidTwice { first: *first }));
            }
            keys.push((at + 1, key));
        }
        if keys.is_empty() {
            return Err(KeyError::Keys);
        }
        Ok(Self { keys: keys.into_iter().map(|(_, key)| key).collect() })
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The algorithm of the key of that name.
    pub fn algorithm(&self, kid: &str) -> Option<Algorithm> {
        self.find(kid).map(|key| key.algorithm)
    }

    /// Whether the key of that name signed the message by its own algorithm. Nothing of the claims is looked at here.
    pub(super) fn check(&self, kid: &str, message: &str, signature: &str) -> Result<(), IdentityError> {
        let key = self.find(kid).ok_or(IdentityError::UnknownKey)?;
        let algorithm = key.algorithm.of_library();
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.public, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(IdentityError::Signature),
        }
    }

    fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.kid == kid)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (&key.kid, key.algorithm))).finish()
    }
}

fn read_key(entry: &Value) -> Result<Key, KeyProblem> {
    let members = entry.as_object().ok_or(KeyProblem::Object)?;
    let key_type = text(members, "kty")?;
    if key_type == "oct" {
        return Err(KeyProblem::Symmetric);
    }
    if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| members.contains_key(*member)) {
        return Err(KeyProblem::Private { member });
    }
    let kid = text(members, "kid")?;
    if !is_kid(kid) {
        return Err(KeyProblem::Kid);
    }
    if !is_for_signatures(members) {
        return Err(KeyProblem::Use);
    }
    let alg = text(members, "alg")?;
    let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == alg);
    let algorithm = algorithm.ok_or(KeyProblem::Algorithm)?;
    let public = match (algorithm, key_type) {
        (Algorithm::Es256, "EC") if text(members, "crv")? == "P-256" => read_point(members),
        (Algorithm::EdDsa, "OKP") if text(members, "crv")? == "Ed25519" => {
            ParsedPublicKey::new(&ED25519, fixed::<32>(members, "x")?).map_err(|_| KeyProblem::Unusable)?;
            DecodingKey::from_ed_components(text(members, "x")?).map_err(|_| KeyProblem::Unusable)
        }
        (Algorithm::Rs256, "RSA") => read_modulus(members),
        (Algorithm::Es256 | Algorithm::EdDsa | Algorithm::Rs256, _) => Err(KeyProblem::Kind),
    }?;
    Ok(Key { kid: kid.to_owned(), algorithm, public })
}

/// The form of a `kid`, in the key file and in a token.
pub(super) fn is_kid(kid: &str) -> bool {
    (1..=KID_BYTES_MAX).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_for_signatures(members: &Map<String, Value>) -> bool {
    let by_use = members.get("use").is_none_or(|purpose| purpose == "sig");
    let by_operations = members.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|all| all.iter().any(|operation| operation == "verify"))
    });
    by_use && by_operations
}

/// The library takes any 64 bytes; whether they are a point of the curve is checked here.
fn read_point(members: &Map<String, Value>) -> Result<DecodingKey, KeyProblem> {
    let mut point = vec![4]; // uncompressed: 4, x, y
    point.extend_from_slice(&fixed::<32>(members, "x")?);
    point.extend_from_slice(&fixed::<32>(members, "y")?);
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| KeyProblem::Unusable)?;
    DecodingKey::from_ec_components(text(members, "x")?, text(members, "y")?)
        .map_err(|_| KeyProblem::Unusable)
}

fn read_modulus(members: &Map<String, Value>) -> Result<DecodingKey, KeyProblem> {
    let modulus = decoded(members, "n")?;
    let zeros = modulus.iter().take_while(|&&byte| byte == 0).count();
    let n = &modulus[zeros..];
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(KeyProblem::Modulus { bits });
    }
    if decoded(members, "e")? != RSA_EXPONENT {
        return Err(KeyProblem::Exponent);
    }
    RsaPublicKeyComponents { n, e: &RSA_EXPONENT[..] }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .map_err(|_| KeyProblem::Unusable)?;
    Ok(DecodingKey::from_rsa_raw_components(n, &RSA_EXPONENT))
}

fn text<'a>(members: &'a Map<String, Value>, member: &'static str) -> Result<&'a str, KeyProblem> {
    members.get(member).and_then(Value::as_str).ok_or(KeyProblem::Member { member })
}

fn decoded(members: &Map<String, Value>, member: &'static str) -> Result<Vec<u8>, KeyProblem> {
    URL_SAFE_NO_PAD.decode(text(members, member)?).map_err(|_| KeyProblem::Encoding { member })
}

fn fixed<const N: usize>(members: &Map<String, Value>, member: &'static str) -> Result<[u8; N], KeyProblem> {
    decoded(members, member)?.try_into().map_err(|_| KeyProblem::Encoding { member })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::issue::SigningKey;
    use super::*;

    fn made(algorithm: Algorithm) -> Value {
        SigningKey::generate(algorithm, Some("a")).unwrap().to_jwk()
    }

    #[test]
    fn a_key_is_public_and_belongs_to_one_algorithm() {
        let with = |key: &Value, member: &str, value: Value| {
            let mut key = key.clone();
            key[member] = value;
            key
        };
        let without = |key: &Value, member: &str| {
            let mut key = key.clone();
            key.as_object_mut().unwrap().remove(member);
            key
        };
        let [ec, ed, rsa] = Algorithm::ALL.map(made);
        let encoded = |bytes: &[u8]| json!(URL_SAFE_NO_PAD.encode(bytes));
        let member = |member| Err(KeyProblem::Member { member });
        let encoding = |member| Err(KeyProblem::Encoding { member });
        let mut off_curve = URL_SAFE_NO_PAD.decode(ec["y"].as_str().unwrap()).unwrap();
        off_curve[31] ^= 1;
        let modulus = URL_SAFE_NO_PAD.decode(rsa["n"].as_str().unwrap()).unwrap();
        let cases = [
            ("EC as made", ec.clone(), Ok(())),
            ("Ed25519 as made", ed.clone(), Ok(())),
            ("RSA as made", rsa.clone(), Ok(())),
            ("unknown members", with(&ec, "x5t", json!("AA")), Ok(())),
            ("key_ops verify", with(&ec, "key_ops", json!(["verify"])), Ok(())),
            ("key_ops encrypt", with(&ec, "key_ops", json!(["encrypt"])), Err(KeyProblem::Use)),
            ("use enc", with(&rsa, "use", json!("enc")), Err(KeyProblem::Use)),
            ("no use", without(&rsa, "use"), Ok(())),
            ("no kid", without(&ec, "kid"), member("kid")),
            ("kid is a number", with(&ec, "kid", json!(1)), member("kid")),
            ("kid is empty", with(&ec, "kid", json!("")), Err(KeyProblem::Kid)),
            ("kid has a blank", with(&ec, "kid", json!("a b")), Err(KeyProblem::Kid)),
            ("kid is long", with(&ec, "kid", json!("a".repeat(129))), Err(KeyProblem::Kid)),
            ("no alg", without(&ec, "alg"), member("alg")),
            ("alg none", with(&ec, "alg", json!("none")), Err(KeyProblem::Algorithm)),
            ("alg HS256", with(&ec, "alg", json!("HS256")), Err(KeyProblem::Algorithm)),
            ("alg PS256", with(&rsa, "alg", json!("PS256")), Err(KeyProblem::Algorithm)),
            ("EC for EdDSA", with(&ec, "alg", json!("EdDSA")), Err(KeyProblem::Kind)),
            ("RSA for ES256", with(&rsa, "alg", json!("ES256")), Err(KeyProblem::Kind)),
            ("P-384", with(&ec, "crv", json!("P-384")), Err(KeyProblem::Kind)),
            ("X25519", with(&ed, "crv", json!("X25519")), Err(KeyProblem::Kind)),
            (
                "oct",
                json!({ "kty": "oct", "k": "AAAA", "kid": "a", "alg": "HS256" }),
                Err(KeyProblem::Symmetric),
            ),
            ("private", with(&ec, "d", json!("AA")), Err(KeyProblem::Private { member: "d" })),
            ("a prime", with(&rsa, "p", json!("AA")), Err(KeyProblem::Private { member: "p" })),
            ("off the curve", with(&ec, "y", encoded(&off_curve)), Err(KeyProblem::Unusable)),
            ("short x", with(&ec, "x", encoded(&[1; 31])), encoding("x")),
            ("long x", with(&ed, "x", encoded(&[1; 33])), encoding("x")),
            ("padded x", with(&ec, "x", json!("AA==")), encoding("x")),
            ("2047 bits", with(&rsa, "n", encoded(&[0x7f; 256])), Err(KeyProblem::Modulus { bits: 2_047 })),
            (
                "a short modulus",
                with(&rsa, "n", encoded(&modulus[..128])),
                Err(KeyProblem::Modulus { bits: 1_024 }),
            ),
            ("a modulus of zeros", with(&rsa, "n", encoded(&[0; 384])), Err(KeyProblem::Modulus { bits: 0 })),
            ("exponent 1", with(&rsa, "e", json!("AQ")), Err(KeyProblem::Exponent)),
            ("not an object", json!("key"), Err(KeyProblem::Object)),
        ];
        for (name, key, expected) in cases {
            assert_eq!(read_key(&key).map(drop), expected, "{name}");
        }
    }

    #[test]
    fn a_key_file_names_the_place_of_what_is_wrong() {
        let key = made(Algorithm::EdDsa);
        let file = |keys: Vec<&Value>| json!({ "keys": keys }).to_string();
        let mut other = key.clone();
        other["kid"] = json!("b");
        let mut encryption = key.clone();
        encryption["use"] = json!("enc");
        let cases = [
            ("two keys", file(vec![&key, &other]), "yes"),
            (
                "the same name twice",
                file(vec![&key, &other, &key]),
                "key 3 of the key file: has the `kid` of key 1",
            ),
            ("a key for encryption beside", file(vec![&key, &encryption]), "yes"),
            (
                "a key for encryption alone",
                file(vec![&encryption]),
                "the key file has no list `keys` of 1 to 64 keys, one of them for signatures",
            ),
            (
                "no keys",
                file(vec![]),
                "the key file has no list `keys` of 1 to 64 keys, one of them for signatures",
            ),
            (
                "too many",
                file(vec![&key; 65]),
                "the key file has no list `keys` of 1 to 64 keys, one of them for signatures",
            ),
            (
                "no list",
                "{}".into(),
                "the key file has no list `keys` of 1 to 64 keys, one of them for signatures",
            ),
            (
                "a key alone",
                key.to_string(),
                "the key file has no list `keys` of 1 to 64 keys, one of them for signatures",
            ),
            (
                "a member twice",
                r#"{"keys":[],"keys":[]}"#.into(),
                "the key file is not a JSON object whose members are each given once: a member is given twice at line 1 column 21",
            ),
            ("too long", " ".repeat(262_145), "the key file is longer than 262144 bytes"),
        ];
        for (name, text, expected) in cases {
            let said = match KeySet::read(text.as_bytes()) {
                Ok(_) => "yes".to_owned(),
                Err(error) => match std::error::Error::source(&error) {
                    Some(cause) => format!("{error}: {cause}"),
                    None => error.to_string(),
                },
            };
            assert_eq!(said, expected, "{name}");
        }
    }
}
