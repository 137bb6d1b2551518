//! Sessions over time: expiry, delayed wills, and what observers are told.

use crate::support::World;
use hookmq_codec::{Connect, Properties, PropertyId, Publish, QoS, ReasonCode, TopicFilter, Version, Will};
use hookmq_engine::{Event, Limits, Tap, TapKind};

fn connect(id: &str, expiry: u32, will_delay: u32) -> Connect {
    Connect {
        version: Version::V5,
        client_id: id.into(),
        properties: Properties::new().with(PropertyId::SessionExpiryInterval, expiry),
        will: Some(Will {
            topic: "will".into(),
            payload: id.to_owned().into(),
            properties: Properties::new().with(PropertyId::WillDelayInterval, will_delay),
            ..Will::default()
        }),
        ..Connect::default()
    }
}

fn published(world: &World) -> Vec<String> {
    let events = world.events.0.lock();
    let payload = |event: &Event| match event {
        Event::Published { message, .. } => Some(String::from_utf8_lossy(&message.payload).into_owned()),
        _ => None,
    };
    events.iter().filter_map(payload).collect()
}

fn watch(world: &World, filter: &str, kind: TapKind) {
    let filter = TopicFilter::parse(filter.into()).unwrap();
    world.broker.add_tap(&filter, Tap::new(1, kind));
}

#[test]
fn a_session_ends_when_its_expiry_has_passed_and_not_before() {
    let mut world = World::new(Limits::default());
    let peer = world.connect_with(connect("a", 10, 0));
    world.lose(peer);
    world.now += 9_999;
    world.tick();
    assert_eq!(world.broker.totals().sessions, 1);
    world.now += 1;
    world.tick();
    assert_eq!(world.broker.totals().sessions, 0);
}

#[test]
fn a_session_for_ever_stays() {
    let mut world = World::new(Limits::default());
    let peer = world.connect_with(connect("a", u32::MAX, 0));
    world.lose(peer);
    world.now += 1000 * 365 * 24 * 3600 * 1000;
    world.tick();
    assert_eq!(world.broker.totals().sessions, 1);
}

#[test]
fn a_delayed_will_comes_after_its_delay_or_with_the_end_of_the_session() {
    let mut world = World::new(Limits::default());
    watch(&world, "will", TapKind::Received);
    let soon = world.connect_with(connect("delay first", 60, 5));
    let late = world.connect_with(connect("session first", 3, 60));
    world.lose(soon);
    world.lose(late);
    assert_eq!(published(&world), Vec::<String>::new());
    world.now += 3_000;
    world.tick();
    assert_eq!(published(&world), ["session first"]);
    world.now += 2_000;
    world.tick();
    assert_eq!(published(&world), ["session first", "delay first"]);
}

#[test]
fn a_client_that_comes_back_in_time_keeps_its_will_back_and_its_session() {
    let mut world = World::new(Limits::default());
    watch(&world, "will", TapKind::Received);
    let peer = world.connect_with(connect("a", 60, 5));
    world.lose(peer);
    world.now += 4_000;
    let peer = world.connect_with(connect("a", 60, 5));
    world.now += 600_000;
    world.tick();
    assert_eq!(published(&world), Vec::<String>::new());
    assert_eq!(world.broker.totals().sessions, 1);
    world.lose(peer);
}

#[test]
fn reconnecting_again_and_again_leaves_nothing_behind() {
    let mut world = World::new(Limits { max_reconnects: 0, ..Limits::default() });
    for _ in 0..1000 {
        let mut peer = world.connect("a", Version::V311, true);
        world.subscribe(&mut peer, "x/y/z", QoS::AtLeastOnce);
        world.lose(peer);
    }
    assert_eq!(world.broker.totals().sessions, 0);
    assert_eq!(world.count("clients_connected"), 0);
}

#[test]
fn a_takeover_tells_the_old_connection_why() {
    let mut world = World::new(Limits::default());
    let old = world.connect("a", Version::V5, true);
    let _new = world.connect("a", Version::V5, true);
    assert_eq!(*old.wire.closed.lock(), Some(ReasonCode::SessionTakenOver));
    // The old task notices later; it must not end the new connection.
    world.lose(old);
    assert_eq!(world.count("clients_connected"), 1);
}

