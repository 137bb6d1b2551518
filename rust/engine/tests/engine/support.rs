//! A client of the engine without sockets: its transport keeps what is written, and can be made to block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hookmq_codec::{
    Connect, Decoder, Packet, Properties, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter,
    SubscriptionOptions, Version,
};
use hookmq_engine::{
    Batch, Broker, Client, Connection, End, Event, Found, Gate, Ledger, Limits, Observer, Outbox, Transport,
    Written,
};
use hookmq_store::{Changes, MemoryStore, Stamp, Store as _};
use parking_lot::Mutex;

/// Keeps every event.
#[derive(Default)]
pub(crate) struct Events(pub(crate) Mutex<Vec<Event>>);

impl Observer for Events {
    fn observe(&self, events: &mut Vec<Event>, _gates: &mut Vec<Arc<dyn Gate>>) {
        self.0.lock().append(events);
    }
}

/// A socket that takes everything, or nothing while it is blocked.
#[derive(Default)]
pub(crate) struct Wire {
    pub(crate) written: Mutex<BytesMut>,
    pub(crate) blocked: AtomicBool,
    /// How often it was written to.
    pub(crate) writes: AtomicUsize,
    pub(crate) wakes: AtomicUsize,
    pub(crate) closed: Mutex<Option<ReasonCode>>,
}

impl Transport for Wire {
    fn write(&self, outbox: &mut Outbox) -> Written {
        if self.blocked.load(SeqCst) {
            return Written::Blocked;
        }
        self.writes.fetch_add(1, SeqCst);
        let mut slices = [std::io::IoSlice::new(&[]); 64];
        while !outbox.is_empty() {
            let count = outbox.slices(&mut slices);
            let mut total = 0;
            for slice in &slices[..count] {
                self.written.lock().extend_from_slice(slice);
                total += slice.len();
            }
            slices = [std::io::IoSlice::new(&[]); 64];
            outbox.advance(total);
        }
        Written::All
    }

    fn wake(&self) {
        self.wakes.fetch_add(1, SeqCst);
    }

    fn close(&self, reason: ReasonCode, _farewell: Bytes) {
        *self.closed.lock() = Some(reason);
    }
}

/// A broker with a batch and a time.
pub(crate) struct World {
    pub(crate) broker: Arc<Broker>,
    pub(crate) batch: Batch,
    pub(crate) now: u64,
    pub(crate) events: Arc<Events>,
    limits: Limits,
    kept: Option<Kept>,
}

/// What outlives the broker.
struct Kept {
    ledger: Arc<Ledger>,
    store: MemoryStore,
}

