//! With what a server is started.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hookmq_engine::{Limits, Network};

use crate::bridge::settings::BridgeSettings;

/// Settings of a server. The Python package documents each of them and its default.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where MQTT is served; the first of kind [`Protocol::Mqtt`] is the one that has no name of its own.
    pub listeners: Vec<ListenerSettings>,
    /// Where pages are served; `None` serves no HTTP.
    pub http: Option<HttpSettings>,
    /// Network threads, 0 for one per core.
    pub workers: usize,
    /// The largest CONNECT, in bytes.
    pub max_connect_size: usize,
    /// Connections that have not sent CONNECT; further ones are closed.
    pub max_half_open: usize,
    /// Connections to the HTTP port, WebSockets of pages included; further ones are closed.
    pub max_http_connections: usize,
    /// How long a publisher waits for room in a queue, where publishers are held.
    pub hold_timeout: Duration,
    /// How often `$SYS` topics are published; zero for never.
    pub sys_interval: Duration,
    /// MQTT over WebSocket.
    pub websocket: WebSocketSettings,
    /// Links to other brokers.
    pub bridges: Vec<BridgeSettings>,
    /// What this broker is called in messages that leave it by a bridge: the same after a restart if it has a data
    /// directory.
    pub identity: String,
    /// The engine's bounds.
    pub limits: Limits,
    /// How long [`crate::Server::stop`] waits for connections to end.
    pub stop_grace: Duration,
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT over TCP, over TLS if it has a certificate, or over a Unix socket.
    Mqtt,
    /// MQTT over WebSocket, secure if it has a certificate.
    WebSocket,
}

/// Where a listener is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A TCP port; 0 takes one that is free.
    Tcp {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Unix {
        /// Path of the socket's file.
        path: PathBuf,
        /// Permissions of the file.
        mode: u32,
    },
}

impl Place {
    /// Another port of the same host; a Unix socket has no other.
    pub fn at(&self, port: u16) -> Self {
        match self {
            Self::Tcp { host, .. } => Self::Tcp { host: host.clone(), port },
            Self::Unix { .. } => self.clone(),
        }
    }
}

/// One MQTT listener.
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// Where it is bound.
    pub place: Place,
    /// What it speaks.
    pub protocol: Protocol,
    /// With TLS.
    pub tls: Option<TlsSettings>,
    /// What of a client's certificate becomes its user name.
    pub identity: Identity,
    /// A PROXY header must come first, from one of these networks.
    pub proxies: Option<Vec<Network>>,
    /// Who may log in.
    pub users_file: Option<PathBuf>,
    /// Who may do what.
    pub acl_file: Option<PathBuf>,
    /// Whether a client without user name gets in although nobody vouches for it.
    pub allow_anonymous: bool,
    /// How long a connection may take to send CONNECT.
    pub connect_timeout: Duration,
    /// Clients at one time.
    pub max_clients: usize,
    /// The largest packet taken, in bytes.
    pub max_packet_size: usize,
    /// CONNECTs a second; 0 for no bound.
    pub connect_rate: f64,
    /// PUBLISH packets a second of one client; 0 for no bound.
    pub message_rate: f64,
    /// Bytes a second of one client; 0 for no bound.
    pub byte_rate: f64,
}

/// The HTTP port.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The listener its WebSocket clients come by; its place and its TLS are those of the pages.
    pub listener: ListenerSettings,
    /// Further ports of the same host that serve the same.
    pub further_ports: Vec<u16>,
}

/// MQTT over WebSocket.
#[derive(Debug, Clone, Default)]
pub struct WebSocketSettings {
    /// The path at which it is served.
    pub path: String,
    /// Origins of pages that may connect, beside those of the same host; `*` for any.
    pub origins: Vec<String>,
    /// Names by which this machine, or a proxy in front of it, may be called beside addresses and `localhost`, in lower
    /// case, with a port or without; `*` for any.
    pub hosts: Vec<String>,
    /// The path under which a proxy serves the HTTP port, which it may take away or not; empty for none.
    pub base: String,
}

/// The files of TLS and how clients are checked.
#[derive(Debug, Clone, Default)]
pub struct TlsSettings {
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
    /// Certificates that sign clients' certificates; with them clients are asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client may come without a certificate.
    pub client_cert_optional: bool,
    /// Certificates that were revoked.
    pub crl: Option<PathBuf>,
    /// Whether TLS 1.2 is refused.
    pub only_1_3: bool,
    /// Further certificates, by the server name that a client asks for.
    pub sni: Vec<ServerName>,
}

/// A certificate for a server name.
#[derive(Debug, Clone)]
pub struct ServerName {
    /// The name.
    pub name: String,
    /// Certificate chain, PEM.
    pub cert: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

/// What of a client's certificate becomes its user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// Nothing: the user name is that of CONNECT.
    #[default]
    Username,
    /// The Common Name.
    CommonName,
    /// The whole subject.
    DistinguishedName,
}

/// Where a listener is bound, now that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundAddress {
    /// Its URL, with the port it has.
    pub url: String,
    /// The address; none for a Unix socket.
    pub address: Option<SocketAddr>,
}
