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
                all
            }
        }
    };
}

counters! {
    /// PUBLISH packets received.
    messages_received,
    /// Bytes of payload in them.
    bytes_received,
    /// PUBLISH packets handed to connections.
    messages_sent,
    /// Messages not delivered to a subscriber: a full outbox or queue, an expired message, a packet
    /// larger than the client takes.
    messages_dropped,
    /// QoS 1 and 2 publishes refused because a subscriber's queue was full.
    messages_refused,
    /// Publishes and subscriptions that were not authorized.
    unauthorized,
    /// Connections accepted by CONNACK.
    connects,
    /// Connections refused by CONNACK.
    connects_refused,
    /// Connections closed because of a protocol error.
    protocol_errors,
}
