//! Where objects are written until they are whole, on remotes that show them half-written.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use sha2::{Digest as _, Sha256};

/// The folder of all of them.
pub const FOLDER: &str = ".dbstash-tmp/";
/// Nothing we do takes longer; a temporary this old belongs to nobody.
const STALE: TimeDelta = TimeDelta::hours(24);
const SUFFIX: &str = ".part";

/// The temporary's name for an object of a run: some of the object's own, a digest of all of it, and the run.
pub fn name(object: &str, run: &str) -> String {
    let file = object.trim_end_matches('/').rsplit('/').next().unwrap_or(object);
    let short: String = file.chars().take(40).collect();
    let digest = base16ct::lower::encode_string(&Sha256::digest(object.as_bytes()));
    format!("{FOLDER}{short}.{}.{run}{SUFFIX}", &digest[..8])
}

/// Whether a temporary, by the run in its name, is too old to belong to anyone.
pub fn is_stale(name: &str, now: DateTime<Utc>) -> bool {
    let stamp = || {
        let (_, run) = parts(name)?;
        let start = NaiveDateTime::parse_from_str(run.split('-').next()?, "%Y%m%dT%H%M%SZ").ok()?;
        Some(start.and_utc())
    };
    stamp().is_some_and(|start| now - start > STALE)
}

/// Whether `other` is the same object by another run of the same second, which goes first: of any two, exactly one
/// gives way. Names with a time in them are the same only within a second; who began at another time, under a name
/// without one, may be long dead, or have hours to go.
pub fn gives_way(ours: &str, other: &str) -> bool {
    is_rival(ours, other) && other < ours
}

/// Whether `other` is the same object by another run of the same second.
pub fn is_rival(ours: &str, other: &str) -> bool {
    let second = |name| parts(name)?.1.split('-').next();
    is_another(ours, other) && second(ours) == second(other)
}

/// Whether `other` is the same object by another run.
pub fn is_another(ours: &str, other: &str) -> bool {
    let (Some((object, ours)), Some((same, other))) = (parts(ours), parts(other)) else {
        return false;
    };
    object == same && ours != other
}

/// The object and the run.
fn parts(name: &str) -> Option<(&str, &str)> {
    name.strip_suffix(SUFFIX)?.rsplit_once('.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_two_runs_one_gives_way() {
        let [a, b] = ["20251230T235959Z-a1b2c3d4", "20251230T235959Z-b1b2c3d4"];
        let names = [name("x/b.sql", a), name("x/b.sql", b)];
        assert_eq!(names[0], ".dbstash-tmp/b.sql.2296b825.20251230T235959Z-a1b2c3d4.part");
        assert!(gives_way(&names[1], &names[0]));
        assert!(!gives_way(&names[0], &names[1]) && !gives_way(&names[0], &names[0]));
        assert!(!gives_way(&name("y/b.sql", b), &names[0]), "another folder's object");
        assert!(
            !gives_way(&name("x/b.sql", "20251231T000000Z-b1b2c3d4"), &names[0]),
            "another time"
        );
        assert!(!gives_way(&names[1], ".dbstash-tmp/foreign"));
        assert!(is_rival(&names[0], &names[1]) && is_rival(&names[1], &names[0]));
        let later = name("x/b.sql", "20251231T000000Z-b1b2c3d4");
        assert!(is_another(&names[0], &later) && !is_rival(&names[0], &later));
        assert!(!is_another(&later, &later));
        // A folder, and a file of that name.
        assert!(!is_another(&name("x/b/", a), &name("x/b", b)));
        assert!(is_another(&name("x/b/", a), &name("x/b/", b)));
    }

    proptest! {
        #[test]
        fn a_temporary_is_recognised_by_its_name(
            object in "(\\PC{1,8}/)?\\PC{0,90}/?", random in "[0-9a-f]{8}", started in 0_i64..4_000_000_000, later in 0_i64..200_000,
        ) {
            let started = DateTime::from_timestamp(started, 0).unwrap();
            let name = name(&object, &format!("{}-{random}", started.format("%Y%m%dT%H%M%SZ")));
            prop_assert!(name.starts_with(FOLDER) && name.matches('/').count() == 1, "{name}");
            // A file name may have 255 bytes.
            prop_assert!(name.len() <= FOLDER.len() + 255, "{}", name.len());
            let now = started + TimeDelta::seconds(later);
            prop_assert_eq!(is_stale(&name, now), later > 86_400);
            prop_assert!(!is_stale(&object, now));
        }
    }
}
