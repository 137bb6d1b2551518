//! What passes through a link, looked at without sockets.

use bytes::{Bytes, BytesMut};
use hookmq_codec::{Decoder, Version};

use super::*;
use crate::bridge::settings::{Direction, TopicSettings};

/// A link without sockets: what goes to either side can be looked at.
struct Bench {
    passing: Passing,
    here: Wire,
    there: Wire,
}

impl Bench {
    fn new(version: Version) -> Self {
        let topics = Topics::new(&[TopicSettings {
            filter: "#".to_owned(),
            direction: Direction::Both,
            qos: QoS::ExactlyOnce,
            local_prefix: "here/".to_owned(),
            remote_prefix: "there/".to_owned(),
        }]);
        let wire = |version| Wire { version, bytes: BytesMut::new() };
        Self {
            passing: Passing::new(topics.unwrap(), "me".into(), Arc::default()),
            here: wire(Version::V5),
            there: wire(version),
        }
    }

    fn here_sends(&mut self, packet: Packet) -> Result<(), Stop> {
        self.passing.take_here(packet, &mut self.here, &mut self.there)
    }

    fn there_sends(&mut self, packet: Packet) -> Result<(), Stop> {
        self.passing.take_there(packet, &mut self.here, &mut self.there)
    }

    /// What has gone to this broker and to the other.
    fn sent(&mut self) -> (Vec<Packet>, Vec<Packet>) {
        let packets = |wire: &mut Wire| {
            let mut decoder = Decoder::new(wire.version, usize::MAX);
            std::iter::from_fn(|| decoder.next(&mut wire.bytes).unwrap()).collect()
        };
        (packets(&mut self.here), packets(&mut self.there))
    }

    fn counted(&self, name: &str) -> u64 {
        let figures = self.passing.status.figures("", 0);
        figures.counters.into_iter().find(|(counter, _)| *counter == name).unwrap().1
    }
}

fn publish(topic: &str, qos: QoS, packet_id: u16) -> Publish {
    let payload = Bytes::from_static(b"x");
    Publish { topic: topic.into(), qos, packet_id, payload, ..Publish::default() }
}

fn ack(packet_id: u16, reason: ReasonCode) -> Ack {
    Ack::new(packet_id, reason)
}

const OK: ReasonCode = ReasonCode::Success;

#[test]
fn packets_pass_with_their_identifiers_and_flags() {
    let mut bench = Bench::new(Version::V5);
    let sent = Publish { dup: true, retain: true, ..publish("here/a", QoS::ExactlyOnce, 7) };
    bench.here_sends(Packet::Publish(sent)).unwrap();
    bench.there_sends(Packet::PubRec(ack(7, OK))).unwrap();
    bench.here_sends(Packet::PubRel(ack(7, OK))).unwrap();
    bench.there_sends(Packet::PubComp(ack(7, OK))).unwrap();
    let (here, there) = bench.sent();
    assert_eq!(here, [Packet::PubRec(ack(7, OK)), Packet::PubComp(ack(7, OK))]);
    let [Packet::Publish(passed), Packet::PubRel(_)] = &there[..] else { unreachable!("{there:?}") };
    assert!(passed.dup && passed.retain && passed.qos == QoS::ExactlyOnce && passed.packet_id == 7);
    assert_eq!((&*passed.topic, &*passed.payload), ("there/a", &b"x"[..]));

    bench.there_sends(Packet::Publish(publish("there/b/c", QoS::AtLeastOnce, 9))).unwrap();
    bench.here_sends(Packet::PubAck(ack(9, ReasonCode::NoMatchingSubscribers))).unwrap();
    let (here, there) = bench.sent();
    assert!(matches!(&here[..], [Packet::Publish(came)] if came.topic == "here/b/c" && came.packet_id == 9));
    assert_eq!(there, [Packet::PubAck(ack(9, ReasonCode::NoMatchingSubscribers))]);
    assert_eq!((bench.counted("messages_sent"), bench.counted("messages_received")), (1, 1));
}

