//! What is said about settings that can be used: warnings, secrets, and `dbstash config`.

use super::*;
use crate::settings::table::ALL;

#[test]
fn names_without_effect_are_told() {
    let settings = good()
        .env("BACKUP_COMPRESION", "true")
        .env("RETENTION_MAX_FILE", CANARY)
        .env("DB_PASSWRD", CANARY)
        .env("CRON_SCHEDULE", "3")
        .env("REDIS_CONNECTION", CANARY)
        .env("HOOK_PRE_BACKUP", "")
        .env("DBSTASH_STATUS", "success")
        .env("RCLONE_CONFIG_S3_TYPE", "s3")
        .settings();
    warns(&settings, &["BACKUP_COMPRESION is unknown", "did you mean BACKUP_COMPRESSION?"]);
    warns(&settings, &["RETENTION_MAX_FILE is unknown", "did you mean RETENTION_MAX_FILES?"]);
    warns(&settings, &["DB_PASSWRD is unknown", "did you mean DB_PASSWORD?"]);
    warns(&settings, &["CRON_SCHEDULE is not supported by this version yet"]);
    warns(&settings, &["REDIS_CONNECTION is not supported by this version yet"]);
    assert_eq!(settings.warnings.len(), 5, "{:#?}", settings.warnings);
}

#[test]
fn settings_that_do_not_fit_are_warned_about() {
    warns(&good().env("BACKUP_NAME_TEMPLATE", "{db}").settings(), &["name of its own", "{uuid}"]);
    let nameless = format!("postgresql://app:{SPELLED}@db");
    let several = good().env("DB_URI", &nameless).env("DB_NAME", "a,b");
    warns(&several.env("BACKUP_NAME_TEMPLATE", "x-{ts}").settings(), &["apart", "{db}"]);
    let few = good().env("RETENTION_MAX_FILES", "2").env("RETENTION_MIN_FILES", "5");
    warns(&few.settings(), &["RETENTION_MAX_FILES", "RETENTION_MIN_FILES", "5"]);
    warns(&good().env("RCLONE_REMOTE", "s3").settings(), &["RCLONE_REMOTE=s3", "s3:"]);
    let secret = good().env("RCLONE_EXTRA_ARGS", &format!("--sftp-pass {CANARY}"));
    warns(&secret.settings(), &["RCLONE_EXTRA_ARGS", "--sftp-pass", "process list"]);
    let once = good().env("BACKUP_SCHEDULE", "once").env("BACKUP_ON_START", "true");
    warns(&once.settings(), &["BACKUP_ON_START"]);
}

#[test]
fn hooks_keep_their_text_to_themselves() {
    let secret = good().env("HOOK_PRE_BACKUP", &format!("PGPASSWORD={CANARY} psql 'x"));
    let settings = secret.flag("HOOK_POST_BACKUP", &format!("curl --token={CANARY} h")).settings();
    warns(&settings, &["HOOK_POST_BACKUP", "process list"]);
    assert_eq!(shown(&settings, "HOOK_PRE_BACKUP").0, Some("***"));
    assert_eq!(shown(&settings, "HOOK_POST_BACKUP"), (Some("***"), "flag".to_owned()));
    assert!(!format!("{:?}", settings.job).contains("psql"));
    let hooks = &settings.job.hooks;
    assert_eq!(hooks.pre.as_deref(), Some(&*format!("PGPASSWORD={CANARY} psql 'x")));
    assert_eq!(hooks.timeout, Some(std::time::Duration::from_secs(300)));

    let settings = good().env("HOOK_TIMEOUT", "0").env("HOOK_PRE_BACKUP", " ").settings();
    assert_eq!((settings.job.hooks.timeout, &settings.job.hooks.pre), (None, &None));
    warns(&settings, &["HOOK_TIMEOUT has no effect without"]);
    assert!(good().env("HOOK_TIMEOUT", "soon").mistake().contains("HOOK_TIMEOUT=soon"));
}

#[test]
fn secrets_are_known_to_the_redactor() {
    let settings = good()
        .env("RCLONE_CONFIG_MYS3_SECRET_ACCESS_KEY", "mys3-key")
        .env("RCLONE_CONFIG_MYS3_ACCESS_KEY_ID", "AKID1234")
        .env("RCLONE_CONFIG_PASS", "conf-pass")
        .env("AWS_SESSION_TOKEN", "aws-token")
        .env("PGPASSWORD", "pg-pass")
        .settings();
    let text = format!("{SPELLED} {CANARY} mys3-key AKID1234 conf-pass aws-token pg-pass db:5433");
    let clean = settings.redactor().redact(&text).into_owned();
    assert_eq!(clean, "*** *** *** AKID1234 *** *** *** db:5433");
}

#[test]
fn config_shows_values_and_origins() {
    let settings = good().env("RETENTION_MAX_FILES", "20").flag("LOG_LEVEL", "debug").settings();
    let uri = "postgresql://app:***@db:5433/shop";
    assert_eq!(shown(&settings, "DB_URI"), (Some(uri), "environment".to_owned()));
    assert_eq!(shown(&settings, "DB_PASSWORD").0, Some("***"));
    assert_eq!(shown(&settings, "DBSTASH_JOB"), (Some("pg-db-5433"), "default".to_owned()));
    assert_eq!(shown(&settings, "LOG_LEVEL"), (Some("debug"), "flag".to_owned()));

    let text = config::text(&settings.values);
    let line = |name: &str| {
        let found = text.lines().find(|l| l.split_whitespace().next() == Some(name));
        found.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("DB_URI"), format!("DB_URI {uri} environment"));
    assert_eq!(line("RETENTION_MAX_FILES"), "RETENTION_MAX_FILES 20 environment");
    assert_eq!(line("BACKUP_EXTENSION"), "BACKUP_EXTENSION (by engine and format) default");
    assert_eq!(line("DB_PATH"), "DB_PATH - default");

    let json = config::json(&settings.values);
    assert_eq!(json["DB_URI"]["value"], uri);
    assert_eq!(json["LOG_LEVEL"]["origin"], "flag");
    assert!(json["BACKUP_EXTENSION"]["value"].is_null());
    assert_eq!(json.as_object().unwrap().len(), ALL.len());

    let secret = "postgresql://app@db/shop?sslpassword=c4n4ry%2Fp%40ss&sslmode=require";
    let settings = good().env("DB_URI", secret).settings();
    assert_eq!(
        shown(&settings, "DB_URI").0,
        Some("postgresql://app@db/shop?sslmode=require&sslpassword=***")
    );
}

#[test]
fn a_secret_in_the_wrong_place_is_not_shown_either() {
    let told = good().env("BACKUP_TIMEOUT", CANARY).mistake();
    assert!(told.starts_with("BACKUP_TIMEOUT=***: "), "{told}");
    let told = good().env("DB_URI_FILE", &format!("/run/{CANARY}")).mistake();
    assert!(told.starts_with("DB_URI_FILE=/run/***: "), "{told}");
    let settings = good().env("DB_USER", CANARY).env("DUMP_EXTRA_ARGS", CANARY).settings();
    assert_eq!(shown(&settings, "DB_USER").0, Some("***"));
    assert_eq!(shown(&settings, "DUMP_EXTRA_ARGS").0, Some("***"));
}
