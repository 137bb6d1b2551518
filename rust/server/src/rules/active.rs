//! A rule with its actions and its counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use hookmq_engine::{Broker, Millis};
use hookmq_rules::{Externs, Failure, Fired, Object, Rule, Template, Value};
use parking_lot::Mutex;

use super::action::{Action, Bounds};
use super::chain;
use super::happened::Happened;
use super::outputs::Outputs;

/// How long an error of a rule keeps others of it from being logged, in milliseconds.
const QUIET: Millis = 10_000;

/// How often the last result is kept for whoever looks at it, in milliseconds.
const SHOWN: Millis = 1000;

/// What a rule counted.
#[derive(Debug, Default)]
pub struct Counters {
    /// What came from its sources.
    pub matched: AtomicU64,
    /// What of that fulfilled its condition.
    pub passed: AtomicU64,
    /// What could not be evaluated.
    pub failed: AtomicU64,
    /// Results.
    pub results: AtomicU64,
    /// Messages that came back to it.
    pub loops: AtomicU64,
    /// Messages that a window had to let go.
    pub evicted: AtomicU64,
    /// What came while it was switched off.
    pub skipped: AtomicU64,
}

/// An action and what became of it.
#[derive(Debug)]
pub struct ActionState {
    /// Which.
    pub action: Action,
    /// Results it was done for.
    pub done: AtomicU64,
    /// Results it could not be done for.
    pub failed: AtomicU64,
    /// Why, the last time.
    pub error: Mutex<Option<String>>,
}

/// Why a rule failed the last time.
#[derive(Debug, Clone)]
pub struct LastError {
    /// Why, and where in its text.
    pub failure: Failure,
    /// When.
    pub at: Millis,
}

/// A rule with its actions and its counters.
#[derive(Debug)]
pub struct ActiveRule {
    /// What it is called.
    pub name: String,
    /// Which it is, for finding loops.
    pub number: u32,
    /// The rule.
    pub rule: Rule,
    templates: Vec<Template>,
    /// What is done with its results.
    pub actions: Vec<ActionState>,
    /// Whether it runs.
    pub enabled: AtomicBool,
    /// It was taken away: it runs no more.
    pub(super) removed: AtomicBool,
    /// Somebody else's thread was told that something is due, and has not looked yet.
    pub told_due: AtomicBool,
    /// What it counted; one that takes its place goes on with them.
    pub counters: Arc<Counters>,
    last_error: Mutex<Option<LastError>>,
    last_result: Mutex<(Millis, Option<Object<'static>>)>,
    logged: AtomicU64,
}

impl ActiveRule {
    /// A rule that has not run.
    pub fn new(
        name: String,
        number: u32,
        (rule, templates): (Rule, Vec<Template>),
        actions: Vec<Action>,
        enabled: bool,
        counters: Arc<Counters>,
    ) -> Self {
        let state = |action| ActionState {
            action,
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            error: Mutex::new(None),
        };
        Self {
            name,
            number,
            rule,
            templates,
            actions: actions.into_iter().map(state).collect(),
            enabled: AtomicBool::new(enabled),
            removed: AtomicBool::new(false),
            told_due: AtomicBool::new(false),
            counters,
            last_error: Mutex::new(None),
            last_result: Mutex::new((0, None)),
            logged: AtomicU64::new(0),
        }
    }

    /// Runs it on something that happened; what it asks for is put into `outputs`.
    pub fn run(
        self: &Arc<Self>,
        happened: &Happened<'_>,
        externs: Option<&dyn Externs>,
        outputs: &mut Outputs,
    ) {
        let counters = &self.counters;
        if !self.enabled.load(Relaxed) {
            counters.skipped.fetch_add(1, Relaxed);
            return;
        }
        counters.matched.fetch_add(1, Relaxed);
        let Some(way) = chain::extended(self.number) else {
            self.looped("its own result came back to it, and was not looked at again", happened.at, outputs);
            return;
        };
        let bounds = bounds(happened.broker);
        // What a function of Python's publishes meanwhile comes this way as well.
        let ran = chain::along(way.clone(), || {
            self.rule.run(happened, happened.at, externs, &mut |fired| {
                // A window's result is not about the message that closed it.
                let message = fired.occasion().map(|_| happened);
                self.act(fired, message, bounds, happened.at, &way, outputs);
            })
        });
        if ran.passed {
            counters.passed.fetch_add(1, Relaxed);
        }
        self.count(ran, happened.at, outputs);
    }

