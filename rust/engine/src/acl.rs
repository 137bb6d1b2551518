//! Access rules: who may do what with which topics.
//!
//! The first rule that matches decides; what no rule matches is denied. A subscription is allowed if a rule
//! covers its whole filter; each message is decided again when it is delivered, so a narrower rule that
//! denies takes its topics out of a wider subscription.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::client::Client;
use crate::network::Network;

/// What a client does with a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Publish to a topic name, or leave a Will for it.
    Publish,
    /// Subscribe to a topic filter.
    Subscribe,
    /// Get a message with a topic name.
    Receive,
}

/// Who a rule is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    /// The user name that somebody vouched for. One that a client only claims counts for nothing.
    pub user: Option<&'a str>,
    /// The Client Identifier.
    pub client: &'a str,
    /// Where it connects from; none for a Unix socket.
    pub address: Option<IpAddr>,
}

impl<'a> From<&'a Client> for Who<'a> {
    fn from(client: &'a Client) -> Self {
        Self {
            user: client.principal.as_deref(),
            client: &client.id,
            address: client.address.map(|address| address.ip()),
        }
    }
}

/// One level of a rule's filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Level {
    /// `+`
    Any,
    /// `#`
    Rest,
    /// Text as it stands.
    Text(Box<str>),
    /// Text with `%c` or `%u` in it.
    Template(Vec<Part>),
}

/// A part of a level that is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Box<str>),
    Client,
    User,
}

/// Something that must hold for a rule to be about a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    User(Box<str>),
    AnyUser,
    Anonymous,
    Client(Box<str>),
    Address(Network),
}

impl Condition {
    fn holds(&self, who: &Who<'_>) -> bool {
        match self {
            Self::User(name) => who.user == Some(name),
            Self::AnyUser => who.user.is_some(),
            Self::Anonymous => who.user.is_none(),
            Self::Client(id) => who.client == &**id,
            Self::Address(network) => who.address.is_some_and(|address| network.contains(address)),
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) line: usize,
    pub(crate) allow: bool,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) rights: Vec<Right>,
    pub(crate) filter: Vec<Level>,
}

impl Rule {
    fn is_about(&self, who: &Who<'_>, right: Right) -> bool {
        self.rights.contains(&right) && self.conditions.iter().all(|condition| condition.holds(who))
    }

    /// Whether the rule's filter takes in a topic name, or the whole of a topic filter.
    fn covers(&self, who: &Who<'_>, topic: &str) -> bool {
        let mut levels = topic.split('/');
        for (index, wanted) in self.filter.iter().enumerate() {
            // As in MQTT, a leading wildcard does not reach topics that begin with `$`: allowing `#` does not
            // open them. Denying `#` closes them all the same. [MQTT-4.7.2-1]
            let reaches = index > 0 || !self.allow || !topic.starts_with('$');
            let matches = match (wanted, levels.next()) {
                (Level::Rest, _) => return reaches,
                (_, None) => false,
                (Level::Any, Some(level)) => level != "#" && reaches,
                (Level::Text(text), Some(level)) => level == &**text,
                (Level::Template(parts), Some(level)) => match substitute(parts, who) {
                    // A name does not reach what a wildcard would not reach in its place.
                    Some(text) => level == text && reaches,
                    // A name that would be more than one level, or a wildcard, opens nothing and closes all.
                    None => return !self.allow,
                },
            };
            if !matches {
                return false;
            }
        }
        levels.next().is_none()
    }
}

/// The text of a level; `None` if a name in it is missing or is not plain text of one level.
fn substitute<'a>(parts: &'a [Part], who: &Who<'a>) -> Option<Cow<'a, str>> {
    let mut texts = parts.iter().map(|part| {
        let name = match part {
            Part::Text(text) => return Some(&**text),
            Part::Client => who.client,
            Part::User => who.user?,
        };
        (!name.is_empty() && !name.contains(['+', '#', '/'])).then_some(name)
    });
    match parts {
        [_] => texts.next()?.map(Cow::Borrowed),
        _ => texts.collect::<Option<String>>().map(Cow::Owned),
    }
}

/// What was decided, and by which line of the file; none if no rule matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub allowed: bool,
    /// The line of the rule that decided, from 1 on.
    pub line: Option<usize>,
}

/// A list of rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Acl {
    pub(crate) rules: Vec<Rule>,
}

