//! Clients page by page, and one of them closely.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytestring::ByteString;
use hookmq_codec::{ReasonCode, SubscriptionOptions, Version};
use memchr::memmem::Finder;

use crate::batch::Batch;
use crate::broker::{Broker, Sessions};
use crate::client::Client;
use crate::inspect::page::{BETWEEN, Page};
use crate::listener::Listener;
use crate::message::Millis;
use crate::session::{Session, State};

/// So many sessions are taken from the registry at a time, or looked at with it locked: connects wait for no more than that.
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
        other.of(self.number, &self.id)
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Rank {
    /// How another place stands to this one.
    fn of(&self, number: u64, id: &str) -> Ordering {
        self.of_number(number).then_with(|| self.turned(id.cmp(&self.id)))
    }

    fn of_number(&self, number: u64) -> Ordering {
        self.turned(number.cmp(&self.number))
    }

    fn turned(&self, order: Ordering) -> Ordering {
        if self.descending { order.reverse() } else { order }
    }
}

impl Sort {
    /// What cursors of this order begin with: one of another order says nothing here.
    fn letter(self, descending: bool) -> char {
        let letter = match self {
            Self::ClientId => 'i',
            Self::ConnectedAt => 'c',
            Self::Received => 'r',
            Self::Sent => 's',
            Self::Queued => 'q',
        };
        if descending { letter.to_ascii_uppercase() } else { letter }
    }
}

impl ClientQuery {
    fn place(&self, cursor: &str) -> Option<Rank> {
        let (number, id) = cursor.strip_prefix(self.sort.letter(self.descending))?.split_once('/')?;
        Some(Rank { number: number.parse().ok()?, id: id.into(), descending: self.descending })
    }

    fn cursor(&self, number: u64, id: &str) -> String {
        format!("{}{number}/{id}", self.sort.letter(self.descending))
    }

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
    fn takes(&self, session: &Session, search: Option<&Finder<'_>>, text: &mut String) -> bool {
        if self.connected.is_some_and(|connected| connected != session.is_connected())
            || search.is_some_and(|search| !session.with_search_text(|text| search.find(text).is_some()))
        {
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
        })
    }
}

/// What a client is searched by: its Client Identifier, User Name and address in lower case. None of them has the character
/// that is between them.
pub(crate) fn search_text(client: &Client) -> String {
    let mut text = client.id.to_lowercase();
    text.push(BETWEEN);
    text.push_str(&client.username.as_deref().unwrap_or_default().to_lowercase());
    text.push(BETWEEN);
    text.push_str(write_address(client, &mut String::new()));
    text
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

/// The next few sessions of the registry in the order of their Client Identifiers, or against it.
fn step<'a>(
    sessions: &'a Sessions,
    behind: Option<&str>,
    back: bool,
) -> Box<dyn Iterator<Item = &'a Arc<Session>> + 'a> {
    let bound = behind.map_or(Bound::Unbounded, Bound::Excluded);
    match back {
        false => Box::new(sessions.range::<str, _>((bound, Bound::Unbounded)).map(|(_, one)| one).take(STEP)),
        true => {
            Box::new(sessions.range::<str, _>((Bound::Unbounded, bound)).rev().map(|(_, one)| one).take(STEP))
        }
    }
}

impl Broker {
    /// Visits sessions in the order of their Client Identifiers, from behind one on, until `visit` says that it is
    /// enough. The registry is free meanwhile.
    pub(crate) fn each_session(&self, behind: Option<&str>, visit: impl FnMut(&Arc<Session>) -> bool) {
        self.walk_sessions(behind, false, visit);
    }

    /// The same; `back` is against the order.
    fn walk_sessions(&self, behind: Option<&str>, back: bool, mut visit: impl FnMut(&Arc<Session>) -> bool) {
        let mut behind: Option<Arc<str>> = behind.map(Into::into);
        let mut taken: Vec<Arc<Session>> = Vec::with_capacity(STEP);
        loop {
            taken.extend(step(&self.sessions.lock(), behind.as_deref(), back).cloned());
            if !taken.iter().all(&mut visit) || taken.len() < STEP {
                return;
            }
            behind = taken.last().map(|session| Arc::clone(&session.id));
            taken.clear();
        }
    }

