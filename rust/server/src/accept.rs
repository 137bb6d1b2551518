//! Accepting connections: from the socket to the first byte of MQTT or HTTP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context as Task, Poll};
use std::time::Duration;

use hookmq_engine::Broker;
use mio::net::TcpListener;
use parking_lot::Mutex;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::time::{Instant, timeout_at};

use crate::bind::Bound;
use crate::certificate::Subject;
use crate::connection::{self, ClientTask, Visitor};
use crate::http::{self, Site};
use crate::listener::Listener;
use crate::proxy;
use crate::server::Context;
use crate::stream::Stream;
use crate::worker::{Turn, Worker};

/// How long nothing is accepted after it failed.
const PAUSE: Duration = Duration::from_millis(50);

/// Counts a connection that has not sent CONNECT.
pub(crate) struct HalfOpen(Arc<Broker>);

impl HalfOpen {
    /// One more, if there is room for it.
    pub(crate) fn new(context: &Context) -> Option<Self> {
        let statistics = &context.broker.statistics;
        if statistics.half_open.fetch_add(1, Relaxed) >= context.settings.max_half_open as i64 {
            statistics.half_open.fetch_sub(1, Relaxed);
            statistics.limit_max_half_open.fetch_add(1, Relaxed);
            return None;
        }
        Some(Self(Arc::clone(&context.broker)))
    }

    /// Counts that it sent nothing in time.
    pub(crate) fn count_timeout(&self) {
        self.0.statistics.limit_connect_timeout.fetch_add(1, Relaxed);
    }
}

impl Drop for HalfOpen {
    fn drop(&mut self) {
        self.0.statistics.half_open.fetch_sub(1, Relaxed);
    }
}

/// A connection as the system gave it.
pub(crate) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Accepts connections and hands each to the worker that has the fewest.
pub(crate) async fn accept(
    bound: Bound,
    listener: Arc<Listener>,
    context: Arc<Context>,
    workers: Arc<[Worker]>,
) {
    let Ok(door) = Door::open(bound) else { return };
    let site = |worker: &Worker| {
        let (context, listener, turn) =
            (Arc::clone(&context), Arc::clone(&listener), Arc::clone(&worker.turn));
        listener.settings.protocol.is_http().then(|| Site::new(context, Arc::clone(&listener), turn, None))
    };
    let sites: Vec<_> = workers.iter().map(site).collect();
    loop {
        // Out of descriptors, or a connection that ended before it was accepted. Trying again at once would
        // spin until somebody closes.
        let Ok(accepted) = door.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        context.broker.statistics.sockets.fetch_add(1, Relaxed);
        let Some(half_open) = HalfOpen::new(&context) else { continue };
        let index = Worker::with_room(&workers);
        let (worker, site) = (&workers[index], sites[index].clone());
        let (turn, place) = (Arc::clone(&worker.turn), worker.place());
        let (listener, context) = (Arc::clone(&listener), Arc::clone(&context));
        // Apart from the task, so that nothing of it is kept by a client that was let in.
        let arriving = Box::pin(async move {
            let (plain, address) = accepted.into_plain().ok()?;
            greet(plain, address, half_open, listener, site, context, turn).await
        });
        worker.handle.spawn(async move {
            let _place = place;
            let client = arriving.await;
            if let Some(client) = client {
                client.serve().await;
            }
        });
    }
}

