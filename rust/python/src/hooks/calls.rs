//! Threads that call functions which must answer: deciders and pages.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmq_codec::{QoS, ReasonCode};
use hookmq_server::body::PIECE;
use hookmq_server::{Action, Asked, Body, NotTaken, Request, Response, Step, Terms, Transformed, Verdict};
use parking_lot::Mutex;
use pyo3::exceptions::{PyBrokenPipeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};
use tokio::sync::oneshot;

use super::forked;
use super::lane::name_thread;
use super::later;
use super::line::Weigh;
use super::outcome::Outcomes;
use super::queue::Queue;
use super::runtime::Runtime;
use super::transforms;
use crate::client::Client;
use crate::settings;

/// A question that waits for a thread.
pub(crate) enum Call {
    Authenticate {
        client: Arc<hookmq_engine::Client>,
        /// Whether somebody else knows the client already.
        vouched: bool,
        reply: oneshot::Sender<Verdict>,
    },
    Authorize {
        client: Arc<hookmq_engine::Client>,
        action: Action,
        topic: String,
        qos: QoS,
        retain: bool,
        reply: oneshot::Sender<Verdict>,
    },
    /// Whether a client that is who it says it is may connect.
    Greet {
        client: Arc<hookmq_engine::Client>,
        reply: oneshot::Sender<Verdict>,
    },
    /// What becomes of publishes.
    Transform {
        client: Arc<hookmq_engine::Client>,
        asked: Arc<Vec<Asked>>,
        at: Instant,
        /// Counts what is decided, so that whoever waits sees that it goes on.
        progress: Arc<AtomicUsize>,
        reply: oneshot::Sender<Vec<Transformed>>,
    },
    /// A client's step in an enhanced authentication.
    Step {
        exchange: u64,
        method: Arc<str>,
        client: Arc<hookmq_engine::Client>,
        data: Bytes,
        reply: oneshot::Sender<Step>,
    },
    /// An enhanced authentication is over.
    Forget {
        exchange: u64,
    },
    Page {
        request: Request,
        reply: oneshot::Sender<Response>,
    },
}

impl Call {
    /// Whether nobody waits for the answer any more. Answering such questions would keep a queue that has
    /// grown long from ever getting short again.
    fn is_late(&self) -> bool {
        match self {
            Self::Authenticate { reply, .. } | Self::Authorize { reply, .. } | Self::Greet { reply, .. } => {
                reply.is_closed()
            }
            Self::Transform { reply, .. } => reply.is_closed(),
            Self::Step { reply, .. } => reply.is_closed(),
            Self::Page { reply, .. } => reply.is_closed(),
            Self::Forget { .. } => false,
        }
    }
}

impl Weigh for Call {
    type Run = std::iter::Empty<Self>;

    fn weight(&self) -> usize {
        match self {
            Self::Page { request, .. } => request.body.len(),
            Self::Transform { asked, .. } => asked.iter().map(|one| one.publish.payload.len()).sum(),
            _ => 0,
        }
    }
}

/// The answer to `authenticate` or `authorize`: call it once. What is dropped without a call denies.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct VerdictReply(Mutex<Option<oneshot::Sender<Verdict>>>);

#[pymethods]
impl VerdictReply {
    /// Allows: with a QoS at most, as another user, for so many seconds. Or denies with a reason code (an error
    /// of MQTT 5) and words.
    #[pyo3(signature = (allow, reason = 0x87, text = None, *, qos = 2, user = None, ttl = 0.0))]
    fn __call__(
        &self,
        allow: bool,
        reason: u8,
        text: Option<String>,
        qos: u8,
        user: Option<String>,
        ttl: f64,
    ) -> PyResult<()> {
        let verdict = match allow {
            true => Verdict::Allow(Terms {
                qos: QoS::from_value(qos).ok_or_else(|| PyValueError::new_err("qos must be 0, 1 or 2"))?,
                user,
                lasts: settings::timeout(ttl)?,
            }),
            false => {
                let reason = ReasonCode::from_value(reason).filter(|reason| reason.is_error());
                let reason = reason.ok_or_else(|| {
                    PyValueError::new_err("a denial needs a reason code of MQTT 5 from 0x80 on")
                })?;
                Verdict::Deny { reason, text }
            }
        };
        if let Some(sender) = self.0.lock().take() {
            let _ = sender.send(verdict); // too late: the time was over and it was denied
        }
        Ok(())
    }
}

