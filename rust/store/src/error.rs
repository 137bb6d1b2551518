//! Why a store cannot be used.

use std::io;
use std::path::{Path, PathBuf};

/// Why a store cannot be used, or not at the moment.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process has it.
    #[error("another process uses it")]
    InUse {
        /// Its directory.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error("it was written by a later version (format {found}, this one knows {known})")]
    Newer {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest that is known.
        known: u32,
    },
    /// A file is of another store.
    #[error("it belongs to another store")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Nothing says which store it is, and without that nothing of it can be read.
    #[error("its identity is damaged, and so is the start of every file")]
    Unidentified {
        /// Its directory.
        path: PathBuf,
    },
    /// The system refused something.
    #[error("{source}")]
    System {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn system(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::System { path: path.to_owned(), source }
    }

    /// The file or directory that it is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::InUse { path }
            | Self::Newer { path, .. }
            | Self::Foreign { path }
            | Self::Unidentified { path }
            | Self::System { path, .. } => path,
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::System { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}
