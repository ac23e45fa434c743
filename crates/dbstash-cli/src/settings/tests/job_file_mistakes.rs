//! Every mistake of a job file names its line, its job and what would be right.

use super::*;
use crate::settings::table;

/// The mistakes of a file, the remote being given.
fn wrong(text: &str) -> Vec<String> {
    case(&[("RCLONE_REMOTE", "s3:b")]).jobs(text).mistakes()
}

#[track_caller]
fn is(text: &str, told: &[&str]) {
    assert_eq!(wrong(text), told);
}

#[test]
fn every_mistake_of_every_job_at_once() {
    let text = "\
defaults:
  retention_max_dais: 3
  backup_timeout: 90
jobs:
  orders:
    db_uri: postgresql://app:c4n4ry%2Fp%40ss@orders/shop
    log_level: debug
    dbstash_job: x
  crm:
    db_url: postgresql://app:c4n4ry%2Fp%40ss@orders/shop
    backup_lock: maybe
  crm:
    db_uri: postgresql://x/y
  empty:
  a b:
    db_uri: postgresql://x/y
";
    is(
        text,
        &[
            "jobs.yaml:12:3: crm is here twice, first in line 9",
            "jobs.yaml:2:3: defaults: unknown key retention_max_dais; did you mean \
             retention_max_days?",
            "jobs.yaml:7:5: job orders: log_level: the process has this once, so it belongs under \
             defaults:",
            "jobs.yaml:8:5: job orders: dbstash_job: a job's name is its key under jobs:",
            "jobs.yaml:10:5: job crm: unknown key db_url; did you mean db_uri?",
            "jobs.yaml:15:3: a b is no name of a job: use 1 to 100 letters, digits, '.', '_' or '-', \
             the first a letter or digit",
            "jobs.yaml:3:19: backup_timeout=90: a unit is missing; accepted are durations such as 90s, \
             5m, 1h30m, 7d, 1w, 500ms, and 0",
            "jobs.yaml:11:18: job crm: backup_lock=maybe: accepted are true, false, yes, no, on, off, \
             1, 0",
            "jobs.yaml:14:3: job empty: no connection: set DB_URI, or DBSTASH_ENGINE with DB_HOST and \
             DB_NAME, or DB_PATH for sqlite",
        ],
    );
}

#[test]
fn what_all_jobs_have_in_common_is_said_once() {
    let text = "jobs: {a: {db_path: /a.db}, b: {db_path: /b.db}, c: {db_path: /c.db}}";
    let missing = case(&[]).jobs(text).mistake();
    assert!(missing.starts_with("no remote: "), "{missing}");
    let two = text.replace("/c.db", "/c.db, rclone_remote: 's3:b'");
    let some = case(&[]).jobs(&two).mistake();
    assert!(some.starts_with("jobs a, b: no remote: "), "{some}");
    let variable = case(&[("RCLONE_REMOTE", "s3:b"), ("BACKUP_LOCK", "x")]).jobs(text).mistake();
    assert!(variable.starts_with("BACKUP_LOCK=x: "), "{variable}");
}

#[test]
fn shapes() {
    let shape = "accepted are the keys defaults: and jobs:";
    let none = "jobs.yaml:1:1: no jobs: name each under jobs:, with its settings below it";
    is("", &[none]);
    is("# nothing\n", &[none]);
    is("defaults: {}\n", &[none]);
    is("- a\n", &[&format!("jobs.yaml:1:1: a list; {shape}")]);
    is("jobs:\n", &["jobs.yaml:1:5: jobs: is empty; it names each job"]);
    is("jobs: {}\n", &["jobs.yaml:1:7: jobs: is empty; it names each job"]);
    let list = "accepted is a map, each job's name with its settings below it";
    is("jobs:\n- job: a\n", &[&format!("jobs.yaml:2:3: jobs: a list; {list}")]);
    let job = "jobs: {a: {db_path: /x}}";
    is(
        &format!("{job}\njbos: {{}}\n"),
        &[&format!("jobs.yaml:2:1: unknown key jbos; {shape}; did you mean jobs?")],
    );
    is(
        &format!("{job}\nlog_level: info\n"),
        &["jobs.yaml:2:1: log_level belongs under defaults: or into a job"],
    );
    is("jobs: {a: 3}", &["jobs.yaml:1:11: job a: a single value; accepted is a map of settings"]);
    is(
        &format!("{job}\n---\n{job}"),
        &["jobs.yaml:2:1: this is not YAML: a second document; accepted is one"],
    );
}

