//! The demo's voter-data API: HTTP/1.1 on the loopback interface.
//!
//! | path | answer |
//! | --- | --- |
//! | `/dpt/9901.csv` | CSV, with its length |
//! | `/dpt/9901.ndjson` | an object a line, chunked |
//! | `/dpt/9901.json` | a JSON array, chunked |
//! | `/dpt-envelope/9901.json` | the array inside an object, chunked |
//!
//! The same stand under `/2018/`. `?tps=9901011001001` takes one polling station of the area. The API asks
//! nobody who they are, as a source behind a proxy would: it is why it listens on the loopback interface only.
//! Rows are made while the client reads; a client that leaves ends the work.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::rows::{BodyShape, RowWriter};
use super::voters::Roll;
use crate::domain::{Ask, Method, Tps, Wilayah};

const CONNECTIONS_MAX: usize = 128;
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes made at a time.
const CHUNK_BYTES: u64 = 64 * 1_024;
/// Room for the chunk and the row that fills it.
const BUFFER_BYTES: usize = 66 * 1_024;

/// A running source. It ends when this is dropped, and with it all its connections.
#[derive(Debug)]
pub struct SourceServer {
    address: SocketAddr,
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl SourceServer {
    /// Listens at `listen`, which must be an address of the loopback interface; port 0 takes any.
    pub async fn start(roll: Roll, listen: SocketAddr) -> io::Result<Self> {
        if !listen.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the demo's source is for this machine alone",
            ));
        }
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(());
        let task = tokio::spawn(accept(listener, Arc::new(roll), stopped));
        Ok(Self { address, stop, task })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the connections and gives the port back.
    pub async fn shutdown(self) {
        drop(self.stop);
        let _ = self.task.await;
    }
}

async fn accept(listener: TcpListener, roll: Arc<Roll>, mut stopped: watch::Receiver<()>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        let slot = tokio::select! {
            _ = stopped.changed() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let stream = tokio::select! {
            _ = stopped.changed() => return,
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
        };
        while connections.try_join_next().is_some() {}
        let (Ok(slot), Ok(stream)) = (slot, stream) else {
            // Out of file descriptors, most likely: wait rather than spin.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let roll = Arc::clone(&roll);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&roll), request));
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_READ_TIMEOUT);
            // A client that leaves early is the client's business.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            drop(slot);
        });
    }
}

type Answer = Response<Either<RowBody, Full<Bytes>>>;

