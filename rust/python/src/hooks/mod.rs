//! The one place where threads enter Python.
//!
//! - [`queue`]: a bounded queue between network threads and a Python thread
//! - [`hook`]: a registered function and its counters
//! - [`lane`]: a thread that calls hooks which only observe
//! - [`calls`]: threads that call functions which must answer: deciders and pages
//! - [`feed`]: messages in batches for the history
//! - [`log`]: notices for Python's logging
//! - [`runtime`]: which event goes into which queue

pub(crate) mod calls;
pub(crate) mod feed;
pub(crate) mod hook;
pub(crate) mod lane;
pub(crate) mod log;
pub(crate) mod queue;
pub(crate) mod runtime;