#[test]
fn properties_pass_but_for_those_of_one_connection() {
    let mut bench = Bench::new(Version::V5);
    let properties = Properties::new()
        .with(PropertyId::MessageExpiryInterval, 60)
        .with(PropertyId::SubscriptionIdentifier, 3)
        .with_text(PropertyId::ContentType, "text/plain")
        .with_text(PropertyId::ResponseTopic, "here/answer");
    bench
        .here_sends(Packet::Publish(Publish { properties, ..publish("here/a", QoS::AtMostOnce, 0) }))
        .unwrap();
    let (_, there) = bench.sent();
    let [Packet::Publish(passed)] = &there[..] else { unreachable!("{there:?}") };
    let properties = &passed.properties;
    assert_eq!(properties.number(PropertyId::MessageExpiryInterval), Some(60));
    assert_eq!(properties.number(PropertyId::SubscriptionIdentifier), None);
    assert_eq!(properties.text(PropertyId::ContentType).unwrap(), "text/plain");
    assert_eq!(properties.text(PropertyId::ResponseTopic).unwrap(), "there/answer");
    // It has been at this broker by now.
    bench
        .there_sends(Packet::Publish(Publish { qos: QoS::AtLeastOnce, packet_id: 4, ..passed.clone() }))
        .unwrap();
    assert_eq!(bench.sent(), (vec![], vec![Packet::PubAck(ack(4, OK))]));
    assert_eq!(bench.counted("loops"), 1);
}

#[test]
fn what_was_queued_with_a_higher_qos_than_the_other_broker_takes_goes_with_that() {
    let mut bench = Bench::new(Version::V5);
    bench.passing.max_qos = QoS::AtLeastOnce;
    bench.here_sends(Packet::Publish(publish("here/a", QoS::ExactlyOnce, 7))).unwrap();
    bench.there_sends(Packet::PubAck(ack(7, OK))).unwrap();
    bench.here_sends(Packet::PubRel(ack(7, OK))).unwrap();
    // One that was released before the link was there.
    bench.here_sends(Packet::PubRel(ack(8, OK))).unwrap();
    bench.here_sends(Packet::Publish(publish("here/a", QoS::AtLeastOnce, 9))).unwrap();
    bench.there_sends(Packet::PubAck(ack(9, OK))).unwrap();
    let (here, there) = bench.sent();
    let comp = |id| Packet::PubComp(ack(id, OK));
    assert_eq!(here, [Packet::PubRec(ack(7, OK)), comp(7), comp(8), Packet::PubAck(ack(9, OK))]);
    let passed = |packet: &Packet| matches!(packet, Packet::Publish(one) if one.qos == QoS::AtLeastOnce);
    assert!(there.len() == 2 && there.iter().all(passed), "{there:?}");

    bench.passing.max_qos = QoS::AtMostOnce;
    for (qos, id) in [(QoS::AtLeastOnce, 1), (QoS::ExactlyOnce, 2), (QoS::AtMostOnce, 0)] {
        bench.here_sends(Packet::Publish(Publish { dup: id > 0, ..publish("here/a", qos, id) })).unwrap();
    }
    let (here, there) = bench.sent();
    assert_eq!(here, [Packet::PubAck(ack(1, OK)), Packet::PubRec(ack(2, OK))]);
    let passed =
        |packet: &Packet| matches!(packet, Packet::Publish(one) if one.qos == QoS::AtMostOnce && !one.dup);
    assert!(there.len() == 3 && there.iter().all(passed), "{there:?}");
}

#[test]
fn what_there_is_no_room_for_is_not_acknowledged_until_it_was_tried_often() {
    for reason in [ReasonCode::QuotaExceeded, ReasonCode::ImplementationSpecificError] {
        for (qos, answer) in
            [(QoS::AtLeastOnce, Packet::PubAck as fn(Ack) -> Packet), (QoS::ExactlyOnce, Packet::PubRec)]
        {
            let mut bench = Bench::new(Version::V5);
            for number in 1..tries::MOST {
                bench.there_sends(Packet::Publish(publish("there/a", qos, 1))).unwrap();
                bench.there_sends(Packet::Publish(publish("there/b", qos, 2))).unwrap();
                bench.sent();
                bench.here_sends(answer(ack(1, reason))).unwrap();
                bench.here_sends(answer(ack(2, OK))).unwrap();
                assert!(bench.passing.broken.take().unwrap().contains(reason.text()));
                assert_eq!(bench.sent(), (vec![], vec![answer(ack(2, OK))]));
                assert_eq!(bench.counted("not_taken"), u64::from(number));
                bench.passing.tries.begin();
            }
            bench.there_sends(Packet::Publish(publish("there/a", qos, 1))).unwrap();
            bench.sent();
            bench.here_sends(answer(ack(1, reason))).unwrap();
            assert_eq!(bench.sent(), (vec![], vec![answer(ack(1, reason))]));
            assert!(bench.passing.broken.is_none() && bench.counted("refused_here") == 1);
            let said = bench.passing.take_notices();
            assert!(said[0].contains("on \"here/a\" 5 times: "), "{said:?}");
        }
    }
}

