//! Ten million random decodes: bytes of every kind of wrongness, in any pieces. Nothing panics, what is accepted
//! reads back as it was, and no length that a peer declares allocates anything.
//!
//! `HOOKMQ_TEST_SEED` repeats a run, `HOOKMQ_RANDOM_DECODES` says how many there are. The figures stand in the
//! output of `cargo test`.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)] // the rest of it is for vectors.rs
mod table;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::BytesMut;
use hookmq_codec::wire::put_varint;
use hookmq_codec::{DecodeError, Decoder, Packet, PacketType, Version};

const DECODES: u64 = 10_000_000;

/// Work is handed out in so many parts, each with a seed of its own, so that a run does not depend on the
/// number of threads.
const PARTS: u64 = 200;

const LIMIT: usize = 1 << 20;

/// What a decode may take: so many bytes, and so many for each byte of the input. The worst is UNSUBSCRIBE: a
/// filter of two bytes becomes a string of four words in a list that has just doubled.
const ALLOWED: usize = 512;
const ALLOWED_PER_BYTE: usize = 64;

/// Counts what a thread holds, and the most it held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends frees after its counters are gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the pointer came from `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that `work` held beyond what was held before.
fn most_held<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    MOST.set(before);
    let result = work();
    (result, usize::try_from(MOST.get() - before).unwrap())
}

/// SplitMix64: small, fast, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 32) as usize * end) >> 32
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// A byte that is more often one of those on which formats turn.
    fn turning_byte(&mut self) -> u8 {
        match self.below(2) {
            0 => *self.pick(&[0, 1, 2, 3, 4, 5, 0x0b, 0x1f, 0x23, 0x26, 0x7f, 0x80, 0xc0, 0xed, 0xf4, 0xff]),
            _ => self.byte(),
        }
    }

    fn version(&mut self) -> Version {
        *self.pick(&[Version::V31, Version::V311, Version::V5])
    }
}

/// Writes packets and what looks like packets.
struct Writer {
    /// Bytes of packets in their versions: those of the table that are right, then those that are wrong.
    vectors: Vec<(Version, Vec<u8>)>,
    /// How many are right.
    right: usize,
}

impl Writer {
    fn new() -> Self {
        let mut vectors: Vec<_> = table::accepted().into_iter().map(|row| (row.version, row.raw())).collect();
        let right = vectors.len();
        vectors.extend(table::REFUSED.iter().map(|(version, _, bytes, _)| (*version, table::parse(bytes))));
        Self { vectors, right }
    }

    /// Random bytes behind a fixed header that is right.
    fn headed(&self, random: &mut Random, out: &mut BytesMut) -> Version {
        let kind = *random.pick(&PacketType::ALL);
        let flags = if kind == PacketType::Publish { random.byte() & 0x0f } else { 0 };
        let length = random.below(48);
        out.extend_from_slice(&[kind.first_byte() | flags]);
        put_varint(out, length as u32);
        for _ in 0..length {
            out.extend_from_slice(&[random.turning_byte()]);
        }
        random.version()
    }

    /// A packet of the table with some edits; mostly with its Remaining Length put right again.
    fn edited(&self, random: &mut Random, out: &mut BytesMut) -> Version {
        let end = if random.below(4) == 0 { self.vectors.len() } else { self.right };
        let (version, vector) = random.pick(&self.vectors[..end]);
        let mut bytes = vector.clone();
        for _ in 0..random.below(4) {
            self.edit(random, &mut bytes);
        }
        // The vectors are shorter than 128 bytes, so the length is one byte.
        if bytes.len() >= 2 && random.below(8) > 0 {
            out.extend_from_slice(&bytes[..1]);
            put_varint(out, (bytes.len() - 2) as u32);
            out.extend_from_slice(&bytes[2..]);
        } else {
            out.extend_from_slice(&bytes);
        }
        if random.below(8) == 0 { random.version() } else { *version }
    }

    fn edit(&self, random: &mut Random, bytes: &mut Vec<u8>) {
        let at = random.below(bytes.len());
        let end = at + random.below(bytes.len() - at + 1);
        match random.below(6) {
            _ if bytes.is_empty() => bytes.push(random.byte()),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.turning_byte(),
            2 => bytes.insert(at, random.turning_byte()),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            _ => {
                let (_, other) = random.pick(&self.vectors);
                let from = random.below(other.len());
                bytes.splice(at..end, other[from..].iter().copied());
            }
        }
    }

    /// Bytes of any kind, and the version of the stream they come in.
    fn write(&self, random: &mut Random, out: &mut BytesMut) -> Version {
        match random.below(8) {
            0 => {
                for _ in 0..random.below(64) {
                    out.extend_from_slice(&[random.byte()]);
                }
                random.version()
            }
            1 | 2 => self.headed(random, out),
            3 => {
                let version = self.edited(random, out);
                for _ in 0..random.below(4) {
                    self.edited(random, out);
                }
                version
            }
            _ => self.edited(random, out),
        }
    }
}

/// What the inputs came to.
#[derive(Default)]
struct Figures {
    accepted: AtomicU64,
    refused: AtomicU64,
    incomplete: AtomicU64,
    in_pieces: AtomicU64,
    most_held: AtomicU64,
    most_per_byte: AtomicU64,
}

