//! Lengths of time as text: `10s`, `1h30m`.

/// The longest, in milliseconds: some hundred years.
const LONGEST: u64 = 100 * 366 * 24 * 3600 * 1000;

const UNITS: [(&str, u64); 17] = [
    ("milliseconds", 1),
    ("millisecond", 1),
    ("seconds", 1000),
    ("minutes", 60_000),
    ("second", 1000),
    ("minute", 60_000),
    ("hours", 3_600_000),
    ("weeks", 7 * 86_400_000),
    ("hour", 3_600_000),
    ("days", 86_400_000),
    ("min", 60_000),
    ("day", 86_400_000),
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Milliseconds of a text such as `500ms`, `10s`, `1h30m` or `2 days`.
pub fn parse_duration(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let mut rest = text.as_str();
    let mut total = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = rest[end..].trim_start();
        let (unit, millis) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
        total += number * *millis as f64;
        rest = rest[unit.len()..].trim_start();
    }
    (total <= LONGEST as f64).then_some(total as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5 s", Some(1500)),
            ("2 days", Some(172_800_000)),
            ("1 minute 5 seconds", Some(65_000)),
            ("", None),
            ("5", None),
            ("s", None),
            ("-1s", None),
            ("1e9d", None),
            ("99999999999999999999d", None),
            ("1s x", None),
        ] {
            assert_eq!(parse_duration(text), millis, "{text}");
        }
    }
}
