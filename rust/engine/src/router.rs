//! The subscription trie: which sessions, groups and taps a topic name reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use hookmq_codec::{QoS, TopicFilter};
use parking_lot::RwLock;

use crate::outbound::Identifiers;
use crate::route::{Receiver, Route};
use crate::session::{Session, Subscription};
use crate::shared::SharedGroup;
use crate::subscribers::{Subscriber, SubscriberSet};
use crate::taps::{Tap, TapId, Taps};
use crate::topics::Place;

/// On which terms a session receives a message: the sum of its subscriptions that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) qos: QoS,
    pub(crate) retain_as_published: bool,
    pub(crate) identifiers: Identifiers,
}

impl Grant {
    pub(crate) fn of(subscriber: &Subscriber) -> Self {
        Self::one(&subscriber.subscription)
    }

    pub(crate) fn one(subscription: &Subscription) -> Self {
        let Subscription { options, identifier } = subscription;
        Self {
            qos: options.qos,
            retain_as_published: options.retain_as_published,
            identifiers: identifier.iter().copied().collect(),
        }
    }

    /// [MQTT-3.3.4-2] the highest QoS, [MQTT-3.3.4-3] [MQTT-3.3.4-4] every identifier
    fn join(&mut self, other: Self) {
        self.qos = self.qos.max(other.qos);
        self.retain_as_published |= other.retain_as_published;
        self.identifiers.extend(other.identifiers);
    }
}

#[derive(Default)]
struct Node {
    children: HashMap<Box<str>, Node>,
    /// Under `+`.
    any: Option<Box<Node>>,
    /// At this level.
    here: Option<Box<Leaf>>,
    /// At `#` below this level.
    below: Option<Box<Leaf>>,
}

#[derive(Default)]
struct Leaf {
    subscribers: SubscriberSet,
    groups: HashMap<Arc<str>, Arc<SharedGroup>>,
    taps: Vec<Tap>,
}

impl Leaf {
    fn is_empty(&self) -> bool {
        self.subscribers.is_empty() && self.groups.is_empty() && self.taps.is_empty()
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.any.is_none() && self.here.is_none() && self.below.is_none()
    }

    /// The leaf of a filter, made if it is not there.
    fn leaf_mut(&mut self, filter: &str) -> &mut Leaf {
        let mut node = self;
        for level in filter.split('/') {
            node = match level {
                "#" => return node.below.get_or_insert_default(),
                "+" => node.any.get_or_insert_default(),
                // `entry_ref` allocates the key only for a level that is new
                _ => node.children.entry_ref(level).or_default(),
            };
        }
        node.here.get_or_insert_default()
    }

    /// Changes the leaf of a filter and cuts off what is empty afterwards.
    fn change(&mut self, filter: Option<&str>, edit: &mut dyn FnMut(&mut Leaf)) {
        let Some(filter) = filter else { return edit_leaf(&mut self.here, edit) };
        let (level, rest) = match filter.split_once('/') {
            Some((level, rest)) => (level, Some(rest)),
            None => (filter, None),
        };
        match level {
            "#" => edit_leaf(&mut self.below, edit),
            "+" => {
                if let Some(node) = &mut self.any {
                    node.change(rest, edit);
                    if node.is_empty() {
                        self.any = None;
                    }
                }
            }
            _ => {
                if let Some(node) = self.children.get_mut(level) {
                    node.change(rest, edit);
                    if node.is_empty() {
                        self.children.remove(level);
                    }
                }
            }
        }
    }

    /// Visits every leaf whose filter matches. The recursion is as deep as a topic has levels, which
    /// the limits bound.
    fn visit<'a>(&'a self, topic: Option<&str>, wildcards: bool, found: &mut dyn FnMut(&'a Leaf)) {
        if wildcards && let Some(leaf) = &self.below {
            found(leaf);
        }
        let Some(topic) = topic else {
            if let Some(leaf) = &self.here {
                found(leaf);
            }
            return;
        };
        let (level, rest) = match topic.split_once('/') {
            Some((level, rest)) => (level, Some(rest)),
            None => (topic, None),
        };
        if let Some(node) = self.children.get(level) {
            node.visit(rest, true, found);
        }
        if wildcards && let Some(node) = &self.any {
            node.visit(rest, true, found);
        }
    }
}

