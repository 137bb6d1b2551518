//! The actions of a rule as Python writes them.

use hookmq_codec::{PropertyId, QoS};
use hookmq_rules::RuleBuilder;
use hookmq_server::rules::{Action, Properties};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::language::wrong;
use crate::hooks::hook::HookHandle;

/// The properties that a message of a rule may carry, under the names Python uses.
const NAMES: [(&str, PropertyId); 5] = [
    ("payload_format_indicator", PropertyId::PayloadFormatIndicator),
    ("message_expiry_interval", PropertyId::MessageExpiryInterval),
    ("content_type", PropertyId::ContentType),
    ("response_topic", PropertyId::ResponseTopic),
    ("correlation_data", PropertyId::CorrelationData),
];

/// Reads an action, and adds its templates to the rule.
pub(super) fn action(dict: &Bound<'_, PyDict>, builder: &mut RuleBuilder) -> PyResult<Action> {
    let kind: String = required(dict, "kind")?;
    Ok(match kind.as_str() {
        "republish" => Action::Republish {
            topic: template(builder, &required::<String>(dict, "topic")?)?,
            payload: optional::<String>(dict, "payload")?.map(|text| template(builder, &text)).transpose()?,
            qos: match optional::<u8>(dict, "qos")? {
                None => None,
                Some(qos) => {
                    Some(QoS::from_value(qos).ok_or_else(|| PyValueError::new_err("qos must be 0, 1 or 2"))?)
                }
            },
            retain: optional(dict, "retain")?,
            properties: match dict.get_item("properties")?.filter(|value| !value.is_none()) {
                None => Properties::default(),
                Some(properties) => self::properties(properties.cast::<PyDict>()?, builder)?,
            },
            dead: hook(dict, "dead")?.map(|(number, _)| number),
        },
        "disconnect" => Action::Disconnect(template(builder, &required::<String>(dict, "client")?)?),
        "log" => Action::Log {
            warning: optional::<String>(dict, "level")?.is_some_and(|level| level == "warning"),
            text: template(builder, &required::<String>(dict, "text")?)?,
        },
        "hook" => match hook(dict, "hook")? {
            Some((number, source)) => Action::Hook { number, source },
            None => return Err(PyKeyError::new_err("hook")),
        },
        _ => return Err(PyValueError::new_err(format!("there is no native action {kind:?}"))),
    })
}

fn template(builder: &mut RuleBuilder, text: &str) -> PyResult<usize> {
    builder.template(text).map_err(|error| wrong(text, error))
}

/// A hook's number, and whether it takes what the result was made of.
fn hook(dict: &Bound<'_, PyDict>, key: &str) -> PyResult<Option<(u32, bool)>> {
    let Some(handle) = dict.get_item(key)?.filter(|value| !value.is_none()) else { return Ok(None) };
    let handle = handle.cast::<HookHandle>()?.get();
    Ok(Some((handle.hook.number, handle.hook.positional > 1)))
}

fn properties(dict: &Bound<'_, PyDict>, builder: &mut RuleBuilder) -> PyResult<Properties> {
    let mut properties = Properties::default();
    for (key, value) in dict {
        let key: String = key.extract()?;
        if key == "user_properties" {
            for (name, value) in value.cast::<PyDict>()? {
                let text: String = value.str()?.extract()?;
                properties.user.push((name.extract()?, template(builder, &text)?));
            }
            continue;
        }
        let Some((_, id)) = NAMES.iter().find(|(name, _)| *name == key) else {
            let known: Vec<_> = NAMES.iter().map(|(name, _)| *name).chain(["user_properties"]).collect();
            return Err(PyValueError::new_err(format!(
                "unknown property {key:?}; known are {}",
                known.join(", ")
            )));
        };
        let text: String = value.str()?.extract()?;
        properties.single.push((*id, template(builder, &text)?));
    }
    Ok(properties)
}

fn optional<'py, T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>>(
    dict: &Bound<'py, PyDict>,
    key: &str,
) -> PyResult<Option<T>> {
    match dict.get_item(key)? {
        Some(value) if !value.is_none() => value.extract().map(Some).map_err(Into::into),
        _ => Ok(None),
    }
}

fn required<'py, T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>>(
    dict: &Bound<'py, PyDict>,
    key: &str,
) -> PyResult<T> {
    optional(dict, key)?.ok_or_else(|| PyKeyError::new_err(key.to_owned()))
}
