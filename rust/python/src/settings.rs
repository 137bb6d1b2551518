//! The settings that Python hands over: a dict of dotted keys, and a dict for each listener.

use std::path::PathBuf;
use std::time::Duration;

use hookmq_engine::{Limits, Network, QueuePolicy};
use hookmq_server::Settings;
use hookmq_server::settings::{
    HttpSettings, Identity, ListenerSettings, Place, Protocol, ServerName, TlsSettings, WebSocketSettings,
};
use hookmq_server::storage::{StoreSettings, Sync};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::bridges;

pub(crate) fn value<'py, T>(dict: &Bound<'py, PyDict>, key: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    let value = dict.get_item(key)?.ok_or_else(|| PyKeyError::new_err(key.to_owned()))?;
    value.extract::<T>().map_err(Into::into)
}

pub(crate) fn seconds(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<Duration> {
    Ok(Duration::try_from_secs_f64(value::<f64>(dict, key)?).unwrap_or(Duration::MAX))
}

/// A duration that MQTT counts in whole seconds; what is longer than it can say is for ever.
fn whole_seconds(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<u32> {
    Ok(value::<f64>(dict, key)?.ceil() as u32)
}

/// A bound for which 0 stands for none.
fn bound(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<usize> {
    Ok(match value(dict, key)? {
        0 => usize::MAX,
        bound => bound,
    })
}

/// Where and how the store is kept; `None` if everything is in memory.
pub(crate) fn store(dict: &Bound<'_, PyDict>) -> PyResult<Option<StoreSettings>> {
    let Some(directory) = value::<Option<PathBuf>>(dict, "data_dir")? else { return Ok(None) };
    let sync = match value::<String>(dict, "store.sync")?.as_str() {
        "always" => Sync::Always,
        "interval" => Sync::Interval,
        _ => Sync::Os,
    };
    let interval = seconds(dict, "store.interval")?;
    Ok(Some(StoreSettings { directory: directory.join("store"), sync, interval }))
}

/// Reads what the server and the engine need.
pub(crate) fn read(dict: &Bound<'_, PyDict>) -> PyResult<Settings> {
    let listeners: Vec<Bound<'_, PyDict>> = value(dict, "listeners")?;
    let http: Option<Bound<'_, PyDict>> = value(dict, "http")?;
    Ok(Settings {
        listeners: listeners.iter().map(listener).collect::<PyResult<_>>()?,
        http: http.as_ref().map(|http| http_settings(http, dict)).transpose()?,
        workers: value(dict, "workers")?,
        max_connect_size: value(dict, "limits.max_connect_size")?,
        max_half_open: value(dict, "limits.max_half_open")?,
        max_http_connections: value(dict, "limits.max_http_connections")?,
        hold_timeout: seconds(dict, "limits.hold_timeout")?,
        sys_interval: seconds(dict, "sys_interval")?,
        websocket: WebSocketSettings {
            path: value(dict, "websocket.path")?,
            origins: value(dict, "websocket.origins")?,
            hosts: value(dict, "http_hosts")?,
            base: value(dict, "http_base")?,
        },
        bridges: value::<Vec<Bound<'_, PyDict>>>(dict, "bridges")?
            .iter()
            .map(bridges::bridge)
            .collect::<PyResult<_>>()?,
        identity: String::new(), // the broker's store says it
        stop_grace: Duration::from_secs(1),
        limits: limits(dict)?,
    })
}

fn limits(dict: &Bound<'_, PyDict>) -> PyResult<Limits> {
    Ok(Limits {
        max_clients: value(dict, "limits.max_clients")?,
        max_inflight: value(dict, "limits.max_inflight")?,
        receive_maximum: value(dict, "limits.receive_maximum")?,
        max_queued_messages: value(dict, "limits.max_queued_messages")?,
        max_queued_bytes: value(dict, "limits.max_queued_bytes")?,
        queue_policy: match value::<String>(dict, "limits.queue_policy")?.as_str() {
            "hold" => QueuePolicy::Hold,
            _ => QueuePolicy::Refuse,
        },
        max_outbox_bytes: value(dict, "limits.max_outbox_bytes")?,
        max_packet_size: value(dict, "limits.max_packet_size")?,
        topic_alias_maximum: value(dict, "limits.topic_alias_maximum")?,
        max_topic_levels: value(dict, "limits.max_topic_levels")?,
        max_subscriptions: value(dict, "limits.max_subscriptions")?,
        max_session_expiry: whole_seconds(dict, "limits.max_session_expiry")?,
        default_keep_alive: whole_seconds(dict, "limits.default_keep_alive")? as u16,
        max_keep_alive: whole_seconds(dict, "limits.max_keep_alive")? as u16,
        max_retained_messages: value(dict, "limits.max_retained_messages")?,
        max_retained_bytes: value(dict, "limits.max_retained_bytes")?,
        max_topic_statistics_bytes: value(dict, "limits.max_topic_statistics_bytes")?,
        max_clients_per_address: bound(dict, "limits.max_clients_per_address")?,
        max_clients_per_user: bound(dict, "limits.max_clients_per_user")?,
        max_sessions: value(dict, "limits.max_sessions")?,
        max_user_property_bytes: value(dict, "limits.max_user_property_bytes")?,
        max_reconnects: value(dict, "limits.max_reconnects")?,
        jail_time: seconds(dict, "limits.jail_time")?.as_millis() as u64,
    })
}

fn listener(dict: &Bound<'_, PyDict>) -> PyResult<ListenerSettings> {
    let proxies: Option<Vec<String>> = value(dict, "proxies")?;
    let proxies = proxies.map(|all| all.iter().map(|text| network(text)).collect::<PyResult<_>>());
    Ok(ListenerSettings {
        place: match value::<Option<PathBuf>>(dict, "path")? {
            Some(path) => Place::Unix { path, mode: value(dict, "mode")? },
            None => Place::Tcp { host: value(dict, "host")?, port: value(dict, "port")? },
        },
        protocol: match value(dict, "websocket")? {
            true => Protocol::WebSocket,
            false => Protocol::Mqtt,
        },
        tls: if value(dict, "tls")? { Some(tls(dict)?) } else { None },
        identity: match value::<String>(dict, "identity")?.as_str() {
            "cn" => Identity::CommonName,
            "dn" => Identity::DistinguishedName,
            _ => Identity::Username,
        },
        proxies: proxies.transpose()?,
        users_file: value(dict, "users_file")?,
        acl_file: value(dict, "acl_file")?,
        allow_anonymous: value(dict, "allow_anonymous")?,
        connect_timeout: seconds(dict, "connect_timeout")?,
        max_clients: bound(dict, "max_clients")?,
        max_packet_size: value(dict, "max_packet_size")?,
        connect_rate: value(dict, "connect_rate")?,
        message_rate: value(dict, "message_rate")?,
        byte_rate: value(dict, "byte_rate")?,
    })
}

fn http_settings(http: &Bound<'_, PyDict>, dict: &Bound<'_, PyDict>) -> PyResult<HttpSettings> {
    Ok(HttpSettings { listener: listener(http)?, further_ports: value(dict, "http_ports")? })
}

fn tls(dict: &Bound<'_, PyDict>) -> PyResult<TlsSettings> {
    let names: Vec<(String, PathBuf, PathBuf)> = value(dict, "sni")?;
    Ok(TlsSettings {
        cert: value(dict, "cert")?,
        key: value(dict, "key")?,
        client_ca: value(dict, "client_ca")?,
        client_cert_optional: value::<String>(dict, "client_cert")? == "optional",
        crl: value(dict, "crl")?,
        only_1_3: value::<String>(dict, "min_version")? == "1.3",
        sni: names.into_iter().map(|(name, cert, key)| ServerName { name, cert, key }).collect(),
    })
}

fn network(text: &str) -> PyResult<Network> {
    text.parse().map_err(|error| PyValueError::new_err(format!("{text:?} {error}")))
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
