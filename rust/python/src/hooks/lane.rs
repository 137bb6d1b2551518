//! A thread that calls hooks which only observe.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use hookmq_codec::{QoS, ReasonCode};
use hookmq_engine::{Receipt, Sent};
use hookmq_server::rules::{ResultRow, along};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::forked;
use super::hook::Hook;
use super::line::{Run, Weigh};
use super::parcel::{Observed, Stretch};
use super::queue::Queue;
use super::table::{HookTable, LastHook};
use crate::client::Client;
use crate::message::Message;
use crate::rules::{RuleInput, row_to_dict};
use crate::settings;

/// Events taken from the queue at a time.
pub(crate) const SLICE: usize = 256;

/// Roughly what an event takes besides its message.
const OVERHEAD: usize = 64;

/// Something a hook is told. What is rare is boxed: queues hold many, nearly all of them messages.
pub(crate) enum Happening {
    Message(Observed),
    Sent(Box<(Arc<hookmq_engine::Message>, Sent)>),
    Dropped(Box<Lost>),
    Connected(Arc<hookmq_engine::Client>),
    Disconnected(Box<(Arc<hookmq_engine::Client>, ReasonCode, &'static str)>),
    Subscribed(Box<(Arc<hookmq_engine::Client>, Arc<str>, QoS)>),
    Unsubscribed(Box<(Arc<hookmq_engine::Client>, Arc<str>)>),
    /// A result of a rule.
    Result(Box<ResultRow>),
    /// What a rule is to run on that calls functions of Python's.
    Rule(Box<RuleInput>),
}

/// A message that a receiver did not get.
pub(crate) struct Lost {
    pub(crate) message: Arc<hookmq_engine::Message>,
    pub(crate) receiver: Arc<str>,
    pub(crate) why: &'static str,
}

impl Happening {
    /// Whose order it belongs to.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Message(message) => message.publisher(),
            Self::Sent(sent) => &sent.1.receiver,
            Self::Dropped(lost) => &lost.receiver,
            Self::Connected(client) => &client.id,
            Self::Disconnected(left) => &left.0.id,
            Self::Subscribed(subscribed) => &subscribed.0.id,
            Self::Unsubscribed(unsubscribed) => &unsubscribed.0.id,
            Self::Result(_) | Self::Rule(_) => "",
        }
    }

    /// The topic its levels are taken from.
    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Message(message) => message.topic(),
            Self::Sent(sent) => &sent.0.topic,
            Self::Dropped(lost) => &lost.message.topic,
            _ => "",
        }
    }

    /// What the function is given, by position.
    pub(crate) fn arguments(&self, py: Python<'_>, bare: bool) -> PyResult<[Py<PyAny>; 3]> {
        let text = |text: &str| PyString::new(py, text).into_any().unbind();
        let message = |message: Message| Ok::<_, PyErr>(Py::new(py, message)?.into_any());
        let client = |client: &Arc<hookmq_engine::Client>| {
            Ok::<_, PyErr>(Py::new(py, Client { client: Arc::clone(client) })?.into_any())
        };
        let none = || py.None();
        Ok(match self {
            Self::Message(one) => [message(Message::observed(one.shared(), bare))?, none(), none()],
            Self::Sent(both) => {
                let (one, sent) = &**both;
                let one = Message::observed(Arc::clone(one), bare).sent_as(Box::new(sent.clone()));
                [message(one)?, none(), none()]
            }
            Self::Dropped(lost) => {
                let Lost { message: one, receiver, why } = &**lost;
                [message(Message::observed(Arc::clone(one), bare))?, text(receiver), text(why)]
            }
            Self::Connected(one) => [client(one)?, none(), none()],
            Self::Disconnected(left) => {
                let (one, reason, detail) = &**left;
                [client(one)?, text(&format!("{detail} ({reason})")), none()]
            }
            Self::Subscribed(subscribed) => {
                let (one, filter, qos) = &**subscribed;
                [client(one)?, text(filter), qos.value().into_pyobject(py)?.into_any().unbind()]
            }
            Self::Unsubscribed(unsubscribed) => {
                let (one, filter) = &**unsubscribed;
                [client(one)?, text(filter), none()]
            }
            Self::Result(result) => {
                let source = match &result.source {
                    Some(source) => row_to_dict(py, source)?.into_any().unbind(),
                    None => none(),
                };
                [row_to_dict(py, &result.row)?.into_any().unbind(), source, none()]
            }
            Self::Rule(input) => [Py::new(py, RuleInput::clone(input))?.into_any(), none(), none()],
        })
    }
}

