//! Why bytes were refused.

use crate::ReasonCode;

/// Bytes that are no packet, or a packet that breaks the protocol: the reason code to answer with and
/// what was wrong in words for the log and the reason string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} ({reason})")]
pub struct DecodeError {
    /// The reason code for CONNACK or DISCONNECT.
    pub reason: ReasonCode,
    /// What was wrong, as a short clause.
    pub what: &'static str,
}

impl DecodeError {
    /// An error with a reason code of its own.
    pub const fn new(reason: ReasonCode, what: &'static str) -> Self {
        Self { reason, what }
    }

    /// The bytes do not follow the packet's format.
    pub const fn malformed(what: &'static str) -> Self {
        Self::new(ReasonCode::MalformedPacket, what)
    }

    /// The packet is well formed but not allowed here, or with these values.
    pub const fn protocol(what: &'static str) -> Self {
        Self::new(ReasonCode::ProtocolError, what)
    }
}
