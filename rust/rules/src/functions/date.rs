//! Times as numbers and as texts. They are milliseconds since the Unix epoch unless a unit says otherwise.

use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::moment::{SECOND_FIRST, count, local, now, rfc3339, time, timestamp, zone};
use super::results::{shown, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong, joda};
use crate::value::Value;

const GROUP: &str = "Dates and times";

/// How long a format may be, in bytes.
const LONGEST_FORMAT: usize = 1024;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "now_timestamp(unit = 'second')",
        what: "The time now as a number of seconds, or of another unit: 'millisecond', 'microsecond' or 'nanosecond'.",
        examples: &[("now_timestamp()", "1767225600"), ("now_timestamp('millisecond')", "1767225600000")],
        least: 0,
        ..Function::new("now_timestamp", GROUP, |surroundings, args| {
            let unit = args.word(0, &SECOND_FIRST)?;
            count(now(surroundings)?, unit)
        })
    },
    Function {
        aliases: &["now"],
        usage: "timestamp()",
        what: "The time now in milliseconds.",
        examples: &[("timestamp()", "1767225600000"), ("year(timestamp())", "2026")],
        least: 0,
        most: 0,
        ..Function::new("timestamp", GROUP, |surroundings, _| count(now(surroundings)?, "millisecond"))
    },
    Function {
        usage: "now_rfc3339(unit = 'second', zone = 'Z')",
        what: "The time now as a text of RFC 3339, as precise as the unit is.",
        examples: &[
            ("now_rfc3339()", "\"2026-01-01T00:00:00Z\""),
            ("now_rfc3339('millisecond', '+09:00')", "\"2026-01-01T09:00:00.000+09:00\""),
        ],
        least: 0,
        most: 2,
        ..Function::new("now_rfc3339", GROUP, |surroundings, args| {
            let unit = args.word(0, &SECOND_FIRST)?;
            written(now(surroundings)?.to_zoned_datetime(zone(args, 1)?), unit)
        })
    },
    Function {
        usage: "unix_ts_to_rfc3339(timestamp, unit = 'second', zone = 'Z')",
        what: "A timestamp in a unit as a text of RFC 3339.",
        examples: &[
            ("unix_ts_to_rfc3339(1650874276)", "\"2022-04-25T08:11:16Z\""),
            (
                "unix_ts_to_rfc3339(1650874318331, 'millisecond', '+08:00')",
                "\"2022-04-25T16:11:58.331+08:00\"",
            ),
        ],
        most: 3,
        ..Function::new("unix_ts_to_rfc3339", GROUP, |_, args| {
            let unit = args.word(1, &SECOND_FIRST)?;
            written(timestamp(args, 0, unit)?.to_zoned_datetime(zone(args, 2)?), unit)
        })
    },
    Function {
        usage: "rfc3339_to_unix_ts(text, unit = 'second')",
        what: "A text of RFC 3339 as a timestamp in a unit.",
        examples: &[
            ("rfc3339_to_unix_ts('2022-04-25T16:11:16+08:00')", "1650874276"),
            ("rfc3339_to_unix_ts('2022-04-25T16:11:58.331+08:00', 'millisecond')", "1650874318331"),
        ],
        most: 2,
        ..Function::new("rfc3339_to_unix_ts", GROUP, |_, args| {
            let unit = args.word(1, &SECOND_FIRST)?;
            count(rfc3339(&args.text(0)?)?, unit)
        })
    },
    Function {
        usage: "format_date(unit, zone, format, timestamp = now)",
        what: "A timestamp in a unit as a text by a format of `strftime`.",
        examples: &[
            (
                "format_date('second', '+0800', '%Y-%m-%d %H:%M:%S%:z', 1653561612)",
                "\"2022-05-26 18:40:12+08:00\"",
            ),
            ("format_date('millisecond', 'Z', '%H:%M:%S.%3N', 1653561612012)", "\"10:40:12.012\""),
            ("format_date('second', 0, '%F')", "\"2026-01-01\""),
        ],
        least: 3,
        most: 4,
        ..Function::new("format_date", GROUP, format_date)
    },
    Function {
        usage: "date_to_unix_ts(unit, zone = 'Z', format, text)",
        what: "A text that was made by a format of `strftime` as a timestamp in a unit; an offset in the text counts \
               more than the time zone.",
        examples: &[
            ("date_to_unix_ts('second', '%Y-%m-%d %H:%M:%S%:z', '2022-05-26 18:40:12+08:00')", "1653561612"),
            (
                "date_to_unix_ts('millisecond', 'Asia/Shanghai', '%F %T', '2022-05-26 18:40:12')",
                "1653561612000",
            ),
        ],
        least: 3,
        most: 4,
        ..Function::new("date_to_unix_ts", GROUP, date_to_unix_ts)
    },
    Function {
        usage: "strftime(format, time = now, zone = 'Z')",
        what: "A time as a text by a format, as `%Y-%m-%d %H:%M:%S`.",
        examples: &[
            ("strftime('%H:%M')", "\"00:00\""),
            ("strftime('%Y-%m-%d %H:%M', 1767225600000, 'Asia/Tokyo')", "\"2026-01-01 09:00\""),
            ("strftime('%A', '2026-01-01T00:00:00Z')", "\"Thursday\""),
        ],
        most: 3,
        ..Function::new("strftime", GROUP, |surroundings, args| {
            let format = args.text(0)?;
            formatted(&format, local(surroundings, args, 1)?)
        })
    },
    Function {
        aliases: &["to_time"],
        usage: "strptime(text, format, zone = 'Z')",
        what: "A text that was made by a format of `strftime` as a time in milliseconds; an offset in the text counts \
               more than the time zone.",
        examples: &[
            ("strptime('2026-01-01 09:00', '%Y-%m-%d %H:%M', 'Asia/Tokyo')", "1767225600000"),
            ("strptime('31.12.2025', '%d.%m.%Y')", "1767139200000"),
        ],
        least: 2,
        most: 3,
        ..Function::new("strptime", GROUP, |_, args| {
            let (text, format) = (args.text(0)?, args.text(1)?);
            count(parsed(&format, &text, zone(args, 2)?)?, "millisecond")
        })
    },
    Function {
        usage: "parse_time(pattern, time = now, zone = 'Z')",
        what: "A time as a text by a pattern of Java's: AWS IoT's name for what `strftime` is elsewhere.",
        examples: &[
            ("parse_time('yyyy-MM-dd HH:mm', 1767225600000)", "\"2026-01-01 00:00\""),
            ("parse_time('EEEE d MMM', 1767225600000, 'Asia/Tokyo')", "\"Thursday 1 Jan\""),
        ],
        most: 3,
        ..Function::new("parse_time", GROUP, |surroundings, args| {
            let format = joda::translated(&args.text(0)?)?;
            formatted(&format, local(surroundings, args, 1)?)
        })
    },
    Function {
        usage: "time_to_epoch(text, pattern)",
        what: "A text by a pattern of Java's as a time in milliseconds, as AWS IoT has it.",
        examples: &[
            ("time_to_epoch('2026-01-01 00:00:00', 'yyyy-MM-dd HH:mm:ss')", "1767225600000"),
            ("time_to_epoch('2026-01-01 09:00 +0900', 'yyyy-MM-dd HH:mm Z')", "1767225600000"),
        ],
        least: 2,
        most: 2,
        ..Function::new("time_to_epoch", GROUP, |_, args| {
            let format = joda::translated(&args.text(1)?)?;
            count(parsed(&format, &args.text(0)?, TimeZone::UTC)?, "millisecond")
        })
    },
    Function {
        usage: "age(time)",
        what: "How many milliseconds ago a time is; times to come are below zero.",
        examples: &[("age(1767225599000)", "1000"), ("age('2026-01-01T00:00:01Z')", "-1000")],
        ..Function::new("age", GROUP, |surroundings, args| {
            let passed = now(surroundings)?.as_millisecond() - time(surroundings, args, 0)?.as_millisecond();
            Ok(Value::Int(passed))
        })
    },
];

