//! What is asked for on the command line.

use std::path::Path;

use lexopt::prelude::*;

use crate::Failure;
use crate::carrier::Carrier;
use crate::frame::{Login, Version};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Messages from publishers to subscribers.
    Flow,
    /// Connections that come and go.
    Connects,
    /// Connections that stay.
    Idle,
}

/// Which topics there are, and who gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topics {
    /// One, which everybody subscribes to.
    One,
    /// One for each publisher; every subscriber subscribes to all of them with a wildcard.
    Gathered,
    /// One for each publisher, with a subscriber of its own.
    Each,
    /// One for each publisher; the subscribers share them.
    Shared,
    /// So many for each subscriber; publishers publish to all of them in turn.
    Many,
}

/// The whole of it.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is done.
    pub kind: Kind,
    /// The broker's port on this machine.
    pub port: u16,
    /// What carries the bytes.
    pub carrier: Carrier,
    /// The protocol.
    pub version: Version,
    /// Publishers, and for other kinds connections.
    pub publishers: usize,
    /// Subscribers.
    pub subscribers: usize,
    /// Which topics there are.
    pub topics: Topics,
    /// Topics of each subscriber, for [`Topics::Many`].
    pub filters: usize,
    /// Bytes of a payload.
    pub size: usize,
    /// Quality of service of publishes and subscriptions.
    pub qos: u8,
    /// Messages that are published.
    pub count: u64,
    /// Messages published before, which are not measured.
    pub warm_up: u64,
    /// Messages under way at a time, as the subscribers see it.
    pub window: u64,
    /// Connections beside, which do nothing.
    pub idle: usize,
    /// Subscriptions beside, of a hundred clients, that match nothing.
    pub others: usize,
    /// Retained messages beside, each with a topic of its own.
    pub retained: usize,
    /// As whom clients connect that come and go.
    pub login: Option<Login>,
    /// Messages a second, from the time at which each should be sent; 0 for as many as the window lets.
    pub rate: u64,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kind: Kind::Flow,
            port: 1883,
            carrier: Carrier::Tcp,
            version: Version::V311,
            publishers: 1,
            subscribers: 1,
            topics: Topics::One,
            filters: 1,
            size: 256,
            qos: 0,
            count: 100_000,
            warm_up: 10_000,
            window: 500,
            idle: 0,
            others: 0,
            retained: 0,
            login: None,
            rate: 0,
        }
    }
}

impl Plan {
    /// Reads `--port 1883 --publishers 100 …`.
    pub fn from_arguments() -> Result<Self, Failure> {
        let mut plan = Self::default();
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("kind") => {
                    plan.kind = match parser.value()?.string()?.as_str() {
                        "flow" => Kind::Flow,
                        "connects" => Kind::Connects,
                        "idle" => Kind::Idle,
                        other => return Err(format!("there is no kind {other}").into()),
                    }
                }
                Long("topics") => {
                    plan.topics = match parser.value()?.string()?.as_str() {
                        "one" => Topics::One,
                        "gathered" => Topics::Gathered,
                        "each" => Topics::Each,
                        "shared" => Topics::Shared,
                        "many" => Topics::Many,
                        other => return Err(format!("there are no topics {other}").into()),
                    }
                }
                Long("version") => {
                    plan.version = match parser.value()?.string()?.as_str() {
                        "5" => Version::V5,
                        _ => Version::V311,
                    }
                }
                Long("tls") => plan.carrier = Carrier::tls(Path::new(&parser.value()?))?,
                Long("websocket") => plan.carrier = Carrier::WebSocket(parser.value()?.string()?),
                Long("port") => plan.port = parser.value()?.parse()?,
                Long("publishers") => plan.publishers = parser.value()?.parse()?,
                Long("subscribers") => plan.subscribers = parser.value()?.parse()?,
                Long("filters") => plan.filters = parser.value()?.parse()?,
                Long("size") => plan.size = parser.value()?.parse()?,
                Long("qos") => plan.qos = parser.value()?.parse()?,
                Long("count") => plan.count = parser.value()?.parse()?,
                Long("warm-up") => plan.warm_up = parser.value()?.parse()?,
                Long("window") => plan.window = parser.value()?.parse()?,
                Long("idle") => plan.idle = parser.value()?.parse()?,
                Long("others") => plan.others = parser.value()?.parse()?,
                Long("retained") => plan.retained = parser.value()?.parse()?,
                Long("login") => {
                    let login = parser.value()?.string()?;
                    let (name, password) = login.split_once(':').ok_or("a login is NAME:PASSWORD")?;
                    plan.login = Some((name.to_owned(), password.to_owned()));
                }
                Long("rate") => plan.rate = parser.value()?.parse()?,
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(plan)
    }

    /// Deliveries that one publish makes.
    pub fn fan_out(&self) -> u64 {
        match self.topics {
            Topics::One | Topics::Gathered => self.subscribers as u64,
            Topics::Each | Topics::Shared | Topics::Many => 1,
        }
    }

    /// What a subscriber subscribes to.
    pub fn filters_of(&self, subscriber: usize) -> Vec<String> {
        match self.topics {
            Topics::One => vec!["bench/0".into()],
            Topics::Gathered => vec!["bench/+".into()],
            Topics::Each => vec![format!("bench/{subscriber}")],
            Topics::Shared => vec!["$share/group/bench/+".into()],
            Topics::Many => (0..self.filters).map(|filter| format!("bench/{subscriber}/{filter}")).collect(),
        }
    }

    /// What a publisher publishes to, in turn.
    pub fn topics_of(&self, publisher: usize) -> Vec<String> {
        match self.topics {
            Topics::One => vec!["bench/0".into()],
            Topics::Gathered | Topics::Each | Topics::Shared => vec![format!("bench/{publisher}")],
            Topics::Many => {
                // Neighbours in time are no neighbours in the broker's memory.
                let all = self.subscribers * self.filters;
                const STEP: usize = 7919;
                let nth = |index: usize| index * STEP % all;
                let topic = |at: usize| format!("bench/{}/{}", at % self.subscribers, at / self.subscribers);
                (0..all).map(nth).map(topic).collect()
            }
        }
    }
}
