//! What becomes of each packet that comes from one side of a bridge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::HashMap;
use hookmq_codec::{Ack, Packet, Properties, PropertyId, Publish, QoS, ReasonCode, SubAck, Value};

use crate::bridge::echoes::Echoes;
use crate::bridge::pipe::Wire;
use crate::bridge::status::Status;
use crate::bridge::topics::Topics;
use crate::bridge::trail;

/// How often a message that was refused is named in the log.
const NAMED: Duration = Duration::from_secs(10);

/// Why a link is taken down.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stop(pub(crate) String);

/// What passes through one link.
pub(crate) struct Passing {
    pub(crate) topics: Topics,
    /// This broker among others.
    pub(crate) identity: ByteString,
    /// The largest packet each side takes, in bytes.
    pub(crate) largest_here: usize,
    pub(crate) largest_there: usize,
    /// Whether the other broker keeps retained messages.
    pub(crate) retains: bool,
    /// Whether the other broker is too slow, and messages that may be lost are.
    pub(crate) pressed: bool,
    /// Where the other broker sends everything back.
    pub(crate) echoes: Option<Echoes>,
    pub(crate) status: Arc<Status>,
    /// SUBACKs that have not come yet.
    pub(crate) unsubscribed: u8,
    /// Topics of messages that the other broker may still refuse.
    under_way: HashMap<u16, ByteString>,
    notices: Notices,
}

/// What is to be said in the log.
#[derive(Default)]
struct Notices {
    waiting: Vec<String>,
    named: Option<Instant>,
}

impl Notices {
    fn say(&mut self, text: String) {
        self.waiting.push(text);
    }

    /// The same for what may happen with every message.
    fn say_sometimes(&mut self, text: impl FnOnce() -> String) {
        if self.named.is_none_or(|at| at.elapsed() >= NAMED) {
            self.named = Some(Instant::now());
            self.say(text());
        }
    }
}

/// Where a message came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Here,
    There,
}

impl Passing {
    pub(crate) fn new(topics: Topics, identity: ByteString, status: Arc<Status>) -> Self {
        Self {
            topics,
            identity,
            largest_here: usize::MAX,
            largest_there: usize::MAX,
            retains: true,
            pressed: false,
            echoes: None,
            status,
            unsubscribed: 0,
            under_way: HashMap::new(),
            notices: Notices::default(),
        }
    }

