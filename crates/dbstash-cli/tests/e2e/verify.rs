//! `dbstash verify`: what is stored is read back, and what is wrong with it is told.

mod large;

use std::fs;

use dbstash_testkit::{
    Dbstash, Finished, PgServer, RemoteKind, Scratch, TestRemote, sqlite, tools,
};
use serde_json::Value;

use crate::scene::{File, PATIENCE, backups, dbstash, listed, shop_file};

/// A run of a job on these remotes, where a cut or changed object looks different.
fn each(test: impl Fn(&File, &TestRemote, &Dbstash)) {
    for kind in [RemoteKind::Local, RemoteKind::S3, RemoteKind::CryptLocal] {
        let (Some(file), Some(remote)) = (shop_file(50), TestRemote::start(kind)) else { return };
        eprintln!("--- on {kind}");
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("BACKUP_NAME_TEMPLATE", "a/{db}-{timestamp}-{uuid}");
        test(&file, &remote, &run);
    }
}

/// Without anything of the database.
fn verify(run: &Dbstash, words: &[&str]) -> Finished {
    let run = run.clone().env_remove("DB_URI").env_remove("BACKUP_SCHEDULE");
    let done = run.args(["verify"].iter().chain(words)).run(PATIENCE);
    eprint!("{}{}", done.stdout, done.stderr);
    done
}

fn marks(remote: &TestRemote) -> Vec<String> {
    let names = remote.names().into_iter();
    names.filter(|name| name.ends_with(".verified.json")).collect()
}

#[test]
fn good_is_good_and_kept_beside_it() {
    each(|_, remote, run| {
        run.run(PATIENCE).expect_code(0);
        let object = backups(run).remove(0);
        let done = verify(run, &[]);
        done.expect_code(0).expect_no_leftovers();
        assert!(done.stdout.starts_with("good (structure)") && done.stdout.contains(&object));
        let stored = marks(remote);
        assert!(stored.len() == 1 && stored[0].contains(".structure."), "{stored:?}");
        assert!(stored[0].starts_with(&format!("{object}.")), "{stored:?}");
        let record: Value = serde_json::from_slice(&remote.read(&stored[0])).unwrap();
        let id = listed(run)["backups"][0]["id"].clone();
        assert_eq!((&record["id"], &record["good"]), (&id, &Value::from("structure")));

        // A weaker result does not take a stronger one's place, a new one an older one's.
        verify(run, &["latest", "--level", "bytes"]).expect_code(0);
        assert_eq!(marks(remote).len(), 2);
        verify(run, &[id.as_str().unwrap()]).expect_code(0);
        let now = marks(remote);
        assert!(now.len() == 1 && now[0] > stored[0], "{now:?}");
        let list = listed(run);
        assert_eq!(list["backups"][0]["verified"]["result"], "structure", "{list}");
        assert_eq!(list["without_manifest"], Value::Array(Vec::new()), "{list}");

        // Gone with its backup.
        let keep = run.clone().env("RETENTION_MAX_FILES", "1");
        keep.run(PATIENCE).expect_code(0);
        assert_eq!((marks(remote), remote.names().len()), (Vec::new(), 2), "{:?}", remote.names());
    });
}

