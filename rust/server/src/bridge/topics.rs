//! Which topics a bridge carries, and what they are called at either side.

use bytestring::ByteString;
use hookmq_codec::topic::{self, TopicError};
use hookmq_codec::{QoS, TopicFilter};

use crate::bridge::settings::{Direction, TopicSettings};

/// The topics of a bridge.
#[derive(Debug, Clone, Default)]
pub struct Topics(Vec<Entry>);

#[derive(Debug, Clone)]
struct Entry {
    direction: Direction,
    qos: QoS,
    here: Side,
    there: Side,
}

/// What an entry is called at one side.
#[derive(Debug, Clone)]
struct Side {
    filter: TopicFilter,
    prefix: ByteString,
}

impl Side {
    /// What a topic of this side that matches is called at another: none of the names that belong to a broker itself
    /// (`$…`), unless the filter there begins with it as well.
    fn rename(&self, topic: &str, to: &Self) -> Option<ByteString> {
        let name = format!("{}{}", to.prefix, self.strip(topic)?);
        (topic::check_name(&name).is_ok() && to.filter.matches(&name)).then(|| name.into())
    }

    /// What is behind the prefix of a topic that matches.
    fn strip<'a>(&self, topic: &'a str) -> Option<&'a str> {
        // `a/#` also matches `a`, which the prefix `a/` is no part of.
        topic.strip_prefix(&*self.prefix).filter(|_| self.filter.matches(topic))
    }
}

/// Why an entry is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongTopic {
    /// It is no topic filter.
    #[error("{side} topic filter {filter:?} {error}")]
    Filter {
        /// `local` or `remote`.
        side: &'static str,
        /// What came of the prefix and the filter.
        filter: String,
        /// What is wrong with it.
        error: TopicError,
    },
    /// A prefix has a wildcard.
    #[error("{side} prefix {prefix:?} has a wildcard; only the filter may have some")]
    Prefix {
        /// `local` or `remote`.
        side: &'static str,
        /// The prefix.
        prefix: String,
    },
    /// It is a shared subscription.
    #[error("{filter:?} is a shared subscription, which a bridge cannot carry")]
    Shared {
        /// What came of the prefix and the filter.
        filter: String,
    },
    /// It belongs to one broker alone.
    #[error("{filter:?} belongs to this broker alone; a bridge cannot carry it")]
    Own {
        /// What came of the prefix and the filter.
        filter: String,
    },
}

impl Topics {
    /// Checks entries.
    pub fn new(entries: &[TopicSettings]) -> Result<Self, WrongTopic> {
        entries.iter().map(Entry::new).collect::<Result<_, _>>().map(Self)
    }

    /// What a topic of this broker is called at the other; `None` if it does not go there.
    pub fn outgoing(&self, topic: &str) -> Option<ByteString> {
        self.renamed(Direction::is_out, |entry| entry.here.rename(topic, &entry.there))
    }

    /// What a topic of the other broker is called here; `None` if it does not come here.
    pub fn incoming(&self, topic: &str) -> Option<ByteString> {
        self.renamed(Direction::is_in, |entry| entry.there.rename(topic, &entry.here))
    }

    /// Where somebody at the other broker has to publish so that it comes here as `topic`: for a Response Topic that
    /// goes out.
    pub fn answered_there(&self, topic: &str) -> Option<ByteString> {
        self.renamed(Direction::is_in, |entry| entry.here.rename(topic, &entry.there))
    }

    /// Where somebody has to publish here so that it gets to the other broker as `topic`.
    pub fn answered_here(&self, topic: &str) -> Option<ByteString> {
        self.renamed(Direction::is_out, |entry| entry.there.rename(topic, &entry.here))
    }

    fn renamed(
        &self,
        goes: impl Fn(Direction) -> bool,
        rename: impl Fn(&Entry) -> Option<ByteString>,
    ) -> Option<ByteString> {
        self.0.iter().filter(|entry| goes(entry.direction)).find_map(rename)
    }

    /// What is subscribed to here, each filter once, with the highest QoS that is asked for.
    pub(crate) fn subscribed_here(&self) -> Vec<(ByteString, QoS)> {
        let out = self.0.iter().filter(|entry| entry.direction.is_out());
        once(out.map(|entry| (entry.here.filter.as_str().into(), entry.qos)))
    }

