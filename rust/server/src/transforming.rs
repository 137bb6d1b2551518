//! Publishes of one connection about which somebody decides before anyone gets them.
//!
//! They are gathered while a read's packets are handled and asked about together, so that a client which
//! sends many waits once. Whatever comes behind them waits as well: the order stays.

use std::collections::VecDeque;
use std::sync::Arc;

use hookmq_codec::{Packet, Publish, QoS};
use hookmq_engine::TapId;

use crate::deciders::{Asked, Transformed};

/// So many are asked about at a time.
const MOST: usize = 256;

/// What a connection gathers, and what was answered. Most connections never do.
#[derive(Default)]
pub(crate) struct Transforming(Option<Box<Gathering>>);

#[derive(Default)]
struct Gathering {
    gathered: Vec<Asked>,
    decided: VecDeque<(Publish, Transformed)>,
    /// What came behind what was gathered.
    behind: Option<Packet>,
}

impl Transforming {
    pub(crate) fn is_gathering(&self) -> bool {
        self.0.as_ref().is_some_and(|this| !this.gathered.is_empty())
    }

    /// Whether a publish is a repetition of one that was gathered.
    pub(crate) fn is_gathering_again(&self, publish: &Publish) -> bool {
        let same =
            |one: &Asked| one.publish.qos == QoS::ExactlyOnce && one.publish.packet_id == publish.packet_id;
        publish.qos == QoS::ExactlyOnce && self.0.as_ref().is_some_and(|this| this.gathered.iter().any(same))
    }

    /// Adds a publish. Says whether it is time to ask.
    pub(crate) fn gather(&mut self, publish: Publish, taps: Arc<[TapId]>) -> bool {
        let gathered = &mut self.0.get_or_insert_default().gathered;
        gathered.push(Asked { publish, taps });
        gathered.len() >= MOST
    }

    /// Leaves a packet until what was gathered is decided.
    pub(crate) fn put_behind(&mut self, packet: Packet) {
        self.0.get_or_insert_default().behind = Some(packet);
    }

    /// The packet that was left, when nothing is before it any more.
    pub(crate) fn take_behind(&mut self) -> Option<Packet> {
        self.0.as_mut()?.behind.take()
    }

    /// What to ask about.
    pub(crate) fn take_gathered(&mut self) -> Arc<Vec<Asked>> {
        Arc::new(self.0.as_mut().map(|this| std::mem::take(&mut this.gathered)).unwrap_or_default())
    }

    /// The answers came. What has none could not be decided.
    pub(crate) fn decide(&mut self, asked: Arc<Vec<Asked>>, answers: Vec<Transformed>) {
        let publishes = match Arc::try_unwrap(asked) {
            Ok(asked) => asked.into_iter().map(|one| one.publish).collect(),
            Err(asked) => asked.iter().map(|one| one.publish.clone()).collect::<Vec<_>>(),
        };
        let answers = answers.into_iter().chain(std::iter::repeat_with(|| Transformed::Failed));
        self.0.get_or_insert_default().decided.extend(publishes.into_iter().zip(answers));
    }

    /// The next that was decided.
    pub(crate) fn next_decided(&mut self) -> Option<(Publish, Transformed)> {
        self.0.as_mut()?.decided.pop_front()
    }
}
