//! What a step does.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio, exit};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::SignalKind;

/// Follows one line of the script.
pub(crate) fn take(step: &str, args: &[String]) {
    let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
    let rest_and_number = || {
        let (path, number) = rest.rsplit_once(' ').unwrap();
        (path, number)
    };
    match verb {
        "out" => put(&mut io::stdout(), format!("{rest}\n").as_bytes()),
        "err" => put(&mut io::stderr(), format!("{rest}\n").as_bytes()),
        "out-bytes" => lines(&mut io::stdout(), size(rest)),
        "out-random" => noise(&mut io::stdout(), size(rest)),
        "flood-err" => lines(&mut io::stderr(), size(rest)),
        "pg-head" => put(&mut io::stdout(), PG_HEAD),
        "pg-footer" => put(&mut io::stdout(), PG_FOOTER),
        "sleep" => sleep(duration(rest)),
        "wait-for" => {
            while !Path::new(rest).exists() {
                sleep(Duration::from_millis(2));
            }
        }
        "touch" => fs::write(rest, "").unwrap(),
        "read" => discard(&mut io::stdin().lock().take(size(rest))),
        "read-all" => discard(&mut io::stdin().lock()),
        "exit" => exit(rest.parse().unwrap()),
        "kill" => {
            // The Rust runtime handles the first SEGV: it finds no overflown stack, and gives way
            // to the second.
            send_self(signal(rest));
            send_self(signal(rest));
        }
        "stop" => send_self(Signal::STOP),
        "ignore" => ignore(signal(rest)),
        "close-out" => close_stdout(),
        "grandchild-holds-stdout" => leave_behind(duration(rest), Stdio::inherit()),
        "grandchild" => leave_behind(duration(rest), Stdio::null()),
        "exec" => panic!("{rest}: {}", Command::new(rest).args(args).exec()),
        "forward-truncated" => {
            let (path, limit) = rest_and_number();
            forward(path, args, size(limit));
            exit(0);
        }
        "forward-then-exit" => {
            let (path, code) = rest_and_number();
            forward(path, args, u64::MAX);
            exit(code.parse().unwrap());
        }
        _ => panic!("no such step: {step}"),
    }
}

const PG_HEAD: &[u8] = b"--\n-- PostgreSQL database dump\n--\n\n\
-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)\n\
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)\n\nSET statement_timeout = 0;\n\n";
const PG_FOOTER: &[u8] = b"\n--\n-- PostgreSQL database dump complete\n--\n\n";

/// A reader that has gone ends us as it ends a real tool, which has not our runtime's `SIGPIPE`
/// setting.
fn put(to: &mut impl Write, bytes: &[u8]) {
    match to.write_all(bytes).and_then(|()| to.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(141),
        Err(error) => panic!("{error}"),
    }
}

fn lines(to: &mut impl Write, mut left: u64) {
    let mut block = Vec::new();
    for number in 0.. {
        block.extend_from_slice(format!("{number}\tthe quick brown fox\t\\N\n").as_bytes());
        if block.len() >= 64 * 1024 {
            break;
        }
    }
    while left > 0 {
        let count = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        put(to, &block[..count]);
        left -= count as u64;
    }
}

/// Bytes that no compression makes fewer.
fn noise(to: &mut impl Write, left: u64) {
    let random = fs::File::open("/dev/urandom").unwrap();
    match io::copy(&mut random.take(left), to) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(141),
        done => drop(done.unwrap()),
    }
}

fn discard(from: &mut impl Read) {
    io::copy(from, &mut io::sink()).unwrap();
}

fn send_self(signal: Signal) {
    kill_process(getpid(), signal).unwrap();
}

/// A handler that does nothing, for as long as we live.
fn ignore(signal: Signal) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _inside = runtime.enter();
    drop(tokio::signal::unix::signal(SignalKind::from_raw(signal.as_raw())).unwrap());
}

fn close_stdout() {
    // Standard output becomes standard error: what held the pipe is gone.
    rustix::stdio::dup2_stdout(io::stderr()).unwrap();
}

#[expect(clippy::zombie_processes, reason = "the point of it is to be left behind")]
fn leave_behind(how_long: Duration, stdout: Stdio) {
    Command::new("sleep")
        .arg(how_long.as_secs_f64().to_string())
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
}

/// Runs the real program with our arguments on the first bytes of our input, which ends for it when it ends for us, and
/// waits for it.
fn forward(path: &str, args: &[String], limit: u64) {
    let mut real = Command::new(path).args(args).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = real.stdin.take().unwrap();
    // It may end before it has read all; its word on that is not what we are here for.
    let _ = io::copy(&mut io::stdin().lock().take(limit), &mut input);
    discard(&mut io::stdin().lock());
    drop(input);
    real.wait().unwrap();
}

fn signal(name: &str) -> Signal {
    match name {
        "TERM" => Signal::TERM,
        "KILL" => Signal::KILL,
        "INT" => Signal::INT,
        "HUP" => Signal::HUP,
        "SEGV" => Signal::SEGV,
        _ => panic!("no such signal: {name}"),
    }
}

fn size(text: &str) -> u64 {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => panic!("no such unit: {other}"),
    };
    digits.parse::<u64>().unwrap() * unit
}

fn duration(text: &str) -> Duration {
    match text.strip_suffix("ms") {
        Some(digits) => Duration::from_millis(digits.parse().unwrap()),
        None => Duration::from_secs(text.strip_suffix('s').unwrap().parse().unwrap()),
    }
}
