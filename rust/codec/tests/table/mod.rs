//! The rows. Bytes are written in hexadecimal with spaces where a reader wants them.

use bytes::Bytes;
use hookmq_codec::ReasonCode::*;
use hookmq_codec::Version::{self, V5, V31, V311};
use hookmq_codec::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Properties, PropertyId, Publish, QoS, ReasonCode,
    RetainHandling, SubAck, Subscribe, SubscribeFilter, SubscriptionOptions, UnsubAck, Unsubscribe, Value,
    Will,
};

/// A packet and its bytes.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) version: Version,
    pub(crate) packet: Packet,
    pub(crate) bytes: String,
}

impl Row {
    pub(crate) fn raw(&self) -> Vec<u8> {
        parse(&self.bytes)
    }
}

/// Bytes from hexadecimal; spaces do not count.
pub(crate) fn parse(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// Hexadecimal of bytes.
pub(crate) fn bytes_of(raw: &[u8]) -> String {
    raw.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn row(name: &'static str, version: Version, packet: Packet, bytes: &str) -> Row {
    Row { name, version, packet, bytes: bytes.split_whitespace().collect() }
}

fn ack(id: u16, reason: ReasonCode) -> Ack {
    Ack::new(id, reason)
}

fn user(name: &str, value: &str) -> (PropertyId, Value) {
    (PropertyId::UserProperty, Value::Pair(name.into(), value.into()))
}

fn properties(list: impl IntoIterator<Item = (PropertyId, Value)>) -> Properties {
    let mut properties = Properties::new();
    list.into_iter().for_each(|(id, value)| properties.push(id, value));
    properties
}

/// Every packet type in every version that has it, with and without its optional parts.
pub(crate) fn accepted() -> Vec<Row> {
    let mut rows = connects();
    rows.extend(connacks());
    rows.extend(publishes());
    rows.extend(acks());
    rows.extend(subscriptions());
    rows.extend([
        row("PINGREQ", V31, Packet::PingReq, "c000"),
        row("PINGREQ", V5, Packet::PingReq, "c000"),
        row("PINGRESP", V311, Packet::PingResp, "d000"),
        row("DISCONNECT", V311, Packet::Disconnect(Disconnect::new(Success)), "e000"),
        row("DISCONNECT, normal", V5, Packet::Disconnect(Disconnect::new(Success)), "e000"),
        row("DISCONNECT with will", V5, Packet::Disconnect(Disconnect::new(DisconnectWithWill)), "e0 01 04"),
        row(
            "DISCONNECT with expiry",
            V5,
            Packet::Disconnect(Disconnect {
                reason: Success,
                properties: Properties::new().with(PropertyId::SessionExpiryInterval, 60),
            }),
            "e0 07 00 05 11 0000003c",
        ),
        row(
            "DISCONNECT, server moved",
            V5,
            Packet::Disconnect(Disconnect {
                reason: ServerMoved,
                properties: Properties::new().with_text(PropertyId::ServerReference, "b"),
            }),
            "e0 06 9d 04 1c 0001 62",
        ),
        row(
            "AUTH",
            V5,
            Packet::Auth(Auth {
                reason: ContinueAuthentication,
                properties: properties([
                    (PropertyId::AuthenticationMethod, Value::Text("X".into())),
                    (PropertyId::AuthenticationData, Value::Binary(Bytes::from_static(&[0, 1]))),
                ]),
            }),
            "f0 0b 18 09 15 0001 58 16 0002 0001",
        ),
        row("AUTH, empty", V5, Packet::Auth(Auth { reason: Success, properties: Properties::new() }), "f000"),
    ]);
    rows
}

fn connects() -> Vec<Row> {
    let plain = |version| Connect {
        version,
        clean_start: true,
        keep_alive: 60,
        client_id: "a".into(),
        ..Connect::default()
    };
    let packet = |connect: Connect| Packet::Connect(Box::new(connect));
    vec![
        row("CONNECT", V31, packet(plain(V31)), "10 0f 0006 4d5149736470 03 02 003c 0001 61"),
        row("CONNECT", V311, packet(plain(V311)), "10 0d 0004 4d515454 04 02 003c 0001 61"),
        row("CONNECT", V5, packet(plain(V5)), "10 0e 0004 4d515454 05 02 003c 00 0001 61"),
        row(
            "CONNECT of a bridge",
            V31,
            packet(Connect { bridge: true, ..plain(V31) }),
            "10 0f 0006 4d5149736470 83 02 003c 0001 61",
        ),
        row(
            "CONNECT of a bridge",
            V311,
            packet(Connect { bridge: true, ..plain(V311) }),
            "10 0d 0004 4d515454 84 02 003c 0001 61",
        ),
        row(
            "CONNECT with all of 3.1.1",
            V311,
            packet(Connect {
                clean_start: false,
                username: Some("u".into()),
                password: Some(Bytes::from_static(&[0, 0xff])),
                will: Some(Will {
                    topic: "w".into(),
                    payload: Bytes::from_static(b"x"),
                    qos: QoS::AtLeastOnce,
                    retain: true,
                    ..Will::default()
                }),
                ..plain(V311)
            }),
            "10 1a 0004 4d515454 04 ec 003c 0001 61 0001 77 0001 78 0001 75 0002 00ff",
        ),
        row(
            "CONNECT with a password alone",
            V5,
            packet(Connect { password: Some(Bytes::from_static(b"p")), ..plain(V5) }),
            "10 11 0004 4d515454 05 42 003c 00 0001 61 0001 70",
        ),
        row(
            "CONNECT with properties",
            V5,
            packet(Connect {
                properties: properties([
                    (PropertyId::SessionExpiryInterval, Value::Number(10)),
                    (PropertyId::ReceiveMaximum, Value::Number(5)),
                    (PropertyId::MaximumPacketSize, Value::Number(1000)),
                    (PropertyId::TopicAliasMaximum, Value::Number(3)),
                    (PropertyId::RequestResponseInformation, Value::Number(1)),
                    (PropertyId::RequestProblemInformation, Value::Number(0)),
                    user("k", "v"),
                    user("k", "w"),
                ]),
                will: Some(Will {
                    topic: "w".into(),
                    qos: QoS::ExactlyOnce,
                    properties: properties([
                        (PropertyId::WillDelayInterval, Value::Number(7)),
                        (PropertyId::PayloadFormatIndicator, Value::Number(1)),
                        (PropertyId::ContentType, Value::Text("t".into())),
                    ]),
                    ..Will::default()
                }),
                ..plain(V5)
            }),
            "10 41 0004 4d515454 05 16 003c \
             22 11 0000000a 21 0005 27 000003e8 22 0003 19 01 17 00 26 0001 6b 0001 76 26 0001 6b 0001 77 \
             0001 61 0b 18 00000007 01 01 03 0001 74 0001 77 0000",
        ),
    ]
}

fn connacks() -> Vec<Row> {
    let packet = |session_present, reason, properties| {
        Packet::ConnAck(ConnAck { session_present, reason, properties })
    };
    vec![
        row("CONNACK", V31, packet(false, Success, Properties::new()), "20 02 00 00"),
        row("CONNACK, session present", V311, packet(true, Success, Properties::new()), "20 02 01 00"),
        row(
            "CONNACK, bad password",
            V311,
            packet(false, BadUserNameOrPassword, Properties::new()),
            "20 02 00 04",
        ),
        row("CONNACK", V5, packet(false, Success, Properties::new()), "20 03 00 00 00"),
        row(
            "CONNACK with properties",
            V5,
            packet(
                false,
                Success,
                properties([
                    (PropertyId::AssignedClientIdentifier, Value::Text("id".into())),
                    (PropertyId::ServerKeepAlive, Value::Number(30)),
                    (PropertyId::MaximumQoS, Value::Number(1)),
                    (PropertyId::RetainAvailable, Value::Number(0)),
                ]),
            ),
            "20 0f 00 00 0c 12 0002 6964 13 001e 24 01 25 00",
        ),
        row("CONNACK, banned", V5, packet(false, Banned, Properties::new()), "20 03 00 8a 00"),
    ]
}

fn publishes() -> Vec<Row> {
    let plain = || Publish { topic: "a/b".into(), payload: Bytes::from_static(b"hi"), ..Publish::default() };
    vec![
        row("PUBLISH QoS 0", V311, Packet::Publish(plain()), "30 07 0003 612f62 6869"),
        row("PUBLISH QoS 0", V5, Packet::Publish(plain()), "30 08 0003 612f62 00 6869"),
        row(
            "PUBLISH without payload, retained",
            V311,
            Packet::Publish(Publish { retain: true, payload: Bytes::new(), ..plain() }),
            "31 05 0003 612f62",
        ),
        row(
            "PUBLISH QoS 1, DUP",
            V31,
            Packet::Publish(Publish { qos: QoS::AtLeastOnce, dup: true, packet_id: 10, ..plain() }),
            "3a 09 0003 612f62 000a 6869",
        ),
        row(
            "PUBLISH QoS 2",
            V5,
            Packet::Publish(Publish { qos: QoS::ExactlyOnce, packet_id: 0xffff, ..plain() }),
            "34 0a 0003 612f62 ffff 00 6869",
        ),
        row(
            "PUBLISH with properties",
            V5,
            Packet::Publish(Publish {
                properties: properties([
                    (PropertyId::MessageExpiryInterval, Value::Number(9)),
                    (PropertyId::ResponseTopic, Value::Text("r".into())),
                    (PropertyId::CorrelationData, Value::Binary(Bytes::from_static(&[7]))),
                    (PropertyId::SubscriptionIdentifier, Value::Number(200)),
                    (PropertyId::SubscriptionIdentifier, Value::Number(1)),
                    user("", ""),
                ]),
                ..plain()
            }),
            "30 1f 0003 612f62 17 02 00000009 08 0001 72 09 0001 07 0b c801 0b 01 26 0000 0000 6869",
        ),
        row(
            "PUBLISH with a Topic Alias only",
            V5,
            Packet::Publish(Publish {
                topic: "".into(),
                properties: Properties::new().with(PropertyId::TopicAlias, 4),
                ..plain()
            }),
            "30 08 0000 03 23 0004 6869",
        ),
        row(
            "PUBLISH with a byte order mark",
            V311,
            Packet::Publish(Publish { topic: "\u{feff}x".into(), payload: Bytes::new(), ..plain() }),
            "30 06 0004 efbbbf 78",
        ),
    ]
}

fn acks() -> Vec<Row> {
    vec![
        row("PUBACK", V311, Packet::PubAck(ack(1, Success)), "40 02 0001"),
        row("PUBREC", V31, Packet::PubRec(ack(2, Success)), "50 02 0002"),
        row("PUBREL", V311, Packet::PubRel(ack(3, Success)), "62 02 0003"),
        row("PUBCOMP", V5, Packet::PubComp(ack(4, Success)), "70 02 0004"),
        row("PUBACK, nobody", V5, Packet::PubAck(ack(1, NoMatchingSubscribers)), "40 03 0001 10"),
        row("PUBREC, quota", V5, Packet::PubRec(ack(1, QuotaExceeded)), "50 03 0001 97"),
        row("PUBREL, unknown", V5, Packet::PubRel(ack(1, PacketIdentifierNotFound)), "62 03 0001 92"),
        row(
            "PUBACK with a reason string",
            V5,
            Packet::PubAck(Ack {
                packet_id: 1,
                reason: NotAuthorized,
                properties: Properties::new().with_text(PropertyId::ReasonString, "no"),
            }),
            "40 09 0001 87 05 1f 0002 6e6f",
        ),
    ]
}

fn subscriptions() -> Vec<Row> {
    let filter = |filter: &str, options| SubscribeFilter { filter: filter.into(), options };
    let qos = |qos| SubscriptionOptions { qos, ..SubscriptionOptions::default() };
    let reasons = |reasons: &[ReasonCode]| reasons.to_vec();
    vec![
        row(
            "SUBSCRIBE",
            V311,
            Packet::Subscribe(Subscribe {
                packet_id: 10,
                filters: vec![filter("a/#", qos(QoS::AtLeastOnce)), filter("+", qos(QoS::AtMostOnce))],
                ..Subscribe::default()
            }),
            "82 0c 000a 0003 612f23 01 0001 2b 00",
        ),
        row(
            "SUBSCRIBE with every option",
            V5,
            Packet::Subscribe(Subscribe {
                packet_id: 10,
                properties: Properties::new().with(PropertyId::SubscriptionIdentifier, 268_435_455),
                filters: vec![filter(
                    "a",
                    SubscriptionOptions {
                        qos: QoS::ExactlyOnce,
                        no_local: true,
                        retain_as_published: true,
                        retain_handling: RetainHandling::DoNotSend,
                    },
                )],
            }),
            "82 0c 000a 05 0b ffffff7f 0001 61 2e",
        ),
        row(
            "SUBACK",
            V311,
            Packet::SubAck(SubAck {
                packet_id: 10,
                properties: Properties::new(),
                reasons: reasons(&[Success, GrantedQoS2, UnspecifiedError]),
            }),
            "90 05 000a 00 02 80",
        ),
        row(
            "SUBACK",
            V5,
            Packet::SubAck(SubAck {
                packet_id: 10,
                properties: Properties::new(),
                reasons: reasons(&[GrantedQoS1, TopicFilterInvalid]),
            }),
            "90 05 000a 00 01 8f",
        ),
        row(
            "UNSUBSCRIBE",
            V311,
            Packet::Unsubscribe(Unsubscribe {
                packet_id: 11,
                filters: vec!["a".into(), "b".into()],
                ..Unsubscribe::default()
            }),
            "a2 08 000b 0001 61 0001 62",
        ),
        row(
            "UNSUBSCRIBE",
            V5,
            Packet::Unsubscribe(Unsubscribe {
                packet_id: 11,
                properties: properties([user("k", "v")]),
                filters: vec!["a".into()],
            }),
            "a2 0d 000b 07 26 0001 6b 0001 76 0001 61",
        ),
        row(
            "UNSUBACK",
            V311,
            Packet::UnsubAck(UnsubAck { packet_id: 11, properties: Properties::new(), reasons: vec![] }),
            "b0 02 000b",
        ),
        row(
            "UNSUBACK",
            V5,
            Packet::UnsubAck(UnsubAck {
                packet_id: 11,
                properties: Properties::new(),
                reasons: reasons(&[Success, NoSubscriptionExisted]),
            }),
            "b0 05 000b 00 00 11",
        ),
    ]
}

/// Bytes that are refused, and with which reason. The decoder's limit is 256 bytes.
pub(crate) const REFUSED: &[(Version, &str, &str, ReasonCode)] = &[
    (V5, "packet type 0", "00 00", MalformedPacket),
    (V311, "AUTH before 5.0", "f0 00", MalformedPacket),
    (V5, "PINGREQ with flags", "c1 00", MalformedPacket),
    (V5, "SUBSCRIBE with flags 0", "80 06 000a 00 0001 61 00", MalformedPacket),
    (V5, "PUBREL with flags 0", "60 02 0001", MalformedPacket),
    (V311, "SUBSCRIBE with DUP is 3.1 only", "8a 06 000a 0001 61 00", MalformedPacket),
    (V5, "Remaining Length of five bytes", "c0 80 80 80 80 01", MalformedPacket),
    (V5, "Remaining Length longer than needed", "c0 80 00", MalformedPacket),
    (V5, "larger than the limit", "30 ff 01", PacketTooLarge),
    (V5, "PINGREQ with a body", "c0 01 00", MalformedPacket),
    (
        V311,
        "CONNECT of an unknown protocol",
        "10 0c 0004 4d515458 04 02 003c 0000",
        UnsupportedProtocolVersion,
    ),
    (
        V5,
        "CONNECT of level 5 with the bit of a bridge",
        "10 0e 0004 4d515454 85 02 003c 00 0001 61",
        UnsupportedProtocolVersion,
    ),
    (V311, "CONNECT of level 6", "10 0d 0004 4d515454 06 02 003c 00 0000", UnsupportedProtocolVersion),
    (V311, "CONNECT with the reserved flag", "10 0c 0004 4d515454 04 03 003c 0000", MalformedPacket),
    (V311, "Will QoS 3", "10 12 0004 4d515454 04 1e 003c 0000 0001 77 0001 78", MalformedPacket),
    (V311, "Will QoS without Will", "10 0c 0004 4d515454 04 0a 003c 0000", MalformedPacket),
    (V311, "Will Retain without Will", "10 0c 0004 4d515454 04 22 003c 0000", MalformedPacket),
    (V311, "Password without User Name", "10 0f 0004 4d515454 04 42 003c 0000 0001 70", MalformedPacket),
    (V311, "User Name that is missing", "10 0c 0004 4d515454 04 82 003c 0000", MalformedPacket),
    (V311, "bytes behind CONNECT", "10 0d 0004 4d515454 04 02 003c 0000 00", MalformedPacket),
    (
        V311,
        "Will Topic with a wildcard",
        "10 11 0004 4d515454 04 06 003c 0000 0001 23 0000",
        TopicNameInvalid,
    ),
    (V5, "Receive Maximum 0", "10 10 0004 4d515454 05 02 003c 03 21 0000 0000", ProtocolError),
    (V5, "Maximum Packet Size 0", "10 12 0004 4d515454 05 02 003c 05 27 00000000 0000", ProtocolError),
    (V5, "Request Problem Information 2", "10 0f 0004 4d515454 05 02 003c 02 17 02 0000", ProtocolError),
    (
        V5,
        "Session Expiry Interval twice",
        "10 17 0004 4d515454 05 02 003c 0a 11 00000001 11 00000001 0000",
        ProtocolError,
    ),
    (V5, "Topic Alias in CONNECT", "10 10 0004 4d515454 05 02 003c 03 23 0001 0000", MalformedPacket),
    (V5, "an unknown property", "10 0f 0004 4d515454 05 02 003c 02 7f 00 0000", MalformedPacket),
    (V5, "Authentication Data alone", "10 11 0004 4d515454 05 02 003c 04 16 0001 00 0000", ProtocolError),
    (V5, "properties longer than the packet", "10 0e 0004 4d515454 05 02 003c 7f 0000 00", MalformedPacket),
    (V311, "PUBLISH QoS 3", "36 07 0003 612f62 0001", MalformedPacket),
    (V311, "PUBLISH DUP with QoS 0", "38 05 0003 612f62", MalformedPacket),
    (V311, "PUBLISH with Packet Identifier 0", "32 07 0003 612f62 0000", MalformedPacket),
    (V311, "PUBLISH without topic", "30 02 0000", ProtocolError),
    (V5, "PUBLISH with neither topic nor alias", "30 03 0000 00", ProtocolError),
    (V5, "PUBLISH with Topic Alias 0", "30 06 0000 03 23 0000", TopicAliasInvalid),
    (V311, "PUBLISH to a wildcard", "30 05 0003 612f2b", TopicNameInvalid),
    (V311, "PUBLISH with U+0000", "30 05 0003 610062", MalformedPacket),
    (V311, "PUBLISH with a surrogate", "30 05 0003 eda080", MalformedPacket),
    (V311, "PUBLISH with a topic that is cut", "30 04 0003 6162", MalformedPacket),
    (V5, "Payload Format Indicator 2", "30 06 0001 61 02 01 02", ProtocolError),
    (V5, "Response Topic with a wildcard", "30 08 0001 61 04 08 0001 23", ProtocolError),
    (V5, "PUBACK with a reason of PUBREL", "40 03 0001 92", MalformedPacket),
    (V5, "PUBREL with a reason of PUBACK", "62 03 0001 10", MalformedPacket),
    (V311, "PUBACK with more than an identifier", "40 03 0001 00", MalformedPacket),
    (V311, "PUBACK with Packet Identifier 0", "40 02 0000", MalformedPacket),
    (V311, "SUBSCRIBE without filters", "82 02 000a", ProtocolError),
    (V5, "SUBSCRIBE without filters", "82 03 000a 00", ProtocolError),
    (V311, "SUBSCRIBE with QoS 3", "82 06 000a 0001 61 03", MalformedPacket),
    (V311, "SUBSCRIBE with an option of 5.0", "82 06 000a 0001 61 04", MalformedPacket),
    (V5, "SUBSCRIBE with reserved bits", "82 07 000a 00 0001 61 40", MalformedPacket),
    (V5, "SUBSCRIBE with Retain Handling 3", "82 07 000a 00 0001 61 30", ProtocolError),
    (V5, "Subscription Identifier 0", "82 09 000a 02 0b 00 0001 61 00", ProtocolError),
    (V311, "UNSUBSCRIBE without filters", "a2 02 000a", ProtocolError),
    (V5, "DISCONNECT with a reason of SUBACK", "e0 01 01", MalformedPacket),
    (V311, "DISCONNECT with a body", "e0 01 00", MalformedPacket),
    (V5, "AUTH with a reason of DISCONNECT", "f0 01 04", MalformedPacket),
];
