//! Everything that is counted, as text for Prometheus: exposition format 0.0.4.

use std::fmt::{Display, Write as _};

use hookmq_engine::Broker;

use super::Latency;
use super::process;
use crate::bridge::status::{Figures, State};

/// Counters with a metric of their own: what the engine calls them, what Prometheus does, and what they are.
const COUNTERS: [(&str, &str, &str); 25] = [
    ("packets_received", "packets_received", "MQTT packets received after CONNECT."),
    ("packets_sent", "packets_sent", "MQTT packets handed to connections."),
    ("network_bytes_received", "bytes_received", "Bytes read from connections."),
    ("network_bytes_sent", "bytes_sent", "Bytes written to connections."),
    ("messages_received", "messages_received", "PUBLISH packets received."),
    ("messages_sent", "messages_sent", "PUBLISH packets handed to connections."),
    ("bytes_received", "payload_bytes_received", "Bytes of payload received."),
    ("bytes_sent", "payload_bytes_sent", "Bytes of payload handed to connections."),
    ("messages_dropped", "messages_dropped", "Messages that a subscriber did not get."),
    ("messages_refused", "messages_refused", "QoS 1 and 2 publishes refused because a queue was full."),
    ("messages_not_kept", "messages_not_kept", "Publishes refused because a hook did not keep them."),
    ("unauthorized", "unauthorized", "Publishes and subscriptions that were not authorized."),
    ("sockets", "sockets_accepted", "Connections accepted, MQTT or not."),
    ("connects", "connects", "Connections accepted by CONNACK."),
    ("connects_refused", "connects_refused", "Connections refused by CONNACK."),
    ("auth_failures", "auth_failures", "Connections refused because nobody vouched for the client."),
    ("takeovers_refused", "takeovers_refused", "Connections refused because the session is another user's."),
    ("protocol_errors", "protocol_errors", "Connections closed because of a protocol error."),
    ("tls_failures", "tls_failures", "Connections closed during the TLS handshake."),
    ("sessions_expired", "sessions_expired", "Sessions that ended because their time was over."),
    ("bridge_loops", "looped_messages", "Messages that came back by a bridge."),
    ("store_refused", "store_refused", "Messages, sessions and subscriptions that could not be stored."),
    ("store_commits", "store_commits", "Commits to the store."),
    ("store_records", "store_records", "Changes written to the store."),
    ("store_failures", "store_failures", "Commits that failed and were tried again."),
];

/// What is as it is at the moment.
const GAUGES: [(&str, &str, &str); 6] = [
    ("clients_connected", "clients_connected", "Clients connected."),
    ("clients_maximum", "clients_connected_max", "The most clients that were connected at one time."),
    ("half_open", "connections_half_open", "Connections that have not sent CONNECT."),
    (
        "store_problem",
        "store_problem",
        "What is wrong with the store: 0 nothing, 1 disk full, 2 not writable.",
    ),
    ("store_bytes", "store_bytes", "Bytes of the store on disk."),
    ("store_live_bytes", "store_live_bytes", "Bytes of the store that are in force."),
];

/// What a bridge counts.
const BRIDGE: [(&str, &str, &str); 7] = [
    ("messages_sent", "messages_sent", "Messages that went to the other broker."),
    ("messages_received", "messages_received", "Messages that came from the other broker."),
    ("bytes_sent", "payload_bytes_sent", "Bytes of payload that went to the other broker."),
    ("bytes_received", "payload_bytes_received", "Bytes of payload that came from the other broker."),
    ("connects", "connects", "Links that came up."),
    ("loops", "loops", "Messages that had been at this broker before."),
    ("echoes", "echoes", "Messages that the other broker sent back at once."),
];

/// What of it are errors.
const BRIDGE_ERRORS: [&str; 7] = [
    "failures",
    "refused_there",
    "refused_here",
    "not_taken",
    "dropped_unmapped",
    "dropped_too_large",
    "dropped_too_slow",
];

const STATES: [State; 4] = [State::Connecting, State::Connected, State::Waiting, State::Paused];

