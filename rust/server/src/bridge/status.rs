//! What is told of a bridge.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hookmq_codec::Version;
use hookmq_engine::Millis;
use parking_lot::Mutex;

use crate::clock::Clock;

/// How often the same reason for a broken link is news.
const TOLD: Duration = Duration::from_secs(60);

/// How a bridge stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// It is on its way to the other broker.
    Connecting,
    /// The link is up.
    Connected,
    /// The link is down, and the next try is a moment away.
    Waiting,
    /// Somebody took the link down, or the broker does not run.
    #[default]
    Paused,
}

impl State {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
        }
    }
}

macro_rules! counters {
    ($($(#[doc = $text:literal])* $name:ident,)*) => {
        /// What a bridge counts, from the start of the broker on.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $($(#[doc = $text])* pub(crate) $name: AtomicU64,)*
        }

        impl Counters {
            /// Every counter with its name.
            fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.load(Relaxed)),)*]
            }
        }
    };
}

counters! {
    /// Messages that went to the other broker, those that were repeated included.
    messages_sent,
    /// Bytes of their payloads.
    bytes_sent,
    /// Messages that came from the other broker, those that were repeated included.
    messages_received,
    /// Bytes of their payloads.
    bytes_received,
    /// Messages that the other broker refused.
    refused_there,
    /// Messages that this broker refused for good: its rules or a hook say no, or no try went well.
    refused_here,
    /// Messages that this broker could not take: the link was taken down, so that they come again.
    not_taken,
    /// Messages that no topic of the settings matches any more.
    dropped_unmapped,
    /// Messages that are larger than the side they were for takes.
    dropped_too_large,
    /// QoS 0 messages for which the other broker was too slow.
    dropped_too_slow,
    /// Messages that had been at this broker before.
    loops,
    /// Messages that the other broker sent back at once.
    echoes,
    /// Links that came up.
    connects,
    /// Links that broke, and tries that failed.
    failures,
}

/// What is told of one bridge.
#[derive(Debug, Clone)]
pub struct Figures {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub state: State,
    /// Since when, in milliseconds since the Unix epoch.
    pub since: Millis,
    /// Why the link is down, or was down last.
    pub error: Option<String>,
    /// Where the other broker is, as `host:port`.
    pub address: Option<String>,
    /// The protocol version of the link, while it is up.
    pub version: Option<Version>,
    /// Messages that wait here for the other broker, or are under way to it.
    pub waiting: usize,
    /// What was counted, by name.
    pub counters: Vec<(&'static str, u64)>,
}

#[derive(Debug, Clone, Default)]
struct Standing {
    state: State,
    since: Millis,
    error: Option<String>,
    /// When that was news.
    told: Option<Instant>,
    address: Option<String>,
    version: Option<Version>,
}

/// How a bridge stands and what it has counted.
#[derive(Debug, Default)]
pub(crate) struct Status {
    standing: Mutex<Standing>,
    pub(crate) counters: Counters,
}

impl Status {
    /// It is on its way to an address.
    pub(crate) fn connecting(&self, address: String) {
        let standing = &mut *self.standing.lock();
        // Several addresses are one try.
        if standing.state != State::Connecting {
            standing.since = Clock::wall();
        }
        *standing =
            Standing { state: State::Connecting, address: Some(address), version: None, ..standing.clone() };
    }

    /// The link is up.
    pub(crate) fn connected(&self, version: Version) {
        self.counters.connects.fetch_add(1, Relaxed);
        let standing = &mut *self.standing.lock();
        let (state, since) = (State::Connected, Clock::wall());
        *standing = Standing { state, since, version: Some(version), ..standing.clone() };
    }

    /// The link is down. Says whether that is news: another reason than the last time, or the same a while ago.
    pub(crate) fn failed(&self, error: &str) -> bool {
        self.counters.failures.fetch_add(1, Relaxed);
        let standing = &mut *self.standing.lock();
        let again = standing.error.as_deref() == Some(error);
        let news = !again || standing.told.is_none_or(|at| at.elapsed() >= TOLD);
        let told = if news { Some(Instant::now()) } else { standing.told };
        let (state, since) = (State::Waiting, Clock::wall());
        *standing =
            Standing { state, since, error: Some(error.to_owned()), told, version: None, ..standing.clone() };
        news
    }

    /// The link is up, and something is wrong with it.
    pub(crate) fn complain(&self, error: &str) {
        self.standing.lock().error = Some(error.to_owned());
    }

    /// Somebody took the link down.
    pub(crate) fn paused(&self) {
        let standing = &mut *self.standing.lock();
        *standing = Standing { since: Clock::wall(), ..Standing::default() };
    }

    /// What is to be told.
    pub(crate) fn figures(&self, name: &str, waiting: usize) -> Figures {
        let Standing { state, since, error, address, version, .. } = self.standing.lock().clone();
        let (name, counters) = (name.to_owned(), self.counters.snapshot());
        Figures { name, state, since, error, address, version, waiting, counters }
    }
}
