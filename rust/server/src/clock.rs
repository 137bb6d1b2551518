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
        Self { started: Instant::now(), wall: Self::wall() }
    }

    /// A clock that goes on where another stood at a moment of the wall clock. If that runs behind by now, as on a
    /// computer that does not know the time yet, no time has passed.
    pub fn after(now: Millis, wall: Millis) -> Self {
        Self { started: Instant::now(), wall: now + Self::wall().saturating_sub(wall) }
    }

    /// What the wall clock shows, in milliseconds since the Unix epoch.
    pub fn wall() -> Millis {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as Millis
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
