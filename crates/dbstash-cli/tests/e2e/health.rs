//! What a scheduler tells about its jobs: nothing that was missed is silent.

mod late;
mod ports;
mod status;

use std::fs;
use std::process::Command;

use chrono::Utc;
use dbstash_testkit::http::{Answer, get};
use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Running, Signal, TestRemote, tools};
use serde_json::{Value, json};

use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file};

/// Comes only when nobody waits for it.
pub const NEW_YEAR: &str = "0 0 1 1 *";

/// A scheduler, and where it answers.
pub struct Watched {
    pub running: Running,
    address: String,
}

impl Watched {
    /// Starts it and waits until it knows what was backed up before.
    pub fn start(run: &Dbstash) -> Self {
        Self::start_on(run, NEW_YEAR)
    }

    /// The same on a schedule.
    fn start_on(run: &Dbstash, schedule: &str) -> Self {
        let mut running =
            run.clone().env("BACKUP_SCHEDULE", schedule).env("LOG_LEVEL", "debug").spawn();
        running.wait_until(PATIENCE, |running| running.output().contains("known is what"));
        let address = address(&running, "health and metrics");
        Self { running, address }
    }

    pub fn get(&self, path: &str) -> Answer {
        get(&self.address, path, &[])
    }

    /// Waits for an answer that says so.
    pub fn until(&mut self, path: &str, so: impl Fn(&Answer) -> bool) -> Answer {
        let mut last = None;
        let address = self.address.clone();
        self.running.wait_until(PATIENCE, |_| {
            let answer = get(&address, path, &[]);
            let done = so(&answer);
            last = Some(answer);
            done
        });
        last.unwrap()
    }

    pub fn status(&self) -> Value {
        self.get("/status").json()["jobs"][0]["databases"][0].clone()
    }

    pub fn end(self) {
        self.running.signal(Signal::TERM);
        self.running.wait(PATIENCE).expect_code(0).expect_no_leftovers();
    }
}

/// Where it says that it listens.
fn address(running: &Running, what: &str) -> String {
    let output = running.output();
    let events = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let says = |event: &Value| {
        event["message"].as_str().is_some_and(|text| text.starts_with(&format!("{what} at")))
    };
    let found = events.into_iter().find(says).unwrap_or_else(|| panic!("{output}"));
    found["address"].as_str().unwrap().to_owned()
}

/// A sample: its name, its labels and, in thousandths, its value.
pub type Sample = (String, Value, i64);

/// The samples that the reference reader finds.
pub fn samples(text: &str) -> Vec<Sample> {
    let reader = "import sys, json\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
        families = list(read(sys.stdin.read()))\n\
        print(json.dumps([[s.name, s.labels, round(s.value * 1000)] for f in families for s in f.samples]))";
    let scratch = dbstash_testkit::Scratch::new("metrics");
    let file = scratch.path().join("text");
    fs::write(&file, text).unwrap();
    let out = Command::new(tools::checkout().join(".tools/venv/bin/python3"))
        .args(["-c", reader])
        .stdin(fs::File::open(file).unwrap())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}\n{text}", String::from_utf8_lossy(&out.stderr));
    let all: Vec<Sample> = serde_json::from_slice(&out.stdout).unwrap();
    assert!(all.iter().all(|(name, ..)| name.starts_with("dbstash_")), "{text}");
    all
}

/// The value of a metric without regard to its labels.
pub fn value(samples: &[Sample], name: &str) -> i64 {
    let found: Vec<_> = samples.iter().filter(|(n, ..)| n == name).map(|(.., v)| *v).collect();
    assert_eq!(found.len(), 1, "{name} in {samples:?}");
    found[0]
}

