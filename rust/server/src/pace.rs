//! How fast a client may send. One that sends faster is not read from for a while; nothing is dropped.

use std::time::{Duration, Instant};

use hookmq_codec::Packet;
use hookmq_engine::Batch;

use crate::bucket::Bucket;
use crate::settings::ListenerSettings;

/// What a client may send in a second.
pub(crate) struct Pace {
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
}

impl Pace {
    /// The pace of a listener's clients; `None` if they have no bound.
    pub(crate) fn new(settings: &ListenerSettings) -> Option<Self> {
        let now = Instant::now();
        let messages = Bucket::new(settings.message_rate, now);
        let bytes = Bucket::new(settings.byte_rate, now);
        (messages.is_some() || bytes.is_some()).then_some(Self { messages, bytes })
    }

    /// Counts a packet that came.
    pub(crate) fn count(&mut self, packet: &Packet, bytes: usize) {
        if let (Some(bucket), Packet::Publish(_)) = (&mut self.messages, packet) {
            bucket.take(1.0);
        }
        if let Some(bucket) = &mut self.bytes {
            bucket.take(bytes as f64);
        }
    }

    /// How long the client has to rest; counts it.
    pub(crate) fn rest(&mut self, batch: &mut Batch) -> Option<Duration> {
        let now = Instant::now();
        let by_messages = self.messages.as_mut().and_then(|bucket| bucket.debt(now));
        let by_bytes = self.bytes.as_mut().and_then(|bucket| bucket.debt(now));
        batch.counts().limit_message_rate += u64::from(by_messages.is_some());
        batch.counts().limit_byte_rate += u64::from(by_bytes.is_some());
        by_messages.max(by_bytes)
    }
}
