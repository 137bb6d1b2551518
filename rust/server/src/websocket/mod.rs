//! MQTT over WebSocket.
//!
//! - [`handshake`]: from an HTTP request to a WebSocket
//! - [`frames`]: from a client's bytes to what its frames carry; [`stream`]: that as a stream of bytes
//! - [`metered`]: how much a connection may send before its CONNECT was taken

pub(crate) mod frames;
pub(crate) mod handshake;
pub(crate) mod metered;
pub(crate) mod stream;

pub(crate) use metered::{Allowance, Metered};
pub(crate) use stream::WebSocketStream;

/// What the handshake may agree on, the usual first. [MQTT-6.0.0-3] [MQTT-6.0.0-4]
pub(crate) const PROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
