//! What the broker counted.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one batch of work. They are plain numbers, added to [`Statistics`] once per batch,
        /// because two threads that add to one cache line for every message pay more for it than for routing.
        #[derive(Debug, Default, Clone)]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        /// Counters since the start, shared by all threads.
        #[derive(Debug, Default)]
        pub struct Statistics {
            $($(#[$doc])* pub $name: AtomicU64,)*
            /// Connections at this moment.
            pub clients_connected: AtomicI64,
            /// The most connections there were at one time.
            pub clients_maximum: AtomicI64,
            /// Connections at this moment that have not sent CONNECT.
            pub half_open: AtomicI64,
            /// What is wrong with the store: 0 nothing, 1 the disk is full, 2 it cannot be written.
            pub store_problem: AtomicI64,
            /// Bytes of it on disk.
            pub store_bytes: AtomicI64,
            /// Bytes of them that are in force.
            pub store_live_bytes: AtomicI64,
        }

        impl Statistics {
            /// Adds a batch's counts and sets them to zero.
            pub fn add(&self, counts: &mut Counts) {
                $(if counts.$name > 0 { self.$name.fetch_add(counts.$name, Relaxed); })*
                *counts = Counts::default();
            }

            /// Every counter by name.
            pub fn snapshot(&self) -> Vec<(&'static str, i64)> {
                let mut all = vec![$((stringify!($name), self.$name.load(Relaxed) as i64),)*];
                all.push(("clients_connected", self.clients_connected.load(Relaxed)));
                all.push(("clients_maximum", self.clients_maximum.load(Relaxed)));
                all.push(("half_open", self.half_open.load(Relaxed)));
                all.push(("store_problem", self.store_problem.load(Relaxed)));
                all.push(("store_bytes", self.store_bytes.load(Relaxed)));
                all.push(("store_live_bytes", self.store_live_bytes.load(Relaxed)));
                all
            }
        }
    };
}

counters! {
    /// Packets received after CONNECT.
    packets_received,
    /// Packets handed to connections, PUBLISH included.
    packets_sent,
    /// Bytes read from connections.
    network_bytes_received,
    /// Bytes written to connections.
    network_bytes_sent,
    /// Connections that were accepted, MQTT or not.
    sockets,
    /// PUBLISH packets received.
    messages_received,
    /// Bytes of payload in them.
    bytes_received,
    /// PUBLISH packets handed to connections.
    messages_sent,
    /// Bytes of payload in them.
    bytes_sent,
    /// Messages not delivered to a subscriber: a full outbox or queue, an expired message, a packet
    /// larger than the client takes.
    messages_dropped,
    /// QoS 1 and 2 publishes refused because a subscriber's queue was full.
    messages_refused,
    /// Of these, and of sessions and subscriptions, those refused because they could not be stored.
    store_refused,
    /// Commits to the store.
    store_commits,
    /// Changes in them.
    store_records,
    /// Commits that failed and were tried again.
    store_failures,
    /// Messages that clients brought and that had left by a bridge before: they went round.
    bridge_loops,
    /// QoS 1 and 2 publishes refused because a hook that was to keep them did not.
    messages_not_kept,
    /// Publishes and subscriptions that were not authorized.
    unauthorized,
    /// Connections accepted by CONNACK.
    connects,
    /// Connections refused by CONNACK.
    connects_refused,
    /// Connections closed because of a protocol error.
    protocol_errors,
    /// Sessions that ended because their time was over.
    sessions_expired,
    /// Connections refused because the password or the certificate was wrong, or nobody vouched.
    auth_failures,
    /// Connections refused because the session belongs to another user.
    takeovers_refused,
    /// Connections closed during the TLS handshake.
    tls_failures,
    /// Connections closed because no CONNECT came in time.
    limit_connect_timeout,
    /// CONNECTs refused because they were too large.
    limit_max_connect_size,
    /// CONNECTs refused because too many clients were connected, in all or by one listener.
    limit_max_clients,
    /// CONNECTs refused because too many clients were connected from their address.
    limit_max_clients_per_address,
    /// CONNECTs refused because too many clients were connected with their user name.
    limit_max_clients_per_user,
    /// CONNECTs refused because too many came in a second.
    limit_connect_rate,
    /// Connections closed at once because too many had not sent CONNECT.
    limit_max_half_open,
    /// Connections to the HTTP port closed at once because there were too many.
    limit_max_http_connections,
    /// CONNECTs refused because their Client Identifier came back too often.
    limit_max_reconnects,
    /// CONNECTs refused because there were too many sessions.
    limit_max_sessions,
    /// Sessions that were granted less than they asked for.
    limit_max_session_expiry,
    /// Clients that were given a shorter Keep Alive than they asked for.
    limit_max_keep_alive,
    /// Pauses of clients that sent too many messages in a second.
    limit_message_rate,
    /// Pauses of clients that sent too many bytes in a second.
    limit_byte_rate,
    /// Packets that were too large to be taken.
    limit_max_packet_size,
    /// Packets with too many bytes of User Properties.
    limit_max_user_property_bytes,
    /// Topics and filters with too many levels.
    limit_max_topic_levels,
    /// Subscriptions refused because a session had too many.
    limit_max_subscriptions,
    /// Messages that waited because their receiver had not acknowledged enough, QoS 0 behind them included.
    limit_max_inflight,
    /// Messages that waited because their receiver's socket had not taken what was encoded for it.
    limit_max_outbox_bytes,
    /// Connections closed because of more QoS 2 messages than announced.
    limit_receive_maximum,
    /// Connections closed because of a Topic Alias above the maximum.
    limit_topic_alias_maximum,
    /// QoS 1 and 2 publishes refused because a queue was full.
    limit_max_queued,
    /// Publishes that waited for room in a queue.
    limit_hold,
    /// QoS 0 messages that were dropped to make room in a queue.
    limit_qos0_dropped,
    /// Retained messages refused because there was no room.
    limit_max_retained,
}
