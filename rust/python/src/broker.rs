//! The native broker, which the package's `Broker` holds while it runs.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmq_codec::{Publish, QoS, topic};
use hookmq_engine::{Ban, BannedBy, Message as EngineMessage, Origin, Tap, TapKind};
use hookmq_server::keeper::Keeper;
use hookmq_server::server::StartError;
use hookmq_server::settings::BoundAddress;
use hookmq_server::{Clock, Server, Settings, Storage, TopicCounter};
use parking_lot::{Mutex, RwLock};
use pyo3::exceptions::{PyException, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use pyo3::{PyErr, create_exception};

use crate::filter::parse;
use crate::hooks::batches::BatchLane;
use crate::hooks::calls::CallPool;
use crate::hooks::deliveries::DeliveryLane;
use crate::hooks::feed::HistoryFeed;
use crate::hooks::hook::{Hook, HookHandle, Place};
use crate::hooks::lane::Lane;
use crate::hooks::log::LogLane;
use crate::hooks::loop_lane::LoopLane;
use crate::hooks::outcome::Outcomes;
use crate::hooks::queue::{Overflow, Queue};
use crate::hooks::runtime::{HubPlace, Interest, Runtime, Sink};
use crate::hooks::stopwatch::Stopwatch;
use crate::hooks::watch::Watch;
use crate::hub::{Hub, SocketLane};
use crate::inbox::Inbox;
use crate::rules::Functions;
use crate::rules::handle::{RuleHandle, Wanted};
use crate::store::with_progress;
use crate::{bridges, properties, settings};

/// How long a publish of this process waits for a disk that does not keep up.
const DISK_PATIENCE: Duration = Duration::from_secs(5);

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
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) broker: Arc<hookmq_engine::Broker>,
    pub(crate) server: RwLock<Option<Server>>,
    pub(crate) clock: Clock,
    /// What was found in the store, until it is put in its place.
    storage: Mutex<Option<Storage>>,
    /// Who writes the store, while the broker runs.
    keeper: Mutex<Option<Keeper>>,
    callbacks: Py<PyAny>,
    /// Who looks after hooks, while the broker runs.
    watch: Mutex<Option<Watch>>,
    /// Who counts topics, while they are counted.
    pub(crate) topics: Mutex<Option<TopicCounter>>,
}

#[pymethods]
impl NativeBroker {
    /// `settings` maps dotted keys to values, `callbacks` has the methods `authenticate`, `greet`, `authorize`,
    /// `transform`, `outcome`, `denial`, `page`, `failed` and `dropped`. `progress` is called with bytes that were read
    /// of the store, and all bytes. Raises `StoreError`.
    #[new]
    #[pyo3(signature = (settings, callbacks, progress = None))]
    fn new(
        py: Python<'_>,
        settings: &Bound<'_, PyDict>,
        callbacks: Py<PyAny>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let mut native = settings::read(settings)?;
        let queue_events = settings::number(settings, "hooks.queue_events")?;
        let queue_bytes = settings::number(settings, "hooks.queue_bytes")?;
        let storage = match settings::store(settings)? {
            Some(store) => Some(with_progress(py, progress, |tell| Storage::open(store, tell))?),
            None => None,
        };
        native.identity = match &storage {
            Some(storage) => storage.identity(),
            None => hookmq_server::storage::passing_identity()?,
        };
        let clock = storage.as_ref().map_or_else(Clock::new, Storage::clock);
        let runtime = Arc::new(Runtime::new(
            settings::duration(settings, "hooks.decision_timeout")?,
            settings::duration(settings, "hooks.page_timeout")?,
            (queue_events, queue_bytes),
            clock,
        ));
        let observer: Arc<dyn hookmq_engine::Observer> = Arc::<Runtime>::clone(&runtime);
        let broker = hookmq_engine::Broker::with_ledger(
            native.limits.clone(),
            observer,
            storage.as_ref().map(Storage::ledger),
        );
        runtime.belong_to(&broker);
        Ok(Self {
            broker,
            settings: native,
            queue_events,
            queue_bytes,
            runtime,
            server: RwLock::new(None),
            clock,
            storage: Mutex::new(storage),
            keeper: Mutex::new(None),
            callbacks,
            watch: Mutex::new(None),
            topics: Mutex::new(None),
        })
    }

