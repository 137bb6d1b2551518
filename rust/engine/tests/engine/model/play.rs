//! Plays a sequence to the engine and to the model, and compares them after each step.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use hookmq_codec::{
    Ack, ByteString, Connect, Decoder, Disconnect, Packet, Properties, PropertyId, Publish, QoS, ReasonCode,
    SubAck, Subscribe, SubscribeFilter, SubscriptionOptions, TopicFilter, UnsubAck, Unsubscribe, Version,
    Will,
};
use hookmq_engine::{Client, Connection, End, Event, Limits, Tap, TapKind, Transport};

use super::expected::{Mismatch, Model};
use super::step::{Answer, Connecting, FILTERS, Step, TOPICS};
use crate::support::{Wire, World};

/// The identifier that two clients share, and that of the one who publishes.
const SHARED: &str = "shared";
const PUBLISHER: &str = "publisher";

/// Messages under way to one client if it asks for no fewer.
const WINDOW: u16 = 4;

/// QoS 2 messages the publisher leaves unreleased at most.
const UNRELEASED: usize = 6;

/// A Packet Identifier that no message of a sequence gets.
const UNUSED: u16 = 60_000;

/// A connection from the client's side.
struct Line {
    connection: Connection,
    wire: Arc<Wire>,
    version: Version,
}

impl Line {
    /// What was written to it since the last call.
    fn take(&self) -> Result<Vec<Packet>, Mismatch> {
        let mut bytes = self.wire.written.lock().split();
        let mut decoder = Decoder::new(self.version, usize::MAX);
        let mut packets = Vec::new();
        while let Some(packet) = decoder.next(&mut bytes).map_err(|error| format!("wrote {error}"))? {
            packets.push(packet);
        }
        if bytes.is_empty() { Ok(packets) } else { Err("half a packet was written".to_owned()) }
    }
}

/// One sequence as it is played.
struct Game {
    world: World,
    model: Model,
    /// The connection of the shared identifier that counts.
    line: Option<Line>,
    /// Connections that were taken over and whose tasks did not notice.
    stale: VecDeque<Line>,
    publisher: Line,
    /// Messages of QoS 2 that the publisher sent and did not release, with their Packet Identifiers.
    unreleased: Vec<(u16, Publish)>,
    /// The message that is published next, which is its payload.
    next: u32,
    connects: u32,
}

/// Plays a sequence; says where the engine and the model differ.
pub(crate) fn play(steps: &[Step], durable: bool) -> Result<(), Mismatch> {
    let mut game = Game::new(durable)?;
    for (index, step) in steps.iter().enumerate() {
        let played = game.step(*step).and_then(|()| game.compare());
        played.map_err(|mismatch| format!("step {index}, {step:?}: {mismatch}"))?;
    }
    game.finish().map_err(|mismatch| format!("at the end: {mismatch}"))
}

fn connect(world: &mut World, connect: Connect) -> Result<(Line, bool), Mismatch> {
    let wire = Arc::new(Wire::default());
    let version = connect.version;
    let client = Arc::new(Client {
        id: (*connect.client_id).into(),
        version,
        clean_start: connect.clean_start,
        connected_at: world.now,
        ..Client::default()
    });
    world.batch.begin(world.now);
    let transport: Arc<dyn Transport> = Arc::<Wire>::clone(&wire);
    let connected = world.broker.connect(connect, client, Properties::new(), transport, &mut world.batch);
    world.finish();
    let connection = connected.map_err(|close| format!("CONNECT was refused: {}", close.what))?;
    let line = Line { connection, wire, version };
    // CONNACK comes first; the rest stays to be looked at after the step.
    let mut written = line.wire.written.lock();
    match Decoder::new(version, usize::MAX).next(&mut written) {
        Ok(Some(Packet::ConnAck(connack))) if connack.reason == ReasonCode::Success => {
            drop(written);
            Ok((line, connack.session_present))
        }
        other => Err(format!("{other:?} instead of CONNACK")),
    }
}

