//! Looking at the broker from outside.

use std::sync::Arc;

use bytestring::ByteString;

use crate::broker::Broker;
use crate::client::Client;

/// How much the broker holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Sessions, connected or not.
    pub sessions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Bytes of retained messages.
    pub retained_bytes: usize,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// Shared subscriptions among them.
    pub shared_subscriptions: usize,
    /// Messages that wait in sessions.
    pub queued: usize,
    /// Bytes of them.
    pub queued_bytes: usize,
    /// QoS 1 and 2 messages under way to clients.
    pub inflight: usize,
}

impl Broker {
    /// The client that a session is of: how it is connected, or was the last time.
    pub fn client(&self, client_id: &str) -> Option<Arc<Client>> {
        let session = self.sessions.lock().get(client_id).cloned()?;
        Some(session.client())
    }

    /// The topic filters of the session with a Client Identifier, if there is one.
    pub fn filters(&self, client_id: &str) -> Option<Vec<ByteString>> {
        let session = self.sessions.lock().get(client_id).cloned()?;
        let state = session.state.lock();
        Some(state.subscriptions.keys().map(|filter| filter.as_str().into()).collect())
    }

    /// How many messages wait in a session, or are under way from it.
    pub fn waiting(&self, client_id: &str) -> usize {
        let session = self.sessions.lock().get(client_id).cloned();
        session.map_or(0, |session| {
            let state = session.state.lock();
            state.queue.len() + state.inflight.len()
        })
    }

    /// How much it holds.
    pub fn totals(&self) -> Totals {
        // One lock after the other: held together they would have to be taken in their order.
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        let mut totals = {
            let retained = self.retained.read();
            let (retained, retained_bytes) = (retained.len(), retained.bytes());
            Totals { sessions: sessions.len(), retained, retained_bytes, ..Totals::default() }
        };
        for session in sessions {
            let state = session.state.lock();
            totals.subscriptions += state.subscriptions.len();
            totals.shared_subscriptions +=
                state.subscriptions.keys().filter(|filter| filter.share_name().is_some()).count();
            totals.queued += state.queue.len();
            totals.queued_bytes += state.queue.bytes();
            totals.inflight += state.inflight.len();
        }
        totals
    }
}
