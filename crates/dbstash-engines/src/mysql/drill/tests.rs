use dbstash_core::invocation::Arg;
use dbstash_core::manifest::Manifest;
use dbstash_core::secret::ExposeSecret as _;

use super::*;
use crate::conn::parse_uri;

fn manifest(engine: &str, database: &str, format: &str) -> Manifest {
    let text = format!(
        r#"{{"format": 1, "id": "20260101T000000Z-abcdef01", "job": "j", "engine": "{engine}", "database": "{database}",
          "mode": "stream", "objects": [{{"name": "x.sql", "format": "{format}", "bytes": 1, "raw_bytes": 1,
          "sha256": "{:064}", "encodings": [], "check": "footer", "tool_version": "1"}}],
          "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:01Z", "host": "h", "dbstash": "0"}}"#,
        0
    );
    Manifest::read("x.sql.dbstash.json", text.as_bytes()).unwrap()
}

fn in_private(of: Dialect, manifest: &Manifest) -> Result<Drill, PlanError> {
    let place = Place::Private(Path::new("/w/tree"));
    drill(of, &Ground { manifest, place, assertions: &["SELECT 1".to_owned()] })
}

/// What is in the option file of a client.
fn options(invocation: &Invocation) -> String {
    let file = invocation.args.iter().find_map(|arg| match arg {
        Arg::File { content, .. } => Some(content.expose_secret().to_owned()),
        _ => None,
    });
    file.unwrap()
}

#[test]
fn a_private_server_of_each_family() {
    for (of, engine, maker, server) in [
        (Dialect::Mysql, "mysql", "mysqld --no-defaults --datadir=/w/tree/data ", "mysqld"),
        (Dialect::Mariadb, "mariadb", "mariadb-install-db --no-defaults --datadir=", "mariadbd"),
    ] {
        let drill = in_private(of, &manifest(engine, "shop", "plain")).unwrap();
        assert_eq!(drill.folders[..2], [Invocation::PATH, "/usr/sbin"]);
        let [making] = &drill.prepare[..] else { panic!() };
        let making = making.to_string();
        assert!(making.starts_with(maker), "{making}");
        assert_eq!(making.contains("--initialize-insecure"), of == Dialect::Mysql, "{making}");
        let started = drill.server.as_ref().unwrap();
        assert_eq!(started.program, server);
        let started = started.to_string();
        for word in
            ["--no-defaults", "--skip-networking", "--event-scheduler=OFF", "--socket=/w/tree/s"]
        {
            assert!(started.contains(word), "{started}");
        }
        assert_eq!(started.contains("--gtid-mode=ON"), of == Dialect::Mysql);
        let [assertion] = &drill.assertions[..] else { panic!() };
        assert!(assertion.to_string().ends_with("--database=shop --execute 'SELECT 1'"));
        for client in [assertion, drill.ready.as_ref().unwrap()] {
            assert!(options(client).contains("socket=\"/w/tree/s\"\nuser=\"root\""), "{client}");
        }
        let goal = drill.goal.unwrap();
        assert_eq!((goal.database.as_str(), goal.extent), ("shop", Extent::default()));
        assert!(drill.census.is_some() && drill.dropped.is_none());
    }
}

/// Whoever may log in there is nobody here.
#[test]
fn all_databases_with_the_private_servers_own_user() {
    let drill = in_private(Dialect::Mariadb, &manifest("mariadb", "*", "plain")).unwrap();
    let goal = drill.goal.unwrap();
    assert!(goal.database == "*" && goal.extent.bare);
    assert!(!drill.assertions[0].to_string().contains("--database"));
    let asked = drill.census.unwrap().question.to_string();
    assert!(asked.contains("table_schema NOT IN ("), "{asked}");
}

#[test]
fn a_scratch_database_of_a_server_of_others() {
    let source = parse_uri("mysql://u:geheim@h/other").unwrap().source;
    let place = Place::Scratch(EngineKey::Mysql, &source, "dbstash_drill_x");
    let manifest = manifest("mariadb", "shop", "plain");
    let drill =
        drill(Dialect::Mariadb, &Ground { manifest: &manifest, place, assertions: &[] }).unwrap();
    assert!(drill.server.is_none() && drill.prepare.is_empty() && drill.ready.is_none());
    let dropped = drill.dropped.unwrap();
    let text = dropped.to_string();
    assert!(
        text.contains("mysql ") && text.ends_with("DROP DATABASE IF EXISTS `dbstash_drill_x`'")
    );
    assert!(!text.contains("geheim") && options(&dropped).contains("geheim"), "{text}");
    let goal = drill.goal.unwrap();
    assert!(goal.extent.bare && goal.engine == EngineKey::Mysql);
    assert_eq!(goal.database, "dbstash_drill_x");
}

