use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use super::inspect::{Source, inspect};
use super::*;
use crate::engine::{Check, TreeCheck};
use crate::store::lane::lane;
use crate::tally::Counts;

/// What is found in these bytes.
fn found(bytes: &[u8], encodings: &[&str], look: Look) -> Found {
    let (mut giver, taker) = lane(3, 1000);
    let encodings: Vec<String> = encodings.iter().map(|&word| word.to_owned()).collect();
    std::thread::scope(|scope| {
        let work = scope.spawn(move || inspect(Source::of(taker), &encodings, look));
        for part in bytes.chunks(1000) {
            let mut chunk = giver.wait_for_spare().unwrap();
            chunk.buffer[..part.len()].copy_from_slice(part);
            chunk.filled = part.len();
            giver.give(chunk);
        }
        drop(giver);
        work.join().unwrap()
    })
}

fn object(bytes: &[u8], raw: &[u8]) -> Object {
    Object {
        name: "x".into(),
        files: None,
        names: None,
        format: "plain".into(),
        bytes: bytes.len() as u64,
        raw_bytes: raw.len() as u64,
        sha256: base16ct::lower::encode_string(&Sha256::digest(bytes)),
        encodings: Vec::new(),
        passed: Passed::by("footer"),
        counts: Counts::Untold,
    }
}

/// Takes everything that ends with `END`.
struct Ends(Vec<u8>);

impl Check for Ends {
    fn feed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        if self.0.ends_with(b"END") {
            Ok(Passed::by("end"))
        } else {
            Err(Incomplete("no end".into()))
        }
    }
}

type Files = Vec<(String, u64, Vec<u8>)>;

/// Notes the files of a tree.
struct Names(std::sync::Arc<std::sync::Mutex<Files>>);

impl TreeCheck for Names {
    fn begin(&mut self, path: &str, bytes: u64) -> bool {
        self.0.lock().unwrap().push((path.to_owned(), bytes, Vec::new()));
        true
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.0.lock().unwrap().last_mut().unwrap().2.extend_from_slice(bytes);
    }

    fn finish(self: Box<Self>) -> Result<Passed, Incomplete> {
        Ok(Passed::by("files"))
    }
}

fn dump() -> Vec<u8> {
    let mut dump: Vec<u8> =
        (0..2500_u32).flat_map(|n| (n * n % 251).to_string().into_bytes()).collect();
    dump.extend(b"END");
    dump
}

fn packed(encoding: &str, raw: &[u8]) -> Vec<u8> {
    use crate::compression::Method;
    let method = if encoding == "zstd" { Method::Zstd(3) } else { Method::Gzip(6) };
    let mut out = Vec::new();
    let mut encoder = method.with_threads(1).encoder(&mut out).unwrap();
    std::io::Write::write_all(&mut encoder, raw).unwrap();
    encoder.finish().unwrap();
    out
}

#[test]
fn every_changed_byte_is_found_at_level_bytes() {
    let good = dump();
    let object = object(&good, &good);
    assert!(matches!(judge(&object, found(&good, &[], Look::Bytes)), Ok(None)));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let flaw = judge(&object, found(&bad, &[], Look::Bytes));
        assert!(matches!(flaw, Err(Flaw::Corrupt(_))), "{at}");
    }
    for len in (0..good.len()).step_by(7) {
        let flaw = judge(&object, found(&good[..len], &[], Look::Bytes));
        assert!(matches!(flaw, Err(Flaw::Corrupt(_))), "{len}");
    }
}

/// The sums of a frame find what the manifest's sum would, too; without it, as after a manifest was lost.
#[test]
fn frames_are_read_to_their_end() {
    let raw = dump();
    for encoding in ["zstd", "gzip"] {
        let good = packed(encoding, &raw);
        let look = || Look::Stream(Box::new(Ends(Vec::new())));
        let seen = found(&good, &[encoding], look());
        assert_eq!((seen.bytes, seen.raw_bytes), (good.len() as u64, Some(raw.len() as u64)));
        assert_eq!(seen.structure.unwrap().unwrap().unwrap().check, "end");
        let mut missed = 0;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            let seen = found(&bad, &[encoding], look());
            assert_eq!(seen.bytes, good.len() as u64, "all of it is counted");
            missed += usize::from(seen.structure.unwrap().is_ok());
        }
        // Who packed it when, for gzip; nothing of the data.
        assert!(missed <= 10, "{encoding}: {missed}");
        for len in 0..good.len() {
            assert!(found(&good[..len], &[encoding], look()).structure.unwrap().is_err(), "{len}");
        }
        let more = [&good[..], b"more"].concat();
        assert!(found(&more, &[encoding], look()).structure.unwrap().is_err());
    }
    let odd = found(&raw, &["rot13"], Look::Unpacked).structure.unwrap().unwrap_err();
    assert!(odd.0.contains("rot13"));
}

#[test]
fn a_tar_is_walked_to_its_end_mark() {
    let mut tar = tar::Builder::new(Vec::new());
    let long = format!("shop/{}", "long/".repeat(40));
    for (path, content) in [("shop/a", &b"one"[..]), (&long, &[7; 1500]), ("shop/z", b"")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        tar.append_data(&mut header, format!("{path}.x"), content).unwrap();
    }
    let tar = tar.into_inner().unwrap();
    let walk = |bytes: &[u8]| {
        let names = std::sync::Arc::default();
        let look = Look::Tar(Box::new(Names(std::sync::Arc::clone(&names))), true);
        let said = found(bytes, &[], look).structure.unwrap();
        (said, std::mem::take(&mut *names.lock().unwrap()))
    };
    let (said, files) = walk(&tar);
    assert_eq!(said.unwrap().unwrap().check, "tar, files");
    assert_eq!(files[0], ("a.x".to_owned(), 3, b"one".to_vec()));
    assert_eq!((files[1].1, files[1].2.len(), files.len()), (1500, 1500, 3));
    for len in 0..tar.len() {
        assert!(walk(&tar[..len]).0.is_err(), "{len} of {}", tar.len());
    }
    assert!(walk(&[&tar[..], &[1; 512]].concat()).0.is_err());
}

#[test]
fn a_result_is_known_by_its_name() {
    let at = "2026-11-21T18:30:05.123Z".parse().unwrap();
    let mark = Mark::new(at, Outcome::Structure);
    let name = mark.name_for("a/shop.sql");
    assert_eq!(name, "a/shop.sql.20261121T183005123Z.structure.verified.json");
    assert_eq!(Mark::parse(&name), Some(("a/shop.sql", mark)));
    for other in [
        "shop.verified.json",
        ".20261121T183005123Z.structure.verified.json",
        "shop.sql.20261121T183005123Z.fine.verified.json",
        "shop.sql.20261321T183005123Z.bytes.verified.json",
        "shop.sql.2026-11-21.bytes.verified.json",
    ] {
        assert_eq!(Mark::parse(other), None, "{other}");
    }
    assert!(Outcome::Corrupt > Outcome::Restored && Outcome::Structure > Outcome::Bytes);
}

proptest! {
    #[test]
    fn no_name_is_too_odd(name in "\\PC{0,30}(.20261121T183005123Z)?(.bytes)?(.verified.json)?") {
        if let Some((object, mark)) = Mark::parse(&name) {
            prop_assert_eq!(mark.name_for(object), name);
        }
    }
}