impl World {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with(limits, None)
    }

    /// A broker that keeps what it must, and whose commits are done at once.
    pub(crate) fn durable(limits: Limits) -> Self {
        Self::with(limits, Some(Kept { ledger: Arc::new(Ledger::new(1)), store: MemoryStore::default() }))
    }

    fn with(limits: Limits, kept: Option<Kept>) -> Self {
        let events = Arc::new(Events::default());
        let observer: Arc<dyn Observer> = Arc::<Events>::clone(&events);
        let ledger = kept.as_ref().map(|kept| Arc::clone(&kept.ledger));
        let broker = Broker::with_ledger(limits.clone(), observer, ledger);
        let batch = broker.batch();
        Self { broker, batch, now: 1_000_000, events, limits, kept }
    }

    /// The process is killed, and another begins where it was.
    pub(crate) fn restart(&mut self) {
        let mut kept = self.kept.take().unwrap();
        let mut found = Found::default();
        kept.store.load(&mut |change| found.add(change)).unwrap();
        kept.ledger = Arc::new(Ledger::new(found.next_blob()));
        let fresh = Self::with(self.limits.clone(), Some(kept));
        *self = Self { now: self.now, ..fresh };
        let restored = self.broker.restore(found, self.now, &|_, _| Arc::default());
        assert_eq!(restored.given_up, 0, "{restored:?}");
        self.commit();
    }

    /// Ends a turn, and commits what it noted.
    pub(crate) fn finish(&mut self) {
        self.broker.finish(&mut self.batch);
        self.commit();
    }

    fn commit(&mut self) {
        let Some(Kept { ledger, store }) = &mut self.kept else { return };
        let mut changes = Changes::default();
        while let Some(ticket) = ledger.take(&mut changes, Duration::ZERO) {
            store.commit(&changes, Stamp { now: self.now, wall: self.now }).unwrap();
            let sessions = ledger.committed(ticket);
            self.broker.with_batch(self.now, |batch| self.broker.write_out(&sessions, batch));
        }
    }

    /// Connects a client and takes its CONNACK off.
    pub(crate) fn connect(&mut self, id: &str, version: Version, clean_start: bool) -> Peer {
        let connect = Connect { version, clean_start, client_id: id.into(), ..Connect::default() };
        self.connect_with(connect)
    }

    pub(crate) fn connect_with(&mut self, connect: Connect) -> Peer {
        let wire = Arc::new(Wire::default());
        let version = connect.version;
        let client = Arc::new(Client {
            id: (*connect.client_id).into(),
            version,
            bridge: connect.bridge,
            clean_start: connect.clean_start,
            keep_alive: connect.keep_alive,
            connected_at: self.now,
            ..Client::default()
        });
        self.batch.begin(self.now);
        let transport: Arc<dyn Transport> = Arc::<Wire>::clone(&wire);
        let connection =
            self.broker.connect(connect, client, Properties::new(), transport, &mut self.batch).unwrap();
        self.finish();
        let mut peer = Peer { connection, wire, version, welcome: Vec::new() };
        let mut packets = peer.take();
        assert!(matches!(packets.remove(0), Packet::ConnAck(_)));
        peer.welcome = packets;
        peer
    }

    pub(crate) fn publish(&mut self, peer: &mut Peer, topic: &str, payload: &[u8], qos: QoS, packet_id: u16) {
        let publish = Publish {
            topic: topic.into(),
            payload: Bytes::copy_from_slice(payload),
            qos,
            packet_id,
            ..Publish::default()
        };
        self.batch.begin(self.now);
        peer.connection.publish(publish, Ok(()), &mut self.batch).unwrap();
        self.finish();
    }

    /// Subscribes and takes the SUBACK off, with what came behind it.
    pub(crate) fn subscribe(&mut self, peer: &mut Peer, filter: &str, qos: QoS) {
        self.subscribe_unread(peer, filter, qos);
        assert!(matches!(peer.take().first(), Some(Packet::SubAck(_))));
    }

    pub(crate) fn subscribe_unread(&mut self, peer: &mut Peer, filter: &str, qos: QoS) {
        let options = SubscriptionOptions { qos, ..SubscriptionOptions::default() };
        let filters = vec![SubscribeFilter { filter: filter.into(), options }];
        self.batch.begin(self.now);
        let subscribe = Subscribe { packet_id: 1, filters, ..Subscribe::default() };
        peer.connection.subscribe(subscribe, &[], &mut self.batch).unwrap();
        self.finish();
    }

    pub(crate) fn handle(&mut self, peer: &mut Peer, packet: Packet) {
        self.batch.begin(self.now);
        peer.connection.handle(packet, &mut self.batch).unwrap();
        self.finish();
    }

    pub(crate) fn unblock(&mut self, peer: &Peer) {
        peer.wire.blocked.store(false, SeqCst);
        self.batch.begin(self.now);
        peer.connection.unblock(&mut self.batch);
        self.finish();
    }

    pub(crate) fn lose(&mut self, peer: Peer) {
        self.batch.begin(self.now);
        let end = End::abnormal(ReasonCode::UnspecifiedError, "lost");
        peer.connection.end(&end, &mut self.batch);
        self.finish();
    }

    pub(crate) fn tick(&mut self) {
        self.batch.begin(self.now);
        self.broker.tick(&mut self.batch);
        self.finish();
    }

    pub(crate) fn count(&self, name: &str) -> i64 {
        self.broker.statistics.snapshot().into_iter().find(|(other, _)| *other == name).unwrap().1
    }
}

/// A connected client.
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) wire: Arc<Wire>,
    version: Version,
    /// What came right behind CONNACK.
    pub(crate) welcome: Vec<Packet>,
}

impl Peer {
    /// Every packet that was written to it since the last call.
    pub(crate) fn take(&self) -> Vec<Packet> {
        let mut bytes = self.wire.written.lock().split();
        let mut decoder = Decoder::new(self.version, usize::MAX);
        let packets = std::iter::from_fn(|| decoder.next(&mut bytes).unwrap()).collect();
        assert!(bytes.is_empty(), "half a packet was written");
        packets
    }

    /// The messages among them.
    pub(crate) fn messages(&self) -> Vec<Publish> {
        let is_message = |packet| match packet {
            Packet::Publish(publish) => Some(publish),
            _ => None,
        };
        self.take().into_iter().filter_map(is_message).collect()
    }
}
