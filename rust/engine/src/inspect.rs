//! Looking at the broker from outside.

use crate::broker::Broker;

/// How much the broker holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Bytes of retained messages.
    pub retained_bytes: usize,
}

impl Broker {
    /// How much it holds.
    pub fn totals(&self) -> Totals {
        // One lock after the other: held together they would have to be taken in their order.
        let sessions = self.sessions.lock().len();
        let retained = self.retained.read();
        Totals { sessions, retained: retained.len(), retained_bytes: retained.bytes() }
    }
}
