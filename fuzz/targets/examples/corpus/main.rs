//! Writes the seeds into `fuzz/corpus`: the codec's table of packet vectors, and the lists in here.
//!
//!     cargo run -p hookmq-fuzz-targets --example corpus
//!
//! Seeds that fuzzing found stay; those of this program have names that say what they are.

// It ends when a file cannot be written, and says why.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[allow(dead_code, missing_docs)]
#[path = "../../../../rust/codec/tests/table/mod.rs"]
mod table;

mod texts;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hookmq_codec::Version;

/// The seeds of one target by name.
type Seeds = BTreeMap<String, Vec<u8>>;

fn main() {
    write("decoder", &decoder());
    write("topic", &texts::seeds(texts::TOPIC));
    write("acl", &texts::seeds(texts::ACL));
    write("users", &texts::seeds(texts::USERS));
    write("scram", &texts::seeds(texts::SCRAM));
    write("proxy", &proxy());
    write("websocket", &websocket());
}

fn write(target: &str, seeds: &Seeds) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    fs::create_dir_all(&directory).unwrap();
    for (name, data) in seeds {
        fs::write(directory.join(name), data).unwrap();
    }
    println!("{target}: {} seeds", seeds.len());
}

/// A name for a file.
fn slug(text: &str) -> String {
    let words: Vec<String> = text
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("-")
}

fn number(version: Version) -> u8 {
    match version {
        Version::V31 => 0,
        Version::V311 => 1,
        Version::V5 => 2,
    }
}

/// Version, how to cut, stream: as the target reads it.
fn decoder() -> Seeds {
    let mut seeds = Seeds::new();
    let mut add = |name: &str, version: Version, cut: u8, stream: &[u8]| {
        let name = format!("{}-{}", slug(name), number(version) + 3);
        let same = seeds.keys().filter(|other: &&String| other.starts_with(&name)).count();
        let name = if same > 0 { format!("{name}-{same}") } else { name };
        seeds.insert(name, [&[number(version), cut], stream].concat());
    };
    let mut streams = [Vec::new(), Vec::new(), Vec::new()];
    for (index, row) in table::accepted().iter().enumerate() {
        let raw = row.raw();
        add(row.name, row.version, index as u8, &raw);
        streams[usize::from(number(row.version))].extend(raw);
    }
    for (index, (version, name, bytes, _)) in table::REFUSED.iter().enumerate() {
        add(&format!("refused {name}"), *version, index as u8, &table::parse(bytes));
    }
    for (version, stream) in [Version::V31, Version::V311, Version::V5].into_iter().zip(streams) {
        add("stream", version, 7, &stream);
    }
    seeds
}

/// A PROXY header and what may follow.
fn proxy() -> Seeds {
    let mut seeds = texts::seeds(texts::PROXY);
    let mut add = |name: &str, command: u8, family: u8, length: u16, rest: &[u8]| {
        let head = [b"\r\n\r\n\0\r\nQUIT\n", &[command, family][..], &length.to_be_bytes()].concat();
        seeds.insert(name.to_owned(), [&head, rest].concat());
    };
    let v4 = [1, 2, 3, 4, 5, 6, 7, 8, 3, 232, 7, 91];
    let v6 = [[0xfd; 16], [0xfe; 16]].concat();
    let v6 = [&v6[..], &[3, 232, 7, 91]].concat();
    add("block-4", 0x21, 0x11, 12, &v4);
    add("block-4-and-packet", 0x21, 0x11, 12, &[&v4[..], &[0xc0, 0]].concat());
    add("block-4-and-more", 0x21, 0x11, 16, &[&v4[..], &[3, 0, 1, 7]].concat());
    add("block-6", 0x21, 0x21, 36, &v6);
    add("block-unix", 0x21, 0x31, 4, b"/tmp");
    add("block-local", 0x20, 0, 0, b"");
    add("block-unknown", 0x21, 0, 0, b"");
    add("block-short", 0x21, 0x21, 12, &v4);
    add("block-cut", 0x21, 0x11, 12, &v4[..5]);
    add("block-long", 0x21, 0x11, 0xffff, &v4);
    add("block-longest", 0x20, 0, 4096, &[0; 4097]);
    add("block-too-long", 0x20, 0, 4097, &[0; 4097]);
    add("block-version-3", 0x31, 0x11, 12, &v4);
    add("block-command-2", 0x22, 0x11, 12, &v4);
    seeds
}

