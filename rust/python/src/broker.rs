//! The native broker, which the package's `Broker` holds while it runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use hookmq_codec::{Publish, QoS, TopicFilter, topic};
use hookmq_engine::{Message as EngineMessage, Tap, TapKind};
use hookmq_server::server::StartError;
use hookmq_server::settings::BoundAddress;
use hookmq_server::{Clock, Server, Settings};
use parking_lot::RwLock;
use pyo3::exceptions::{PyException, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use pyo3::{PyErr, create_exception};

use crate::hooks::calls::CallPool;
use crate::hooks::feed::HistoryFeed;
use crate::hooks::hook::{Counters, Hook, HookHandle, Place};
use crate::hooks::lane::Lane;
use crate::hooks::log::LogLane;
use crate::hooks::queue::{Overflow, Queue};
use crate::hooks::runtime::{ClientHook, Runtime, Sink};
use crate::inbox::Inbox;
use crate::{properties, settings};

create_exception!(
    _hookmq,
    BindError,
    PyException,
    "An address could not be bound; its arguments are purpose, host, port, errno and the system's words."
);

create_exception!(
    _hookmq,
    FileError,
    PyException,
    "A file could not be used; its arguments are the path and why."
);

/// A broker for one run: made with its settings, started once, stopped once.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct NativeBroker {
    settings: Settings,
    queue_events: usize,
    queue_bytes: usize,
    runtime: Arc<Runtime>,
    broker: Arc<hookmq_engine::Broker>,
    server: RwLock<Option<Server>>,
    clock: Clock,
    callbacks: Py<PyAny>,
}

#[pymethods]
impl NativeBroker {
    /// `settings` maps dotted keys to values, `callbacks` has the methods `authenticate`, `authorize`,
    /// `page`, `failed` and `dropped`.
    #[new]
    fn new(settings: &Bound<'_, PyDict>, callbacks: Py<PyAny>) -> PyResult<Self> {
        let native = settings::read(settings)?;
        let runtime = Arc::new(Runtime::new(
            settings::duration(settings, "hooks.decision_timeout")?,
            settings::duration(settings, "hooks.page_timeout")?,
        ));
        let observer: Arc<dyn hookmq_engine::Observer> = Arc::<Runtime>::clone(&runtime);
        Ok(Self {
            broker: hookmq_engine::Broker::new(native.limits.clone(), observer),
            settings: native,
            queue_events: settings::number(settings, "hooks.queue_events")?,
            queue_bytes: settings::number(settings, "hooks.queue_bytes")?,
            runtime,
            server: RwLock::new(None),
            clock: Clock::new(),
            callbacks,
        })
    }

    /// Binds and serves. Raises `BindError`; nothing is left behind then.
    fn start(&self, py: Python<'_>) -> PyResult<()> {
        let started = py.detach(|| {
            let deciders = Arc::<Runtime>::clone(&self.runtime);
            let pages = Arc::<Runtime>::clone(&self.runtime);
            Server::start(self.settings.clone(), Arc::clone(&self.broker), deciders, pages, self.clock)
        });
        let server = started.map_err(|error| match error {
            StartError::Bind(error) => {
                let code = error.source.raw_os_error().unwrap_or_default();
                let text = error.source.to_string();
                BindError::new_err((error.purpose, error.host, error.port, code, text))
            }
            StartError::File(error) => file_error(&error),
            StartError::System(error) => PyErr::from(error),
        })?;
        *self.server.write() = Some(server);
        Ok(())
    }

    /// Says farewell to every client and ends the network threads. Hooks that still run may go on
    /// publishing, to each other and to the history. Without effect the second time.
    fn stop(&self, py: Python<'_>) {
        py.detach(|| {
            let server = self.server.write().take();
            if let Some(server) = server {
                server.stop();
            }
        });
    }

    /// Forgets every hook and subscription, and with them the Python objects they hold.
    fn close(&self) {
        self.runtime.sinks.write().clear();
        self.runtime.client_hooks.write().clear();
    }

    /// The URLs and ports of the listeners, in the order of the settings; the port is 0 for a Unix socket.
    #[getter]
    fn listeners(&self) -> Vec<(String, u16)> {
        let server = self.server.read();
        let addresses = server.as_ref().map_or(&[][..], |server| &server.addresses);
        let port = |bound: &BoundAddress| bound.address.map_or(0, |address| address.port());
        addresses.iter().map(|bound| (bound.url.clone(), port(bound))).collect()
    }

    /// Reads certificates, users and access rules again. Raises `FileError` for the first that cannot be used.
    fn reload(&self, py: Python<'_>) -> PyResult<()> {
        let reloaded = py.detach(|| self.server.read().as_ref().map_or(Ok(()), Server::reload));
        reloaded.map_err(|errors| match errors.first() {
            Some(error) => file_error(error),
            None => PyRuntimeError::new_err("a file could not be read again"),
        })
    }