fn ack(id: u16, reason: ReasonCode) -> Ack {
    Ack::new(id, reason)
}

impl Game {
    fn new(durable: bool) -> Result<Self, Mismatch> {
        let limits = Limits { max_inflight: WINDOW, ..Limits::default() };
        let mut world = if durable { World::durable(limits) } else { World::new(limits) };
        watch_wills(&world)?;
        let (publisher, _) = connect(&mut world, publisher_connect())?;
        let (model, stale, unreleased) = (Model::default(), VecDeque::new(), Vec::new());
        Ok(Self { world, model, line: None, stale, publisher, unreleased, next: 1, connects: 0 })
    }

    fn step(&mut self, step: Step) -> Result<(), Mismatch> {
        match step {
            Step::Connect(how) => return self.connect(&how),
            Step::Disconnect { with_will, expiry } => self.disconnect(with_will, expiry),
            Step::Lose => self.end(&End::abnormal(ReasonCode::UnspecifiedError, "lost")),
            Step::Publish { topic, qos } => return self.publish(TOPICS[usize::from(topic)], qos),
            Step::Repeat { which } => return self.repeat(which),
            Step::Release { which, twice } => return self.release(which, twice),
            Step::Crash => return self.crash(),
            Step::PublisherReturns => return self.publisher_returns(),
            Step::Subscribe { filter, qos } => self.subscribe(FILTERS[usize::from(filter)], qos),
            Step::Unsubscribe { filter } => self.unsubscribe(FILTERS[usize::from(filter)]),
            Step::Answer { which, answer } => {
                if let Some(packet) = self.model.answer(which, answer) {
                    return self.say(packet);
                }
            }
            Step::AnswerNothing(answer) => return self.answer_nothing(answer),
            Step::Block => self.block(true),
            Step::Unblock => self.block(false),
            Step::StaleActs { which } => return self.stale_acts(which),
            Step::StaleEnds => {
                if let Some(line) = self.stale.pop_front() {
                    self.leave(line, &End::abnormal(ReasonCode::SessionTakenOver, "taken over"));
                }
            }
            Step::Wait { seconds } => {
                // One millisecond before and on the spot: nothing is early, nothing is late.
                self.world.now += u64::from(seconds) * 1000 - 1;
                self.tick();
                self.compare()?;
                self.world.now += 1;
                self.tick();
            }
        }
        Ok(())
    }

    fn connect(&mut self, how: &Connecting) -> Result<(), Mismatch> {
        self.connects += 1;
        let payload = how.will.map(|_| format!("will {}", self.connects));
        let will = payload.clone().map(|payload| Will {
            topic: "will".into(),
            payload: payload.into(),
            properties: match how.will {
                Some(delay @ 1..) => Properties::new().with(PropertyId::WillDelayInterval, delay),
                _ => Properties::new(),
            },
            ..Will::default()
        });
        let mut properties = Properties::new();
        if how.version.is_v5() {
            properties = properties.with(PropertyId::SessionExpiryInterval, how.expiry);
        }
        if let Some(maximum) = how.receive_maximum {
            properties = properties.with(PropertyId::ReceiveMaximum, u32::from(maximum));
        }
        let (version, clean_start) = (how.version, how.clean);
        let packet = Connect {
            version,
            clean_start,
            client_id: SHARED.into(),
            will,
            properties,
            ..Connect::default()
        };
        let window = how.receive_maximum.map_or(WINDOW, |maximum| maximum.min(WINDOW));
        let expected = self.model.connect(how, usize::from(window), payload);
        let (line, present) = connect(&mut self.world, packet)?;
        if let Some(old) = self.line.replace(line) {
            let closed = *old.wire.closed.lock();
            if closed != Some(ReasonCode::SessionTakenOver) {
                return Err(format!("the connection that was taken over was told {closed:?}"));
            }
            self.stale.push_back(old);
        }
        match present == expected {
            true => Ok(()),
            false => Err(format!("Session Present is {present}, expected {expected}")), // [MQTT-3.2.2-2]
        }
    }

