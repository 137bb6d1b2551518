//! The calendar: parts of dates, and times counted from others.

use jiff::civil::Time;
use jiff::{Span, Timestamp, ToSpan, Unit, ZonedDateTime};

use super::moment::{count, local, moment, nanoseconds, time, zone};
use super::results::{shown, whole, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::duration::parse_duration;
use crate::value::Value;

const GROUP: &str = "Dates and times";

/// The units of calculations.
const UNITS: [&str; 9] =
    ["millisecond", "second", "minute", "hour", "day", "week", "month", "year", "microsecond"];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "year(time = now, zone = 'Z')",
        what: "The year.",
        examples: &[
            ("year(1767225599000)", "2025"),
            ("year(1767225599000, '+09:00')", "2026"),
            ("year()", "2026"),
        ],
        least: 0,
        most: 2,
        ..Function::new("year", GROUP, |surroundings, args| part(surroundings, args, |at| at.year()))
    },
    Function {
        usage: "month(time = now, zone = 'Z')",
        what: "The month, from 1 to 12.",
        examples: &[("month('2026-03-05T10:00:00Z')", "3"), ("month()", "1")],
        least: 0,
        most: 2,
        ..Function::new("month", GROUP, |surroundings, args| part(surroundings, args, |at| at.month()))
    },
    Function {
        aliases: &["day_of_month"],
        usage: "day(time = now, zone = 'Z')",
        what: "The day of the month.",
        examples: &[("day('2026-03-05T10:00:00Z')", "5"), ("day('2026-03-05T23:00:00Z', 'Asia/Tokyo')", "6")],
        least: 0,
        most: 2,
        ..Function::new("day", GROUP, |surroundings, args| part(surroundings, args, |at| at.day()))
    },
    Function {
        usage: "hour(time = now, zone = 'Z')",
        what: "The hour, from 0 to 23.",
        examples: &[("hour(1767225600000, 'Asia/Tokyo')", "9"), ("hour()", "0")],
        least: 0,
        most: 2,
        ..Function::new("hour", GROUP, |surroundings, args| part(surroundings, args, |at| at.hour()))
    },
    Function {
        usage: "minute(time = now, zone = 'Z')",
        what: "The minute, from 0 to 59.",
        examples: &[("minute('2026-03-05T10:20:30Z')", "20"), ("minute()", "0")],
        least: 0,
        most: 2,
        ..Function::new("minute", GROUP, |surroundings, args| part(surroundings, args, |at| at.minute()))
    },
    Function {
        usage: "second(time = now, zone = 'Z')",
        what: "The second, from 0 to 59.",
        examples: &[("second('2026-03-05T10:20:30Z')", "30"), ("second()", "0")],
        least: 0,
        most: 2,
        ..Function::new("second", GROUP, |surroundings, args| part(surroundings, args, |at| at.second()))
    },
    Function {
        usage: "weekday(time = now, zone = 'Z')",
        what: "The day of the week: 1 is Monday, 7 Sunday.",
        examples: &[("weekday('2026-03-01T10:00:00Z')", "7"), ("weekday()", "4")],
        least: 0,
        most: 2,
        ..Function::new("weekday", GROUP, |surroundings, args| part(surroundings, args, weekday))
    },
    Function {
        aliases: &["dayofyear"],
        usage: "day_of_year(time = now, zone = 'Z')",
        what: "The day of the year, from 1.",
        examples: &[("day_of_year('2026-02-01T10:00:00Z')", "32"), ("day_of_year()", "1")],
        least: 0,
        most: 2,
        ..Function::new("day_of_year", GROUP, |surroundings, args| {
            part(surroundings, args, |at| at.day_of_year())
        })
    },
    Function {
        aliases: &["iso_week"],
        usage: "week(time = now, zone = 'Z')",
        what: "The week of the year as of ISO 8601, from 1 to 53.",
        examples: &[("week('2026-12-31T10:00:00Z')", "53"), ("week()", "1")],
        least: 0,
        most: 2,
        ..Function::new("week", GROUP, |surroundings, args| {
            part(surroundings, args, |at| at.iso_week_date().week())
        })
    },
    Function {
        usage: "quarter(time = now, zone = 'Z')",
        what: "The quarter of the year, from 1 to 4.",
        examples: &[("quarter('2026-05-01T10:00:00Z')", "2"), ("quarter()", "1")],
        least: 0,
        most: 2,
        ..Function::new("quarter", GROUP, |surroundings, args| {
            part(surroundings, args, |at| (at.month() + 2) / 3)
        })
    },
    Function {
        usage: "is_weekend(time = now, zone = 'Z')",
        what: "Whether a time is on a Saturday or Sunday.",
        examples: &[("is_weekend('2026-01-03T10:00:00Z')", "true"), ("is_weekend()", "false")],
        least: 0,
        most: 2,
        ..Function::new("is_weekend", GROUP, |surroundings, args| {
            Ok(Value::Bool(weekday(&local(surroundings, args, 0)?) > 5))
        })
    },
    Function {
        usage: "time_between(time, from, to, zone = 'Z')",
        what: "Whether a time of day is from one, as '08:00', up to, but without, another, which may be on the next day.",
        examples: &[
            ("time_between('2026-01-01T23:30:00Z', '22:00', '06:00')", "true"),
            ("time_between('2026-01-01T12:00:00Z', '22:00', '06:00')", "false"),
            ("time_between(1767225600000, '08:00', '17:00', 'Asia/Tokyo')", "true"),
        ],
        least: 3,
        most: 4,
        ..Function::new("time_between", GROUP, time_between)
    },
    Function {
        usage: "date_add(time, amount, unit, zone = 'Z')",
        what: "A time so many units later, in milliseconds: 'millisecond', 'second', 'minute', 'hour', 'day', 'week', \
               'month' or 'year'. Days and longer ones are those of the calendar.",
        examples: &[
            ("date_add(1767225600000, -1, 'hour')", "1767222000000"),
            ("strftime('%F', date_add('2026-01-31T00:00:00Z', 1, 'month'))", "\"2026-02-28\""),
        ],
        least: 3,
        most: 4,
        ..Function::new("date_add", GROUP, date_add)
    },
    Function {
        usage: "date_diff(from, to, unit = 'millisecond', zone = 'Z')",
        what: "How many whole units it is from one time to another; below zero if that comes first.",
        examples: &[
            ("date_diff('2026-01-01T00:00:00Z', '2026-01-02T12:00:00Z', 'hour')", "36"),
            ("date_diff('2026-01-31T00:00:00Z', '2026-03-30T00:00:00Z', 'month')", "1"),
            ("date_diff(1000, 400)", "-600"),
        ],
        least: 2,
        most: 4,
        ..Function::new("date_diff", GROUP, date_diff)
    },
    Function {
        aliases: &["date_trunc"],
        usage: "start_of(time, unit, zone = 'Z')",
        what: "When the second, minute, hour, day, week, month or year of a time began, in milliseconds.",
        examples: &[
            ("strftime('%F %T', start_of('2026-03-05T10:20:30Z', 'month'))", "\"2026-03-01 00:00:00\""),
            ("strftime('%F', start_of('2026-01-01T00:00:00Z', 'week'))", "\"2025-12-29\""),
        ],
        least: 2,
        most: 3,
        ..Function::new("start_of", GROUP, start_of)
    },
    Function {
        usage: "timezone_to_offset_seconds(zone)",
        what: "How many seconds the clocks of a time zone are ahead of UTC now.",
        examples: &[
            ("timezone_to_offset_seconds('+09:00')", "32400"),
            ("timezone_to_offset_seconds('Asia/Tokyo')", "32400"),
        ],
        ..Function::new("timezone_to_offset_seconds", GROUP, |surroundings, args| {
            let zone = zone(args, 0)?;
            let now = super::moment::now(surroundings)?;
            Ok(Value::Int(i64::from(zone.to_offset(now).seconds())))
        })
    },
    Function {
        usage: "duration_ms(text)",
        what: "The milliseconds of a length of time, as '500ms', '10s' or '1h30m'.",
        examples: &[("duration_ms('1h30m')", "5400000"), ("duration_ms('1.5s')", "1500")],
        ..Function::new("duration_ms", GROUP, |_, args| match parse_duration(&args.text(0)?) {
            Some(milliseconds) => whole(i128::from(milliseconds)),
            None => wrong("this is no length of time, which is written as '500ms', '10s' or '1h30m'"),
        })
    },
    Function {
        usage: "format_duration(milliseconds)",
        what: "A length of time for people, with days, hours, minutes and seconds.",
        examples: &[
            ("format_duration(5400000)", "\"1h 30m\""),
            ("format_duration(90061500)", "\"1d 1h 1m 1.5s\""),
        ],
        ..Function::new("format_duration", GROUP, format_duration)
    },
];

