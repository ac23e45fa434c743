//! Many jobs from one file, through the program.

use std::os::unix::fs::PermissionsExt as _;

use dbstash_testkit::{Dbstash, RemoteKind, Scratch, TestRemote};
use serde_json::Value;

use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file, summary};

/// The program, with no settings but this job file.
fn with_file(text: &str) -> (Dbstash, Scratch) {
    let scratch = Scratch::new("jobs");
    let path = scratch.path().join("dbstash.yaml");
    std::fs::write(&path, text).unwrap();
    (Dbstash::new(env!("CARGO_BIN_EXE_dbstash")).env("DBSTASH_CONFIG", path), scratch)
}

const TWO: &str = "\
defaults:
  rclone_remote: /backups
  backup_schedule: once
jobs:
  orders:
    db_uri: postgresql://app:hunter22@db/orders
  crm:
    db_path: /data/crm.db
    retention_max_files: 3
";

#[test]
fn config_shows_each_job_and_the_line_of_each_value() {
    let (run, scratch) = with_file(TWO);
    let path = scratch.path().join("dbstash.yaml").display().to_string();
    let done = run.clone().args(["config"]).run(PATIENCE);
    done.expect_code(0);
    assert!(done.stdout.contains("== orders\n") && done.stdout.contains("== crm\n"), "{done}");
    assert!(done.stdout.contains(&format!("{path}:9\n")), "{done}");
    assert!(!format!("{done}").contains("hunter22"), "{done}");
    assert!(done.stderr.contains("holds secrets (db_uri)"), "{done}");

    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(scratch.path().join("dbstash.yaml"), private).unwrap();
    let flag = run.env_remove("DBSTASH_CONFIG").env("RETENTION_MAX_FILES", "5");
    let done = flag.args(["config", "--config", &path, "--job", "crm", "--json"]).run(PATIENCE);
    done.expect_code(0);
    assert_eq!(done.stderr, "");
    let shown: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(shown["jobs"].as_object().unwrap().len(), 1);
    let files = &shown["jobs"]["crm"]["RETENTION_MAX_FILES"];
    assert_eq!((&files["value"], &files["origin"]), (&"5".into(), &"environment".into()));
    assert_eq!(shown["jobs"]["crm"]["DB_PATH"]["line"], 8);
}

#[test]
fn every_mistake_with_its_place_and_exit_2() {
    let (run, scratch) = with_file(&TWO.replace("db_path", "db_paht").replace(": 3", ": many"));
    let path = scratch.path().join("dbstash.yaml").display().to_string();
    for command in ["config", "prune", "backup", "run"] {
        let done = run.clone().env("LOG_FORMAT", "text").args([command, "--job=crm"]).run(PATIENCE);
        done.expect_code(2);
        assert_eq!(
            done.stderr.lines().collect::<Vec<_>>(),
            [
                format!("error: {path}:8:5: job crm: unknown key db_paht; did you mean db_path?"),
                format!(
                    "error: {path}:9:26: job crm: retention_max_files=many: accepted are whole \
                     numbers, 0 or more"
                ),
            ],
            "{command}"
        );
    }
    let gone = run.args(["config", "--config", "/gone.yaml"]).run(PATIENCE);
    gone.expect_code(2);
    assert!(gone.stderr.contains("DBSTASH_CONFIG=/gone.yaml: cannot read"), "{gone}");
}

#[test]
fn backup_asks_which_of_several_jobs() {
    let (run, _scratch) = with_file(TWO);
    let run = run.env("LOG_FORMAT", "text");
    let done = run.clone().args(["backup"]).run(PATIENCE);
    done.expect_code(2);
    assert!(done.stderr.contains("has 2 jobs: orders, crm; choose with --job NAME"), "{done}");
    let done = run.clone().args(["backup", "--job", "order"]).run(PATIENCE);
    done.expect_code(2);
    assert!(done.stderr.contains("--job order: ") && done.stderr.contains("did you mean orders?"));
    let done = run.clone().args(["backup", "--job", "crm", "--all"]).run(PATIENCE);
    done.expect_code(2);
    let done = run.args(["backup", "--all", "--dry-run"]).run(PATIENCE);
    done.expect_code(0);
    for job in ["orders", "crm"] {
        assert!(done.stdout.contains(&format!("job       {job}\n")), "{done}");
    }
}

