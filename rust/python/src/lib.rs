//! The extension module `hookmq._hookmq`: the broker as Python objects.
//!
//! # Layout
//! - [`broker`]: the native broker, which the package's `Broker` holds while it runs
//! - [`access`]: users and access rules as text
//! - [`bridges`]: links to other brokers
//! - [`message`], [`client`], [`properties`]: what hooks are given
//! - [`hooks`]: the one place where threads enter Python
//! - [`rules`]: rules and what they are made of
//! - [`inbox`]: messages for a Python iterator; [`arrow`]: messages as columns; [`hub`]: WebSockets of pages
//!
//! # Who is attached to the interpreter
//! Network threads never are. They put work into the queues of [`hooks`]; threads that Python made take it
//! out again and stay attached, but for the time they wait. Attaching for each call would cost 12 to
//! 19 µs, a call on an attached thread costs 0.3 µs.

mod access;
mod arrow;
mod bridges;
mod broker;
mod client;
mod filter;
mod hooks;
mod hub;
mod inbox;
mod message;
mod properties;
mod rules;
mod settings;
mod store;
mod views;

use pyo3::prelude::*;

/// Messages are allocated on network threads and freed on hook threads, which the system's allocator pays for with
/// locks on both: measured, the network thread's cost of a hook is a third less with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The native half of HookMQ; use it through the package `hookmq`.
#[pymodule]
mod _hookmq {
    use super::*;

    #[pymodule_export]
    use super::access::{check_acl, check_users, explain_acl, hash_user, remove_user, set_user, verify_user};
    #[pymodule_export]
    use super::arrow::ArrowBatch;
    #[pymodule_export]
    use super::bridges::check_bridge_topics;
    #[pymodule_export]
    use super::broker::{BindError, FileError, NativeBroker};
    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::hooks::{
        batches::BatchLane,
        calls::{BodySink, CallPool, PageReply, StepReply, VerdictReply},
        deliveries::DeliveryLane,
        feed::HistoryFeed,
        hook::HookHandle,
        lane::Lane,
        later::{Asking, TransformReply},
        log::LogLane,
        loop_lane::{CallToken, LoopLane},
        stopwatch::{Running, Stopwatch},
    };
    #[pymodule_export]
    use super::hub::{Hub, SocketLane};
    #[pymodule_export]
    use super::inbox::Inbox;
    #[pymodule_export]
    use super::message::Message;
    #[pymodule_export]
    use super::rules::{
        handle::RuleHandle,
        language::{
            RuleError, check_template, describe_rule, is_rule_function, render_template, rule_functions,
            try_rule,
        },
    };
    #[pymodule_export]
    use super::store::{StoreError, check_store, copy_store};
    #[pymodule_export]
    use super::views::TopicWatch;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// To be called in a child after a fork: a hook that returns there ends the child.
    #[pyfunction]
    fn after_fork() {
        hooks::forked::note();
    }

    /// Raises `ValueError` with the reason if the text is no condition on JSON fields.
    #[pyfunction]
    fn check_condition(condition: &str) -> PyResult<()> {
        condition
            .parse::<hookmq_rules::Condition>()
            .map(|_| ())
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))
    }

    /// Raises `ValueError` with the reason if the text is no topic filter.
    #[pyfunction]
    fn check_filter(filter: &str) -> PyResult<()> {
        filter::read(filter).map(|_| ()).map_err(pyo3::exceptions::PyValueError::new_err)
    }
}
