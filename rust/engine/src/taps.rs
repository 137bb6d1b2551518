//! Observers of messages, as the subscription trie knows them.
//!
//! A [`Tap`] sits in the trie like a subscriber, so its topic filter is matched with theirs, the result is cached
//! with theirs, and messages nobody observes cost nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Names one tap.
pub type TapId = u32;

/// Which messages a tap sees, or decides about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapKind {
    /// What clients publish, wills included.
    Received,
    /// Everything that is published, by clients and by the broker itself.
    Routed,
    /// What is sent to a client, once for each receiver.
    Sent,
    /// What a client has acknowledged to the end (PUBACK, PUBCOMP), once for each receiver.
    Acked,
    /// What a receiver did not get and will not get.
    Dropped,
    /// What clients publish, before anyone gets it: whoever serves the connection asks.
    Transform,
    /// What receivers are to get, before they do: see [`crate::Event::Deliver`].
    Deliver,
}

/// An observer of the messages that match a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Its name.
    pub id: TapId,
    /// Which messages it sees.
    pub kind: TapKind,
    /// Of two that see a message, the one with the higher rank is told first.
    pub rank: i32,
    /// Of two of the same rank, the one with the lower number is told first.
    pub order: u32,
    /// It does not look at payloads, so none needs to be copied for it.
    pub bare: bool,
    /// The publisher's acknowledgement waits for it: see [`crate::Receipt`].
    pub keeps: bool,
}

impl Tap {
    /// A tap without special wishes.
    pub const fn new(id: TapId, kind: TapKind) -> Self {
        Self { id, kind, rank: 0, order: id, bare: false, keeps: false }
    }
}

/// Names of taps, in the order in which they are told.
pub(crate) type TapList = Option<Arc<[TapId]>>;

/// The taps that see a topic, by what they want.
#[derive(Debug, Default)]
pub(crate) struct Taps {
    /// Of what clients publish.
    pub(crate) client: TapList,
    /// Of what the broker itself publishes.
    pub(crate) broker: TapList,
    pub(crate) sent: TapList,
    pub(crate) acked: TapList,
    pub(crate) dropped: TapList,
    pub(crate) transform: TapList,
    pub(crate) deliver: TapList,
    /// None of those who see what is published looks at payloads.
    pub(crate) bare: bool,
    /// One of those who see what clients publish keeps the acknowledgement back.
    pub(crate) keeps: bool,
}

impl Taps {
    /// Sorts what was found in the trie; `None` if that is nothing.
    pub(crate) fn sort(mut found: Vec<Tap>) -> Option<Box<Self>> {
        use TapKind::*;
        if found.is_empty() {
            return None;
        }
        found.sort_by_key(|tap| (std::cmp::Reverse(tap.rank), tap.order, tap.id));
        let of = |kinds: &[TapKind]| -> TapList {
            let mut ids: Vec<_> =
                found.iter().filter(|tap| kinds.contains(&tap.kind)).map(|tap| tap.id).collect();
            // One that has several filters is told once.
            ids.dedup();
            (!ids.is_empty()).then(|| ids.into())
        };
        let mut published = found.iter().filter(|tap| matches!(tap.kind, Received | Routed));
        Some(Box::new(Self {
            client: of(&[Received, Routed]),
            broker: of(&[Routed]),
            sent: of(&[Sent]),
            acked: of(&[Acked]),
            dropped: of(&[Dropped]),
            transform: of(&[Transform]),
            deliver: of(&[Deliver]),
            bare: published.clone().all(|tap| tap.bare),
            keeps: published.any(|tap| tap.keeps),
        }))
    }
}

/// Which events anybody wants at all: one look spares the rest.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    pub(crate) clients: AtomicBool,
    pub(crate) subscriptions: AtomicBool,
    pub(crate) sent: AtomicBool,
    pub(crate) acked: AtomicBool,
    pub(crate) dropped: AtomicBool,
    pub(crate) transforms: AtomicBool,
    pub(crate) delivers: AtomicBool,
    pub(crate) keeps: AtomicBool,
}
