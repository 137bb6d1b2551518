//! Subscriptions page by page, and who gets messages of a topic.

use std::sync::Arc;

use bytestring::ByteString;
use hookmq_codec::{QoS, TopicFilter};

use crate::broker::Broker;
use crate::inspect::page::{BETWEEN, Page, contains};
use crate::router::Reached;
use crate::session::Session;
use crate::subscribers::Subscriber;
use crate::taps::TapId;

/// A subscription and whose it is.
#[derive(Debug, Clone)]
pub struct SubscriptionFigures {
    /// The Client Identifier.
    pub client_id: Arc<str>,
    /// Whether it has a connection.
    pub connected: bool,
    /// The topic filter, with its share name if it has one.
    pub filter: ByteString,
    /// The share name.
    pub shared: Option<String>,
    /// The highest QoS at which it gets messages.
    pub qos: QoS,
    /// Whether its own messages are left out.
    pub no_local: bool,
    /// The Subscription Identifier.
    pub identifier: Option<u32>,
    /// Whether it is the local end of a bridge.
    pub own: bool,
}

/// A page of subscriptions.
#[derive(Debug, Clone, Default)]
pub struct SubscriptionPage {
    /// The subscriptions.
    pub items: Vec<SubscriptionFigures>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// How many there are on all pages, if that is known without looking at all of them.
    pub total: Option<usize>,
}

/// Who gets messages of a topic.
#[derive(Debug, Clone, Default)]
pub struct Receivers {
    /// Subscriptions that match.
    pub page: SubscriptionPage,
    /// Observers.
    pub taps: Vec<TapId>,
    /// Client Identifiers of bridges' local ends.
    pub bridges: Vec<Arc<str>>,
}

type Place = (Arc<str>, ByteString);

fn parse(cursor: &str) -> Option<Place> {
    let (id, filter) = cursor.split_once(BETWEEN)?;
    Some((id.into(), filter.into()))
}

fn cursor((id, filter): &Place) -> String {
    format!("{id}{BETWEEN}{filter}")
}

fn figures(
    session: &Session,
    filter: ByteString,
    shared: Option<&str>,
    subscription: &crate::session::Subscription,
) -> SubscriptionFigures {
    SubscriptionFigures {
        client_id: Arc::clone(&session.id),
        connected: session.is_connected(),
        filter,
        shared: shared.map(str::to_owned),
        qos: subscription.options.qos,
        no_local: subscription.options.no_local,
        identifier: subscription.identifier,
        own: session.with_client(|client| client.listener.own),
    }
}

impl Broker {
    /// A page of subscriptions in the order of Client Identifiers and filters: of one client, or of all. `None` for an
    /// `after` that no page gave.
    pub fn subscriptions(
        &self,
        search: Option<&str>,
        client: Option<&str>,
        limit: usize,
        after: Option<&str>,
    ) -> Option<SubscriptionPage> {
        let limit = limit.max(1);
        let after = match after {
            Some(text) => Some(parse(text)?),
            None => None,
        };
        let part = search.map(str::to_lowercase);
        let mut items: Vec<SubscriptionFigures> = Vec::new();
        let mut stopped = false;
        let mut visit = |session: &Arc<Session>| {
            let of_client = part.as_deref().is_none_or(|part| contains(&session.id, part));
            let behind = after.as_ref().filter(|(id, _)| *id == session.id);
            let mut page =
                Page::new(limit + 1 - items.len().min(limit), behind.map(|(_, filter)| filter.clone()));
            let state = session.state.lock();
            for (filter, subscription) in &state.subscriptions {
                let matches =
                    of_client || part.as_deref().is_some_and(|part| contains(filter.as_str(), part));
                if matches
                    && page.has_place(
                        |end: &ByteString| filter.as_str().cmp(end),
                        |last| filter.as_str() > &**last,
                    )
                {
                    let text = ByteString::from(filter.as_str());
                    page.keep(text.clone(), figures(session, text, filter.share_name(), subscription));
                }
            }
            drop(state);
            items.extend(page.finish().0.into_iter().map(|(_, item)| item));
            stopped = items.len() > limit;
            !stopped
        };
        // The client that the last page ended with has perhaps more.
        let first = match (client, &after) {
            (Some(client), _) => Some(client),
            (None, Some((id, _))) => Some(&**id),
            (None, None) => None,
        };
        let begun = first.and_then(|id| self.sessions.lock().get(id).cloned());
        let goes_on = begun.as_ref().is_none_or(&mut visit);
        if goes_on && client.is_none() {
            self.each_session(first, &mut visit);
        }
        let total = match (part.is_none(), client.is_none()) {
            _ if !stopped && after.is_none() => Some(items.len()),
            (true, true) => Some(self.recent_totals().subscriptions),
            (true, false) => begun.map(|session| session.state.lock().subscriptions.len()),
            _ => None,
        };
        items.truncate(limit);
        let place = |item: &SubscriptionFigures| cursor(&(Arc::clone(&item.client_id), item.filter.clone()));
        let next = items.last().filter(|_| stopped).map(place);
        Some(SubscriptionPage { items, next, total })
    }

    /// Who gets messages of a topic name at this moment: a page of subscriptions that match, in the order of Client
    /// Identifiers and filters, and whoever else. `None` for an `after` that no page gave.
    pub fn receivers(&self, topic: &str, limit: usize, after: Option<&str>) -> Option<Receivers> {
        let after = match after {
            Some(text) => Some(parse(text)?),
            None => None,
        };
        let mut page = Page::new(limit, after);
        let mut receivers = Receivers::default();
        // Only taken while the trie is locked: what access rules say of each may take long.
        let mut reached: Vec<(Subscriber, u32)> = Vec::new();
        let mut filters: Vec<(Option<Arc<str>>, ByteString)> = Vec::new();
        self.router.reached(topic, &mut |one| match one {
            Reached::Tap(tap) => receivers.taps.push(tap.id),
            Reached::Filter { filter, shared: None } => filters.push((None, ByteString::from(filter))),
            Reached::Filter { filter, shared: Some(name) } => {
                filters.push((Some(Arc::clone(name)), format!("$share/{name}/{filter}").into()));
            }
            Reached::Subscriber(one) => reached.push((one.clone(), filters.len() as u32 - 1)),
        });
        for (Subscriber { session, subscription }, filter) in &reached {
            let Some((shared, full)) = filters.get(*filter as usize) else { continue };
            if !session.may_receive(topic) {
                continue;
            }
            if session.with_client(|client| client.listener.own) {
                receivers.bridges.push(Arc::clone(&session.id));
            }
            let order = |(id, filter): &Place| session.id.cmp(id).then_with(|| full.cmp(filter));
            if page.has_place(order, |last| order(last).is_gt()) {
                let place = (Arc::clone(&session.id), full.clone());
                page.keep(place, figures(session, full.clone(), shared.as_deref(), subscription));
            }
        }
        let (kept, next, total) = page.finish();
        let items = kept.into_iter().map(|(_, item)| item).collect();
        receivers.page = SubscriptionPage { items, next: next.as_ref().map(cursor), total: Some(total) };
        receivers.taps.sort_unstable();
        receivers.taps.dedup();
        receivers.bridges.sort_unstable();
        receivers.bridges.dedup();
        Some(receivers)
    }

    /// The topic filters of the session with a Client Identifier, if there is one.
    pub fn filters(&self, client_id: &str) -> Option<Vec<ByteString>> {
        let session = self.sessions.lock().get(client_id).cloned()?;
        let state = session.state.lock();
        Some(state.subscriptions.keys().map(|filter: &TopicFilter| filter.as_str().into()).collect())
    }
}
