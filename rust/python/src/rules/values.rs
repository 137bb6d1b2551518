//! Values of rules as Python objects and back.

use std::borrow::Cow;

use hookmq_rules::{Object, Value};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

/// How deep objects of Python's may nest.
const DEEPEST: usize = 64;

/// A value as a Python object.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Missing | Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Int(number) => number.into_pyobject(py)?.into_any(),
        Value::Float(number) => PyFloat::new(py, *number).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Array(items) => {
            let items = items.iter().map(|item| to_python(py, item)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Object(object) => row_to_dict(py, object)?.into_any(),
    })
}

/// A row as a dict.
pub(crate) fn row_to_dict<'py>(py: Python<'py>, row: &Object<'_>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in &row.0 {
        dict.set_item(&**key, to_python(py, value)?)?;
    }
    Ok(dict)
}

/// A Python object as a value.
pub(crate) fn from_python(object: &Bound<'_, PyAny>) -> PyResult<Value<'static>> {
    nested(object, 0)
}

fn nested(object: &Bound<'_, PyAny>, depth: usize) -> PyResult<Value<'static>> {
    if depth > DEEPEST {
        return Err(PyValueError::new_err("the value is nested too deeply"));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(value) = object.cast::<PyBool>() {
        return Ok(Value::Bool(value.is_true()));
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return Ok(match number.extract::<i64>() {
            Ok(whole) => Value::Int(whole),
            Err(_) => Value::Float(number.extract()?),
        });
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        let number: f64 = number.extract()?;
        return match number.is_finite() {
            true => Ok(Value::Float(number)),
            false => Ok(Value::Null),
        };
    }
    if let Ok(text) = object.cast::<PyString>() {
        return Ok(Value::Text(Cow::Owned(text.to_string_lossy().into_owned())));
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return Ok(Value::Bytes(Cow::Owned(bytes.as_bytes().to_vec())));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        let entry = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            Ok((Cow::Owned(key.str()?.to_string_lossy().into_owned()), nested(&value, depth + 1)?))
        };
        return Ok(Value::Object(Object(dict.iter().map(entry).collect::<PyResult<_>>()?)));
    }
    let items: Vec<Bound<'_, PyAny>> = if let Ok(list) = object.cast::<PyList>() {
        list.iter().collect()
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        tuple.iter().collect()
    } else if let Ok(number) = object.extract::<f64>() {
        // What behaves like a number, such as numpy's.
        return Ok(if number.is_finite() { Value::number(number) } else { Value::Null });
    } else {
        let kind = object.get_type().name()?.to_string();
        let what = format!(
            "a rule cannot use a value of type {kind}: give None, bool, int, float, str, bytes, list or dict"
        );
        return Err(PyTypeError::new_err(what));
    };
    Ok(Value::Array(items.iter().map(|item| nested(item, depth + 1)).collect::<PyResult<_>>()?))
}
