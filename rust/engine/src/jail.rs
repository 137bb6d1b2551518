//! Client identifiers that came back too often: two programs that take one identifier from each other, or one
//! that crashes and reconnects in a loop, cost more than a thousand that behave.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::limits::Limits;
use crate::message::Millis;

/// The time over which ends are counted.
const WINDOW: Millis = 10_000;

/// Client Identifiers that are remembered; beyond it the oldest are forgotten with the next tick.
const REMEMBERED: usize = 100_000;

#[derive(Debug, Clone, Copy)]
struct Record {
    since: Millis,
    ends: u32,
    /// Until when it is refused.
    until: Millis,
}

/// How often connections of each Client Identifier ended without DISCONNECT lately.
#[derive(Debug, Default)]
pub(crate) struct Jail {
    records: HashMap<Arc<str>, Record>,
}

impl Jail {
    /// A connection ended without DISCONNECT.
    pub(crate) fn note(&mut self, client_id: &Arc<str>, now: Millis, limits: &Limits) {
        if limits.max_reconnects == 0
            || self.records.len() >= REMEMBERED && !self.records.contains_key(client_id)
        {
            return;
        }
        let record =
            self.records.entry(Arc::clone(client_id)).or_insert(Record { since: now, ends: 0, until: 0 });
        if record.since + WINDOW <= now {
            (record.since, record.ends) = (now, 0);
        }
        record.ends += 1;
        if record.ends >= limits.max_reconnects {
            *record = Record { since: now, ends: 0, until: now + limits.jail_time };
        }
    }

    /// Whether a Client Identifier is refused at this time.
    pub(crate) fn holds(&self, client_id: &str, now: Millis) -> bool {
        self.records.get(client_id).is_some_and(|record| record.until > now)
    }

    /// Forgets what is over.
    pub(crate) fn sweep(&mut self, now: Millis) {
        self.records.retain(|_, record| record.until > now || record.since + WINDOW > now);
        if self.records.is_empty() {
            self.records = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_that_comes_back_too_often_is_held_for_a_while() {
        let limits = Limits { max_reconnects: 3, jail_time: 30_000, ..Limits::default() };
        let mut jail = Jail::default();
        let id: Arc<str> = "a".into();
        for now in [0, 1] {
            jail.note(&id, now, &limits);
            assert!(!jail.holds("a", now));
        }
        jail.note(&id, 2, &limits);
        assert!(jail.holds("a", 2) && jail.holds("a", 30_001) && !jail.holds("a", 30_002));
        assert!(!jail.holds("b", 2));
        jail.sweep(30_002);
        assert!(jail.records.is_empty());
    }

    #[test]
    fn few_ends_at_a_time_are_nothing_unusual() {
        let limits = Limits { max_reconnects: 3, ..Limits::default() };
        let mut jail = Jail::default();
        let id: Arc<str> = "a".into();
        for turn in 0..100 {
            jail.note(&id, turn * 6_000, &limits);
            assert!(!jail.holds("a", turn * 6_000));
        }
    }
}
