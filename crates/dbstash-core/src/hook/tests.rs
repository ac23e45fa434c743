use std::sync::Mutex;
use std::time::Instant;

use super::*;

/// What a hook said, each line as `out` or `err`, and how it ended.
struct Told {
    lines: Vec<String>,
    result: Result<(), HookError>,
    took: Duration,
}

/// A machine that is busy must not fail a test; a hang must.
const SOON: Duration = Duration::from_secs(60);

async fn with(command: &str, env: Vec<(OsString, OsString)>, bounds: Bounds<'_>) -> Told {
    let lines = Mutex::new(Vec::new());
    let tell = |line: Line<'_>| {
        let stream = if line.is_stderr { "err" } else { "out" };
        lines.lock().unwrap().push(format!("{stream} {}", line.text));
    };
    let redactor = Redactor::new(["hunter22"]);
    let before = Instant::now();
    let work = run(When::Pre, command, env, &redactor, bounds, &tell);
    let result = tokio::time::timeout(SOON, work).await.expect("it hangs");
    Told { result, took: before.elapsed(), lines: lines.into_inner().unwrap() }
}

fn path() -> Vec<(OsString, OsString)> {
    vec![("PATH".into(), "/usr/bin:/bin".into())]
}

fn bounds(cancel: &CancellationToken) -> Bounds<'_> {
    let (allowed, grace) = (Duration::from_millis(100), Duration::from_millis(100));
    Bounds { timeout: None, cancel, allowed, grace }
}

async fn told(command: &str) -> Told {
    with(command, path(), bounds(&CancellationToken::new())).await
}

async fn limited(command: &str, millis: u64, cancel: &CancellationToken) -> Told {
    let timeout = Some(Duration::from_millis(millis));
    with(command, path(), Bounds { timeout, ..bounds(cancel) }).await
}

#[tokio::test]
async fn lines_are_told_as_they_come() {
    let done =
        told("echo one; echo; echo two >&2; read line || echo nothing to read; printf 'no end'")
            .await;
    assert!(done.result.is_ok());
    let out: Vec<_> = done.lines.iter().filter(|line| line.starts_with("out")).collect();
    assert_eq!(out, ["out one", "out nothing to read", "out no end"]);
    assert!(done.lines.contains(&"err two".to_owned()), "{:?}", done.lines);
}

#[tokio::test]
async fn a_failure_tells_the_last_words() {
    let done = told("for i in 1 2 3 4 5 6 7; do echo line $i hunter22 >&2; done; exit 3").await;
    let error = done.result.unwrap_err();
    assert_eq!(error.to_string(), "HOOK_PRE_BACKUP exited with code 3");
    assert_eq!(error.stderr(), "line 3 ***\nline 4 ***\nline 5 ***\nline 6 ***\nline 7 ***");
    let killed = told("kill -KILL $$").await.result.unwrap_err().to_string();
    assert!(killed.starts_with("HOOK_PRE_BACKUP was killed by signal 9"), "{killed}");
    let missing = told("no-such-program-here").await.result.unwrap_err();
    assert!(missing.to_string().ends_with("code 127"), "{missing}");
}

#[tokio::test]
async fn no_shell_is_said_clearly() {
    let nowhere = vec![("PATH".into(), "/nonexistent".into())];
    let done = with("true", nowhere, bounds(&CancellationToken::new())).await;
    let error = done.result.unwrap_err().to_string();
    assert_eq!(error, "HOOK_PRE_BACKUP could not be run: sh is not installed, or not on PATH");
}

#[tokio::test]
async fn a_flood_is_bounded_and_counted() {
    let done = told("yes hunter22 | head -c 9000000; echo the last >&2; exit 1").await;
    assert_eq!(done.lines.len(), 1001);
    assert_eq!(done.lines[0], "out ***");
    assert_eq!(done.lines[1000], "err 999001 more lines of this hook are left out");
    assert_eq!(done.result.unwrap_err().stderr(), "the last");
}

