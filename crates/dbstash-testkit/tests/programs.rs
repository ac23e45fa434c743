//! The fake tool follows its script, and the reaper misses nothing.
#![allow(clippy::disallowed_methods, reason = "the tests of the fixtures start the fakes by hand")]
#![allow(clippy::unwrap_used, reason = "a step that fails is a failed test")]

use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dbstash_testkit::secrets::Sampler;
use dbstash_testkit::{Dbstash, FakeTools, RemoteKind, Signal, TestRemote, tools};

const LONG: Duration = Duration::from_secs(30);

fn run(fakes: &FakeTools, args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new("tool")
        .args(args)
        .env("PATH", fakes.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn fake(script: &str) -> FakeTools {
    FakeTools::new().tool("tool", script)
}

#[test]
fn it_prints_reads_and_exits() {
    let fakes = fake(
        "pg-head\nout  a line \nout-bytes 1MiB\nread 3B\n\
         pg-footer\nerr oops\nflood-err 100KiB\nexit 7\nout never",
    );
    let output = run(&fakes, &["-x", "a b"], b"12345");
    assert_eq!(output.status.code(), Some(7));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("--\n-- PostgreSQL database dump\n"));
    assert!(text.contains("\n a line \n0\tthe quick"));
    assert!(text.ends_with("\n-- PostgreSQL database dump complete\n--\n\n"));
    assert!((1 << 20..(1 << 20) + 1000).contains(&text.len()));
    assert_eq!(output.stderr.len(), 5 + 100 * 1024);
    let calls = fakes.calls_of("tool");
    assert_eq!(calls[0].args, ["-x", "a b"]);
    assert_eq!(calls[0].env["PATH"], fakes.path().to_str().unwrap());
}

#[test]
fn it_can_be_called_by_path_and_choose_by_argument() {
    let fakes = fake("when rcat *.json\nexit 4\nwhen rcat\nout data\notherwise\nexit 5");
    assert_eq!(run(&fakes, &["rcat", "r:x.json"], b"").status.code(), Some(4));
    assert_eq!(run(&fakes, &["rcat", "r:x"], b"").stdout, b"data\n");
    let status = Command::new(fakes.file("tool")).status().unwrap();
    assert_eq!(status.code(), Some(5));
    assert_eq!(fakes.calls().len(), 3);
}

#[test]
fn it_becomes_and_feeds_the_real_one() {
    let sh = tools::find("sh").unwrap();
    let sh = sh.display();
    assert_eq!(
        run(&fake(&format!("err first\nexec {sh}")), &["-c", "cat; exit 3"], b"xyz").stdout,
        b"xyz"
    );
    let cut = run(&fake(&format!("forward-truncated {sh} 4")), &["-c", "cat; exit 3"], b"123456");
    assert_eq!((cut.stdout.as_slice(), cut.status.code()), (&b"1234"[..], Some(0)));
    let lying = run(&fake(&format!("forward-then-exit {sh} 9")), &["-c", "cat"], b"123456");
    assert_eq!((lying.stdout.as_slice(), lying.status.code()), (&b"123456"[..], Some(9)));
}

#[test]
fn it_dies_and_refuses_to() {
    assert_eq!(run(&fake("kill SEGV"), &[], b"").status.signal(), Some(11));
    assert_eq!(run(&fake("kill KILL"), &[], b"").status.signal(), Some(9));
    let output = run(&fake("ignore TERM\nkill TERM\nout survived"), &[], b"");
    assert_eq!(output.stdout, b"survived\n");
    assert_eq!(run(&fake("close-out\nout gone"), &[], b"").stdout, b"");
}

#[test]
fn it_waits_for_a_file() {
    let fakes = FakeTools::new();
    let (ready, go) = (fakes.file("ready"), fakes.file("go"));
    fakes
        .script("tool", &format!("touch {}\nwait-for {}\nout went", ready.display(), go.display()));
    let run = Dbstash::new(fakes.file("tool"));
    let mut running = run.spawn();
    running.wait_until(LONG, |_| ready.exists());
    assert_eq!(running.output(), "");
    std::fs::write(go, "").unwrap();
    assert_eq!(running.wait(LONG).stdout, "went\n");
}

#[test]
fn a_run_starts_from_an_empty_environment() {
    let fakes = fake("out {\"level\":\"info\"}\nerr {\"n\":1}\nerr plain\nexit 3");
    let run =
        Dbstash::new(fakes.file("tool")).env("DB_URI", "sqlite:///x").args(["list", "--json"]);
    let finished = run.run(LONG);
    finished.expect_code(3).expect_no_leftovers();
    assert_eq!(finished.events.len(), 2);
    assert_eq!(finished.stderr, "{\"n\":1}\nplain\n");
    let calls = fakes.calls();
    let names: Vec<&str> = calls[0].env.keys().map(String::as_str).collect();
    let ours = ["DBSTASH_STATE_DIR", "DB_URI", "GOGC", "GOMEMLIMIT", "HEALTH_ADDR", "HOME", "PATH"];
    assert_eq!(names, ours);
    assert_eq!(calls[0].args, ["list", "--json"]);
}

#[test]
fn what_is_left_behind_is_found_and_killed() {
    let start = Instant::now();
    let fakes = fake("grandchild-holds-stdout 600s\nexit 0");
    let finished = Dbstash::new(fakes.file("tool")).run(LONG);
    assert_eq!(finished.leftovers, ["sleep 600"]);
    assert_eq!(finished.code, Some(0));
    assert!(start.elapsed() < LONG, "the stream must not be waited for");

    // A session of its own does not hide it, and one that ends in time is none.
    let sh = tools::find("sh").unwrap();
    let hidden = Dbstash::new(&sh).args(["-c", "setsid -f sleep 500; exit 1"]);
    assert_eq!(hidden.run(LONG).leftovers, ["sleep 500"]);
    let soon_gone = Dbstash::new(&sh).args(["-c", "setsid -f sleep 0.3"]);
    assert_eq!(soon_gone.grace(LONG).run(LONG).leftovers, [""; 0]);
}

#[test]
fn signals_reach_the_product_itself() {
    for (signal, number) in [(Signal::TERM, 15), (Signal::KILL, 9)] {
        let fakes = fake("out up\nsleep 600s");
        let mut running = Dbstash::new(fakes.file("tool")).spawn();
        running.wait_until(LONG, |run| run.output().contains("up"));
        running.signal(signal);
        let finished = running.wait(LONG);
        assert_eq!((finished.code, finished.signal), (None, Some(number)));
    }
}

#[test]
#[should_panic(expected = "still running after")]
fn a_hang_is_a_failure() {
    let fakes = fake("sleep 600s");
    Dbstash::new(fakes.file("tool")).run(Duration::from_millis(200));
}

#[test]
fn the_sampler_sees_arguments_and_environments() {
    let sh = tools::find("sh").unwrap();
    let finished = Dbstash::new(sh)
        .args(["-c", "CANARY=in-env-4711 sleep 0.2; sleep 0.2 # in-args-4711"])
        .env("OWN", "in-own-4711")
        .sampled()
        .run(LONG);
    let samples = finished.samples.unwrap();
    assert!(samples.programs().contains(&"sleep"), "{samples:?}");
    assert_eq!(samples.environment_with("in-env-4711"), ["sleep: CANARY=in-env-4711"]);
    assert_eq!(samples.environment_with("in-own-4711").len(), 2);
    assert_eq!(samples.args_with("in-args-4711").len(), 1);
    assert!(samples.args_with("nowhere").is_empty());
    drop(Sampler::start(1));
}

#[test]
fn a_truncated_upload_is_what_a_remote_then_holds() {
    let Some(remote) = TestRemote::start(RemoteKind::Sftp) else {
        return;
    };
    let rclone = tools::find("rclone").unwrap();
    let fakes = fake(&format!("when rcat\nforward-truncated {} 5", rclone.display()));
    let mut child = Command::new(fakes.file("tool"))
        .args(["--config", "/dev/null", "rcat", &format!("{}/x", remote.root())])
        .envs(remote.env())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"0123456789").unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(remote.read("x"), b"01234");
}
