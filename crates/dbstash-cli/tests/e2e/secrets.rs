//! A canary in every secret, looked for everywhere, in every command and every sort of failure.

pub mod watch;

use std::fs;

use base64::Engine as _;
use dbstash_testkit::{Dbstash, FakeTools, PgServer, RemoteKind, Scratch, Signal, TestRemote};

use self::watch::{OF_DATABASE, OF_REMOTE, Watched, nothing_on, odd, silent, watched};
use crate::scene::{PATIENCE, dbstash};

/// A URI part with every byte percent-encoded that must be, in lowercase: another spelling than the usual one.
fn lowercase_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let one = |b: u8| if plain(b) { char::from(b).to_string() } else { format!("%{b:02x}") };
    text.bytes().map(one).collect()
}

/// The program with a secret in each setting that can hold one of a remote.
fn with_remote_secrets(remote: &TestRemote) -> Dbstash {
    let conf = format!(
        "[one]\ntype = s3\nsecret_access_key = {OF_REMOTE}/+x\n\n[two]\ntype = sftp\npass = x{OF_REMOTE}\n"
    );
    dbstash(remote)
        .env("RCLONE_CONFIG", base64::engine::general_purpose::STANDARD.encode(conf))
        .env("RCLONE_CONFIG_THREE_TYPE", "s3")
        .env("RCLONE_CONFIG_THREE_SECRET_ACCESS_KEY", odd(OF_REMOTE))
        .env("RCLONE_CONFIG_PASS", odd(OF_REMOTE))
        .env("AWS_SECRET_ACCESS_KEY", odd(OF_REMOTE))
        .env("LOG_LEVEL", "trace")
}

/// The ways to say where a database is and what its password is.
fn ways(run: &Dbstash, server: &PgServer, files: &Scratch) -> Vec<(&'static str, Dbstash)> {
    let password = server.password();
    let (host, port) = (server.host().to_string(), server.port().to_string());
    let query = format!("sslpassword={OF_DATABASE}%25x&sslmode=disable");
    let uri = format!("{}?{query}", server.uri("shop"));
    let other_spelling = format!(
        "postgresql://{}:{}@{host}:{port}/shop?{query}",
        PgServer::ROLE,
        lowercase_encoded(password)
    );
    let in_query = format!(
        "postgresql://{host}:{port}/shop?user={}&password={}",
        PgServer::ROLE,
        lowercase_encoded(password)
    );
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        fs::write(&path, format!("{text}\n")).unwrap();
        path
    };
    let parts = run
        .clone()
        .env("DBSTASH_ENGINE", "pg")
        .env("DB_HOST", &host)
        .env("DB_PORT", &port)
        .env("DB_USER", PgServer::ROLE)
        .env("DB_NAME", "shop");
    vec![
        ("DB_URI", run.clone().env("DB_URI", &uri)),
        ("DB_URI in another spelling", run.clone().env("DB_URI", other_spelling)),
        ("DB_URI with parameters", run.clone().env("DB_URI", in_query)),
        ("DB_URI_FILE", run.clone().env("DB_URI_FILE", file("uri", &uri))),
        ("DB_PASSWORD", parts.clone().env("DB_PASSWORD", password)),
        ("DB_PASSWORD_FILE", parts.clone().env("DB_PASSWORD_FILE", file("password", password))),
        ("PGPASSWORD", parts.env("PGPASSWORD", password)),
    ]
}

/// A server and a remote; the password of the one is odd.
fn place() -> Option<(PgServer, TestRemote, Scratch)> {
    let (server, remote) =
        (PgServer::start(&odd(OF_DATABASE))?, TestRemote::start(RemoteKind::S3)?);
    server.createdb("shop");
    server.seed_shop("shop", 20_000);
    Some((server, remote, Scratch::new("files")))
}

#[test]
fn in_every_command_however_it_was_set() {
    let Some((server, remote, files)) = place() else { return };
    for (way, run) in ways(&with_remote_secrets(&remote), &server, &files) {
        eprintln!("--- {way}");
        let done = watched(&run, way);
        done.expect_code(0).expect_no_leftovers();
        let programs = done.samples.as_ref().unwrap().programs();
        assert!(programs.contains(&"pg_dump") && programs.contains(&"rclone"), "{programs:?}");
        let commands: [&[&str]; 8] = [
            &["backup"],
            &["list"],
            &["list", "--json"],
            &["prune", "--dry-run"],
            &["prune", "--yes"],
            &["config"],
            &["config", "--json"],
            &["--help"],
        ];
        for args in commands {
            let keep = run.clone().env("RETENTION_MAX_FILES", "2").args(args);
            watched(&keep, &format!("{way}: {args:?}")).expect_code(0);
        }
        for format in ["json", "text"] {
            let plan = run.clone().env("DRY_RUN", "true").env("LOG_FORMAT", format);
            watched(&plan, &format!("{way}: DRY_RUN")).expect_code(0);
        }
        nothing_on(&remote);
    }
}

#[test]
fn in_a_schedule_that_is_stopped() {
    let Some((server, remote, files)) = place() else { return };
    let run = &ways(&with_remote_secrets(&remote), &server, &files)[0].1;
    let mut running = Watched::start(&run.clone().env("BACKUP_SCHEDULE", "* * * * * *"));
    running.running().wait_until(PATIENCE, |run| run.output().matches("backup stored").count() > 1);
    running.running().signal(Signal::TERM);
    let done = running.end("a schedule");
    assert!([Some(0), Some(143)].contains(&done.code), "{done}");
    done.expect_no_leftovers();
    nothing_on(&remote);
}

