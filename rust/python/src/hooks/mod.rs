//! The one place where threads enter Python.
//!
//! - [`queue`]: a bounded queue between network threads and a Python thread; [`line`]: what waits in it
//! - [`hook`]: a registered function and its counters; [`table`]: hooks by number; [`meter`]: how long things take
//! - [`lane`]: a thread that calls hooks which only observe; [`loop_lane`]: an event loop that does;
//!   [`batches`]: a thread that calls one with many messages at a time
//! - [`calls`]: threads that call functions which must answer: deciders and pages
//! - [`transforms`]: what becomes of publishes, and [`later`] where coroutines are asked; [`deliveries`]: what each receiver gets; [`outcome`]: what such
//!   hooks return
//! - [`forked`]: what a child that a hook has forked must not do; [`stopwatch`]: calls that Python makes by itself
//! - [`feed`]: messages in batches for the history
//! - [`log`]: notices for Python's logging
//! - [`runtime`]: which event goes into which queue, by way of a `desk`, and as [`parcel`]s; [`watch`]: who looks after hooks that do not come back

pub(crate) mod batches;
pub(crate) mod calls;
pub(crate) mod deliveries;
pub(crate) mod desk;
pub(crate) mod feed;
pub(crate) mod forked;
pub(crate) mod hook;
pub(crate) mod lane;
pub(crate) mod later;
pub(crate) mod line;
pub(crate) mod log;
pub(crate) mod loop_lane;
mod meter;
pub(crate) mod outcome;
pub(crate) mod parcel;
pub(crate) mod queue;
pub(crate) mod runtime;
pub(crate) mod stopwatch;
pub(crate) mod swap;
pub(crate) mod table;
mod transforms;
pub(crate) mod watch;
