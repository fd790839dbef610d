//! Clients: one that loads a listener from many connections, one that makes a request at a time.
//!
//! Both read no more of an answer than its status and length, so that the machine's time goes to the service.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

use super::events::PageViews;
use super::percentile;

/// Connections that each wait for the answer to a request before they send the next.
pub const CONNECTIONS: usize = 64;

/// What a load found.
pub struct Load {
    /// Events a second that were answered with 200.
    pub per_second: f64,
    /// Milliseconds that 99 of 100 answers did not exceed.
    pub p99_ms: f64,
}

/// Loads a listener for so long by one thread of its own. No two requests of a process carry the same message.
pub fn load(to: SocketAddr, views: &PageViews, duration: Duration) -> Load {
    let views = views.clone();
    let load = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(pressed(to, views, duration))
    };
    std::thread::spawn(load).join().unwrap()
}

async fn pressed(to: SocketAddr, views: PageViews, duration: Duration) -> Load {
    static SENT: AtomicU64 = AtomicU64::new(0);
    let mut connections = JoinSet::new();
    let mut sockets = Vec::new();
    for _ in 0..CONNECTIONS {
        let socket = tokio::net::TcpStream::connect(to).await.unwrap();
        socket.set_nodelay(true).unwrap();
        sockets.push(socket);
    }
    let began = Instant::now();
    for mut socket in sockets {
        let mut views = views.clone();
        connections.spawn(async move {
            let mut buffer = [0; 2048];
            let mut took = Vec::new();
            while began.elapsed() < duration {
                let request = views.numbered(SENT.fetch_add(1, Ordering::Relaxed));
                let left = Instant::now();
                socket.write_all(request).await.unwrap();
                let mut filled = 0;
                while !is_whole(&buffer[..filled]) {
                    let read = socket.read(&mut buffer[filled..]).await.unwrap();
                    assert!(read > 0, "the connection was closed");
                    filled += read;
                }
                took.push(left.elapsed().as_secs_f64() * 1000.0);
            }
            took
        });
    }
    let mut took = connections.join_all().await.concat();
    let answered = number(took.len() as u64 * views.views());
    Load { per_second: answered / began.elapsed().as_secs_f64(), p99_ms: percentile(&mut took, 99) }
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "no count here comes near 2^52")]
pub fn number(count: u64) -> f64 {
    count as f64
}

/// One kept connection that makes a request at a time.
pub struct Client {
    socket: TcpStream,
}

impl Client {
    /// Connects.
    pub fn connect(to: SocketAddr) -> Self {
        let socket = TcpStream::connect(to).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { socket }
    }

    /// Makes a request and answers its body.
    pub fn ask(&mut self, request: &[u8]) -> String {
        self.socket.write_all(request).unwrap();
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        while !is_whole(&answer) {
            let read = self.socket.read(&mut buffer).unwrap();
            assert!(read > 0, "the connection was closed");
            answer.extend_from_slice(&buffer[..read]);
        }
        let head = head_length(&answer).unwrap();
        String::from_utf8(answer.split_off(head)).unwrap()
    }
}

/// Whether an answer is complete; any but a 200 or a 202 ends the run.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = head_length(answer) else { return false };
    let text = std::str::from_utf8(&answer[..head]).unwrap();
    assert!(
        ["HTTP/1.1 200", "HTTP/1.1 202"].iter().any(|line| text.starts_with(line)),
        "{}",
        String::from_utf8_lossy(answer)
    );
    let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    answer.len() >= head + length.parse::<usize>().unwrap()
}

fn head_length(answer: &[u8]) -> Option<usize> {
    answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|at| at + 4)
}
