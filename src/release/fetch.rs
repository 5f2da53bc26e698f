//! Asks the source and reads on until there is a record to deliver, so that a source which fails before its first
//! one is answered with a refusal and not with a broken copy.

use std::future::poll_fn;

use super::error::{ReleaseError, SourceError};
use super::open::Release;
use super::refusal;
use crate::ledger::Outcome;
use crate::redact::{self, Coding, Redacted, Redactor};
use crate::upstream::{SourceRequest, Upstream, UpstreamBody, UpstreamError};

/// The first redacted bytes of a copy and the way to the rest.
pub struct Copy {
    pub(super) release: Release,
    /// Gone when all of it is in `first`.
    pub(super) source: Option<UpstreamBody>,
    pub(super) redactor: Redactor,
    pub(super) first: Redacted,
}

impl Release {
    /// On failure the release is closed as failed, durably, before this returns.
    pub(super) async fn fetch(
        mut self,
        upstream: &Upstream,
        limits: redact::Limits,
    ) -> Result<Copy, ReleaseError> {
        match self.begin(upstream, limits).await {
            Ok((source, redactor, first)) => Ok(Copy { release: self, source, redactor, first }),
            Err(cause) => {
                let release = self.open.id();
                self.open.answered(refusal::of_source(&cause).status);
                let account = self.open.account(Outcome::Failed, Some(cause.code()));
                self.open.close(account).await?;
                Err(ReleaseError::Failed { release, source: cause })
            }
        }
    }

    async fn begin(
        &self,
        upstream: &Upstream,
        limits: redact::Limits,
    ) -> Result<(Option<UpstreamBody>, Redactor, Redacted), SourceError> {
        let path = self.grant.ask().path_and_query();
        let path = path.try_into().map_err(|_| UpstreamError::Header { header: "path" })?;
        let media_types = self.grant.media_types().to_vec();
        let (answer, mut source) = upstream.ask(SourceRequest { path, media_types }).await?;
        let coding = Coding::read(answer.coding.as_deref())?;
        let mut redactor = Redactor::new(self.grant.plan(), coding, &self.key, limits);
        let mut first = Redacted::new();
        while redactor.tally().rows_out == 0 {
            let Some(piece) = poll_fn(|context| source.poll_piece(context)).await else {
                redactor.finish(&mut first)?;
                return Ok((None, redactor, first));
            };
            redactor.push(&piece?, &mut first)?;
        }
        Ok((Some(source), redactor, first))
    }
}
