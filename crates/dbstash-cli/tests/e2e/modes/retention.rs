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
