//! A thread that calls a hook with many messages at a time.

use std::time::{Duration, Instant};

use hookmq_engine::Receipt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use super::forked;
use super::hook::Hook;
use super::lane::{Happening, Lane, Work, name_thread};
use super::parcel::Observed;
use super::table::LastHook;
use crate::arrow::Columns;
use crate::message::Message;
use crate::settings;

/// What a batch is handed over as.
enum Format {
    Messages,
    Dicts,
    Arrow(Columns),
}

/// The loop of the thread of one batch hook.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct BatchLane {
    lane: Py<Lane>,
    format: Format,
    max_rows: usize,
    max_delay: Duration,
}

impl BatchLane {
    /// `fields` are for Arrow: paths of JSON fields, and what they are read as.
    pub(crate) fn new(
        lane: Py<Lane>,
        format: &str,
        fields: &[(String, String)],
        max_rows: usize,
        max_delay: f64,
    ) -> PyResult<Self> {
        let format = match format {
            "messages" => Format::Messages,
            "dicts" => Format::Dicts,
            "arrow" => Format::Arrow(Columns::new(fields)?),
            _ => return Err(PyValueError::new_err("format must be 'messages', 'dicts' or 'arrow'")),
        };
        Ok(Self { lane, format, max_rows: max_rows.max(1), max_delay: settings::timeout(max_delay)? })
    }

    /// Takes a batch: all at once that is there, or what comes until it is full or old.
    fn take(&self, py: Python<'_>, batch: &mut Vec<Work>) -> bool {
        let queue = &self.lane.get().queue;
        if !queue.take_now(batch, self.max_rows) && !py.detach(|| queue.take(batch, self.max_rows, None)) {
            return false;
        }
        let Some(deadline) = batch.first().and_then(|first| first.at.checked_add(self.max_delay)) else {
            return true;
        };
        while batch.len() < self.max_rows {
            let room = self.max_rows - batch.len();
            if !queue.take_now(batch, room) && !py.detach(|| queue.take_more(batch, room, deadline)) {
                break;
            }
        }
        true
    }

    fn rows<'py>(&self, py: Python<'py>, batch: &[Work], bare: bool) -> PyResult<Bound<'py, PyAny>> {
        let messages = batch.iter().filter_map(|work| match &work.happening {
            Happening::Message(message) => Some(message),
            _ => None,
        });
        let messages: Vec<_> = messages.collect();
        Ok(match &self.format {
            Format::Messages => {
                let row = |message: &&Observed| Py::new(py, Message::observed(message.shared(), bare));
                PyList::new(py, messages.iter().map(row).collect::<PyResult<Vec<_>>>()?)?.into_any()
            }
            Format::Dicts => dicts(py, &messages)?.into_any(),
            Format::Arrow(columns) => Bound::new(py, columns.batch(messages.iter().copied())?)?.into_any(),
        })
    }

    /// Calls the function with a batch.
    fn call(&self, py: Python<'_>, hook: &Hook, batch: &mut Vec<Work>) -> PyResult<()> {
        let lane = self.lane.get();
        let began = Instant::now();
        if let Some(first) = batch.first() {
            hook.counters.begin(began, first.at, batch.len());
        }
        let result = self
            .rows(py, batch, hook.bare)
            .and_then(|rows| hook.function.bind(py).call1((rows,)).map(|_| ()));
        forked::end_if_child(py)?;
        hook.counters.end(Instant::now(), began);
        let count = batch.len();
        match result {
            Ok(()) => {
                for work in batch.drain(..) {
                    work.receipt.into_iter().for_each(Receipt::keep);
                }
            }
            Err(error) => {
                batch.clear();
                lane.report(py, hook, error)?;
            }
        }
        lane.queue.done(count);
        lane.report_dropped(py, hook)
    }
}

/// Plain dicts, as those that other clients build themselves.
fn dicts<'py>(py: Python<'py>, messages: &[&Observed]) -> PyResult<Bound<'py, PyList>> {
    let [topic, payload, qos, retain, client, time] =
        ["topic", "payload", "qos", "retain", "client_id", "timestamp"].map(|key| PyString::intern(py, key));
    let levels = [0u8, 1, 2].map(|qos| qos.into_pyobject(py));
    let [zero, one, two] = levels;
    let levels = [zero?, one?, two?];
    let mut rows = Vec::with_capacity(messages.len());
    // Neighbours are often from one client, and to one topic.
    let (mut last_client, mut last_topic): (Option<(&str, Bound<'_, PyString>)>, Option<_>) = (None, None);
    for message in messages {
        let text = |last: &mut Option<(_, Bound<'py, PyString>)>, value| match last {
            Some((before, text)) if *before == value => text.clone(),
            _ => last.insert((value, PyString::new(py, value))).1.clone(),
        };
        let row = PyDict::new(py);
        row.set_item(&topic, text(&mut last_topic, message.topic()))?;
        row.set_item(&payload, PyBytes::new(py, message.payload()))?;
        row.set_item(&qos, &levels[usize::from(message.qos().value())])?;
        row.set_item(&retain, message.retain())?;
        row.set_item(&client, text(&mut last_client, message.publisher()))?;
        row.set_item(&time, message.received_at() as f64 / 1000.0)?;
        rows.push(row);
    }
    PyList::new(py, rows)
}

#[pymethods]
impl BatchLane {
    /// Calls the hook until the lane is closed and nothing waits any more.
    fn run(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        name_thread(name);
        let lane = self.lane.get();
        let mut batch = Vec::with_capacity(self.max_rows.min(4096));
        let mut last = LastHook::default();
        while self.take(py, &mut batch) {
            let waiting = batch.len();
            // A queue belongs to one hook.
            let hook = batch.first().and_then(|work| last.get(&lane.hooks, work.hook));
            match hook.filter(|hook| !lane.is_over(hook)) {
                Some(hook) => self.call(py, hook, &mut batch)?,
                None => {
                    batch.clear();
                    lane.queue.done(waiting);
                }
            }
        }
        Ok(())
    }

    /// The queue, for waiting until it is worked off and for its end.
    #[getter]
    fn lane(&self, py: Python<'_>) -> Py<Lane> {
        self.lane.clone_ref(py)
    }
}
