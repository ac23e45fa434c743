//! Of MariaDB in a server of our own; of both families in a scratch database of another one.

use std::fs;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{
    Dbstash, MysqlServer, RemoteKind, Running, Scratch, Signal, TestRemote, procs,
};

use super::{drill, expect, marks, noted};
use crate::scene::{PATIENCE, dbstash, listed};

const PASSWORD: &str = "geheim'\\ %27";

fn product(server: &MysqlServer, remote: &TestRemote, work: &Scratch) -> Dbstash {
    dbstash(remote)
        .env("PATH", server.path())
        .env("DB_URI", server.uri("shop"))
        .env("BACKUP_TEMP_DIR", work.path())
}

fn databases(server: &MysqlServer) -> String {
    server.sql("", "SELECT GROUP_CONCAT(schema_name ORDER BY 1) FROM information_schema.schemata")
}

#[test]
fn in_a_server_of_our_own() {
    let (Some(server), Some(remote)) =
        (MysqlServer::start_mariadb(PASSWORD), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.seed_shop("shop", 300);
    let work = Scratch::new("work");
    let run = product(&server, &remote, &work).env("BACKUP_COMPRESSION", "zstd");
    run.run(PATIENCE).expect_code(0);
    drop(server);
    let done =
        drill(&run.clone().env("DRILL_SQL", "SELECT COUNT(*) = 300 FROM bulk\nSELECT 'yes'"));
    expect(&done, 0, "as many as were counted; 2 assertions of DRILL_SQL", work.path());
    let found = noted(&remote)["drill"].clone();
    assert!(found["places"].as_u64() > Some(10) && found["things"].as_u64() > Some(300), "{found}");
    assert_eq!(listed(&run)["backups"][0]["verified"]["result"], "restored");

    // What keeps it from starting says nothing of the backup.
    let done = drill(&run.clone().env("DRILL_MEMORY", "256MiB"));
    expect(&done, 4, "Out of memory", work.path());
    let mut running = run.clone().args(["verify", "--level", "restore"]).spawn();
    // Not the one that makes the files.
    let started = |running: &Running| {
        let all = procs::descendants(running.pid().as_raw_nonzero().get());
        all.into_iter().find(|one| one.args().iter().any(|arg| arg.starts_with("--socket=/")))
    };
    running.wait_until(PATIENCE, |running| started(running).is_some());
    started(&running).unwrap().signal(Signal::KILL);
    expect(&running.wait(PATIENCE), 4, "mariadbd was killed by signal 9", work.path());
    assert_eq!((marks(&remote, "restored"), marks(&remote, "corrupt")), (1, 0));
}

#[test]
fn in_a_scratch_database() {
    for family in Family::ALL {
        let Some(server) = MysqlServer::start(family, PASSWORD) else { continue };
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        server.createdb("shop");
        server.seed_shop("shop", 30);
        for host in ["127.0.0.1", "localhost"] {
            server.sql("", &format!("GRANT ALL ON *.* TO 'stash'@'{host}'"));
        }
        let work = Scratch::new("work");
        let run = product(&server, &remote, &work);
        run.run(PATIENCE).expect_code(0);
        let before = databases(&server);
        let elsewhere = run.clone().env("DRILL_URI", server.uri("mysql"));
        let asking = elsewhere.clone().env("DRILL_SQL", "SELECT COUNT(*) FROM bulk");
        let done = asking.sampled().args(["verify", "--level", "restore"]).run(PATIENCE);
        expect(&done, 1, "assertion 1 of DRILL_SQL: it is \"30\"", work.path());
        assert_eq!(done.samples.as_ref().unwrap().args_with("geheim"), [""; 0]);
        expect(&drill(&elsewhere), 0, "as many as were counted", work.path());
        assert_eq!(databases(&server), before);

        let names = remote.names();
        let name = names.iter().find(|name| name.ends_with(".dbstash.json")).unwrap();
        let mut manifest: serde_json::Value = serde_json::from_slice(&remote.read(name)).unwrap();
        manifest["objects"][0]["counts"]["bulk"] = 29.into();
        remote.write(name, &serde_json::to_vec(&manifest).unwrap());
        run.clone().args(["verify", "--level", "structure"]).run(PATIENCE).expect_code(0);
        expect(&drill(&elsewhere), 1, "when it was made: bulk: 30 of 29", work.path());
        assert_eq!(databases(&server), before);
        // Debian's package of MariaDB has a program of that name.
        let is_other = fs::read_link("/usr/sbin/mysqld").is_ok_and(|to| to.ends_with("mariadbd"));
        if family == Family::Mysql && is_other {
            expect(&drill(&run), 4, "mysqld on this machine is MariaDB's", work.path());
        }
    }
}
