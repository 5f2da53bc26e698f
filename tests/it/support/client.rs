//! Requesters that see every byte: HTTP/1.1 as raw text over TLS, HTTP/2 by the `h2` crate.
//!
//! What is read goes into the harness's record for the oracle, whatever becomes of the answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longest a requester waits for anything.
pub const LIMIT: Duration = Duration::from_secs(30);

/// All bytes that left the process towards requesters, each connection and each body by itself.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<Vec<u8>>>>);

impl Record {
    /// A place for the bytes of one connection.
    fn begin(&self) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    }

    fn add(&self, place: usize, bytes: &[u8]) {
        self.0.lock().unwrap()[place].extend_from_slice(bytes);
    }

    /// Bytes that no connection carried so, such as what a coded copy decodes to.
    pub fn keep(&self, bytes: &[u8]) {
        self.add(self.begin(), bytes);
    }

    pub fn all(&self) -> Vec<Vec<u8>> {
        self.0.lock().unwrap().clone()
    }
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As its framing promised.
    Clean,
    /// Visibly cut off: the connection closed, or the stream was reset, before the promised end.
    Cut,
}

#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub end: End,
    /// What came after the body.
    pub trailers: Vec<(String, String)>,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> String {
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        document["code"].as_str().unwrap_or_default().to_owned()
    }
}

#[derive(Clone)]
pub struct Client {
    address: SocketAddr,
    roots: Arc<RootCertStore>,
    record: Record,
    /// In PEM, with its key.
    certificate: Option<(String, String)>,
}

impl Client {
    pub fn new(address: SocketAddr, ca_pem: &str, record: Record) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
        Self { address, roots: Arc::new(roots), record, certificate: None }
    }

    /// The same client, which shows this certificate where one is asked for.
    pub fn with_certificate(&self, chain: &str, key: &str) -> Self {
        Self { certificate: Some((chain.to_owned(), key.to_owned())), ..self.clone() }
    }

    pub async fn connect(&self, protocol: &str) -> TlsStream<TcpStream> {
        self.try_connect(protocol).await.expect("the proxy takes the connection")
    }

    pub async fn try_connect(&self, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_with(rustls::DEFAULT_VERSIONS, protocol).await
    }

    pub async fn connect_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let config = ClientConfig::builder_with_protocol_versions(versions)
            .with_root_certificates(Arc::clone(&self.roots));
        let mut config = match &self.certificate {
            None => config.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = timeout(LIMIT, TcpStream::connect(self.address)).await??;
        let name = self.address.ip().into();
        timeout(LIMIT, TlsConnector::from(Arc::new(config)).connect(name, stream)).await?
    }

    /// `GET path` over HTTP/1.1 with a token.
    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.raw(&get(path, token)).await.expect("an answer")
    }

    /// Any bytes as a request; `None` when the connection was closed without an answer.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> Option<Reply> {
        let mut connection = self.open(request).await;
        connection.reply().await
    }

    /// Sends the bytes and leaves the reading to the caller.
    pub async fn open(&self, request: impl AsRef<[u8]>) -> Connection {
        let stream = self.connect("http/1.1").await;
        let (record, place) = (self.record.clone(), self.record.begin());
        let (held, trailers) = (Vec::new(), Vec::new());
        let mut connection = Connection { stream, held, trailers, record, place, forgets: false };
        connection.send(request).await;
        connection
    }

    /// `GET path` over HTTP/2.
    pub async fn get_h2(&self, path: &str, token: &str) -> Reply {
        let (mut requests, _driver) = self.open_h2().await;
        self.ask_h2(&mut requests, path, Some(token), &[]).await
    }

    pub async fn open_h2(&self) -> (h2::client::SendRequest<bytes::Bytes>, tokio::task::JoinHandle<()>) {
        self.open_h2_with(&h2::client::Builder::new()).await
    }

    pub async fn open_h2_with(
        &self,
        builder: &h2::client::Builder,
    ) -> (h2::client::SendRequest<bytes::Bytes>, tokio::task::JoinHandle<()>) {
        let stream = self.connect("h2").await;
        let (requests, connection) = timeout(LIMIT, builder.handshake(stream)).await.unwrap().unwrap();
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        (requests, driver)
    }

    pub async fn ask_h2(
        &self,
        requests: &mut h2::client::SendRequest<bytes::Bytes>,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut request = http::Request::get(format!("https://{}{path}", self.address));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let asked = async {
            let (response, _) = requests.send_request(request.body(()).unwrap(), true).unwrap();
            let (head, mut stream) = response.await.expect("an answer").into_parts();
            let headers = pairs(&head.headers);
            let mut body = Vec::new();
            let (mut end, mut trailers) = (End::Clean, Vec::new());
            while let Some(piece) = stream.data().await {
                match piece {
                    Ok(piece) => {
                        let _ = stream.flow_control().release_capacity(piece.len());
                        body.extend_from_slice(&piece);
                    }
                    Err(_) => {
                        end = End::Cut;
                        break;
                    }
                }
            }
            if end == End::Clean {
                match stream.trailers().await {
                    Ok(told) => trailers = told.as_ref().map(pairs).unwrap_or_default(),
                    Err(_) => end = End::Cut,
                }
            }
            Reply { status: head.status.as_u16(), headers, body, end, trailers }
        };
        let reply = timeout(LIMIT, asked).await.expect("an answer in time");
        let place = self.record.begin();
        for (name, value) in reply.headers.iter().chain(&reply.trailers) {
            self.record.add(place, format!("{name}: {value}\n").as_bytes());
        }
        self.record.add(place, &reply.body);
        reply
    }
}