fn part<'a, N: Into<i64>>(
    surroundings: &Surroundings<'_>,
    args: &mut [Value<'a>],
    body: fn(&ZonedDateTime) -> N,
) -> Outcome<'a> {
    Ok(Value::Int(body(&local(surroundings, args, 0)?).into()))
}

fn weekday(at: &ZonedDateTime) -> i8 {
    at.weekday().to_monday_one_offset()
}

fn time_between<'a>(surroundings: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (from, to) = (clock(&args.text(1)?)?, clock(&args.text(2)?)?);
    let at = time(surroundings, args, 0)?.to_zoned_datetime(zone(args, 3)?).time();
    let (begun, over) = (at >= from, at >= to);
    Ok(Value::Bool(if from < to { begun && !over } else { begun || !over }))
}

fn clock(text: &str) -> Result<Time, Wrong> {
    // A single digit is fine for an hour.
    let padded = if text.find(':') == Some(1) { format!("0{text}") } else { text.to_owned() };
    padded.parse().or_else(|_| {
        wrong(format!("'{}' is no time of day, which is written as 08:00 or 08:00:30", shown(text)))
    })
}

/// A length of time on the calendar.
fn span(amount: i64, unit: &str) -> Result<Span, Wrong> {
    let span = match unit {
        "day" => Span::new().try_days(amount),
        "week" => Span::new().try_weeks(amount),
        "month" => Span::new().try_months(amount),
        _ => Span::new().try_years(amount),
    };
    span.or_else(|_| wrong(format!("{amount} {unit}s are more than the calendar has")))
}

