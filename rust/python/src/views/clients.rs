//! Clients and subscriptions.

use std::sync::Arc;

use hookmq_codec::{RetainHandling, Version, topic};
use hookmq_engine::{ClientFigures, ClientQuery, Sort, SubscriptionFigures};
use hookmq_server::Server;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{PageOf, limited, no_place, seconds};
use crate::broker::NativeBroker;
use crate::hooks::runtime::Sink;

const VERSIONS: [Version; 3] = [Version::V31, Version::V311, Version::V5];

fn sort(text: &str) -> PyResult<(Sort, bool)> {
    let (name, descending) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
    let sort = match name {
        "client_id" => Sort::ClientId,
        "connected_at" => Sort::ConnectedAt,
        "received" => Sort::Received,
        "sent" => Sort::Sent,
        "queued" => Sort::Queued,
        _ => {
            return Err(PyValueError::new_err(format!(
                "sort must be client_id, connected_at, received, sent or queued, with - in front or not; not {text:?}"
            )));
        }
    };
    Ok((sort, descending))
}

fn client_dict<'py>(
    py: Python<'py>,
    figures: &ClientFigures,
    server: Option<&Server>,
) -> PyResult<Bound<'py, PyDict>> {
    let client = &*figures.client;
    let dict = PyDict::new(py);
    dict.set_item("client_id", &*client.id)?;
    dict.set_item("username", client.username.as_deref())?;
    dict.set_item("address", client.address.map(|address| address.ip().to_canonical().to_string()))?;
    dict.set_item("port", client.address.map(|address| address.port()))?;
    dict.set_item("version", client.version.name())?;
    dict.set_item("connected", figures.connected)?;
    // A session that was restored has a client that has not connected since.
    dict.set_item("connected_at", seconds(Some(client.connected_at).filter(|at| *at > 0)))?;
    dict.set_item("disconnected_at", seconds(figures.disconnected_at))?;
    let listener = &client.listener;
    dict.set_item("listener", server.map_or(&*listener.name, |server| server.url(listener)))?;
    dict.set_item("keep_alive", client.keep_alive)?;
    dict.set_item("clean_start", client.clean_start)?;
    dict.set_item("subscriptions", figures.subscriptions)?;
    dict.set_item("queued", figures.queued)?;
    dict.set_item("queued_bytes", figures.queued_bytes)?;
    dict.set_item("inflight", figures.inflight)?;
    dict.set_item("received", figures.received)?;
    dict.set_item("sent", figures.sent)?;
    dict.set_item("expires_at", seconds(figures.expires_at))?;
    dict.set_item("principal", client.principal.as_deref())?;
    Ok(dict)
}

fn subscription_dict<'py>(
    py: Python<'py>,
    figures: &SubscriptionFigures,
    brief: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("client_id", &*figures.client_id)?;
    dict.set_item("filter", &*figures.filter)?;
    dict.set_item("qos", figures.qos.value())?;
    dict.set_item("shared", figures.shared.as_deref())?;
    if !brief {
        dict.set_item("no_local", figures.no_local)?;
        dict.set_item("identifier", figures.identifier)?;
    }
    dict.set_item("connected", figures.connected)?;
    Ok(dict)
}