    /// Binds every address; who connects waits for `serve()`. Raises `BindError`; nothing is left behind then.
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
        if let Some(storage) = self.storage.lock().take() {
            let restored = py.detach(|| storage.restore(&self.broker, &server.listeners, self.clock));
            match restored {
                Ok(keeper) => *self.keeper.lock() = Some(keeper),
                Err(error) => {
                    py.detach(|| server.stop());
                    return Err(error.into());
                }
            }
        }
        *self.server.write() = Some(server);
        *self.watch.lock() =
            Some(Watch::start(Arc::clone(&self.runtime), Arc::clone(&self.broker), self.clock)?);
        Ok(())
    }

    /// Lets clients in. Without effect before `start()` and after `stop()`.
    fn serve(&self, py: Python<'_>) {
        py.detach(|| {
            if let Some(server) = self.server.read().as_ref() {
                server.serve();
            }
        });
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

    /// Writes what there still is to the store; forgets every hook and subscription, and with them the Python objects
    /// they hold.
    fn close(&self, py: Python<'_>) {
        let (watch, keeper) = (self.watch.lock().take(), self.keeper.lock().take());
        drop(self.storage.lock().take());
        let topics = self.topics.lock().take();
        py.detach(|| {
            drop((watch, topics)); // they are waited for
            keeper.into_iter().for_each(Keeper::stop);
        });
        py.detach(|| self.runtime.rules.stop());
        // What is forgotten is dropped with the locks free: the end of a Python object may run code.
        drop(std::mem::take(&mut *self.runtime.rule_hooks.write()));
        drop(std::mem::take(&mut *self.runtime.sinks.write()));
        drop(std::mem::take(&mut *self.runtime.client_hooks.write()));
        drop(std::mem::take(&mut *self.runtime.hubs.write()));
        self.runtime.hooks.clear();
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
        self.http_ports().first().copied()
    }

    /// The HTTP port and the further ones.
    #[getter]
    fn http_ports(&self) -> Vec<u16> {
        let server = self.server.read();
        server.iter().flat_map(|server| &server.http_addresses).map(SocketAddr::port).collect()
    }

    /// Publishes a message of the process itself, or of a `publisher`, for whom hooks are called. Says whether a
    /// subscription matched. Raises `ValueError` for what cannot be published and `RuntimeError` if a subscriber's queue
    /// is full.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (topic, payload, qos, retain, properties = None, publisher = ""))]
    fn publish(
        &self,
        py: Python<'_>,
        topic: String,
        payload: &Bound<'_, PyBytes>,
        qos: &Bound<'_, PyAny>,
        retain: bool,
        properties: Option<&Bound<'_, PyDict>>,
        publisher: &str,
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
            self.wait_for_disk();
            let publish =
                Publish { topic: topic.into(), payload, qos, retain, properties, ..Publish::default() };
            let now = self.clock.now();
            let message = EngineMessage::from_publish(publish, Arc::from(publisher), now);
            // Who publishes may be the hook of a rule.
            let hops = u8::try_from(hookmq_server::rules::current().len()).unwrap_or(u8::MAX);
            let message = EngineMessage { hops, ..message };
            let origin = if publisher.is_empty() { Origin::broker() } else { Origin::caller() };
            match self.broker.with_batch(now, |batch| self.broker.publish(message, origin, batch)) {
                Ok(published) => Ok(published.matched),
                Err(refused) => Err(PyRuntimeError::new_err(refused.what)),
            }
        })
    }

    /// A queue of hook calls; the caller gives it a thread that runs `Lane.run`.
    fn lane(&self, py: Python<'_>) -> PyResult<Lane> {
        let queue = Arc::new(Queue::new(self.queue_events, self.queue_bytes));
        let callback = |name| self.callbacks.getattr(py, name);
        let hooks = Arc::clone(&self.runtime.hooks);
        Ok(Lane::new(queue, hooks, callback("failed")?, callback("dropped")?))
    }

    /// A queue of hook calls that an event loop makes.
    fn loop_lane(&self, py: Python<'_>) -> PyResult<LoopLane> {
        LoopLane::new(py, self.lane(py)?)
    }

    /// A queue for one hook that is called with many messages at a time: at most `max_rows`, the first of
    /// which has not waited longer than `max_delay` seconds unless the hook is slow. `fields` are paths of JSON
    /// fields and `"float"`, `"int"`, `"str"` or `"bool"`, for the format `"arrow"`.
    #[pyo3(signature = (format, max_rows, max_delay, fields))]
    fn batch_lane(
        &self,
        py: Python<'_>,
        format: &str,
        max_rows: usize,
        max_delay: f64,
        fields: Vec<(String, String)>,
    ) -> PyResult<BatchLane> {
        BatchLane::new(Py::new(py, self.lane(py)?)?, format, &fields, max_rows, max_delay)
    }

    /// The queue of questions to deciders.
    fn decisions(&self, py: Python<'_>) -> PyResult<CallPool> {
        let queue = Arc::clone(&self.runtime.decisions);
        CallPool::new(py, queue, self.callbacks.clone_ref(py), Arc::clone(&self.runtime))
    }

    /// The queue of requests for pages.
    fn pages(&self, py: Python<'_>) -> PyResult<CallPool> {
        let queue = Arc::clone(&self.runtime.pages);
        CallPool::new(py, queue, self.callbacks.clone_ref(py), Arc::clone(&self.runtime))
    }

    /// A queue by itself for requests of these paths; one that ends in `/` is for all that begin with it.
    fn console(&self, py: Python<'_>, paths: Vec<String>) -> PyResult<CallPool> {
        *self.runtime.console_paths.write() = paths;
        let queue = Arc::clone(&self.runtime.console);
        CallPool::new(py, queue, self.callbacks.clone_ref(py), Arc::clone(&self.runtime))
    }

    /// The queue of deliveries that hooks decide about.
    fn deliveries(&self, py: Python<'_>) -> PyResult<DeliveryLane> {
        Ok(DeliveryLane {
            queue: Arc::clone(&self.runtime.deliveries),
            runtime: Arc::clone(&self.runtime),
            broker: Arc::clone(&self.broker),
            clock: self.clock,
            timeout: self.runtime.decision_timeout,
            outcomes: Outcomes::new(py, &self.callbacks)?,
            generation: AtomicU64::new(0),
        })
    }

    /// A queue of what happens to WebSockets of pages.
    fn sockets(&self, py: Python<'_>) -> PyResult<SocketLane> {
        let failed = self.callbacks.getattr(py, "failed")?;
        let queue = Arc::new(Queue::new(self.queue_events, self.queue_bytes));
        Ok(SocketLane { queue, failed, generation: AtomicU64::new(0) })
    }

    /// Makes a place for WebSockets of pages at a path, or at all paths below it as well. What happens there is
    /// told to `observer(kind, socket, data, request)` by the thread that runs `lane`. One that is there already is
    /// replaced.
    #[pyo3(signature = (lane, path, observer, *, below = false))]
    fn hub(&self, lane: &SocketLane, path: String, observer: Py<PyAny>, below: bool) -> Hub {
        let hub = Hub::new(Arc::clone(&lane.queue), observer);
        let mut hubs = self.runtime.hubs.write();
        hubs.retain(|place| place.path != path || place.below != below);
        hubs.push(HubPlace { path, below, hub: Arc::clone(&hub.0) });
        hub
    }

    /// Gives the place at a path up: browsers that are connected there are told that it goes away.
    #[pyo3(signature = (path, *, below = false))]
    fn remove_hub(&self, py: Python<'_>, path: &str, below: bool) {
        let is_it = |place: &mut HubPlace| place.path == path && place.below == below;
        let removed: Vec<_> = self.runtime.hubs.write().extract_if(.., is_it).collect();
        py.detach(|| removed.iter().for_each(|place| place.hub.close(None, 1001)));
    }

    /// Measures the calls of a hook that Python makes by itself, so that one which does not come back is named.
    fn stopwatch(&self, name: String) -> Stopwatch {
        self.runtime.stopwatch(name)
    }

    /// The queue of notices for the log.
    fn log(&self) -> LogLane {
        LogLane { queue: Arc::clone(&self.runtime.notices) }
    }

    /// Says which deciders exist, and for which methods of enhanced authentication.
    fn decide(
        &self,
        authenticate: bool,
        greet: bool,
        authorize_publish: bool,
        authorize_subscribe: bool,
        methods: Vec<String>,
    ) {
        let runtime = &self.runtime;
        runtime.authenticates.store(authenticate, Relaxed);
        runtime.greets.store(greet, Relaxed);
        runtime.authorizes_publish.store(authorize_publish, Relaxed);
        runtime.authorizes_subscribe.store(authorize_subscribe, Relaxed);
        *runtime.methods.write() = methods;
        runtime.generation.fetch_add(1, Relaxed);
    }

    /// Makes a hook, which is called from [`Self::swap_hooks`] on. `kind` is "received", "routed", "sent", "acked", "dropped", "transform" or "deliver"
    /// for messages that match `filter`, "connected", "disconnected", "subscribed" or "unsubscribed" for clients.
    /// Its calls wait in `lanes`, among which clients are shared out; those that decide have none. `levels`
    /// names the topic levels to hand over, `condition` is one on JSON fields. Among its equals it is told `instead` of
    /// another, or last. Raises `ValueError`.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (lanes, kind, function, *, name, filter = None, positional = 1, levels = None,
                        overflow = "drop_oldest", rank = 0, condition = None, bare = false, keeps = false,
                        later = false, flush = None, instead = None))]
    fn add_hook(
        &self,
        lanes: Vec<PyRef<'_, Lane>>,
        kind: &str,
        function: Py<PyAny>,
        name: String,
        filter: Option<String>,
        positional: usize,
        levels: Option<Vec<(usize, Py<PyString>)>>,
        overflow: &str,
        rank: i32,
        condition: Option<&str>,
        bare: bool,
        keeps: bool,
        later: bool,
        flush: Option<Py<PyAny>>,
        instead: Option<&HookHandle>,
    ) -> PyResult<HookHandle> {
        let overflow = Overflow::named(overflow).ok_or_else(|| {
            PyValueError::new_err("overflow must be 'drop_oldest', 'drop_newest' or 'block'")
        })?;
        let condition = condition.map(|text| text.parse().map_err(wrong_condition)).transpose()?;
        let lanes: Box<[_]> = lanes.iter().map(|lane| Arc::clone(&lane.queue)).collect();
        let hook = self.runtime.hooks.add(|number| Hook {
            number,
            name,
            function,
            positional,
            levels: levels.unwrap_or_default(),
            overflow,
            condition,
            bare,
            keeps,
            later,
            flush,
            lanes,
            counters: Arc::default(),
            removed: AtomicBool::new(false),
            paused: AtomicBool::new(false),
        });
        let (before, number) = (instead.map(|handle| handle.order), hook.number);
        let interest = match kind {
            "connected" => Interest::Connected,
            "disconnected" => Interest::Disconnected,
            "subscribed" => Interest::Subscribed,
            "unsubscribed" => Interest::Unsubscribed,
            "rule" => Interest::Rule,
            _ => {
                let kind = tap_kind(kind)?;
                let decides = matches!(kind, TapKind::Transform | TapKind::Deliver);
                if hook.lanes.is_empty() != decides {
                    return Err(PyValueError::new_err(
                        "a hook that observes needs a lane, one that decides none",
                    ));
                }
                let filter = parse(filter.as_deref().unwrap_or("#"))?;
                let id = self.runtime.name_tap();
                let order = before.unwrap_or(id);
                let tap = Tap { rank, order, bare, keeps, ..Tap::new(id, kind) };
                return Ok(HookHandle { hook, order, place: Place::Tap(Box::new((filter, tap))) });
            }
        };
        let place = Place::Clients(interest, rank);
        Ok(HookHandle { hook, order: before.unwrap_or(number), place })
    }

    /// Puts hooks that were made in the place of others, all at once: what happens is told to these or to those. With
    /// `drain` those are called for what happened before, otherwise not any more.
    #[pyo3(signature = (added, removed, *, drain = false))]
    fn swap_hooks(
        &self,
        py: Python<'_>,
        added: Vec<PyRef<'_, HookHandle>>,
        removed: Vec<PyRef<'_, HookHandle>>,
        drain: bool,
    ) {
        let own = |handles: &[PyRef<'_, HookHandle>]| -> Vec<_> {
            handles
                .iter()
                .map(|handle| (Arc::clone(&handle.hook), handle.order, handle.place.clone()))
                .collect()
        };
        let (added, removed) = (own(&added), own(&removed));
        py.detach(|| self.runtime.swap(&self.broker, &added, &removed, drain));
    }

    /// Makes a rule and lets it run; `instead` is replaced without a gap, and its counters go on. Functions of Python's need
    /// a lane, on whose thread the rule runs then. Raises `RuleError`, `ValueError` and `KeyError`.
    #[allow(clippy::too_many_arguments)]
    #[pyo3(signature = (name, sql, actions, *, functions = None, lane = None, enabled = true, max_keys = 10_000,
                        instead = None))]
    fn add_rule(
        &self,
        py: Python<'_>,
        name: String,
        sql: String,
        actions: Vec<Bound<'_, PyDict>>,
        functions: Option<&Bound<'_, PyDict>>,
        lane: Option<Bound<'_, Lane>>,
        enabled: bool,
        max_keys: usize,
        instead: Option<&RuleHandle>,
    ) -> PyResult<RuleHandle> {
        let functions = Functions::of(functions, Some(self.callbacks.getattr(py, "failed")?))?;
        let wanted = Wanted { name, text: sql, actions, functions, lane, enabled, groups: max_keys };
        RuleHandle::add(py, wanted, &self.runtime, &self.broker, self.clock, instead)
    }

    /// Subscribes this process to a filter, retained messages first if they are wanted. Gives the inbox
    /// and the number by which `unsubscribe` knows it.
    #[pyo3(signature = (filter, retained, max_messages, max_bytes = None))]
    fn subscribe(
        &self,
        filter: &str,
        retained: bool,
        max_messages: usize,
        max_bytes: Option<usize>,
    ) -> PyResult<(Inbox, u32)> {
        let inbox = Inbox::new(max_messages, max_bytes.unwrap_or(usize::MAX));
        let filter = parse(filter)?;
        let id = self.runtime.add_sink(Sink::Inbox(Arc::clone(&inbox.queue)));
        let tap = Tap::new(id, TapKind::Routed);
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
        let filter = parse("#")?;
        let id = self.runtime.add_sink(Sink::History(Arc::clone(&queue), overflow));
        self.broker.add_tap(&filter, Tap::new(id, TapKind::Routed));
        Ok(HistoryFeed { queue })
    }

    /// Ends a client's connection. Says whether it had one.
    fn disconnect(&self, client_id: &str) -> bool {
        self.broker.disconnect(client_id, hookmq_codec::ReasonCode::AdministrativeAction)
    }

    /// Bans somebody by `"client"`, `"user"` or `"address"`, for so many seconds or for ever. Raises `ValueError`.
    #[pyo3(signature = (by, value, seconds = None, reason = ""))]
    fn ban(&self, py: Python<'_>, by: &str, value: &str, seconds: Option<f64>, reason: &str) -> PyResult<()> {
        let (by, value) = banned(by, value)?;
        let now = self.clock.now();
        let until = seconds.map(|seconds| now.saturating_add((seconds * 1000.0) as u64));
        let ban = Ban { by, value, until, reason: reason.into() };
        py.detach(|| self.broker.with_batch(now, |batch| self.broker.ban(ban, batch)));
        Ok(())
    }

    /// Takes a ban back. Says whether there was one. Raises `ValueError`.
    fn unban(&self, py: Python<'_>, by: &str, value: &str) -> PyResult<bool> {
        let (by, value) = banned(by, value)?;
        let now = self.clock.now();
        Ok(py.detach(|| self.broker.with_batch(now, |batch| self.broker.unban(by, &value, batch))))
    }

    /// Every ban: by what, which, until when in seconds since the Unix epoch, why.
    fn bans(&self) -> Vec<(&'static str, String, Option<f64>, String)> {
        let tuple = |ban: Ban| {
            let by = match ban.by {
                BannedBy::Client => "client",
                BannedBy::User => "user",
                BannedBy::Address => "address",
            };
            let until = ban.until.map(|until| until as f64 / 1000.0);
            (by, ban.value.to_string(), until, ban.reason.to_string())
        };
        self.broker.bans(self.clock.now()).into_iter().map(tuple).collect()
    }

    /// What is to be told of each bridge, in the order of the settings: a dict of what it is and has counted.
    fn bridges<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let figures = py.detach(|| self.server.read().as_ref().map(Server::bridges).unwrap_or_default());
        figures.into_iter().map(|one| bridges::told(py, one)).collect()
    }

    /// Takes the link of a bridge down, or lets it come up again. Says whether there is a bridge of this name.
    fn pause_bridge(&self, name: &str, paused: bool) -> bool {
        self.server.read().as_ref().is_some_and(|server| server.pause_bridge(name, paused))
    }

    /// Counters since the start and totals of this moment, by name.
    fn statistics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, value) in self.broker.statistics.snapshot() {
            dict.set_item(name, value)?;
        }
        let totals = py.detach(|| self.broker.recent_totals());
        dict.set_item("sessions", totals.sessions)?;
        dict.set_item("retained_messages", totals.retained)?;
        dict.set_item("retained_bytes", totals.retained_bytes)?;
        dict.set_item("subscriptions", totals.subscriptions)?;
        dict.set_item("shared_subscriptions", totals.shared_subscriptions)?;
        dict.set_item("queued_messages", totals.queued)?;
        dict.set_item("queued_bytes", totals.queued_bytes)?;
        dict.set_item("inflight_messages", totals.inflight)?;
        if self.broker.counts_topics() {
            let (topics, evicted, _) = self.broker.topic_counts();
            dict.set_item("topics", topics)?;
            dict.set_item("topics_evicted", evicted)?;
        }
        Ok(dict)
    }
}

