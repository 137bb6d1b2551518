//! The decoder: a stream of bytes, cut anywhere, in every version.

use bytes::BytesMut;
use hookmq_codec::{DecodeError, Decoder, Packet, Version};

const LARGE: usize = 1 << 20;
const SMALL: usize = 64;

/// The first byte says the version and whether packets may be large, the second how the stream is cut; the
/// rest is the stream.
pub fn run(data: &[u8]) {
    let [head, cut, stream @ ..] = data else { return };
    let version = match head % 3 {
        0 => Version::V31,
        1 => Version::V311,
        _ => Version::V5,
    };
    let limit = if *head >= 0x80 { SMALL } else { LARGE };
    let at_once = Decoded::of(version, limit, stream, |_| usize::MAX);
    let mut state = u32::from(*cut);
    let in_pieces = Decoded::of(version, limit, stream, |left| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // A zero cuts after every byte.
        if *cut == 0 { 1 } else { (state >> 16) as usize % left + 1 }
    });
    assert_eq!(at_once, in_pieces, "the cut makes a difference");
    for (version, packet) in &at_once.packets {
        reads_back(*version, packet);
    }
}

/// What became of a stream.
#[derive(Debug, PartialEq)]
struct Decoded {
    packets: Vec<(Version, Packet)>,
    error: Option<DecodeError>,
    /// In which version an error would be answered.
    version: Version,
    /// Bytes that wait for more.
    left: usize,
}

impl Decoded {
    fn of(version: Version, limit: usize, stream: &[u8], mut cut: impl FnMut(usize) -> usize) -> Self {
        let mut decoder = Decoder::new(version, limit).with_user_properties(limit / 4);
        let mut buffer = BytesMut::new();
        let mut packets = Vec::new();
        let mut error = None;
        let mut rest = stream;
        while !rest.is_empty() && error.is_none() {
            let (piece, behind) = rest.split_at(cut(rest.len()).min(rest.len()));
            rest = behind;
            buffer.extend_from_slice(piece);
            error = drain(&mut decoder, &mut buffer, limit, &mut packets);
            // Nothing is set aside for what a peer only declares.
            assert!(buffer.capacity() <= 2 * stream.len().max(64), "{} bytes", buffer.capacity());
        }
        // What comes before an error depends on the cut only in how much of it was there.
        let left = if error.is_some() { 0 } else { buffer.len() };
        Self { packets, error, version: decoder.version(), left }
    }
}

fn drain(
    decoder: &mut Decoder,
    buffer: &mut BytesMut,
    limit: usize,
    packets: &mut Vec<(Version, Packet)>,
) -> Option<DecodeError> {
    loop {
        let before = buffer.len();
        match decoder.next(buffer) {
            Ok(Some(packet)) => {
                let taken = before - buffer.len();
                assert!((2..=limit).contains(&taken), "a packet of {taken} bytes");
                packets.push((decoder.version(), packet));
            }
            Ok(None) => {
                assert_eq!(before, buffer.len(), "part of a packet was taken");
                return None;
            }
            Err(error) => return Some(error),
        }
    }
}

/// What was decoded can be written, and is the same when it is read again.
fn reads_back(version: Version, packet: &Packet) {
    let bytes = written(version, packet);
    let mut buffer = bytes.clone();
    let again = Decoder::new(version, usize::MAX).next(&mut buffer);
    assert!(buffer.is_empty(), "more was written than a packet");
    match (packet, again) {
        // What only a broker sends is read more freely than it is written before 5.0: a reserved bit, a
        // reason that has no code there. Written again it must be the same.
        (Packet::ConnAck(_) | Packet::SubAck(_), Ok(Some(again))) => {
            assert_eq!(written(version, &again), bytes)
        }
        (_, again) => assert_eq!(again.as_ref(), Ok(&Some(packet.clone()))),
    }
}

fn written(version: Version, packet: &Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    packet.encode(version, &mut bytes);
    bytes
}