#[pymethods]
impl NativeBroker {
    /// A page of clients, connected or with a session that is kept, in the order of `sort`: "client_id", "connected_at",
    /// "received", "sent" or "queued", with "-" in front descending. `search` is part of the client identifier, user name or
    /// address; `ids` are the only ones wanted. Raises `ValueError`.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (limit = 100, after = None, *, search = None, connected = None, username = None, address = None,
                        version = None, listener = None, sort = "client_id", ids = None))]
    fn clients<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        after: Option<&str>,
        search: Option<String>,
        connected: Option<bool>,
        username: Option<String>,
        address: Option<String>,
        version: Option<&str>,
        listener: Option<String>,
        sort: &str,
        ids: Option<Vec<String>>,
    ) -> PyResult<(Vec<Bound<'py, PyDict>>, Option<String>, usize)> {
        let limit = limited(limit)?;
        let (sort, descending) = self::sort(sort)?;
        let named = |text: &str| VERSIONS.into_iter().find(|version| version.name() == text);
        let version = match version {
            None => None,
            Some(text) => Some(named(text).ok_or_else(|| {
                PyValueError::new_err(format!("version must be '3.1', '3.1.1' or '5.0', not {text:?}"))
            })?),
        };
        let search = search.filter(|text| !text.is_empty());
        let listeners = listener.map(|url| {
            let server = self.server.read();
            let all =
                server.iter().flat_map(|server| server.listeners.iter().map(|one| (server.url(one), one)));
            all.filter(|(other, _)| *other == url).map(|(_, one)| Arc::clone(one)).collect()
        });
        let query =
            ClientQuery { search, connected, username, address, version, listeners, ids, sort, descending };
        let page = py.detach(|| self.broker.clients(&query, limit, after)).ok_or_else(|| no_place(after))?;
        let server = self.server.read();
        let items =
            page.items.iter().map(|item| client_dict(py, item, server.as_ref())).collect::<PyResult<_>>()?;
        Ok((items, page.next, page.total))
    }

    /// A client closely, with its subscriptions and its Will; `None` if it has no session.
    fn client<'py>(&self, py: Python<'py>, client_id: &str) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(detail) = py.detach(|| self.broker.client_detail(client_id)) else { return Ok(None) };
        let dict = client_dict(py, &detail.figures, self.server.read().as_ref())?;
        let filter = |figures: &hookmq_engine::FilterFigures| {
            let dict = PyDict::new(py);
            let options = &figures.options;
            dict.set_item("filter", &*figures.filter)?;
            dict.set_item("qos", options.qos.value())?;
            dict.set_item("no_local", options.no_local)?;
            dict.set_item("retain_as_published", options.retain_as_published)?;
            let handling = match options.retain_handling {
                RetainHandling::Send => 0,
                RetainHandling::SendIfNew => 1,
                RetainHandling::DoNotSend => 2,
            };
            dict.set_item("retain_handling", handling)?;
            dict.set_item("identifier", figures.identifier)?;
            dict.set_item("shared", figures.shared.as_deref())?;
            Ok(dict)
        };
        dict.set_item("filters", detail.filters.iter().map(filter).collect::<PyResult<Vec<_>>>()?)?;
        let will = detail.will.map(|figures| {
            let dict = PyDict::new(py);
            dict.set_item("topic", &*figures.will.topic)?;
            dict.set_item("qos", figures.will.qos.value())?;
            dict.set_item("retain", figures.will.retain)?;
            dict.set_item("delay", figures.delay)?;
            PyResult::Ok(dict)
        });
        dict.set_item("will", will.transpose()?)?;
        Ok(Some(dict))
    }

    /// Closes the client's connection, if it has one, and ends its session with all it kept. `False` if there is none.
    fn end_session(&self, py: Python<'_>, client_id: &str) -> bool {
        let now = self.clock.now();
        py.detach(|| self.broker.with_batch(now, |batch| self.broker.end_session_of(client_id, batch)))
    }

    /// A page of subscriptions in the order of client identifiers and filters: of one client, or of all. `search` is part of
    /// the filter or the client identifier. Raises `ValueError`.
    #[pyo3(signature = (limit = 100, after = None, *, search = None, client = None))]
    fn subscriptions<'py>(
        &self,
        py: Python<'py>,
        limit: usize,
        after: Option<&str>,
        search: Option<&str>,
        client: Option<&str>,
    ) -> PyResult<PageOf<'py>> {
        let limit = limited(limit)?;
        let search = search.filter(|text| !text.is_empty());
        let page = py.detach(|| self.broker.subscriptions(search, client, limit, after));
        let page = page.ok_or_else(|| no_place(after))?;
        let items = page.items.iter().map(|item| subscription_dict(py, item, false));
        Ok((items.collect::<PyResult<_>>()?, page.next, page.total))
    }

    /// Who gets a message of this topic name now: a page of subscriptions, and the names of hooks, rules and bridges.
    /// Raises `ValueError`.
    #[pyo3(signature = (topic, limit = 100, after = None))]
    fn receivers<'py>(
        &self,
        py: Python<'py>,
        topic: &str,
        limit: usize,
        after: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        topic::check_name(topic)
            .map_err(|error| PyValueError::new_err(format!("topic {topic:?} {error}")))?;
        let limit = limited(limit)?;
        let receivers = py.detach(|| self.broker.receivers(topic, limit, after));
        let receivers = receivers.ok_or_else(|| no_place(after))?;
        let (mut hooks, mut rules) = (Vec::new(), Vec::new());
        {
            let sinks = self.runtime.sinks.read();
            for tap in &receivers.taps {
                match sinks.get(tap) {
                    Some(Sink::Hook(hook) | Sink::Decider(hook)) => hooks.push(hook.name.clone()),
                    Some(Sink::Rule(rule) | Sink::RuleElsewhere(rule, _)) => rules.push(rule.name.clone()),
                    Some(Sink::Inbox(_) | Sink::History(..)) | None => {}
                }
            }
        }
        for names in [&mut hooks, &mut rules] {
            names.sort_unstable();
            names.dedup();
        }
        let bridge = |id: &str| id.strip_prefix(hookmq_server::bridge::CLIENT_ID).unwrap_or(id).to_owned();
        let page = &receivers.page;
        let items: Vec<_> =
            page.items.iter().map(|item| subscription_dict(py, item, true)).collect::<PyResult<_>>()?;
        let dict = PyDict::new(py);
        dict.set_item("items", items)?;
        dict.set_item("next", page.next.as_deref())?;
        dict.set_item("total", page.total)?;
        dict.set_item("hooks", hooks)?;
        dict.set_item("rules", rules)?;
        dict.set_item("bridges", receivers.bridges.iter().map(|id| bridge(id)).collect::<Vec<_>>())?;
        Ok(dict)
    }
}
