//! Which store it is: a number that is part of every checksum.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::segment::{self, HEADER, Header};

fn path(directory: &Path) -> PathBuf {
    directory.join("identity")
}

/// The number of a store that is there: of its own file, or else of the first segment that says so. `None` if there is
/// no store.
pub(crate) fn find(directory: &Path, segments: &[u32]) -> Result<Option<u64>, Error> {
    let text = fs::read_to_string(path(directory)).unwrap_or_default();
    if let Some(id) = text.lines().nth(1).and_then(|line| u64::from_str_radix(line, 16).ok()) {
        return Ok(Some(id));
    }
    let header = |number: &u32| {
        let mut bytes = [0; HEADER];
        File::open(segment::path(directory, *number))
            .and_then(|mut file| file.read_exact(&mut bytes))
            .ok()?;
        Header::parse(&bytes, *number)
    };
    match segments.iter().find_map(header) {
        Some(header) => Ok(Some(header.store)),
        // A process that was killed while it made the first one had kept nothing.
        None if segments.len() <= 1 && size(directory, segments) < HEADER as u64 => Ok(None),
        None => Err(Error::Unidentified { path: directory.to_owned() }),
    }
}

fn size(directory: &Path, segments: &[u32]) -> u64 {
    let size = |number: &u32| fs::metadata(segment::path(directory, *number)).map_or(0, |file| file.len());
    segments.iter().map(size).sum()
}

/// Writes it down, if it is not yet.
pub(crate) fn keep(directory: &Path, id: u64) -> Result<(), Error> {
    let path = path(directory);
    let text =
        format!("HookMQ store: part of every checksum in these files, so do not change it\n{id:016x}\n");
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let new = path.with_extension("new");
    let written = File::create(&new).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        segment::sync_directory(directory)
    });
    written.map_err(Error::system(&path))
}
