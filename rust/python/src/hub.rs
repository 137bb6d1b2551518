//! WebSockets of pages, as Python sees them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use hookmq_server::HubEvent;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::hooks::calls::request_tuple;
use crate::hooks::forked;
use crate::hooks::lane::name_thread;
use crate::hooks::line::Weigh;
use crate::hooks::queue::{Overflow, Queue};
use crate::settings;

/// Something that happened to a WebSocket.
pub(crate) struct SocketEvent {
    pub(crate) number: u64,
    pub(crate) event: HubEvent,
    pub(crate) observer: Arc<Py<PyAny>>,
}

impl Weigh for SocketEvent {
    type Run = std::iter::Empty<Self>;

    fn weight(&self) -> usize {
        64 + match &self.event {
            HubEvent::Text(text) => text.len(),
            HubEvent::Binary(data) => data.len(),
            HubEvent::Open(_) | HubEvent::Close => 0,
        }
    }
}

/// The queue of what happens to WebSockets, and the loop of the thread that tells it.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct SocketLane {
    pub(crate) queue: Arc<Queue<SocketEvent>>,
    pub(crate) failed: Py<PyAny>,
    /// Changes when another thread takes over.
    pub(crate) generation: AtomicU64,
}

impl SocketLane {
    fn tell(py: Python<'_>, SocketEvent { number, event, observer, .. }: SocketEvent) -> PyResult<()> {
        let none = || py.None();
        let (kind, data, request) = match event {
            HubEvent::Open(request) => ("open", none(), request_tuple(py, request)?.unbind().into_any()),
            HubEvent::Text(text) => ("message", PyString::new(py, &text).into_any().unbind(), none()),
            HubEvent::Binary(data) => ("message", PyBytes::new(py, &data).into_any().unbind(), none()),
            HubEvent::Close => ("close", none(), none()),
        };
        observer.bind(py).call1((kind, number, data, request)).map(|_| ())
    }
}

#[pymethods]
impl SocketLane {
    /// Tells what happens until `close()` and nothing waits any more.
    fn run(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        name_thread(name);
        let generation = self.generation.load(Relaxed);
        let mut taken = Vec::with_capacity(1);
        while self.queue.take_now(&mut taken, 1) || py.detach(|| self.queue.take(&mut taken, 1, None)) {
            for event in taken.drain(..) {
                let told = Self::tell(py, event);
                forked::end_if_child(py)?;
                if let Err(error) = told {
                    self.failed.call1(py, ("a WebSocket of a page", error))?;
                }
            }
            self.queue.done(1);
            if self.generation.load(Relaxed) != generation {
                break; // it was given up, and another thread goes on
            }
        }
        Ok(())
    }

    /// Lets another thread take over from one that does not come back: it is to call `run()` next.
    fn take_over(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// Waits until everything that happened before was told, at most `timeout` seconds.
    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = settings::timeout(timeout)?;
        Ok(py.detach(|| self.queue.wait_done(timeout)))
    }

    /// Lets the loop end.
    fn close(&self) {
        self.queue.close();
    }
}

/// A place for WebSockets of pages.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Hub(pub(crate) Arc<hookmq_server::Hub>);

impl Hub {
    /// A place whose events are told to `observer(kind, socket, data, request)` by the thread of this queue.
    pub(crate) fn new(queue: Arc<Queue<SocketEvent>>, observer: Py<PyAny>) -> Self {
        let observer = Arc::new(observer);
        Self(hookmq_server::Hub::new(move |number, event| {
            let overflow = match event {
                HubEvent::Text(_) | HubEvent::Binary(_) => Overflow::DropNewest,
                HubEvent::Open(_) | HubEvent::Close => Overflow::Block, // these must not get lost
            };
            queue.push(SocketEvent { number, event, observer: Arc::clone(&observer) }, overflow);
        }))
    }
}

/// One socket or several.
#[derive(FromPyObject)]
enum Sockets {
    One(u64),
    Several(Vec<u64>),
}

impl Sockets {
    fn numbers(&self) -> &[u64] {
        match self {
            Self::One(number) => std::slice::from_ref(number),
            Self::Several(numbers) => numbers,
        }
    }
}

impl Hub {
    fn send_as(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        to: Option<&Sockets>,
        key: Option<&str>,
    ) -> PyResult<usize> {
        let to = to.map(Sockets::numbers);
        if let Ok(text) = data.cast::<PyString>() {
            let text = text.to_cow()?.into_owned();
            return Ok(py.detach(|| self.0.send(text.as_bytes(), true, to, key)));
        }
        let data: Vec<u8> = data.extract()?;
        Ok(py.detach(|| self.0.send(&data, false, to, key)))
    }
}

#[pymethods]
impl Hub {
    /// Sends text or bytes to one socket, to some or to all; to how many it is on its way.
    #[pyo3(signature = (data, socket = None))]
    fn send(&self, py: Python<'_>, data: &Bound<'_, PyAny>, socket: Option<Sockets>) -> PyResult<usize> {
        self.send_as(py, data, socket.as_ref(), None)
    }

    /// Sends text or bytes in the place of what waits for these sockets under the same key; to how many it is on its way.
    fn send_latest(
        &self,
        py: Python<'_>,
        data: &Bound<'_, PyAny>,
        to: Sockets,
        key: &str,
    ) -> PyResult<usize> {
        self.send_as(py, data, Some(&to), Some(key))
    }

    /// Whether something that was sent to a socket has not been handed to the system yet.
    fn is_waiting(&self, socket: u64) -> bool {
        self.0.is_waiting(socket)
    }

    /// Closes one socket or all, with a status code of WebSocket.
    #[pyo3(signature = (socket = None, code = 1000))]
    fn close(&self, py: Python<'_>, socket: Option<u64>, code: u16) {
        py.detach(|| self.0.close(socket, code));
    }

    /// How many there are.
    #[getter]
    fn count(&self) -> usize {
        self.0.count()
    }

    /// How many were closed because they did not keep up.
    #[getter]
    fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}
