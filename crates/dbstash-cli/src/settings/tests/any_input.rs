//! Whatever somebody sets.

use std::fmt::Write as _;
use std::time::Duration;

use dbstash_core::schedule::Schedule;
use proptest::prelude::*;

use super::super::table::ALL;
use super::super::{connection_string, parse};
use super::{Case, SPELLED, case, good};

/// Texts that settings are made of, and noise.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "[ -~]{0,24}",
        "[0-9wdhms.-]{0,8}",
        "[0-9]{0,22}(KiB|MiB|GB|B|%|)?",
        "[0-9*/,?L#W-]{1,4}( [0-9*/,?L#W-]{1,4}){3,6}",
        "[\"' \\\\a-z=,-]{0,16}",
        "[a-z:,='/.-]{0,20}",
        "(postgresql|sqlite|file)://[a-z0-9@:/?#%&=.-]{0,24}",
        prop::sample::select(vec![
            "true", "NO", "1h30m", "0", "10MiB", "once", "@daily", "/x", "s3:b", "*", "a,b", "UTC"
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_settings() -> impl Strategy<Value = Vec<(usize, bool, String)>> {
    prop::collection::vec((0..ALL.len(), any::<bool>(), any_text()), 0..6)
}

fn set(base: Case, settings: Vec<(usize, bool, String)>) -> Case {
    settings.into_iter().fold(base, |case, (n, flag, text)| {
        // A variable cannot hold it.
        let text = text.replace('\0', "");
        if flag { case.flag(ALL[n].name, &text) } else { case.env(ALL[n].name, &text) }
    })
}

/// Milliseconds in the way people write them.
fn spelled(mut ms: u64) -> String {
    let mut text = String::new();
    for (unit, scale) in [
        ("w", 604_800_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ] {
        if ms >= scale {
            let _ = write!(text, "{}{unit}", ms / scale);
            ms %= scale;
        }
    }
    text
}

proptest! {
    #[test]
    fn no_setting_panics_or_tells_the_canary(settings in any_settings(), whole in any::<bool>()) {
        let base = if whole { good() } else { case(&[]) };
        // Looks for the canary in all that is shown.
        let _ = set(base, settings).resolve();
    }

    #[test]
    fn a_canary_anywhere_in_a_uri_is_not_told(
        before in "[a-z0-9@:/?#%&=.-]{0,12}", after in "[a-z0-9@:/?#%&=.-]{0,12}", settings in any_settings(),
    ) {
        let uri = format!("postgresql://u:{before}{SPELLED}{after}@h/d");
        let _ = set(case(&[("RCLONE_REMOTE", "s3:b")]), settings).env("DB_URI", &uri).resolve();
    }

    #[test]
    fn durations_are_what_they_say(ms in 0_u64..u64::MAX / 2) {
        let text = if ms == 0 { "0".to_owned() } else { spelled(ms) };
        prop_assert_eq!(parse::duration(&text), Ok(Duration::from_millis(ms)));
    }

    #[test]
    fn sizes_are_what_they_say(n in any::<u64>(), unit in prop::sample::select(vec![
        ("", 1), ("b", 1), ("kB", 1000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("gib", 1 << 30), (" TiB", 1_u64 << 40),
    ])) {
        let (unit, scale) = unit;
        prop_assert_eq!(parse::size(&format!("{n}{unit}")).ok(), n.checked_mul(scale));
    }

    #[test]
    fn a_boolean_is_one_of_eight_words(text in "\\PC{0,6}|(true|false|yes|no|on|off|0|1|y|t)", upper in any::<bool>()) {
        let text = if upper { text.to_uppercase() } else { text };
        let expected = match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        };
        prop_assert_eq!(parse::boolean(&text).ok(), expected);
    }

    #[test]
    fn shell_words_come_back(words in prop::collection::vec("\\PC{0,10}|[ '\"\\\\$`\n-]{0,6}", 0..6)) {
        prop_assert_eq!(parse::words(&shell_words::join(&words)), Ok(words));
    }

    #[test]
    fn percents_and_days_stay_within_bounds(text in "-?[0-9.]{0,12}%?|\\PC{0,6}") {
        prop_assert!(parse::percent(&text).is_ok_and(|share| share <= 100) || parse::percent(&text).is_err());
        if let Ok(days) = parse::days(&text) {
            prop_assert!(days.num_seconds() >= 0 && days.num_days() <= 1_000_000);
        }
    }

    #[test]
    fn any_schedule_is_refused_or_comes_soon_to_be_known(text in any_text(), at in 0_i64..4_000_000_000) {
        if let Ok(schedule) = text.parse::<Schedule>() {
            let now = chrono::DateTime::from_timestamp(at, 0).unwrap();
            let next = schedule.next_after(now, dbstash_core::zone::Zone::UTC);
            prop_assert!(next.is_none_or(|next| next > now));
        }
    }

    #[test]
    fn a_connection_string_tells_no_secret(
        name in "[a-z0-9:]{0,6}", key in "(pass|token|key|secret_access_key|sas_url|url|x)", quote in "['\"]?",
        before in "[a-z:,='\"/-]{0,4}", after in "[a-z:,='\"/-]{0,6}",
    ) {
        let text = format!("{name},{key}={quote}{before}c4n4ry{after}{quote}:bucket");
        match connection_string::root(&text) {
            Ok(_) => {}
            Err(error) => prop_assert!(!error.contains("c4n4ry"), "{text}: {error}"),
        }
    }
}