fn format_date<'a>(surroundings: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let unit = args.word(0, &SECOND_FIRST)?;
    let moment = if args.has(3) { timestamp(args, 3, unit)? } else { now(surroundings)? };
    formatted(&args.text(2)?, moment.to_zoned_datetime(zone(args, 1)?))
}

fn date_to_unix_ts<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let unit = args.word(0, &SECOND_FIRST)?;
    let last = args.len() - 1;
    let zone = if last == 3 { zone(args, 1)? } else { TimeZone::UTC };
    count(parsed(&args.text(last - 1)?, &args.text(last)?, zone)?, unit)
}

/// As RFC 3339 wants it.
fn written<'a>(moment: ZonedDateTime, unit: &str) -> Outcome<'a> {
    if !(0..=9999).contains(&moment.year()) {
        return wrong("RFC 3339 has no other years than 0000 to 9999");
    }
    let offset = if moment.time_zone() == &TimeZone::UTC { "Z" } else { "%:z" };
    let fraction = match unit {
        "second" => "",
        "millisecond" => ".%3N",
        "microsecond" => ".%6N",
        _ => ".%9N",
    };
    formatted(&format!("%Y-%m-%dT%H:%M:%S{fraction}{offset}"), moment)
}

fn short(format: &str) -> Result<&str, Wrong> {
    match format.len() <= LONGEST_FORMAT {
        true => Ok(format),
        false => wrong(format!("the format has {} bytes, it may have {LONGEST_FORMAT}", format.len())),
    }
}

fn formatted<'a>(format: &str, moment: ZonedDateTime) -> Outcome<'a> {
    match strtime::format(short(format)?, &moment) {
        Ok(text) => Ok(Value::text(text)),
        Err(error) => wrong(format!("the time cannot be written in this format: {error}")),
    }
}

fn parsed(format: &str, text: &str, zone: TimeZone) -> Result<Timestamp, Wrong> {
    let format = short(format)?;
    let read = || {
        let parts = BrokenDownTime::parse(format, text)?;
        match parts.timestamp().is_some() || parts.offset().is_some() || parts.iana_time_zone().is_some() {
            true => Ok(parts.to_zoned_datetime()?.timestamp()),
            false => zone.to_timestamp(parts.to_datetime()?),
        }
    };
    read().or_else(|error: jiff::Error| {
        wrong(format!("'{}' is no time in the format '{}': {error}", shown(text), shown(format)))
    })
}
