//! Topics, and how much is published to them.

use std::sync::Arc;

use hookmq_engine::TopicFigures;
use hookmq_server::{Clock, TopicCounter};
use parking_lot::Mutex;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{limited, preview, seconds};
use crate::broker::NativeBroker;
use crate::message::Message;

/// A payload is kept up to here.
const KEPT: usize = 4096;

/// Places that one watch may look at, and what it may show of all of them.
const MOST_PARENTS: usize = 1000;
const MOST_SHOWN: usize = 1_000_000;

fn topic_dict<'py>(py: Python<'py>, figures: &TopicFigures) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("topic", &figures.topic)?;
    dict.set_item("name", &figures.name)?;
    dict.set_item("messages", figures.messages)?;
    dict.set_item("rate", (figures.rate * 1000.0).round() / 1000.0)?;
    dict.set_item("bytes", figures.bytes)?;
    dict.set_item("at", seconds(figures.at))?;
    dict.set_item("children", figures.children)?;
    dict.set_item("below_topics", figures.below_topics)?;
    dict.set_item("below_messages", figures.below_messages)?;
    dict.set_item("retained", figures.retained)?;
    let text = figures.payload.as_ref().and_then(|payload| preview(payload, payload.len() >= KEPT));
    dict.set_item("preview", text)?;
    Ok(dict)
}

/// Looks at some places of the tree of topics.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct TopicWatch {
    watch: Mutex<hookmq_engine::TopicWatch>,
    broker: Arc<hookmq_engine::Broker>,
    limit: usize,
    clock: Clock,
}

fn parents_of(parents: &[Option<String>], limit: usize) -> PyResult<()> {
    match parents.len() <= MOST_PARENTS && parents.len().saturating_mul(limit) <= MOST_SHOWN {
        true => Ok(()),
        false => Err(PyValueError::new_err(format!(
            "at most {MOST_PARENTS} places can be watched, and {MOST_SHOWN} topics below them: ask for fewer"
        ))),
    }
}

#[pymethods]
impl TopicWatch {
    /// What changed below the places since the last call, and everything the first time: items by topic, and topics that
    /// are gone.
    fn changes<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyDict>, Vec<String>)> {
        let changes = py.detach(|| self.broker.topic_changes(&mut self.watch.lock(), self.clock.now()));
        let set = PyDict::new(py);
        for figures in &changes.set {
            set.set_item(&figures.topic, topic_dict(py, figures)?)?;
        }
        Ok((set, changes.gone))
    }

    /// Looks at other places from now on. Raises `ValueError` for too many.
    fn show(&self, py: Python<'_>, parents: Vec<Option<String>>) -> PyResult<()> {
        parents_of(&parents, self.limit)?;
        py.detach(|| self.watch.lock().show(parents));
        Ok(())
    }
}

#[pymethods]
impl NativeBroker {
    /// Begins with counting topics, or ends it and forgets what was counted.
    fn count_topics(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        py.detach(|| {
            let mut topics = self.topics.lock();
            match on {
                false => drop(topics.take()),
                true if topics.is_none() => *topics = Some(TopicCounter::start(Arc::clone(&self.broker))?),
                true => {}
            }
            Ok(())
        })
    }

    /// A page of what is directly below `parent` in the tree of topics; with `search` of all topics below it, at any depth,
    /// that were published to and have this part in their name. `None` is the top. Raises `ValueError`.
    #[pyo3(name = "topics", signature = (limit = 100, after = None, *, parent = None, search = None))]
    fn topics_page<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        after: Option<&str>,
        parent: Option<&str>,
        search: Option<&str>,
    ) -> PyResult<(Vec<Bound<'py, PyDict>>, Option<String>, usize)> {
        let limit = limited(limit)?;
        let now = self.clock.now();
        let page = py.detach(|| match search.filter(|part| !part.is_empty()) {
            Some(part) => self.broker.find_topics(parent, part, limit, after, now),
            None => self.broker.topics_below(parent, limit, after, now),
        });
        let items = page.items.iter().map(|item| topic_dict(py, item)).collect::<PyResult<_>>()?;
        Ok((items, page.next, page.total))
    }

    /// The newest message of a topic and the bytes of its whole payload, of which at most 4 KiB are kept; `None` if none was
    /// seen.
    fn topic_value(&self, py: Python<'_>, topic: &str) -> Option<(Message, usize)> {
        let (message, whole) = py.detach(|| self.broker.topic_value(topic))?;
        Some((Message::received(Arc::new(message)), whole))
    }

    /// What is told of one topic, or level; `None` if there is none.
    fn topic<'py>(&self, py: Python<'py>, topic: &str) -> PyResult<Option<Bound<'py, PyDict>>> {
        let figures = py.detach(|| self.broker.topic(topic, self.clock.now()));
        figures.map(|figures| topic_dict(py, &figures)).transpose()
    }

    /// Looks at what is directly below these places, of each at the first `limit` topics. Raises `ValueError`.
    #[pyo3(signature = (parents, limit = 500))]
    fn watch_topics(&self, parents: Vec<Option<String>>, limit: usize) -> PyResult<TopicWatch> {
        let limit = limited(limit)?;
        parents_of(&parents, limit)?;
        let watch = Mutex::new(self.broker.watch_topics(parents, limit));
        Ok(TopicWatch { watch, broker: Arc::clone(&self.broker), limit, clock: self.clock })
    }
}
