//! What changes of the topics that somebody looks at.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::message::Millis;
use crate::topics::tree::Seen;
use crate::topics::{TopicFigures, Topics};

/// A rate is told again when it is off by this share, and by more than this many messages a second.
const RATE_SHARE: f64 = 0.05;
const RATE_LEAST: f64 = 0.005;

/// Looks at what is directly below some places of the tree, which costs as much as there is to see.
pub struct TopicWatch {
    topics: Arc<Topics>,
    parents: Vec<Option<String>>,
    limit: usize,
    told: HashMap<u64, Told>,
    round: u64,
}

/// What was told of a topic.
struct Told {
    topic: String,
    version: u64,
    rate: f64,
    round: u64,
}

/// What changed since the last time.
#[derive(Debug, Clone, Default)]
pub struct TopicChanges {
    /// What is there and is new or different.
    pub set: Vec<TopicFigures>,
    /// Topics that are not to be seen any more.
    pub gone: Vec<String>,
}

impl TopicWatch {
    /// Looks below these places, of each at the first `limit` topics.
    pub(crate) fn new(topics: Arc<Topics>, parents: Vec<Option<String>>, limit: usize) -> Self {
        let mut watch = Self { topics, parents: Vec::new(), limit, told: HashMap::new(), round: 0 };
        watch.show(parents);
        watch
    }

    /// Looks below other places from now on.
    pub fn show(&mut self, mut parents: Vec<Option<String>>) {
        parents.sort_unstable();
        parents.dedup();
        self.parents = parents;
    }

    /// What changed since the last call; everything the first time. [`TopicFigures::retained`] is not known here.
    pub(crate) fn changes(&mut self, now: Millis) -> TopicChanges {
        self.round += 1;
        let Self { topics, parents, limit, told, round } = self;
        let mut changes = TopicChanges::default();
        for parent in parents {
            // Locked for each place by itself: what is counted meanwhile waits for no more than one.
            topics.tree().each_below(parent.as_deref(), *limit, now, &mut |seen| {
                let Seen { birth, version, rate, figures } = seen;
                if let Some(told) = told.get_mut(&birth) {
                    told.round = *round;
                    let off = (rate - told.rate).abs();
                    if told.version == version && off <= RATE_LEAST.max(RATE_SHARE * told.rate) {
                        return;
                    }
                    (told.version, told.rate) = (version, rate);
                    changes.set.push(figures());
                    return;
                }
                let figures = figures();
                let topic = figures.topic.clone();
                told.insert(birth, Told { topic, version, rate, round: *round });
                changes.set.push(figures);
            });
        }
        let mut gone = Vec::new();
        told.retain(|_, told| {
            let seen = told.round == *round;
            if !seen {
                gone.push(std::mem::take(&mut told.topic));
            }
            seen
        });
        // One that was forgotten and came again is there.
        if !gone.is_empty() {
            let set: hashbrown::HashSet<&str> = changes.set.iter().map(|one| &*one.topic).collect();
            gone.retain(|topic| !set.contains(&**topic));
        }
        changes.gone = gone;
        changes
    }
}