/// Text in the making.
#[derive(Debug, Default)]
pub struct Metrics(String);

impl Metrics {
    /// Everything native.
    pub fn of(broker: &Broker, latency: &Latency, bridges: &[Figures]) -> String {
        let mut text = Self::default();
        text.broker(broker);
        text.topics(broker);
        text.latency(latency);
        text.process();
        if !bridges.is_empty() {
            text.bridges(bridges);
        }
        text.0
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP hookmq_{name} {help}\n# TYPE hookmq_{name} {kind}"); // into a String
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let text = &mut self.0;
        text.push_str("hookmq_");
        text.push_str(name);
        for (index, (label, value)) in labels.iter().enumerate() {
            text.push(if index == 0 { '{' } else { ',' });
            let _ = write!(text, "{label}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.value(name, &[], value);
    }

    fn broker(&mut self, broker: &Broker) {
        let counted = broker.statistics.snapshot();
        let count = |name: &str| counted.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        for (name, metric, help) in COUNTERS {
            if let Some(value) = count(name) {
                self.one(&format!("{metric}_total"), "counter", help, value);
            }
        }
        self.head("limit_hits_total", "counter", "How often a limit of the settings was met.");
        for (name, value) in &counted {
            if let Some(limit) = name.strip_prefix("limit_") {
                self.value("limit_hits_total", &[("limit", limit)], value);
            }
        }
        for (name, metric, help) in GAUGES {
            self.one(metric, "gauge", help, count(name).unwrap_or(0));
        }
        let totals = broker.recent_totals();
        for (metric, help, value) in [
            ("sessions", "Sessions, connected or not.", totals.sessions),
            ("subscriptions", "Subscriptions of all sessions.", totals.subscriptions),
            ("shared_subscriptions", "Shared subscriptions among them.", totals.shared_subscriptions),
            ("retained_messages", "Retained messages.", totals.retained),
            ("retained_bytes", "Bytes of retained messages.", totals.retained_bytes),
            ("queued_messages", "Messages that wait in sessions.", totals.queued),
            ("queued_bytes", "Bytes of messages that wait in sessions.", totals.queued_bytes),
            ("inflight_messages", "QoS 1 and 2 messages under way to clients.", totals.inflight),
        ] {
            self.one(metric, "gauge", help, value);
        }
    }

    fn topics(&mut self, broker: &Broker) {
        if !broker.counts_topics() {
            return;
        }
        let (topics, evicted, lost) = broker.topic_counts();
        self.one("topics", "gauge", "Topics whose statistics are known.", topics);
        let help = "Topics whose statistics made room for others.";
        self.one("topics_evicted_total", "counter", help, evicted);
        let help = "Messages missing in the statistics of topics.";
        self.one("topics_uncounted_messages_total", "counter", help, lost);
    }

    fn latency(&mut self, latency: &Latency) {
        let name = "publish_latency_seconds";
        let help =
            "From reading a message to writing it to its receivers; quantiles are of the last ten seconds.";
        self.head(name, "summary", help);
        let shares = ["0.5", "0.9", "0.99"];
        let quantiles = latency.quantiles([0.5, 0.9, 0.99]);
        for (index, share) in shares.into_iter().enumerate() {
            let value = quantiles.map_or(f64::NAN, |quantiles| quantiles[index]);
            self.value(name, &[("quantile", share)], number(value));
        }
        let (count, sum) = latency.totals();
        self.value(&format!("{name}_sum"), &[], number(sum.as_secs_f64()));
        self.value(&format!("{name}_count"), &[], count);
    }

    fn process(&mut self) {
        if let Some(seconds) = process::cpu_seconds() {
            let help = "Seconds of a core that the process has used.";
            self.one("process_cpu_seconds_total", "counter", help, number(seconds));
        }
        let help = "Memory of the process.";
        self.one("process_resident_memory_bytes", "gauge", help, process::resident_bytes());
        if let Some(files) = process::open_files() {
            self.one("process_open_fds", "gauge", "File descriptors that the process has open.", files);
        }
    }

    fn bridges(&mut self, bridges: &[Figures]) {
        self.head("bridge_up", "gauge", "Whether the link to the other broker is up.");
        for bridge in bridges {
            let up = u8::from(bridge.state == State::Connected);
            self.value("bridge_up", &[("bridge", &bridge.name)], up);
        }
        self.head("bridge_state", "gauge", "How a bridge stands: 1 for the state it is in.");
        for bridge in bridges {
            for state in STATES {
                let labels = [("bridge", &*bridge.name), ("state", state.name())];
                self.value("bridge_state", &labels, u8::from(bridge.state == state));
            }
        }
        self.head("bridge_waiting_messages", "gauge", "Messages that wait for the other broker.");
        for bridge in bridges {
            self.value("bridge_waiting_messages", &[("bridge", &bridge.name)], bridge.waiting);
        }
        let count = |bridge: &Figures, name: &str| {
            bridge.counters.iter().find(|(other, _)| *other == name).map_or(0, |(_, value)| *value)
        };
        for (name, metric, help) in BRIDGE {
            let metric = format!("bridge_{metric}_total");
            self.head(&metric, "counter", help);
            for bridge in bridges {
                self.value(&metric, &[("bridge", &bridge.name)], count(bridge, name));
            }
        }
        self.head("bridge_errors_total", "counter", "What went wrong at a bridge, by what it was.");
        for bridge in bridges {
            for error in BRIDGE_ERRORS {
                let labels = [("bridge", &*bridge.name), ("error", error)];
                self.value("bridge_errors_total", &labels, count(bridge, error));
            }
        }
    }
}

/// A number as Prometheus writes it.
fn number(value: f64) -> String {
    if value.is_nan() { "NaN".to_owned() } else { value.to_string() }
}

/// A label's value: backslash, quote and line feed are escaped.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::time::Duration;

    use hookmq_engine::{Event, Gate, Limits, Observer};

    use super::*;

    struct Nobody;

    impl Observer for Nobody {
        fn observe(&self, _events: &mut Vec<Event>, _gates: &mut Vec<Arc<dyn Gate>>) {}
    }

    fn text() -> String {
        let broker = Broker::new(Limits::default(), Arc::new(Nobody));
        broker.count_topics(true);
        let latency = Latency::default();
        latency.add(Duration::from_millis(2));
        let bridge = Figures {
            name: "a \"b\"\\\n".into(),
            state: State::Connected,
            since: 0,
            error: None,
            address: None,
            version: None,
            waiting: 7,
            counters: vec![("messages_sent", 3), ("not_taken", 2)],
        };
        Metrics::of(&broker, &latency, &[bridge])
    }

    #[test]
    fn every_line_is_as_the_format_says_and_no_metric_is_there_twice() {
        let text = text();
        let (mut heads, mut lines) = (HashSet::new(), HashSet::new());
        let mut current = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                current = rest.split(' ').next().unwrap();
                assert!(heads.insert(current), "{current} twice");
                assert_eq!(rest.ends_with(" counter"), current.ends_with("_total"), "{current}");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                assert!(series.starts_with(current), "{series} below {current}");
                assert!(lines.insert(series), "{series} twice");
                assert!(value.parse::<f64>().is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn bridges_are_there_by_name_which_is_escaped() {
        let text = text();
        let name = "bridge=\"a \\\"b\\\"\\\\\\n\"";
        for line in [
            format!("hookmq_bridge_up{{{name}}} 1"),
            format!("hookmq_bridge_waiting_messages{{{name}}} 7"),
            format!("hookmq_bridge_messages_sent_total{{{name}}} 3"),
            format!("hookmq_bridge_errors_total{{{name},error=\"not_taken\"}} 2"),
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn every_counter_of_the_engine_has_a_metric() {
        let broker = Broker::new(Limits::default(), Arc::new(Nobody));
        for (name, _) in broker.statistics.snapshot() {
            let known = COUNTERS.iter().chain(&GAUGES).any(|(other, ..)| *other == name);
            assert!(known || name.starts_with("limit_"), "{name} has no metric");
        }
    }
}
