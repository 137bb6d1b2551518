//! A set of Packet Identifiers, small for few of them and small for all.

use hashbrown::HashMap;

/// Identifiers of a page: those that differ in their last byte alone.
type Page = [u64; 4];

/// A set of Packet Identifiers. A bit for each, in pages of 256: all 65,535 take some 20 KiB. One that never had any, as
/// that of most clients, is a pointer.
#[derive(Debug, Default)]
pub(crate) struct PacketIds {
    pages: Option<Box<Pages>>,
}

#[derive(Debug, Default)]
struct Pages {
    by_first: HashMap<u8, Page>,
    count: usize,
}

impl PacketIds {
    pub(crate) fn len(&self) -> usize {
        self.pages.as_ref().map_or(0, |pages| pages.count)
    }

    pub(crate) fn contains(&self, id: u16) -> bool {
        let (page, word, bit) = place(id);
        let words = self.pages.as_ref().and_then(|pages| pages.by_first.get(&page));
        words.is_some_and(|words| words[word] & bit != 0)
    }

    /// Visits every identifier.
    pub(crate) fn each(&self, visit: &mut dyn FnMut(u16)) {
        for (page, words) in self.pages.iter().flat_map(|pages| &pages.by_first) {
            let set = |low: &u16| words[usize::from(*low) / 64] & 1 << (low % 64) != 0;
            (0..256).filter(set).for_each(|low| visit(u16::from(*page) << 8 | low));
        }
    }

    /// Adds an identifier. Says whether it was not there.
    pub(crate) fn insert(&mut self, id: u16) -> bool {
        let (page, word, bit) = place(id);
        let Pages { by_first, count } = &mut **self.pages.get_or_insert_default();
        let words = by_first.entry(page).or_default();
        let is_new = words[word] & bit == 0;
        words[word] |= bit;
        *count += usize::from(is_new);
        is_new
    }

    /// Takes an identifier away. Says whether it was there.
    pub(crate) fn remove(&mut self, id: u16) -> bool {
        let (page, word, bit) = place(id);
        let Some(Pages { by_first, count }) = self.pages.as_deref_mut() else { return false };
        let Some(words) = by_first.get_mut(&page) else { return false };
        let was_there = words[word] & bit != 0;
        words[word] &= !bit;
        *count -= usize::from(was_there);
        if *words == Page::default() {
            by_first.remove(&page);
        }
        was_there
    }
}

fn place(id: u16) -> (u8, usize, u64) {
    ((id >> 8) as u8, usize::from(id & 0xFF) / 64, 1 << (id % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_is_its_own() {
        let mut ids = PacketIds::default();
        for id in 1..=u16::MAX {
            assert!(!ids.contains(id));
            assert!(ids.insert(id));
            assert!(!ids.insert(id));
            assert_eq!(ids.len(), usize::from(id));
        }
        let mut all = Vec::new();
        ids.each(&mut |id| all.push(id));
        all.sort_unstable();
        assert!(all.into_iter().eq(1..=u16::MAX));
        for id in (1..=u16::MAX).rev() {
            assert!(ids.contains(id));
            assert!(ids.remove(id));
            assert!(!ids.remove(id));
            assert!(!ids.contains(id));
            assert_eq!(ids.len(), usize::from(id) - 1);
        }
        assert!(ids.pages.is_some_and(|pages| pages.by_first.is_empty()));
    }
}
