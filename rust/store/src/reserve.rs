//! A little space that is set aside.
//!
//! When the disk is full, what makes room must still be written: that a message was acknowledged, that a session is
//! over. So a file of zeros is given up when a write finds no space, and made again when there is some.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const NAME: &str = "reserve";

/// How long after it could not be made it is tried again: that costs as much as a large write.
const AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    bytes: usize,
    there: bool,
    /// When there was no space for it.
    failed: Option<Instant>,
}

impl Reserve {
    /// That of a store in a directory, made if there is space.
    pub(crate) fn new(directory: &Path, bytes: usize) -> Self {
        let path = directory.join(NAME);
        let there = fs::metadata(&path).is_ok_and(|file| file.len() == bytes as u64);
        let mut reserve = Self { path, bytes, there, failed: None };
        reserve.make();
        reserve
    }

    pub(crate) fn is_there(&self) -> bool {
        self.there
    }

    /// Sets space aside, if there is any. Says whether it is.
    pub(crate) fn make(&mut self) -> bool {
        if !self.there && self.failed.is_none_or(|at| at.elapsed() >= AGAIN) {
            let made = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path);
            let made = made.and_then(|mut file| {
                file.write_all(&vec![0; self.bytes])?;
                file.sync_data() // some file systems find out only then
            });
            self.there = made.is_ok();
            self.failed = None;
            if !self.there {
                let _ = fs::remove_file(&self.path); // there is less than that
                self.failed = Some(Instant::now());
            }
        }
        self.there
    }

    /// Gives the space up. Says whether there was any.
    pub(crate) fn spend(&mut self) -> bool {
        let there = std::mem::take(&mut self.there);
        there && fs::remove_file(&self.path).is_ok()
    }
}
