//! What functions about time take: moments, units and time zones.

use jiff::Timestamp;
use jiff::ZonedDateTime;
use jiff::tz::{Offset, TimeZone};

use super::results::{shown, whole, wrong};
use super::{Arguments, Outcome, Surroundings, Wrong};
use crate::value::Value;

/// The units of timestamps; that which is used if none is said is put first where they are asked for.
pub(super) const SECOND_FIRST: [&str; 4] = ["second", "millisecond", "microsecond", "nanosecond"];

const MILLISECOND: i128 = 1_000_000;

/// The nanoseconds of a unit that is always as long; those of the calendar are not.
pub(super) fn nanoseconds(unit: &str) -> Option<i128> {
    Some(match unit {
        "nanosecond" => 1,
        "microsecond" => 1_000,
        "millisecond" => MILLISECOND,
        "second" => 1_000_000_000,
        "minute" => 60_000_000_000,
        "hour" => 3_600_000_000_000,
        _ => return None,
    })
}

/// The moment so many nanoseconds after the Unix epoch.
pub(super) fn moment(nanoseconds: i128) -> Result<Timestamp, Wrong> {
    Timestamp::from_nanosecond(nanoseconds)
        .or_else(|_| wrong("the time is not within the years -9999 to 9999"))
}

/// Where a moment is on the scale of a unit, rounded down.
pub(super) fn count<'a>(moment: Timestamp, unit: &str) -> Outcome<'a> {
    whole(moment.as_nanosecond().div_euclid(nanoseconds(unit).unwrap_or(MILLISECOND)))
}

/// A timestamp in a unit.
pub(super) fn timestamp(args: &[Value<'_>], index: usize, unit: &str) -> Result<Timestamp, Wrong> {
    let size = nanoseconds(unit).unwrap_or(MILLISECOND);
    match args.int(index) {
        Ok(whole) => moment(i128::from(whole).saturating_mul(size)),
        Err(_) => moment((args.number(index)? * size as f64) as i128),
    }
}

/// A moment in milliseconds or as of RFC 3339; now, if it was not given.
pub(super) fn time(
    surroundings: &Surroundings<'_>,
    args: &[Value<'_>],
    index: usize,
) -> Result<Timestamp, Wrong> {
    match args.get(index) {
        None | Some(Value::Missing | Value::Null) => now(surroundings),
        Some(value @ Value::Text(text)) if value.as_number().is_none() => rfc3339(text),
        Some(_) => timestamp(args, index, "millisecond"),
    }
}

pub(super) fn now(surroundings: &Surroundings<'_>) -> Result<Timestamp, Wrong> {
    moment(i128::from(surroundings.now) * MILLISECOND)
}

pub(super) fn rfc3339(text: &str) -> Result<Timestamp, Wrong> {
    text.trim()
        .parse()
        .or_else(|_| wrong(format!("'{}' is no time such as 2026-01-01T00:00:00Z", shown(text))))
}

/// A time zone: `Z`, `UTC`, `local`, an offset such as `+09:00` or in seconds, or a name such as `Asia/Tokyo`; UTC, if it
/// was not given.
pub(super) fn zone(args: &mut [Value<'_>], index: usize) -> Result<TimeZone, Wrong> {
    if let Some(Value::Int(seconds)) = args.get(index) {
        return fixed(*seconds);
    }
    let text = args.text_or(index, "Z")?;
    match text.trim() {
        "Z" | "z" | "UTC" | "utc" => Ok(TimeZone::UTC),
        "local" => Ok(TimeZone::system()),
        offset if offset.starts_with(['+', '-']) => match seconds(offset) {
            Some(seconds) => fixed(seconds),
            None => wrong("an offset is written as +HHMM, +HH:MM or +HH:MM:SS"),
        },
        name => TimeZone::get(name).or_else(|_| {
            let name = shown(name);
            wrong(format!("the system knows no time zone '{name}'; 'Asia/Tokyo', '+09:00', 'Z' and 'local' are written so"))
        }),
    }
}

fn fixed(seconds: i64) -> Result<TimeZone, Wrong> {
    match i32::try_from(seconds).map(Offset::from_seconds) {
        Ok(Ok(offset)) => Ok(TimeZone::fixed(offset)),
        _ => wrong("an offset is less than 26 hours"),
    }
}

fn seconds(offset: &str) -> Option<i64> {
    let (sign, digits) = (if offset.starts_with('-') { -1 } else { 1 }, &offset[1..]);
    let parts: Vec<&str> = match digits.contains(':') {
        true => digits.split(':').collect(),
        false => {
            vec![digits.get(..2)?, digits.get(2..)?].into_iter().filter(|part| !part.is_empty()).collect()
        }
    };
    let mut total = 0;
    for (index, size) in [3600, 60, 1].into_iter().enumerate() {
        let Some(part) = parts.get(index) else { break };
        let good = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        total += size * part.parse::<i64>().ok().filter(|part| good && (index == 0 || *part < 60))?;
    }
    (parts.len() <= 3).then_some(sign * total)
}

/// A moment on the calendar of a time zone, by two arguments that follow each other.
pub(super) fn local(
    surroundings: &Surroundings<'_>,
    args: &mut [Value<'_>],
    index: usize,
) -> Result<ZonedDateTime, Wrong> {
    Ok(time(surroundings, args, index)?.to_zoned_datetime(zone(args, index + 1)?))
}
