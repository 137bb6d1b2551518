//! Messages for a Python iterator.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::hooks::line::Weigh;
use crate::hooks::queue::{Overflow, Queue};
use crate::message::Message;
use crate::settings;

/// A message that waits for the iterator.
pub(crate) struct Waiting(pub(crate) Arc<hookmq_engine::Message>);

impl Weigh for Waiting {
    type Run = std::iter::Empty<Self>;

    fn weight(&self) -> usize {
        self.0.size()
    }
}

/// Where a subscription's messages wait. An asyncio loop watches one end of a socket pair, so that a
/// network thread can wake it without entering Python.
pub(crate) struct InboxQueue {
    pub(crate) queue: Queue<Waiting>,
    bell: UnixStream,
}

impl InboxQueue {
    pub(crate) fn push(&self, message: Arc<hookmq_engine::Message>) {
        let pushed = self.queue.push(Waiting(message), Overflow::DropOldest);
        if pushed.was_empty {
            self.ring();
        }
    }

    /// Puts messages in front of those that came meanwhile.
    pub(crate) fn prepend(&self, messages: Vec<Arc<hookmq_engine::Message>>) {
        self.queue.prepend(messages.into_iter().map(Waiting).collect());
        self.ring();
    }

    fn ring(&self) {
        // Full of rings, or closed: either way nobody needs another.
        let _ = (&self.bell).write(&[1]);
    }
}

/// Messages of one subscription of this process, the oldest first.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Inbox {
    pub(crate) queue: Arc<InboxQueue>,
    /// The end an event loop watches.
    listener: UnixStream,
}

impl Inbox {
    pub(crate) fn new(max_messages: usize) -> std::io::Result<Self> {
        let (bell, listener) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        listener.set_nonblocking(true)?;
        let queue = InboxQueue { queue: Queue::new(max_messages, usize::MAX), bell };
        Ok(Self { queue: Arc::new(queue), listener })
    }
}

#[pymethods]
impl Inbox {
    /// The next message; `None` when there is none within `timeout` seconds (for ever if it is `None`) or
    /// after `close()`.
    #[pyo3(signature = (timeout = None))]
    fn take(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<Option<Message>> {
        let timeout = timeout.map(settings::timeout).transpose()?;
        let mut taken = Vec::with_capacity(1);
        py.detach(|| self.queue.queue.take(&mut taken, 1, timeout));
        Ok(taken.pop().map(|Waiting(message)| Message::received(message)))
    }

    /// A file descriptor that becomes readable when messages come.
    fn fileno(&self) -> i32 {
        self.listener.as_raw_fd()
    }

    /// Forgets the rings of the bell.
    fn silence(&self) {
        use std::io::Read;
        let mut rings = [0u8; 64];
        while (&self.listener).read(&mut rings).is_ok_and(|read| read == rings.len()) {}
    }

    /// Ends the subscription's iteration once what waits was taken.
    fn close(&self) {
        self.queue.queue.close();
        self.queue.ring();
    }

    /// Whether `close()` was called.
    #[getter]
    fn closed(&self) -> bool {
        self.queue.queue.is_closed()
    }

    /// Messages that wait.
    fn __len__(&self) -> usize {
        self.queue.queue.len()
    }

    /// Messages that were dropped because the iterator was too slow.
    #[getter]
    fn dropped(&self) -> u64 {
        self.queue.queue.dropped()
    }
}
