//! The values that outlive the process: how a session, a message and the rest are written in the store.
//!
//! Times are the broker's, which go on over restarts. What cannot be read is as if it were not there, and whoever reads
//! it counts that; a session without its own value is given up with all that belongs to it, so that nobody takes over
//! what was somebody else's.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use hookmq_codec::property::Carrier;
use hookmq_codec::wire::{Reader, put_binary};
use hookmq_codec::{DecodeError, Properties, QoS, RetainHandling, SubscriptionOptions, Version, Will};
use hookmq_store::{Changes, KeyRef};

use crate::blob::Blob;
use crate::client::Client;
use crate::message::{Message, Millis};
use crate::outbound::Identifiers;
use crate::session::Subscription;

/// What a value is, by the kind of its key.
pub(crate) mod kind {
    pub(crate) const TIME: u8 = 0;
    pub(crate) const SESSION: u8 = 1;
    pub(crate) const SUBSCRIPTION: u8 = 2;
    pub(crate) const DELIVERY: u8 = 3;
    pub(crate) const RECEIVED: u8 = 4;
    pub(crate) const RETAINED: u8 = 5;
    pub(crate) const WILL: u8 = 6;
    pub(crate) const BAN: u8 = 7;
}

/// Notes what time it is: every commit tells that, so there is nothing in it.
pub fn note_time(changes: &mut Changes) {
    changes.put(KeyRef::Pair(kind::TIME, 0, 0), 0, |_| ());
}

/// The key of a session.
pub(crate) const fn session(serial: u64) -> KeyRef<'static> {
    KeyRef::Pair(kind::SESSION, serial, 0)
}

/// The key of a session's subscription.
pub(crate) const fn subscription(serial: u64, filter: &str) -> KeyRef<'_> {
    KeyRef::Text(kind::SUBSCRIPTION, serial, filter)
}

/// The key of a message that a session gets, by its number there.
pub(crate) const fn delivery(serial: u64, number: u64) -> KeyRef<'static> {
    KeyRef::Pair(kind::DELIVERY, serial, number)
}

/// The key of a QoS 2 identifier that was received.
pub(crate) const fn received(serial: u64, packet_id: u16) -> KeyRef<'static> {
    KeyRef::Pair(kind::RECEIVED, serial, packet_id as u64)
}

/// The key of a retained message.
pub(crate) const fn retained(topic: &str) -> KeyRef<'_> {
    KeyRef::Text(kind::RETAINED, 0, topic)
}

/// The key of a session's Will.
pub(crate) const fn will(serial: u64) -> KeyRef<'static> {
    KeyRef::Pair(kind::WILL, serial, 0)
}

/// The key of a ban.
pub(crate) const fn ban(by: u64, value: &str) -> KeyRef<'_> {
    KeyRef::Text(kind::BAN, by, value)
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptSession {
    pub(crate) owner: Owner,
    /// Session Expiry Interval in seconds.
    pub(crate) expiry: u32,
    /// Whether CONNECT asked for more than 0 seconds.
    pub(crate) asked_to_be_kept: bool,
    /// When it ends; `None` while it is connected, and for never.
    pub(crate) ends_at: Option<Millis>,
}

/// Whose session it is: what access rules ask about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) id: Arc<str>,
    pub(crate) username: Option<Arc<str>>,
    pub(crate) principal: Option<Arc<str>>,
    pub(crate) certificate: Option<Arc<str>>,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) version: Version,
    /// The listener it came by.
    pub(crate) listener: Arc<str>,
    /// Where its name is known.
    pub(crate) realm: Option<Arc<str>>,
}

/// A message that a session gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeptDelivery {
    pub(crate) stage: Stage,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) replayed: bool,
    pub(crate) identifiers: Identifiers,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    /// It was sent, so many-th of the session.
    Published {
        packet_id: u16,
        order: u64,
    },
    /// PUBREC came for it.
    Released {
        packet_id: u16,
        order: u64,
    },
}

/// How far a QoS 2 message was taken that is not released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// PUBREC was promised.
    Acknowledged,
    /// Everybody has it, but for those who hold the acknowledgement back.
    HandedOut,
}

