//! The store on disk: a log of frames in segments. What is written last counts; what is not in force any more goes with
//! its segment, the oldest first, once what is still in force of that has been written again.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use bytes::BytesMut;

use crate::changes::{Changes, RECORD_HEADER, parse};
use crate::error::Error;
use crate::index::{Index, Place};
use crate::recovery::{self, Newest, Recovered};
use crate::report::Report;
use crate::reserve::Reserve;
use crate::segment::{self, Segment};
use crate::{Change, Figures, Stamp, Store, frame, identity};

/// What survives what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// What was committed survives the end of the process, however it ends.
    #[default]
    Os,
    /// The same, and a power loss if somebody called [`Store::sync`] since.
    Interval,
    /// Everything that was committed survives a power loss.
    Always,
}

/// How a store is kept.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What survives what.
    pub sync: Sync,
    /// From this size on a segment takes no more.
    pub segment_bytes: u64,
    /// Bytes that may be out of force before any work is done to get rid of them.
    pub slack_bytes: u64,
    /// Bytes that are set aside for when the disk is full: more than a segment, whose content may have to be moved then.
    pub reserve_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: Sync::Os, segment_bytes: 4 << 20, slack_bytes: 64 << 20, reserve_bytes: 8 << 20 }
    }
}

/// Who copies the files holds this, so that none disappears meanwhile.
const COPYING: &str = "copying.lock";
const LOCK: &str = "lock";
/// Where damaged files are kept for whoever wants to look.
const DAMAGED: &str = "damaged";

/// Bytes of a segment that are looked through at a time.
const STEP: usize = 1 << 20;
/// A frame's buffer larger than this is given back.
const KEPT: usize = 4 << 20;

/// A segment that is being emptied.
struct Cursor {
    number: u32,
    data: Vec<u8>,
    at: usize,
}

/// The store on disk.
pub struct LogStore {
    directory: PathBuf,
    /// Locked as long as the store is open.
    _lock: File,
    options: Options,
    /// Tells its files from those of another.
    id: u64,
    index: Index,
    segment: Segment,
    sequence: u64,
    last: Option<Stamp>,
    figures: Figures,
    reserve: Reserve,
    out: BytesMut,
    cursor: Option<Cursor>,
}

impl LogStore {
    /// Opens the store in a directory, which is made if it is not there. `id` tells its files from those of another
    /// if it is new. Says what was found.
    pub fn open(
        directory: &Path,
        options: Options,
        id: u64,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, Report), Error> {
        segment::make_directory(directory).map_err(Error::system(directory))?;
        let lock = lock(directory)?;
        let found = recovery::recover(directory, progress)?;
        let Recovered { index, report, sequence, last, store, newest } = found;
        keep_damaged(directory, &report)?;
        let id = store.unwrap_or(id);
        identity::keep(directory, id)?;
        let segment = match newest {
            Some(Newest { number, end, goes_on }) => {
                match (Segment::reopen(directory, number, end)?, goes_on) {
                    (segment, true) => segment,
                    (segment, false) => Segment::create(directory, segment.number + 1, id, sequence)?,
                }
            }
            None => Segment::create(directory, 1, id, sequence)?,
        };
        let mut store = Self {
            directory: directory.to_owned(),
            _lock: lock,
            options,
            id,
            index,
            segment,
            sequence,
            last,
            figures: Figures::default(),
            reserve: Reserve::new(directory, options.reserve_bytes),
            out: BytesMut::new(),
            cursor: None,
        };
        store.index.set_size(store.segment.number, store.segment.end);
        Ok((store, report))
    }

