//! How rclone is asked: its version, its features, its flags. The answers are real but for the one under test.

use dbstash_testkit::{FakeTools, RemoteKind, TestRemote, tools};

use crate::scene::{PATIENCE, dbstash, shop_file, summary};

/// A real rclone that answers one kind of call as this script says.
fn rclone_but(script: &str) -> Option<FakeTools> {
    let real = tools::require("rclone")?;
    Some(FakeTools::new().tool("rclone", &format!("{script}\notherwise\nexec {}", real.display())))
}

#[test]
fn an_rclone_that_cannot_be_trusted_is_refused() {
    // Not a path: what a path can do is not asked.
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Sftp)) else {
        return;
    };
    for (script, told) in [
        ("when version\nout rclone v1.59.2", "too old"),
        ("when version\nout rclone v1.64.1", "can corrupt streamed uploads"),
        ("when version\nout some other program", "does not answer"),
        (
            "when version\nerr 2026 NOTICE: Fatal error: unknown flag: --bogus\nexit 2",
            "RCLONE_EXTRA_ARGS",
        ),
        (
            "when features\nout {\"Features\":{\"BucketBased\":false,\"PutStream\":false}}",
            "BACKUP_ALLOW_SPOOL",
        ),
    ] {
        let Some(fakes) = rclone_but(script) else { return };
        let run = dbstash(&remote).env("DB_URI", file.uri()).env("PATH", fakes.path());
        let done = run.run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        assert!(summary(&done)["error"].as_str().unwrap().contains(told), "{told}: {done}");
        assert_eq!(remote.names(), [""; 0]);
        if told == "BACKUP_ALLOW_SPOOL" {
            run.clone().env(told, "true").run(PATIENCE).expect_code(0);
        }
    }
}

#[test]
fn an_old_but_usable_rclone_is_warned_about() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let Some(fakes) = rclone_but("when version\nout rclone v1.60.1-DEV") else { return };
    let done = dbstash(&remote).env("DB_URI", file.uri()).env("PATH", fakes.path()).run(PATIENCE);
    done.expect_code(0);
    assert!(done.stderr.contains("rclone 1.60 is old"), "{done}");
}

/// The arguments of the upload of the dump.
fn upload_args(fakes: &FakeTools) -> Vec<String> {
    let mut calls = fakes.calls_of("rclone").into_iter();
    calls.find(|call| call.args[0] == "rcat").unwrap().args
}

#[test]
fn the_last_backup_decides_the_size_of_s3_parts() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::S3)) else {
        return;
    };
    let Some(fakes) = rclone_but("") else { return };
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}")
        .env("PATH", fakes.path());
    run.run(PATIENCE).expect_code(0);
    assert!(upload_args(&fakes).contains(&"--s3-chunk-size=16Mi".to_owned()));
    // The same backup, as if it had had 1 TiB.
    let names = remote.names();
    let manifest = names.iter().find(|name| name.ends_with(".dbstash.json")).unwrap();
    let object = manifest.strip_suffix(".dbstash.json").unwrap();
    let mut big: serde_json::Value = serde_json::from_slice(&remote.read(manifest)).unwrap();
    big["objects"][0]["bytes"] = (1_u64 << 40).into();
    let big = serde_json::to_vec(&big).unwrap();
    remote.write(manifest, &big);
    let item = |path: &str, size: u64| serde_json::json!({ "Path": path, "Name": path, "Size": size, "ModTime": "", "IsDir": false });
    let listing = serde_json::json!([item(object, 1 << 40), item(manifest, big.len() as u64)]);
    let Some(fakes) = rclone_but(&format!("when lsjson --fast-list\nout {listing}")) else {
        return;
    };
    // What this machine remembers is not asked for again; another one has to look.
    let elsewhere = file.scratch.path().join("elsewhere");
    let run = run.clone().env("PATH", fakes.path()).env("DBSTASH_STATE_DIR", elsewhere);
    run.run(PATIENCE).expect_code(0);
    let args = upload_args(&fakes);
    assert!(args.contains(&"--s3-chunk-size=210Mi".to_owned()), "{args:?}");
}

#[test]
fn rclone_hashes_only_where_it_is_asked_to_or_sees_more_than_we_do() {
    let Some(file) = shop_file(10) else { return };
    for (kind, check, hashes) in [
        (RemoteKind::Local, "size", false),
        (RemoteKind::Local, "rclone", true),
        (RemoteKind::Sftp, "size", true),
    ] {
        let (Some(remote), Some(fakes)) = (TestRemote::start(kind), rclone_but("")) else { return };
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("BACKUP_UPLOAD_CHECK", check)
            .env("RCLONE_EXTRA_ARGS", "--bwlimit '100M'")
            .env("PATH", fakes.path());
        run.run(PATIENCE).expect_code(0);
        let args = upload_args(&fakes);
        assert_eq!(!args.contains(&"--ignore-checksum".to_owned()), hashes, "{kind} {check}");
        for call in fakes.calls_of("rclone") {
            assert!(call.args.ends_with(&["--bwlimit".into(), "100M".into()]), "{call:?}");
            let ours = ["DB_URI", "RCLONE_REMOTE", "RCLONE_EXTRA_ARGS", "BACKUP_UPLOAD_CHECK"];
            assert!(ours.iter().all(|name| !call.env.contains_key(*name)), "{call:?}");
        }
    }
}

#[test]
fn a_remote_that_does_not_tell_sizes_is_read_back() {
    let (Some(file), Some(remote)) = (shop_file(10), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    // The temporary's size is asked for once it is whole, and the listing is late.
    let unknown = r#"when lsjson *.part
out {"Path":"x","Name":"x","Size":-1,"ModTime":"","IsDir":false}
when lsjson *.dbstash-tmp/
out []"#;
    let Some(fakes) = rclone_but(unknown) else { return };
    let done = dbstash(&remote).env("DB_URI", file.uri()).env("PATH", fakes.path()).run(PATIENCE);
    done.expect_code(0);
    let read_back = |call: &&dbstash_testkit::fake::Call| {
        call.args[0] == "cat" && call.args.iter().any(|arg| arg.ends_with(".part"))
    };
    // The dump and the manifest.
    assert_eq!(fakes.calls_of("rclone").iter().filter(read_back).count(), 2);
}
