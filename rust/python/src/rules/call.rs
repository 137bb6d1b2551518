//! Rules that run on a hook's thread, because they call functions of Python's.

use std::sync::{Arc, Weak};

use hookmq_engine::Millis;
use hookmq_server::Clock;
use hookmq_server::rules::{ActiveRule, Happening, Outputs};
use pyo3::prelude::*;

use super::functions::Functions;
use crate::hooks::runtime::Runtime;

/// On what such a rule runs: something that has happened, or what is due.
#[pyclass(frozen, module = "hookmq._hookmq")]
#[derive(Clone)]
pub(crate) struct RuleInput {
    pub(crate) rule: Arc<ActiveRule>,
    pub(crate) happening: Option<Happening>,
}

impl RuleInput {
    /// Roughly the memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.happening.as_ref().map_or(0, Happening::size)
    }
}

/// The function of the hook that runs rules of one kind of functions.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct RuleCall {
    pub(crate) functions: Functions,
    pub(crate) runtime: Weak<Runtime>,
    pub(crate) clock: Clock,
}

#[pymethods]
impl RuleCall {
    fn __call__(&self, py: Python<'_>, input: &Bound<'_, RuleInput>) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        let Some(broker) = runtime.engine() else { return };
        let input = input.get();
        let mut outputs = Outputs::default();
        let externs = self.functions.attached(py);
        let now: Millis = self.clock.now();
        match &input.happening {
            Some(happening) => input.rule.run(&happening.as_happened(&broker), Some(&externs), &mut outputs),
            None => _ = input.rule.tick(now, &broker, Some(&externs), &mut outputs),
        }
        if !outputs.is_empty() {
            // Detached: packets may be written to sockets before this returns.
            py.detach(|| runtime.act(outputs, &broker, now, &mut Vec::new()));
        }
    }
}