    /// The number that tells its files from those of another, which stays as long as the store does. It is a secret:
    /// who knows it could write payloads that look like records.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Reads the store in a directory and changes nothing, whether it is in use or not.
    pub fn check(directory: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, Error> {
        let _lock = copying(directory)?;
        Ok(recovery::recover(directory, progress)?.report)
    }

    /// Copies the store in a directory to another, whether it is in use or not: what was committed when this began, and
    /// perhaps some of what came since. `progress` is told of the bytes. Says how many that were.
    pub fn copy(directory: &Path, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, Error> {
        let _lock = copying(directory)?;
        fs::create_dir_all(to).map_err(Error::system(to))?;
        let numbers = segment::list(directory)?;
        let size =
            |number: &u32| fs::metadata(segment::path(directory, *number)).map_or(0, |file| file.len());
        let total: u64 = numbers.iter().map(size).sum();
        let mut done = 0;
        // The oldest first: each is whole by the time the next is looked at.
        for number in numbers {
            let (from, to) = (segment::path(directory, number), segment::path(to, number));
            done += fs::copy(&from, &to).map_err(Error::system(&from))?;
            File::open(&to).and_then(|file| file.sync_all()).map_err(Error::system(&to))?;
            progress(done, total.max(done));
        }
        segment::sync_directory(to).map_err(Error::system(to))?;
        Ok(done)
    }

    fn write(&mut self, changes: &Changes, stamp: Stamp) -> Result<(), Error> {
        if !self.segment.takes(self.options.segment_bytes) {
            self.rotate()?;
        }
        let mut out = std::mem::take(&mut self.out);
        frame::encode(changes, self.id, self.sequence, stamp, &mut out);
        let start = self.segment.end;
        let written = self.segment.append(&out, self.options.sync == Sync::Always);
        if out.capacity() <= KEPT {
            self.out = out;
        }
        written?;
        let first = start as usize + frame::HEADER;
        for (offset, body) in changes.bodies() {
            if let Some(change) = parse(body) {
                let offset = (first + offset) as u32;
                let place = Place { segment: self.segment.number, offset, bytes: body.len() as u32 };
                self.index.apply(change, place);
            }
        }
        self.index.set_size(self.segment.number, self.segment.end);
        self.sequence += changes.len() as u64;
        self.last = Some(stamp);
        self.figures.commits += 1;
        self.figures.records += changes.len() as u64;
        Ok(())
    }

    fn rotate(&mut self) -> Result<(), Error> {
        let next = Segment::create(&self.directory, self.segment.number + 1, self.id, self.sequence)?;
        if self.options.sync == Sync::Interval || self.cursor.is_some() {
            self.segment.sync()?; // later nobody would
        }
        self.segment = next;
        self.index.set_size(self.segment.number, self.segment.end);
        Ok(())
    }

    /// Whether it is time to empty the oldest segment although there is no room: if what is in force of it fits into what
    /// was set aside, and it is worth it.
    fn must_clear(&mut self, dead: u64) -> Result<bool, Error> {
        let fits = self.index.live_bytes_of_oldest() <= self.options.reserve_bytes as u64 * 3 / 4;
        let much = fits && dead > self.options.segment_bytes / 2 + self.index.live_bytes / 8;
        if much && self.index.oldest() == Some(self.segment.number) {
            self.rotate()?;
        }
        Ok(much)
    }

    /// Deletes the oldest segment. Says whether it could be.
    fn delete_oldest(&mut self) -> Result<bool, Error> {
        let Some(number) = self.index.oldest().filter(|oldest| *oldest != self.segment.number) else {
            return Ok(false);
        };
        let path = segment::path(&self.directory, number);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::System { path, source });
            }
            _ => self.index.forget_oldest(),
        }
        if self.options.sync != Sync::Os {
            // They must not come back in another order: what one deletes is in those before it.
            segment::sync_directory(&self.directory).map_err(Error::system(&self.directory))?;
        }
        Ok(true)
    }

    /// Writes what is in force of a part of the oldest segment again.
    fn step(&mut self, stamp: Stamp) -> Result<bool, Error> {
        let Some(number) = self.index.oldest().filter(|oldest| *oldest != self.segment.number) else {
            return Ok(false);
        };
        if self.cursor.as_ref().is_none_or(|cursor| cursor.number != number) {
            let path = segment::path(&self.directory, number);
            let data = fs::read(&path).map_err(Error::system(&path))?;
            self.cursor = Some(Cursor { number, data, at: segment::HEADER });
        }
        let Some((moved, at)) = self.cursor.as_ref().map(|cursor| self.still_in_force(cursor)) else {
            return Ok(false);
        };
        if !moved.is_empty() {
            self.commit(&moved, stamp)?;
        }
        if let Some(cursor) = self.cursor.as_mut().filter(|cursor| at < cursor.data.len()) {
            cursor.at = at;
            return Ok(true);
        }
        self.segment.sync()?; // before it is the only one that has it
        self.cursor = None;
        self.delete_oldest()
    }

    /// What is in force of the next part of a segment, and where the part after it begins.
    fn still_in_force(&self, cursor: &Cursor) -> (Changes, usize) {
        let Cursor { number, data, at } = cursor;
        let (mut at, until) = (*at, at + STEP);
        let mut moved = Changes::default();
        while at < data.len() && at < until {
            let Some(header) = frame::Header::parse(&data[at..], self.id) else {
                at = frame::find(data, at, self.id).unwrap_or(data.len());
                continue;
            };
            let start = at + frame::HEADER;
            let end = start.saturating_add(header.bytes).min(data.len());
            for (offset, body) in frame::records(&header, self.id, &data[start..end]).0 {
                let place =
                    Place { segment: *number, offset: (start + offset) as u32, bytes: body.len() as u32 };
                if parse(body).is_some_and(|change| self.index.has(change, place)) {
                    moved.again(body);
                }
            }
            at = end;
        }
        (moved, at)
    }
}

