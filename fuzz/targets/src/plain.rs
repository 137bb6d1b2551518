//! Topic matching, level by level and without any cleverness: what the real ones are compared with.

/// Whether a topic filter is well-formed.
pub(crate) fn is_filter(text: &str) -> bool {
    let levels: Vec<&str> = text.split('/').collect();
    let last = levels.len() - 1;
    let is_level = |(index, level): (usize, &&str)| match *level {
        "+" => true,
        "#" => index == last,
        other => !other.contains(['+', '#', '\0']),
    };
    (1..=65_535).contains(&text.len()) && levels.iter().enumerate().all(is_level)
}

/// Whether a topic name is well-formed.
pub(crate) fn is_name(text: &str) -> bool {
    is_filter(text) && !text.contains(['+', '#'])
}

/// The share name and the filter of `$share/{name}/{filter}`, if it is well-formed.
pub(crate) fn share(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.splitn(3, '/');
    let (Some("$share"), Some(name), Some(filter)) = (parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let named = !name.is_empty() && !name.contains(['+', '#']);
    (named && is_filter(filter) && text.len() <= 65_535).then_some((name, filter))
}

/// Whether a name matches a filter.
pub(crate) fn matches(filter: &str, name: &str) -> bool {
    let hidden = name.starts_with('$') && filter.starts_with(['+', '#']);
    !hidden && levels_match(&levels(filter), &levels(name))
}

/// The levels of a name or a filter.
pub(crate) fn levels(text: &str) -> Vec<&str> {
    text.split('/').collect()
}

fn levels_match(filter: &[&str], name: &[&str]) -> bool {
    match (filter, name) {
        (["#"], _) | ([], []) => true,
        ([first, filter @ ..], [level, name @ ..]) => {
            (*first == "+" || first == level) && levels_match(filter, name)
        }
        _ => false,
    }
}
