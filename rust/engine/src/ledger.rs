//! What is to outlive the process, on its way to the store.
//!
//! Changes are noted while whatever they change is locked, so that they are in the order in which it changed. One
//! thread takes all that gathered, commits it, and lets those go on who waited for it: answers that promise something
//! stay in the outbox of their connection until what they promise is committed.

use std::sync::Arc;
use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst,
};
use std::time::{Duration, Instant};

use hookmq_store::Changes;
use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard};

use crate::session::Session;

/// Names the commit that a change is part of; 0 is that of nothing.
pub(crate) type Ticket = u64;

/// A buffer of changes that grew larger than this is given back.
const KEPT: usize = 4 << 20;

/// From so many bytes on that wait for a commit, nobody should bring more.
const BEHIND: usize = 8 << 20;

/// Changes that are not committed yet.
pub struct Ledger {
    pending: Mutex<Pending>,
    /// Held shared by who notes changes that must be in one commit, exclusively by who takes them.
    together: RwLock<()>,
    committed: AtomicU64,
    /// What the store takes: one of [`Takes`].
    takes: AtomicU8,
    next_blob: AtomicU64,
    /// Whether more waits than should.
    behind: AtomicBool,
    wake: Condvar,
}

/// What can be stored at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Takes {
    /// Nothing: what is noted waits.
    Nothing,
    /// What makes room: that a message was acknowledged, that a session is over.
    Less,
    /// Everything.
    More,
}

struct Pending {
    changes: Changes,
    /// Of the commit that they will be part of.
    ticket: Ticket,
    /// Sessions whose connection has something that waits.
    waiting: Vec<Arc<Session>>,
    closed: bool,
}

impl Ledger {
    /// For a store whose next blob has this number.
    pub fn new(next_blob: u64) -> Self {
        let pending = Pending { changes: Changes::default(), ticket: 1, waiting: Vec::new(), closed: false };
        Self {
            pending: Mutex::new(pending),
            together: RwLock::default(),
            committed: AtomicU64::new(0),
            takes: AtomicU8::new(Takes::More as u8),
            next_blob: AtomicU64::new(next_blob),
            behind: AtomicBool::new(false),
            wake: Condvar::new(),
        }
    }

    /// The number of a new blob.
    pub(crate) fn next_blob(&self) -> u64 {
        self.next_blob.fetch_add(1, Relaxed)
    }

    /// Notes changes; in which commit they will be.
    pub(crate) fn note(&self, write: impl FnOnce(&mut Changes)) -> Ticket {
        let pending = &mut *self.pending.lock();
        write(&mut pending.changes);
        if pending.changes.size() > BEHIND {
            self.behind.store(true, Relaxed);
        }
        pending.ticket
    }

