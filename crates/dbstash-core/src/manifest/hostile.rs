//! Manifests that somebody else wrote: whatever they say, believing them does no harm.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::manifest;
use super::{MAX_BYTES, Manifest, SUFFIX, name_for};
use crate::catalog::{Backup, Catalog};
use crate::job::JobId;
use crate::remote::{Entry, ObjectSize};
use crate::retention::{Policy, select};
use crate::sidecar::Notes;

const NAME: &str = "a/b/shop.sql.dbstash.json";

/// A change to a good manifest: something else at one of its places.
#[derive(Debug, Clone)]
struct Change {
    place: usize,
    to: Option<Value>,
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop::sample::select(vec![
            "../x",
            "/etc/passwd",
            ".",
            "..",
            "",
            "-rf",
            "shop.sql",
            "good.sql.dbstash.json",
            "a\nb",
            "\u{1b}[2J",
            "9999-12-31T23:59:59Z",
            "+262142-12-31T23:59:59Z",
            "-262143-01-01T00:00:00Z",
            "pg",
            ".dbstash-tmp",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z_]{1,8}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn any_changes() -> impl Strategy<Value = Vec<Change>> {
    let one = (0_usize..64, prop::option::weighted(0.8, any_value()));
    prop::collection::vec(one.prop_map(|(place, to)| Change { place, to }), 1..4)
}

/// Pointers to everything in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, inner)| places(inner, &format!("{at}/{key}"), found));
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(n, inner)| places(inner, &format!("{at}/{n}"), found));
        }
        _ => {}
    }
}

fn apply(value: &mut Value, change: &Change) {
    let mut all = Vec::new();
    places(value, "", &mut all);
    let at = &all[change.place % all.len()];
    match (&change.to, at.rsplit_once('/')) {
        (Some(to), _) => *value.pointer_mut(at).unwrap() = to.clone(),
        (None, Some((parent, key))) => match value.pointer_mut(parent).unwrap() {
            Value::Object(map) => drop(map.remove(key)),
            // Twice, for a change.
            Value::Array(list) => list.push(list[0].clone()),
            _ => {}
        },
        (None, None) => {}
    }
}

