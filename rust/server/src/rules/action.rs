//! What is done with the results of a rule.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use hookmq_codec::{Properties as Pairs, PropertyId, QoS, Value as PropertyValue, topic};
use hookmq_engine::{Message, Millis};
use hookmq_rules::occasion::ATTRIBUTES;
use hookmq_rules::{Failure, Fired, Object, Occasion as _, Template, Value};

use super::chain::Way;
use super::happened::Happened;
use super::outputs::ResultRow;

/// One action; templates are named by their places.
#[derive(Debug, Clone)]
pub enum Action {
    /// Publishes a message.
    Republish {
        /// Its topic.
        topic: usize,
        /// Its payload; `None` for that of the message itself, with its properties.
        payload: Option<usize>,
        /// Its QoS; `None` for that of the message itself.
        qos: Option<QoS>,
        /// Whether it is retained; `None` as the message itself was.
        retain: Option<bool>,
        /// Its properties.
        properties: Properties,
        /// The hook that is told of one that could not be published.
        dead: Option<u32>,
    },
    /// Ends the connection of a client.
    Disconnect(usize),
    /// Writes into the log.
    Log {
        /// Whether somebody should do something about it.
        warning: bool,
        /// What.
        text: usize,
    },
    /// Calls a hook.
    Hook {
        /// Its number.
        number: u32,
        /// Whether it is given what the result was made of as well.
        source: bool,
    },
}

/// Templates of the properties that a message may carry.
#[derive(Debug, Clone, Default)]
pub struct Properties {
    /// Whether there are any at all.
    pub single: Vec<(PropertyId, usize)>,
    /// User Properties: their names, and templates of their values.
    pub user: Vec<(String, usize)>,
}

/// What an action comes to.
pub(super) enum Asked {
    Publish(Box<Message>),
    Disconnect(String),
    Log(bool, String),
    Result(ResultRow),
}

/// What a message must not be larger than.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) levels: usize,
    pub(super) bytes: usize,
}

impl Action {
    /// What it comes to for a result.
    pub(super) fn asks<'a>(
        &self,
        templates: &'a [Template],
        fired: &mut Fired<'_, 'a, '_>,
        happened: Option<&Happened<'_>>,
        bounds: Bounds,
        (now, hops): (Millis, u8),
    ) -> Result<Asked, Failure> {
        let mut render = |template: usize| {
            let mut text = Vec::new();
            fired.render(&templates[template], &mut text).map(|()| text)
        };
        Ok(match self {
            Self::Republish { topic, payload, qos, retain, properties, .. } => {
                let message = happened.and_then(|happened| happened.message);
                let topic = checked_topic(into_text(render(*topic)?)?, bounds)?;
                let (payload, own) = match payload {
                    Some(payload) => (Bytes::from(render(*payload)?), None),
                    None => {
                        let message =
                            message.ok_or_else(|| failure("there is no message to be forwarded"))?;
                        (Bytes::copy_from_slice(&message.payload), Some(message))
                    }
                };
                let (mut pairs, mut expires_at) = match own {
                    Some(message) => (message.detached_properties(), message.expires_at),
                    None => (Pairs::new(), None),
                };
                for (id, template) in &properties.single {
                    pairs.retain(|known| known != *id);
                    let text = render(*template)?;
                    if *id == PropertyId::MessageExpiryInterval {
                        let seconds: u32 = number(into_text(text)?)?;
                        expires_at = Some(now + Millis::from(seconds) * 1000);
                    } else {
                        pairs.push(*id, property(*id, text)?);
                    }
                }
                for (name, template) in &properties.user {
                    let value = property_text(render(*template)?)?;
                    let pair = PropertyValue::Pair(name.as_str().into(), value.into());
                    pairs.push(PropertyId::UserProperty, pair);
                }
                if topic.len() + payload.len() + pairs.body_len() + 16 > bounds.bytes {
                    return Err(failure("the message is larger than limits.max_packet_size"));
                }
                let of_message = |ask: fn(&Message) -> bool| message.is_some_and(ask);
                Asked::Publish(Box::new(Message {
                    topic: topic.into(),
                    payload,
                    qos: qos.unwrap_or_else(|| message.map_or(QoS::AtMostOnce, |message| message.qos)),
                    retain: retain.unwrap_or_else(|| of_message(|message| message.retain)),
                    properties: pairs,
                    expires_at,
                    publisher: Arc::from(""),
                    received_at: now,
                    hops,
                    ..Message::default()
                }))
            }
            Self::Disconnect(client) => Asked::Disconnect(into_text(render(*client)?)?),
            Self::Log { warning, text } => {
                let text = String::from_utf8_lossy(&render(*text)?).replace(char::is_control, " ");
                Asked::Log(*warning, text)
            }
            Self::Hook { number, source } => {
                let source = happened.filter(|_| *source).map(|happened| owned(&everything(happened)));
                Asked::Result(ResultRow { hook: *number, row: owned(fired.row), source, way: Way::default() })
            }
        })
    }
}

