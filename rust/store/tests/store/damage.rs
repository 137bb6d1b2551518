//! Files that were cut off, had bits flipped, or pages zeroed: what is found was written, and what is missing is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hookmq_store::{Changes, Error, KeyRef, LogStore, Stamp, Store};

use crate::{Content, SMALL, content, message, open};

const STAMP: Stamp = Stamp { now: 5, wall: 7 };

/// A number that is different each time and the same for each seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// A store of several segments, the content it ends with, everything that was ever in it, and where its records begin.
struct Written {
    content: Content,
    ever: BTreeSet<(String, Vec<u8>, Option<Vec<u8>>)>,
    edges: Vec<(PathBuf, u64)>,
    /// Where frames begin in the last segment: cut off there, it is as if the rest had never been written.
    ends: Vec<u64>,
    last: PathBuf,
}

fn write(directory: &Path) -> Written {
    let (mut store, _) = open(directory, SMALL);
    let mut ever = BTreeSet::new();
    let mut changes = Changes::default();
    for number in 1..=200 {
        changes.clear(0);
        message(&mut changes, number, number % 4, (number as usize * 37) % 300);
        let name = format!("name {}", number % 7);
        changes.put(KeyRef::Text(2, 0, &name), 0, |out| out.extend_from_slice(&number.to_le_bytes()));
        if number > 50 {
            changes.delete(KeyRef::Pair(1, 0, number - 50));
        }
        store.commit(&changes, STAMP).unwrap();
        ever.extend(content(&mut store).into_iter().map(|(key, (value, blob))| (key, value, blob)));
    }
    let content = content(&mut store);
    drop(store);
    let (mut edges, mut ends, mut last) = (Vec::new(), Vec::new(), PathBuf::new());
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "log") {
            let bytes = fs::read(&path).unwrap();
            let newest = path > last;
            if newest {
                (last, ends) = (path.clone(), Vec::new());
            }
            let mut at = 40;
            while at + 40 <= bytes.len() {
                edges.push((path.clone(), at as u64));
                ends.extend(newest.then_some(at as u64));
                let end = at + 40 + u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
                at += 40;
                while at < end {
                    edges.push((path.clone(), at as u64));
                    at += 8 + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
                }
            }
        }
    }
    Written { content, ever, edges, ends, last }
}

