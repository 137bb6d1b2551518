//! How long pages of the broker's lists take: 100,000 clients, each with two subscriptions, and 1,000,000 topics to which
//! 100,000 messages a second are published. `cargo run --release -p hookmq-engine --example views`

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmq_codec::{
    Connect, Properties, Publish, QoS, ReasonCode, Subscribe, SubscribeFilter, SubscriptionOptions, Version,
};
use hookmq_engine::{
    Batch, Broker, Client, ClientQuery, Event, Gate, Limits, Message, Observer, Origin, Outbox, Sort,
    Transport, Written,
};

const CLIENTS: usize = 100_000;
const TOPICS: u64 = 1_000_000;
const SECOND: u64 = 100_000;

struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _events: &mut Vec<Event>, _gates: &mut Vec<Arc<dyn Gate>>) {}
}

struct Nowhere;

impl Transport for Nowhere {
    fn write(&self, outbox: &mut Outbox) -> Written {
        outbox.advance(outbox.len());
        Written::All
    }

    fn wake(&self) {}

    fn close(&self, _reason: ReasonCode, _farewell: Bytes) {}
}

/// The time that this thread has run: others on the machine do not count.
fn ran() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// The median and the longest of twenty times.
fn measure<T>(what: &str, mut work: impl FnMut() -> T) {
    let times = (0..20).map(|_| {
        let begun = ran();
        std::hint::black_box(work());
        ran() - begun
    });
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    println!("{what:44} {:9.3?} … {:9.3?}", times[10], times[19]);
}

fn connect(broker: &Arc<Broker>, number: usize, batch: &mut Batch) {
    let id: Arc<str> = format!("device-{:06}", number * 7919 % CLIENTS).into();
    let connect = Connect { version: Version::V311, client_id: (&*id).into(), ..Connect::default() };
    let address = Some(([10, (number >> 16) as u8, (number >> 8) as u8, number as u8], 1883).into());
    let username = Some(format!("user{}", number % 1000).into());
    let client = Client { id, address, username, connected_at: number as u64, ..Client::default() };
    let client = Arc::new(client);
    let mut connection =
        broker.connect(connect, client, Properties::new(), Arc::new(Nowhere), batch).ok().unwrap();
    let filter = |filter: String| SubscribeFilter {
        filter: filter.into(),
        options: SubscriptionOptions { qos: QoS::AtMostOnce, ..SubscriptionOptions::default() },
    };
    let filters = vec![filter(format!("to/{number}")), filter(format!("of/{}/#", number % 100))];
    connection
        .subscribe(Subscribe { packet_id: 1, properties: Properties::new(), filters }, &[], batch)
        .unwrap();
    std::mem::forget(connection); // it stays
}

fn clients(broker: &Arc<Broker>, batch: &mut Batch) {
    let begun = Instant::now();
    for number in 0..CLIENTS {
        batch.begin(1_000);
        connect(broker, number, batch);
        broker.finish(batch);
    }
    println!("{CLIENTS} clients connect in {:.3?}", begun.elapsed());
    let page = |query: &ClientQuery| broker.clients(query, 100, None).unwrap();
    measure("clients, first page", || page(&ClientQuery::default()));
    measure("clients, a page in the middle", || {
        broker.clients(&ClientQuery::default(), 100, Some("i0/device-050000")).unwrap()
    });
    let search = |text: &str| ClientQuery { search: Some(text.into()), ..ClientQuery::default() };
    measure("clients, search that finds one", || page(&search("ice-012345")));
    measure("clients, search by address, finds none", || page(&search("10.77.0")));
    measure("clients, one user", || {
        page(&ClientQuery { username: Some("user7".into()), ..ClientQuery::default() })
    });
    for sort in [Sort::ClientId, Sort::ConnectedAt, Sort::Received, Sort::Sent, Sort::Queued] {
        measure(&format!("clients, by {sort:?}, descending"), || {
            page(&ClientQuery { sort, descending: true, ..ClientQuery::default() })
        });
    }
    measure("subscriptions, first page", || broker.subscriptions(None, None, 100, None).unwrap());
    measure("subscriptions, search that finds one", || {
        broker.subscriptions(Some("to/77777"), None, 100, None).unwrap()
    });
    measure("receivers of a topic with 1,000", || broker.receivers("of/7/x", 100, None).unwrap());
    measure("totals", || broker.totals());
}

fn publish(broker: &Broker, numbers: impl Iterator<Item = u64>, batch: &mut Batch, now: u64, retain: bool) {
    for (index, number) in numbers.enumerate() {
        if index % 50 == 0 {
            broker.finish(batch);
            batch.begin(now);
        }
        let topic = format!("plant/{}/line/{}/value", number % 100, number / 100);
        let payload = Bytes::from(format!("{{\"value\": {number}}}"));
        let publish = Publish { topic: topic.into(), payload, retain, ..Publish::default() };
        let message = Message::from_publish(publish, "publisher".into(), now);
        broker.publish(message, Origin::broker(), batch).unwrap();
    }
    broker.finish(batch);
}

fn topics(broker: &Broker, batch: &mut Batch) {
    broker.count_topics(true);
    let (mut publishing, mut gathering) = (Duration::ZERO, Duration::ZERO);
    for step in 0..2 * TOPICS / (SECOND / 5) {
        let numbers = step * (SECOND / 5)..(step + 1) * (SECOND / 5);
        let begun = ran();
        publish(broker, numbers.map(|number| number * 7919 % TOPICS), batch, 1_000 + step * 200, false);
        publishing += ran() - begun;
        let begun = ran();
        broker.collect_topics();
        gathering += ran() - begun;
    }
    let seconds = 2 * TOPICS / SECOND;
    println!(
        "{SECOND} messages a second to {TOPICS} topics: {:.3?} for a second's publishing, {:.3?} for its gathering",
        publishing / seconds as u32,
        gathering / seconds as u32
    );
    let now = 1_000 + 2 * TOPICS / SECOND * 1000;
    println!("topics, forgotten, lost: {:?}", broker.topic_counts());
    measure("topics, below a level with 100", || broker.topics_below(Some("plant"), 100, None, now));
    measure("topics, below a level with 10,000", || {
        broker.topics_below(Some("plant/7/line"), 100, Some("5"), now)
    });
    measure("topics, search that finds one", || broker.find_topics(None, "77/line/7777/", 100, None, now));
    let parents = vec![None, Some("plant".to_owned()), Some("plant/7/line".to_owned())];
    let mut watch = broker.watch_topics(parents, 500);
    measure("a watch of 601 topics, nothing new", || broker.topic_changes(&mut watch, now));
    publish(broker, 0..SECOND / 5, batch, now, false);
    broker.collect_topics();
    let begun = ran();
    let changed = broker.topic_changes(&mut watch, now).set.len();
    println!("a watch of which {changed} topics changed: {:.3?}", ran() - begun);
    broker.count_topics(false);
    publish(broker, 0..TOPICS - 1, batch, now, true);
    measure("retained, first page of a million", || broker.retained_page("#", None, 100, None, now));
    measure("retained, search that finds one", || {
        broker.retained_page("#", Some("77/line/7777/"), 100, None, now)
    });
}

fn main() {
    let broker = Broker::new(Limits::default(), Arc::new(Nobody));
    let mut batch = broker.batch();
    clients(&broker, &mut batch);
    topics(&broker, &mut batch);
}
