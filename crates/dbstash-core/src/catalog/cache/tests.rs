use super::*;
use crate::manifest::tests::manifest;

/// A manifest of this age, and its name.
fn one(age: i64) -> (String, Manifest) {
    let object = format!("{age} x.sql");
    (manifest::name_for(&format!("a b/{object}")), manifest("j", "db", age, &object))
}

fn keep(folder: &Path, size: u64, (name, manifest): &(String, Manifest)) {
    remember(folder, name, size, manifest);
}

/// What a cache holds of each: its age and size.
fn held(cached: &Cached) -> Vec<(String, u64)> {
    cached.known.iter().map(|known| (known.manifest.id.clone(), known.size)).collect()
}

#[test]
fn listed_names_cannot_leave_the_cache() {
    for bad in ["../x", "a/../../x", "/etc/x", "a//b", "a\nb", ""] {
        assert!(!is_safe_path(bad), "{bad:?}");
    }
    assert!(is_safe_path("a/b c/-d.sql"));
}

#[test]
fn what_is_remembered_is_read_as_far_as_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("place");
    for n in [3, 0, 4, 1, 2] {
        keep(&folder, 500, &one(n));
    }
    // Another of the same name takes its place.
    keep(&folder, 501, &one(1));
    remember(&folder, "../1 x.sql.dbstash.json", 500, &one(1).1);
    let cached = Cached::read(&folder);
    assert!(cached.whole && cached.records == 6);
    let expected = (0..5).map(|n| (one(n).1.id, if n == 1 { 501 } else { 500 }));
    assert_eq!(held(&cached), expected.collect::<Vec<_>>());
    assert!(cached.known.iter().zip(0..).all(|(known, n)| *known.manifest == one(n).1));

    let whole = held(&cached);
    let among = |cached: &Cached| {
        let of_before = |one: &(String, u64)| whole.contains(one) || *one == (one_id(1), 500);
        held(cached).iter().all(of_before)
    };
    let text = fs::read(path(&folder)).unwrap();
    let mut ends = Vec::new();
    for end in 0..text.len() {
        fs::write(path(&folder), &text[..end]).unwrap();
        let cut = Cached::read(&folder);
        assert!(among(&cut), "{end}");
        ends.extend(cut.whole.then_some(cut.records));
    }
    assert_eq!(ends, [0, 1, 2, 3, 4, 5], "whole only between two");
    for at in 0..text.len() {
        let mut flipped = text.clone();
        flipped[at] ^= 1;
        fs::write(path(&folder), &flipped).unwrap();
        let found = Cached::read(&folder);
        assert!(among(&found) && !found.whole && found.records < 6, "{at}");
    }
}

fn one_id(age: i64) -> String {
    one(age).1.id
}

#[test]
fn of_what_is_rewritten_each_is_left_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    for (age, size) in [(0, 1), (1, 2), (0, 33), (2, 4)] {
        keep(folder, size, &one(age));
    }
    let wanted = [0, 2, 3].map(|age| one(age).0);
    let held = Writing::begin(folder).unwrap();
    assert!(Writing::begin(folder).is_none(), "one at a time");
    held.rewrite(&wanted.iter().map(String::as_str).collect());
    let left = Cached::read(folder);
    let sizes: Vec<_> = left.known.iter().map(|known| (&*known.name, known.size)).collect();
    assert_eq!(
        (sizes, left.records, left.whole),
        (vec![(&*wanted[0], 33), (&*wanted[1], 4)], 2, true)
    );
    assert!(!folder.join("manifests.new").exists());
}
