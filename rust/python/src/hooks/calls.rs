//! Threads that call functions which must answer: deciders and pages.

use std::sync::Arc;

use bytes::Bytes;
use hookmq_codec::{QoS, ReasonCode};
use hookmq_server::{Action, Request, Response, Step, Verdict};
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::sync::oneshot;

use super::queue::{Queue, Weigh};
use crate::client::Client;

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
            Self::Authenticate { reply, .. } | Self::Authorize { reply, .. } => reply.is_closed(),
            Self::Step { reply, .. } => reply.is_closed(),
            Self::Page { reply, .. } => reply.is_closed(),
            Self::Forget { .. } => false,
        }
    }
}

impl Weigh for Call {
    fn weight(&self) -> usize {
        match self {
            Self::Page { request, .. } => request.body.len(),
            _ => 0,
        }
    }
}

/// The answer to `authenticate` or `authorize`: call it once. What is dropped without a call denies.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct VerdictReply(Mutex<Option<oneshot::Sender<Verdict>>>);

#[pymethods]
impl VerdictReply {
    /// Allows, or denies with a reason code (an error of MQTT 5) and words.
    #[pyo3(signature = (allow, reason = 0x87, text = None))]
    fn __call__(&self, allow: bool, reason: u8, text: Option<String>) -> PyResult<()> {
        let verdict = match allow {
            true => Verdict::Allow,
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

/// The answer to a request for a page: call it once.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct PageReply(Mutex<Option<oneshot::Sender<Response>>>);

#[pymethods]
impl PageReply {
    /// Answers with a status code, headers and a body.
    fn __call__(&self, status: u16, headers: Vec<(String, String)>, body: &Bound<'_, PyBytes>) {
        if let Some(sender) = self.0.lock().take() {
            let body = Bytes::copy_from_slice(body.as_bytes());
            let _ = sender.send(Response { status, headers, body }); // the browser may be gone
        }
    }
}

/// A queue of questions and the loop of the threads that answer them. Several threads may run it, so that
/// a slow answer delays only who asked.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct CallPool {
    pub(crate) queue: Arc<Queue<Call>>,
    callbacks: Py<PyAny>,
}

impl CallPool {
    pub(crate) fn new(queue: Arc<Queue<Call>>, callbacks: Py<PyAny>) -> Self {
        Self { queue, callbacks }
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
                let Request { method, path, query, headers, body, address } = request;
                let headers: Vec<_> = headers
                    .into_iter()
                    .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
                    .collect();
                let body = PyBytes::new(py, &body);
                let reply = PageReply(Mutex::new(Some(reply)));
                let arguments = (method, path, query, headers, body, address.ip().to_string(), reply);
                callbacks.call_method1(py, "page", arguments)
            }
        }
    }
}

#[pymethods]
impl CallPool {
    /// Answers questions until `close()`.
    fn run(&self, py: Python<'_>) -> PyResult<()> {
        let mut taken = Vec::with_capacity(1);
        while py.detach(|| self.queue.take(&mut taken, 1, None)) {
            for call in taken.drain(..) {
                // The callbacks catch what hooks raise; an error here is ours, and denies.
                if let Err(error) = self.call(py, call) {
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