    /// Whether so much waits for the disk that whoever brings more should pause.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Relaxed)
    }

    /// The last commit that anything noted so far is part of.
    pub(crate) fn noted(&self) -> Ticket {
        let pending = self.pending.lock();
        pending.ticket - u64::from(pending.changes.is_empty())
    }

    /// As long as it is held, nothing of what is noted is taken: it comes into one commit. Nothing else is locked by
    /// whoever asks for it.
    pub(crate) fn together(&self) -> RwLockReadGuard<'_, ()> {
        self.together.read()
    }

    /// Lets the thread that commits know that there is something.
    pub(crate) fn kick(&self) {
        self.wake.notify_one();
    }

    /// Whether a commit is still to come. Then the session is written out after one, and may ask again.
    pub(crate) fn holds(&self, ticket: Ticket, session: &Arc<Session>) -> bool {
        if self.committed.load(SeqCst) >= ticket {
            return false;
        }
        let mut pending = self.pending.lock();
        // Asked again with the lock, which whoever ends a commit takes as well.
        let holds = self.committed.load(SeqCst) < ticket;
        if holds {
            pending.waiting.push(Arc::clone(session));
        }
        holds
    }

    /// Whether the store takes as much at the moment.
    pub(crate) fn takes(&self, what: Takes) -> bool {
        self.takes.load(Relaxed) >= what as u8
    }

    /// Says what it takes.
    pub fn set_takes(&self, what: Takes) {
        self.takes.store(what as u8, Relaxed);
    }

    /// Takes all that was noted, for one commit, and its ticket. Waits so long for something; `None` if nothing came,
    /// or if nothing will come any more.
    pub fn take(&self, changes: &mut Changes, limit: Duration) -> Option<Ticket> {
        let until = Instant::now() + limit;
        let mut pending = self.pending.lock();
        while pending.changes.is_empty() {
            if pending.closed || self.wake.wait_until(&mut pending, until).timed_out() {
                return None;
            }
        }
        drop(pending);
        let _alone = self.together.write();
        let pending = &mut *self.pending.lock();
        changes.clear(KEPT);
        std::mem::swap(changes, &mut pending.changes);
        self.behind.store(false, Relaxed);
        pending.ticket += 1;
        Some(pending.ticket - 1)
    }

    /// A commit is done: whose connections have something that waited.
    pub fn committed(&self, ticket: Ticket) -> Vec<Arc<Session>> {
        let pending = &mut *self.pending.lock();
        self.committed.store(ticket, Release);
        std::mem::take(&mut pending.waiting)
    }

    /// A commit has failed, and is to be tried again: whose connections wait for it.
    pub fn failed(&self) -> Vec<Arc<Session>> {
        std::mem::take(&mut self.pending.lock().waiting)
    }

    /// Nothing is noted any more: the thread that commits ends when it has taken the rest.
    pub fn close(&self) {
        self.pending.lock().closed = true;
        self.wake.notify_all();
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.pending.lock().closed
    }

    /// Whether it was closed and everything was taken.
    pub fn is_over(&self) -> bool {
        let pending = self.pending.lock();
        pending.closed && pending.changes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use hookmq_store::KeyRef;

    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn who_waits_for_a_commit_is_named_when_it_is_done() {
        let ledger = Ledger::new(1);
        let session = Session::new(Arc::default(), 1);
        let mut changes = Changes::default();
        assert_eq!(ledger.take(&mut changes, SOON), None, "there is nothing");
        let ticket = ledger.note(|changes| changes.delete(KeyRef::Pair(1, 2, 3)));
        assert!(ledger.holds(ticket, &session));
        assert_eq!(ledger.take(&mut changes, SOON), Some(ticket));
        assert_eq!(changes.len(), 1);
        let next = ledger.note(|changes| changes.delete(KeyRef::Pair(1, 2, 4)));
        assert!(next > ticket && ledger.holds(next, &session), "a commit under way has no part of it");
        assert_eq!(ledger.committed(ticket).len(), 2, "also who waits for the next: it asks again");
        assert!(!ledger.holds(ticket, &session) && ledger.holds(next, &session));
    }

    #[test]
    fn what_belongs_together_is_taken_together() {
        let ledger = Ledger::new(1);
        std::thread::scope(|scope| {
            let together = ledger.together();
            ledger.note(|changes| changes.delete(KeyRef::Pair(1, 0, 0)));
            let taking = scope.spawn(|| {
                let mut changes = Changes::default();
                ledger.take(&mut changes, Duration::from_secs(60));
                changes.len()
            });
            std::thread::sleep(Duration::from_millis(5));
            ledger.note(|changes| changes.delete(KeyRef::Pair(1, 0, 1)));
            drop(together);
            assert_eq!(taking.join().unwrap(), 2);
        });
    }

    #[test]
    fn the_rest_is_taken_when_it_is_closed() {
        let ledger = Ledger::new(1);
        let mut changes = Changes::default();
        ledger.note(|changes| changes.delete(KeyRef::Pair(1, 0, 0)));
        ledger.close();
        assert!(!ledger.is_over() && ledger.take(&mut changes, SOON).is_some() && ledger.is_over());
        assert_eq!(ledger.take(&mut changes, Duration::from_secs(60)), None);
    }
}
