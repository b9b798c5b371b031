//! When a schedule is due. Pure: `now` is an argument.
//!
//! As cron does it: a schedule whose hour is a star goes by the time that passes, so that it is due as often on a day whose
//! clock is put forward or back as on any other. One that names its hours goes by the clock on the wall: a time that the clock
//! leaps over comes as much later as it leaps, and one that it shows twice is due the first time alone.

use app::model::Timestamp;
use cronexpr::{Crontab, MakeTimestamp, parse_crontab};
use jiff::{ToSpan as _, tz::TimeZone};

/// A schedule is looked for four years at a time, this often, before it is said that it never comes: a weekday of the 29th of
/// February comes back within 40 years.
const LOOKS: i64 = 13;
/// So many years further on each time: less than four, since the same day four years on may be another.
const FURTHER: i64 = 3;
/// No clock leaps further than this.
const LONGEST_LEAP_HOURS: i64 = 3;

/// A schedule: five fields of cron in a time zone.
#[derive(Clone, Debug)]
pub struct Cron {
    fields: Crontab,
    zone: TimeZone,
    /// Whether it names hours.
    by_the_clock: bool,
}

/// What becomes of a schedule now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its time has not come.
    Wait,
    /// Its time has come, perhaps several of them: it runs once, and next then.
    Run(Timestamp),
    /// The clock was put back since it was decided: it is due then, and not as late as it says.
    Earlier(Timestamp),
}

/// Whether this names a time zone.
pub fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

impl Cron {
    /// Reads five fields and the name of a time zone. None: they are none.
    pub fn new(fields: &str, zone: &str) -> Option<Self> {
        let by_the_clock = !fields.split_whitespace().nth(1)?.starts_with('*');
        let zone = TimeZone::get(zone).ok()?;
        // What goes by the clock is worked out as if every day had 24 hours.
        let read_in = if by_the_clock { "UTC" } else { zone.iana_name()? };
        Some(Self { fields: parse_crontab(&format!("{fields} {read_in}")).ok()?, zone, by_the_clock })
    }

