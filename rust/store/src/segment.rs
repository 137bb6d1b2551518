//! One file of the log.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::{BufMut, BytesMut};

use crate::error::Error;

/// The format that is written. All before it are read as well:
/// - 1: that a QoS 2 identifier was received has no value
/// - 2: it may have one; a broker that knows nothing of it would take a message for kept that was not
pub(crate) const FORMAT: u32 = 2;

/// The first one.
const OLDEST: u32 = 1;

/// Bytes before the first frame.
pub(crate) const HEADER: usize = 40;

const MAGIC: &[u8; 8] = b"HookMQ\r\n";
const SUFFIX: &str = "log";

/// What the start of a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) format: u32,
    /// Of which store it is.
    pub(crate) store: u64,
    /// The number of its first record.
    pub(crate) sequence: u64,
}

impl Header {
    pub(crate) fn parse(bytes: &[u8], number: u32) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let small = |at: usize| bytes[at..at + 4].try_into().map_or(0, u32::from_le_bytes);
        let whole = &bytes[..8] == MAGIC && small(8) == crc32fast::hash(&bytes[12..]);
        let number_at = |at: usize| bytes[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let header = Self { format: small(12), store: number_at(20), sequence: number_at(28) };
        (whole && small(16) == number && header.format >= OLDEST).then_some(header)
    }

    fn encode(self, number: u32) -> BytesMut {
        let mut out = BytesMut::with_capacity(HEADER);
        out.put_slice(MAGIC);
        out.put_u32_le(0);
        out.put_u32_le(self.format);
        out.put_u32_le(number);
        out.put_u64_le(self.store);
        out.put_u64_le(self.sequence);
        out.put_u32_le(0);
        let sum = crc32fast::hash(&out[12..]);
        out[8..12].copy_from_slice(&sum.to_le_bytes());
        out
    }
}

/// The file of a segment.
pub(crate) fn path(directory: &Path, number: u32) -> PathBuf {
    directory.join(format!("{number:08}.{SUFFIX}"))
}

/// The segments in a directory, the oldest first.
pub(crate) fn list(directory: &Path) -> Result<Vec<u32>, Error> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::system(directory))? {
        let path = entry.map_err(Error::system(directory))?.path();
        let named = path.extension().is_some_and(|suffix| suffix == SUFFIX);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let number = stem.and_then(|stem| stem.parse::<u32>().ok());
        numbers.extend(number.filter(|_| named));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The segment that is written to.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    file: File,
    /// Where the next frame goes.
    pub(crate) end: u64,
    /// Something is behind the end that could not be cut off, so nothing is to be written there.
    broken: bool,
}

impl Segment {
    /// A new one.
    pub(crate) fn create(directory: &Path, number: u32, store: u64, sequence: u64) -> Result<Self, Error> {
        let path = path(directory, number);
        let header = Header { format: FORMAT, store, sequence }.encode(number);
        let made = File::options().read(true).write(true).create_new(true).open(&path);
        let made = made.and_then(|file| file.write_all_at(&header, 0).map(|()| file));
        let synced = made.and_then(|file| sync_directory(directory).map(|()| file));
        match synced {
            Ok(file) => Ok(Self { number, path, file, end: HEADER as u64, broken: false }),
            Err(source) => {
                let _ = fs::remove_file(&path); // half of one helps nobody
                Err(Error::System { path, source })
            }
        }
    }

    /// One that was written before, up to its end; what is behind that is cut off.
    pub(crate) fn reopen(directory: &Path, number: u32, end: u64) -> Result<Self, Error> {
        let path = path(directory, number);
        let opened = File::options().read(true).write(true).open(&path);
        let file = opened.and_then(|file| {
            if file.metadata()?.len() != end {
                file.set_len(end)?;
            }
            Ok(file)
        });
        let file = file.map_err(Error::system(&path))?;
        Ok(Self { number, path, file, end, broken: false })
    }

    /// Whether something can be written behind its end.
    pub(crate) fn takes(&self, most: u64) -> bool {
        !self.broken && self.end < most
    }

    /// Writes at the end, or nothing at all.
    pub(crate) fn append(&mut self, bytes: &[u8], sync: bool) -> Result<(), Error> {
        let written = self.file.write_all_at(bytes, self.end);
        let written = written.and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if let Err(source) = written {
            self.broken = self.file.set_len(self.end).is_err();
            // After a failed sync nobody knows what is on the disk, whatever is written later.
            self.broken |= sync;
            return Err(Error::System { path: self.path.clone(), source });
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::system(&self.path))
    }
}

/// Makes a directory, so that it survives a power loss.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if directory.exists() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_directory(parent)?;
    }
    fs::create_dir(directory).or_else(|error| if directory.is_dir() { Ok(()) } else { Err(error) })?;
    sync_directory(parent.unwrap_or(Path::new(".")))
}

/// Makes names in a directory survive a power loss.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
