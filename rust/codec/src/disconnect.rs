//! DISCONNECT, which both sides may send in 5.0.

use bytes::{BufMut, BytesMut};

use crate::property::Carrier;
use crate::wire::Reader;
use crate::{DecodeError, Properties, ReasonCode, Version};

/// DISCONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Why; always [`ReasonCode::Success`] before 5.0.
    pub reason: ReasonCode,
    /// Properties, empty before 5.0.
    pub properties: Properties,
}

impl Disconnect {
    /// A DISCONNECT without properties.
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, properties: Properties::new() }
    }

    /// Whether DISCONNECT has this reason code: all but those of acknowledgements, of CONNACK and of
    /// authentication.
    pub const fn can_say(reason: ReasonCode) -> bool {
        use ReasonCode::*;
        !matches!(
            reason,
            GrantedQoS1
                | GrantedQoS2
                | NoMatchingSubscribers
                | NoSubscriptionExisted
                | ContinueAuthentication
                | ReAuthenticate
                | UnsupportedProtocolVersion
                | ClientIdentifierNotValid
                | BadUserNameOrPassword
                | ServerUnavailable
                | Banned
                | PacketIdentifierInUse
                | PacketIdentifierNotFound
        )
    }

    pub(crate) fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        if !version.is_v5() || reader.is_empty() {
            return Ok(Self::new(ReasonCode::Success));
        }
        let reason = ReasonCode::from_value(reader.u8()?)
            .filter(|reason| Self::can_say(*reason)) // [MQTT-3.14.2-1]
            .ok_or(DecodeError::malformed("reason code is not one for DISCONNECT"))?;
        let properties = match reader.is_empty() {
            true => Properties::new(),
            false => Properties::decode(reader, Carrier::Disconnect)?,
        };
        Ok(Self { reason, properties })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) {
        if !version.is_v5() || (self.reason == ReasonCode::Success && self.properties.is_empty()) {
            return;
        }
        out.put_u8(self.reason.value());
        if !self.properties.is_empty() {
            self.properties.encode(out);
        }
    }
}
