//! The fixed header: packet type, flags and Remaining Length.

use crate::{DecodeError, PacketType, ReasonCode, Version, wire};

/// A fixed header whose flags were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedHeader {
    /// Which packet follows.
    pub packet_type: PacketType,
    /// The low four bits of the first byte; they mean something in PUBLISH only.
    pub flags: u8,
    /// Bytes of the fixed header itself, 2 to 5.
    pub length: usize,
    /// Bytes that follow the fixed header.
    pub remaining: usize,
}

impl FixedHeader {
    /// The whole packet's length in bytes.
    pub const fn total(&self) -> usize {
        self.length + self.remaining
    }

    /// Reads the fixed header at the front of `bytes`. `None` means that more bytes are needed.
    ///
    /// The length a peer declares is compared with `max_packet_size` here, before anything is
    /// allocated by it.
    pub fn parse(
        bytes: &[u8],
        version: Version,
        max_packet_size: usize,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let flags = first & 0x0f;
        let packet_type =
            PacketType::from_nibble(first >> 4).ok_or(DecodeError::malformed("packet type 0 is reserved"))?; // [MQTT-2.1.2] table
        match packet_type {
            PacketType::Publish => {}
            // [MQTT-2.1.3-1] [MQTT-3.6.1-1] [MQTT-3.8.1-1] [MQTT-3.10.1-1]
            PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe if flags == 2 => {}
            // 3.1 lets these carry DUP.
            PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe
                if version == Version::V31 && flags & 7 == 2 => {}
            PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => {
                return Err(DecodeError::malformed("reserved flags of the fixed header must be 2"));
            }
            _ if flags == 0 => {}
            _ => return Err(DecodeError::malformed("reserved flags of the fixed header must be 0")),
        }
        let Some((remaining, used)) = wire::parse_varint(&bytes[1..])? else { return Ok(None) };
        let header = Self { packet_type, flags, length: 1 + used, remaining: remaining as usize };
        if header.total() > max_packet_size {
            return Err(DecodeError::new(
                ReasonCode::PacketTooLarge,
                "packet exceeds the Maximum Packet Size",
            ));
        }
        Ok(Some(header))
    }
}
