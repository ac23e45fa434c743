//! Many jobs in one process: side by side, on their schedules, and with settings that change under them.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Timelike as _, Utc};
use dbstash_testkit::http::get;
use dbstash_testkit::{
    Dbstash, FakeTools, RemoteKind, Running, Scratch, Signal, TestRemote, sqlite,
};
use serde_json::Value;

use crate::scene::{PATIENCE, dbstash, listed};

/// A job file, and a folder for what its jobs need.
struct Fleet {
    remote: TestRemote,
    scratch: Scratch,
}

impl Fleet {
    /// `None`, said loudly, without the tools.
    fn new() -> Option<Self> {
        let remote = TestRemote::start(RemoteKind::Local).filter(|_| sqlite::available())?;
        Some(Self { remote, scratch: Scratch::new("fleet") })
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("dbstash.yaml")
    }

    /// A small database of this name.
    fn shop(&self, name: &str) -> String {
        let path = self.scratch.path().join(format!("{name}.db"));
        sqlite::seed_shop(&path, 5);
        format!("sqlite://{}", path.display())
    }

    /// The file has these jobs.
    fn jobs(&self, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(self.file(), format!("jobs:\n{text}")).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn run(&self) -> Dbstash {
        dbstash(&self.remote).env_remove("BACKUP_SCHEDULE").env("DBSTASH_CONFIG", self.file())
    }

    /// The jobs whose backups are there, each as often as it has one.
    fn stored(&self) -> Vec<String> {
        let list = listed(&self.run());
        let backups = list["backups"].as_array().unwrap();
        let mut jobs: Vec<_> =
            backups.iter().map(|backup| backup["job"].as_str().unwrap().to_owned()).collect();
        jobs.sort();
        jobs
    }
}

/// Waits until so many lines say this.
fn says(running: &mut Running, text: &str, times: usize) {
    running.wait_until(PATIENCE, |running| running.output().matches(text).count() >= times);
}

#[test]
fn one_that_fails_stops_no_other() {
    let Some(fleet) = Fleet::new() else { return };
    let (a, b) = (fleet.shop("a"), fleet.shop("b"));
    fleet.jobs(&format!(
        "  a: {{db_uri: '{a}'}}\n  broken: {{db_uri: 'sqlite:///nowhere/x.db'}}\n  b: {{db_uri: '{b}'}}\n"
    ));
    let once = fleet.run().env("BACKUP_SCHEDULE", "once");
    once.run(PATIENCE).expect_code(1).expect_no_leftovers();
    assert_eq!(fleet.stored(), ["a", "b"]);
    for (n, name) in fleet.remote.names().iter().filter(|name| name.ends_with(".sql")).enumerate() {
        let restored = fleet.scratch.path().join(format!("restored-{n}.db"));
        sqlite::restore(&restored, &fleet.remote.read(name)).unwrap();
        assert_eq!(sqlite::digest(&restored), sqlite::digest(&fleet.scratch.path().join("a.db")));
    }
    once.clone().args(["backup", "--job", "b"]).run(PATIENCE).expect_code(0);
    once.clone().args(["backup", "--all"]).run(PATIENCE).expect_code(1);
    assert_eq!(fleet.stored(), ["a", "a", "b", "b", "b"]);
}

#[test]
fn so_many_are_at_work_at_a_time_in_the_order_of_their_turn() {
    let Some(fleet) = Fleet::new() else { return };
    let fakes = FakeTools::new();
    // Each waits for the other: alone, none comes to an end.
    let (one, two) = (fakes.file("one"), fakes.file("two"));
    let dump = |here: &PathBuf, there: &PathBuf| {
        format!("touch {}\nwait-for {}\npg-head\npg-footer", here.display(), there.display())
    };
    let script = format!(
        "when *one*\n{}\nwhen *two*\n{}\notherwise\npg-head\npg-footer",
        dump(&one, &two),
        dump(&two, &one)
    );
    let fakes = fakes.tool("pg_dump", &script);
    fleet.jobs(
        "  one: {db_uri: 'postgresql://u@127.0.0.1:1/one'}\n  two: {db_uri: 'postgresql://u@127.0.0.1:1/two'}\n  \
         three: {db_uri: 'postgresql://u@127.0.0.1:1/three'}\n",
    );
    let run = fleet
        .run()
        .env("BACKUP_SCHEDULE", "once")
        .env("PG_GLOBALS", "off")
        .env("PATH", fakes.path());
    run.clone().env("BACKUP_PARALLEL", "2").run(PATIENCE).expect_code(0);
    assert_eq!(fleet.stored(), ["one", "three", "two"]);
    let started: Vec<_> =
        fakes.calls_of("pg_dump").iter().map(|call| call.args.join(" ")).collect();
    assert!(started.iter().any(|args| args.contains("three")), "{started:?}");
    fs::remove_file(one).unwrap();
    fs::remove_file(two).unwrap();
    // One after the other, the first is given up, and what it waited for finds its mark.
    let done = run.env("BACKUP_TIMEOUT", "3s").run(PATIENCE);
    done.expect_code(1).expect_no_leftovers();
    let mut ended = done.events.iter().filter(|event| event["duration"].is_number());
    let order: Vec<_> = ended.by_ref().map(|event| event["job"].as_str().unwrap()).collect();
    assert_eq!(order, ["one", "two", "three"], "{done}");
    assert_eq!(fleet.stored(), ["one", "three", "three", "two", "two"]);
}

#[test]
fn a_hup_has_the_file_and_the_secrets_read_again() {
    let Some(fleet) = Fleet::new() else { return };
    let secret = fleet.scratch.path().join("uri");
    fs::write(&secret, fleet.shop("a")).unwrap();
    let yearly = "backup_schedule: '0 0 1 1 *'";
    let a = format!("  a: {{db_uri_file: '{}', {yearly}}}\n", secret.display());
    let gone = format!("  gone: {{db_uri: '{}', {yearly}}}\n", fleet.shop("gone"));
    fleet.jobs(&format!("{a}{gone}"));
    let mut running = fleet.run().env("LOG_LEVEL", "debug").spawn();
    says(&mut running, "known is what", 2);

    // A mistake is told, and changes nothing.
    fleet.jobs("  a: {db_urx: x}\n");
    running.signal(Signal::HUP);
    says(&mut running, "db_urx", 1);
    says(&mut running, "next backup at", 4);
    assert_eq!(fleet_of(&running), ["a", "gone"]);

    // What changed is told, the new is at work, and the old is gone.
    fs::write(&secret, fleet.shop("canary-other")).unwrap();
    let new =
        format!("  new: {{db_uri: '{}', backup_schedule: '* * * * * *'}}\n", fleet.shop("new"));
    fleet.jobs(&format!("{a}{new}"));
    running.signal(Signal::HUP);
    says(&mut running, "backup stored", 2);
    assert_eq!(fleet_of(&running), ["a", "new"]);
    let output = running.output();
    for told in ["job new", "job gone", "DB_URI"] {
        let events = output.lines().filter(|line| line.contains("\"level\":\"INFO\""));
        assert!(events.clone().any(|line| line.contains(told)), "{told}: {output}");
    }
    running.signal(Signal::TERM);
    running.wait(PATIENCE).expect_no_leftovers();
    assert!(fleet.stored().iter().all(|job| job == "new"), "{:?}", fleet.stored());
}

#[test]
fn a_hup_neither_repeats_a_start_nor_puts_a_run_off() {
    let Some(fleet) = Fleet::new() else { return };
    fleet.jobs(&format!(
        "  a: {{db_uri: '{}', backup_on_start: true, backup_interval: 1h}}\n  \
         once: {{db_uri: '{}', backup_schedule: once}}\n",
        fleet.shop("a"),
        fleet.shop("once")
    ));
    let conf = fleet.scratch.path().join("rclone.conf");
    fs::write(&conf, "").unwrap();
    let mut running = fleet.run().env("RCLONE_CONFIG_FILE", &conf).spawn();
    says(&mut running, "backup stored", 2);
    says(&mut running, "next backup at", 2);
    for times in 1..4 {
        running.signal(Signal::HUP);
        says(&mut running, "next backup at", 2 + times);
    }
    // What cannot be used any more changes nothing, either.
    fs::remove_file(&conf).unwrap();
    running.signal(Signal::HUP);
    says(&mut running, "nothing has changed", 1);
    says(&mut running, "next backup at", 6);
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    done.expect_code(0).expect_no_leftovers();
    let next: Vec<_> = done.events.iter().filter_map(|event| event["next_run"].as_str()).collect();
    assert_eq!(next.len(), 6, "{done}");
    assert!(next[1..].iter().all(|at| *at == next[1]), "{next:?}");
    assert_eq!(fleet.stored(), ["a", "once"]);
}

#[test]
fn a_hup_that_cannot_be_served_yet_stops_nobody_for_long() {
    let Some(fleet) = Fleet::new() else { return };
    let fakes = FakeTools::new();
    let go = fakes.file("go");
    let fakes = fakes.tool("pg_dump", &format!("pg-head\nwait-for {}\npg-footer", go.display()));
    let (often, slow) = (fleet.shop("often"), "postgresql://u@127.0.0.1:1/slow");
    fleet.jobs(&format!(
        "  often: {{db_uri: '{often}', backup_schedule: '*/2 * * * * *'}}\n  \
         slow: {{db_uri: '{slow}', pg_globals: 'off', backup_on_start: true, backup_schedule: '0 0 1 1 *'}}\n"
    ));
    let run = fleet.run().env("PATH", fakes.path()).env("BACKUP_PARALLEL", "2");
    let mut running = run.spawn();
    says(&mut running, "backup stored", 1);
    running.signal(Signal::HUP);
    says(&mut running, "as soon as no run is at work", 1);
    let before = running.output().matches("backup stored").count();
    // One may have begun before the signal; after it, a minute may pass.
    says(&mut running, "backup stored", before + 2);
    fs::write(go, "").unwrap();
    says(&mut running, "reading the settings once more", 1);
    running.signal(Signal::TERM);
    running.wait(PATIENCE).expect_no_leftovers();
    let stored = fleet.stored();
    assert_eq!(stored.iter().filter(|job| *job == "slow").count(), 1, "{stored:?}");
}

/// The jobs that a scheduler says it has.
fn fleet_of(running: &Running) -> Vec<String> {
    let output = running.output();
    let at = output.split("http://").nth(1).unwrap();
    let address = at.split(['"', ' ']).next().unwrap();
    let status = get(address, "/status", &[]).json();
    let jobs = status["jobs"].as_array().unwrap();
    jobs.iter().map(|job| job["job"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn among_a_thousand_jobs_each_begins_in_time() {
    let Some(fleet) = Fleet::new() else { return };
    let mut text = String::new();
    for n in 0..995 {
        let uri = format!("postgresql://u:pw-{n}-canary@db{n}:5432/shop");
        let hour = n % 24;
        let _ =
            writeln!(text, "  idle-{n}: {{db_uri: '{uri}', backup_schedule: '0 {hour} 1 1 *'}}");
    }
    for n in 0..5 {
        let uri = fleet.shop(&format!("busy{n}"));
        let second = n * 12;
        let at = format!("{second} * * * * *");
        let _ = writeln!(text, "  busy-{n}: {{db_uri: '{uri}', backup_schedule: '{at}'}}");
    }
    fleet.jobs(&text);
    let mut running = fleet.run().env("BACKUP_PARALLEL", "4").spawn();
    says(&mut running, "backup stored", 2);
    says(&mut running, "backup stored", 7);
    let memory = fs::read_to_string(format!("/proc/{}/status", running.pid().as_raw_nonzero()));
    let memory = memory.unwrap().lines().find(|line| line.starts_with("VmRSS")).unwrap().to_owned();
    running.signal(Signal::TERM);
    let done = running.wait(PATIENCE);
    eprintln!("    1,000 jobs: {memory}");
    let begun = done.events.iter().filter(|event| event["message"] == "backup started");
    let mut seen = 0;
    // Those that were due while a thousand jobs were still being read, and their backups looked for, are another matter.
    for event in begun.skip(2) {
        let at: DateTime<Utc> = text_of(&event["timestamp"]).parse().unwrap();
        let job = text_of(&event["job"]);
        let second: u32 = job.trim_start_matches("busy-").parse::<u32>().unwrap() * 12;
        let late = Duration::from_millis(
            u64::from((at.second() + 60 - second) % 60) * 1000
                + u64::from(at.timestamp_subsec_millis()),
        );
        assert!(late < LATEST, "{job} began {late:?} late");
        seen += 1;
    }
    assert!(seen >= 5, "{done}");
}

/// 1 s on a machine with nothing else to do; this one may run other tests, too.
const LATEST: Duration = Duration::from_secs(3);

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap()
}
