//! Retention deletes exactly our own folders.

use dbstash_testkit::{RemoteKind, TestRemote};

use super::Work;
use super::broken::shop;
use crate::scene::{PATIENCE, backups, dbstash};

#[test]
fn only_whole_folders_of_ours_go() {
    let Some(server) = shop() else { return };
    for kind in RemoteKind::MAIN {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let run =
            dbstash(&remote).env("DB_URI", server.uri("shop")).env("BACKUP_MODE", "directory");
        let template = "a folder/{db}-{ts}-{uuid}";
        let run = run.env("BACKUP_NAME_TEMPLATE", template).env("RETENTION_MAX_FILES", "2");
        let work = Work::under(run);
        work.run.run(PATIENCE).expect_code(0);
        let first = backups(&work.run).remove(0);
        assert!(first.starts_with("a folder/shop-") && first.ends_with('/'), "{first}");
        let near = format!("{}x/keep.me", first.trim_end_matches('/'));
        remote.write(&near, b"foreign");
        remote.write("a folder/foreign.txt", b"foreign");
        for _ in 0..2 {
            work.run.run(PATIENCE).expect_code(0);
        }
        let names = remote.names();
        let left = |name: &&String| {
            name.starts_with(&first) || name.contains(&format!("{}.", first.trim_end_matches('/')))
        };
        assert_eq!(names.iter().filter(left).count(), 0, "{kind}: {names:?}");
        assert!(names.contains(&near) && names.contains(&"a folder/foreign.txt".to_owned()));
        let now = backups(&work.run);
        assert_eq!(now.len(), 2, "{kind}");

        // Somebody put something into one: it is no backup of ours any more, and nobody deletes it.
        let touched = now.last().unwrap();
        remote.write(&format!("{touched}notes.txt"), b"foreign");
        for _ in 0..3 {
            work.run.run(PATIENCE).expect_code(0);
        }
        assert_eq!(backups(&work.run).len(), 2, "{kind}");
        let names = remote.names();
        assert!(names.contains(&format!("{touched}notes.txt")), "{kind}: {names:?}");
        assert!(names.contains(&format!("{touched}toc.dat")), "{kind}: {names:?}");
    }
}

/// A folder has no extension: whatever its name ends with belongs to it.
#[test]
fn a_name_may_end_with_a_dot() {
    let Some(server) = shop() else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = dbstash(&remote).env("DB_URI", server.uri("shop")).env("BACKUP_MODE", "directory");
    let work = Work::under(run.env("BACKUP_NAME_TEMPLATE", "{db}."));
    for _ in 0..2 {
        work.run.run(PATIENCE).expect_code(0);
    }
    let mut names = backups(&work.run);
    names.sort();
    assert_eq!(names, ["shop.-2/", "shop./"]);
    for list in ["shop..sha256", "shop.-2.sha256"] {
        assert!(remote.names().contains(&list.to_owned()), "{:?}", remote.names());
    }
}

/// A folder is known by the names of its files, not only by how many they are.
#[test]
fn a_folder_with_another_file_in_the_place_of_one_is_no_backup() {
    let Some(server) = shop() else { return };
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let Some(remote) = TestRemote::start(kind) else { continue };
        let run =
            dbstash(&remote).env("DB_URI", server.uri("shop")).env("BACKUP_MODE", "directory");
        let work = Work::under(run.env("RETENTION_MAX_FILES", "1"));
        work.run.run(PATIENCE).expect_code(0);
        let folder = backups(&work.run).remove(0);
        let names = remote.names();
        let one = names.iter().find(|name| name.starts_with(&folder)).unwrap();
        let bytes = remote.read(one);
        remote.delete(one);
        remote.write(&format!("{folder}precious.txt"), &bytes);
        assert_eq!(backups(&work.run), [""; 0], "{kind}");
        work.run.run(PATIENCE).expect_code(0);
        assert_eq!(remote.read(&format!("{folder}precious.txt")), bytes);
    }
}

#[test]
fn a_name_inside_of_a_backup_is_refused() {
    let Some(server) = shop() else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let run = dbstash(&remote).env("DB_URI", server.uri("shop")).env("BACKUP_MODE", "directory");
    let work = Work::under(run.env("BACKUP_NAME_TEMPLATE", "{db}"));
    work.run.run(PATIENCE).expect_code(0);
    let inner = work.run.clone().env("DBSTASH_JOB", "B").env("BACKUP_NAME_TEMPLATE", "{db}/inner");
    for mode in ["directory", "tar", "stream"] {
        let done = inner.clone().env("BACKUP_MODE", mode).run(PATIENCE);
        done.expect_code(1).expect_no_leftovers();
        assert!(done.stderr.contains("a folder that is a backup itself"), "{done}");
    }
    assert_eq!(backups(&work.run), ["shop/"]);
}
