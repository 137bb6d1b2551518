//! Messages from publishers to subscribers: as many as a window lets, or at a fixed rate.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::{Events, Poll, Registry};

use crate::carrier::Channel;
use crate::crowd;
use crate::frame::{self, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Version};
use crate::line::{self, Buffer, Line, Packet};
use crate::plan::Plan;
use crate::{Failure, rendezvous};

/// Bytes of frames that a publisher has encoded at most, so that they stay in a cache.
const RING: usize = 4 << 20;

/// How long nothing may arrive.
const PATIENCE: Duration = Duration::from_secs(20);

/// A publisher and its frames, which it sends again and again.
struct Publisher {
    line: Line,
    frames: Vec<u8>,
    /// Where each begins, and where the last ends.
    starts: Vec<usize>,
    /// Where the payload is in each.
    payloads: Vec<usize>,
    next: usize,
    out: Vec<u8>,
}

struct Flow<'a> {
    plan: &'a Plan,
    poll: Poll,
    _beside: Vec<Channel>,
    subscribers: Vec<Line>,
    publishers: Vec<Publisher>,
    turn: usize,
    published: u64,
    received: u64,
    /// Publishes whose last answer came.
    answered: u64,
    epoch: Instant,
    /// Whether payloads begin with the time at which they should have been sent.
    stamped: bool,
    latencies: Histogram<u64>,
}

/// Plays the plan; what was measured, as JSON.
pub fn run(plan: &Plan) -> Result<String, Failure> {
    let mut flow = Flow::connect(plan)?;
    flow.play(plan.warm_up)?;
    flow.latencies.reset();
    rendezvous("ready")?;
    let began = Instant::now();
    flow.play(plan.count)?;
    let took = began.elapsed().as_secs_f64();
    let at = |quantile| flow.latencies.value_at_quantile(quantile) as f64 / 1000.0;
    rendezvous(&format!(
        r#"{{"messages": {}, "seconds": {took}, "p50_us": {}, "p99_us": {}, "max_us": {}}}"#,
        plan.count * plan.fan_out(),
        at(0.5),
        at(0.99),
        at(1.0),
    ))?;
    Ok("{}".to_owned())
}

impl<'a> Flow<'a> {
    fn connect(plan: &'a Plan) -> Result<Self, Failure> {
        let poll = Poll::new()?;
        let beside = crowd::beside(plan)?;
        let mut subscribers = Vec::with_capacity(plan.subscribers);
        for number in 0..plan.subscribers {
            let mut socket = line::dial(&plan.carrier, plan.port, plan.version, &format!("s{number}"))?;
            line::subscribe(&mut socket, plan.version, &plan.filters_of(number), plan.qos)?;
            subscribers.push(Line::new(socket, number, poll.registry())?);
        }
        let mut publishers = Vec::with_capacity(plan.publishers);
        for number in 0..plan.publishers {
            let socket = line::dial(&plan.carrier, plan.port, plan.version, &format!("p{number}"))?;
            let line = Line::new(socket, plan.subscribers + number, poll.registry())?;
            publishers.push(Publisher::new(plan, number, line));
        }
        Ok(Self {
            plan,
            poll,
            _beside: beside,
            subscribers,
            publishers,
            turn: 0,
            published: 0,
            received: 0,
            answered: 0,
            epoch: Instant::now(),
            stamped: plan.size >= 8 && (plan.rate > 0 || plan.window == 1),
            latencies: Histogram::new(3)?,
        })
    }

    /// So many messages, until all have arrived and are acknowledged.
    fn play(&mut self, count: u64) -> Result<(), Failure> {
        let (first, last) = (self.published, self.published + count);
        let fan_out = self.plan.fan_out();
        let began = Instant::now();
        let mut events = Events::with_capacity(4096);
        let mut buffer = Buffer::default();
        let mut alive = Instant::now();
        while self.received < last * fan_out || self.plan.qos > 0 && self.answered < last {
            let wait = match self.plan.rate {
                0 => {
                    self.fill_window(last)?;
                    Duration::from_millis(100)
                }
                rate => self.keep_pace(rate, began, first, last)?,
            };
            let before = (self.received, self.answered);
            self.poll.poll(&mut events, Some(wait))?;
            for event in &events {
                let number = event.token().0;
                match number.checked_sub(self.subscribers.len()) {
                    None => self.receive(number, event.is_writable(), &mut buffer)?,
                    Some(publisher) => self.answers(publisher, event.is_writable(), &mut buffer)?,
                }
            }
            if (self.received, self.answered) != before {
                alive = Instant::now();
            } else if alive.elapsed() > PATIENCE {
                let missing = last * fan_out - self.received;
                return Err(format!("{missing} of {} messages did not arrive", count * fan_out).into());
            }
        }
        Ok(())
    }

    /// Publishes what the window lets, in pieces that are worth a write.
    fn fill_window(&mut self, last: u64) -> Result<(), Failure> {
        let window = self.plan.window;
        let under_way = self.published - self.received / self.plan.fan_out();
        let room = window.saturating_sub(under_way).min(last - self.published);
        if room == 0 || room < (window / 8).min(last - self.published) {
            return Ok(());
        }
        let each = (room / self.publishers.len() as u64).max(1);
        let mut left = room;
        while left > 0 {
            let some = each.min(left);
            left -= some;
            self.publish(some, None)?;
        }
        Ok(())
    }

