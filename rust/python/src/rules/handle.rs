//! A rule of a broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use hookmq_codec::TopicFilter;
use hookmq_engine::{Broker, Tap, TapKind};
use hookmq_rules::{Event, RuleBuilder, Source};
use hookmq_server::Clock;
use hookmq_server::rules::{ActiveRule, Elsewhere};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::call::RuleCall;
use super::functions::Functions;
use super::language::{failure, wrong};
use super::specification::action;
use super::values::row_to_dict;
use crate::filter::parse;
use crate::hooks::hook::{Counters, Hook};
use crate::hooks::lane::Lane;
use crate::hooks::queue::Overflow;
use crate::hooks::runtime::{Runtime, Sink};

/// How long is waited for threads that are at work with a rule that goes.
const LIMIT: Duration = Duration::from_secs(5);

/// A rule that runs.
#[pyclass(frozen, module = "hookmq._hookmq")]
pub(crate) struct RuleHandle {
    rule: Arc<ActiveRule>,
    text: String,
    taps: Vec<(TopicFilter, Tap)>,
    runtime: Arc<Runtime>,
    broker: Arc<Broker>,
    clock: Clock,
    /// The hook that runs it, if it calls functions of Python's.
    hook: Option<Arc<Hook>>,
    removed: AtomicBool,
}

/// What a rule is made of.
pub(crate) struct Wanted<'py> {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) actions: Vec<Bound<'py, PyDict>>,
    pub(crate) functions: Functions,
    pub(crate) lane: Option<Bound<'py, Lane>>,
    pub(crate) enabled: bool,
    pub(crate) groups: usize,
}

impl RuleHandle {
    /// Makes a rule and lets it run, in the place of another if one is named.
    pub(crate) fn add(
        py: Python<'_>,
        wanted: Wanted<'_>,
        runtime: &Arc<Runtime>,
        broker: &Arc<Broker>,
        clock: Clock,
        instead: Option<&Self>,
    ) -> PyResult<Self> {
        let Wanted { name, text, actions, functions, lane, enabled, groups } = wanted;
        let mut builder = RuleBuilder::parse(&text, &functions.names).map_err(|error| wrong(&text, error))?;
        let actions = actions.iter().map(|one| action(one, &mut builder)).collect::<PyResult<Vec<_>>>()?;
        let made = builder.build(groups).map_err(|error| wrong(&text, error))?;
        let calls = !made.0.called().is_empty();
        let counters = instead.map_or_else(Arc::default, |instead| Arc::clone(&instead.rule.counters));
        let number = runtime.rules.number();
        let rule = Arc::new(ActiveRule::new(name.clone(), number, made, actions, enabled, counters));
        instead.into_iter().for_each(|instead| rule.count_on(&instead.rule));
        let taps = taps(&rule, runtime)?;
        let hook = match (calls, lane) {
            (false, _) => None,
            (true, None) => {
                return Err(PyValueError::new_err("a rule with functions of Python's needs a lane"));
            }
            (true, Some(lane)) => {
                let call = RuleCall { functions, runtime: Arc::downgrade(runtime), clock };
                let function = Py::new(py, call)?.into_any();
                let queue = Arc::clone(&lane.get().queue);
                Some(runtime.hooks.add(|number| Hook {
                    number,
                    name,
                    function,
                    positional: 1,
                    levels: Vec::new(),
                    overflow: Overflow::Block,
                    condition: None,
                    bare: false,
                    keeps: false,
                    later: false,
                    flush: None,
                    lanes: Box::new([queue]),
                    counters: Arc::<Counters>::default(),
                    removed: AtomicBool::new(false),
                    paused: AtomicBool::new(false),
                }))
            }
        };
        let handle = Self {
            rule,
            text,
            taps,
            runtime: Arc::clone(runtime),
            broker: Arc::clone(broker),
            clock,
            hook,
            removed: AtomicBool::new(false),
        };
        py.detach(|| handle.begin(instead))?;
        Ok(handle)
    }

    /// Lets it run. If that fails, nothing of it is left.
    fn begin(&self, instead: Option<&Self>) -> PyResult<()> {
        let runtime = &self.runtime;
        if let Some(hook) = &self.hook {
            runtime.rule_hooks.write().insert(self.rule.number, Arc::clone(hook));
        }
        {
            let mut sinks = runtime.sinks.write();
            for (_, tap) in &self.taps {
                let rule = Arc::clone(&self.rule);
                sinks.insert(
                    tap.id,
                    match &self.hook {
                        Some(hook) => Sink::RuleElsewhere(rule, Arc::clone(hook)),
                        None => Sink::Rule(rule),
                    },
                );
            }
        }
        // Messages go to the one or the other with the taps; what else happens, with the registry.
        let old = instead.filter(|old| !old.removed.swap(true, Relaxed));
        self.broker.swap_taps(&self.taps, old.into_iter().flat_map(|old| &old.taps), LIMIT);
        let elsewhere: Arc<dyn Elsewhere> = Arc::<Runtime>::clone(runtime);
        let added = runtime.rules.add(&self.rule, old.map(|old| &old.rule), &self.broker, &elsewhere);
        if let Some(old) = old {
            old.forget();
        }
        if let Err(error) = added {
            self.broker.swap_taps([], &self.taps, LIMIT);
            self.forget();
            return Err(error.into());
        }
        runtime.watch_for_rules(&self.broker);
        Ok(())
    }

