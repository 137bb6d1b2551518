//! Functions of Python's inside rules.

use hookmq_rules::functions::Wrong;
use hookmq_rules::{Externs, Value};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::values::{from_python, to_python};

/// Functions by their numbers, and who is told what they raise.
pub(crate) struct Functions {
    pub(crate) names: Vec<String>,
    functions: Vec<Py<PyAny>>,
    /// `(name, exception)`
    failed: Option<Py<PyAny>>,
}

impl Functions {
    /// Those of a dict.
    pub(crate) fn of(functions: Option<&Bound<'_, PyDict>>, failed: Option<Py<PyAny>>) -> PyResult<Self> {
        let (mut names, mut all) = (Vec::new(), Vec::new());
        for (name, function) in functions.into_iter().flatten() {
            names.push(name.extract()?);
            all.push(function.unbind());
        }
        Ok(Self { names, functions: all, failed })
    }

    /// The same for a thread that is attached to the interpreter.
    pub(super) fn attached<'f>(&'f self, py: Python<'f>) -> Attached<'f> {
        Attached { functions: self, py }
    }
}

/// Functions that can be called.
pub(super) struct Attached<'f> {
    functions: &'f Functions,
    py: Python<'f>,
}

impl Externs for Attached<'_> {
    fn call<'a>(&self, number: usize, arguments: Vec<Value<'a>>) -> Result<Value<'a>, Wrong> {
        let name = &self.functions.names[number];
        let call = || {
            let arguments =
                arguments.iter().map(|value| to_python(self.py, value)).collect::<PyResult<Vec<_>>>()?;
            let arguments = PyTuple::new(self.py, arguments)?;
            from_python(&self.functions.functions[number].bind(self.py).call1(arguments)?)
        };
        call().map_err(|error: PyErr| {
            let what = Wrong(format!("{name}() raised {error}"));
            if let Some(failed) = &self.functions.failed {
                // Who is told cannot help it either.
                let _ = failed.call1(self.py, (name, error));
            }
            what
        })
    }
}
