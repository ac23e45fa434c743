//! What good settings mean, what they warn about, and how they are shown.

use std::time::Duration;

use base64::Engine as _;
use chrono::TimeDelta;
use dbstash_core::compression::Compression;
use dbstash_core::job::{Databases, EngineKey, Source};
use dbstash_core::schedule::Schedule;
use dbstash_core::secret::ExposeSecret as _;

use super::*;
use crate::settings::table::{ALL, Fallback};
use crate::settings::{LogFormat, RcloneConfig, UploadCheck, resolve_places};

fn named(names: &[&str]) -> Databases {
    Databases::Named(names.iter().map(|&n| n.to_owned()).collect())
}

#[test]
fn defaults() {
    let settings = good().settings();
    let job = &settings.job;
    assert_eq!((job.engine, job.id.as_str()), (EngineKey::Pg, "pg-db-5433"));
    assert_eq!(job.databases, named(&["shop"]));
    assert!(job.exclusive && !job.native_compression && job.extra_args.is_empty());
    assert!(job.limits.timeout.is_none() && job.limits.min_size == 1);
    assert_eq!(job.limits.stall, Some(Duration::from_secs(3600)));
    assert!(job.retention.keeps_everything() && job.retention.min_files == 1);
    assert_eq!(job.naming.template.as_str(), "{db}-{date}-{time}");
    assert_eq!((job.naming.extension.as_deref(), job.naming.host.as_str()), (None, "box"));
    assert_eq!(settings.remote.root, "s3:bucket/backups");
    assert!(matches!(settings.remote.config, RcloneConfig::Default));
    assert_eq!(settings.remote.upload_check, UploadCheck::Size);
    assert_eq!(settings.timetable.schedule.to_string(), "0 2 * * *");
    assert_eq!(settings.log.level, tracing::Level::INFO);
    assert_eq!(settings.log.format, LogFormat::Json);
    assert!(
        !settings.dry_run
            && !settings.timetable.on_start
            && settings.timetable.initial_delay.is_zero()
    );
    assert!(settings.state_dir.is_none());
}

#[test]
fn every_default_that_is_a_text_is_accepted() {
    for setting in ALL {
        if let Fallback::Is(text) = setting.default {
            let settings = good().env(setting.name, text).settings();
            let origin = shown(&settings, setting.name).1;
            assert_eq!(origin, "environment", "{}", setting.name);
        }
    }
}