#[test]
fn what_cannot_be_restored_starts_no_server() {
    let of = |database: &str, format: &str| {
        let refused = in_private(Dialect::Mariadb, &manifest("mariadb", database, format));
        refused.err().unwrap().to_string()
    };
    assert!(of("shop", "tab-files").contains("--tab"));
    let dir = format!("/{}", "x".repeat(110));
    let manifest = manifest("mariadb", "shop", "plain");
    let place = Place::Private(Path::new(&dir));
    let ground = Ground { manifest: &manifest, place, assertions: &[] };
    assert!(drill(Dialect::Mariadb, &ground).err().unwrap().to_string().contains("by 6 bytes"));
    let source = parse_uri("mariadb://u@h").unwrap().source;
    let place = Place::Scratch(EngineKey::Mariadb, &source, "x");
    let ground =
        Ground { manifest: &self::manifest("mariadb", "*", "plain"), place, assertions: &[] };
    assert!(
        drill(Dialect::Mariadb, &ground).err().unwrap().to_string().contains("leave DRILL_URI")
    );
    let source = parse_uri("postgresql://h/x").unwrap().source;
    let place = Place::Scratch(EngineKey::Pg, &source, "x");
    let ground = Ground { manifest: &manifest, place, assertions: &[] };
    assert!(drill(Dialect::Mariadb, &ground).err().unwrap().to_string().contains("server of pg"));
}

#[test]
fn what_is_no_fault_of_the_backup() {
    for stderr in [
        "ERROR 2013 (HY000) at line 7: Lost connection to server during query",
        "ERROR 1449 (HY000) at line 1: The user specified as a definer ('a'@'b') does not exist",
        "ERROR 1005 (HY000) at line 7: Can't create table `t` (errno: 28 \"No space left on device\")",
        "ERROR 1114 (HY000) at line 7: The table 't' is full",
        "ERROR 1290 (HY000) at line 1: The MySQL server is running with the --super-read-only option so it cannot",
        "ERROR 1836 (HY000) at line 1: Running in read-only mode",
        "ERROR 1969 (70100) at line 9: Query execution was interrupted (max_statement_time exceeded)",
        "ERROR 3024 (HY000) at line 9: Query execution was interrupted, maximum statement execution time exceeded",
        "2026-01-01 [ERROR] InnoDB: preallocating 65536 bytes failed: No space left on device",
        "2026-01-01 [ERROR] mariadbd got signal 11 ;",
    ] {
        assert!(is_surroundings(stderr), "{stderr}");
    }
    for stderr in [
        "ERROR 1062 (23000) at line 5: Duplicate entry 'out of memory' for key 'PRIMARY'",
        "ERROR 1136 (21S01) at line 2: Column count doesn't match value count at row 1",
        "2026-01-01 [Note] mariadbd: Normal shutdown",
    ] {
        assert!(!is_surroundings(stderr), "{stderr}");
    }
}

#[test]
fn what_lies_in_another_database() {
    let table = |name: &str| format!("ERROR 1146 (42S02) at line 30: Table '{name}' doesn't exist");
    let column =
        |name: &str| format!("ERROR 1054 (42S22) at line 30: Unknown column '{name}' in 'SELECT'");
    let unknown = |name: &str| format!("ERROR 1049 (42000) at line 30: Unknown database '{name}'");
    for (stderr, own, is_it) in [
        (table("other.o"), "shop", true),
        (table("shop.o"), "shop", false),
        (table("shop.o"), "dbstash_drill_x", true),
        (table("dbstash_drill_x.o"), "dbstash_drill_x", false),
        (table("o"), "shop", false),
        (table("other.o"), "*", false),
        (column("shop.orders.id"), "dbstash_drill_x", true),
        (column("shop.orders.id"), "shop", false),
        (column("shopping.id"), "dbstash_drill_x", false),
        (unknown("other"), "shop", true),
        (unknown("shop"), "shop", false),
        (
            "ERROR 1062 (23000) at line 5: Duplicate entry 'other.o' for key".to_owned(),
            "shop",
            false,
        ),
    ] {
        assert_eq!(is_outside(&stderr, own, "shop"), is_it, "{stderr} in {own}");
    }
}
