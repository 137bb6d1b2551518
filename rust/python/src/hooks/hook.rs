//! A registered function and its counters.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hookmq_codec::TopicFilter;
use hookmq_engine::Tap;
use hookmq_rules::Condition;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::lane::Work;
use super::meter::Meter;
use super::queue::{Overflow, Queue};
use super::runtime::Interest;

/// A function that was registered.
pub(crate) struct Hook {
    /// Its place in the table.
    pub(crate) number: u32,
    /// What Python calls the hook in reports.
    pub(crate) name: String,
    pub(crate) function: Py<PyAny>,
    /// Arguments the function takes by position, at most.
    pub(crate) positional: usize,
    /// Topic levels that are handed over by name.
    pub(crate) levels: Vec<(usize, Py<PyString>)>,
    pub(crate) overflow: Overflow,
    /// Of the messages that its filter matches, it is told of those that fulfil this.
    pub(crate) condition: Option<Condition>,
    /// Its messages come without payloads.
    pub(crate) bare: bool,
    /// The publisher's acknowledgement waits for it.
    pub(crate) keeps: bool,
    /// What it returns is to be awaited on the event loop.
    pub(crate) later: bool,
    /// Called when nothing more waits, if the function gathers what it is given.
    pub(crate) flush: Option<Py<PyAny>>,
    /// Where its calls wait: one place, or several among which clients are shared out.
    pub(crate) lanes: Box<[Arc<Queue<Work>>]>,
    pub(crate) counters: Arc<Counters>,
    /// What was removed is not called any more, even if events for it wait.
    pub(crate) removed: AtomicBool,
    /// What happens meanwhile is not for it.
    pub(crate) paused: AtomicBool,
}

/// A counter on a cache line of its own: it is written on network threads, what stands beside it on a hook's, and
/// either would wait for the other.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);

/// What a hook counted. It shares no cache line with what network threads read of a hook.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Counters {
    pub(crate) queued: Apart<AtomicU64>,
    pub(crate) calls: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) dropped: AtomicU64,
    /// What came while it was paused.
    pub(crate) skipped: AtomicU64,
    /// How long events waited, and how long the function ran.
    pub(crate) wait: Meter,
    pub(crate) run: Meter,
    /// How many of the dropped were reported.
    pub(crate) reported: AtomicU64,
    /// Nanoseconds since [`epoch`] when the call that goes on began; 0 between calls.
    pub(crate) since: AtomicU64,
}

/// A moment before all calls.
fn epoch() -> Instant {
    static EPOCH: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *EPOCH.get_or_init(|| Instant::now().checked_sub(Duration::from_secs(1)).unwrap_or_else(Instant::now))
}

impl Counters {
    /// Events that wait.
    pub(crate) fn waiting(&self) -> u64 {
        let gone = self.calls.load(Relaxed) + self.dropped.load(Relaxed);
        self.queued.0.load(Relaxed).saturating_sub(gone)
    }

    /// A call begins, for so many events of which the oldest was queued then.
    pub(crate) fn begin(&self, now: Instant, queued: Instant, events: usize) {
        self.calls.fetch_add(events as u64, Relaxed);
        self.wait.record(now.saturating_duration_since(queued));
        self.since.store(now.saturating_duration_since(epoch()).as_nanos() as u64, Relaxed);
    }

    /// A call is over.
    pub(crate) fn end(&self, now: Instant, began: Instant) {
        self.since.store(0, Relaxed);
        self.run.record(now.saturating_duration_since(began));
    }

    /// How long the call goes on that goes on; `None` between calls.
    pub(crate) fn busy_for(&self) -> Option<Duration> {
        match self.since.load(Relaxed) {
            0 => None,
            since => Some(epoch().elapsed().saturating_sub(Duration::from_nanos(since))),
        }
    }
}

impl Hook {
    /// Where the calls for a client wait.
    pub(crate) fn lane(&self, client_id: &str) -> &Arc<Queue<Work>> {
        match &*self.lanes {
            [lane] => lane,
            lanes => {
                static SHARED_OUT: std::sync::OnceLock<hashbrown::DefaultHashBuilder> =
                    std::sync::OnceLock::new();
                let hash = SHARED_OUT.get_or_init(Default::default).hash_one(client_id);
                &lanes[(hash % lanes.len() as u64) as usize]
            }
        }
    }