impl Node {
    /// As [`Self::visit`], with the filter of each leaf, of which `filter` is the part up to here.
    fn visit_named(
        &self,
        topic: Option<&str>,
        wildcards: bool,
        filter: &mut String,
        found: &mut dyn FnMut(&str, &Leaf),
    ) {
        let below = |filter: &mut String, level: &str, visit: &mut dyn FnMut(&mut String)| {
            let length = filter.len();
            filter.push_str(level);
            visit(filter);
            filter.truncate(length);
        };
        if wildcards && let Some(leaf) = &self.below {
            below(filter, "#", &mut |filter| found(filter, leaf));
        }
        let Some(topic) = topic else {
            if let Some(leaf) = &self.here {
                found(filter.strip_suffix('/').unwrap_or(filter), leaf);
            }
            return;
        };
        let (level, rest) = match topic.split_once('/') {
            Some((level, rest)) => (level, Some(rest)),
            None => (topic, None),
        };
        let any = self.any.as_deref().filter(|_| wildcards);
        for (level, node) in
            self.children.get(level).map(|node| (level, node)).into_iter().chain(any.map(|node| ("+", node)))
        {
            below(filter, level, &mut |filter| {
                filter.push('/');
                node.visit_named(rest, true, filter, found);
            });
        }
    }
}

fn edit_leaf(place: &mut Option<Box<Leaf>>, edit: &mut dyn FnMut(&mut Leaf)) {
    if let Some(leaf) = place {
        edit(leaf);
        if leaf.is_empty() {
            *place = None;
        }
    }
}

/// The one trie that all threads share. Each thread caches the routes it used; a change of any
/// subscription raises the generation, which makes them stale.
#[derive(Default)]
pub(crate) struct Router {
    root: RwLock<Node>,
    generation: AtomicU64,
}

impl Router {
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn change(&self, edit: impl FnOnce(&mut Node)) {
        let mut root = self.root.write();
        edit(&mut root);
        // Raised under the lock: a route that was found before is older than the generation.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// Makes every route that was found before stale.
    pub(crate) fn invalidate(&self) {
        self.change(|_| {});
    }

    pub(crate) fn subscribe(&self, filter: &TopicFilter, subscriber: Subscriber) {
        self.change(|root| {
            let leaf = root.leaf_mut(filter.filter());
            let Some(name) = filter.share_name() else { return leaf.subscribers.insert(subscriber) };
            Arc::make_mut(leaf.groups.entry_ref(name).or_default()).insert(subscriber);
        });
    }

    pub(crate) fn unsubscribe<'a>(
        &self,
        filters: impl IntoIterator<Item = &'a TopicFilter>,
        session: &Session,
    ) {
        let serial = session.serial;
        self.change(|root| {
            for filter in filters {
                root.change(Some(filter.filter()), &mut |leaf| match filter.share_name() {
                    None => leaf.subscribers.remove(serial),
                    Some(name) => {
                        if let Some(group) = leaf.groups.get_mut(name) {
                            Arc::make_mut(group).remove(serial);
                            if group.members.is_empty() {
                                leaf.groups.remove(name);
                            }
                        }
                    }
                });
            }
        });
    }

    pub(crate) fn add_tap(&self, filter: &TopicFilter, tap: Tap) {
        self.change(|root| root.leaf_mut(filter.filter()).taps.push(tap));
    }

