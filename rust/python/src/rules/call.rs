//! Rules that run on a hook's thread, because they call functions of Python's.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hookmq_engine::Millis;
use hookmq_server::Clock;
use hookmq_server::rules::{ActiveRule, Happening, Outputs, Way, along, current, wait_for};
use pyo3::prelude::*;

use super::functions::Functions;
use crate::hooks::runtime::Runtime;

/// How long a call waits for whoever has more than it can take.
const PATIENCE: Duration = Duration::from_millis(100);

/// On what such a rule runs: something that has happened, or what is due.
#[pyclass(frozen, module = "hookmq._hookmq")]
#[derive(Clone)]
pub(crate) struct RuleInput {
    pub(crate) rule: Arc<ActiveRule>,
    pub(crate) happening: Option<Happening>,
    /// When it came: what waits here before it was earlier, however late it is looked at.
    at: Millis,
    /// Through which rules it has come.
    way: Way,
}

impl RuleInput {
    pub(super) fn new(rule: Arc<ActiveRule>, happening: Option<Happening>, at: Millis) -> Self {
        Self { rule, happening, at, way: current() }
    }

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
        along(input.way.clone(), || match &input.happening {
            Some(happening) => {
                input.rule.run(&happening.as_happened(&broker), Some(&externs), &mut outputs);
            }
            None => {
                input.rule.told_due.store(false, Relaxed);
                input.rule.tick(input.at, &broker, Some(&externs), &mut outputs);
            }
        });
        if !outputs.is_empty() {
            // Detached: packets may be written to sockets before this returns.
            py.detach(|| {
                let mut gates = Vec::new();
                along(input.way.clone(), || runtime.act(outputs, &broker, self.clock.now(), &mut gates));
                wait_for(&gates, PATIENCE);
            });
        }
    }
}
