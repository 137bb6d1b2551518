//! What is remembered for each group, with a bound: who publishes to many topics must not fill the memory.

use hashbrown::HashMap;

/// Entries by key. When there are as many as may be, one goes that was not used for a while: a hand goes round, spares
/// what was used since it came by last, and takes the first that was not.
#[derive(Debug)]
pub(crate) struct Keyed<T> {
    places: HashMap<Box<str>, usize>,
    entries: Vec<(Box<str>, T, bool)>,
    most: usize,
    hand: usize,
    /// How many had to go.
    pub(crate) evicted: u64,
}

impl<T> Keyed<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { places: HashMap::new(), entries: Vec::new(), most: most.max(1), hand: 0, evicted: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry of a key, made if there is none.
    pub(crate) fn entry(&mut self, key: &str, make: impl FnOnce() -> T) -> &mut T {
        let place = match self.places.get(key) {
            Some(place) => {
                self.entries[*place].2 = true;
                *place
            }
            None => self.put(key, make()),
        };
        &mut self.entries[place].1
    }

    fn put(&mut self, key: &str, entry: T) -> usize {
        let place = if self.entries.len() < self.most {
            self.entries.push((key.into(), entry, false));
            self.entries.len() - 1
        } else {
            while std::mem::take(&mut self.entries[self.hand].2) {
                self.hand = (self.hand + 1) % self.entries.len();
            }
            let place = self.hand;
            self.hand = (self.hand + 1) % self.entries.len();
            let (old, ..) = std::mem::replace(&mut self.entries[place], (key.into(), entry, false));
            self.places.remove(&old);
            self.evicted += 1;
            place
        };
        self.places.insert(key.into(), place);
        place
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, entry, _)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_there_are_never_more() {
        let mut keyed = Keyed::new(3);
        for round in 0..100 {
            *keyed.entry("often", || 0) += 1;
            keyed.entry(&format!("once {round}"), || 0);
            assert!(keyed.len() <= 3);
        }
        assert_eq!(*keyed.entry("often", || 0), 100);
        assert_eq!(keyed.evicted, 98);
        let mut one = Keyed::new(1);
        one.entry("a", || 1);
        assert_eq!(*one.entry("b", || 2), 2);
        assert_eq!(one.iter_mut().count(), 1);
    }
}
