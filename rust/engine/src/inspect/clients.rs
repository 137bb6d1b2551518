//! Clients page by page, and one of them closely.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytestring::ByteString;
use hookmq_codec::{ReasonCode, SubscriptionOptions, Version};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::client::Client;
use crate::inspect::page::{Page, contains};
use crate::listener::Listener;
use crate::message::Millis;
use crate::session::{Session, State};

/// So many sessions are looked at with the registry locked: connects wait for no more than that.
const STEP: usize = 256;

/// The order of a list of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// By Client Identifier.
    #[default]
    ClientId,
    /// By the time of the last connect.
    ConnectedAt,
    /// By messages received from them.
    Received,
    /// By messages sent to them.
    Sent,
    /// By messages that wait for them.
    Queued,
}

/// Which clients, and in which order.
#[derive(Debug, Clone, Default)]
pub struct ClientQuery {
    /// Part of the Client Identifier, the User Name or the address.
    pub search: Option<String>,
    /// Whether they have a connection.
    pub connected: Option<bool>,
    /// Their User Name.
    pub username: Option<String>,
    /// Their address, or the beginning of it.
    pub address: Option<String>,
    /// Their protocol version.
    pub version: Option<Version>,
    /// The listeners they came by.
    pub listeners: Option<Vec<Arc<Listener>>>,
    /// Only these.
    pub ids: Option<Vec<String>>,
    /// The order.
    pub sort: Sort,
    /// The other way round.
    pub descending: bool,
}

/// What is told of a client and its session.
#[derive(Debug, Clone)]
pub struct ClientFigures {
    /// As it connected last.
    pub client: Arc<Client>,
    /// Whether it has a connection.
    pub connected: bool,
    /// When its last connection ended, if it has none.
    pub disconnected_at: Option<Millis>,
    /// When its session ends.
    pub expires_at: Option<Millis>,
    /// How many subscriptions it has.
    pub subscriptions: usize,
    /// Messages that wait for it.
    pub queued: usize,
    /// Bytes of them.
    pub queued_bytes: usize,
    /// QoS 1 and 2 messages under way to it.
    pub inflight: usize,
    /// Messages received from it since the start.
    pub received: u64,
    /// Messages sent to it since the start.
    pub sent: u64,
}

/// A subscription of a client.
#[derive(Debug, Clone)]
pub struct FilterFigures {
    /// The topic filter, with its share name if it has one.
    pub filter: ByteString,
    /// The share name.
    pub shared: Option<String>,
    /// Its options.
    pub options: SubscriptionOptions,
    /// The Subscription Identifier.
    pub identifier: Option<u32>,
}

/// A Will that has not been published.
#[derive(Debug, Clone)]
pub struct WillFigures {
    /// The message.
    pub will: hookmq_codec::Will,
    /// The Will Delay Interval in seconds.
    pub delay: u32,
}

/// A client closely.
#[derive(Debug, Clone)]
pub struct ClientDetail {
    /// What every list says.
    pub figures: ClientFigures,
    /// Its subscriptions in the order of their filters.
    pub filters: Vec<FilterFigures>,
    /// Its Will.
    pub will: Option<WillFigures>,
}

/// A page of clients.
#[derive(Debug, Clone, Default)]
pub struct ClientPage {
    /// The clients.
    pub items: Vec<ClientFigures>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: usize,
}

/// A place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rank {
    number: u64,
    id: Arc<str>,
    descending: bool,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.number.cmp(&other.number).then_with(|| self.id.cmp(&other.id));
        if self.descending { order.reverse() } else { order }
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Rank {
    fn parse(cursor: &str, descending: bool) -> Option<Self> {
        let (number, id) = cursor.split_once('/')?;
        Some(Self { number: number.parse().ok()?, id: id.into(), descending })
    }

    fn cursor(&self) -> String {
        format!("{}/{}", self.number, self.id)
    }
}

impl ClientQuery {
    /// Whether it has to look at each client.
    fn is_narrow(&self) -> bool {
        let Self { search, connected, username, address, version, listeners, ids, .. } = self;
        search.is_some()
            || connected.is_some()
            || username.is_some()
            || address.is_some()
            || version.is_some()
            || listeners.is_some()
            || ids.is_some()
    }

