//! An HTTP server that takes what is posted to it, under the rules of the platform that its path is of.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::platforms;

/// The server. Under `/discord` and `/slack` it takes what Discord and Slack take, elsewhere anything.
#[derive(Debug)]
pub struct Inbox {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// What is answered in the place of the rules.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status, with these headers.
    Status(u16, &'static [(&'static str, &'static str)]),
    /// Nothing, until the server is dropped or the other side goes.
    Silence,
    /// An end of the connection.
    HangUp,
}

/// A request, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Its body as text.
    pub body: String,
    /// When it was read.
    pub at: Instant,
    /// The status it was answered with; 0 for none.
    pub status: u16,
}

impl Request {
    /// Its body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    /// By path without its query; the last answer of a path stays.
    answers: HashMap<String, VecDeque<Answer>>,
    is_over: bool,
}

impl Inbox {
    /// On a free port of this machine.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if shared.lock().unwrap().is_over {
                    return;
                }
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    let _ = serve(connection, &shared);
                });
            }
        });
        Self { port, state }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers the next requests for a path in this way, and all later ones by the rules.
    pub fn answer(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.state().answers.insert(path.to_owned(), answers.into_iter().collect());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Every request so far, in the order of their ends.
    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// Those for a path, without its query.
    pub fn of(&self, path: &str) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.path.split('?').next() == Some(path));
        requests
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.state().is_over = true;
        // Wakes up who waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(mut connection: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut words = first.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let bare = path.split('?').next().unwrap_or_default().to_owned();
    let answer = {
        let answers = &mut state.lock().unwrap().answers;
        answers.get_mut(&bare).and_then(VecDeque::pop_front)
    };
    let (status, extra, text) = match &answer {
        Some(Answer::Status(status, headers)) => (*status, *headers, String::new()),
        Some(Answer::Silence | Answer::HangUp) => (0, &[][..], String::new()),
        None => by_rules(&bare, &headers, &body),
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    let request = Request { method, path, headers, body, at: Instant::now(), status };
    state.lock().unwrap().requests.push(request);
    match answer {
        Some(Answer::Silence) => {
            // Until the other side has had enough.
            let _ = reader.read(&mut [0]);
            return Ok(());
        }
        Some(Answer::HangUp) => return Ok(()),
        _ => {}
    }
    let mut head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n");
    for (name, value) in extra {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if status != 204 {
        let _ = write!(head, "content-length: {}\r\n", text.len());
    }
    connection.write_all(format!("{head}\r\n{text}").as_bytes())
}

type Answered = (u16, &'static [(&'static str, &'static str)], String);

fn by_rules(path: &str, headers: &BTreeMap<String, String>, body: &[u8]) -> Answered {
    let json = headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json"));
    let judged = |rules: fn(&[u8]) -> Result<(), String>| {
        if json { rules(body) } else { Err("invalid_payload: not application/json".to_owned()) }
    };
    if path.starts_with("/discord") {
        match judged(platforms::discord) {
            Ok(()) => (204, &[], String::new()),
            Err(why) => {
                (400, &[], serde_json::json!({ "message": why, "code": 50035 }).to_string())
            }
        }
    } else if path.starts_with("/slack") || path.contains("/hooks/") {
        match judged(platforms::slack) {
            Ok(()) => (200, &[], "ok".to_owned()),
            Err(why) => (400, &[], why),
        }
    } else {
        (200, &[], "OK".to_owned())
    }
}
