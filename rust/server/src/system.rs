//! `$SYS` topics: what the broker tells about itself, under the names that Mosquitto made common.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmq_codec::{Publish, QoS};
use hookmq_engine::{Batch, Broker, Message, Origin};

use crate::numbers::resident_bytes;

/// Minutes over which loads are averaged.
const MINUTES: [u32; 3] = [1, 5, 15];

/// Loads and the counters they are the rates of.
const LOADS: [(&str, &[&str]); 9] = [
    ("messages/received", &["packets_received"]),
    ("messages/sent", &["packets_sent"]),
    ("publish/received", &["messages_received"]),
    ("publish/sent", &["messages_sent"]),
    ("publish/dropped", &["messages_dropped"]),
    ("bytes/received", &["network_bytes_received"]),
    ("bytes/sent", &["network_bytes_sent"]),
    ("connections", &["connects", "connects_refused"]),
    ("sockets", &["sockets"]),
];

/// Publishes the `$SYS` topics every interval; a value that did not change is not published again.
pub(crate) struct SystemTopics {
    interval: Duration,
    started: Instant,
    last: Instant,
    /// Averages a minute, by load and by [`MINUTES`], and what the counter was last.
    loads: [([f64; MINUTES.len()], i64); LOADS.len()],
    published: HashMap<String, String>,
    heap_maximum: u64,
}

impl SystemTopics {
    /// Topics that are published every `interval`, the first time at once; never if it is zero.
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            started: Instant::now(),
            last: Instant::now(),
            loads: Default::default(),
            published: HashMap::new(),
            heap_maximum: 0,
        }
    }

    /// Publishes what changed, if it is time to.
    pub(crate) fn tick(&mut self, broker: &Broker, batch: &mut Batch, now: u64) {
        let due = self.published.is_empty() || self.last.elapsed() >= self.interval;
        if self.interval.is_zero() || !due {
            return;
        }
        let elapsed = std::mem::replace(&mut self.last, Instant::now()).elapsed();
        for (topic, value) in self.values(broker, elapsed) {
            if self.published.get(&topic) == Some(&value) {
                continue;
            }
            let publish = Publish {
                topic: format!("$SYS/broker/{topic}").into(),
                payload: Bytes::from(value.clone()),
                qos: QoS::AtMostOnce,
                retain: true,
                ..Publish::default()
            };
            let message = Message::from_publish(publish, "".into(), now);
            let _ = broker.publish(message, Origin::broker(), batch); // QoS 0 and free of charge: never refused
            self.published.insert(topic, value);
        }
    }

    fn values(&mut self, broker: &Broker, elapsed: Duration) -> Vec<(String, String)> {
        let counters: HashMap<&str, i64> = broker.statistics.snapshot().into_iter().collect();
        let count = |name: &str| counters.get(name).copied().unwrap_or(0);
        let totals = broker.recent_totals();
        let connected = broker.statistics.clients_connected.load(Relaxed);
        let disconnected = totals.sessions as i64 - connected;
        let heap = resident_bytes();
        self.heap_maximum = self.heap_maximum.max(heap);
        let uptime = self.started.elapsed().as_secs();
        let mut values: Vec<(String, String)> = vec![
            ("version".into(), format!("HookMQ {}", env!("CARGO_PKG_VERSION"))),
            ("uptime".into(), format!("{uptime} seconds")),
        ];
        let numbers = [
            ("clients/total", totals.sessions as i64),
            ("clients/connected", connected),
            ("clients/active", connected),
            ("clients/disconnected", disconnected.max(0)),
            ("clients/inactive", disconnected.max(0)),
            ("clients/maximum", count("clients_maximum")),
            ("clients/expired", count("sessions_expired")),
            ("messages/received", count("packets_received")),
            ("messages/sent", count("packets_sent")),
            ("messages/stored", (totals.retained + totals.queued) as i64),
            ("messages/inflight", totals.inflight as i64),
            ("store/messages/count", (totals.retained + totals.queued) as i64),
            ("store/messages/bytes", (totals.retained_bytes + totals.queued_bytes) as i64),
            ("publish/messages/received", count("messages_received")),
            ("publish/messages/sent", count("messages_sent")),
            ("publish/messages/dropped", count("messages_dropped")),
            ("publish/bytes/received", count("bytes_received")),
            ("publish/bytes/sent", count("bytes_sent")),
            ("bytes/received", count("network_bytes_received")),
            ("bytes/sent", count("network_bytes_sent")),
            ("retained messages/count", totals.retained as i64),
            ("subscriptions/count", totals.subscriptions as i64),
            ("shared_subscriptions/count", totals.shared_subscriptions as i64),
            ("heap/current", heap as i64),
            ("heap/maximum", self.heap_maximum as i64),
        ];
        values.extend(numbers.map(|(topic, number)| (topic.to_owned(), number.to_string())));
        values.extend(counters.iter().map(|(name, value)| (format!("hookmq/{name}"), value.to_string())));
        for ((name, sources), (averages, before)) in LOADS.iter().zip(&mut self.loads) {
            let now = sources.iter().map(|source| count(source)).sum();
            let per_minute = (now - std::mem::replace(before, now)) as f64 * 60.0 / elapsed.as_secs_f64();
            for (average, minutes) in averages.iter_mut().zip(MINUTES) {
                // An exponential average, as load averages are everywhere.
                let weight = (-elapsed.as_secs_f64() / (60.0 * f64::from(minutes))).exp();
                *average = per_minute + weight * (*average - per_minute);
                values.push((format!("load/{name}/{minutes}min"), format!("{average:.2}")));
            }
        }
        values
    }
}
