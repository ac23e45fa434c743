//! Against a clock that is looked at minute by minute, in zones with every sort of change.

use std::collections::BTreeSet;

use chrono::{Datelike as _, Timelike as _};
use proptest::prelude::*;

use super::*;
use crate::zone::zone;

/// A field: how it is written, and what it names.
type Field = (String, BTreeSet<u32>);

/// A cron expression, and what it means by a reading of our own.
#[derive(Debug, Clone)]
struct Written {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
}

impl Written {
    fn text(&self) -> String {
        [&self.minute, &self.hour, &self.day, &self.month, &self.weekday]
            .map(|(text, _)| text.as_str())
            .join(" ")
    }

    fn names(&self, wall: NaiveDateTime) -> bool {
        let day = self.day.1.contains(&wall.day());
        let number = wall.weekday().num_days_from_sunday();
        let weekday = self.weekday.1.iter().any(|named| named % 7 == number);
        let either = self.day.0 != "*" && self.weekday.0 != "*";
        self.minute.1.contains(&wall.minute())
            && self.hour.1.contains(&wall.hour())
            && self.month.1.contains(&wall.month())
            && if either { day || weekday } else { day && weekday }
    }

    /// All runs of these days, by the rule at the top of `schedule.rs`; whoever names no others may have looked at
    /// the clock at every so many minutes only.
    fn runs(&self, zone: Zone, from: DateTime<Utc>, days: i64, minutes: i64) -> Vec<DateTime<Utc>> {
        let keeps_pace = self.hour.1.len() == 24;
        let shown = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local();
        let step = TimeDelta::minutes(minutes);
        // What a change repeats has been shown within the last two days.
        let before =
            (1..=2 * 24 * 60 / minutes).map(|n| shown(from - TimeDelta::minutes(n * minutes)));
        let mut latest = before.max().unwrap();
        let mut runs = Vec::new();
        for n in 0..days * 24 * 60 / minutes {
            let at = from + TimeDelta::minutes(n * minutes);
            let wall = shown(at);
            // None of them when it is shown again, and those left out, too, after a gap.
            let mut new = Vec::new();
            while latest < wall {
                latest += step;
                new.push(latest);
            }
            let due = |walls: &[NaiveDateTime]| walls.iter().any(|wall| self.names(*wall));
            if due(if keeps_pace { std::slice::from_ref(&wall) } else { &new }) {
                runs.push(at);
            }
        }
        runs
    }
}

fn all(low: u32, high: u32) -> Field {
    ("*".to_owned(), (low..=high).collect())
}

fn one(n: u32) -> Field {
    (n.to_string(), BTreeSet::from([n]))
}

/// Numbers, ranges and steps of ranges, one or more of them.
fn list(low: u32, high: u32) -> impl Strategy<Value = Field> {
    let item = (low..=high, low..=high, 0..high).prop_map(|(a, b, step)| {
        let (a, b) = (a.min(b), a.max(b));
        match step {
            0 => one(a),
            1 => (format!("{a}-{b}"), (a..=b).collect()),
            _ => (format!("{a}-{b}/{step}"), (a..=b).step_by(step as usize).collect()),
        }
    });
    proptest::collection::vec(item, 1..4).prop_map(|items: Vec<Field>| {
        let texts: Vec<_> = items.iter().map(|(text, _)| text.clone()).collect();
        (texts.join(","), items.into_iter().flat_map(|(_, named)| named).collect())
    })
}

fn field(low: u32, high: u32) -> impl Strategy<Value = Field> {
    let step = (2..=high)
        .prop_map(move |step| (format!("*/{step}"), (low..=high).step_by(step as usize).collect()));
    prop_oneof![3 => Just(all(low, high)), 3 => list(low, high), 1 => step]
}

/// Mostly such as may run on any day: what comes on few is hardly ever near a change.
fn written() -> impl Strategy<Value = Written> {
    let (day, weekday) = (prop_oneof![3 => Just(all(1, 31)), 1 => field(1, 31)], field(0, 7));
    let weekday = prop_oneof![3 => Just(all(0, 7)), 1 => weekday];
    let month = prop_oneof![4 => Just(all(1, 12)), 1 => field(1, 12)];
    // Where changes are.
    let hour = prop_oneof![field(0, 23), list(0, 3)];
    (field(0, 59), hour, day, month, weekday).prop_map(|(minute, hour, day, month, weekday)| {
        Written { minute, hour, day, month, weekday }
    })
}

/// When the clocks of a zone are changed within a year, to the hour.
fn changes(zone: Zone, year: i32) -> Vec<DateTime<Utc>> {
    let begin = Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
    let lead = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() - at.naive_utc();
    let hours = (0..365 * 24).map(|hour| begin + TimeDelta::hours(hour));
    hours.filter(|&at| lead(at) != lead(at + TimeDelta::hours(1))).collect()
}

