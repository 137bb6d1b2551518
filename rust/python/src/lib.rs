//! The extension module `hookmq._hookmq`: the broker as Python objects.
//!
//! # Layout
//! - [`broker`]: the native broker, which the package's `Broker` holds while it runs
//! - [`access`]: users and access rules as text
//! - [`message`], [`client`], [`properties`]: what hooks are given
//! - [`hooks`]: the one place where threads enter Python
//! - [`inbox`]: messages for a Python iterator
//!
//! # Who is attached to the interpreter
//! Network threads never are. They put work into the queues of [`hooks`]; threads that Python made take it
//! out again and stay attached, but for the time they wait. Attaching for each call would cost 12 to
//! 19 µs, a call on an attached thread costs 0.3 µs.

mod access;
mod broker;
mod client;
mod hooks;
mod inbox;
mod message;
mod properties;
mod settings;

use pyo3::prelude::*;

/// The native half of HookMQ; use it through the package `hookmq`.
#[pymodule]
mod _hookmq {
    use super::*;

    #[pymodule_export]
    use super::access::{check_acl, check_users, explain_acl, hash_user, remove_user, set_user, verify_user};
    #[pymodule_export]
    use super::broker::{BindError, FileError, NativeBroker};
    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::hooks::{
        calls::{CallPool, PageReply, StepReply, VerdictReply},
        feed::HistoryFeed,
        hook::HookHandle,
        lane::Lane,
        log::LogLane,
    };
    #[pymodule_export]
    use super::inbox::Inbox;
    #[pymodule_export]
    use super::message::Message;

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Raises `ValueError` with the reason if the text is no topic filter.
    #[pyfunction]
    fn check_filter(filter: String) -> PyResult<()> {
        hookmq_codec::TopicFilter::parse(filter.into())
            .map(|_| ())
            .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))
    }
}
