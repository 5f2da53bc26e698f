//! A source that does exactly as it is told: whatever bytes, cut wherever, with whatever pauses, and any end.
//!
//! It keeps every request it got, and how many intents the ledger held durably at that moment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use salinan::ledger::{LedgerReader, Query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Longest a step of the source may take, so that no test hangs.
const LIMIT: Duration = Duration::from_secs(30);
const REQUEST_BYTES_MAX: usize = 64 * 1_024;

/// One thing the source does.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    /// Says nothing more, and keeps the connection, until the proxy gives up.
    Silence,
    /// Waits until the test opens the gate.
    Gate,
    /// The same bytes again and again, as fast as they are taken, so many times.
    Repeat(Vec<u8>, usize),
}

/// A request as it came, and what the ledger said then.
#[derive(Debug, Clone)]
pub struct Asked {
    pub head: String,
    /// Intents that another connection could read; none where the ledger could not be read.
    pub intents: Option<usize>,
}

impl Asked {
    /// The names of the headers, in lower case.
    pub fn names(&self) -> Vec<String> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.map(|(name, _)| name.to_ascii_lowercase()).collect()
    }
}

struct Shared {
    script: Mutex<Vec<Step>>,
    asked: Mutex<Vec<Asked>>,
    ledger: PathBuf,
    gate: watch::Sender<bool>,
}

pub struct Stub {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Stub {
    pub async fn start(ledger: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::default(),
            asked: Mutex::default(),
            ledger,
            gate: watch::Sender::new(false),
        });
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            }
        });
        Self { address, shared, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on every request is answered so, and then the connection is closed.
    pub fn answer(&self, script: impl Into<Vec<Step>>) {
        self.shared.gate.send_replace(false);
        *self.shared.script.lock().unwrap() = script.into();
    }

    /// Gives the port back: from now on nobody answers there.
    pub async fn stop(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub fn open_gate(&self) {
        self.shared.gate.send_replace(true);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let _ = stream.set_nodelay(true);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") && head.len() < REQUEST_BYTES_MAX {
        match timeout(LIMIT, stream.read_u8()).await {
            Ok(Ok(byte)) => head.push(byte),
            _ => return,
        }
    }
    let directory = shared.ledger.clone();
    let intents = tokio::task::spawn_blocking(move || count_intents(&directory)).await.ok().flatten();
    let head = String::from_utf8_lossy(&head).into_owned();
    shared.asked.lock().unwrap().push(Asked { head, intents });
    let script = shared.script.lock().unwrap().clone();
    let mut gate = shared.gate.subscribe();
    for step in script {
        let done = async {
            match step {
                Step::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
                Step::Pause(time) => {
                    sleep(time).await;
                    true
                }
                Step::Silence => {
                    // Until the other side closes.
                    let _ = stream.read_u8().await;
                    false
                }
                Step::Gate => gate.wait_for(|open| *open).await.is_ok(),
                Step::Repeat(bytes, times) => {
                    for _ in 0..times {
                        if stream.write_all(&bytes).await.is_err() {
                            return false;
                        }
                    }
                    true
                }
            }
        };
        if !matches!(timeout(LIMIT, done).await, Ok(true)) {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

pub fn count_intents(directory: &std::path::Path) -> Option<usize> {
    let query = Query { kind: Some("release.intent".to_owned()), ..Query::default() };
    let mut reader = LedgerReader::open(directory).ok()?;
    Some(reader.find(&query, 0, 1_000_000).ok()?.len())
}

pub fn send(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

/// A whole answer with its right length.
pub fn whole(media_type: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    vec![
        send(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        )),
        send(body),
    ]
}

/// The head of an answer in chunks.
pub fn chunked(media_type: &str) -> Step {
    send(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    ))
}

pub fn chunk(bytes: impl AsRef<[u8]>) -> Step {
    let bytes = bytes.as_ref();
    send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
}

pub fn last_chunk() -> Step {
    send("0\r\n\r\n")
}
