use super::*;

fn sh(script: &str) -> Spawn {
    Spawn {
        program: "sh".into(),
        args: vec!["-c".into(), script.into()],
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        feed: false,
        confined: None,
    }
}

#[tokio::test]
async fn the_environment_is_only_what_is_given() {
    let out = output(&sh("env"), b"", 4096).await.unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("PATH=/usr/bin:/bin") && !text.contains("CARGO"), "{text}");
}

#[tokio::test]
async fn exit_code_and_the_end_of_a_flood_are_kept() {
    let out = output(&sh("yes noise | head -c 3000000 >&2; echo the cause >&2; exit 3"), b"", 1)
        .await
        .unwrap();
    assert_eq!(out.exit.to_string(), "exited with code 3");
    assert!(out.stderr.ends_with("noise\nthe cause") && out.stderr.len() <= TAIL, "{}", out.stderr);
}

#[tokio::test]
async fn too_much_output_is_an_error() {
    let error = output(&sh("yes"), b"", 1000).await.unwrap_err().to_string();
    assert!(error.contains("more than 1000 bytes"), "{error}");
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let mut spec = sh("");
    spec.program = "no-such-tool".into();
    assert_eq!(
        spawn(&spec).err().unwrap().to_string(),
        "no-such-tool is not installed, or not on PATH"
    );
}

/// The process that the child says it has started.
async fn told(running: &mut Running) -> i32 {
    let mut line = [0; 16];
    let n = running.stdout.as_mut().unwrap().read(&mut line).await.unwrap();
    String::from_utf8_lossy(&line[..n]).trim().parse().unwrap()
}

async fn ends(process: i32) {
    for _ in 0..500 {
        // Gone, or a zombie that waits for whoever adopts orphans here.
        let state = std::fs::read_to_string(format!("/proc/{process}/stat"));
        if state.map_or(true, |state| state.contains(") Z ")) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{process} lives on");
}

#[tokio::test]
async fn stop_ends_a_group_that_ignores_term() {
    let mut running = spawn(&sh("trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000")).unwrap();
    let grandchild = told(&mut running).await;
    running.stop(Duration::from_millis(50)).await;
    assert_eq!(
        running.wait().await.unwrap().to_string(),
        "was killed by signal 9 (KILL: out of memory?)"
    );
    ends(grandchild).await;
}

#[tokio::test]
async fn the_children_of_a_child_that_somebody_killed_end_with_it() {
    let mut running = spawn(&sh("sleep 1000 & echo $!; kill -KILL $$")).unwrap();
    let grandchild = told(&mut running).await;
    running.wait().await.unwrap();
    drop(running);
    ends(grandchild).await;
}

#[tokio::test]
async fn a_grandchild_that_holds_stderr_delays_nothing() {
    let mut running = spawn(&sh("echo bye >&2; sleep 20 & exit 0")).unwrap();
    running.wait().await.unwrap();
    let before = std::time::Instant::now();
    assert_eq!(running.last_words().await, "bye");
    assert!(before.elapsed() < Duration::from_secs(5));
    running.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_hurry_ends_everybody_and_nobody_starts_after_it() {
    let live: &'static Live = Box::leak(Box::default());
    let deaf = sh("trap '' TERM; echo; sleep 1000 & wait; sleep 1000");
    let mut both = [spawn_among(live, &deaf).unwrap(), spawn_among(live, &deaf).unwrap()];
    for running in &mut both {
        running.stdout.as_mut().unwrap().read_u8().await.unwrap();
    }
    // One that is gone is nobody's any more.
    let mut gone = spawn_among(live, &sh("exit 0")).unwrap();
    gone.stop(Duration::from_secs(60)).await;
    let before = std::time::Instant::now();
    live.end();
    live.end();
    for mut running in both {
        running.stop(Duration::from_secs(60)).await;
        assert!(!running.wait().await.unwrap().success());
    }
    let refused = spawn_among(live, &sh("exit 0")).err().unwrap().to_string();
    assert_eq!(refused, "sh is not started any more: a signal has ended everything");
    assert!(before.elapsed() < Duration::from_secs(30));
    // Others go on.
    assert!(output(&sh("exit 0"), b"", 0).await.unwrap().exit.success());
}
