//! Two that want it, copies of it, a disk that is full, and space that comes back.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hookmq_store::{Changes, Error, KeyRef, LogStore, Options, Stamp, Store};

use crate::{SMALL, content, message, open};

const STAMP: Stamp = Stamp { now: 5, wall: 7 };

#[test]
fn one_process_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _) = open(directory.path(), SMALL);
    let again = LogStore::open(directory.path(), SMALL, 1, &mut |_, _| ());
    assert!(matches!(again, Err(Error::InUse { .. })));
    drop(store);
    open(directory.path(), SMALL);
}

/// Makes a file one of another format.
fn set_format(path: &Path, format: u8) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    bytes[12] = format;
    let sum = crc32fast::hash(&bytes[12..40]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    fs::write(path, &bytes).unwrap();
    bytes
}

#[test]
fn a_later_format_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), SMALL));
    let path = directory.path().join("00000001.log");
    let bytes = set_format(&path, 3);
    let opened = LogStore::open(directory.path(), SMALL, 1, &mut |_, _| ());
    assert!(matches!(opened, Err(Error::Newer { found: 3, known: 2, .. })));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn an_earlier_format_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let file = |number| directory.path().join(format!("{number:08}.log"));
    let (mut store, _) = open(directory.path(), SMALL);
    let mut changes = Changes::default();
    message(&mut changes, 1, 1, 10);
    store.commit(&changes, STAMP).unwrap();
    let before = content(&mut store);
    drop(store);
    let old = set_format(&file(1), 1);
    for already in [false, true] {
        let (mut store, report) = open(directory.path(), SMALL);
        assert_eq!((report.format, report.migrated_from()), (1, Some(1)));
        assert!(report.is_whole());
        assert_eq!(content(&mut store), before);
        assert_eq!(fs::read(file(1)).unwrap(), old, "what is there is not changed");
        assert_eq!(fs::read(file(2)).unwrap()[12], 2, "an earlier version refuses what is written next");
        assert!(!file(3).exists(), "{already}: it is done once");
    }
    // When nothing of it is in force any more, nothing tells of the earlier format.
    let (mut store, _) = open(directory.path(), SMALL);
    changes.clear(0);
    changes.delete(KeyRef::Pair(1, 0, 1));
    store.commit(&changes, STAMP).unwrap();
    while store.tidy(STAMP).unwrap() {}
    drop(store);
    let (mut store, report) = open(directory.path(), SMALL);
    assert_eq!((report.format, report.migrated_from()), (2, None));
    assert!(content(&mut store).is_empty());
}

#[test]
fn a_format_before_the_first_is_damage() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), SMALL));
    set_format(&directory.path().join("00000001.log"), 0);
    assert!(!open(directory.path(), SMALL).1.is_whole());
}

#[test]
fn it_knows_when_it_was_written_last() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path(), SMALL);
    assert_eq!(store.last(), None);
    let mut changes = Changes::default();
    message(&mut changes, 1, 1, 10);
    store.commit(&changes, STAMP).unwrap();
    drop(store);
    assert_eq!(open(directory.path(), SMALL).0.last(), Some(STAMP));
}

#[test]
fn a_copy_is_whole_while_it_is_written_to() {
    let (directory, copies) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut store, _) = open(directory.path(), SMALL);
    let mut changes = Changes::default();
    changes.put(KeyRef::Text(2, 0, "old"), 0, |_| ());
    store.commit(&changes, STAMP).unwrap();
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            for copy in 0..20 {
                let to = copies.path().join(copy.to_string());
                LogStore::copy(directory.path(), &to, &mut |_, _| ()).unwrap();
            }
        });
        let mut number = 0;
        while !copying.is_finished() {
            number += 1;
            changes.clear(0);
            message(&mut changes, number, 2, 100);
            for queue in 0..2 {
                changes.delete(KeyRef::Pair(1, queue, number.saturating_sub(10)));
            }
            store.commit(&changes, STAMP).unwrap();
            store.tidy(STAMP).unwrap();
            std::thread::sleep(Duration::from_micros(200));
        }
    });
    for copy in 0..20 {
        let (mut copy, report) = open(&copies.path().join(copy.to_string()), SMALL);
        assert!(report.is_whole(), "{report:?}");
        let content = content(&mut copy);
        assert!(content.len() <= 21 && content.contains_key("Text(2, 0, \"old\")"), "{content:?}");
    }
}

#[test]
fn ten_million_messages_leave_no_more_than_what_is_left_of_them() {
    let messages = if cfg!(debug_assertions) { 300_000 } else { 10_000_000 };
    let directory = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 1 << 20, slack_bytes: 4 << 20, ..Options::default() };
    let (mut store, _) = open(directory.path(), options);
    let mut changes = Changes::default();
    let mut most = 0;
    let begun = Instant::now();
    for number in 1..=messages {
        // One in ten thousand is never taken, so that every segment has something in force.
        message(&mut changes, number, 1, 100);
        if number > 1000 && number % 10_000 != 0 {
            changes.delete(KeyRef::Pair(1, 0, number - 1000));
        }
        if number % 50 == 0 {
            store.commit(&changes, STAMP).unwrap();
            changes.clear(1 << 20);
            let _ = store.tidy(STAMP).unwrap();
            most = most.max(store.figures().bytes);
        }
    }
    let figures = store.figures();
    println!("{messages} messages in {:.1?}: {} MiB at most, {figures:?}", begun.elapsed(), most >> 20);
    assert_eq!(figures.values, 1000 + messages / 10_000);
    assert!(most < 2 * figures.live_bytes + (8 << 20), "{most} bytes");
    let on_disk: u64 =
        fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk < figures.bytes + options.reserve_bytes as u64 + (1 << 20), "{on_disk} bytes");
}

#[test]
fn a_million_messages_of_a_hundred_thousand_sessions_are_found_again_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path(), Options::default());
    let mut changes = Changes::default();
    let (sessions, messages) = if cfg!(debug_assertions) { (2_000, 20_000) } else { (100_000, 1_000_000) };
    for number in 1..=messages {
        if number <= sessions {
            changes.put(KeyRef::Pair(3, number, 0), 0, |out| out.extend_from_slice(&[1; 60]));
            changes.put(KeyRef::Text(4, number, "devices/+/state"), 0, |out| out.extend_from_slice(&[1; 8]));
        }
        changes.blob(number, |out| out.extend_from_slice(&[2; 200]));
        changes.put(KeyRef::Pair(1, number % sessions, number), number, |out| out.extend_from_slice(&[3; 8]));
        if number % 100 == 0 {
            store.commit(&changes, STAMP).unwrap();
            changes.clear(1 << 20);
        }
    }
    drop(store);
    let begun = Instant::now();
    let mut told = 0;
    let (mut store, _) = LogStore::open(directory.path(), Options::default(), 0, &mut |done, total| {
        assert!(told < done && done <= total);
        told = done;
    })
    .unwrap();
    let mut found = 0;
    store.load(&mut |_| found += 1).unwrap();
    let took = begun.elapsed();
    println!("{found} records of {} MiB found again in {took:.2?}", store.figures().bytes >> 20);
    assert_eq!(found, 2 * sessions + 2 * messages);
    assert!(took.as_secs() < 10);
}
