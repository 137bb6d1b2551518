//! Sessions that change hands or come back: what an earlier connection left must not harm the next.

use std::sync::atomic::Ordering::SeqCst;

use hookmq_codec::{
    Ack, Connect, Packet, Properties, PropertyId, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter,
    SubscriptionOptions, Unsubscribe, Version,
};
use hookmq_engine::Limits;

use crate::support::{Peer, World};

const V5: Version = Version::V5;

fn keep(id: &str, properties: Properties) -> Connect {
    let properties = properties.with(PropertyId::SessionExpiryInterval, u32::MAX);
    Connect { version: V5, client_id: id.into(), properties, ..Connect::default() }
}

fn ack(packet_id: u16) -> Ack {
    Ack::new(packet_id, ReasonCode::Success)
}

fn published(packets: &[Packet]) -> Vec<u16> {
    let id = |packet: &Packet| match packet {
        Packet::Publish(publish) => Some(publish.packet_id),
        _ => None,
    };
    packets.iter().filter_map(id).collect()
}

#[test]
fn acknowledgements_of_what_was_not_repeated_yet_do_not_stall_the_session() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V5, true);
    let mut receiver = world.connect_with(keep("r", Properties::new()));
    world.subscribe(&mut receiver, "#", QoS::AtLeastOnce);
    for number in 0..4u8 {
        world.publish(&mut publisher, "t", &[number], QoS::AtLeastOnce, 1);
    }
    assert_eq!(receiver.messages().len(), 4);
    world.lose(receiver);

    let one_at_a_time = Properties::new().with(PropertyId::ReceiveMaximum, 1);
    let mut receiver = world.connect_with(keep("r", one_at_a_time));
    assert_eq!(published(&receiver.welcome), [1]);
    // It remembers the others from its last connection.
    for id in [2, 3] {
        world.handle(&mut receiver, Packet::PubAck(ack(id)));
    }
    assert!(receiver.take().is_empty(), "one is still under way");
    world.handle(&mut receiver, Packet::PubAck(ack(1)));
    assert_eq!(published(&receiver.take()), [4]);
    world.handle(&mut receiver, Packet::PubAck(ack(4)));
    world.publish(&mut publisher, "t", b"new", QoS::AtLeastOnce, 1);
    assert_eq!(receiver.messages().len(), 1);
}

#[test]
fn a_pubrel_is_not_held_back_by_the_receive_maximum() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V5, true);
    let mut receiver = world.connect_with(keep("r", Properties::new()));
    world.subscribe(&mut receiver, "#", QoS::ExactlyOnce);
    for _ in 0..2 {
        world.publish(&mut publisher, "t", b"x", QoS::ExactlyOnce, 1);
        world.handle(&mut publisher, Packet::PubRel(ack(1)));
    }
    world.handle(&mut receiver, Packet::PubRec(ack(2)));
    world.lose(receiver);
    let receiver = world.connect_with(keep("r", Properties::new().with(PropertyId::ReceiveMaximum, 1)));
    assert!(receiver.welcome.contains(&Packet::PubRel(ack(2))), "{:?}", receiver.welcome);
}

#[test]
fn a_connection_that_was_taken_over_acts_no_more() {
    let mut world = World::new(Limits::default());
    let mut old = world.connect_with(keep("a", Properties::new()));
    world.subscribe(&mut old, "kept", QoS::AtLeastOnce);
    let new = world.connect_with(keep("a", Properties::new()));

    world.batch.begin(world.now);
    let options = SubscriptionOptions::default();
    let filters = vec![SubscribeFilter { filter: "late".into(), options }];
    let subscribe = Subscribe { packet_id: 9, filters, ..Subscribe::default() };
    old.connection.subscribe(subscribe, &[], &mut world.batch).unwrap();
    let unsubscribe = Unsubscribe { packet_id: 9, filters: vec!["kept".into()], ..Unsubscribe::default() };
    old.connection.unsubscribe(unsubscribe, &mut world.batch);
    old.connection.handle(Packet::PingReq, &mut world.batch).unwrap();
    let publish = Publish { topic: "x".into(), qos: QoS::ExactlyOnce, packet_id: 7, ..Publish::default() };
    old.connection.publish(publish, Ok(()), &mut world.batch).unwrap();
    world.broker.finish(&mut world.batch);
    assert!(new.take().is_empty(), "the new connection gets no answers it did not ask for");

    let mut publisher = world.connect("p", V5, true);
    for topic in ["late", "kept"] {
        world.publish(&mut publisher, topic, b"x", QoS::AtMostOnce, 0);
    }
    let topics: Vec<String> = new.messages().iter().map(|message| message.topic.to_string()).collect();
    assert_eq!(topics, ["kept"]);
}

