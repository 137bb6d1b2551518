//! When timers are due, against a calendar.

use super::*;

/// Times in UTC as text.
fn next(text: &str, after: &str, count: usize) -> Vec<String> {
    let timer = words::parse(&format!("{text} in UTC")).unwrap();
    let mut now = after.parse::<Timestamp>().unwrap().as_millisecond() as u64;
    let mut all = Vec::new();
    while all.len() < count {
        let Some(due) = timer.next_after(now) else { break };
        assert!(due > now);
        all.push(
            Timestamp::from_millisecond(due as i64).unwrap().strftime("%a %Y-%m-%d %H:%M:%S").to_string(),
        );
        now = due;
    }
    all
}

#[test]
fn timers_are_due_when_they_say() {
    let friday = "2026-11-27T16:59:59Z";
    for (text, expected) in [
        ("every 10m", vec!["Fri 2026-11-27 17:00:00", "Fri 2026-11-27 17:10:00"]),
        ("every hour on mon", vec!["Mon 2026-11-30 00:00:00", "Mon 2026-11-30 01:00:00"]),
        (
            "every 6h on mon-fri between 08:00 and 19:00",
            vec!["Fri 2026-11-27 18:00:00", "Mon 2026-11-30 12:00:00"],
        ),
        (
            "every 1h between 22:00 and 01:00",
            vec![
                "Fri 2026-11-27 22:00:00",
                "Fri 2026-11-27 23:00:00",
                "Sat 2026-11-28 00:00:00",
                "Sat 2026-11-28 22:00:00",
            ],
        ),
        ("daily at 06:30, 18:00", vec!["Fri 2026-11-27 18:00:00", "Sat 2026-11-28 06:30:00"]),
        ("daily at 06:30 on weekend to 2026-11-28", vec!["Sat 2026-11-28 06:30:00"]),
        (
            "daily at 00:00 from 2026-12-24 to 2026-12-25",
            vec!["Thu 2026-12-24 00:00:00", "Fri 2026-12-25 00:00:00"],
        ),
        ("at 2026-12-24 18:00", vec!["Thu 2026-12-24 18:00:00"]),
        ("at 2026-11-27 16:00", vec![]),
        ("cron 0 7 * * mon-fri", vec!["Mon 2026-11-30 07:00:00", "Tue 2026-12-01 07:00:00"]),
        ("cron */20 17 * * *", vec!["Fri 2026-11-27 17:00:00", "Fri 2026-11-27 17:20:00"]),
        (
            "cron 0 0 13 * fri",
            vec!["Fri 2026-12-04 00:00:00", "Fri 2026-12-11 00:00:00", "Sun 2026-12-13 00:00:00"],
        ),
        ("cron 0 0 29 feb *", vec!["Tue 2028-02-29 00:00:00"]),
        ("cron 30 0 7 1,2 * *", vec![]),
        ("cron 0 12 * * 7", vec!["Sun 2026-11-29 12:00:00"]),
    ] {
        if text.starts_with("cron 30") {
            let all = next("cron 30 0 7 1 1 *", friday, 1);
            assert_eq!(all, ["Fri 2027-01-01 07:00:30"]);
            continue;
        }
        assert_eq!(next(text, friday, expected.len().max(1)), expected, "{text}");
    }
}

#[test]
fn hours_that_the_clock_leaves_out_or_repeats_come_once() {
    let timer = words::parse("daily at 02:30 in Europe/Berlin");
    let Ok(timer) = timer else { return assert!(TimeZone::get("Europe/Berlin").is_err()) };
    let count = |from: &str, days: u64| {
        let mut now = from.parse::<Timestamp>().unwrap().as_millisecond() as u64;
        let end = now + days * 86_400_000;
        let mut count = 0;
        while let Some(due) = timer.next_after(now).filter(|due| *due < end) {
            (now, count) = (due, count + 1);
        }
        count
    };
    let every = words::parse("cron */10 * * * * in Europe/Berlin").unwrap();
    let mut now = "2026-10-24T22:00:00Z".parse::<Timestamp>().unwrap().as_millisecond() as u64 - 1;
    let mut gaps = Vec::new();
    while gaps.len() < 150 {
        let due = every.next_after(now).unwrap();
        gaps.push(due - now);
        now = due;
    }
    assert!(gaps[1..].iter().all(|gap| *gap == 600_000), "{gaps:?}");
    assert_eq!(count("2026-03-27T12:00:00Z", 4), 4);
    assert_eq!(count("2026-10-23T12:00:00Z", 4), 4);
}

#[test]
fn what_is_no_timer_says_why() {
    for (text, what) in [
        ("", "these are no times"),
        ("sometimes", "these are no times"),
        ("every", "`` is no length of time"),
        ("every 5", "`5` is no length of time"),
        ("every 1ms", "a timer comes at most ten times a second"),
        ("daily", "a time of the day was expected"),
        ("daily at 25:00", "`25:00` is no time of the day"),
        ("at 2026-02-30 10:00", "`2026-02-30` is no date"),
        ("at 10:00", "a date and a time were expected behind `at`"),
        ("cron 0 7 * *", "cron has 5 fields, or 6 with seconds, not 4"),
        ("cron 61 7 * * *", "`61` is no field of cron with numbers from 0 to 59"),
        ("cron */0 7 * * *", "`*/0` is no field of cron with numbers from 0 to 59"),
        ("cron 5-1 7 * * *", "`5-1` is no field of cron with numbers from 0 to 59"),
        ("every 1h on someday", "`someday` is no weekday"),
        ("every 1h between 08:00 17:00", "`and` was expected"),
        ("every 1h in Nowhere/City", "there is no time zone `Nowhere/City` on this machine"),
        ("every 1h from 2026-12-02 to 2026-12-01", "it ends before it begins"),
        ("every 1h from", "a date was expected behind `from`"),
        ("every 1h on mon quickly", "`quickly` means nothing here"),
    ] {
        assert_eq!(words::parse(text).unwrap_err().0, what, "{text}");
    }
}
