//! A remote that holds what an enemy, or an accident, has put there: nothing of it is believed, shown raw or deleted.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use dbstash_testkit::{Dbstash, Finished, RemoteKind, TestRemote};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file};

/// What no command may need more of, in KiB.
const MEMORY: u64 = 64 * 1024;

/// A remote with one good backup of `job`, and whatever is laid beside it.
struct Place {
    remote: TestRemote,
    run: Dbstash,
    good: String,
    manifest: Value,
    foreign: BTreeMap<String, Vec<u8>>,
}

impl Place {
    fn open(kind: RemoteKind) -> Option<Self> {
        let (file, remote) = (shop_file(10)?, TestRemote::start(kind)?);
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("DBSTASH_JOB", "job")
            .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}");
        run.run(PATIENCE).expect_code(0);
        let good = backups(&run).pop().unwrap();
        let manifest = serde_json::from_slice(&remote.read(&format!("{good}.dbstash.json")));
        let (manifest, foreign) = (manifest.unwrap(), BTreeMap::new());
        Some(Self { remote, run, good, manifest, foreign })
    }

    /// Lays something there that must stay as it is.
    fn lay(&mut self, name: &str, bytes: &[u8]) {
        self.remote.write(name, bytes);
        self.foreign.insert(name.to_owned(), bytes.to_vec());
    }

    /// Lays an object there and a manifest that vouches for it, changed by `twist`.
    fn forge(&mut self, object: &str, twist: impl FnOnce(&mut Value)) {
        let mut manifest = self.manifest.clone();
        manifest["objects"][0]["name"] = object.into();
        manifest["objects"][0]["bytes"] = 5.into();
        twist(&mut manifest);
        self.lay(object, b"bytes");
        self.lay(&format!("{object}.dbstash.json"), manifest.to_string().as_bytes());
    }

    /// Every command copes, deletes nothing that it should not, and still lists the good backup.
    fn survives(&self, of_ours: &[&str]) {
        let text = watched(&self.run.clone().args(["list", "--all"]));
        harmless(&text);
        assert!(text.stdout.contains(self.manifest["id"].as_str().unwrap()), "{text}");
        let all = watched(&self.run.clone().args(["list", "--json"]));
        harmless(&all);
        assert!(backups(&self.run).contains(&self.good), "{all}");
        let keep =
            self.run.clone().env("RETENTION_MAX_FILES", "1").env("RETENTION_HOLD_BELOW", "0");
        let pruned = watched(&keep.clone().args(["prune", "--yes"]));
        harmless(&pruned);
        self.still_there(of_ours);
    }

    /// What was laid there is, but for what belongs to our own job by its own manifest.
    fn still_there(&self, but: &[&str]) {
        let names = self.remote.names();
        for (name, bytes) in self.foreign.iter().filter(|(name, _)| !but.contains(&name.as_str())) {
            assert!(names.contains(name), "{name:?} is gone");
            assert!(self.remote.read(name) == *bytes, "{name:?} changed");
        }
    }
}

/// A run with an eye on its memory.
fn watched(run: &Dbstash) -> Finished {
    let (done, most) = crate::scene::watched(run);
    assert!(most < MEMORY, "{most} KiB: {done}");
    done
}

/// It ended well, did not panic, and what it printed drives no terminal.
fn harmless(done: &Finished) {
    done.expect_code(0).expect_no_leftovers();
    assert!(!done.stderr.contains("panicked"), "{done}");
    let odd = |c: char| c.is_control() && c != '\n' || ('\u{202a}'..='\u{202e}').contains(&c);
    // JSON escapes the characters that drive a terminal; the others are a program's data.
    let json = done.stdout.starts_with('{');
    let raw = |c: &char| if json { c.is_control() && *c != '\n' } else { odd(*c) };
    assert_eq!(done.stdout.chars().find(raw), None, "{done}");
    assert_eq!(done.stderr.chars().find(raw), None, "{done}");
    let longest = done.stdout.lines().map(str::len).max().unwrap_or(0);
    assert!(json || longest < 10_000, "a line of {longest} bytes");
}

#[test]
fn manifests_that_lie() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(mut place) = Place::open(kind) else { return };
        eprintln!("--- on {kind}");
        let good = place.good.clone();
        let bytes = place.remote.objects()[&good];
        place.lay("precious.txt", b"somebody's only copy");
        // What its job may claim, and what not: with all of them older than the good one, pruning goes for them.
        let old = |m: &mut Value| {
            m["started"] = "2001-01-01T00:00:00Z".into();
            m["ended"] = "2001-01-01T00:00:00Z".into();
        };
        let also = |m: &mut Value, name: &str, bytes: u64| {
            old(m);
            let mut object = m["objects"][0].clone();
            object["name"] = name.into();
            object["bytes"] = bytes.into();
            m["objects"].as_array_mut().unwrap().push(object);
        };
        place.forge("own.sql", old);
        place.forge("claims-the-good.sql", |m| also(m, &good, bytes));
        let manifest = format!("{good}.dbstash.json");
        let size = place.remote.objects()[&manifest];
        place.forge("claims-a-manifest.sql", |m| also(m, &manifest, size));
        place.forge("climbs.sql", |m| also(m, "../precious.txt", 20));
        place.forge("absolute.sql", |m| also(m, "/etc/passwd", 20));
        place.forge("a-folder.sql", |m| also(m, ".dbstash-tmp", 0));
        place.forge("dot.sql", |m| also(m, ".", 0));
        place.forge("twice.sql", |m| also(m, "twice.sql", 5));
        place.forge("huge.sql", |m| m["objects"][0]["bytes"] = u64::MAX.into());
        place.forge("negative.sql", |m| m["objects"][0]["bytes"] = (-5).into());
        place.forge("newer.sql", |m| m["format"] = 2.into());
        place.forge("no-format.sql", |m| m["format"] = "1".into());
        place.forge("no-objects.sql", |m| m["objects"] = json!([]));
        place.forge("odd-job.sql", |m| m["job"] = "../\u{1b}[2J".into());
        place.forge("not-its-name.sql", |m| m["objects"][0]["name"] = good.as_str().into());
        place.survives(&["own.sql", "own.sql.dbstash.json"]);
        assert!(!place.remote.names().contains(&"own.sql".to_owned()), "retention did nothing");
        let listed = listed(&place.run);
        assert_eq!(listed["backups"].as_array().unwrap().len(), 1, "{listed:#}");
        assert_eq!(listed["broken"].as_array().unwrap().len(), 14, "{listed:#}");
    }
}

