//! All rules, and the thread for what is due at a time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hookmq_engine::{Broker, Gate, Millis};
use hookmq_rules::{Event, Source};
use parking_lot::{Condvar, Mutex, RwLock};

use super::active::ActiveRule;
use super::chain::along;
use super::happened::Happening;
use super::outputs::{Outputs, Publish, Rest, ResultRow};
use crate::clock::Clock;

/// How often windows and silences are looked at, in milliseconds.
const LOOK: Millis = 100;

/// What waits to be published again, at most.
const MOST_RETRIES: usize = 10_000;
const MOST_RETRY_BYTES: usize = 64 << 20;

/// How long it waits before the second try; twice as long before each further.
const FIRST_WAIT: Millis = 250;

/// How often timers are compared with the wall clock, which may be set, in milliseconds.
const WALL: Millis = 5000;

/// How long the thread waits for whoever has more than it can take, each time.
const PATIENCE: Duration = Duration::from_millis(100);

/// Who knows hooks.
pub trait Elsewhere: Send + Sync + 'static {
    /// Calls hooks with results. It must return at once.
    fn results(&self, rows: Vec<ResultRow>, gates: &mut Vec<Arc<dyn Gate>>);

    /// Runs a rule whose functions are not ours: on what has happened, or on what is due if that is nothing. `false` if
    /// it is none of these.
    fn run(&self, rule: &Arc<ActiveRule>, happening: Option<Happening>) -> bool;
}

/// Something that is due.
struct Due {
    /// By the broker's clock; of a timer by the wall clock.
    at: Millis,
    what: What,
}

enum What {
    /// Windows and silences of a rule.
    Tick(Arc<ActiveRule>),
    /// A timer among the sources of a rule.
    Timer(Arc<ActiveRule>, usize),
    /// A message that was refused.
    Retry(Box<Publish>),
}

#[derive(Default)]
struct Queue {
    due: Vec<Due>,
    retries: usize,
    retry_bytes: usize,
    stopped: bool,
}

/// All rules of a broker.
pub struct Rules {
    next: AtomicU32,
    all: RwLock<Vec<Arc<ActiveRule>>>,
    queue: Arc<(Mutex<Queue>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Clock,
}

impl Due {
    /// In how many milliseconds it is due.
    fn wait(&self, now: Millis, wall: Millis) -> Millis {
        match self.what {
            What::Timer(..) => self.at.saturating_sub(wall),
            _ => self.at.saturating_sub(now),
        }
    }
}

impl Queue {
    fn retry(&mut self, publish: Publish, now: Millis) {
        let wait = FIRST_WAIT << (publish.tries - 1).min(10);
        self.retries += 1;
        self.retry_bytes += publish.message.size();
        self.due.push(Due { at: now + wait, what: What::Retry(Box::new(publish)) });
    }
}

impl Rules {
    /// None so far.
    pub fn new(clock: Clock) -> Self {
        Self {
            next: AtomicU32::new(1),
            all: RwLock::default(),
            queue: Arc::default(),
            thread: Mutex::new(None),
            clock,
        }
    }

    /// A number for another rule.
    pub fn number(&self) -> u32 {
        self.next.fetch_add(1, Relaxed)
    }

    /// Rules that run on something other than messages.
    pub fn of_event(&self, event: Event) -> Vec<Arc<ActiveRule>> {
        let all = self.all.read();
        let has = |rule: &&Arc<ActiveRule>| rule.rule.sources().contains(&Source::Event(event));
        all.iter().filter(has).cloned().collect()
    }

    /// Whether any rule runs on one of these.
    pub fn wants(&self, events: &[Event]) -> bool {
        let all = self.all.read();
        all.iter().any(|rule| rule.rule.sources().iter().any(|source| events.contains(&source.event())))
    }

    /// Adds a rule in the place of another, if one is named, and begins with what is due of it.
    pub fn add(
        &self,
        rule: &Arc<ActiveRule>,
        instead: Option<&Arc<ActiveRule>>,
        broker: &Arc<Broker>,
        elsewhere: &Arc<dyn Elsewhere>,
    ) -> io::Result<()> {
        let now = self.clock.now();
        rule.rule.begin(now);
        if rule.is_timed() {
            self.start(broker, elsewhere)?;
        }
        let mut all = self.all.write();
        let mut queue = self.queue.0.lock();
        if let Some(old) = instead {
            forget(old, &mut all, &mut queue);
        }
        all.push(Arc::clone(rule));
        if rule.rule.is_timed() {
            queue.due.push(Due { at: now + LOOK, what: What::Tick(Arc::clone(rule)) });
        }
        for (index, source) in rule.rule.sources().iter().enumerate() {
            if let Source::Timer(timer) = source
                && let Some(at) = timer.next_after(Clock::wall())
            {
                queue.due.push(Due { at, what: What::Timer(Arc::clone(rule), index) });
            }
        }
        drop((queue, all));
        self.queue.1.notify_all();
        Ok(())
    }

    /// Forgets a rule.
    pub fn remove(&self, rule: &Arc<ActiveRule>) {
        let (mut all, mut queue) = (self.all.write(), self.queue.0.lock());
        forget(rule, &mut all, &mut queue);
    }

