//! Reading the text of a timer.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::cron::Cron;
use super::{Timer, Times};
use crate::duration::parse_duration;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const QUALIFIERS: [&str; 5] = ["on", "between", "from", "to", "in"];

const HINT: &str =
    "for instance 'every 10m', 'daily at 06:30', 'at 2026-12-24 18:00' or 'cron 0 7 * * mon-fri'";

/// What is wrong, and what to do about it.
type Wrong = (String, String);

fn wrong(what: impl Into<String>, hint: &str) -> Wrong {
    (what.into(), hint.to_owned())
}

/// Reads the text.
pub(super) fn parse(text: &str) -> Result<Timer, Wrong> {
    let words: Vec<&str> = text.split([' ', '\t', '\n', ',']).filter(|word| !word.is_empty()).collect();
    // Cron has commas of its own.
    let raw: Vec<&str> = text.split_whitespace().collect();
    let is_cron = raw.first().is_some_and(|word| word.eq_ignore_ascii_case("cron"));
    let words = if is_cron { raw } else { words };
    let end = |from: usize| {
        let is_qualifier = |word: &&str| QUALIFIERS.iter().any(|known| known.eq_ignore_ascii_case(word));
        words[from..].iter().position(is_qualifier).map_or(words.len(), |at| from + at)
    };
    let first = words.first().map(|word| word.to_ascii_lowercase()).unwrap_or_default();
    let (times, rest) = match first.as_str() {
        "every" => {
            let rest = end(1);
            (every(&words[1..rest])?, rest)
        }
        "daily" => {
            let rest = end(1);
            let times = words[1..rest].iter().filter(|word| !word.eq_ignore_ascii_case("at"));
            (Times::Daily(times.map(|word| time(word)).collect::<Result<Vec<_>, _>>()?), rest)
        }
        "at" => match words.get(1..3) {
            Some([day, hour]) => (Times::At(date(day)?, time(hour)?), 3),
            _ => {
                return Err(wrong(
                    "a date and a time were expected behind `at`",
                    "for instance 'at 2026-12-24 18:00'",
                ));
            }
        },
        "cron" => {
            let rest = end(1);
            let cron = Cron::parse(&words[1..rest])
                .map_err(|what| wrong(what, "for instance 'cron 0 7 * * mon-fri'"))?;
            (Times::Cron(Box::new(cron)), rest)
        }
        _ => return Err(wrong("these are no times", HINT)),
    };
    if matches!(&times, Times::Daily(times) if times.is_empty()) {
        return Err(wrong("a time of the day was expected", "for instance 'daily at 06:30, 18:00'"));
    }
    let mut timer = Timer {
        text: text.split_whitespace().collect::<Vec<_>>().join(" "),
        times,
        weekdays: 0x7f,
        between: None,
        from: None,
        to: None,
        zone: TimeZone::system(),
    };
    qualify(&mut timer, &words[rest..])?;
    Ok(timer)
}

fn every(words: &[&str]) -> Result<Times, Wrong> {
    let text = words.join(" ");
    // `every hour`
    let one = ["second", "minute", "hour", "day", "week"].contains(&text.as_str());
    let period = if one {
        parse_duration(&format!("1 {}", text.replace("week", "weeks")))
    } else {
        parse_duration(&text)
    };
    match period {
        Some(millis) if millis >= 100 => Ok(Times::Every(millis)),
        Some(_) => Err(wrong("a timer comes at most ten times a second", "for instance 'every 100ms'")),
        None => {
            Err(wrong(format!("`{text}` is no length of time"), "for instance 'every 30s' or 'every 1h30m'"))
        }
    }
}

fn qualify(timer: &mut Timer, words: &[&str]) -> Result<(), Wrong> {
    let mut words = words.iter().copied().peekable();
    while let Some(word) = words.next() {
        let mut next = |what: &str| {
            words.next().ok_or_else(|| wrong(format!("{what} was expected behind `{word}`"), HINT))
        };
        match word.to_ascii_lowercase().as_str() {
            "on" => {
                timer.weekdays = weekdays(next("a weekday")?)?;
                let is_day = |word: &&str| weekdays(word).is_ok();
                while let Some(day) = words.next_if(is_day) {
                    timer.weekdays |= weekdays(day)?;
                }
            }
            "between" => {
                let from = time(next("a time of the day")?)?;
                if !next("`and`")?.eq_ignore_ascii_case("and") {
                    return Err(wrong("`and` was expected", "for instance 'between 08:00 and 17:00'"));
                }
                timer.between = Some((from, time(next("a time of the day")?)?));
            }
            "from" => timer.from = Some(date(next("a date")?)?),
            "to" => timer.to = Some(date(next("a date")?)?),
            "in" => {
                let name = next("a time zone")?;
                timer.zone = TimeZone::get(name).map_err(|_| {
                    wrong(
                        format!("there is no time zone `{name}` on this machine"),
                        "for instance 'in Europe/Berlin'; install tzdata if it is missing",
                    )
                })?;
            }
            _ => {
                let hint = "behind the times stand: on mon-fri, between 08:00 and 17:00, from 2026-12-01, to 2026-12-31, in Europe/Berlin";
                return Err(wrong(format!("`{word}` means nothing here"), hint));
            }
        }
    }
    if let (Some(from), Some(to)) = (timer.from, timer.to)
        && from > to
    {
        return Err(wrong("it ends before it begins", "exchange the dates behind `from` and `to`"));
    }
    Ok(())
}

/// Weekdays as bits: `mon`, `mon-fri`, `fri-mon`, `weekend`.
fn weekdays(text: &str) -> Result<u8, Wrong> {
    let text = text.to_ascii_lowercase();
    match text.as_str() {
        "weekdays" => return Ok(0x1f),
        "weekend" | "weekends" => return Ok(0x60),
        _ => {}
    }
    let one = |word: &str| {
        let known = |day: &&str| {
            word.len() >= 3
                && (*day == word || format!("{day}day").starts_with(word) || long(day).starts_with(word))
        };
        WEEKDAYS.iter().position(known)
    };
    let (from, to) = text.split_once('-').unwrap_or((&text, &text));
    match (one(from), one(to)) {
        (Some(from), Some(to)) => {
            let count = (to + 7 - from) % 7;
            Ok((0..=count).fold(0, |bits, step| bits | 1 << ((from + step) % 7)))
        }
        _ => Err(wrong(
            format!("`{text}` is no weekday"),
            "write mon, tue, wed, thu, fri, sat, sun, or mon-fri",
        )),
    }
}

fn long(day: &str) -> &'static str {
    match day {
        "tue" => "tuesday",
        "wed" => "wednesday",
        "thu" => "thursday",
        "sat" => "saturday",
        _ => "",
    }
}

fn time(text: &str) -> Result<Time, Wrong> {
    let parts: Vec<Option<i8>> = text.split(':').map(|part| part.parse().ok()).collect();
    let made = match parts.as_slice() {
        [Some(hour), Some(minute)] => Time::new(*hour, *minute, 0, 0).ok(),
        [Some(hour), Some(minute), Some(second)] => Time::new(*hour, *minute, *second, 0).ok(),
        _ => None,
    };
    made.ok_or_else(|| wrong(format!("`{text}` is no time of the day"), "write it like 06:30"))
}

fn date(text: &str) -> Result<Date, Wrong> {
    let made = if text.len() == 10 { text.parse::<Date>().ok() } else { None };
    made.ok_or_else(|| wrong(format!("`{text}` is no date"), "write it like 2026-12-24"))
}
