//! A store without a disk: what the store on disk has to behave like.

use std::collections::BTreeMap;

use crate::changes::{Change, Changes, Key};
use crate::{Error, Figures, Stamp, Store};

/// A store without a disk.
#[derive(Debug, Default)]
pub struct MemoryStore {
    blobs: BTreeMap<u64, (Vec<u8>, usize)>,
    values: BTreeMap<Key, (u64, Vec<u8>)>,
    last: Option<Stamp>,
    figures: Figures,
}

impl MemoryStore {
    fn release(&mut self, number: u64) {
        if let Some((_, references)) = self.blobs.get_mut(&number) {
            *references -= 1;
            if *references == 0 {
                self.blobs.remove(&number);
            }
        }
    }
}

impl Store for MemoryStore {
    fn commit(&mut self, changes: &Changes, stamp: Stamp) -> Result<(), Error> {
        for change in changes.iter() {
            match change {
                Change::Blob { number, data } => {
                    self.blobs.insert(number, (data.to_vec(), 0));
                }
                Change::Put { key, refers, value } => {
                    if let Some((_, references)) = self.blobs.get_mut(&refers) {
                        *references += 1;
                    }
                    if let Some((before, _)) = self.values.insert(key.to_owned(), (refers, value.to_vec())) {
                        self.release(before);
                    }
                }
                Change::Delete { key } => {
                    if let Some((before, _)) = self.values.remove(&key.to_owned()) {
                        self.release(before);
                    }
                }
            }
        }
        self.last = Some(stamp);
        self.figures.commits += 1;
        self.figures.records += changes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn load(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<(), Error> {
        for (number, (data, _)) in self.blobs.iter().filter(|(_, (_, references))| *references > 0) {
            each(Change::Blob { number: *number, data });
        }
        for (key, (refers, value)) in &self.values {
            each(Change::Put { key: key.as_ref(), refers: *refers, value });
        }
        Ok(())
    }

    fn tidy(&mut self, _: Stamp) -> Result<bool, Error> {
        Ok(false)
    }

    fn has_room(&mut self) -> bool {
        true
    }

    fn figures(&self) -> Figures {
        Figures { values: self.values.len() as u64, blobs: self.blobs.len() as u64, ..self.figures }
    }

    fn last(&self) -> Option<Stamp> {
        self.last
    }
}
