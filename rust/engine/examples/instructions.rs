//! What `tools/instructions.py` counts the instructions of: `instructions SCENARIO MESSAGES` decodes so many publishes
//! from bytes and hands them to the engine, whose transport takes everything. No clock, no socket, no thread, so the
//! number is the same each time, and the difference of two runs is what the messages cost.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::IoSlice;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hookmq_codec::{
    Ack, Connect, Decoder, Packet, Properties, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter,
    SubscriptionOptions, Version,
};
use hookmq_engine::{
    Batch, Broker, Client, Connection, Event, Gate, Limits, Observer, Outbox, Transport, Written,
};
use parking_lot::Mutex;

/// Messages that come with one read.
const TURN: u64 = 50;

/// What was counted of topics is gathered after so many turns, as it is every 200 ms at 250,000 messages a second.
const GATHERED: u64 = 1_000;

struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _events: &mut Vec<Event>, _gates: &mut Vec<Arc<dyn Gate>>) {}
}

/// A socket that takes everything, and keeps it if somebody is to acknowledge it.
#[derive(Default)]
struct Drain(Option<Mutex<BytesMut>>);

impl Transport for Drain {
    fn write(&self, outbox: &mut Outbox) -> Written {
        let mut slices = [IoSlice::new(&[]); 64];
        while !outbox.is_empty() {
            let count = outbox.slices(&mut slices);
            let total = slices[..count].iter().map(|slice| slice.len()).sum();
            if let Self(Some(kept)) = self {
                slices[..count].iter().for_each(|slice| kept.lock().extend_from_slice(slice));
            }
            slices = [IoSlice::new(&[]); 64];
            outbox.advance(total);
        }
        Written::All
    }

    fn wake(&self) {}

    fn close(&self, _reason: ReasonCode, _farewell: Bytes) {}
}

fn connect(broker: &Arc<Broker>, id: &str, drain: &Arc<Drain>, batch: &mut Batch) -> Connection {
    let connect = Connect { version: Version::V311, client_id: id.into(), ..Connect::default() };
    let client = Client { id: id.into(), version: Version::V311, ..Client::default() };
    batch.begin(1_000);
    let transport = Arc::<Drain>::clone(drain);
    let connection = broker.connect(connect, Arc::new(client), Properties::new(), transport, batch);
    broker.finish(batch);
    if let Some(greeting) = &drain.0 {
        greeting.lock().clear();
    }
    connection.unwrap_or_else(|close| panic!("{}", close.what))
}

/// What a read brings.
fn frames(turn: u64, qos: QoS, topics: u64) -> BytesMut {
    let mut frames = BytesMut::new();
    for number in 0..TURN {
        let publish = Publish {
            topic: format!("plant/{}/value", (turn * TURN + number) % topics).into(),
            payload: Bytes::from_static(&[b'x'; 256]),
            qos,
            packet_id: if qos == QoS::AtMostOnce { 0 } else { number as u16 + 1 },
            ..Publish::default()
        };
        Packet::Publish(publish).encode(Version::V311, &mut frames);
    }
    frames
}

/// The subscriber acknowledges what it got, until it gets nothing more.
fn acknowledge(
    receiver: &mut Connection,
    broker: &Broker,
    kept: &Mutex<BytesMut>,
    decoder: &mut Decoder,
    batch: &mut Batch,
) {
    loop {
        let mut got = std::mem::take(&mut *kept.lock());
        if got.is_empty() {
            return;
        }
        batch.begin(1_000);
        while let Some(Packet::Publish(publish)) = decoder.next(&mut got).unwrap() {
            let ack = Ack::new(publish.packet_id, ReasonCode::Success);
            receiver.handle(Packet::PubAck(ack), batch).unwrap();
        }
        broker.finish(batch);
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count: u64 = arguments[2].parse().unwrap();
    let (subscribers, qos, topics): (u64, QoS, u64) = match &*arguments[1] {
        "1 → 1" => (1, QoS::AtMostOnce, 1),
        "1 → 1, QoS 1" => (1, QoS::AtLeastOnce, 1),
        "1 → 100" => (100, QoS::AtMostOnce, 1),
        "1,000 topics" | "1,000 topics, counted" => (1, QoS::AtMostOnce, 1_000),
        other => panic!("there is no scenario {other}"),
    };
    let broker = Broker::new(Limits::default(), Arc::new(Nobody));
    broker.count_topics(arguments[1].ends_with("counted"));
    let mut batch = broker.batch();
    let keeping = Arc::new(Drain((qos > QoS::AtMostOnce).then(Mutex::default)));
    let mut receivers = Vec::new();
    for number in 0..subscribers {
        let mut connection = connect(&broker, &format!("s{number}"), &keeping, &mut batch);
        let filter = SubscribeFilter {
            filter: "plant/+/value".into(),
            options: SubscriptionOptions { qos, ..SubscriptionOptions::default() },
        };
        batch.begin(1_000);
        let subscribe = Subscribe { packet_id: 1, properties: Properties::new(), filters: vec![filter] };
        connection.subscribe(subscribe, &[], &mut batch).unwrap();
        broker.finish(&mut batch);
        if let Some(answer) = &keeping.0 {
            answer.lock().clear();
        }
        receivers.push(connection);
    }
    let mut publisher = connect(&broker, "publisher", &Arc::default(), &mut batch);
    let mut decoder = Decoder::new(Version::V311, 1 << 20);
    decoder.connected(1 << 20);
    let frames: Vec<BytesMut> = (0..topics.div_ceil(TURN)).map(|turn| frames(turn, qos, topics)).collect();
    for turn in 0..count / TURN {
        let frames = &frames[(turn % frames.len() as u64) as usize];
        let mut read = BytesMut::with_capacity(64 << 10);
        read.extend_from_slice(frames);
        batch.begin(1_000 + turn);
        while let Some(Packet::Publish(publish)) = decoder.next(&mut read).unwrap() {
            publisher.publish(publish, Ok(()), &mut batch).unwrap();
        }
        broker.finish(&mut batch);
        if turn % GATHERED == GATHERED - 1 {
            broker.collect_topics();
        }
        if let Some(kept) = &keeping.0 {
            acknowledge(&mut receivers[0], &broker, kept, &mut decoder, &mut batch);
        }
    }
    let received = broker.statistics.snapshot().into_iter().find(|(name, _)| *name == "messages_sent");
    assert_eq!(received.unwrap().1 as u64, count / TURN * TURN * subscribers);
}
