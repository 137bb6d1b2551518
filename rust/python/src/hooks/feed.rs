//! Messages in batches for the history.

use std::sync::Arc;
use std::time::Duration;

use hookmq_engine::remaining_expiry;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::line::{Run, Weigh};
use super::parcel::{Observed, Stretch};
use super::queue::Queue;
use crate::{properties, settings};

/// Rows handed over at a time.
const ROWS: usize = 4096;

/// A message to be stored.
pub(crate) struct Row(pub(crate) Observed);

/// Roughly what a row takes besides its message.
const OVERHEAD: usize = 128;

impl Weigh for Row {
    type Run = RowRun;

    fn weight(&self) -> usize {
        OVERHEAD + self.0.size()
    }
}

/// Messages to be stored that came together.
pub(crate) struct RowRun(pub(crate) Stretch);

impl Iterator for RowRun {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        self.0.next().map(Row)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl Run for RowRun {
    fn count_left(&self) -> usize {
        self.0.count_left()
    }

    fn weight(&self) -> usize {
        OVERHEAD * self.0.count_left() + self.0.size()
    }

    fn split(&mut self, count: usize) -> Self {
        Self(self.0.split(count))
    }
}

/// A queue of messages and the loop of the thread that stores them.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct HistoryFeed {
    pub(crate) queue: Arc<Queue<Row>>,
}

impl HistoryFeed {
    /// Hands the rows over as tuples, and counts them as done whatever came of it.
    fn hand_over(&self, py: Python<'_>, slice: &mut Vec<Row>, write: &Py<PyAny>) -> PyResult<()> {
        let count = slice.len();
        let rows = PyList::empty(py);
        for Row(message) in slice.drain(..) {
            let expiry = remaining_expiry(message.expires_at(), message.received_at());
            let properties = match message.properties().is_empty() && expiry.is_none() {
                true => None,
                false => Some(properties::to_dict(py, message.properties(), expiry)?),
            };
            rows.append((
                message.received_at() as f64 / 1000.0,
                message.topic(),
                message.publisher(),
                PyBytes::new(py, message.payload()),
                message.qos().value(),
                message.retain(),
                properties,
            ))?;
        }
        let written = write.call1(py, (rows,));
        self.queue.done(count);
        written.map(|_| ())
    }
}

#[pymethods]
impl HistoryFeed {
    /// Calls `write(rows)` with up to 4,096 tuples `(time, topic, client_id, payload, qos, retain,
    /// properties)` at a time until `close()` and nothing waits any more.
    fn run(&self, py: Python<'_>, write: Py<PyAny>) -> PyResult<()> {
        let mut slice = Vec::with_capacity(ROWS);
        while py.detach(|| self.queue.take(&mut slice, ROWS, None)) {
            self.hand_over(py, &mut slice, &write)?;
        }
        Ok(())
    }

    /// Calls `write(rows)` in the same way with what waits at this moment, and returns how many rows that was.
    fn drain(&self, py: Python<'_>, write: Py<PyAny>) -> PyResult<usize> {
        let waiting = self.queue.len();
        let mut slice = Vec::with_capacity(ROWS.min(waiting));
        let mut drained = 0;
        while drained < waiting
            && self.queue.take(&mut slice, ROWS.min(waiting - drained), Some(Duration::ZERO))
        {
            drained += slice.len();
            self.hand_over(py, &mut slice, &write)?;
        }
        Ok(drained)
    }

    /// Waits until everything that was published before was written, at most `timeout` seconds. `False`
    /// if the time was over first.
    fn barrier(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = settings::timeout(timeout)?;
        Ok(py.detach(|| self.queue.wait_done(timeout)))
    }

    /// Lets the loop end when what waits was written.
    fn close(&self) {
        self.queue.close();
    }

    /// Messages that were dropped for want of room.
    #[getter]
    fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Messages that wait.
    fn __len__(&self) -> usize {
        self.queue.len()
    }
}