/// A socket that listens, on the thread that accepts.
pub(crate) enum Door {
    /// Not tokio's own, which would register each connection with this thread, to be registered anew with its worker's.
    Tcp(AsyncFd<TcpListener>),
    Unix(UnixListener, #[allow(dead_code)] crate::bind::SocketFile),
}

/// A connection on its way from one thread to another.
pub(crate) enum Accepted {
    Tcp(std::net::TcpStream, SocketAddr),
    Unix(std::os::unix::net::UnixStream),
}

impl Door {
    pub(crate) fn open(bound: Bound) -> io::Result<Self> {
        match bound {
            Bound::Tcp(listener) => {
                let listener = TcpListener::from_std(listener);
                #[expect(deprecated, reason = "its successor is unsafe; a listener keeps its descriptor")]
                AsyncFd::with_interest(listener, Interest::READABLE).map(Self::Tcp)
            }
            Bound::Unix(listener, file) => {
                UnixListener::from_std(listener).map(|listener| Self::Unix(listener, file))
            }
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let accept = |listener: &TcpListener| listener.accept();
                let (stream, address) = listener.async_io(Interest::READABLE, accept).await?;
                Ok(Accepted::Tcp(stream.into(), address))
            }
            Self::Unix(listener, _) => Ok(Accepted::Unix(listener.accept().await?.0.into_std()?)),
        }
    }
}

impl Accepted {
    /// The connection, registered with the runtime of this thread.
    pub(crate) fn into_plain(self) -> io::Result<(Plain, Option<SocketAddr>)> {
        match self {
            Self::Tcp(stream, address) => Ok((Plain::Tcp(TcpStream::from_std(stream)?), Some(address))),
            Self::Unix(stream) => Ok((Plain::Unix(UnixStream::from_std(stream)?), None)),
        }
    }
}

/// What a connection begins with before its protocol, a PROXY header and a TLS handshake, and on until its client is let
/// in. `None` means that it is over; connections of HTTP are served to their end here.
pub(crate) async fn greet(
    plain: Plain,
    address: Option<SocketAddr>,
    half_open: HalfOpen,
    listener: Arc<Listener>,
    site: Option<Site>,
    context: Arc<Context>,
    turn: Arc<Mutex<Turn>>,
) -> Option<Box<ClientTask>> {
    let deadline = Instant::now() + listener.settings.connect_timeout;
    let opening = timeout_at(deadline, open(plain, address, &listener, &context)).await;
    let (opened, address, certificate) = match opening {
        Ok(opened) => opened?,
        Err(_) => {
            context.broker.statistics.limit_connect_timeout.fetch_add(1, Relaxed);
            return None;
        }
    };
    let visitor = Visitor { address, certificate, deadline, half_open: Some(half_open) };
    let stream = match (site, opened) {
        (Some(site), Opened::Plain(plain)) => {
            http::serve_connection(plain, visitor, site, None).await;
            return None;
        }
        (Some(site), Opened::Tls(stream)) => {
            http::serve_connection(*stream, visitor, site, None).await;
            return None;
        }
        (None, Opened::Plain(Plain::Tcp(stream))) => Stream::from(stream),
        (None, Opened::Plain(Plain::Unix(stream))) => Stream::from(stream),
        (None, Opened::Tls(stream)) => Stream::owned(*stream),
    };
    connection::arrive(stream, visitor, &listener, &context, turn).await
}

enum Opened {
    Plain(Plain),
    Tls(Box<tokio_rustls::server::TlsStream<Plain>>),
}

async fn open(
    mut plain: Plain,
    mut address: Option<SocketAddr>,
    listener: &Listener,
    context: &Context,
) -> Option<(Opened, Option<SocketAddr>, Option<Subject>)> {
    if let Some(proxies) = &listener.settings.proxies {
        let trusted = |ip| proxies.iter().any(|network| network.contains(ip));
        if !address.is_none_or(|address| trusted(address.ip())) {
            return None;
        }
        address = proxy::read_header(&mut plain).await.ok()?.or(address);
    }
    let Some(tls) = &listener.tls else { return Some((Opened::Plain(plain), address, None)) };
    let stream = tls.accept(plain, address, &context.broker).await?;
    let subject = subject(&stream);
    Some((Opened::Tls(Box::new(stream)), address, subject))
}

/// Whose certificate the client showed, if it showed one.
pub(crate) fn subject(stream: &tokio_rustls::server::TlsStream<Plain>) -> Option<Subject> {
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    certificate.and_then(Subject::of)
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Task<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Task<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Task<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Task<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
