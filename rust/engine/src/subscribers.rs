//! The subscribers at one place of the trie.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::session::{Session, Subscription};

/// Up to this many, looking through a list is faster and smaller than a table.
const LIST: usize = 32;

/// A session and its subscription at one filter.
#[derive(Clone)]
pub(crate) struct Subscriber {
    pub(crate) session: Arc<Session>,
    pub(crate) subscription: Subscription,
}

/// A set of subscribers, at most one for each session.
pub(crate) enum SubscriberSet {
    Few(Vec<Subscriber>),
    Many(HashMap<u64, Subscriber>),
}

impl Default for SubscriberSet {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl SubscriberSet {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Few(list) => list.is_empty(),
            Self::Many(table) => table.is_empty(),
        }
    }

    pub(crate) fn insert(&mut self, subscriber: Subscriber) {
        let serial = subscriber.session.serial;
        match self {
            Self::Few(list) => match list.iter_mut().find(|other| other.session.serial == serial) {
                Some(place) => *place = subscriber,
                None => {
                    list.push(subscriber);
                    if list.len() > LIST {
                        let all = std::mem::take(list);
                        *self = Self::Many(all.into_iter().map(|one| (one.session.serial, one)).collect());
                    }
                }
            },
            Self::Many(table) => {
                table.insert(serial, subscriber);
            }
        }
    }

    pub(crate) fn remove(&mut self, serial: u64) {
        match self {
            Self::Few(list) => list.retain(|one| one.session.serial != serial),
            Self::Many(table) => {
                table.remove(&serial);
            }
        }
    }

    pub(crate) fn iter(&self) -> Box<dyn Iterator<Item = &Subscriber> + '_> {
        match self {
            Self::Few(list) => Box::new(list.iter()),
            Self::Many(table) => Box::new(table.values()),
        }
    }
}
