use super::*;
use crate::manifest::tests::manifest;
use chrono::TimeZone as _;

fn entry(name: &str, size: u64) -> Entry {
    Entry { name: name.into(), size: ObjectSize::Known(size) }
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap()
}

#[test]
fn only_a_whole_backup_is_listed() {
    let mut bodies = HashMap::new();
    for (object, age) in [("f/whole.sql", 5), ("short.sql", 4), ("gone.sql", 3), ("newest.sql", 1)]
    {
        let file = object.rsplit('/').next().unwrap();
        bodies.insert(manifest::name_for(object), manifest("j", "db", age, file).write());
    }
    let mut entries: Vec<Entry> = bodies.keys().map(|name| entry(name, 1)).collect();
    entries.extend([
        entry("f/whole.sql", 10),
        entry("newest.sql", 10),
        entry("short.sql", 9),
        entry("orphan.sql", 10),
        entry("junk.dbstash.json", 3),
    ]);
    let catalog = Catalog::sort(&entries, &bodies, now());
    let good: Vec<_> = catalog.backups.iter().flat_map(Backup::objects).collect();
    assert_eq!(good, ["newest.sql", "f/whole.sql"]);
    let mut broken: Vec<_> = catalog.broken.iter().map(|b| b.why.as_str()).collect();
    broken.sort_unstable();
    assert_eq!(
        broken,
        [
            "it could not be read",
            "its object gone.sql is missing",
            "its object short.sql has 9 bytes and should have 10"
        ]
    );
    assert_eq!(catalog.others, ["orphan.sql"]);
}

#[test]
fn a_manifest_cannot_claim_what_has_its_own() {
    let mut evil = manifest("j", "db", 0, "evil.sql");
    let victim = crate::manifest::Object { name: "good.sql".into(), ..evil.objects[0].clone() };
    evil.objects.push(victim);
    let good = manifest("other", "db", 5, "good.sql");
    let bodies = HashMap::from([
        ("evil.sql.dbstash.json".to_owned(), evil.write()),
        ("good.sql.dbstash.json".to_owned(), good.write()),
    ]);
    let mut entries: Vec<Entry> = bodies.keys().map(|name| entry(name, 1)).collect();
    entries.extend([entry("evil.sql", 10), entry("good.sql", 10), entry("good.sql", 10)]);
    entries.push(entry("good.sql.dbstash.json", 1));
    let catalog = Catalog::sort(&entries, &bodies, now());
    let listed: Vec<_> = catalog.backups.iter().map(|b| b.manifest.job.as_str()).collect();
    assert_eq!(listed, ["other"]);
    assert!(catalog.broken[0].why.contains("a manifest of its own"), "{:?}", catalog.broken);
}

#[test]
fn a_temporary_grows_stale_by_its_name() {
    let name = temporary::name("a/b.sql", "20251230T235959Z-a1b2c3d4");
    let fresh = temporary::name("b.sql", "20251231T000001Z-a1b2c3d4");
    let mut entries = vec![entry(&name, 5), entry(&fresh, 5), entry(".dbstash-tmp/foreign", 5)];
    // One that cannot be named safely must not keep the others from being swept.
    for odd in ["x\n", "../x", "a/../../x"] {
        entries.push(entry(&format!(".dbstash-tmp/{odd}.20200101T000000Z-a1b2c3d4.part"), 5));
    }
    let catalog = Catalog::sort(&entries, &HashMap::new(), now());
    assert_eq!(catalog.stale, [name]);
    assert!(catalog.others.is_empty() && catalog.backups.is_empty());
}

/// A manifest of a folder beside it, and its entry.
fn folder(name: &str, files: u64, bytes: u64) -> (String, Vec<u8>) {
    let mut one = manifest("j", "db", 0, name.rsplit('/').next().unwrap());
    one.objects[0].files = Some(files);
    one.objects[0].bytes = bytes;
    (manifest::name_for(name), one.write())
}

