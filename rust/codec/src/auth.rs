//! AUTH: the steps of an enhanced authentication, 5.0 only.

use bytes::{BufMut, BytesMut};

use crate::property::Carrier;
use crate::wire::Reader;
use crate::{DecodeError, Properties, ReasonCode, Version};

/// AUTH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Success, Continue authentication or Re-authenticate.
    pub reason: ReasonCode,
    /// Properties; the Authentication Method is among them unless the packet is empty.
    pub properties: Properties,
}

impl Auth {
    pub(crate) fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        if !version.is_v5() {
            return Err(DecodeError::malformed("packet type 15 is reserved before MQTT 5.0"));
        }
        if reader.is_empty() {
            return Ok(Self { reason: ReasonCode::Success, properties: Properties::new() });
        }
        let reason = ReasonCode::from_value(reader.u8()?)
            .filter(|reason| {
                use ReasonCode::*;
                matches!(reason, Success | ContinueAuthentication | ReAuthenticate)
            })
            .ok_or(DecodeError::malformed("reason code is not one for AUTH"))?; // [MQTT-3.15.2-1]
        let properties = match reader.is_empty() {
            true => Properties::new(),
            false => Properties::decode(reader, Carrier::Auth)?,
        };
        Ok(Self { reason, properties })
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        if self.reason == ReasonCode::Success && self.properties.is_empty() {
            return;
        }
        out.put_u8(self.reason.value());
        self.properties.encode(out);
    }
}
