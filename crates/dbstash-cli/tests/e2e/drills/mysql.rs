//! Of MariaDB in a server of our own; of both families in a scratch database of another one.

use std::ffi::OsStr;
use std::fs;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{
    Dbstash, MysqlServer, RemoteKind, Running, Scratch, Signal, TestRemote, Tmpfs, procs, tools,
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
    if let Some(full) = Tmpfs::mount("8m") {
        let done = drill(&run.env("BACKUP_TEMP_DIR", full.path()));
        expect(&done, 4, "mariadb-install-db exited", full.path());
    }
    assert_eq!((marks(&remote, "restored"), marks(&remote, "corrupt")), (1, 0));
}

/// Of MySQL, which this machine has in a folder of its own. The lying dump undoes at its end what it holds.
fn mysql_of_our_own(run: &Dbstash, server: &MysqlServer, work: &Scratch) {
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let own = Scratch::new("own");
    let run = run
        .clone()
        .envs(remote.env())
        .env("RCLONE_REMOTE", remote.root())
        .env("DBSTASH_STATE_DIR", own.dir("state"))
        .env("BACKUP_NAME_TEMPLATE", "{timestamp}-{uuid}")
        .env("PATH", server.path_with_server(own.path()));
    run.run(PATIENCE).expect_code(0);
    let done = drill(&run.clone().env("DRILL_SQL", "SELECT COUNT(*) = 30 FROM bulk"));
    expect(&done, 0, "as many as were counted; 1 assertion of DRILL_SQL", work.path());
    let lying = lying("mysqldump", &server.path());
    let path = format!("{}:{}", lying.path().display(), server.path().to_string_lossy());
    run.clone().env("PATH", path).run(PATIENCE).expect_code(0);
    run.clone().args(["verify", "--level", "structure"]).run(PATIENCE).expect_code(0);
    expect(&drill(&run), 1, "when it was made: bulk: 20 of 30", work.path());
}

/// A dump tool that adds a statement before the end of its dump.
fn lying(tool: &str, path: &OsStr) -> Scratch {
    let scratch = Scratch::new("liar");
    let real = std::env::split_paths(path).map(|dir| dir.join(tool)).find(|tool| tool.exists());
    let text = format!(
        "#!/bin/sh\n{} \"$@\" | sed 's/^-- Dump completed/DELETE FROM shop.bulk WHERE id <= 10;\\n&/'\n",
        real.unwrap().display()
    );
    tools::write_program(&scratch.path().join(tool), &text);
    scratch
}

/// Killed in the middle: the next one drops what is left, and nothing else.
fn killed(run: &Dbstash, server: &MysqlServer, work: &Scratch) {
    server.sql("", "CREATE DATABASE dbstash_drill_20200101t000000z_mine");
    let before = databases(server);
    let slow = Scratch::new("slow");
    let here = slow.path().join("here");
    let real = tools::find("mariadb").unwrap();
    // The loader is the one that is asked nothing.
    let text = format!(
        "#!/bin/sh\ncase \"$*\" in *--execute*) exec {} \"$@\";; esac\ntouch '{}'\nexec sleep 20\n",
        real.display(),
        here.display()
    );
    tools::write_program(&slow.path().join("mariadb"), &text);
    let path = format!("{}:{}", slow.path().display(), server.path().to_string_lossy());
    let mut running = run.clone().env("PATH", path).args(["verify", "--level", "restore"]).spawn();
    running.wait_until(PATIENCE, |_| here.exists());
    running.signal(Signal::KILL);
    running.wait(PATIENCE);
    assert_ne!(databases(server), before);
    expect(&drill(run), 0, "as many as were counted", work.path());
    assert_eq!(databases(server), before);
    server.sql("", "DROP DATABASE dbstash_drill_20200101t000000z_mine");
}

