//! A TCP socket as the engine's transport.

use std::io::{ErrorKind, IoSlice};

use bytes::Bytes;
use hookmq_codec::ReasonCode;
use hookmq_engine::{Outbox, Transport, Written};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// Slices of one vectored write; Linux takes 1,024 at most, and this many fill a socket buffer.
const SLICES: usize = 64;

/// Where the stream of bytes to a client stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    /// Between two packets.
    Whole,
    /// Within a packet, so that nothing but its rest may follow.
    Cut,
    /// The last bytes were written.
    Ended,
}

/// The writing half of a client's socket. Any thread writes to it without waiting; what does not fit is
/// left to the task that owns the connection.
pub(crate) struct Socket {
    writer: OwnedWriteHalf,
    /// Tells the owner that there is something to do: bytes left, or an end.
    pub(crate) attention: Notify,
    farewell: Mutex<Option<(ReasonCode, Bytes)>>,
    /// Held while bytes are written.
    stream: Mutex<Stream>,
}

impl Socket {
    pub(crate) fn new(writer: OwnedWriteHalf) -> Self {
        Self {
            writer,
            attention: Notify::new(),
            farewell: Mutex::new(None),
            stream: Mutex::new(Stream::Whole),
        }
    }

    /// Waits until the socket may take bytes again.
    pub(crate) async fn writable(&self) {
        // An error makes the socket "writable": the write that follows reports it.
        let _ = self.writer.writable().await;
    }

    /// Why and with which last bytes the connection is to be closed, if it is.
    pub(crate) fn take_farewell(&self) -> Option<(ReasonCode, Bytes)> {
        self.farewell.lock().take()
    }

    /// Writes bytes that need not arrive: the answer to a connection that is closed next.
    pub(crate) fn write_last(&self, bytes: &[u8]) {
        // The lock waits for a thread that writes packets at this moment.
        let mut stream = self.stream.lock();
        if !bytes.is_empty() && *stream == Stream::Whole {
            let _ = self.writer.try_write(bytes);
        }
        *stream = Stream::Ended;
    }

    /// Says that nothing more is sent. What the peer still sends can be read and discarded, so that the
    /// system does not answer it with a reset, which would make the peer lose the last bytes.
    pub(crate) fn finish(&self) {
        let stream: &TcpStream = self.writer.as_ref();
        let _ = socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write);
    }

    fn write_packets(&self, outbox: &mut Outbox) -> Written {
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = outbox.slices(&mut slices);
            match self.writer.try_write_vectored(&slices[..count]) {
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

impl Transport for Socket {
    fn write(&self, outbox: &mut Outbox) -> Written {
        let mut stream = self.stream.lock();
        if *stream == Stream::Ended {
            return Written::Broken; // nothing follows the last bytes [MQTT-3.14.4-1]
        }
        let written = self.write_packets(outbox);
        *stream = if written == Written::All { Stream::Whole } else { Stream::Cut };
        written
    }

    fn wake(&self) {
        self.attention.notify_one();
    }

    fn close(&self, reason: ReasonCode, farewell: Bytes) {
        *self.farewell.lock() = Some((reason, farewell));
        self.attention.notify_one();
    }
}
