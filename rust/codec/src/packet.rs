//! The packet model: one enum for all three versions.

use bytes::{BufMut, Bytes, BytesMut};

use crate::wire::{Reader, put_varint};
use crate::{
    Ack, Auth, ConnAck, Connect, DecodeError, Disconnect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe,
    Version, frame::FixedHeader,
};

/// The fifteen packet types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum PacketType {
    Connect = 1,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    PingReq,
    PingResp,
    Disconnect,
    Auth,
}

impl PacketType {
    /// Every packet type, in the order of its number.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::ConnAck,
        Self::Publish,
        Self::PubAck,
        Self::PubRec,
        Self::PubRel,
        Self::PubComp,
        Self::Subscribe,
        Self::SubAck,
        Self::Unsubscribe,
        Self::UnsubAck,
        Self::PingReq,
        Self::PingResp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The type with this number, the high four bits of a packet's first byte.
    pub fn from_nibble(nibble: u8) -> Option<Self> {
        Self::ALL.get(usize::from(nibble).checked_sub(1)?).copied()
    }

    /// The first byte of a packet of this type that has no flags of its own to say.
    pub const fn first_byte(self) -> u8 {
        let reserved = match self {
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => 2,
            _ => 0,
        };
        (self as u8) << 4 | reserved
    }
}

/// Quality of Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(u8)]
pub enum QoS {
    /// QoS 0: a message may be lost.
    #[default]
    AtMostOnce,
    /// QoS 1: a message may come twice.
    AtLeastOnce,
    /// QoS 2: a message comes once.
    ExactlyOnce,
}

impl QoS {
    /// The QoS with this value, `None` for 3 and above.
    pub const fn from_value(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// 0, 1 or 2.
    pub const fn value(self) -> u8 {
        self as u8
    }
}

/// An MQTT control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Packet {
    Connect(Box<Connect>),
    ConnAck(ConnAck),
    Publish(Publish),
    PubAck(Ack),
    PubRec(Ack),
    PubRel(Ack),
    PubComp(Ack),
    Subscribe(Subscribe),
    SubAck(SubAck),
    Unsubscribe(Unsubscribe),
    UnsubAck(UnsubAck),
    PingReq,
    PingResp,
    Disconnect(Disconnect),
    Auth(Auth),
}

impl Packet {
    /// Reads the packet behind `header`. `body` holds exactly the bytes of Remaining Length; strings and
    /// payloads share its memory. CONNECT says its version itself, for all others it is `version`.
    pub fn decode(header: FixedHeader, body: Bytes, version: Version) -> Result<Self, DecodeError> {
        Self::read(header, Reader::new(body), version)
    }

    /// The same from a reader, which may have bounds.
    pub fn read(header: FixedHeader, mut reader: Reader, version: Version) -> Result<Self, DecodeError> {
        let kind = header.packet_type;
        if kind == PacketType::Publish {
            return Publish::decode(header.flags, reader, version).map(Self::Publish);
        }
        let packet = match kind {
            PacketType::Connect => Self::Connect(Box::new(Connect::decode(&mut reader)?)),
            PacketType::ConnAck => Self::ConnAck(ConnAck::decode(&mut reader, version)?),
            PacketType::PubAck => Self::PubAck(Ack::decode(kind, &mut reader, version)?),
            PacketType::PubRec => Self::PubRec(Ack::decode(kind, &mut reader, version)?),
            PacketType::PubRel => Self::PubRel(Ack::decode(kind, &mut reader, version)?),
            PacketType::PubComp => Self::PubComp(Ack::decode(kind, &mut reader, version)?),
            PacketType::Subscribe => Self::Subscribe(Subscribe::decode(&mut reader, version)?),
            PacketType::SubAck => Self::SubAck(SubAck::decode(&mut reader, version)?),
            PacketType::Unsubscribe => Self::Unsubscribe(Unsubscribe::decode(&mut reader, version)?),
            PacketType::UnsubAck => Self::UnsubAck(UnsubAck::decode(&mut reader, version)?),
            PacketType::PingReq => Self::PingReq,
            PacketType::PingResp => Self::PingResp,
            PacketType::Disconnect => Self::Disconnect(Disconnect::decode(&mut reader, version)?),
            PacketType::Auth => Self::Auth(Auth::decode(&mut reader, version)?),
            PacketType::Publish => return Err(DecodeError::malformed("PUBLISH is read above")),
        };
        reader.finish()?;
        Ok(packet)
    }

    /// Appends the packet's bytes.
    pub fn encode(&self, version: Version, out: &mut BytesMut) {
        // Packets that come in streams write themselves straight into `out`; the others are rare enough
        // to be built aside, which spares each of them a second function that counts its bytes.
        let mut body = BytesMut::new();
        match self {
            Self::Publish(publish) => return publish.encode(version, out),
            Self::PubAck(ack) => return ack.encode(PacketType::PubAck, version, out),
            Self::PubRec(ack) => return ack.encode(PacketType::PubRec, version, out),
            Self::PubRel(ack) => return ack.encode(PacketType::PubRel, version, out),
            Self::PubComp(ack) => return ack.encode(PacketType::PubComp, version, out),
            Self::PingReq | Self::PingResp => {}
            Self::Connect(packet) => packet.encode(&mut body),
            Self::ConnAck(packet) => packet.encode(version, &mut body),
            Self::Subscribe(packet) => packet.encode(version, &mut body),
            Self::SubAck(packet) => packet.encode(version, &mut body),
            Self::Unsubscribe(packet) => packet.encode(version, &mut body),
            Self::UnsubAck(packet) => packet.encode(version, &mut body),
            Self::Disconnect(packet) => packet.encode(version, &mut body),
            Self::Auth(packet) => packet.encode(&mut body),
        }
        out.put_u8(self.packet_type().first_byte());
        put_varint(out, body.len() as u32);
        out.put_slice(&body);
    }

    /// Which packet it is.
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}
