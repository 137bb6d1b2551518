//! The store of a data directory, for those who look after it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use hookmq_server::storage::{self, StoreError as Reason};
use parking_lot::{Condvar, Mutex};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyDict;

create_exception!(
    _hookmq,
    StoreError,
    PyException,
    "A store cannot be used; its arguments are a word for why, the path and the same as a sentence."
);

/// How often Python is told how far something is.
const TELL: Duration = Duration::from_millis(100);

pub(crate) fn store_error(error: &Reason) -> PyErr {
    let why = match error {
        Reason::InUse { .. } => "in use",
        Reason::Newer { .. } => "newer",
        Reason::Foreign { .. } => "foreign",
        Reason::Unidentified { .. } => "unidentified",
        Reason::System { .. } => "system",
    };
    StoreError::new_err((why, error.path().to_owned(), error.to_string()))
}

/// Does something that takes a while on a thread of its own, and tells a Python function of bytes that are done and of
/// all bytes, now and then. What it raises, such as Ctrl+C, is raised when the work is done.
pub(crate) fn with_progress<T: Send>(
    py: Python<'_>,
    tell: Option<Py<PyAny>>,
    work: impl FnOnce(&mut dyn FnMut(u64, u64)) -> Result<T, Reason> + Send,
) -> PyResult<T> {
    let (done, total) = (&AtomicU64::new(0), &AtomicU64::new(0));
    let (ended, end) = (&Mutex::new(false), &Condvar::new());
    thread::scope(|scope| {
        let working = scope.spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| {
                work(&mut |so_far, all| {
                    total.store(all, Relaxed);
                    done.store(so_far, Relaxed);
                })
            }));
            *ended.lock() = true;
            end.notify_one();
            result.unwrap_or_else(|panic| resume_unwind(panic))
        });
        let mut raised = Ok(());
        let wait = || {
            let ended = &mut ended.lock();
            **ended || {
                end.wait_for(ended, TELL);
                **ended
            }
        };
        while !py.detach(wait) {
            if let Some(tell) = tell.as_ref().filter(|_| raised.is_ok()) {
                raised = tell.call1(py, (done.load(Relaxed), total.load(Relaxed))).map(|_| ());
            }
        }
        let result = working.join().unwrap_or_else(|panic| resume_unwind(panic));
        if let Some(tell) = tell.filter(|_| raised.is_ok()) {
            let all = total.load(Relaxed);
            raised = tell.call1(py, (all, all)).map(|_| ());
        }
        result.map_err(|error| store_error(&error)).and_then(|result| raised.map(|()| result))
    })
}

/// Reads the store in a directory and changes nothing. Gives what was found: the oldest `format`, bytes, records, what was cut off the end
/// as `torn` bytes, `orphans`, and `damages` as tuples of path, offset, bytes and records. Raises `StoreError`.
#[pyfunction]
#[pyo3(signature = (directory, progress = None))]
pub(crate) fn check_store(
    py: Python<'_>,
    directory: PathBuf,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'_, PyDict>> {
    let report = with_progress(py, progress, |tell| storage::check(&directory, tell))?;
    let dict = PyDict::new(py);
    dict.set_item("format", report.format)?;
    dict.set_item("segments", report.segments)?;
    dict.set_item("bytes", report.bytes)?;
    dict.set_item("commits", report.frames)?;
    dict.set_item("records", report.records)?;
    dict.set_item("torn", report.torn)?;
    dict.set_item("orphans", report.orphans)?;
    let damages: Vec<_> =
        report.damages.into_iter().map(|one| (one.path, one.offset, one.bytes, one.records)).collect();
    dict.set_item("damages", damages)?;
    Ok(dict)
}

/// Copies the store in a directory to another, whether it is in use or not. Gives the number of bytes. Raises
/// `StoreError`.
#[pyfunction]
#[pyo3(signature = (directory, to, progress = None))]
pub(crate) fn copy_store(
    py: Python<'_>,
    directory: PathBuf,
    to: PathBuf,
    progress: Option<Py<PyAny>>,
) -> PyResult<u64> {
    with_progress(py, progress, |tell| storage::copy(&directory, &to, tell))
}
