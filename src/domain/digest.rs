//! SHA-256 digests, printed as 64 lower-case hexadecimal digits.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Serialize, Serializer};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_output(&digest::digest(&digest::SHA256, bytes))
    }

    fn from_output(output: &digest::Digest) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(output.as_ref());
        Self(bytes)
    }
}

/// SHA-256 of a stream.
#[derive(Clone)]
pub struct Hasher(digest::Context);

impl Default for Hasher {
    fn default() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }
}

impl Hasher {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes so far; the stream may go on.
    pub fn digest(&self) -> Digest {
        Digest::from_output(&self.0.clone().finish())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
