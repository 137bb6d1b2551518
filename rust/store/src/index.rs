//! Where the newest version of everything is, and how much of each segment is in force.

use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::changes::{Change, Key, RECORD_HEADER};

/// Where a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Bytes of its body.
    pub(crate) bytes: u32,
}

#[derive(Debug, Default)]
struct Blob {
    /// `None` if only who refers to it is known so far.
    place: Option<Place>,
    references: u32,
}

#[derive(Debug)]
struct Value {
    place: Place,
    refers: u64,
}

/// How much of a segment is in force.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    bytes: u64,
    /// Records in force.
    live: u64,
    /// Bytes of them.
    live_bytes: u64,
}

/// Where everything is.
#[derive(Debug, Default)]
pub(crate) struct Index {
    blobs: HashMap<u64, Blob>,
    values: HashMap<Key, Value>,
    /// Of every segment from the first on.
    usage: VecDeque<Usage>,
    first: u32,
    pub(crate) bytes: u64,
    pub(crate) live_bytes: u64,
}

impl Index {
    /// How many values and blobs there are.
    pub(crate) fn len(&self) -> (u64, u64) {
        (self.values.len() as u64, self.blobs.len() as u64)
    }

    /// The oldest segment, if there is any.
    pub(crate) fn oldest(&self) -> Option<u32> {
        (!self.usage.is_empty()).then_some(self.first)
    }

    /// Whether nothing of the oldest segment is in force.
    pub(crate) fn oldest_is_dead(&self) -> bool {
        self.usage.front().is_some_and(|usage| usage.live == 0)
    }

    /// How many bytes of the oldest segment are in force.
    pub(crate) fn live_bytes_of_oldest(&self) -> u64 {
        self.usage.front().map_or(0, |usage| usage.live_bytes)
    }

    /// A segment is so large.
    pub(crate) fn set_size(&mut self, segment: u32, bytes: u64) {
        if self.usage.is_empty() {
            self.first = segment;
        }
        let at = (segment - self.first) as usize;
        if self.usage.len() <= at {
            self.usage.resize(at + 1, Usage::default());
        }
        let usage = &mut self.usage[at];
        self.bytes = self.bytes + bytes - usage.bytes;
        usage.bytes = bytes;
    }

    /// The oldest segment is gone.
    pub(crate) fn forget_oldest(&mut self) {
        if let Some(usage) = self.usage.pop_front() {
            self.first += 1;
            self.bytes -= usage.bytes;
        }
    }

    /// A record was written.
    pub(crate) fn apply(&mut self, change: Change<'_>, place: Place) {
        match change {
            Change::Blob { number, .. } => {
                let blob = self.blobs.entry(number).or_default();
                let before = blob.place.replace(place);
                self.bury(before);
                self.live(place, 1);
            }
            Change::Put { key, refers, .. } => {
                if refers != 0 {
                    self.blobs.entry(refers).or_default().references += 1;
                }
                let before = self.values.insert(key.to_owned(), Value { place, refers });
                self.live(place, 1);
                self.release(before);
            }
            Change::Delete { key } => {
                let before = self.values.remove(&key.to_owned());
                self.release(before);
            }
        }
    }

    /// Whether a record at this place is in force.
    pub(crate) fn has(&self, change: Change<'_>, place: Place) -> bool {
        match change {
            Change::Blob { number, .. } => {
                self.blobs.get(&number).is_some_and(|blob| blob.place == Some(place))
            }
            Change::Put { key, .. } => {
                self.values.get(&key.to_owned()).is_some_and(|value| value.place == place)
            }
            Change::Delete { .. } => false,
        }
    }

    /// Gives up what nobody refers to, and values whose blob is not there; how many those were.
    pub(crate) fn settle(&mut self) -> u64 {
        let orphan = |value: &Value| {
            value.refers != 0 && self.blobs.get(&value.refers).is_none_or(|blob| blob.place.is_none())
        };
        let orphans: Vec<_> =
            self.values.iter().filter(|(_, value)| orphan(value)).map(|(key, _)| key.clone()).collect();
        for key in &orphans {
            let before = self.values.remove(key);
            self.release(before);
        }
        let unused: Vec<_> = self.blobs.extract_if(|_, blob| blob.references == 0).collect();
        unused.into_iter().for_each(|(_, blob)| self.bury(blob.place));
        orphans.len() as u64
    }

    /// Where everything is that is in force, in the order of the files.
    pub(crate) fn places(&self) -> Vec<Place> {
        let blobs = self.blobs.values().filter(|blob| blob.references > 0).filter_map(|blob| blob.place);
        let mut places: Vec<_> = blobs.chain(self.values.values().map(|value| value.place)).collect();
        places.sort_unstable();
        places
    }

    fn release(&mut self, value: Option<Value>) {
        let Some(Value { place, refers }) = value else { return };
        self.bury(Some(place));
        if let Some(blob) = self.blobs.get_mut(&refers) {
            blob.references -= 1;
            if blob.references == 0 {
                let place = blob.place;
                self.blobs.remove(&refers);
                self.bury(place);
            }
        }
    }

    fn bury(&mut self, place: Option<Place>) {
        if let Some(place) = place {
            self.live(place, -1);
        }
    }

    fn live(&mut self, place: Place, records: i64) {
        let bytes = records * (RECORD_HEADER as i64 + i64::from(place.bytes));
        self.live_bytes = self.live_bytes.wrapping_add_signed(bytes);
        let at = place.segment.checked_sub(self.first);
        if let Some(usage) = at.and_then(|at| self.usage.get_mut(at as usize)) {
            usage.live = usage.live.wrapping_add_signed(records);
            usage.live_bytes = usage.live_bytes.wrapping_add_signed(bytes);
        }
    }
}
