//! The thread that writes what outlives the process: all that gathered in one commit, then those go on who waited.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hookmq_engine::{Broker, Event, Ledger, Takes, note_time};
use hookmq_store::{Changes, Error, Figures, Stamp, Store};

use crate::clock::Clock;

/// How long it waits for something to do before it looks after the rest.
const LOOK: Duration = Duration::from_millis(100);

/// How long after a failed commit it is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// From so many milliseconds on the wall clock was set, and does not run unevenly.
const JUMP: i64 = 1000;

/// The thread, as long as the broker runs.
pub struct Keeper {
    ledger: Arc<Ledger>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread. What was committed is synchronized at least this often, if at all.
    pub fn start(
        store: Box<dyn Store>,
        ledger: Arc<Ledger>,
        broker: Arc<Broker>,
        clock: Clock,
        interval: Option<Duration>,
    ) -> io::Result<Self> {
        let work = Work {
            store,
            ledger: Arc::clone(&ledger),
            broker,
            clock,
            interval,
            takes: Takes::More,
            dirty: None,
            ahead: None,
        };
        let thread = std::thread::Builder::new().name("hookmq-store".to_owned()).spawn(|| work.run())?;
        Ok(Self { ledger, thread: Some(thread) })
    }

    /// Writes what there still is, and ends the thread.
    pub fn stop(mut self) {
        self.ledger.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there was reported when it happened
        }
    }
}

struct Work {
    store: Box<dyn Store>,
    ledger: Arc<Ledger>,
    broker: Arc<Broker>,
    clock: Clock,
    interval: Option<Duration>,
    takes: Takes,
    /// When something was committed that was not synchronized yet.
    dirty: Option<Instant>,
    /// By how many milliseconds the wall clock was ahead of the broker's time when that was written down last.
    ahead: Option<i64>,
}

impl Work {
    fn run(mut self) {
        let mut changes = Changes::default();
        let mut busy = false;
        while !self.ledger.is_over() {
            let wait = if busy { Duration::ZERO } else { self.until_due().min(LOOK) };
            if let Some(ticket) = self.ledger.take(&mut changes, wait) {
                if !self.commit(&changes) {
                    return;
                }
                self.dirty.get_or_insert_with(Instant::now);
                let sessions = self.ledger.committed(ticket);
                let (now, records) = (self.clock.now(), changes.len() as u64);
                self.broker.with_batch(now, |batch| {
                    batch.counts().store_commits += 1;
                    batch.counts().store_records += records;
                    self.broker.write_out(&sessions, batch);
                });
            }
            let room = self.store.has_room();
            self.set_takes(if room { Takes::More } else { Takes::Less }, || FULL.to_owned());
            let stamp = self.stamp();
            // What cannot be tidied now is tidied later; that the disk has failed is found by the next commit.
            busy = self.store.tidy(stamp).unwrap_or(false);
            self.note_jump();
            self.synchronize(false);
            self.show();
        }
        let mut last = Changes::default();
        note_time(&mut last);
        if self.commit(&last) {
            self.synchronize(true);
        }
    }

    /// Writes the time down if the wall clock was set: otherwise a broker that starts would take it for time that has
    /// passed. What else is written tells the time as well.
    fn note_jump(&mut self) {
        let Stamp { now, wall } = self.stamp();
        let ahead = wall as i64 - now as i64;
        let before = *self.ahead.get_or_insert(ahead);
        if (ahead - before).abs() >= JUMP {
            let mut jump = Changes::default();
            note_time(&mut jump);
            if self.store.commit(&jump, Stamp { now, wall }).is_ok() {
                self.ahead = Some(ahead);
            }
        }
    }

    /// Commits, however often it takes. `false` if the broker stops meanwhile.
    fn commit(&mut self, changes: &Changes) -> bool {
        loop {
            let stamp = self.stamp();
            let Err(error) = self.store.commit(changes, stamp) else { return true };
            self.set_takes(Takes::Nothing, || complaint(&error));
            self.broker.with_batch(stamp.now, |batch| batch.counts().store_failures += 1);
            self.broker.give_up_waiting(&self.ledger.failed());
            if self.ledger.is_closed() {
                return false;
            }
            let _ = self.store.tidy(stamp); // perhaps that makes room
            std::thread::sleep(AGAIN);
        }
    }

    /// Says to the broker what can be stored, and to the log when that has changed.
    fn set_takes(&mut self, takes: Takes, why: impl FnOnce() -> String) {
        if takes == self.takes {
            return;
        }
        let warning = takes < self.takes;
        self.takes = takes;
        self.ledger.set_takes(takes);
        let problem = Takes::More as i64 - takes as i64;
        self.broker.statistics.store_problem.store(problem, Relaxed);
        match (takes, warning) {
            (Takes::More, _) => self.log(false, "what is to be kept can be stored again".to_owned()),
            (_, true) => self.log(true, why()),
            // The worst is over; what is left of it was told, or is told next.
            (_, false) => self.log(true, FULL.to_owned()),
        }
    }

    /// How long until something has to be synchronized.
    fn until_due(&self) -> Duration {
        match (self.dirty, self.interval) {
            (Some(since), Some(limit)) => limit.saturating_sub(since.elapsed()),
            _ => Duration::MAX,
        }
    }

    fn synchronize(&mut self, last: bool) {
        let Some(since) = self.dirty else { return };
        if !last && self.interval.is_none_or(|limit| since.elapsed() < limit) {
            return;
        }
        while let Err(error) = self.store.sync() {
            self.set_takes(Takes::Nothing, || complaint(&error));
            if self.ledger.is_closed() {
                return;
            }
            std::thread::sleep(AGAIN);
        }
        self.dirty = None;
    }

    fn show(&self) {
        let Figures { bytes, live_bytes, .. } = self.store.figures();
        self.broker.statistics.store_bytes.store(bytes as i64, Relaxed);
        self.broker.statistics.store_live_bytes.store(live_bytes as i64, Relaxed);
    }

    fn stamp(&self) -> Stamp {
        Stamp { now: self.clock.now(), wall: Clock::wall() }
    }

    fn log(&self, warning: bool, text: String) {
        let now = self.clock.now();
        self.broker.with_batch(now, |batch| batch.note(Event::Log { warning, text }));
    }
}

const FULL: &str = "the disk is full: what must be kept is refused until there is room again; what makes room is still written";

fn complaint(error: &Error) -> String {
    let path = error.path().display();
    format!("what must be kept cannot be stored, and is not acknowledged until it can: {path}: {error}")
}
