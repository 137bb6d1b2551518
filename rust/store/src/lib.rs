//! What outlives the process. A [`Store`] keeps values by [`Key`], and blobs by number for as long as a value refers
//! to them: a message is a blob, each queue that has it is a value.
//!
//! # Layout
//! - [`changes`]: what is to be written, in the form in which it is written
//! - [`log`]: the store on disk, a log in segments; [`memory`]: its twin without one
//! - `frame`: changes that were written together, and how damage is recognized; `segment`: one file of them
//! - `index`: where the newest version of everything is; `recovery`: how it is found again
//! - [`report`]: what a start has found; [`error`]: why a store cannot be used
//! - `identity`: which store it is
//! - `reserve`: a little space that is set aside for when there is none
//!
//! # Why a log of our own
//! Everything that is kept is in the engine's memory as well, so a store is written all the time and read once, at the
//! start. A log does just that: one `write` for all changes that came together, whatever they were. An LSM tree keeps
//! all of it in memory a second time, and the one that we tried (fjall 3.1) answered one damaged place in its journal
//! by refusing to start, or by cutting off everything behind it without a word, depending on which bytes it was. What
//! was promised asks for more: damage costs what was damaged, and is told.

#![forbid(unsafe_code)]

pub mod changes;
pub mod error;
mod frame;
mod identity;
mod index;
pub mod log;
pub mod memory;
mod recovery;
pub mod report;
mod reserve;
mod segment;

pub use changes::{Change, Changes, Key, KeyRef};
pub use error::Error;
pub use log::{LogStore, Options, Sync};
pub use memory::MemoryStore;
pub use report::{Damage, Report};

/// When something was written: in the broker's time, which goes on over restarts and knows no jumps, and on the wall
/// clock, both in milliseconds. From the last one a broker that starts knows what time it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// The broker's time.
    pub now: u64,
    /// Milliseconds since the Unix epoch.
    pub wall: u64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Bytes on disk.
    pub bytes: u64,
    /// Bytes of them that are in force.
    pub live_bytes: u64,
    /// Values.
    pub values: u64,
    /// Blobs.
    pub blobs: u64,
    /// Commits since the start.
    pub commits: u64,
    /// Records written since the start.
    pub records: u64,
}

/// What keeps changes. One thread owns it.
pub trait Store: Send {
    /// Writes changes: all of them, or none if it fails. Then the same may be tried again.
    fn commit(&mut self, changes: &Changes, stamp: Stamp) -> Result<(), Error>;

    /// Sees to it that what was committed survives a power loss.
    fn sync(&mut self) -> Result<(), Error>;

    /// Visits every blob and every value that is in force, in any order.
    fn load(&mut self, each: &mut dyn FnMut(Change<'_>)) -> Result<(), Error>;

    /// Does a little of the work that keeps the disk space in bounds. Says whether there is more to do.
    fn tidy(&mut self, stamp: Stamp) -> Result<bool, Error>;

    /// Whether there is room for more. Without room only what makes room should be committed.
    fn has_room(&mut self) -> bool;

    /// How much there is.
    fn figures(&self) -> Figures;

    /// When something was committed last.
    fn last(&self) -> Option<Stamp>;
}