    /// What is to be said in the log.
    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices.waiting)
    }

    /// A packet came from this broker.
    pub(crate) fn take_here(
        &mut self,
        packet: Packet,
        here: &mut Wire,
        there: &mut Wire,
    ) -> Result<(), Stop> {
        match packet {
            Packet::Publish(publish) => self.publish_there(publish, here, there),
            Packet::PubAck(ack) => there.put(&Packet::PubAck(self.taken_here(&ack)?)),
            Packet::PubRec(ack) => there.put(&Packet::PubRec(self.taken_here(&ack)?)),
            Packet::PubRel(ack) => there.put(&Packet::PubRel(bare(&ack))),
            Packet::PubComp(ack) => there.put(&Packet::PubComp(bare(&ack))),
            Packet::SubAck(ack) => self.subscribed(&ack, "this broker"),
            Packet::UnsubAck(_) | Packet::PingResp => {}
            Packet::Disconnect(packet) => {
                return Err(Stop(format!("this broker said: {}", packet.reason.text())));
            }
            _ => return Err(Stop("this broker sent a packet that only clients send".to_owned())),
        }
        Ok(())
    }

    /// A packet came from the other broker.
    pub(crate) fn take_there(
        &mut self,
        packet: Packet,
        here: &mut Wire,
        there: &mut Wire,
    ) -> Result<(), Stop> {
        match packet {
            Packet::Publish(publish) => self.publish_here(publish, here, there),
            Packet::PubAck(ack) => {
                self.answered_there(&ack);
                here.put(&Packet::PubAck(bare(&ack)));
            }
            Packet::PubRec(ack) => {
                self.answered_there(&ack);
                here.put(&Packet::PubRec(bare(&ack)));
            }
            Packet::PubRel(ack) => here.put(&Packet::PubRel(bare(&ack))),
            Packet::PubComp(ack) => here.put(&Packet::PubComp(bare(&ack))),
            Packet::SubAck(ack) => self.subscribed(&ack, "the other broker"),
            Packet::UnsubAck(_) | Packet::PingResp => {}
            Packet::Disconnect(packet) => {
                let words = packet.properties.text(PropertyId::ReasonString).map(|text| format!(" ({text})"));
                let words = words.unwrap_or_default();
                return Err(Stop(format!("the other broker said: {}{words}", packet.reason.text())));
            }
            _ => return Err(Stop("the other broker sent a packet that only clients send".to_owned())),
        }
        Ok(())
    }

    fn publish_there(&mut self, mut publish: Publish, here: &mut Wire, there: &mut Wire) {
        let counters = &self.status.counters;
        if self.pressed && publish.qos == QoS::AtMostOnce {
            count(&counters.dropped_too_slow);
            return;
        }
        // It may have been noted by the bridge that brought it: only what comes can have returned.
        if trail::is_too_long(&publish.properties) {
            count(&counters.loops);
            return answer(&publish, here);
        }
        let Some(topic) = self.topics.outgoing(&publish.topic) else {
            count(&counters.dropped_unmapped);
            return answer(&publish, here);
        };
        strip(&mut publish.properties, |topic| self.topics.answered_there(topic));
        trail::note(&mut publish.properties, &self.identity);
        publish.retain &= self.retains;
        let name = std::mem::replace(&mut publish.topic, topic);
        let packet = Packet::Publish(publish);
        let fits = there.put_within(&packet, self.largest_there);
        let Packet::Publish(publish) = packet else { return };
        if !fits {
            return self.too_large(&publish, &name, From::Here, here);
        }
        if let Some(echoes) = &mut self.echoes {
            echoes.expect(&publish.topic, &publish.payload, Instant::now());
        }
        counters.messages_sent.fetch_add(1, Relaxed);
        counters.bytes_sent.fetch_add(publish.payload.len() as u64, Relaxed);
        // Before 5.0 a broker cannot refuse a message.
        if there.version.is_v5() && publish.qos > QoS::AtMostOnce {
            self.under_way.insert(publish.packet_id, ByteString::from(&*name));
        }
    }

    fn publish_here(&mut self, mut publish: Publish, here: &mut Wire, there: &mut Wire) {
        let counters = &self.status.counters;
        if trail::has_returned(&publish.properties, &self.identity) {
            count(&counters.loops);
            return answer(&publish, there);
        }
        let now = Instant::now();
        let echoed = |echoes: &mut Echoes| echoes.is_echo(&publish.topic, &publish.payload, now);
        // A repetition was looked at when it came first, and went on if it comes again.
        if !publish.dup && self.echoes.as_mut().is_some_and(echoed) {
            count(&counters.echoes);
            return answer(&publish, there);
        }
        let Some(topic) = self.topics.incoming(&publish.topic) else {
            count(&counters.dropped_unmapped);
            return answer(&publish, there);
        };
        strip(&mut publish.properties, |topic| self.topics.answered_here(topic));
        trail::note(&mut publish.properties, &self.identity);
        let name = std::mem::replace(&mut publish.topic, topic);
        let packet = Packet::Publish(publish);
        let fits = here.put_within(&packet, self.largest_here);
        let Packet::Publish(publish) = packet else { return };
        if !fits {
            return self.too_large(&publish, &name, From::There, there);
        }
        counters.messages_received.fetch_add(1, Relaxed);
        counters.bytes_received.fetch_add(publish.payload.len() as u64, Relaxed);
    }

    /// A message does not fit: it is acknowledged where it came from, or it would come again for ever.
    fn too_large(&mut self, publish: &Publish, name: &str, from: From, back: &mut Wire) {
        count(&self.status.counters.dropped_too_large);
        let side = if from == From::Here { "the other broker" } else { "this broker" };
        let bytes = publish.payload.len();
        let text =
            || format!("a message of {bytes} bytes on {name:?} is larger than {side} takes; it was dropped");
        self.notices.say_sometimes(text);
        answer(publish, back);
    }

    /// What the other broker is told of a message that came from there. What this broker has no room for, or could not
    /// decide about, is not acknowledged and has to come again; what it does not want is over.
    fn taken_here(&mut self, ack: &Ack) -> Result<Ack, Stop> {
        use ReasonCode::{ImplementationSpecificError, QuotaExceeded, UnspecifiedError};
        match ack.reason {
            reason @ (QuotaExceeded | ImplementationSpecificError | UnspecifiedError) => {
                count(&self.status.counters.not_taken);
                Err(Stop(format!("this broker could not take a message: {}", reason.text())))
            }
            reason => {
                if reason.is_error() {
                    count(&self.status.counters.refused_here);
                    self.notices
                        .say_sometimes(|| format!("this broker refused a message: {}", reason.text()));
                }
                Ok(bare(ack))
            }
        }
    }

    /// The other broker took a message, or refused it. That is passed on: it is over in either case.
    fn answered_there(&mut self, ack: &Ack) {
        let topic = self.under_way.remove(&ack.packet_id);
        if ack.reason.is_error() {
            count(&self.status.counters.refused_there);
            let (topic, reason) = (topic.unwrap_or_default(), ack.reason.text());
            let text = || format!("the other broker refused a message on {topic:?}: {reason}");
            self.notices.say_sometimes(text);
        }
    }

    fn subscribed(&mut self, ack: &SubAck, side: &str) {
        self.unsubscribed = self.unsubscribed.saturating_sub(1);
        for reason in ack.reasons.iter().filter(|reason| reason.is_error()) {
            let text = format!("{side} refused a subscription: {}", reason.text());
            self.status.complain(&text);
            self.notices.say(text);
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// An acknowledgement without words, which the other side may have no room for.
fn bare(ack: &Ack) -> Ack {
    Ack::new(ack.packet_id, ack.reason)
}

/// Acknowledges a message that goes no further. Of QoS 2 only the first step: PUBREL passes, and who does not know
/// the message answers it as well.
fn answer(publish: &Publish, wire: &mut Wire) {
    let ack = Ack::new(publish.packet_id, ReasonCode::Success);
    match publish.qos {
        QoS::AtMostOnce => {}
        QoS::AtLeastOnce => wire.put(&Packet::PubAck(ack)),
        QoS::ExactlyOnce => wire.put(&Packet::PubRec(ack)),
    }
}

/// Takes away what holds for one connection alone, and renames the topic for answers.
fn strip(properties: &mut Properties, rename: impl Fn(&str) -> Option<ByteString>) {
    if properties.is_empty() {
        return;
    }
    let own = |id| matches!(id, PropertyId::TopicAlias | PropertyId::SubscriptionIdentifier);
    properties.retain(|id| !own(id));
    let Some(topic) = properties.text(PropertyId::ResponseTopic).and_then(|topic| rename(topic)) else {
        return;
    };
    properties.retain(|id| id != PropertyId::ResponseTopic);
    properties.push(PropertyId::ResponseTopic, Value::Text(topic));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
