//! What the texts of settings mean. Errors say what is accepted and never repeat the text.

use std::time::Duration;

use glob::Pattern;

use chrono::TimeDelta;
use dbstash_core::zone::Zone;

use super::nearest::nearest;

/// `true`, `yes`, `on`, `1` and their opposites, in any case.
pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("accepted are true, false, yes, no, on, off, 1, 0".to_owned()),
    }
}

const DURATIONS: &str = "accepted are durations such as 90s, 5m, 1h30m, 7d, 1w, 500ms, and 0";

const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 24 * 3600 * 1000),
    ("d", 24 * 3600 * 1000),
    ("h", 3600 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// `1h30m` and the like: whole numbers with units, the larger units first. A plain `0` is zero.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) && text.parse() != Ok(0_u64) {
        return Err(format!("a unit is missing; {DURATIONS}"));
    }
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    milliseconds(text).map(Duration::from_millis).ok_or_else(|| DURATIONS.to_owned())
}

fn milliseconds(text: &str) -> Option<u64> {
    let mut units = UNITS.iter();
    let (mut rest, mut total) = (text, 0_u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        // Only the units below the last one are left.
        let (_, scale) = units.by_ref().find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*scale)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

/// Bytes: `512`, `10MiB` (powers of 1024), `1GB` (powers of 1000).
pub(super) fn size(text: &str) -> Result<u64, String> {
    const ACCEPTED: &str = "accepted are bytes such as 512, 64KiB, 10MiB, 1GB";
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1000),
        "mb" => Some(1000_u64.pow(2)),
        "gb" => Some(1000_u64.pow(3)),
        "tb" => Some(1000_u64.pow(4)),
        "kib" => Some(1024),
        "mib" => Some(1024_u64.pow(2)),
        "gib" => Some(1024_u64.pow(3)),
        "tib" => Some(1024_u64.pow(4)),
        _ => None,
    };
    number
        .parse::<u64>()
        .ok()
        .zip(scale)
        .and_then(|(number, scale)| number.checked_mul(scale))
        .ok_or_else(|| ACCEPTED.to_owned())
}

/// A whole number, 0 or more.
pub(super) fn count(text: &str) -> Result<usize, String> {
    text.trim().parse().map_err(|_| "accepted are whole numbers, 0 or more".to_owned())
}

/// A port of a server.
pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.trim().parse() {
        Ok(port @ 1..) => Ok(port),
        _ if text.starts_with("tcp://") => {
            Err("accepted are numbers from 1 to 65535; this is what Kubernetes sets for a service \
             named db: set enableServiceLinks: false in the pod"
                .to_owned())
        }
        _ => Err("accepted are numbers from 1 to 65535".to_owned()),
    }
}

/// Days, whole or decimal.
pub(super) fn days(text: &str) -> Result<TimeDelta, String> {
    const ACCEPTED: &str = "accepted are days, whole or decimal, such as 30 or 0.5";
    const MOST: f64 = 1e6;
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let Some(days) = text.parse::<f64>().ok().filter(|_| plain) else {
        return Err(ACCEPTED.to_owned());
    };
    if days > MOST {
        return Err(format!("at most 1000000; {ACCEPTED}"));
    }
    // Rounded up: a limit that was set must not become the 0 that stands for none.
    #[expect(clippy::cast_possible_truncation, reason = "below a million days")]
    Ok(TimeDelta::seconds((days * 86_400.0).ceil() as i64))
}

/// Words as a shell would split them; nothing is expanded.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    shell_words::split(text)
        .map_err(|_| "a quote is not closed; accepted are words quoted as for a shell".to_owned())
}

/// A zone of the IANA data base.
pub(super) fn zone(text: &str) -> Result<Zone, String> {
    let text = text.trim();
    text.parse().map_err(|_| {
        let hint = nearest_zone(text).map_or(String::new(), |z| format!("; did you mean {z}?"));
        format!("accepted are IANA time zones such as UTC or Europe/Berlin{hint}")
    })
}