#[test]
fn the_chosen_job_is_backed_up_and_no_other() {
    let (Some(file), Some(remote)) = (shop_file(50), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let jobs = file.scratch.path().join("dbstash.yaml");
    let text = format!(
        "defaults:\n  rclone_remote: {}\n  backup_name_template: '{{job}}-{{uuid}}'\njobs:\n  \
         gone:\n    db_path: /nowhere/gone.db\n  shop:\n    db_uri_file: {}\n",
        remote.root(),
        file.scratch.path().join("uri").display(),
    );
    std::fs::write(&jobs, text).unwrap();
    std::fs::write(file.scratch.path().join("uri"), format!("{}\n", file.uri())).unwrap();
    let run = dbstash(&remote).env_remove("RCLONE_REMOTE").env("DBSTASH_CONFIG", &jobs);
    let done = run.clone().args(["backup", "--job", "shop"]).run(PATIENCE);
    done.expect_code(0);
    assert_eq!(summary(&done)["job"], "shop");
    let names = backups(&run);
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("shop-"), "{names:?}");
    assert_eq!(listed(&run)["backups"][0]["job"], "shop");
}

#[test]
fn prune_takes_every_job_and_one_that_fails_stops_no_other() {
    let (Some(file), Some(remote)) = (shop_file(50), TestRemote::start(RemoteKind::Local)) else {
        return;
    };
    let jobs = file.scratch.path().join("dbstash.yaml");
    let text = format!(
        "jobs:\n  broken:\n    db_path: /x.db\n    rclone_remote: 'nosuchremote:x'\n  shop:\n    \
         db_path: {}\n    retention_max_files: 1\n    rclone_remote: {}\n",
        file.path.display(),
        remote.root(),
    );
    std::fs::write(&jobs, text).unwrap();
    let run = dbstash(&remote).env_remove("RCLONE_REMOTE").env("DBSTASH_CONFIG", &jobs);
    let shop = run.clone().args(["backup", "--job", "shop", "--retention-max-files", "0"]);
    for _ in 0..2 {
        shop.run(PATIENCE).expect_code(0);
    }
    assert_eq!(remote.names().len(), 4);
    let list = run.clone().args(["list"]).run(PATIENCE);
    list.expect_code(1);
    assert!(
        list.stdout.contains("== nosuchremote:x\n") && list.stdout.contains(" shop "),
        "{list}"
    );
    let json = |job: &str| run.clone().args(["list", "--json", "--job", job]).run(PATIENCE);
    let listed: Value = serde_json::from_str(&json("shop").stdout).unwrap();
    assert_eq!(listed["backups"].as_array().unwrap().len(), 2);
    run.clone().args(["list", "--json"]).run(PATIENCE).expect_code(2);
    let done = run.args(["prune", "--yes"]).run(PATIENCE);
    done.expect_code(1);
    assert!(done.stderr.contains("error: job broken: "), "{done}");
    assert!(done.stdout.contains("== shop\n"), "{done}");
    assert_eq!(remote.names().len(), 2, "the older one is gone: {done}");
}

#[test]
fn shares_cover_every_job_once() {
    let (run, _scratch) = with_file(TWO);
    let run = run.env("DBSTASH_SHARD", "5");
    let mut jobs = Vec::new();
    for index in 0..5 {
        let run = run.clone().env("JOB_COMPLETION_INDEX", index.to_string());
        let done = run.clone().args(["config", "--json"]).run(PATIENCE);
        done.expect_code(0);
        let shown: Value = serde_json::from_str(&done.stdout).unwrap();
        let share = shown["jobs"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        if share.is_empty() {
            let done = run.args::<&str>([]).run(PATIENCE);
            done.expect_code(0);
            let said = |e: &Value| e["message"].as_str().unwrap().contains("nothing to do");
            assert!(done.events.iter().any(said), "{done}");
        }
        jobs.extend(share);
    }
    jobs.sort();
    assert_eq!(jobs, ["crm", "orders"]);
    let done = run.args(["config", "--shard=5/5"]).run(PATIENCE);
    done.expect_code(2);
    assert!(done.stderr.contains("there is no share 5 of 5"), "{done}");
}

#[test]
fn the_schema_is_printed_without_any_settings() {
    let run = Dbstash::new(env!("CARGO_BIN_EXE_dbstash"));
    let done = run.args(["config", "--schema"]).run(PATIENCE);
    done.expect_code(0);
    assert_eq!(done.stdout, include_str!("../../../../docs/dbstash.schema.json"));
}