    /// Does what is due at this time; when the next may be.
    pub fn tick(
        self: &Arc<Self>,
        now: Millis,
        broker: &Broker,
        externs: Option<&dyn Externs>,
        outputs: &mut Outputs,
    ) -> Millis {
        if !self.enabled.load(Relaxed) || self.removed.load(Relaxed) {
            return Millis::MAX;
        }
        let Some(way) = chain::extended(self.number) else { return Millis::MAX };
        let (ran, due) = self.rule.tick(now, externs, &mut |fired| {
            self.act(fired, None, bounds(broker), now, &way, outputs);
        });
        self.count(ran, now, outputs);
        due
    }

    fn act<'a>(
        self: &'a Arc<Self>,
        fired: &mut Fired<'_, 'a, '_>,
        happened: Option<&Happened<'_>>,
        bounds: Bounds,
        now: Millis,
        way: &chain::Way,
        outputs: &mut Outputs,
    ) {
        self.show(fired.row, now);
        // One more than what it was made of, however that has come here.
        let hops = fired.hops().max(u8::try_from(way.len() - 1).unwrap_or(u8::MAX)).saturating_add(1);
        if usize::from(hops) > chain::LONGEST {
            return self.looped("what it was made of came through too many rules", now, outputs);
        }
        if !chain::may_cause(way) {
            return self.looped("one message has caused too many results through rules", now, outputs);
        }
        for (index, state) in self.actions.iter().enumerate() {
            match state.action.asks(&self.templates, fired, happened, bounds, (now, hops)) {
                Ok(asked) => {
                    if !outputs.add(self, index, asked, way) {
                        self.action_failed(index, "too many results at a time");
                    }
                }
                Err(failure) => {
                    self.action_failed(index, &failure.what);
                    self.fail(failure, now, outputs);
                }
            }
        }
    }

    /// Counts a result that would go on for ever.
    fn looped(&self, what: &str, now: Millis, outputs: &mut Outputs) {
        self.counters.loops.fetch_add(1, Relaxed);
        self.fail(Failure { what: what.to_owned(), span: 0..0 }, now, outputs);
    }

    fn count(&self, ran: hookmq_rules::Ran, now: Millis, outputs: &mut Outputs) {
        self.counters.results.fetch_add(ran.results, Relaxed);
        self.counters.evicted.fetch_add(ran.evicted, Relaxed);
        if let Some(failure) = ran.failure {
            self.counters.failed.fetch_add(1, Relaxed);
            self.fail(failure, now, outputs);
        }
    }

    /// Remembers an error, and logs it if none was for a while.
    fn fail(&self, failure: Failure, now: Millis, outputs: &mut Outputs) {
        let quiet_until = self.logged.load(Relaxed);
        if now >= quiet_until {
            self.logged.store(now + QUIET, Relaxed);
            outputs.note(format!("rule {}: {}", self.name, failure.what));
        }
        *self.last_error.lock() = Some(LastError { failure, at: now });
    }

    /// Goes on with what the actions of another have counted, if they are as many.
    pub fn count_on(&self, before: &Self) {
        if self.actions.len() != before.actions.len() {
            return;
        }
        for (own, old) in self.actions.iter().zip(&before.actions) {
            own.done.fetch_add(old.done.load(Relaxed), Relaxed);
            own.failed.fetch_add(old.failed.load(Relaxed), Relaxed);
            own.error.lock().clone_from(&old.error.lock());
        }
    }

    /// Counts that an action could not be done.
    pub(super) fn action_failed(&self, index: usize, why: &str) {
        let state = &self.actions[index];
        state.failed.fetch_add(1, Relaxed);
        *state.error.lock() = Some(why.to_owned());
    }

    /// Keeps a result for whoever looks at the rule.
    fn show(&self, row: &Object<'_>, now: Millis) {
        let mut last = self.last_result.lock();
        if last.1.is_some() && now < last.0 + SHOWN {
            return;
        }
        if let Value::Object(row) = Value::Object(row.clone()).into_owned() {
            *last = (now, Some(row));
        }
    }

    /// Why it failed the last time.
    pub fn last_error(&self) -> Option<LastError> {
        self.last_error.lock().clone()
    }

    /// One of its last results.
    pub fn last_result(&self) -> Option<Object<'static>> {
        self.last_result.lock().1.clone()
    }

    /// Whether it is to be told what is due at a time.
    pub(super) fn is_timed(&self) -> bool {
        let is_timer = |source: &hookmq_rules::Source| matches!(source, hookmq_rules::Source::Timer(_));
        self.rule.is_timed() || self.rule.sources().iter().any(is_timer)
    }
}

fn bounds(broker: &Broker) -> Bounds {
    let limits = broker.limits();
    Bounds { levels: limits.max_topic_levels, bytes: limits.max_packet_size }
}