#[track_caller]
fn agree(written: &Written, zone: Zone, from: DateTime<Utc>, days: i64, minutes: i64) {
    let schedule: Schedule = written.text().parse().unwrap();
    let end = from + TimeDelta::days(days);
    let found = std::iter::successors(Some(from - TimeDelta::nanoseconds(1)), |at| {
        schedule.next_after(*at, zone).inspect(|next| assert!(next > at))
    });
    let found: Vec<_> = found.skip(1).take_while(|at| *at < end).collect();
    let expected = written.runs(zone, from, days, minutes);
    let show = |at: &DateTime<Utc>| at.with_timezone(&zone).format("%F %T %z").to_string();
    let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
    let told = || differs.map(|(found, expected)| (show(found), show(expected)));
    let counts = (found.len(), expected.len());
    assert!(found == expected, "{:?} in {zone}, {counts:?}: {:?}", written.text(), told());
}

/// Changes of an hour and of half of one, at night and at midnight, on both halves of the earth.
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Santiago",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Beirut",
    "Africa/Casablanca",
];

#[test]
fn a_year_of_nights() {
    let begin = Utc.with_ymd_and_hms(2025, 1, 1, 0, 0, 0).unwrap();
    for zone in ZONES.map(zone) {
        assert!(changes(zone, 2025).len() >= 2, "{zone}");
        for (minute, hour) in [(30, Some(2)), (0, Some(0)), (45, Some(1)), (15, None)] {
            let hour = hour.map_or(all(0, 23), one);
            let (day, month, weekday) = (all(1, 31), all(1, 12), all(0, 7));
            let nightly = Written { minute: one(minute), hour, day, month, weekday };
            agree(&nightly, zone, begin, 365, 15);
        }
    }
}

/// Of a rule that names one time a day, each day has one run, but for a day that is no day.
#[test]
fn every_day_has_its_run() {
    let schedule: Schedule = "30 2 * * *".parse().unwrap();
    for zone in ZONES.into_iter().chain(["Pacific/Apia"]).map(zone) {
        let begin = Utc.with_ymd_and_hms(2011, 1, 1, 12, 0, 0).unwrap();
        let runs = std::iter::successors(Some(begin), |at| schedule.next_after(*at, zone));
        let end = begin + TimeDelta::days(366);
        let days: Vec<_> = runs
            .skip(1)
            .take_while(|at| *at < end)
            .map(|at| at.with_timezone(&zone).date_naive())
            .collect();
        for pair in days.windows(2) {
            // Apia had no 30 December: its run is the first moment of the 31st, which has its own, too.
            let of_apia =
                zone.name() == "Pacific/Apia" && pair[0].month() == 12 && pair[0].day() >= 29;
            assert!(pair[0].succ_opt() == Some(pair[1]) || of_apia, "{zone}: {pair:?}");
        }
        assert!(days.len() >= 365, "{zone}: {}", days.len());
    }
}

/// Searched for through years, in every zone there is.
#[test]
fn what_comes_seldom_comes() {
    let schedule: Schedule = "59 59 23 29 2 *".parse().unwrap();
    let now = Utc.with_ymd_and_hms(2096, 3, 1, 12, 0, 0).unwrap();
    for zone in Zone::names().map(zone) {
        let wall = schedule.next_after(now, zone).unwrap().with_timezone(&zone).naive_local();
        assert_eq!(wall.to_string(), "2104-02-29 23:59:59", "{zone}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_is_the_first_minute_of_the_rule(
        written in written(), name in prop::sample::select(Zone::names().collect::<Vec<_>>()),
        year in 1975..2038, which in any::<prop::sample::Index>(),
    ) {
        let zone = zone(name);
        let changes = changes(zone, year);
        let somewhere = Utc.with_ymd_and_hms(year, 6, 15, 0, 0, 0).unwrap();
        let at = if changes.is_empty() { somewhere } else { changes[which.index(changes.len())] };
        agree(&written, zone, at - TimeDelta::hours(30), 3, 1);
    }

    /// From anywhere, not only from the run before.
    #[test]
    fn a_later_start_is_never_served_earlier(
        written in written(), name in prop::sample::select(&ZONES[..]), year in 2000..2037,
        which in any::<prop::sample::Index>(), starts in proptest::collection::vec(0..72 * 3600_i64, 2..6),
        nanos in 0..1_000_000_000_i64,
    ) {
        let zone = zone(name);
        let changes = changes(zone, year);
        prop_assume!(!changes.is_empty());
        let from = changes[which.index(changes.len())] - TimeDelta::hours(36);
        let schedule: Schedule = written.text().parse().unwrap();
        let runs = written.runs(zone, from, 4, 1);
        for start in starts {
            let now = from + TimeDelta::seconds(start) + TimeDelta::nanoseconds(nanos);
            let next = schedule.next_after(now, zone).unwrap();
            prop_assert!(next > now);
            let expected = runs.iter().find(|run| **run > now);
            prop_assert_eq!(
                Some(&next).filter(|next| **next < from + TimeDelta::days(4)), expected, "{}", now
            );
        }
    }
}