    /// When it is due next after this time. None: never.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_millisecond(after.0).ok()?;
        let next = if self.by_the_clock { self.by_the_clock(after)? } else { self.found(after)? };
        Some(Timestamp(next.as_millisecond()))
    }

    /// The first time after this one that the fields fit.
    fn found(&self, after: jiff::Timestamp) -> Option<jiff::Timestamp> {
        (0..LOOKS).find_map(|look| {
            let from = after.to_zoned(TimeZone::UTC).checked_add((look * FURTHER).years()).ok()?;
            Some(self.fields.find_next(MakeTimestamp(from.timestamp())).ok()?.timestamp())
        })
    }

    /// The same by the clock on the wall: among the times it shows, in its order, the first that comes after this one.
    fn by_the_clock(&self, after: jiff::Timestamp) -> Option<jiff::Timestamp> {
        let shown = |time: jiff::Timestamp| Some(time.to_zoned(self.zone.clone()).datetime().to_zoned(TimeZone::UTC).ok()?.timestamp());
        // One that was leapt over comes after others that the clock shows later.
        let mut at = shown(after)?.checked_sub(LONGEST_LEAP_HOURS.hours()).ok()?;
        let mut best: Option<jiff::Timestamp> = None;
        loop {
            at = self.found(at)?;
            if let Some(best) = best
                && shown(best)? <= at
            {
                return Some(best);
            }
            let comes = self.zone.to_timestamp(at.to_zoned(TimeZone::UTC).datetime()).ok()?;
            if comes > after && best.is_none_or(|best| comes < best) {
                best = Some(comes);
            }
        }
    }

    /// What becomes of it now, where it was decided that it is due at this time. None: it never comes any more.
    pub fn decide(&self, due: Timestamp, now: Timestamp) -> Option<Due> {
        let next = self.next(now)?;
        if due <= now {
            return Some(Due::Run(next));
        }
        // A clock that was put back a little must not have it run again: only what is later than the time after next is odd.
        let odd = self.next(next).is_some_and(|after| due > after);
        Some(if odd { Due::Earlier(next) } else { Due::Wait })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    #[rustfmt::skip]
    fn when_a_schedule_is_due_next() {
        // Fields, zone, after, and the times that follow, as the clock there shows them.
        let cases: &[(&str, &str, &str, &[&str])] = &[
            ("0 3 * * *", "UTC", "2026-05-01T02:59:59.999Z", &["2026-05-01T03:00:00+00:00", "2026-05-02T03:00:00+00:00"]),
            ("0 3 * * *", "UTC", "2026-05-01T03:00:00Z", &["2026-05-02T03:00:00+00:00"]),
            ("0 3 * * *", "UTC", "2026-05-01T03:00:00.001Z", &["2026-05-02T03:00:00+00:00"]),
            ("0 3 * * *", "Asia/Seoul", "2026-05-01T17:59:00Z", &["2026-05-02T03:00:00+09:00", "2026-05-03T03:00:00+09:00"]),
            ("*/15 * * * *", "Asia/Kathmandu", "2026-05-01T00:01:00Z", &["2026-05-01T06:00:00+05:45", "2026-05-01T06:15:00+05:45"]),
            ("30 4 1,15 * *", "UTC", "2026-02-15T04:30:00Z", &["2026-03-01T04:30:00+00:00", "2026-03-15T04:30:00+00:00"]),
            ("0 9 * * 1-5", "Europe/Berlin", "2026-05-01T12:00:00Z", &["2026-05-04T09:00:00+02:00"]),
            ("0 9 * * 7", "UTC", "2026-05-01T12:00:00Z", &["2026-05-03T09:00:00+00:00", "2026-05-10T09:00:00+00:00"]),
            ("0 0 31 12 *", "Pacific/Auckland", "2026-12-31T00:00:00Z", &["2027-12-31T00:00:00+13:00"]),
            // The 29th of February, also over a century without one, and on a weekday.
            ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", &["2028-02-29T00:00:00+00:00", "2032-02-29T00:00:00+00:00"]),
            ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00+00:00"]),
            ("0 * 29 2 *", "Asia/Seoul", "2096-03-01T00:00:00Z", &["2104-02-29T00:00:00+09:00", "2104-02-29T01:00:00+09:00"]),
            // The clock is put forward: 2:30 is not shown.
            ("30 2 * * *", "America/New_York", "2026-03-07T08:00:00Z", &["2026-03-08T03:30:00-04:00", "2026-03-09T02:30:00-04:00"]),
            ("30 2 * * *", "America/New_York", "2026-03-08T07:10:00Z", &["2026-03-08T03:30:00-04:00"]),
            ("30 2 * * *", "America/New_York", "2026-03-08T07:30:00Z", &["2026-03-09T02:30:00-04:00"]),
            ("30 2,3 * * *", "America/New_York", "2026-03-08T06:00:00Z", &["2026-03-08T03:30:00-04:00", "2026-03-09T02:30:00-04:00"]),
            ("15,45 2,3 * * *", "America/New_York", "2026-03-08T06:59:00Z", &["2026-03-08T03:15:00-04:00", "2026-03-08T03:45:00-04:00", "2026-03-09T02:15:00-04:00"]),
            ("5,31 2 * * *", "Australia/Lord_Howe", "2026-10-03T15:00:00Z", &["2026-10-04T02:31:00+11:00", "2026-10-04T02:35:00+11:00", "2026-10-05T02:05:00+11:00"]),
            ("30 * * * *", "America/New_York", "2026-03-08T06:00:00Z", &["2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00", "2026-03-08T04:30:00-04:00"]),
            ("0 0 * * *", "America/Santiago", "2026-09-05T12:00:00Z", &["2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"]),
            // The clock is put back: 1:30 is shown twice.
            ("30 1 * * *", "America/New_York", "2026-11-01T04:00:00Z", &["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]),
            ("30 1 * * *", "America/New_York", "2026-11-01T06:10:00Z", &["2026-11-02T01:30:00-05:00"]),
            ("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z", &["2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-01T02:30:00-05:00"]),
            ("*/20 1-2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", &["2026-10-25T02:40:00+02:00", "2026-10-26T01:00:00+01:00"]),
        ];
        let mut wrong = Vec::new();
        for (fields, zone, after, expected) in cases {
            let cron = Cron::new(fields, zone).unwrap_or_else(|| panic!("{fields} {zone}"));
            let mut time = at(after);
            for expected in *expected {
                let next = cron.next(time).unwrap();
                let shown = jiff::Timestamp::from_millisecond(next.0).unwrap().to_zoned(TimeZone::get(zone).unwrap());
                let shown = shown.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
                if shown != *expected {
                    wrong.push(format!("{fields} in {zone} after {time}: {shown}, and not {expected}"));
                }
                time = next;
            }
        }
        println!("proof  schedules: {} cases in {} time zones, {} wrong", cases.len(), 10, wrong.len());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// Around every change of a clock, whenever it is asked: each is later than the one before, and none is left out.
    #[test]
    fn time_goes_on_over_every_change_of_a_clock() {
        const MINUTE: i64 = 60_000;
        let begin: jiff::Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut changes = 0;
        for zone in ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Santiago"] {
            for change in TimeZone::get(zone).unwrap().following(begin).take(2) {
                changes += 1;
                for fields in ["30 2 * * *", "0 0 * * *", "15,45 1-3 * * *", "7 * * * *"] {
                    let cron = Cron::new(fields, zone).unwrap();
                    let change = change.timestamp().as_millisecond();
                    let mut followed = cron.next(Timestamp(change - 361 * MINUTE)).unwrap();
                    for now in (-360..360).step_by(13).map(|minutes| Timestamp(change + minutes * MINUTE)) {
                        let next = cron.next(now).unwrap();
                        assert!(next > now && next >= followed, "{fields} {zone}: {next} after {now}");
                        let expected = if now < followed { followed } else { cron.next(followed).unwrap() };
                        assert_eq!(next, expected, "{fields} {zone}: after {now}");
                        followed = next;
                    }
                }
            }
        }
        println!("proof  schedules: {changes} changes of a clock, asked every 13 minutes around them: 0 left out, 0 twice");
    }

    #[test]
    fn what_is_no_schedule_and_what_never_comes() {
        for (fields, zone) in [("", "UTC"), ("0 3", "UTC"), ("61 3 * * *", "UTC"), ("0 3 * * *", "Nowhere/City"), ("0 9-3 * * *", "UTC")] {
            assert!(Cron::new(fields, zone).is_none(), "{fields} {zone}");
        }
        assert_eq!(Cron::new("0 0 30 2 *", "UTC").unwrap().next(Timestamp(0)), None);
        assert!(is_zone("Asia/Seoul") && is_zone("UTC") && !is_zone("Asia/Soul"));
    }

    #[test]
    fn what_becomes_of_a_schedule_now() {
        let daily = Cron::new("0 3 * * *", "UTC").unwrap();
        let (today, tomorrow) = (at("2026-05-02T03:00:00Z"), at("2026-05-03T03:00:00Z"));
        let cases = [
            ("its time has not come", tomorrow, "2026-05-02T12:00:00Z", Due::Wait),
            ("it has just come", today, "2026-05-02T03:00:00Z", Due::Run(tomorrow)),
            ("Berth was away for a month: once", at("2026-04-01T03:00:00Z"), "2026-05-02T12:00:00Z", Due::Run(tomorrow)),
            ("the clock was put forward by days: once", today, "2026-05-09T12:00:00Z", Due::Run(at("2026-05-10T03:00:00Z"))),
            ("it ran, and the clock was put back a little", tomorrow, "2026-05-02T02:59:50Z", Due::Wait),
            ("the clock had been years ahead", at("2031-05-02T03:00:00Z"), "2026-05-02T12:00:00Z", Due::Earlier(tomorrow)),
        ];
        for (case, due, now, expected) in cases {
            assert_eq!(daily.decide(due, at(now)), Some(expected), "{case}");
        }
        println!("proof  schedules: {} cases of a clock and a downtime, each runs once at most", cases.len());
    }
}
