//! What both sides of a restore have in common in talking to a server: who we are, and what is answered to what.

use std::collections::VecDeque;

use dbstash_core::dialogue::Refusal;

use super::question::Question;
use super::refusal::{meaning, shown};
use super::resp::{self, Reply};
use super::sync::Psync;

/// What is longer goes out by itself.
const PIECE: usize = 64 * 1024;

/// Words that wait to be sent, and what was asked and is not answered.
pub(super) struct Queue<A> {
    login: Psync,
    out: VecDeque<Vec<u8>>,
    asked: VecDeque<A>,
    /// Whether the server has said anything.
    heard: bool,
}

impl<A> Queue<A> {
    /// Begins with who we are; `hello` is what these words ask for.
    pub(super) fn new(login: &Psync, hello: impl Fn() -> A) -> Self {
        let mut queue = Self {
            login: login.clone(),
            out: VecDeque::new(),
            asked: VecDeque::new(),
            heard: false,
        };
        if login.first() == Question::Auth {
            queue.push(login.words(Question::Auth, None), hello());
        }
        queue
    }

    /// Asks this.
    pub(super) fn ask<T: AsRef<[u8]>>(&mut self, words: &[T], what: A) {
        self.push(resp::command(words), what);
    }

    /// The same, as bytes.
    pub(super) fn push(&mut self, bytes: Vec<u8>, what: A) {
        self.add(bytes);
        self.asked.push_back(what);
    }

    /// More bytes of what is asked next.
    pub(super) fn add(&mut self, bytes: Vec<u8>) {
        match self.out.back_mut() {
            Some(last) if last.len() + bytes.len() < PIECE => last.extend(bytes),
            _ => self.out.push_back(bytes),
        }
    }

    pub(super) fn outgoing(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }

    /// How many questions are open.
    pub(super) fn open(&self) -> usize {
        self.asked.len()
    }

    /// The next answer, to what it is one, and how many bytes it has; `None` when it is not all there.
    #[expect(clippy::type_complexity, reason = "three things that belong together once")]
    pub(super) fn answer<'a>(
        &mut self,
        input: &'a [u8],
    ) -> Result<Option<(A, Reply<'a>, usize)>, Refusal> {
        self.heard = true;
        let Some((reply, len)) = resp::reply(input).map_err(|_| self.odd(input))? else {
            return Ok(None);
        };
        if let Reply::Long(_) = reply {
            return Err(self.odd(input));
        }
        match self.asked.pop_front() {
            Some(what) => Ok(Some((what, reply, len))),
            None => Err(self.odd(input)),
        }
    }

    /// Why an error that may come to anything ends the talk; `None` where it depends on what was asked.
    pub(super) fn refusal(&self, question: Question, line: &[u8]) -> Option<Refusal> {
        meaning(question, &self.shown(line), self.login.user.as_deref())
    }

    /// Bytes that make no sense here.
    pub(super) fn odd(&self, input: &[u8]) -> Refusal {
        if !self.login.tls && input.starts_with(b"\x15\x03") {
            return Refusal::Final("it answers in TLS: write rediss://".to_owned());
        }
        let start = input.split(|b| *b == b'\n').next().unwrap_or_default();
        let start = self.shown(start[..start.len().min(1024)].trim_ascii_end());
        Refusal::Final(format!("it does not answer as Redis does: \"{start}\""))
    }

    pub(super) fn closed(&self, rest: &[u8]) -> Refusal {
        if let Some(line) = rest.strip_prefix(b"-") {
            return Refusal::Failed(format!("it closed the connection: \"{}\"", self.shown(line)));
        }
        Refusal::Failed(match (self.heard, self.login.tls) {
            (false, false) => "it closed the connection before it answered: is this a TLS port? then write rediss://".to_owned(),
            _ => "it closed the connection: see its log".to_owned(),
        })
    }

    pub(super) fn shown(&self, line: &[u8]) -> String {
        shown(line, &String::from_utf8_lossy(&self.login.password()))
    }
}
