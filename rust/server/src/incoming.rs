//! What a client sends: bytes that become packets, and the memory they are read into.

use std::pin::Pin;
use std::task::{Context as Task, Poll};

use bytes::{Bytes, BytesMut};
use hookmq_codec::{DecodeError, Decoder, Packet};
use hookmq_engine::LARGE_PAYLOAD;

use crate::stream::Reader;
use crate::worker::READ_SIZE;

/// From this size on, an incomplete packet keeps the buffer it is in; below, it is copied out of it.
const KEEP_BUFFER: usize = 4096;

/// From this size on, a packet has a buffer of its own if the one before it was as large.
const LARGE_PACKET: usize = LARGE_PAYLOAD;

/// The largest buffer that is made for a packet before anything of it is there.
const MOST_AHEAD: usize = 256 << 10;

/// The way in of one connection.
pub(crate) struct Incoming {
    reader: Reader,
    decoder: Decoder,
    /// Bytes of a packet that is not complete; empty, and without memory, most of the time.
    buffer: BytesMut,
    /// The size of the last packet if it was large: the next one is read into a buffer of that size, which is its
    /// own then, so that nobody has to copy it.
    large: usize,
    /// Whether nothing else was taken out of the buffer's memory before.
    own: bool,
}

impl Incoming {
    /// Goes on with what was read, but not decoded, until now.
    pub(crate) fn new(reader: Reader, decoder: Decoder, buffer: BytesMut) -> Self {
        Self { reader, decoder, buffer, large: 0, own: false }
    }

    /// What drains the connection in its end.
    pub(crate) fn into_reader(self) -> Reader {
        self.reader
    }

    /// How many bytes there are that were not decoded.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// Reads what is there; 0 is the connection's end. With anything but `Pending` goes a [`Self::put_back`] when all
    /// packets were taken.
    pub(crate) fn poll_read(&mut self, cx: &mut Task<'_>, shared: &mut BytesMut) -> Poll<usize> {
        self.borrow_buffer(shared);
        match tokio_util::io::poll_read_buf(Pin::new(&mut self.reader), cx, &mut self.buffer) {
            Poll::Pending => {
                self.put_back(shared);
                Poll::Pending
            }
            Poll::Ready(read) => Poll::Ready(read.unwrap_or(0)),
        }
    }

    /// The next whole packet that was read, and its size.
    pub(crate) fn next(&mut self) -> Result<Option<(Packet, usize)>, DecodeError> {
        let (before, capacity) = (self.buffer.len(), self.buffer.capacity());
        let Some(mut packet) = self.decoder.next(&mut self.buffer)? else { return Ok(None) };
        let size = before - self.buffer.len();
        self.large = if size >= LARGE_PACKET { size.min(MOST_AHEAD) } else { 0 };
        // A large payload stays where it was read: [`hookmq_engine::Message::detached`] relies on that being nearly all
        // there is. Otherwise 32 KiB that are kept could hold a buffer of 256 KiB.
        if let Packet::Publish(publish) = &mut packet
            && publish.payload.len() >= LARGE_PAYLOAD
            && !(self.own && publish.payload.len() >= capacity - capacity / 8)
        {
            publish.payload = Bytes::copy_from_slice(&publish.payload);
        }
        self.own = false;
        Ok(Some((packet, size)))
    }

    /// Takes the thread's read buffer, with what is not a whole packet yet in front. Only an incomplete packet
    /// that is large has a buffer of its own: ten thousand clients that stop in the middle of a small one
    /// hold no more than they sent.
    fn borrow_buffer(&mut self, shared: &mut BytesMut) {
        if self.buffer.is_empty() && self.large > 0 {
            self.buffer = BytesMut::with_capacity(self.large);
            self.own = true;
        } else if self.buffer.len() < KEEP_BUFFER {
            let rest = std::mem::replace(&mut self.buffer, std::mem::take(shared));
            self.buffer.clear();
            self.buffer.reserve(READ_SIZE);
            self.buffer.extend_from_slice(&rest);
            self.own = false;
        } else if self.buffer.len() == self.buffer.capacity() {
            self.buffer.reserve(READ_SIZE);
            self.own = true; // full to the end: it moved
        }
    }

    /// Gives the thread its read buffer back, keeping what is not a whole packet yet.
    pub(crate) fn put_back(&mut self, shared: &mut BytesMut) {
        if shared.capacity() == 0 && self.buffer.len() < KEEP_BUFFER {
            let rest = BytesMut::from(&self.buffer[..]);
            let used = std::mem::replace(&mut self.buffer, rest);
            // One that grew with a large packet would make every read as large.
            if used.capacity() <= 2 * READ_SIZE {
                *shared = used;
            }
        } else if self.buffer.len() < KEEP_BUFFER && self.buffer.capacity() >= KEEP_BUFFER {
            self.buffer = BytesMut::from(&self.buffer[..]);
        }
    }
}
