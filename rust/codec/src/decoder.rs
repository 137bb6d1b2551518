//! A stream of bytes to a stream of packets.

use bytes::{Buf as _, BytesMut};

use crate::frame::FixedHeader;
use crate::wire::{Reader, parse_varint};
use crate::{Connect, DecodeError, Packet, PacketType, ReasonCode, Version};

/// Cuts a byte stream into packets. It keeps no bytes itself: what is not a whole packet yet stays in the
/// caller's buffer.
#[derive(Debug, Clone)]
pub struct Decoder {
    version: Version,
    max_packet_size: usize,
    max_user_property_bytes: usize,
    connected: bool,
}

impl Decoder {
    /// A decoder for a stream of this version that refuses packets of more than `max_packet_size` bytes.
    pub const fn new(version: Version, max_packet_size: usize) -> Self {
        Self { version, max_packet_size, max_user_property_bytes: usize::MAX, connected: false }
    }

    /// Refuses packets with more bytes of User Properties.
    #[must_use]
    pub const fn with_user_properties(self, max_user_property_bytes: usize) -> Self {
        Self { max_user_property_bytes, ..self }
    }

    /// The version in which packets are read; a CONNECT sets it, even one that is refused.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Says that the CONNECT was taken, and how large packets may be from here on, in bytes. Another CONNECT is
    /// an error, whatever is in it.
    pub fn connected(&mut self, max_packet_size: usize) {
        self.max_packet_size = max_packet_size;
        self.connected = true;
    }

    /// Reads from the beginning of a CONNECT that is refused for its length in which version to say so.
    /// `false` means that more bytes are needed.
    fn learns_version(&mut self, buffer: &[u8]) -> bool {
        const BEGINNING: usize = 16; // protocol name and level; a packet that is too large has more
        if self.connected {
            return true;
        }
        let is_connect = buffer.first().is_some_and(|byte| byte >> 4 == PacketType::Connect as u8);
        let (true, Ok(Some((_, length)))) = (is_connect, parse_varint(&buffer[1..])) else { return true };
        let Some(body) = buffer.get(1 + length..1 + length + BEGINNING) else { return false };
        self.version = Connect::version_hint(&body.iter().copied().collect());
        true
    }

    /// Takes the next whole packet off the front of `buffer`; `None` means that more bytes are needed.
    ///
    /// Strings and payloads of the packet share the buffer's memory. Nothing is allocated by the length
    /// that a fixed header declares. After an error the stream cannot be read on.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Packet>, DecodeError> {
        let header = match FixedHeader::parse(buffer, self.version, self.max_packet_size) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(None),
            Err(error) if error.reason == ReasonCode::PacketTooLarge && !self.learns_version(buffer) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if buffer.len() < header.total() {
            return Ok(None);
        }
        buffer.advance(header.length);
        let body = buffer.split_to(header.total() - header.length).freeze();
        if header.packet_type == PacketType::Connect {
            if self.connected {
                return Err(DecodeError::protocol("a second CONNECT")); // [MQTT-3.1.0-2]
            }
            self.version = Connect::version_hint(&body);
        }
        let reader = Reader::within(body, self.max_user_property_bytes);
        Packet::read(header, reader, self.version).map(Some)
    }
}