impl Acl {
    /// A list that allows nothing: what is in force while a file cannot be read.
    pub const fn deny_all() -> Self {
        Self { rules: Vec::new() }
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none, so that nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Decides about a topic name, or about a topic filter for [`Right::Subscribe`].
    ///
    /// ```
    /// # use hookmq_engine::acl::{Acl, Right, Who};
    /// let acl = Acl::parse("allow user tank publish tank/%c/level").unwrap();
    /// let who = Who { user: Some("tank"), client: "t7", address: None };
    /// assert!(acl.allows(&who, Right::Publish, "tank/t7/level"));
    /// assert!(!acl.allows(&who, Right::Publish, "tank/t8/level"));
    /// ```
    pub fn allows(&self, who: &Who<'_>, right: Right, topic: &str) -> bool {
        self.decide(who, right, topic).allowed
    }

    /// The same, with the rule that decided.
    pub fn decide(&self, who: &Who<'_>, right: Right, topic: &str) -> Decision {
        let rule = self.rules.iter().find(|rule| rule.is_about(who, right) && rule.covers(who, topic));
        Decision { allowed: rule.is_some_and(|rule| rule.allow), line: rule.map(|rule| rule.line) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TANK: Who<'_> = Who { user: Some("tank"), client: "t7", address: None };

    fn allows(rules: &str, who: Who<'_>, right: Right, topic: &str) -> bool {
        Acl::parse(rules).unwrap().allows(&who, right, topic)
    }

    fn client(id: &str) -> Who<'_> {
        Who { user: None, client: id, address: None }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = "deny subscribe a/secret/#\nallow subscribe a/#";
        assert!(allows(rules, TANK, Right::Subscribe, "a/b"));
        assert!(!allows(rules, TANK, Right::Subscribe, "a/secret/x"));
        assert!(!allows(rules, TANK, Right::Subscribe, "a/secret"));
        // The subscription reaches further than the rule that denies; its messages are decided one by one.
        assert!(allows(rules, TANK, Right::Subscribe, "a/#"));
        assert!(!allows(rules, TANK, Right::Receive, "a/secret/x"));
        assert!(allows(rules, TANK, Right::Receive, "a/public"));
        assert!(!allows(rules, TANK, Right::Publish, "a/b"));
        assert!(!allows("", TANK, Right::Publish, "a"));
    }

    #[test]
    fn a_filter_must_be_covered_as_a_whole() {
        let table = [
            ("a/+", "a/b", true),
            ("a/+", "a/+", true),
            ("a/+", "a/#", false),
            ("a/+", "#", false),
            ("a/#", "a", true),
            ("a/#", "a/#", true),
            ("a/#", "a/+/c", true),
            ("a/#", "+/b", false),
            ("+/b", "+/b", true),
            ("+/b", "#", false),
            ("#", "#", true),
            ("#", "$SYS/#", false),
            ("+/x", "$SYS/x", false),
            ("$SYS/#", "$SYS/#", true),
            ("a", "a/", false),
            ("a/", "a/", true),
        ];
        for (rule, filter, expected) in table {
            let rules = format!("allow subscribe {rule}");
            assert_eq!(allows(&rules, TANK, Right::Subscribe, filter), expected, "{rule} covers {filter}");
        }
    }

    #[test]
    fn denying_everything_includes_what_begins_with_a_dollar_sign() {
        let rules = "deny all #\nallow all $SYS/#";
        assert!(!allows(rules, TANK, Right::Receive, "$SYS/broker/uptime"));
    }

    #[test]
    fn names_are_put_in_as_text() {
        let rules = "allow publish tank/%c/level";
        assert!(allows(rules, client("t7"), Right::Publish, "tank/t7/level"));
        for id in ["+", "#", "a/b", "", "t7/level"] {
            for topic in ["tank/+/level", "tank/#/level", "tank/a/b/level", "tank//level", "tank/x/level"] {
                assert!(!allows(rules, client(id), Right::Publish, topic), "{id} {topic}");
                assert!(!allows(rules, client(id), Right::Subscribe, topic), "{id} {topic}");
            }
        }
        assert!(allows("allow all dev-%c-%u/#", TANK, Right::Publish, "dev-t7-tank/x"));
        assert!(!allows("allow all dev-%u/#", client("x"), Right::Publish, "dev-/x"));
        assert!(allows("allow all a/%c", client("%u"), Right::Publish, "a/%u"));
    }

    #[test]
    fn a_name_opens_nothing_of_the_brokers_own() {
        assert!(!allows("allow all %c/#", client("$SYS"), Right::Subscribe, "$SYS/#"));
        assert!(!allows("allow all %c/#", client("$SYS"), Right::Receive, "$SYS/broker/uptime"));
        assert!(!allows("deny all %c/#\nallow all $SYS/#", client("$SYS"), Right::Receive, "$SYS/x"));
    }

    #[test]
    fn a_name_that_is_no_level_denies_more() {
        let rules = "deny all private/%u/#\nallow all #";
        let sly = Who { user: Some("a/b"), client: "x", address: None };
        assert!(!allows(rules, sly, Right::Publish, "private/a/b"));
        assert!(!allows(rules, sly, Right::Publish, "private/tank/x"));
        assert!(allows(rules, sly, Right::Publish, "public"));
        assert!(allows(rules, TANK, Right::Publish, "private/other/x"));
    }

    #[test]
    fn conditions_must_all_hold() {
        let rules = "allow user tank client t7 address 10.0.0.0/8 all #";
        let from = |user, client, address: &str| Who { user, client, address: address.parse().ok() };
        assert!(allows(rules, from(Some("tank"), "t7", "10.1.1.1"), Right::Publish, "a"));
        assert!(!allows(rules, from(Some("tank"), "t7", "11.1.1.1"), Right::Publish, "a"));
        assert!(!allows(rules, from(Some("tank"), "t8", "10.1.1.1"), Right::Publish, "a"));
        assert!(!allows(rules, from(None, "t7", "10.1.1.1"), Right::Publish, "a"));
        assert!(!allows(rules, from(Some("tank"), "t7", ""), Right::Publish, "a"));
        assert!(allows("allow anonymous all #", client("x"), Right::Publish, "a"));
        assert!(!allows("allow anonymous all #", TANK, Right::Publish, "a"));
        assert!(allows("allow user * all #", TANK, Right::Publish, "a"));
        assert!(!allows("allow user * all #", client("x"), Right::Publish, "a"));
    }
}
