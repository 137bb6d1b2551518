//! The way to the other broker, until it has let the bridge in.

use std::time::Duration;

use bytes::Bytes;
use hookmq_codec::{
    Ack, Connect, Disconnect, Packet, Properties, PropertyId, Publish, QoS, ReasonCode, Version, Will,
};
use hookmq_engine::Limits;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bridge::greeting::{self, NoConnection};
use crate::bridge::pipe::{self, Duplex, Sink, Source};
use crate::bridge::settings::BridgeSettings;
use crate::bridge::{tls, trail};
use crate::server::Context;

/// The largest packet that MQTT has. Before 5.0 a broker cannot be told of less, and what it sends cannot be refused:
/// it would come again for ever.
const LARGEST: usize = 256 << 20;

/// Messages under way to a broker of 3.1.1, which cannot say how many it takes: Mosquitto, unless it is told otherwise,
/// closes the connection of a client with more of QoS 2.
const UNSAID_INFLIGHT: u16 = 20;

/// How the bridge speaks to the other broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) version: Version,
    /// Whether it says that it is a bridge.
    pub(crate) bridge_bit: bool,
}

impl Dialect {
    /// What the settings wish for.
    pub(crate) fn of(settings: &BridgeSettings) -> Self {
        let version = settings.version;
        Self { version, bridge_bit: settings.bridge_bit && !version.is_v5() }
    }

    /// What to try when the other broker does not know this one.
    pub(crate) fn older(self, settings: &BridgeSettings) -> Option<Self> {
        match self {
            Self { version: Version::V5, .. } => {
                Some(Self { version: Version::V311, bridge_bit: settings.bridge_bit })
            }
            Self { bridge_bit: true, .. } => Some(Self { bridge_bit: false, ..self }),
            _ => None,
        }
    }

    /// Whether the other broker does not send back what came from the bridge.
    pub(crate) fn has_no_local(self) -> bool {
        self.version.is_v5() || self.bridge_bit
    }
}

/// What the other broker takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// QoS 1 and 2 messages under way to it.
    pub(crate) receive_maximum: u16,
    /// The largest packet, in bytes.
    pub(crate) max_packet_size: usize,
    pub(crate) max_qos: QoS,
    /// Whether it keeps retained messages.
    pub(crate) retains: bool,
    /// Keep Alive in seconds, 0 for none.
    pub(crate) keep_alive: u16,
}

impl Default for Terms {
    /// Those of a broker that asks for nothing.
    fn default() -> Self {
        Self::of(&Properties::new(), Version::V5, 0)
    }
}

impl Terms {
    fn of(properties: &Properties, version: Version, keep_alive: u16) -> Self {
        let number = |id| properties.number(id);
        let unsaid = if version.is_v5() { u16::MAX } else { UNSAID_INFLIGHT };
        Self {
            receive_maximum: number(PropertyId::ReceiveMaximum).map_or(unsaid, |most| most as u16),
            max_packet_size: number(PropertyId::MaximumPacketSize).map_or(usize::MAX, |most| most as usize),
            max_qos: match number(PropertyId::MaximumQoS) {
                Some(0) => QoS::AtMostOnce,
                Some(_) => QoS::AtLeastOnce,
                None => QoS::ExactlyOnce,
            },
            retains: number(PropertyId::RetainAvailable) != Some(0),
            keep_alive: number(PropertyId::ServerKeepAlive).map_or(keep_alive, |seconds| seconds as u16),
        }
    }
}

/// A connection that the other broker has let in.
pub(crate) struct Remote {
    pub(crate) source: Source,
    pub(crate) sink: Sink,
    pub(crate) terms: Terms,
    /// Whether it kept the bridge's session.
    pub(crate) session_present: bool,
}

