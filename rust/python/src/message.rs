//! An application message as Python sees it.

use std::sync::Arc;

use bytes::Bytes;
use hookmq_codec::{Publish, QoS, topic};
use hookmq_engine::Sent;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyString, PyTuple};

use crate::properties;

/// The keys by which CrystalMQ's hooks read a message.
const KEYS: [&str; 5] = ["sender", "topic", "message", "unixtime", "datetime"];

/// An application message: what was published, by whom and when. It cannot be changed.
///
/// CrystalMQ's keys work as well: `msg["sender"]`, `["topic"]`, `["message"]`, `["unixtime"]` and
/// `["datetime"]`; `dict(msg)` gives a plain dict of them.
#[pyclass(frozen, module = "hookmq", mapping)]
pub(crate) struct Message {
    pub(crate) message: Arc<hookmq_engine::Message>,
    pub(crate) sent: Option<Box<Sent>>,
    /// The payload is not for whoever has this.
    bare: bool,
}

impl Message {
    pub(crate) fn received(message: Arc<hookmq_engine::Message>) -> Self {
        Self::observed(message, false)
    }

    pub(crate) fn observed(message: Arc<hookmq_engine::Message>, bare: bool) -> Self {
        Self { message, sent: None, bare }
    }

    pub(crate) fn sent_as(self, sent: Box<Sent>) -> Self {
        Self { sent: Some(sent), ..self }
    }

    fn data(&self) -> &[u8] {
        if self.bare { &[] } else { &self.message.payload }
    }

    /// The payload as text, or `repr(bytes)` if it is not UTF-8: CrystalMQ's way, which its plugins undo
    /// with `ast.literal_eval`.
    fn crystal_text<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        match std::str::from_utf8(self.data()) {
            Ok(text) => Ok(PyString::new(py, text)),
            Err(_) => PyBytes::new(py, self.data()).repr(),
        }
    }
}

