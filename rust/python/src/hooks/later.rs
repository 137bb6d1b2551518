//! `transform` hooks that are coroutines: the event loop asks them, so that no thread waits for their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use hookmq_codec::ReasonCode;
use hookmq_engine::{Client as EngineClient, Denied, Message as EngineMessage};
use hookmq_server::{Asked, Transformed};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use tokio::sync::oneshot;

use super::hook::Hook;
use super::runtime::Runtime;
use super::transforms::owned;
use crate::client::Client;
use crate::message::Message;

/// A hook that is to be asked about messages.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Asking {
    hook: Arc<Hook>,
    queued: Instant,
    began: Mutex<Option<Instant>>,
}

#[pymethods]
impl Asking {
    /// Calls the function; what it returns may have to be awaited. Raises what it raises.
    fn begin<'py>(
        &self,
        py: Python<'py>,
        message: Py<Message>,
        client: Py<Client>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let began = Instant::now();
        *self.began.lock() = Some(began);
        self.hook.counters.begin(began, self.queued, 1);
        let topic = message.get().message.topic.clone();
        self.hook.call(py, &[message.into_any(), client.into_any()], &topic)
    }

    /// The call is over; `failed` if it counts as an error.
    fn end(&self, failed: bool) {
        if let Some(began) = self.began.lock().take() {
            self.hook.counters.end(Instant::now(), began);
        }
        if failed {
            self.hook.counters.errors.fetch_add(1, Relaxed);
        }
    }

    /// The hook's name.
    #[getter]
    fn name(&self) -> &str {
        &self.hook.name
    }

    /// Whether the hook is paused: then it refuses.
    #[getter]
    fn paused(&self) -> bool {
        self.hook.paused.load(Relaxed)
    }
}

/// The answer to a question about publishes: call it once. What is dropped without a call has failed.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct TransformReply {
    client: Arc<EngineClient>,
    progress: Arc<AtomicUsize>,
    sender: Mutex<Option<oneshot::Sender<Vec<Transformed>>>>,
}

#[pymethods]
impl TransformReply {
    /// One more is decided: whoever waits sees that it goes on.
    fn advance(&self) {
        self.progress.fetch_add(1, Relaxed);
    }

    /// Answers for each publish, in order: `None` leaves it, a list of messages takes its place, a reason code with
    /// words refuses it, `False` says that it could not be found out.
    fn __call__(&self, answers: Vec<Bound<'_, PyAny>>) -> PyResult<()> {
        let read = answers.iter().map(|answer| self.read(answer)).collect::<PyResult<_>>()?;
        if let Some(sender) = self.sender.lock().take() {
            let _ = sender.send(read); // the client may be gone
        }
        Ok(())
    }
}

impl TransformReply {
    fn read(&self, answer: &Bound<'_, PyAny>) -> PyResult<Transformed> {
        if answer.is_none() {
            return Ok(Transformed::Keep);
        }
        if let Ok(messages) = answer.cast::<PyList>() {
            let messages: Vec<PyRef<'_, Message>> = messages.extract()?;
            let owned = messages.iter().map(|one| owned(&one.message, &self.client)).collect();
            return Ok(Transformed::Instead(owned));
        }
        if let Ok(refusal) = answer.cast::<PyTuple>() {
            let (reason, text): (u8, String) = refusal.extract()?;
            let reason = ReasonCode::from_value(reason).filter(|reason| reason.is_error());
            let reason = reason.unwrap_or(ReasonCode::NotAuthorized);
            return Ok(Transformed::Refuse(Denied { reason, text: Some(text.into()) }));
        }
        Ok(Transformed::Failed)
    }
}

/// Hands a question to the event loop: `ask(questions, client, reply)`, where a question is a message and the
/// hooks to ask about it.
pub(crate) fn hand_over(
    py: Python<'_>,
    runtime: &Runtime,
    ask: &Bound<'_, PyAny>,
    client: Arc<EngineClient>,
    asked: &[Asked],
    (at, progress, sender): (Instant, Arc<AtomicUsize>, oneshot::Sender<Vec<Transformed>>),
) -> PyResult<()> {
    let mut questions = Vec::with_capacity(asked.len());
    for Asked { publish, taps } in asked {
        let message = EngineMessage::from_publish(publish.clone(), Arc::clone(&client.id), runtime.now());
        let message = Py::new(py, Message::received(Arc::new(message.detached())))?;
        let mut hooks = Vec::new();
        for hook in runtime.transforms(taps, &publish.topic) {
            hooks.push(Py::new(py, Asking { hook, queued: at, began: Mutex::new(None) })?);
        }
        questions.push((message, hooks));
    }
    let sender = Mutex::new(Some(sender));
    let reply = TransformReply { client: Arc::clone(&client), progress, sender };
    ask.call1((questions, Client { client }, reply)).map(|_| ())
}
