//! With what a bridge is made.

use std::path::PathBuf;
use std::time::Duration;

use hookmq_codec::{QoS, Version};

use crate::bridge::topics::Topics;

/// Settings of a bridge. The Python package documents each of them and its default.
#[derive(Clone)]
pub struct BridgeSettings {
    /// Its name.
    pub name: String,
    /// Where the other broker is: the first that answers is taken, in this order.
    pub addresses: Vec<(String, u16)>,
    /// What it carries.
    pub topics: Topics,
    /// Its Client Identifier at the other broker.
    pub client_id: String,
    /// User Name at the other broker.
    pub username: Option<String>,
    /// Password at the other broker.
    pub password: Option<String>,
    /// A file with the password, which is read for each connection.
    pub password_file: Option<PathBuf>,
    /// The protocol version; an older one is taken if the other broker wants one.
    pub version: Version,
    /// Whether a 3.1.1 connection says that it is a bridge.
    pub bridge_bit: bool,
    /// Keep Alive in seconds, 0 for none.
    pub keep_alive: u16,
    /// QoS 1 and 2 messages under way to the other broker, 0 for what it says or bears.
    pub max_inflight: u16,
    /// Session Expiry Interval in seconds at the other broker, `u32::MAX` for ever.
    pub session_expiry: u32,
    /// How long a connection may take until the other broker has answered CONNECT.
    pub connect_timeout: Duration,
    /// The bounds of the time before the next connection.
    pub backoff: (Duration, Duration),
    /// A topic at the other broker that says, retained, whether the link is up.
    pub notify_topic: Option<String>,
    /// With TLS.
    pub tls: Option<ClientTls>,
    /// Whether its link comes up by itself.
    pub enabled: bool,
}

impl std::fmt::Debug for BridgeSettings {
    /// Everything that tells bridges apart, and not the password, which must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BridgeSettings")
            .field("name", &self.name)
            .field("addresses", &self.addresses)
            .field("topics", &self.topics)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// How the other broker is known, and what it is shown.
#[derive(Debug, Clone, Default)]
pub struct ClientTls {
    /// Certificates that sign the other broker's, PEM; without them those of the system.
    pub ca_file: Option<PathBuf>,
    /// Certificate chain of the bridge, PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
    /// The name that the other broker's certificate must have, if it is not that of the address.
    pub server_name: Option<String>,
    /// Whether any certificate is taken.
    pub insecure: bool,
}

/// Which way a topic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From here to the other broker.
    Out,
    /// From the other broker to here.
    In,
    /// Both ways.
    Both,
}

impl Direction {
    /// Whether it goes from here to the other broker.
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Out | Self::Both)
    }

    /// Whether it comes from the other broker.
    pub const fn is_in(self) -> bool {
        matches!(self, Self::In | Self::Both)
    }
}

/// One entry of a bridge's topics, in Mosquitto's words.
#[derive(Debug, Clone)]
pub struct TopicSettings {
    /// What both sides call the same: a topic filter, or nothing if the prefixes are whole topics.
    pub filter: String,
    /// Which way.
    pub direction: Direction,
    /// The highest QoS.
    pub qos: QoS,
    /// What stands before the filter here.
    pub local_prefix: String,
    /// What stands before the filter at the other broker.
    pub remote_prefix: String,
}
