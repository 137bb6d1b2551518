//! Hooks that come and go while messages pass: each of these meets those that are there before, or those that are
//! there after, and never some of both.
//!
//! A message finds its taps in a route, and what is behind them a moment later. So what comes is put behind its taps
//! before any route has them; then all routes change in one step; and what goes is let go when no thread is at work
//! any more that may have found it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use hookmq_codec::TopicFilter;
use hookmq_engine::{Broker, Tap};

use super::hook::{Hook, Place};
use super::runtime::{ClientHook, Runtime, Sink};

/// How long is waited for threads that are at work; what one that takes longer has found is not told.
const LIMIT: Duration = Duration::from_secs(5);

/// A hook, its number among those that are as early, and its place.
pub(crate) type Placed = (Arc<Hook>, u32, Place);

impl Runtime {
    /// Puts hooks in the place of others. With `drain` those are called for what happened before.
    pub(crate) fn swap(&self, broker: &Broker, added: &[Placed], removed: &[Placed], drain: bool) {
        {
            let mut sinks = self.sinks.write();
            for (hook, _, place) in added {
                if let Place::Tap(tap) = place {
                    let decides = hook.lanes.is_empty();
                    let hook = Arc::clone(hook);
                    sinks.insert(tap.1.id, if decides { Sink::Decider(hook) } else { Sink::Hook(hook) });
                }
            }
        }
        self.swap_clients(broker, added, removed);
        broker.swap_taps(taps(added), taps(removed), LIMIT);
        for (hook, ..) in removed {
            hook.removed.store(!drain, Relaxed);
            self.hooks.remove(hook, drain);
        }
        let gone: Vec<_> = {
            let mut sinks = self.sinks.write();
            taps(removed).map(|(_, tap)| sinks.remove(&tap.id)).collect()
        };
        drop(gone); // with the lock free: the end of a Python object may run code
    }

    fn swap_clients(&self, broker: &Broker, added: &[Placed], removed: &[Placed]) {
        let mut hooks = self.client_hooks.write();
        let is_gone = |entry: &ClientHook| removed.iter().any(|(hook, ..)| Arc::ptr_eq(hook, &entry.hook));
        let (gone, mut left) = std::mem::take(&mut *hooks).into_iter().partition::<Vec<_>, _>(is_gone);
        for (hook, order, place) in added {
            if let Place::Clients(interest, rank) = *place {
                left.push(ClientHook { hook: Arc::clone(hook), interest, rank, order: *order });
            }
        }
        left.sort_by_key(|entry| (Reverse(entry.rank), entry.order));
        self.watch_clients(broker, &left);
        *hooks = left;
        drop(hooks);
        drop(gone); // with the lock free
    }
}

fn taps(hooks: &[Placed]) -> impl Iterator<Item = &(TopicFilter, Tap)> {
    hooks.iter().filter_map(|(_, _, place)| match place {
        Place::Tap(tap) => Some(&**tap),
        Place::Clients(..) => None,
    })
}
