//! Where a message is in the store.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use bytes::BytesMut;
use hookmq_store::Changes;

/// Which blob of the store a message is, and how many values refer to it. The store gives a blob up with its last
/// reference, so it is written again if another comes later.
///
/// Both change only while changes are noted, which is one thread at a time: then their order is that of the log.
#[derive(Debug, Default)]
pub struct Blob {
    number: AtomicU64,
    references: AtomicU32,
}

impl Blob {
    /// That of a message that was found in the store, with so many references.
    pub(crate) fn found(number: u64, references: u32) -> Self {
        Self { number: AtomicU64::new(number), references: AtomicU32::new(references) }
    }

    /// One more value refers to it: the number of the blob, which is `fresh` if it has to be written.
    pub(crate) fn refer(&self, changes: &mut Changes, fresh: u64, write: impl FnOnce(&mut BytesMut)) -> u64 {
        if self.references.fetch_add(1, Relaxed) == 0 {
            self.number.store(fresh, Relaxed);
            changes.blob(fresh, write);
        }
        self.number.load(Relaxed)
    }

    /// The blob, while a value refers to it.
    pub(crate) fn number(&self) -> u64 {
        self.number.load(Relaxed)
    }

    /// One value less refers to it.
    pub(crate) fn release(&self) {
        self.references.fetch_sub(1, Relaxed);
    }
}

impl Clone for Blob {
    /// A copy of a message is another message.
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_once_as_long_as_somebody_refers_to_it() {
        let (blob, mut changes) = (Blob::default(), Changes::default());
        let mut refer = |fresh| (blob.refer(&mut changes, fresh, |_| ()), changes.len());
        assert_eq!((refer(7), refer(8), refer(9)), ((7, 1), (7, 1), (7, 1)));
        blob.release();
        blob.release();
        assert_eq!(refer(10), (7, 1));
        blob.release();
        blob.release();
        assert_eq!(refer(11), (11, 2), "nobody did, so the store has given it up");
    }
}