    /// What is subscribed to at the other broker.
    pub(crate) fn subscribed_there(&self) -> Vec<(ByteString, QoS)> {
        let incoming = self.0.iter().filter(|entry| entry.direction.is_in());
        once(incoming.map(|entry| (entry.there.filter.as_str().into(), entry.qos)))
    }

    /// By how many bytes a name may get longer on its way: out, and in.
    pub(crate) fn growth(&self) -> (usize, usize) {
        let lengths = |entry: &Entry| (entry.here.prefix.len(), entry.there.prefix.len());
        let grow = |(here, there): (usize, usize)| (there.saturating_sub(here), here.saturating_sub(there));
        let longest = |one: (usize, usize), other: (usize, usize)| (one.0.max(other.0), one.1.max(other.1));
        self.0.iter().map(lengths).map(grow).fold((0, 0), longest)
    }
}

fn once(filters: impl Iterator<Item = (ByteString, QoS)>) -> Vec<(ByteString, QoS)> {
    let mut all: Vec<(ByteString, QoS)> = Vec::new();
    for (filter, qos) in filters {
        match all.iter_mut().find(|(other, _)| *other == filter) {
            Some((_, most)) => *most = qos.max(*most),
            None => all.push((filter, qos)),
        }
    }
    all
}

impl Entry {
    fn new(settings: &TopicSettings) -> Result<Self, WrongTopic> {
        let TopicSettings { filter, direction, qos, local_prefix, remote_prefix } = settings;
        let here = side("local", local_prefix, filter)?;
        let there = side("remote", remote_prefix, filter)?;
        // Nobody but the broker may publish to `$SYS`, and what it says there is of no use elsewhere.
        if ["$SYS", "$bridge"].iter().any(|own| here.filter.as_str().split('/').next() == Some(own)) {
            return Err(WrongTopic::Own { filter: here.filter.as_str().to_owned() });
        }
        Ok(Self { direction: *direction, qos: *qos, here, there })
    }
}

