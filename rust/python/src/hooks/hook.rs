//! A registered function and its counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use hookmq_codec::TopicFilter;
use hookmq_engine::TapId;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::queue::Overflow;

/// A function that observes.
pub(crate) struct Hook {
    /// What Python calls the hook in reports.
    pub(crate) name: String,
    pub(crate) function: Py<PyAny>,
    /// Arguments the function takes by position, at most.
    pub(crate) positional: usize,
    /// Topic levels that are handed over by name.
    pub(crate) levels: Vec<(usize, Py<PyString>)>,
    pub(crate) overflow: Overflow,
    pub(crate) counters: Counters,
    /// What was removed is not called any more, even if events for it wait.
    pub(crate) removed: AtomicBool,
}

/// What a hook counted.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) calls: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) queued: AtomicUsize,
    /// Nanoseconds spent in the function.
    pub(crate) busy: AtomicU64,
    /// How many of the dropped were reported.
    pub(crate) reported: AtomicU64,
}

impl Hook {
    /// Calls the function with as many of the arguments as it takes, and the topic's levels by name.
    pub(crate) fn call(&self, py: Python<'_>, arguments: &[Py<PyAny>], topic: &str) -> PyResult<()> {
        let taken = &arguments[..arguments.len().min(self.positional)];
        let arguments = PyTuple::new(py, taken)?;
        let named = match self.levels.is_empty() {
            true => None,
            false => {
                let named = PyDict::new(py);
                let levels: Vec<&str> = topic.split('/').collect();
                for (index, name) in &self.levels {
                    named.set_item(name, levels.get(*index).copied().unwrap_or_default())?;
                }
                Some(named)
            }
        };
        self.function.bind(py).call(arguments, named.as_ref()).map(|_| ())
    }
}

/// Where a hook is attached.
pub(crate) enum Place {
    /// To the messages that match a filter.
    Tap(TapId, TopicFilter),
    /// To the coming and going of clients.
    Clients,
}

/// A hook that was registered, for removing it and for its counters.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct HookHandle {
    pub(crate) hook: Arc<Hook>,
    pub(crate) place: Place,
}

#[pymethods]
impl HookHandle {
    /// Calls that were made.
    #[getter]
    fn calls(&self) -> u64 {
        self.hook.counters.calls.load(Relaxed)
    }

    /// Calls that raised.
    #[getter]
    fn errors(&self) -> u64 {
        self.hook.counters.errors.load(Relaxed)
    }

    /// Events that were dropped because the queue was full.
    #[getter]
    fn dropped(&self) -> u64 {
        self.hook.counters.dropped.load(Relaxed)
    }

    /// Events that wait.
    #[getter]
    fn queued(&self) -> usize {
        self.hook.counters.queued.load(Relaxed)
    }

    /// Seconds spent in the function.
    #[getter]
    fn busy(&self) -> f64 {
        self.hook.counters.busy.load(Relaxed) as f64 / 1e9
    }
}