#[test]
fn a_whole_environment() {
    let settings = case(&[
        ("DBSTASH_ENGINE", "pg"),
        ("DBSTASH_JOB", "shop-main"),
        ("DB_HOST", "db1, [::1],/run/pg"),
        ("DB_PORT", "5433"),
        ("DB_USER", "app"),
        ("DB_NAME", r"shop,a\,b"),
        ("RCLONE_REMOTE", "/backups/"),
        ("RCLONE_EXTRA_ARGS", "--bwlimit '1 M'"),
        ("BACKUP_UPLOAD_CHECK", "rclone"),
        ("BACKUP_ALLOW_SPOOL", "on"),
        ("BACKUP_INTERVAL", "6h"),
        ("BACKUP_EXTENSION", ".sql.txt"),
        ("BACKUP_COMPRESS", "1"),
        ("DUMP_EXTRA_ARGS", "-t 'my table'"),
        ("BACKUP_ON_START", "yes"),
        ("INITIAL_DELAY", "5s"),
        ("BACKUP_TIMEOUT", "1h30m"),
        ("BACKUP_STALL_TIMEOUT", "0"),
        ("BACKUP_MIN_SIZE", "10KiB"),
        ("BACKUP_COUNTS", "no"),
        ("DRIFT_WARN", "25"),
        ("BACKUP_LOCK", "off"),
        ("DRY_RUN", "TRUE"),
        ("TZ", "Asia/Kolkata"),
        ("DBSTASH_STATE_DIR", "/var/lib/dbstash"),
        ("RETENTION_MAX_FILES", "20"),
        ("RETENTION_MAX_DAYS", "0.5"),
        ("RETENTION_MIN_FILES", "3"),
        ("LOG_LEVEL", "debug"),
        ("LOG_FORMAT", "text"),
    ])
    .settings();
    let job = &settings.job;
    let Source::Server(server) = &job.source else { panic!("not a server: {:?}", job.source) };
    let hosts: Vec<_> = server.hosts.iter().map(|h| (h.name.as_str(), h.port)).collect();
    assert_eq!(hosts, [("db1", Some(5433)), ("::1", Some(5433)), ("/run/pg", Some(5433))]);
    assert_eq!(server.password.as_ref().unwrap().expose_secret(), CANARY);
    assert_eq!((job.id.as_str(), &job.databases), ("shop-main", &named(&["shop", "a,b"])));
    assert_eq!(job.extra_args, ["-t", "my table"]);
    assert_eq!(job.naming.extension.as_deref(), Some("sql.txt"));
    assert!(job.native_compression && !job.exclusive);
    assert_eq!(job.limits.timeout, Some(Duration::from_secs(5400)));
    assert_eq!((job.limits.stall, job.limits.min_size), (None, 10 * 1024));
    assert_eq!((job.counts, job.drift), (false, 25));
    assert_eq!(job.retention.max_files, Some(20));
    assert_eq!(job.retention.max_age, Some(TimeDelta::hours(12)));
    assert_eq!(job.retention.min_files, 3);
    assert_eq!(settings.remote.root, "/backups");
    assert_eq!(settings.remote.extra_args, ["--bwlimit", "1 M"]);
    assert_eq!(settings.remote.upload_check, UploadCheck::Rclone);
    assert!(settings.remote.allow_spool && settings.timetable.on_start && settings.dry_run);
    assert_eq!(settings.timetable.schedule, Schedule::Every(Duration::from_secs(6 * 3600)));
    assert_eq!(settings.timetable.initial_delay, Duration::from_secs(5));
    assert_eq!(settings.log.format, LogFormat::Text);
    assert_eq!(settings.warnings, [""; 0]);
}

#[test]
fn flags_win_over_the_environment() {
    let settings = good().env("TZ", "Asia/Kolkata").flag("TZ", "Europe/Berlin").settings();
    assert_eq!(settings.job.naming.zone.name(), "Europe/Berlin");
    assert_eq!(shown(&settings, "TZ"), (Some("Europe/Berlin"), "flag".to_owned()));
    let settings = good().env("TZ", "Asia/Kolkata").flag("TZ", "").settings();
    assert_eq!(shown(&settings, "TZ"), (Some("Asia/Kolkata"), "environment".to_owned()));

    let other = format!("postgresql://app:{SPELLED}@other/shop");
    let file = |case: Case| case.file("/uri", format!("{other}\n").as_bytes());
    let settings = file(good().env("DB_URI_FILE", "/uri")).settings();
    assert_eq!(settings.job.id.as_str(), "pg-other-5432");
    assert_eq!(shown(&settings, "DB_URI").1, "file /uri");
    warns(&settings, &["DB_URI_FILE and DB_URI are both set", "the file wins"]);

    let third = format!("postgresql://app:{SPELLED}@third/shop");
    let settings = file(good().env("DB_URI_FILE", "/uri").flag("DB_URI", &third)).settings();
    assert_eq!(settings.job.id.as_str(), "pg-third-5432");
    warns(&settings, &["--db-uri", "process list", "DB_URI_FILE"]);
}

