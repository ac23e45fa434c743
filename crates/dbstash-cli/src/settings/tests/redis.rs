//! Redis: how its dump is got, its one subject, its encryption.

use dbstash_core::job::{Databases, EngineKey, RedisMethod, Replication, Source, SyncMode};

use super::*;

fn redis(uri: &str) -> Case {
    case(&[("DB_URI", uri), ("RCLONE_REMOTE", "s3:b")])
}

fn params(settings: &Settings) -> Vec<(&str, &str)> {
    let Source::Server(server) = &settings.job.source else { panic!("no server") };
    server.params.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn a_server_needs_no_database() {
    let settings = redis(&format!("redis://:{SPELLED}@h")).settings();
    assert_eq!((settings.job.engine, settings.job.id.as_str()), (EngineKey::Redis, "redis-h-6379"));
    assert_eq!(settings.job.databases, Databases::Named(vec!["redis".to_owned()]));
    assert_eq!(settings.job.replication, Replication::default());
    assert_eq!(settings.warnings, [""; 0]);
    let parts = [("DBSTASH_ENGINE", "redis"), ("DB_HOST", "h"), ("RCLONE_REMOTE", "s3:b")];
    assert_eq!(case(&parts).settings().job.id.as_str(), "redis-h-6379");
    assert!(redis("redis://h").env("DB_NAME", "*").settings().warnings.is_empty());
}

#[test]
fn numbers_of_databases_only_warn_and_names_are_mistakes() {
    let quiet = redis("redis://h/0").settings();
    assert_eq!(quiet.warnings, [""; 0]);
    warns(&redis("redis://h/5").settings(), &["DB_URI", "always holds all databases"]);
    warns(&redis("redis://h").env("DB_NAME", "5").settings(), &["DB_NAME", "all databases"]);
    let split = redis("redis://h").env("BACKUP_SPLIT_DATABASES", "true").settings();
    warns(&split, &["BACKUP_SPLIT_DATABASES", "no effect"]);
    let told = redis("redis://h").env("DB_NAME", "shop").mistake();
    assert!(told.starts_with("DB_NAME names a database") && told.contains("leave"), "{told}");
}

#[test]
fn methods() {
    let settings = redis("redis://h")
        .envs(&[("REDIS_METHOD", "auto"), ("REDIS_SYNC_MODE", "disk"), ("SPOOL_MAX", "0")])
        .settings();
    let wanted = Replication { method: RedisMethod::Auto, sync: SyncMode::Disk, spool_max: 0 };
    assert_eq!(settings.job.replication, wanted);
    let told = redis("redis://h").env("REDIS_METHOD", "sync").mistake();
    assert!(told.contains("replication, cli, auto"), "{told}");
    let idle = redis("redis://h").envs(&[("REDIS_METHOD", "cli"), ("REDIS_SYNC_MODE", "disk")]);
    warns(&idle.settings(), &["REDIS_SYNC_MODE", "no effect"]);
    warns(&good().env("SPOOL_MAX", "1GiB").settings(), &["SPOOL_MAX", "no effect on pg"]);
}

#[test]
fn encryption_is_said_by_the_uri_or_beside_it() {
    let given = [("REDIS_TLS_CACERT", "ca.pem"), ("REDIS_TLS_SNI", "db.example")];
    let settings = redis("rediss://h?sni=other").envs(&given).settings();
    assert_eq!(params(&settings), [("sni", "other"), ("tls", "true"), ("cacert", "/here/ca.pem")]);
    let settings = redis("redis://h").env("REDIS_TLS_ENABLED", "true").settings();
    assert_eq!(params(&settings), [("tls", "true")]);
    let told = redis("redis://h").envs(&given[..1]).mistake();
    assert!(told.contains("REDIS_TLS_CACERT") && told.contains("rediss://"), "{told}");
}

#[test]
fn a_password_of_any_bytes_is_not_shown() {
    let settings = redis("redis://u:c4n4ry%FF@h").settings();
    let uri = shown(&settings, "DB_URI").0.unwrap().to_owned();
    assert!(uri.contains("***") && !uri.contains("%FF"), "{uri}");
}