    /// The HTTP port; `None` without HTTP.
    #[getter]
    fn http_port(&self) -> Option<u16> {
        self.server.read().as_ref().and_then(|server| server.http_address).map(|address| address.port())
    }

    /// Publishes a message of the process itself. Says whether a subscription matched. Raises `ValueError`
    /// for what cannot be published and `RuntimeError` if a subscriber's queue is full.
    #[pyo3(signature = (topic, payload, qos, retain, properties = None))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: String,
        payload: &Bound<'_, PyBytes>,
        qos: &Bound<'_, PyAny>,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<bool> {
        topic::check_name(&topic)
            .map_err(|error| PyValueError::new_err(format!("topic {topic:?} {error}")))?;
        if topic.split('/').nth(self.settings.limits.max_topic_levels).is_some() {
            return Err(PyValueError::new_err("the topic has more levels than limits.max_topic_levels"));
        }
        let qos = match qos.extract::<u8>() {
            Ok(value) => QoS::from_value(value),
            Err(error) if error.is_instance_of::<PyTypeError>(py) => return Err(error),
            Err(_) => None,
        };
        let qos = qos.ok_or_else(|| PyValueError::new_err("qos must be 0, 1 or 2"))?;
        let properties = properties.map(properties::from_dict).transpose()?.unwrap_or_default();
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        if topic.len() + payload.len() + properties.body_len() + 16 > self.settings.limits.max_packet_size {
            return Err(PyValueError::new_err("the message is larger than limits.max_packet_size"));
        }
        // Detached: the packets may be written to sockets before this returns.
        py.detach(|| {
            let publish =
                Publish { topic: topic.into(), payload, qos, retain, properties, ..Publish::default() };
            let now = self.clock.now();
            let message = EngineMessage::from_publish(publish, Arc::from(""), now);
            match self.broker.with_batch(now, |batch| self.broker.publish(message, None, false, batch)) {
                Ok(published) => Ok(published.matched),
                Err(refused) => Err(PyRuntimeError::new_err(refused.what)),
            }
        })
    }

    /// A queue of hook calls; the caller gives it a thread that runs `Lane.run`.
    fn lane(&self, py: Python<'_>) -> PyResult<Lane> {
        let queue = Arc::new(Queue::new(self.queue_events, self.queue_bytes));
        let callback = |name| self.callbacks.getattr(py, name);
        Ok(Lane::new(queue, callback("failed")?, callback("dropped")?))
    }

    /// The queue of questions to deciders.
    fn decisions(&self, py: Python<'_>) -> CallPool {
        CallPool::new(Arc::clone(&self.runtime.decisions), self.callbacks.clone_ref(py))
    }

    /// The queue of requests for pages.
    fn pages(&self, py: Python<'_>) -> CallPool {
        CallPool::new(Arc::clone(&self.runtime.pages), self.callbacks.clone_ref(py))
    }

    /// The queue of notices for the log.
    fn log(&self) -> LogLane {
        LogLane { queue: Arc::clone(&self.runtime.notices) }
    }

    /// Says which deciders exist, and for which methods of enhanced authentication.
    fn decide(&self, authenticate: bool, authorize: bool, methods: Vec<String>) {
        self.runtime.authenticates.store(authenticate, Relaxed);
        self.runtime.authorizes.store(authorize, Relaxed);
        *self.runtime.methods.write() = methods;
    }

    /// Registers a function for messages (`kind` "received", "routed" or "sent", with a `filter`) or for
    /// clients ("connected" or "disconnected"). `levels` names the topic levels to hand over.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (lane, kind, function, *, name, filter = None, positional = 1, levels = None,
                        overflow = "drop_oldest"))]
    fn add_hook(
        &self,
        lane: &Lane,
        kind: &str,
        function: Py<PyAny>,
        name: String,
        filter: Option<String>,
        positional: usize,
        levels: Option<Vec<(usize, Py<PyString>)>>,
        overflow: &str,
    ) -> PyResult<HookHandle> {
        let overflow = match overflow {
            "drop_oldest" => Overflow::DropOldest,
            "drop_newest" => Overflow::DropNewest,
            _ => return Err(PyValueError::new_err("overflow must be 'drop_oldest' or 'drop_newest'")),
        };
        let hook = Arc::new(Hook {
            name,
            function,
            positional,
            levels: levels.unwrap_or_default(),
            overflow,
            counters: Counters::default(),
            removed: AtomicBool::new(false),
        });
        let queue = Arc::clone(&lane.queue);
        let connected = match kind {
            "connected" => true,
            "disconnected" => false,
            _ => {
                let sink = Sink::Hook(Arc::clone(&hook), queue);
                let (id, filter) = self.tap(tap_kind(kind)?, filter.as_deref().unwrap_or("#"), sink)?;
                return Ok(HookHandle { hook, place: Place::Tap(id, filter) });
            }
        };
        self.runtime.client_hooks.write().push(ClientHook {
            hook: Arc::clone(&hook),
            lane: queue,
            connected,
        });
        self.broker.watch_clients(true);
        Ok(HookHandle { hook, place: Place::Clients })
    }

    /// Removes a hook; it is not called any more.
    fn remove_hook(&self, handle: &HookHandle) {
        handle.hook.removed.store(true, Relaxed);
        match &handle.place {
            Place::Tap(id, filter) => {
                self.broker.remove_tap(filter, *id);
                self.runtime.sinks.write().remove(id);
            }
            Place::Clients => {
                let mut hooks = self.runtime.client_hooks.write();
                hooks.retain(|entry| !Arc::ptr_eq(&entry.hook, &handle.hook));
                self.broker.watch_clients(!hooks.is_empty());
            }
        }
    }

    /// Subscribes this process to a filter, retained messages first if they are wanted. Gives the inbox
    /// and the number by which `unsubscribe` knows it.
    fn subscribe(&self, filter: &str, retained: bool, max_messages: usize) -> PyResult<(Inbox, u32)> {
        let inbox = Inbox::new(max_messages)?;
        let filter = parse(filter)?;
        let id = self.runtime.add_sink(Sink::Inbox(Arc::clone(&inbox.queue)));
        let tap = Tap { id, kind: TapKind::Routed };
        match retained {
            true => inbox.queue.prepend(self.broker.add_tap_with_retained(&filter, tap, self.clock.now())),
            false => self.broker.add_tap(&filter, tap),
        }
        Ok((inbox, id))
    }

    /// Ends a subscription of this process.
    fn unsubscribe(&self, filter: &str, id: u32) -> PyResult<()> {
        self.broker.remove_tap(&parse(filter)?, id);
        self.runtime.sinks.write().remove(&id);
        Ok(())
    }

    /// A queue of every message that is published, for the history. When it is full the oldest go if
    /// `keep_newest`, else those that come.
    fn history(&self, max_rows: usize, max_bytes: usize, keep_newest: bool) -> PyResult<HistoryFeed> {
        let queue = Arc::new(Queue::new(max_rows, max_bytes));
        let overflow = if keep_newest { Overflow::DropOldest } else { Overflow::DropNewest };
        self.tap(TapKind::Routed, "#", Sink::History(Arc::clone(&queue), overflow))?;
        Ok(HistoryFeed { queue })
    }

    /// Ends a client's connection. Says whether it had one.
    fn disconnect(&self, client_id: &str) -> bool {
        self.broker.disconnect(client_id, hookmq_codec::ReasonCode::AdministrativeAction)
    }

    /// Counters since the start and totals of this moment, by name.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, value) in self.broker.statistics.snapshot() {
            dict.set_item(name, value)?;
        }
        let totals = py.detach(|| self.broker.totals());
        dict.set_item("sessions", totals.sessions)?;
        dict.set_item("retained_messages", totals.retained)?;
        dict.set_item("retained_bytes", totals.retained_bytes)?;
        dict.set_item("subscriptions", totals.subscriptions)?;
        dict.set_item("shared_subscriptions", totals.shared_subscriptions)?;
        dict.set_item("queued_messages", totals.queued)?;
        dict.set_item("queued_bytes", totals.queued_bytes)?;
        dict.set_item("inflight_messages", totals.inflight)?;
        Ok(dict)
    }
}

impl NativeBroker {
    fn tap(&self, kind: TapKind, filter: &str, sink: Sink) -> PyResult<(u32, TopicFilter)> {
        let filter = parse(filter)?;
        let id = self.runtime.add_sink(sink);
        self.broker.add_tap(&filter, Tap { id, kind });
        Ok((id, filter))
    }
}

fn file_error(error: &hookmq_server::FileError) -> PyErr {
    FileError::new_err((error.path.clone(), error.reason.clone()))
}

fn tap_kind(kind: &str) -> PyResult<TapKind> {
    match kind {
        "received" => Ok(TapKind::Received),
        "routed" => Ok(TapKind::Routed),
        "sent" => Ok(TapKind::Sent),
        _ => Err(PyValueError::new_err(format!("there is no hook kind {kind:?}"))),
    }
}

fn parse(filter: &str) -> PyResult<TopicFilter> {
    TopicFilter::parse(filter.into())
        .map_err(|error| PyValueError::new_err(format!("topic filter {filter:?} {error}")))
}
