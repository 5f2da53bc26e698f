//! The connection pool to the source and the body as it comes, with a limit on every wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri};
use http_body::Body;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::{Answer, SourceRequest, UpstreamError, UpstreamOptions};

/// Idle connections are dropped before a usual source would (nginx: 75 s), so that none is reused as it closes.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Largest head of an answer, and the most that is read from the source at one time.
const READ_BYTES_MAX: usize = 256 * 1_024;

#[derive(Debug)]
pub struct Upstream {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    base: Uri,
    places: Arc<Semaphore>,
    head_timeout: Duration,
    idle_timeout: Duration,
}

impl Upstream {
    /// Builds the pool; connects to nothing yet.
    pub fn new(options: UpstreamOptions) -> Result<Self, UpstreamError> {
        let mut roots = RootCertStore::empty();
        for root in options.roots {
            roots.add(root).map_err(UpstreamError::Roots)?;
        }
        let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(options.connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(READ_BYTES_MAX)
            .build(connector);
        Ok(Self {
            client,
            base: options.base,
            places: Arc::new(Semaphore::new(options.requests_max)),
            head_timeout: options.head_timeout,
            idle_timeout: options.idle_timeout,
        })
    }

    /// Asks the source and checks the head of its answer. Only what `request` names is sent: nothing of the
    /// requester's own headers, and never a range.
    pub async fn ask(&self, request: SourceRequest) -> Result<(Answer, UpstreamBody), UpstreamError> {
        let limit = self.head_timeout;
        let asked = async {
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| UpstreamError::Busy)?;
            let response =
                self.client.request(self.build(&request)?).await.map_err(UpstreamError::Unreachable)?;
            Ok((place, response))
        };
        let (place, response) =
            timeout(limit, asked).await.map_err(|_| UpstreamError::HeadTimeout { limit })??;
        let (head, incoming) = response.into_parts();
        let answer = Answer::read(head.status, &head.headers, &request.media_types)?;
        Ok((answer, UpstreamBody::new(incoming, self.idle_timeout, place)))
    }

    fn build(&self, request: &SourceRequest) -> Result<Request<Empty<Bytes>>, UpstreamError> {
        let uri = self.uri(&request.path).ok_or(UpstreamError::Header { header: "Host" })?;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(host).map_err(|_| UpstreamError::Header { header: "Host" })?;
        let accept = HeaderValue::from_str(&request.media_types.join(", "))
            .map_err(|_| UpstreamError::Header { header: "Accept" })?;
        let mut built = Request::new(Empty::new());
        *built.uri_mut() = uri;
        let headers = built.headers_mut();
        headers.insert(HOST, host);
        headers.insert(ACCEPT, accept);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("salinan/", env!("CARGO_PKG_VERSION"))));
        Ok(built)
    }

    fn uri(&self, path: &PathAndQuery) -> Option<Uri> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(path.clone());
        Uri::from_parts(parts).ok()
    }
}

/// The body of the source's answer. Dropping it closes the connection to the source and frees its place.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    idle_timeout: Duration,
    silence: Pin<Box<Sleep>>,
    /// Whether `silence` counts from the last piece; it is set only when there is a wait.
    waiting: bool,
    _place: OwnedSemaphorePermit,
}

impl UpstreamBody {
    fn new(incoming: Incoming, idle_timeout: Duration, place: OwnedSemaphorePermit) -> Self {
        let silence = Box::pin(sleep(idle_timeout));
        Self { incoming, idle_timeout, silence, waiting: false, _place: place }
    }

    /// The next piece, or `None` when the source ended its body as its framing promised. Trailers are dropped.
    pub fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, UpstreamError>>> {
        loop {
            match Pin::new(&mut self.incoming).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => {
                    self.waiting = false;
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(UpstreamError::Broken(error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    if !self.waiting {
                        self.waiting = true;
                        self.silence.as_mut().reset(Instant::now() + self.idle_timeout);
                    }
                    ready!(self.silence.as_mut().poll(context));
                    return Poll::Ready(Some(Err(UpstreamError::IdleTimeout { limit: self.idle_timeout })));
                }
            }
        }
    }
}
