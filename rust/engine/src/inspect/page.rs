//! One page of a long list, found without sorting or keeping the list.

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
        self.matched += 1;
        let before = self.after.as_ref().is_some_and(|after| key <= *after);
        if before || self.bound.as_ref().is_some_and(|bound| key > *bound) {
            return;
        }
        self.kept.push((key, item()));
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
        let more = self.kept.len() > self.limit;
        self.kept.truncate(self.limit);
        let next = self.kept.last().filter(|_| more).map(|(key, _)| key.clone());
        (self.kept, next, self.matched)
    }
}

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
    fn a_part_is_found_whatever_the_case() {
        assert!(contains("Tank/Émile", "émi") && contains("TANK", "an") && contains("x", ""));
        assert!(!contains("tank", "tanks") && !contains("", "a"));
    }
}
