//! Retained messages.

use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{PageOf, limited, preview, seconds};
use crate::broker::NativeBroker;
use crate::filter::parse_unshared as parse;
use crate::message::Message;

#[pymethods]
impl NativeBroker {
    /// A page of retained messages in the order of their topics. `filter` is a topic filter, `search` part of the topic.
    /// Raises `ValueError`.
    #[pyo3(signature = (limit = 100, after = None, *, filter = None, search = None))]
    fn retained<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        after: Option<&str>,
        filter: Option<&str>,
        search: Option<&str>,
    ) -> PyResult<PageOf<'py>> {
        let limit = limited(limit)?;
        let filter = parse(filter.unwrap_or("#"))?;
        let search = search.filter(|text| !text.is_empty());
        let now = self.clock.now();
        let page = py.detach(|| self.broker.retained_page(filter.as_str(), search, limit, after, now));
        let item = |message: &std::sync::Arc<hookmq_engine::Message>| {
            let dict = PyDict::new(py);
            dict.set_item("topic", &*message.topic)?;
            dict.set_item("bytes", message.payload.len())?;
            dict.set_item("qos", message.qos.value())?;
            dict.set_item("at", seconds(Some(message.received_at)))?;
            dict.set_item("client_id", &*message.publisher)?;
            // A large payload is not looked at as a whole to show its beginning.
            let shown = &message.payload[..message.payload.len().min(4096)];
            dict.set_item("preview", preview(shown, shown.len() < message.payload.len()))?;
            Ok(dict)
        };
        Ok((page.items.iter().map(item).collect::<PyResult<_>>()?, page.next, page.total))
    }

    /// The retained message of a topic; `None` if there is none.
    fn retained_value(&self, topic: &str) -> Option<Message> {
        self.broker.retained_value(topic, self.clock.now()).map(Message::received)
    }

    /// Clears the retained message of every topic that matches, as an empty retained publish does; how many there were.
    /// Raises `ValueError`.
    fn clear_retained(&self, py: Python<'_>, filter: &str) -> PyResult<usize> {
        let filter = parse(filter)?;
        Ok(py.detach(|| {
            let (mut cleared, mut behind) = (0, None::<String>);
            loop {
                // Turn by turn: others are served between two of them, and what is cleared gets to the disk.
                self.wait_for_disk();
                let clear =
                    |batch: &mut _| self.broker.clear_retained(filter.as_str(), behind.as_deref(), batch);
                let (few, last) = self.broker.with_batch(self.clock.now(), clear);
                cleared += few;
                behind = last;
                if behind.is_none() {
                    return cleared;
                }
            }
        }))
    }
}
