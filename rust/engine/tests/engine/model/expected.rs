//! What the broker should do: a session as the specification tells of it, without sockets, windows or encodings.

use std::collections::BTreeMap;

use hookmq_codec::{Ack, Packet, Publish, QoS, ReasonCode};

use super::step::{Answer, Connecting, TOPICS};

/// Why the engine and the model differ.
pub(crate) type Mismatch = String;

/// Where a message that is owed stands, as the receiver knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It has not seen it.
    Unseen,
    /// It has seen it under this Packet Identifier, and the broker awaits PUBACK or PUBREC.
    Sent(u16),
    /// The broker has had PUBREC and awaits PUBCOMP.
    Released(u16),
}

/// A message of QoS 1 or 2 that the session has not got rid of.
#[derive(Debug)]
struct Owed {
    number: u32,
    qos: QoS,
    phase: Phase,
    /// The connection on which it was seen last.
    on: u32,
    /// It may have been sent on a connection that was lost before it was read.
    may_be_repeated: bool,
}

/// A connection of the session.
#[derive(Debug)]
pub(crate) struct Connected {
    number: u32,
    /// QoS 1 and 2 messages it takes at a time.
    window: usize,
    v5: bool,
    blocked: bool,
    /// QoS 0 messages it has not read yet.
    at_once: Vec<u32>,
    /// Packets other than PUBLISH that it has not read yet.
    answers: Vec<Packet>,
    /// Messages it acknowledged from memory while their repetition may have been under way.
    crossing: Vec<u32>,
    /// The last message of QoS 1 or 2 that it read.
    last: Option<u32>,
}

/// The session of the shared Client Identifier.
#[derive(Debug)]
struct Session {
    subscriptions: BTreeMap<&'static str, QoS>,
    owed: Vec<Owed>,
    /// Seconds it outlives its connection.
    expiry: u32,
    will: Option<Will>,
    link: Option<Connected>,
    ends_at: Option<u64>,
    will_at: Option<u64>,
}

impl Session {
    /// Takes the connection away; says whether there was one.
    fn unlink(&mut self) -> bool {
        let Some(link) = self.link.take() else { return false };
        // What is owed may have been written to it, and was not read.
        self.owed.iter_mut().for_each(|owed| owed.may_be_repeated |= link.blocked);
        true
    }
}

#[derive(Debug, Clone)]
struct Will {
    payload: String,
    delay: u32,
}

/// The model.
#[derive(Debug, Default)]
pub(crate) struct Model {
    session: Option<Session>,
    connections: u32,
    /// Wills that must have been published by now.
    pub(crate) wills: Vec<String>,
    failure: Option<Mismatch>,
}

