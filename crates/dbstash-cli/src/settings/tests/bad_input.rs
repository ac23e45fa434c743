//! Every mistake names its setting and what is accepted.

use base64::Engine as _;

use super::*;

/// One setting of an otherwise good environment is wrong.
fn wrong(name: &str, value: &str) -> String {
    good().env(name, value).mistake()
}

#[track_caller]
fn tells(mistake: &str, parts: &[&str]) {
    for part in parts {
        assert!(mistake.contains(part), "{part:?} is missing in: {mistake}");
    }
}

#[test]
fn no_connection_no_remote_both() {
    tells(
        &case(&[("RCLONE_REMOTE", "s3:b")]).mistake(),
        &["no connection", "DB_URI", "DB_HOST", "DB_PATH", "DBSTASH_ENGINE"],
    );
    let uri = format!("postgresql://app:{SPELLED}@db/shop");
    tells(&case(&[("DB_URI", &uri)]).mistake(), &["no remote", "RCLONE_REMOTE", "remote:path"]);
    let both = case(&[]).mistakes();
    assert_eq!(both.len(), 2);
    tells(&both.join("\n"), &["no connection", "no remote"]);
    // Empty is unset.
    assert_eq!(case(&[("DB_URI", ""), ("RCLONE_REMOTE", "")]).mistakes(), both);
}

#[test]
fn every_mistake_at_once() {
    let wrong = [
        ("DB_URI", format!("mysqlx://app:{SPELLED}@db/shop")),
        ("RCLONE_REMOTE", format!(":s3,secret_access_key={CANARY}:b")),
        ("RCLONE_CONFIG", CANARY.to_owned()),
        ("BACKUP_SCHEDULE", "61 * * * *".to_owned()),
        ("BACKUP_TIMEOUT", "90".to_owned()),
        ("BACKUP_MIN_SIZE", "1.5GB".to_owned()),
        ("BACKUP_LOCK", "maybe".to_owned()),
        ("BACKUP_NAME_TEMPLATE", "{dbname}".to_owned()),
        ("BACKUP_MODE", "tarball".to_owned()),
        ("BACKUP_TEMP_DIR", "/it's".to_owned()),
        ("BACKUP_JOBS", "0".to_owned()),
        ("SQLITE_FORMAT", "db".to_owned()),
        ("BACKUP_COMPRESSION", "zstd:20".to_owned()),
        ("COMPRESSION_THREADS", "0".to_owned()),
        ("DUMP_EXTRA_ARGS", "'open".to_owned()),
        ("TZ", "Europe/Berln".to_owned()),
        ("RETENTION_MAX_FILES", "-1".to_owned()),
        ("RETENTION_MAX_DAYS", "a week".to_owned()),
        ("RETENTION_MIN_FILES", "0".to_owned()),
        ("LOG_LEVEL", "inof".to_owned()),
        ("LOG_FORMAT", "xml".to_owned()),
        ("DBSTASH_JOB", "a/b".to_owned()),
    ];
    let case = wrong.iter().fold(good(), |case, (name, value)| case.env(name, value));
    let mistakes = case.mistakes();
    assert_eq!(mistakes.len(), wrong.len(), "{mistakes:#?}");
    for (name, _) in wrong {
        assert!(mistakes.iter().any(|m| m.starts_with(name)), "{name}: {mistakes:#?}");
    }
}

#[test]
fn uris() {
    for uri in ["shop", "postgresql:/", "postgresql://app:X@db:port/shop", "redis-ish://:X@db/0"] {
        let told = wrong("DB_URI", &uri.replace('X', SPELLED));
        assert!(told.starts_with("DB_URI: "), "{told}");
    }
    tells(&wrong("DB_URI", &format!("oracle://app:{SPELLED}@db/shop")), &["postgresql", "sqlite"]);
    // Not encoded, so that the URI means something else than was thought.
    let _ = good().env("DB_URI", &format!("postgresql://app:{CANARY}@db/shop")).resolve();
    let _ = good().env("DB_URI", &format!("postgresql//app:{CANARY}@db/shop")).mistakes();
}

