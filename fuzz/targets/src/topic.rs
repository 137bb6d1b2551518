//! Topic names and filters: parsing, matching, the subscription trie and the retained tree, each against the
//! plain comparison.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hookmq_codec::{Publish, TopicFilter, topic};
use hookmq_engine::{Broker, Event, Gate, Limits, Message, Observer, Origin, Tap, TapId, TapKind};
use parking_lot::Mutex;

use crate::plain;

const NOW: u64 = 1_000_000;

/// Each line is a letter and a topic: `S` adds an observer of a filter, `U` removes one, `P` publishes, `R`
/// publishes with RETAIN, `C` clears what is retained, `Q` asks for what is retained.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut world = World::new();
    for line in text.split('\n') {
        let mut characters = line.chars();
        let Some(operation) = characters.next() else { continue };
        world.run(operation, characters.as_str());
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<TapId>>);

impl Observer for Seen {
    fn observe(&self, events: &mut Vec<Event>, _gates: &mut Vec<Arc<dyn Gate>>) {
        for event in events.drain(..) {
            if let Event::Published { taps, .. } = event {
                self.0.lock().extend_from_slice(&taps);
            }
        }
    }
}

/// A broker, and beside it plain lists of what it was told.
struct World {
    broker: Arc<Broker>,
    seen: Arc<Seen>,
    max_levels: usize,
    filters: BTreeMap<TapId, TopicFilter>,
    retained: BTreeSet<String>,
    next: TapId,
}

impl World {
    fn new() -> Self {
        let seen = Arc::new(Seen::default());
        let observer: Arc<dyn Observer> = Arc::<Seen>::clone(&seen);
        let limits = Limits::default();
        let max_levels = limits.max_topic_levels;
        let broker = Broker::new(limits, observer);
        Self { broker, seen, max_levels, filters: BTreeMap::new(), retained: BTreeSet::new(), next: 1 }
    }

    fn run(&mut self, operation: char, text: &str) {
        let filter = parsed(text);
        let is_name = topic::check_name(text).is_ok();
        assert_eq!(is_name, plain::is_name(text), "{text:?} as a name");
        // Those in front of the engine refuse deeper topics.
        if text.split('/').count() > self.max_levels {
            return;
        }
        match (operation, filter) {
            ('S', Some(filter)) => self.observe(filter),
            ('U', Some(filter)) => self.forget(&filter),
            ('Q', Some(filter)) => self.ask(&filter),
            ('P', _) if is_name => self.publish(text, false, "x"),
            ('R', _) if is_name => self.publish(text, true, "x"),
            ('C', _) if is_name => self.publish(text, true, ""),
            _ => {}
        }
    }

    fn tap(&mut self) -> Tap {
        self.next += 1;
        Tap::new(self.next, TapKind::Routed)
    }

    fn observe(&mut self, filter: TopicFilter) {
        let tap = self.tap();
        self.broker.add_tap(&filter, tap);
        self.filters.insert(tap.id, filter);
    }

    fn forget(&mut self, filter: &TopicFilter) {
        let known = self.filters.iter().find(|(_, other)| other.filter() == filter.filter());
        // An identifier that is not there is a case as well.
        let id = known.map_or(0, |(id, _)| *id);
        self.broker.remove_tap(filter, id);
        self.filters.remove(&id);
    }

    fn publish(&mut self, name: &str, retain: bool, payload: &'static str) {
        let publish = Publish { topic: name.into(), retain, payload: payload.into(), ..Publish::default() };
        let message = Message::from_publish(publish, Arc::from(""), NOW);
        let taken = self
            .broker
            .with_batch(NOW, |batch| self.broker.publish(message, Origin::broker(), batch).is_ok());
        assert!(taken, "{name:?} was refused");
        if retain {
            match payload {
                "" => self.retained.remove(name),
                _ => self.retained.insert(name.to_owned()),
            };
        }
        let mut seen = std::mem::take(&mut *self.seen.0.lock());
        seen.sort_unstable();
        let matching = |filter: &TopicFilter| plain::matches(filter.filter(), name);
        let expected: Vec<TapId> =
            self.filters.iter().filter(|(_, filter)| matching(filter)).map(|(id, _)| *id).collect();
        assert_eq!(seen, expected, "observers of {name:?}");
        for filter in self.filters.values() {
            assert_eq!(filter.matches(name), matching(filter), "{filter:?} and {name:?}");
        }
    }

    fn ask(&mut self, filter: &TopicFilter) {
        let tap = self.tap();
        let found = self.broker.add_tap_with_retained(filter, tap, NOW);
        self.broker.remove_tap(filter, tap.id);
        let mut found: Vec<String> = found.iter().map(|message| message.topic.to_string()).collect();
        found.sort_unstable();
        let matching = |name: &&String| plain::matches(filter.filter(), name);
        let expected: Vec<String> = self.retained.iter().filter(matching).cloned().collect();
        assert_eq!(found, expected, "retained for {filter:?}");
    }
}

/// The filter, if it is one; the parser and the plain check agree on that and on its parts.
fn parsed(text: &str) -> Option<TopicFilter> {
    let parsed = TopicFilter::parse(text.into()).ok();
    let expected = match text.starts_with("$share/") {
        true => plain::share(text).map(|(name, filter)| (Some(name), filter)),
        false => plain::is_filter(text).then_some((None, text)),
    };
    let parts = parsed.as_ref().map(|filter| (filter.share_name(), filter.filter()));
    assert_eq!(parts, expected, "{text:?} as a filter");
    if let Some(filter) = &parsed {
        assert_eq!(filter.as_str(), text);
    }
    parsed
}
