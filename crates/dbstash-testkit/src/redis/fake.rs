//! A master of Redis' protocol that follows a script: for what a real one cannot be made to do.

use std::io::{self, Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_tcp_nodelay};

/// A loopback port that answers by script until it is dropped, and keeps what was said to it.
#[derive(Debug)]
pub struct FakeMaster {
    port: u16,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
    over: Arc<AtomicBool>,
}

/// What it does on a connection.
///
/// Unless told otherwise it answers `PING`, `AUTH`, `REPLCONF` and `INFO` as a master does, `PSYNC` and `SYNC` by
/// [`Session::dump`], and does not know any other command. A dump is followed by whatever is asked next; it does not
/// close the connection unless that is a step.
#[derive(Debug, Clone, Default)]
pub struct Session {
    greeting: Vec<Step>,
    answers: Vec<(String, Vec<Step>)>,
    dump: Vec<Step>,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// Writes these bytes at once.
    Say(Vec<u8>),
    /// Writes these bytes in pieces of so many, each in a packet of its own.
    Pieces(Vec<u8>, usize),
    /// Writes these bytes, and the same again and again, until nobody takes them.
    Flood(Vec<u8>),
    /// Says nothing for so long.
    Hold(Duration),
    /// Says nothing until the other side hangs up.
    Silence,
    /// Hangs up in good order.
    Close,
    /// Breaks the connection off.
    Reset,
}

impl Step {
    /// Writes this text at once.
    pub fn say(text: &str) -> Self {
        Self::Say(text.as_bytes().to_vec())
    }
}

impl Session {
    /// A master which sends this for a dump.
    pub fn dump(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { dump: steps.into_iter().collect(), ..Self::default() }
    }

    /// A master that does this before it is asked for anything.
    pub fn greeting(steps: impl IntoIterator<Item = Step>) -> Self {
        Self { greeting: steps.into_iter().collect(), ..Self::default() }
    }

    /// Answers a command, by its first words in capitals, in this way; earlier ones go first.
    #[must_use]
    pub fn answer(mut self, command: &str, answer: &str) -> Self {
        self.answers.push((command.to_owned(), vec![Step::Say(format!("{answer}\r\n").into())]));
        self
    }

    /// The same by steps.
    #[must_use]
    pub fn steps(mut self, command: &str, steps: impl IntoIterator<Item = Step>) -> Self {
        self.answers.push((command.to_owned(), steps.into_iter().collect()));
        self
    }

    fn to(&self, command: &str) -> Vec<Step> {
        let known = self.answers.iter().find(|(name, _)| command.starts_with(name.as_str()));
        if let Some((_, steps)) = known {
            return steps.clone();
        }
        let name = command.split(' ').next().unwrap_or_default();
        match name {
            "REPLCONF" if command.starts_with("REPLCONF ACK") => vec![],
            "REPLCONF" | "AUTH" => vec![Step::say("+OK\r\n")],
            "PING" => vec![Step::say("+PONG\r\n")],
            "INFO" => {
                let info =
                    "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n";
                vec![Step::Say(format!("${}\r\n{info}\r\n", info.len()).into())]
            }
            "PSYNC" | "SYNC" => self.dump.clone(),
            _ => vec![Step::Say(format!("-ERR unknown command '{name}'\r\n").into())],
        }
    }
}

impl FakeMaster {
    /// Starts one that does the first of these on the first connection, and so on; the last one on all that follow.
    pub fn start(sessions: impl IntoIterator<Item = Session>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heard, over) = (Arc::<Mutex<Vec<Vec<u8>>>>::default(), Arc::<AtomicBool>::default());
        let mut sessions = sessions.into_iter().collect::<Vec<_>>().into_iter();
        let mut session = sessions.next().unwrap_or_default();
        let (ears, ended) = (Arc::clone(&heard), Arc::clone(&over));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let (mine, ears) = (session.clone(), Arc::clone(&ears));
                session = sessions.next().unwrap_or(session.clone());
                thread::spawn(move || play(&mine, stream, &ears));
            }
        });
        Self { port, heard, over }
    }

    /// One that does the same on every connection.
    pub fn always(session: Session) -> Self {
        Self::start([session])
    }

    /// Its port, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn uri(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The bytes that were said to it on each connection, in the order in which they came.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap().clone()
    }

    /// How many have connected and said something.
    pub fn connections(&self) -> usize {
        self.heard().len()
    }
}

