//! Messages for a Python iterator.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};

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
    /// Made when somebody asks for the end to watch: most inboxes are only looked into, and descriptors are few.
    bell: OnceLock<Bell>,
}

struct Bell {
    rung: UnixStream,
    watched: UnixStream,
}

impl Bell {
    fn new() -> std::io::Result<Self> {
        let (rung, watched) = UnixStream::pair()?;
        rung.set_nonblocking(true)?;
        watched.set_nonblocking(true)?;
        Ok(Self { rung, watched })
    }
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
        if let Some(Bell { rung, .. }) = self.bell.get() {
            // Full of rings, or closed: either way nobody needs another.
            let _ = (&*rung).write(&[1]);
        }
    }
}

/// Messages of one subscription of this process, the oldest first.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Inbox {
    pub(crate) queue: Arc<InboxQueue>,
}

impl Inbox {
    pub(crate) fn new(max_messages: usize, max_bytes: usize) -> Self {
        let queue = InboxQueue { queue: Queue::new(max_messages, max_bytes), bell: OnceLock::new() };
        Self { queue: Arc::new(queue) }
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

    /// A file descriptor that becomes readable when messages come. Raises `OSError` if there is none left.
    fn fileno(&self) -> PyResult<i32> {
        let queue = &*self.queue;
        if queue.bell.get().is_none() {
            let _ = queue.bell.set(Bell::new()?); // another thread's is as good
            if queue.queue.len() > 0 || queue.queue.is_closed() {
                queue.ring(); // for what came before
            }
        }
        Ok(queue.bell.get().map_or(-1, |bell| bell.watched.as_raw_fd()))
    }

    /// Forgets the rings of the bell.
    fn silence(&self) {
        use std::io::Read;
        let mut rings = [0u8; 64];
        let Some(Bell { watched, .. }) = self.queue.bell.get() else { return };
        while (&*watched).read(&mut rings).is_ok_and(|read| read == rings.len()) {}
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