    fn leave(&mut self, line: Line, end: &End) {
        self.world.batch.begin(self.world.now);
        line.connection.end(end, &mut self.world.batch);
        self.world.finish();
    }

    fn end(&mut self, end: &End) {
        if let Some(line) = self.line.take() {
            self.model.end(end.publish_will, end.session_expiry, self.world.now);
            self.leave(line, end);
        }
    }

    fn disconnect(&mut self, with_will: bool, expiry: Option<u32>) {
        let Some(line) = &self.line else { return };
        let v5 = line.version.is_v5();
        let reason = if with_will && v5 { ReasonCode::DisconnectWithWill } else { ReasonCode::Success };
        let mut packet = Disconnect::new(reason);
        if let (true, Some(expiry)) = (v5, expiry) {
            packet.properties = Properties::new().with(PropertyId::SessionExpiryInterval, expiry);
        }
        // An expiry that is not allowed is a Protocol Error, and ends the connection as one [MQTT-3.14.2-2];
        // whether it is allowed is the model's to know.
        let refused = v5 && expiry.is_some_and(|expiry| expiry > 0) && self.model.ends_with_its_connection();
        match (line.connection.on_disconnect(&packet), refused) {
            (Ok(end), false) => self.end(&end),
            (Err(close), true) if close.reason == ReasonCode::ProtocolError => {
                self.end(&End::abnormal(close.reason, close.what));
            }
            (other, _) => self.model.fail(format!("{packet:?} gave {other:?}")),
        }
    }

    /// The publisher gets exactly this answer.
    fn answered(&self, expected: &[Packet]) -> Result<(), Mismatch> {
        let got = self.publisher.take()?;
        match got == expected {
            true => Ok(()),
            false => Err(format!("the publisher got {got:?}, expected {expected:?}")),
        }
    }

    fn send(&mut self, publish: Publish) -> Result<(), Mismatch> {
        self.world.batch.begin(self.world.now);
        let sent = self.publisher.connection.publish(publish, Ok(()), &mut self.world.batch);
        self.world.finish();
        sent.map_err(|close| format!("the publish was refused: {close:?}"))
    }

    fn publish(&mut self, topic: &str, qos: QoS) -> Result<(), Mismatch> {
        if qos == QoS::ExactlyOnce && self.unreleased.len() == UNRELEASED {
            return Ok(());
        }
        let number = self.next;
        self.next += 1;
        let packet_id = if qos == QoS::AtMostOnce { 0 } else { number as u16 };
        let (topic, payload) = (ByteString::from(topic), number.to_string().into());
        let publish = Publish { topic, payload, qos, packet_id, ..Publish::default() };
        let matched = self.model.publish(number, &publish.topic, qos);
        self.send(publish.clone())?;
        let reason = if matched { ReasonCode::Success } else { ReasonCode::NoMatchingSubscribers };
        match qos {
            QoS::AtMostOnce => self.answered(&[]),
            QoS::AtLeastOnce => self.answered(&[Packet::PubAck(ack(packet_id, reason))]), // [MQTT-4.3.2-4]
            QoS::ExactlyOnce => {
                self.unreleased.push((packet_id, Publish { dup: true, ..publish }));
                self.answered(&[Packet::PubRec(ack(packet_id, reason))]) // [MQTT-4.3.3-8]
            }
        }
    }

    fn repeat(&mut self, which: u8) -> Result<(), Mismatch> {
        let Some((id, publish)) = self.unreleased.get(usize::from(which)).cloned() else { return Ok(()) };
        self.send(publish)?;
        self.answered(&[Packet::PubRec(ack(id, ReasonCode::Success))]) // [MQTT-4.3.3-10]
    }

