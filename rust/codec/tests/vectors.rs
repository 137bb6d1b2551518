//! The table of packet vectors: each row is a packet and its bytes, and is checked in both directions; a
//! second table holds bytes that must be refused, with the reason.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod table;

use bytes::BytesMut;
use hookmq_codec::{Decoder, ReasonCode, Version};
use table::{REFUSED, accepted, bytes_of};

const LIMIT: usize = 1 << 20;

#[test]
fn packets_encode_to_their_bytes() {
    for row in accepted() {
        let mut out = BytesMut::new();
        row.packet.encode(row.version, &mut out);
        assert_eq!(bytes_of(&out), row.bytes, "{} ({})", row.name, row.version.name());
    }
}

#[test]
fn bytes_decode_to_their_packets() {
    for row in accepted() {
        let mut buffer = BytesMut::from(&row.raw()[..]);
        let packet = Decoder::new(row.version, LIMIT).next(&mut buffer);
        assert_eq!(packet, Ok(Some(row.packet.clone())), "{} ({})", row.name, row.version.name());
        assert!(buffer.is_empty(), "{}", row.name);
    }
}

#[test]
fn a_packet_that_is_not_whole_waits_for_more() {
    for row in accepted() {
        let raw = row.raw();
        for end in 0..raw.len() {
            let mut buffer = BytesMut::from(&raw[..end]);
            let packet = Decoder::new(row.version, LIMIT).next(&mut buffer);
            assert_eq!(packet, Ok(None), "{} cut at {end}", row.name);
            assert_eq!(buffer.len(), end, "{}: nothing may be taken", row.name);
        }
    }
}

#[test]
fn wrong_bytes_are_refused_with_the_right_reason() {
    for (version, name, bytes, reason) in REFUSED {
        let raw = table::parse(bytes);
        let mut buffer = BytesMut::from(&raw[..]);
        let error = Decoder::new(*version, 256).next(&mut buffer).expect_err(name);
        assert_eq!(error.reason, *reason, "{name}: {error}");
    }
}

#[test]
fn a_length_is_refused_before_anything_is_allocated_by_it() {
    let mut buffer = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0x7f][..]);
    let capacity = buffer.capacity();
    let error = Decoder::new(Version::V5, LIMIT).next(&mut buffer).unwrap_err();
    assert_eq!(error.reason, ReasonCode::PacketTooLarge);
    assert_eq!(buffer.capacity(), capacity);
}

#[test]
fn a_connect_that_is_refused_tells_the_version_to_answer_in() {
    let cases: [(&str, Version); 5] = [
        ("10 08 0006 4d514973647003", Version::V31),
        ("10 07 0004 4d515454 04", Version::V311),
        ("10 07 0004 4d515454 05", Version::V5),
        ("10 07 0004 4d515454 07", Version::V5),
        ("10 07 0004 4d515454 02", Version::V311),
    ];
    for (bytes, version) in cases {
        let mut raw = table::parse(bytes);
        raw[1] = (raw.len() - 2) as u8;
        let mut decoder = Decoder::new(Version::V311, LIMIT);
        assert!(decoder.next(&mut BytesMut::from(&raw[..])).is_err());
        assert_eq!(decoder.version(), version, "{bytes}");
    }
}
