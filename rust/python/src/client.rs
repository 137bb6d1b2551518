//! A client as Python sees it.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// A client: who it says it is and how it connects.
#[pyclass(frozen, module = "hookmq")]
pub(crate) struct Client {
    pub(crate) client: Arc<hookmq_engine::Client>,
}

#[pymethods]
impl Client {
    /// The client identifier; one that the broker assigned begins with `auto-`.
    #[getter]
    fn client_id(&self) -> &str {
        &self.client.id
    }

    /// The user name, `None` without one.
    #[getter]
    fn username(&self) -> Option<&str> {
        self.client.username.as_deref()
    }

    /// The password as text, in `authenticate` only; `None` without one or if it is not UTF-8.
    #[getter]
    fn password(&self) -> Option<&str> {
        std::str::from_utf8(self.client.password.as_deref()?).ok()
    }

    /// The password's bytes, in `authenticate` only.
    #[getter]
    fn password_bytes<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.client.password.as_deref().map(|password| PyBytes::new(py, password))
    }

    /// The IP address it connects from.
    #[getter]
    fn address(&self) -> Option<String> {
        self.client.address.map(|address| address.ip().to_string())
    }

    /// The TCP port it connects from.
    #[getter]
    fn port(&self) -> Option<u16> {
        self.client.address.map(|address| address.port())
    }

    /// The user name somebody vouched for before this hook: a certificate, the users file, an enhanced
    /// authentication; `None` if nobody did.
    #[getter]
    fn principal(&self) -> Option<&str> {
        self.client.principal.as_deref()
    }

    /// The subject of the certificate it showed, such as `"CN=tank,O=Water"`; `None` without one.
    #[getter]
    fn certificate(&self) -> Option<&str> {
        self.client.certificate.as_deref()
    }

    /// The URL of the listener it came by, as it was configured.
    #[getter]
    fn listener(&self) -> &str {
        &self.client.listener.name
    }

    /// The protocol version: `"3.1"`, `"3.1.1"` or `"5.0"`.
    #[getter]
    fn version(&self) -> &'static str {
        self.client.version.name()
    }

    /// Whether it asked for a new session.
    #[getter]
    fn clean_start(&self) -> bool {
        self.client.clean_start
    }

    /// The keep alive in seconds, 0 for none.
    #[getter]
    fn keep_alive(&self) -> u16 {
        self.client.keep_alive
    }

    /// When it connected, in seconds since the Unix epoch.
    #[getter]
    fn connected_at(&self) -> f64 {
        self.client.connected_at as f64 / 1000.0
    }

    /// Never shows the password.
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let id = PyString::new(py, &self.client.id).repr()?;
        Ok(format!("<Client {id} MQTT {}>", self.client.version.name()))
    }
}