impl Asked {
    /// Roughly the memory it takes, in bytes.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Publish(message) => size_of::<Message>() + message.size(),
            Self::Disconnect(text) | Self::Log(_, text) => 64 + text.len(),
            Self::Result(row) => row.size(),
        }
    }
}

/// All that is known of an occasion, as `SELECT *` gives it.
fn everything<'m>(happened: &'m Happened<'m>) -> Object<'m> {
    let there = ATTRIBUTES.iter().filter(|known| known.attribute.belongs_to(happened.event));
    Object(there.map(|known| (known.name.into(), happened.get(known.attribute))).collect())
}

fn owned(row: &Object<'_>) -> Object<'static> {
    let own = |(key, value): &(Cow<'_, str>, Value<'_>)| {
        (key.clone().into_owned().into(), value.clone().into_owned())
    };
    Object(row.0.iter().map(own).collect())
}

fn failure(what: impl Into<String>) -> Failure {
    Failure { what: what.into(), span: 0..0 }
}

fn into_text(bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|_| failure("the text of an action is no UTF-8"))
}

fn number<T: std::str::FromStr>(text: String) -> Result<T, Failure> {
    text.trim().parse().map_err(|_| failure(format!("{text:?} is no number for a property")))
}

fn checked_topic(topic: String, bounds: Bounds) -> Result<String, Failure> {
    if let Err(error) = topic::check_name(&topic) {
        return Err(failure(format!("the topic {topic:?} {error}")));
    }
    if topic.starts_with("$SYS/") || topic == "$SYS" {
        return Err(failure("topics below $SYS belong to the broker"));
    }
    match topic.split('/').nth(bounds.levels) {
        Some(_) => Err(failure("the topic has more levels than limits.max_topic_levels")),
        None => Ok(topic),
    }
}

/// A text that a property may hold. [MQTT-1.5.4-2]
fn property_text(bytes: Vec<u8>) -> Result<String, Failure> {
    if bytes.len() > 65_535 {
        return Err(failure("a property's value may have 65,535 bytes at most"));
    }
    let text = into_text(bytes)?;
    match text.contains('\0') {
        true => Err(failure("a property's text must not contain the null character")),
        false => Ok(text),
    }
}

fn property(id: PropertyId, bytes: Vec<u8>) -> Result<PropertyValue, Failure> {
    if id == PropertyId::CorrelationData {
        return match bytes.len() {
            ..=65_535 => Ok(PropertyValue::Binary(bytes.into())),
            _ => Err(failure("a property's value may have 65,535 bytes at most")),
        };
    }
    let text = property_text(bytes)?;
    Ok(match id {
        PropertyId::PayloadFormatIndicator => {
            PropertyValue::Number(u32::from(matches!(text.trim(), "1" | "true")))
        }
        PropertyId::ResponseTopic => match topic::check_name(&text) {
            Ok(()) => PropertyValue::Text(text.into()),
            Err(error) => return Err(failure(format!("the response topic {text:?} {error}"))),
        },
        _ => PropertyValue::Text(text.into()),
    })
}
