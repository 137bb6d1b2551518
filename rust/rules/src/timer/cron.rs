//! The fields of cron.

use jiff::civil::{Date, Time, time};

/// Minutes, hours, days, months and weekdays as bits; seconds if there are six fields.
#[derive(Debug, Clone)]
pub(super) struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Sunday is 0.
    weekdays: u64,
    /// Days and weekdays are both restricted: then either is enough.
    either: bool,
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// Reads five fields, or six with seconds first.
    pub(super) fn parse(fields: &[&str]) -> Result<Self, String> {
        let (seconds, rest) = match fields {
            [seconds, rest @ ..] if rest.len() == 5 => (*seconds, rest),
            rest if rest.len() == 5 => ("0", rest),
            _ => return Err(format!("cron has 5 fields, or 6 with seconds, not {}", fields.len())),
        };
        let days = field(rest[2], 1, 31, &[])?;
        let weekdays = field(rest[4], 0, 7, &WEEKDAYS)?;
        Ok(Self {
            seconds: field(seconds, 0, 59, &[])?,
            minutes: field(rest[0], 0, 59, &[])?,
            hours: field(rest[1], 0, 23, &[])?,
            days,
            months: field(rest[3], 1, 12, &MONTHS)?,
            // Sunday is 7 as well.
            weekdays: weekdays | weekdays >> 7 & 1,
            either: !rest[2].starts_with('*') && !rest[4].starts_with('*'),
        })
    }

    /// Whether it is due in each hour.
    pub(super) fn is_every_hour(&self) -> bool {
        self.hours == (1 << 24) - 1
    }

    pub(super) fn has_day(&self, day: Date) -> bool {
        let has = |bits: u64, number: i8| bits >> number & 1 == 1;
        let (in_month, in_week) =
            (has(self.days, day.day()), has(self.weekdays, day.weekday().to_sunday_zero_offset()));
        has(self.months, day.month()) && if self.either { in_month || in_week } else { in_month && in_week }
    }

    /// The times of a day, in their order.
    pub(super) fn times(&self) -> impl Iterator<Item = Time> + '_ {
        let hours = bits(self.hours);
        hours.flat_map(move |hour| {
            bits(self.minutes)
                .flat_map(move |minute| bits(self.seconds).map(move |second| time(hour, minute, second, 0)))
        })
    }
}

fn bits(all: u64) -> impl Iterator<Item = i8> {
    (0..60).filter(move |bit| all >> bit & 1 == 1)
}

/// The numbers of one field as bits: `*`, `5`, `1-5`, `*/15`, `mon,wed`.
fn field(text: &str, least: u32, most: u32, names: &[&str]) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no field of cron with numbers from {least} to {most}");
    let number = |word: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(word));
        let number = named.map(|at| at as u32 + least).or_else(|| word.parse().ok());
        number.filter(|number| (least..=most).contains(number))
    };
    let mut all = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0).ok_or_else(wrong)?),
            None => (part, 1),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((from, to))) => (number(from).ok_or_else(wrong)?, number(to).ok_or_else(wrong)?),
            (one, None) => {
                let one = number(one).ok_or_else(wrong)?;
                // `5/15` goes on from 5.
                (one, if step > 1 { most } else { one })
            }
        };
        if from > to {
            return Err(wrong());
        }
        for number in (from..=to).step_by(step) {
            all |= 1 << number;
        }
    }
    Ok(all)
}