    fn release(&mut self, which: u8, twice: bool) -> Result<(), Mismatch> {
        if usize::from(which) >= self.unreleased.len() {
            return Ok(());
        }
        let (id, _) = self.unreleased.remove(usize::from(which));
        let reasons = [ReasonCode::Success, ReasonCode::PacketIdentifierNotFound];
        for reason in &reasons[..1 + usize::from(twice)] {
            self.world.batch.begin(self.world.now);
            let pubrel = Packet::PubRel(ack(id, ReasonCode::Success));
            let handled = self.publisher.connection.handle(pubrel, &mut self.world.batch);
            self.world.finish();
            handled.map_err(|close| format!("PUBREL was refused: {close:?}"))?;
            self.answered(&[Packet::PubComp(ack(id, *reason))])?; // [MQTT-4.3.3-11]
        }
        Ok(())
    }

    /// The broker is killed and starts again: all connections are lost, and nothing else.
    fn crash(&mut self) -> Result<(), Mismatch> {
        if self.line.take().is_some() {
            self.model.end(true, None, self.world.now);
        }
        self.stale.clear();
        self.world.restart();
        watch_wills(&self.world)?;
        self.tick(); // Wills that are due, and sessions that are over
        let (line, present) = connect(&mut self.world, publisher_connect())?;
        self.publisher = line;
        if present { Ok(()) } else { Err("the publisher's session is gone".to_owned()) }
    }

    fn publisher_returns(&mut self) -> Result<(), Mismatch> {
        let (line, present) = connect(&mut self.world, publisher_connect())?;
        let old = std::mem::replace(&mut self.publisher, line);
        self.leave(old, &End::abnormal(ReasonCode::SessionTakenOver, "taken over"));
        if present { Ok(()) } else { Err("the publisher's session is gone".to_owned()) }
    }

    fn subscribe(&mut self, filter: &'static str, qos: QoS) {
        let Some(line) = &mut self.line else { return };
        self.model.subscribe(filter, qos);
        let reason = [ReasonCode::Success, ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2];
        let reasons = vec![reason[usize::from(qos.value())]];
        self.model.expect(Packet::SubAck(SubAck { packet_id: 9, properties: Properties::new(), reasons }));
        subscribe(line, &mut self.world, filter, qos);
    }

    fn unsubscribe(&mut self, filter: &'static str) {
        let Some(line) = &mut self.line else { return };
        let reason = match self.model.unsubscribe(filter) {
            true => ReasonCode::Success,
            false => ReasonCode::NoSubscriptionExisted,
        };
        let reasons = if line.version.is_v5() { vec![reason] } else { Vec::new() };
        self.model.expect(Packet::UnsubAck(UnsubAck {
            packet_id: 9,
            properties: Properties::new(),
            reasons,
        }));
        let unsubscribe =
            Unsubscribe { packet_id: 9, filters: vec![filter.into()], ..Unsubscribe::default() };
        self.world.batch.begin(self.world.now);
        line.connection.unsubscribe(unsubscribe, &mut self.world.batch);
        self.world.finish();
    }

    /// The receiver sends a packet.
    fn say(&mut self, packet: Packet) -> Result<(), Mismatch> {
        let Some(line) = &mut self.line else { return Ok(()) };
        self.world.batch.begin(self.world.now);
        let handled = line.connection.handle(packet, &mut self.world.batch);
        self.world.finish();
        handled.map_err(|close| format!("it was refused: {close:?}"))
    }

    fn answer_nothing(&mut self, answer: Answer) -> Result<(), Mismatch> {
        let packet = ack(UNUSED, ReasonCode::Success);
        match answer {
            Answer::PubComp => self.say(Packet::PubComp(packet)),
            Answer::PubRec => {
                let v5 = self.model.link().is_some_and(super::expected::Connected::is_v5);
                let reason = if v5 { ReasonCode::PacketIdentifierNotFound } else { ReasonCode::Success };
                self.model.expect(Packet::PubRel(ack(UNUSED, reason)));
                self.say(Packet::PubRec(packet))
            }
            _ => self.say(Packet::PubAck(packet)),
        }
    }

    fn block(&mut self, blocked: bool) {
        let Some(line) = &self.line else { return };
        self.model.block(blocked);
        line.wire.blocked.store(blocked, SeqCst);
        if !blocked {
            self.world.batch.begin(self.world.now);
            line.connection.unblock(&mut self.world.batch);
            self.world.finish();
        }
    }

