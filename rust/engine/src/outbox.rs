//! Encoded packets on their way to one socket.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// From this size on a payload is passed on by reference; below, copying it behind the other packets is
/// cheaper than a slice of its own in a vectored write.
pub const SHARE_FROM: usize = 4096;

/// Capacity of a pooled buffer, in bytes.
const POOLED: usize = 16 << 10;
/// Buffers a pool keeps.
const POOL_SIZE: usize = 256;

/// Write buffers of one worker thread. An outbox borrows one when its first packet comes and returns it
/// when the socket has taken all, so that idle connections hold none.
#[derive(Debug, Default)]
pub struct BufferPool(Vec<BytesMut>);

impl BufferPool {
    fn take(&mut self) -> BytesMut {
        self.0.pop().unwrap_or_else(|| BytesMut::with_capacity(POOLED))
    }

    fn give(&mut self, mut buffer: BytesMut) {
        buffer.clear();
        // What grew far beyond the usual is given back to the allocator, and so is what shares memory
        // with chunks that were split off.
        if self.0.len() < POOL_SIZE && (POOLED / 2..=POOLED * 16).contains(&buffer.capacity()) {
            self.0.push(buffer);
        }
    }
}

/// Encoded packets in order: shared chunks first, then a buffer of small ones.
#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Bytes>,
    tail: BytesMut,
    bytes: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The buffer to append packets to; [`Self::appended`] must be told afterwards.
    pub fn tail(&mut self, pool: &mut BufferPool) -> &mut BytesMut {
        if self.tail.capacity() == 0 {
            self.tail = pool.take();
        }
        &mut self.tail
    }

    /// Counts `bytes` more in the tail.
    pub fn appended(&mut self, bytes: usize) {
        self.bytes += bytes;
    }

    /// Appends bytes by copying them.
    pub fn append(&mut self, pool: &mut BufferPool, bytes: &[u8]) {
        self.tail(pool).extend_from_slice(bytes);
        self.appended(bytes.len());
    }

    /// Appends bytes by reference.
    pub fn append_shared(&mut self, bytes: Bytes) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
        self.bytes += bytes.len();
        self.chunks.push_back(bytes);
    }

    /// Fills `slices` with what is to be written next and says how many it filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = self.chunks.iter().map(|chunk| &chunk[..]).chain([&self.tail[..]]);
        let mut filled = 0;
        for (slot, part) in slices.iter_mut().zip(parts.filter(|part| !part.is_empty())) {
            *slot = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    /// Forgets the first `written` bytes, which the socket took.
    pub fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        while let Some(chunk) = self.chunks.front_mut() {
            if written < chunk.len() {
                return chunk.advance(written);
            }
            written -= chunk.len();
            self.chunks.pop_front();
        }
        match written == self.tail.len() {
            true => self.tail.clear(), // unlike `advance`, keeps the capacity in front
            false => self.tail.advance(written),
        }
    }

    /// Puts what is left of an outbox that was taken out for writing back in front of this one.
    pub fn prepend(&mut self, mut rest: Self) {
        if rest.is_empty() {
            return;
        }
        if !rest.tail.is_empty() {
            rest.chunks.push_back(rest.tail.split().freeze());
        }
        for chunk in rest.chunks.drain(..).rev() {
            self.chunks.push_front(chunk);
        }
        self.bytes += rest.bytes;
    }

    /// Returns the memory of an outbox that was written.
    pub fn recycle(self, pool: &mut BufferPool) {
        pool.give(self.tail);
    }
}
