//! Retained messages: the last message of each topic that was published with RETAIN.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::levels::Levels;
use crate::limits::Limits;
use crate::message::{Message, Millis};

#[derive(Default)]
struct Node {
    children: Levels<Node>,
    message: Option<Entry>,
}

/// A message, and when it was stored: in the order of the numbers.
struct Entry {
    message: Arc<Message>,
    number: u64,
}

/// A level of a topic takes so many bytes of the tree, which only matters where there are many.
const LEVEL: usize = 300;
const USUAL_LEVELS: usize = 16;

/// The retained messages in a tree of topic levels.
#[derive(Default)]
pub(crate) struct Retained {
    root: Node,
    count: usize,
    bytes: usize,
    /// How many were stored so far.
    stored: u64,
    /// No message expires before this time.
    next_expiry: Option<Millis>,
}

/// There is no room for another retained message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl Retained {
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// A moment between two messages, for [`Self::visit`].
    pub(crate) fn moment(&self) -> u64 {
        self.stored
    }

    /// Keeps a message in place of its topic's last; one without payload only clears the topic.
    /// [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7]
    pub(crate) fn store(&mut self, message: &Arc<Message>, limits: &Limits) -> Result<(), NoRoom> {
        if message.payload.is_empty() {
            self.remove(&message.topic);
            return Ok(());
        }
        let mut node = &mut self.root;
        let (count, bytes) = weight(message);
        let (replaced, freed) = find(node, &message.topic).map_or((0, 0), |old| weight(old));
        let (count, bytes) = (self.count + count - replaced, self.bytes + bytes - freed);
        if count > self.count.max(limits.max_retained_messages)
            || bytes > self.bytes.max(limits.max_retained_bytes)
        {
            return Err(NoRoom);
        }
        for level in message.topic.split('/') {
            node = node.children.entry(level);
        }
        self.stored += 1;
        node.message = Some(Entry { message: Arc::clone(message), number: self.stored });
        self.next_expiry = earlier(self.next_expiry, message.expires_at);
        (self.count, self.bytes) = (count, bytes);
        Ok(())
    }

    /// The message of a topic.
    pub(crate) fn get(&self, topic: &str) -> Option<&Arc<Message>> {
        find(&self.root, topic)
    }

    /// Clears a topic.
    pub(crate) fn remove(&mut self, topic: &str) {
        if let Some(message) = remove(&mut self.root, Some(topic)) {
            let (count, bytes) = weight(&message);
            self.count -= count;
            self.bytes -= bytes;
        }
    }

    /// Visits every message that matches the filter, has not expired, and was stored before a moment.
    pub(crate) fn visit(&self, filter: &str, before: u64, now: Millis, found: &mut dyn FnMut(&Arc<Message>)) {
        visit(&self.root, Some(filter), true, &mut |Entry { message, number }| {
            if *number <= before && !message.expired(now) {
                found(message);
            }
        });
    }

    /// Goes on through what matches the filter, in the order of the levels, from behind a place on, until `found` or
    /// `places` of the tree were looked at. Where it stopped; `None` at the end.
    pub(crate) fn walk(
        &self,
        filter: &str,
        behind: Option<&str>,
        places: usize,
        found: &mut dyn FnMut(&Arc<Message>) -> ControlFlow<()>,
    ) -> Option<String> {
        let mut walk = Walk { path: String::new(), places, found };
        let behind = behind.map_or(Behind::Nothing, |path| Behind::Path(Some(path)));
        match walk.node(&self.root, Wanted::Below(filter), behind, true) {
            ControlFlow::Break(()) => Some(walk.path),
            ControlFlow::Continue(()) => None,
        }
    }

    /// Drops what has expired and hands it over.
    pub(crate) fn drop_expired(&mut self, now: Millis) -> Vec<Arc<Message>> {
        if self.next_expiry.is_none_or(|time| time > now) {
            return Vec::new();
        }
        let mut expired = Vec::new();
        let mut next = None;
        all(&self.root, &mut |Entry { message, .. }| match message.expired(now) {
            true => expired.push(Arc::clone(message)),
            false => next = earlier(next, message.expires_at),
        });
        self.next_expiry = next;
        expired.iter().for_each(|message| self.remove(&message.topic));
        expired
    }
}

/// What of a place of the tree matches a filter.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    All,
    /// What is below it as the rest of the filter says.
    Below(&'a str),
    /// Its own message.
    Here,
}

impl<'a> Wanted<'a> {
    fn rest(rest: Option<&'a str>) -> Self {
        rest.map_or(Self::Here, Self::Below)
    }
}

/// What was gone through before.
#[derive(Clone, Copy)]
enum Behind<'a> {
    Nothing,
    /// The place itself, and what comes before this path below it.
    Path(Option<&'a str>),
}