    /// What a connection does after it was taken over has no effect at all.
    fn stale_acts(&mut self, which: u8) -> Result<(), Mismatch> {
        let Some(line) = self.stale.front_mut() else { return Ok(()) };
        subscribe(line, &mut self.world, FILTERS[usize::from(which) % FILTERS.len()], QoS::ExactlyOnce);
        self.world.batch.begin(self.world.now);
        for packet in [
            Packet::PubAck(ack(u16::from(which), ReasonCode::Success)),
            Packet::PubRec(ack(u16::from(which), ReasonCode::Success)),
            Packet::PubComp(ack(u16::from(which), ReasonCode::Success)),
            Packet::PingReq,
        ] {
            let handled = line.connection.handle(packet, &mut self.world.batch);
            handled.map_err(|close| format!("a stale connection was refused: {close:?}"))?;
        }
        self.world.finish();
        Ok(())
    }

    fn tick(&mut self) {
        self.model.tick(self.world.now);
        self.world.tick();
    }

    /// Compares everything that can be seen.
    fn compare(&mut self) -> Result<(), Mismatch> {
        self.model.failed()?;
        if let Some(line) = self.line.as_ref().filter(|line| !line.wire.blocked.load(SeqCst)) {
            for packet in line.take()? {
                self.model.receive(packet)?;
            }
        }
        for line in &self.stale {
            let got = line.take()?;
            if !got.is_empty() {
                return Err(format!("a connection that was taken over got {got:?}"));
            }
        }
        self.answered(&[])?;
        self.model.nothing_missing()?;
        let events = std::mem::take(&mut *self.world.events.0.lock());
        let wills: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::Published { message, .. } => Some(String::from_utf8_lossy(&message.payload)),
                _ => None,
            })
            .collect();
        let expected = std::mem::take(&mut self.model.wills);
        if wills != expected {
            return Err(format!("wills published: {wills:?}, expected {expected:?}")); // [MQTT-3.1.2-8]
        }
        let (sessions, clients) = self.model.counts();
        let counted = (self.world.broker.totals().sessions, self.world.count("clients_connected"));
        match counted == (sessions + 1, clients as i64 + 1) {
            true => Ok(()),
            false => Err(format!("sessions and clients beside the publisher's: {counted:?}")),
        }
    }

    /// The receiver comes back and takes all that is owed to it; then nothing is left.
    fn finish(mut self) -> Result<(), Mismatch> {
        self.block(false);
        self.compare()?;
        self.connect(&Connecting::last())?;
        self.compare()?;
        while self.model.owed() > 0 {
            // The engine is told in the order of sending; each answer may bring more.
            let packet = self.model.answer(0, Answer::Due).ok_or("messages are owed but were not sent")?;
            self.say(packet)?;
            self.compare()?;
        }
        self.disconnect(false, None);
        self.compare()?;
        self.world.now += 1000 * 365 * 24 * 3600 * 1000;
        self.tick();
        self.compare()
    }
}

fn watch_wills(world: &World) -> Result<(), Mismatch> {
    let wills = TopicFilter::parse("will".into()).map_err(|error| error.to_string())?;
    world.broker.add_tap(&wills, Tap::new(1, TapKind::Received));
    Ok(())
}

fn publisher_connect() -> Connect {
    Connect {
        version: Version::V5,
        client_id: PUBLISHER.into(),
        properties: Properties::new().with(PropertyId::SessionExpiryInterval, u32::MAX),
        ..Connect::default()
    }
}

fn subscribe(line: &mut Line, world: &mut World, filter: &str, qos: QoS) {
    let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
    let filters = vec![SubscribeFilter { filter: filter.into(), options }];
    let subscribe = Subscribe { packet_id: 9, filters, ..Subscribe::default() };
    world.batch.begin(world.now);
    // An error is for connections that break the protocol, and would show as a missing SUBACK.
    let _ = line.connection.subscribe(subscribe, &[], &mut world.batch);
    world.finish();
}
