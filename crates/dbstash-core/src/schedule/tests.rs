use proptest::prelude::*;

use super::*;
use crate::zone::zone;

fn schedule(text: &str) -> Schedule {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn utc(text: &str) -> DateTime<Utc> {
    format!("{text}Z").parse().unwrap()
}

/// The next `n` moments after `from`, shown in the zone.
fn runs(text: &str, from: &str, zone: Zone, n: usize) -> Vec<String> {
    let schedule = schedule(text);
    std::iter::successors(Some(utc(from)), |at| schedule.next_after(*at, zone))
        .skip(1)
        .take(n)
        .map(|at| at.with_timezone(&zone).format("%a %m-%d %H:%M:%S %Z").to_string())
        .collect()
}

fn next(text: &str) -> String {
    // A Saturday.
    runs(text, "2026-02-07T02:00:00", Zone::UTC, 1).remove(0)
}

#[test]
fn every_form() {
    for (text, at) in [
        ("0 2 * * *", "Sun 02-08 02:00:00 UTC"),
        ("30 2 * * *", "Sat 02-07 02:30:00 UTC"),
        ("*/15 * * * *", "Sat 02-07 02:15:00 UTC"),
        ("15 30 2 * * *", "Sat 02-07 02:30:15 UTC"),
        ("*/10 * * * * *", "Sat 02-07 02:00:10 UTC"),
        ("0 4-6 * * *", "Sat 02-07 04:00:00 UTC"),
        ("0 0-23/5 * * *", "Sat 02-07 05:00:00 UTC"),
        ("5,10 9,8 * * *", "Sat 02-07 08:05:00 UTC"),
        ("0 2 * mar *", "Sun 03-01 02:00:00 UTC"),
        ("0 2 * Jan-Mar MON-fri", "Mon 02-09 02:00:00 UTC"),
        ("10-40/15 2 * * *", "Sat 02-07 02:10:00 UTC"),
        ("0 1,3-4,20-23/2 * * *", "Sat 02-07 03:00:00 UTC"),
        ("0 2 * * mon,WED", "Mon 02-09 02:00:00 UTC"),
        ("0 2 * * 5-7", "Sun 02-08 02:00:00 UTC"),
        ("0 2 * * 1-5", "Mon 02-09 02:00:00 UTC"),
        ("0 2 * * */2", "Sun 02-08 02:00:00 UTC"),
        ("0 2 */10 * *", "Wed 02-11 02:00:00 UTC"),
        ("0 2 1 jan,dec *", "Tue 12-01 02:00:00 UTC"),
        ("0-30/10 30 2 * * sat", "Sat 02-07 02:30:00 UTC"),
        ("\t0  2\t* * * ", "Sun 02-08 02:00:00 UTC"),
        ("0 2 29 2 *", "Tue 02-29 02:00:00 UTC"),
        ("0 2 L * *", "Sat 02-28 02:00:00 UTC"),
        ("@hourly", "Sat 02-07 03:00:00 UTC"),
        ("@daily", "Sun 02-08 00:00:00 UTC"),
        ("@Midnight", "Sun 02-08 00:00:00 UTC"),
        ("@weekly", "Sun 02-08 00:00:00 UTC"),
        ("@monthly", "Sun 03-01 00:00:00 UTC"),
        ("@yearly", "Fri 01-01 00:00:00 UTC"),
        ("@annually", "Fri 01-01 00:00:00 UTC"),
    ] {
        assert_eq!(next(text), at, "{text}");
    }
    assert_eq!(schedule(" Once "), Schedule::Once);
    assert_eq!(schedule("once").next_after(Utc::now(), Zone::UTC), None);
    let every = Schedule::Every(Duration::from_secs(90));
    assert_eq!(
        every.next_after(utc("2026-02-07T02:00:00"), Zone::UTC),
        Some(utc("2026-02-07T02:01:30"))
    );
}

#[test]
fn sunday_is_0_and_7() {
    assert_eq!(next("0 2 * * 0"), next("0 2 * * 7"));
    assert_eq!(next("0 2 * * 7"), next("0 2 * * sun"));
}

#[test]
fn day_of_month_or_day_of_week() {
    assert_eq!(
        runs("0 0 13 * fri", "2026-02-01T00:00:00", Zone::UTC, 3),
        ["Fri 02-06 00:00:00 UTC", "Fri 02-13 00:00:00 UTC", "Fri 02-20 00:00:00 UTC"]
    );
    assert_eq!(
        runs("0 0 10 * fri", "2026-02-06T00:00:00", Zone::UTC, 2),
        ["Tue 02-10 00:00:00 UTC", "Fri 02-13 00:00:00 UTC"]
    );
}

#[test]
fn the_zone_decides() {
    assert_eq!(
        runs("0 2 * * *", "2026-02-07T02:00:00", zone("Asia/Kolkata"), 1),
        ["Sun 02-08 02:00:00 IST"]
    );
}

#[test]
fn a_time_left_out_runs_right_after_the_gap_and_once() {
    // Berlin, 29 March 2026: 02:00 to 03:00 does not exist.
    for (text, expected) in [
        ("30 2 * * *", vec!["Sun 03-29 03:00:00 CEST", "Mon 03-30 02:30:00 CEST"]),
        ("0,20,40 2 * * *", vec!["Sun 03-29 03:00:00 CEST", "Mon 03-30 02:00:00 CEST"]),
        ("0 2,14 * * *", vec!["Sun 03-29 03:00:00 CEST", "Sun 03-29 14:00:00 CEST"]),
        ("0 2,3 * * *", vec!["Sun 03-29 03:00:00 CEST", "Mon 03-30 02:00:00 CEST"]),
    ] {
        assert_eq!(runs(text, "2026-03-28T20:00:00", zone("Europe/Berlin"), 2), expected, "{text}");
    }
    // Each second of it is left out, and still it is one run.
    assert_eq!(
        runs("*/20 30 2 * * *", "2026-03-29T00:00:00", zone("Europe/Berlin"), 2),
        ["Sun 03-29 03:00:00 CEST", "Mon 03-30 02:30:00 CEST"]
    );
    // Half an hour on Lord Howe: 02:00 to 02:30.
    assert_eq!(
        runs("15 2 * * *", "2026-10-03T00:00:00", zone("Australia/Lord_Howe"), 2),
        ["Sun 10-04 02:30:00 +11", "Mon 10-05 02:15:00 +11"]
    );
    // Midnight in Beirut.
    assert_eq!(
        runs("@daily", "2026-03-28T10:00:00", zone("Asia/Beirut"), 2),
        ["Sun 03-29 01:00:00 EEST", "Mon 03-30 00:00:00 EEST"]
    );
    // Apia left out the whole of 30 December 2011.
    assert_eq!(
        runs("0 2 * * *", "2011-12-29T14:00:00", zone("Pacific/Apia"), 2),
        ["Sat 12-31 00:00:00 +14", "Sat 12-31 02:00:00 +14"]
    );
}

#[test]
fn a_repeated_time_runs_once() {
    // Berlin, 25 October 2026: 02:00 to 03:00 comes twice.
    assert_eq!(
        runs("30 2 * * *", "2026-10-24T20:00:00", zone("Europe/Berlin"), 2),
        ["Sun 10-25 02:30:00 CEST", "Mon 10-26 02:30:00 CET"]
    );
    // A start within the second 02:00 to 03:00 does not run it again.
    assert_eq!(
        runs("30 2 * * *", "2026-10-25T01:10:00", zone("Europe/Berlin"), 1),
        ["Mon 10-26 02:30:00 CET"]
    );
}

#[test]
fn every_hour_keeps_its_pace() {
    assert_eq!(
        runs("30 * * * *", "2026-03-29T00:00:00", zone("Europe/Berlin"), 2),
        ["Sun 03-29 01:30:00 CET", "Sun 03-29 03:30:00 CEST"]
    );
    assert_eq!(
        runs("30 * * * *", "2026-10-25T00:00:00", zone("Europe/Berlin"), 3),
        ["Sun 10-25 02:30:00 CEST", "Sun 10-25 02:30:00 CET", "Sun 10-25 03:30:00 CET"]
    );
}

#[test]
fn mistakes_are_named() {
    for (text, part) in [
        ("", "has 0"),
        ("* * *", "has 3"),
        ("0 0 2 * * * *", "has 7"),
        ("60 * * * *", "minute field '60' is not one of 0-59"),
        ("* 24 * * *", "hour field '24'"),
        ("* * 0 * *", "day-of-month field '0'"),
        ("* * * 13 *", "month field '13' is not one of 1-12, jan-dec"),
        ("* * * * 8", "day-of-week field '8'"),
        ("61 * * * * *", "second field '61'"),
        ("mon 2 * * *", "minute field 'mon'"),
        ("5- 2 * * *", "minute field '5-'"),
        ("9-5 2 * * *", "minute field '9-5'"),
        ("*/0 2 * * *", "minute field '*/0'"),
        ("5/20 2 * * *", "minute field '5/20'"),
        ("1,,2 2 * * *", "minute field '1,,2'"),
        (", 2 * * *", "minute field ','"),
        ("0 0 30 2 *", "never comes"),
        ("@reboot", "@reboot is unknown"),
        ("twice", "has 1"),
    ] {
        let error = text.parse::<Schedule>().unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
}

fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        3 => (low..=high).prop_map(|n| n.to_string()),
        2 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (1..=high).prop_map(|n| format!("*/{n}")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn next_is_later_and_matches(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 28), month in field(1, 12),
        weekday in field(0, 7), at in 1_600_000_000_i64..2_000_000_000,
        nanos in 0_u32..1_000_000_000,
        zone in prop::sample::select(vec![Zone::UTC, zone("Europe/Berlin"), zone("America/New_York"),
            zone("Australia/Lord_Howe"), zone("Asia/Kolkata"), zone("America/Santiago")]),
    ) {
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let now = DateTime::from_timestamp(at, nanos).unwrap();
        let next = schedule(&text).next_after(now, zone).unwrap();
        prop_assert!(next > now);
        let wall = next.with_timezone(&zone).naive_local();
        let after_a_gap = {
            let before = (next - TimeDelta::seconds(1)).with_timezone(&zone).naive_local();
            wall - before > TimeDelta::seconds(1)
        };
        let pattern = parse(&format!("0 {text}")).unwrap();
        if zone == Zone::UTC {
            let missed = (1..next.timestamp() / 60 - at / 60).take(3000).find(|minute| {
                let at = DateTime::from_timestamp((at / 60 + minute) * 60, 0).unwrap();
                pattern.is_time_matching(&at).unwrap()
            });
            prop_assert_eq!(missed, None);
        }
        let matches = pattern.is_time_matching(&wall.and_utc()).unwrap();
        prop_assert!(after_a_gap || matches, "{text}: {wall}");
    }

    #[test]
    fn parsing_never_panics(text in "[0-9*/,@a-zA-Z#+? -]{0,24}") {
        let _ = text.parse::<Schedule>();
    }
}
