//! Bridges: their settings on the way in, and what is told of them on the way out.

use hookmq_codec::{QoS, Version};
use hookmq_server::bridge::settings::{BridgeSettings, ClientTls, Direction, TopicSettings};
use hookmq_server::bridge::status::Figures;
use hookmq_server::bridge::topics::Topics;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::settings::{seconds, value};

/// A topic of a bridge: its filter, direction, QoS, local and remote prefix.
type Topic = (String, String, u8, String, String);

/// Reads one bridge.
pub(crate) fn bridge(dict: &Bound<'_, PyDict>) -> PyResult<BridgeSettings> {
    let session_expiry: Option<f64> = value(dict, "session_expiry")?;
    Ok(BridgeSettings {
        name: value(dict, "name")?,
        addresses: value(dict, "addresses")?,
        topics: topics(value(dict, "topics")?)?,
        client_id: value(dict, "client_id")?,
        username: value(dict, "username")?,
        password: value(dict, "password")?,
        password_file: value(dict, "password_file")?,
        version: match value::<String>(dict, "protocol")?.as_str() {
            "3.1.1" => Version::V311,
            _ => Version::V5,
        },
        bridge_bit: value(dict, "try_private")?,
        keep_alive: value::<f64>(dict, "keep_alive")?.ceil() as u16,
        max_inflight: value(dict, "max_inflight")?,
        session_expiry: session_expiry.map_or(u32::MAX, |seconds| seconds.ceil() as u32),
        connect_timeout: seconds(dict, "connect_timeout")?,
        backoff: (seconds(dict, "reconnect_min")?, seconds(dict, "reconnect_max")?),
        notify_topic: value(dict, "notify_topic")?,
        tls: if value(dict, "tls")? { Some(tls(dict)?) } else { None },
        enabled: value(dict, "enabled")?,
    })
}

fn tls(dict: &Bound<'_, PyDict>) -> PyResult<ClientTls> {
    Ok(ClientTls {
        ca_file: value(dict, "ca_file")?,
        cert_file: value(dict, "cert_file")?,
        key_file: value(dict, "key_file")?,
        server_name: value(dict, "server_name")?,
        insecure: value(dict, "insecure")?,
    })
}

fn topics(entries: Vec<Topic>) -> PyResult<Topics> {
    let settings = |(filter, direction, qos, local_prefix, remote_prefix): Topic| TopicSettings {
        filter,
        direction: match direction.as_str() {
            "in" => Direction::In,
            "both" => Direction::Both,
            _ => Direction::Out,
        },
        qos: QoS::from_value(qos).unwrap_or(QoS::ExactlyOnce),
        local_prefix,
        remote_prefix,
    };
    let entries: Vec<_> = entries.into_iter().map(settings).collect();
    Topics::new(&entries).map_err(|error| PyValueError::new_err(error.to_string()))
}

/// Raises `ValueError` with the reason if a bridge cannot carry these topics.
#[pyfunction]
pub(crate) fn check_bridge_topics(entries: Vec<Topic>) -> PyResult<()> {
    topics(entries).map(|_| ())
}

/// What is told of one bridge.
pub(crate) fn told<'py>(py: Python<'py>, figures: Figures) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("name", figures.name)?;
    dict.set_item("state", figures.state.name())?;
    dict.set_item("since", figures.since as f64 / 1000.0)?;
    dict.set_item("address", figures.address.unwrap_or_default())?;
    dict.set_item("protocol", figures.version.map_or("", Version::name))?;
    dict.set_item("reason", figures.error.unwrap_or_default())?;
    dict.set_item("waiting", figures.waiting)?;
    for (name, count) in figures.counters {
        dict.set_item(name, count)?;
    }
    Ok(dict)
}