/// Copies the files, damages one, and opens them.
fn with_damage(
    directory: &Path,
    what: &str,
    damage: impl FnOnce(&Path),
) -> Result<(Content, hookmq_store::Report), Error> {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() && entry.file_name() != "reserve" {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    damage(copy.path());
    let checked = LogStore::check(copy.path(), &mut |_, _| ());
    let (mut store, report) = LogStore::open(copy.path(), SMALL, 1, &mut |_, _| ())?;
    assert_eq!(checked.unwrap(), report, "{what}");
    let found = content(&mut store);
    // It goes on from there.
    let mut changes = Changes::default();
    message(&mut changes, 1_000, 1, 10);
    store.commit(&changes, STAMP).unwrap();
    drop(store);
    let (mut store, again) = open(copy.path(), SMALL);
    assert_eq!(again.torn, 0, "{what}: {again:?}");
    let mut after = content(&mut store);
    assert!(after.remove("Pair(1, 0, 1000)").is_some(), "{what}: {report:?}, then {again:?}");
    let differ: Vec<_> =
        found.keys().chain(after.keys()).filter(|key| found.get(*key) != after.get(*key)).collect();
    assert!(differ.is_empty(), "{what}: {differ:?}; {report:?}, then {again:?}");
    for damage in &report.damages {
        let kept = copy.path().join("damaged").join(damage.path.file_name().unwrap());
        assert!(kept.exists(), "{what}");
    }
    Ok((found, report))
}

fn judge(written: &Written, what: &str, outcome: Result<(Content, hookmq_store::Report), Error>) -> bool {
    let Ok((found, report)) = outcome else { return false };
    for (key, (value, blob)) in &found {
        let one = (key.clone(), value.clone(), blob.clone());
        assert!(written.ever.contains(&one), "{what}: {key} was never that");
    }
    if found != written.content {
        assert!(!report.is_whole() || report.torn > 0, "{what}: something is missing, and nothing is told");
    }
    true
}

#[test]
fn two_thousand_damages() {
    let directory = tempfile::tempdir().unwrap();
    let written = write(directory.path());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut opened, mut refused) = (0, 0);
    let mut count = |started: bool| if started { opened += 1 } else { refused += 1 };
    let file = |copy: &Path, path: &Path| copy.join(path.file_name().unwrap());
    // Cut off at and around each edge of a record.
    for (path, edge) in &written.edges {
        let shift = random.below(3) as i64 - 1;
        let length = edge.saturating_add_signed(shift);
        let what = format!("{} cut off at {length}", path.display());
        let cut = |copy: &Path| {
            let path = file(copy, path);
            fs::File::options().write(true).open(path).unwrap().set_len(length).unwrap();
        };
        let outcome = with_damage(directory.path(), &what, cut);
        if *path == written.last && written.ends.contains(&length) {
            assert!(outcome.is_ok_and(|(_, report)| report.is_whole() && report.torn == 0), "{what}");
            continue;
        }
        count(judge(&written, &what, outcome));
    }
    let edges = written.edges.len();
    let sizes: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "reserve" && path.metadata().unwrap().len() > 0)
        .map(|path| (path.clone(), path.metadata().unwrap().len()))
        .collect();
    for round in 0..2100 - edges.min(1500) {
        let (path, size) = &sizes[random.below(sizes.len() as u64) as usize];
        let at = random.below(*size) as usize;
        let bits = 1 + random.below(8);
        let zeroed = round % 4 == 0;
        let what = format!("{} at {at}: {}", path.display(), if zeroed { "zeroes" } else { "flipped" });
        let spoil = |copy: &Path| {
            let path = file(copy, path);
            let mut bytes = fs::read(&path).unwrap();
            if zeroed {
                let end = (at + 512).min(bytes.len());
                bytes[at..end].fill(0);
            } else {
                for bit in 0..bits as usize {
                    let at = (at + bit * 7) % bytes.len();
                    bytes[at] ^= 1 << (bit % 8);
                }
            }
            fs::write(&path, bytes).unwrap();
        };
        count(judge(&written, &what, with_damage(directory.path(), &what, spoil)));
    }
    println!("{} damages: {opened} started, {refused} refused", opened + refused);
    assert!(opened + refused >= 2000 && refused < 20);
}

#[test]
fn what_a_client_sends_is_no_frame() {
    // A payload that is a whole segment of a store, and damage right before it.
    let (directory, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut store, _) = LogStore::open(other.path(), SMALL, 99, &mut |_, _| ()).unwrap();
    let mut changes = Changes::default();
    changes.put(KeyRef::Text(9, 9, "forged"), 0, |_| ());
    store.commit(&changes, STAMP).unwrap();
    drop(store);
    let forged = fs::read(other.path().join("00000001.log")).unwrap();
    let (mut store, _) = open(directory.path(), SMALL);
    changes.clear(0);
    changes.blob(1, |out| out.extend_from_slice(&forged));
    changes.put(KeyRef::Pair(1, 1, 1), 1, |_| ());
    store.commit(&changes, STAMP).unwrap();
    changes.clear(0);
    message(&mut changes, 2, 1, 10);
    store.commit(&changes, STAMP).unwrap();
    drop(store);
    let path = directory.path().join("00000001.log");
    let mut bytes = fs::read(&path).unwrap();
    bytes[41] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (mut store, report) = open(directory.path(), SMALL);
    let found: Vec<_> = content(&mut store).into_keys().collect();
    assert_eq!(found, ["Pair(1, 0, 2)"]);
    assert_eq!(report.torn, 0);
}

#[test]
fn damage_is_told_with_what_it_cost() {
    let directory = tempfile::tempdir().unwrap();
    let written = write(directory.path());
    // In a record in the middle of the first segment.
    let (path, edge) =
        written.edges.iter().filter(|(path, _)| path.ends_with("00000001.log")).nth(20).unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[*edge as usize + 9] ^= 0x40;
    fs::write(path, &bytes).unwrap();
    let (_, report) = open(directory.path(), SMALL);
    assert_eq!((report.lost(), report.damages.len(), report.torn), (1, 1, 0));
    // A segment is missing.
    fs::remove_file(directory.path().join("00000003.log")).unwrap();
    let (_, report) = open(directory.path(), SMALL);
    assert!(report.lost() > 10, "{report:?}");
}
