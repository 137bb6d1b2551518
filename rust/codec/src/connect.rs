//! CONNECT: the first packet of a client.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use crate::property::Carrier;
use crate::wire::{Reader, put_binary};
use crate::{DecodeError, Properties, PropertyId, QoS, ReasonCode, Version, topic};

/// CONNECT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Connect {
    /// The protocol version it asks for.
    pub version: Version,
    /// Whether a 3.x client says that it is a bridge: by 0x80 in the Protocol Level, which no specification has and
    /// bridges have used since Mosquitto's. 5.0 has subscription options for what it asks for.
    pub bridge: bool,
    /// Clean Start, called Clean Session before 5.0.
    pub clean_start: bool,
    /// Keep Alive in seconds, 0 for none.
    pub keep_alive: u16,
    /// The Client Identifier, empty when the server is to assign one.
    pub client_id: ByteString,
    /// The message to publish when the connection ends without DISCONNECT.
    pub will: Option<Will>,
    /// User Name.
    pub username: Option<ByteString>,
    /// Password, which is Binary Data.
    pub password: Option<Bytes>,
    /// Properties, empty before 5.0.
    pub properties: Properties,
}

/// The Will inside CONNECT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Will {
    /// The Will Topic.
    pub topic: ByteString,
    /// The Will Payload.
    pub payload: Bytes,
    /// The Will QoS.
    pub qos: QoS,
    /// Whether to retain it.
    pub retain: bool,
    /// Will Properties, empty before 5.0.
    pub properties: Properties,
}

/// In the Protocol Level: the client is a bridge.
const BRIDGE: u8 = 0x80;

const CLEAN_START: u8 = 0x02;
const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

impl Connect {
    /// The version whose CONNACK the sender will understand, read from a body that may be wrong in every
    /// other way: the level decides, so that a future version gets the newest answer.
    pub fn version_hint(body: &Bytes) -> Version {
        let mut reader = Reader::new(body.clone());
        match (reader.binary(), reader.u8()) {
            (Ok(name), Ok(_)) if name == "MQIsdp" => Version::V31,
            (Ok(_), Ok(level)) if level >= 5 && level != BRIDGE | 4 => Version::V5,
            _ => Version::V311,
        }
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let name = reader.string()?;
        let level = reader.u8()?;
        let bridge = level & BRIDGE != 0;
        let version = match (&*name, level & !BRIDGE) {
            ("MQIsdp", 3) => Version::V31,
            ("MQTT", 4) => Version::V311,
            ("MQTT", 5) if !bridge => Version::V5,
            // [MQTT-3.1.2-1] [MQTT-3.1.2-2]
            _ => {
                return Err(DecodeError::new(
                    ReasonCode::UnsupportedProtocolVersion,
                    "protocol name or level is not MQTT 3.1, 3.1.1 or 5.0",
                ));
            }
        };
        let flags = reader.u8()?;
        if flags & 1 != 0 && version != Version::V31 {
            return Err(DecodeError::malformed("reserved Connect Flag is set")); // [MQTT-3.1.2-3]
        }
        let keep_alive = reader.u16()?;
        let properties = match version {
            Version::V5 => Properties::decode(reader, Carrier::Connect)?,
            _ => Properties::new(),
        };
        if properties.binary(PropertyId::AuthenticationData).is_some()
            && properties.text(PropertyId::AuthenticationMethod).is_none()
        {
            return Err(DecodeError::protocol("Authentication Data without Authentication Method"));
        }
        let client_id = reader.string()?;
        let will = Self::decode_will(flags, reader, version)?;
        // 3.1 takes a flag without its field for a flag that is not set.
        let missing = |reader: &Reader| version == Version::V31 && reader.is_empty();
        let username = match flags & USERNAME != 0 && !missing(reader) {
            true => Some(reader.string()?),
            false => None,
        };
        // [MQTT-3.1.2-22] of 3.1.1; 5.0 allows a password alone
        if flags & PASSWORD != 0 && flags & USERNAME == 0 && !version.is_v5() {
            return Err(DecodeError::malformed("Password without User Name"));
        }
        let password = match flags & PASSWORD != 0 && !missing(reader) {
            true => Some(reader.binary()?),
            false => None,
        };
        let clean_start = flags & CLEAN_START != 0;
        Ok(Self { version, bridge, clean_start, keep_alive, client_id, will, username, password, properties })
    }

    fn decode_will(flags: u8, reader: &mut Reader, version: Version) -> Result<Option<Will>, DecodeError> {
        // [MQTT-3.1.2-12] [MQTT-3.1.2-14]
        let qos = QoS::from_value(flags >> 3 & 3).ok_or(DecodeError::malformed("Will QoS is 3"))?;
        let retain = flags & WILL_RETAIN != 0;
        if flags & WILL == 0 {
            // [MQTT-3.1.2-11] [MQTT-3.1.2-13] [MQTT-3.1.2-15]
            return match (qos, retain) {
                (QoS::AtMostOnce, false) => Ok(None),
                _ => Err(DecodeError::malformed("Will QoS or Will Retain without Will Flag")),
            };
        }
        let properties = match version {
            Version::V5 => Properties::decode(reader, Carrier::Will)?,
            _ => Properties::new(),
        };
        crate::publish::check_response_topic(&properties)?;
        let topic = reader.string()?;
        topic::check_name(&topic).map_err(|_| {
            DecodeError::new(ReasonCode::TopicNameInvalid, "Will Topic is empty or has a wildcard")
        })?;
        let payload = reader.binary()?;
        Ok(Some(Will { topic, payload, qos, retain, properties }))
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        let (name, level) = self.version.protocol();
        put_binary(out, name.as_bytes());
        out.put_u8(if self.bridge && !self.version.is_v5() { level | BRIDGE } else { level });
        let will_flags = self
            .will
            .as_ref()
            .map_or(0, |will| WILL | will.qos.value() << 3 | if will.retain { WILL_RETAIN } else { 0 });
        out.put_u8(
            will_flags
                | if self.clean_start { CLEAN_START } else { 0 }
                | if self.username.is_some() { USERNAME } else { 0 }
                | if self.password.is_some() { PASSWORD } else { 0 },
        );
        out.put_u16(self.keep_alive);
        if self.version.is_v5() {
            self.properties.encode(out);
        }
        put_binary(out, self.client_id.as_bytes());
        if let Some(will) = &self.will {
            if self.version.is_v5() {
                will.properties.encode(out);
            }
            put_binary(out, will.topic.as_bytes());
            put_binary(out, &will.payload);
        }
        if let Some(username) = &self.username {
            put_binary(out, username.as_bytes());
        }
        if let Some(password) = &self.password {
            put_binary(out, password);
        }
    }
}
