//! Client identifiers that came back too often: two programs that take one identifier from each other, or one
//! that crashes and reconnects in a loop, cost more than a thousand that behave.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::client::Client;
use crate::limits::Limits;
use crate::message::Millis;

/// The time over which ends are counted.
const WINDOW: Millis = 10_000;

/// Clients that are remembered; beyond it those are forgotten that are not held.
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
    records: HashMap<Name, Record>,
}

/// Who it is about: a Client Identifier in the hands of a user, or of an address where nobody is known. Whoever
/// takes somebody else's identifier too often is held himself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    client_id: Arc<str>,
    user: Option<Arc<str>>,
    address: Option<IpAddr>,
}

impl Name {
    fn of(client: &Client) -> Self {
        let address = match client.principal {
            Some(_) => None,
            None => client.address.map(|address| address.ip()),
        };
        Self { client_id: Arc::clone(&client.id), user: client.principal.clone(), address }
    }
}

impl Jail {
    /// A connection ended without DISCONNECT.
    pub(crate) fn note(&mut self, client: &Client, now: Millis, limits: &Limits) {
        if limits.max_reconnects == 0 {
            return;
        }
        if self.records.len() >= REMEMBERED {
            self.records.retain(|_, record| record.until > now); // those that are held, if need be no others
        }
        let record = self.records.entry(Name::of(client)).or_insert(Record { since: now, ends: 0, until: 0 });
        if record.since + WINDOW <= now {
            (record.since, record.ends) = (now, 0);
        }
        record.ends += 1;
        if record.ends >= limits.max_reconnects {
            *record = Record { since: now, ends: 0, until: now + limits.jail_time };
        }
    }

    /// Whether a client is refused at this time.
    pub(crate) fn holds(&self, client: &Client, now: Millis) -> bool {
        !self.records.is_empty()
            && self.records.get(&Name::of(client)).is_some_and(|record| record.until > now)
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

    fn client(id: &str, user: &str) -> Client {
        Client { id: id.into(), principal: Some(user.into()), ..Client::default() }
    }

    #[test]
    fn an_identifier_that_comes_back_too_often_is_held_for_a_while() {
        let limits = Limits { max_reconnects: 3, jail_time: 30_000, ..Limits::default() };
        let mut jail = Jail::default();
        let (a, b) = (client("a", "x"), client("b", "x"));
        for now in [0, 1] {
            jail.note(&a, now, &limits);
            assert!(!jail.holds(&a, now));
        }
        jail.note(&a, 2, &limits);
        assert!(jail.holds(&a, 2) && jail.holds(&a, 30_001) && !jail.holds(&a, 30_002));
        assert!(!jail.holds(&b, 2));
        assert!(!jail.holds(&client("a", "y"), 2), "another user with the same identifier");
        jail.sweep(30_002);
        assert!(jail.records.is_empty());
    }

    #[test]
    fn few_ends_at_a_time_are_nothing_unusual() {
        let limits = Limits { max_reconnects: 3, ..Limits::default() };
        let mut jail = Jail::default();
        let a = client("a", "x");
        for turn in 0..100 {
            jail.note(&a, turn * 6_000, &limits);
            assert!(!jail.holds(&a, turn * 6_000));
        }
    }
}
