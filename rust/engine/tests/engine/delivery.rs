//! Messages from a publisher to receivers that are fast, slow, blocked or away.

use std::sync::atomic::Ordering::SeqCst;

use crate::support::World;
use hookmq_codec::{Ack, Packet, QoS, ReasonCode, Version};
use hookmq_engine::{Limits, Refused};

const V: Version = Version::V311;

#[test]
fn a_batch_is_written_once_to_each_receiver() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V, true);
    let mut receiver = world.connect("r", V, true);
    world.subscribe(&mut receiver, "a/#", QoS::AtMostOnce);
    let before = receiver.wire.writes.load(SeqCst);
    world.batch.begin(world.now);
    for number in 0..200u8 {
        let publish =
            hookmq_codec::Publish { topic: "a/b".into(), payload: vec![number].into(), ..Default::default() };
        publisher.connection.publish(publish, Ok(()), &mut world.batch).unwrap();
    }
    assert_eq!(receiver.wire.writes.load(SeqCst), before, "nothing is written within a batch");
    world.broker.finish(&mut world.batch);
    assert_eq!(receiver.wire.writes.load(SeqCst), before + 1);
    let numbers: Vec<u8> = receiver.messages().iter().map(|message| message.payload[0]).collect();
    assert_eq!(numbers, (0..200).collect::<Vec<u8>>());
}

#[test]
fn a_blocked_socket_is_left_to_its_owner_and_loses_nothing_it_has_room_for() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V, true);
    let mut receiver = world.connect("r", V, true);
    world.subscribe(&mut receiver, "#", QoS::AtLeastOnce);
    receiver.wire.blocked.store(true, SeqCst);
    for number in 0..50u8 {
        let qos = if number % 2 == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        world.publish(&mut publisher, "t", &[number], qos, 7);
    }
    assert!(receiver.take().is_empty());
    assert!(receiver.wire.wakes.load(SeqCst) >= 1);
    assert!(receiver.connection.is_blocked());
    world.unblock(&receiver);
    assert_eq!(receiver.messages().len(), 50);
    assert!(!receiver.connection.is_blocked());
}

#[test]
fn qos_0_beyond_the_outbox_waits_and_the_oldest_go_when_the_queue_is_full() {
    let limits = Limits { max_outbox_bytes: 10_000, max_queued_messages: 20, ..Limits::default() };
    let mut world = World::new(limits);
    let mut publisher = world.connect("p", V, true);
    let mut receiver = world.connect("r", V, true);
    world.subscribe(&mut receiver, "#", QoS::AtMostOnce);
    receiver.wire.blocked.store(true, SeqCst);
    for number in 0..100u8 {
        world.publish(&mut publisher, "t", &[number; 1000], QoS::AtMostOnce, 0);
    }
    let dropped = world.count("messages_dropped");
    assert_eq!(world.count("limit_qos0_dropped"), dropped);
    world.unblock(&receiver);
    let got: Vec<_> = receiver.messages().iter().map(|message| message.payload[0]).collect();
    assert_eq!(got.len() as i64 + dropped, 100);
    let first: Vec<_> = (0..10).collect();
    assert_eq!(got[..10], first, "what was encoded already");
    let last: Vec<_> = (80..100).collect();
    assert_eq!(got[10..], last, "and the newest");
}

#[test]
fn a_full_queue_refuses_and_what_was_acknowledged_is_all_delivered() {
    let mut world = World::new(Limits { max_queued_messages: 10, ..Limits::default() });
    let mut publisher = world.connect("p", Version::V5, true);
    let mut receiver = world.connect("r", V, false);
    world.subscribe(&mut receiver, "#", QoS::AtLeastOnce);
    world.lose(receiver);
    for number in 0..20u8 {
        world.publish(&mut publisher, "t", &[number], QoS::AtLeastOnce, u16::from(number) + 1);
    }
    let reasons: Vec<_> = publisher
        .take()
        .into_iter()
        .map(|packet| match packet {
            Packet::PubAck(ack) => ack.reason,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reasons[..10], [ReasonCode::Success; 10]);
    assert_eq!(reasons[10..], [Refused::REASON; 10]);
    assert_eq!(world.count("messages_refused"), 10);

    let receiver =
        world.connect_with(hookmq_codec::Connect { version: V, client_id: "r".into(), ..Default::default() });
    let payload = |packet: &Packet| match packet {
        Packet::Publish(publish) => publish.payload[0],
        other => panic!("{other:?}"),
    };
    let payloads: Vec<u8> = receiver.welcome.iter().map(payload).collect();
    assert_eq!(payloads, (0..10).collect::<Vec<u8>>());
}

#[test]
fn the_inflight_window_holds_and_moves_with_each_acknowledgement() {
    let mut world = World::new(Limits { max_inflight: 3, ..Limits::default() });
    let mut publisher = world.connect("p", V, true);
    let mut receiver = world.connect("r", V, true);
    world.subscribe(&mut receiver, "#", QoS::ExactlyOnce);
    for number in 0..10u8 {
        world.publish(&mut publisher, "t", &[number], QoS::AtLeastOnce, 1);
    }
    let mut expected = 0u8;
    let mut under_way = receiver.messages();
    assert_eq!(under_way.len(), 3);
    while let Some(message) = under_way.pop() {
        // Acknowledged out of order on purpose: the last first.
        let ack = Ack::new(message.packet_id, ReasonCode::Success);
        world.handle(&mut receiver, Packet::PubAck(ack));
        expected += 1;
        under_way.extend(receiver.messages());
        assert!(under_way.len() <= 3);
    }
    assert_eq!(expected, 10);
}

#[test]
fn large_payloads_and_small_packets_keep_their_order() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V, true);
    let mut receiver = world.connect("r", V, true);
    world.subscribe(&mut receiver, "#", QoS::AtMostOnce);
    receiver.wire.blocked.store(true, SeqCst);
    let sizes = [10, 5000, 20, 30, 70_000, 4096, 4095, 1];
    for size in sizes {
        world.publish(&mut publisher, "t", &vec![size as u8; size], QoS::AtMostOnce, 0);
    }
    world.unblock(&receiver);
    let got: Vec<usize> = receiver.messages().iter().map(|message| message.payload.len()).collect();
    assert_eq!(got, sizes);
}

#[test]
fn topics_in_use_are_found_in_the_cache_until_a_subscription_changes() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V, true);
    let mut first = world.connect("1", V, true);
    world.subscribe(&mut first, "a/+", QoS::AtMostOnce);
    world.publish(&mut publisher, "a/b", b"1", QoS::AtMostOnce, 0);
    let mut second = world.connect("2", V, true);
    world.subscribe(&mut second, "a/b", QoS::AtMostOnce);
    world.publish(&mut publisher, "a/b", b"2", QoS::AtMostOnce, 0);
    world.lose(first);
    world.publish(&mut publisher, "a/b", b"3", QoS::AtMostOnce, 0);
    let payloads: Vec<_> = second.messages().into_iter().map(|message| message.payload).collect();
    assert_eq!(payloads, [&b"2"[..], b"3"]);
}
