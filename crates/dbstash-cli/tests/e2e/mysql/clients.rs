//! Whose client is on the PATH, and whose option files it reads.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{MysqlServer, RemoteKind, Scratch, TestRemote, tools};

use super::{each_family, product};
use crate::scene::{PATIENCE, dbstash, summary};

#[test]
fn the_wrong_family_is_named() {
    let (Some(mysql), Some(maria), Some(remote)) = (
        MysqlServer::start_mysql("pw"),
        MysqlServer::start_mariadb("pw"),
        TestRemote::start(RemoteKind::Local),
    ) else {
        return;
    };
    for server in [&mysql, &maria] {
        server.createdb("shop");
    }
    // Each family's dump tool under the other one's name.
    let swapped = Scratch::new("swapped");
    let find = |path: std::ffi::OsString, name: &str| {
        let mut dirs = std::env::split_paths(&path);
        dirs.find_map(|dir| Some(dir.join(name)).filter(|file| file.exists())).unwrap()
    };
    symlink(find(maria.path(), "mariadb-dump"), swapped.path().join("mysqldump")).unwrap();
    symlink(find(mysql.path(), "mysqldump"), swapped.path().join("mariadb-dump")).unwrap();
    let usual = tools::path();
    let dirs = std::iter::once(swapped.path().to_owned()).chain(std::env::split_paths(&usual));
    let swapped = std::env::join_paths(dirs).unwrap();
    for (server, engine, path, told) in [
        (&mysql, "mysql", &swapped, "mysqldump on PATH is not MySQL's"),
        (&maria, "mariadb", &swapped, "mariadb-dump on PATH is MySQL's"),
        (
            &mysql,
            "mariadb",
            &mysql.path(),
            "the server is MySQL, not MariaDB: set DBSTASH_ENGINE=mysql",
        ),
        (&maria, "mysql", &mysql.path(), "DBSTASH_ENGINE=mariadb"),
    ] {
        let rest = server.uri("shop");
        let uri = format!("{engine}:{}", rest.split_once(':').unwrap().1);
        let done = dbstash(&remote).env("PATH", path).env("DB_URI", uri).run(PATIENCE);
        done.expect_code(1);
        let error = summary(&done)["error"].as_str().unwrap();
        assert!(error.contains(told), "{engine} {told}: {done}");
        assert_eq!(remote.names(), [""; 0]);
    }
}

#[test]
fn the_users_own_option_files_do_not_win() {
    each_family(own_files, "pw");
}

fn own_files(server: &mut MysqlServer) {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.createdb("shop");
    server.sql("shop", "CREATE TABLE t (x INT); INSERT INTO t VALUES (4711)");
    let home = Scratch::new("home");
    fs::write(
        home.path().join(".my.cnf"),
        "[client]\nuser=somebody\npassword=wrong\nport=1\nhost=127.0.0.2\n[mysqldump]\nno-data\n[mariadb-dump]\nno-data\n",
    )
    .unwrap();
    if server.family() == Family::Mysql {
        // Only the words before it are those of every client of ours.
        let editor = server.client("mysql_config_editor").get_program().to_owned();
        let made = Command::new(editor)
            .args(["set", "--login-path=client", "--host=127.0.0.2", "--port=1", "--user=somebody"])
            .env("HOME", home.path())
            .status();
        assert!(made.unwrap().success() && home.path().join(".mylogin.cnf").exists());
    }
    let run = product(server, &remote).env("HOME", home.path());
    let done = run.clone().env("DB_URI", server.uri("shop")).run(PATIENCE);
    done.expect_code(0);
    let dump = String::from_utf8(
        remote.read(&crate::scene::backups(&run.env("DB_URI", server.uri("shop")))[0]),
    )
    .unwrap();
    assert!(dump.contains("(4711)"), "{dump}");
}

#[test]
fn a_gtid_of_the_server_is_not_in_the_way() {
    let (Some(server), Some(remote)) =
        (MysqlServer::start_mysql("pw"), TestRemote::start(RemoteKind::Local))
    else {
        return;
    };
    server.createdb("shop");
    server.sql("shop", "CREATE TABLE t (x INT); INSERT INTO t VALUES (1)");
    let run = product(&server, &remote).env("DB_URI", server.uri("shop"));
    let dump = || {
        let done = run.run(PATIENCE);
        done.expect_code(0);
        String::from_utf8(remote.read(&crate::scene::backups(&run)[0])).unwrap()
    };
    assert!(!dump().contains("GTID_PURGED"));
    // The same server has these transactions already, and takes the dump all the same.
    server.createdb("again");
    server.try_sql("again", dump().as_bytes()).unwrap();
    // The user's own word wins; what the tool then says on stderr is no failure.
    let asked = run.clone().env("DUMP_EXTRA_ARGS", "--set-gtid-purged=ON");
    asked.run(PATIENCE).expect_code(0);
    let whole = String::from_utf8(remote.read(&crate::scene::backups(&run)[0])).unwrap();
    assert!(whole.contains("SET @@GLOBAL.GTID_PURGED"), "{whole}");
    // Nor is that unsaid where it cannot go.
    server.sql("", "GRANT ALL ON *.* TO stash@'127.0.0.1'");
    let words = ["restore", "--yes", "--to", &server.uri("again and again")];
    let done = asked.args(words).run(PATIENCE);
    done.expect_code(1);
    for told in ["ERROR 3546", "a server without them", "is marked"] {
        assert!(done.stderr.contains(told), "{told}: {done}");
    }
}
