//! A child that a hook has forked: it has the hook's thread and none of the others, and the parent's sockets.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::prelude::*;

static FORKED: AtomicBool = AtomicBool::new(false);

/// Says that this process is a child: what Python calls after a fork.
pub(crate) fn note() {
    FORKED.store(true, Relaxed);
}

/// Ends the process if it is such a child. Called whenever a hook has returned: what comes next is the parent's.
pub(crate) fn end_if_child(py: Python<'_>) -> PyResult<()> {
    if FORKED.load(Relaxed) {
        py.import("os")?.call_method1("_exit", (0,))?;
    }
    Ok(())
}