/// A unit, also in the plural.
fn unit(args: &mut [Value<'_>], index: usize) -> Result<&'static str, Wrong> {
    let mut given = args.text_or(index, UNITS[0])?.into_owned();
    if given.ends_with(['s', 'S']) {
        given.pop();
    }
    [Value::text(given)].word(0, &UNITS)
}

fn date_add<'a>(surroundings: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (amount, unit) = (args.int(1)?, unit(args, 2)?);
    let from = time(surroundings, args, 0)?;
    if let Some(size) = nanoseconds(unit) {
        let later = i128::from(amount).saturating_mul(size).saturating_add(from.as_nanosecond());
        return count(moment(later)?, "millisecond");
    }
    let from = from.to_zoned_datetime(zone(args, 3)?);
    calendar(from.checked_add(span(amount, unit)?))
}

/// What the calendar says, if it says something.
fn calendar<'a>(result: Result<ZonedDateTime, jiff::Error>) -> Outcome<'a> {
    match result {
        Ok(at) => count(at.timestamp(), "millisecond"),
        Err(_) => wrong("the time is not within the years -9999 to 9999"),
    }
}

fn date_diff<'a>(surroundings: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let unit = unit(args, 2)?;
    let (from, to): (Timestamp, Timestamp) = (time(surroundings, args, 0)?, time(surroundings, args, 1)?);
    if let Some(size) = nanoseconds(unit) {
        return whole((to.as_nanosecond() - from.as_nanosecond()) / size);
    }
    let zone = zone(args, 3)?;
    let (from, to) = (from.to_zoned_datetime(zone.clone()), to.to_zoned_datetime(zone));
    let largest = match unit {
        "day" => Unit::Day,
        "week" => Unit::Week,
        "month" => Unit::Month,
        _ => Unit::Year,
    };
    let Ok(span) = from.until((largest, &to)) else { return wrong("the times are too far from each other") };
    Ok(Value::Int(match largest {
        Unit::Day => span.get_days().into(),
        Unit::Week => span.get_weeks().into(),
        Unit::Month => span.get_months().into(),
        _ => span.get_years().into(),
    }))
}

fn start_of<'a>(surroundings: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let unit = unit(args, 1)?;
    let at = time(surroundings, args, 0)?.to_zoned_datetime(zone(args, 2)?);
    calendar(match unit {
        "millisecond" | "microsecond" => Ok(at),
        "second" => at.with().subsec_nanosecond(0).build(),
        "minute" => at.with().second(0).subsec_nanosecond(0).build(),
        "hour" => at.with().minute(0).second(0).subsec_nanosecond(0).build(),
        "day" => at.start_of_day(),
        "week" => {
            at.checked_sub((i64::from(weekday(&at)) - 1).days()).and_then(|monday| monday.start_of_day())
        }
        "month" => at.first_of_month().and_then(|first| first.start_of_day()),
        _ => at.first_of_year().and_then(|first| first.start_of_day()),
    })
}

fn format_duration<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let number = args.number(0)?.round();
    let size = number.abs() as u64;
    let (days, hours, minutes, rest) =
        (size / 86_400_000, size / 3_600_000 % 24, size / 60_000 % 60, size % 60_000);
    let mut parts: Vec<String> = [(days, "d"), (hours, "h"), (minutes, "m")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if rest > 0 || parts.is_empty() {
        parts.push(format!("{}s", rest as f64 / 1000.0));
    }
    Ok(Value::text(format!("{}{}", if number < 0.0 { "-" } else { "" }, parts.join(" "))))
}
