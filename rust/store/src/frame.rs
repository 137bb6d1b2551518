//! Changes that were written together: a header, then records that each have a checksum.
//!
//! A frame counts as a whole, or not at all if it is the last of the log and anything is wrong with it: then its
//! writing was under way, and nobody was told that it is kept. Damage in an earlier frame costs the records it
//! hit: a checksum includes the record's number, so what is in the wrong place is as wrong as a wrong byte. It includes
//! the store's own number as well, which no client knows: a payload that looks like a frame is none.

use bytes::{BufMut, BytesMut};
use crc32fast::Hasher;

use crate::Stamp;
use crate::changes::{Changes, RECORD_HEADER};

/// Bytes of a frame's header.
pub(crate) const HEADER: usize = 40;

const MAGIC: [u8; 4] = *b"HmqF";

/// What a frame's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the records.
    pub(crate) bytes: usize,
    pub(crate) records: u32,
    /// The number of the first record.
    pub(crate) sequence: u64,
    pub(crate) stamp: Stamp,
}

impl Header {
    /// The header at the start of these bytes.
    pub(crate) fn parse(bytes: &[u8], store: u64) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let number = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let small = |at: usize| bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
        if bytes[..4] != MAGIC || small(4) != sum(store, &bytes[8..]) {
            return None;
        }
        let stamp = Stamp { now: number(24), wall: number(32) };
        Some(Self { bytes: small(8) as usize, records: small(12), sequence: number(16), stamp })
    }

    fn put(self, out: &mut BytesMut, store: u64) {
        let start = out.len();
        out.put_slice(&MAGIC);
        out.put_u32_le(0);
        out.put_u32_le(self.bytes as u32);
        out.put_u32_le(self.records);
        out.put_u64_le(self.sequence);
        out.put_u64_le(self.stamp.now);
        out.put_u64_le(self.stamp.wall);
        let sum = sum(store, &out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
    }
}

fn sum(store: u64, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&store.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Where the next header is from `from` on.
pub(crate) fn find(data: &[u8], from: usize, store: u64) -> Option<usize> {
    let mut at = from;
    while at + HEADER <= data.len() {
        // Most places are ruled out by their first byte.
        at += data[at..].iter().position(|byte| *byte == MAGIC[0])?;
        if Header::parse(&data[at..], store).is_some() {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Writes changes as a frame whose first record has this number.
pub(crate) fn encode(changes: &Changes, store: u64, sequence: u64, stamp: Stamp, out: &mut BytesMut) {
    out.clear();
    let header = Header { bytes: changes.bytes.len(), records: changes.records, sequence, stamp };
    header.put(out, store);
    out.put_slice(&changes.bytes);
    for (number, (start, body)) in (sequence..).zip(changes.bodies()) {
        let at = HEADER + start + 4;
        out[at..at + 4].copy_from_slice(&checksum(store, number, body).to_le_bytes());
    }
}

fn checksum(store: u64, number: u64, body: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&store.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(&(body.len() as u32).to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// A record that was read: where it begins in the frame's bytes, and its body.
pub(crate) type Record<'a> = (usize, &'a [u8]);

/// Reads the records of a frame, without its header. Gives those that are as they were written, and how many
/// are not.
pub(crate) fn records<'a>(header: &Header, store: u64, data: &'a [u8]) -> (Vec<Record<'a>>, u64) {
    let mut found = Vec::with_capacity((header.records as usize).min(data.len() / RECORD_HEADER));
    let mut at = 0;
    let mut lost = 0;
    for index in 0..u64::from(header.records) {
        let Some((start, body, sum)) = record(data, at) else { break };
        let number = header.sequence.wrapping_add(index);
        match sum == checksum(store, number, body) {
            true => found.push((start, body)),
            // If its length is right, the next one can be read again; otherwise none of the rest will.
            false => lost += 1,
        }
        at = start + RECORD_HEADER + body.len();
    }
    let read = found.len() as u64 + lost;
    (found, lost + u64::from(header.records) - read)
}

fn record(data: &[u8], at: usize) -> Option<(usize, &[u8], u32)> {
    let header: &[u8; RECORD_HEADER] = data.get(at..)?.first_chunk()?;
    let [length @ .., _, _, _, _] = header;
    let [_, _, _, _, sum @ ..] = header;
    let length = u32::from_le_bytes(*length) as usize;
    let body = data.get(at + RECORD_HEADER..)?.get(..length)?;
    Some((at, body, u32::from_le_bytes(*sum)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyRef;

    fn frame() -> BytesMut {
        let mut changes = Changes::default();
        for number in 1..=10 {
            changes.put(KeyRef::Pair(0, number, 0), 0, |out| out.put_bytes(number as u8, 20));
        }
        let mut out = BytesMut::new();
        encode(&changes, 9, 100, Stamp { now: 1, wall: 2 }, &mut out);
        out
    }

    #[test]
    fn a_flipped_bit_costs_the_record_that_it_hit() {
        let whole = frame();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Some(header) = Header::parse(&bytes, 9) else {
                assert!(bit / 8 < HEADER);
                continue;
            };
            let (found, lost) = records(&header, 9, &bytes[HEADER..]);
            assert_eq!(found.len() as u64 + lost, 10);
            let in_a_length = (bit / 8 - HEADER) % (whole.len() - HEADER).div_euclid(10) < 4;
            assert!(lost == 1 || in_a_length, "bit {bit} costs {lost}");
        }
    }

    #[test]
    fn a_record_in_the_place_of_another_is_none() {
        let bytes = frame();
        let header = Header::parse(&bytes, 9).unwrap();
        let (found, lost) = records(&Header { sequence: 101, ..header }, 9, &bytes[HEADER..]);
        assert_eq!((found.len(), lost), (0, 10));
        assert_eq!(records(&header, 8, &bytes[HEADER..]).1, 10, "of another store");
        assert_eq!(Header::parse(&bytes, 8), None);
    }

    #[test]
    fn a_frame_is_found_behind_anything() {
        let frame = frame();
        for garbage in [&b""[..], b"H", b"HmqF", b"HHmqHmqF\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"] {
            let bytes = [garbage, &frame].concat();
            assert_eq!(find(&bytes, 0, 9), Some(garbage.len()));
        }
        assert_eq!(find(&frame, 1, 9), None);
    }
}
