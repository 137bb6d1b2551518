//! Texts against patterns: `LIKE` and topic filters.

/// How much is compared at most: characters of the text times those of the pattern. Both may be a client's.
const MOST: usize = 64 << 20;

/// Whether a text is like a pattern, in which `%` stands for anything and `_` for one character; `None` if both are too
/// long to find that out.
pub(crate) fn like(text: &str, pattern: &str) -> Option<bool> {
    if text.len().saturating_mul(pattern.len()) > MOST {
        return None;
    }
    Some(is_like(text, pattern))
}

fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut place) = (0, 0);
    // Where to go on when what follows the last `%` does not match: it then stands for one character more.
    let mut again: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(place) {
            Some('%') => {
                again = Some((at, place + 1));
                place += 1;
            }
            // What is escaped stands for itself.
            Some('\\') if matches!(pattern.get(place + 1), Some('%' | '_' | '\\')) => {
                match (pattern[place + 1] == text[at], &mut again) {
                    (true, _) => (at, place) = (at + 1, place + 2),
                    (false, Some((from, to))) => {
                        *from += 1;
                        (at, place) = (*from, *to);
                    }
                    (false, None) => return false,
                }
            }
            Some(one) if *one == '_' || *one == text[at] => (at, place) = (at + 1, place + 1),
            _ => match &mut again {
                Some((from, to)) => {
                    *from += 1;
                    (at, place) = (*from, *to);
                }
                None => return false,
            },
        }
    }
    pattern[place..].iter().all(|one| *one == '%')
}

/// Whether a topic matches a filter. Wildcards at the first level do not match topics that begin with `$`.
/// [MQTT-4.7.2-1]
pub(crate) fn matches_filter(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let (mut levels, mut parts) = (topic.split('/'), filter.split('/'));
    loop {
        match (levels.next(), parts.next()) {
            (_, Some("#")) | (None, None) => return true,
            (Some(level), Some(part)) if part == "+" || part == level => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match() {
        for (text, pattern, expected) in [
            ("tank7", "tank_", true),
            ("tank77", "tank_", false),
            ("tank77", "tank%", true),
            ("tank", "tank%", true),
            ("a-b-c", "%b%", true),
            ("aaab", "%a_b", true),
            ("größe", "gr__e", true),
            ("50%", "50\\%", true),
            ("501", "50\\%", false),
            ("50\\abc", "50\\%", false),
            ("a_b%c", "%\\%c", true),
            ("", "", true),
            ("", "_", false),
            ("", "%%", true),
        ] {
            assert_eq!(like(text, pattern), Some(expected), "{text} {pattern}");
        }
        // In bounded time, too.
        assert_eq!(like(&"a".repeat(5000), &("%a".repeat(50) + "b")), Some(false));
        assert_eq!(like(&"a".repeat(100_000), &"%a".repeat(1000)), None);
    }

    #[test]
    fn topics_match_filters() {
        for (topic, filter, expected) in [
            ("a/b/c", "a/+/c", true),
            ("a/b/c", "a/#", true),
            ("a", "a/#", true),
            ("a/b", "a", false),
            ("a", "a/b", false),
            ("/a", "+/a", true),
            ("$SYS/x", "#", false),
            ("$SYS/x", "+/x", false),
            ("$SYS/x", "$SYS/#", true),
        ] {
            assert_eq!(matches_filter(topic, filter), expected, "{topic} {filter}");
        }
    }
}
