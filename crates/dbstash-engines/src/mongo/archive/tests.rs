use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::super::gzip::Gzip;
use super::*;

/// A document of text, flag and number fields.
fn document(texts: &[(&str, &str)], flag: Option<bool>, number: Option<u64>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, text) in texts {
        body.extend([&[2], name.as_bytes(), &[0]].concat());
        body.extend(u32::try_from(text.len() + 1).unwrap().to_le_bytes());
        body.extend([text.as_bytes(), &[0]].concat());
    }
    if let Some(flag) = flag {
        body.extend([b"\x08EOF\0", &[u8::from(flag)][..]].concat());
    }
    if let Some(number) = number {
        body.extend([b"\x12CRC\0", &number.to_le_bytes()[..]].concat());
    }
    let length = u32::try_from(body.len() + 5).unwrap();
    [&length.to_le_bytes()[..], &body, &[0]].concat()
}

fn head(namespace: &str, end: Option<u64>) -> Vec<u8> {
    let (db, collection) = namespace.split_once('.').unwrap();
    document(
        &[("db", db), ("collection", collection)],
        Some(end.is_some()),
        Some(end.unwrap_or_default()),
    )
}

const END: &[u8] = &[0xff; 4];

/// What mongodump writes: a prelude that promises these.
fn prelude(promises: &[(&str, &str)]) -> Vec<u8> {
    let header = [("version", "0.1"), ("server_version", "8.0.4"), ("tool_version", "100.13.0")];
    let mut bytes = [&MAGIC.to_le_bytes()[..], &document(&header, None, None)].concat();
    for (namespace, kind) in promises {
        let (db, collection) = namespace.split_once('.').unwrap();
        let metadata = "{\"indexes\":[]}";
        let fields =
            [("db", db), ("collection", collection), ("metadata", metadata), ("type", *kind)];
        bytes.extend(document(&fields, None, None));
    }
    [&bytes, END].concat()
}