impl Store for LogStore {
    fn commit(&mut self, changes: &Changes, stamp: Stamp) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        match self.write(changes, stamp) {
            Err(error) if error.is_full() && self.reserve.spend() => self.write(changes, stamp),
            written => written,
        }
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.segment.sync()
    }

    fn load(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<(), Error> {
        let mut data = (0, Vec::new());
        for Place { segment, offset, bytes } in self.index.places() {
            if data.0 != segment {
                let path = segment::path(&self.directory, segment);
                data = (segment, fs::read(&path).map_err(Error::system(&path))?);
            }
            let start = offset as usize + RECORD_HEADER;
            let body = data.1.get(start..start + bytes as usize);
            body.and_then(parse).into_iter().for_each(&mut *each);
        }
        Ok(())
    }

    fn tidy(&mut self, stamp: Stamp) -> Result<bool, Error> {
        let dead = self.index.bytes.saturating_sub(self.index.live_bytes);
        let much = match self.reserve.is_there() {
            true => dead > self.options.slack_bytes + self.index.live_bytes,
            false => self.must_clear(dead)?,
        };
        if self.index.oldest() == Some(self.segment.number) || !self.index.oldest_is_dead() && !much {
            return Ok(false);
        }
        let path = self.directory.join(COPYING);
        let copying = File::options().create(true).append(true).open(&path).map_err(Error::system(&path))?;
        if copying.try_lock().is_err() {
            return Ok(false); // somebody copies the files
        }
        if self.index.oldest_is_dead() { self.delete_oldest() } else { self.step(stamp) }
    }

    fn has_room(&mut self) -> bool {
        self.reserve.is_there() || self.reserve.make()
    }

    fn figures(&self) -> Figures {
        let (values, blobs) = self.index.len();
        Figures { bytes: self.index.bytes, live_bytes: self.index.live_bytes, values, blobs, ..self.figures }
    }

    fn last(&self) -> Option<Stamp> {
        self.last
    }
}

/// As long as it is held no file disappears; `None` where none can: nobody may write there.
fn copying(directory: &Path) -> Result<Option<File>, Error> {
    fs::metadata(directory).map_err(Error::system(directory))?;
    let Ok(lock) = File::options().create(true).append(true).open(directory.join(COPYING)) else {
        return Ok(None);
    };
    lock.lock_shared().map_err(Error::system(directory))?;
    Ok(Some(lock))
}

fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join(LOCK);
    let file = File::options().create(true).append(true).open(&path).map_err(Error::system(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: directory.to_owned() }),
        Err(TryLockError::Error(source)) => Err(Error::System { path, source }),
    }
}

/// Keeps a copy of every file in which something could not be read.
fn keep_damaged(directory: &Path, report: &Report) -> Result<(), Error> {
    let to = directory.join(DAMAGED);
    for damage in &report.damages {
        fs::create_dir_all(&to).map_err(Error::system(&to))?;
        let copy = damage.path.file_name().map(|name| to.join(name));
        if let Some(copy) = copy.filter(|copy| !copy.exists()) {
            fs::copy(&damage.path, &copy).map_err(Error::system(&copy))?;
        }
    }
    Ok(())
}
