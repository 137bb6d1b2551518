//! Payloads of all formats, and bytes that are none.

use proptest::prelude::*;

use super::*;

fn json(payload: &[u8], format: Format) -> Option<String> {
    decode(payload, format).map(|value| to_json(&value))
}

#[test]
fn what_is_encoded_is_decoded() {
    let text = br#"{"a":1,"b":-2.5,"c":"x","d":[true,null,{"e":[]}],"f":9007199254740993}"#;
    let value = decode(text, Format::Json).unwrap();
    assert_eq!(to_json(&value).as_bytes(), text);
    for (bytes, format) in [(to_cbor(&value), Format::Cbor), (to_message_pack(&value), Format::MessagePack)] {
        assert_eq!(Format::guess(&bytes, None), Some(format));
        assert_eq!(decode(&bytes, format), Some(value.clone()), "{format:?}");
    }
    let bytes = Value::Bytes([0, 255][..].into());
    assert_eq!(decode(&to_cbor(&bytes), Format::Cbor), Some(bytes.clone()));
    assert_eq!(decode(&to_message_pack(&bytes), Format::MessagePack), Some(bytes.clone()));
    assert_eq!(to_json(&bytes), "\"AP8=\"");
}

#[test]
fn what_devices_write_is_read() {
    // Tags (a time), half floats, undefined, pieces of unknown number, keys that are numbers.
    let cbor = [
        0xbf, 0x01, 0xc1, 0x1a, 0, 0, 0, 1, 0x61, b'h', 0xf9, 0x3c, 0, 0x61, b'u', 0xf7, 0x61, b's', 0x7f,
        0x61, b'a', 0x61, b'b', 0xff, 0xff,
    ];
    assert_eq!(json(&cbor, Format::Cbor).as_deref(), Some(r#"{"1":1,"h":1.0,"s":"ab"}"#));
    // A MessagePack timestamp is an extension.
    let pack = [0x81, 0xa1, b't', 0xd6, 0xff, 0, 0, 0, 1];
    assert_eq!(json(&pack, Format::MessagePack).as_deref(), Some(r#"{"t":"AAAAAQ=="}"#));
}

#[test]
fn what_is_none_or_too_deep_or_lies_about_its_length_is_refused() {
    let deep = |open: &[u8], count: usize| open.repeat(count);
    for (bytes, format) in [
        (b"{".to_vec(), Format::Json),
        (b"{} x".to_vec(), Format::Json),
        (deep(b"[", 100_000), Format::Json),
        (deep(&[0x81], 100_000), Format::Cbor),
        (deep(&[0xc1], 100_000), Format::Cbor),
        (deep(&[0x9f], 100_000), Format::Cbor),
        (vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Format::Cbor),
        (vec![0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0], Format::Cbor),
        ([deep(&[0xa1], 30), deep(&[1], 31)].concat(), Format::Cbor),
        ([deep(&[0x81], 30), deep(&[1], 31)].concat(), Format::MessagePack),
        (deep(&[0x91], 100_000), Format::MessagePack),
        (vec![0xdd, 0xff, 0xff, 0xff, 0xff], Format::MessagePack),
        (vec![0xc6, 0xff, 0xff, 0xff, 0xff, 1], Format::MessagePack),
        (vec![0xc9, 0xff, 0xff, 0xff, 0xff, 1, 1], Format::MessagePack),
    ] {
        assert_eq!(decode(&bytes, format), None, "{format:?} {:?}…", &bytes[..bytes.len().min(10)]);
    }
}

#[test]
fn formats_are_told_apart() {
    let guess = |payload: &[u8], named| Format::guess(payload, named);
    assert_eq!(guess(b"", None), None);
    assert_eq!(guess(b"ON", None), None);
    assert_eq!(guess(b" 1", None), Some(Format::Json));
    assert_eq!(guess(b"x", Some("Application/JSON; charset=utf-8")), Some(Format::Json));
    assert_eq!(guess(b"{", Some("application/senml+cbor")), Some(Format::Cbor));
    assert_eq!(guess(b"{", Some("application/msgpack")), Some(Format::MessagePack));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for format in [Format::Json, Format::Cbor, Format::MessagePack] {
            if let Some(value) = decode(&bytes, format) {
                let _ = to_json(&value);
            }
        }
    }
}
