//! MQTT 5 properties as a Python dict and back.

use bytes::Bytes;
use hookmq_codec::{Properties, PropertyId, Value};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// The properties an application message may carry, under the names Python uses.
const NAMES: [(&str, PropertyId); 6] = [
    ("payload_format_indicator", PropertyId::PayloadFormatIndicator),
    ("message_expiry_interval", PropertyId::MessageExpiryInterval),
    ("content_type", PropertyId::ContentType),
    ("response_topic", PropertyId::ResponseTopic),
    ("correlation_data", PropertyId::CorrelationData),
    ("user_properties", PropertyId::UserProperty),
];

/// A dict of the properties that are there.
pub(crate) fn to_dict<'py>(
    py: Python<'py>,
    properties: &Properties,
    expiry: Option<u32>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    if let Some(seconds) = expiry {
        dict.set_item("message_expiry_interval", seconds)?;
    }
    let mut pairs = Vec::new();
    for (id, value) in properties.iter() {
        let Some((name, _)) = NAMES.iter().find(|(_, known)| known == id) else { continue };
        match value {
            Value::Number(number) => dict.set_item(name, number)?,
            Value::Text(text) => dict.set_item(name, &**text)?,
            Value::Binary(data) => dict.set_item(name, PyBytes::new(py, data))?,
            Value::Pair(name, value) => pairs.push((name.to_string(), value.to_string())),
        }
    }
    if !pairs.is_empty() {
        dict.set_item("user_properties", pairs)?;
    }
    Ok(dict)
}

/// The properties in a dict, in the dict's order. Unknown names and wrong types are errors.
pub(crate) fn from_dict(dict: &Bound<'_, PyDict>) -> PyResult<Properties> {
    let mut properties = Properties::new();
    for (key, value) in dict {
        let key = key.cast::<PyString>()?.to_string();
        let Some((_, id)) = NAMES.iter().find(|(name, _)| *name == key) else {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            let text = format!("unknown property {key:?}; known are {}", known.join(", "));
            return Err(PyValueError::new_err(text));
        };
        match id {
            PropertyId::UserProperty => {
                // A mapping, or pairs, which may repeat a name.
                let pairs: Vec<(String, String)> = match value.cast::<PyDict>() {
                    Ok(mapping) => mapping.items().extract().map_err(|_| {
                        PyTypeError::new_err("user_properties must have names and values of type str")
                    })?,
                    Err(_) => value.extract().map_err(|_| {
                        PyTypeError::new_err("user_properties must be a dict or a list of pairs of str")
                    })?,
                };
                for (name, value) in pairs {
                    properties.push(*id, Value::Pair(name.into(), value.into()));
                }
            }
            PropertyId::CorrelationData => {
                let data = value
                    .cast::<PyBytes>()
                    .map_err(|_| PyTypeError::new_err("correlation_data must be bytes"))?;
                properties.push(*id, Value::Binary(Bytes::copy_from_slice(data.as_bytes())));
            }
            PropertyId::PayloadFormatIndicator => {
                properties.push(*id, Value::Number(u32::from(value.is_truthy()?)));
            }
            PropertyId::MessageExpiryInterval => {
                let seconds = value.extract().map_err(|_| {
                    PyValueError::new_err(
                        "message_expiry_interval must be whole seconds from 0 to 4294967295",
                    )
                })?;
                properties.push(*id, Value::Number(seconds));
            }
            PropertyId::ResponseTopic => {
                let topic: String = value.extract()?;
                hookmq_codec::topic::check_name(&topic)
                    .map_err(|error| PyValueError::new_err(format!("response_topic {error}")))?;
                properties.push(*id, Value::Text(topic.into()));
            }
            _ => properties.push(*id, Value::Text(value.extract::<String>()?.into())),
        }
    }
    let has_null = |value: &Value| match value {
        Value::Text(text) => text.contains('\0'),
        Value::Pair(name, value) => name.contains('\0') || value.contains('\0'),
        _ => false,
    };
    if properties.iter().any(|(_, value)| has_null(value)) {
        return Err(PyValueError::new_err("a property's text must not contain the null character"));
    }
    let too_long = |value: &Value| match value {
        Value::Text(text) => text.len() > 65_535,
        Value::Binary(data) => data.len() > 65_535,
        Value::Pair(name, value) => name.len() > 65_535 || value.len() > 65_535,
        Value::Number(_) => false,
    };
    if properties.iter().any(|(_, value)| too_long(value)) {
        return Err(PyValueError::new_err("a property's value may have 65,535 bytes at most"));
    }
    Ok(properties)
}
