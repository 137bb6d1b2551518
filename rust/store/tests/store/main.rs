//! The store on disk beside its twin, after every kind of end, and with every kind of damage.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod damage;
mod life;
mod twin;

use std::collections::BTreeMap;
use std::path::Path;

use bytes::BufMut as _;
use hookmq_store::{Change, Changes, KeyRef, LogStore, Options, Report, Store};

/// What a store holds: values by key, with the blob they refer to.
type Content = BTreeMap<String, (Vec<u8>, Option<Vec<u8>>)>;

/// Small segments, so that there are many.
const SMALL: Options = Options {
    sync: hookmq_store::Sync::Os,
    segment_bytes: 4 << 10,
    slack_bytes: 16 << 10,
    reserve_bytes: 4 << 10,
};

fn open(directory: &Path, options: Options) -> (LogStore, Report) {
    LogStore::open(directory, options, 0x1234_5678_9abc_def0, &mut |_, _| ()).unwrap()
}

fn content(store: &mut dyn Store) -> Content {
    let mut blobs = BTreeMap::new();
    let mut values = Vec::new();
    store
        .load(&mut |change| match change {
            Change::Blob { number, data } => assert!(blobs.insert(number, data.to_vec()).is_none()),
            Change::Put { key, refers, value } => values.push((format!("{key:?}"), refers, value.to_vec())),
            Change::Delete { .. } => panic!("nothing deleted is in force"),
        })
        .unwrap();
    let used = values.iter().filter(|(_, refers, _)| *refers != 0).map(|(_, refers, _)| *refers);
    assert!(blobs.keys().all(|number| used.clone().any(|refers| refers == *number)), "nobody refers to it");
    let whole =
        |refers| (refers != 0).then(|| blobs.get(&refers).expect("what it refers to is there").clone());
    values.into_iter().map(|(key, refers, value)| (key, (value, whole(refers)))).collect()
}

/// A message for so many queues.
fn message(changes: &mut Changes, number: u64, queues: u64, size: usize) {
    changes.blob(number, |out| out.put_bytes(number as u8, size));
    for queue in 0..queues {
        changes.put(KeyRef::Pair(1, queue, number), number, |out| out.put_u64(number));
    }
}
