//! Integers, strings and binary data as MQTT writes them.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use crate::DecodeError;

/// The largest Variable Byte Integer, 268,435,455.
pub const MAX_VARINT: u32 = 0x0fff_ffff;

/// Reads a Variable Byte Integer at the front of `bytes`: its value and how many bytes it took.
/// `None` means that more bytes are needed.
pub fn parse_varint(bytes: &[u8]) -> Result<Option<(u32, usize)>, DecodeError> {
    let mut value = 0u32;
    for index in 0..4 {
        let Some(&byte) = bytes.get(index) else { return Ok(None) };
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // [MQTT-1.5.5-1] a shorter encoding exists when the last of several bytes adds nothing
            if index > 0 && byte == 0 {
                return Err(DecodeError::malformed("Variable Byte Integer is longer than needed"));
            }
            return Ok(Some((value, index + 1)));
        }
    }
    Err(DecodeError::malformed("Variable Byte Integer has more than four bytes"))
}

/// How many bytes a Variable Byte Integer takes.
pub const fn varint_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Appends a Variable Byte Integer. Values above [`MAX_VARINT`] cannot be written and are the caller's mistake.
pub fn put_varint(out: &mut BytesMut, mut value: u32) {
    debug_assert!(value <= MAX_VARINT);
    while value > 0x7f {
        out.put_u8((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Appends binary data with its two-byte length; what exceeds 65,535 bytes cannot be sent.
pub fn put_binary(out: &mut BytesMut, data: &[u8]) {
    debug_assert!(data.len() <= usize::from(u16::MAX));
    out.put_u16(data.len() as u16);
    out.put_slice(data);
}

/// Reads a packet's body from front to back. Every method checks that the bytes are there.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    /// Bytes of User Properties that are still taken.
    pub(crate) user_property_bytes: usize,
}

const TRUNCATED: DecodeError = DecodeError::malformed("packet ends too early");

impl Reader {
    /// A reader of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self::within(bytes, usize::MAX)
    }

    /// A reader of `bytes` that refuses packets with more than `user_property_bytes` of User Properties: each
    /// takes many times its bytes on the wire in memory.
    pub fn within(bytes: Bytes, user_property_bytes: usize) -> Self {
        Self { bytes, user_property_bytes }
    }

    /// Bytes that were not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.bytes.try_get_u8().map_err(|_| TRUNCATED)
    }

    /// A Two Byte Integer.
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.bytes.try_get_u16().map_err(|_| TRUNCATED)
    }

    /// A Four Byte Integer.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.bytes.try_get_u32().map_err(|_| TRUNCATED)
    }

    /// A Variable Byte Integer.
    pub fn varint(&mut self) -> Result<u32, DecodeError> {
        let (value, used) = parse_varint(&self.bytes)?.ok_or(TRUNCATED)?;
        self.bytes.advance(used);
        Ok(value)
    }

    /// Binary data: two bytes of length, then as many bytes. The data shares the reader's memory.
    pub fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    /// A UTF-8 Encoded String, checked.
    pub fn string(&mut self) -> Result<ByteString, DecodeError> {
        let bytes = self.binary()?;
        // [MQTT-1.5.4-2] [MQTT-1.5.3-2]
        if bytes.iter().fold(false, |found, byte| found | (*byte == 0)) {
            return Err(DecodeError::malformed("string contains the null character"));
        }
        // [MQTT-1.5.4-1] [MQTT-1.5.3-1]; a byte order mark is kept as it is [MQTT-1.5.4-3]
        ByteString::try_from(bytes).map_err(|_| DecodeError::malformed("string is not well-formed UTF-8"))
    }

    /// A Packet Identifier, which is never zero.
    pub fn packet_id(&mut self) -> Result<u16, DecodeError> {
        match self.u16()? {
            // [MQTT-2.2.1-3] [MQTT-2.3.1-1]
            0 => Err(DecodeError::malformed("Packet Identifier is zero")),
            id => Ok(id),
        }
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if self.bytes.len() < length {
            return Err(TRUNCATED);
        }
        Ok(self.bytes.split_to(length))
    }

    /// All that is left.
    pub fn rest(self) -> Bytes {
        self.bytes
    }

    /// Refuses bytes that are left over.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.is_empty() {
            true => Ok(()),
            false => Err(DecodeError::malformed("bytes follow the end of the packet")),
        }
    }
}