impl Drop for FakeMaster {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // Its thread looks after the next connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A connection from its start to its end.
fn play(session: &Session, stream: TcpStream, ears: &Arc<Mutex<Vec<Vec<u8>>>>) {
    let _ = set_tcp_nodelay(&stream, true);
    let (commands, inbox) = mpsc::channel();
    let (input, ears) = (stream.try_clone().unwrap(), Arc::clone(ears));
    thread::spawn(move || listen(input, &ears, &commands));
    let mut stream = stream;
    let mut go_on = perform(&session.greeting, &mut stream, &inbox);
    while let (true, Ok(command)) = (go_on, inbox.recv()) {
        go_on = perform(&session.to(&command), &mut stream, &inbox);
    }
}

/// Does these; false when the connection is over.
fn perform(steps: &[Step], stream: &mut TcpStream, inbox: &mpsc::Receiver<String>) -> bool {
    steps.iter().all(|step| match step {
        Step::Say(bytes) => stream.write_all(bytes).is_ok(),
        Step::Pieces(bytes, length) => {
            bytes.chunks(*length).all(|piece| stream.write_all(piece).is_ok())
        }
        Step::Flood(bytes) => {
            while stream.write_all(bytes).is_ok() {}
            false
        }
        Step::Hold(time) => {
            thread::sleep(*time);
            true
        }
        Step::Silence => {
            while inbox.recv().is_ok() {}
            false
        }
        Step::Close => {
            let _ = stream.shutdown(Shutdown::Write);
            false
        }
        Step::Reset => {
            delivered(stream);
            let _ = set_socket_linger(&*stream, Some(Duration::ZERO));
            // The other clone of it would keep it open.
            let _ = stream.shutdown(Shutdown::Read);
            false
        }
    })
}

/// Waits until the other side's kernel has all that was said: a reset drops what is still queued here.
fn delivered(stream: &TcpStream) {
    let (Ok(local), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return };
    let ends = [format!(":{:04X}", local.port()), format!(":{:04X}", peer.port())];
    let queued = || {
        let connections = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
        connections.lines().any(|line| {
            let mut fields = line.split_ascii_whitespace().skip(1);
            let ours = ends.iter().all(|end| fields.next().is_some_and(|it| it.ends_with(end)));
            ours && fields.nth(1).is_some_and(|queues| !queues.starts_with("00000000:"))
        })
    };
    while queued() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Keeps what comes, and passes commands on as words in capitals.
fn listen(mut input: TcpStream, ears: &Mutex<Vec<Vec<u8>>>, commands: &mpsc::Sender<String>) {
    let (mut place, mut rest, mut buffer) = (None, Vec::new(), vec![0; 16 * 1024]);
    while let Ok(count @ 1..) = input.read(&mut buffer) {
        let mut heard = ears.lock().unwrap();
        let place = *place.get_or_insert_with(|| {
            heard.push(Vec::new());
            heard.len() - 1
        });
        heard[place].extend(&buffer[..count]);
        drop(heard);
        rest.extend(&buffer[..count]);
        while let Ok((words, used)) = parse(&rest) {
            rest.drain(..used);
            let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
            let words = words.join(" ").to_uppercase();
            if !words.is_empty() && commands.send(words).is_err() {
                return;
            }
        }
    }
}

/// The first command of these bytes, and how long it is; an error when it is not whole.
pub fn parse(bytes: &[u8]) -> io::Result<(Vec<Vec<u8>>, usize)> {
    let mut at = 0;
    let head = line(bytes, &mut at)?;
    let Some(count) = head.strip_prefix('*') else {
        return Ok((head.split_whitespace().map(Into::into).collect(), at));
    };
    let mut words = Vec::new();
    for _ in 0..count.parse().map_err(io::Error::other)? {
        let length: usize = line(bytes, &mut at)?[1..].parse().map_err(io::Error::other)?;
        words.push(bytes.get(at..at + length).ok_or(io::ErrorKind::UnexpectedEof)?.to_vec());
        at += length + 2;
    }
    if at > bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok((words, at))
}

fn line(bytes: &[u8], at: &mut usize) -> io::Result<String> {
    let rest = &bytes[*at..];
    let end = rest.iter().position(|byte| *byte == b'\n').ok_or(io::ErrorKind::UnexpectedEof)?;
    *at += end + 1;
    Ok(String::from_utf8_lossy(&rest[..end]).trim_end().to_owned())
}