/// One call that is due.
pub(crate) struct Work {
    /// The hook's number.
    pub(crate) hook: u32,
    pub(crate) happening: Happening,
    /// When it was queued.
    pub(crate) at: Instant,
    /// Holds the publisher's acknowledgement back.
    pub(crate) receipt: Option<Receipt>,
}

impl Weigh for Work {
    type Run = WorkRun;

    fn weight(&self) -> usize {
        let message = match &self.happening {
            Happening::Message(message) => message.size(),
            Happening::Sent(sent) => sent.0.size(),
            Happening::Dropped(lost) => lost.message.size(),
            Happening::Result(result) => result.size(),
            Happening::Rule(input) => input.size(),
            _ => 0,
        };
        OVERHEAD + message
    }
}

/// Calls of one hook with messages that were queued together.
pub(crate) struct WorkRun {
    pub(crate) hook: u32,
    pub(crate) messages: Stretch,
    pub(crate) at: Instant,
}

impl Iterator for WorkRun {
    type Item = Work;

    fn next(&mut self) -> Option<Work> {
        let happening = Happening::Message(self.messages.next()?);
        Some(Work { hook: self.hook, happening, at: self.at, receipt: None })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.messages.size_hint()
    }
}

impl Run for WorkRun {
    fn count_left(&self) -> usize {
        self.messages.count_left()
    }

    fn weight(&self) -> usize {
        OVERHEAD * self.messages.count_left() + self.messages.size()
    }

    fn split(&mut self, count: usize) -> Self {
        Self { messages: self.messages.split(count), ..*self }
    }
}

/// Names the calling thread for the system's tools, which show 15 characters.
pub(crate) fn name_thread(name: &str) {
    // Only a help for those who look at the process from outside.
    let _ = std::fs::write("/proc/thread-self/comm", name);
}

/// A queue of calls and the loop of the thread that makes them. First come, first called, so what one
/// client does is told in its order.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct Lane {
    pub(crate) queue: Arc<Queue<Work>>,
    pub(crate) hooks: Arc<HookTable>,
    /// `(name, exception)` when a hook raised, `(name, count)` when events were dropped.
    failed: Py<PyAny>,
    dropped: Py<PyAny>,
    /// What waits was dropped, also what the thread has taken already.
    cleared: AtomicBool,
    /// What the thread has taken and not called yet: another can go on with it.
    slice: Mutex<std::vec::IntoIter<Work>>,
    /// Changes when another thread takes over.
    generation: AtomicU64,
}

impl Lane {
    pub(crate) fn new(
        queue: Arc<Queue<Work>>,
        hooks: Arc<HookTable>,
        failed: Py<PyAny>,
        dropped: Py<PyAny>,
    ) -> Self {
        Self {
            queue,
            hooks,
            failed,
            dropped,
            cleared: AtomicBool::new(false),
            slice: Mutex::default(),
            generation: AtomicU64::new(0),
        }
    }

    /// Whether a call need not be made any more.
    pub(crate) fn is_over(&self, hook: &Hook) -> bool {
        hook.removed.load(Relaxed) || self.cleared.load(Relaxed)
    }

