//! How many clients are connected from each address and with each user name.

use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashMap;
use hookmq_codec::ReasonCode;

use crate::batch::Batch;
use crate::client::Client;
use crate::connection::Close;

/// Counts of the clients that are connected.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    by_address: HashMap<IpAddr, usize>,
    by_user: HashMap<Arc<str>, usize>,
}

fn ip(client: &Client) -> Option<IpAddr> {
    client.address.map(|address| address.ip().to_canonical())
}

impl Presence {
    pub(crate) fn add(&mut self, client: &Client) {
        if let Some(address) = ip(client) {
            *self.by_address.entry(address).or_default() += 1;
        }
        if let Some(user) = &client.username {
            *self.by_user.entry(Arc::clone(user)).or_default() += 1;
        }
    }

    pub(crate) fn remove(&mut self, client: &Client) {
        if let Some(address) = ip(client) {
            release(&mut self.by_address, &address);
        }
        if let Some(user) = &client.username {
            release(&mut self.by_user, user);
        }
    }

    /// Whether another client may come from this one's address and with its user name. `replaced` is the
    /// client whose connection it takes over.
    pub(crate) fn check(
        &self,
        client: &Client,
        replaced: Option<&Client>,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        let limits = &batch.limits;
        let there = ip(client).and_then(|address| self.by_address.get(&address)).copied().unwrap_or(0);
        let same = replaced.is_some_and(|other| ip(other) == ip(client));
        if there - usize::from(same && there > 0) >= limits.max_clients_per_address {
            batch.counts.limit_max_clients_per_address += 1;
            return Err(Close::new(ReasonCode::QuotaExceeded, "too many clients connect from this address"));
        }
        let there = client.username.as_ref().and_then(|user| self.by_user.get(user)).copied().unwrap_or(0);
        let same = replaced.is_some_and(|other| other.username == client.username);
        if there - usize::from(same && there > 0) >= limits.max_clients_per_user {
            batch.counts.limit_max_clients_per_user += 1;
            return Err(Close::new(
                ReasonCode::QuotaExceeded,
                "too many clients connect with this user name",
            ));
        }
        Ok(())
    }
}

fn release<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
