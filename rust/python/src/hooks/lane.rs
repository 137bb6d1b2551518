//! A thread that calls hooks which only observe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use hookmq_codec::ReasonCode;
use hookmq_engine::Sent;
use pyo3::prelude::*;

use super::hook::Hook;
use super::queue::{Queue, Weigh};
use crate::client::Client;
use crate::message::Message;
use crate::settings;

/// Events taken from the queue at a time.
const SLICE: usize = 256;

/// Roughly what an event takes besides its message.
const OVERHEAD: usize = 64;

/// Something a hook is told.
pub(crate) enum Happening {
    Message(Arc<hookmq_engine::Message>, Option<Sent>),
    Connected(Arc<hookmq_engine::Client>),
    Disconnected(Arc<hookmq_engine::Client>, ReasonCode, &'static str),
}

/// One call that is due.
pub(crate) struct Work {
    pub(crate) hook: Arc<Hook>,
    pub(crate) happening: Happening,
}

impl Weigh for Work {
    fn weight(&self) -> usize {
        OVERHEAD
            + match &self.happening {
                Happening::Message(message, _) => message.size(),
                _ => 0,
            }
    }
}

/// A queue of calls and the loop of the thread that makes them. First come, first called, so what one
/// client does is told in its order.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Lane {
    pub(crate) queue: Arc<Queue<Work>>,
    /// `(name, exception)` when a hook raised, `(name, count)` when events were dropped.
    failed: Py<PyAny>,
    dropped: Py<PyAny>,
    /// What waits was dropped, also what the thread has taken already.
    cleared: AtomicBool,
}

impl Lane {
    pub(crate) fn new(queue: Arc<Queue<Work>>, failed: Py<PyAny>, dropped: Py<PyAny>) -> Self {
        Self { queue, failed, dropped, cleared: AtomicBool::new(false) }
    }

    fn call(&self, py: Python<'_>, work: Work) -> PyResult<()> {
        let Work { hook, happening } = work;
        let counters = &hook.counters;
        counters.queued.fetch_sub(1, Relaxed);
        if hook.removed.load(Relaxed) || self.cleared.load(Relaxed) {
            return Ok(());
        }
        counters.calls.fetch_add(1, Relaxed);
        let started = Instant::now();
        let result = match happening {
            Happening::Message(message, sent) => {
                let topic = message.topic.clone();
                Py::new(py, Message { message, sent })
                    .and_then(|message| hook.call(py, &[message.into_any()], &topic))
            }
            Happening::Connected(client) => {
                Py::new(py, Client { client }).and_then(|client| hook.call(py, &[client.into_any()], ""))
            }
            Happening::Disconnected(client, reason, detail) => {
                let text = format!("{detail} ({reason})").into_pyobject(py)?.into_any().unbind();
                Py::new(py, Client { client })
                    .and_then(|client| hook.call(py, &[client.into_any(), text], ""))
            }
        };
        counters.busy.fetch_add(started.elapsed().as_nanos() as u64, Relaxed);
        if let Err(error) = result {
            counters.errors.fetch_add(1, Relaxed);
            self.failed.call1(py, (&hook.name, error))?;
        }
        let lost = counters.dropped.load(Relaxed);
        let reported = counters.reported.swap(lost, Relaxed);
        if lost > reported {
            self.dropped.call1(py, (&hook.name, lost - reported))?;
        }
        Ok(())
    }
}

#[pymethods]
impl Lane {
    /// Calls hooks until `close()` and nothing waits any more. The thread stays attached to the
    /// interpreter but for the time it waits.
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        let mut slice = Vec::with_capacity(SLICE);
        while py.detach(|| self.queue.take(&mut slice, SLICE, None)) {
            let count = slice.len();
            for work in slice.drain(..) {
                self.call(py, work)?;
            }
            self.queue.done(count);
        }
        Ok(())
    }

    /// Lets the loop end when what waits was called.
    fn close(&self) {
        self.queue.close();
    }

    /// Drops what waits, and what comes: for the end.
    fn clear(&self) {
        self.cleared.store(true, Relaxed);
        self.queue.clear();
    }

    /// Waits until everything that happened before was told, at most `timeout` seconds. `False` if
    /// the time was over first.
    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = settings::timeout(timeout)?;
        Ok(py.detach(|| self.queue.wait_done(timeout)))
    }
}