#[test]
fn in_every_failure() {
    let Some((server, remote, files)) = place() else { return };
    let wrong = server.uri("shop").replace(OF_DATABASE, &format!("{OF_DATABASE}wrong"));
    let run = with_remote_secrets(&remote).env("DB_URI", server.uri("shop"));
    let dead = format!("postgresql://u:{}@127.0.0.1:1/shop", lowercase_encoded(&odd(OF_DATABASE)));
    let fakes = FakeTools::new().tool("pg_dump", "pg-head\nout-bytes 1MiB\nsleep 300s");
    let says = FakeTools::new().tool(
        "pg_dump",
        &format!(
            "err pg_dump: error: password \"{}\" is wrong\nerr tried {dead}\nexit 1",
            odd(OF_DATABASE)
        ),
    );
    let refused = format!(":s3,access_key_id=A,secret_access_key={OF_REMOTE}:bucket");
    let missing = files.path().join("missing").display().to_string();
    let with = |name: &str, value: &str| run.clone().env(name, value);
    let cases = [
        ("a wrong password", with("DB_URI", &wrong), 1),
        ("a dead host", with("DB_URI", &dead), 1),
        ("no tools", with("PATH", "/nonexistent"), 1),
        ("a tool that tells all", run.clone().env("PATH", says.path()), 1),
        ("a bad number", with("BACKUP_TIMEOUT", "soon"), 2),
        ("a bad port", with("DB_URI", &format!("postgresql://u:{OF_DATABASE}@h:x/d")), 2),
        ("a bad scheme", with("DB_URI", &format!("oracle://u:{OF_DATABASE}@h/d")), 2),
        ("no scheme", with("DB_URI", &format!("u:{OF_DATABASE}@h/d")), 2),
        ("a bad escape", with("DB_URI", &format!("postgresql://u:%zz{OF_DATABASE}@h/d")), 2),
        ("a bare slash", with("DB_URI", &format!("postgresql://u:a/{OF_DATABASE}@h/d")), 2),
        ("no file", with("DB_PASSWORD_FILE", &missing), 2),
        ("a secret in a connection string", with("RCLONE_REMOTE", &refused), 2),
        ("no base64", with("RCLONE_CONFIG", &format!("!{OF_REMOTE}!")), 2),
        ("a plain configuration", with("RCLONE_CONFIG", &format!("[a]\npass = {OF_REMOTE}\n")), 2),
        ("wrong keys", with("RCLONE_CONFIG_DST_SECRET_ACCESS_KEY", &odd(OF_REMOTE)), 1),
        ("a dead remote", with("RCLONE_CONFIG_DST_ENDPOINT", "http://127.0.0.1:1"), 1),
        ("a timeout", run.clone().env("PATH", fakes.path()).env("BACKUP_TIMEOUT", "1s"), 1),
    ];
    for (case, run, code) in cases {
        eprintln!("--- {case}");
        let done = watched(&run, case);
        done.expect_code(code).expect_no_leftovers();
        assert!(!done.stderr.is_empty(), "{case}: silent");
        for command in [&["list"][..], &["prune", "--dry-run"], &["config"], &["config", "--json"]]
        {
            watched(&run.clone().args(command), &format!("{case}: {command:?}"));
        }
    }
    nothing_on(&remote);
}

#[test]
fn at_a_signal() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let dead = format!("postgresql://u:{}@127.0.0.1:1/shop", lowercase_encoded(&odd(OF_DATABASE)));
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let fakes = FakeTools::new();
        let there = fakes.file("there");
        let script = format!("pg-head\nout-bytes 1MiB\ntouch {}\nsleep 300s", there.display());
        fakes.script("pg_dump", &script);
        let run = with_remote_secrets(&remote).env("DB_URI", &dead).env("PATH", fakes.path());
        let mut running = Watched::start(&run);
        running.running().wait_until(PATIENCE, |_| there.exists());
        running.running().signal(signal);
        running.end("a signal").expect_code(code).expect_no_leftovers();
        nothing_on(&remote);
    }
}

/// A secret on a command line is the user's own doing, and is still not repeated.
#[test]
fn on_the_command_line() {
    let run = Dbstash::new(env!("CARGO_BIN_EXE_dbstash"))
        .env("DB_URI", "postgresql://h/d")
        .env("RCLONE_REMOTE", "/nonexistent/x")
        .env("RCLONE_EXTRA_ARGS", format!("--sftp-pass={OF_REMOTE}"))
        .env("LOG_LEVEL", "trace");
    for args in [&["backup"][..], &["list"], &["config"], &["config", "--json"]] {
        let done = run.clone().args(args).run(PATIENCE);
        silent(&done.to_string(), &format!("{args:?}"));
        assert!(done.stderr.contains("shows in the process list") || args == ["list"], "{done}");
    }
    let uri = format!("postgresql://u:{}@127.0.0.1:1/shop", lowercase_encoded(&odd(OF_DATABASE)));
    let flag = format!("--db-uri={uri}");
    let unknown = format!("--db-urii={uri}");
    let remote = format!("--rclone-remote=:s3,secret_access_key={OF_REMOTE}:b");
    for args in [
        &[uri.as_str()][..],
        &["backup", &uri],
        &["backup", &flag, "--nonsense"],
        &["backup", &unknown],
        &["backup", &flag, &remote],
        &["config", &flag],
        &["list", &flag, &remote],
    ] {
        let run = Dbstash::new(env!("CARGO_BIN_EXE_dbstash")).args(args);
        let done = run.run(PATIENCE);
        silent(&done.to_string(), &format!("{args:?}"));
        assert_ne!(done.code, Some(0), "{done}");
    }
}