#[test]
fn a_scheduler_tells_what_it_did_and_what_was_there_before() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(50)) else {
        return;
    };
    let run = dbstash(&remote)
        .env("DB_URI", file.uri())
        .env("BACKUP_COMPRESSION", "zstd")
        .env("RETENTION_MAX_FILES", "1")
        .env("RETENTION_HOLD_BELOW", "0")
        .env("DBSTASH_JOB", "orders");
    let waiting = Watched::start(&run);
    assert_eq!(
        (waiting.get("/healthz").code, waiting.get("/healthz").body.as_str()),
        (200, "waiting\n")
    );
    assert_eq!(waiting.get("/livez").code, 200);
    let none = samples(&waiting.get("/metrics").body);
    assert_eq!(value(&none, "dbstash_successes_total"), 0);
    assert!(none.iter().all(|(name, ..)| !name.contains("last_success")));
    waiting.end();

    run.run(PATIENCE).expect_code(0);
    let mut at_it = Watched::start(&run.clone().env("BACKUP_ON_START", "true"));
    let began = Utc::now().timestamp_millis();
    let text = at_it.until("/metrics", |answer| {
        // The run is over when the next one is planned.
        answer.body.contains(
            "dbstash_successes_total{job=\"orders\",engine=\"sqlite\",database=\"shop\"} 1",
        ) && value(&samples(&answer.body), "dbstash_next_run_timestamp_seconds") > began
    });
    assert!(
        text.head.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{}",
        text.head
    );
    let found = samples(&text.body);
    let manifest = &listed(&run)["backups"][0];
    let object = &manifest["objects"][0];
    for (name, wanted) in [
        ("dbstash_last_success_size_bytes", &object["bytes"]),
        ("dbstash_last_success_raw_size_bytes", &object["raw_bytes"]),
        ("dbstash_retention_deletions_total", &json!(1)),
        ("dbstash_skipped_total", &json!(0)),
        ("dbstash_retries_total", &json!(0)),
        ("dbstash_overdue", &json!(0)),
        ("dbstash_corrupt", &json!(0)),
        ("dbstash_running", &json!(0)),
        ("dbstash_build_info", &json!(1)),
    ] {
        assert_eq!(Some(value(&found, name)), wanted.as_i64().map(|n| n * 1000), "{name}");
    }
    let ended: chrono::DateTime<Utc> = manifest["ended"].as_str().unwrap().parse().unwrap();
    let told = value(&found, "dbstash_last_success_timestamp_seconds");
    assert!((told - ended.timestamp_millis()).abs() < 2, "{told} {ended}");
    let phases = found.iter().filter(|(name, ..)| name == "dbstash_failures_total");
    let verified = found.iter().filter(|(name, ..)| name == "dbstash_verifications_total");
    assert_eq!(verified.clone().count(), 9);
    assert!(verified.into_iter().all(|(.., n)| *n == 0));
    assert!(phases.clone().count() > 5 && phases.into_iter().all(|(.., n)| *n == 0));
    assert_eq!((at_it.get("/healthz").code, at_it.get("/healthz").body.as_str()), (200, "ok\n"));
    assert_eq!(at_it.status()["last_success"]["id"], manifest["id"]);
    at_it.end();

    let after = Watched::start(&run);
    let again = samples(&after.get("/metrics").body);
    assert_eq!(value(&again, "dbstash_last_success_timestamp_seconds"), told);
    assert_eq!(value(&again, "dbstash_successes_total"), 0);
    after.end();
}

