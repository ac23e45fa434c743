//! What hooks are told, and what they are not.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use dbstash_testkit::{FakeTools, PgServer, RemoteKind, Scratch, TestRemote};
use serde_json::Value;

use super::{Calls, Env, WHOLE, faked, said};
use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file};

const KNOWN_BEFORE: [&str; 4] =
    ["DBSTASH_BACKUP_ID", "DBSTASH_DATABASE", "DBSTASH_ENGINE", "DBSTASH_JOB"];

/// What both hooks of a stored backup were told is what its manifest says.
#[track_caller]
fn agrees(pre: &Env, post: &Env, remote: &TestRemote, object: &str) {
    let manifest = remote.read(&format!("{}.dbstash.json", object.trim_end_matches('/')));
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let dump = &manifest["objects"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let before = [
        ("DBSTASH_BACKUP_ID", text(&manifest["id"])),
        ("DBSTASH_DATABASE", text(&manifest["database"])),
        ("DBSTASH_ENGINE", text(&manifest["engine"])),
        ("DBSTASH_JOB", text(&manifest["job"])),
    ];
    let after = [
        ("DBSTASH_STATUS", "success".to_owned()),
        ("DBSTASH_FILE", format!("{}/{object}", remote.root().trim_end_matches('/'))),
        ("DBSTASH_SIZE", dump["bytes"].to_string()),
        ("DBSTASH_SHA256", text(&dump["sha256"])),
    ];
    for (name, value) in &before {
        assert_eq!((pre.get(*name), post.get(*name)), (Some(value), Some(value)), "{name}");
    }
    for (name, value) in &after {
        assert_eq!((pre.get(*name), post.get(*name)), (None, Some(value)), "{name}");
    }
    assert!(post["DBSTASH_DURATION"].parse::<u64>().unwrap() < 600);
    assert_eq!((pre.get("DBSTASH_DURATION"), post.get("DBSTASH_ERROR")), (None, None));
}

#[test]
fn each_variable_is_what_the_manifest_says() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let (Some(file), Some(remote)) = (shop_file(500), TestRemote::start(kind)) else { return };
        let calls = Calls::new();
        // The file can be fetched by what the hook is told alone.
        let fetch = "rclone --config /dev/null cat \"$DBSTASH_FILE\" | sha256sum >\"$CALLS/sum\"";
        let run = calls.hooked(dbstash(&remote), "echo before", fetch).env("DB_URI", file.uri());
        let run = run.env("BACKUP_NAME_TEMPLATE", "a 'b' $(x)/{db}-{timestamp}");
        // Left by a hook that started us: not ours, and no settings.
        let run = run.env("DBSTASH_FILE", "stale").env("DBSTASH_ERROR", "stale");
        let done = run.run(PATIENCE);
        done.expect_code(0).expect_no_leftovers();
        assert!(!done.stderr.contains("DBSTASH_FILE is unknown"), "{done}");
        assert_eq!(done.stdout, "");
        assert_eq!(said(&done, "pre"), [("INFO", "before")]);
        let (pre, post) = (calls.one("pre"), calls.one("post"));
        agrees(&pre, &post, &remote, &backups(&run)[0]);
        let sum = fs::read_to_string(calls.file("sum")).unwrap();
        assert_eq!(sum.split(' ').next().unwrap(), post["DBSTASH_SHA256"]);
        // Nothing but list, prune and config is done without them.
        for args in [&["list"][..], &["prune", "--yes"], &["config"]] {
            run.clone().args(args).run(PATIENCE).expect_code(0);
        }
        assert_eq!((calls.of("pre").len(), calls.of("post").len()), (1, 1));
        run.clone().args(["backup"]).run(PATIENCE).expect_code(0);
        assert_eq!((calls.of("pre").len(), calls.of("post").len()), (2, 2));
    }
}

#[test]
fn each_database_has_its_own() {
    let Some(server) = PgServer::start("pw") else { return };
    let odd = "x'\"$(touch pwned)`touch pwned`\n;touch pwned";
    for database in ["a one", "m private", odd] {
        server.createdb(database);
    }
    server.psql("m private", "CREATE TABLE secret (x int)");
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    for mode in ["stream", "directory"] {
        let work = Scratch::new("work");
        let calls = Calls::new();
        let run = calls.hooked(dbstash(&remote), "", "cd \"$CALLS\"; eval :");
        let run = run
            .env("PATH", server.path())
            .env("DB_URI", server.uri(""))
            .env("BACKUP_SPLIT_DATABASES", "true")
            .env("DB_EXCLUDE", "postgres")
            .env("BACKUP_MODE", mode)
            .env("BACKUP_NAME_TEMPLATE", format!("{mode}/{{uuid}}"))
            .env("BACKUP_TEMP_DIR", work.path());
        let done = run.run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        let (pre, post) = (calls.of("pre"), calls.of("post"));
        let databases: Vec<_> = post.iter().map(|env| env["DBSTASH_DATABASE"].as_str()).collect();
        assert_eq!(databases, ["a one", "m private", odd], "{done}");
        let listed = listed(&run);
        let mut stored = 0;
        for (pre, post) in pre.iter().zip(&post) {
            if post["DBSTASH_DATABASE"] == "m private" {
                assert_eq!(post["DBSTASH_STATUS"], "failure");
                assert!(post["DBSTASH_ERROR"].contains("permission denied"), "{post:?}");
                let of_file = ["DBSTASH_FILE", "DBSTASH_SIZE", "DBSTASH_SHA256"];
                assert!(of_file.iter().all(|name| !post.contains_key(*name)), "{post:?}");
                continue;
            }
            let all = listed["backups"].as_array().unwrap();
            let ours = all.iter().find(|b| b["id"].as_str() == Some(&post["DBSTASH_BACKUP_ID"]));
            let object = ours.unwrap_or_else(|| panic!("{listed}"))["paths"][0].as_str().unwrap();
            agrees(pre, post, &remote, object);
            stored += 1;
        }
        assert_eq!((pre.len(), post.len(), stored), (3, 3, 2));
        assert!(!calls.file("pwned").exists() && !std::path::Path::new("pwned").exists());
    }
}