impl Taken {
    pub(crate) fn encode(self, out: &mut BytesMut) {
        // What was acknowledged has no value; format 1 knew nothing else.
        if self == Self::HandedOut {
            out.put_u8(1);
        }
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        match value {
            [] => Ok(Self::Acknowledged),
            [1] => Ok(Self::HandedOut),
            _ => Err(UNKNOWN),
        }
    }
}

impl Owner {
    pub(crate) fn of(client: &Client) -> Self {
        Self {
            id: Arc::clone(&client.id),
            username: client.username.clone(),
            principal: client.principal.clone(),
            certificate: client.certificate.clone(),
            address: client.address,
            version: client.version,
            listener: Arc::clone(&client.listener.name),
            realm: client.listener.realm.clone(),
        }
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) {
        put_text(out, &self.id);
        put_text(out, &self.listener);
        out.put_u8(self.version.protocol().1);
        let address = self.address.map(|address| address.to_string());
        let texts = [&self.username, &self.principal, &self.certificate, &self.realm].map(Option::as_deref);
        for text in texts.into_iter().chain([address.as_deref()]) {
            out.put_u8(text.is_some().into());
            put_text(out, text.unwrap_or_default());
        }
    }

    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let id = text(reader)?;
        let listener = text(reader)?;
        let version = match reader.u8()? {
            3 => Version::V31,
            4 => Version::V311,
            5 => Version::V5,
            _ => return Err(UNKNOWN),
        };
        let mut optional = || {
            let there = flag(reader)?;
            let text = text(reader)?;
            Ok(there.then_some(text))
        };
        let (username, principal, certificate, realm) = (optional()?, optional()?, optional()?, optional()?);
        let address = optional()?.map(|text| text.parse().map_err(|_| UNKNOWN)).transpose()?;
        Ok(Self { id, username, principal, certificate, address, version, listener, realm })
    }
}

impl KeptSession {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        self.owner.encode(out);
        out.put_u32(self.expiry);
        out.put_u8(self.asked_to_be_kept.into());
        put_time(out, self.ends_at);
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(value));
        let session = Self {
            owner: Owner::decode(&mut reader)?,
            expiry: reader.u32()?,
            asked_to_be_kept: flag(&mut reader)?,
            ends_at: time(&mut reader)?,
        };
        reader.finish().map(|()| session)
    }
}

impl Subscription {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        let SubscriptionOptions { qos, no_local, retain_as_published, retain_handling } = self.options;
        out.put_slice(&[qos.value(), no_local.into(), retain_as_published.into(), retain_handling as u8]);
        out.put_u32(self.identifier.unwrap_or(0)); // [MQTT-3.8.2.1.2] it is never 0
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(value));
        let options = SubscriptionOptions {
            qos: qos(&mut reader)?,
            no_local: flag(&mut reader)?,
            retain_as_published: flag(&mut reader)?,
            retain_handling: match reader.u8()? {
                0 => RetainHandling::Send,
                1 => RetainHandling::SendIfNew,
                2 => RetainHandling::DoNotSend,
                _ => return Err(UNKNOWN),
            },
        };
        let identifier = Some(reader.u32()?).filter(|identifier| *identifier != 0);
        reader.finish().map(|()| Self { options, identifier })
    }
}

impl KeptDelivery {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        let (stage, packet_id, order) = match self.stage {
            Stage::Waiting => (0, 0, 0),
            Stage::Published { packet_id, order } => (1, packet_id, order),
            Stage::Released { packet_id, order } => (2, packet_id, order),
        };
        out.put_slice(&[stage, self.qos.value(), self.retain.into(), self.replayed.into()]);
        out.put_u16(packet_id);
        out.put_u64(order);
        self.identifiers.iter().for_each(|identifier| out.put_u32(*identifier));
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(Bytes::copy_from_slice(value));
        let stage = reader.u8()?;
        let (qos, retain, replayed) = (qos(&mut reader)?, flag(&mut reader)?, flag(&mut reader)?);
        let (packet_id, order) = (reader.u16()?, number(&mut reader)?);
        let stage = match stage {
            0 => Stage::Waiting,
            1 if packet_id != 0 => Stage::Published { packet_id, order },
            2 if packet_id != 0 => Stage::Released { packet_id, order },
            _ => return Err(UNKNOWN),
        };
        let mut identifiers = Identifiers::new();
        while !reader.is_empty() {
            identifiers.push(reader.u32()?);
        }
        Ok(Self { stage, qos, retain, replayed, identifiers })
    }
}