fn side(side: &'static str, prefix: &str, filter: &str) -> Result<Side, WrongTopic> {
    if prefix.contains(['+', '#']) {
        return Err(WrongTopic::Prefix { side, prefix: prefix.to_owned() });
    }
    let full = format!("{prefix}{filter}");
    if full == "$share" || full.starts_with("$share/") {
        return Err(WrongTopic::Shared { filter: full });
    }
    match TopicFilter::parse(full.clone().into()) {
        Ok(filter) => Ok(Side { filter, prefix: prefix.into() }),
        Err(error) => Err(WrongTopic::Filter { side, filter: full, error }),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(filter: &str, direction: Direction, local: &str, remote: &str) -> TopicSettings {
        TopicSettings {
            filter: filter.to_owned(),
            direction,
            qos: QoS::AtLeastOnce,
            local_prefix: local.to_owned(),
            remote_prefix: remote.to_owned(),
        }
    }

    fn topics(entries: &[TopicSettings]) -> Topics {
        Topics::new(entries).unwrap()
    }

    #[test]
    fn names_are_mapped_as_mosquitto_does() {
        use Direction::*;
        // filter, local prefix, remote prefix, a name here and there
        let rows = [
            ("#", "", "", "a/b", Some("a/b")),
            ("#", "", "plant/", "a/b", Some("plant/a/b")),
            ("#", "tank/", "", "tank/1", Some("1")),
            ("+/level", "tank/", "plant/7/", "tank/1/level", Some("plant/7/1/level")),
            ("+/level", "tank/", "plant/7/", "tank/1/name", None),
            ("", "here", "there/it/is", "here", Some("there/it/is")),
            ("", "here", "there", "here/1", None),
            // `tank/#` matches it, but there is nothing that could be put behind the other prefix
            ("#", "tank/", "plant/", "tank", None),
            ("#", "", "", "$SYS/broker/uptime", None),
            // what is behind a prefix must not become a name of the other broker's own
            ("#", "tank/", "", "tank/$CONTROL/dynamic-security/v1", None),
            ("+/x", "tank/", "", "tank/$SYS/x", None),
            ("#", "tank/", "plant/", "tank/$SYS/x", Some("plant/$SYS/x")),
            ("$SYS/#", "tank/", "", "tank/$SYS/x", Some("$SYS/x")),
        ];
        for (filter, local, remote, here, there) in rows {
            let out = topics(&[entry(filter, Out, local, remote)]);
            assert_eq!(out.outgoing(here).as_deref(), there, "{filter} {local} {remote} {here}");
            assert_eq!(out.incoming(here), None);
            if let Some(there) = there {
                let back = topics(&[entry(filter, In, local, remote)]);
                assert_eq!(back.incoming(there).as_deref(), Some(here));
                assert_eq!(back.outgoing(here), None);
            }
        }
    }

    #[test]
    fn the_first_entry_that_matches_decides() {
        use Direction::*;
        let topics = topics(&[
            entry("a/#", Out, "", "first/"),
            entry("#", Out, "", "second/"),
            entry("#", In, "other/", ""),
        ]);
        assert_eq!(topics.outgoing("a/b").as_deref(), Some("first/a/b"));
        assert_eq!(topics.outgoing("b").as_deref(), Some("second/b"));
        assert_eq!(topics.incoming("a/b").as_deref(), Some("other/a/b"));
        assert_eq!(topics.growth(), (7, 6));
    }

    #[test]
    fn a_filter_is_subscribed_to_once_with_the_highest_qos() {
        let low = TopicSettings { qos: QoS::AtMostOnce, ..entry("#", Direction::Out, "a/", "x/") };
        let high = TopicSettings { qos: QoS::ExactlyOnce, ..entry("#", Direction::Both, "a/", "y/") };
        let topics = topics(&[low, high]);
        assert_eq!(topics.subscribed_here(), [("a/#".into(), QoS::ExactlyOnce)]);
        assert_eq!(topics.subscribed_there(), [("y/#".into(), QoS::ExactlyOnce)]);
    }

    #[test]
    fn a_response_topic_gets_the_name_by_which_the_answer_finds_its_way() {
        let topics = topics(&[
            entry("request/#", Direction::Out, "", "plant/"),
            entry("answer/#", Direction::In, "", "plant/"),
        ]);
        assert_eq!(topics.answered_there("answer/1").as_deref(), Some("plant/answer/1"));
        assert_eq!(topics.answered_there("request/1"), None);
        assert_eq!(topics.answered_here("plant/request/1").as_deref(), Some("request/1"));
    }

    #[test]
    fn wrong_entries_are_refused() {
        use Direction::*;
        let rows = [
            (entry("a#", Out, "", ""), "topic filter \"a#\" has '#'"),
            (entry("", Out, "a", ""), "remote topic filter \"\" is empty"),
            (entry("#", Out, "a/+/", ""), "prefix \"a/+/\" has a wildcard"),
            (entry("x/#", Out, "$share/g/", ""), "is a shared subscription"),
            (entry("$share/g/x", In, "", ""), "is a shared subscription"),
            (entry("$SYS/#", Out, "", ""), "belongs to this broker alone"),
            (entry("#", In, "$SYS/", ""), "belongs to this broker alone"),
            (entry("a/+b", Both, "", ""), "has '+' beside other characters"),
        ];
        for (wrong, text) in rows {
            let error = Topics::new(std::slice::from_ref(&wrong)).unwrap_err().to_string();
            assert!(error.contains(text), "{wrong:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_goes_out_and_comes_back_has_its_name_again(
            local in "([a-c]{0,2}/){0,2}",
            remote in "([a-c]{0,2}/){0,2}",
            rest in "[a-c]{1,2}(/[a-c]{0,2}){0,3}",
        ) {
            let topics = topics(&[entry("#", Direction::Both, &local, &remote)]);
            let here = format!("{local}{rest}");
            let there = topics.outgoing(&here).unwrap();
            prop_assert_eq!(&*there, format!("{remote}{rest}"));
            let back = topics.incoming(&there).unwrap();
            prop_assert_eq!(&*back, &here);
        }
    }
}
