//! One page of a long list, found without sorting or keeping the list.

use std::cmp::Ordering;

/// The smallest of what is offered, as many as a page has.
pub(crate) struct Page<K, T> {
    limit: usize,
    /// What this is behind is on earlier pages.
    after: Option<K>,
    kept: Vec<(K, T)>,
    /// Nothing above the limit has a place any more.
    bound: Option<K>,
    matched: usize,
}

impl<K: Ord + Clone, T> Page<K, T> {
    pub(crate) fn new(limit: usize, after: Option<K>) -> Self {
        Self { limit: limit.max(1), after, kept: Vec::new(), bound: None, matched: 0 }
    }

    /// Offers something that is in the list.
    pub(crate) fn offer(&mut self, key: K, item: impl FnOnce() -> T) {
        if self.has_place(|after| key.cmp(after), |last| key > *last) {
            self.keep(key, item());
        }
    }

    /// Offers something that is in the list, told by how it stands to the end of the page before, and whether it is behind
    /// what would be the last of this one. Most have no place: whose key would have to be copied asks before, and calls
    /// [`Page::keep`] if there is one.
    pub(crate) fn has_place(
        &mut self,
        order: impl FnOnce(&K) -> Ordering,
        is_behind: impl FnOnce(&K) -> bool,
    ) -> bool {
        self.matched += 1;
        !self.bound.as_ref().is_some_and(is_behind)
            && self.after.as_ref().is_none_or(|end| order(end).is_gt())
    }

    /// Takes what has a place.
    pub(crate) fn keep(&mut self, key: K, item: T) {
        self.kept.push((key, item));
        // One more than a page tells that there is another; twice as many make the cutting cheap.
        if self.kept.len() >= 2 * (self.limit + 1) {
            let (_, last, _) = self.kept.select_nth_unstable_by(self.limit, |one, other| one.0.cmp(&other.0));
            self.bound = Some(last.0.clone());
            self.kept.truncate(self.limit + 1);
        }
    }

    /// The page in order, what is to be given as `after` for the next one, and how many are in the list.
    pub(crate) fn finish(mut self) -> (Vec<(K, T)>, Option<K>, usize) {
        self.kept.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        // What moves while the list is looked through may be met twice.
        self.kept.dedup_by(|one, other| one.0 == other.0);
        let more = self.kept.len() > self.limit;
        self.kept.truncate(self.limit);
        let next = self.kept.last().filter(|_| more).map(|(key, _)| key.clone());
        (self.kept, next, self.matched)
    }
}

/// Texts that come from packets do not have it, so it stands between two of them.
pub(crate) const BETWEEN: char = '\0';

/// Whether a text has a part in it, whatever the case. The part is in lower case.
pub(crate) fn contains(text: &str, part: &str) -> bool {
    if !(text.is_ascii() && part.is_ascii()) {
        return text.to_lowercase().contains(part);
    }
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let Some(first) = part.first() else { return true };
    // Most places are ruled out by their first byte.
    let begins = |window: &&[u8]| window[0].to_ascii_lowercase() == *first;
    text.windows(part.len()).filter(begins).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pages_one_after_the_other_are_the_sorted_list(
            mut all in prop::collection::hash_set(0..1000u32, 0..300).prop_map(Vec::from_iter),
            limit in 1..40usize,
        ) {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let mut page = Page::new(limit, after);
                all.iter().for_each(|number| page.offer(*number, || *number));
                let (items, next, matched) = page.finish();
                prop_assert!(items.len() <= limit);
                prop_assert_eq!(matched, all.len());
                found.extend(items.into_iter().map(|(_, item)| item));
                after = next;
                if after.is_none() {
                    break;
                }
            }
            all.sort_unstable();
            prop_assert_eq!(found, all);
        }
    }

    #[test]
    fn what_is_met_twice_is_told_once() {
        let mut page = Page::new(4, None);
        [3, 1, 2, 1, 3].into_iter().for_each(|number| page.offer(number, || number));
        assert_eq!(page.finish().0, [(1, 1), (2, 2), (3, 3)]);
    }

    #[test]
    fn a_part_is_found_whatever_the_case() {
        assert!(contains("Tank/Émile", "émi") && contains("TANK", "an") && contains("x", ""));
        assert!(!contains("tank", "tanks") && !contains("", "a"));
    }
}
