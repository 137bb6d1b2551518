//! Hooks by number.
//!
//! A call that waits names its hook by number: an [`Arc`] for each would have two threads count up and down in one
//! place, which costs either of them more than the rest of what it does for a message.

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::hook::Hook;

/// Every hook that is called, or was while calls for it still wait.
#[derive(Default)]
pub(crate) struct HookTable {
    hooks: RwLock<Vec<Option<Arc<Hook>>>>,
    /// Those that were let go, but not what waits for them.
    retired: Mutex<Vec<u32>>,
}

impl HookTable {
    /// Makes a hook with a number of its own.
    pub(crate) fn add(&self, make: impl FnOnce(u32) -> Hook) -> Arc<Hook> {
        let gone = self.clear_retired();
        let mut hooks = self.hooks.write();
        let hook = Arc::new(make(hooks.len() as u32));
        hooks.push(Some(Arc::clone(&hook)));
        drop(hooks);
        drop(gone); // with the lock free: the end of a Python object may run code
        hook
    }

    /// The hook with this number, unless it is gone.
    pub(crate) fn get(&self, number: u32) -> Option<Arc<Hook>> {
        self.hooks.read().get(number as usize)?.clone()
    }

    /// All there are.
    pub(crate) fn all(&self) -> impl Iterator<Item = Arc<Hook>> {
        self.hooks.read().iter().flatten().cloned().collect::<Vec<_>>().into_iter()
    }

    /// Forgets a hook; with `drain` only when what waits for it was called.
    pub(crate) fn remove(&self, hook: &Hook, drain: bool) {
        if drain {
            self.retired.lock().push(hook.number);
            return;
        }
        let gone = self.hooks.write()[hook.number as usize].take();
        drop(gone);
    }

    fn clear_retired(&self) -> Vec<Option<Arc<Hook>>> {
        let mut hooks = self.hooks.write();
        let mut gone = Vec::new();
        self.retired.lock().retain(|number| {
            let slot = &mut hooks[*number as usize];
            let waits = slot.as_ref().is_some_and(|hook| hook.counters.waiting() > 0);
            if !waits {
                gone.push(slot.take());
            }
            waits
        });
        gone
    }

    /// Forgets every hook.
    pub(crate) fn clear(&self) {
        let gone = std::mem::take(&mut *self.hooks.write());
        self.retired.lock().clear();
        drop(gone);
    }
}

/// The hook that was asked for last: what waits together is mostly for one.
#[derive(Default)]
pub(crate) struct LastHook(Option<Arc<Hook>>);

impl LastHook {
    /// The hook with this number, unless it is gone.
    pub(crate) fn get(&mut self, table: &HookTable, number: u32) -> Option<&Arc<Hook>> {
        if self.0.as_ref().is_none_or(|hook| hook.number != number) {
            self.0 = table.get(number);
        }
        self.0.as_ref()
    }
}
