//! SUBSCRIBE and UNSUBSCRIBE.

use bytes::{BufMut, BytesMut};
use bytestring::ByteString;

use crate::property::Carrier;
use crate::wire::{Reader, put_binary};
use crate::{DecodeError, Properties, QoS, Version};

/// What happens with retained messages when a subscription is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum RetainHandling {
    /// Send them.
    #[default]
    Send,
    /// Send them only if the subscription is new.
    SendIfNew,
    /// Do not send them.
    DoNotSend,
}

/// The Subscription Options. Before 5.0 there is only the QoS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SubscriptionOptions {
    /// The highest QoS at which the server may send.
    pub qos: QoS,
    /// Whether messages of the same client are left out.
    pub no_local: bool,
    /// Whether forwarded messages keep the RETAIN flag they were published with.
    pub retain_as_published: bool,
    /// What happens with retained messages when the subscription is made.
    pub retain_handling: RetainHandling,
}

impl SubscriptionOptions {
    fn decode(byte: u8, version: Version) -> Result<Self, DecodeError> {
        // [MQTT-3.8.3-5] of 5.0, [MQTT-3.8.3-4] of 3.1.1
        let reserved = if version.is_v5() { 0xc0 } else { 0xfc };
        if byte & reserved != 0 {
            return Err(DecodeError::malformed("reserved bits of the Subscription Options are set"));
        }
        let qos = QoS::from_value(byte & 3).ok_or(DecodeError::malformed("QoS of a subscription is 3"))?;
        let retain_handling = match byte >> 4 & 3 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(DecodeError::protocol("Retain Handling is 3")),
        };
        Ok(Self { qos, no_local: byte & 4 != 0, retain_as_published: byte & 8 != 0, retain_handling })
    }

    const fn encode(self, version: Version) -> u8 {
        if !version.is_v5() {
            return self.qos.value();
        }
        self.qos.value()
            | (self.no_local as u8) << 2
            | (self.retain_as_published as u8) << 3
            | (self.retain_handling as u8) << 4
    }
}

/// One topic filter of a SUBSCRIBE with its options. The filter is text as the client sent it, so that a
/// wrong one can be refused alone, in its place in SUBACK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeFilter {
    /// The topic filter, not checked yet.
    pub filter: ByteString,
    /// Its options.
    pub options: SubscriptionOptions,
}

/// SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscribe {
    /// The Packet Identifier.
    pub packet_id: u16,
    /// Properties, empty before 5.0.
    pub properties: Properties,
    /// At least one filter.
    pub filters: Vec<SubscribeFilter>,
}

impl Subscribe {
    pub(crate) fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let properties = match version {
            Version::V5 => Properties::decode(reader, Carrier::Subscribe)?,
            _ => Properties::new(),
        };
        let mut filters = Vec::new();
        while !reader.is_empty() {
            let filter = reader.string()?; // [MQTT-3.8.3-1]
            filters.push(SubscribeFilter {
                filter,
                options: SubscriptionOptions::decode(reader.u8()?, version)?,
            });
        }
        if filters.is_empty() {
            return Err(DecodeError::protocol("SUBSCRIBE without a topic filter")); // [MQTT-3.8.3-2]
        }
        Ok(Self { packet_id, properties, filters })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        if version.is_v5() {
            self.properties.encode(out);
        }
        for SubscribeFilter { filter, options } in &self.filters {
            put_binary(out, filter.as_bytes());
            out.put_u8(options.encode(version));
        }
    }
}

/// UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unsubscribe {
    /// The Packet Identifier.
    pub packet_id: u16,
    /// Properties, empty before 5.0.
    pub properties: Properties,
    /// At least one filter.
    pub filters: Vec<ByteString>,
}

impl Unsubscribe {
    pub(crate) fn decode(reader: &mut Reader, version: Version) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let properties = match version {
            Version::V5 => Properties::decode(reader, Carrier::Unsubscribe)?,
            _ => Properties::new(),
        };
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(reader.string()?); // [MQTT-3.10.3-1]
        }
        if filters.is_empty() {
            return Err(DecodeError::protocol("UNSUBSCRIBE without a topic filter")); // [MQTT-3.10.3-2]
        }
        Ok(Self { packet_id, properties, filters })
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        if version.is_v5() {
            self.properties.encode(out);
        }
        for filter in &self.filters {
            put_binary(out, filter.as_bytes());
        }
    }
}