    /// Whether a client is one of these. `text` is memory for its address.
    fn takes(&self, session: &Session, search: Option<&Search>, text: &mut String) -> bool {
        if self.connected.is_some_and(|connected| connected != session.is_connected()) {
            return false;
        }
        session.with_client(|client| {
            let Self { username, address, version, listeners, .. } = self;
            let came_by = |one: &Arc<Listener>| Arc::ptr_eq(one, &client.listener);
            let same = |wanted: &Option<String>, is: Option<&str>| {
                wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
            };
            same(username, client.username.as_deref())
                && version.is_none_or(|version| version == client.version)
                && listeners.as_ref().is_none_or(|listeners| listeners.iter().any(came_by))
                && address.as_deref().is_none_or(|start| write_address(client, text).starts_with(start))
                && search.is_none_or(|search| search.finds(&session.id, client, text))
        })
    }
}

struct Search {
    part: String,
    /// Whether it can be a part of an address of IPv4, or of IPv6: most texts can be of neither, and need none written.
    v4: bool,
    v6: bool,
}

impl Search {
    fn new(text: &str) -> Self {
        let v4 = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let v6 = text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'));
        Self { part: text.to_lowercase(), v4, v6 }
    }

    fn finds(&self, id: &str, client: &Client, text: &mut String) -> bool {
        contains(id, &self.part)
            || client.username.as_deref().is_some_and(|name| contains(name, &self.part))
            || match client.address {
                Some(SocketAddr::V4(_)) => self.v4,
                _ => self.v6,
            } && contains(write_address(client, text), &self.part)
    }
}

fn write_address<'a>(client: &Client, text: &'a mut String) -> &'a str {
    text.clear();
    let ip: Option<IpAddr> = client.address.map(|address| address.ip().to_canonical());
    match ip {
        // By hand, because the library's way takes longer than all the rest of looking at a client.
        Some(IpAddr::V4(ip)) => {
            for octet in ip.octets() {
                if octet >= 100 {
                    text.push(digit(octet / 100));
                }
                if octet >= 10 {
                    text.push(digit(octet / 10 % 10));
                }
                text.push(digit(octet % 10));
                text.push('.');
            }
            text.pop();
        }
        Some(ip) => _ = write!(text, "{ip}"), // a String takes everything
        None => {}
    }
    text
}

fn digit(number: u8) -> char {
    char::from(b'0' + number)
}

impl Broker {
    /// Visits sessions in the order of their Client Identifiers, from behind one on, until `visit` says that it is
    /// enough. The registry is locked for a few at a time.
    pub(crate) fn each_session(&self, behind: Option<&str>, mut visit: impl FnMut(&Arc<Session>) -> bool) {
        let mut behind: Option<Arc<str>> = behind.map(Into::into);
        loop {
            let sessions = self.sessions.lock();
            let start = behind.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let mut last = None;
            for (index, session) in sessions.range::<str, _>((start, Bound::Unbounded)).enumerate() {
                if !visit(session.1) {
                    return;
                }
                if index + 1 == STEP {
                    last = Some(Arc::clone(session.0));
                    break;
                }
            }
            match last {
                None => return,
                last => behind = last,
            }
        }
    }

    /// A page of clients, those connected and those whose session is kept. `None` for an `after` that no page gave.
    pub fn clients(&self, query: &ClientQuery, limit: usize, after: Option<&str>) -> Option<ClientPage> {
        let descending = query.descending;
        let after = match after {
            Some(cursor) => Some(Rank::parse(cursor, descending)?),
            None => None,
        };
        if query.sort == Sort::ClientId && !descending && !query.is_narrow() {
            return Some(self.all_clients(limit.max(1), after.as_ref().map(|rank| &*rank.id)));
        }
        let search = query.search.as_deref().map(Search::new);
        let mut page = Page::new(limit, after);
        let mut text = String::new();
        let mut offer = |session: &Arc<Session>| {
            if query.takes(session, search.as_ref(), &mut text) {
                let number = match query.sort {
                    Sort::ClientId => 0,
                    Sort::ConnectedAt => session.with_client(|client| client.connected_at),
                    Sort::Received => session.received.load(Relaxed),
                    Sort::Sent => session.sent.load(Relaxed),
                    Sort::Queued => session.state.lock().queue.len() as u64,
                };
                let rank = Rank { number, id: Arc::clone(&session.id), descending };
                page.offer(rank, || Arc::clone(session));
            }
            true
        };
        match &query.ids {
            None => self.each_session(None, offer),
            Some(ids) => {
                let mut ids: Vec<_> = ids.iter().collect();
                ids.sort_unstable();
                ids.dedup();
                for id in ids {
                    let session = self.sessions.lock().get(&**id).cloned();
                    session.iter().for_each(|session| _ = offer(session));
                }
            }
        }
        let (kept, next, total) = page.finish();
        let items = kept.iter().map(|(_, session)| session.figures()).collect();
        Some(ClientPage { items, next: next.map(|rank| rank.cursor()), total })
    }

