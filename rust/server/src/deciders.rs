//! Who may connect, publish and subscribe, asked of whoever registered for it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookmq_codec::{Publish, QoS, ReasonCode};
use hookmq_engine::{Client, Denied, Message, TapId};

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

/// On which terms something is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The QoS that is granted at most.
    pub qos: QoS,
    /// The user name by which the client is known from here on, if it is another than it gave.
    pub user: Option<String>,
    /// How long the answer holds, so that nobody need be asked again.
    pub lasts: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self { qos: QoS::ExactlyOnce, user: None, lasts: Duration::ZERO }
    }
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allow(Terms),
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

    /// It may, without conditions.
    pub fn allow() -> Self {
        Self::Allow(Terms::default())
    }

    /// The terms, or why not.
    pub fn into_result(self) -> Result<Terms, Denied> {
        match self {
            Self::Allow(terms) => Ok(terms),
            Self::Deny { reason, text } => Err(Denied { reason, text: text.map(Into::into) }),
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

/// What comes of a client's step in an enhanced authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It goes on: data for the client.
    Continue(Bytes),
    /// The client proved who it is.
    Success {
        /// Last data for the client.
        data: Bytes,
        /// The user name it proved, where the method names one.
        user: Option<String>,
    },
    /// It did not.
    Deny {
        /// The reason code to answer with.
        reason: ReasonCode,
        /// Words for the client's reason string.
        text: Option<String>,
    },
}

/// One enhanced authentication under way.
pub trait Exchange: Send {
    /// Takes the client's data, which is empty if it sent none.
    fn step(&mut self, data: Bytes) -> Later<Step>;
}

/// A publish that somebody decides about, and whom to ask, in this order.
#[derive(Debug)]
pub struct Asked {
    /// The publish, its Topic Alias resolved.
    pub publish: Publish,
    /// Whom to ask.
    pub taps: Arc<[TapId]>,
}

/// What becomes of a publish.
#[derive(Debug)]
pub enum Transformed {
    /// It stays as it is.
    Keep,
    /// These take its place; with none it is dropped.
    Instead(Vec<Message>),
    /// It is refused.
    Refuse(Denied),
    /// That could not be found out.
    Failed,
}

/// Who decides. What cannot be decided, and what takes too long, is denied by the implementation.
pub trait Deciders: Send + Sync + 'static {
    /// Whether anyone wants to be asked by [`Self::authenticate`].
    fn authenticates(&self) -> bool;

    /// Whether a client may connect. `vouched` says that somebody else knows it already: with no opinion from
    /// anyone it may then, else it may not.
    fn authenticate(&self, client: &Arc<Client>, vouched: bool) -> Answer;

    /// Whether anyone registered for a method of enhanced authentication.
    fn has_methods(&self) -> bool;

    /// Begins an enhanced authentication by this method; `None` if nobody registered for it.
    fn exchange(&self, client: &Arc<Client>, method: &str) -> Option<Box<dyn Exchange>>;

    /// Whether anyone wants to be asked by [`Self::greet`].
    fn greets(&self) -> bool;

    /// Whether a client that is who it says it is may connect.
    fn greet(&self, client: &Arc<Client>) -> Answer;

    /// Whether anyone wants to be asked by [`Self::authorize`] about this.
    fn authorizes(&self, action: Action) -> bool;

    /// Changes with every change of who is asked: what was answered before holds no longer.
    fn generation(&self) -> u64;

    /// Whether a client may publish to a topic name or subscribe to a topic filter.
    fn authorize(&self, client: &Arc<Client>, action: Action, topic: &str, qos: QoS, retain: bool) -> Answer;

    /// What becomes of publishes of one client: an answer for each, in their order.
    fn transform(&self, client: &Arc<Client>, asked: &Arc<Vec<Asked>>) -> Later<Vec<Transformed>>;
}
