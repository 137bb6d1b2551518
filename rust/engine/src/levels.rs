//! What is below one level of a tree of topics, in the order of the names.

use std::collections::{BTreeMap, btree_map};
use std::ops::Bound;
use std::slice;

/// Up to this many, a sorted list is smaller than a tree: most levels have one or two below them.
const LIST: usize = 8;

/// Levels by their names.
pub(crate) enum Levels<T> {
    Few(Vec<(Box<str>, T)>),
    Many(BTreeMap<Box<str>, T>),
}

impl<T> Default for Levels<T> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

fn place<T>(list: &[(Box<str>, T)], name: &str) -> Result<usize, usize> {
    list.binary_search_by(|(other, _)| (**other).cmp(name))
}

impl<T> Levels<T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(table) => table.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        match self {
            Self::Few(list) => place(list, name).ok().map(|index| &list[index].1),
            Self::Many(table) => table.get(name),
        }
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        match self {
            Self::Few(list) => place(list, name).ok().map(|index| &mut list[index].1),
            Self::Many(table) => table.get_mut(name),
        }
    }

    /// Adds a level, or replaces it.
    pub(crate) fn insert(&mut self, name: &str, value: T) {
        match self {
            Self::Few(list) => match place(list, name) {
                Ok(index) => list[index].1 = value,
                Err(_) if list.len() == LIST => {
                    let mut table: BTreeMap<_, _> = std::mem::take(list).into_iter().collect();
                    table.insert(name.into(), value);
                    *self = Self::Many(table);
                }
                Err(index) => {
                    if list.is_empty() {
                        list.reserve_exact(1); // a vector's first would be four
                    }
                    list.insert(index, (name.into(), value));
                }
            },
            Self::Many(table) => _ = table.insert(name.into(), value),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<T> {
        match self {
            Self::Few(list) => place(list, name).ok().map(|index| list.remove(index).1),
            Self::Many(table) => {
                let removed = table.remove(name);
                if table.is_empty() {
                    *self = Self::default();
                }
                removed
            }
        }
    }

    /// All of them in order, from a name on.
    pub(crate) fn from(&self, name: &str) -> Iter<'_, T> {
        match self {
            Self::Few(list) => {
                let start = place(list, name).unwrap_or_else(|index| index);
                Iter::Few(list[start..].iter())
            }
            Self::Many(table) => Iter::Many(table.range::<str, _>((Bound::Included(name), Bound::Unbounded))),
        }
    }

    /// All of them in order.
    pub(crate) fn iter(&self) -> Iter<'_, T> {
        self.from("")
    }
}

impl<T: Default> Levels<T> {
    /// A level, made if it is not there.
    pub(crate) fn entry(&mut self, name: &str) -> &mut T {
        if self.get(name).is_none() {
            self.insert(name, T::default());
        }
        match self {
            Self::Few(list) => {
                let index = place(list, name).unwrap_or_default();
                &mut list[index].1
            }
            Self::Many(table) => table.entry(name.into()).or_default(),
        }
    }
}

/// Levels in order.
pub(crate) enum Iter<'a, T> {
    Few(slice::Iter<'a, (Box<str>, T)>),
    Many(btree_map::Range<'a, Box<str>, T>),
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a str, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(list) => list.next().map(|(name, value)| (&**name, value)),
            Self::Many(table) => table.next().map(|(name, value)| (&**name, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_as_a_plain_table(steps in prop::collection::vec((0..3u8, 0..20u8, 0..9u32), 0..200)) {
            let (mut levels, mut plain) = (Levels::default(), BTreeMap::new());
            for (kind, name, value) in steps {
                let name = format!("{:x}", u32::from(name) * 7);
                match kind {
                    0 => {
                        levels.insert(&name, value);
                        plain.insert(name.clone(), value);
                    }
                    1 => prop_assert_eq!(levels.remove(&name), plain.remove(&name)),
                    _ => {
                        *levels.entry(&name) += value;
                        *plain.entry(name.clone()).or_default() += value;
                    }
                }
                prop_assert_eq!(levels.get(&name), plain.get(&name));
                prop_assert_eq!((levels.len(), levels.is_empty()), (plain.len(), plain.is_empty()));
                let from: Vec<_> = levels.from(&name).map(|(name, value)| (name.to_owned(), *value)).collect();
                let expected: Vec<_> = plain.range(name..).map(|(name, value)| (name.clone(), *value)).collect();
                prop_assert_eq!(from, expected);
            }
        }
    }
}
