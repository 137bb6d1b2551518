//! An application message inside the broker.

use std::ops::Deref;
use std::sync::Arc;

use crate::blob::Blob;
use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use hookmq_codec::{Properties, PropertyId, Publish, QoS, Will};

/// A property takes so many bytes beside its text, which only matters where there are many: a client may send
/// thousands of empty ones.
const PROPERTY: usize = 128;
const USUAL_PROPERTIES: usize = 8;

/// A payload of so many bytes is not copied when it is to stay: whoever reads packets sees to it that the memory it came
/// in is at most a few times as large.
pub const LARGE_PAYLOAD: usize = 32 << 10;

/// Milliseconds since the Unix epoch. The engine never asks for the time, it is told.
pub type Millis = u64;

/// An application message: what was published, by whom and when.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// The Topic Name.
    pub topic: ByteString,
    /// The Application Message's bytes.
    pub payload: Bytes,
    /// The QoS it was published with.
    pub qos: QoS,
    /// Whether it was published with RETAIN.
    pub retain: bool,
    /// The properties that travel with it: all but Topic Alias, Message Expiry Interval and Subscription
    /// Identifiers, which belong to one hop.
    pub properties: Properties,
    /// When it expires.
    pub expires_at: Option<Millis>,
    /// The publisher's Client Identifier; empty for messages of the broker itself.
    pub publisher: Arc<str>,
    /// When the broker received it.
    pub received_at: Millis,
    /// Where it is in the store.
    pub blob: Blob,
    /// Through how many rules of the broker it has come: what goes on for ever ends somewhere.
    pub hops: u8,
}

impl Message {
    /// The message in a PUBLISH whose Topic Alias was resolved.
    pub fn from_publish(publish: Publish, publisher: Arc<str>, now: Millis) -> Self {
        let Publish { qos, retain, topic, properties, payload, .. } = publish;
        Self::new(topic, payload, qos, retain, properties, publisher, now)
    }

    /// The message that a Will becomes when it is published.
    pub fn from_will(will: Will, publisher: Arc<str>, now: Millis) -> Self {
        let Will { topic, payload, qos, retain, properties } = will;
        Self::new(topic, payload, qos, retain, properties, publisher, now)
    }

    fn new(
        topic: ByteString,
        payload: Bytes,
        qos: QoS,
        retain: bool,
        mut properties: Properties,
        publisher: Arc<str>,
        now: Millis,
    ) -> Self {
        let mut expires_at = None;
        if !properties.is_empty() {
            expires_at = properties
                .number(PropertyId::MessageExpiryInterval)
                .map(|seconds| now + Millis::from(seconds) * 1000);
            properties.retain(|id| {
                !matches!(
                    id,
                    PropertyId::MessageExpiryInterval
                        | PropertyId::TopicAlias
                        | PropertyId::SubscriptionIdentifier
                        | PropertyId::WillDelayInterval
                )
            });
        }
        Self {
            topic,
            payload,
            qos,
            retain,
            properties,
            expires_at,
            publisher,
            received_at: now,
            blob: Blob::default(),
            hops: 0,
        }
    }

    /// A copy that shares no memory with the read buffer it came from. A decoded packet's slices keep the
    /// whole buffer alive, which is right for a message that passes through and wrong for one that stays.
    /// A payload of [`LARGE_PAYLOAD`] has the buffer nearly for itself, and is not copied.
    pub fn detached(&self) -> Self {
        if self.payload.len() >= LARGE_PAYLOAD {
            return Self {
                topic: ByteString::from(&*self.topic),
                payload: self.payload.clone(),
                properties: self.detached_properties(),
                publisher: Arc::clone(&self.publisher),
                blob: Blob::default(),
                ..*self
            };
        }
        let mut memory = BytesMut::with_capacity(self.topic.len() + self.payload.len());
        memory.extend_from_slice(self.topic.as_bytes());
        memory.extend_from_slice(&self.payload);
        let mut topic = memory.freeze();
        let payload = topic.split_off(self.topic.len());
        Self {
            // The bytes were text a line ago; a failure is impossible and would cost a copy, not a panic.
            topic: ByteString::try_from(topic).unwrap_or_else(|_| ByteString::from(&*self.topic)),
            payload,
            properties: self.detached_properties(),
            publisher: Arc::clone(&self.publisher),
            blob: Blob::default(),
            ..*self
        }
    }

    /// Whether its time is over.
    pub fn expired(&self, now: Millis) -> bool {
        self.expires_at.is_some_and(|deadline| deadline < now)
    }

    /// The Message Expiry Interval to send on, in whole seconds: what was received minus the time waited
    /// here. [MQTT-3.3.2-6]
    pub fn remaining_expiry(&self, now: Millis) -> Option<u32> {
        remaining_expiry(self.expires_at, now)
    }

    /// Roughly the memory it takes, for queue limits in bytes: what was sent, and what unusually many properties
    /// take beside it.
    pub fn size(&self) -> usize {
        let properties = self.properties.iter().count().saturating_sub(USUAL_PROPERTIES) * PROPERTY;
        self.topic.len() + self.payload.len() + self.properties.body_len() + properties
    }

    /// Its properties, in the same way.
    pub fn detached_properties(&self) -> Properties {
        use hookmq_codec::Value;
        let mut copy = Properties::new();
        for (id, value) in self.properties.iter() {
            copy.push(
                *id,
                match value {
                    Value::Number(number) => Value::Number(*number),
                    Value::Text(text) => Value::Text(ByteString::from(&**text)),
                    Value::Binary(data) => Value::Binary(Bytes::copy_from_slice(data)),
                    Value::Pair(name, value) => {
                        Value::Pair(ByteString::from(&**name), ByteString::from(&**value))
                    }
                },
            );
        }
        copy
    }
}

/// What is left at some time of a time to live, in whole seconds.
pub fn remaining_expiry(expires_at: Option<Millis>, now: Millis) -> Option<u32> {
    expires_at.map(|deadline| u32::try_from(deadline.saturating_sub(now).div_ceil(1000)).unwrap_or(u32::MAX))
}

/// A message on its way past observers.
#[derive(Debug)]
pub enum Passing {
    /// Somebody keeps it.
    Shared(Arc<Message>),
    /// Nobody does so far. It shares memory with what it was read from, and is not to be kept as it is.
    Own(Message),
}

impl Passing {
    /// The message for whoever keeps it.
    pub fn share(&mut self) -> Arc<Message> {
        let shared = match self {
            Self::Shared(shared) => return Arc::clone(shared),
            Self::Own(own) => Arc::new(own.detached()),
        };
        *self = Self::Shared(Arc::clone(&shared));
        shared
    }
}

impl Deref for Passing {
    type Target = Message;

    fn deref(&self) -> &Message {
        match self {
            Self::Shared(shared) => shared,
            Self::Own(own) => own,
        }
    }
}
