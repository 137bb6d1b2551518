//! What a client was allowed for a while, so that nobody need be asked for every message.

use bytestring::ByteString;
use hashbrown::HashMap;
use hookmq_codec::QoS;
use tokio::time::Instant;

use crate::deciders::{Action, Deciders, Terms};

/// Answers that are remembered for one connection. One that publishes to more topics in turn is asked about
/// again, rather than remembered without bound.
const MOST: usize = 4096;

/// Everything that was asked about.
type Question = (Action, ByteString, QoS, bool);

/// The answers for one connection that hold for a while.
#[derive(Default)]
pub(crate) struct Authorized {
    /// Whom they are from: see [`Deciders::generation`].
    generation: u64,
    until: HashMap<Question, (Instant, QoS)>,
}

impl Authorized {
    /// The QoS that was granted not long ago, if this was allowed.
    pub(crate) fn recall(
        &mut self,
        deciders: &dyn Deciders,
        (action, topic, qos, retain): (Action, &ByteString, QoS, bool),
    ) -> Option<QoS> {
        if self.until.is_empty() {
            return None;
        }
        if self.generation != deciders.generation() {
            self.until.clear();
            return None;
        }
        let (until, granted) = *self.until.get(&(action, topic.clone(), qos, retain))?;
        (Instant::now() < until).then_some(granted)
    }

    /// Remembers an answer for as long as it says.
    pub(crate) fn remember(&mut self, generation: u64, question: Question, terms: &Terms) {
        if terms.lasts.is_zero() {
            return;
        }
        if self.generation != generation || self.until.len() >= MOST {
            self.until.clear();
            self.generation = generation;
        }
        let Some(until) = Instant::now().checked_add(terms.lasts) else { return };
        let (action, topic, qos, retain) = question;
        let topic = ByteString::from(&*topic); // keeps no read buffer alive
        self.until.insert((action, topic, qos, retain), (until, terms.qos));
    }
}