#[test]
fn engine_and_scheme() {
    tells(&wrong("DBSTASH_ENGINE", "sqlite"), &["DBSTASH_ENGINE=sqlite", "DB_URI", "pg"]);
    tells(
        &wrong("DBSTASH_ENGINE", "oracle"),
        &["DBSTASH_ENGINE=oracle", "pg, mongo, mysql, mariadb, redis, sqlite"],
    );
    let mysql = format!("mysql://app:{SPELLED}@db/shop");
    assert!(good().env("DB_URI", &mysql).resolve().is_ok());
    assert!(good().env("DB_URI", &mysql).env("DBSTASH_ENGINE", "mariadb").resolve().is_ok());
    tells(&wrong("DBSTASH_ENGINE", "sqlit"), &["did you mean sqlite?"]);
    assert!(good().env("DBSTASH_ENGINE", "PG").resolve().is_ok());
}

#[test]
fn parts_of_a_connection() {
    let parts = |pairs: &[(&str, &str)]| case(&[("RCLONE_REMOTE", "s3:b")]).envs(pairs);
    let pg = [("DBSTASH_ENGINE", "pg"), ("DB_HOST", "db"), ("DB_NAME", "shop")];
    assert!(parts(&pg).resolve().is_ok());
    tells(
        &parts(&pg).env("DB_NAME", "").mistake(),
        &["no database name", "DB_NAME", "BACKUP_ALL_DATABASES"],
    );
    tells(&parts(&pg).env("DB_NAME", "a,,b").mistake(), &["DB_NAME=a,,b"]);
    tells(
        &parts(&pg).env("DBSTASH_ENGINE", "").mistake(),
        &["DBSTASH_ENGINE", "pg, mongo, mysql, mariadb"],
    );
    tells(
        &parts(&pg).env("DBSTASH_ENGINE", "sqlite").mistake(),
        &["DBSTASH_ENGINE=sqlite", "DB_PATH"],
    );
    tells(&parts(&pg).env("DB_PATH", "/a.db").mistake(), &["DB_PATH", "DB_HOST"]);
    tells(&parts(&pg).env("DB_PORT", "x").mistake(), &["DB_PORT=x", "65535"]);
    tells(&parts(&pg).env("DB_HOST", "db:5432").mistake(), &["DB_HOST", "DB_PORT"]);
    let uri = format!("postgresql://app:{CANARY}@db");
    tells(&parts(&pg).env("DB_HOST", &uri).mistake(), &["DB_HOST", "DB_URI"]);
    tells(
        &parts(&pg).env("BACKUP_ALL_DATABASES", "yes").mistake(),
        &["DB_NAME=shop", "BACKUP_ALL_DATABASES"],
    );
    tells(
        &parts(&[("DB_PATH", "/a.db"), ("DBSTASH_ENGINE", "pg")]).mistake(),
        &["DBSTASH_ENGINE=pg", "DB_PATH"],
    );
    tells(&parts(&[("DBSTASH_ENGINE", "sqlite")]).mistake(), &["no connection", "DB_PATH"]);
    tells(
        &case(&[("DB_URI", &format!("postgresql://app:{SPELLED}@db")), ("RCLONE_REMOTE", "s3:b")])
            .mistake(),
        &["no database name"],
    );
}

#[test]
fn files_of_secrets() {
    tells(
        &good().env("DB_URI_FILE", "/run/secrets/gone").mistake(),
        &["DB_URI_FILE=/run/secrets/gone", "No such file"],
    );
    tells(
        &good().env("DB_URI_FILE", "/f").file("/f", b"\xff\xfe").mistake(),
        &["DB_URI_FILE=/f", "not UTF-8"],
    );
    tells(
        &good().env("DB_URI_FILE", "/f").file("/f", b"\n").mistake(),
        &["DB_URI_FILE=/f", "empty"],
    );
    tells(
        &good().env("RCLONE_CONFIG_FILE", "/gone.conf").mistake(),
        &["RCLONE_CONFIG_FILE=/gone.conf", "No such file"],
    );
    tells(
        &good().env("RCLONE_CONFIG", "/gone.conf").mistake(),
        &["RCLONE_CONFIG:", "No such file"],
    );
}

#[test]
fn an_rclone_config_that_is_none() {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    for (value, part) in [
        (CANARY.to_owned(), "base64 -w0"),
        (encode(CANARY), "[remote] line is missing"),
        (format!("[s3]\ntype = s3\nsecret_access_key = {CANARY}"), "plain text"),
        (format!("{}!", encode(&format!("[s3]\npass = {CANARY}"))), "base64 -w0"),
    ] {
        let told = wrong("RCLONE_CONFIG", &value);
        tells(&told, &["RCLONE_CONFIG: ", part]);
        assert!(!told.contains(&value[..6]), "{told}");
    }
}