    /// Whether it wants to be told of a message with this payload.
    pub(crate) fn wants(&self, payload: &[u8]) -> bool {
        let wanted = self.condition.as_ref().is_none_or(|condition| condition.holds(payload));
        if wanted && self.paused.load(Relaxed) {
            self.counters.skipped.fetch_add(1, Relaxed);
            return false;
        }
        wanted
    }

    /// Calls the function with as many of the arguments as it takes, and the topic's levels by name.
    pub(crate) fn call<'py>(
        &self,
        py: Python<'py>,
        arguments: &[Py<PyAny>],
        topic: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let taken = &arguments[..arguments.len().min(self.positional)];
        let arguments = PyTuple::new(py, taken)?;
        self.function.bind(py).call(arguments, self.named(py, topic)?.as_ref())
    }

    /// The topic's levels by name.
    pub(crate) fn named<'py>(&self, py: Python<'py>, topic: &str) -> PyResult<Option<Bound<'py, PyDict>>> {
        if self.levels.is_empty() {
            return Ok(None);
        }
        let named = PyDict::new(py);
        for (index, name) in &self.levels {
            named.set_item(name, topic.split('/').nth(*index).unwrap_or_default())?;
        }
        Ok(Some(named))
    }
}

/// Where a hook is attached.
#[derive(Clone)]
pub(crate) enum Place {
    /// To the messages that match a filter.
    Tap(Box<(TopicFilter, Tap)>),
    /// To the coming and going of clients or of their subscriptions, and how early among those who are.
    Clients(Interest, i32),
}

/// A hook that was registered, for removing it and for its counters.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct HookHandle {
    pub(crate) hook: Arc<Hook>,
    /// Of two that are as early, the one with the lower number is told first.
    pub(crate) order: u32,
    pub(crate) place: Place,
}

#[pymethods]
impl HookHandle {
    /// Calls that were made.
    #[getter]
    fn calls(&self) -> u64 {
        self.hook.counters.calls.load(Relaxed)
    }

    /// Calls that raised.
    #[getter]
    fn errors(&self) -> u64 {
        self.hook.counters.errors.load(Relaxed)
    }

    /// Events that were dropped because the queue was full.
    #[getter]
    fn dropped(&self) -> u64 {
        self.hook.counters.dropped.load(Relaxed)
    }

    /// Events that came while the hook was paused.
    #[getter]
    fn skipped(&self) -> u64 {
        self.hook.counters.skipped.load(Relaxed)
    }

    /// Events that wait.
    #[getter]
    fn queued(&self) -> u64 {
        self.hook.counters.waiting()
    }

    /// Seconds spent in the function.
    #[getter]
    fn busy(&self) -> f64 {
        self.hook.counters.run.total()
    }

    /// Calls that go on; not for hooks that are called with many events at a time.
    #[getter]
    fn active(&self) -> u64 {
        self.hook.counters.calls.load(Relaxed).saturating_sub(self.hook.counters.run.count())
    }

    /// Seconds since the call began that goes on; `None` between calls.
    #[getter]
    fn busy_for(&self) -> Option<f64> {
        self.hook.counters.busy_for().map(|time| time.as_secs_f64())
    }

    /// Seconds that this share (such as 0.99) of all events did not wait longer than.
    fn waited(&self, share: f64) -> f64 {
        self.hook.counters.wait.share(share)
    }

    /// Seconds that this share of all calls did not run longer than.
    fn ran(&self, share: f64) -> f64 {
        self.hook.counters.run.share(share)
    }

    /// Whether what happens is kept from it.
    #[getter]
    fn paused(&self) -> bool {
        self.hook.paused.load(Relaxed)
    }

    /// Keeps what happens from it, or no longer.
    fn pause(&self, paused: bool) {
        self.hook.paused.store(paused, Relaxed);
    }
}