#[test]
fn what_changed_is_corrupt() {
    each(|file, remote, run| {
        for compression in ["none", "gzip"] {
            let run = run.clone().env("BACKUP_COMPRESSION", compression);
            sqlite::run(&file.path, "CREATE TABLE IF NOT EXISTS turn (n); DELETE FROM turn");
            for n in [4, 7] {
                sqlite::run(&file.path, &format!("INSERT INTO turn VALUES ({n})"));
                run.run(PATIENCE).expect_code(0);
                sqlite::run(&file.path, "DELETE FROM turn");
            }
            let [newest, older] = [0, 1].map(|n| backups(&run)[n].clone());
            let good = remote.read(&newest);

            let mut bad = good.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 4;
            remote.write(&newest, &bad);
            for level in ["bytes", "structure"] {
                let done = verify(&run, &["latest", "--level", level]);
                done.expect_code(1);
                assert!(done.stdout.starts_with("corrupt"), "{done}");
                assert!(done.stdout.contains("its bytes have changed"), "{done}");
            }
            assert_eq!(listed(&run)["backups"][0]["verified"]["result"], "corrupt");

            // Two objects, each in the other's place; the catalog sees only sizes.
            let other = remote.read(&older);
            remote.write(&newest, &other);
            remote.write(&older, &good);
            assert_eq!(
                verify(&run, &["--all", "--level", "bytes"])
                    .expect_code(1)
                    .stdout
                    .matches("corrupt")
                    .count(),
                2
            );

            // Cut short, and gone: no backup any more, and told all the same.
            remote.write(&older, &other);
            remote.write(&newest, &good[..good.len() - 1]);
            assert!(
                verify(&run, &[&newest]).expect_code(1).stdout.contains("bytes and should have")
            );
            verify(&run, &[]).expect_code(1);
            remote.delete(&newest);
            assert!(verify(&run, &[]).expect_code(1).stdout.contains("is missing"));
            assert!(verify(&run, &[&older]).expect_code(0).stdout.contains("good"));

            // Put back, it is what it was; a later result stands.
            remote.write(&newest, &good);
            verify(&run, &["--all"]).expect_code(0);
            assert_eq!(listed(&run)["backups"][0]["verified"]["result"], "structure");
            for name in remote.names() {
                remote.delete(&name);
            }
        }
    });
}

