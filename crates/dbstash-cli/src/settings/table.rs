//! Every setting, declared once.
//!
//! The flags, `--help`, `dbstash config` and the list of names that no child inherits derive from
//! this table. What a setting means is in its doc comment, which is also its help text.

mod kinds;

use Fallback::{Computed, Is, Unset};
use Group::{Backup, Connection, Health, Jobs, Logs, Notify, Rclone, Retention, Verify};
use Kind::{Bool, Count, Days, Duration, OneOf, Path, Size, Text, Words, Zone};
use Secrecy::{Open, Secret, SecretOrFile};

pub use self::kinds::{Fallback, Group, Kind, Secrecy, Setting, flag_of};

macro_rules! settings {
    ($($(#[doc = $doc:literal])+
       $name:ident: $group:ident, $kind:expr, $default:expr, $secrecy:ident;)+) => {
        $($(#[doc = $doc])+
        pub static $name: Setting = Setting {
            name: stringify!($name),
            group: $group,
            kind: $kind,
            default: $default,
            secrecy: $secrecy,
            doc: concat!($($doc),+),
        };)+

        /// Every setting, in the order of the documentation.
        pub static ALL: &[&Setting] = &[$(&$name),+];
    };
}

settings! {
    /// A YAML file of jobs: `defaults:` and `jobs:`, whose keys are these names in lower case.
    DBSTASH_CONFIG: Jobs, Path, Unset, Open;
    /// Take only a share of its jobs, told by their names: `0/4` is the first of four. A count
    /// alone is for an Indexed Job of Kubernetes, which sets `JOB_COMPLETION_INDEX`.
    DBSTASH_SHARD: Jobs, Text("INDEX/COUNT"), Unset, Open;
    /// How many jobs may be at work at once.
    BACKUP_PARALLEL: Jobs, Count, Is("1"), Open;

    /// The database system. Only needed with `DB_HOST`; a URI says it by its scheme.
    DBSTASH_ENGINE: Connection, OneOf(&["pg", "mongo", "mysql", "mariadb", "redis", "sqlite"]), Computed("from the URI's scheme"), Open;
    /// The job's identity, in every manifest: lock, list and retention go by it and the database.
    /// With a job file, where jobs have names already, it selects one, as `--job` does.
    DBSTASH_JOB: Connection, Text("ID"), Computed("ENGINE-HOST-PORT, or sqlite-PATH"), Open;
    /// Where the database is, as `postgresql://user:password@host:port/name?sslmode=require`,
    /// `mongodb://user:password@host/name?authSource=admin`, `rediss://user:password@host:port` or
    /// `sqlite:///path/to.db`. The single `DB_*` settings are then ignored, but for a `DB_NAME` that
    /// the URI does not say.
    DB_URI: Connection, Text("URI"), Unset, SecretOrFile;
    /// The server: a name, an address or a socket directory; several by comma, tried in order.
    /// Needs `DBSTASH_ENGINE`.
    DB_HOST: Connection, Text("HOST"), Unset, Open;
    /// The server's port.
    DB_PORT: Connection, Text("PORT"), Computed("the engine's: 5432 for pg, 27017 for mongo, 6379 for redis"), Open;
    /// The login role.
    DB_USER: Connection, Text("USER"), Unset, Open;
    /// Its password.
    DB_PASSWORD: Connection, Text("PASSWORD"), Unset, SecretOrFile;
    /// The database that knows the user (mongo); a URI says its own, as `authSource`.
    DB_AUTH_SOURCE: Connection, Text("NAME"), Is("admin"), Open;
    /// The database; several by comma make one backup each (`\,` is a comma in a name), and `*` is
    /// `BACKUP_ALL_DATABASES`. Required for pg unless the URI names it.
    DB_NAME: Connection, Text("NAME[,NAME]"), Unset, Open;
    /// The database file (sqlite).
    DB_PATH: Connection, Path, Unset, Open;
    /// One backup of the whole server. A database in the URI is then only the one to log in to;
    /// naming databases by `DB_NAME` besides is an error.
    BACKUP_ALL_DATABASES: Connection, Bool, Is("false"), Open;
    /// One backup of each database that the server has when a run begins.
    BACKUP_SPLIT_DATABASES: Connection, Bool, Is("false"), Open;
    /// Which databases to leave out of all or each: patterns with * and ?, several by comma.
    DB_EXCLUDE: Connection, Text("GLOB[,GLOB]"), Unset, Open;
    /// Store roles and tablespaces beside a pg dump, as .globals.sql: auto does so as far as the
    /// login role may, on fails without them, off leaves them out.
    PG_GLOBALS: Connection, OneOf(&["auto", "on", "off"]), Is("auto"), Open;
    /// Where `dbstash restore` writes to, as `DB_URI` says it; unset, where the backup is from.
    RESTORE_TO: Connection, Text("URI"), Unset, SecretOrFile;
    /// Who takes a dump of redis: `replication` is dbstash itself, as a replica would; `cli` is
    /// redis-cli; `auto` is redis-cli where the server refuses PSYNC.
    REDIS_METHOD: Connection, OneOf(&["replication", "cli", "auto"]), Is("replication"), Open;
    /// Where redis makes the dump that it sends: `disk` is a file of its own, so that it can wait
    /// for a slow remote; `diskless` is memory; `auto` is as the server is set up.
    REDIS_SYNC_MODE: Connection, OneOf(&["auto", "disk", "diskless"]), Is("auto"), Open;
    /// How much of a dump that redis makes in memory may go to `BACKUP_TEMP_DIR` while the remote
    /// stands still, for redis drops whoever does not read; 0 is nothing.
    SPOOL_MAX: Connection, Size, Is("1GiB"), Open;
    /// Encrypt the connection to redis, as `rediss://` does.
    REDIS_TLS_ENABLED: Connection, Bool, Is("false"), Open;
    /// The PEM file of the authorities that redis's certificate may come from; otherwise the
    /// system's.
    REDIS_TLS_CACERT: Connection, Path, Unset, Open;
    /// The PEM file of our certificate, where redis asks for one.
    REDIS_TLS_CERT: Connection, Path, Unset, Open;
    /// The PEM file of its key.
    REDIS_TLS_KEY: Connection, Path, Unset, Open;
    /// The name that redis's certificate is for, when it is not the host's.
    REDIS_TLS_SNI: Connection, Text("NAME"), Unset, Open;

    /// Where backups go: `remote:path`, or a local folder. Required.
    RCLONE_REMOTE: Rclone, Text("REMOTE:PATH"), Unset, Open;
    /// An rclone.conf in base64, or the path of one (starting with `/` or `./`, or existing).
    RCLONE_CONFIG: Rclone, Text("BASE64|PATH"), Unset, Secret;
    /// The path of an rclone.conf. When set, it wins over `RCLONE_CONFIG`.
    RCLONE_CONFIG_FILE: Rclone, Path, Computed("/config/rclone.conf if it exists"), Open;
    /// The password of an encrypted rclone.conf.
    RCLONE_CONFIG_PASS: Rclone, Text("PASSWORD"), Unset, SecretOrFile;
    /// Arguments for every call of rclone.
    RCLONE_EXTRA_ARGS: Rclone, Words, Unset, Open;
    /// How an upload is proved: `size` compares byte counts, `rclone` adds rclone's own hashing.
    BACKUP_UPLOAD_CHECK: Rclone, OneOf(&["size", "rclone"]), Is("size"), Open;
    /// Allow remotes for which rclone has to put the whole dump on the local disk first.
    BACKUP_ALLOW_SPOOL: Rclone, Bool, Is("false"), Open;

    /// When to back up: a cron expression of 5 fields, or 6 with the seconds first; `@hourly`,
    /// `@daily`, `@weekly`, `@monthly`, `@yearly`; or `once`, for one backup now.
    BACKUP_SCHEDULE: Backup, Text("CRON|once"), Is("0 2 * * *"), Open;
    /// How long after each other backups start, in the place of `BACKUP_SCHEDULE`.
    BACKUP_INTERVAL: Backup, Duration, Unset, Open;
    /// As what a dump is stored: `stream` is one object, as it comes; `directory` a folder of files
    /// and `tar` the same files in one object, both made in `BACKUP_TEMP_DIR` first.
    BACKUP_MODE: Backup, OneOf(&["stream", "directory", "tar"]), Is("stream"), Open;
    /// Local disk for dumps that have to be files first; made when it is missing.
    BACKUP_TEMP_DIR: Backup, Path, Is("/tmp/dbstash-work"), Open;
    /// How many parallel jobs the dump tool may have in directory and tar mode.
    BACKUP_JOBS: Backup, Count, Is("1"), Open;
    /// What a sqlite backup is: an SQL script, or an exact copy of the file, made in
    /// `BACKUP_TEMP_DIR` first.
    SQLITE_FORMAT: Backup, OneOf(&["sql", "file"]), Is("sql"), Open;
    /// A backup's name without its extension. Tokens: `{db} {engine} {date} {time} {ts}
    /// {uuid} {timestamp} {job} {host} {node}`; a `/` makes folders.
    BACKUP_NAME_TEMPLATE: Backup, Text("TEMPLATE"), Is("{db}-{date}-{time}"), Open;
    /// The whole extension of a backup's name; the leading dot is optional.
    BACKUP_EXTENSION: Backup, Text("EXT"), Computed("by engine and format"), Open;
    /// Let the dump tool compress (pg: the custom format; mongo: `--gzip`; none for sqlite).
    BACKUP_COMPRESS: Backup, Bool, Is("false"), Open;
    /// Compress the object as it streams; `.zst` or `.gz` is appended to its name.
    BACKUP_COMPRESSION: Backup, Text("none|zstd[:1-19]|gzip[:1-9]"), Is("none"), Open;
    /// How many threads zstd takes.
    COMPRESSION_THREADS: Backup, Count, Computed("all cores, at most 4"), Open;
    /// Arguments for the dump tool. Format and compression flags among them replace ours.
    DUMP_EXTRA_ARGS: Backup, Words, Unset, Open;
    /// Back up at the start, too, and then on schedule.
    BACKUP_ON_START: Backup, Bool, Is("false"), Open;
    /// Back up at the start when a backup was due since the newest one: dbstash, or the machine, was
    /// down then.
    BACKUP_CATCH_UP: Backup, Bool, Is("false"), Open;
    /// Start up to this much later than the schedule says, by chance: many jobs of one schedule then
    /// do not begin together.
    BACKUP_JITTER: Backup, Duration, Is("0"), Open;
    /// Wait this long before anything else.
    INITIAL_DELAY: Backup, Duration, Is("0"), Open;
    /// Give a backup up after this long; 0 is never.
    BACKUP_TIMEOUT: Backup, Duration, Is("0"), Open;
    /// Give a backup up when no byte has moved for this long, once the first one has; 0 is never.
    BACKUP_STALL_TIMEOUT: Backup, Duration, Is("1h"), Open;
    /// How many further attempts a failed backup has, after 5 s and then twice as long each time,
    /// up to 5 minutes: only where its cause may pass, so never for a wrong password.
    BACKUP_RETRIES: Backup, Count, Is("0"), Open;
    /// A dump with fewer bytes than this, before any compression, is a failed one.
    BACKUP_MIN_SIZE: Backup, Size, Is("1"), Open;
    /// Count what is in a dump as it passes: rows by table, documents by collection, keys by
    /// database; they are in the manifest.
    BACKUP_COUNTS: Backup, Bool, Is("true"), Open;
    /// Warn of a backup in which a table has lost this share of the rows that the one before had;
    /// 0 is never, not of tables that are gone either.
    DRIFT_WARN: Backup, Text("PERCENT"), Is("40%"), Open;
    /// Never run a job twice at the same time.
    BACKUP_LOCK: Backup, Bool, Is("true"), Open;
    /// A command for `sh -c` before each backup of a database. When it fails, there is none.
    HOOK_PRE_BACKUP: Backup, Text("COMMAND"), Unset, Secret;
    /// The same after each backup, whether it succeeded, failed, or was ended by a limit or signal:
    /// `DBSTASH_STATUS` is success or failure, and `DBSTASH_FILE` where the backup is.
    HOOK_POST_BACKUP: Backup, Text("COMMAND"), Unset, Secret;
    /// Give a hook up after this long; 0 is never.
    HOOK_TIMEOUT: Backup, Duration, Is("5m"), Open;
    /// Show what would be done, and do nothing.
    DRY_RUN: Backup, Bool, Is("false"), Open;
    /// The time zone of the schedule, of dates in names, and of the days that retention counts.
    TZ: Backup, Zone, Is("UTC"), Open;
    /// A private directory for locks, private files and a cache; never for dump bytes.
    DBSTASH_STATE_DIR: Backup, Path, Computed(STATE_DIR), Open;

    /// Keep at most this many backups of a database; 0 is no limit.
    RETENTION_MAX_FILES: Retention, Count, Is("0"), Open;
    /// Delete backups older than this; 0 is no limit.
    RETENTION_MAX_DAYS: Retention, Days, Is("0"), Open;
    /// The newest backups that are never deleted, at least 1.
    RETENTION_MIN_FILES: Retention, Count, Is("1"), Open;
    /// Keep the newest so many, whatever the limits above say. With `RETENTION_KEEP` settings alone,
    /// what none of them keeps is deleted; 0 is none.
    RETENTION_KEEP_LAST: Retention, Count, Is("0"), Open;
    /// Keep all that are not older than this.
    RETENTION_KEEP_DURATION: Retention, Duration, Is("0"), Open;
    /// Keep the newest of each of the latest so many hours that have a backup, in the zone of `TZ`.
    RETENTION_KEEP_HOURLY: Retention, Count, Is("0"), Open;
    /// The same of days.
    RETENTION_KEEP_DAILY: Retention, Count, Is("0"), Open;
    /// The same of weeks, which begin on Monday.
    RETENTION_KEEP_WEEKLY: Retention, Count, Is("0"), Open;
    /// The same of months.
    RETENTION_KEEP_MONTHLY: Retention, Count, Is("0"), Open;
    /// The same of years.
    RETENTION_KEEP_YEARLY: Retention, Count, Is("0"), Open;
    /// Another name for `RETENTION_MAX_DAYS`, in hours.
    BACKUP_RETENTION_HOURS: Retention, Text("HOURS"), Unset, Open;
    /// Another name for `RETENTION_MAX_FILES`.
    BACKUP_MAX_FILES: Retention, Count, Unset, Open;
    /// Delete nothing while the newest backup is smaller than this share of the median of the 7
    /// before it; 0 is never.
    RETENTION_HOLD_BELOW: Retention, Text("PERCENT"), Is("50%"), Open;

    /// Read every backup back as soon as it is stored: `bytes` compares count and sha256, `structure`
    /// reads it as the dump it is, too. One that is corrupt is a failed run, and deletes nothing.
    VERIFY_AFTER_BACKUP: Verify, OneOf(&["none", "bytes", "structure"]), Is("none"), Open;
    /// When to verify what is stored, besides: a cron expression as for `BACKUP_SCHEDULE`, read in
    /// the zone of `TZ`.
    VERIFY_SCHEDULE: Verify, Text("CRON"), Unset, Open;
    /// How far that goes.
    VERIFY_LEVEL: Verify, OneOf(&["bytes", "structure"]), Is("structure"), Open;
    /// Which backups it is about: the `latest` of each database, `all`, or a share such as `10%`,
    /// those first that were never verified, or longest ago.
    VERIFY_SAMPLE: Verify, Text("latest|all|PERCENT"), Is("latest"), Open;

    /// When to restore the newest backup of each database on trial: a cron expression as for
    /// `BACKUP_SCHEDULE`, read in the zone of `TZ`.
    DRILL_SCHEDULE: Verify, Text("CRON"), Unset, Open;
    /// Restore a backup on trial as soon as it is stored, `every 10th` for example: unless one of the
    /// nine before it was. One that is not what was stored is a failed run, and deletes nothing.
    DRILL_AFTER_BACKUP: Verify, Text("none|every Nth"), Is("none"), Open;
    /// The server on which a drill makes a database and drops it; unset, each drill starts a private
    /// server of its own, where this machine has the programs.
    DRILL_URI: Verify, Text("URI"), Unset, SecretOrFile;
    /// What has to be true of a backup that came back: one query a line, each of whose rows is true.
    DRILL_SQL: Verify, Text("SQL"), Unset, Open;
    /// How long a drill may take.
    DRILL_TIMEOUT: Verify, Duration, Is("6h"), Open;
    /// How much memory each process of a private server may take.
    DRILL_MEMORY: Verify, Size, Is("4GiB"), Open;
    /// As whom a private server runs when dbstash runs as root.
    DRILL_USER: Verify, Text("USER"), Is("nobody"), Open;

    /// Where to tell of backups: Slack, Mattermost, Discord, or anyone who takes JSON; several by
    /// comma. `slack+`, `discord+` or `json+` before a URL says whose it is when it does not.
    NOTIFY_WEBHOOK_URL: Notify, Text("URL[,URL]"), Unset, SecretOrFile;
    /// The JSON to send to webhooks that are neither Slack's nor Discord's, with tokens in its
    /// strings: `{status} {title} {text} {job} {database} {engine} {backup_id} {object} {bytes}
    /// {raw_bytes} {duration} {attempts} {error} {warnings} {host} {time}`.
    NOTIFY_WEBHOOK_TEMPLATE: Notify, Text("JSON"), Unset, Secret;
    /// Whom to send email, by the server of `SMTP_URL`; several by comma.
    NOTIFY_EMAIL_TO: Notify, Text("ADDRESS[,ADDRESS]"), Unset, Open;
    /// The mail server, as `smtps://user:password@host?from=ADDRESS`, or `smtp://...` with STARTTLS;
    /// `tls=none` besides is without any encryption.
    SMTP_URL: Notify, Text("URL"), Unset, SecretOrFile;
    /// Of what to tell: `failure` is also a run skipped again and the first success after trouble.
    NOTIFY_ON: Notify, OneOf(&["always", "failure", "success"]), Is("failure"), Open;
    /// Tell when there was no good backup of a database for so long; 0 is never.
    NOTIFY_SILENCE_AFTER: Notify, Duration, Is("0"), Open;
    /// A monitor to ping: it, with `/start` or `/fail` appended, at the start and end of every run.
    NOTIFY_PING_URL: Notify, Text("URL"), Unset, SecretOrFile;

    /// Where a scheduler answers `/healthz`, `/livez`, `/metrics` and `/status`; `off` for nowhere.
    HEALTH_ADDR: Health, Text("ADDR:PORT"), Is("0.0.0.0:8080"), Open;
    /// The newest good backup is overdue when it is older than this; by default, when one was due after
    /// it and `HEALTH_GRACE` has passed since.
    HEALTH_MAX_AGE: Health, Duration, Unset, Open;
    /// How long after it was due a missing backup is overdue; one that is being made is waited for.
    HEALTH_GRACE: Health, Duration, Is("1h"), Open;
    /// `user:password` that `/status` asks for: error texts may tell much about a machine.
    STATUS_AUTH: Health, Text("USER:PASSWORD"), Unset, SecretOrFile;
    /// Answer `/metrics` on a port of its own, too.
    METRICS_ENABLED: Health, Bool, Is("false"), Open;
    /// That port.
    METRICS_PORT: Health, Count, Is("9090"), Open;
    /// The address of that port.
    METRICS_LISTEN_ADDRESS: Health, Text("ADDR"), Is("0.0.0.0"), Open;

    /// The least severe level to log.
    LOG_LEVEL: Logs, OneOf(&["trace", "debug", "info", "warn", "error"]), Is("info"), Open;
    /// The form of a log line.
    LOG_FORMAT: Logs, OneOf(&["json", "text"]), Is("json"), Open;
}

const STATE_DIR: &str = "/run/dbstash, else $XDG_RUNTIME_DIR/dbstash, else /tmp/dbstash-UID";

/// Every variable dbstash reads: the settings, and the `_FILE` form of those which have it.
pub fn variables() -> impl Iterator<Item = String> {
    ALL.iter().flat_map(|s| std::iter::once(s.name.to_owned()).chain(s.file_variable()))
}

#[cfg(test)]
mod tests;
