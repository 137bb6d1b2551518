//! What might have been meant.

/// The nearest of some names, if one is near enough to have been meant.
pub(crate) fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name: Vec<char> = name.chars().take(64).flat_map(char::to_lowercase).collect();
    // One letter is near to every other.
    let far = if name.len() < 2 { 0 } else { 1 + name.len() / 3 };
    let distances = names.into_iter().map(|known| (distance(&name, known), known));
    distances
        .filter(|(distance, _)| *distance <= far)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many letters have to be changed, exchanged with a neighbour, added or left out.
fn distance(left: &[char], right: &str) -> usize {
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut rows = vec![(0..=right.len()).collect::<Vec<_>>()];
    for (i, one) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in right.iter().enumerate() {
            let changed = rows[i][j] + usize::from(one != other);
            let mut least = changed.min(row[j] + 1).min(rows[i][j + 1] + 1);
            if i > 0 && j > 0 && *one == right[j - 1] && left[i - 1] == *other {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_found_and_nothing_that_is_far() {
        let names = ["avg", "average", "payload", "clientid"];
        for (name, expected) in [
            ("averge", Some("average")),
            ("paylaod", Some("payload")),
            ("client_id", Some("clientid")),
            ("AVG", Some("avg")),
            ("temperature", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, names), expected, "{name}");
        }
    }
}