/// The answer to a step of an enhanced authentication: one call of one method. What is dropped denies.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct StepReply(Mutex<Option<oneshot::Sender<Step>>>);

impl StepReply {
    fn send(&self, step: Step) {
        if let Some(sender) = self.0.lock().take() {
            let _ = sender.send(step);
        }
    }
}

#[pymethods]
impl StepReply {
    /// Sends the client a challenge.
    fn go_on(&self, data: &[u8]) {
        self.send(Step::Continue(Bytes::copy_from_slice(data)));
    }

    /// Lets the client in, with last data for it.
    fn allow(&self, data: &[u8]) {
        self.send(Step::Success { data: Bytes::copy_from_slice(data), user: None });
    }

    /// Denies with a reason code (an error of MQTT 5) and words.
    #[pyo3(signature = (reason = 0x87, text = None))]
    fn deny(&self, reason: u8, text: Option<String>) {
        let reason = ReasonCode::from_value(reason).filter(|reason| reason.is_error());
        self.send(Step::Deny { reason: reason.unwrap_or(ReasonCode::NotAuthorized), text });
    }
}

/// The answer to a request for a page: one call, or one call of one method.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct PageReply(Mutex<Option<oneshot::Sender<Response>>>);

impl PageReply {
    fn send(&self, status: u16, headers: Vec<(String, String)>, body: Body) {
        if let Some(sender) = self.0.lock().take() {
            let _ = sender.send(Response { status, headers, body }); // the browser may be gone
        }
    }
}