#[test]
fn remotes() {
    tells(
        &wrong("RCLONE_REMOTE", &format!("box,pass={CANARY}:b")),
        &["RCLONE_REMOTE", "'pass'", "RCLONE_CONFIG_BOX_PASS"],
    );
    tells(&wrong("RCLONE_REMOTE", ":path"), &["RCLONE_REMOTE", "remote:path"]);
    tells(&wrong("RCLONE_REMOTE", "-x"), &["RCLONE_REMOTE", "'-'"]);
}

#[test]
fn single_values() {
    for (name, value, part) in [
        ("BACKUP_TIMEOUT", "1 hour", "90s, 5m"),
        ("BACKUP_TIMEOUT", "3600", "a unit is missing"),
        ("BACKUP_STALL_TIMEOUT", "-1s", "90s, 5m"),
        ("INITIAL_DELAY", "soon", "90s, 5m"),
        ("BACKUP_MIN_SIZE", "10M", "10MiB"),
        ("DRY_RUN", "si", "true, false"),
        ("BACKUP_COMPRESS", "zstd", "true, false"),
        ("BACKUP_NAME_TEMPLATE", "{dbname}-{date}", "{db}"),
        ("BACKUP_NAME_TEMPLATE", "../{db}", "folder names"),
        ("BACKUP_EXTENSION", "a/b", "extensions"),
        ("TZ", "Mars/Base", "Europe/Berlin"),
        ("TZ", "Europe/Berln", "did you mean Europe/Berlin?"),
        ("BACKUP_SCHEDULE", "0 25 * * *", "hour field '25'"),
        ("BACKUP_SCHEDULE", "daily", "@daily"),
        ("BACKUP_MODE", "steam", "did you mean stream?"),
        ("BACKUP_UPLOAD_CHECK", "md5", "size, rclone"),
        ("RETENTION_MAX_FILES", "many", "whole numbers"),
        ("RETENTION_MAX_DAYS", "1d", "whole or decimal"),
        ("RETENTION_MIN_FILES", "0", "1 or more"),
        ("LOG_LEVEL", "verbose", "trace, debug, info, warn, error"),
        ("LOG_FORMAT", "jsn", "did you mean json?"),
        ("DBSTASH_JOB", "-x", "letters, digits"),
    ] {
        tells(&wrong(name, value), &[&format!("{name}={value}: "), part]);
    }
    tells(&wrong("DUMP_EXTRA_ARGS", &format!("'{CANARY}")), &["DUMP_EXTRA_ARGS: ", "quote"]);
    tells(&wrong("RCLONE_EXTRA_ARGS", "\"x"), &["RCLONE_EXTRA_ARGS: ", "quote"]);
    tells(&wrong("BACKUP_INTERVAL", "0"), &["BACKUP_INTERVAL=0"]);
    tells(
        &good().env("BACKUP_INTERVAL", "1h").env("BACKUP_SCHEDULE", "@daily").mistake(),
        &["BACKUP_INTERVAL", "BACKUP_SCHEDULE"],
    );
}

#[test]
fn long_and_odd_values_stay_one_short_line() {
    let told = wrong("BACKUP_TIMEOUT", &format!("a\n{}", "x".repeat(500)));
    assert!(!told.contains('\n') && told.len() < 300, "{told}");
}

#[test]
fn values_that_are_not_utf8() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    let odd = || OsString::from_vec(vec![b'x', 0xff]);
    let uri = OsString::from("postgresql://db/shop");
    let layers = Layers {
        environment: Environment::new([
            ("DB_URI".into(), uri),
            ("RCLONE_REMOTE".into(), odd()),
            ("SOMETHING_ELSE".into(), odd()),
        ]),
        ..Layers::default()
    };
    let mistakes = resolve(&layers, &Files::default()).err().unwrap().mistakes;
    assert!(mistakes[0].starts_with("RCLONE_REMOTE: its value is not UTF-8"), "{mistakes:?}");
    assert!(!mistakes.join(" ").contains("SOMETHING_ELSE"));
}
