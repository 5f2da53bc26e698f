//! Opens a release: its intent is durable in the ledger when `open` returns.

use aws_lc_rs::hmac;
use tracing::info;

use super::error::ReleaseError;
use super::headers::Named;
use super::path::Path;
use crate::admission::{Holder, Place};
use crate::domain::{CopyKey, Digest, ReleaseId, RowQuota};
use crate::ledger::{CEILING_STEP_BYTES, Intent, OpenRelease, Reserved};
use crate::policy::Grant;

/// The secret from which the key of every copy is derived. It stays outside the ledger.
pub struct MasterKey(hmac::Key);

impl MasterKey {
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    fn derive(&self, purpose: &[u8], release: &ReleaseId) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(purpose);
        context.update(release.as_bytes());
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        bytes
    }

    /// The key of one copy's tokens.
    pub fn copy_key(&self, release: &ReleaseId) -> CopyKey {
        CopyKey::new(self.derive(b"salinan copy key v1\0", release))
    }

    /// A digest of what was asked that only the holder of this key can compare with a guess.
    pub fn ask_digest(&self, release: &ReleaseId, path_and_query: &str) -> Digest {
        let mut salted = self.derive(b"salinan ask salt v1\0", release).to_vec();
        salted.extend_from_slice(path_and_query.as_bytes());
        Digest::of(&salted)
    }
}

/// A release whose intent is in the ledger. Dropping it enters it as aborted.
pub struct Release {
    pub(super) grant: Grant,
    pub(super) open: OpenRelease,
    pub(super) key: CopyKey,
    /// Of the copies that its party may have under way.
    pub(super) place: Place<Holder>,
}

impl Release {
    pub(super) fn named(&self) -> Named {
        Named { release: self.open.id(), policy: self.grant.policy().digest }
    }
}

/// What a copy asks to have kept back; the ledger writes down how much of it there was.
fn asked(quota: &RowQuota, now_ms: u64) -> Reserved {
    let (from_ms, until_ms) = quota.period.around(now_ms);
    let rows = quota.rows;
    Reserved { from_ms, until_ms, rows, taken: rows, reserved: quota.copy.unwrap_or(rows) }
}

impl Path {
    pub(super) async fn open(&self, grant: Grant, place: Place<Holder>) -> Result<Release, ReleaseError> {
        let mut random = [0; 10];
        if !self.options.random.fill(&mut random) {
            return Err(ReleaseError::Random);
        }
        let release = ReleaseId::new(self.options.clock.unix_ms(), random);
        let master = &self.options.master_key;
        let requester = grant.requester();
        let intent = Intent {
            release,
            requester: requester.subject.clone(),
            client_id: requester.client_id.clone(),
            token_id: requester.token_id.clone(),
            role: requester.role.clone(),
            level: requester.scope.level,
            party: requester.party.clone(),
            mandate: requester.mandate.clone(),
            wilayah: grant.area(),
            route: grant.route_template().to_owned(),
            parameters: grant.ask().parameters().to_vec(),
            determination: grant.determination().clone(),
            fields: grant.given(),
            legal_basis: grant.legal_basis().to_owned(),
            policy: grant.policy().name.clone(),
            policy_digest: grant.policy().digest,
            ask_digest: master.ask_digest(&release, &grant.ask().path_and_query()).0,
            media_type: grant.format().map(|format| format.media_type().to_owned()),
            ceiling_bytes: Some(CEILING_STEP_BYTES),
            quota: grant.quota().map(|quota| asked(&quota, self.options.clock.unix_ms())),
        };
        let (route, wilayah) = (intent.route.clone(), intent.wilayah);
        let open = self.options.ledger.open_release(intent).await?;
        info!(%release, route, %wilayah, "release opened");
        let key = master.copy_key(&release);
        Ok(Release { grant, open, key, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_copy_has_its_own_key_and_the_same_copy_always_the_same() {
        let master = MasterKey::new(&[7; 32]);
        let first = ReleaseId::new(1, [1; 10]);
        let second = ReleaseId::new(1, [2; 10]);
        assert_eq!(master.copy_key(&first).as_bytes(), master.copy_key(&first).as_bytes());
        assert_ne!(master.copy_key(&first).as_bytes(), master.copy_key(&second).as_bytes());
        assert_ne!(master.ask_digest(&first, "/dpt/9901.csv"), master.ask_digest(&second, "/dpt/9901.csv"));
        assert_ne!(&master.ask_digest(&first, "").0, master.copy_key(&first).as_bytes());
    }
}
