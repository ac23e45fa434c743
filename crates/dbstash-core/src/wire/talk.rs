//! A talk with a server, driven over a connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::socket::{Socket, connect};
use super::{CHUNK, tls};
use crate::dialogue::Refusal;
use crate::errand::{Errand, Talk};

/// How long a server may not take a byte, or leave a question without an answer: a large value takes long.
const SILENT: Duration = Duration::from_secs(300);

/// A talk that is under way.
pub(crate) struct Speaker {
    socket: Box<dyn Socket>,
    talk: Box<dyn Talk>,
    input: Vec<u8>,
    filled: usize,
    /// The server's address.
    pub(crate) server: String,
}

impl Speaker {
    /// Connects; or who refused it and why.
    pub(crate) async fn open(errand: &Errand) -> Result<Self, (String, Refusal)> {
        let (socket, server) = connect(&errand.endpoints, errand.tls.as_ref()).await?;
        let talk = errand.speech.begin();
        Ok(Self { socket, talk, input: vec![0; CHUNK], filled: 0, server })
    }

    /// Tells the next bytes of a dump, when what was said before is answered far enough.
    pub(crate) async fn feed(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.say().await?;
        while !self.talk.is_ready() {
            self.hear().await?;
        }
        self.talk.feed(bytes)?;
        self.say().await
    }

    /// Says the last words, and waits for all answers; what came of it.
    pub(crate) async fn end(mut self) -> Result<Vec<String>, (String, Refusal)> {
        match self.ended().await {
            Ok(()) => Ok(self.talk.told()),
            Err(refusal) => Err((self.server, refusal)),
        }
    }

    async fn ended(&mut self) -> Result<(), Refusal> {
        self.say().await?;
        while !self.talk.is_ready() {
            self.hear().await?;
        }
        self.talk.end()?;
        self.say().await?;
        while !self.talk.is_over() {
            self.hear().await?;
        }
        Ok(())
    }

    async fn say(&mut self) -> Result<(), Refusal> {
        while let Some(words) = self.talk.outgoing() {
            for piece in words.chunks(CHUNK) {
                self.send(piece).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, words: &[u8]) -> Result<(), Refusal> {
        let sending = async {
            self.socket.write_all(words).await?;
            self.socket.flush().await
        };
        match timeout(SILENT, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                // Why it hangs up may be said in what it sent before.
                loop {
                    match self.receive().await {
                        Ok(true) => self.look()?,
                        _ => return Err(self.lost(&error)),
                    }
                }
            }
            Err(_) => Err(Refusal::Failed(format!("it takes no byte for {SILENT:?}"))),
        }
    }

    /// Waits for more answers, and says what follows from them.
    async fn hear(&mut self) -> Result<(), Refusal> {
        match self.receive().await {
            Ok(true) => {}
            Ok(false) => return Err(self.talk.closed(&self.input[..self.filled])),
            Err(error) => return Err(self.lost(&error)),
        }
        self.look()?;
        self.say().await
    }

    /// More input, or `false` at its end.
    async fn receive(&mut self) -> std::io::Result<bool> {
        if self.filled == self.input.len() {
            return Err(std::io::Error::other("it sends an answer without an end"));
        }
        let reading = self.socket.read(&mut self.input[self.filled..]);
        let Ok(n) = timeout(SILENT, reading).await else {
            return Err(std::io::Error::other(format!("it has not answered for {SILENT:?}")));
        };
        let n = n?;
        self.filled += n;
        Ok(n > 0)
    }

    fn look(&mut self) -> Result<(), Refusal> {
        let mut at = 0;
        while at < self.filled {
            match self.talk.hear(&self.input[at..self.filled])? {
                0 => break,
                n => at += n,
            }
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    fn lost(&self, error: &std::io::Error) -> Refusal {
        if let Some(reason) = tls::reason(error) {
            return Refusal::Final(reason);
        }
        match self.talk.closed(&self.input[..self.filled]) {
            Refusal::Failed(what) => Refusal::Failed(format!("{what} ({error})")),
            other => other,
        }
    }
}
