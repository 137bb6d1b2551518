//! Any changes, with restarts in between: both hold the same.

use bytes::BufMut as _;
use hookmq_store::{Changes, KeyRef, MemoryStore, Stamp, Store};
use proptest::prelude::*;

use crate::{SMALL, content, open};

#[derive(Debug, Clone)]
enum Step {
    /// A message that so many of the queues get.
    Blob {
        queues: u8,
        size: usize,
    },
    /// A value by name.
    Name {
        name: u8,
        size: usize,
    },
    /// A queue forgets this of its messages.
    Take {
        queue: u8,
        nth: usize,
    },
    Forget {
        name: u8,
    },
    Commit,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u8..16, 0usize..3000).prop_map(|(queues, size)| Step::Blob { queues, size }),
        2 => (0u8..8, 0usize..300).prop_map(|(name, size)| Step::Name { name, size }),
        6 => (0u8..4, 0usize..20).prop_map(|(queue, nth)| Step::Take { queue, nth }),
        1 => (0u8..8).prop_map(|name| Step::Forget { name }),
        4 => Just(Step::Commit),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_same_changes_leave_the_same(steps in prop::collection::vec(step(), 1..200)) {
        let directory = tempfile::tempdir().unwrap();
        let mut twin = MemoryStore::default();
        let (mut store, _) = open(directory.path(), SMALL);
        let mut queues: [Vec<u64>; 4] = Default::default();
        let mut changes = Changes::default();
        let mut number = 0;
        let mut stamp = Stamp { now: 1, wall: 2 };
        for step in steps.into_iter().chain([Step::Commit, Step::Restart]) {
            match step {
                Step::Blob { queues: wanted, size } => {
                    number += 1;
                    changes.blob(number, |out| out.put_bytes(number as u8, size));
                    for (index, queue) in queues.iter_mut().enumerate() {
                        if wanted >> index & 1 == 1 {
                            queue.push(number);
                            let key = KeyRef::Pair(1, index as u64, number);
                            changes.put(key, number, |out| out.put_u64(number));
                        }
                    }
                }
                Step::Name { name, size } => {
                    let key = format!("name {name}");
                    changes.put(KeyRef::Text(2, 0, &key), 0, |out| out.put_bytes(name, size));
                }
                Step::Take { queue, nth } => {
                    let of_queue = &mut queues[usize::from(queue)];
                    if nth < of_queue.len() {
                        changes.delete(KeyRef::Pair(1, queue.into(), of_queue.remove(nth)));
                    }
                }
                Step::Forget { name } => changes.delete(KeyRef::Text(2, 0, &format!("name {name}"))),
                Step::Commit => {
                    stamp = Stamp { now: stamp.now + 1, wall: stamp.wall + 2 };
                    store.commit(&changes, stamp).unwrap();
                    twin.commit(&changes, stamp).unwrap();
                    let _ = store.tidy(stamp).unwrap();
                    changes.clear(0);
                }
                Step::Restart => {
                    store.commit(&changes, stamp).unwrap();
                    twin.commit(&changes, stamp).unwrap();
                    changes.clear(0);
                    prop_assert_eq!(content(&mut store), content(&mut twin));
                    drop(store);
                    let report;
                    (store, report) = open(directory.path(), SMALL);
                    prop_assert!(report.is_whole() && report.torn == 0, "{:?}", report);
                    prop_assert_eq!(content(&mut store), content(&mut twin));
                }
            }
        }
        while store.tidy(stamp).unwrap() {}
        prop_assert_eq!(content(&mut store), content(&mut twin));
        let figures = store.figures();
        prop_assert!(figures.bytes <= 2 * figures.live_bytes + SMALL.slack_bytes + 4 * SMALL.segment_bytes);
    }
}
