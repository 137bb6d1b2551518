//! What outlives the process: opened before the broker is made, put in its place when the listeners are there, and
//! written from then on.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hookmq_engine::{AccessRules, Acl, Broker, Event, Found, Ledger, Listener, Restored};
pub use hookmq_store::{Error as StoreError, Sync};
use hookmq_store::{LogStore, Options, Report, Store as _};
use sha1::{Digest as _, Sha1};

use crate::clock::Clock;
use crate::keeper::Keeper;

/// How it is kept.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Where.
    pub directory: PathBuf,
    /// What survives what.
    pub sync: Sync,
    /// With [`Sync::Interval`], how much of the last moments a power loss may cost.
    pub interval: Duration,
}

/// A store that was opened and read.
pub struct Storage {
    settings: StoreSettings,
    store: LogStore,
    found: Found,
    report: Report,
    ledger: Arc<Ledger>,
    took: Duration,
}

impl Storage {
    /// Opens a store, or makes it, and reads what it holds. `progress` is told of bytes read and of all bytes.
    pub fn open(settings: StoreSettings, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, StoreError> {
        let began = Instant::now();
        let id = getrandom::u64().map_err(|error| StoreError::System {
            path: settings.directory.clone(),
            source: std::io::Error::other(error),
        })?;
        let options = Options { sync: settings.sync, ..Options::default() };
        let (mut store, report) = LogStore::open(&settings.directory, options, id, progress)?;
        let mut found = Found::default();
        store.load(&mut |change| found.add(change))?;
        let ledger = Arc::new(Ledger::new(found.next_blob()));
        Ok(Self { settings, store, found, report, ledger, took: began.elapsed() })
    }

    /// Where the broker notes what is to be written.
    pub fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.ledger)
    }

    /// A name for this broker that stays as long as its store. It does not tell the number it is made of.
    pub fn identity(&self) -> String {
        let digest =
            Sha1::new().chain_update("hookmq-bridge").chain_update(self.store.id().to_be_bytes()).finalize();
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The broker's time, which goes on from the last commit.
    pub fn clock(&self) -> Clock {
        self.store.last().map_or_else(Clock::new, |last| Clock::after(last.now, last.wall))
    }

    /// Puts what was found in its place, and keeps from now on what the broker notes. `listeners` are those by which
    /// clients come; none has come yet.
    pub fn restore(
        self,
        broker: &Arc<Broker>,
        listeners: &[Arc<Listener>],
        clock: Clock,
    ) -> std::io::Result<Keeper> {
        let Self { settings, store, found, report, ledger, took } = self;
        let began = Instant::now();
        let restored = broker.restore(found, clock.now(), &|name, realm| listener(listeners, name, realm));
        let took = took + began.elapsed();
        broker.with_batch(clock.now(), |batch| {
            for (warning, text) in notices(&settings.directory, &report, restored, took) {
                batch.note(Event::Log { warning, text });
            }
        });
        let interval = (settings.sync == Sync::Interval).then_some(settings.interval);
        Keeper::start(Box::new(store), ledger, Arc::clone(broker), clock, interval)
    }
}

/// A name for a broker that keeps nothing: another at each start.
pub fn passing_identity() -> std::io::Result<String> {
    let number = getrandom::u64().map_err(std::io::Error::other)?;
    Ok(format!("{number:016x}"))
}

/// Reads a store and changes nothing, whether it is in use or not.
pub fn check(directory: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, StoreError> {
    LogStore::check(directory, progress)
}

/// Copies a store, whether it is in use or not. Says how many bytes that were.
pub fn copy(directory: &Path, to: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, StoreError> {
    LogStore::copy(directory, to, progress)
}

/// The listener by which a client came. If it is not there any more, nobody knows which rules would hold: nothing is
/// allowed then, unless there are no rules at all.
fn listener(listeners: &[Arc<Listener>], name: &str, realm: Option<&Arc<str>>) -> Arc<Listener> {
    if let Some(listener) = listeners.iter().find(|listener| *listener.name == *name) {
        return Arc::clone(listener);
    }
    let ruled = listeners.iter().any(|listener| listener.access.is_some());
    let access = ruled.then(|| AccessRules::new(Acl::default()));
    Listener::new(name.into(), access, usize::MAX, usize::MAX, realm.cloned())
}

/// What the log says of a start: how much there is, and what is not there any more.
fn notices(directory: &Path, report: &Report, restored: Restored, took: Duration) -> Vec<(bool, String)> {
    let mut notices = Vec::new();
    let Restored { sessions, messages, retained, given_up } = restored;
    let place = directory.display();
    if report.frames > 0 {
        let seconds = took.as_secs_f64();
        let text = format!(
            "found in {place}: {sessions} sessions, {messages} messages for them, {retained} retained messages ({seconds:.1} s)"
        );
        notices.push((false, text));
    }
    if let Some(format) = report.migrated_from() {
        let text =
            format!("{place}: taken over from format {format}; an earlier version cannot read it any more");
        notices.push((false, text));
    }
    if report.torn > 0 {
        let text = format!(
            "{place}: {} bytes at the end were cut off: they were being written when the process ended, and nothing of them was acknowledged",
            report.torn
        );
        notices.push((false, text));
    }
    for damage in &report.damages {
        let text = format!(
            "{}: {} bytes at {} cannot be read, and {} records with them; a copy of the file is kept in {}",
            damage.path.display(),
            damage.bytes,
            damage.offset,
            damage.records,
            directory.join("damaged").display(),
        );
        notices.push((true, text));
    }
    if report.orphans + given_up > 0 {
        let text = format!(
            "{place}: {} values were given up: what they belong to cannot be read, or they exceed a limit",
            report.orphans + given_up
        );
        notices.push((true, text));
    }
    notices
}