#[test]
fn unreleased_messages_of_an_earlier_connection_do_not_use_the_receive_maximum_up() {
    let mut world = World::new(Limits { receive_maximum: 2, ..Limits::default() });
    let mut client = world.connect_with(keep("a", Properties::new()));
    for id in [1, 2] {
        world.publish(&mut client, "t", b"x", QoS::ExactlyOnce, id);
    }
    world.lose(client);
    // It has lost its memory, and begins with other identifiers.
    let mut client = world.connect_with(keep("a", Properties::new()));
    for id in [3, 4] {
        world.publish(&mut client, "t", b"x", QoS::ExactlyOnce, id);
    }
    assert_eq!(client.take().len(), 2);
}

#[test]
fn a_replay_of_retained_messages_refuses_nobody() {
    let mut world = World::new(Limits { max_queued_messages: 5, ..Limits::default() });
    let mut publisher = world.connect("p", V5, true);
    world.batch.begin(world.now);
    for number in 0..50 {
        let publish = Publish {
            topic: format!("kept/{number}").into(),
            payload: "x".into(),
            qos: QoS::AtLeastOnce,
            packet_id: 1,
            retain: true,
            ..Publish::default()
        };
        publisher.connection.publish(publish, Ok(()), &mut world.batch).unwrap();
    }
    world.broker.finish(&mut world.batch);
    publisher.take();
    let slow = Properties::new().with(PropertyId::ReceiveMaximum, 1);
    let mut receiver = world.connect_with(keep("r", slow));
    world.subscribe_unread(&mut receiver, "#", QoS::AtLeastOnce);
    world.publish(&mut publisher, "live", b"x", QoS::AtLeastOnce, 1);
    assert_eq!(publisher.take(), [Packet::PubAck(ack(1))]);
}

#[test]
fn expired_messages_make_room_in_a_full_queue() {
    let mut world = World::new(Limits { max_queued_messages: 3, ..Limits::default() });
    let mut publisher = world.connect("p", V5, true);
    let mut receiver = world.connect_with(keep("r", Properties::new()));
    world.subscribe(&mut receiver, "#", QoS::AtLeastOnce);
    world.lose(receiver);
    let send = |world: &mut World, publisher: &mut Peer| {
        let publish = Publish {
            topic: "t".into(),
            qos: QoS::AtLeastOnce,
            packet_id: 1,
            properties: Properties::new().with(PropertyId::MessageExpiryInterval, 60),
            ..Publish::default()
        };
        world.batch.begin(world.now);
        publisher.connection.publish(publish, Ok(()), &mut world.batch).unwrap();
        world.broker.finish(&mut world.batch);
        publisher.take()
    };
    for _ in 0..3 {
        assert_eq!(send(&mut world, &mut publisher), [Packet::PubAck(ack(1))]);
    }
    let refused = Packet::PubAck(Ack::new(1, ReasonCode::QuotaExceeded));
    assert_eq!(send(&mut world, &mut publisher), [refused]);
    world.now += 61_000;
    assert_eq!(send(&mut world, &mut publisher), [Packet::PubAck(ack(1))]);
}

#[test]
fn a_shared_group_fills_nobody_beyond_the_bound() {
    let mut world = World::new(Limits { max_queued_messages: 3, ..Limits::default() });
    let mut publisher = world.connect("p", V5, true);
    let mut keeper = world.connect_with(keep("keeper", Properties::new()));
    let mut other = world.connect_with(keep("other", Properties::new()));
    world.subscribe(&mut keeper, "$share/g/t", QoS::AtLeastOnce);
    world.subscribe(&mut other, "$share/g/t", QoS::AtMostOnce);
    world.lose(keeper);
    world.lose(other);
    for _ in 0..20 {
        world.publish(&mut publisher, "t", b"x", QoS::AtLeastOnce, 1);
    }
    let answers = publisher.take();
    assert_eq!(answers[..3], [Packet::PubAck(ack(1)), Packet::PubAck(ack(1)), Packet::PubAck(ack(1))]);
    let refused =
        |packet: &Packet| matches!(packet, Packet::PubAck(ack) if ack.reason == ReasonCode::QuotaExceeded);
    assert!(answers[3..].iter().all(refused), "nothing is acknowledged that nobody keeps");
    let keeper = world.connect_with(keep("keeper", Properties::new()));
    assert_eq!(published(&keeper.welcome).len(), 3);
}

#[test]
fn a_publish_reaches_others_while_one_receiver_is_written() {
    let mut world = World::new(Limits::default());
    let mut publisher = world.connect("p", V5, true);
    let mut blocked = world.connect("b", V5, true);
    let mut free = world.connect("f", V5, true);
    world.subscribe(&mut blocked, "#", QoS::AtLeastOnce);
    world.subscribe(&mut free, "#", QoS::AtLeastOnce);
    blocked.wire.blocked.store(true, SeqCst);
    for _ in 0..100 {
        world.publish(&mut publisher, "t", &[0; 10_000], QoS::AtLeastOnce, 1);
    }
    assert_eq!(free.messages().len(), 100);
    world.unblock(&blocked);
    assert_eq!(blocked.messages().len(), 100);
}
