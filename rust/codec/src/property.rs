//! MQTT 5 properties, driven by one table: identifier, type, packets that may carry it.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use crate::wire::{Reader, put_binary, put_varint, varint_len};
use crate::{DecodeError, ReasonCode};

/// What carries properties: a packet, or the Will inside CONNECT. Each is one bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs)]
pub enum Carrier {
    Connect = 1,
    ConnAck = 1 << 1,
    Publish = 1 << 2,
    Will = 1 << 3,
    /// PUBACK, PUBREC, PUBREL and PUBCOMP.
    Ack = 1 << 4,
    Subscribe = 1 << 5,
    SubAck = 1 << 6,
    Unsubscribe = 1 << 7,
    UnsubAck = 1 << 8,
    Disconnect = 1 << 9,
    Auth = 1 << 10,
}

/// How a property's value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A byte that is 0 or 1.
    Flag,
    TwoByte,
    FourByte,
    VarInt,
    Text,
    Binary,
    Pair,
}

macro_rules! properties {
    ($($value:literal $name:ident $kind:ident [$($carrier:ident)*];)*) => {
        /// A property's identifier.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum PropertyId { $($name = $value,)* }

        impl PropertyId {
            /// Every property, in the order of its identifier.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            const fn from_value(value: u8) -> Option<Self> {
                match value { $($value => Some(Self::$name),)* _ => None }
            }

            const fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)* }
            }

            const fn carriers(self) -> u16 {
                match self { $(Self::$name => $(Carrier::$carrier as u16 |)* 0,)* }
            }
        }
    };
}

properties! {
    0x01 PayloadFormatIndicator Flag [Publish Will];
    0x02 MessageExpiryInterval FourByte [Publish Will];
    0x03 ContentType Text [Publish Will];
    0x08 ResponseTopic Text [Publish Will];
    0x09 CorrelationData Binary [Publish Will];
    0x0b SubscriptionIdentifier VarInt [Publish Subscribe];
    0x11 SessionExpiryInterval FourByte [Connect ConnAck Disconnect];
    0x12 AssignedClientIdentifier Text [ConnAck];
    0x13 ServerKeepAlive TwoByte [ConnAck];
    0x15 AuthenticationMethod Text [Connect ConnAck Auth];
    0x16 AuthenticationData Binary [Connect ConnAck Auth];
    0x17 RequestProblemInformation Flag [Connect];
    0x18 WillDelayInterval FourByte [Will];
    0x19 RequestResponseInformation Flag [Connect];
    0x1a ResponseInformation Text [ConnAck];
    0x1c ServerReference Text [ConnAck Disconnect];
    0x1f ReasonString Text [ConnAck Ack SubAck UnsubAck Disconnect Auth];
    0x21 ReceiveMaximum TwoByte [Connect ConnAck];
    0x22 TopicAliasMaximum TwoByte [Connect ConnAck];
    0x23 TopicAlias TwoByte [Publish];
    0x24 MaximumQoS Flag [ConnAck];
    0x25 RetainAvailable Flag [ConnAck];
    0x26 UserProperty Pair [Connect ConnAck Publish Will Ack Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth];
    0x27 MaximumPacketSize FourByte [Connect ConnAck];
    0x28 WildcardSubscriptionAvailable Flag [ConnAck];
    0x29 SubscriptionIdentifierAvailable Flag [ConnAck];
    0x2a SharedSubscriptionAvailable Flag [ConnAck];
}

impl PropertyId {
    /// Whether a packet may carry the property more than once. (Several Subscription Identifiers occur
    /// only in a PUBLISH from server to client.)
    const fn repeats(self, carrier: Carrier) -> bool {
        matches!((self, carrier), (Self::UserProperty, _) | (Self::SubscriptionIdentifier, Carrier::Publish))
    }

    /// Refuses values that the specification rules out for this property.
    fn check(self, value: u32) -> Result<(), DecodeError> {
        match (self, value) {
            (Self::ReceiveMaximum, 0) => Err(DecodeError::protocol("Receive Maximum is zero")),
            (Self::MaximumPacketSize, 0) => Err(DecodeError::protocol("Maximum Packet Size is zero")),
            (Self::SubscriptionIdentifier, 0) => {
                Err(DecodeError::protocol("Subscription Identifier is zero"))
            }
            // [MQTT-3.3.2-8]
            (Self::TopicAlias, 0) => {
                Err(DecodeError::new(ReasonCode::TopicAliasInvalid, "Topic Alias is zero"))
            }
            _ => Ok(()),
        }
    }
}

/// A property's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Any of the integer kinds; the identifier says how it is written.
    Number(u32),
    /// A UTF-8 Encoded String.
    Text(ByteString),
    /// Binary Data.
    Binary(Bytes),
    /// A UTF-8 String Pair.
    Pair(ByteString, ByteString),
}

/// The properties of one packet in the order they were written. Without any it allocates nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(Vec<(PropertyId, Value)>);

const TOO_MANY: DecodeError =
    DecodeError::new(ReasonCode::QuotaExceeded, "too many bytes of User Properties");