/// One that would write into the database that the backup is of.
fn no_event_runs(run: &Dbstash, server: &MysqlServer, work: &Scratch) {
    let remote = TestRemote::start(RemoteKind::Local).unwrap();
    let own = Scratch::new("own");
    let run = run.clone().envs(remote.env()).env("RCLONE_REMOTE", remote.root());
    let run = run.env("DB_URI", server.uri("busy")).env("DBSTASH_STATE_DIR", own.path());
    server.createdb("busy");
    server.sql(
        "busy",
        "CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, x INT); SET GLOBAL event_scheduler = OFF; CREATE EVENT tick ON \
         SCHEDULE EVERY 1 SECOND STARTS '2020-01-01 00:00:00' DO INSERT INTO busy.log (x) VALUES (1)",
    );
    run.run(PATIENCE).expect_code(0);
    server.sql("busy", "ALTER EVENT tick DISABLE; SET GLOBAL event_scheduler = ON");
    let asking = run.env("DRILL_SQL", "SELECT SLEEP(1.5) = 0");
    expect(&drill(&asking), 0, "as many as were counted", work.path());
    assert_eq!(server.sql("busy", "SELECT COUNT(*) FROM log"), "0");
    server.sql("", "SET GLOBAL event_scheduler = OFF; DROP DATABASE busy");
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
        no_event_runs(&elsewhere, &server, &work);
        let asking = elsewhere.clone().env("DRILL_SQL", "SELECT COUNT(*) FROM bulk");
        let done = asking.sampled().args(["verify", "--level", "restore"]).run(PATIENCE);
        expect(&done, 1, "assertion 1 of DRILL_SQL: it is \"30\"", work.path());
        assert_eq!(done.samples.as_ref().unwrap().args_with("geheim"), [""; 0]);
        expect(&drill(&elsewhere), 0, "as many as were counted", work.path());
        assert_eq!(databases(&server), before);
        match family {
            Family::Mariadb => killed(&elsewhere, &server, &work),
            Family::Mysql => {
                server.sql("", "SET GLOBAL super_read_only = ON");
                expect(&drill(&elsewhere), 4, "the server takes no writes", work.path());
                server.sql("", "SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF");
                mysql_of_our_own(&run, &server, &work);
            }
        }

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

/// With the users and rights of a server that has another root than the private one.
#[test]
fn all_databases_in_a_server_of_their_own() {
    for family in Family::ALL {
        let Some(server) = MysqlServer::start(family, PASSWORD) else { continue };
        let remote = TestRemote::start(RemoteKind::Local).unwrap();
        server.createdb("shop");
        server.seed_shop("shop", 30);
        server.createdb("a.b");
        server.sql("a.b", "CREATE TABLE `c.d` (x INT); INSERT INTO `c.d` VALUES (1), (2)");
        server.sql(
            "",
            "CREATE USER keeper@localhost IDENTIFIED BY 'kept'; GRANT SELECT ON shop.* TO keeper@localhost; \
             CREATE USER root@'%' IDENTIFIED BY 'far'",
        );
        let (work, own) = (Scratch::new("work"), Scratch::new("own"));
        let (mode, path) = match family {
            Family::Mysql => ("stream", server.path_with_server(own.path())),
            Family::Mariadb => ("directory", server.path()),
        };
        let run = product(&server, &remote, &work).env("DB_URI", server.uri("")).env("PATH", path);
        let run = run.env("BACKUP_ALL_DATABASES", "true").env("BACKUP_NAME_TEMPLATE", "{uuid}");
        run.clone().env("BACKUP_MODE", mode).run(PATIENCE).expect_code(0);
        let is_there = "SELECT COUNT(*) = 1 FROM mysql.user WHERE User = 'keeper'";
        let asked = format!("SELECT COUNT(*) = 30 FROM shop.bulk\n{is_there}");
        let done = drill(&run.clone().env("DRILL_SQL", asked));
        expect(&done, 0, "as many as were counted; 2 assertions of DRILL_SQL", work.path());
        let elsewhere = run.clone().env("DRILL_URI", server.uri(""));
        expect(&drill(&elsewhere), 4, "leave DRILL_URI unset", work.path());
        let lying = lying(family.dump_tool(), &server.path());
        let path = format!("{}:{}", lying.path().display(), server.path().to_string_lossy());
        run.clone().env("PATH", path).run(PATIENCE).expect_code(0);
        expect(&drill(&run), 1, "when it was made: shop.bulk: 20 of 30", work.path());
    }
}
