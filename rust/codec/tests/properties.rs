//! What holds for every packet: it reads back as it was written, however the stream is cut, and no bytes at
//! all can do harm.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::{Bytes, BytesMut};
use hookmq_codec::{
    Ack, Auth, ByteString, ConnAck, Connect, Decoder, Disconnect, Packet, Properties, PropertyId, Publish,
    QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeFilter, SubscriptionOptions, UnsubAck,
    Unsubscribe, Value, Version, Will,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const LIMIT: usize = 1 << 20;

fn text() -> impl Strategy<Value = ByteString> {
    "[^\u{0}]{0,12}".prop_map(ByteString::from)
}

fn topic() -> impl Strategy<Value = ByteString> {
    "[^\u{0}+#]{1,12}".prop_map(ByteString::from)
}

fn data() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V31), Just(Version::V311), Just(Version::V5)]
}

/// Any selection of the given properties, in any values they may have, and user properties.
fn properties(version: Version, ids: &'static [PropertyId]) -> BoxedStrategy<Properties> {
    if !version.is_v5() {
        return Just(Properties::new()).boxed();
    }
    let one = |id: PropertyId| {
        let value: BoxedStrategy<Value> = match id {
            PropertyId::PayloadFormatIndicator
            | PropertyId::RequestProblemInformation
            | PropertyId::RequestResponseInformation => (0..2u32).prop_map(Value::Number).boxed(),
            PropertyId::ReceiveMaximum | PropertyId::TopicAlias | PropertyId::ServerKeepAlive => {
                (1..=65_535u32).prop_map(Value::Number).boxed()
            }
            PropertyId::SubscriptionIdentifier => (1..=268_435_455u32).prop_map(Value::Number).boxed(),
            PropertyId::MessageExpiryInterval
            | PropertyId::SessionExpiryInterval
            | PropertyId::WillDelayInterval => any::<u32>().prop_map(Value::Number).boxed(),
            PropertyId::MaximumPacketSize => (1..=u32::MAX).prop_map(Value::Number).boxed(),
            PropertyId::CorrelationData => data().prop_map(Value::Binary).boxed(),
            PropertyId::ResponseTopic => topic().prop_map(Value::Text).boxed(),
            _ => text().prop_map(Value::Text).boxed(),
        };
        option::of(value).prop_map(move |value| value.map(|value| (id, value)))
    };
    let listed: Vec<_> = ids.iter().map(|id| one(*id)).collect();
    let user = vec((text(), text()), 0..3);
    (listed, user)
        .prop_map(|(listed, user)| {
            let mut properties = Properties::new();
            listed.into_iter().flatten().for_each(|(id, value)| properties.push(id, value));
            for (name, value) in user {
                properties.push(PropertyId::UserProperty, Value::Pair(name, value));
            }
            properties
        })
        .boxed()
}

fn connect(version: Version) -> BoxedStrategy<Packet> {
    use PropertyId::*;
    let will_properties =
        properties(version, &[WillDelayInterval, PayloadFormatIndicator, ContentType, ResponseTopic]);
    let will = (topic(), data(), qos(), any::<bool>(), will_properties).prop_map(
        |(topic, payload, qos, retain, properties)| Will { topic, payload, qos, retain, properties },
    );
    let own = properties(version, &[SessionExpiryInterval, ReceiveMaximum, MaximumPacketSize]);
    let flags = (any::<bool>(), any::<bool>());
    (flags, any::<u16>(), text(), option::of(will), option::of(text()), option::of(data()), own)
        .prop_map(move |(flags, keep_alive, client_id, will, username, password, properties)| {
            let (bridge, clean_start) = flags;
            // Before 5.0 a password needs a user name.
            let password = password.filter(|_| version.is_v5() || username.is_some());
            Packet::Connect(Box::new(Connect {
                version,
                bridge: bridge && !version.is_v5(),
                clean_start,
                keep_alive,
                client_id,
                will,
                username,
                password,
                properties,
            }))
        })
        .boxed()
}

fn publish(version: Version) -> BoxedStrategy<Packet> {
    use PropertyId::*;
    let own = properties(
        version,
        &[
            PayloadFormatIndicator,
            MessageExpiryInterval,
            ContentType,
            ResponseTopic,
            CorrelationData,
            SubscriptionIdentifier,
            TopicAlias,
        ],
    );
    (any::<bool>(), qos(), any::<bool>(), topic(), 1..=u16::MAX, own, vec(any::<u8>(), 0..5000))
        .prop_map(|(dup, qos, retain, topic, packet_id, properties, payload)| {
            let has_id = qos > QoS::AtMostOnce;
            Packet::Publish(Publish {
                dup: dup && has_id,
                qos,
                retain,
                topic,
                packet_id: if has_id { packet_id } else { 0 },
                properties,
                payload: payload.into(),
            })
        })
        .boxed()
}

fn acknowledgement(version: Version) -> BoxedStrategy<Packet> {
    let reason = prop_oneof![Just(ReasonCode::Success), Just(ReasonCode::PacketIdentifierNotFound)];
    (1..=u16::MAX, reason, properties(version, &[PropertyId::ReasonString]), 0..4u8)
        .prop_map(move |(packet_id, reason, properties, which)| {
            // PUBACK and PUBREC have other reasons than PUBREL and PUBCOMP.
            let failed = reason.is_error() && version.is_v5();
            let reason = match (failed, which) {
                (false, _) => ReasonCode::Success,
                (true, 0 | 1) => ReasonCode::QuotaExceeded,
                (true, _) => reason,
            };
            let ack = Ack { packet_id, reason, properties };
            match which {
                0 => Packet::PubAck(ack),
                1 => Packet::PubRec(ack),
                2 => Packet::PubRel(ack),
                _ => Packet::PubComp(ack),
            }
        })
        .boxed()
}

