//! The network threads: each a single-threaded runtime with its connections pinned to it.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::BytesMut;
use hookmq_engine::{Batch, Broker};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;

/// Bytes read at a time.
pub(crate) const READ_SIZE: usize = 64 << 10;

/// What the connections of one thread share: the batch and the buffer they read into. Only that thread
/// locks it, and never across an await, so the lock is free whenever it is wanted.
pub(crate) struct Turn {
    pub(crate) batch: Batch,
    /// Empty between turns. Idle connections have no read buffer of their own.
    pub(crate) buffer: BytesMut,
}

impl Turn {
    /// For the connections of one thread.
    pub(crate) fn new(broker: &Broker) -> Self {
        Self { batch: broker.batch(), buffer: BytesMut::with_capacity(READ_SIZE) }
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
    pub(crate) fn start(index: usize, broker: &Broker) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
        let handle = runtime.handle().clone();
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name(format!("hookmq-net-{index}"))
            .spawn(move || runtime.block_on(stopped.notified()))?;
        let turn = Turn::new(broker);
        let (turn, connections) = (Arc::new(Mutex::new(turn)), Arc::default());
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
