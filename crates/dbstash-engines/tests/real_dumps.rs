//! Completeness checks on what the real tools write: whole is whole, short is short at every byte.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the dumps are made without dbstash")]

use dbstash_core::engine::{Dump, Incomplete, Passed, Stream};
use dbstash_core::job::{Databases, Job};
use dbstash_engines::conn::parse_uri;
use dbstash_engines::engine;
use dbstash_testkit::{PgServer, Scratch, sqlite};

/// What the engine's check says of a stream that comes in such chunks.
fn verdict(uri: &str, extra: &[&str], stream: &[u8], chunk: usize) -> Result<Passed, Incomplete> {
    let database = parse_uri(uri).unwrap().database.into_iter().collect();
    verdict_of(uri, Databases::Named(database), extra, stream, chunk)
}

fn verdict_of_all(stream: &[u8]) -> Result<Passed, Incomplete> {
    verdict_of("postgres://h/d", Databases::All, &[], stream, 4096)
}

fn verdict_of(
    uri: &str,
    databases: Databases,
    extra: &[&str],
    stream: &[u8],
    chunk: usize,
) -> Result<Passed, Incomplete> {
    let conn = parse_uri(uri).unwrap();
    let mut job = Job::new("j".parse().unwrap(), conn.engine, conn.source, databases);
    job.extra_args = extra.iter().map(|word| (*word).to_owned()).collect();
    let plan = engine(job.engine).plan(&job, &job.subject()).unwrap();
    let Dump::Stream(Stream { mut check, .. }) = plan.dump else { panic!("no stream") };
    stream.chunks(chunk).for_each(|chunk| check.feed(chunk));
    check.finish()
}

/// Every length of a short stream; of a long one, those near its ends and some between.
fn lengths(len: usize) -> impl Iterator<Item = usize> {
    let near_an_end = 6000;
    (0..len).filter(move |at| *at < near_an_end || len - at < near_an_end || at % 997 == 0)
}

fn every_format(server: &PgServer, version: &str) {
    server.createdb("empty");
    server.createdb("shop");
    server.seed_shop("shop", 300);
    for database in ["empty", "shop"] {
        for words in [
            &["-Fp"][..],
            &["-Fc"],
            &["-Fc", "-Z0"],
            &["-Ft"],
            &["-Fc", "--schema-only"],
            &["-Fc", "--data-only"],
        ] {
            let mut tool = server.client("pg_dump");
            let out = tool.args(words).args(["-d", database]).output().unwrap();
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            let dump = out.stdout;
            let case = format!("{version} {database} {words:?}");
            for chunk in [1, 7, 4096, dump.len()] {
                let passed = verdict("postgres://h/d", words, &dump, chunk)
                    .unwrap_or_else(|e| panic!("{case}: {e}"));
                assert_eq!(passed.degraded, None, "{case}");
                if words[0] != "-Ft" {
                    assert!(
                        passed.server_version.as_ref().unwrap().starts_with(version),
                        "{case}: {passed:?}"
                    );
                    assert!(passed.tool_version.unwrap().contains(version), "{case}");
                }
            }
            for len in lengths(dump.len()) {
                let cut = &dump[..len];
                let short = verdict("postgres://h/d", words, cut, 64 * 1024);
                let only_blanks = dump[len..].iter().all(|b| {
                    b"-
 \0"
                    .contains(b)
                });
                assert!(
                    short.is_err() || only_blanks,
                    "{case}: {len} of {} bytes pass",
                    dump.len()
                );
                if words[0] == "-Fc" {
                    assert!(short.is_err(), "{case}: {len} of {} bytes pass", dump.len());
                }
            }
        }
    }
}

/// A part of a database is whole, too: no flag may turn a good dump into a short one.
fn every_selection(server: &PgServer) {
    let always = [
        &["--section=pre-data"][..],
        &["--section=data"],
        &["--section=post-data"],
        &["--schema-only", "--create", "--clean", "--if-exists"],
        &["--exclude-table-data=*"],
        &["--table=nonesuch*", "--no-comments"],
        &["--no-blobs", "--verbose", "--no-owner"],
        &["--blobs", "--schema-only"],
        &["--inserts", "--rows-per-insert=7"],
        &["--binary-upgrade"],
        &["--compress=3"],
    ];
    let newer = [
        &["--statistics-only"][..],
        &["--statistics"],
        &["--no-schema"],
        &["--no-data"],
        &["--compress=zstd:3"],
        &["--sequence-data", "--schema-only"],
    ];
    let dump = |words: &[&str]| {
        let mut tool = server.client("pg_dump");
        tool.args(words).args(["-d", "shop"]).output().unwrap()
    };
    let known = |words: &&&[&str]| dump(words).status.success();
    for words in always.iter().chain(newer.iter().filter(known)) {
        for format in ["-Fc", "-FP", "-Ft"] {
            let compressed = words[0].starts_with("--compress");
            if compressed && format == "-Ft" {
                continue;
            }
            let words = [&[format], *words].concat();
            let out = dump(&words);
            let stderr = String::from_utf8_lossy(&out.stderr);
            if stderr.contains("no matching tables") {
                continue;
            }
            assert!(out.status.success(), "{words:?}: {stderr}");
            let passed = verdict("postgres://h/d", &words, &out.stdout, 8192)
                .unwrap_or_else(|e| panic!("{words:?}: {e}"));
            assert_eq!(passed.degraded.is_some(), compressed && format == "-FP", "{words:?}");
        }
    }
    for words in [
        &["--globals-only", "--no-role-passwords"][..],
        &[
            "--schema-only",
            "--no-comments",
            "--no-owner",
            "--no-privileges",
            "--quote-all-identifiers",
        ],
        &["--verbose", "--data-only"],
        &["--tablespaces-only"],
        &["--binary-upgrade", "--schema-only"],
        &["--clean", "--if-exists", "--column-inserts"],
    ] {
        let out = server.client("pg_dumpall").args(words).output().unwrap();
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        let passed = verdict_of_all(&out.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}"));
        assert_eq!(passed.degraded, None, "{words:?}");
    }
    let all = server.client("pg_dumpall").output().unwrap().stdout;
    assert_eq!(verdict_of_all(&all).unwrap().check, "footer");
    for len in lengths(all.len()).filter(|len| !all[*len..].iter().all(|b| b"-\n ".contains(b))) {
        assert!(verdict_of_all(&all[..len]).is_err(), "{len} of {}", all.len());
    }
}

#[test]
fn pg_15() {
    if let Some(server) = PgServer::start("pw") {
        every_format(&server, "15");
        every_selection(&server);
    }
}

#[test]
fn pg_18() {
    if let Some(server) = PgServer::start_18("pw") {
        every_format(&server, "18");
        every_selection(&server);
    }
}

#[test]
fn sqlite_dumps() {
    if !sqlite::available() {
        return;
    }
    let scratch = Scratch::new("dumps");
    let file = scratch.path().join("shop.db");
    sqlite::seed_shop(&file, 50);
    for sql in [".dump", ".dump --nosys", ".dump nonesuch"] {
        let dump = (sqlite::run(&file, sql) + "\n").into_bytes();
        assert_eq!(verdict("sqlite:/x", &[], &dump, 1000).unwrap().check, "footer", "{sql}");
        for len in lengths(dump.len()) {
            assert!(
                verdict("sqlite:/x", &[], &dump[..len], 4096).is_err(),
                "{len} of {}",
                dump.len()
            );
        }
    }
}
