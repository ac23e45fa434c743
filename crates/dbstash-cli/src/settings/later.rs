//! Names that mean something to dbstash but not yet to this version: set, they are warned about.

/// Settings of versions to come, each with its `_FILE` where it is a secret.
pub const NOT_YET: &[&str] = &[
    "RETENTION_KEEP_LAST",
    "RETENTION_KEEP_DURATION",
    "RETENTION_KEEP_HOURLY",
    "RETENTION_KEEP_DAILY",
    "RETENTION_KEEP_WEEKLY",
    "RETENTION_KEEP_MONTHLY",
    "RETENTION_KEEP_YEARLY",
    "BACKUP_RETENTION_HOURS",
    "BACKUP_MAX_FILES",
    "DRILL_URI",
    "DRILL_URI_FILE",
    "REDIS_BACKUP",
    "REDIS_CONNECTION",
    "REDIS_CONNECTION_FILE",
    "REDIS_DATA_PATH",
    "REDIS_NODE_NAME",
    "BACKUP_MASTER",
    "BACKUP_REPLICA",
    "DUMP_FILENAME",
    "STORAGE_TYPE",
    "S3_BUCKET",
    "S3_PREFIX",
    "S3_ENDPOINT",
    "GCS_BUCKET",
    "GCS_PREFIX",
    "GCS_PROJECT_ID",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_PASSWORD",
    "REDIS_PASSWORD_FILE",
    "BACKUP_DIR",
    "MAX_RETRIES",
    "RETRY_DELAY_SECONDS",
    "MAX_RETRY_DELAY_SECONDS",
    "REDIS_SERVER",
    "S3_SERVER",
    "S3_ACCESS_KEY",
    "S3_SECRET_KEY",
    "S3_SECRET_KEY_FILE",
    "AWS_SECRET_ACCESS_KEY_FILE",
    "CRON_SCHEDULE",
    "S3_BUCKET_URL",
    "ZSTD_THREADS",
];

/// What dbstash tells a hook; a dbstash started by a hook finds these set and has no use for them.
/// (`DBSTASH_JOB` and `DBSTASH_ENGINE`, which it is told besides, are settings.)
pub const TOLD_TO_HOOKS: &[&str] = &[
    "DBSTASH_STATUS",
    "DBSTASH_FILE",
    "DBSTASH_SIZE",
    "DBSTASH_SHA256",
    "DBSTASH_DURATION",
    "DBSTASH_ERROR",
    "DBSTASH_DATABASE",
    "DBSTASH_BACKUP_ID",
];

/// Under these no name is anyone else's, so an unknown one is a mistyped one.
pub const PREFIXES: &[&str] =
    &["BACKUP_", "DB_", "RETENTION_", "DBSTASH_", "NOTIFY_", "HOOK_", "HEALTH_", "METRICS_"];

#[cfg(test)]
mod tests {
    use crate::settings::table;

    use super::*;

    /// The names of the settled settings, written out by hand from their document.
    const SETTLED: &str = "
        DBSTASH_ENGINE DBSTASH_JOB DB_URI DB_URI_FILE DB_HOST DB_PORT DB_USER DB_PASSWORD
        DB_PASSWORD_FILE DB_NAME DB_PATH DB_AUTH_SOURCE BACKUP_ALL_DATABASES BACKUP_SPLIT_DATABASES
        DB_EXCLUDE PG_GLOBALS
        RCLONE_REMOTE RCLONE_CONFIG RCLONE_CONFIG_FILE RCLONE_EXTRA_ARGS RCLONE_CONFIG_PASS
        RCLONE_CONFIG_PASS_FILE BACKUP_UPLOAD_CHECK COMPRESSION_THREADS BACKUP_ALLOW_SPOOL
        BACKUP_SCHEDULE BACKUP_INTERVAL BACKUP_MODE BACKUP_TEMP_DIR BACKUP_NAME_TEMPLATE
        BACKUP_EXTENSION BACKUP_COMPRESS BACKUP_COMPRESSION DUMP_EXTRA_ARGS BACKUP_JOBS SQLITE_FORMAT
        BACKUP_ON_START BACKUP_TIMEOUT HOOK_TIMEOUT BACKUP_STALL_TIMEOUT BACKUP_MIN_SIZE BACKUP_LOCK
        BACKUP_RETRIES BACKUP_JITTER BACKUP_CATCH_UP BACKUP_PARALLEL INITIAL_DELAY DRY_RUN TZ
        DBSTASH_STATE_DIR
        RETENTION_MAX_FILES RETENTION_MAX_DAYS RETENTION_MIN_FILES RETENTION_KEEP_LAST
        RETENTION_KEEP_DURATION RETENTION_KEEP_HOURLY RETENTION_KEEP_DAILY RETENTION_KEEP_WEEKLY
        RETENTION_KEEP_MONTHLY RETENTION_KEEP_YEARLY BACKUP_RETENTION_HOURS BACKUP_MAX_FILES
        RETENTION_HOLD_BELOW
        NOTIFY_WEBHOOK_URL NOTIFY_WEBHOOK_URL_FILE NOTIFY_ON NOTIFY_EMAIL_TO SMTP_URL SMTP_URL_FILE
        NOTIFY_WEBHOOK_TEMPLATE NOTIFY_PING_URL NOTIFY_PING_URL_FILE NOTIFY_SILENCE_AFTER
        HOOK_PRE_BACKUP HOOK_POST_BACKUP HEALTH_ADDR HEALTH_MAX_AGE HEALTH_GRACE METRICS_ENABLED
        METRICS_PORT METRICS_LISTEN_ADDRESS LOG_LEVEL LOG_FORMAT STATUS_AUTH STATUS_AUTH_FILE
        DRILL_URI DRILL_URI_FILE
        REDIS_BACKUP REDIS_CONNECTION REDIS_CONNECTION_FILE REDIS_DATA_PATH REDIS_NODE_NAME
        BACKUP_MASTER BACKUP_REPLICA DUMP_FILENAME STORAGE_TYPE S3_BUCKET S3_PREFIX S3_ENDPOINT
        GCS_BUCKET GCS_PREFIX GCS_PROJECT_ID REDIS_HOST REDIS_PORT REDIS_PASSWORD
        REDIS_PASSWORD_FILE REDIS_TLS_ENABLED BACKUP_DIR MAX_RETRIES RETRY_DELAY_SECONDS
        MAX_RETRY_DELAY_SECONDS REDIS_SERVER S3_SERVER S3_ACCESS_KEY S3_SECRET_KEY
        CRON_SCHEDULE S3_BUCKET_URL ZSTD_THREADS
        DBSTASH_STATUS DBSTASH_FILE";

    #[test]
    fn what_hooks_are_told_is_known() {
        for name in dbstash_core::run::TOLD {
            let is_setting = table::variables().any(|known| known == name);
            assert!(is_setting != TOLD_TO_HOOKS.contains(&name), "{name}");
        }
        assert_eq!(dbstash_core::run::TOLD.len(), TOLD_TO_HOOKS.len() + 2);
    }

    #[test]
    fn every_settled_name_is_known_once() {
        let table: Vec<String> = table::variables().collect();
        for name in SETTLED.split_whitespace() {
            let places = usize::from(table.iter().any(|n| n == name))
                + NOT_YET.iter().filter(|n| **n == name).count()
                + TOLD_TO_HOOKS.iter().filter(|n| **n == name).count();
            assert_eq!(places, 1, "{name}");
        }
    }
}
