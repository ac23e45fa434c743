//! Points in time as people write them.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use dbstash_core::zone::Zone;

use crate::settings::parse;

/// A point in time, as far as it can be known without a clock and a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// RFC 3339.
    At(DateTime<Utc>),
    /// A day, of whatever zone times are shown in.
    Day(NaiveDate),
    /// So long ago.
    Ago(TimeDelta),
}

impl Moment {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(at.to_utc()));
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::Day(day));
        }
        let ago = parse::duration(text).ok().and_then(|ago| TimeDelta::from_std(ago).ok());
        ago.map(Self::Ago).ok_or_else(|| {
            "accepted are 2026-02-07T02:00:00Z, 2026-02-07, or how long ago: 7d, 12h".to_owned()
        })
    }

    /// Its beginning: what is since then has this time, or a later one.
    pub fn begin(self, zone: Zone, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(at) => at,
            Self::Day(day) => midnight(day, zone),
            Self::Ago(ago) => now.checked_sub_signed(ago).unwrap_or(DateTime::<Utc>::MIN_UTC),
        }
    }

    /// Its last instant: what is until then has this time, or an earlier one. A day is meant with all its hours.
    pub fn end(self, zone: Zone, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Day(day) => match day.checked_add_days(Days::new(1)) {
                Some(next) => midnight(next, zone) - TimeDelta::nanoseconds(1),
                None => DateTime::<Utc>::MAX_UTC,
            },
            // A second, as lists show it, is meant with all its parts.
            Self::At(at) if at.timestamp_subsec_nanos() == 0 => {
                at + TimeDelta::nanoseconds(999_999_999)
            }
            other => other.begin(zone, now),
        }
    }
}

/// The first instant of a day: where clocks skip midnight, the one they skip to.
fn midnight(day: NaiveDate, zone: Zone) -> DateTime<Utc> {
    let start = day.and_time(NaiveTime::MIN);
    (0..24 * 60)
        .find_map(|minute| {
            let at = start.checked_add_signed(TimeDelta::minutes(minute))?;
            zone.from_local_datetime(&at).earliest()
        })
        .map_or_else(|| start.and_utc(), |at| at.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn each_form_is_read_and_nothing_else() {
        let read = |text| Moment::parse(text).unwrap();
        assert_eq!(read("2026-02-07T03:00:00+01:00"), Moment::At(utc("2026-02-07T02:00:00Z")));
        assert_eq!(read(" 2026-02-07 "), Moment::Day("2026-02-07".parse().unwrap()));
        assert_eq!(read("7d"), Moment::Ago(TimeDelta::days(7)));
        assert_eq!(read("1h30m"), Moment::Ago(TimeDelta::minutes(90)));
        for bad in ["", "yesterday", "2026-02-30", "07.02.2026", "7", "-7d", "2026-02-07T02:00:00"]
        {
            assert!(Moment::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_is_that_of_the_zone_from_its_beginning_to_its_end() {
        let now = utc("2026-06-01T12:00:00Z");
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let day = Moment::parse("2026-03-29").unwrap();
        assert_eq!(day.begin(berlin, now), utc("2026-03-28T23:00:00Z"));
        assert_eq!(day.end(berlin, now), utc("2026-03-29T21:59:59.999999999Z"));
        assert_eq!(day.begin(Zone::UTC, now), utc("2026-03-29T00:00:00Z"));
        // Clocks went from midnight to one.
        let beirut: Zone = "Asia/Beirut".parse().unwrap();
        let day = Moment::parse("2025-03-30").unwrap();
        assert_eq!(day.begin(beirut, now), utc("2025-03-29T22:00:00Z"));
        let ago = Moment::parse("2d").unwrap();
        assert_eq!(ago.begin(berlin, now), utc("2026-05-30T12:00:00Z"));
        assert_eq!(ago.end(berlin, now), ago.begin(berlin, now));
        let ages = Moment::parse("1000000000w").map(|ago| ago.begin(berlin, now));
        assert!(ages.is_err() || ages.is_ok_and(|at| at < now));
    }
}
