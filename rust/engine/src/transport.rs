//! What the engine needs of a connection's socket.

use bytes::Bytes;
use hookmq_codec::ReasonCode;

use crate::outbox::Outbox;

/// How a write without waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The socket took everything.
    All,
    /// Some bytes are left in the outbox; the owner of the socket writes them when it can.
    Blocked,
    /// The connection is broken.
    Broken,
}

/// A connection's socket as any thread may use it. None of the methods waits.
pub trait Transport: Send + Sync + 'static {
    /// Writes as much of the outbox as the socket takes now.
    fn write(&self, outbox: &mut Outbox) -> Written;

    /// Tells the task that owns the socket to look after it: bytes are left to be written.
    fn wake(&self);

    /// Tells the task that owns the socket to send these last bytes, if that is possible at once and between
    /// two packets, and to close.
    fn close(&self, reason: ReasonCode, farewell: Bytes);
}
