//! A verifier of receipts that shares nothing with the program: written from RFC 9162 (sections 2.1.1 and 2.1.3.2)
//! and the C2SP formats `signed-note`, `tlog-checkpoint` and `tlog-proof`.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// `name+keyid+base64(0x01 || key)`.
pub struct Key {
    name: String,
    id: [u8; 4],
    public: Vec<u8>,
}

impl Key {
    pub fn read(vkey: &str) -> Option<Self> {
        let mut parts = vkey.trim().splitn(3, '+');
        let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = BASE64_STANDARD.decode(key).ok()?;
        let public = key.strip_prefix(&[1])?.to_vec();
        let hashed = digest(&SHA256, &[name.as_bytes(), b"\n\x01", &public].concat());
        let own: [u8; 4] = hashed.as_ref()[..4].try_into().ok()?;
        let id = u32::from_str_radix(id, 16).ok()?.to_be_bytes();
        (own == id).then(|| Self { name: name.to_owned(), id, public })
    }

    /// Size and root of a checkpoint that this key signed.
    pub fn open(&self, note: &str) -> Option<(u64, Vec<u8>)> {
        let (text, signatures) = note.split_once("\n\n")?;
        let text = format!("{text}\n");
        let signed = signatures.lines().any(|line| {
            let Some((name, signature)) = line.strip_prefix("— ").and_then(|line| line.split_once(' '))
            else {
                return false;
            };
            let bytes = BASE64_STANDARD.decode(signature).unwrap_or_default();
            name == self.name
                && bytes.len() == 68
                && bytes[..4] == self.id
                && UnparsedPublicKey::new(&ED25519, &self.public).verify(text.as_bytes(), &bytes[4..]).is_ok()
        });
        let mut lines = text.lines();
        let (origin, size, root) = (lines.next()?, lines.next()?.parse().ok()?, lines.next()?);
        (signed && origin == self.name).then_some((size, BASE64_STANDARD.decode(root).ok()?))
    }
}

fn leaf_hash(leaf: &[u8]) -> Vec<u8> {
    digest(&SHA256, &[b"\0", leaf].concat()).as_ref().to_vec()
}

fn node_hash(left: &[u8], right: &[u8]) -> Vec<u8> {
    digest(&SHA256, &[b"\x01", left, right].concat()).as_ref().to_vec()
}

/// Whether the proof shows that `leaf` is in the log of this key; gives its index.
pub fn verify(key: &Key, leaf: &[u8], proof: &str) -> Option<u64> {
    let (head, note) = proof.split_once("\n\n")?;
    let mut lines = head.lines();
    if lines.next()? != "c2sp.org/tlog-proof@v1" {
        return None;
    }
    let index: u64 = lines.next()?.strip_prefix("index ")?.parse().ok()?;
    let path: Vec<Vec<u8>> = lines.map(|line| BASE64_STANDARD.decode(line).ok()).collect::<Option<_>>()?;
    let (size, root) = key.open(note)?;
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf_hash(leaf));
    for step in &path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(step, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, step);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0 && hash == root).then_some(index)
}