/// A way through the tree that can be interrupted.
struct Walk<'a> {
    /// Where it is.
    path: String,
    /// Places that may still be looked at.
    places: usize,
    found: &'a mut dyn FnMut(&Arc<Message>) -> ControlFlow<()>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node, wanted: Wanted<'_>, behind: Behind<'_>, top: bool) -> ControlFlow<()> {
        if matches!(behind, Behind::Nothing) && !top {
            let own = matches!(wanted, Wanted::All | Wanted::Here | Wanted::Below("#"));
            if let Some(entry) = node.message.as_ref().filter(|_| own) {
                (self.found)(&entry.message)?;
            }
            self.places = self.places.saturating_sub(1);
            if self.places == 0 {
                return ControlFlow::Break(());
            }
        }
        // [MQTT-4.7.2-1] a leading wildcard does not reach topics that begin with $
        let reached = |name: &str| !(top && name.starts_with('$'));
        let (first, rest) = match behind {
            Behind::Path(Some(path)) => match path.split_once('/') {
                Some((first, rest)) => (Some(first), Some(rest)),
                None => (Some(path), None),
            },
            Behind::Path(None) | Behind::Nothing => (None, None),
        };
        let inside = |name: &str| if first == Some(name) { Behind::Path(rest) } else { Behind::Nothing };
        let (level, below) = match wanted {
            Wanted::Here => return ControlFlow::Continue(()),
            Wanted::All => ("#", Wanted::All),
            Wanted::Below(filter) => match filter.split_once('/') {
                Some((level, rest)) => (level, Wanted::Below(rest)),
                None => (filter, if filter == "#" { Wanted::All } else { Wanted::rest(None) }),
            },
        };
        if level == "#" || level == "+" {
            for (name, child) in
                node.children.from(first.unwrap_or_default()).filter(|(name, _)| reached(name))
            {
                self.child(name, child, below, inside(name), top)?;
            }
        } else if let Some(child) =
            node.children.get(level).filter(|_| first.is_none_or(|first| level >= first))
        {
            self.child(level, child, below, inside(level), top)?;
        }
        ControlFlow::Continue(())
    }

    fn child(
        &mut self,
        name: &str,
        child: &Node,
        wanted: Wanted<'_>,
        behind: Behind<'_>,
        top: bool,
    ) -> ControlFlow<()> {
        let length = self.path.len();
        if !top {
            self.path.push('/');
        }
        self.path.push_str(name);
        self.node(child, wanted, behind, false)?; // it stays where it stopped
        self.path.truncate(length);
        ControlFlow::Continue(())
    }
}

/// What a message counts for against the limits, and its bytes. The broker's own report of itself is free.
fn weight(message: &Message) -> (usize, usize) {
    match message.topic.starts_with("$SYS/") {
        true => (0, 0),
        false => {
            let levels = message.topic.split('/').count().saturating_sub(USUAL_LEVELS);
            (1, message.size() + levels * LEVEL)
        }
    }
}

fn earlier(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    one.into_iter().chain(other).min()
}

fn find<'a>(root: &'a Node, topic: &str) -> Option<&'a Arc<Message>> {
    let node = topic.split('/').try_fold(root, |node, level| node.children.get(level))?;
    node.message.as_ref().map(|entry| &entry.message)
}

fn remove(node: &mut Node, topic: Option<&str>) -> Option<Arc<Message>> {
    let Some(topic) = topic else { return node.message.take().map(|entry| entry.message) };
    let (level, rest) = match topic.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (topic, None),
    };
    let child = node.children.get_mut(level)?;
    let message = remove(child, rest);
    if child.message.is_none() && child.children.is_empty() {
        node.children.remove(level);
    }
    message
}

fn visit(node: &Node, filter: Option<&str>, top: bool, found: &mut dyn FnMut(&Entry)) {
    let Some(filter) = filter else {
        return node.message.iter().for_each(found);
    };
    let (level, rest) = match filter.split_once('/') {
        Some((level, rest)) => (level, Some(rest)),
        None => (filter, None),
    };
    // [MQTT-4.7.2-1] a leading wildcard does not reach topics that begin with $
    let reached = |name: &str| !(top && name.starts_with('$'));
    match level {
        "#" => {
            node.message.iter().for_each(&mut *found);
            node.children.iter().filter(|(name, _)| reached(name)).for_each(|(_, child)| all(child, found));
        }
        "+" => {
            for (_, child) in node.children.iter().filter(|(name, _)| reached(name)) {
                visit(child, rest, false, found);
            }
        }
        _ => {
            if let Some(child) = node.children.get(level) {
                visit(child, rest, false, found);
            }
        }
    }
}

fn all(node: &Node, found: &mut dyn FnMut(&Entry)) {
    node.message.iter().for_each(&mut *found);
    node.children.iter().for_each(|(_, child)| all(child, found));
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookmq_codec::Publish;
    use proptest::prelude::*;

    fn tree(topics: &[String]) -> Retained {
        let mut retained = Retained::default();
        for topic in topics {
            let publish = Publish { topic: topic.as_str().into(), payload: "x".into(), ..Publish::default() };
            let message = Arc::new(Message::from_publish(publish, "".into(), 0));
            retained.store(&message, &Limits::default()).unwrap();
        }
        retained
    }

    fn by_steps(tree: &Retained, filter: &str, places: usize) -> Vec<String> {
        let (mut all, mut behind) = (Vec::new(), None);
        loop {
            let stopped = tree.walk(filter, behind.as_deref(), places, &mut |message| {
                all.push(message.topic.to_string());
                ControlFlow::Continue(())
            });
            match stopped {
                Some(path) => behind = Some(path),
                None => return all,
            }
        }
    }

    proptest! {
        #[test]
        fn a_walk_by_steps_finds_what_a_visit_finds_and_in_order(
            topics in prop::collection::vec("[ab$]{0,2}(/[abc]{0,1}){0,3}", 1..40),
            filter in "(#|[ab+$]|[ab+]/#|[ab+]?(/[abc+]?){0,3}(/#)?)",
            places in 1..5usize,
        ) {
            let topics: Vec<_> = topics.into_iter().filter(|topic| !topic.is_empty()).collect();
            let tree = tree(&topics);
            let mut visited = Vec::new();
            tree.visit(&filter, u64::MAX, 0, &mut |message| visited.push(message.topic.to_string()));
            visited.sort_by(|one, other| one.split('/').cmp(other.split('/')));
            prop_assert_eq!(by_steps(&tree, &filter, places), visited);
        }
    }
}
