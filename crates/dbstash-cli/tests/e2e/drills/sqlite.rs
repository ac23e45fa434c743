//! Of a file.

use dbstash_testkit::{RemoteKind, Scratch, TestRemote, tools};

use super::{drill, expect, marks, noted};
use crate::scene::{PATIENCE, dbstash, listed, shop_file};

#[test]
fn what_came_back_is_counted() {
    for (kind, settings) in [
        (RemoteKind::Local, [("SQLITE_FORMAT", "sql"), ("BACKUP_COMPRESSION", "zstd")]),
        (RemoteKind::S3, [("SQLITE_FORMAT", "sql"), ("BACKUP_COMPRESSION", "none")]),
        (RemoteKind::Local, [("SQLITE_FORMAT", "file"), ("BACKUP_COMPRESSION", "gzip")]),
    ] {
        let (Some(remote), Some(file)) = (TestRemote::start(kind), shop_file(50)) else { return };
        let work = Scratch::new("work");
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("BACKUP_TEMP_DIR", work.path())
            .envs(settings);
        run.run(PATIENCE).expect_code(0);
        let done =
            drill(&run.clone().env("DRILL_SQL", "SELECT count(*) > 1 FROM customer\nSELECT 1"));
        expect(&done, 0, "good (restore)", work.path());
        assert!(done.stdout.contains("2 assertions of DRILL_SQL"), "{done}");
        let found = noted(&remote)["drill"].clone();
        assert!(found["places"].as_u64() > Some(1), "{found}");
        let is_compared = found.get("uncompared").is_none();
        assert_eq!(
            (is_compared, found["things"].as_u64() > Some(50)),
            match settings[0].1 {
                "sql" => (true, true),
                _ => (false, false),
            }
        );
        assert_eq!(listed(&run)["backups"][0]["verified"]["result"], "restored");

        let refused = drill(&run.clone().env("DRILL_SQL", "SELECT count(*) < 1 FROM customer"));
        expect(&refused, 1, "assertion 1 of DRILL_SQL: it is \"0\"", work.path());
        assert_eq!(listed(&run)["backups"][0]["verified"]["result"], "corrupt");
        // Who looks less far finds nothing that is better.
        let less = run.clone().args(["verify", "--level", "bytes"]).run(PATIENCE);
        expect(&less, 4, "it is known to be corrupt", work.path());
        let wrong = drill(&run.clone().env("DRILL_SQL", "SELECT 1 FROM nowhere"));
        expect(&wrong, 4, "cannot be asked", work.path());
        assert_eq!(marks(&remote, "corrupt"), 1);
    }
}

/// The dump reads as a whole one, and undoes at its end what it holds.
#[test]
fn rows_that_do_not_come_back_are_missed() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(50)) else {
        return;
    };
    let (work, liar) = (Scratch::new("work"), Scratch::new("liar"));
    let real = tools::find("sqlite3").unwrap();
    let text = format!(
        "#!/bin/sh\n{} \"$@\" | sed 's/^COMMIT;/DELETE FROM every_type WHERE id % 2;\\nCOMMIT;/'\n",
        real.display()
    );
    tools::write_program(&liar.path().join("sqlite3"), &text);
    let path = format!("{}:{}", liar.path().display(), tools::path().to_string_lossy());
    let run = dbstash(&remote).env("DB_URI", file.uri()).env("BACKUP_TEMP_DIR", work.path());
    run.clone().env("PATH", path).run(PATIENCE).expect_code(0);
    for level in ["bytes", "structure"] {
        run.clone().args(["verify", "--level", level]).run(PATIENCE).expect_code(0);
    }
    let done = drill(&run);
    expect(
        &done,
        1,
        "what came back is not what was counted when it was made: every_type: 2 of 5",
        work.path(),
    );
}
