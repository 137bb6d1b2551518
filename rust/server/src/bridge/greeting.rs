//! From CONNECT to CONNACK, at either side of a bridge.

use hookmq_codec::{ConnAck, Connect, Packet, PropertyId, ReasonCode};

use crate::bridge::pipe::{Sink, Source};

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum NoConnection {
    /// The broker does not know this version of the protocol.
    OtherVersion,
    /// The broker closed the connection instead of answering CONNECT.
    Closed,
    /// Anything else, in words.
    Failed(String),
}

impl std::fmt::Display for NoConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OtherVersion => f.write_str("the broker does not know this version of MQTT"),
            Self::Closed => f.write_str("the broker closed the connection and did not answer CONNECT"),
            Self::Failed(text) => f.write_str(text),
        }
    }
}

impl<E: std::error::Error> From<E> for NoConnection {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Sends CONNECT and waits for a CONNACK that lets the bridge in.
pub(crate) async fn greet(
    (source, sink): (&mut Source, &mut Sink),
    connect: Connect,
) -> Result<ConnAck, NoConnection> {
    sink.wire.put(&Packet::Connect(Box::new(connect)));
    sink.write_all().await?;
    let (packet, older) = loop {
        let older = source.answers_as_older();
        if let Some(packet) = source.first()? {
            break (packet, older);
        }
        source.read().await.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => NoConnection::Closed,
            _ => error.into(),
        })?;
    };
    match packet {
        // It took the connection for one of its own version.
        Packet::ConnAck(ConnAck { reason: ReasonCode::Success, .. }) if older => {
            Err(NoConnection::OtherVersion)
        }
        Packet::ConnAck(connack) if connack.reason == ReasonCode::Success => Ok(connack),
        Packet::ConnAck(ConnAck { reason: ReasonCode::UnsupportedProtocolVersion, .. }) => {
            Err(NoConnection::OtherVersion)
        }
        Packet::ConnAck(ConnAck { reason, properties, .. }) => {
            let words = properties.text(PropertyId::ReasonString).map(|text| format!(": {text}"));
            let words = words.unwrap_or_default();
            Err(NoConnection::Failed(format!("the broker refused the connection: {}{words}", reason.text())))
        }
        _ => Err(NoConnection::Failed("the broker answered CONNECT with another packet".to_owned())),
    }
}
