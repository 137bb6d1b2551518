//! Who must not connect: by Client Identifier, by user name or by address, for a while or for ever.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use hashbrown::HashMap;
use hookmq_codec::wire::Reader;
use hookmq_codec::{DecodeError, ReasonCode};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::client::Client;
use crate::connection::Close;
use crate::kept;
use crate::message::Millis;

/// By what somebody is banned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BannedBy {
    /// A Client Identifier.
    Client = 0,
    /// A user name.
    User = 1,
    /// An IP address.
    Address = 2,
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// By what.
    pub by: BannedBy,
    /// Which one.
    pub value: Arc<str>,
    /// Until when; `None` for ever.
    pub until: Option<Millis>,
    /// Why, for whoever looks at the list.
    pub reason: Arc<str>,
}

impl Ban {
    fn holds(&self, now: Millis) -> bool {
        self.until.is_none_or(|until| until > now)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        kept::put_time(out, self.until);
        out.put_slice(self.reason.as_bytes());
    }

    pub(crate) fn decode(by: u64, value: &str, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes::Bytes::copy_from_slice(bytes));
        let by = match by {
            0 => BannedBy::Client,
            1 => BannedBy::User,
            2 => BannedBy::Address,
            _ => return Err(kept::UNKNOWN),
        };
        let until = kept::time(&mut reader)?;
        let reason = kept::utf8(&reader.rest())?;
        Ok(Self { by, value: value.into(), until, reason })
    }
}

/// All bans.
#[derive(Debug, Default)]
pub(crate) struct Bans(HashMap<(BannedBy, Arc<str>), Ban>);

impl Bans {
    pub(crate) fn add(&mut self, ban: Ban) {
        self.0.insert((ban.by, Arc::clone(&ban.value)), ban);
    }

    fn hold(&self, client: &Client, now: Millis) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let held = |by, value: &str| self.0.get(&(by, value.into())).is_some_and(|ban| ban.holds(now));
        // Whom somebody vouched for is who it is; a name that was only claimed counts as well.
        let user = client.principal.as_ref().or(client.username.as_ref());
        held(BannedBy::Client, &client.id)
            || user.is_some_and(|user| held(BannedBy::User, user))
            || client
                .address
                .is_some_and(|address| held(BannedBy::Address, &address.ip().to_canonical().to_string()))
    }
}

impl Broker {
    /// Bans somebody, and ends the connections that are there.
    pub fn ban(&self, ban: Ban, batch: &mut Batch) {
        let now = batch.now;
        {
            let bans = &mut *self.bans.write();
            batch.keep(|changes| {
                changes.put(kept::ban(ban.by as u64, &ban.value), 0, |out| ban.encode(out));
            });
            bans.add(ban);
        }
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        let bans = self.bans.read();
        for session in sessions {
            if let Some(link) = &session.state.lock().link
                && bans.hold(&link.client, now)
            {
                link.close(ReasonCode::AdministrativeAction);
            }
        }
    }

    /// Lets somebody in again. Says whether there was such a ban.
    pub fn unban(&self, by: BannedBy, value: &str, batch: &mut Batch) -> bool {
        let removed = self.bans.write().0.remove(&(by, value.into()));
        if removed.is_some() {
            batch.keep(|changes| changes.delete(kept::ban(by as u64, value)));
        }
        removed.is_some()
    }

    /// Every ban that holds.
    pub fn bans(&self, now: Millis) -> Vec<Ban> {
        self.bans.read().0.values().filter(|ban| ban.holds(now)).cloned().collect()
    }

    /// Refuses who is banned.
    pub fn check_ban(&self, client: &Client, now: Millis) -> Result<(), Close> {
        match self.bans.read().hold(client, now) {
            true => Err(Close::new(ReasonCode::Banned, "it is banned")),
            false => Ok(()),
        }
    }

    /// Forgets bans that are over.
    pub(crate) fn lift_bans(&self, batch: &mut Batch) {
        let now = batch.now;
        if self.bans.read().0.values().all(|ban| ban.holds(now)) {
            return;
        }
        let over: Vec<_> = self.bans.write().0.extract_if(|_, ban| !ban.holds(now)).collect();
        batch.keep(|changes| {
            over.iter().for_each(|((by, value), _)| changes.delete(kept::ban(*by as u64, value)));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (by, until) in [(BannedBy::Client, None), (BannedBy::User, Some(7)), (BannedBy::Address, Some(0))]
        {
            let ban = Ban { by, value: "::1".into(), until, reason: "floods".into() };
            let mut out = BytesMut::new();
            ban.encode(&mut out);
            assert_eq!(Ban::decode(by as u64, "::1", &out).unwrap(), ban);
            assert!(
                Ban::decode(3, "::1", &out).is_err() && Ban::decode(by as u64, "::1", &out[..7]).is_err()
            );
        }
    }

    #[test]
    fn an_address_is_one_however_it_is_written() {
        let mut bans = Bans::default();
        bans.add(Ban { by: BannedBy::Address, value: "127.0.0.1".into(), until: Some(5), reason: "".into() });
        let client = |address: &str| Client { address: Some(address.parse().unwrap()), ..Client::default() };
        assert!(bans.hold(&client("127.0.0.1:1"), 4) && bans.hold(&client("[::ffff:127.0.0.1]:1"), 4));
        assert!(!bans.hold(&client("127.0.0.1:1"), 5) && !bans.hold(&client("127.0.0.2:1"), 4));
    }
}
