use dbstash_core::invocation::Var;
use dbstash_core::manifest::Manifest;
use dbstash_core::tally::Counts;

use super::*;
use crate::conn::parse_uri;

fn manifest(database: &str, version: &str, objects: usize) -> Manifest {
    let object = |name: &str| {
        format!(
            r#"{{"name": "{name}", "format": "plain", "bytes": 1, "raw_bytes": 1, "sha256": "{:064}", "encodings": [],
              "check": "footer", "server_version": "{version}"}}"#,
            0
        )
    };
    let objects: Vec<_> = ["x.sql", "x.globals.sql"][..objects].iter().map(|n| object(n)).collect();
    let text = format!(
        r#"{{"format": 1, "id": "20260101T000000Z-abcdef01", "job": "j", "engine": "pg", "database": "{database}",
          "mode": "stream", "objects": [{}], "started": "2026-01-01T00:00:00Z", "ended": "2026-01-01T00:00:01Z",
          "host": "h", "dbstash": "0"}}"#,
        objects.join(", ")
    );
    Manifest::read("x.sql.dbstash.json", text.as_bytes()).unwrap()
}

fn counted(mut manifest: Manifest, names: &[&str]) -> Manifest {
    let counts = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
    manifest.objects[0].counts = Counts::Of(counts);
    manifest
}

fn private_drill(manifest: &Manifest) -> Result<Drill, PlanError> {
    let place = Place::Private(Path::new("/w/tree"));
    drill(&Ground { manifest, place, assertions: &["SELECT true".to_owned()] })
}

fn asked(drill: &Drill) -> Option<String> {
    use dbstash_core::secret::ExposeSecret as _;
    let question = &drill.census.as_ref()?.question;
    question.args.iter().find_map(|arg| match arg {
        Arg::File { content, .. } => Some(content.expose_secret().to_owned()),
        _ => None,
    })
}

#[test]
fn a_private_server_behind_a_socket() {
    let manifest = manifest("we'ird", "15.18 (Debian)", 2);
    let drill = private_drill(&manifest).unwrap();
    assert_eq!(
        drill.folders[..3],
        ["/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/usr/lib/postgresql/16/bin"]
    );
    assert_eq!(drill.folders.len(), 22);
    let [initdb] = &drill.prepare[..] else { panic!() };
    assert!(
        initdb.to_string().starts_with("initdb -D /w/tree/data -U postgres -A trust"),
        "{initdb}"
    );
    let server = drill.server.as_ref().unwrap().to_string();
    assert!(
        server.starts_with("postgres -D /w/tree/data -k /w/tree -p 5432 -c listen_addresses= ")
    );
    let ready = drill.ready.as_ref().unwrap().to_string();
    assert!(ready.contains("/w/tree") && ready.contains("SELECT 1"), "{ready}");
    let goal = drill.goal.unwrap();
    assert_eq!(goal.database, "we'ird");
    assert!(goal.extent.globals && goal.extent.bare);
    let Source::Server(server) = goal.source else { panic!() };
    assert_eq!(
        (server.hosts[0].name.as_str(), server.user.as_deref()),
        ("/w/tree", Some("postgres"))
    );
    // PGOPTIONS, PGREQUIREAUTH and the like are of the servers around.
    let mut all = drill.assertions.iter().chain(&drill.ready);
    assert!(server.is_ours && goal.extent.trial && all.all(|one| one.inherits.is_empty()));
    let [assertion] = &drill.assertions[..] else { panic!() };
    assert!(assertion.to_string().ends_with("--tuples-only --no-align '--command=SELECT true'"));
    assert!(drill.dropped.is_none() && drill.file.is_none());

    let alone = private_drill(&self::manifest("shop", "", 1)).unwrap();
    assert!(!alone.goal.unwrap().extent.globals);
    assert_eq!(alone.folders[0], "/usr/lib/postgresql/13/bin");
}

#[test]
fn a_path_that_no_socket_has() {
    let (manifest, dir) = (manifest("shop", "15", 1), format!("/{}", "x".repeat(100)));
    let place = Place::Private(Path::new(&dir));
    let refused = drill(&Ground { manifest: &manifest, place, assertions: &[] });
    assert!(refused.err().unwrap().to_string().contains("shorter by 8 bytes"));
}

