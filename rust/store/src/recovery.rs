//! Finding again where everything is, whatever has happened to the files.
//!
//! Nothing is changed here: `hookmq store check` does only this.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Stamp;
use crate::changes::parse;
use crate::error::Error;
use crate::index::{Index, Place};
use crate::report::{Damage, Report};
use crate::segment::{self, FORMAT, HEADER, Header};
use crate::{frame, identity};

/// Told of bytes that were read, and of how many there are.
pub(crate) type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Recovered {
    pub(crate) index: Index,
    pub(crate) report: Report,
    /// Of the next record.
    pub(crate) sequence: u64,
    pub(crate) last: Option<Stamp>,
    /// Of which store the files are.
    pub(crate) store: Option<u64>,
    /// The newest segment.
    pub(crate) newest: Option<Newest>,
}

/// The newest segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Newest {
    pub(crate) number: u32,
    /// Where what is good of it ends.
    pub(crate) end: u64,
    /// Whether it can be gone on with: its start is as it was written, and of the format that is written today.
    pub(crate) goes_on: bool,
}

/// A frame of which something could not be read. If it turns out to be the last one it does not count.
struct Held {
    path: PathBuf,
    /// Where it begins.
    offset: u64,
    bytes: u64,
    lost: u64,
    records: Vec<(Place, Vec<u8>)>,
}

/// Bytes that are no frame.
struct Garbage {
    path: PathBuf,
    offset: u64,
    bytes: u64,
}

/// Reads every file.
pub(crate) fn recover(directory: &Path, progress: Progress<'_>) -> Result<Recovered, Error> {
    let numbers = segment::list(directory)?;
    let size = |number: &u32| fs::metadata(segment::path(directory, *number)).map_or(0, |file| file.len());
    let total: u64 = numbers.iter().map(size).sum();
    let id = identity::find(directory, &numbers)?;
    let mut reader = Reader { id: id.unwrap_or_default(), ..Reader::default() };
    reader.found.store = id;
    let mut done = 0;
    for number in numbers {
        let path = segment::path(directory, number);
        let data = fs::read(&path).map_err(Error::system(&path))?;
        reader.segment(&path, number, &data)?;
        done += data.len() as u64;
        progress(done, total);
    }
    Ok(reader.end())
}

#[derive(Default)]
struct Reader {
    id: u64,
    found: Recovered,
    held: Option<Held>,
    garbage: Option<Garbage>,
    any: bool,
}

impl Reader {
    fn segment(&mut self, path: &Path, number: u32, data: &[u8]) -> Result<(), Error> {
        let header = Header::parse(data, number);
        if let Some(Header { format, store, sequence }) = header {
            if format > FORMAT {
                return Err(Error::Newer { path: path.to_owned(), found: format, known: FORMAT });
            }
            if self.id != store {
                return Err(Error::Foreign { path: path.to_owned() });
            }
            let oldest = &mut self.found.report.format;
            *oldest = if *oldest == 0 { format } else { format.min(*oldest) };
            if !std::mem::replace(&mut self.any, true) {
                self.found.sequence = sequence; // what came before is no longer in force
            }
        } else if data.len() >= HEADER {
            let damage = Damage { path: path.to_owned(), offset: 0, bytes: HEADER as u64, records: 0 };
            self.found.report.damages.push(damage);
        }
        self.found.report.segments += 1;
        self.found.report.bytes += data.len() as u64;
        self.found.index.set_size(number, data.len() as u64);
        let goes_on = header.is_some_and(|header| header.format == FORMAT);
        self.found.newest = Some(Newest { number, end: HEADER.min(data.len()) as u64, goes_on });
        let mut at = HEADER.min(data.len());
        while at < data.len() {
            let Some(frame) = frame::Header::parse(&data[at..], self.id) else {
                let next = frame::find(data, at, self.id).unwrap_or(data.len());
                self.garbage(path, at, next - at);
                at = next;
                continue;
            };
            let start = at + frame::HEADER;
            let end = start.saturating_add(frame.bytes).min(data.len());
            let (records, lost) = frame::records(&frame, self.id, &data[start..end]);
            let lost = if start + frame.bytes > data.len() { lost.max(1) } else { lost };
            // A length that was damaged reaches into what follows.
            let next = if lost > 0 { frame::find(data, start, self.id).unwrap_or(end).min(end) } else { end };
            self.frame(path, at, &frame);
            let place = |offset: usize, body: &[u8]| Place {
                segment: number,
                offset: (start + offset) as u32,
                bytes: body.len() as u32,
            };
            if lost > 0 {
                let records = records.iter().map(|(offset, body)| (place(*offset, body), body.to_vec()));
                self.held = Some(Held {
                    path: path.to_owned(),
                    offset: at as u64,
                    bytes: (end - at) as u64,
                    lost,
                    records: records.collect(),
                });
            } else {
                for (offset, body) in &records {
                    self.apply(place(*offset, body), body);
                }
                self.counts(&frame, number, end);
            }
            at = next;
        }
        Ok(())
    }

    /// A frame begins: what came before it is not the end.
    fn frame(&mut self, path: &Path, at: usize, frame: &frame::Header) {
        if let Some(Held { path, offset, bytes, lost, records }) = self.held.take() {
            records.iter().for_each(|(place, body)| self.apply(*place, body));
            self.found.report.frames += 1;
            self.found.report.damages.push(Damage { path, offset, bytes, records: lost });
        }
        let garbage = self.garbage.take();
        let missing = frame.sequence.saturating_sub(self.found.sequence);
        if self.any && missing > 0 {
            let there = garbage.unwrap_or(Garbage { path: path.to_owned(), offset: at as u64, bytes: 0 });
            let Garbage { path, offset, bytes } = there;
            self.found.report.damages.push(Damage { path, offset, bytes, records: missing });
        }
        self.any = true;
        let next = frame.sequence.saturating_add(frame.records.into());
        self.found.sequence = self.found.sequence.max(next);
    }

    fn counts(&mut self, frame: &frame::Header, number: u32, end: usize) {
        self.found.report.frames += 1;
        self.found.last = Some(frame.stamp);
        if let Some(newest) = self.found.newest.as_mut().filter(|newest| newest.number == number) {
            newest.end = end as u64;
        }
    }

    fn apply(&mut self, place: Place, body: &[u8]) {
        self.found.report.records += 1;
        if let Some(change) = parse(body) {
            self.found.index.apply(change, place);
        }
    }

    fn garbage(&mut self, path: &Path, offset: usize, bytes: usize) {
        let (offset, bytes) = (offset as u64, bytes as u64);
        match &mut self.garbage {
            Some(garbage) => garbage.bytes += bytes,
            none => *none = Some(Garbage { path: path.to_owned(), offset, bytes }),
        }
    }

    /// Nothing follows: what was not whole was not finished.
    fn end(mut self) -> Recovered {
        let held = self.held.map_or(0, |held| held.bytes);
        self.found.report.torn = held + self.garbage.map_or(0, |garbage| garbage.bytes);
        self.found.report.orphans = self.found.index.settle();
        self.found
    }
}
