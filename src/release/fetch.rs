//! Asks the source and reads on until there is a record to deliver, so that a source which fails before its first
//! one is answered with a refusal and not with a broken copy.

use std::future::poll_fn;

use super::error::{ReleaseError, SourceError};
use super::open::Release;
use super::refusal;
use crate::domain::Format;
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
    /// The form it is made in.
    pub(super) format: Format,
}

/// A copy up to its first record.
struct Begun {
    source: Option<UpstreamBody>,
    redactor: Redactor,
    first: Redacted,
    format: Format,
}

impl Release {
    /// On failure the release is closed as failed, durably, before this returns.
    pub(super) async fn fetch(
        mut self,
        upstream: &Upstream,
        limits: redact::Limits,
    ) -> Result<Copy, ReleaseError> {
        match self.begin(upstream, limits).await {
            Ok(Begun { source, redactor, first, format }) => {
                Ok(Copy { release: self, source, redactor, first, format })
            }
            Err(cause) => {
                let named = self.named();
                self.open.answered(refusal::of_source(&cause).status);
                let account = self.open.account(Outcome::Failed, Some(cause.code()));
                let closed = self.open.close(account).await;
                closed.map_err(|source| ReleaseError::Unclosed { named, source })?;
                Err(ReleaseError::Failed { named, source: cause })
            }
        }
    }

    async fn begin(&self, upstream: &Upstream, limits: redact::Limits) -> Result<Begun, SourceError> {
        let path = self.grant.ask().path_and_query();
        let path = path.try_into().map_err(|_| UpstreamError::Header { header: "path" })?;
        let media_types = self.grant.media_types().to_vec();
        let (answer, mut body) = upstream.ask(SourceRequest { path, media_types }).await?;
        let coding = Coding::read(answer.coding.as_deref())?;
        let plan = self.grant.plan(&answer.media_type);
        let mut redactor = Redactor::new(&plan, coding, &self.key, limits);
        redactor.note_stations();
        let mut first = Redacted::new();
        while redactor.tally().rows_out == 0 {
            let Some(piece) = poll_fn(|context| body.poll_piece(context)).await else {
                redactor.finish(&mut first)?;
                return Ok(Begun { source: None, redactor, first, format: plan.format });
            };
            redactor.push(&piece?, &mut first)?;
        }
        Ok(Begun { source: Some(body), redactor, first, format: plan.format })
    }
}
