//! The way of one request. Each step takes what the step before it made, so that none can be left out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use super::ask::read_ask;
use super::body::{Hangup, ReplyBody};
use super::error::ReleaseError;
use super::headers::{Named, Trailers};
use super::open::MasterKey;
use super::problem::Language;
use super::refusal::Refusal;
use super::tiles::Public;
use super::{accept, deliver, receipt, refusal, tiles};
use crate::admission::{Admission, AdmissionError, Holder};
use crate::domain::{Clock, Digest, Method, Random};
use crate::identity::{Requester, Verifier};
use crate::ledger::{self, Ledger, LedgerError};
use crate::policy::PolicySet;
use crate::redact;
use crate::upstream::Upstream;

/// Everything a release needs, checked and ready.
pub struct PathOptions {
    pub identity: Arc<Verifier>,
    pub admission: Admission,
    pub policy: PolicySet,
    pub ledger: Ledger,
    pub upstream: Upstream,
    pub master_key: MasterKey,
    pub limits: redact::Limits,
    /// Who may read the ledger's checkpoints and hashes.
    pub public: Public,
    /// A requester who takes no byte for this long while there is one to take is cut off.
    pub stall_timeout: Duration,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}

pub struct Path {
    pub(super) options: PathOptions,
    /// Copies being delivered: they outlive the request's own task, so that closing is never cancelled.
    pub(super) deliveries: TaskTracker,
    /// Set when we end connections ourselves: then no requester has left.
    pub(super) is_cut_off: Arc<AtomicBool>,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    pub address: IpAddr,
    /// SHA-256 of the certificate that it showed and proved to hold the key of, if it showed one.
    pub certificate: Option<Digest>,
}

impl Path {
    pub fn new(options: PathOptions) -> Self {
        Self { options, deliveries: TaskTracker::new(), is_cut_off: Arc::default() }
    }

    /// Answers a request in full: with a copy, a receipt or a refusal. Never fails and never panics.
    pub async fn answer<B: Body>(
        &self,
        request: &Request<B>,
        peer: &Peer,
        hangup: &Hangup,
    ) -> Response<ReplyBody> {
        let mut requester = None;
        match self.release(request, peer, hangup, &mut requester).await {
            Ok(response) => response,
            Err(error) => {
                let refusal = Refusal::of(&error);
                self.note(&error, &refusal, requester);
                refusal.respond(Language::of(request.headers()))
            }
        }
    }

    async fn release<B: Body>(
        &self,
        request: &Request<B>,
        peer: &Peer,
        hangup: &Hangup,
        known: &mut Option<Requester>,
    ) -> Result<Response<ReplyBody>, ReleaseError> {
        let PathOptions { identity, admission, policy, clock, .. } = &self.options;
        admission.admit_address(peer.address)?;
        let public = self.options.public;
        if public.opens(request.uri().path()) {
            return tiles::answer(&self.options.ledger, public, None, &read_ask(request)?).await;
        }
        let requester =
            identity.verify(request.headers(), peer.certificate.as_ref(), clock.unix_seconds(), known)?;
        let Requester { issuer, client_id, subject, party, .. } = &requester;
        let holder = Holder::new(party.as_ref(), issuer, client_id);
        admission.admit_requester(issuer, client_id, subject)?;
        admission.admit_party(&holder)?;
        let ask = read_ask(request)?;
        if receipt::is_asked(&ask) {
            return receipt::answer(&self.options.ledger, &requester, &ask).await;
        }
        if tiles::is_asked(&ask) {
            return tiles::answer(&self.options.ledger, public, Some(&requester), &ask).await;
        }
        let grant = policy.decide(requester, ask, clock.unix_seconds())?;
        let coding = accept::coding(request.headers(), grant.codings());
        if grant.ask().method() == Method::Head {
            return Ok(deliver::head_alone(&grant, coding, &**clock));
        }
        let place = admission.begin_copy(&holder)?;
        let release = self.open(grant, place).await?; // durable before the source is asked
        let copy = release.fetch(&self.options.upstream, self.options.limits).await?;
        let trailers = Trailers::wanted(request, coding.is_some());
        Ok(copy.deliver(self, hangup, coding, trailers)) // closes itself when the body ends
    }

    /// Says that the connections still open are about to be ended by us.
    pub fn cut_off(&self) {
        self.is_cut_off.store(true, Ordering::Release);
    }

    /// Waits until every delivery has ended and closed its release.
    pub async fn settle(&self) {
        self.deliveries.close();
        self.deliveries.wait().await;
    }

    pub fn ledger(&self) -> &Ledger {
        &self.options.ledger
    }

    /// Tells the operator and the ledger of a refusal. An opened release was closed by the step that failed;
    /// requests above an address's rate, and questions of anyone for tiles that are not there, are not entered one by
    /// one, or a flood would grow the ledger.
    fn note(&self, error: &ReleaseError, refusal: &Refusal, requester: Option<Requester>) {
        let cause = refusal::chain(error);
        match error {
            ReleaseError::Failed { named: Named { release, .. }, source } => {
                warn!(%release, code = source.code(), cause, "release failed");
                return;
            }
            ReleaseError::Unclosed { named: Named { release, .. }, .. } => {
                warn!(%release, cause, outcome = "open", "release not closed");
                return;
            }
            ReleaseError::Ledger(LedgerError::QuotaExceeded { .. }) => {
                info!(code = refusal.kind.code, cause, "refused");
            }
            ReleaseError::Ledger(_) | ReleaseError::Random => {
                warn!(code = refusal.kind.code, cause, "refused");
            }
            _ => info!(code = refusal.kind.code, cause, "refused"),
        }
        let is_by_anyone =
            requester.is_none() && matches!(error, ReleaseError::NotPublic | ReleaseError::OwnMethod { .. });
        let is_flood = matches!(error, ReleaseError::Admission(AdmissionError::Address { .. }));
        if is_by_anyone || is_flood {
            return;
        }
        let (route, wilayah) = match error {
            ReleaseError::Denied(denial) => (denial.route_template().map(str::to_owned), denial.area()),
            _ => (None, None),
        };
        let entered = self.options.ledger.refuse(ledger::Refusal {
            requester: requester.as_ref().map(|requester| requester.subject.clone()),
            client_id: requester.as_ref().map(|requester| requester.client_id.clone()),
            role: requester.as_ref().map(|requester| requester.role.clone()),
            party: requester.and_then(|requester| requester.party),
            code: refusal.kind.code.to_owned(),
            status: refusal.kind.status,
            route,
            wilayah,
        });
        if !entered {
            warn!(code = refusal.kind.code, "a refusal was not entered in the ledger");
        }
    }
}