#[test]
fn uris_win_over_parts() {
    let settings = good().env("DB_HOST", "other").env("DB_NAME", "crm").settings();
    assert_eq!(settings.job.databases, named(&["shop"]));
    let note = settings.notes.join(" ");
    assert!(note.contains("DB_HOST") && note.contains("DB_NAME") && note.contains("DB_PASSWORD"));

    let nameless = format!("postgresql://app:{SPELLED}@db");
    let settings = good().env("DB_URI", &nameless).env("DB_NAME", "a,b").settings();
    assert_eq!(settings.job.databases, named(&["a", "b"]));
    assert!(!settings.notes.join(" ").contains("DB_NAME"));
    let settings = good().env("DB_URI", &nameless).env("DB_NAME", "*").settings();
    assert_eq!(settings.job.databases, Databases::All);

    let settings = good().env("BACKUP_ALL_DATABASES", "true").settings();
    assert_eq!(settings.job.databases, Databases::All);
    let Source::Server(server) = &settings.job.source else { panic!("not a server") };
    assert!(server.params.contains(&("dbname".to_owned(), "shop".to_owned())));
}

#[test]
fn sqlite() {
    for settings in [
        case(&[("DB_URI", "sqlite:///data/app.db"), ("RCLONE_REMOTE", "/b")]),
        case(&[("DB_PATH", "/data/app.db"), ("RCLONE_REMOTE", "/b")]),
    ]
    .map(Case::settings)
    {
        assert_eq!(settings.job.engine, EngineKey::Sqlite);
        assert_eq!(settings.job.id.as_str(), "sqlite-data-app.db");
        assert_eq!(settings.job.databases, named(&["app"]));
        assert!(matches!(&settings.job.source, Source::File(p) if p == Path::new("/data/app.db")));
    }
}