#[tokio::test]
async fn a_long_line_is_cut_and_holds_no_part_of_a_secret() {
    // The secret lies across the end of what is kept.
    let long = "head -c 16380 /dev/zero | tr '\\0' ' '; printf 'hunter22'; head -c 9000000 /dev/zero; echo; echo next";
    let done = told(long).await;
    assert_eq!(done.lines.len(), 2, "{:?}", done.lines);
    assert!(!done.lines[0].contains('h') && done.lines[0].ends_with("..."), "{:?}", done.lines);
    assert!(done.lines[0].len() < 5000 && done.lines[1] == "out next", "{:?}", done.lines);
    let many = told("yes 'hunter22 ' | tr -d '\\n' | head -c 100000").await;
    assert_eq!(many.lines[0].replace("*** ", ""), "out ...");
}

#[tokio::test]
async fn odd_bytes_are_shown_as_such() {
    let done = told("printf 'a\\377b\\r\\n'").await;
    assert_eq!(done.lines, ["out a\u{fffd}b"]);
}

#[tokio::test]
async fn a_limit_ends_it_with_all_it_started() {
    let cancel = CancellationToken::new();
    let done =
        limited("sleep 1000 & echo $!; echo stuck >&2; wait; echo never", 300, &cancel).await;
    let error = done.result.unwrap_err();
    assert_eq!(error.to_string(), "HOOK_PRE_BACKUP was not finished within 300ms (HOOK_TIMEOUT)");
    assert_eq!(error.stderr(), "stuck");
    let pid = done.lines.iter().find_map(|line| line.strip_prefix("out ")).unwrap();
    gone(pid).await;
}

#[tokio::test]
async fn a_signal_ends_one_that_ignores_term() {
    let cancel = CancellationToken::new();
    let command = "trap '' TERM; echo ready; sleep 1000 & echo $!; while :; do sleep 1000; done";
    let (done, ()) = tokio::join!(with(command, path(), bounds(&cancel)), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        cancel.cancel();
    });
    let error = done.result.unwrap_err().to_string();
    assert_eq!(error, "HOOK_PRE_BACKUP was ended, 100ms after the signal");
    assert!(done.took < SOON / 2, "{:?}", done.took);
    gone(done.lines[1].strip_prefix("out ").unwrap()).await;
}

#[tokio::test]
async fn a_signal_shortens_the_grace_of_a_limit() {
    let cancel = CancellationToken::new();
    let (done, ()) =
        tokio::join!(limited("trap '' TERM; while :; do sleep 1000; done", 1, &cancel), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            cancel.cancel();
        });
    assert!(matches!(done.result, Err(HookError::TimedOut { .. })));
    assert!(done.took < GRACE, "{:?}", done.took);
}

#[tokio::test]
async fn what_holds_the_output_delays_nothing() {
    let done = told("setsid sleep 1000 & echo $!; sleep 1000 & echo $!").await;
    assert!(done.result.is_ok() && done.took < SOON / 2, "{:?}", done.took);
    let pids: Vec<_> = done.lines.iter().map(|line| line.strip_prefix("out ").unwrap()).collect();
    // One has gone into a group of its own, which is how a hook can start what is to stay.
    let stays: i32 = pids[0].parse().unwrap();
    assert!(state_of(pids[0]).is_some_and(|state| state != 'Z'));
    gone(pids[1]).await;
    let stays = rustix::process::Pid::from_raw(stays).unwrap();
    rustix::process::kill_process(stays, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn output_that_is_closed_early_is_no_end() {
    let done = told("exec >&- 2>&-; sleep 0.3; exit 7").await;
    assert_eq!(done.result.unwrap_err().to_string(), "HOOK_PRE_BACKUP exited with code 7");
}

#[tokio::test]
async fn the_environment_and_the_command_arrive_as_they_are() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut env = path();
    env.push(("ODD".into(), OsString::from_vec(b"\xff$(exit 9)`exit 9`'\"\n;exit 9".to_vec())));
    let command = "printf %s \"$ODD\" | od -An -tx1 | tr -d ' \\n'";
    let done = with(command, env, bounds(&CancellationToken::new())).await;
    let hex = base16ct::lower::encode_string(b"\xff$(exit 9)`exit 9`'\"\n;exit 9");
    assert_eq!(done.lines, [format!("out {hex}")]);
    assert!(done.result.is_ok());
    let dashed = told("-x").await.result.unwrap_err().to_string();
    assert!(dashed.ends_with("code 127"), "{dashed}");
}

fn state_of(pid: &str) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Gone, or a zombie that waits for whoever adopts orphans here.
async fn gone(pid: &str) {
    for _ in 0..1000 {
        if state_of(pid).is_none_or(|state| state == 'Z') {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{pid} lives on");
}