#[test]
fn a_scratch_database_of_a_server_of_others() {
    let source = parse_uri("postgresql://u:geheim@h/other").unwrap().source;
    let shop = manifest("shop", "15", 2);
    let on = |manifest: &Manifest, engine| {
        let place = Place::Scratch(engine, &source, "dbstash_drill_x");
        drill(&Ground { manifest, place, assertions: &[] })
    };
    let planned = on(&shop, EngineKey::Pg).unwrap();
    assert!(planned.server.is_none() && planned.prepare.is_empty() && planned.ready.is_none());
    let goal = planned.goal.unwrap();
    assert_eq!(goal.database, "dbstash_drill_x");
    assert!(!goal.extent.globals && goal.extent.bare);
    let dropped = planned.dropped.unwrap();
    let text = dropped.to_string();
    assert!(text.ends_with("'--command=DROP DATABASE IF EXISTS \"dbstash_drill_x\"'"), "{text}");
    assert!(text.contains("dbname='\\''postgres") && !text.contains("geheim"), "{text}");
    assert!(dropped.env.iter().any(|(_, var)| matches!(var, Var::Secret(_))));
    for (manifest, engine, why) in [
        (&shop, EngineKey::Mysql, "a server of mysql, and the backup is of pg"),
        (&manifest("*", "15", 1), EngineKey::Pg, "a whole server"),
    ] {
        let refused = on(manifest, engine).err().unwrap().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn what_is_counted_has_the_names_of_the_tally() {
    let one = counted(manifest("shop", "15", 1), &["public.t", "\"a.b\".t"]);
    let text = asked(&private_drill(&one).unwrap()).unwrap();
    assert!(!text.contains("\\connect") && text.contains("FROM ONLY %I.%I"), "{text}");
    let whole = counted(manifest("*", "15", 1), &["shop.public.t", "shop.public.u", "\"a.b\".s.t"]);
    let drill = private_drill(&whole).unwrap();
    let text = asked(&drill).unwrap();
    assert_eq!(text.matches("\\connect -reuse-previous=on \"dbname='").count(), 2);
    assert!(text.contains("dbname='a.b'") && text.contains("current_database()"));
    assert_eq!(drill.goal.unwrap().database, "postgres");
    for names in [&["t"][..], &["public.\u{fffd}"]] {
        assert!(private_drill(&counted(manifest("shop", "9", 1), names)).unwrap().census.is_none());
    }
    assert!(private_drill(&counted(manifest("*", "15", 1), &[])).unwrap().census.is_none());
}

#[test]
fn what_is_no_fault_of_the_backup() {
    for stderr in [
        "psql:<stdin>:9: ERROR:  extension \"postgis\" is not available\nDETAIL:  Could not open",
        "psql:<stdin>:9: ERROR:  could not open extension control file \"/x.control\": No such file",
        "psql:<stdin>:9: ERROR:  could not access file \"$libdir/x\": No such file or directory",
        "psql:<stdin>:9: ERROR:  role \"bob\" does not exist",
        "psql:<stdin>:9: ERROR:  collation \"de_DE\" for encoding \"UTF8\" does not exist",
        "psql: error: connection to server on socket \"/x\" failed: FATAL:  the database system is shutting down",
        "server closed the connection unexpectedly\n\tThis probably means",
        "2026-01-01 LOG:  server process (PID 9) was terminated by signal 9: Killed",
        "psql:<stdin>:9: ERROR:  could not extend file \"base/1/2\": No space left on device",
        "psql:<stdin>:9: ERROR:  could not extend file \"base/1/2\": wrote only 4096 of 8192 bytes",
        "psql:<stdin>:9: ERROR:  cannot execute CREATE TABLE in a read-only transaction",
        "psql:<stdin>:9: ERROR:  cannot execute CREATE DATABASE during recovery",
        "psql:<stdin>:9: ERROR:  canceling statement due to statement timeout",
        "psql:<stdin>:9: ERROR:  canceling statement due to user request",
        "psql: error: connection to server failed: FATAL:  the database system is in recovery mode",
        "FATAL:  the database system is not accepting connections\nDETAIL:  Hot standby mode is disabled.",
    ] {
        assert!(is_surroundings(stderr), "{stderr}");
    }
    for stderr in [
        "psql:<stdin>:9: ERROR:  relation \"public.t\" does not exist",
        "psql:<stdin>:9: ERROR:  missing data for column \"b\"\nCONTEXT:  COPY t, line 1: \"permission denied\"",
        "2026-01-01 LOG:  database system is shut down",
        "2026-01-01 FATAL:  the database system is starting up",
    ] {
        assert!(!is_surroundings(stderr), "{stderr}");
    }
}
