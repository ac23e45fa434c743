//! What a backup's name ends with, by engine, mode, the tool's own compression and ours: the whole table.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails by panicking")]

use dbstash_core::compression::Compression;
use dbstash_core::engine;
use dbstash_core::job::{Databases, Job, Mode, SqliteFormat};
use dbstash_engines::conn::parse_uri;

/// A folder has no extension; `-` stands for what is refused.
const TABLE: &str = "
engine   mode       plain    zstd         gzip        native       native+zstd  native+gzip
pg       stream     sql      sql.zst      sql.gz      dump         -            -
pg       directory  /        -            -           /            -            -
pg       tar        tar      tar.zst      tar.gz      tar          -            -
mongo    stream     archive  archive.zst  archive.gz  archive.gz   -            -
mongo    directory  /        -            -           /            -            -
mongo    tar        tar      tar.zst      tar.gz      tar          -            -
mysql    stream     sql      sql.zst      sql.gz      sql          sql.zst      sql.gz
mysql    directory  /        -            -           /            -            -
mysql    tar        tar      tar.zst      tar.gz      tar          tar.zst      tar.gz
mariadb  stream     sql      sql.zst      sql.gz      sql          sql.zst      sql.gz
mariadb  directory  /        -            -           /            -            -
mariadb  tar        tar      tar.zst      tar.gz      tar          tar.zst      tar.gz
sqlite   stream     sql      sql.zst      sql.gz      sql          sql.zst      sql.gz
sqlite   directory  -        -            -           -            -            -
sqlite   tar        -        -            -           -            -            -
file     stream     db       db.zst       db.gz       db           db.zst       db.gz
file     directory  -        -            -           -            -            -
file     tar        -        -            -           -            -            -
redis    stream     rdb      rdb.zst      rdb.gz      rdb          rdb.zst      rdb.gz
redis    directory  -        -            -           -            -            -
redis    tar        -        -            -           -            -            -
";

const COLUMNS: [(bool, Option<&str>); 6] = [
    (false, None),
    (false, Some("zstd")),
    (false, Some("gzip")),
    (true, None),
    (true, Some("zstd")),
    (true, Some("gzip")),
];

fn job(engine: &str, mode: &str, native: bool, ours: Option<&str>) -> Job {
    let uri = match engine {
        "pg" => "postgresql://u@h/shop",
        "mongo" => "mongodb://u:p@h/shop",
        "mysql" => "mysql://u@h/shop",
        "mariadb" => "mariadb://u@h/shop",
        "redis" => "redis://h",
        _ => "sqlite:///shop.db",
    };
    let parsed = parse_uri(uri).unwrap();
    let databases = Databases::Named(vec!["shop".to_owned()]);
    let mut job = Job::new("j".parse().unwrap(), parsed.engine, parsed.source, databases);
    job.mode = match mode {
        "stream" => Mode::Stream,
        "directory" => Mode::Directory,
        "tar" => Mode::Tar,
        other => panic!("{other}"),
    };
    if engine == "file" {
        job.sqlite_format = SqliteFormat::File;
    }
    job.native_compression = native;
    job.compression = ours.map(|word| -> Compression {
        word.parse::<dbstash_core::compression::Method>().unwrap().with_threads(1)
    });
    job
}

#[test]
fn every_extension_is_that_of_the_table() {
    let rows: Vec<Vec<_>> = TABLE
        .lines()
        .filter(|line| !line.is_empty())
        .map(|l| l.split_whitespace().collect())
        .collect();
    for row in &rows[1..] {
        let [engine, mode, cells @ ..] = &row[..] else { panic!("{row:?}") };
        assert_eq!(cells.len(), COLUMNS.len(), "{row:?}");
        for (cell, (native, ours)) in cells.iter().zip(COLUMNS) {
            let job = job(engine, mode, native, ours);
            let tool = dbstash_engines::engine(job.engine);
            let found = match engine::plan(tool, &job, &job.subject()) {
                Err(_) => "-".to_owned(),
                Ok(plan) if job.is_folder(&plan.dump) => {
                    assert_eq!(job.dump_extension(&plan.dump), "");
                    "/".to_owned()
                }
                Ok(plan) => job.dump_extension(&plan.dump),
            };
            assert_eq!(found, *cell, "{engine} {mode} native={native} {ours:?}");
        }
    }
}

/// A whole extension of the user's own replaces it; a folder has none.
#[test]
fn an_extension_of_ones_own() {
    for (mode, wanted) in [("stream", "bak"), ("tar", "bak"), ("directory", "")] {
        let mut job = job("pg", mode, false, None);
        job.naming.extension = Some("bak".to_owned());
        let tool = dbstash_engines::engine(job.engine);
        let plan = engine::plan(tool, &job, &job.subject()).unwrap();
        assert_eq!(job.dump_extension(&plan.dump), wanted);
    }
}

/// What `BACKUP_COMPRESS` cannot do is said, and stops nothing.
#[test]
fn a_compression_that_no_tool_has_is_warned_about() {
    for (engine, mode, warns) in [
        ("mysql", "stream", true),
        ("mysql", "directory", true),
        ("mariadb", "stream", true),
        ("mariadb", "tar", true),
        ("sqlite", "stream", true),
        ("file", "stream", true),
        ("redis", "stream", false),
        ("pg", "stream", false),
        ("pg", "directory", false),
        ("mongo", "stream", false),
    ] {
        let job = job(engine, mode, true, None);
        let tool = dbstash_engines::engine(job.engine);
        let warnings = engine::plan(tool, &job, &job.subject()).unwrap().warnings;
        let said = warnings.iter().any(|text| text.contains("BACKUP_COMPRESS has no effect"));
        assert_eq!(said, warns, "{engine} {mode}: {warnings:?}");
    }
}

#[test]
fn one_file_is_no_folder() {
    for mode in ["directory", "tar"] {
        let job = job("sqlite", mode, false, None);
        let tool = dbstash_engines::engine(job.engine);
        let Err(refused) = engine::plan(tool, &job, &job.subject()) else { panic!("{mode}") };
        let told = format!("BACKUP_MODE={mode} is not for sqlite, which has one file");
        assert!(refused.to_string().contains(&told), "{refused}");
    }
}