#[test]
fn what_is_refused_for_good_is_over() {
    let refused = ReasonCode::NotAuthorized;
    let mut bench = Bench::new(Version::V5);
    bench.here_sends(Packet::PubAck(ack(1, refused))).unwrap();
    bench.here_sends(Packet::Publish(publish("here/a", QoS::AtLeastOnce, 2))).unwrap();
    bench.there_sends(Packet::PubAck(ack(2, refused))).unwrap();
    let (here, there) = bench.sent();
    assert_eq!(here, [Packet::PubAck(ack(2, refused))]);
    assert_eq!(there[0], Packet::PubAck(ack(1, refused)));
    assert_eq!((bench.counted("refused_here"), bench.counted("refused_there")), (1, 1));
    assert_eq!(
        bench.passing.take_notices().len(),
        1,
        "what may come with every message is not said each time"
    );

    let mut bench = Bench::new(Version::V311);
    bench.here_sends(Packet::PubRec(ack(1, refused))).unwrap();
    bench.there_sends(Packet::PubRel(ack(1, OK))).unwrap();
    assert_eq!(bench.sent(), (vec![Packet::PubRel(ack(1, OK))], vec![Packet::PubRec(ack(1, OK))]));
}

#[test]
fn what_does_not_fit_or_has_no_name_there_is_dropped_and_acknowledged() {
    let mut bench = Bench::new(Version::V311);
    bench.passing.largest_there = 20;
    bench.passing.largest_here = 20;
    let large = |topic| Publish { payload: vec![0; 20].into(), ..publish(topic, QoS::AtLeastOnce, 1) };
    bench.here_sends(Packet::Publish(large("here/a"))).unwrap();
    bench.there_sends(Packet::Publish(large("there/a"))).unwrap();
    bench.here_sends(Packet::Publish(publish("elsewhere", QoS::ExactlyOnce, 2))).unwrap();
    let (here, there) = bench.sent();
    assert_eq!(here, [Packet::PubAck(ack(1, OK)), Packet::PubRec(ack(2, OK))]);
    assert_eq!(there, [Packet::PubAck(ack(1, OK))]);
    assert_eq!((bench.counted("dropped_too_large"), bench.counted("dropped_unmapped")), (2, 1));
}

#[test]
fn a_side_that_is_too_slow_costs_messages_that_may_be_lost() {
    let mut bench = Bench::new(Version::V5);
    bench.passing.pressed = true;
    bench.here_sends(Packet::Publish(publish("here/a", QoS::AtMostOnce, 0))).unwrap();
    bench.here_sends(Packet::Publish(publish("here/b", QoS::AtLeastOnce, 1))).unwrap();
    let (_, there) = bench.sent();
    assert!(matches!(&there[..], [Packet::Publish(passed)] if passed.topic == "there/b"));
    assert_eq!(bench.counted("dropped_too_slow"), 1);
}

#[test]
fn an_echo_is_dropped_once_unless_it_is_a_repetition() {
    let mut bench = Bench::new(Version::V311);
    bench.passing.echoes = Some(Echoes::default());
    bench.here_sends(Packet::Publish(publish("here/a", QoS::AtMostOnce, 0))).unwrap();
    let echo = publish("there/a", QoS::AtLeastOnce, 1);
    bench.there_sends(Packet::Publish(Publish { dup: true, ..echo.clone() })).unwrap();
    assert_eq!(bench.sent().0.len(), 1);
    bench.there_sends(Packet::Publish(echo.clone())).unwrap();
    assert_eq!(bench.sent(), (vec![], vec![Packet::PubAck(ack(1, OK))]));
    bench.there_sends(Packet::Publish(echo)).unwrap();
    assert_eq!((bench.sent().0.len(), bench.counted("echoes")), (1, 1));
}

#[test]
fn a_farewell_ends_the_link_in_its_words() {
    let mut bench = Bench::new(Version::V5);
    let properties = Properties::new().with_text(PropertyId::ReasonString, "until tomorrow");
    let farewell = hookmq_codec::Disconnect { reason: ReasonCode::ServerShuttingDown, properties };
    let stop = bench.there_sends(Packet::Disconnect(farewell)).unwrap_err();
    assert_eq!(stop.0, "the other broker said: Server shutting down (until tomorrow)");
    assert!(bench.there_sends(Packet::PingReq).is_err());
    assert!(bench.there_sends(Packet::PingResp).is_ok());
}
