//! How long calls take that Python makes by itself.

use std::sync::Arc;
use std::time::Instant;

use pyo3::prelude::*;

use super::hook::Counters;

/// Measures the calls of a hook, so that one which does not come back is named.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Stopwatch {
    pub(crate) counters: Arc<Counters>,
}

/// A call that goes on.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Running {
    counters: Arc<Counters>,
    began: Instant,
}

#[pymethods]
impl Stopwatch {
    /// A call begins.
    fn begin(&self) -> Running {
        let began = Instant::now();
        self.counters.begin(began, began, 1);
        Running { counters: Arc::clone(&self.counters), began }
    }

    /// Seconds that this share of all calls did not run longer than.
    fn ran(&self, share: f64) -> f64 {
        self.counters.run.share(share)
    }
}

#[pymethods]
impl Running {
    /// The call is over.
    fn end(&self) {
        self.counters.end(Instant::now(), self.began);
    }
}