    /// Publishes what is due by now; how long until the next is.
    fn keep_pace(&mut self, rate: u64, began: Instant, first: u64, last: u64) -> Result<Duration, Failure> {
        let nanoseconds = |number: u64| (u128::from(number) * 1_000_000_000 / u128::from(rate)) as u64;
        let start = began.duration_since(self.epoch).as_nanos() as u64;
        let now = self.epoch.elapsed().as_nanos() as u64;
        while self.published < last && start + nanoseconds(self.published - first) <= now {
            self.publish(1, Some(start + nanoseconds(self.published - first)))?;
        }
        let next = start + nanoseconds(self.published - first);
        // The poll counts milliseconds: what is due before is waited for awake.
        match next.saturating_sub(now) {
            _ if self.published == last => Ok(Duration::from_millis(100)),
            0..2_000_000 => Ok(Duration::ZERO),
            soon => Ok(Duration::from_nanos(soon - 1_000_000)),
        }
    }

    /// The publisher whose turn it is publishes so many.
    fn publish(&mut self, count: u64, at: Option<u64>) -> Result<(), Failure> {
        let stamp = self.stamped.then(|| at.unwrap_or_else(|| self.epoch.elapsed().as_nanos() as u64));
        let publisher = &mut self.publishers[self.turn];
        self.turn = (self.turn + 1) % self.plan.publishers;
        self.published += count;
        publisher.publish(count as usize, stamp, self.poll.registry())
    }

    fn receive(&mut self, number: usize, writable: bool, buffer: &mut Buffer) -> Result<(), Failure> {
        let (stamped, v5) = (self.stamped, self.plan.version == Version::V5);
        let now = if stamped { self.epoch.elapsed().as_nanos() as u64 } else { 0 };
        let (mut received, mut out) = (0, Vec::new());
        let latencies = &mut self.latencies;
        let line = &mut self.subscribers[number];
        if writable && line.is_blocked() {
            line.write_on(self.poll.registry())?;
        }
        line.read(buffer, |packet| match packet.kind {
            PUBLISH => {
                received += 1;
                let qos = packet.flags >> 1 & 3;
                let (packet_id, payload) = opened(&packet, qos, v5);
                match qos {
                    0 => {}
                    1 => out.extend_from_slice(&frame::ack(PUBACK, packet_id)),
                    _ => out.extend_from_slice(&frame::ack(PUBREC, packet_id)),
                }
                if stamped && let Some(sent) = payload.first_chunk() {
                    let _ = latencies.record(now.saturating_sub(u64::from_le_bytes(*sent))); // it grows as it must
                }
            }
            PUBREL => out.extend_from_slice(&frame::ack(PUBCOMP, u16_at(packet.body, 0))),
            _ => {}
        })?;
        self.received += received;
        if !out.is_empty() {
            line.write(&out, self.poll.registry())?;
        }
        Ok(())
    }

    fn answers(&mut self, number: usize, writable: bool, buffer: &mut Buffer) -> Result<(), Failure> {
        let (mut answered, mut out) = (0, Vec::new());
        let line = &mut self.publishers[number].line;
        if writable && line.is_blocked() {
            line.write_on(self.poll.registry())?;
        }
        line.read(buffer, |packet| match packet.kind {
            PUBACK | PUBCOMP => answered += 1,
            PUBREC => out.extend_from_slice(&frame::ack(PUBREL, u16_at(packet.body, 0))),
            _ => {}
        })?;
        self.answered += answered;
        if !out.is_empty() {
            line.write(&out, self.poll.registry())?;
        }
        Ok(())
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]))
}

/// The Packet Identifier of a PUBLISH, and its payload.
fn opened<'a>(packet: &Packet<'a>, qos: u8, v5: bool) -> (u16, &'a [u8]) {
    let mut at = 2 + usize::from(u16_at(packet.body, 0));
    let mut packet_id = 0;
    if qos > 0 {
        packet_id = u16_at(packet.body, at);
        at += 2;
    }
    if v5 {
        // Few properties: their length is one byte.
        at += 1 + usize::from(packet.body.get(at).copied().unwrap_or(0));
    }
    (packet_id, packet.body.get(at..).unwrap_or(&[]))
}

impl Publisher {
    fn new(plan: &Plan, number: usize, line: Line) -> Self {
        let topics = plan.topics_of(number);
        let fits = RING / (plan.size + 32) / plan.publishers.min(64);
        // With QoS 1 and 2 no identifier comes again while it is under way.
        let least = if plan.qos > 0 { 2 * plan.window as usize } else { 1 };
        let count = fits.clamp(16, 8192).max(least).max(topics.len()).min(60_000.max(topics.len()));
        let (mut frames, mut starts, mut payloads) = (Vec::new(), vec![0], Vec::new());
        for index in 0..count {
            let topic = &topics[index % topics.len()];
            let packet_id = (index % 65_535) as u16 + 1;
            let (frame, payload) = frame::publish(plan.version, topic, plan.size, plan.qos, packet_id);
            payloads.push(frames.len() + payload);
            frames.extend_from_slice(&frame);
            starts.push(frames.len());
        }
        Self { line, frames, starts, payloads, next: 0, out: Vec::new() }
    }

    fn publish(&mut self, mut count: usize, stamp: Option<u64>, registry: &Registry) -> Result<(), Failure> {
        self.out.clear();
        while count > 0 {
            let some = count.min(self.payloads.len() - self.next);
            let end = self.next + some;
            if let Some(stamp) = stamp {
                for payload in &self.payloads[self.next..end] {
                    self.frames[*payload..payload + 8].copy_from_slice(&stamp.to_le_bytes());
                }
            }
            let bytes = &self.frames[self.starts[self.next]..self.starts[end]];
            match count == some && self.out.is_empty() {
                true => self.line.write(bytes, registry)?,
                false => self.out.extend_from_slice(bytes),
            }
            count -= some;
            self.next = end % self.payloads.len();
        }
        if !self.out.is_empty() {
            self.line.write(&self.out, registry)?;
        }
        Ok(())
    }
}
