//! Who may connect, publish and subscribe, asked of whoever registered for it.

use std::pin::Pin;
use std::sync::Arc;

use hookmq_codec::{QoS, ReasonCode};
use hookmq_engine::Client;

/// An answer that may take a while.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a client wants to do with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Publish to a topic name, or leave a Will for it.
    Publish,
    /// Subscribe to a topic filter.
    Subscribe,
}

impl Action {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Subscribe => "subscribe",
        }
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny {
        /// The reason code to answer with.
        reason: ReasonCode,
        /// Words for the client's reason string, if the decider wants to give any.
        text: Option<String>,
    },
}

impl Verdict {
    /// A refusal without words.
    pub const fn deny(reason: ReasonCode) -> Self {
        Self::Deny { reason, text: None }
    }

    /// Whether it may, or the reason why not.
    pub const fn as_result(&self) -> Result<(), ReasonCode> {
        match self {
            Self::Allow => Ok(()),
            Self::Deny { reason, .. } => Err(*reason),
        }
    }
}

/// A verdict now or later.
pub enum Answer {
    /// It is known.
    Now(Verdict),
    /// Somebody has to be asked.
    Later(Later<Verdict>),
}

impl Answer {
    /// Waits for the verdict.
    pub async fn wait(self) -> Verdict {
        match self {
            Self::Now(verdict) => verdict,
            Self::Later(later) => later.await,
        }
    }
}

/// Who decides. What cannot be decided, and what takes too long, is denied by the implementation.
pub trait Deciders: Send + Sync + 'static {
    /// Whether a client may connect.
    fn authenticate(&self, client: &Arc<Client>) -> Answer;

    /// Whether anyone wants to be asked by [`Self::authorize`].
    fn authorizes(&self) -> bool;

    /// Whether a client may publish to a topic name or subscribe to a topic filter.
    fn authorize(&self, client: &Arc<Client>, action: Action, topic: &str, qos: QoS, retain: bool) -> Answer;
}