/// Connects to the other broker.
pub(crate) async fn connect(
    settings: &BridgeSettings,
    (host, port): &(String, u16),
    dialect: Dialect,
    context: &Context,
) -> Result<Remote, NoConnection> {
    let connecting = async {
        let tls = settings.tls.as_ref().map(tls::read).transpose()?;
        let password = password(settings)?;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Duplex> = match tls {
            Some(tls) => Box::new(tls.connect(host, stream).await?),
            None => Box::new(stream),
        };
        let largest = largest_here(settings, &context.settings.limits, &context.settings.identity);
        let largest = if dialect.version.is_v5() { largest } else { LARGEST };
        let (mut source, mut sink) = pipe::open(stream, dialect.version, largest);
        let mut packet =
            packet(settings, password, dialect, (context.settings.limits.receive_maximum, largest));
        if dialect.version.is_v5() {
            trail::declare(&mut packet.properties, &context.settings.identity);
        }
        let connack = greeting::greet((&mut source, &mut sink), packet).await?;
        let mut terms = Terms::of(&connack.properties, dialect.version, settings.keep_alive);
        if settings.max_inflight > 0 {
            terms.receive_maximum = match dialect.version {
                Version::V5 => terms.receive_maximum.min(settings.max_inflight),
                _ => settings.max_inflight,
            };
        }
        if let Some(topic) = &settings.notify_topic {
            sink.wire.put(&notification(topic, terms, true));
        }
        Ok(Remote { source, sink, terms, session_present: connack.session_present })
    };
    timeout(settings.connect_timeout, connecting).await.unwrap_or_else(|_| {
        let seconds = settings.connect_timeout.as_secs_f64();
        Err(NoConnection::Failed(format!("the broker did not answer in {seconds} seconds")))
    })
}

/// The largest packet that may come: what this broker takes, less what that gets longer by on its way in.
fn largest_here(settings: &BridgeSettings, limits: &Limits, identity: &str) -> usize {
    let growth = 2 * settings.topics.growth().1 + trail::growth(identity);
    limits.max_packet_size.saturating_sub(growth).clamp(1, LARGEST)
}

/// Releases every Packet Identifier that a session which is lost here may have left behind there: a new message with one
/// of them would be taken for a repetition. Takes the connection with it; what comes meanwhile is not acknowledged, and
/// comes again.
pub(crate) async fn release(remote: Remote, last: u16, patience: Duration) -> Result<(), NoConnection> {
    let Remote { mut source, mut sink, .. } = remote;
    let releasing = async {
        for id in 1..=last {
            sink.wire.put(&Packet::PubRel(Ack::new(id, ReasonCode::Success)));
        }
        sink.write_all().await?;
        let mut released = 0;
        while released < last {
            match source.next()? {
                Some(Packet::PubComp(_)) => released += 1,
                Some(_) => {}
                None => source.read().await?,
            }
        }
        sink.wire.put(&Packet::Disconnect(Disconnect::new(ReasonCode::Success)));
        sink.close().await?;
        Ok(())
    };
    timeout(patience, releasing)
        .await
        .unwrap_or_else(|_| Err(NoConnection::Failed("the broker did not answer PUBREL".to_owned())))
}

/// A message that says whether the link is up.
pub(crate) fn notification(topic: &str, terms: Terms, up: bool) -> Packet {
    Packet::Publish(Publish {
        topic: topic.into(),
        payload: Bytes::from_static(if up { b"1" } else { b"0" }),
        retain: terms.retains,
        ..Publish::default()
    })
}

fn packet(
    settings: &BridgeSettings,
    password: Option<Bytes>,
    Dialect { version, bridge_bit }: Dialect,
    (receive_maximum, max_packet_size): (u16, usize),
) -> Connect {
    let will = settings.notify_topic.as_ref().map(|topic| Will {
        topic: topic.as_str().into(),
        payload: Bytes::from_static(b"0"),
        retain: true,
        ..Will::default()
    });
    let properties = match version {
        Version::V5 => Properties::new()
            .with(PropertyId::SessionExpiryInterval, settings.session_expiry)
            .with(PropertyId::ReceiveMaximum, u32::from(receive_maximum.max(1)))
            .with(PropertyId::MaximumPacketSize, u32::try_from(max_packet_size).unwrap_or(u32::MAX)),
        _ => Properties::new(),
    };
    Connect {
        version,
        bridge: bridge_bit,
        clean_start: false,
        keep_alive: settings.keep_alive,
        client_id: settings.client_id.as_str().into(),
        will,
        username: settings.username.as_deref().map(Into::into),
        password,
        properties,
    }
}

/// The password, from its file if it is in one: a line break at the end is the editor's.
fn password(settings: &BridgeSettings) -> Result<Option<Bytes>, NoConnection> {
    let Some(path) = &settings.password_file else {
        return Ok(settings.password.clone().map(Bytes::from));
    };
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| NoConnection::Failed(format!("{}: {error}", path.display())))?;
    Ok(Some(Bytes::copy_from_slice(text.trim_end_matches(['\r', '\n']).as_bytes())))
}