impl NativeBroker {
    /// Waits while the disk does not keep up, but not for ever.
    pub(crate) fn wait_for_disk(&self) {
        let patience = Instant::now() + DISK_PATIENCE;
        while self.broker.is_behind() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn banned(by: &str, value: &str) -> PyResult<(BannedBy, Arc<str>)> {
    Ok(match by {
        "client" => (BannedBy::Client, value.into()),
        "user" => (BannedBy::User, value.into()),
        "address" => {
            let address: IpAddr =
                value.parse().map_err(|_| PyValueError::new_err(format!("{value:?} is no IP address")))?;
            (BannedBy::Address, address.to_canonical().to_string().into())
        }
        _ => return Err(PyValueError::new_err("a ban is by 'client', 'user' or 'address'")),
    })
}

fn wrong_condition(error: hookmq_rules::SyntaxError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn file_error(error: &hookmq_server::FileError) -> PyErr {
    FileError::new_err((error.path.clone(), error.reason.clone()))
}

fn tap_kind(kind: &str) -> PyResult<TapKind> {
    match kind {
        "received" => Ok(TapKind::Received),
        "routed" => Ok(TapKind::Routed),
        "sent" => Ok(TapKind::Sent),
        "acked" => Ok(TapKind::Acked),
        "dropped" => Ok(TapKind::Dropped),
        "transform" => Ok(TapKind::Transform),
        "deliver" => Ok(TapKind::Deliver),
        _ => Err(PyValueError::new_err(format!("there is no hook kind {kind:?}"))),
    }
}
