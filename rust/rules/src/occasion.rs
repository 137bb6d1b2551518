//! On what rules are run: messages and events.

use crate::value::Value;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A message was published.
    MessagePublished,
    /// A message was sent to a client.
    MessageDelivered,
    /// A client has acknowledged a message to the end.
    MessageAcked,
    /// A receiver did not get a message.
    MessageDropped,
    /// A client connected.
    ClientConnected,
    /// A client's connection ended.
    ClientDisconnected,
    /// A client subscribed.
    SessionSubscribed,
    /// A client unsubscribed.
    SessionUnsubscribed,
    /// The time has come.
    Timer,
}

impl Event {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::MessagePublished,
        Self::MessageDelivered,
        Self::MessageAcked,
        Self::MessageDropped,
        Self::ClientConnected,
        Self::ClientDisconnected,
        Self::SessionSubscribed,
        Self::SessionUnsubscribed,
        Self::Timer,
    ];

    /// Its name, as it stands behind `$events/`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessagePublished => "message_published",
            Self::MessageDelivered => "message_delivered",
            Self::MessageAcked => "message_acked",
            Self::MessageDropped => "message_dropped",
            Self::ClientConnected => "client_connected",
            Self::ClientDisconnected => "client_disconnected",
            Self::SessionSubscribed => "session_subscribed",
            Self::SessionUnsubscribed => "session_unsubscribed",
            Self::Timer => "timer",
        }
    }

    /// The event of this name: `client_connected`, or `client/connected` as EMQX 6 writes it.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('/', "_");
        // A timer has a source of its own.
        Self::ALL.into_iter().find(|event| event.name() == name && *event != Self::Timer)
    }

    /// Whether it is about a message.
    pub const fn has_message(self) -> bool {
        matches!(
            self,
            Self::MessagePublished | Self::MessageDelivered | Self::MessageAcked | Self::MessageDropped
        )
    }
}

/// What is known on such an occasion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// What happened.
    Event,
    /// The topic of the message, or the filter of the subscription.
    Topic,
    /// The bytes of the message.
    Payload,
    /// Whose message it is, or which client it is about.
    ClientId,
    /// The user name of that client.
    Username,
    /// From where that client is connected.
    PeerHost,
    /// The QoS of the message, or the one that was granted.
    Qos,
    /// Whether the message was published with RETAIN.
    Retain,
    /// When it happened, in milliseconds since the Unix epoch.
    Timestamp,
    /// The message's properties.
    Properties,
    /// Its User Properties.
    UserProperties,
    /// Who published a message that was sent to somebody.
    FromClientId,
    /// Why.
    Reason,
    /// The version of the client's protocol: 3, 4 or 5.
    ProtoVer,
    /// The client's Keep Alive in seconds.
    KeepAlive,
    /// Whether the client asked for a new session.
    CleanStart,
    /// Since when the client is connected, in milliseconds since the Unix epoch.
    ConnectedAt,
}

/// An attribute, how it is written, and what it is.
#[derive(Debug)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// Other names of it, EMQX's.
    pub aliases: &'static [&'static str],
    /// Which.
    pub attribute: Attribute,
    /// What it is.
    pub what: &'static str,
}

const fn described(
    name: &'static str,
    aliases: &'static [&'static str],
    attribute: Attribute,
    what: &'static str,
) -> Described {
    Described { name, aliases, attribute, what }
}

/// Every attribute, in the order of `SELECT *`.
pub const ATTRIBUTES: &[Described] = &[
    described("event", &[], Attribute::Event, "what happened: `message_published`, `client_connected`, …"),
    described("topic", &[], Attribute::Topic, "the topic of the message, or the filter of the subscription"),
    described(
        "payload",
        &[],
        Attribute::Payload,
        "the message: a text, or bytes if it is none; `payload.x` looks into it",
    ),
    described(
        "clientid",
        &["client_id"],
        Attribute::ClientId,
        "who published it, or which client it is about",
    ),
    described("username", &[], Attribute::Username, "the user name of that client"),
    described(
        "peerhost",
        &["peername"],
        Attribute::PeerHost,
        "the address from which that client is connected",
    ),
    described("qos", &[], Attribute::Qos, "the QoS of the message, or the one that was granted"),
    described("retain", &[], Attribute::Retain, "whether it was published with RETAIN"),
    described(
        "timestamp",
        &["publish_received_at"],
        Attribute::Timestamp,
        "when it happened, in milliseconds since the Unix epoch",
    ),
    described(
        "properties",
        &["pub_props"],
        Attribute::Properties,
        "the MQTT 5 properties of the message, by name",
    ),
    described("user_properties", &[], Attribute::UserProperties, "its User Properties, by name"),
    described(
        "from_clientid",
        &[],
        Attribute::FromClientId,
        "who published a message that was sent to `clientid`",
    ),
    described("reason", &[], Attribute::Reason, "why a message was dropped or a connection ended"),
    described("proto_ver", &[], Attribute::ProtoVer, "the version of the client's protocol: 3, 4 or 5"),
    described("keepalive", &[], Attribute::KeepAlive, "the client's Keep Alive in seconds"),
    described("clean_start", &[], Attribute::CleanStart, "whether the client asked for a new session"),
    described(
        "connected_at",
        &[],
        Attribute::ConnectedAt,
        "since when the client is connected, in milliseconds since the Unix epoch",
    ),
];

impl Attribute {
    /// The attribute of this name.
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |one: &&Described| one.name == name || one.aliases.contains(&name);
        ATTRIBUTES.iter().find(is_it).map(|one| one.attribute)
    }

    /// Whether there is one on this occasion.
    pub const fn belongs_to(self, event: Event) -> bool {
        use Event::{
            ClientConnected, ClientDisconnected, MessageDropped, MessagePublished, SessionSubscribed,
            SessionUnsubscribed, Timer,
        };
        let client = matches!(event, ClientConnected | ClientDisconnected);
        let subscription = matches!(event, SessionSubscribed | SessionUnsubscribed);
        match self {
            Self::Event | Self::Timestamp => true,
            Self::Payload | Self::Retain | Self::Properties | Self::UserProperties => event.has_message(),
            Self::Topic => event.has_message() || subscription,
            Self::Qos => event.has_message() || matches!(event, SessionSubscribed),
            Self::ClientId | Self::Username | Self::PeerHost => !matches!(event, Timer),
            Self::FromClientId => event.has_message() && !matches!(event, MessagePublished),
            Self::Reason => matches!(event, MessageDropped | ClientDisconnected),
            Self::ProtoVer | Self::KeepAlive | Self::CleanStart | Self::ConnectedAt => client || subscription,
        }
    }
}

/// Something on which a rule is run.
pub trait Occasion {
    /// What happened.
    fn event(&self) -> Event;

    /// The topic, or nothing.
    fn topic(&self) -> &str;

    /// The bytes of the message, or nothing.
    fn payload(&self) -> &[u8];

    /// The Content Type that the message names.
    fn content_type(&self) -> Option<&str>;

    /// Through how many rules it has come.
    fn hops(&self) -> u8 {
        0
    }

    /// Anything else; [`Value::Missing`] if there is none.
    fn get(&self, attribute: Attribute) -> Value<'_>;
}
