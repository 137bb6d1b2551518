//! Shared subscriptions: a group of sessions of which one gets each message.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use hookmq_codec::QoS;

use crate::session::Session;
use crate::subscribers::Subscriber;

/// The members of one shared subscription. It is replaced when a member comes or goes, so that a route
/// that was cached stays whole.
#[derive(Clone, Default)]
pub(crate) struct SharedGroup {
    pub(crate) members: Vec<Subscriber>,
    turn: Arc<AtomicUsize>,
}

impl SharedGroup {
    pub(crate) fn insert(&mut self, subscriber: Subscriber) {
        self.remove(subscriber.session.serial);
        self.members.push(subscriber);
    }

    /// The group without the members that may not get messages of this topic; `None` if nobody is left.
    pub(crate) fn allowed(group: &Arc<Self>, topic: &str) -> Option<Arc<Self>> {
        if group.members.iter().all(|member| member.session.may_receive(topic)) {
            return Some(Arc::clone(group));
        }
        let mut rest = Self::clone(group); // it shares the turn
        rest.members.retain(|member| member.session.may_receive(topic));
        (!rest.members.is_empty()).then(|| Arc::new(rest))
    }

    pub(crate) fn remove(&mut self, serial: u64) {
        self.members.retain(|member| member.session.serial != serial);
    }

    /// Whose turn it is: the next member that is connected and has room, else one whose session keeps
    /// the message. `None` if there is nobody to take it.
    pub(crate) fn pick(&self, qos: QoS) -> Option<&Subscriber> {
        let count = self.members.len();
        let start = self.turn.fetch_add(1, Relaxed);
        let turns = || (0..count).map(|step| &self.members[(start.wrapping_add(step)) % count]);
        let ready = |session: &Session| session.is_connected() && !session.is_full();
        turns().find(|member| ready(&member.session)).or_else(|| {
            turns().find(|member| {
                qos.min(member.subscription.options.qos) > QoS::AtMostOnce && !member.session.is_full()
            })
        })
    }
}
