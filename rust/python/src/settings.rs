//! The settings that Python hands over: a dict of dotted keys to native values.

use std::time::Duration;

use hookmq_engine::Limits;
use hookmq_server::Settings;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

fn value<'py, T>(dict: &Bound<'py, PyDict>, key: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let value = dict.get_item(key)?.ok_or_else(|| PyKeyError::new_err(key.to_owned()))?;
    value.extract::<T>()
}

fn seconds(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<Duration> {
    Ok(Duration::try_from_secs_f64(value::<f64>(dict, key)?).unwrap_or(Duration::MAX))
}

/// A duration that MQTT counts in whole seconds; what is longer than it can say is for ever.
fn whole_seconds(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<u32> {
    Ok(value::<f64>(dict, key)?.ceil() as u32)
}

/// Reads what the server and the engine need.
pub(crate) fn read(dict: &Bound<'_, PyDict>) -> PyResult<Settings> {
    Ok(Settings {
        host: value(dict, "host")?,
        port: value(dict, "port")?,
        http_port: value(dict, "http_port")?,
        workers: value(dict, "workers")?,
        connect_timeout: seconds(dict, "limits.connect_timeout")?,
        max_connect_size: value(dict, "limits.max_connect_size")?,
        stop_grace: Duration::from_secs(1),
        limits: Limits {
            max_clients: value(dict, "limits.max_clients")?,
            max_inflight: value(dict, "limits.max_inflight")?,
            receive_maximum: value(dict, "limits.receive_maximum")?,
            max_queued_messages: value(dict, "limits.max_queued_messages")?,
            max_queued_bytes: value(dict, "limits.max_queued_bytes")?,
            max_outbox_bytes: value(dict, "limits.max_outbox_bytes")?,
            max_packet_size: value(dict, "limits.max_packet_size")?,
            topic_alias_maximum: value(dict, "limits.topic_alias_maximum")?,
            max_topic_levels: value(dict, "limits.max_topic_levels")?,
            max_subscriptions: value(dict, "limits.max_subscriptions")?,
            max_session_expiry: whole_seconds(dict, "limits.max_session_expiry")?,
            default_keep_alive: whole_seconds(dict, "limits.default_keep_alive")? as u16,
            max_retained_messages: value(dict, "limits.max_retained_messages")?,
            max_retained_bytes: value(dict, "limits.max_retained_bytes")?,
        },
    })
}

/// A time-out that Python gives in seconds: infinity is for ever, less than nothing is nothing.
pub(crate) fn timeout(seconds: f64) -> PyResult<Duration> {
    match seconds {
        _ if seconds.is_nan() => Err(PyValueError::new_err("the timeout is not a number")),
        _ if seconds <= 0.0 => Ok(Duration::ZERO),
        _ => Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
    }
}

/// Reads one of the numbers the hook runtime needs.
pub(crate) fn number(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<usize> {
    value(dict, key)
}

/// Reads one of the durations the hook runtime needs.
pub(crate) fn duration(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<Duration> {
    seconds(dict, key)
}
