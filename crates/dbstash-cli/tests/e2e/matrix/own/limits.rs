//! Too few file descriptors, too few processes: a clear error at whatever step it is, or a good backup.

use std::io::Write as _;
use std::os::unix::fs::chown;

use dbstash_testkit::{Dbstash, Finished, RemoteKind, TestRemote, tools};

use super::seen::Shop;
use crate::scene::{PATIENCE, shop_file};

/// The same run, started by a program that sets a limit.
fn limited(shop: &Shop, by: &[&str]) -> Dbstash {
    Dbstash::new("/usr/bin/env")
        .args(by.iter().chain(&[env!("CARGO_BIN_EXE_dbstash")]))
        .envs(shop.remote.env())
        .env("DB_URI", shop.uri())
        .env("RCLONE_REMOTE", shop.remote.root())
        .env("BACKUP_NAME_TEMPLATE", "{db}-{timestamp}-{uuid}")
        .env("BACKUP_SCHEDULE", "once")
}

/// It succeeded, and there is one good backup more than these; or it said why not, and there is none more.
fn clear(shop: &mut Shop, good: &mut usize, limit: &str, done: &Finished) -> bool {
    done.expect_no_leftovers();
    assert!(!done.stderr.contains("panicked"), "{limit}: {done}");
    let stored = done.code == Some(0);
    *good += usize::from(stored);
    assert_eq!(shop.all_listed_restore(), *good, "{limit}: {done}");
    // 127: what loads programs cannot open their libraries.
    assert!([0, 1, 127].contains(&done.code.unwrap_or(-1)), "{limit}: {done}");
    assert!(stored || !done.stderr.trim().is_empty(), "{limit}: silent: {done}");
    stored
}

#[test]
fn file_descriptors() {
    for kind in [RemoteKind::Local, RemoteKind::S3] {
        let (Some(file), Some(remote)) = (shop_file(200), TestRemote::start(kind)) else { return };
        eprintln!("--- on {kind}");
        let mut shop = Shop::open(file, remote);
        let (mut stored, mut failed, mut good) = (0, 0, shop.all_listed_restore());
        for descriptors in 3..=40 {
            let limit = format!("ulimit -n {descriptors}");
            let run = limited(&shop, &["sh", "-c", &format!("{limit} && exec \"$0\"")]);
            let done = run.run(PATIENCE);
            if clear(&mut shop, &mut good, &limit, &done) {
                stored += 1;
            } else {
                failed += 1;
            }
            shop.nothing_else_on_the_remote(&format!("{limit}: {done}"));
        }
        eprintln!("    {failed} failed, {stored} stored");
        assert!(stored > 3 && failed > 3, "{failed} failed, {stored} stored");
    }
}

/// Nobody else is this user: the limit counts all of a user's processes and threads.
const USER: u32 = 54_321;

#[test]
fn processes() {
    if !rustix::process::geteuid().is_root() || tools::find("setpriv").is_none() {
        let _ =
            writeln!(std::io::stderr(), "SKIP a process limit: only root can become another user");
        return;
    }
    let (Some(file), Some(remote)) = (shop_file(200), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let mut shop = Shop::open(file, remote);
    let own = dbstash_testkit::Scratch::new("user");
    let (state, bin) = (own.dir("state"), own.dir("bin"));
    for program in ["rclone", "sqlite3"] {
        let Some(found) = tools::require(program) else { return };
        // Where it is may be out of another user's reach.
        dbstash_testkit::tools::copy_program(&found, &bin.join(program));
    }
    let root = std::path::Path::new(shop.remote.root());
    let temporaries = root.join(".dbstash-tmp");
    let folder = shop.file().parent().unwrap();
    for path in [&state, root, &temporaries, folder, shop.file()] {
        chown(path, Some(USER), Some(USER)).unwrap();
    }
    let (mut stored, mut failed, mut last) = (0, 0, String::new());
    let mut good = shop.all_listed_restore();
    for processes in [0, 1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 96] {
        let limit = format!("--nproc={processes}");
        let user = USER.to_string();
        let as_user = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];
        let by: Vec<_> = as_user.into_iter().chain(["prlimit", &limit]).collect();
        let run = limited(&shop, &by)
            .env("DBSTASH_STATE_DIR", &state)
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        let done = run.run(PATIENCE);
        if clear(&mut shop, &mut good, &limit, &done) {
            stored += 1;
        } else {
            (failed, last) = (failed + 1, done.to_string());
        }
    }
    eprintln!("    {failed} failed, {stored} stored");
    assert!(stored > 1 && failed > 1, "{failed} failed, {stored} stored, {last}");
}
