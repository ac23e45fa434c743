//! Mistakes in the settings: exit 2, every one of them named, no secret repeated.

use std::time::Duration;

use dbstash_testkit::Dbstash;

const CANARY: &str = "canary-16180339";
const SOON: Duration = Duration::from_secs(20);

fn run(env: &[(&str, &str)]) -> dbstash_testkit::Finished {
    let run = Dbstash::new(env!("CARGO_BIN_EXE_dbstash")).env("DB_PASSWORD", CANARY);
    let done = run.envs(env.iter().copied()).run(SOON);
    assert!(!done.to_string().contains(CANARY), "{done}");
    done
}

#[test]
fn each_mistake_names_its_setting() {
    let uri = format!("postgresql://u:{CANARY}@h:5432/shop");
    let good = [("DB_URI", uri.as_str()), ("RCLONE_REMOTE", "/backups")];
    let long = format!("mysqlx://u:{CANARY}@h/db");
    let port = format!("postgresql://u:{CANARY}@h:99999/db");
    let unencoded = format!("postgresql://u:{CANARY}@@#/h/db");
    let secret_remote = format!(":s3,secret_access_key={CANARY}:bucket");
    for (name, value) in [
        ("DB_URI", long.as_str()),
        ("DB_URI", port.as_str()),
        ("DB_URI", unencoded.as_str()),
        ("DB_URI", "postgresql://h/"),
        ("DB_URI_FILE", "/no/such/file"),
        ("DBSTASH_ENGINE", "sqlite"),
        ("DBSTASH_ENGINE", "oracle"),
        ("DBSTASH_JOB", "../x"),
        ("RCLONE_REMOTE", secret_remote.as_str()),
        ("RCLONE_CONFIG", "!!not base64!!"),
        ("RCLONE_CONFIG_FILE", "/no/such/rclone.conf"),
        ("BACKUP_TIMEOUT", "soon"),
        ("BACKUP_STALL_TIMEOUT", "10"),
        ("BACKUP_MIN_SIZE", "big"),
        ("BACKUP_LOCK", "maybe"),
        ("BACKUP_NAME_TEMPLATE", "{dbname}"),
        ("BACKUP_SCHEDULE", "61 * * * *"),
        ("BACKUP_MODE", "streem"),
        ("DUMP_EXTRA_ARGS", "--exclude-table='x"),
        ("RETENTION_MAX_FILES", "many"),
        ("RETENTION_MIN_FILES", "0"),
        ("TZ", "Mars/Olympus"),
        ("LOG_LEVEL", "loud"),
    ] {
        let mut env = good.to_vec();
        env.retain(|(known, _)| *known != name && *known != name.trim_end_matches("_FILE"));
        env.push((name, value));
        let done = run(&env);
        done.expect_code(2);
        assert!(done.stderr.contains(name), "{name}={value}: {done}");
    }
}

#[test]
fn all_mistakes_at_once() {
    let done = run(&[
        ("BACKUP_TIMEOUT", "soon"),
        ("TZ", "Mars/Olympus"),
        ("RETENTION_MAX_DAYS", "-1"),
        ("BACKUP_COMPRES", "true"),
    ]);
    done.expect_code(2);
    for told in [
        "DB_URI",
        "RCLONE_REMOTE",
        "BACKUP_TIMEOUT",
        "TZ",
        "RETENTION_MAX_DAYS",
        "BACKUP_COMPRESS?",
    ] {
        assert!(done.stderr.contains(told), "{told}: {done}");
    }
    assert!(done.events.iter().all(|event| event["message"].is_string()), "{done}");
}

#[test]
fn config_shows_where_a_value_is_from_and_no_secret() {
    let uri = format!("postgresql://u:{CANARY}@h:5432/shop");
    let done = Dbstash::new(env!("CARGO_BIN_EXE_dbstash"))
        .env("DB_URI", uri)
        .env("RCLONE_REMOTE", "/backups")
        .args(["config", "--backup-timeout", "5m"])
        .run(SOON);
    done.expect_code(0);
    assert!(!done.to_string().contains(CANARY), "{done}");
    for told in ["BACKUP_TIMEOUT", "5m", "flag", "environment", "default"] {
        assert!(done.stdout.contains(told), "{told}: {done}");
    }
}