#[test]
fn a_folder_is_whole_or_not_listed() {
    let bodies = HashMap::from([
        folder("a/whole", 3, 30),
        folder("a/whole-2", 1, 10),
        folder("more", 1, 10),
        folder("less", 3, 20),
        folder("short", 2, 21),
        folder("file", 1, 10),
        folder("gone", 1, 10),
        folder("unknown", 2, 99),
        folder("taken", 3, 21),
        folder(".dbstash-tmp", 1, 10),
    ]);
    let mut entries: Vec<Entry> = bodies.keys().map(|name| entry(name, 1)).collect();
    for name in [
        "a/whole/x",
        "a/whole/.y/z",
        "a/whole/ /-",
        "a/whole-2/x",
        "a/whole.sql",
        "more/x",
        "more/foreign",
        "less/x",
        "less/y",
        "short/x",
        "short/y",
        "file",
        "taken/x",
        "taken/victim.sql",
        ".dbstash-tmp/x",
    ] {
        entries.push(entry(name, 10));
    }
    entries.push(entry("taken/victim.sql.dbstash.json", 1));
    entries.push(Entry { name: "unknown/x".into(), size: ObjectSize::Unknown });
    entries.push(entry("unknown/y", 1));
    let catalog = Catalog::sort(&entries, &bodies, now());
    let mut good: Vec<_> = catalog.backups.iter().flat_map(Backup::objects).collect();
    good.sort();
    assert_eq!(good, ["a/whole-2/", "a/whole/", "unknown/"]);
    let mut broken: Vec<_> = catalog.broken.iter().map(|b| b.why.as_str()).collect();
    broken.sort_unstable();
    assert_eq!(
        broken,
        [
            "it could not be read",
            "its folder file/ is missing",
            "its folder gone/ is missing",
            "its folder less/ has 2 files and should have 3",
            "its folder more/ has 2 files and should have 1",
            "its folder short/ has 20 bytes and should have 21",
            "its folder taken/ has backups of others in it",
            "its object .dbstash-tmp/ is where unfinished objects are",
        ]
    );
    // What a manifest speaks of is no orphan, unless others speak of it, too.
    let mut others = catalog.others;
    others.sort();
    assert_eq!(others, ["a/whole.sql", "file", "taken/victim.sql", "taken/x"]);
}

#[test]
fn a_pin_is_known_by_its_name() {
    let mut bodies = HashMap::from([folder("a/d", 1, 10)]);
    for (object, age) in [("a/x.sql", 1), ("a/y.sql", 2), ("gone.sql", 3), ("x.pin", 4), ("x", 5)] {
        let file = object.rsplit('/').next().unwrap();
        bodies.insert(manifest::name_for(object), manifest("j", "db", age, file).write());
    }
    let mut entries: Vec<Entry> = bodies.keys().map(|name| entry(name, 1)).collect();
    for object in ["a/x.sql", "a/y.sql", "a/d/f", "x.pin", "x"] {
        entries.push(entry(object, 10));
    }
    for note in [
        "a/x.sql.pin",
        "a/y.sql.20260101T000000000Z.bytes.verified.json",
        "a/d.pin",
        "gone.sql.pin",
        "nobody.pin",
    ] {
        entries.push(entry(note, 3));
    }
    let catalog = Catalog::sort(&entries, &bodies, now());
    let pinned: Vec<_> = catalog.backups.iter().filter(|b| b.notes.pinned).collect();
    let pinned: Vec<_> = pinned.iter().flat_map(|b| b.objects()).collect();
    assert_eq!(pinned, ["a/d/", "a/x.sql"], "x.pin is a backup itself");
    assert_eq!(catalog.backups.len(), 5);
    let noted: Vec<_> = catalog.backups.iter().flat_map(Backup::sidecars).collect();
    assert_eq!(
        noted,
        ["a/d.pin", "a/x.sql.pin", "a/y.sql.20260101T000000000Z.bytes.verified.json"]
    );
    assert_eq!(catalog.others, ["nobody.pin"]);
}

#[test]
fn a_manifest_cannot_claim_a_note() {
    for object in ["good.sql.pin", "evil.sql.pin"] {
        let mut evil = manifest("j", "db", 0, "evil.sql");
        evil.objects
            .push(crate::manifest::Object { name: object.into(), ..evil.objects[0].clone() });
        let bodies = HashMap::from([
            ("evil.sql.dbstash.json".to_owned(), evil.write()),
            ("good.sql.dbstash.json".to_owned(), manifest("j", "db", 5, "good.sql").write()),
        ]);
        let mut entries: Vec<Entry> = bodies.keys().map(|name| entry(name, 1)).collect();
        entries.extend(["evil.sql", "good.sql", object].map(|name| entry(name, 10)));
        let catalog = Catalog::sort(&entries, &bodies, now());
        assert_eq!(catalog.backups.len(), 1, "{object}");
        assert!(catalog.broken[0].why.ends_with("is a note on a backup"), "{:?}", catalog.broken);
    }
}
