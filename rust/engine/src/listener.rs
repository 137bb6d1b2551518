//! What the engine knows of a listener: its access rules and how many clients it has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwap;

use crate::acl::{Acl, Right, Who};
use crate::client::Client;

/// Access rules that can be replaced while they are in use.
#[derive(Debug)]
pub struct AccessRules(ArcSwap<Acl>);

impl AccessRules {
    /// These rules.
    pub fn new(acl: Acl) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(acl)))
    }

    /// Puts other rules in their place; [`crate::Broker::access_changed`] is to be called next.
    pub fn replace(&self, acl: Acl) {
        self.0.store(Arc::new(acl));
    }

    fn allow(&self, client: &Client, right: Right, topic: &str) -> bool {
        self.0.load().allows(&Who::from(client), right, topic)
    }
}

/// A listener as the clients that came by it share it.
#[derive(Debug)]
pub struct Listener {
    /// Its URL.
    pub name: Arc<str>,
    /// The rules for its clients; without any, everything is allowed.
    pub access: Option<Arc<AccessRules>>,
    /// Clients connected by it at one time.
    pub max_clients: usize,
    /// The largest packet taken from its clients, in bytes.
    pub max_packet_size: usize,
    /// Where the names of its users come from, if they are its own: the same name of another is another user.
    pub realm: Option<Arc<str>>,
    /// Whether it is this broker's own: bounds on clients and on what they keep do not hold for who comes by it.
    pub own: bool,
    pub(crate) connected: AtomicUsize,
}

impl Listener {
    /// A listener without clients.
    pub fn new(
        name: Arc<str>,
        access: Option<Arc<AccessRules>>,
        max_clients: usize,
        max_packet_size: usize,
        realm: Option<Arc<str>>,
    ) -> Arc<Self> {
        let own = false;
        Arc::new(Self {
            name,
            access,
            max_clients,
            max_packet_size,
            realm,
            own,
            connected: AtomicUsize::new(0),
        })
    }

    /// A listener by which the broker itself comes: without rules and bounds.
    pub fn own(name: Arc<str>) -> Arc<Self> {
        Arc::new(Self { name, own: true, ..Self::default() })
    }

    /// Whether a user name means the same user here and there.
    pub(crate) fn knows_the_same(&self, other: &Self) -> bool {
        match (&self.realm, &other.realm) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    /// Clients connected by it at this moment.
    pub fn connected(&self) -> usize {
        self.connected.load(Relaxed)
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self {
            name: "".into(),
            access: None,
            max_clients: usize::MAX,
            max_packet_size: usize::MAX,
            realm: None,
            own: false,
            connected: AtomicUsize::new(0),
        }
    }
}

impl Client {
    /// Whether the rules of its listener let it do this with a topic.
    pub fn may(&self, right: Right, topic: &str) -> bool {
        self.listener.access.as_ref().is_none_or(|access| access.allow(self, right, topic))
    }
}
