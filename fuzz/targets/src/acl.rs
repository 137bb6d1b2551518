//! Access rules: reading them, and what they decide.

use std::borrow::Cow;

use hookmq_engine::acl::{Acl, Right, Who};

use crate::plain;

/// Five lines say who asks for what: right, user name (none if empty), client identifier, address, topic. The
/// rest are rules.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.splitn(6, '\n');
    let mut next = || parts.next().unwrap_or_default();
    let (right, user, client, address, topic, rules) = (next(), next(), next(), next(), next(), next());
    let right = match right {
        "publish" => Right::Publish,
        "receive" => Right::Receive,
        _ => Right::Subscribe,
    };
    let who = Who { user: (!user.is_empty()).then_some(user), client, address: address.parse().ok() };
    let acl = match Acl::parse(rules) {
        Ok(acl) => acl,
        Err(error) => {
            let lines = rules.lines().count();
            assert!((1..=lines).contains(&error.line), "line {} of {lines}", error.line);
            return;
        }
    };
    let is_topic = match right {
        Right::Subscribe => plain::is_filter(topic),
        _ => plain::is_name(topic),
    };
    if is_topic {
        decide(&acl, rules, &who, right, topic);
    }
}

fn decide(acl: &Acl, rules: &str, who: &Who<'_>, right: Right, topic: &str) {
    let decision = acl.decide(who, right, topic);
    assert_eq!(acl.allows(who, right, topic), decision.allowed);
    assert!(!Acl::deny_all().allows(who, right, topic));

    // The first line that decides by itself decides.
    let mut first = None;
    let mut simple = true;
    for (index, line) in rules.lines().enumerate() {
        let alone = Acl::parse(line).map(|one| one.decide(who, right, topic));
        let Ok(alone) = alone else { unreachable!("a line of a list that is read is read alone") };
        if first.is_none() && alone.line.is_some() {
            first = Some((index + 1, alone.allowed));
        }
        match Simple::read(line.trim()) {
            Some(rule) => assert_eq!(alone.line.is_some(), rule.decides(who, right, topic), "{line:?}"),
            None => simple &= line.trim().is_empty() || line.trim().starts_with('#'),
        }
    }
    assert_eq!(decision.line, first.map(|(line, _)| line));
    assert_eq!(decision.allowed, first.is_some_and(|(_, allowed)| allowed));

    // A name that is not plain text of one level opens nothing that a plain one does not.
    if simple && decision.allowed {
        const OTHER: &str = "\u{1}no level of any topic\u{1}";
        let user = if is_plain(who.user.unwrap_or_default()) { who.user } else { Some(OTHER) };
        let client = if is_plain(who.client) { who.client } else { OTHER };
        assert!(acl.allows(&Who { user, client, ..*who }, right, topic), "{who:?} may more than {client:?}");
    }
}

/// A rule without conditions.
struct Simple<'a> {
    allow: bool,
    rights: Vec<&'a str>,
    filter: &'a str,
}

impl<'a> Simple<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (verb, rest) = line.split_once(char::is_whitespace)?;
        let (actions, filter) = rest.trim_start().split_once(char::is_whitespace)?;
        let allow = match verb {
            "allow" => true,
            "deny" => false,
            _ => return None,
        };
        let rights: Vec<&str> = actions.split(',').collect();
        let known = ["publish", "subscribe", "subscribe-only", "receive", "all"];
        rights.iter().all(|right| known.contains(right)).then_some(Self {
            allow,
            rights,
            filter: filter.trim(),
        })
    }

    fn decides(&self, who: &Who<'_>, right: Right, topic: &str) -> bool {
        let listed: &[&str] = match right {
            Right::Publish => &["publish", "all"],
            Right::Subscribe => &["subscribe", "subscribe-only", "all"],
            Right::Receive => &["subscribe", "receive", "all"],
        };
        if !self.rights.iter().any(|right| listed.contains(right)) {
            return false;
        }
        let first = self.filter.split('/').next().unwrap_or_default();
        let open = matches!(first, "+" | "#") || first.contains("%c") || first.contains("%u");
        let hidden = self.allow && topic.starts_with('$') && open;
        let wanted: Vec<Option<Cow<'_, str>>> =
            self.filter.split('/').map(|level| substituted(level, who)).collect();
        !hidden && self.covers(&wanted, &plain::levels(topic))
    }

    fn covers(&self, wanted: &[Option<Cow<'_, str>>], topic: &[&str]) -> bool {
        match (wanted, topic) {
            ([], []) => true,
            ([], _) => false,
            ([Some(level)], _) if level == "#" => true,
            (_, []) => false,
            // What cannot be put in opens nothing and closes all.
            ([None, ..], _) => !self.allow,
            ([Some(level), wanted @ ..], [first, topic @ ..]) => {
                let same = level == first || (level == "+" && *first != "#");
                same && self.covers(wanted, topic)
            }
        }
    }
}

/// A level with the names put in; none if one of them is missing or would be more than text of one level.
fn substituted<'a>(level: &'a str, who: &Who<'_>) -> Option<Cow<'a, str>> {
    let mut text = String::new();
    let mut rest = level;
    while let Some(at) = rest.find('%') {
        let name = match rest.as_bytes().get(at + 1) {
            Some(b'c') => who.client,
            Some(b'u') => who.user.unwrap_or_default(),
            _ => {
                text.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            }
        };
        if !is_plain(name) {
            return None;
        }
        text.push_str(&rest[..at]);
        text.push_str(name);
        rest = &rest[at + 2..];
    }
    Some(if rest.len() == level.len() { Cow::Borrowed(level) } else { Cow::Owned(text + rest) })
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.contains(['+', '#', '/'])
}
