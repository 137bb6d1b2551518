//! What the broker holds, as pages for people: methods of [`crate::broker::NativeBroker`].

mod clients;
mod numbers;
mod retained;
mod topics;

pub(crate) use topics::TopicWatch;

use hookmq_engine::Millis;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// The most that a page may have.
const LARGEST: usize = 10_000;

/// Characters of a payload that a list shows.
const PREVIEW: usize = 120;

/// A page as Python gets it: its items, where the next begins, and how many there are in all.
type PageOf<'py> = (Vec<Bound<'py, PyDict>>, Option<String>, Option<usize>);

fn seconds(time: Option<Millis>) -> Option<f64> {
    time.map(|time| time as f64 / 1000.0)
}

fn limited(limit: usize) -> PyResult<usize> {
    match (1..=LARGEST).contains(&limit) {
        true => Ok(limit),
        false => Err(PyValueError::new_err(format!("limit must be from 1 to {LARGEST}, not {limit}"))),
    }
}

fn no_place(after: Option<&str>) -> PyErr {
    PyValueError::new_err(format!("after={:?} is not what a page said was next", after.unwrap_or_default()))
}

/// The beginning of a payload as text; `None` if it is not UTF-8. What was cut may end within a character.
fn preview(payload: &[u8], cut: bool) -> Option<String> {
    let text = match std::str::from_utf8(payload) {
        Ok(text) => text,
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&payload[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let mut characters = text.chars();
    let mut shown: String = characters.by_ref().take(PREVIEW).collect();
    if cut || characters.next().is_some() {
        shown.push('…');
    }
    Some(shown)
}
