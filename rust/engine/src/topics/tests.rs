//! The statistics of topics against a plain table.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

fn message(topic: &str, payload: &[u8], at: Millis) -> Message {
    let payload = Bytes::copy_from_slice(payload);
    Message { topic: topic.into(), payload, received_at: at, publisher: "p".into(), ..Message::default() }
}

/// Threads that count, each with routes of its own.
struct Threads {
    topics: Arc<Topics>,
    threads: Vec<(Counting, BTreeMap<String, Place>)>,
}

impl Threads {
    fn new(count: usize, bounds: Bounds) -> Self {
        let topics = Topics::new(bounds);
        topics.switch(true);
        let threads = (0..count).map(|_| (Counting::new(Arc::clone(&topics)), BTreeMap::new())).collect();
        Self { topics, threads }
    }

    fn publish(&mut self, thread: usize, message: &Message) {
        let count = self.threads.len();
        let (counting, routes) = &mut self.threads[thread % count];
        counting.count(routes.entry(message.topic.to_string()).or_default(), message);
    }

    fn rest(&mut self) {
        self.threads.iter_mut().for_each(|(counting, _)| counting.rest());
    }
}

#[derive(Default, Clone, PartialEq, Debug)]
struct Plain {
    messages: u64,
    bytes: u64,
    at: Millis,
    last: Vec<u8>,
}

/// Everything in the tree, found level by level.
fn all(topics: &Topics) -> BTreeMap<String, Plain> {
    let mut found = BTreeMap::new();
    let mut parents: Vec<Option<String>> = vec![None];
    while let Some(parent) = parents.pop() {
        let (items, total) = topics.tree().below(parent.as_deref(), usize::MAX, None, 0);
        assert_eq!(items.len(), total);
        let below: (usize, u64) = items.iter().fold((0, 0), |(topics, messages), item| {
            (
                topics + item.below_topics + usize::from(item.at.is_some()),
                messages + item.below_messages + item.messages,
            )
        });
        if let Some(parent) = &parent {
            let own = topics.tree().topic(parent, 0).unwrap();
            assert_eq!((own.below_topics, own.below_messages, own.children), (below.0, below.1, total));
        }
        for item in items {
            assert!(item.at.is_some() || item.children > 0, "{item:?} is empty");
            if item.children > 0 {
                parents.push(Some(item.topic.clone()));
            }
            if let Some(at) = item.at {
                let last = item.payload.unwrap().to_vec();
                let plain = Plain { messages: item.messages, bytes: item.bytes, at, last };
                found.insert(item.topic, plain);
            }
        }
    }
    found
}

proptest! {
    #[test]
    fn it_counts_as_a_plain_table_does(
        steps in prop::collection::vec((0..3usize, "[ab](/[abc]?){0,2}", 0..40usize, 0..20u8), 1..200),
    ) {
        let mut threads = Threads::new(3, Bounds::default());
        let mut plain: BTreeMap<String, Plain> = BTreeMap::new();
        for (at, (thread, topic, length, rest)) in steps.into_iter().enumerate() {
            let message = message(&topic, &vec![rest; length], at as u64);
            threads.publish(thread, &message);
            let one = plain.entry(topic).or_default();
            *one = Plain {
                messages: one.messages + 1,
                bytes: one.bytes + length as u64,
                at: at as u64,
                last: message.payload.to_vec(),
            };
            if rest == 0 {
                threads.rest();
            }
            if rest == 1 {
                threads.topics.collect();
            }
        }
        threads.rest();
        threads.topics.collect(); // those that were at work hand over at the end of their turn
        threads.rest();
        threads.topics.collect();
        prop_assert_eq!(threads.topics.tree().len(), plain.len());
        prop_assert_eq!(all(&threads.topics), plain);
    }

    #[test]
    fn the_longest_silent_make_room(
        steps in prop::collection::vec("[abc](/[abcd]){0,2}", 1..150),
        bound in 1..12usize,
    ) {
        let mut threads = Threads::new(1, Bounds { topics: bound, bytes: usize::MAX });
        let mut plain: Vec<(String, u64)> = Vec::new(); // the longest silent first
        let mut evicted = 0;
        for (at, topic) in steps.into_iter().enumerate() {
            threads.publish(0, &message(&topic, b"x", at as u64));
            threads.rest();
            threads.topics.collect();
            let before = plain.iter().position(|(other, _)| *other == topic).map(|index| plain.remove(index).1);
            plain.push((topic, before.unwrap_or(0) + 1));
            if plain.len() > bound {
                plain.remove(0);
                evicted += 1;
            }
        }
        let found: BTreeMap<_, _> =
            all(&threads.topics).into_iter().map(|(topic, plain)| (topic, plain.messages)).collect();
        prop_assert_eq!(found, plain.into_iter().collect::<BTreeMap<_, _>>());
        prop_assert_eq!(threads.topics.tree().evicted, evicted);
    }

    #[test]
    fn a_watch_that_adds_up_its_changes_sees_what_there_is(
        steps in prop::collection::vec(("[ab](/[abc]){0,2}", any::<bool>()), 1..80),
        bound in 2..8usize,
    ) {
        let mut threads = Threads::new(1, Bounds { topics: bound, bytes: usize::MAX });
        let parents = vec![None, Some("a".to_owned()), Some("a/b".to_owned())];
        let mut watch = TopicWatch::new(Arc::clone(&threads.topics), parents.clone(), 3);
        let mut seen: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (at, (topic, looks)) in steps.into_iter().enumerate() {
            threads.publish(0, &message(&topic, b"x", at as u64));
            threads.rest();
            threads.topics.collect();
            if !looks {
                continue;
            }
            let changes = watch.changes(at as u64);
            for topic in changes.gone {
                prop_assert!(seen.remove(&topic).is_some(), "{} was never seen", topic);
            }
            seen.extend(changes.set.into_iter().map(|one| (one.topic, (one.messages, one.below_messages))));
            let mut there = BTreeMap::new();
            for parent in &parents {
                let (items, _) = threads.topics.tree().below(parent.as_deref(), 3, None, 0);
                there.extend(items.into_iter().map(|one| (one.topic, (one.messages, one.below_messages))));
            }
            prop_assert_eq!(&seen, &there);
            prop_assert!(watch.changes(at as u64).set.is_empty(), "nothing happened since");
        }
    }
}

