//! Topic filters that Python hands over.

use hookmq_codec::TopicFilter;
use pyo3::PyResult;
use pyo3::exceptions::PyValueError;

/// Levels of a filter. The trie is walked by recursion, and no topic has more: it is the largest `limits.max_topic_levels`.
const MOST_LEVELS: usize = 1_000;

/// Reads a filter, or says why it is none.
pub(crate) fn read(text: &str) -> Result<TopicFilter, String> {
    if text.split('/').nth(MOST_LEVELS).is_some() {
        return Err("has more than 1,000 levels".to_owned());
    }
    TopicFilter::parse(text.into()).map_err(|error| error.to_string())
}

/// Reads a filter. Raises `ValueError` with the reason if it is none.
pub(crate) fn parse(text: &str) -> PyResult<TopicFilter> {
    read(text).map_err(|reason| PyValueError::new_err(format!("topic filter {} {reason}", shown(text))))
}

/// Reads a filter that is not shared: nobody has a share of retained messages.
pub(crate) fn parse_unshared(text: &str) -> PyResult<TopicFilter> {
    let parsed = parse(text)?;
    match parsed.share_name() {
        Some(_) => Err(PyValueError::new_err(format!(
            "topic filter {} is a shared subscription, which gets no retained messages",
            shown(text)
        ))),
        None => Ok(parsed),
    }
}

/// A filter as an error shows it.
fn shown(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}