/// Writes a message.
pub(crate) fn encode_message(message: &Message, out: &mut BytesMut) {
    out.put_slice(&[message.qos.value(), message.retain.into()]);
    out.put_u64(message.received_at);
    put_time(out, message.expires_at);
    put_text(out, &message.publisher);
    put_text(out, &message.topic);
    message.properties.encode(out);
    out.put_slice(&message.payload);
}

/// Reads a message.
pub(crate) fn decode_message(data: &[u8]) -> Result<Message, DecodeError> {
    let mut reader = Reader::new(Bytes::copy_from_slice(data));
    Ok(Message {
        qos: qos(&mut reader)?,
        retain: flag(&mut reader)?,
        received_at: number(&mut reader)?,
        expires_at: time(&mut reader)?,
        publisher: text(&mut reader)?,
        topic: reader.string()?,
        properties: Properties::decode(&mut reader, Carrier::Publish)?,
        payload: reader.rest(),
        blob: Blob::default(),
        hops: 0,
    })
}

/// Writes a Will, who left it, and when it is to be published if its delay has begun.
pub(crate) fn encode_will(owner: &Owner, will: &Will, at: Option<Millis>, out: &mut BytesMut) {
    owner.encode(out);
    put_time(out, at);
    out.put_slice(&[will.qos.value(), will.retain.into()]);
    put_text(out, &will.topic);
    will.properties.encode(out);
    out.put_slice(&will.payload);
}

/// Reads a Will.
pub(crate) fn decode_will(value: &[u8]) -> Result<(Owner, Will, Option<Millis>), DecodeError> {
    let mut reader = Reader::new(Bytes::copy_from_slice(value));
    let owner = Owner::decode(&mut reader)?;
    let at = time(&mut reader)?;
    let (qos, retain) = (qos(&mut reader)?, flag(&mut reader)?);
    let topic = reader.string()?;
    let properties = Properties::decode(&mut reader, Carrier::Will)?;
    Ok((owner, Will { topic, payload: reader.rest(), qos, retain, properties }, at))
}

pub(crate) const UNKNOWN: DecodeError = DecodeError::malformed("the store holds a value that is not known");

fn put_text(out: &mut BytesMut, text: &str) {
    put_binary(out, text.as_bytes());
}

pub(crate) fn put_time(out: &mut BytesMut, time: Option<Millis>) {
    out.put_u64(time.unwrap_or(Millis::MAX));
}

fn text(reader: &mut Reader) -> Result<Arc<str>, DecodeError> {
    utf8(&reader.binary()?)
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<Arc<str>, DecodeError> {
    std::str::from_utf8(bytes).map(Arc::from).map_err(|_| UNKNOWN)
}

fn flag(reader: &mut Reader) -> Result<bool, DecodeError> {
    match reader.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(UNKNOWN),
    }
}

fn qos(reader: &mut Reader) -> Result<QoS, DecodeError> {
    QoS::from_value(reader.u8()?).ok_or(UNKNOWN)
}

fn number(reader: &mut Reader) -> Result<u64, DecodeError> {
    Ok(u64::from(reader.u32()?) << 32 | u64::from(reader.u32()?))
}

pub(crate) fn time(reader: &mut Reader) -> Result<Option<Millis>, DecodeError> {
    Ok(Some(number(reader)?).filter(|time| *time != Millis::MAX))
}

#[cfg(test)]
mod tests {
    use hookmq_codec::PropertyId;

    use super::*;

    fn written(write: impl FnOnce(&mut BytesMut)) -> BytesMut {
        let mut out = BytesMut::new();
        write(&mut out);
        out
    }

