//! What hooks that decide about messages return, read by the Python side.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hookmq_codec::ReasonCode;
use hookmq_engine::{Denied, Message as EngineMessage};
use pyo3::prelude::*;

use super::hook::Hook;
use crate::message::Message;

/// The Python side's readers: `outcome(message, returned)` gives the messages that take the place of one, and
/// `denial(name, error)` reads an exception: a reason code and words, or `None` after it reported a failure.
pub(crate) struct Outcomes {
    outcome: Py<PyAny>,
    denial: Py<PyAny>,
}

impl Outcomes {
    pub(crate) fn new(py: Python<'_>, callbacks: &Py<PyAny>) -> PyResult<Self> {
        let callback = |name| callbacks.getattr(py, name);
        Ok(Self { outcome: callback("outcome")?, denial: callback("denial")? })
    }

    /// The messages that a hook puts in the place of one. Otherwise why it refuses, or `None` if what it returned
    /// means nothing, which was reported.
    pub(crate) fn messages(
        &self,
        py: Python<'_>,
        hook: &Hook,
        message: &Py<Message>,
        returned: &Bound<'_, PyAny>,
    ) -> PyResult<Result<Vec<Arc<EngineMessage>>, Option<Denied>>> {
        let found = self.outcome.bind(py).call1((message, returned));
        match found.and_then(|found| found.extract::<Vec<PyRef<'_, Message>>>()) {
            Ok(found) => Ok(Ok(found.iter().map(|one| Arc::clone(&one.message)).collect())),
            Err(error) => Ok(Err(self.denial(py, hook, error)?)),
        }
    }

    /// The refusal that a hook raised; `None` if it failed, which was reported.
    pub(crate) fn denial(&self, py: Python<'_>, hook: &Hook, error: PyErr) -> PyResult<Option<Denied>> {
        let read = self.denial.bind(py).call1((&hook.name, error))?;
        let Some((reason, text)) = read.extract::<Option<(u8, String)>>()? else {
            hook.counters.errors.fetch_add(1, Relaxed);
            return Ok(None);
        };
        let reason = ReasonCode::from_value(reason).filter(|reason| reason.is_error());
        Ok(Some(Denied { reason: reason.unwrap_or(ReasonCode::NotAuthorized), text: Some(text.into()) }))
    }
}