#[test]
fn rclone_configs() {
    let conf = format!("[s3]\ntype = s3\nsecret_access_key = {CANARY}\n");
    let encoded = base64::engine::general_purpose::STANDARD.encode(&conf);
    let unpadded = encoded.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let folded = format!("{}\n{}\n", &encoded[..20], &encoded[20..]);
    for text in [&encoded, &unpadded, &folded] {
        let settings = good().env("RCLONE_CONFIG", text).settings();
        let RcloneConfig::Inline(inline) = &settings.remote.config else { panic!("not inline") };
        assert_eq!(inline.expose_secret(), conf);
        assert_eq!(shown(&settings, "RCLONE_CONFIG").0, Some("***"));
        assert_eq!(settings.redactor().redact(&format!("bad key {CANARY}")), "bad key ***");
    }
    let encrypted =
        base64::engine::general_purpose::STANDARD.encode("# x\n\nRCLONE_ENCRYPT_V0:\nabc=");
    assert!(good().env("RCLONE_CONFIG", &encrypted).resolve().is_ok());

    let path = |case: Case| match &case
        .file("/config/rclone.conf", conf.as_bytes())
        .settings()
        .remote
        .config
    {
        RcloneConfig::Path(path) => path.display().to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(path(good()), "/config/rclone.conf");
    assert_eq!(path(good().env("RCLONE_CONFIG", "/r.conf").file("/r.conf", b"[a]")), "/r.conf");
    assert_eq!(path(good().env("RCLONE_CONFIG", "r.conf").file("r.conf", b"[a]")), "r.conf");
    assert!(path(good().env("RCLONE_CONFIG", &encoded)).starts_with("Inline"));
    let both =
        || good().env("RCLONE_CONFIG", &encoded).env("RCLONE_CONFIG_FILE", "/f").file("/f", b"");
    assert_eq!(path(both()), "/f");
    warns(&both().settings(), &["RCLONE_CONFIG_FILE", "the file wins"]);
}

#[test]
fn looking_at_a_remote_needs_no_database() {
    let layers = |name: &str, value: &str| Layers {
        environment: Environment::new([
            ("RCLONE_REMOTE".into(), "s3:b/".into()),
            ("DB_URI_FILE".into(), "/gone".into()),
            (name.into(), value.into()),
        ]),
        ..Layers::default()
    };
    let found = resolve_places(&layers("TZ", "Asia/Kolkata"), &Files::default());
    let found = found.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(found.places.len(), 1);
    let place = &found.places[0];
    assert_eq!((place.remote.root.as_str(), place.zone.name()), ("s3:b", "Asia/Kolkata"));
    let Err(bad) = resolve_places(&layers("TZ", "Mars"), &Files::default()) else {
        panic!("a bad zone was accepted")
    };
    assert!(bad.to_string().starts_with("TZ=Mars: "), "{bad}");
}

#[test]
fn compression_in_the_stream() {
    let compression = |env: &[(&str, &str)]| good().envs(env).settings().job.compression;
    assert_eq!(compression(&[]), None);
    assert_eq!(compression(&[("BACKUP_COMPRESSION", "None")]), None);
    let zstd = |level, threads| Some(Compression::Zstd { level, threads });
    assert_eq!(compression(&[("BACKUP_COMPRESSION", "zstd")]), zstd(3, 4));
    let two = [("BACKUP_COMPRESSION", "zstd:19"), ("COMPRESSION_THREADS", "2")];
    assert_eq!(compression(&two), zstd(19, 2));
    let gzip = Some(Compression::Gzip { level: 1 });
    assert_eq!(compression(&[("BACKUP_COMPRESSION", "gzip:1")]), gzip);
    for method in ["none", "gzip"] {
        let case = good().env("BACKUP_COMPRESSION", method).env("COMPRESSION_THREADS", "2");
        assert!(case.settings().warnings[0].contains("COMPRESSION_THREADS has no effect"));
    }
}

#[test]
fn which_database_knows_the_user_of_mongo() {
    let auth_source = |case: Case| {
        let settings = case.env("RCLONE_REMOTE", "s3:b").settings();
        assert_eq!(settings.job.engine, EngineKey::Mongo);
        let Source::Server(server) = &settings.job.source else { panic!() };
        let found = server.params.iter().find(|(name, _)| name == "authSource");
        found.map(|(_, value)| value.clone())
    };
    let admin = Some("admin".to_owned());
    let parts = || {
        let parts = [("DBSTASH_ENGINE", "mongo"), ("DB_HOST", "a,b"), ("DB_NAME", "shop")];
        case(&parts).env("DB_USER", "u").env("DB_PASSWORD", "p")
    };
    assert_eq!(auth_source(parts()), admin);
    assert_eq!(auth_source(parts().env("DB_AUTH_SOURCE", "x")).as_deref(), Some("x"));
    assert_eq!(auth_source(parts().env("DB_USER", "").env("DB_PASSWORD", "")), None);
    let uri = |uri: &str| case(&[("DB_URI", uri)]);
    assert_eq!(auth_source(uri("mongodb://u:p@h/shop")).as_deref(), Some("shop"));
    assert_eq!(auth_source(uri("mongodb://u:p@h/shop?authSource=admin")), admin);
    assert_eq!(auth_source(uri("mongodb://u:p@h").env("DB_NAME", "shop")), admin);
    // All databases: the user is still the one of the database that the URI names.
    let all = uri("mongodb://u:p@h/shop").env("BACKUP_ALL_DATABASES", "true");
    assert_eq!(auth_source(all).as_deref(), Some("shop"));
    let ignored =
        uri("mongodb://u:p@h/shop").env("DB_AUTH_SOURCE", "x").env("RCLONE_REMOTE", "s3:b");
    assert!(ignored.settings().notes[0].contains("DB_AUTH_SOURCE"));
}

#[test]
fn retries_and_timetable() {
    let given = [("BACKUP_JITTER", "5m"), ("BACKUP_CATCH_UP", "yes")];
    let timetable = good().envs(&given).settings().timetable;
    assert!(timetable.catch_up && timetable.jitter == Duration::from_secs(300));
    let once = good().envs(&given).env("BACKUP_SCHEDULE", "once").settings();
    warns(&once, &["BACKUP_JITTER", "once"]);
    warns(&once, &["BACKUP_CATCH_UP", "once"]);
    assert_eq!(good().settings().job.retries, 0);
    assert_eq!(good().env("BACKUP_RETRIES", "3").settings().job.retries, 3);
    let told = good().env("BACKUP_RETRIES", "101").mistake();
    assert!(told.contains("up to 100"), "{told}");
}
