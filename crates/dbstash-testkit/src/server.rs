//! Servers that a test starts, and that never outlive it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::procs;
use crate::scratch::free_port;

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    command: Command,
    log: PathBuf,
}

impl Server {
    /// Starts `command`, its output going to the file `log`.
    ///
    /// The command should start with [`dies_with_test`].
    pub fn start(mut command: Command, log: &Path) -> Self {
        let output = File::create(log).unwrap();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let shown = format!("{command:?}");
        let (command, child) = spawn(command);
        let child = child.unwrap_or_else(|error| panic!("{shown}: {error}"));
        Self { child, command, log: log.to_owned() }
    }

    /// Starts it again, as it was started; returns once it listens on this port.
    pub fn restart(&mut self, port: u16) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // What it left behind is never started: `true` only keeps the place.
        let command = std::mem::replace(&mut self.command, Command::new("true"));
        let (command, child) = spawn(command);
        self.command = command;
        self.child = child.unwrap();
        let pid = self.pid();
        let mut up = || procs::listens(pid, port);
        assert!(self.wait_until(Duration::from_secs(60), &mut up), "{}", self.log());
    }

    /// Starts the command made for a free port, and returns once it listens there; on another
    /// port when that one was taken meanwhile.
    pub fn start_on_port(log: &Path, command: impl Fn(u16) -> Command) -> (Self, u16) {
        for _ in 0..5 {
            let port = free_port();
            let mut server = Self::start(command(port), log);
            let pid = server.pid();
            let mut up = || procs::listens(pid, port);
            if server.wait_until(Duration::from_secs(60), &mut up) {
                return (server, port);
            }
        }
        panic!("no server came up on 5 ports: {}", fs::read_to_string(log).unwrap());
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Whether it is gone.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Sends a signal; nothing happens when it is gone.
    pub fn signal(&mut self, signal: Signal) {
        if !self.has_ended() {
            let _ = kill_process(self.pid(), signal);
        }
    }

    /// Sends a signal and waits for the end, 30 s at most.
    pub fn stop(&mut self, signal: Signal) {
        self.signal(signal);
        let ended = eventually(Duration::from_secs(30), || self.has_ended());
        assert!(ended, "{signal:?} did not end it: {}", self.log());
    }

    /// Waits until `ready` is true. False when the server ended first; panics when time is up.
    pub fn wait_until(&mut self, patience: Duration, ready: &mut dyn FnMut() -> bool) -> bool {
        let mut is_ready = false;
        let settled = eventually(patience, || {
            is_ready = ready();
            is_ready || self.has_ended()
        });
        assert!(settled, "not ready after {patience:?}: {}", self.log());
        is_ready
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that gets `signal`, by its short name, when the test's process ends in whatever way.
pub fn dies_with_test(signal: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--"]).arg(program);
    command
}

/// Asks again and again, 5 ms apart, until `done` or the time is up.
pub fn eventually(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > patience {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
    true
}

type Order = (Command, mpsc::Sender<(Command, io::Result<Child>)>);

/// Spawns from one thread that lasts as long as the process: the kernel's "parent has died" is
/// about the spawning *thread*, and a server shared by several tests must outlive the test that
/// happened to start it.
fn spawn(command: Command) -> (Command, io::Result<Child>) {
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                let child = command.spawn();
                let _ = reply.send((command, child));
            }
        });
        Mutex::new(orders)
    });
    let (reply, answer) = mpsc::channel();
    spawner.lock().unwrap().send((command, reply)).unwrap();
    answer.recv().unwrap()
}
