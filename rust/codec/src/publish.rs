//! PUBLISH: an application message on its way.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use crate::property::Carrier;
use crate::wire::{Reader, put_binary, put_varint};
use crate::{
    DecodeError, PacketType, Properties, PropertyId, QoS, ReasonCode, Version,
    topic::{self, TopicError},
};

/// PUBLISH.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publish {
    /// Whether this may be a repetition.
    pub dup: bool,
    /// Quality of Service.
    pub qos: QoS,
    /// Whether the server keeps it; or, on the way to a client, whether it was kept.
    pub retain: bool,
    /// The Topic Name. Empty in 5.0 when a Topic Alias stands for it.
    pub topic: ByteString,
    /// The Packet Identifier, 0 with QoS 0.
    pub packet_id: u16,
    /// Properties, empty before 5.0.
    pub properties: Properties,
    /// The Application Message.
    pub payload: Bytes,
}

const DUP: u8 = 0x08;
const RETAIN: u8 = 0x01;

impl Publish {
    /// The first byte of a PUBLISH with these flags.
    pub const fn first_byte(dup: bool, qos: QoS, retain: bool) -> u8 {
        (PacketType::Publish as u8) << 4
            | if dup { DUP } else { 0 }
            | qos.value() << 1
            | if retain { RETAIN } else { 0 }
    }

    pub(crate) fn decode(flags: u8, mut reader: Reader, version: Version) -> Result<Self, DecodeError> {
        let dup = flags & DUP != 0;
        // [MQTT-3.3.1-4]
        let qos = QoS::from_value(flags >> 1 & 3).ok_or(DecodeError::malformed("QoS is 3"))?;
        if dup && qos == QoS::AtMostOnce {
            return Err(DecodeError::malformed("DUP is set with QoS 0")); // [MQTT-3.3.1-2]
        }
        let topic = reader.string()?; // [MQTT-3.3.2-1]
        let packet_id = match qos {
            QoS::AtMostOnce => 0, // [MQTT-2.2.1-2]
            _ => reader.packet_id()?,
        };
        let properties = match version {
            Version::V5 => Properties::decode(&mut reader, Carrier::Publish)?,
            _ => Properties::new(),
        };
        match topic::check_name(&topic) {
            Ok(()) => {}
            Err(TopicError::Empty) if properties.number(PropertyId::TopicAlias).is_some() => {}
            Err(TopicError::Empty) => {
                return Err(DecodeError::protocol("Topic Name is empty and no Topic Alias stands for it"));
            }
            // [MQTT-3.3.2-2]
            Err(_) => {
                return Err(DecodeError::new(ReasonCode::TopicNameInvalid, "Topic Name has a wildcard"));
            }
        }
        check_response_topic(&properties)?;
        Ok(Self {
            dup,
            qos,
            retain: flags & RETAIN != 0,
            topic,
            packet_id,
            properties,
            payload: reader.rest(),
        })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) {
        let head = 2 + self.topic.len() + if self.qos > QoS::AtMostOnce { 2 } else { 0 };
        let properties = if version.is_v5() { self.properties.encoded_len() } else { 0 };
        out.put_u8(Self::first_byte(self.dup, self.qos, self.retain));
        put_varint(out, (head + properties + self.payload.len()) as u32);
        put_binary(out, self.topic.as_bytes());
        if self.qos > QoS::AtMostOnce {
            out.put_u16(self.packet_id);
        }
        if version.is_v5() {
            self.properties.encode(out);
        }
        out.put_slice(&self.payload);
    }
}

/// Refuses a Response Topic that nobody could publish to.
pub(crate) fn check_response_topic(properties: &Properties) -> Result<(), DecodeError> {
    match properties.text(PropertyId::ResponseTopic) {
        // [MQTT-3.3.2-14]
        Some(topic) if topic::check_name(topic).is_err() => {
            Err(DecodeError::protocol("Response Topic is empty or has a wildcard"))
        }
        _ => Ok(()),
    }
}
