//! Numbers over time.

use hookmq_server::Server;
use hookmq_server::numbers::{Latency, Metrics, NAMES, RATES, Series, Span};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::broker::NativeBroker;

#[pymethods]
impl NativeBroker {
    /// What the broker did in the last 300 seconds, the last hour or the last day. Raises `ValueError`.
    #[pyo3(signature = (names = None, span = 300))]
    fn series<'py>(
        &self,
        py: Python<'py>,
        names: Option<Vec<String>>,
        span: usize,
    ) -> PyResult<Bound<'py, PyDict>> {
        let seconds = |span: &Span| span.steps().0 * span.steps().1;
        // A day has 360 steps of 240 seconds, an hour 360 of ten.
        let found = Span::ALL.into_iter().find(|one| seconds(one) == span);
        let span = found.ok_or_else(|| {
            PyValueError::new_err(format!("span must be 300, 3600 or 86400 seconds, not {span}"))
        })?;
        let names = names.unwrap_or_else(|| NAMES.map(str::to_owned).to_vec());
        let place = |name: &String| {
            NAMES.iter().position(|other| other == name).ok_or_else(|| {
                PyValueError::new_err(format!("there is no series {name:?}, only {}", NAMES.join(", ")))
            })
        };
        let places = names.iter().map(place).collect::<PyResult<Vec<_>>>()?;
        let (step, length) = span.steps();
        let found: Vec<_> = py.detach(|| {
            let server = self.server.read();
            let values = |server: &Server| {
                server.with_series(|series| places.iter().map(|place| series.values(*place, span)).collect())
            };
            let nothing = || places.iter().map(|_| (vec![None; length], None)).collect();
            server.as_ref().map_or_else(nothing, values)
        });
        let end = found.iter().find_map(|(_, end)| *end).unwrap_or_else(|| self.clock.now());
        let series = PyDict::new(py);
        for (name, (values, _)) in names.iter().zip(found) {
            series.set_item(name, values)?;
        }
        let dict = PyDict::new(py);
        dict.set_item("step", step as f64)?;
        dict.set_item("end", end as f64 / 1000.0)?;
        dict.set_item("series", series)?;
        Ok(dict)
    }

    /// How much of everything there was in the last second.
    fn rates<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let rates = py.detach(|| match self.server.read().as_ref() {
            Some(server) => server.with_series(Series::rates),
            None => [0.0; RATES],
        });
        let dict = PyDict::new(py);
        for (name, rate) in NAMES.iter().zip(rates) {
            dict.set_item(name, rate)?;
        }
        Ok(dict)
    }

    /// The median and the 99th percentile of the seconds from reading a message to writing it, of the last ten seconds;
    /// `None` if nothing was sent in them.
    fn latency(&self, py: Python<'_>) -> Option<(f64, f64)> {
        py.detach(|| {
            let server = self.server.read();
            let [half, most] = server.as_ref()?.latency().quantiles([0.5, 0.99])?;
            Some((half, most))
        })
    }

    /// Everything native as text for Prometheus.
    fn metrics(&self, py: Python<'_>) -> String {
        py.detach(|| match self.server.read().as_ref() {
            Some(server) => server.metrics(),
            None => Metrics::of(&self.broker, &Latency::default(), &[]),
        })
    }
}