#[test]
fn an_overdue_backup_and_a_failed_one_are_told() {
    let (Some(remote), Some(file)) = (TestRemote::start(RemoteKind::Local), shop_file(5)) else {
        return;
    };
    let run = dbstash(&remote).env("DB_URI", file.uri());
    run.run(PATIENCE).expect_code(0);
    let name = remote.names().into_iter().find(|name| name.ends_with(".json")).unwrap();
    let text = String::from_utf8(remote.read(&name)).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    for when in ["started", "ended"] {
        manifest[when] = format!("2019{}", &manifest[when].as_str().unwrap()[4..]).into();
    }
    remote.write(&name, manifest.to_string().as_bytes());
    let _ = fs::remove_dir_all(run.state_dir().join("cache"));
    let broken = run.clone().env("DB_URI", "sqlite:///nowhere/at/all.db");
    let stale = Watched::start(&run);
    let answer = stale.get("/healthz");
    assert_eq!(answer.code, 503);
    assert!(
        answer.body.contains("newest good backup is of 2019-")
            && answer.body.contains("2020-01-01T00:00:00Z"),
        "{answer:?}"
    );
    assert_eq!(stale.get("/livez").code, 200);
    assert_eq!(value(&samples(&stale.get("/metrics").body), "dbstash_overdue"), 1000);
    let status = run.clone().args(["status"]).run(PATIENCE);
    status.expect_code(1);
    assert!(status.stdout.contains("overdue"), "{status}");
    stale.end();

    let job = serde_json::from_str::<Value>(&text).unwrap()["job"].as_str().unwrap().to_owned();
    let mut failing = Watched::start(
        &broken.env("DBSTASH_JOB", job).env("BACKUP_ON_START", "true").env("DB_NAME", ""),
    );
    let answer = failing.until("/metrics", |answer| {
        answer
            .body
            .lines()
            .any(|line| line.starts_with("dbstash_failures_total") && line.ends_with(" 1"))
    });
    let found = samples(&answer.body);
    let failed: Vec<_> =
        found.iter().filter(|(n, _, v)| n == "dbstash_failures_total" && *v > 0).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0].1["phase"], "dump");
    assert_eq!(backups(&run).len(), 1);
    let table = run.clone().args(["status"]).run(PATIENCE);
    assert!(table.stdout.contains("failed: "), "{table}");
    failing.end();

    let hooked = run.clone().env("HOOK_PRE_BACKUP", "exit 1").env("BACKUP_ON_START", "true");
    let mut hooked = Watched::start(&hooked);
    hooked.until("/metrics", |answer| {
        let failed = answer.body.lines().find(|line| line.contains("phase=\"hook\""));
        failed.is_some_and(|line| line.ends_with(" 1"))
    });
    hooked.end();
}

#[test]
fn a_run_that_stands_still_is_told_until_it_goes_on() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes = FakeTools::new();
    let go = fakes.file("go");
    let script = format!("wait-for {}\npg-head\nout SELECT 1;\npg-footer", go.display());
    let fakes = fakes.tool("pg_dump", &script);
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://u:canary-pw-1@127.0.0.1:1/shop")
        .env("PG_GLOBALS", "off")
        .env("PATH", fakes.path())
        .env("BACKUP_ON_START", "true")
        .env("BACKUP_STALL_TIMEOUT", "1s");
    let mut stuck = Watched::start(&run);
    let answer = stuck.until("/healthz", |answer| answer.code == 503);
    assert!(
        answer.body.contains("stands still") && answer.body.contains("first byte"),
        "{answer:?}"
    );
    assert_eq!(stuck.status()["running"]["attempt"], 1);
    assert_eq!(value(&samples(&stuck.get("/metrics").body), "dbstash_stuck"), 1000);
    fs::write(go, "").unwrap();
    stuck.until("/healthz", |answer| answer.code == 200 && answer.body == "ok\n");
    assert_eq!(backups(&run).len(), 1);
    stuck.end();
}

#[test]
fn an_error_is_told_without_its_secrets_and_odd_names_whole() {
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    let fakes =
        FakeTools::new().tool("pg_dump", "err failed: password canary-pw-2 of \"u\"\nexit 1");
    let run = dbstash(&remote)
        .env("DB_URI", "postgresql://u:canary-pw-2@127.0.0.1:1/a%22b%5Cc%0Ad")
        .env("PG_GLOBALS", "off")
        .env("PATH", fakes.path())
        .env("BACKUP_ON_START", "true")
        .env("HEALTH_MAX_AGE", "1s");
    let mut failing = Watched::start(&run);
    let answer = failing
        .until("/healthz", |answer| answer.code == 503 && answer.body.contains("last failure"));
    assert_eq!(answer.body.lines().count(), 1, "{answer:?}");
    let answer = failing.until("/status", |answer| {
        !answer.json()["jobs"][0]["databases"][0]["last_failure"].is_null()
    });
    assert!(!answer.body.contains("canary-pw-2"), "{answer:?}");
    assert!(answer.body.contains("failed: password *** of"), "{answer:?}");
    let database = "a\"b\\c\nd";
    assert_eq!(failing.status()["database"], database);
    let found = samples(&failing.get("/metrics").body);
    assert!(found.iter().any(|(_, labels, _)| labels["database"] == database), "{found:?}");
    let table = run.clone().args(["status"]).run(PATIENCE);
    assert!(
        !table.to_string().contains("canary-pw-2") && table.stdout.contains("overdue"),
        "{table}"
    );
    failing.end();
}
