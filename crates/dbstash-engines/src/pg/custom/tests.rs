//! Archives made by hand: whole, cut, damaged, in any pieces.

use proptest::prelude::*;

use super::*;

fn int(value: i32) -> Vec<u8> {
    let mut bytes = vec![u8::from(value < 0)];
    bytes.extend(value.unsigned_abs().to_le_bytes());
    bytes
}

fn text(value: &str) -> Vec<u8> {
    [int(i32::try_from(value.len()).unwrap()), value.as_bytes().to_vec()].concat()
}

/// An archive of the given version: one entry with data, one without, one with two large objects.
fn archive(minor: u8) -> Vec<u8> {
    let mut out = [&b"PGDMP"[..], &[1, minor, 0, 4, 8, 1]].concat();
    out.extend(if minor >= 15 { vec![0] } else { int(-1) });
    (0..7).for_each(|n| out.extend(int(n)));
    out.extend([text("shop"), text("15.18 (Debian)"), text("16.1")].concat());
    out.extend(int(3));
    for (id, mark) in [(1, 1_u8), (2, NO_DATA), (3, 1)] {
        for (kind, since) in ENTRY {
            if since <= minor {
                out.extend(if kind == Kind::Number { int(id) } else { text(&"x".repeat(300)) });
            }
        }
        out.extend([text("1"), text("2"), int(-1)].concat());
        out.push(mark);
        out.extend([0; 8]);
    }
    out.push(DATA);
    out.extend([int(1), text("1\tone\n"), text("2\ttwo\n"), int(0)].concat());
    out.push(LARGE_OBJECTS);
    out.extend([int(3), int(77), text("blob"), int(0), int(78), int(0), int(0)].concat());
    out
}

fn verdict<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Result<Passed, Incomplete> {
    let mut check = Box::new(Custom::default());
    chunks.into_iter().for_each(|chunk| check.feed(chunk));
    check.finish()
}

#[test]
fn whole_in_every_version_and_short_at_every_byte() {
    for minor in VERSIONS {
        let archive = archive(minor);
        let passed = verdict([&archive[..]]).unwrap();
        assert_eq!(passed.server_version.as_deref(), Some("15.18 (Debian)"));
        assert_eq!(passed.tool_version.as_deref(), Some("pg_dump version 16.1"));
        for end in 0..archive.len() {
            assert!(verdict([&archive[..end]]).is_err(), "1.{minor} at {end}");
        }
        assert!(verdict([&archive[..], b"x"]).is_err());
    }
}

#[test]
fn foreign_streams_are_named() {
    assert!(verdict([&b"--\n-- PostgreSQL database dump\n"[..]]).unwrap_err().0.contains("PGDMP"));
    assert!(verdict([&archive(11)[..]]).unwrap_err().0.contains("version"));
}

#[test]
fn a_newer_archive_is_left_to_the_exit_status() {
    let passed = verdict([&archive(17)[..]]).unwrap();
    assert!(passed.check == "exit-status" && passed.degraded.unwrap().contains("1.17"));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_verdict(cuts in prop::collection::vec(0_usize..20_000, 0..12), minor in VERSIONS) {
        let archive = archive(minor);
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % archive.len()).collect();
        cuts.extend([0, archive.len()]);
        cuts.sort_unstable();
        prop_assert!(verdict(cuts.windows(2).map(|w| &archive[w[0]..w[1]])).is_ok());
    }

    #[test]
    fn any_split_of_a_damaged_archive_gives_the_same_verdict(
        damage in prop::collection::vec((0_usize..20_000, any::<u8>()), 0..4),
        end in 0_usize..20_000,
        cuts in prop::collection::vec(0_usize..20_000, 0..12),
        minor in VERSIONS,
    ) {
        let mut archive = archive(minor);
        for (at, byte) in damage {
            let at = at % archive.len();
            archive[at] = byte;
        }
        if end % 2 == 0 {
            archive.truncate(end % archive.len());
        }
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (archive.len() + 1)).collect();
        cuts.extend([0, archive.len()]);
        cuts.sort_unstable();
        let whole = verdict([&archive[..]]);
        let split = verdict(cuts.windows(2).map(|w| &archive[w[0]..w[1]]));
        let bytewise = verdict(archive.chunks(1));
        prop_assert_eq!(format!("{whole:?}"), format!("{split:?}"));
        prop_assert_eq!(format!("{whole:?}"), format!("{bytewise:?}"));
    }

    #[test]
    fn noise_never_panics(mut noise in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..300) {
        let archive = archive(16);
        let mut mixed = archive[..at.min(archive.len())].to_vec();
        mixed.append(&mut noise);
        let _ = verdict([&mixed[..]]);
    }
}