    /// Visits all sessions with the registry locked, for looks that take no lock and less time than a hold on the session
    /// does.
    fn glance_at_sessions(&self, back: bool, mut visit: impl FnMut(&Arc<Session>)) {
        let mut behind: Option<Arc<str>> = None;
        loop {
            let sessions = self.sessions.lock();
            let taken: Vec<&Arc<Session>> = step(&sessions, behind.as_deref(), back).collect();
            // Fetched from memory side by side: locks, which looks take, would have each wait for the one before. That
            // is half of the time.
            std::hint::black_box(taken.iter().map(|session| session.glance()).sum::<u64>());
            taken.iter().for_each(|session| visit(session));
            if taken.len() < STEP {
                return;
            }
            behind = taken.last().map(|session| Arc::clone(&session.id));
        }
    }

    /// A page of clients, those connected and those whose session is kept. `None` for an `after` that no page gave.
    pub fn clients(&self, query: &ClientQuery, limit: usize, after: Option<&str>) -> Option<ClientPage> {
        let descending = query.descending;
        let after = match after {
            Some(cursor) => Some(query.place(cursor)?),
            None => None,
        };
        if query.sort == Sort::ClientId && !query.is_narrow() {
            return Some(self.all_clients(query, limit.max(1), after.as_ref().map(|rank| &*rank.id)));
        }
        let part = query.search.as_deref().map(str::to_lowercase);
        let search = part.as_deref().map(Finder::new);
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
                // They come in the order of their identifiers: behind those that are kept, if all else is the same.
                let behind = |rank: &Rank| rank.of_number(number).is_ge();
                if page.has_place(|rank| rank.of(number, &session.id), behind) {
                    let rank = Rank { number, id: Arc::clone(&session.id), descending };
                    page.keep(rank, Arc::clone(session));
                }
            }
        };
        match &query.ids {
            None if query.sort == Sort::Queued => self.walk_sessions(None, descending, |session| {
                offer(session);
                true
            }),
            None => self.glance_at_sessions(descending, offer),
            Some(ids) => {
                let mut ids: Vec<_> = ids.iter().collect();
                ids.sort_unstable();
                ids.dedup();
                if descending {
                    ids.reverse();
                }
                for id in ids {
                    let session = self.sessions.lock().get(&**id).cloned();
                    session.iter().for_each(&mut offer);
                }
            }
        }
        let (kept, next, total) = page.finish();
        let items = kept.iter().map(|(_, session)| session.figures()).collect();
        Some(ClientPage { items, next: next.map(|rank| query.cursor(rank.number, &rank.id)), total })
    }

    fn all_clients(&self, query: &ClientQuery, limit: usize, after: Option<&str>) -> ClientPage {
        let mut sessions = Vec::with_capacity(limit.min(STEP));
        self.walk_sessions(after, query.descending, |session| {
            sessions.push(Arc::clone(session));
            sessions.len() <= limit
        });
        let more = sessions.len() > limit;
        sessions.truncate(limit);
        let next = sessions.last().filter(|_| more).map(|session| query.cursor(0, &session.id));
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

    #[test]
    fn a_cursor_of_another_order_is_none() {
        let sorts = [Sort::ClientId, Sort::ConnectedAt, Sort::Received, Sort::Sent, Sort::Queued];
        let queries: Vec<_> = sorts
            .into_iter()
            .flat_map(|sort| [false, true].map(|descending| (sort, descending)))
            .map(|(sort, descending)| ClientQuery { sort, descending, ..ClientQuery::default() })
            .collect();
        for query in &queries {
            let cursor = query.cursor(7, "a/b");
            for other in &queries {
                let same = (query.sort, query.descending) == (other.sort, other.descending);
                let place = other.place(&cursor);
                assert_eq!(place.is_some(), same, "{query:?} {other:?}");
                assert!(place.is_none_or(|rank| (rank.number, &*rank.id) == (7, "a/b")));
            }
        }
    }

    #[test]
    fn a_client_is_searched_by_its_identifier_its_user_and_its_address() {
        let client = |id: &str| Client {
            id: id.into(),
            username: Some("Émile".into()),
            address: Some(([192, 168, 7, 42], 1883).into()),
            ..Client::default()
        };
        let session = Session::new(Arc::new(client("Pump-1")), 1);
        let finds = |part: &str| session.with_search_text(|text| Finder::new(part).find(text).is_some());
        for part in ["pump-1", "ump", "émile", "168.7.42"] {
            assert!(finds(part), "{part}");
        }
        assert!(!finds("pump-2") && !finds("1émile"), "none spans two of them");
        session.identify(&Arc::new(client("PUMP-2")));
        assert!(finds("pump-2") && !finds("pump-1"), "it is of the client that came last");
    }

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