/// What came by a flag or from a file is not handed on; what the user's own environment held is, whatever it is.
#[test]
fn the_environment_is_the_users_own() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", WHOLE));
    let secret = calls.file("secret");
    fs::write(&secret, "postgresql://u:from%40the%40file@127.0.0.1:1/shop\n").unwrap();
    let odd = OsStr::from_bytes(b"\xfe\xff kept");
    let run = faked(&remote, &fakes).env_remove("DB_URI").env("DB_URI_FILE", &secret);
    let run = run
        .env("PGPASSWORD", "from-the-environment")
        .env("ODD", odd)
        .env("DUMP_EXTRA_ARGS", "")
        .args(["--rclone-config-pass=from-the-flag", "--dbstash-job=by-flag"]);
    let run = calls.hooked(
        run,
        "printf %s \"$ODD\" | od -An -tx1; cat \"$DB_URI_FILE\"; echo $PGPASSWORD",
        "printf 'password from\\100the\\100file\\n' >&2; exit 1",
    );
    let done = run.run(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    let (pre, post) = (calls.one("pre"), calls.one("post"));
    for env in [&pre, &post] {
        for secret in ["from@the@file", "from%40the%40file", "from-the-flag"] {
            let held: Vec<_> = env.iter().filter(|(_, value)| value.contains(secret)).collect();
            assert!(held.is_empty(), "{held:?}");
        }
        assert_eq!(env["PGPASSWORD"], "from-the-environment");
        assert_eq!(env["DBSTASH_JOB"], "by-flag");
    }
    assert_eq!(said(&done, "pre")[0].1, " fe ff 20 6b 65 70 74");
    // Beside what hooks are told, only what the shell adds by itself.
    let given = ["CALLS", "DB_URI_FILE", "HOME", "ODD", "PATH", "PGPASSWORD", "PG_GLOBALS"];
    let given = [&given[..], &["GOGC", "GOMEMLIMIT"]].concat();
    let names: BTreeSet<_> = pre.keys().map(String::as_str).collect();
    for name in given.iter().chain(&KNOWN_BEFORE) {
        assert!(names.contains(name), "{name}: {names:?}");
    }
    let ours = [
        "BACKUP_",
        "HEALTH_",
        "DBSTASH_STATE_DIR",
        "DUMP_",
        "HOOK_",
        "RCLONE_",
        "_",
        "PWD",
        "SHLVL",
        "OLDPWD",
    ];
    let more: Vec<_> = names
        .iter()
        .filter(|name| !given.contains(name) && !KNOWN_BEFORE.contains(name))
        .filter(|name| !ours.iter().any(|ours| name.starts_with(ours)))
        .collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(!names.contains("RCLONE_CONFIG_PASS") && !names.contains("DB_URI"), "{names:?}");
    // And none of it shows in the log, or in a warning.
    for secret in ["from@the@file", "from%40the", "from-the-environment", "from-the-flag"] {
        assert!(!done.stderr.contains(secret), "{secret}: {done}");
    }
    assert!(said(&done, "post")[0].1.contains("***"), "{done}");
}

#[test]
fn a_dry_run_shows_that_there_are_hooks() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let (calls, fakes) = (Calls::new(), FakeTools::new().tool("pg_dump", "exit 1"));
    let run = calls.hooked(faked(&remote, &fakes), "PGPASSWORD=written-out psql", "");
    let done = run.clone().env("DRY_RUN", "true").run(PATIENCE);
    done.expect_code(0);
    assert!(done.stdout.contains("hooks     before and after each backup"), "{done}");
    assert!(done.stderr.contains("HOOK_PRE_BACKUP holds a secret"), "{done}");
    let config = run.args(["config"]).run(PATIENCE);
    for shown in [&done, &config] {
        assert!(!shown.to_string().contains("written-out"), "{shown}");
        assert!(!shown.to_string().contains("psql"), "{shown}");
    }
    assert_eq!((calls.of("pre").len(), calls.of("post").len()), (0, 0));
}
