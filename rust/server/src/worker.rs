//! The network threads: each a single-threaded runtime with its connections pinned to it.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::BytesMut;
use hookmq_engine::{Batch, Broker, Millis};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::numbers::Latency;

/// Bytes read at a time.
pub(crate) const READ_SIZE: usize = 64 << 10;

/// Of so many reads one is measured, and at least one in so many milliseconds.
const MEASURED: u32 = 64;
const MEASURE: Millis = 50;

/// What the connections of one thread share: the batch and the buffer they read into. Only that thread
/// locks it, and never across an await, so the lock is free whenever it is wanted.
pub(crate) struct Turn {
    pub(crate) batch: Batch,
    /// Empty between turns. Idle connections have no read buffer of their own.
    pub(crate) buffer: BytesMut,
    /// Tells the task that writes out what turns have left.
    left: Arc<Notify>,
    latency: Arc<Latency>,
    /// When that was read which is measured until it is written.
    measured: Option<Instant>,
    /// Reads since the last one that was measured, and when the next one is at the latest.
    reads: u32,
    measure_at: Millis,
    sent_before: u64,
}

impl Turn {
    /// For the connections of one thread.
    pub(crate) fn new(broker: &Broker, latency: &Arc<Latency>) -> Self {
        Self {
            batch: broker.batch(),
            buffer: BytesMut::with_capacity(READ_SIZE),
            left: Arc::default(),
            latency: Arc::clone(latency),
            measured: None,
            reads: 0,
            measure_at: 0,
            sent_before: 0,
        }
    }

    /// Something was read at this time: now and then it is measured how long it takes.
    pub(crate) fn read(&mut self, now: Millis) {
        self.reads += 1;
        if self.measured.is_none() && (self.reads >= MEASURED || now >= self.measure_at) {
            (self.reads, self.measure_at) = (0, now + MEASURE);
            self.measured = Some(Instant::now());
            self.sent_before = self.batch.counts().messages_sent;
        }
    }

    /// What was read has been handled; only what sends messages is measured on.
    pub(crate) fn handled(&mut self) {
        if self.measured.is_some() && self.batch.counts().messages_sent == self.sent_before {
            self.measured = None;
            self.measure_at = 0; // the next one, whatever it is
        }
    }

    /// Ends a turn that writes at once.
    pub(crate) fn finish(&mut self, broker: &Broker) {
        broker.finish(&mut self.batch);
        self.written();
    }

    fn written(&mut self) {
        if let Some(begun) = self.measured.take() {
            self.latency.add(begun.elapsed());
        }
    }

    /// Ends a connection's turn. What it has to write is written when all those had theirs that were ready as well: the
    /// task that does it is woken behind them.
    pub(crate) fn finish_later(&mut self, broker: &Broker) {
        match broker.finish_later(&mut self.batch) {
            true => self.left.notify_one(),
            false => self.written(),
        }
    }

    /// Writes out what was left. To be done before anything ends that something was left for.
    pub(crate) fn settle(&mut self, broker: &Broker, clock: Clock) {
        match self.batch.is_left() {
            true => {
                self.batch.begin(clock.now());
                self.finish(broker);
            }
            false => self.measured = None, // somebody else wrote it out
        }
    }
}

/// The task that writes out what turns of a thread have left, as long as the thread lives.
pub(crate) async fn write_left(turn: Arc<Mutex<Turn>>, broker: Arc<Broker>, clock: Clock) {
    let left = Arc::clone(&turn.lock().left);
    loop {
        left.notified().await;
        turn.lock().settle(&broker, clock);
    }
}

/// One network thread.
pub(crate) struct Worker {
    pub(crate) handle: Handle,
    pub(crate) turn: Arc<Mutex<Turn>>,
    /// Each connection of it holds one of these.
    connections: Arc<()>,
    stop: Arc<Notify>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Worker {
    pub(crate) fn start(
        index: usize,
        broker: &Arc<Broker>,
        latency: &Arc<Latency>,
        clock: Clock,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(format!("hookmq-net-{index}"))
            .spawn(move || runtime.block_on(stopped.notified()))?;
        let (turn, connections) = (Arc::new(Mutex::new(Turn::new(broker, latency))), Arc::default());
        handle.spawn(write_left(Arc::clone(&turn), Arc::clone(broker), clock));
        Ok(Self { handle, turn, connections, stop, thread: Mutex::new(Some(thread)) })
    }

    /// Which of these has the fewest connections. Of equals it is the first, which is the one that accepts: what comes and
    /// goes costs no hop to another thread.
    pub(crate) fn with_room(workers: &[Self]) -> usize {
        let connections = |index: &usize| Arc::strong_count(&workers[*index].connections);
        (0..workers.len()).min_by_key(connections).unwrap_or(0)
    }

    /// A place for a connection, which is free again when it is dropped.
    pub(crate) fn place(&self) -> Arc<()> {
        Arc::clone(&self.connections)
    }

    /// Ends the thread and every task on it.
    pub(crate) fn stop(&self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.lock().take() {
            // A panic in a task was caught by the runtime; there is nothing to learn from the thread's end.
            let _ = thread.join();
        }
    }
}
