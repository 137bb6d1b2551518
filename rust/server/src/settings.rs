//! With what a server is started.

use std::time::Duration;

use hookmq_engine::Limits;

/// Settings of a server. The Python package documents each of them and its default.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Host name or address to bind.
    pub host: String,
    /// MQTT port, 0 for any that is free.
    pub port: u16,
    /// HTTP port, 0 for any that is free; `None` serves no HTTP.
    pub http_port: Option<u16>,
    /// Network threads, 0 for one per core.
    pub workers: usize,
    /// How long a connection may take to send CONNECT.
    pub connect_timeout: Duration,
    /// The largest CONNECT, in bytes.
    pub max_connect_size: usize,
    /// The engine's bounds.
    pub limits: Limits,
    /// How long [`crate::Server::stop`] waits for connections to end.
    pub stop_grace: Duration,
}
