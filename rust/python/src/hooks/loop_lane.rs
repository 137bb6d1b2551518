//! Calls for coroutines: an asyncio loop takes them out itself, so that no thread stands in between.

use std::hash::BuildHasher as _;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Instant;

use hookmq_engine::Receipt;
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::hook::Hook;
use super::lane::{Lane, SLICE, Work};

/// What the loop is given of one call.
type Call<'py> = (Py<CallToken>, Py<PyAny>, Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>, u64);

/// A lane whose calls an event loop makes. The loop watches a file descriptor, which is how network threads
/// wake it without entering Python.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct LoopLane {
    lane: Py<Lane>,
    slice: Mutex<std::vec::IntoIter<Work>>,
    listener: UnixStream,
}

impl LoopLane {
    pub(crate) fn new(py: Python<'_>, lane: Lane) -> PyResult<Self> {
        let (bell, listener) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        listener.set_nonblocking(true)?;
        lane.queue.set_bell(move || {
            // Full of rings, or closed: either way nobody needs another.
            let _ = (&bell).write(&[1]);
        });
        Ok(Self { lane: Py::new(py, lane)?, slice: Mutex::default(), listener })
    }

    fn next_work(&self, lane: &Lane) -> Option<(Arc<Hook>, Work)> {
        let mut slice = self.slice.lock();
        loop {
            let work = match slice.next() {
                Some(work) => work,
                None => {
                    let mut taken = Vec::with_capacity(SLICE);
                    if !lane.queue.take_now(&mut taken, SLICE) {
                        return None;
                    }
                    *slice = taken.into_iter();
                    continue;
                }
            };
            match lane.hooks.get(work.hook).filter(|hook| !lane.is_over(hook)) {
                Some(hook) => return Some((hook, work)),
                None => lane.queue.done(1),
            }
        }
    }
}

/// The same for calls that must be made one after the other; for others very likely another.
fn order_of(hook: &Hook, client_id: &str) -> u64 {
    static ORDERS: std::sync::OnceLock<hashbrown::DefaultHashBuilder> = std::sync::OnceLock::new();
    ORDERS.get_or_init(Default::default).hash_one((hook.number, client_id))
}

#[pymethods]
impl LoopLane {
    /// The next call: a token to give back when it is over, the function, its arguments, the topic's levels
    /// by name (or `None`), and a number for the hook and client in whose order it belongs. `None` when nothing
    /// waits.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Call<'py>>> {
        let lane = self.lane.get();
        let Some((hook, work)) = self.next_work(lane) else { return Ok(None) };
        let began = Instant::now();
        hook.counters.begin(began, work.at, 1);
        let arguments = work.happening.arguments(py, hook.bare)?;
        let arguments = PyTuple::new(py, &arguments[..hook.positional.min(arguments.len())])?;
        let named = hook.named(py, work.happening.topic())?;
        let order = order_of(&hook, work.happening.client_id());
        let function = hook.function.clone_ref(py);
        let going = Some((hook, work.receipt));
        let token = CallToken { lane: self.lane.clone_ref(py), began, going: Mutex::new(going) };
        Ok(Some((Py::new(py, token)?, function, arguments, named, order)))
    }

    /// The queue, for waiting until it is worked off and for its end.
    #[getter]
    fn lane(&self, py: Python<'_>) -> Py<Lane> {
        self.lane.clone_ref(py)
    }

    /// Calls that wait.
    fn __len__(&self) -> usize {
        self.slice.lock().len() + self.lane.get().queue.len()
    }

    /// A file descriptor that becomes readable when calls come.
    fn fileno(&self) -> i32 {
        self.listener.as_raw_fd()
    }

    /// Forgets the rings of the bell.
    fn silence(&self) {
        let mut rings = [0u8; 64];
        while (&self.listener).read(&mut rings).is_ok_and(|read| read == rings.len()) {}
    }
}

/// A call that goes on.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct CallToken {
    lane: Py<Lane>,
    began: Instant,
    going: Mutex<Option<(Arc<Hook>, Option<Receipt>)>>,
}

#[pymethods]
impl CallToken {
    /// The call is over, with what it raised if it did.
    #[pyo3(signature = (error = None))]
    fn done(&self, py: Python<'_>, error: Option<Bound<'_, PyAny>>) -> PyResult<()> {
        let Some((hook, receipt)) = self.going.lock().take() else { return Ok(()) };
        let lane = self.lane.get();
        hook.counters.end(Instant::now(), self.began);
        match error {
            None => receipt.into_iter().for_each(Receipt::keep),
            Some(error) => lane.report(py, &hook, PyErr::from_value(error))?,
        }
        lane.report_dropped(py, &hook)?;
        lane.queue.done(1);
        Ok(())
    }

    /// The hook's name.
    #[getter]
    fn name(&self) -> String {
        self.going.lock().as_ref().map(|(hook, _)| hook.name.clone()).unwrap_or_default()
    }
}

impl Drop for CallToken {
    /// A call that was given up is over as well.
    fn drop(&mut self) {
        if self.going.get_mut().take().is_some() {
            self.lane.get().queue.done(1);
        }
    }
}
