//! What happens, as rules see it.

use std::net::SocketAddr;
use std::sync::Arc;

use hookmq_codec::{PropertyId, QoS, Value as PropertyValue, Version};
use hookmq_engine::{Broker, Client, Message, Millis};
use hookmq_rules::{Attribute, Event, Object, Occasion, Value};

/// Something that happened, for as long as a rule runs on it.
pub struct Happened<'m> {
    /// What.
    pub event: Event,
    /// The message it is about.
    pub message: Option<&'m Message>,
    /// The client it is about, if that is known.
    pub client: Option<&'m Client>,
    /// The identifier of that client.
    pub client_id: &'m str,
    /// The topic filter of the subscription.
    pub filter: &'m str,
    /// With which QoS it was sent, or granted.
    pub qos: Option<QoS>,
    /// Why.
    pub reason: &'m str,
    /// When.
    pub at: Millis,
    /// Who knows more about clients.
    pub broker: &'m Broker,
}

impl<'m> Happened<'m> {
    /// A message that was published.
    pub fn published(message: &'m Message, broker: &'m Broker) -> Self {
        Self {
            event: Event::MessagePublished,
            message: Some(message),
            client: None,
            client_id: &message.publisher,
            filter: "",
            qos: Some(message.qos),
            reason: "",
            at: message.received_at,
            broker,
        }
    }

    /// What becomes of nothing but time.
    pub fn timer(at: Millis, broker: &'m Broker) -> Self {
        Self {
            event: Event::Timer,
            message: None,
            client: None,
            client_id: "",
            filter: "",
            qos: None,
            reason: "",
            at,
            broker,
        }
    }

    /// What is asked of the client: of the one that is known, or the broker is asked.
    fn of_client<T>(&self, ask: impl FnOnce(&Client) -> Option<T>) -> Option<T> {
        match self.client {
            Some(client) => ask(client),
            None if self.client_id.is_empty() => None,
            None => self.broker.client(self.client_id).and_then(|client| ask(&client)),
        }
    }
}

/// The same for keeping: where rules run on another thread.
#[derive(Debug, Clone)]
pub struct Happening {
    /// What.
    pub event: Event,
    /// The message it is about.
    pub message: Option<Arc<Message>>,
    /// The client it is about, if that is known.
    pub client: Option<Arc<Client>>,
    /// The identifier of that client.
    pub client_id: Arc<str>,
    /// The topic filter of the subscription.
    pub filter: Arc<str>,
    /// With which QoS it was sent, or granted.
    pub qos: Option<QoS>,
    /// Why.
    pub reason: Arc<str>,
    /// When.
    pub at: Millis,
}

impl Happening {
    /// An event at a time, about nobody so far.
    pub fn new(event: Event, at: Millis) -> Self {
        Self {
            event,
            message: None,
            client: None,
            client_id: "".into(),
            filter: "".into(),
            qos: None,
            reason: "".into(),
            at,
        }
    }

    /// As rules see it.
    pub fn as_happened<'m>(&'m self, broker: &'m Broker) -> Happened<'m> {
        Happened {
            event: self.event,
            message: self.message.as_deref(),
            client: self.client.as_deref(),
            client_id: &self.client_id,
            filter: &self.filter,
            qos: self.qos,
            reason: &self.reason,
            at: self.at,
            broker,
        }
    }

    /// Roughly the memory it takes, in bytes.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.message.as_ref().map_or(0, |message| message.size())
    }
}

fn text(text: &str) -> Value<'_> {
    match text.is_empty() {
        true => Value::Missing,
        false => Value::Text(text.into()),
    }
}

fn millis(time: Millis) -> Value<'static> {
    Value::Int(i64::try_from(time).unwrap_or(i64::MAX))
}

