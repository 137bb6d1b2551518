//! The trie and the retained tree find what a plain comparison of filter and name finds.

use crate::support::World;
use hookmq_codec::{Publish, QoS, TopicFilter, Version, topic};
use hookmq_engine::{Limits, Tap, TapKind};
use proptest::collection::vec;
use proptest::prelude::*;

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "", "$d"])
}

fn name() -> impl Strategy<Value = String> {
    vec(level(), 1..5).prop_map(|levels| levels.join("/")).prop_filter("not empty", |name| !name.is_empty())
}

fn filter() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => level(), 2 => Just("+")];
    (vec(level, 1..5), any::<bool>())
        .prop_map(|(mut levels, open)| {
            if open {
                levels.push("#");
            }
            levels.join("/")
        })
        .prop_filter("not empty", |filter| !filter.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_message_reaches_a_session_once_if_any_of_its_filters_matches(
        sessions in vec(vec(filter(), 0..4), 1..5),
        names in vec(name(), 1..12),
    ) {
        let mut world = World::new(Limits::default());
        let mut publisher = world.connect("publisher", Version::V311, true);
        let mut receivers: Vec<_> = sessions.iter().enumerate().map(|(index, filters)| {
            let mut receiver = world.connect(&format!("r{index}"), Version::V311, true);
            for filter in filters {
                world.subscribe(&mut receiver, filter, QoS::AtMostOnce);
            }
            receiver
        }).collect();
        for name in &names {
            world.publish(&mut publisher, name, b"x", QoS::AtMostOnce, 0);
        }
        for (receiver, filters) in receivers.iter_mut().zip(&sessions) {
            let got: Vec<String> = receiver.messages().iter().map(|message| message.topic.to_string()).collect();
            let expected: Vec<String> = names
                .iter()
                .filter(|name| filters.iter().any(|filter| topic::matches(filter, name)))
                .cloned()
                .collect();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn retained_messages_are_found_by_the_same_rules(names in vec(name(), 1..20), filter in filter()) {
        let mut world = World::new(Limits::default());
        let mut publisher = world.connect("publisher", Version::V311, true);
        world.batch.begin(world.now);
        for name in &names {
            let publish = Publish {
                topic: name.as_str().into(),
                payload: "x".into(),
                retain: true,
                ..Publish::default()
            };
            publisher.connection.publish(publish, Ok(()), &mut world.batch).unwrap();
        }
        world.broker.finish(&mut world.batch);
        let parsed = TopicFilter::parse(filter.as_str().into()).unwrap();
        let tap = Tap::new(1, TapKind::Routed);
        let found = world.broker.add_tap_with_retained(&parsed, tap, world.now);
        let mut got: Vec<String> = found.iter().map(|message| message.topic.to_string()).collect();
        let mut expected: Vec<String> =
            names.iter().filter(|name| topic::matches(&filter, name)).cloned().collect();
        got.sort();
        expected.sort();
        expected.dedup();
        prop_assert_eq!(got, expected);
    }
}
