//! The JSON Schema, by a validator that is not ours: it says of a file what dbstash says.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value as Json};

use super::*;
use crate::settings::scope::{Scope, key_of};
use crate::settings::yaml::{Node, Value};
use crate::settings::{schema, table, yaml};

/// A text as programs that know only JSON's types see it.
fn json(text: &str) -> Json {
    match yaml::parse(text) {
        Ok((Some(root), _)) => of(&root),
        Ok((None, _)) => Json::Null,
        Err(wrong) => panic!("{wrong:?} in {text}"),
    }
}

fn of(node: &Node) -> Json {
    match &node.value {
        value if value.is_null() => Json::Null,
        Value::Scalar { text, plain } => {
            let typed = || match text.as_str() {
                "true" | "false" => Some((text == "true").into()),
                number => serde_json::from_str::<serde_json::Number>(number).ok().map(Json::from),
            };
            plain.then(typed).flatten().unwrap_or_else(|| text.as_str().into())
        }
        Value::List(items) => items.iter().map(|item| of(item)).collect(),
        Value::Map(entries) => {
            let members = entries.iter().map(|(key, node)| (key.text.to_string(), of(node)));
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}

fn validator() -> &'static Validator {
    static MADE: LazyLock<Validator> =
        LazyLock::new(|| jsonschema::draft202012::new(&schema::schema()).unwrap());
    &MADE
}

/// What the schema has against a file.
fn against(text: &str) -> Vec<String> {
    validator().iter_errors(&json(text)).map(|error| error.to_string()).collect()
}

#[test]
fn the_shipped_schema_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dbstash.schema.json");
    let shipped = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        shipped == schema::text(),
        "{} is another: make it anew by dbstash config --schema",
        path.display()
    );
    assert!(jsonschema::draft202012::meta::is_valid(&schema::schema()));
}

#[test]
fn every_setting_is_in_it() {
    let schema = schema::schema();
    for setting in table::ALL {
        for variable in std::iter::once(setting.name.to_owned()).chain(setting.file_variable()) {
            let key = key_of(&variable);
            let defaults = schema["properties"]["defaults"]["properties"].get(&key).is_some();
            let job = schema["$defs"]["job"]["properties"].get(&key).is_some();
            let expected = match setting.scope() {
                Scope::Job => (true, true),
                Scope::Process => (true, false),
                Scope::Start => (false, false),
            };
            assert_eq!((defaults, job), expected, "{key}");
        }
    }
}

#[test]
fn every_default_fits() {
    for setting in table::ALL.iter().filter(|setting| setting.scope() != Scope::Start) {
        if let table::Fallback::Is(text) = setting.default {
            let key = key_of(setting.name);
            assert_eq!(
                against(&format!("{{defaults: {{{key}: '{text}'}}, jobs: {{a: }}}}")),
                [""; 0]
            );
        }
    }
}

/// The examples of the README, so that they stay true.
#[test]
fn the_readme_shows_good_files() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let examples: Vec<_> = readme.split("```yaml\n").skip(1).collect();
    assert!(!examples.is_empty());
    for example in examples {
        let text = example.split("```").next().unwrap();
        if !text.contains("\njobs:") {
            continue;
        }
        assert_eq!(against(text), [""; 0], "{text}");
        let names = ["orders-db-uri", "crm-password"];
        let files = names.iter().fold(case(&[]).jobs(text), |case, name| {
            let uri = format!("postgresql://app:{SPELLED}@db/x");
            case.file(&format!("/run/secrets/{name}"), uri.as_bytes())
        });
        let fleet = files.env("DB_PASSWORD", "").fleet();
        assert!(fleet.process.warnings.is_empty(), "{:?}", fleet.process.warnings);
    }
}

/// Files that dbstash takes; the connection is in each.
const GOOD: &[&str] = &[
    "jobs: {a: {db_path: /a.db}}",
    "{defaults: , x-any: [1, {b: c}], jobs: {a: {db_path: /a.db}, B.2_c-d: {db_path: /b.db}}}",
    "{defaults: {log_level: DEBUG, dry_run: true, backup_parallel: 8}, jobs: {a: {db_path: /a.db}}}",
    "jobs: {a: {db_path: /a.db, backup_lock: No, backup_on_start: 1, backup_catch_up: 'TRUE'}}",
    "jobs: {a: {db_path: /a.db, backup_timeout: 1h30m, backup_stall_timeout: 0, backup_jitter: 500ms}}",
    "jobs: {a: {db_path: /a.db, backup_min_size: 10MiB, spool_max: 512}}",
    "jobs: {a: {db_path: /a.db, retention_max_files: 7, retention_max_days: 0.5, retention_min_files: '2'}}",
    "jobs: {a: {db_path: /a.db, tz: Europe/Berlin, backup_schedule: '@daily'}}",
    "jobs: {a: {db_path: /a.db, dump_extra_args: [--a, 'b c', 3], db_exclude: [], backup_mode: Tar}}",
    "jobs: {a: {dbstash_engine: pg, db_host: h, db_name: [x, 'y,z'], db_password: 0123, db_port: 1}}",
    "jobs: {a: {db_path: /a.db, backup_extension: ~, backup_interval: ''}}",
];

