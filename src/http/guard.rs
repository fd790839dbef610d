//! Watches one connection: headers have to arrive in time once they began, and answers have to be taken.
//!
//! hyper's own header timer also runs while a kept connection is idle, so it can't be both short (slow headers) and
//! long (load balancers keep connections for a minute). Here the short one runs only while headers are arriving; hyper's
//! is left to close idle connections. Must not read or change the bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// What a connection is doing, told by its service and its socket.
#[derive(Debug, Default)]
pub struct Traffic {
    started: AtomicUsize,
    ended: AtomicUsize,
    write_is_stuck: AtomicBool,
}

/// A request that is being answered, until dropped.
pub struct InFlight(Arc<Traffic>);

impl Traffic {
    /// A request's headers are complete.
    pub fn begin(self: &Arc<Self>) -> InFlight {
        self.started.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Whether no request is being answered and all answers are out.
    pub fn is_idle(&self) -> bool {
        self.requests_answered().is_some() && !self.write_is_stuck.load(Ordering::Relaxed)
    }

    /// How many requests there were, when none of them is still being answered.
    fn requests_answered(&self) -> Option<usize> {
        let started = self.started.load(Ordering::Relaxed);
        (started == self.ended.load(Ordering::Relaxed)).then_some(started)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// A socket with its two timers.
pub struct Guarded<S> {
    socket: S,
    traffic: Arc<Traffic>,
    header_timeout: Duration,
    /// After how many requests the headers now arriving began; `None`: none are.
    header_after: Option<usize>,
    header_timer: Option<Pin<Box<Sleep>>>,
    write_timeout: Duration,
    write_timer: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    /// Guards a fresh connection: the headers of its first request are awaited from now on.
    pub fn new(socket: S, traffic: Arc<Traffic>, header_timeout: Duration, write_timeout: Duration) -> Self {
        let header_after = Some(0);
        let (header_timer, write_timer) = (None, None);
        Self { socket, traffic, header_timeout, header_after, header_timer, write_timeout, write_timer }
    }

    /// Bytes have come; outside a request they are the start of the next one's headers.
    fn heard(&mut self) {
        match self.traffic.requests_answered() {
            answered @ Some(_) if self.header_after != answered => {
                self.header_after = answered;
                self.header_timer = None;
            }
            Some(_) | None => {}
        }
    }

    /// Nothing has come; ready when the headers are overdue.
    fn poll_headers_overdue(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let answered = self.traffic.requests_answered();
        if answered.is_none() || self.header_after != answered {
            self.header_timer = None;
            return Poll::Pending;
        }
        poll_timer(&mut self.header_timer, self.header_timeout, cx)
    }

    /// Passes the result of a write on; an error when it has been stuck for too long.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            if self.write_timer.take().is_some() {
                self.traffic.write_is_stuck.store(false, Ordering::Relaxed);
            }
            return write;
        }
        self.traffic.write_is_stuck.store(true, Ordering::Relaxed);
        ready!(poll_timer(&mut self.write_timer, self.write_timeout, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

#[expect(clippy::disallowed_methods, reason = "the deadline guards a socket")]
fn poll_timer(timer: &mut Option<Pin<Box<Sleep>>>, timeout: Duration, cx: &mut Context<'_>) -> Poll<()> {
    timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout))).as_mut().poll(cx)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.socket).poll_read(cx, buf);
        if read.is_ready() {
            this.heard();
            return read;
        }
        ready!(this.poll_headers_overdue(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watch_write(cx, write)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flush = Pin::new(&mut self.socket).poll_flush(cx);
        self.watch_write(cx, flush)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shutdown = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.watch_write(cx, shutdown)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watch_write(cx, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