/// All packets of a stream until it ends, needs more, or is refused.
fn decode_all(
    decoder: &mut Decoder,
    buffer: &mut BytesMut,
    packets: &mut Vec<Packet>,
) -> Result<(), DecodeError> {
    while let Some(packet) = decoder.next(buffer)? {
        packets.push(packet);
    }
    Ok(())
}

/// The first packet alone: what it allocates, and that it reads back.
fn check_first(version: Version, input: &[u8], scratch: &mut BytesMut, figures: &Figures) {
    let mut buffer = BytesMut::from(input);
    let mut decoder = Decoder::new(version, LIMIT);
    let (result, held) = most_held(|| decoder.next(&mut buffer));
    assert!(
        held <= ALLOWED + ALLOWED_PER_BYTE * input.len(),
        "{held} bytes were allocated for an input of {}",
        input.len()
    );
    figures.most_held.fetch_max(held as u64, Relaxed);
    figures.most_per_byte.fetch_max((held.saturating_sub(ALLOWED) / input.len().max(1)) as u64, Relaxed);
    let packet = match result {
        Ok(Some(packet)) => packet,
        Ok(None) => {
            assert_eq!(buffer, input, "nothing may be taken of what is not whole");
            figures.incomplete.fetch_add(1, Relaxed);
            return;
        }
        Err(error) => {
            assert!(error.reason.is_error() && !error.what.is_empty());
            figures.refused.fetch_add(1, Relaxed);
            return;
        }
    };
    figures.accepted.fetch_add(1, Relaxed);
    scratch.clear();
    let version = decoder.version();
    packet.encode(version, scratch);
    let mut written = scratch.split();
    let again = Decoder::new(version, LIMIT).next(&mut written);
    assert_eq!(again, Ok(Some(packet)), "what was accepted reads back otherwise");
    assert!(written.is_empty(), "it reads back shorter");
}

/// The whole stream, at once and in pieces.
fn check_pieces(version: Version, input: &[u8], random: &mut Random, figures: &Figures) {
    let (mut whole, mut pieces) = (Vec::new(), Vec::new());
    let mut decoder = Decoder::new(version, LIMIT);
    let expected = decode_all(&mut decoder, &mut BytesMut::from(input), &mut whole);
    let mut decoder = Decoder::new(version, LIMIT);
    let (mut buffer, mut rest, mut found) = (BytesMut::new(), input, Ok(()));
    while found.is_ok() && !rest.is_empty() {
        let (piece, more) = rest.split_at(1 + random.below(rest.len().min(24)));
        rest = more;
        buffer.extend_from_slice(piece);
        found = decode_all(&mut decoder, &mut buffer, &mut pieces);
    }
    assert_eq!((&pieces, found), (&whole, expected), "in pieces it reads otherwise");
    figures.in_pieces.fetch_add(1, Relaxed);
}

fn run_part(writer: &Writer, seed: u64, part: u64, decodes: u64, figures: &Figures) {
    let mut random = Random(seed.wrapping_add(part.wrapping_mul(0xd134_2543_de82_ef95)));
    let (mut input, mut scratch) = (BytesMut::with_capacity(1024), BytesMut::with_capacity(1024));
    for number in 0..decodes {
        input.clear();
        let version = writer.write(&mut random, &mut input);
        let checked = catch_unwind(AssertUnwindSafe(|| {
            check_first(version, &input, &mut scratch, figures);
            if number % 8 == 0 {
                check_pieces(version, &input, &mut random, figures);
            }
        }));
        if let Err(panic) = checked {
            let bytes = table::bytes_of(&input);
            say(format_args!("HOOKMQ_TEST_SEED={seed}: part {part}, input {number}, {version:?}: {bytes}"));
            std::panic::resume_unwind(panic);
        }
    }
}

/// Writes a line for the record.
#[allow(clippy::explicit_write)] // the test harness would swallow `eprintln!`
fn say(line: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "{line}").unwrap();
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect(name))
}

#[test]
fn random_bytes_in_any_pieces_do_no_harm() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = variable("HOOKMQ_TEST_SEED").unwrap_or(now.as_nanos() as u64);
    let decodes = variable("HOOKMQ_RANDOM_DECODES").unwrap_or(DECODES).div_ceil(PARTS);
    let (writer, figures) = (Writer::new(), Figures::default());
    let next_part = AtomicU64::new(0);
    let started = Instant::now();
    say(format_args!("random decodes: HOOKMQ_TEST_SEED={seed}"));
    std::thread::scope(|scope| {
        let work = || {
            while let part @ ..PARTS = next_part.fetch_add(1, Relaxed) {
                run_part(&writer, seed, part, decodes, &figures);
            }
        };
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let count = |figure: &AtomicU64| figure.load(Relaxed);
    say(format_args!(
        "random decodes: {} inputs in {:.1} s: {} accepted, {} refused, {} incomplete; {} of them once more in \
         pieces; 0 panics; at most {} bytes held, {ALLOWED} and {} for each byte of input",
        decodes * PARTS,
        started.elapsed().as_secs_f64(),
        count(&figures.accepted),
        count(&figures.refused),
        count(&figures.incomplete),
        count(&figures.in_pieces),
        count(&figures.most_held),
        count(&figures.most_per_byte),
    ));
    assert_eq!(
        count(&figures.accepted) + count(&figures.refused) + count(&figures.incomplete),
        decodes * PARTS
    );
    assert!(count(&figures.accepted) > decodes * PARTS / 10, "too few were packets to say much");
}
