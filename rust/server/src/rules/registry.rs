//! All rules, and the thread for what is due at a time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use hookmq_engine::{Broker, Millis};
use hookmq_rules::{Event, Source};
use parking_lot::{Condvar, Mutex, RwLock};

use super::active::ActiveRule;
use super::happened::Happening;
use super::outputs::{self, Outputs, Publish, ResultRow};
use crate::clock::Clock;

/// How often windows and silences are looked at, in milliseconds.
const LOOK: Millis = 100;

/// What waits to be published again, at most.
const MOST_RETRIES: usize = 10_000;
const MOST_RETRY_BYTES: usize = 64 << 20;

/// How long it waits before the second try; twice as long before each further.
const FIRST_WAIT: Millis = 250;

/// Who knows hooks.
pub trait Elsewhere: Send + Sync + 'static {
    /// Calls hooks with results. It must return at once.
    fn results(&self, rows: Vec<ResultRow>);

    /// Runs a rule whose functions are not ours: on what has happened, or on what is due if that is nothing. `false` if
    /// it is none of these.
    fn run(&self, rule: &Arc<ActiveRule>, happening: Option<Happening>) -> bool;
}

/// Something that is due.
struct Due {
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

    /// Adds a rule, and begins with what is due of it.
    pub fn add(
        &self,
        rule: &Arc<ActiveRule>,
        broker: &Arc<Broker>,
        elsewhere: &Arc<dyn Elsewhere>,
    ) -> io::Result<()> {
        let now = self.clock.now();
        rule.rule.begin(now);
        if rule.is_timed() {
            self.start(broker, elsewhere)?;
        }
        self.all.write().push(Arc::clone(rule));
        let mut queue = self.queue.0.lock();
        if rule.rule.is_timed() {
            queue.due.push(Due { at: now + LOOK, what: What::Tick(Arc::clone(rule)) });
        }
        for (index, source) in rule.rule.sources().iter().enumerate() {
            if let Source::Timer(timer) = source
                && let Some(at) = timer.next_after(now)
            {
                queue.due.push(Due { at, what: What::Timer(Arc::clone(rule), index) });
            }
        }
        drop(queue);
        self.queue.1.notify_all();
        Ok(())
    }

    /// Forgets a rule.
    pub fn remove(&self, rule: &Arc<ActiveRule>) {
        rule.removed.store(true, Relaxed);
        self.all.write().retain(|one| !Arc::ptr_eq(one, rule));
        self.queue.0.lock().due.retain(|due| match &due.what {
            What::Tick(one) | What::Timer(one, _) => !Arc::ptr_eq(one, rule),
            What::Retry(_) => true,
        });
    }

    /// Tries a message again after a while; `false` if too many wait.
    pub fn retry(&self, publish: Publish, broker: &Arc<Broker>, elsewhere: &Arc<dyn Elsewhere>) -> bool {
        if self.start(broker, elsewhere).is_err() {
            return false;
        }
        let wait = FIRST_WAIT << (publish.tries - 1).min(10);
        let size = publish.message.size();
        let mut queue = self.queue.0.lock();
        if queue.retries >= MOST_RETRIES || queue.retry_bytes + size > MOST_RETRY_BYTES {
            return false;
        }
        queue.retries += 1;
        queue.retry_bytes += size;
        queue.due.push(Due { at: self.clock.now() + wait, what: What::Retry(Box::new(publish)) });
        drop(queue);
        self.queue.1.notify_all();
        true
    }

    /// Starts the thread, the first time.
    fn start(&self, broker: &Arc<Broker>, elsewhere: &Arc<dyn Elsewhere>) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_some() {
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
        if let Some(thread) = self.thread.lock().take() {
            // A panic there was reported by the thread itself.
            let _ = thread.join();
        }
    }
}

/// Waits for what is due next; `None` at the end.
fn next(queue: &(Mutex<Queue>, Condvar), clock: Clock) -> Option<Due> {
    let (lock, changed) = queue;
    let mut queue = lock.lock();
    loop {
        if queue.stopped {
            return None;
        }
        let now = clock.now();
        let first =
            queue.due.iter().enumerate().min_by_key(|(_, due)| due.at).map(|(index, due)| (index, due.at));
        match first {
            Some((index, at)) if at <= now => {
                let due = queue.due.swap_remove(index);
                if let What::Retry(publish) = &due.what {
                    queue.retries -= 1;
                    queue.retry_bytes -= publish.message.size();
                }
                return Some(due);
            }
            Some((_, at)) => {
                changed.wait_for(&mut queue, Duration::from_millis(at - now));
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
    let mut results = Vec::new();
    let mut again = Vec::new();
    match due.what {
        What::Tick(rule) => {
            if !elsewhere.run(&rule, None) {
                rule.tick(now, broker, None, &mut outputs);
            }
            again.push(Due { at: now + LOOK, what: What::Tick(rule) });
        }
        What::Timer(rule, index) => {
            let happening = Happening::new(Event::Timer, due.at);
            if !elsewhere.run(&rule, Some(happening.clone())) {
                rule.run(&happening.as_happened(broker), None, &mut outputs);
            }
            // Times that went by while the machine slept are not made up for.
            if let Some(Source::Timer(timer)) = rule.rule.sources().get(index)
                && let Some(at) = timer.next_after(now)
            {
                again.push(Due { at, what: What::Timer(rule, index) });
            }
        }
        What::Retry(publish) => {
            let Publish { rule, action, message, tries, .. } = *publish;
            let mut refused = Vec::new();
            broker.with_batch(now, |batch| {
                outputs::publish(
                    broker,
                    rule,
                    action,
                    message,
                    tries + 1,
                    batch,
                    &mut results,
                    &mut |publish| {
                        refused.push(publish);
                    },
                );
            });
            again.extend(refused.into_iter().map(|publish| due_again(publish, now)));
        }
    }
    if !outputs.is_empty() {
        outputs.act(broker, now, &mut results, &mut |publish| again.push(due_again(publish, now)));
    }
    if !results.is_empty() {
        elsewhere.results(results);
    }
    let mut queue = queue.0.lock();
    for due in again {
        let gone = match &due.what {
            What::Retry(publish) => {
                queue.retries += 1;
                queue.retry_bytes += publish.message.size();
                false
            }
            // It may have been removed meanwhile.
            What::Tick(rule) | What::Timer(rule, _) => rule.removed.load(Relaxed),
        };
        if !gone && !queue.stopped {
            queue.due.push(due);
        }
    }
}

fn due_again(publish: Publish, now: Millis) -> Due {
    let wait = FIRST_WAIT << (publish.tries - 1).min(10);
    Due { at: now + wait, what: What::Retry(Box::new(publish)) }
}