fn nearest_zone(text: &str) -> Option<&'static str> {
    let city = |name: &'static str| name.rsplit('/').next().unwrap_or(name);
    let text = text.replace(' ', "_");
    nearest(&text, Zone::names()).or_else(|| {
        let near = nearest(&text, Zone::names().map(city))?;
        Zone::names().find(|z| city(z) == near)
    })
}

/// One of these words, in any case.
pub(super) fn one_of(text: &str, words: &'static [&'static str]) -> Result<&'static str, String> {
    let text = text.trim();
    let found = words.iter().find(|word| word.eq_ignore_ascii_case(text));
    found.copied().ok_or_else(|| {
        let hint = nearest(text, words.iter().copied());
        let hint = hint.map_or(String::new(), |word| format!("; did you mean {word}?"));
        let accepted = words.join(", ");
        match words.len() {
            1 => format!("accepted is {accepted}{hint}"),
            _ => format!("accepted are {accepted}{hint}"),
        }
    })
}

/// A share: `50%`, `50 %` or `50`.
pub(super) fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim();
    let share = number.parse().ok().filter(|share| *share <= 100);
    share.ok_or_else(|| "accepted are whole percents from 0 to 100, such as 50%".to_owned())
}

/// Patterns of names, by comma.
pub(super) fn patterns(text: &str) -> Result<Vec<Pattern>, String> {
    let one = |pattern: &str| match Pattern::new(pattern.trim()) {
        Ok(pattern) if !pattern.as_str().is_empty() => Ok(pattern),
        _ => Err("accepted are patterns with * and ?, several by comma".to_owned()),
    };
    text.split(',').map(one).collect()
}

/// Names by comma: `\,` is a comma in a name, `\\` a backslash, and blanks around a name are not
/// part of it. A lone `*`, which stands for all of them, gives `None`.
pub(super) fn names(text: &str) -> Result<Option<Vec<String>>, String> {
    let (mut names, mut star) = (Vec::new(), false);
    let mut name = String::new();
    let mut chars = text.chars().peekable();
    loop {
        match chars.next() {
            Some('\\') if matches!(chars.peek(), Some(',' | '\\' | '*')) => {
                name.extend(chars.next());
            }
            Some('*')
                if name.trim().is_empty() && matches!(chars.peek(), None | Some(',' | ' ')) =>
            {
                star = true;
                name.push('*');
            }
            Some(',') | None if name.trim().is_empty() => {
                return Err("a name between two commas is missing".to_owned());
            }
            end @ (Some(',') | None) => {
                let whole = name.trim().to_owned();
                if !names.contains(&whole) {
                    names.push(whole);
                }
                name.clear();
                if end.is_none() {
                    break;
                }
            }
            Some(c) => name.push(c),
        }
    }
    match (star, names.len()) {
        (false, _) => Ok(Some(names)),
        (true, 1) => Ok(None),
        (true, _) => Err("* stands for all databases and cannot be one of several".to_owned()),
    }
}

