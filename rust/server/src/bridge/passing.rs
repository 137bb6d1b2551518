//! What becomes of each packet that comes from one side of a bridge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use hashbrown::{HashMap, HashSet};
use hookmq_codec::{Ack, Packet, Properties, PropertyId, Publish, QoS, ReasonCode, SubAck, Value};

use crate::bridge::echoes::Echoes;
use crate::bridge::pipe::Wire;
use crate::bridge::status::Status;
use crate::bridge::topics::Topics;
use crate::bridge::trail::{self, Way};
use crate::bridge::tries::{self, Tries};

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
    /// The highest QoS that the other broker takes.
    pub(crate) max_qos: QoS,
    /// Whether the other broker keeps retained messages.
    pub(crate) retains: bool,
    /// Whether the other broker is too slow, and messages that may be lost are.
    pub(crate) pressed: bool,
    /// Where the other broker sends everything back.
    pub(crate) echoes: Option<Echoes>,
    /// What could not be taken here.
    pub(crate) tries: Tries,
    /// Why the link is to be taken down, when all that came with it was looked at.
    pub(crate) broken: Option<String>,
    pub(crate) status: Arc<Status>,
    /// SUBACKs that have not come yet.
    pub(crate) unsubscribed: u8,
    /// Whether the other broker refused a subscription.
    pub(crate) refused_there: bool,
    /// Topics of messages that the other broker may still refuse.
    under_way: HashMap<u16, ByteString>,
    /// QoS 2 messages that went to the other broker with QoS 1.
    lowered: HashSet<u16>,
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
            max_qos: QoS::ExactlyOnce,
            retains: true,
            pressed: false,
            echoes: None,
            tries: Tries::default(),
            broken: None,
            status,
            unsubscribed: 0,
            refused_there: false,
            under_way: HashMap::new(),
            lowered: HashSet::new(),
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
            Packet::PubAck(ack) if self.is_settled(&ack) => there.put(&Packet::PubAck(bare(&ack))),
            Packet::PubRec(ack) if self.is_settled(&ack) => there.put(&Packet::PubRec(bare(&ack))),
            Packet::PubAck(_) | Packet::PubRec(_) => {} // it comes again
            // Who takes no QoS 2 knows no PUBREL: the message is there, or was before there was less to take.
            Packet::PubRel(ack) if self.max_qos < QoS::ExactlyOnce => {
                here.put(&Packet::PubComp(Ack::new(ack.packet_id, ReasonCode::Success)));
            }
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
                here.put(&match self.lowered.remove(&ack.packet_id) {
                    true => Packet::PubRec(bare(&ack)),
                    false => Packet::PubAck(bare(&ack)),
                });
            }
            Packet::PubRec(ack) => {
                self.answered_there(&ack);
                here.put(&Packet::PubRec(bare(&ack)));
            }
            Packet::PubRel(ack) => here.put(&Packet::PubRel(bare(&ack))),
            Packet::PubComp(ack) => here.put(&Packet::PubComp(bare(&ack))),
            Packet::SubAck(ack) => {
                self.refused_there |= ack.reasons.iter().any(|reason| reason.is_error());
                self.subscribed(&ack, "the other broker");
            }
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
        if trail::has_left(&publish, &self.identity) {
            count(&counters.loops);
            return answer(&publish, here);
        }
        let Some(topic) = self.topics.outgoing(&publish.topic) else {
            count(&counters.dropped_unmapped);
            return answer(&publish, here);
        };
        strip(&mut publish.properties, |topic| self.topics.answered_there(topic));
        if there.version.is_v5() {
            trail::note(&mut publish, &self.identity, Way::Out);
        }
        publish.retain &= self.retains;
        let asked = publish.qos;
        publish.qos = asked.min(self.max_qos);
        publish.dup &= publish.qos > QoS::AtMostOnce; // [MQTT-3.3.1-2]
        let name = std::mem::replace(&mut publish.topic, topic);
        let packet = Packet::Publish(publish);
        let fits = there.put_within(&packet, self.largest_there);
        let Packet::Publish(mut publish) = packet else { return };
        let qos = std::mem::replace(&mut publish.qos, asked);
        if !fits {
            return self.too_large(&publish, &name, From::Here, here);
        }
        match qos {
            QoS::AtMostOnce => answer(&publish, here), // nobody else will
            _ if qos < asked => drop(self.lowered.insert(publish.packet_id)),
            _ => {}
        }
        if let Some(echoes) = &mut self.echoes {
            echoes.expect(&publish.topic, &publish.payload, Instant::now());
        }
        counters.messages_sent.fetch_add(1, Relaxed);
        counters.bytes_sent.fetch_add(publish.payload.len() as u64, Relaxed);
        // Before 5.0 a broker cannot refuse a message.
        if there.version.is_v5() && qos > QoS::AtMostOnce {
            self.under_way.insert(publish.packet_id, ByteString::from(&*name));
        }
    }

    fn publish_here(&mut self, mut publish: Publish, here: &mut Wire, there: &mut Wire) {
        let counters = &self.status.counters;
        if trail::has_returned(&publish, &self.identity) {
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
        trail::note(&mut publish, &self.identity, Way::In);
        let name = std::mem::replace(&mut publish.topic, topic);
        let packet = Packet::Publish(publish);
        let fits = here.put_within(&packet, self.largest_here);
        let Packet::Publish(publish) = packet else { return };
        if !fits {
            return self.too_large(&publish, &name, From::There, there);
        }
        if publish.qos > QoS::AtMostOnce {
            self.tries.come(&publish);
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

    /// Whether a message that came from the other broker is over, so that it is acknowledged there. What this broker has no
    /// room for, or could not decide about, has to come again, but not for ever: nothing else would pass.
    fn is_settled(&mut self, ack: &Ack) -> bool {
        use ReasonCode::{ImplementationSpecificError, QuotaExceeded, UnspecifiedError};
        let reason = ack.reason;
        let in_vain = matches!(reason, QuotaExceeded | ImplementationSpecificError | UnspecifiedError);
        if in_vain && self.tries.fail(ack.packet_id) {
            count(&self.status.counters.not_taken);
            self.broken = Some(format!("this broker could not take a message: {}", reason.text()));
            return false;
        }
        let topic = self.tries.settle(ack.packet_id);
        if reason.is_error() {
            count(&self.status.counters.refused_here);
            let times = if in_vain { format!(" {} times", tries::MOST) } else { String::new() };
            let text = || format!("this broker refused a message on {topic:?}{times}: {}", reason.text());
            self.notices.say_sometimes(text);
        }
        true
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