#[test]
fn values() {
    let value = |key: &str, value: &str| {
        let mistakes = wrong(&format!("jobs:\n  a:\n    db_path: /a.db\n    {key}: {value}\n"));
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        let rest = mistakes[0].strip_prefix("jobs.yaml:4:");
        rest.unwrap_or_else(|| panic!("{mistakes:?}")).to_owned()
    };
    assert_eq!(
        value("rclone_remote", "[a]"),
        "20: job a: rclone_remote: a list; accepted is a single value"
    );
    assert_eq!(value("tz", "{a: b}"), "9: job a: tz: a map; accepted is a single value");
    let text = "true and false are no text; in quotes they are";
    assert_eq!(value("db_password", "true"), format!("18: job a: db_password: {text}"));
    assert_eq!(
        value("db_exclude", "['a,b']"),
        "17: job a: db_exclude: a list of which one has a comma in it"
    );
    assert_eq!(
        value("dump_extra_args", "[[a]]"),
        "22: job a: dump_extra_args: a list in which not all are single values"
    );
    assert_eq!(value("config", "x"), "5: job a: unknown key config");
    assert!(value("dbstash_shard", "1/2").contains("as --shard or DBSTASH_SHARD"));
    assert!(value("DB_NAME", "x").ends_with("unknown key DB_NAME; did you mean db_name?"));
    assert!(value("redis_connection", "x").contains("not supported by this version yet"));
    assert!(value("db_uri_file", "/gone").starts_with("18: job a: db_uri_file=/gone: cannot read"));
    assert!(value("db_password", "!vault x").contains("the tag !vault means nothing here"));
    assert!(
        value("retention_max_files", "-1").contains("retention_max_files=-1: accepted are whole")
    );
}

#[test]
fn files_that_cannot_be_read() {
    let gone = case(&[("DBSTASH_CONFIG", "/gone.yaml"), ("DB_URI", "sqlite:///x.db")]).mistake();
    assert!(gone.starts_with("DBSTASH_CONFIG=/gone.yaml: cannot read this job file: "), "{gone}");
    let odd = case(&[("DBSTASH_CONFIG", "odd")]).file("odd", &[0xff]).mistake();
    assert_eq!(odd, "DBSTASH_CONFIG=odd: this file is not UTF-8 text");
    for (text, at) in [
        ("jobs:\n  a: 'x\n", "jobs.yaml:"),
        ("jobs:\n\ta: 1\n", "jobs.yaml:2:"),
        ("jobs: [\n", "jobs.yaml:"),
        ("jobs: *x\n", "jobs.yaml:1:7: this is not YAML: "),
        ("jobs: &a {b: *a}\n", "jobs.yaml:1:14: this is not YAML: an alias of something"),
    ] {
        let mistake = wrong(text).remove(0);
        assert!(mistake.starts_with(at) && mistake.contains("this is not YAML: "), "{mistake}");
    }
    let deep = format!("jobs: {}{}", "[".repeat(100), "]".repeat(100));
    assert!(wrong(&deep)[0].contains("nested too deeply"));
}

#[test]
fn a_bomb_of_aliases_is_no_larger_than_its_text() {
    use std::fmt::Write as _;
    let mut text = "x-0: &a0 {k0: x}\n".to_owned();
    for n in 1..40 {
        let (last, keys) = (n - 1, format!("k{n}: x"));
        let _ = writeln!(
            text,
            "x-{n}: &a{n} {{<<: [*a{last}, *a{last}, *a{last}], l{n}: [*a{last}, *a{last}], {keys}}}"
        );
    }
    text.push_str("jobs: {a: {db_path: /a.db, <<: *a39}}\n");
    assert_eq!(wrong(&text).len(), 79, "one for each key that is nobody's");
    // Each merge copies all keys so far: that is bounded, too.
    let keys: Vec<_> = (0..2000).map(|n| format!("k{n}: x")).collect();
    let keys = keys.join(", ");
    let merges = "*a, ".repeat(1000);
    let mistake =
        wrong(&format!("x-a: &a {{{keys}}}\njobs: {{a: {{<<: [{merges}]}}}}\n")).remove(0);
    assert!(mistake.contains("merging makes this too large"), "{mistake}");
}

proptest::proptest! {
    #[test]
    fn nothing_panics(text in "[a-z_&*<>:\\[\\]{}\"'#|\\-\n !,]{0,60}") {
        let _ = case(&[("RCLONE_REMOTE", "s3:b")]).jobs(&text).explain();
    }

    #[test]
    fn no_canary_comes_out(before in "[a-z_: \n]{0,20}", after in "[a-z_: \n]{0,20}", key in 0..table::ALL.len()) {
        let key = table::ALL[key].name.to_ascii_lowercase();
        let text = format!("{before}\njobs:\n  a:\n    db_uri: 'postgresql://u:{SPELLED}@h/x'\n    {key}: 1\n{after}\n");
        let _ = case(&[("RCLONE_REMOTE", "s3:b")]).jobs(&text).explain();
    }
}