impl Model {
    /// Whether there is a session, and whether it is connected.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (usize::from(self.session.is_some()), usize::from(self.link().is_some()))
    }

    /// Something went wrong that shows nowhere else.
    pub(crate) fn fail(&mut self, mismatch: Mismatch) {
        self.failure = Some(mismatch);
    }

    pub(crate) fn failed(&mut self) -> Result<(), Mismatch> {
        self.failure.take().map_or(Ok(()), Err)
    }

    /// Whether the session is one that lasts as long as its connection.
    pub(crate) fn ends_with_its_connection(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.expiry == 0)
    }

    pub(crate) fn link(&self) -> Option<&Connected> {
        self.session.as_ref()?.link.as_ref()
    }

    /// A client connects; says whether it finds a session. `will` is its will's payload.
    pub(crate) fn connect(&mut self, how: &Connecting, window: usize, will: Option<String>) -> bool {
        if let Some(session) = &mut self.session {
            let taken_over = session.unlink();
            let ends = how.clean || (taken_over && session.expiry == 0);
            // A connection before the delay is over keeps the will back, unless the session ends.
            // [MQTT-3.1.3-9] Without delay the takeover itself publishes it.
            let kept_back = session.will.as_ref().is_some_and(|will| will.delay > 0) && !ends;
            self.wills.extend(session.will.take().filter(|_| !kept_back).map(|will| will.payload));
            if ends {
                self.session = None;
            }
        }
        let present = self.session.is_some();
        self.connections += 1;
        let session = self.session.get_or_insert_with(|| Session {
            subscriptions: BTreeMap::new(),
            owed: Vec::new(),
            expiry: 0,
            will: None,
            link: None,
            ends_at: None,
            will_at: None,
        });
        session.expiry = how.lasts();
        session.will = will.map(|payload| Will { payload, delay: how.will.unwrap_or(0) });
        (session.ends_at, session.will_at) = (None, None);
        let again = session.owed.iter().filter_map(|owed| match owed.phase {
            Phase::Released(id) => Some(Packet::PubRel(Ack::new(id, ReasonCode::Success))), // [MQTT-4.4.0-1]
            _ => None,
        });
        let answers = again.collect();
        session.link = Some(Connected {
            number: self.connections,
            window,
            v5: how.version.is_v5(),
            blocked: false,
            at_once: Vec::new(),
            answers,
            crossing: Vec::new(),
            last: None,
        });
        present
    }

    /// The connection is over.
    pub(crate) fn end(&mut self, publish_will: bool, expiry: Option<u32>, now: u64) {
        let Some(session) = &mut self.session else { return };
        if !session.unlink() {
            return;
        }
        session.expiry = expiry.unwrap_or(session.expiry);
        let will = session.will.take().filter(|_| publish_will); // [MQTT-3.1.2-10]
        let ends = session.expiry == 0;
        match will {
            Some(will) if will.delay == 0 || ends => self.wills.push(will.payload),
            Some(will) => {
                session.will_at = Some(now + u64::from(will.delay) * 1000);
                session.will = Some(will);
            }
            None => {}
        }
        session.ends_at = (session.expiry != u32::MAX).then(|| now + u64::from(session.expiry) * 1000);
        if ends {
            self.session = None;
        }
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: u64) {
        let Some(session) = &mut self.session else { return };
        let due = |at: Option<u64>| at.is_some_and(|at| at <= now);
        if due(session.will_at) || due(session.ends_at) {
            session.will_at = None;
            self.wills.extend(session.will.take().map(|will| will.payload));
        }
        if due(session.ends_at) {
            self.session = None;
        }
    }

    pub(crate) fn subscribe(&mut self, filter: &'static str, qos: QoS) {
        if let Some(session) = &mut self.session {
            session.subscriptions.insert(filter, qos);
        }
    }

    /// Says whether there was such a subscription.
    pub(crate) fn unsubscribe(&mut self, filter: &'static str) -> bool {
        self.session.as_mut().is_some_and(|session| session.subscriptions.remove(filter).is_some())
    }

    /// A message is published; says whether any subscription matches.
    pub(crate) fn publish(&mut self, number: u32, topic: &str, qos: QoS) -> bool {
        let Some(session) = &mut self.session else { return false };
        let matching = session.subscriptions.iter().filter(|(filter, _)| match **filter {
            "t/+" | "t/#" => TOPICS.contains(&topic),
            filter => filter == topic,
        });
        let Some(granted) = matching.map(|(_, qos)| *qos).max() else { return false };
        let qos = qos.min(granted); // [MQTT-3.3.4-2]
        if qos > QoS::AtMostOnce {
            let phase = Phase::Unseen;
            session.owed.push(Owed { number, qos, phase, on: 0, may_be_repeated: false });
        } else if let Some(link) = &mut session.link {
            link.at_once.push(number);
        }
        true
    }

    /// An answer is expected beside the messages.
    pub(crate) fn expect(&mut self, packet: Packet) {
        if let Some(link) = self.session.as_mut().and_then(|session| session.link.as_mut()) {
            link.answers.push(packet);
        }
    }

    pub(crate) fn block(&mut self, blocked: bool) {
        if let Some(link) = self.session.as_mut().and_then(|session| session.link.as_mut()) {
            link.blocked = blocked;
        }
    }

    /// The packet by which the receiver answers a message it knows of, the oldest being 0; and what becomes
    /// of it. `None` if there is none to answer.
    pub(crate) fn answer(&mut self, which: u8, answer: Answer) -> Option<Packet> {
        let session = self.session.as_mut()?;
        let link = session.link.as_mut()?;
        let known: Vec<usize> =
            (0..session.owed.len()).filter(|at| session.owed[*at].phase != Phase::Unseen).collect();
        let at = *known.get(usize::from(which) % known.len().max(1))?;
        let owed = &mut session.owed[at];
        let (Phase::Sent(id) | Phase::Released(id)) = owed.phase else { return None };
        let answer = match (answer, owed.phase, owed.qos) {
            (Answer::Due, Phase::Released(_), _) => Answer::PubComp,
            (Answer::Due, _, QoS::ExactlyOnce) => Answer::PubRec,
            (Answer::Due, ..) => Answer::PubAck,
            (Answer::Refusal, ..) if !link.v5 => Answer::PubRec,
            (other, ..) => other,
        };
        let success = Ack::new(id, ReasonCode::Success);
        let mut over = false;
        let packet = match answer {
            Answer::PubAck => {
                over = owed.phase == Phase::Sent(id) && owed.qos == QoS::AtLeastOnce;
                Packet::PubAck(success)
            }
            Answer::PubComp => {
                over = owed.phase == Phase::Released(id); // [MQTT-4.3.3-7]
                Packet::PubComp(success)
            }
            // [MQTT-4.3.3-4] a refusal ends it
            Answer::Refusal if owed.phase == Phase::Sent(id) => {
                over = owed.qos == QoS::ExactlyOnce;
                Packet::PubRec(Ack::new(id, ReasonCode::UnspecifiedError))
            }
            Answer::PubRec | Answer::Refusal | Answer::Due => {
                if owed.qos == QoS::ExactlyOnce {
                    if link.blocked && owed.on != link.number && owed.phase == Phase::Sent(id) {
                        link.crossing.push(owed.number);
                    }
                    owed.phase = Phase::Released(id);
                    link.answers.push(Packet::PubRel(success.clone())); // [MQTT-4.3.3-5]
                }
                Packet::PubRec(success)
            }
        };
        if over {
            if link.blocked && owed.on != link.number {
                link.crossing.push(owed.number);
            }
            session.owed.remove(at);
        }
        Some(packet)
    }

    /// A packet came to the receiver.
    pub(crate) fn receive(&mut self, packet: Packet) -> Result<(), Mismatch> {
        let session = self.session.as_mut().ok_or("a packet to a session that is over")?;
        let link = session.link.as_mut().ok_or("a packet without a connection")?;
        let Packet::Publish(publish) = packet else {
            let expected = link.answers.iter().position(|expected| *expected == packet);
            let at = expected.ok_or_else(|| format!("{packet:?}, expected {:?}", link.answers))?;
            link.answers.remove(at);
            return Ok(());
        };
        let number = number_of(&publish)?;
        let wrong = |what: &str| Err(format!("message {number}: {what}: {publish:?}"));
        if publish.qos == QoS::AtMostOnce {
            // In the order of publishing, once.
            return match link.at_once.first() == Some(&number) && !publish.dup {
                true => {
                    link.at_once.remove(0);
                    Ok(())
                }
                false => wrong("not the next of QoS 0"),
            };
        }
        if link.last.is_some_and(|last| last >= number) {
            return wrong("out of order on its connection");
        }
        link.last = Some(number);
        if let Some(at) = link.crossing.iter().position(|crossing| *crossing == number) {
            link.crossing.remove(at);
            return if publish.dup { Ok(()) } else { wrong("repeated without DUP") };
        }
        let Some(at) = session.owed.iter().position(|owed| owed.number == number) else {
            return wrong("was acknowledged, or never due");
        };
        let in_use = |owed: &Owed| {
            let (Phase::Sent(id) | Phase::Released(id)) = owed.phase else { return false };
            id == publish.packet_id && owed.number != number
        };
        if publish.packet_id == 0 || session.owed.iter().any(in_use) {
            return wrong("its Packet Identifier is in use");
        }
        if session.owed[..at].iter().any(|owed| owed.phase == Phase::Unseen) {
            return wrong("it overtook another");
        }
        let owed = &mut session.owed[at];
        match owed.phase {
            _ if owed.qos != publish.qos => return wrong("another QoS"),
            Phase::Released(_) => return wrong("repeated after PUBREC"),
            Phase::Sent(_) if owed.on == link.number => return wrong("twice on one connection"),
            Phase::Sent(_) if !publish.dup => return wrong("repeated without DUP"), // [MQTT-3.3.1-1]
            Phase::Sent(id) if id != publish.packet_id => return wrong("repeated under another identifier"),
            Phase::Unseen if publish.dup && !owed.may_be_repeated => return wrong("DUP on a first sending"),
            _ => {}
        }
        (owed.phase, owed.on) = (Phase::Sent(publish.packet_id), link.number);
        let on_this = session.owed.iter().filter(|owed| owed.on == link.number).count();
        match on_this > link.window {
            true => wrong("beyond the Receive Maximum"), // [MQTT-3.3.4-9]
            false => Ok(()),
        }
    }

    /// Whether everything that was to come has come, as far as the receiver lets it.
    pub(crate) fn nothing_missing(&self) -> Result<(), Mismatch> {
        let Some((session, link)) =
            self.session.as_ref().and_then(|session| Some((session, session.link.as_ref()?)))
        else {
            return Ok(());
        };
        if link.blocked {
            return Ok(());
        }
        if !link.answers.is_empty() || !link.at_once.is_empty() {
            return Err(format!("still expected: {:?} and messages {:?}", link.answers, link.at_once));
        }
        let under_way = |owed: &&Owed| owed.on == link.number || matches!(owed.phase, Phase::Released(_));
        let due = session.owed.iter().find(|owed| !under_way(owed));
        match (due, session.owed.iter().filter(under_way).count() < link.window) {
            (Some(due), true) => Err(format!("message {} is held back though there is room", due.number)),
            _ => Ok(()),
        }
    }

    /// How many messages are owed.
    pub(crate) fn owed(&self) -> usize {
        self.session.as_ref().map_or(0, |session| session.owed.len())
    }
}

impl Connected {
    pub(crate) const fn is_v5(&self) -> bool {
        self.v5
    }
}

fn number_of(publish: &Publish) -> Result<u32, Mismatch> {
    let number = std::str::from_utf8(&publish.payload).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("not a message of ours: {publish:?}"))
}
