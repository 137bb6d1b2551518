//! What is to be written, in the form in which it is written.

use bytes::{BufMut, BytesMut};

/// Under which a value is kept. The kind tells the uses apart; what a pair or a text means is theirs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Two numbers.
    Pair(u8, u64, u64),
    /// A number and a text.
    Text(u8, u64, Box<str>),
}

impl Key {
    /// The same without the text's memory.
    pub fn as_ref(&self) -> KeyRef<'_> {
        match self {
            Self::Pair(kind, one, other) => KeyRef::Pair(*kind, *one, *other),
            Self::Text(kind, number, text) => KeyRef::Text(*kind, *number, text),
        }
    }
}

/// A [`Key`] whose text is somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRef<'a> {
    /// Two numbers.
    Pair(u8, u64, u64),
    /// A number and a text of at most 65,535 bytes.
    Text(u8, u64, &'a str),
}

impl KeyRef<'_> {
    /// A key of its own.
    pub fn to_owned(self) -> Key {
        match self {
            Self::Pair(kind, one, other) => Key::Pair(kind, one, other),
            Self::Text(kind, number, text) => Key::Text(kind, number, text.into()),
        }
    }
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A blob, kept as long as a value refers to it.
    Blob {
        /// Its number, never 0 and never used before.
        number: u64,
        /// Its bytes.
        data: &'a [u8],
    },
    /// A value, in the place of the one that the key had.
    Put {
        /// Its key.
        key: KeyRef<'a>,
        /// The blob it refers to; 0 for none.
        refers: u64,
        /// Its bytes.
        value: &'a [u8],
    },
    /// No value any more.
    Delete {
        /// Its key.
        key: KeyRef<'a>,
    },
}

/// Before each record: its length, and a place for its checksum.
pub(crate) const RECORD_HEADER: usize = 8;

const BLOB: u8 = 1;
const PUT: u8 = 2;
const DELETE: u8 = 3;
const PAIR: u8 = 0;
const TEXT: u8 = 1;

/// Changes that are written together.
#[derive(Debug, Default)]
pub struct Changes {
    /// Records, each with a header whose checksum is still to be made.
    pub(crate) bytes: BytesMut,
    pub(crate) records: u32,
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records as usize
    }

    /// Bytes they take.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets them, but keeps the memory unless it is more than `keep` bytes.
    pub fn clear(&mut self, keep: usize) {
        match self.bytes.capacity() > keep {
            true => self.bytes = BytesMut::new(),
            false => self.bytes.clear(),
        }
        self.records = 0;
    }

    /// Keeps a blob under a new number. `write` appends its bytes.
    pub fn blob(&mut self, number: u64, write: impl FnOnce(&mut BytesMut)) {
        self.record(|out| {
            out.put_u8(BLOB);
            out.put_u64_le(number);
            write(out);
        });
    }

    /// Keeps a value, and the blob it refers to unless that is 0. `write` appends its bytes.
    pub fn put(&mut self, key: KeyRef<'_>, refers: u64, write: impl FnOnce(&mut BytesMut)) {
        self.record(|out| {
            out.put_u8(PUT);
            put_key(out, key);
            out.put_u64_le(refers);
            write(out);
        });
    }

    /// Keeps a value no more.
    pub fn delete(&mut self, key: KeyRef<'_>) {
        self.record(|out| {
            out.put_u8(DELETE);
            put_key(out, key);
        });
    }

    /// Appends a record as it was written before.
    pub(crate) fn again(&mut self, body: &[u8]) {
        self.record(|out| out.put_slice(body));
    }

    fn record(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let start = self.bytes.len();
        self.bytes.put_u64_le(0);
        write(&mut self.bytes);
        let body = (self.bytes.len() - start - RECORD_HEADER) as u32;
        self.bytes[start..start + 4].copy_from_slice(&body.to_le_bytes());
        self.records += 1;
    }

    /// The bodies of the records, in order, and where each record begins.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let header = self.bytes.get(at..at + 4)?;
            let body = u32::from_le_bytes(header.try_into().ok()?) as usize;
            let start = at;
            at += RECORD_HEADER + body;
            Some((start, self.bytes.get(start + RECORD_HEADER..at)?))
        })
    }

    /// The changes, in order.
    pub fn iter(&self) -> impl Iterator<Item = Change<'_>> {
        self.bodies().filter_map(|(_, body)| parse(body))
    }
}

fn put_key(out: &mut BytesMut, key: KeyRef<'_>) {
    match key {
        KeyRef::Pair(kind, one, other) => {
            out.put_slice(&[PAIR, kind]);
            out.put_u64_le(one);
            out.put_u64_le(other);
        }
        KeyRef::Text(kind, number, text) => {
            out.put_slice(&[TEXT, kind]);
            out.put_u64_le(number);
            out.put_u16_le(text.len() as u16);
            out.put_slice(text.as_bytes());
        }
    }
}

/// What a record says; `None` if it says nothing that is known.
pub(crate) fn parse(body: &[u8]) -> Option<Change<'_>> {
    let (op, rest) = body.split_first()?;
    Some(match *op {
        BLOB => {
            let (number, data) = number(rest)?;
            Change::Blob { number, data }
        }
        PUT => {
            let (key, rest) = key(rest)?;
            let (refers, value) = number(rest)?;
            Change::Put { key, refers, value }
        }
        DELETE => match key(rest)? {
            (key, []) => Change::Delete { key },
            _ => return None,
        },
        _ => return None,
    })
}

fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*number), rest))
}

fn key(bytes: &[u8]) -> Option<(KeyRef<'_>, &[u8])> {
    let (&[form, kind], rest) = bytes.split_first_chunk::<2>()?;
    let (one, rest) = number(rest)?;
    match form {
        PAIR => {
            let (other, rest) = number(rest)?;
            Some((KeyRef::Pair(kind, one, other), rest))
        }
        TEXT => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            let (text, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
            Some((KeyRef::Text(kind, one, std::str::from_utf8(text).ok()?), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut changes = Changes::default();
        changes.blob(7, |out| out.put_slice(b"blob"));
        changes.put(KeyRef::Pair(1, 2, 3), 7, |out| out.put_slice(b"value"));
        changes.put(KeyRef::Text(4, 5, "a/ö"), 0, |_| ());
        changes.delete(KeyRef::Text(4, 5, ""));
        let read: Vec<_> = changes.iter().collect();
        assert_eq!(
            read,
            [
                Change::Blob { number: 7, data: b"blob" },
                Change::Put { key: KeyRef::Pair(1, 2, 3), refers: 7, value: b"value" },
                Change::Put { key: KeyRef::Text(4, 5, "a/ö"), refers: 0, value: b"" },
                Change::Delete { key: KeyRef::Text(4, 5, "") },
            ]
        );
        assert_eq!(changes.len(), 4);
        changes.clear(0);
        assert!(changes.is_empty() && changes.iter().next().is_none());
    }

    #[test]
    fn what_says_nothing_is_nothing() {
        for body in [&b""[..], b"\x00", b"\x01\x00", b"\x02\x00\x01", b"\x03\x02\x01aaaaaaaabbbbbbbb"] {
            assert_eq!(parse(body), None, "{body:?}");
        }
    }
}
