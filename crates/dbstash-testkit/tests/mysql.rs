//! The servers of the MySQL families are what the product's tests take them for.
#![allow(
    clippy::disallowed_methods,
    reason = "the tests of the fixtures use real tools as a person would"
)]
#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use dbstash_testkit::MysqlServer;
use dbstash_testkit::mysql::Family;

fn dump(server: &MysqlServer, database: &str) -> Vec<u8> {
    let mut tool = server.client(server.family().dump_tool());
    tool.args(["--single-transaction", "--routines", "--events", "--hex-blob"]);
    tool.arg("--default-character-set=utf8mb4");
    match server.family() {
        Family::Mysql => tool.arg("--set-gtid-purged=OFF"),
        Family::Mariadb => tool.args(["--dump-history", "--skip-add-locks"]),
    };
    let out = tool.args(["--", database]).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

#[test]
fn a_shop_survives_stock_tools_and_nothing_less() {
    for family in Family::ALL {
        let Some(server) = MysqlServer::start(family, "p'\"\\#;% w") else { continue };
        let Some(fresh) = MysqlServer::start(family, "other") else { continue };
        server.createdb("-odd 1%");
        server.seed_shop("-odd 1%", 500);
        let digest = server.digest("-odd 1%");
        // Under the same name: a column that counts by a MariaDB sequence knows its database.
        fresh.createdb("-odd 1%");
        fresh.try_sql("-odd 1%", &dump(&server, "-odd 1%")).unwrap();
        assert_eq!(fresh.digest("-odd 1%"), digest, "{family:?}");
        fresh.sql("-odd 1%", "UPDATE bulk SET number = number + 1 WHERE id = 7");
        assert_ne!(fresh.digest("-odd 1%"), digest, "{family:?}");
    }
}
