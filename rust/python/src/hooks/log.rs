//! Notices for Python's logging.

use std::sync::Arc;

use pyo3::prelude::*;

use super::line::Weigh;
use super::queue::Queue;

/// Notices taken from the queue at a time.
const SLICE: usize = 64;

/// A line for the log.
pub(crate) struct Notice {
    /// The client it is about, if it is about one.
    pub(crate) client_id: Option<Arc<str>>,
    /// Whether somebody should do something about it.
    pub(crate) warning: bool,
    pub(crate) text: String,
}

impl Weigh for Notice {
    type Run = std::iter::Empty<Self>;

    fn weight(&self) -> usize {
        self.client_id.as_ref().map_or(0, |id| id.len()) + self.text.len()
    }
}

/// A queue of notices and the loop of the thread that logs them.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct LogLane {
    pub(crate) queue: Arc<Queue<Notice>>,
}

#[pymethods]
impl LogLane {
    /// Calls `write(client_id, warning, text)` for each notice until `close()`; the identifier is `None` for what
    /// is about no client, and empty for one that is not known yet.
    fn run(&self, py: Python<'_>, write: Py<PyAny>) -> PyResult<()> {
        let mut slice = Vec::with_capacity(SLICE);
        while py.detach(|| self.queue.take(&mut slice, SLICE, None)) {
            let count = slice.len();
            for Notice { client_id, warning, text } in slice.drain(..) {
                write.call1(py, (client_id.as_deref(), warning, text))?;
            }
            self.queue.done(count);
        }
        Ok(())
    }

    /// Lets the loop end.
    fn close(&self) {
        self.queue.close();
    }
}