    fn all_clients(&self, limit: usize, after: Option<&str>) -> ClientPage {
        let mut sessions = Vec::with_capacity(limit.min(STEP));
        self.each_session(after, |session| {
            sessions.push(Arc::clone(session));
            sessions.len() <= limit
        });
        let more = sessions.len() > limit;
        sessions.truncate(limit);
        let rank = |id: &Arc<str>| Rank { number: 0, id: Arc::clone(id), descending: false };
        let next = sessions.last().filter(|_| more).map(|session| rank(&session.id).cursor());
        let items = sessions.iter().map(|session| session.figures()).collect();
        ClientPage { items, next, total: self.sessions.lock().len() }
    }

    /// A client closely, if it has a session.
    pub fn client_detail(&self, client_id: &str) -> Option<ClientDetail> {
        let session = self.sessions.lock().get(client_id).cloned()?;
        let figures = session.figures();
        let state = session.state.lock();
        let filter = |(filter, subscription): (&hookmq_codec::TopicFilter, &crate::session::Subscription)| {
            FilterFigures {
                filter: filter.as_str().into(),
                shared: filter.share_name().map(str::to_owned),
                options: subscription.options,
                identifier: subscription.identifier,
            }
        };
        let mut filters: Vec<_> = state.subscriptions.iter().map(filter).collect();
        let will = state.will.as_ref().map(|will| WillFigures { will: will.will.clone(), delay: will.delay });
        drop(state);
        filters.sort_unstable_by(|one, other| one.filter.cmp(&other.filter));
        Some(ClientDetail { figures, filters, will })
    }

    /// Ends a session with all it keeps, and its connection if it has one. Its Will is published: whatever ends a session
    /// does that. [MQTT-3.1.2-8] Says whether there was one.
    pub fn end_session_of(&self, client_id: &str, batch: &mut Batch) -> bool {
        let _together = self.together();
        let mut sessions = self.sessions.lock();
        let Some(session) = sessions.get(client_id).cloned() else { return false };
        let link = session.detach(&mut session.state.lock(), batch);
        if let Some(link) = link {
            let reason = ReasonCode::AdministrativeAction;
            link.close(reason);
            self.client_left(&link.client, reason, "its session was ended", batch);
        }
        let will = self.end_session(&mut sessions, &session, batch);
        drop(sessions);
        will.into_iter().for_each(|will| self.publish_will(will, batch));
        true
    }
}

impl Session {
    fn figures(&self) -> ClientFigures {
        let client = self.client();
        let State { subscriptions, queue, inflight, ends_at, left_at, link, .. } = &*self.state.lock();
        ClientFigures {
            client,
            connected: link.is_some(),
            disconnected_at: left_at.filter(|_| link.is_none()),
            expires_at: ends_at.filter(|_| link.is_none()),
            subscriptions: subscriptions.len(),
            queued: queue.len(),
            queued_bytes: queue.bytes() + queue.replayed_bytes(),
            inflight: inflight.len(),
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn addresses_are_written_as_the_library_does(octets: [u8; 4], wide: [u16; 8], v6: bool) {
            let ip = if v6 { IpAddr::from(wide) } else { IpAddr::from(octets) };
            let client = Client { address: Some((ip, 1883).into()), ..Client::default() };
            let mut text = "before".to_owned();
            prop_assert_eq!(write_address(&client, &mut text), ip.to_canonical().to_string());
        }
    }
}
