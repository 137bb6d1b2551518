//! What a start has found.

use std::path::PathBuf;

use crate::segment::FORMAT;

/// A place that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many bytes.
    pub bytes: u64,
    /// How many records were in them.
    pub records: u64,
}

/// What a start has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The oldest format of a file; 0 if there is none. What is written next has the present one, so that an earlier
    /// version refuses it instead of misunderstanding it.
    pub format: u32,
    /// Files.
    pub segments: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Commits.
    pub frames: u64,
    /// Records that were read.
    pub records: u64,
    /// Bytes that were cut off the end: a commit that was under way when the process ended.
    pub torn: u64,
    /// What could not be read before the end.
    pub damages: Vec<Damage>,
    /// Values that were given up, because the blob they refer to could not be read.
    pub orphans: u64,
}

impl Report {
    /// The format that was taken over, if it is not the present one.
    pub fn migrated_from(&self) -> Option<u32> {
        Some(self.format).filter(|format| (1..FORMAT).contains(format))
    }

    /// Records that could not be read.
    pub fn lost(&self) -> u64 {
        self.damages.iter().map(|damage| damage.records).sum()
    }

    /// Whether all that was committed is there.
    pub fn is_whole(&self) -> bool {
        self.damages.is_empty() && self.orphans == 0
    }
}