/// An extension without its leading dot.
pub(super) fn extension(text: &str) -> Result<String, String> {
    let text = text.trim();
    let bare = text.strip_prefix('.').unwrap_or(text);
    let taken = ["dbstash.json", "pin", "part"];
    if bare.is_empty() || bare.contains('/') || bare.chars().any(char::is_control) {
        Err("accepted are extensions such as sql or .sql.gz, without '/'".to_owned())
    } else if taken.iter().any(|t| bare == *t || bare.ends_with(&format!(".{t}"))) {
        Err("this extension is taken by dbstash's own files".to_owned())
    } else {
        Ok(bare.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("500ms", 500),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h30m", 5_400_000),
            ("7d", 604_800_000),
            ("1w", 604_800_000),
            (" 1d12h ", 129_600_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert!(duration("90").unwrap_err().contains("a unit is missing"));
        for bad in
            ["", "-5m", "5 m", "1m1h", "1h1h", "1.5h", "h", "5x", "5H", "99999999999999999999s"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("10MiB", 10_485_760), ("1 GB", 1_000_000_000), ("2kib", 2048)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.5GB", "10M", "99999999999TB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn booleans_and_numbers() {
        for yes in ["true", "TRUE", "Yes", "on", "1"] {
            assert_eq!(boolean(yes), Ok(true), "{yes}");
        }
        for no in ["false", "No", "OFF", "0"] {
            assert_eq!(boolean(no), Ok(false), "{no}");
        }
        assert!(boolean("y").is_err() && boolean("2").is_err());
        assert!(count("-1").is_err() && count("1.5").is_err() && count("7") == Ok(7));
        assert!(port("0").is_err() && port("65536").is_err() && port("5432") == Ok(5432));
        assert!(port("tcp://10.0.0.7:5432").unwrap_err().contains("enableServiceLinks"));
    }

    #[test]
    fn days_may_be_parts() {
        assert_eq!(days("0.5"), Ok(TimeDelta::hours(12)));
        assert_eq!(days("30"), Ok(TimeDelta::days(30)));
        assert_eq!(days("0.000001"), Ok(TimeDelta::seconds(1)));
        for bad in ["", "-1", "1e3", "inf", "NaN", "1d", ".", "1.2.3", "99999999999"] {
            assert!(days(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn zones_know_their_neighbours() {
        assert_eq!(zone(" Asia/Kolkata").map(Zone::name), Ok("Asia/Kolkata"));
        for (text, near) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("New York", "America/New_York"),
            ("utc", "UTC"),
        ] {
            let error = zone(text).unwrap_err();
            assert!(error.ends_with(&format!("did you mean {near}?")), "{text}: {error}");
        }
        assert!(!zone("Middle-earth/Shire").unwrap_err().contains("did you mean"));
    }

    #[test]
    fn words_of_a_set() {
        const SET: &[&str] = &["debug", "info"];
        assert_eq!(one_of("INFO", SET), Ok("info"));
        assert_eq!(
            one_of("inof", SET).unwrap_err(),
            "accepted are debug, info; did you mean info?"
        );
    }

    #[test]
    fn names_by_comma() {
        let named = |list: &[&str]| Ok(Some(list.iter().map(|&s| s.to_owned()).collect()));
        assert_eq!(names("shop"), named(&["shop"]));
        assert_eq!(names("shop, crm,shop"), named(&["shop", "crm"]));
        assert_eq!(names(r"a\,b,c\\,\*"), named(&["a,b", r"c\", "*"]));
        assert_eq!(names(r"win\dows"), named(&[r"win\dows"]));
        assert_eq!(names("a*b"), named(&["a*b"]));
        assert_eq!(names(" * "), Ok(None));
        for bad in ["", " ", "a,,b", "a,", ",a", "a,*", "*,a"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn extensions() {
        assert_eq!(extension(".sql.gz"), Ok("sql.gz".to_owned()));
        assert_eq!(extension("dump"), Ok("dump".to_owned()));
        for bad in ["", ".", "a/b", "../x", "a\nb", "dbstash.json", "sql.dbstash.json"] {
            assert!(extension(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,24}") {
            let _ = (duration(&text), size(&text), days(&text), zone(&text));
            let _ = (names(&text), words(&text), extension(&text));
        }

        #[test]
        fn any_names_survive_their_spelling(
            list in prop::collection::hash_set("[a-z,*\\\\]{1,6}", 1..4)
        ) {
            let spelled: Vec<String> = list.iter()
                .map(|n| n.replace('\\', r"\\").replace(',', r"\,").replace('*', r"\*"))
                .collect();
            prop_assert_eq!(names(&spelled.join(",")), Ok(Some(list.into_iter().collect())));
        }
    }
}