    /// Nothing that is cut off is read as something else, but for payloads and lists, which have no end of their own.
    fn refuses_less<T>(bytes: &[u8], least: usize, read: impl Fn(&[u8]) -> Result<T, DecodeError>) {
        for length in 0..least {
            assert!(read(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }

    fn owner() -> Owner {
        Owner {
            id: "client".into(),
            username: Some("".into()),
            principal: None,
            certificate: Some("CN=ö".into()),
            address: Some("[::1]:1883".parse().unwrap()),
            version: Version::V5,
            listener: "mqtt://127.0.0.1:1883".into(),
            realm: None,
        }
    }

    #[test]
    fn sessions() {
        for ends_at in [None, Some(0), Some(1 << 50)] {
            let session = KeptSession { owner: owner(), expiry: u32::MAX, asked_to_be_kept: true, ends_at };
            let bytes = written(|out| session.encode(out));
            assert_eq!(KeptSession::decode(&bytes).unwrap(), session);
            refuses_less(&bytes, bytes.len(), KeptSession::decode);
            assert!(KeptSession::decode(&[&bytes[..], b"x"].concat()).is_err());
        }
    }

    #[test]
    fn subscriptions() {
        for (identifier, retain_handling) in [
            (None, RetainHandling::Send),
            (Some(7), RetainHandling::SendIfNew),
            (Some(268_435_455), RetainHandling::DoNotSend),
        ] {
            let options = SubscriptionOptions {
                qos: QoS::ExactlyOnce,
                no_local: true,
                retain_as_published: false,
                retain_handling,
            };
            let bytes = written(|out| Subscription { options, identifier }.encode(out));
            let read = Subscription::decode(&bytes).unwrap();
            assert_eq!((read.options, read.identifier), (options, identifier));
            refuses_less(&bytes, bytes.len(), Subscription::decode);
        }
    }

    #[test]
    fn deliveries() {
        let stages = [
            Stage::Waiting,
            Stage::Published { packet_id: 1, order: 0 },
            Stage::Released { packet_id: 65_535, order: u64::MAX },
        ];
        for (stage, identifiers) in stages.into_iter().zip([&[][..], &[1], &[1, 2, 268_435_455]]) {
            let delivery = KeptDelivery {
                stage,
                qos: QoS::AtLeastOnce,
                retain: true,
                replayed: false,
                identifiers: identifiers.iter().copied().collect(),
            };
            let bytes = written(|out| delivery.encode(out));
            assert_eq!(KeptDelivery::decode(&bytes).unwrap(), delivery);
            refuses_less(&bytes, 14, KeptDelivery::decode);
        }
    }

    #[test]
    fn received_identifiers() {
        for taken in [Taken::Acknowledged, Taken::HandedOut] {
            assert_eq!(Taken::decode(&written(|out| taken.encode(out))).unwrap(), taken);
        }
        assert!(Taken::decode(&[0]).is_err() && Taken::decode(&[1, 1]).is_err());
    }

    #[test]
    fn messages_and_wills() {
        let properties = Properties::new().with_text(PropertyId::ContentType, "text/plain");
        let message = Message {
            topic: "a/ö".into(),
            payload: Bytes::from_static(b"\0payload"),
            qos: QoS::ExactlyOnce,
            retain: true,
            properties: properties.clone(),
            expires_at: Some(9),
            publisher: "client".into(),
            received_at: 5,
            blob: Blob::default(),
            hops: 0,
        };
        let bytes = written(|out| encode_message(&message, out));
        let read = decode_message(&bytes).unwrap();
        assert_eq!(format!("{read:?}"), format!("{message:?}"));
        refuses_less(&bytes, bytes.len() - message.payload.len(), decode_message);

        let will = Will {
            topic: "w".into(),
            payload: Bytes::new(),
            qos: QoS::AtMostOnce,
            retain: false,
            properties: properties.with(PropertyId::WillDelayInterval, 5),
        };
        let bytes = written(|out| encode_will(&owner(), &will, Some(3), out));
        let (whose, read, at) = decode_will(&bytes).unwrap();
        assert_eq!((whose, format!("{read:?}"), at), (owner(), format!("{will:?}"), Some(3)));
        refuses_less(&bytes, bytes.len(), decode_will);
    }
}