impl Occasion for Happened<'_> {
    fn event(&self) -> Event {
        self.event
    }

    fn topic(&self) -> &str {
        self.message.map_or(self.filter, |message| &message.topic)
    }

    fn payload(&self) -> &[u8] {
        self.message.map_or(b"", |message| &message.payload)
    }

    fn content_type(&self) -> Option<&str> {
        let message = self.message.filter(|message| !message.properties.is_empty())?;
        message.properties.text(PropertyId::ContentType).map(|name| &**name)
    }

    fn hops(&self) -> u8 {
        self.message.map_or(0, |message| message.hops)
    }

    fn get(&self, attribute: Attribute) -> Value<'_> {
        let owned = |text: Option<String>| text.map_or(Value::Missing, Value::text);
        match attribute {
            Attribute::Event => Value::Text(self.event.name().into()),
            Attribute::Topic => text(self.topic()),
            Attribute::Payload => {
                self.message.map_or(Value::Missing, |message| Value::from_bytes(&message.payload))
            }
            Attribute::ClientId => text(self.client_id),
            Attribute::Username => {
                owned(self.of_client(|client| client.username.as_deref().map(str::to_owned)))
            }
            Attribute::PeerHost => owned(self.of_client(|client| client.address.as_ref().map(host))),
            Attribute::Qos => self.qos.map_or(Value::Missing, |qos| Value::Int(i64::from(qos.value()))),
            Attribute::Retain => self.message.map_or(Value::Missing, |message| Value::Bool(message.retain)),
            Attribute::Timestamp => millis(self.at),
            Attribute::Properties => {
                self.message.map_or(Value::Missing, |message| properties(message, self.at))
            }
            Attribute::UserProperties => self.message.map_or(Value::Missing, user_properties),
            Attribute::FromClientId => {
                self.message.map_or(Value::Missing, |message| text(&message.publisher))
            }
            Attribute::Reason => text(self.reason),
            Attribute::ProtoVer => self.of_client(|client| Some(version(client.version))).unwrap_or_default(),
            Attribute::KeepAlive => {
                self.of_client(|client| Some(Value::Int(i64::from(client.keep_alive)))).unwrap_or_default()
            }
            Attribute::CleanStart => {
                self.of_client(|client| Some(Value::Bool(client.clean_start))).unwrap_or_default()
            }
            Attribute::ConnectedAt => {
                self.of_client(|client| Some(millis(client.connected_at))).unwrap_or_default()
            }
        }
    }
}

fn host(address: &SocketAddr) -> String {
    address.ip().to_canonical().to_string()
}

fn version(version: Version) -> Value<'static> {
    Value::Int(match version {
        Version::V31 => 3,
        Version::V311 => 4,
        Version::V5 => 5,
    })
}

/// Names of properties, as in Python.
const NAMES: [(&str, PropertyId); 4] = [
    ("payload_format_indicator", PropertyId::PayloadFormatIndicator),
    ("content_type", PropertyId::ContentType),
    ("response_topic", PropertyId::ResponseTopic),
    ("correlation_data", PropertyId::CorrelationData),
];

fn properties(message: &Message, now: Millis) -> Value<'_> {
    let mut object = Object::default();
    if let Some(seconds) = message.remaining_expiry(now) {
        object.0.push(("message_expiry_interval".into(), Value::Int(i64::from(seconds))));
    }
    for (id, value) in message.properties.iter() {
        let Some((name, _)) = NAMES.iter().find(|(_, known)| known == id) else { continue };
        let value = match value {
            PropertyValue::Number(number) => Value::Int(i64::from(*number)),
            PropertyValue::Text(text) => Value::Text((&**text).into()),
            PropertyValue::Binary(bytes) => Value::Bytes((&**bytes).into()),
            PropertyValue::Pair(..) => continue,
        };
        object.0.push(((*name).into(), value));
    }
    if let Value::Object(pairs) = user_properties(message)
        && !pairs.0.is_empty()
    {
        object.0.push(("user_properties".into(), Value::Object(pairs)));
    }
    Value::Object(object)
}

fn user_properties(message: &Message) -> Value<'_> {
    let pair = |(_, value): &'_ (PropertyId, PropertyValue)| match value {
        PropertyValue::Pair(name, value) => Some((name.clone(), value.clone())),
        _ => None,
    };
    let pairs = message.properties.iter().filter_map(pair);
    let entry = |(name, value): (bytestring::ByteString, bytestring::ByteString)| {
        (name.to_string().into(), Value::text(value.to_string()))
    };
    Value::Object(Object(pairs.map(entry).collect()))
}
