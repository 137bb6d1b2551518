//! What a topic name reaches, and each thread's memory of it.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::router::{Grant, Router};
use crate::session::Session;
use crate::shared::SharedGroup;
use crate::taps::Taps;
use crate::topics::Place;

/// Memory a thread's cache may take, in bytes, roughly. At the limit it forgets all: the topics in use come
/// back at once.
const REMEMBERED: usize = 32 << 20;

/// What a route takes besides its topic and its receivers, in bytes, roughly.
const ENTRY: usize = 128;

/// Longer topics are not remembered: nobody uses them often.
const LONGEST: usize = 1024;

/// A session that gets the message.
pub(crate) struct Receiver {
    pub(crate) session: Arc<Session>,
    /// On which terms.
    pub(crate) grant: Grant,
    /// On which terms it gets what it published itself; `None` if not at all.
    pub(crate) own: Option<Grant>,
}

/// What a topic name reaches.
pub(crate) struct Route {
    pub(crate) receivers: Box<[Receiver]>,
    pub(crate) groups: Box<[Arc<SharedGroup>]>,
    /// Who observes it; nearly always nobody.
    pub(crate) taps: Option<Box<Taps>>,
    /// Where the thread that found it counts the topic.
    pub(crate) place: Place,
}

/// One thread's cache of routes: a topic that comes again costs one look-up.
#[derive(Default)]
pub(crate) struct RouteCache {
    generation: u64,
    bytes: usize,
    routes: HashMap<Box<str>, Arc<Route>>,
}

impl RouteCache {
    pub(crate) fn route(&mut self, router: &Router, topic: &str) -> Arc<Route> {
        if self.generation == router.generation()
            && let Some(route) = self.routes.get(topic)
        {
            return Arc::clone(route);
        }
        let (generation, route) = router.find(topic);
        let route = Arc::new(route);
        if topic.len() > LONGEST {
            return route;
        }
        if self.generation != generation || self.bytes >= REMEMBERED {
            self.routes.clear();
            (self.generation, self.bytes) = (generation, 0);
        }
        self.bytes += ENTRY + topic.len() + route.receivers.len() * size_of::<Receiver>();
        self.routes.insert(topic.into(), Arc::clone(&route));
        route
    }
}