#[pymethods]
impl PageReply {
    /// Whether nobody waits for an answer any more: the browser is gone, or was told that it took too long.
    #[getter]
    fn gone(&self) -> bool {
        self.0.lock().as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Answers with a status code, headers and a body.
    fn __call__(&self, status: u16, headers: Vec<(String, String)>, body: &Bound<'_, PyBytes>) {
        self.send(status, headers, Bytes::copy_from_slice(body.as_bytes()).into());
    }

    /// Answers with a status code and headers now, and with a body that is written piece by piece.
    fn stream(&self, status: u16, headers: Vec<(String, String)>) -> BodySink {
        let (sink, body) = Body::stream();
        self.send(status, headers, body);
        BodySink(sink)
    }

    /// Answers with `length` bytes of a file from `start` on. Raises `OSError` if it cannot be opened; the answer
    /// can still be given then.
    fn file(
        &self,
        status: u16,
        mut headers: Vec<(String, String)>,
        path: &str,
        start: u64,
        length: u64,
    ) -> PyResult<()> {
        let body = Body::file(path, start, length)?;
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
        headers.push(("content-length".to_owned(), length.to_string()));
        self.send(status, headers, body);
        Ok(())
    }
}

/// Where the body of a response is written to. One that is dropped before `close()` breaks the response off.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct BodySink(hookmq_server::BodySink);

/// How long a writer that waits for room sleeps.
const LOOK: Duration = Duration::from_millis(2);

#[pymethods]
impl BodySink {
    /// Adds a piece, waiting for room at most `timeout` seconds. `False` when the browser is gone or the time is
    /// over.
    #[pyo3(signature = (data, timeout = None))]
    fn send(&self, py: Python<'_>, data: &[u8], timeout: Option<f64>) -> PyResult<bool> {
        let timeout = timeout.map(settings::timeout).transpose()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        for piece in data.chunks(PIECE) {
            let piece = Bytes::copy_from_slice(piece);
            let taken = py.detach(|| {
                loop {
                    match self.0.offer(piece.clone()) {
                        Ok(()) => return true,
                        Err(NotTaken::Gone) => return false,
                        Err(NotTaken::Full)
                            if deadline.is_some_and(|deadline| Instant::now() >= deadline) =>
                        {
                            return false;
                        }
                        Err(NotTaken::Full) => std::thread::sleep(LOOK),
                    }
                }
            });
            if !taken {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds a piece if there is room for it now. Raises `BrokenPipeError` when the browser is gone.
    fn offer(&self, data: &[u8]) -> PyResult<bool> {
        let gone = || PyBrokenPipeError::new_err("the browser is gone");
        if data.is_empty() {
            return if self.0.is_gone() { Err(gone()) } else { Ok(true) };
        }
        match self.0.offer(Bytes::copy_from_slice(data)) {
            Ok(()) => Ok(true),
            Err(NotTaken::Full) => Ok(false),
            Err(NotTaken::Gone) => Err(gone()),
        }
    }

    /// Says that the body is complete.
    fn close(&self, py: Python<'_>) {
        py.detach(|| {
            while self.0.end() == Err(NotTaken::Full) {
                std::thread::sleep(LOOK);
            }
        });
    }
}

/// A request as the Python side takes it: method, path, query, headers, body, address.
pub(crate) fn request_tuple(py: Python<'_>, request: Request) -> PyResult<Bound<'_, PyTuple>> {
    let Request { method, path, query, headers, body, address } = request;
    let headers: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    (method, path, query, headers, PyBytes::new(py, &body), address.ip().to_string()).into_pyobject(py)
}

/// A queue of questions and the loop of the threads that answer them. Several threads may run it, so that
/// a slow answer delays only who asked.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct CallPool {
    pub(crate) queue: Arc<Queue<Call>>,
    callbacks: Py<PyAny>,
    runtime: Arc<Runtime>,
    outcomes: Outcomes,
}

impl CallPool {
    pub(crate) fn new(
        py: Python<'_>,
        queue: Arc<Queue<Call>>,
        callbacks: Py<PyAny>,
        runtime: Arc<Runtime>,
    ) -> PyResult<Self> {
        Ok(Self { queue, outcomes: Outcomes::new(py, &callbacks)?, callbacks, runtime })
    }

    fn call(&self, py: Python<'_>, call: Call) -> PyResult<Py<PyAny>> {
        let callbacks = &self.callbacks;
        if call.is_late() {
            return Ok(py.None());
        }
        match call {
            Call::Authenticate { client, vouched, reply } => {
                let reply = VerdictReply(Mutex::new(Some(reply)));
                callbacks.call_method1(py, "authenticate", (Client { client }, vouched, reply))
            }
            Call::Greet { client, reply } => {
                let reply = VerdictReply(Mutex::new(Some(reply)));
                callbacks.call_method1(py, "greet", (Client { client }, reply))
            }
            Call::Transform { client, asked, at, progress, reply } if self.runtime.asks_later(&asked) => {
                let ask = callbacks.getattr(py, "transform")?;
                later::hand_over(py, &self.runtime, ask.bind(py), client, &asked, (at, progress, reply))?;
                Ok(py.None())
            }
            Call::Transform { client, asked, at, progress, reply } => {
                let about = (&client, &**asked, at, &*progress);
                let answers = transforms::ask(py, &self.runtime, &self.outcomes, about)?;
                drop(asked); // so that the connection has it for itself
                let _ = reply.send(answers); // the client may be gone
                Ok(py.None())
            }
            Call::Step { exchange, method, client, data, reply } => {
                let reply = StepReply(Mutex::new(Some(reply)));
                let data = PyBytes::new(py, &data);
                callbacks.call_method1(py, "step", (exchange, &*method, Client { client }, data, reply))
            }
            Call::Forget { exchange } => callbacks.call_method1(py, "forget", (exchange,)),
            Call::Authorize { client, action, topic, qos, retain, reply } => {
                let reply = VerdictReply(Mutex::new(Some(reply)));
                let arguments = (Client { client }, action.name(), topic, qos.value(), retain, reply);
                callbacks.call_method1(py, "authorize", arguments)
            }
            Call::Page { request, reply } => {
                let reply = Py::new(py, PageReply(Mutex::new(Some(reply))))?;
                let mut arguments: Vec<_> = request_tuple(py, request)?.into_iter().collect();
                arguments.push(reply.into_bound(py).into_any());
                callbacks.call_method1(py, "page", PyTuple::new(py, arguments)?)
            }
        }
    }
}

#[pymethods]
impl CallPool {
    /// Answers questions until `close()`.
    fn run(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        name_thread(name);
        let mut taken = Vec::with_capacity(1);
        while self.queue.take_now(&mut taken, 1) || py.detach(|| self.queue.take(&mut taken, 1, None)) {
            for call in taken.drain(..) {
                let answered = self.call(py, call);
                forked::end_if_child(py)?;
                // The callbacks catch what hooks raise; an error here is ours, and denies.
                if let Err(error) = answered {
                    self.callbacks.call_method1(py, "failed", ("decider", error))?;
                }
            }
            self.queue.done(1);
        }
        Ok(())
    }

    /// Lets the loops end.
    fn close(&self) {
        self.queue.close();
    }
}
