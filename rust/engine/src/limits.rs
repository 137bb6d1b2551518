//! Bounds on what clients may make the broker hold.

use crate::message::Millis;

/// What becomes of a QoS 1 or 2 publish when a subscriber's queue is full. It is never acknowledged and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueuePolicy {
    /// It is refused, before anybody gets it.
    #[default]
    Refuse,
    /// Its publisher waits for room: nothing more is read from it.
    Hold,
}

/// Every bound the engine keeps. The configuration's `limits` section sets them; the values here are its
/// defaults.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Clients connected at one time; further ones get Server busy.
    pub max_clients: usize,
    /// QoS 1 and 2 messages under way to one client, if it does not ask for fewer.
    pub max_inflight: u16,
    /// QoS 1 and 2 messages under way from one client: the Receive Maximum the broker announces.
    pub receive_maximum: u16,
    /// Messages waiting for one session. Beyond it the oldest of QoS 0 go; when there are none, a QoS 1 or 2
    /// publish is refused, never acknowledged and dropped.
    pub max_queued_messages: usize,
    /// Bytes waiting for one session.
    pub max_queued_bytes: usize,
    /// What becomes of a QoS 1 or 2 publish that a full queue cannot take.
    pub queue_policy: QueuePolicy,
    /// Bytes encoded for one connection that its socket has not taken; what comes then waits in the queue.
    pub max_outbox_bytes: usize,
    /// The largest packet taken, in bytes.
    pub max_packet_size: usize,
    /// Topic Aliases per connection, each way.
    pub topic_alias_maximum: u16,
    /// Levels of a topic name or filter.
    pub max_topic_levels: usize,
    /// Subscriptions of one session.
    pub max_subscriptions: usize,
    /// The longest Session Expiry Interval granted, in seconds; `u32::MAX` is for ever.
    pub max_session_expiry: u32,
    /// Keep Alive in seconds for clients that ask for none; 0 leaves them without.
    pub default_keep_alive: u16,
    /// The longest Keep Alive in seconds; `u16::MAX` is no bound. Only 5.0 clients can be told of it.
    pub max_keep_alive: u16,
    /// Retained messages.
    pub max_retained_messages: usize,
    /// Bytes of retained messages.
    pub max_retained_bytes: usize,
    /// Bytes of what is counted of topics and kept of their last messages; the longest silent make room.
    pub max_topic_statistics_bytes: usize,
    /// Clients connected at one time from one IP address.
    pub max_clients_per_address: usize,
    /// Clients connected at one time with one user name.
    pub max_clients_per_user: usize,
    /// Sessions, connected or not.
    pub max_sessions: usize,
    /// Bytes of User Properties in one packet.
    pub max_user_property_bytes: usize,
    /// Ends without DISCONNECT of one Client Identifier within ten seconds before it is refused for
    /// [`Self::jail_time`]; 0 for no bound.
    pub max_reconnects: u32,
    /// How long it is refused, in milliseconds.
    pub jail_time: Millis,
}

impl Limits {
    /// Whether clients are counted by address or by user name.
    pub(crate) fn counts_clients(&self) -> bool {
        self.max_clients_per_address != usize::MAX || self.max_clients_per_user != usize::MAX
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_clients: 100_000,
            max_inflight: 1000,
            receive_maximum: 1000,
            max_queued_messages: 100_000,
            max_queued_bytes: 64 << 20,
            queue_policy: QueuePolicy::Refuse,
            max_outbox_bytes: 1 << 20,
            max_packet_size: 16 << 20,
            topic_alias_maximum: 64,
            max_topic_levels: 201,
            max_subscriptions: 100_000,
            max_session_expiry: u32::MAX,
            default_keep_alive: 0,
            max_keep_alive: u16::MAX,
            max_retained_messages: 1_000_000,
            max_retained_bytes: 1 << 30,
            max_topic_statistics_bytes: 1 << 30,
            max_clients_per_address: usize::MAX,
            max_clients_per_user: usize::MAX,
            max_sessions: 1_000_000,
            max_user_property_bytes: 256 << 10,
            max_reconnects: 100,
            jail_time: 30_000,
        }
    }
}
