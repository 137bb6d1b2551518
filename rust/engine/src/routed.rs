//! A message while it is handed to its receivers: encoded once, shared once.

use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use hookmq_codec::wire::{put_binary, put_varint, varint_len};
use hookmq_codec::{PropertyId, Publish, QoS, Value, property};

use crate::message::{Message, Millis, Passing};
use crate::outbox::{BufferPool, Outbox, SHARE_FROM};

/// What differs from receiver to receiver in a PUBLISH.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) v5: bool,
    pub(crate) dup: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) packet_id: u16,
    /// Subscription Identifiers, 5.0 only.
    pub(crate) identifiers: &'a [u32],
    /// A Topic Alias and whether the topic must still be named with it, 5.0 only.
    pub(crate) alias: Option<(u16, bool)>,
}

/// A PUBLISH encoded in the batch's scratch buffer, without its payload if that is large.
#[derive(Debug, Clone, Copy)]
struct Template {
    start: usize,
    end: usize,
    packet_id_at: usize,
}

/// A message on its way to many receivers. The bytes of a plain PUBLISH are the same for all receivers of
/// one version, but for the first byte and the Packet Identifier, so they are encoded once and patched.
pub(crate) struct Routed {
    pub(crate) message: Passing,
    /// By version (3.x, 5.0) and by whether there is a Packet Identifier.
    templates: [Option<Template>; 4],
    /// There is one receiver, for whom it is encoded where it is written from.
    single: bool,
}

impl Routed {
    /// A message that no receiver has seen yet. `scratch` is emptied.
    pub(crate) fn new(message: Passing, scratch: &mut BytesMut) -> Self {
        scratch.clear();
        Self { message, templates: [None; 4], single: false }
    }

    /// Says that there is one receiver.
    pub(crate) fn set_single(&mut self) {
        self.single = true;
    }

    /// The message for those who keep it: one copy, made when the first asks for it.
    pub(crate) fn shared(&mut self) -> Arc<Message> {
        self.message.share()
    }

    /// The whole length of the PUBLISH in this shape, and its bytes appended to the outbox if they are at
    /// most `max`.
    pub(crate) fn append(
        &mut self,
        shape: Shape<'_>,
        max: usize,
        outbox: &mut Outbox,
        pool: &mut BufferPool,
        scratch: &mut BytesMut,
        now: Millis,
    ) -> Result<usize, TooLarge> {
        if self.single || !shape.identifiers.is_empty() || shape.alias.is_some() {
            return append_one(&self.message, shape, max, outbox, pool, now);
        }
        let slot = usize::from(shape.v5) << 1 | usize::from(shape.qos > QoS::AtMostOnce);
        let template = *self.templates[slot].get_or_insert_with(|| {
            let start = scratch.len();
            let packet_id_at = encode_head(scratch, &self.message, shape, now);
            if self.message.payload.len() < SHARE_FROM {
                scratch.put_slice(&self.message.payload);
            }
            Template { start, end: scratch.len(), packet_id_at }
        });
        let frame = &mut scratch[template.start..template.end];
        let payload = &self.message.payload;
        let total = frame.len() + if payload.len() < SHARE_FROM { 0 } else { payload.len() };
        if total > max {
            return Err(TooLarge);
        }
        frame[0] = Publish::first_byte(shape.dup, shape.qos, shape.retain);
        if shape.qos > QoS::AtMostOnce {
            let at = template.packet_id_at - template.start;
            frame[at..at + 2].copy_from_slice(&shape.packet_id.to_be_bytes());
        }
        outbox.append(pool, frame);
        if payload.len() >= SHARE_FROM {
            outbox.append_shared(payload.clone());
        }
        Ok(total)
    }
}

/// The packet exceeds the receiver's Maximum Packet Size. [MQTT-3.1.2-24]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Appends a PUBLISH that is encoded for one receiver.
pub(crate) fn append_one(
    message: &Message,
    shape: Shape<'_>,
    max: usize,
    outbox: &mut Outbox,
    pool: &mut BufferPool,
    now: Millis,
) -> Result<usize, TooLarge> {
    let tail = outbox.tail(pool);
    let start = tail.len();
    encode_head(tail, message, shape, now);
    let head = tail.len() - start;
    if head + message.payload.len() > max {
        tail.truncate(start);
        return Err(TooLarge);
    }
    outbox.appended(head);
    match message.payload.len() < SHARE_FROM {
        true => outbox.append(pool, &message.payload),
        false => outbox.append_shared(message.payload.clone()),
    }
    Ok(head + message.payload.len())
}

/// Writes everything before the payload and says where in `out` the Packet Identifier is.
fn encode_head(out: &mut BytesMut, message: &Message, shape: Shape<'_>, now: Millis) -> usize {
    let topic = match shape.alias {
        Some((_, false)) => "",
        _ => &*message.topic,
    };
    let expiry = message.remaining_expiry(now).filter(|_| shape.v5);
    let id_bytes = if shape.qos > QoS::AtMostOnce { 2 } else { 0 };
    let mut body = 0;
    if shape.v5 {
        body = message.properties.body_len()
            + expiry.map_or(0, |_| 5)
            + shape.alias.map_or(0, |_| 3)
            + shape.identifiers.iter().map(|id| 1 + varint_len(*id)).sum::<usize>();
    }
    let property_bytes = if shape.v5 { varint_len(body as u32) + body } else { 0 };
    let remaining = 2 + topic.len() + id_bytes + property_bytes + message.payload.len();
    out.put_u8(Publish::first_byte(shape.dup, shape.qos, shape.retain));
    put_varint(out, remaining as u32);
    put_binary(out, topic.as_bytes());
    let packet_id_at = out.len();
    if id_bytes > 0 {
        out.put_u16(shape.packet_id);
    }
    if shape.v5 {
        put_varint(out, body as u32);
        message.properties.encode_body(out); // [MQTT-3.3.2-4] [MQTT-3.3.2-15] … unaltered and in order
        let numbers = expiry
            .map(|seconds| (PropertyId::MessageExpiryInterval, seconds))
            .into_iter()
            .chain(shape.alias.map(|(alias, _)| (PropertyId::TopicAlias, u32::from(alias))))
            .chain(shape.identifiers.iter().map(|id| (PropertyId::SubscriptionIdentifier, *id)));
        for (id, number) in numbers {
            property::encode_property(out, id, &Value::Number(number));
        }
    }
    packet_id_at
}