#[test]
fn manifests_that_are_listed_but_odd() {
    let Some(mut place) = Place::open(RemoteKind::Local) else { return };
    let escape = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}1A\u{202e}\r\n";
    let of_other = |m: &mut Value| m["job"] = "other".into();
    for (object, key) in [("db.sql", "database"), ("host.sql", "host"), ("id.sql", "id")] {
        place.forge(object, |m| {
            of_other(m);
            m[key] = format!("x{escape}").into();
        });
    }
    place.forge("check.sql", |m| {
        of_other(m);
        m["objects"][0]["check"] = escape.into();
    });
    place.forge("long.sql", |m| {
        of_other(m);
        m["database"] = "x".repeat(900_000).into();
    });
    place.forge("raw.sql", |m| {
        of_other(m);
        m["objects"][0]["raw_bytes"] = u64::MAX.into();
    });
    for (n, year) in [
        "9999-12-31T23:59:59Z",
        "+262142-12-31T23:59:59Z",
        "-0001-01-01T00:00:00Z",
        "-262143-01-01T00:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        place.forge(&format!("year-{n}.sql"), |m| {
            m["started"] = year.into();
            m["ended"] = year.into();
        });
    }
    for zone in ["UTC", "Pacific/Apia", "America/Caracas"] {
        harmless(&watched(&place.run.clone().env("TZ", zone).args(["list"])));
    }
    // The two of years long gone are of our own job, and go.
    place.survives(&[
        "year-2.sql",
        "year-2.sql.dbstash.json",
        "year-3.sql",
        "year-3.sql.dbstash.json",
    ]);
}

#[test]
fn texts_that_are_no_manifests() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(mut place) = Place::open(kind) else { return };
        eprintln!("--- on {kind}");
        place.lay("ten-megabytes.sql.dbstash.json", &vec![b'['; 10 << 20]);
        let deep = [b"{\"format\":1,\"objects\":".to_vec(), vec![b'['; 900_000]].concat();
        place.lay("deep.sql.dbstash.json", &deep);
        let check = [b"{\"format\":1,\"x\":".to_vec(), b"{\"x\":".repeat(150_000)].concat();
        place.lay("deep-objects.sql.dbstash.json", &check);
        place.lay("empty.sql.dbstash.json", b"\n");
        place.lay("not-utf8.sql.dbstash.json", b"{\"format\":1,\"id\":\"\xff\xfe\"}");
        let many = json!({ "format": 1, "objects": vec![json!({ "name": "a" }); 60_000] });
        place.lay("many.sql.dbstash.json", many.to_string().as_bytes());
        place.survives(&[]);
        assert_eq!(listed(&place.run)["broken"].as_array().unwrap().len(), 6);
    }
}

/// Names that a shell, an option parser, a pattern or a path would take for something else. A stale temporary among
/// them must not be reached by another name, nor keep the others from being swept.
#[test]
fn names_that_bite() {
    let Some(mut place) = Place::open(RemoteKind::Local) else { return };
    let root = PathBuf::from(place.remote.root());
    let mut lay = |name: &str| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name).unwrap();
        place.foreign.insert(name.to_owned(), name.as_bytes().to_vec());
    };
    for name in [
        "-rf",
        "--config=x.sql",
        "*",
        "[a-z]*.sql",
        "{a,b}.sql",
        "# comment",
        "; comment",
        " leading and trailing ",
        "$(touch owned)`id`.sql",
        "..sql",
        "...",
        "folder/..x/-y",
        "- *",
        "percent%2e%2e%2f.sql",
        ".dbstash-tmp/foreign",
        "*.dbstash.json",
        "-x.sql.dbstash.json",
        ".dbstash.json",
        "é\u{202e}.sql",
    ] {
        lay(name);
    }
    // What rclone lists under another name than it has, and what cannot be told to it in a line.
    let raw = ["new\nline", "new\nline.dbstash.json", "esc\u{1b}[2J.sql", "back\\slash", "r\r.sql"];
    let stale = ["shop.sql", "*", "x\n", "-x"]
        .map(|name| format!(".dbstash-tmp/{name}.20200101T000000Z-aaaaaaaa.part"));
    for name in raw.into_iter().chain(stale.iter().map(String::as_str)) {
        fs::write(root.join(name), name).unwrap();
    }
    place.survives(&[]);
    let Some(file) = shop_file(20) else { return };
    let run = place.run.clone().env("DB_URI", file.uri()).env("RETENTION_MAX_FILES", "5");
    harmless(&watched(&run));
    assert_eq!(backups(&run).len(), 2);
    place.still_there(&[]);
    for name in raw {
        assert_eq!(fs::read_to_string(root.join(name)).ok().as_deref(), Some(name));
    }
    for name in stale {
        assert!(!root.join(&name).exists(), "{name} was not swept");
    }
    assert!(!std::path::Path::new("owned").exists());
}