#[test]
fn observers_see_what_they_asked_for_and_no_more() {
    let mut world = World::new(Limits::default());
    watch(&world, "seen/#", TapKind::Routed);
    let mut publisher = world.connect("p", Version::V311, true);
    world.publish(&mut publisher, "seen/1", b"client", QoS::AtMostOnce, 0);
    world.publish(&mut publisher, "unseen", b"other", QoS::AtMostOnce, 0);
    assert_eq!(published(&world), ["client"]);
    world.broker.remove_tap(&TopicFilter::parse("seen/#".into()).unwrap(), 1);
    world.publish(&mut publisher, "seen/1", b"later", QoS::AtMostOnce, 0);
    assert_eq!(published(&world), ["client"]);
}

#[test]
fn subscriptions_of_a_bridge_have_no_local_and_retain_as_published() {
    let mut world = World::new(Limits::default());
    let connect = |id: &str, bridge| Connect {
        version: Version::V311,
        bridge,
        clean_start: true,
        client_id: id.into(),
        ..Connect::default()
    };
    let mut bridge = world.connect_with(connect("bridge", true));
    let mut other = world.connect_with(connect("other", false));
    for peer in [&mut bridge, &mut other] {
        world.subscribe(peer, "#", QoS::AtMostOnce);
    }
    world.publish(&mut bridge, "a", b"mine", QoS::AtMostOnce, 0);
    assert!(bridge.messages().is_empty());
    assert_eq!(other.messages().len(), 1);
    let retained = Publish { topic: "b".into(), payload: "kept".into(), retain: true, ..Publish::default() };
    world.batch.begin(world.now);
    other.connection.publish(retained, Ok(()), &mut world.batch).unwrap();
    world.finish();
    let flags = |messages: Vec<Publish>| messages.iter().map(|message| message.retain).collect::<Vec<_>>();
    assert_eq!((flags(bridge.messages()), flags(other.messages())), (vec![true], vec![false]));
    // No Local on a shared subscription is an error, and it would share nothing with itself.
    world.subscribe(&mut bridge, "$share/g/c", QoS::AtMostOnce);
    world.publish(&mut bridge, "c", b"mine", QoS::AtMostOnce, 0);
    assert_eq!(bridge.messages().len(), 1);
}

#[test]
fn sessions_can_be_looked_into_and_ended_from_outside() {
    let mut world = World::new(Limits::default());
    let mut gone = world.connect_with(connect("$bridge/gone", u32::MAX, 0));
    let here = world.connect_with(connect("$bridge/here", u32::MAX, 0));
    world.subscribe(&mut gone, "a/#", QoS::AtLeastOnce);
    world.publish(&mut gone, "b", b"x", QoS::ExactlyOnce, 7);
    assert_eq!(world.broker.filters("$bridge/gone").unwrap(), ["a/#"]);
    assert_eq!(world.broker.filters("nobody"), None);
    world.lose(gone);
    let mut publisher = world.connect("p", Version::V5, true);
    world.publish(&mut publisher, "a/1", b"x", QoS::AtLeastOnce, 1);
    assert_eq!((world.broker.waiting("$bridge/gone"), world.broker.waiting("nobody")), (1, 0));

    let (broker, now) = (std::sync::Arc::clone(&world.broker), world.now);
    let ended = broker.with_batch(now, |batch| broker.end_sessions(|id| id.starts_with("$bridge/"), batch));
    assert_eq!(ended, [("$bridge/gone".into(), 1)], "what is connected stays");
    assert_eq!(broker.filters("$bridge/gone"), None);
    drop(here);
}

#[test]
fn a_client_that_begins_anew_with_its_packet_identifiers_is_not_taken_for_repeating() {
    let mut world = World::new(Limits::default());
    watch(&world, "#", TapKind::Received);
    let mut peer = world.connect_with(connect("a", 10, 0));
    for payload in [b"1", b"2"] {
        world.publish(&mut peer, "t", payload, QoS::ExactlyOnce, 7);
    }
    let broker = std::sync::Arc::clone(&world.broker);
    broker.with_batch(world.now, |batch| {
        broker.forget_received("a", batch);
        broker.forget_received("nobody", batch);
    });
    world.publish(&mut peer, "t", b"3", QoS::ExactlyOnce, 7);
    assert_eq!(published(&world), ["1", "3"]);
}
