//! A connection's way out as the engine's transport.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hookmq_codec::ReasonCode;
use hookmq_engine::{Outbox, Transport, Written};
use parking_lot::Mutex;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream, tcp, unix};
use tokio::sync::Notify;

use crate::stream::{Output, Writer};

/// Slices of one vectored write; Linux takes 1,024 at most, and this many fill a socket buffer.
const SLICES: usize = 64;

/// Where the stream of bytes to a client stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between two packets.
    Whole,
    /// Within a packet, so that nothing but its rest may follow.
    Cut,
    /// The last bytes were written.
    Ended,
}

/// What the bytes are written to.
enum Way {
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    /// It is over.
    Gone,
    /// The bytes wait here for the task that owns the connection.
    Handed(Box<Mutex<Outbox>>),
}

/// The writing half of a client's connection. Any thread writes to a plain socket without waiting; what does
/// not fit, and what goes through TLS or WebSocket, is left to the task that owns the connection.
pub(crate) struct Socket {
    way: Way,
    /// Tells the owner that there is something to do: bytes left, or an end.
    pub(crate) attention: Notify,
    farewell: Mutex<Option<Box<(ReasonCode, Bytes)>>>,
    /// Held while bytes are written.
    state: Mutex<State>,
}

impl Socket {
    /// The socket for a writer, and what its owner must write to itself.
    pub(crate) fn new(writer: Writer) -> (Self, Option<Output>) {
        let (way, output) = match writer {
            Writer::Tcp(writer) => (Way::Tcp(writer), None),
            Writer::Unix(writer) => (Way::Unix(writer), None),
            Writer::Owned(output) => (Way::Handed(Box::default()), Some(output)),
        };
        let socket = Self {
            way,
            attention: Notify::new(),
            farewell: Mutex::new(None),
            state: Mutex::new(State::Whole),
        };
        (socket, output)
    }

    /// Waits until more bytes may be written: until the socket takes some again, or until what was handed
    /// over is written to `output`. Nothing is lost if this is dropped before.
    pub(crate) async fn make_way(&self, output: &mut Option<Output>) -> io::Result<()> {
        poll_fn(|cx| self.poll_way(cx, output)).await
    }

    /// The same for one who waits for other things as well.
    pub(crate) fn poll_way(&self, cx: &mut Context<'_>, output: &mut Option<Output>) -> Poll<io::Result<()>> {
        match (&self.way, output) {
            (Way::Tcp(writer), _) => {
                let stream: &TcpStream = writer.as_ref();
                stream.poll_write_ready(cx)
            }
            (Way::Unix(writer), _) => {
                let stream: &UnixStream = writer.as_ref();
                stream.poll_write_ready(cx)
            }
            (Way::Handed(handed), Some(output)) => {
                let handed = &mut *handed.lock();
                while !handed.is_empty() {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = handed.slices(&mut slices);
                    let output = Pin::new(&mut *output);
                    match ready!(output.poll_write_vectored(cx, &slices[..count]))? {
                        0 => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                        written => handed.advance(written),
                    }
                }
                *handed = Outbox::default();
                Pin::new(&mut *output).poll_flush(cx)
            }
            (Way::Handed(_) | Way::Gone, _) => Poll::Ready(Err(ErrorKind::NotConnected.into())),
        }
    }

    /// Why and with which last bytes the connection is to be closed, if it is.
    pub(crate) fn take_farewell(&self) -> Option<(ReasonCode, Bytes)> {
        self.farewell.lock().take().map(|farewell| *farewell)
    }

    /// Writes bytes before the engine has the connection, when nothing else is written.
    pub(crate) async fn write_first(&self, output: &mut Option<Output>, bytes: &[u8]) -> io::Result<()> {
        match &self.way {
            Way::Handed(handed) => {
                handed.lock().append_shared(Bytes::copy_from_slice(bytes));
                self.make_way(output).await
            }
            // A few hundred bytes to a connection to which nothing was sent.
            _ => match self.try_write(&[IoSlice::new(bytes)])? {
                written if written == bytes.len() => Ok(()),
                _ => Err(ErrorKind::WriteZero.into()),
            },
        }
    }

    /// Writes bytes that need not arrive: the answer to a connection that is closed next.
    pub(crate) fn write_last(&self, bytes: &[u8]) {
        // The lock waits for a thread that writes packets at this moment.
        let mut state = self.state.lock();
        if !bytes.is_empty() && *state == State::Whole {
            match &self.way {
                Way::Handed(handed) => handed.lock().append_shared(Bytes::copy_from_slice(bytes)),
                _ => drop(self.try_write(&[IoSlice::new(bytes)])),
            }
        }
        *state = State::Ended;
    }

    /// Says that nothing more is sent. What the peer still sends can be read and discarded, so that the
    /// system does not answer it with a reset, which would make the peer lose the last bytes.
    pub(crate) async fn finish(&self, output: &mut Option<Output>) {
        match &self.way {
            Way::Tcp(writer) => {
                let stream: &TcpStream = writer.as_ref();
                let _ = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write);
            }
            Way::Unix(writer) => {
                let stream: &UnixStream = writer.as_ref();
                let _ = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write);
            }
            Way::Gone => {}
            Way::Handed(_) => {
                if self.make_way(output).await.is_ok()
                    && let Some(output) = output
                {
                    let _ = output.shutdown().await;
                }
            }
        }
    }

    fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.way {
            Way::Tcp(writer) => writer.try_write_vectored(slices),
            Way::Unix(writer) => writer.try_write_vectored(slices),
            Way::Handed(_) => Err(ErrorKind::WouldBlock.into()),
            Way::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn write_packets(&self, outbox: &mut Outbox) -> Written {
        if let Way::Handed(handed) = &self.way {
            let handed = &mut *handed.lock();
            if handed.is_empty() {
                *handed = std::mem::take(outbox);
            }
            return Written::Blocked; // until its owner has written it
        }
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = outbox.slices(&mut slices);
            match self.try_write(&slices[..count]) {
                Ok(0) => return Written::Broken,
                Ok(written) => outbox.advance(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Written::Broken,
            }
        }
        Written::All
    }
}

impl Drop for Socket {
    /// The reading half closes the connection, which says as much as a shutdown before it would.
    fn drop(&mut self) {
        match std::mem::replace(&mut self.way, Way::Gone) {
            Way::Tcp(writer) => writer.forget(),
            Way::Unix(writer) => writer.forget(),
            Way::Handed(_) | Way::Gone => {}
        }
    }
}

impl Transport for Socket {
    fn write(&self, outbox: &mut Outbox) -> Written {
        let mut state = self.state.lock();
        if *state == State::Ended {
            return Written::Broken; // nothing follows the last bytes [MQTT-3.14.4-1]
        }
        let written = self.write_packets(outbox);
        let cut = written != Written::All && !matches!(self.way, Way::Handed(_));
        *state = if cut { State::Cut } else { State::Whole };
        written
    }

    fn wake(&self) {
        self.attention.notify_one();
    }

    fn close(&self, reason: ReasonCode, farewell: Bytes) {
        *self.farewell.lock() = Some(Box::new((reason, farewell)));
        self.attention.notify_one();
    }
}
