//! What is due at a time: sessions that end, Wills whose delay is over, the `$SYS` topics, numbers over time.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::numbers::Reading;
use crate::server::Context;
use crate::system::SystemTopics;

const TICK: Duration = Duration::from_millis(200);

/// The thread that does it. A timer of tokio's would wake a network thread three times for each tick, and an idle broker
/// fifteen times a second.
pub(crate) struct Ticker {
    /// Begins with the first word, and ends when this is dropped.
    begin: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    /// Starts the thread, which waits for [`Ticker::begin`].
    pub(crate) fn start(context: Arc<Context>) -> io::Result<Self> {
        let (begin, told) = channel();
        let thread = std::thread::Builder::new().name("hookmq-tick".to_owned()).spawn(move || {
            if told.recv().is_err() {
                return;
            }
            let mut batch = context.broker.batch();
            let mut system = SystemTopics::new(context.settings.sys_interval);
            loop {
                let now = context.clock.now();
                batch.begin(now);
                context.broker.tick(&mut batch);
                system.tick(&context.broker, &mut batch, now);
                if context.series.lock().is_due() {
                    let reading = Reading::of(&context.broker);
                    context.series.lock().add(&reading, now);
                }
                context.broker.finish(&mut batch);
                if told.recv_timeout(TICK) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        })?;
        Ok(Self { begin, thread })
    }

    /// Lets it begin. What is due at once was left behind by the process before: hooks and restored sessions get it.
    pub(crate) fn begin(&self) {
        let _ = self.begin.send(());
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.begin);
        let _ = self.thread.join();
    }
}
