//! When a rule runs by itself: `every 10m on mon-fri between 08:00 and 17:00`.
//!
//! # Layout
//! - [`Timer`]: what is written, and when it is due next; `cron`: the five fields of cron; `words`: reading it

mod cron;
mod words;

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::error::RuleError;
use crate::sql::Span;
use cron::Cron;

/// So many days are looked at for the next time: the 29th of February on a certain weekday comes once in 40 years at most.
const DAYS: usize = 366 * 41;

/// At which times something is due.
#[derive(Debug, Clone)]
pub struct Timer {
    text: String,
    times: Times,
    /// Bits of weekdays, Monday first; all if nothing is said.
    weekdays: u8,
    /// From and until which time of the day.
    between: Option<(Time, Time)>,
    from: Option<Date>,
    to: Option<Date>,
    zone: TimeZone,
}

#[derive(Debug, Clone)]
enum Times {
    /// Whenever so many milliseconds have gone by since the epoch.
    Every(u64),
    /// At these times of the day.
    Daily(Vec<Time>),
    /// Once.
    At(Date, Time),
    Cron(Box<Cron>),
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Timer {
    /// Reads what stands behind `TIMER`.
    pub(crate) fn parse(text: &str, span: &Span) -> Result<Self, RuleError> {
        words::parse(text).map_err(|(what, hint)| RuleError::new(what, span.clone()).hint(hint))
    }

    /// The first time after this one, both in milliseconds since the Unix epoch; `None` if it never comes.
    pub fn next_after(&self, now: u64) -> Option<u64> {
        let after = i64::try_from(now).ok()?;
        let start = Timestamp::from_millisecond(after).ok()?;
        let mut day = self.zone.to_datetime(start).date();
        if let Some(from) = self.from.filter(|from| *from > day) {
            day = from;
        }
        for _ in 0..DAYS {
            if self.to.is_some_and(|to| day > to) {
                return None;
            }
            if let Times::At(date, _) = &self.times {
                if day > *date {
                    return None;
                }
                day = *date;
            }
            if self.has_day(day)
                && let Some(found) = self.first_of(day, after)
            {
                return u64::try_from(found).ok();
            }
            day = day.checked_add(1.day()).ok()?;
        }
        None
    }

    fn has_day(&self, day: Date) -> bool {
        let weekday = day.weekday().to_monday_zero_offset();
        self.weekdays & 1 << weekday != 0
            && self.from.is_none_or(|from| day >= from)
            && self.to.is_none_or(|to| day <= to)
            && match &self.times {
                Times::Cron(cron) => cron.has_day(day),
                _ => true,
            }
    }

    /// The first time of a day that is after this one.
    fn first_of(&self, day: Date, after: i64) -> Option<i64> {
        let at = |time: Time| {
            let moment = self.zone.to_timestamp(day.to_datetime(time)).ok()?;
            Some(moment.as_millisecond())
        };
        let later = |time: &Time| at(*time).filter(|moment| *moment > after);
        match &self.times {
            Times::Daily(times) => times.iter().filter(|time| self.has_time(**time)).filter_map(later).min(),
            Times::At(date, time) => Some(*time).filter(|_| *date == day).as_ref().and_then(later),
            Times::Cron(cron) if cron.is_every_hour() && self.repeats_an_hour(day) => {
                let both = |time: Time| {
                    let moments = self.zone.to_ambiguous_timestamp(day.to_datetime(time));
                    [moments.earlier().ok(), moments.later().ok()]
                };
                let times = cron.times().filter(|time| self.has_time(*time));
                let moments = times.flat_map(both).flatten().map(|moment| moment.as_millisecond());
                moments.filter(|moment| *moment > after).min()
            }
            Times::Cron(cron) => {
                cron.times().filter(|time| self.has_time(*time)).find_map(|time| later(&time))
            }
            Times::Every(period) => {
                let period = i64::try_from(*period).ok()?;
                let end = self
                    .zone
                    .to_timestamp(day.checked_add(1.day()).ok()?.to_datetime(Time::midnight()))
                    .ok()?;
                let midnight = Time::midnight();
                let parts: [Option<(Time, Option<Time>)>; 2] = match self.between {
                    None => [Some((midnight, None)), None],
                    Some((from, to)) if from < to => [Some((from, Some(to))), None],
                    // Over midnight: the beginning of this day and its end.
                    Some((from, to)) => [Some((midnight, Some(to))), Some((from, None))],
                };
                parts.into_iter().flatten().find_map(|(from, to)| {
                    let first = at(from)?.max(after + 1);
                    let end = to.map_or(Some(end.as_millisecond()), at)?;
                    let due = (first + period - 1).div_euclid(period) * period;
                    (due < end).then_some(due)
                })
            }
        }
    }

    /// Whether the clock is set back on this day: what comes every hour comes in both.
    fn repeats_an_hour(&self, day: Date) -> bool {
        let begin = self.zone.to_timestamp(day.to_datetime(Time::midnight()));
        let end = day
            .checked_add(1.day())
            .and_then(|next| self.zone.to_timestamp(next.to_datetime(Time::midnight())));
        match (begin, end) {
            (Ok(begin), Ok(end)) => end.as_second() - begin.as_second() > 24 * 3600,
            _ => false,
        }
    }

    fn has_time(&self, time: Time) -> bool {
        match self.between {
            None => true,
            Some((from, to)) if from < to => (from..to).contains(&time),
            Some((from, to)) => time >= from || time < to,
        }
    }
}

#[cfg(test)]
mod tests;