    /// Nobody is told of it any more: lets go of what it holds.
    fn forget(&self) {
        self.runtime.rules.remove(&self.rule);
        let gone: Vec<_> = {
            let mut sinks = self.runtime.sinks.write();
            self.taps.iter().filter_map(|(_, tap)| sinks.remove(&tap.id)).collect()
        };
        drop(gone);
        let hook = self.runtime.rule_hooks.write().remove(&self.rule.number);
        if let Some(hook) = hook {
            self.runtime.hooks.remove(&hook, true);
        }
    }
}

#[pymethods]
impl RuleHandle {
    /// What it is called.
    #[getter]
    fn name(&self) -> &str {
        &self.rule.name
    }

    /// What came from its sources.
    #[getter]
    fn matched(&self) -> u64 {
        self.rule.counters.matched.load(Relaxed)
    }

    /// What of that fulfilled its condition.
    #[getter]
    fn passed(&self) -> u64 {
        self.rule.counters.passed.load(Relaxed)
    }

    /// What could not be evaluated.
    #[getter]
    fn failed(&self) -> u64 {
        self.rule.counters.failed.load(Relaxed)
    }

    /// Results.
    #[getter]
    fn results(&self) -> u64 {
        self.rule.counters.results.load(Relaxed)
    }

    /// Messages that came back to it.
    #[getter]
    fn loops(&self) -> u64 {
        self.rule.counters.loops.load(Relaxed)
    }

    /// What came while it was switched off.
    #[getter]
    fn skipped(&self) -> u64 {
        self.rule.counters.skipped.load(Relaxed)
    }

    /// Groups it remembers.
    #[getter]
    fn keys(&self) -> usize {
        self.rule.rule.groups().0
    }

    /// Groups and messages of windows that it had to forget for others.
    #[getter]
    fn evicted(&self) -> u64 {
        self.rule.rule.groups().1 + self.rule.counters.evicted.load(Relaxed)
    }

    /// Why it failed the last time: what, from and to which character, and when in milliseconds since the Unix epoch.
    #[getter]
    fn last_error(&self) -> Option<(String, usize, usize, u64)> {
        let last = self.rule.last_error()?;
        let (what, start, end, _) = failure(&self.text, &last.failure);
        Some((what, start, end, last.at))
    }

    /// One of its last results.
    #[getter]
    fn last_result<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.rule.last_result().map(|row| row_to_dict(py, &row)).transpose()
    }

    /// For each action: results it was done for, those it could not be done for, and why the last time.
    #[getter]
    fn actions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let mut all = Vec::new();
        for state in &self.rule.actions {
            let dict = PyDict::new(py);
            dict.set_item("done", state.done.load(Relaxed))?;
            dict.set_item("failed", state.failed.load(Relaxed))?;
            dict.set_item("error", state.error.lock().clone())?;
            all.push(dict);
        }
        Ok(all)
    }

    /// Whether it runs.
    #[getter]
    fn enabled(&self) -> bool {
        self.rule.enabled.load(Relaxed)
    }

    /// Lets it run, or no longer. Silences are counted from then on.
    fn enable(&self, py: Python<'_>, enabled: bool) {
        if !self.rule.enabled.swap(enabled, Relaxed) && enabled {
            // Detached: it may be running, in a function of Python's.
            py.detach(|| self.rule.rule.resume(self.clock.now()));
        }
    }

    /// Takes it away. Without effect the second time.
    fn remove(&self, py: Python<'_>) {
        if self.removed.swap(true, Relaxed) {
            return;
        }
        py.detach(|| {
            self.broker.swap_taps([], &self.taps, LIMIT);
            self.forget();
            self.runtime.watch_for_rules(&self.broker);
        });
    }
}

/// Where a rule's messages are taken from: all sources of one kind have one tap, so a message that matches several is
/// told once.
fn taps(rule: &ActiveRule, runtime: &Runtime) -> PyResult<Vec<(TopicFilter, Tap)>> {
    let published = runtime.name_tap();
    let mut taps: Vec<(TopicFilter, Tap)> = Vec::new();
    for source in rule.rule.sources() {
        let (filter, tap) = match source {
            Source::Topic(filter) => (filter.as_str(), Tap::new(published, TapKind::Routed)),
            Source::Event(Event::MessageDelivered) => ("#", Tap::new(runtime.name_tap(), TapKind::Sent)),
            Source::Event(Event::MessageAcked) => ("#", Tap::new(runtime.name_tap(), TapKind::Acked)),
            Source::Event(Event::MessageDropped) => ("#", Tap::new(runtime.name_tap(), TapKind::Dropped)),
            Source::Event(_) | Source::Timer(_) => continue,
        };
        let filter = parse(filter)?;
        if !taps.iter().any(|(known, other)| *known == filter && other.kind == tap.kind) {
            taps.push((filter, tap));
        }
    }
    Ok(taps)
}
