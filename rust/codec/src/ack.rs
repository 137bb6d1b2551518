//! PUBACK, PUBREC, PUBREL and PUBCOMP, which have one format.

use bytes::{BufMut, BytesMut};

use crate::property::Carrier;
use crate::wire::{Reader, put_varint};
use crate::{DecodeError, PacketType, Properties, ReasonCode, Version};

/// PUBACK, PUBREC, PUBREL or PUBCOMP; which one is said by [`crate::Packet`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// The Packet Identifier of the PUBLISH it is about.
    pub packet_id: u16,
    /// How it went; always [`ReasonCode::Success`] before 5.0.
    pub reason: ReasonCode,
    /// Properties, empty before 5.0.
    pub properties: Properties,
}

impl Ack {
    /// An acknowledgement without properties.
    pub const fn new(packet_id: u16, reason: ReasonCode) -> Self {
        Self { packet_id, reason, properties: Properties::new() }
    }

    pub(crate) fn decode(
        kind: PacketType,
        reader: &mut Reader,
        version: Version,
    ) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        if !version.is_v5() || reader.is_empty() {
            return Ok(Self::new(packet_id, ReasonCode::Success));
        }
        // [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1]
        let reason = ReasonCode::from_value(reader.u8()?)
            .filter(|reason| allowed(kind, *reason))
            .ok_or(DecodeError::malformed("reason code is not one for this acknowledgement"))?;
        let properties = match reader.is_empty() {
            true => Properties::new(),
            false => Properties::decode(reader, Carrier::Ack)?,
        };
        Ok(Self { packet_id, reason, properties })
    }

    /// Appends the whole packet.
    pub fn encode(&self, kind: PacketType, version: Version, out: &mut BytesMut) {
        out.put_u8(kind.first_byte());
        if !version.is_v5() || (self.reason == ReasonCode::Success && self.properties.is_empty()) {
            out.put_u8(2);
            out.put_u16(self.packet_id);
            return;
        }
        let properties = if self.properties.is_empty() { 0 } else { self.properties.encoded_len() };
        put_varint(out, (3 + properties) as u32);
        out.put_u16(self.packet_id);
        out.put_u8(self.reason.value());
        if !self.properties.is_empty() {
            self.properties.encode(out);
        }
    }
}

fn allowed(kind: PacketType, reason: ReasonCode) -> bool {
    use ReasonCode::*;
    match kind {
        PacketType::PubRel | PacketType::PubComp => matches!(reason, Success | PacketIdentifierNotFound),
        _ => matches!(
            reason,
            Success
                | NoMatchingSubscribers
                | UnspecifiedError
                | ImplementationSpecificError
                | NotAuthorized
                | TopicNameInvalid
                | PacketIdentifierInUse
                | QuotaExceeded
                | PayloadFormatInvalid
        ),
    }
}
