//! Topic names and topic filters: what is allowed, what matches, what is shared.

use bytestring::ByteString;

/// The most bytes a topic name or filter may have, because its length has two bytes.
pub const MAX_TOPIC_LENGTH: usize = 65_535;

/// What is wrong with a topic name or a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// A name or filter has at least one character.
    #[error("is empty")]
    Empty, // [MQTT-4.7.3-1]
    /// U+0000 is not allowed anywhere.
    #[error("contains the null character")]
    Null, // [MQTT-4.7.3-2]
    /// A name or filter has at most 65,535 bytes.
    #[error("is longer than 65,535 bytes")]
    TooLong, // [MQTT-4.7.3-3]
    /// `+` and `#` are for filters.
    #[error("contains a wildcard character")]
    Wildcard, // [MQTT-4.7.1-1] [MQTT-3.3.2-2]
    /// `#` fills a whole level, and that level is the last.
    #[error("has '#' somewhere other than alone in the last level")]
    MultiLevel, // [MQTT-4.7.1-2]
    /// `+` fills a whole level.
    #[error("has '+' beside other characters in a level")]
    SingleLevel, // [MQTT-4.7.1-3]
    /// `$share/` is followed by a share name without `/`, `+` and `#`, a `/` and a filter.
    #[error("is no valid shared subscription, which reads $share/{{name}}/{{filter}}")]
    Share, // [MQTT-4.8.2-1] [MQTT-4.8.2-2]
}

fn check_length(text: &str) -> Result<(), TopicError> {
    match text.len() {
        0 => Err(TopicError::Empty),
        1..=MAX_TOPIC_LENGTH => Ok(()),
        _ => Err(TopicError::TooLong),
    }
}

/// Checks a topic name: what PUBLISH and the Will carry.
pub fn check_name(name: &str) -> Result<(), TopicError> {
    check_length(name)?;
    // Without a branch for each byte, so that many are looked at in one step: every publish comes by here.
    let is_wrong = |byte: &u8| matches!(byte, b'+' | b'#' | 0);
    if !name.as_bytes().iter().fold(false, |wrong, byte| wrong | is_wrong(byte)) {
        return Ok(());
    }
    match name.bytes().find(|byte| is_wrong(byte)) {
        Some(0) => Err(TopicError::Null),
        _ => Err(TopicError::Wildcard),
    }
}

fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_length(filter)?;
    if filter.contains('\0') {
        return Err(TopicError::Null);
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err(TopicError::MultiLevel);
        }
        if level.contains('+') && level != "+" {
            return Err(TopicError::SingleLevel);
        }
    }
    Ok(())
}

/// A valid topic filter, taken apart if it is a shared subscription.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicFilter {
    /// As the client wrote it, `$share/…` and all.
    full: ByteString,
    /// Bytes of `$share/` and the share name with its slash; 0 if it is not shared.
    share_prefix: usize,
}

const SHARE: &str = "$share/";

impl TopicFilter {
    /// Parses and checks a filter.
    ///
    /// ```
    /// # use hookmq_codec::TopicFilter;
    /// let filter = TopicFilter::parse("$share/pool/tank/+/level".into()).unwrap();
    /// assert_eq!((filter.share_name(), filter.filter()), (Some("pool"), "tank/+/level"));
    /// assert!(TopicFilter::parse("tank/#/level".into()).is_err());
    /// ```
    pub fn parse(full: ByteString) -> Result<Self, TopicError> {
        let Some(rest) = full.strip_prefix(SHARE) else {
            check_filter(&full)?;
            return Ok(Self { full, share_prefix: 0 });
        };
        check_length(&full)?;
        let (name, filter) = rest.split_once('/').ok_or(TopicError::Share)?;
        if name.is_empty() || name.contains(['+', '#']) || filter.is_empty() {
            return Err(TopicError::Share);
        }
        check_filter(filter)?;
        let share_prefix = SHARE.len() + name.len() + 1;
        Ok(Self { full, share_prefix })
    }

    /// The filter as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.full
    }

    /// The filter that topic names are matched against, without `$share/{name}/`.
    pub fn filter(&self) -> &str {
        &self.full[self.share_prefix..]
    }

    /// The Share Name of a shared subscription.
    pub fn share_name(&self) -> Option<&str> {
        (self.share_prefix > 0).then(|| &self.full[SHARE.len()..self.share_prefix - 1])
    }

    /// Whether a topic name matches.
    pub fn matches(&self, name: &str) -> bool {
        matches(self.filter(), name)
    }
}

/// Whether the topic name matches the filter; both are taken to be valid.
///
/// ```
/// # use hookmq_codec::topic::matches;
/// assert!(matches("tank/+/level", "tank/7/level"));
/// assert!(matches("tank/#", "tank"));
/// assert!(!matches("#", "$SYS/uptime"));
/// ```
pub fn matches(filter: &str, name: &str) -> bool {
    // [MQTT-4.7.2-1] a leading wildcard does not reach topics that begin with $
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut names = name.split('/');
    for level in filter.split('/') {
        if level == "#" {
            return true;
        }
        match names.next() {
            Some(name) if level == "+" || level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_specification_says() {
        let cases = [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/x", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/x", true),
            ("$SYS/monitor/+", "$SYS/monitor/Clients", true),
            ("a/b", "A/b", false),
            ("a//b", "a//b", true),
            ("a/+/b", "a//b", true),
        ];
        for (filter, name, expected) in cases {
            assert_eq!(matches(filter, name), expected, "{filter} {name}");
        }
    }

    #[test]
    fn wrong_filters_are_refused() {
        use TopicError::*;
        let cases = [
            ("", Empty),
            ("a#", MultiLevel),
            ("a/#/b", MultiLevel),
            ("#/a", MultiLevel),
            ("a+", SingleLevel),
            ("a/+b", SingleLevel),
            ("$share/g", Share),
            ("$share//a", Share),
            ("$share/g/", Share),
            ("$share/g+/a", Share),
            ("$share/g/a#", MultiLevel),
            ("a\0", Null),
        ];
        for (filter, error) in cases {
            assert_eq!(TopicFilter::parse(filter.into()), Err(error), "{filter}");
        }
        assert_eq!(TopicFilter::parse("a".repeat(65_536).into()), Err(TooLong));
    }

    #[test]
    fn names_take_no_wildcard() {
        assert_eq!(check_name("a/+"), Err(TopicError::Wildcard));
        assert_eq!(check_name("a#"), Err(TopicError::Wildcard));
        assert_eq!(check_name(""), Err(TopicError::Empty));
        assert_eq!(check_name("/"), Ok(()));
    }
}
