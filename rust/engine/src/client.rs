//! What is known about a connected client.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use hookmq_codec::Version;

use crate::listener::Listener;
use crate::message::Millis;

/// A client as CONNECT and its socket describe it.
#[derive(Clone)]
pub struct Client {
    /// The Client Identifier.
    pub id: Arc<str>,
    /// The User Name.
    pub username: Option<Arc<str>>,
    /// The Password. It is kept for the authentication of this connection only.
    pub password: Option<Bytes>,
    /// Where it connects from.
    pub address: Option<SocketAddr>,
    /// The protocol version.
    pub version: Version,
    /// Whether it is a bridge, of a HookMQ or of 3.x, which has no words for what bridges need: its subscriptions have
    /// No Local and Retain As Published. It passes on what another broker sends, which may not keep to a Receive Maximum.
    pub bridge: bool,
    /// Whether it asked for a new session.
    pub clean_start: bool,
    /// Keep Alive in seconds that is in force, 0 for none.
    pub keep_alive: u16,
    /// When it connected.
    pub connected_at: Millis,
    /// The user name somebody vouched for: a session belongs to it. Without authentication there is none.
    pub principal: Option<Arc<str>>,
    /// The whole subject of the certificate it showed.
    pub certificate: Option<Arc<str>>,
    /// The listener it came by.
    pub listener: Arc<Listener>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            id: "".into(),
            username: None,
            password: None,
            address: None,
            version: Version::default(),
            bridge: false,
            clean_start: true,
            keep_alive: 0,
            connected_at: 0,
            principal: None,
            certificate: None,
            listener: Arc::default(),
        }
    }
}

impl std::fmt::Debug for Client {
    /// Everything but the password, which must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("address", &self.address)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