    /// All at once: no route has some of either.
    pub(crate) fn swap_taps<'a>(
        &self,
        added: impl IntoIterator<Item = &'a (TopicFilter, Tap)>,
        removed: impl IntoIterator<Item = &'a (TopicFilter, Tap)>,
    ) {
        self.change(|root| {
            for (filter, tap) in added {
                root.leaf_mut(filter.filter()).taps.push(*tap);
            }
            for (filter, gone) in removed {
                root.change(Some(filter.filter()), &mut |leaf| leaf.taps.retain(|tap| tap.id != gone.id));
            }
        });
    }

    pub(crate) fn remove_tap(&self, filter: &TopicFilter, id: TapId) {
        self.change(|root| {
            root.change(Some(filter.filter()), &mut |leaf| leaf.taps.retain(|tap| tap.id != id));
        });
    }

    /// Visits everything that a topic name reaches, with the filter by which it does.
    pub(crate) fn reached(&self, topic: &str, found: &mut dyn FnMut(Reached<'_>)) {
        let root = self.root.read();
        let wildcards = !topic.starts_with('$'); // [MQTT-4.7.2-1]
        root.visit_named(Some(topic), wildcards, &mut String::new(), &mut |filter, leaf| {
            found(Reached::Filter { filter, shared: None });
            leaf.subscribers.iter().for_each(|one| found(Reached::Subscriber(one)));
            for (name, group) in &leaf.groups {
                found(Reached::Filter { filter, shared: Some(name) });
                group.members.iter().for_each(|one| found(Reached::Subscriber(one)));
            }
            leaf.taps.iter().for_each(|tap| found(Reached::Tap(tap)));
        });
    }

    /// The route of a topic name, and the generation it belongs to.
    pub(crate) fn find(&self, topic: &str) -> (u64, Route) {
        let root = self.root.read();
        let generation = self.generation();
        let mut leaves = Vec::new();
        // [MQTT-4.7.2-1]
        root.visit(Some(topic), !topic.starts_with('$'), &mut |leaf| leaves.push(leaf));
        (generation, merge(topic, &leaves))
    }
}

/// Something that a topic name reaches.
pub(crate) enum Reached<'a> {
    /// What the subscribers behind it have subscribed to.
    Filter {
        filter: &'a str,
        shared: Option<&'a Arc<str>>,
    },
    Subscriber(&'a Subscriber),
    Tap(&'a Tap),
}

/// Joins what was found: one receiver for each session, however many of its filters match; none for a session
/// that may not get messages of this topic.
fn merge(topic: &str, leaves: &[&Leaf]) -> Route {
    let mut receivers: Vec<Receiver> = Vec::new();
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut taps: Vec<Tap> = Vec::new();
    let mut groups = Vec::new();
    for leaf in leaves {
        taps.extend(&leaf.taps);
        groups.extend(leaf.groups.values().filter_map(|group| SharedGroup::allowed(group, topic)));
        for subscriber in leaf.subscribers.iter().filter(|one| one.session.may_receive(topic)) {
            let grant = Grant::of(subscriber);
            // [MQTT-3.8.3-3] what the client itself published comes by the other subscriptions only
            let own = (!subscriber.subscription.options.no_local).then(|| grant.clone());
            let serial = subscriber.session.serial;
            // One leaf has a session once; only several leaves need the table.
            let place = (leaves.len() > 1).then(|| places.get(&serial).copied()).flatten();
            match place.map(|place| &mut receivers[place]) {
                Some(receiver) => {
                    receiver.grant.join(grant);
                    match (&mut receiver.own, own) {
                        (Some(all), Some(own)) => all.join(own),
                        (none @ None, own) => *none = own,
                        (Some(_), None) => {}
                    }
                }
                None => {
                    if leaves.len() > 1 {
                        places.insert(serial, receivers.len());
                    }
                    receivers.push(Receiver { session: Arc::clone(&subscriber.session), grant, own });
                }
            }
        }
    }
    Route {
        receivers: receivers.into(),
        groups: groups.into(),
        taps: Taps::sort(taps),
        place: Place::default(),
    }
}
