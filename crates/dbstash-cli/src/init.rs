//! As the first process of a container: the program is its only child, and it does what a first process has to.
//!
//! Whoever loses its parent there becomes a child of the first process, which has to wait for it. The program itself
//! waits for its own children by name; next to it, one that waits for everybody would take their exit codes away.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use dbstash_core::process::spawn_alike;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use tokio::signal::unix::{SignalKind, signal};

/// What is passed on to the program.
const PASSED_ON: [(SignalKind, Signal); 6] = [
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
];

/// Runs the program once more, as a child, when this is the first process; how it ended. `None` for everyone else.
pub fn run(args: &[OsString]) -> Option<io::Result<ExitCode>> {
    (std::process::id() == 1).then(|| {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(first(args))
    })
}

async fn first(args: &[OsString]) -> io::Result<ExitCode> {
    let mut ended = signal(SignalKind::child())?;
    let program = std::env::current_exe()?;
    let mut heard = Vec::new();
    for (kind, number) in PASSED_ON {
        heard.push((signal(kind)?, number));
    }
    let child = spawn_alike(&program, args.get(1..).unwrap_or_default())?;
    for (mut signals, number) in heard {
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                // It may have ended just now.
                let _ = kill_process(child, number);
            }
        });
    }
    loop {
        if let Some(status) = reap(child)? {
            return Ok(ExitCode::from(code(status)));
        }
        ended.recv().await;
    }
}

/// Waits for whoever has ended; the status of `child`, once it is among them.
fn reap(child: Pid) -> io::Result<Option<WaitStatus>> {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => return Ok(Some(status)),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

/// As a shell has it.
fn code(status: WaitStatus) -> u8 {
    let signal = status.terminating_signal().map(|signal| 128 + signal);
    let code = status.exit_status().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