#[pymethods]
impl Message {
    /// A message of your own, for trying a hook out, or as what a `transform` hook puts in the place of another.
    ///
    /// `payload` is bytes, or text as UTF-8; `timestamp` is in seconds since the Unix epoch, 0 by default;
    /// `properties` as in [`Message.properties`]. Raises `ValueError` for a topic, QoS or property that cannot be.
    #[new]
    #[pyo3(signature = (topic, payload = None, *, qos = 0, retain = false, client_id = String::new(),
                        timestamp = None, properties = None))]
    fn new(
        topic: String,
        payload: Option<&Bound<'_, PyAny>>,
        qos: u8,
        retain: bool,
        client_id: String,
        timestamp: Option<f64>,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        topic::check_name(&topic)
            .map_err(|error| PyValueError::new_err(format!("topic {topic:?} {error}")))?;
        let qos = QoS::from_value(qos).ok_or_else(|| PyValueError::new_err("qos must be 0, 1 or 2"))?;
        let payload = match payload {
            None => Bytes::new(),
            Some(text) if text.is_instance_of::<PyString>() => Bytes::from(text.extract::<String>()?),
            Some(data) => Bytes::from(data.extract::<Vec<u8>>()?),
        };
        let properties = properties.map(properties::from_dict).transpose()?.unwrap_or_default();
        let seconds = timestamp.unwrap_or(0.0);
        if !(0.0..1e12).contains(&seconds) {
            return Err(PyValueError::new_err("timestamp is in seconds since the Unix epoch"));
        }
        let publish = Publish { topic: topic.into(), payload, qos, retain, properties, ..Publish::default() };
        let at = (seconds * 1000.0).round() as u64;
        let message = hookmq_engine::Message::from_publish(publish, client_id.into(), at);
        Ok(Self::received(Arc::new(message)))
    }

    /// For `pickle` and `copy`, such as on the way to another process.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let rebuild = py.import("hookmq.message")?.getattr("rebuild")?;
        let arguments = (
            self.topic(),
            self.payload(py),
            self.qos(),
            self.retain(),
            self.client_id(),
            self.timestamp(),
            self.properties(py)?,
        );
        Ok((rebuild, arguments.into_pyobject(py)?))
    }

    /// The topic name.
    #[getter]
    fn topic(&self) -> &str {
        &self.message.topic
    }

    /// The payload, as bytes.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.data())
    }

    /// The payload as text; bytes that are not UTF-8 become `\ufffd`.
    #[getter]
    fn text<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &String::from_utf8_lossy(self.data()))
    }

    /// The payload read as JSON.
    ///
    /// Raises `ValueError` (`json.JSONDecodeError`) if it is not JSON.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        LOADS.import(py, "json", "loads")?.call1((self.payload(py),))
    }

    /// The quality of service: 0, 1 or 2. In `on_message_sent` the one it was sent with.
    #[getter]
    fn qos(&self) -> u8 {
        self.sent.as_ref().map_or(self.message.qos, |sent| sent.qos).value()
    }

    /// Whether it was published as a retained message; in `on_message_sent`, whether it was sent as one.
    #[getter]
    fn retain(&self) -> bool {
        self.sent.as_ref().map_or(self.message.retain, |sent| sent.retain)
    }

    /// The publisher's client identifier; in `on_message_sent` the receiver's. Empty for messages the
    /// broker published itself.
    #[getter]
    fn client_id(&self) -> &str {
        self.sent.as_ref().map_or(&self.message.publisher, |sent| &sent.receiver)
    }

    /// The publisher's client identifier, also in `on_message_sent`.
    #[getter]
    fn publisher(&self) -> &str {
        &self.message.publisher
    }

    /// When the broker received it, in seconds since the Unix epoch, to the millisecond.
    #[getter]
    fn timestamp(&self) -> f64 {
        self.message.received_at as f64 / 1000.0
    }

    /// The MQTT 5 properties that are there, as a new dict: `payload_format_indicator`,
    /// `message_expiry_interval` (seconds), `content_type`, `response_topic`, `correlation_data` (bytes),
    /// `user_properties` (list of pairs).
    #[getter]
    fn properties<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let message = &self.message;
        properties::to_dict(py, &message.properties, message.remaining_expiry(message.received_at))
    }

    /// The packet identifier it was sent with; `None` for QoS 0 and for messages that were not sent.
    #[getter]
    fn packet_id(&self) -> Option<u16> {
        self.sent.as_ref().map(|sent| sent.packet_id).filter(|id| *id > 0)
    }

    fn __getitem__<'py>(&self, py: Python<'py>, key: &str) -> PyResult<Bound<'py, PyAny>> {
        let seconds = self.message.received_at / 1000;
        match key {
            "sender" => Ok(PyString::new(py, self.client_id()).into_any()),
            "topic" => Ok(PyString::new(py, self.topic()).into_any()),
            "message" => Ok(self.crystal_text(py)?.into_any()),
            "unixtime" => Ok(seconds.into_pyobject(py)?.into_any()),
            "datetime" => {
                static STRFTIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                static LOCALTIME: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
                let local = LOCALTIME.import(py, "time", "localtime")?.call1((seconds,))?;
                STRFTIME.import(py, "time", "strftime")?.call1(("%Y-%m-%d %H:%M:%S", local))
            }
            _ => Err(PyKeyError::new_err(format!("{key} (a message has the keys {})", KEYS.join(", ")))),
        }
    }

    /// The five CrystalMQ keys.
    fn keys(&self) -> [&'static str; 5] {
        KEYS
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, KEYS)?.try_iter()
    }

    fn __len__(&self) -> usize {
        KEYS.len()
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> bool {
        key.extract::<String>().is_ok_and(|key| KEYS.contains(&key.as_str()))
    }

    /// The value of a CrystalMQ key, or `default` for any other.
    #[pyo3(signature = (key, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        match KEYS.contains(&key) {
            true => self.__getitem__(py, key).map(Some),
            false => Ok(default),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = &self.data()[..self.data().len().min(40)];
        let more = if shown.len() < self.data().len() { "…" } else { "" };
        let payload = PyBytes::new(py, shown).repr()?;
        // A topic may hold line breaks and terminal codes; its repr does not.
        let topic = PyString::new(py, self.topic()).repr()?.to_string();
        let topic = &topic[1..topic.len() - 1];
        Ok(format!("<Message {topic} {payload}{more} qos={}>", self.qos()))
    }
}