/// How to cut, what is allowed, frames: as the target reads it.
fn websocket() -> Seeds {
    const UNBOUNDED: u8 = 0;
    /// Eight times seven bytes.
    const BOUNDED: u8 = 0x87;
    let connect = b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a";
    let long = vec![b'x'; 300];
    let list: &[(&str, u8, u8, &[Vec<u8>])] = &[
        ("nothing", 9, UNBOUNDED, &[]),
        ("connect", 255, UNBOUNDED, &[frame(0x82, connect)]),
        ("connect-byte-by-byte", 0, UNBOUNDED, &[frame(0x82, connect)]),
        ("two-packets-in-one", 20, UNBOUNDED, &[frame(0x82, &[&connect[..], &[0xc0, 0]].concat())]),
        ("two-messages", 7, UNBOUNDED, &[frame(0x82, connect), frame(0x82, &[0xc0, 0])]),
        ("one-packet-in-two", 7, UNBOUNDED, &[frame(0x82, &connect[..5]), frame(0x82, &connect[5..])]),
        ("fragments", 3, UNBOUNDED, &[frame(2, &connect[..5]), frame(0, b""), frame(0x80, &connect[5..])]),
        (
            "ping-between-fragments",
            50,
            UNBOUNDED,
            &[frame(2, b"ab"), frame(0x89, b"?"), frame(0x80, b"c"), frame(0x8a, b"!")],
        ),
        ("empty-messages", 1, UNBOUNDED, &[frame(0x82, b""), frame(0x82, b"a"), frame(0x82, b"")]),
        ("long", 255, UNBOUNDED, &[frame(0x82, &long), frame(0x82, &long)]),
        ("longest", 255, UNBOUNDED, &[frame(0x82, &[1; 4096]), frame(0x82, b"a")]),
        ("too-long", 255, UNBOUNDED, &[frame(0x82, b"a"), frame(0x82, &[1; 4097])]),
        ("too-long-in-fragments", 255, UNBOUNDED, &[frame(2, &[1; 4096]), frame(0x80, b"a")]),
        ("close", 9, UNBOUNDED, &[frame(0x82, b"a"), frame(0x88, &[3, 232]), frame(0x82, b"b")]),
        ("close-without-code", 9, UNBOUNDED, &[frame(0x88, b"")]),
        ("close-of-one-byte", 9, UNBOUNDED, &[frame(0x88, b"a")]),
        ("text", 9, UNBOUNDED, &[frame(0x82, b"a"), frame(0x81, b"b"), frame(0x82, b"c")]),
        ("text-that-is-none", 9, UNBOUNDED, &[frame(0x81, &[0xff])]),
        ("text-in-fragments", 9, UNBOUNDED, &[frame(1, b"a"), frame(0x89, b""), frame(0x80, b"b")]),
        ("not-masked", 9, UNBOUNDED, &[vec![0x82, 1, b'a']]),
        ("reserved-bit", 9, UNBOUNDED, &[frame(0xc2, b"a")]),
        ("reserved-opcode", 9, UNBOUNDED, &[frame(0x83, b"a")]),
        ("ping-too-long", 9, UNBOUNDED, &[frame(0x89, &long)]),
        ("ping-in-fragments", 9, UNBOUNDED, &[frame(9, b"a"), frame(0x80, b"b")]),
        ("rest-of-nothing", 9, UNBOUNDED, &[frame(0x80, b"a")]),
        ("message-in-a-message", 9, UNBOUNDED, &[frame(2, b"a"), frame(0x82, b"b")]),
        ("declared-and-not-sent", 9, UNBOUNDED, &[vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 15, 0, 1, 2, 3, 4]]),
        ("declared-far-too-long", 9, UNBOUNDED, &[vec![0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255]]),
        ("allowance-kept", 30, BOUNDED, &[frame(0x82, connect)]),
        (
            "allowance-passed",
            30,
            BOUNDED,
            &[frame(0x82, connect), frame(0x82, connect), frame(0x82, connect)],
        ),
    ];
    list.iter()
        .map(|(name, cut, allowance, frames)| {
            ((*name).to_owned(), [&[*cut, *allowance], &frames.concat()[..]].concat())
        })
        .collect()
}

/// A client's frame. The mask leaves every second byte readable.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x55, 0, 0xaa, 0];
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