    /// Makes one call; when it was over.
    fn call(&self, py: Python<'_>, hook: &Hook, work: Work, began: Instant) -> PyResult<Instant> {
        let Work { happening, at, receipt, .. } = work;
        hook.counters.begin(began, at, 1);
        let result = match happening {
            // What comes most often needs one argument, and hands the message over.
            Happening::Message(message) if hook.levels.is_empty() => {
                Py::new(py, Message::observed(message.into_shared(), hook.bare))
                    .and_then(|message| hook.call(py, &[message.into_any()], ""))
            }
            other => {
                let call = || {
                    let arguments = other.arguments(py, hook.bare)?;
                    hook.call(py, &arguments, other.topic())
                };
                match &other {
                    // What it publishes has come through the rule.
                    Happening::Result(result) => along(result.way.clone(), call),
                    _ => call(),
                }
            }
        };
        forked::end_if_child(py)?;
        let ended = Instant::now();
        hook.counters.end(ended, began);
        match result {
            Ok(_) => receipt.into_iter().for_each(Receipt::keep),
            Err(error) => self.report(py, hook, error)?,
        }
        self.report_dropped(py, hook)?;
        Ok(ended)
    }

    /// Reports what a hook raised.
    pub(crate) fn report(&self, py: Python<'_>, hook: &Hook, error: PyErr) -> PyResult<()> {
        hook.counters.errors.fetch_add(1, Relaxed);
        self.failed.call1(py, (&hook.name, error)).map(|_| ())
    }

    /// Reports what a hook was too slow for.
    pub(crate) fn report_dropped(&self, py: Python<'_>, hook: &Hook) -> PyResult<()> {
        let counters = &hook.counters;
        let lost = counters.dropped.load(Relaxed);
        if lost > counters.reported.load(Relaxed) {
            let reported = counters.reported.swap(lost, Relaxed);
            self.dropped.call1(py, (&hook.name, lost - reported))?;
        }
        Ok(())
    }

    /// Lets hooks that gather go on with what they have.
    fn flush(&self, py: Python<'_>, gathering: &mut Vec<Arc<Hook>>) -> PyResult<()> {
        for hook in gathering.drain(..) {
            if let Some(flush) = &hook.flush
                && let Err(error) = flush.call0(py)
            {
                self.report(py, &hook, error)?;
            }
        }
        Ok(())
    }
}

#[pymethods]
impl Lane {
    /// Calls hooks until `close()` and nothing waits any more, or another thread takes over. The thread stays
    /// attached to the interpreter but for the time it waits.
    fn run(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        name_thread(name);
        let generation = self.generation.load(Relaxed);
        let mut taken = Vec::with_capacity(SLICE);
        let mut gathering: Vec<Arc<Hook>> = Vec::new();
        let mut last = LastHook::default();
        let (mut now, mut made) = (Instant::now(), 0);
        loop {
            let next = self.slice.lock().next();
            let Some(work) = next else {
                self.queue.done(std::mem::take(&mut made));
                if !self.queue.take_now(&mut taken, SLICE) {
                    self.flush(py, &mut gathering)?;
                    if !py.detach(|| self.queue.take(&mut taken, SLICE, None)) {
                        return Ok(());
                    }
                }
                *self.slice.lock() = std::mem::replace(&mut taken, Vec::with_capacity(SLICE)).into_iter();
                now = Instant::now();
                continue;
            };
            made += 1;
            let Some(hook) = last.get(&self.hooks, work.hook).filter(|hook| !self.is_over(hook)) else {
                continue;
            };
            if hook.flush.is_some() && !gathering.iter().any(|one| Arc::ptr_eq(one, hook)) {
                gathering.push(Arc::clone(hook));
            }
            now = self.call(py, hook, work, now)?;
            if self.generation.load(Relaxed) != generation {
                self.queue.done(made);
                return Ok(()); // it was given up, and another thread goes on
            }
        }
    }

    /// Lets another thread take over from one that does not come back: it is to call `run()` next.
    fn take_over(&self) {
        self.generation.fetch_add(1, Relaxed);
    }

    /// Lets the loop end when what waits was called.
    fn close(&self) {
        self.queue.close();
    }

    /// Drops what waits, and what comes: for the end.
    fn clear(&self) {
        self.cleared.store(true, Relaxed);
        self.queue.clear();
    }

    /// Waits until everything that happened before was told, at most `timeout` seconds. `False` if
    /// the time was over first.
    fn wait(&self, py: Python<'_>, timeout: f64) -> PyResult<bool> {
        let timeout = settings::timeout(timeout)?;
        Ok(py.detach(|| self.queue.wait_done(timeout)))
    }
}
