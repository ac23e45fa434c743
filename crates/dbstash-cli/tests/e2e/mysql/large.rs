//! A value of 64 MiB, and a table of 100 MB of rows.

use dbstash_testkit::mysql::Family;
use dbstash_testkit::{MysqlServer, RemoteKind, Scratch, TestRemote};

use super::product;
use crate::modes::{Work, fetched};
use crate::scene::{PATIENCE, backups};

fn large(family: Family) {
    let Some(server) = MysqlServer::start(family, "pw") else { return };
    let Some(fresh) = MysqlServer::start(family, "pw") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.createdb("shop");
    server.seed_shop("shop", 500_000);
    let value = "INSERT INTO huge SELECT 1, CONCAT(X'00270A5CFF', REPEAT(X'00FF27', 22369620))";
    server.sql("shop", &format!("CREATE TABLE huge (id INT PRIMARY KEY, x LONGBLOB); {value}"));
    let digest = server.digest("shop");
    for (mode, compression) in [("stream", "none"), ("stream", "zstd"), ("directory", "none")] {
        let run = product(&server, &remote).env("DB_URI", server.uri("shop"));
        let run = run.env("BACKUP_MODE", mode).env("BACKUP_COMPRESSION", compression);
        let work = Work::under(run);
        work.run.run(PATIENCE).expect_code(0).expect_no_leftovers();
        let object = &backups(&work.run)[0];
        let bytes = match (mode, compression) {
            ("directory", _) => {
                let scratch = Scratch::new("fetched");
                let files = super::conformance::in_order(&fetched(&remote, object, &scratch));
                files.into_iter().flat_map(|file| std::fs::read(file).unwrap()).collect()
            }
            (_, "zstd") => crate::compression::dump("zstd", &remote.read(object)),
            _ => remote.read(object),
        };
        assert!(bytes.len() > 200 << 20, "{}", bytes.len());
        fresh.sql("", "DROP DATABASE IF EXISTS shop; CREATE DATABASE shop");
        fresh.try_sql("shop", &bytes).unwrap();
        assert_eq!(fresh.digest("shop"), digest, "{mode} {compression}");
    }
}

#[test]
fn mariadb_large_values_and_many_rows() {
    large(Family::Mariadb);
}

#[test]
fn mysql_large_values_and_many_rows() {
    large(Family::Mysql);
}