fn subscription(version: Version) -> BoxedStrategy<Packet> {
    let handling = prop_oneof![
        Just(RetainHandling::Send),
        Just(RetainHandling::SendIfNew),
        Just(RetainHandling::DoNotSend)
    ];
    let options = (qos(), any::<bool>(), any::<bool>(), handling).prop_map(
        move |(qos, no_local, retain_as_published, retain_handling)| match version {
            Version::V5 => SubscriptionOptions { qos, no_local, retain_as_published, retain_handling },
            _ => SubscriptionOptions { qos, ..SubscriptionOptions::default() },
        },
    );
    let filters =
        vec((text(), options).prop_map(|(filter, options)| SubscribeFilter { filter, options }), 1..5);
    let subscribe = (1..=u16::MAX, properties(version, &[PropertyId::SubscriptionIdentifier]), filters)
        .prop_map(|(packet_id, properties, filters)| {
            Packet::Subscribe(Subscribe { packet_id, properties, filters })
        });
    let unsubscribe = (1..=u16::MAX, properties(version, &[]), vec(text(), 1..5)).prop_map(
        |(packet_id, properties, filters)| {
            Packet::Unsubscribe(Unsubscribe { packet_id, properties, filters })
        },
    );
    prop_oneof![subscribe, unsubscribe].boxed()
}

fn answer(version: Version) -> BoxedStrategy<Packet> {
    let granted = prop_oneof![
        Just(ReasonCode::Success),
        Just(ReasonCode::GrantedQoS1),
        Just(ReasonCode::GrantedQoS2),
        Just(ReasonCode::UnspecifiedError)
    ];
    let own = || properties(version, &[PropertyId::ReasonString]);
    let suback = (1..=u16::MAX, own(), vec(granted, 1..5)).prop_map(|(packet_id, properties, reasons)| {
        Packet::SubAck(SubAck { packet_id, properties, reasons })
    });
    let unsuback = (1..=u16::MAX, own(), 0..5usize).prop_map(move |(packet_id, properties, count)| {
        let reasons = vec![ReasonCode::Success; if version.is_v5() { count } else { 0 }];
        Packet::UnsubAck(UnsubAck { packet_id, properties, reasons })
    });
    let connack = (any::<bool>(), own()).prop_map(move |(present, properties)| {
        let session_present = present && version != Version::V31;
        Packet::ConnAck(ConnAck { session_present, reason: ReasonCode::Success, properties })
    });
    let disconnect = (any::<bool>(), own()).prop_map(move |(failed, properties)| {
        let reason = match failed && version.is_v5() {
            true => ReasonCode::ServerShuttingDown,
            false => ReasonCode::Success,
        };
        Packet::Disconnect(Disconnect { reason, properties })
    });
    prop_oneof![suback, unsuback, connack, disconnect, Just(Packet::PingReq), Just(Packet::PingResp)].boxed()
}

fn packet(version: Version) -> BoxedStrategy<Packet> {
    let auth =
        properties(version, &[PropertyId::AuthenticationMethod]).prop_map(move |properties| match version {
            Version::V5 => Packet::Auth(Auth { reason: ReasonCode::ContinueAuthentication, properties }),
            _ => Packet::PingReq,
        });
    prop_oneof![
        connect(version),
        publish(version),
        acknowledgement(version),
        subscription(version),
        answer(version),
        auth
    ]
    .boxed()
}

fn stream() -> impl Strategy<Value = (Version, Vec<Packet>)> {
    version().prop_flat_map(|version| (Just(version), vec(packet(version), 1..8)))
}

fn encoded(version: Version, packets: &[Packet]) -> BytesMut {
    let mut out = BytesMut::new();
    packets.iter().for_each(|packet| packet.encode(version, &mut out));
    out
}

fn decode_all(decoder: &mut Decoder, buffer: &mut BytesMut) -> Vec<Packet> {
    std::iter::from_fn(|| decoder.next(buffer).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_was_encoded_decodes_to_the_same((version, packets) in stream()) {
        let mut buffer = encoded(version, &packets);
        prop_assert_eq!(decode_all(&mut Decoder::new(version, LIMIT), &mut buffer), packets);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn any_split_of_a_stream_decodes_to_the_same(
        (version, packets) in stream(),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let all = encoded(version, &packets);
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(all.len() + 1)).collect();
        cuts.extend([0, all.len()]);
        cuts.sort_unstable();
        let mut decoder = Decoder::new(version, LIMIT);
        let (mut buffer, mut decoded) = (BytesMut::new(), Vec::new());
        for pair in cuts.windows(2) {
            buffer.extend_from_slice(&all[pair[0]..pair[1]]);
            decoded.extend(decode_all(&mut decoder, &mut buffer));
        }
        prop_assert_eq!(decoded, packets);
    }

    #[test]
    fn no_bytes_can_harm_the_decoder(version in version(), bytes in vec(any::<u8>(), 0..300)) {
        let mut buffer = BytesMut::from(&bytes[..]);
        let mut decoder = Decoder::new(version, LIMIT);
        while let Ok(Some(_)) = decoder.next(&mut buffer) {}
        prop_assert!(buffer.capacity() <= bytes.len().max(64));
    }

    #[test]
    fn a_damaged_packet_can_not_harm_the_decoder(
        (version, packets) in stream(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut buffer = encoded(version, &packets);
        let at = at.index(buffer.len());
        buffer[at] = byte;
        let mut decoder = Decoder::new(version, LIMIT);
        while let Ok(Some(packet)) = decoder.next(&mut buffer) {
            // What is taken for a packet can be written again.
            packet.encode(decoder.version(), &mut BytesMut::new());
        }
    }
}