    /// Tries a message again after a while. If too many wait, it is given back.
    pub fn retry(
        &self,
        publish: Box<Publish>,
        broker: &Arc<Broker>,
        elsewhere: &Arc<dyn Elsewhere>,
    ) -> Result<(), Box<Publish>> {
        if self.start(broker, elsewhere).is_err() {
            return Err(publish);
        }
        let mut queue = self.queue.0.lock();
        let full =
            queue.retries >= MOST_RETRIES || queue.retry_bytes + publish.message.size() > MOST_RETRY_BYTES;
        if full || queue.stopped {
            return Err(publish);
        }
        queue.retry(*publish, self.clock.now());
        drop(queue);
        self.queue.1.notify_all();
        Ok(())
    }

    /// Starts the thread, the first time.
    fn start(&self, broker: &Arc<Broker>, elsewhere: &Arc<dyn Elsewhere>) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_some() || self.queue.0.lock().stopped {
            return Ok(());
        }
        let queue = Arc::clone(&self.queue);
        let (broker, elsewhere, clock) = (Arc::clone(broker), Arc::downgrade(elsewhere), self.clock);
        let run = move || {
            while let Some(due) = next(&queue, clock) {
                let Some(elsewhere) = elsewhere.upgrade() else { return };
                handle(due, &queue, &broker, &*elsewhere, clock.now());
            }
        };
        *thread = Some(std::thread::Builder::new().name("hookmq-rules".to_owned()).spawn(run)?);
        Ok(())
    }

    /// Forgets every rule and ends the thread.
    pub fn stop(&self) {
        self.all.write().clear();
        {
            let mut queue = self.queue.0.lock();
            queue.stopped = true;
            queue.due.clear();
        }
        self.queue.1.notify_all();
        // Taken out first: the thread may be about to look at it.
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // A panic there was reported by the thread itself.
            let _ = thread.join();
        }
    }
}

fn forget(rule: &Arc<ActiveRule>, all: &mut Vec<Arc<ActiveRule>>, queue: &mut Queue) {
    rule.removed.store(true, Relaxed);
    all.retain(|one| !Arc::ptr_eq(one, rule));
    queue.due.retain(|due| match &due.what {
        What::Tick(one) | What::Timer(one, _) => !Arc::ptr_eq(one, rule),
        What::Retry(_) => true,
    });
}

/// Waits for what is due next; `None` at the end.
fn next(queue: &(Mutex<Queue>, Condvar), clock: Clock) -> Option<Due> {
    let (lock, changed) = queue;
    let mut queue = lock.lock();
    loop {
        if queue.stopped {
            return None;
        }
        let (now, wall) = (clock.now(), Clock::wall());
        let waits = queue.due.iter().map(|due| due.wait(now, wall));
        match waits.enumerate().min_by_key(|(_, wait)| *wait) {
            Some((index, 0)) => {
                let due = queue.due.swap_remove(index);
                if let What::Retry(publish) = &due.what {
                    queue.retries -= 1;
                    queue.retry_bytes -= publish.message.size();
                }
                return Some(due);
            }
            Some((_, wait)) => {
                changed.wait_for(&mut queue, Duration::from_millis(wait.min(WALL)));
            }
            None => changed.wait(&mut queue),
        }
    }
}

fn handle(
    due: Due,
    queue: &(Mutex<Queue>, Condvar),
    broker: &Broker,
    elsewhere: &dyn Elsewhere,
    now: Millis,
) {
    let mut outputs = Outputs::default();
    let mut gates = Vec::new();
    let mut rest = Rest { results: Vec::new(), refused: Vec::new(), gates: &mut gates };
    let mut again = None;
    match due.what {
        What::Tick(rule) => {
            if !elsewhere.run(&rule, None) {
                rule.tick(now, broker, None, &mut outputs);
            }
            again = Some(Due { at: now + LOOK, what: What::Tick(rule) });
        }
        What::Timer(rule, index) => {
            let happening = Happening::new(Event::Timer, now);
            if rule.removed.load(Relaxed) {
                return;
            }
            if !elsewhere.run(&rule, Some(happening.clone())) {
                rule.run(&happening.as_happened(broker), None, &mut outputs);
            }
            // Times that went by while the machine slept, or that the clock left out, are not made up for.
            if let Some(Source::Timer(timer)) = rule.rule.sources().get(index)
                && let Some(at) = timer.next_after(Clock::wall().max(due.at))
            {
                again = Some(Due { at, what: What::Timer(rule, index) });
            }
        }
        What::Retry(publish) => along(publish.way.clone(), || {
            let held = broker.with_batch_held(now, |batch| publish.again(broker, batch, &mut rest));
            rest.gates.extend(held);
        }),
    }
    if !outputs.is_empty() {
        outputs.act(broker, now, &mut rest);
    }
    let Rest { results, refused, .. } = rest;
    if !results.is_empty() {
        elsewhere.results(results, &mut gates);
    }
    {
        let mut queue = queue.0.lock();
        if !queue.stopped {
            refused.into_iter().for_each(|publish| queue.retry(publish, now));
            // It may have been removed meanwhile.
            queue.due.extend(again.filter(|due| match &due.what {
                What::Tick(rule) | What::Timer(rule, _) => !rule.removed.load(Relaxed),
                What::Retry(_) => true,
            }));
        }
    }
    wait_for(&gates, PATIENCE);
}

/// Waits until whoever has more than it can take has room, but not for ever: it may be waiting for this thread.
pub fn wait_for(gates: &[Arc<dyn Gate>], patience: Duration) {
    let until = Instant::now() + patience;
    for gate in gates {
        while !gate.is_open() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