impl Properties {
    /// No properties.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Reads the Property Length and the properties, and refuses what `carrier` may not carry.
    pub fn decode(reader: &mut Reader, carrier: Carrier) -> Result<Self, DecodeError> {
        let length = reader.varint()? as usize;
        if length == 0 {
            return Ok(Self::new());
        }
        let bytes = reader.take(length)?;
        let outer = reader;
        let mut reader = Reader::within(bytes, outer.user_property_bytes);
        let mut properties = Self::new();
        let mut seen = 0u64; // one bit per identifier, all are below 64
        while !reader.is_empty() {
            let id = u8::try_from(reader.varint()?)
                .ok()
                .and_then(PropertyId::from_value)
                .filter(|id| id.carriers() & carrier as u16 != 0)
                .ok_or(DecodeError::malformed("property is unknown or not allowed in this packet"))?;
            let bit = 1u64 << id as u8;
            if seen & bit != 0 && !id.repeats(carrier) {
                return Err(DecodeError::protocol("property occurs more than once"));
            }
            seen |= bit;
            let before = reader.remaining();
            properties.0.push((id, Self::decode_value(id, &mut reader)?));
            if id == PropertyId::UserProperty {
                let left = reader.user_property_bytes.checked_sub(before - reader.remaining());
                reader.user_property_bytes = left.ok_or(TOO_MANY)?;
            }
        }
        outer.user_property_bytes = reader.user_property_bytes;
        Ok(properties)
    }

    fn decode_value(id: PropertyId, reader: &mut Reader) -> Result<Value, DecodeError> {
        let number = match id.kind() {
            Kind::Flag => match reader.u8()? {
                value @ (0 | 1) => u32::from(value),
                _ => return Err(DecodeError::protocol("property must be 0 or 1")),
            },
            Kind::TwoByte => u32::from(reader.u16()?),
            Kind::FourByte => reader.u32()?,
            Kind::VarInt => reader.varint()?,
            Kind::Text => return Ok(Value::Text(reader.string()?)),
            Kind::Binary => return Ok(Value::Binary(reader.binary()?)),
            Kind::Pair => return Ok(Value::Pair(reader.string()?, reader.string()?)),
        };
        id.check(number)?;
        Ok(Value::Number(number))
    }

    /// Appends the Property Length and the properties.
    pub fn encode(&self, out: &mut BytesMut) {
        put_varint(out, self.body_len() as u32);
        self.encode_body(out);
    }

    /// Appends the properties without their length, for those who write more of them behind.
    pub fn encode_body(&self, out: &mut BytesMut) {
        for (id, value) in &self.0 {
            encode_property(out, *id, value);
        }
    }

    /// Bytes of the properties, without the Property Length.
    pub fn body_len(&self) -> usize {
        self.0.iter().map(|(id, value)| property_len(*id, value)).sum()
    }

    /// Bytes of the properties with the Property Length before them.
    pub fn encoded_len(&self) -> usize {
        let body = self.body_len();
        varint_len(body as u32) + body
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a property at the end.
    pub fn push(&mut self, id: PropertyId, value: Value) {
        self.0.push((id, value));
    }

    /// Adds an integer property and returns `self`, for building.
    #[must_use]
    pub fn with(mut self, id: PropertyId, value: u32) -> Self {
        self.push(id, Value::Number(value));
        self
    }

    /// Adds a string property and returns `self`, for building.
    #[must_use]
    pub fn with_text(mut self, id: PropertyId, value: impl Into<ByteString>) -> Self {
        self.push(id, Value::Text(value.into()));
        self
    }

    /// Drops every property for which `keep` is false.
    pub fn retain(&mut self, mut keep: impl FnMut(PropertyId) -> bool) {
        self.0.retain(|(id, _)| keep(*id));
    }

    /// The properties in order.
    pub fn iter(&self) -> impl Iterator<Item = &(PropertyId, Value)> {
        self.0.iter()
    }

    /// The first value of an integer property.
    pub fn number(&self, id: PropertyId) -> Option<u32> {
        self.find(id).and_then(|value| match value {
            Value::Number(number) => Some(*number),
            _ => None,
        })
    }

    /// The first value of a string property.
    pub fn text(&self, id: PropertyId) -> Option<&ByteString> {
        self.find(id).and_then(|value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    /// The first value of a binary property.
    pub fn binary(&self, id: PropertyId) -> Option<&Bytes> {
        self.find(id).and_then(|value| match value {
            Value::Binary(data) => Some(data),
            _ => None,
        })
    }

    /// The first value of any kind.
    fn find(&self, id: PropertyId) -> Option<&Value> {
        self.0.iter().find(|(other, _)| *other == id).map(|(_, value)| value)
    }
}

/// Appends one property.
pub fn encode_property(out: &mut BytesMut, id: PropertyId, value: &Value) {
    out.put_u8(id as u8);
    match value {
        Value::Number(number) => match id.kind() {
            Kind::TwoByte => out.put_u16(*number as u16),
            Kind::FourByte => out.put_u32(*number),
            Kind::VarInt => put_varint(out, *number),
            _ => out.put_u8(*number as u8),
        },
        Value::Text(text) => put_binary(out, text.as_bytes()),
        Value::Binary(data) => put_binary(out, data),
        Value::Pair(name, value) => {
            put_binary(out, name.as_bytes());
            put_binary(out, value.as_bytes());
        }
    }
}

/// Bytes that [`encode_property`] writes.
pub fn property_len(id: PropertyId, value: &Value) -> usize {
    1 + match value {
        Value::Number(number) => match id.kind() {
            Kind::TwoByte => 2,
            Kind::FourByte => 4,
            Kind::VarInt => varint_len(*number),
            _ => 1,
        },
        Value::Text(text) => 2 + text.len(),
        Value::Binary(data) => 2 + data.len(),
        Value::Pair(name, value) => 4 + name.len() + value.len(),
    }
}
