//! The time.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hookmq_engine::Millis;

/// Milliseconds since the Unix epoch that never run backwards: the wall clock when the broker started
/// and the monotonic clock from there.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    wall: Millis,
}

impl Clock {
    /// A clock that is set now.
    pub fn new() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), wall: wall.as_millis() as Millis }
    }

    /// The time.
    pub fn now(&self) -> Millis {
        self.wall + self.started.elapsed().as_millis() as Millis
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
