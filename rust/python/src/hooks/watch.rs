//! Looks after hooks that do not come back: names them in the log, and gives up what waits for them in vain.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hashbrown::HashMap;
use hookmq_engine::Broker;
use hookmq_server::Clock;

use super::deliveries::TOO_LATE;
use super::log::Notice;
use super::queue::Overflow;
use super::runtime::Runtime;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(250);

/// A call that takes longer is named.
const LONG: Duration = Duration::from_secs(1);

/// The thread that looks. It never enters Python.
pub(crate) struct Watch {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn start(runtime: Arc<Runtime>, broker: Arc<Broker>, clock: Clock) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("hookmq-watch".to_owned()).spawn(move || {
            // Names of hooks that go on, and how long they had when they were named last.
            let mut named = HashMap::new();
            while stopped.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                name_busy(&runtime, &mut named);
                give_up(&runtime, &broker, clock);
            }
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Names hooks whose call takes long: after a second, and again whenever that has doubled.
fn name_busy(runtime: &Runtime, named: &mut HashMap<String, Duration>) {
    let mut busy = HashMap::new();
    for (name, counters) in runtime.watched() {
        let Some(time) = counters.busy_for().filter(|time| *time >= LONG) else { continue };
        let before = named.get(&name).copied().filter(|before| *before <= time);
        if let Some(before) = before.filter(|before| time < *before * 2) {
            busy.insert(name, before);
            continue;
        }
        let (seconds, waiting) = (time.as_secs_f64(), counters.waiting());
        let text = format!("{name} has been running for {seconds:.1} s, {waiting} events wait");
        runtime.notices.push(Notice { client_id: None, warning: true, text }, Overflow::DropNewest);
        busy.insert(name, time);
    }
    *named = busy;
}

/// Gives up deliveries that nobody decided about in time.
fn give_up(runtime: &Runtime, broker: &Broker, clock: Clock) {
    let timeout = runtime.decision_timeout;
    let waiting = runtime.deliveries.take_where(|one| one.at.elapsed() > timeout);
    for mut late in runtime.deciding.take_late(timeout).into_iter().chain(waiting) {
        late.withhold(broker, clock.now(), TOO_LATE);
    }
}
