//! SUBACK and UNSUBACK: a reason code for each filter.

use bytes::{BufMut, BytesMut};

use crate::property::Carrier;
use crate::wire::Reader;
use crate::{DecodeError, Properties, ReasonCode, Version};

/// SUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// The Packet Identifier of the SUBSCRIBE.
    pub packet_id: u16,
    /// Properties, empty before 5.0.
    pub properties: Properties,
    /// The granted QoS or a failure for each filter, in its order. 3.x says 0x80 for every failure.
    pub reasons: Vec<ReasonCode>,
}

/// UNSUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// The Packet Identifier of the UNSUBSCRIBE.
    pub packet_id: u16,
    /// Properties, empty before 5.0.
    pub properties: Properties,
    /// A reason for each filter, in its order; none before 5.0.
    pub reasons: Vec<ReasonCode>,
}

fn decode_reasons(reader: &mut Reader) -> Result<Vec<ReasonCode>, DecodeError> {
    let mut reasons = Vec::new();
    while !reader.is_empty() {
        let reason = ReasonCode::from_value(reader.u8()?);
        reasons.push(reason.ok_or(DecodeError::malformed("unknown reason code"))?);
    }
    Ok(reasons)
}

impl SubAck {
    pub(crate) fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let properties = match version {
            Version::V5 => Properties::decode(reader, Carrier::SubAck)?,
            _ => Properties::new(),
        };
        let reasons = decode_reasons(reader)?;
        let known = |reason: &ReasonCode| matches!(reason.value(), 0..=2 | 0x80);
        if !version.is_v5() && !reasons.iter().all(known) {
            return Err(DecodeError::malformed("return code is not one for SUBACK")); // [MQTT-3.9.3-2]
        }
        Ok(Self { packet_id, properties, reasons })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        if version.is_v5() {
            self.properties.encode(out);
        }
        for reason in &self.reasons {
            out.put_u8(match version {
                Version::V5 => reason.value(),
                _ if reason.is_error() => ReasonCode::UnspecifiedError.value(), // [MQTT-3.9.3-2]
                _ => reason.value(),
            });
        }
    }
}

impl UnsubAck {
    pub(crate) fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let (properties, reasons) = match version {
            Version::V5 => (Properties::decode(reader, Carrier::UnsubAck)?, decode_reasons(reader)?),
            _ => (Properties::new(), Vec::new()),
        };
        Ok(Self { packet_id, properties, reasons })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        if version.is_v5() {
            self.properties.encode(out);
            self.reasons.iter().for_each(|reason| out.put_u8(reason.value()));
        }
    }
}