/// Two collections that take turns, a view and a time series.
fn sample() -> Vec<u8> {
    let data: Vec<_> =
        ["one", "two", "three"].map(|text| document(&[("x", text)], None, None)).into();
    let sum = |documents: &[&[u8]]| {
        let mut crc = Crc64::default();
        for document in documents {
            crc.update(document);
        }
        Some(crc.value())
    };
    let buckets = "shop.system.buckets.t";
    let promises =
        [("shop.a", "collection"), ("shop.b", ""), ("shop.v", "view"), ("shop.t", "timeseries")];
    [
        &prelude(&promises)[..],
        &[&head("shop.a", None)[..], &data[0], END].concat(),
        &[&head("shop.b", None)[..], &data[1], &data[2], END].concat(),
        &[&head("shop.a", None)[..], &data[1], END].concat(),
        &[&head("shop.a", sum(&[&data[0], &data[1]]))[..], END].concat(),
        &[&head("shop.v", None)[..], END, &head("shop.v", Some(0)), END].concat(),
        &[&head("shop.b", sum(&[&data[1], &data[2]]))[..], END].concat(),
        &[&head(buckets, None)[..], &data[0], END, &head(buckets, sum(&[&data[0]])), END].concat(),
    ]
    .concat()
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn verdict(mut check: Box<dyn Check>, bytes: &[u8], chunk: usize) -> Result<Passed, Incomplete> {
    bytes.chunks(chunk.max(1)).for_each(|chunk| check.feed(chunk));
    check.finish()
}

fn plain() -> Box<dyn Check> {
    Box::new(Archive::new(Some("shop")))
}

fn gzip() -> Box<dyn Check> {
    Box::new(Gzip::new(Archive::new(Some("shop"))))
}

#[test]
fn a_whole_one_passes_and_tells_the_versions() {
    for passed in [verdict(plain(), &sample(), 7), verdict(gzip(), &zipped(&sample()), 7)] {
        let passed = passed.unwrap();
        assert_eq!(passed.server_version.as_deref(), Some("8.0.4"));
        assert_eq!(passed.tool_version.as_deref(), Some("mongodump version 100.13.0"));
    }
}

#[test]
fn cut_anywhere_it_is_not_whole() {
    let (whole, zipped) = (sample(), zipped(&sample()));
    for end in 0..whole.len() {
        assert!(verdict(plain(), &whole[..end], 64).is_err(), "{end}");
    }
    for end in 0..zipped.len() {
        assert!(verdict(gzip(), &zipped[..end], 64).is_err(), "{end}");
    }
    assert!(verdict(gzip(), &[&zipped[..], b"more"].concat(), 64).is_err());
}

#[test]
fn any_changed_bit_of_the_data_shows() {
    let whole = sample();
    let data = ["one", "two", "three"].map(|text| document(&[("x", text)], None, None));
    for data in data {
        let starts = (0..whole.len()).filter(|at| whole[*at..].starts_with(&data));
        for at in starts.flat_map(|start| start..start + data.len()) {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            assert!(verdict(plain(), &changed, 4096).is_err(), "{at}");
        }
    }
    let mut zipped = zipped(&whole);
    let last = zipped.len() - 1;
    zipped[last] ^= 1;
    assert!(verdict(gzip(), &zipped, 4096).is_err());
}

#[test]
fn what_was_promised_has_to_come() {
    let tell = |bytes: &[u8]| verdict(plain(), bytes, 4096).unwrap_err().to_string();
    let promised = prelude(&[("shop.a", "")]);
    assert!(tell(&promised).contains("promises shop.a and lacks it"));
    let open = [&promised[..], &head("shop.a", None), END].concat();
    assert!(tell(&open).contains("no end of shop.a"));
    let twice = [&promised[..], &head("shop.a", Some(0)), END, &head("shop.a", None), END].concat();
    assert!(tell(&twice).contains("goes on after its end"));
    let more = [&promised[..], &head("shop.a", Some(0)), &document(&[], None, None), END].concat();
    assert!(tell(&more).contains("goes on after its end"));
    assert!(tell(b"-- a text\n").contains("does not begin as one"));
    // Nothing would be restored, and mongodump exits 0.
    assert!(tell(&prelude(&[])).contains("no database 'shop'"));
    assert!(verdict(Box::new(Archive::new(None)), &prelude(&[]), 9).is_ok());
}

proptest! {
    #[test]
    fn any_split_gives_the_same_verdict(cuts in prop::collection::vec(1usize..200, 0..20), end in 0usize..900) {
        let whole = sample();
        let bytes = &whole[..end.min(whole.len())];
        let (mut check, mut rest) = (plain(), bytes);
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            check.feed(chunk);
            rest = after;
        }
        check.feed(rest);
        prop_assert_eq!(check.finish(), verdict(plain(), bytes, bytes.len()));
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..300), chunk in 1usize..50) {
        let _ = verdict(plain(), &bytes, chunk);
        let _ = verdict(plain(), &[&prelude(&[("shop.a", "")])[..], &bytes].concat(), chunk);
        let _ = verdict(gzip(), &bytes, chunk);
        let _ = verdict(gzip(), &zipped(&bytes), chunk);
    }
}

/// What is stored and changed later: data by their sums, the rest by what it has to be.
#[test]
fn changes_of_the_data_are_found() {
    let good = sample();
    let found = |at: usize, mask: u8| {
        let mut bad = good.clone();
        bad[at] ^= mask;
        let mut check = Box::new(Archive::new(None));
        check.feed(&bad);
        check.finish().is_err()
    };
    let all: Vec<_> = (0..good.len()).flat_map(|at| [(at, 1_u8 << (at % 8)), (at, 0xff)]).collect();
    let share = all.iter().filter(|(at, mask)| found(*at, *mask)).count() * 100 / all.len();
    assert!(share >= 50, "{share} % of {}", all.len());
}

#[test]
fn documents_are_counted_however_it_is_cut() {
    use dbstash_core::tally::{Counts, Tally as _};

    use super::super::tally::Documents;

    let of = |database: Option<&str>, bytes: &[u8], size: usize| {
        let mut documents = Box::new(Documents::new(database));
        bytes.chunks(size).for_each(|chunk| documents.feed(chunk));
        documents.finish()
    };
    let counts = |counts: [(&str, u64); 3]| {
        Counts::Of(counts.into_iter().map(|(name, n)| (name.to_owned(), n)).collect())
    };
    let sample = sample();
    for size in [1, 3, 7, 1000] {
        let one = counts([("a", 2), ("b", 2), ("system.buckets.t", 1)]);
        assert_eq!(of(Some("shop"), &sample, size), one);
        let all = counts([("shop.a", 2), ("shop.b", 2), ("shop.system.buckets.t", 1)]);
        assert_eq!(of(None, &sample, size), all);
        let cut = of(None, &sample[..sample.len() - 1], size);
        assert!(matches!(cut, Counts::Without { .. }), "{cut:?}");
    }
}
