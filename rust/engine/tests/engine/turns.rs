//! Turns that leave what they have to write to those behind them.

use std::sync::atomic::Ordering::SeqCst;

use hookmq_codec::{Packet, Publish, QoS, TopicFilter, Version};
use hookmq_engine::{Limits, Tap, TapKind};

use crate::support::{Peer, World};

const V: Version = Version::V311;

/// A turn in which a client publishes one message. Says whether it left something.
fn turn(world: &mut World, peer: &mut Peer, topic: &str, qos: QoS, size: usize) -> bool {
    world.batch.begin(world.now);
    let publish = Publish {
        topic: topic.into(),
        payload: vec![b'x'; size].into(),
        qos,
        packet_id: 1,
        ..Publish::default()
    };
    peer.connection.publish(publish, Ok(()), &mut world.batch).unwrap();
    world.broker.finish_later(&mut world.batch)
}

#[test]
fn what_many_publish_is_written_once() {
    let mut world = World::new(Limits::default());
    let mut receiver = world.connect("r", V, true);
    world.subscribe(&mut receiver, "a/#", QoS::AtLeastOnce);
    let mut publishers: Vec<_> =
        (0..20).map(|number| world.connect(&format!("p{number}"), V, true)).collect();
    let before = receiver.wire.writes.load(SeqCst);
    for (number, publisher) in publishers.iter_mut().enumerate() {
        let qos = if number % 2 == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        assert!(turn(&mut world, publisher, "a/b", qos, 10));
        assert!(world.batch.is_left());
    }
    assert_eq!(receiver.wire.writes.load(SeqCst), before);
    assert_eq!(world.count("messages_received"), 0, "counters are added with it");
    world.finish();
    assert!(!world.batch.is_left());
    assert_eq!(receiver.wire.writes.load(SeqCst), before + 1);
    assert_eq!(receiver.messages().len(), 20);
    assert_eq!(world.count("messages_received"), 20);
}

#[test]
fn turns_and_bytes_that_are_left_are_bounded() {
    let mut world = World::new(Limits::default());
    let mut receiver = world.connect("r", V, true);
    let mut publisher = world.connect("p", V, true);
    world.subscribe(&mut receiver, "#", QoS::AtMostOnce);
    let left = (0..100).take_while(|_| turn(&mut world, &mut publisher, "a", QoS::AtMostOnce, 1)).count();
    assert!((16..64).contains(&left), "{left} turns");
    assert_eq!(receiver.messages().len(), left + 1, "the one that could not be left wrote all of them");
    assert!(turn(&mut world, &mut publisher, "a", QoS::AtMostOnce, 60_000));
    assert!(!turn(&mut world, &mut publisher, "a", QoS::AtMostOnce, 60_000));
    assert_eq!(receiver.messages().len(), 2);
}

#[test]
fn a_turn_that_has_nothing_to_write_is_over_all_the_same() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V, true);
    for _ in 0..3 {
        assert!(turn(&mut world, &mut publisher, "nobody", QoS::AtMostOnce, 1));
        world.finish();
        assert!(!world.batch.is_left());
    }
    assert_eq!(world.count("messages_received"), 3);
}

#[test]
fn neither_observers_nor_the_store_wait() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V, true);
    world.broker.add_tap(&TopicFilter::parse("seen/#".into()).unwrap(), Tap::new(1, TapKind::Received));
    assert!(turn(&mut world, &mut publisher, "other", QoS::AtMostOnce, 1));
    assert!(!turn(&mut world, &mut publisher, "seen/x", QoS::AtMostOnce, 1));
    assert_eq!(world.events.0.lock().len(), 1);

    let mut world = World::durable(Limits::default());
    let mut receiver = world.connect("r", V, false);
    world.subscribe(&mut receiver, "kept", QoS::AtLeastOnce);
    let mut publisher = world.connect("p", V, true);
    assert!(turn(&mut world, &mut publisher, "kept", QoS::AtMostOnce, 1));
    assert!(!turn(&mut world, &mut publisher, "kept", QoS::AtLeastOnce, 1));
    world.finish();
    assert!(matches!(publisher.take()[..], [Packet::PubAck(_)]));
    assert_eq!(receiver.messages().len(), 2);
}
