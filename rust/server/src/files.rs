//! Files that are read again when they change.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// Why, in words; begins with `line N:` where one line is to blame.
    pub reason: String,
}

impl FileError {
    pub(crate) fn new(path: &Path, reason: String) -> Self {
        Self { path: path.to_owned(), reason }
    }
}

/// What tells one state of a file from another.
type Stamp = Option<(SystemTime, u64, u64)>;

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// A function that reads some files again.
type Reload = Box<dyn Fn() -> Result<(), FileError> + Send>;

struct Watched {
    files: Vec<(PathBuf, Stamp)>,
    reload: Reload,
    /// It failed last time, so that it is tried again although nothing changed.
    failed: bool,
}

/// The files that are in use, and how each is read again.
#[derive(Default)]
pub(crate) struct Files(Vec<Watched>);

impl Files {
    /// Watches files that were just read.
    pub(crate) fn watch(
        &mut self,
        files: Vec<PathBuf>,
        reload: impl Fn() -> Result<(), FileError> + Send + 'static,
    ) {
        let files = files.into_iter().map(|path| (path.clone(), stamp(&path))).collect();
        self.0.push(Watched { files, reload: Box::new(reload), failed: false });
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads again what changed, or everything. Gives what was read and what could not be.
    pub(crate) fn look(&mut self, everything: bool) -> (Vec<PathBuf>, Vec<FileError>) {
        let (mut read, mut errors) = (Vec::new(), Vec::new());
        for watched in &mut self.0 {
            let mut changed = None;
            for (path, before) in &mut watched.files {
                // Taken before the file is read: what changes meanwhile is found the next time.
                let now = stamp(path);
                if std::mem::replace(before, now) != now {
                    changed.get_or_insert_with(|| path.clone());
                }
            }
            if changed.is_none() && !everything && !watched.failed {
                continue;
            }
            match (watched.reload)() {
                Ok(()) => {
                    watched.failed = false;
                    read.extend(changed.or_else(|| watched.files.first().map(|(path, _)| path.clone())));
                }
                Err(error) => {
                    // Said once for each change, although it is tried again every time.
                    if changed.is_some() || everything || !watched.failed {
                        errors.push(error);
                    }
                    watched.failed = true;
                }
            }
        }
        (read, errors)
    }
}