/// Files that dbstash refuses, of which the schema has to know.
const BAD: &[&str] = &[
    "{}",
    "[]",
    "jobs:",
    "jobs: {}",
    "jobs: [{job: a, db_path: /a.db}]",
    "jobs: {a: {db_path: /a.db}, b: 3}",
    "jobs: {a b: {db_path: /a.db}}",
    "jobs: {-a: {db_path: /a.db}}",
    "{jobs: {a: {db_path: /a.db}}, log_level: info}",
    "{jobs: {a: {db_path: /a.db}}, default: {}}",
    "{jobs: {a: {db_path: /a.db}}, defaults: []}",
    "{jobs: {a: {db_path: /a.db}}, defaults: {dbstash_job: x}}",
    "{jobs: {a: {db_path: /a.db}}, defaults: {dbstash_shard: 1/2}}",
    "jobs: {a: {db_path: /a.db, log_level: info}}",
    "jobs: {a: {db_path: /a.db, dbstash_job: x}}",
    "jobs: {a: {db_path: /a.db, db_paht: /b.db}}",
    "jobs: {a: {db_path: /a.db, DB_NAME: x}}",
    "jobs: {a: {db_path: [/a.db]}}",
    "jobs: {a: {db_path: {a: b}}}",
    "jobs: {a: {db_path: true}}",
    "jobs: {a: {db_path: /a.db, backup_lock: maybe}}",
    "jobs: {a: {db_path: /a.db, backup_lock: 2}}",
    "jobs: {a: {db_path: /a.db, backup_timeout: 90}}",
    "jobs: {a: {db_path: /a.db, backup_timeout: 1m1h}}",
    "jobs: {a: {db_path: /a.db, backup_timeout: ' '}}",
    "jobs: {a: {db_path: /a.db, backup_min_size: 10M}}",
    "jobs: {a: {db_path: /a.db, backup_min_size: -1}}",
    "jobs: {a: {db_path: /a.db, retention_max_files: 1.5}}",
    "jobs: {a: {db_path: /a.db, retention_max_days: -1}}",
    "jobs: {a: {db_path: /a.db, backup_mode: tarball}}",
    "jobs: {a: {db_path: /a.db, dump_extra_args: [[x]]}}",
    "jobs: {a: {db_path: /a.db, tz: [UTC]}}",
    "jobs: {a: {db_path: /a.db, backup_compress: {}}}",
];

#[test]
fn it_and_dbstash_agree() {
    let resolved = |text: &str| {
        case(&[("RCLONE_REMOTE", "s3:b"), ("DB_PASSWORD", "")]).jobs(text).explain().map(drop)
    };
    for text in GOOD {
        assert_eq!(against(text), [""; 0], "{text}");
        assert_eq!(resolved(text), Ok(()), "{text}");
    }
    for text in BAD {
        assert!(!against(text).is_empty(), "the schema takes {text}");
        assert!(resolved(text).is_err(), "dbstash takes {text}");
    }
}

/// Any scalar under any key: what dbstash takes, the schema takes.
#[test]
fn the_schema_refuses_nothing_that_dbstash_takes() {
    const TEXTS: &[&str] = &[
        "true",
        "'no'",
        "0",
        "1",
        "7",
        "0.5",
        "1h30m",
        "'10MiB'",
        "90s",
        "UTC",
        "info",
        "x",
        "/a",
        "''",
        "~",
        "once",
        "zstd:3",
        "50%",
        "INFO",
        "' 1 '",
        "' 5 KiB '",
        "-1",
        "1.",
        "'.5'",
        "1e3",
        "s3:b",
    ];
    for setting in table::ALL {
        for text in TEXTS {
            let key = key_of(setting.name);
            let file = format!("jobs:\n  a: {{db_path: /a.db, {key}: {text}}}\n");
            // Of a database file, nobody asks for these.
            if ["db_path", "redis_tls_enabled"].contains(&key.as_str()) {
                continue;
            }
            let taken = case(&[("RCLONE_REMOTE", "s3:b"), ("DB_PASSWORD", "")]).jobs(&file);
            if taken.explain().is_ok() {
                assert!(validator().is_valid(&json(&file)), "the schema refuses {file}");
            }
        }
    }
}