#[test]
fn bytes_are_bounded_and_large_payloads_are_cut() {
    let mut threads = Threads::new(1, Bounds { topics: 1000, bytes: 64 << 10 });
    for number in 0..100 {
        threads.publish(0, &message(&format!("t/{number}"), &vec![b'x'; 100_000], number));
    }
    threads.rest();
    threads.topics.collect();
    let tree = threads.topics.tree();
    assert!((5..16).contains(&tree.len()), "{}", tree.len());
    let (last, whole) = tree.value("t/99").unwrap();
    assert_eq!((last.payload.len(), whole, last.received_at), (KEPT, 100_000, 99));
    assert!(tree.value("t/0").is_none());
}

#[test]
fn a_rate_is_known_soon_and_fades() {
    let mut threads = Threads::new(1, Bounds::default());
    let rate = |threads: &mut Threads, from: u64, to: u64| {
        for at in (from..to).step_by(20) {
            threads.publish(0, &message("a", b"", at));
            threads.rest();
            threads.topics.collect();
        }
        threads.topics.tree().topic("a", to).unwrap().rate
    };
    let soon = rate(&mut threads, 0, 2_000);
    let later = rate(&mut threads, 2_000, 60_000);
    assert!((45.0..56.0).contains(&soon) && (48.0..52.0).contains(&later), "{soon} {later}");
    let faded = threads.topics.tree().topic("a", 120_000).unwrap().rate;
    assert!(faded < 0.2, "{faded}");
}

#[test]
fn many_topics_are_handed_over_in_between_and_none_is_lost() {
    let mut threads = Threads::new(2, Bounds::default());
    for number in 0..50_000u64 {
        threads
            .publish(number as usize, &message(&format!("t/{}/{}", number % 100, number), b"12345", number));
        if number % 1000 == 0 {
            threads.rest();
        }
        if number % 5000 == 0 {
            threads.topics.collect();
        }
    }
    threads.rest();
    threads.topics.collect();
    threads.rest();
    threads.topics.collect();
    assert_eq!(threads.topics.lost.load(Relaxed), 0);
    assert_eq!(all(&threads.topics).values().map(|plain| plain.messages).sum::<u64>(), 50_000);
    threads.topics.switch(false);
    threads.publish(0, &message("a", b"", 0));
    threads.rest();
    threads.topics.collect();
    assert_eq!(threads.topics.tree().len(), 0, "it is off, and everything is forgotten");
}

#[test]
fn a_search_finds_topics_by_a_part_of_their_name() {
    let mut threads = Threads::new(1, Bounds::default());
    for topic in ["plant/Tank/1", "plant/pump", "tank", "plants/tank", "/tank"] {
        threads.publish(0, &message(topic, b"", 1));
    }
    threads.rest();
    threads.topics.collect();
    let search = |parent: Option<&str>| {
        let mut found = BTreeSet::new();
        let mut from = Some(0);
        while let Some(place) = from {
            from = threads.topics.tree().search(place, 2, parent, "tank", &mut |topic| {
                found.insert(topic.to_owned());
            });
        }
        Vec::from_iter(found)
    };
    assert_eq!(search(None), ["/tank", "plant/Tank/1", "plants/tank", "tank"]);
    assert_eq!(search(Some("plant")), ["plant/Tank/1"]);
    assert_eq!(search(Some("")), ["/tank"]);
}
