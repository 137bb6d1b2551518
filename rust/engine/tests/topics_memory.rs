//! What the statistics of topics hold is bounded by what the limit says, whatever topics and messages are made of: counted
//! is what the allocator hands out.

// In a test a panic is the report.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use bytes::Bytes;
use hookmq_codec::{Properties, PropertyId, Publish, Value};
use hookmq_engine::{Broker, Event, Gate, Limits, Message, Observer, Origin};

const LIMIT: usize = 16 << 20;

/// Counts what a thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that ends frees after its counter is gone.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the pointer came from `alloc` above, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _events: &mut Vec<Event>, _gates: &mut Vec<Arc<dyn Gate>>) {}
}

/// What one message is made of.
#[derive(Default)]
struct Shape {
    topic: String,
    payload: usize,
    pairs: usize,
    publisher: String,
}

/// Publishes as many messages of a shape, and says what their statistics hold at the end: how many topics are left, and
/// the bytes that are free when they are forgotten.
fn held(messages: usize, shape: impl Fn(usize) -> Shape) -> (usize, usize) {
    let limits = Limits { max_topic_statistics_bytes: LIMIT, ..Limits::default() };
    let broker = Broker::new(limits, Arc::new(Nobody));
    let mut batch = broker.batch();
    broker.count_topics(true);
    for number in 0..messages {
        let Shape { topic, payload, pairs, publisher } = shape(number);
        let mut properties = Properties::new();
        for _ in 0..pairs {
            properties.push(PropertyId::UserProperty, Value::Pair("a".into(), "b".into()));
        }
        let payload = Bytes::from(vec![b'x'; payload]);
        let publish = Publish { topic: topic.into(), payload, properties, ..Publish::default() };
        let message = Message::from_publish(publish, publisher.into(), number as u64);
        batch.begin(number as u64);
        broker.publish(message, Origin::broker(), &mut batch).unwrap();
        broker.finish(&mut batch);
        if number % 500 == 499 {
            broker.collect_topics();
        }
    }
    broker.collect_topics();
    let (topics, _, lost) = broker.topic_counts();
    assert_eq!(lost, 0);
    let before = HELD.get();
    broker.count_topics(false);
    (topics, usize::try_from(before - HELD.get()).unwrap())
}

#[test]
fn what_is_counted_of_topics_takes_about_what_the_limit_says() {
    // Memory that is kept for threads to gather in is no part of the limit: eight pieces of a megabyte, or two if they
    // had just doubled.
    let bound = LIMIT * 5 / 4 + (16 << 20);
    let (few, bytes) = held(100_000, |number| Shape { topic: format!("t/{number}"), ..Shape::default() });
    assert!(bytes < bound && bytes > LIMIT / 2 && few > 16_000, "short topics: {few}, {bytes}");
    let (few, bytes) =
        held(10_000, |number| Shape { topic: format!("{}{number}", "/".repeat(200)), ..Shape::default() });
    assert!(bytes < bound && few == 10_000, "levels that topics share: {few}, {bytes}");
    let deep = |number: usize| Shape { topic: format!("{number}{}", "/".repeat(200)), ..Shape::default() };
    let (few, bytes) = held(4_000, deep);
    assert!(bytes < bound && few > 100, "levels of their own: {few}, {bytes}");
    let long = |number| Shape { topic: format!("{number}{}", "x".repeat(60_000)), ..Shape::default() };
    let (few, bytes) = held(1_000, long);
    assert!(bytes < bound && few > 50, "long names: {few}, {bytes}");
    let heavy = |number| Shape { topic: format!("t/{number}"), pairs: 580, ..Shape::default() };
    let (few, bytes) = held(8_000, heavy);
    assert!(bytes < bound && few > 2_000, "user properties: {few}, {bytes}");
    let named =
        |number| Shape { topic: format!("t/{number}"), publisher: "p".repeat(60_000), ..Shape::default() };
    let (few, bytes) = held(2_000, named);
    assert!(bytes < bound && few > 100, "names of publishers: {few}, {bytes}");
    let full = |number| Shape { topic: format!("t/{number}"), payload: 100_000, ..Shape::default() };
    let (few, bytes) = held(8_000, full);
    assert!(bytes < bound && few > 2_000, "payloads: {few}, {bytes}");
}