fn pairs(headers: &http::HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// The bytes of a plain request.
pub fn get(path: &str, token: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: salinan.example\r\nauthorization: Bearer {token}\r\n\r\n")
}

/// What became of a copy that was not kept.
#[derive(Debug, Clone)]
pub struct Drained {
    pub release: Option<String>,
    pub status: u16,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// How often the byte asked for came by.
    pub count: u64,
    pub end: End,
}

impl Client {
    /// Fetches a copy without keeping it, counting one kind of byte. `None`: there was no answer at all.
    pub async fn drain(&self, path: &str, token: &str, h2: bool, counted: u8) -> Option<Drained> {
        let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let (mut bytes, mut count) = (0, 0);
        let mut sink = |piece: &[u8]| {
            digest.update(piece);
            bytes += piece.len() as u64;
            count += memchr::memchr_iter(counted, piece).count() as u64;
        };
        let (release, status, end) = if h2 {
            let stream = self.try_connect("h2").await.ok()?;
            let (mut requests, connection) =
                timeout(LIMIT, h2::client::handshake(stream)).await.ok()?.ok()?;
            let driver = tokio::spawn(async move {
                let _ = connection.await;
            });
            let request = http::Request::get(format!("https://{}{path}", self.address))
                .header("authorization", format!("Bearer {token}"));
            let (response, _) = requests.send_request(request.body(()).ok()?, true).ok()?;
            let (head, mut body) = timeout(LIMIT, response).await.ok()?.ok()?.into_parts();
            let release = head.headers.get("release-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
            let mut end = End::Clean;
            while let Some(piece) = timeout(LIMIT, body.data()).await.ok()? {
                let Ok(piece) = piece else {
                    end = End::Cut;
                    break;
                };
                let _ = body.flow_control().release_capacity(piece.len());
                sink(&piece);
            }
            if end == End::Clean && body.trailers().await.is_err() {
                end = End::Cut;
            }
            driver.abort();
            (release, head.status.as_u16(), end)
        } else {
            let stream = self.try_connect("http/1.1").await.ok()?;
            // What is drained is not kept for the oracle either.
            let record = Record::default();
            let place = record.begin();
            let (held, trailers) = (Vec::new(), Vec::new());
            let mut connection = Connection { stream, held, trailers, record, place, forgets: true };
            connection.send(get(path, token)).await;
            let (status, headers) = connection.head().await?;
            let head = Reply { status, headers, body: Vec::new(), end: End::Cut, trailers: Vec::new() };
            let end = connection.body(&head, &mut sink).await;
            (head.header("release-id").map(str::to_owned), status, end)
        };
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest.finish().as_ref());
        Some(Drained { release, status, bytes, sha256, count, end })
    }
}

/// One connection of HTTP/1.1, read by hand.
pub struct Connection {
    stream: TlsStream<TcpStream>,
    held: Vec<u8>,
    trailers: Vec<(String, String)>,
    record: Record,
    place: usize,
    /// Whether what is read stays out of the record.
    forgets: bool,
}

impl Connection {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A refusal may be on its way and the connection closed: then there is something to read instead.
        let _ = timeout(LIMIT, self.stream.write_all(bytes.as_ref())).await;
        let _ = timeout(LIMIT, self.stream.flush()).await;
    }

    /// The next bytes; `false` when there are no more.
    pub async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 16 * 1_024];
        let read = timeout(LIMIT, self.stream.read(&mut buffer)).await.expect("bytes in time");
        let Ok(read @ 1..) = read else { return false };
        self.held.extend_from_slice(&buffer[..read]);
        if !self.forgets {
            self.record.add(self.place, &buffer[..read]);
        }
        true
    }

    /// Whether the other side has closed, or does so within the limit.
    pub async fn is_closed_within(&mut self, limit: Duration) -> bool {
        let closed = async { while self.more().await {} };
        timeout(limit, closed).await.is_ok()
    }

    /// Reads until what is held ends so; `false` when the connection closes before that.
    pub async fn until(&mut self, end: &[u8]) -> bool {
        while !self.held.ends_with(end) {
            if !self.more().await {
                return false;
            }
        }
        true
    }

    /// The head of the next answer: status and headers.
    pub async fn head(&mut self) -> Option<(u16, Vec<(String, String)>)> {
        let end = loop {
            if let Some(end) = memchr::memmem::find(&self.held, b"\r\n\r\n") {
                break end;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.held[..end]).into_owned();
        self.held.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
        Some((status, headers.collect()))
    }

    /// The whole of the next answer, as far as it comes.
    pub async fn reply(&mut self) -> Option<Reply> {
        let (status, headers) = self.head().await?;
        let mut reply = Reply { status, headers, body: Vec::new(), end: End::Cut, trailers: Vec::new() };
        let mut body = Vec::new();
        reply.end = self.body(&reply, &mut |bytes| body.extend_from_slice(bytes)).await;
        reply.body = body;
        reply.trailers = std::mem::take(&mut self.trailers);
        self.record.add(self.record.begin(), &reply.body);
        Some(reply)
    }

    /// The body that belongs to this head, as it comes.
    async fn body(&mut self, head: &Reply, sink: &mut (dyn FnMut(&[u8]) + Send)) -> End {
        if head.header("transfer-encoding") != Some("chunked") {
            let length = head.header("content-length").and_then(|text| text.parse().ok());
            let length: usize = length.expect("every answer says where it ends");
            return if self.take(length, sink).await { End::Clean } else { End::Cut };
        }
        while let Some(size) = self.chunk_size().await {
            if size == 0 {
                while let Some(line) = self.line().await {
                    let Some((name, value)) = line.split_once(':') else {
                        return if line.is_empty() { End::Clean } else { End::Cut };
                    };
                    self.trailers.push((name.to_owned(), value.trim().to_owned()));
                }
                return End::Cut;
            }
            if !self.take(size, sink).await || self.line().await.is_none() {
                break;
            }
        }
        End::Cut
    }

    async fn chunk_size(&mut self) -> Option<usize> {
        let line = self.line().await?;
        Some(usize::from_str_radix(&line, 16).expect("a chunk's size"))
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = memchr::memmem::find(&self.held, b"\r\n") {
                let line = String::from_utf8_lossy(&self.held[..end]).into_owned();
                self.held.drain(..end + 2);
                return Some(line);
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// So many bytes, or as many as come.
    async fn take(&mut self, count: usize, sink: &mut (dyn FnMut(&[u8]) + Send)) -> bool {
        let mut left = count;
        loop {
            let now = left.min(self.held.len());
            sink(&self.held[..now]);
            self.held.drain(..now);
            left -= now;
            if left == 0 {
                return true;
            }
            if !self.more().await {
                return false;
            }
        }
    }
}
