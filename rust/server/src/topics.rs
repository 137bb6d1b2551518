//! The thread that gathers what network threads have counted of topics.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use hookmq_engine::Broker;

/// How often it gathers: as often as a page is told of changes.
const GATHER: Duration = Duration::from_millis(200);

/// Topics are counted as long as this is there.
pub struct TopicCounter {
    broker: Arc<Broker>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TopicCounter {
    /// Begins with counting.
    pub fn start(broker: Arc<Broker>) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let counting = Arc::clone(&broker);
        let thread = std::thread::Builder::new().name("hookmq-topics".to_owned()).spawn(move || {
            while stopped.recv_timeout(GATHER) == Err(RecvTimeoutError::Timeout) {
                counting.collect_topics();
            }
        })?;
        broker.count_topics(true);
        Ok(Self { broker, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for TopicCounter {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was reported by the thread itself.
            let _ = thread.join();
        }
        self.broker.count_topics(false);
    }
}
