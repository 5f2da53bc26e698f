//! Tokens that were verified lately, by their digest, so that a requester who asks again costs a digest and not a
//! signature.
//!
//! It holds verified tokens alone: who has none cannot fill it. It says only that the signature and the claims were
//! good by these keys; whether keys and time still are, and whether the token is revoked, is asked each time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::keys::KeySet;
use super::requester::Requester;
use crate::domain::Digest;

/// Most tokens in each of the two halves.
const TOKENS_MAX: usize = 4_096;

/// A token whose signature and claims were good.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) requester: Requester,
    /// Index of its issuer.
    pub(super) issuer: usize,
    /// The key set that it was verified with.
    pub(super) keys: Arc<KeySet>,
    /// The later of `iat` and `nbf`.
    pub(super) starts_at_s: u64,
}

#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Halves>);

/// When the young half is full it becomes the old one, and what was old is forgotten.
#[derive(Debug, Default)]
struct Halves {
    young: HashMap<Digest, Arc<Verified>>,
    old: HashMap<Digest, Arc<Verified>>,
}

impl Cache {
    pub(super) fn find(&self, token: &Digest) -> Option<Arc<Verified>> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.young.get(token) {
            return Some(Arc::clone(found));
        }
        let found = halves.old.remove(token)?;
        halves.put(*token, Arc::clone(&found));
        Some(found)
    }

    pub(super) fn put(&self, token: Digest, verified: Arc<Verified>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(token, verified);
    }

    pub(super) fn forget(&self, token: &Digest) {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.remove(token);
        halves.old.remove(token);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.len() + halves.old.len()
    }
}

impl Halves {
    fn put(&mut self, token: Digest, verified: Arc<Verified>) {
        if self.young.len() >= TOKENS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, verified);
    }
}
