//! Reading a list of access rules from its text.

use crate::acl::{Acl, Condition, Level, Part, Right, Rule};

/// A line that is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct AclError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

const ALL: [Right; 3] = [Right::Publish, Right::Subscribe, Right::Receive];

impl Acl {
    /// Reads rules, one a line:
    ///
    /// ```text
    /// # comment
    /// allow user tank address 10.0.0.0/8 publish,subscribe tank/%c/#
    /// ```
    pub fn parse(text: &str) -> Result<Self, AclError> {
        let mut rules = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let line_number = index + 1;
            rules.push(rule(line, line_number).map_err(|what| AclError { line: line_number, what })?);
        }
        Ok(Self { rules })
    }
}

fn rule(line: &str, line_number: usize) -> Result<Rule, String> {
    let mut words = Words(line);
    let allow = match words.next()?.as_str() {
        "allow" => true,
        "deny" => false,
        other => return Err(format!("a rule begins with allow or deny, not {other:?}")),
    };
    let mut conditions = Vec::new();
    let rights = loop {
        match words.next()?.as_str() {
            "any" => {}
            "anonymous" => conditions.push(Condition::Anonymous),
            "user" => conditions.push(match words.next()? {
                name if name == "*" => Condition::AnyUser,
                name => Condition::User(name.into()),
            }),
            "client" => conditions.push(Condition::Client(words.next()?.into())),
            "address" => {
                let text = words.next()?;
                let network = text.parse().map_err(|error| format!("{text:?} {error}"))?;
                conditions.push(Condition::Address(network));
            }
            actions => break rights(actions)?,
        }
    };
    let filter = filter(words.rest()?)?;
    Ok(Rule { line: line_number, allow, conditions, rights, filter })
}

fn rights(actions: &str) -> Result<Vec<Right>, String> {
    let mut rights = Vec::new();
    for action in actions.split(',') {
        rights.extend_from_slice(match action {
            "publish" => &[Right::Publish],
            "subscribe" => &[Right::Subscribe, Right::Receive],
            "subscribe-only" => &[Right::Subscribe],
            "receive" => &[Right::Receive],
            "all" => &ALL,
            other => {
                return Err(format!(
                    "{other:?} is neither a condition (user, anonymous, client, address, any) nor an action \
                     (publish, subscribe, subscribe-only, receive, all)"
                ));
            }
        });
    }
    Ok(rights)
}

fn filter(text: &str) -> Result<Vec<Level>, String> {
    let parsed = hookmq_codec::TopicFilter::parse(text.into());
    let parsed = parsed.map_err(|error| format!("the filter {text:?} {error}"))?;
    if parsed.share_name().is_some() {
        return Err("a rule names the filter itself; it holds for shared subscriptions too".to_owned());
    }
    Ok(text.split('/').map(level).collect())
}

fn level(text: &str) -> Level {
    match text {
        "+" => Level::Any,
        "#" => Level::Rest,
        _ if text.contains("%c") || text.contains("%u") => Level::Template(parts(text)),
        _ => Level::Text(text.into()),
    }
}

fn parts(mut text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    while let Some(at) = [text.find("%c"), text.find("%u")].into_iter().flatten().min() {
        if at > 0 {
            parts.push(Part::Text(text[..at].into()));
        }
        parts.push(if text[at..].starts_with("%c") { Part::Client } else { Part::User });
        text = &text[at + 2..];
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.into()));
    }
    parts
}

/// The words of a line; one in double quotes may hold spaces, `\"` and `\\`.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Result<String, String> {
        let text = self.0.trim_start();
        if let Some(quoted) = text.strip_prefix('"') {
            let (word, rest) = unquote(quoted)?;
            self.0 = rest;
            return Ok(word);
        }
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        self.0 = &text[end..];
        match end {
            0 => Err("the rule ends too early: it reads `allow|deny [who] action filter`".to_owned()),
            _ => Ok(text[..end].to_owned()),
        }
    }

    /// Everything else, which is a topic filter and may hold spaces.
    fn rest(self) -> Result<&'a str, String> {
        match self.0.trim() {
            "" => Err("the topic filter is missing".to_owned()),
            rest => Ok(rest),
        }
    }
}

fn unquote(text: &str) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((word, &text[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => word.push(escaped),
                _ => return Err("after \\ in quotes comes \" or \\".to_owned()),
            },
            other => word.push(other),
        }
    }
    Err("a double quote is not closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Acl::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn rules_are_read_with_their_lines() {
        let acl =
            Acl::parse("# who may\n\nallow user \"a \\\"b\\\"\" publish  a b/#  \r\ndeny all #\n").unwrap();
        assert_eq!((acl.len(), acl.rules[0].line, acl.rules[1].line), (2, 3, 4));
        assert_eq!(acl.rules[0].conditions, [Condition::User("a \"b\"".into())]);
        assert_eq!(acl.rules[0].filter, [Level::Text("a b".into()), Level::Rest]);
    }

    #[test]
    fn errors_name_the_line_and_what_is_wrong() {
        assert!(error("allow all #\npermit all #").starts_with("line 2: a rule begins with allow or deny"));
        assert!(error("allow publsh a").contains("\"publsh\" is neither a condition"));
        assert!(error("allow publish").contains("topic filter is missing"));
        assert!(error("allow user").contains("ends too early"));
        assert!(error("allow publish a/#/b").contains("has '#'"));
        assert!(error("allow address 10.0.0.0/40 all #").contains("no IP address"));
        assert!(error("allow user \"x all #").contains("not closed"));
        assert!(error("allow subscribe $share/g/a").contains("shared"));
    }
}
