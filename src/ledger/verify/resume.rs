//! What one verification hands to the next: all that the entries up to a size mean for those behind it.
//!
//! ```text
//! salinan-verified@v1
//! {"size":304,"root":"5c1f..","keys":[[0,"ledger.example+.."]],"open":{},..}     one line
//! 9b2e..                      HMAC-SHA256 of the two lines above, under a secret of whoever verifies
//! ```
//!
//! Nobody else can vouch that entries were verified: the ledger's own key least of all, since it is the ledger that is
//! verified. So the file is sealed with a secret that only its reader has, and one that somebody else wrote is refused.
//! The root ties it to the tree: the ledger must begin with these very entries.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::follow::{Open, Story};
use crate::domain::Digest;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::keys::Keys;
use crate::ledger::policies::Policies;
use crate::ledger::tree::Tree;

const FORMAT: &str = "salinan-verified@v1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ResumeError {
    #[error("it is not a file that `log verify --save` writes")]
    Form,
    #[error("it was sealed with another secret, or changed afterwards")]
    Seal,
}

/// A secret of whoever verifies.
pub struct Seal(hmac::Key);

impl Seal {
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }
}

/// How far a ledger was verified, and what the entries behind must fit to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    size: u64,
    root: String,
    /// Each with the smallest size that it signs.
    keys: Vec<(u64, String)>,
    open: BTreeMap<u64, Open>,
    policies: Policies,
    register: Option<String>,
    frozen: BTreeMap<String, u64>,
    lost: Vec<(u64, u64)>,
    kinds: BTreeMap<String, u64>,
    first_ms: Option<u64>,
    last_ms: u64,
    last_boot: String,
    /// At which size the store's own structures were looked at last.
    structures: Option<u64>,
}

impl Verified {
    pub(super) fn of(story: &Story, tree: &Tree, structures: Option<u64>) -> Self {
        Self {
            size: tree.size(),
            root: Digest(tree.root()).to_string(),
            keys: story.keys.as_ref().map(Keys::to_list).unwrap_or_default(),
            open: story.open.clone(),
            policies: story.policies.clone(),
            register: story.register.map(|digest| digest.to_string()),
            frozen: story.frozen.clone(),
            lost: story.lost.clone(),
            kinds: story.kinds.clone(),
            first_ms: story.first_ms,
            last_ms: story.last_ms,
            last_boot: story.last_boot.clone(),
            structures,
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn structures(&self) -> Option<u64> {
        self.structures
    }

    /// The state of the tree, and what its entries mean.
    pub(super) fn story(self) -> Result<(Checkpoint, Story), ResumeError> {
        let digest = |text: String| text.parse::<Digest>().map_err(|_| ResumeError::Form);
        let base = Checkpoint { size: self.size, root: digest(self.root)?.0 };
        let keys = Keys::from_list(&self.keys).ok_or(ResumeError::Form)?;
        let open_ids = self.open.values().map(|open| open.release).collect();
        let story = Story {
            keys: Some(keys),
            open: self.open,
            open_ids,
            policies: self.policies,
            register: self.register.map(digest).transpose()?,
            frozen: self.frozen,
            lost: self.lost,
            kinds: self.kinds,
            first_ms: self.first_ms,
            last_ms: self.last_ms,
            last_boot: self.last_boot,
            base: Some(base),
            ..Story::default()
        };
        Ok((base, story))
    }

    /// The file.
    pub fn write(&self, seal: &Seal) -> Result<String, ResumeError> {
        let line = serde_json::to_string(self).map_err(|_| ResumeError::Form)?;
        let mut text = format!("{FORMAT}\n{line}\n");
        let mark = hmac::sign(&seal.0, text.as_bytes());
        for byte in mark.as_ref() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
        Ok(text)
    }

    /// Only what was written with this very secret.
    pub fn read(text: &str, seal: &Seal) -> Result<Self, ResumeError> {
        let body = text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n'));
        let (body, mark) = body.ok_or(ResumeError::Form)?;
        let line = body.strip_prefix(FORMAT).and_then(|rest| rest.strip_prefix('\n'));
        let line = line.ok_or(ResumeError::Form)?;
        let mark: Digest = mark.parse().map_err(|_| ResumeError::Form)?;
        let sealed = &text.as_bytes()[..=body.len()];
        hmac::verify(&seal.0, sealed, &mark.0).map_err(|_| ResumeError::Seal)?;
        serde_json::from_str(line).map_err(|_| ResumeError::Form)
    }
}