#[test]
fn what_cannot_be_tested_is_not_good() {
    let (Some(file), Some(remote)) = (shop_file(20), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    // Nothing there is nothing tested.
    verify(&run, &["--all"]).expect_code(4);
    run.run(PATIENCE).expect_code(0);
    let object = backups(&run).remove(0);
    let manifest = format!("{object}.dbstash.json");
    verify(&run, &["nonesuch"]).expect_code(4);

    // Of a later version.
    let text = remote.read(&manifest);
    let newer = String::from_utf8(text.clone()).unwrap().replace("\"format\": 1", "\"format\": 2");
    remote.write(&manifest, newer.as_bytes());
    // Seen where the manifest was known, and where it was not.
    let elsewhere = run.clone().env("DBSTASH_STATE_DIR", file.scratch.dir("state"));
    for run in [&run, &elsewhere] {
        assert!(verify(run, &["--all"]).expect_code(4).stdout.contains("newer"));
    }
    let other = newer.replace("\"format\": 2", "\"format\": 1").replace("\"stream\"", "\"Stream\"");
    remote.write(&manifest, other.as_bytes());
    assert!(verify(&run, &[]).expect_code(1).stdout.contains("its manifest has changed"));
    remote.delete(&manifest);
    verify(&run, &[&object]).expect_code(4);
    remote.write(&manifest, &text);
    verify(&run, &[&object]).expect_code(0);

    // A remote that nobody answers for, and words that are none.
    let away = run.clone().env("RCLONE_REMOTE", ":webdav,url='http://127.0.0.1:1':");
    verify(&away, &[]).expect_code(4);
    for words in [&["--level", "deep"][..], &["--sample", "0%"], &["--all", "latest"]] {
        verify(&run, words).expect_code(2);
    }
}

#[test]
fn a_copy_is_looked_at_by_the_tool() {
    let (Some(file), Some(remote)) = (shop_file(200), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let work = Scratch::new("work");
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("SQLITE_FORMAT", "file")
        .env("BACKUP_COMPRESSION", "gzip")
        .env("BACKUP_TEMP_DIR", work.path());
    run.run(PATIENCE).expect_code(0);
    let done = verify(&run, &[]);
    assert!(done.expect_code(0).stdout.contains("integrity_check"), "{done}");
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);

    // Without it only the bytes can be looked at, and that is told.
    let bin = Scratch::new("bin");
    let rclone = tools::find("rclone").unwrap();
    std::os::unix::fs::symlink(rclone, bin.path().join("rclone")).unwrap();
    let bare = run.clone().env("PATH", bin.path());
    assert!(verify(&bare, &[]).expect_code(4).stdout.contains("sqlite3 is not installed"));
    verify(&bare, &["--level", "bytes"]).expect_code(0);

    // Damaged before it was stored, and stored as what it is: the bytes are good, and the file is none.
    let object = backups(&run).remove(0);
    let whole = fs::read(&file.path).unwrap();
    let mut damaged = whole.clone();
    damaged[4096..8192].fill(7);
    forge(&remote, &object, &damaged);
    let done = verify(&run, &["--level", "bytes"]);
    done.expect_code(0);
    let done = verify(&run, &[]);
    assert!(done.expect_code(1).stdout.contains("integrity_check"), "{done}");
    assert_eq!(fs::read_dir(work.path()).unwrap().count(), 0);
    assert!(sqlite::available());
}

/// Another object in the place of one, gzipped, and a manifest that vouches for it.
fn forge(remote: &TestRemote, object: &str, raw: &[u8]) {
    use std::io::Write as _;
    let mut gzip = std::process::Command::new("gzip")
        .arg("-c")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let raw_bytes = raw.len();
    let raw = raw.to_vec();
    let feed = std::thread::spawn(move || stdin.write_all(&raw).unwrap());
    let packed = gzip.wait_with_output().unwrap().stdout;
    feed.join().unwrap();
    let name = format!("{object}.dbstash.json");
    let mut manifest: Value = serde_json::from_slice(&remote.read(&name)).unwrap();
    let dump = &mut manifest["objects"][0];
    dump["bytes"] = packed.len().into();
    dump["raw_bytes"] = raw_bytes.into();
    let sum = std::process::Command::new("sha256sum");
    let scratch = Scratch::new("forged");
    let path = scratch.path().join("x");
    fs::write(&path, &packed).unwrap();
    let sum = { sum }.arg(&path).output().unwrap().stdout;
    dump["sha256"] = std::str::from_utf8(&sum[..64]).unwrap().into();
    remote.write(object, &packed);
    remote.write(&name, manifest.to_string().as_bytes());
}

#[test]
fn a_sample_takes_turns() {
    let (Some(file), Some(remote)) = (shop_file(5), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}");
    for _ in 0..4 {
        run.run(PATIENCE).expect_code(0);
    }
    for done in 1..=2 {
        let seen = verify(&run, &["--sample", "50%", "--level", "bytes"]);
        assert_eq!(seen.expect_code(0).stdout.lines().count(), 2);
        assert_eq!(marks(&remote).len(), 2 * done, "those come first that were never verified");
    }
}

#[test]
fn every_file_of_a_folder_counts() {
    let Some(server) = PgServer::start("pw") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.createdb("small");
    server.psql(
        "small",
        "CREATE TABLE t AS SELECT generate_series(1, 500) n; GRANT SELECT ON t TO PUBLIC",
    );
    let run = dbstash(&remote)
        .env("PATH", server.path())
        .env("DB_URI", server.uri("small"))
        .env("BACKUP_MODE", "directory")
        .env("BACKUP_COMPRESS", "true");
    run.run(PATIENCE).expect_code(0);
    let folder = backups(&run).remove(0);
    let names = remote.names().into_iter().filter(|name| !name.ends_with(".json"));
    let names: Vec<_> = names.collect();
    let of_folder = names.iter().filter(|name| name.starts_with(&folder)).count();
    assert!(of_folder >= 2 && names.len() == of_folder + 2, "{names:?}");
    for name in &names {
        let good = remote.read(name);
        let mut bad = good.clone();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        remote.write(name, &bad);
        let done = verify(&run, &["--level", "bytes"]);
        assert!(done.expect_code(1).stdout.contains("changed"), "{name}: {done}");
        remote.write(name, &good);
    }
    // Two files in each other's place, and one under another name.
    let [one, other] =
        [0, 1].map(|n| names.iter().filter(|x| x.starts_with(&folder)).nth(n).unwrap());
    let (first, second) = (remote.read(one), remote.read(other));
    remote.write(one, &second);
    remote.write(other, &first);
    verify(&run, &[]).expect_code(1);
    remote.write(one, &first);
    remote.write(other, &second);
    verify(&run, &[]).expect_code(0);
}
