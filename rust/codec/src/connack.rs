//! CONNACK: the server's answer to CONNECT.

use bytes::{BufMut, BytesMut};

use crate::property::Carrier;
use crate::wire::Reader;
use crate::{DecodeError, Properties, ReasonCode, Version};

/// CONNACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    /// Whether the server kept a session for this client.
    pub session_present: bool,
    /// How CONNECT ended. 3.x has six return codes for it.
    pub reason: ReasonCode,
    /// Properties, empty before 5.0.
    pub properties: Properties,
}

impl ConnAck {
    pub(crate) fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        let flags = reader.u8()?;
        if flags > 1 {
            return Err(DecodeError::malformed("reserved CONNACK flag is set")); // [MQTT-3.2.2-1]
        }
        let code = reader.u8()?;
        let (reason, properties) = match version {
            Version::V5 => (ReasonCode::from_value(code), Properties::decode(reader, Carrier::ConnAck)?),
            _ => (ReasonCode::from_connect_return_code(code), Properties::new()),
        };
        let reason = reason.ok_or(DecodeError::malformed("unknown reason code in CONNACK"))?;
        // In 3.1 the byte is reserved.
        Ok(Self { session_present: flags == 1 && version != Version::V31, reason, properties })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) {
        // In 3.1 the byte is reserved.
        out.put_u8(u8::from(self.session_present && version != Version::V31));
        match version {
            Version::V5 => {
                out.put_u8(self.reason.value());
                self.properties.encode(out);
            }
            _ => out.put_u8(self.reason.connect_return_code()),
        }
    }
}