/// What the rest of the program relies on.
fn is_harmless(read: &Manifest) -> bool {
    let plain = |name: &str| {
        !name.contains('/')
            && !matches!(name, "" | "." | "..")
            && !name.chars().any(char::is_control)
    };
    read.job.as_str().parse::<JobId>().is_ok()
        && read.objects[0].name == "shop.sql"
        && read.objects.iter().all(|o| plain(&o.name) && !o.name.ends_with(SUFFIX))
        && read.objects.iter().all(|o| o.files != Some(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_changed_manifest_is_refused_or_harmless(changes in any_changes(), folder in any::<bool>()) {
        let mut value = serde_json::to_value(manifest("pg-h-1", "shop", 0, "shop.sql")).unwrap();
        if folder {
            value["objects"][0]["files"] = 3.into();
        }
        for change in &changes {
            apply(&mut value, change);
        }
        let Ok(read) = Manifest::read(NAME, value.to_string().as_bytes()) else { return Ok(()) };
        prop_assert!(is_harmless(&read), "{read:?}");
        // Whatever is made of it later: sums, ages, verdicts, its own JSON.
        let _ = (read.bytes(), read.raw_bytes());
        prop_assert_eq!(&Manifest::read(NAME, &read.write()).unwrap(), &read);
        let backup = Backup { manifest_name: NAME.to_owned(), manifest: Box::new(read), notes: Notes::default() };
        // One name below their place, with or without the slash of a folder.
        let beside = |name: String| {
            let file = name.strip_prefix("a/b/").map(|file| file.strip_suffix('/').unwrap_or(file));
            file.is_some_and(|file| !file.is_empty() && !file.contains('/'))
        };
        prop_assert!(backup.objects().all(beside));
        let policy = Policy { max_files: Some(1), max_age: Some(chrono::TimeDelta::days(1)), ..Policy::default() };
        let (job, database) = (backup.manifest.job.clone(), backup.manifest.database.clone());
        let all = [backup.clone(), backup];
        for now in [Utc::now(), DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            let _ = select(&all, &job, &database, &policy, now);
        }
    }

    #[test]
    fn a_damaged_text_never_panics(cut in 0_usize..700, noise in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut text = manifest("pg-h-1", "shop", 0, "shop.sql").write();
        let cut = cut % text.len();
        text.splice(cut..cut + noise.len().min(text.len() - cut), noise);
        if let Ok(read) = Manifest::read(NAME, &text) {
            prop_assert!(is_harmless(&read), "{read:?}");
        }
    }

    #[test]
    fn any_listing_is_sorted(
        names in prop::collection::vec("(\\.dbstash-tmp/|a/|\\.\\./|)(shop|x|-|\\PC{0,4})\\.?(sql|)(\\.dbstash\\.json|\\.20200101T000000Z-aa\\.part|)", 0..12),
        sizes in prop::collection::vec(prop::option::of(any::<u64>()), 12),
    ) {
        let entries: Vec<Entry> = names.iter().zip(sizes).map(|(name, size)| Entry {
            name: name.clone(),
            size: size.map_or(ObjectSize::Unknown, ObjectSize::Known),
        }).collect();
        let body = manifest("pg-h-1", "shop", 0, "shop.sql").write();
        let bodies: HashMap<_, _> = names.iter().map(|name| (name.clone(), body.clone())).collect();
        let catalog = Catalog::sort(&entries, &bodies, Utc::now());
        for backup in &catalog.backups {
            prop_assert!(names.contains(&backup.manifest_name));
            prop_assert!(backup.objects().all(|object| names.contains(&object)));
        }
        prop_assert!(catalog.stale.iter().all(|name| name.starts_with(".dbstash-tmp/") && !name.contains("/../")));
    }

    /// Folders that lie in each other, manifests in them, files anywhere: what is believed can be deleted without
    /// touching what another manifest, readable or not, speaks of.
    #[test]
    fn a_believed_folder_is_nobody_elses(
        names in prop::collection::vec("((a|b|\\.dbstash-tmp)/){0,3}(a|b|c)(\\.sql)?", 1..10),
        folders in prop::collection::vec(("((a|b)/){0,2}(a|b|\\.dbstash-tmp)", 1_u64..4, any::<bool>()), 1..5),
    ) {
        let size = ObjectSize::Unknown;
        let mut entries: Vec<Entry> = names.iter().map(|name| Entry { name: name.clone(), size }).collect();
        let mut bodies = HashMap::new();
        for (folder, files, readable) in &folders {
            let mut one = manifest("pg-h-1", "shop", 0, folder.rsplit('/').next().unwrap());
            one.objects[0].files = Some(*files);
            let name = name_for(folder);
            if *readable {
                bodies.insert(name.clone(), one.write());
            }
            entries.push(Entry { name, size });
        }
        let catalog = Catalog::sort(&entries, &bodies, Utc::now());
        for purged in catalog.backups.iter().flat_map(Backup::objects) {
            prop_assert!(purged.ends_with('/') && purged != ".dbstash-tmp/");
            let inside: Vec<_> = entries.iter().filter(|e| e.name.starts_with(&purged)).collect();
            prop_assert!(!inside.is_empty());
            prop_assert!(inside.iter().all(|e| !e.name.ends_with(SUFFIX)), "{purged} {inside:?}");
            prop_assert!(!inside.iter().any(|e| catalog.others.contains(&e.name)));
        }
    }
}

#[test]
fn bombs_are_small_when_they_go_off() {
    let big = usize::try_from(MAX_BYTES).unwrap();
    for text in [
        vec![b'['; 10 << 20],
        vec![b' '; big + 1],
        vec![b'['; big],
        b"{\"format\":1,\"x\":".repeat(60_000),
        [b"{\"format\":1,\"x\":".to_vec(), vec![b'['; big - 100]].concat(),
        [b"{\"format\":".to_vec(), vec![b'9'; big - 100]].concat(),
    ] {
        assert!(Manifest::read(NAME, &text).is_err());
    }
    // An error does not repeat what it complains about at length.
    let mut long = serde_json::to_value(manifest("pg-h-1", "shop", 0, "shop.sql")).unwrap();
    long["job"] = "x".repeat(900_000).into();
    let error = Manifest::read(NAME, long.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 1000, "{}", error.len());
    long["job"] = "j".into();
    long["objects"][0]["bytes"] = "x".repeat(900_000).into();
    let error = Manifest::read(NAME, long.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.len() < 1000, "{}", error.len());
    assert!(name_for("x").ends_with(SUFFIX));
}