async fn answer(roll: Arc<Roll>, request: Request<Incoming>) -> Result<Answer, Infallible> {
    let uri = request.uri();
    let Ok(ask) = Ask::read(request.method().as_str(), uri.path(), uri.query()) else {
        return Ok(refusal(StatusCode::BAD_REQUEST, "bad_request"));
    };
    let Some((numbers, shape)) = find(&roll, &ask) else {
        return Ok(refusal(StatusCode::NOT_FOUND, "not_found"));
    };
    let length = if shape == BodyShape::Csv {
        let writer = RowWriter::new(&roll, numbers.clone(), shape);
        match tokio::task::spawn_blocking(|| writer.count()).await {
            Ok(length) => Some(length),
            Err(_) => return Ok(refusal(StatusCode::INTERNAL_SERVER_ERROR, "failed")),
        }
    } else {
        None
    };
    let writer = match ask.method() {
        Method::Get => Some(RowWriter::new(&roll, numbers, shape)),
        Method::Head => None,
        Method::Post => return Ok(refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")),
    };
    let body = RowBody { writer, buffer: BytesMut::new(), left: length };
    let mut response = Response::new(Either::Left(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(shape.media_type()));
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    Ok(response)
}

/// Whom the path and query ask for, and in which shape.
fn find(roll: &Roll, ask: &Ask) -> Option<(Range<u64>, BodyShape)> {
    let segments: Vec<&str> = ask.segments().collect();
    let (["2018", list, file] | [list, file]) = segments[..] else { return None };
    let (code, ending) = file.rsplit_once('.')?;
    let shape = match (list, ending) {
        ("dpt", "csv") => BodyShape::Csv,
        ("dpt", "ndjson") => BodyShape::Ndjson,
        ("dpt", "json") => BodyShape::JsonArray,
        ("dpt-envelope", "json") => BodyShape::JsonEnvelope,
        _ => return None,
    };
    let area: Wilayah = code.parse().ok()?;
    let numbers = match ask.parameters() {
        [] => roll.numbers_in(&area),
        [(name, tps)] if name == "tps" => {
            let tps: Tps = tps.parse().ok().filter(|tps| area.contains_tps(tps))?;
            roll.numbers_at(&tps)
        }
        _ => return None,
    };
    (!numbers.is_empty()).then_some((numbers, shape))
}

fn refusal(status: StatusCode, code: &'static str) -> Answer {
    let body = Full::new(Bytes::from(format!("{{\"error\":\"{code}\"}}\n")));
    let mut response = Response::new(Either::Right(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Rows made when they are asked for; one buffer goes round once hyper has sent what was in it.
struct RowBody {
    /// Nothing to write for `HEAD`.
    writer: Option<RowWriter>,
    buffer: BytesMut,
    /// Bytes to come, where they were counted.
    left: Option<u64>,
}

impl Body for RowBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Self { writer, buffer, left } = &mut *self;
        let Some(writer) = writer else { return Poll::Ready(None) };
        buffer.reserve(BUFFER_BYTES);
        writer.fill(buffer, CHUNK_BYTES);
        if buffer.is_empty() {
            return Poll::Ready(None);
        }
        let chunk = buffer.split().freeze();
        if let Some(left) = left {
            *left = left.saturating_sub(chunk.len() as u64);
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};
    use hyper_util::client::legacy::Client;
    use hyper_util::client::legacy::connect::HttpConnector;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    fn loopback() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    async fn ask(server: &SourceServer, method: &str, path: &str) -> (StatusCode, http::HeaderMap, Bytes) {
        let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let uri = format!("http://{}{path}", server.address());
        let request = Request::builder().method(method).uri(uri).body(Empty::new()).unwrap();
        let response = client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
    }

    #[tokio::test]
    async fn every_path_gives_its_area_in_its_shape_and_nothing_else_is_found() {
        let roll = Roll::new(1, 2_000);
        let server = SourceServer::start(roll.clone(), loopback()).await.unwrap();
        let whole = roll.numbers_in(&"9901".parse().unwrap());
        let cases = [
            ("/dpt/9901.csv", Some((whole.clone(), BodyShape::Csv))),
            ("/dpt/9901.ndjson", Some((whole.clone(), BodyShape::Ndjson))),
            ("/dpt/9901.json", Some((whole.clone(), BodyShape::JsonArray))),
            ("/dpt-envelope/9901.json", Some((whole.clone(), BodyShape::JsonEnvelope))),
            ("/2018/dpt/9901.csv", Some((whole.clone(), BodyShape::Csv))),
            ("/2018/dpt-envelope/9901.json", Some((whole, BodyShape::JsonEnvelope))),
            ("/dpt/9902.csv", Some((2_000..3_000, BodyShape::Csv))),
            ("/dpt/99.csv", Some((0..3_000, BodyShape::Csv))),
            ("/dpt/9901.csv?tps=9901011001002", Some((248..496, BodyShape::Csv))),
            ("/dpt/9901.json?tps=9901011001002", Some((248..496, BodyShape::JsonArray))),
            ("/dpt/9902.csv?tps=9901011001002", None),
            ("/dpt/9901.csv?tps=9901", None),
            ("/dpt/9901.csv?nik=9901014512900003", None),
            ("/dpt/9903.csv", None),
            ("/dpt/9901", None),
            ("/dpt/9901.xml", None),
            ("/dpt/9901011001001.csv", None),
            ("/dpt-envelope/9901.csv", None),
            ("/2019/dpt/9901.csv", None),
            ("/", None),
        ];
        for (path, expected) in cases {
            let (status, headers, body) = ask(&server, "GET", path).await;
            let Some((numbers, shape)) = expected else {
                assert!(
                    status == StatusCode::NOT_FOUND || status == StatusCode::BAD_REQUEST,
                    "{path}: {status}"
                );
                assert!(body.starts_with(b"{\"error\":"), "{path}");
                continue;
            };
            let mut rows = BytesMut::new();
            RowWriter::new(&roll, numbers, shape).fill(&mut rows, u64::MAX);
            assert!(status == StatusCode::OK && body == rows, "{path}");
            assert_eq!(headers[CONTENT_TYPE], shape.media_type(), "{path}");
            let length = headers.get(CONTENT_LENGTH).map(|length| length.to_str().unwrap().to_owned());
            assert_eq!(length, (shape == BodyShape::Csv).then(|| rows.len().to_string()), "{path}");
            let (status, of_head, body) = ask(&server, "HEAD", path).await;
            assert!(status == StatusCode::OK && body.is_empty(), "HEAD {path}");
            assert_eq!(of_head.get(CONTENT_LENGTH), headers.get(CONTENT_LENGTH), "HEAD {path}");
        }
        assert_eq!(ask(&server, "POST", "/dpt/9901.csv").await.0, StatusCode::METHOD_NOT_ALLOWED);
        let address = server.address();
        server.shutdown().await;
        assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
    }

    #[tokio::test]
    async fn a_client_that_leaves_in_the_middle_stops_nothing_but_its_own_answer() {
        let server = SourceServer::start(Roll::new(1, 1_000_000), loopback()).await.unwrap();
        for path in ["/dpt/9901.ndjson", "/dpt/9901.json"] {
            let mut stream = TcpStream::connect(server.address()).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: source\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut start = [0; 4_096];
            stream.read_exact(&mut start).await.unwrap();
            assert!(start.starts_with(b"HTTP/1.1 200 OK\r\n"), "{path}");
        }
        assert_eq!(ask(&server, "GET", "/dpt/9902.csv").await.0, StatusCode::OK);
        server.shutdown().await;
    }

    #[tokio::test]
    async fn other_interfaces_are_refused() {
        let everywhere = ([0, 0, 0, 0], 0).into();
        let error = SourceServer::start(Roll::new(1, 1), everywhere).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
