//! Looking at the broker from outside: lists of what it holds, page by page. No lock is held for longer than a few hundred
//! sessions or a few thousand topics take, and no two sessions are locked at once.

mod clients;
mod page;
mod retained;
mod subscriptions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::client::Client;

pub(crate) use clients::search_text;
pub use clients::{ClientDetail, ClientFigures, ClientPage, ClientQuery, FilterFigures, Sort, WillFigures};
pub(crate) use page::{Page, contains};
pub use retained::RetainedPage;
pub use subscriptions::{Receivers, SubscriptionFigures, SubscriptionPage};

/// Up to so many sessions are looked through whenever somebody asks.
const FEW_SESSIONS: usize = 5_000;

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
        let mut totals = {
            let retained = self.retained.read();
            Totals { retained: retained.len(), retained_bytes: retained.bytes(), ..Totals::default() }
        };
        self.each_session(None, |session| {
            let state = session.state.lock();
            totals.sessions += 1;
            totals.subscriptions += state.subscriptions.len();
            totals.shared_subscriptions +=
                state.subscriptions.keys().filter(|filter| filter.share_name().is_some()).count();
            totals.queued += state.queue.len();
            totals.queued_bytes += state.queue.bytes();
            totals.inflight += state.inflight.len();
            true
        });
        totals
    }

    /// How much it holds; with more than 5,000 sessions perhaps as it was up to ten seconds ago: to count takes a tenth of a microsecond for each of
    /// them, and who asks comes again and again.
    pub fn recent_totals(&self) -> Totals {
        let mut recent = self.recent.lock();
        let stale = match self.session_count() {
            0..=FEW_SESSIONS => Duration::ZERO,
            _ => Duration::from_secs(10),
        };
        match *recent {
            Some((at, totals)) if at.elapsed() < stale => totals,
            _ => {
                let totals = self.totals();
                *recent = Some((Instant::now(), totals));
                totals
            }
        }
    }

    /// How many sessions there are.
    pub fn session_count(&self) -> usize {
        self.sessions.lock().len()
    }
}
