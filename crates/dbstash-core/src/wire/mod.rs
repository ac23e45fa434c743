//! The only place that opens a connection: it drives a [`Dialogue`] until the server sends its dump, and then hands
//! that on; and a [`Talk`](crate::errand::Talk), by which a server is told one.

mod flow;
mod socket;
mod spill;
pub(crate) mod talk;
mod tls;
mod touch;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

pub use self::flow::Received;
use self::socket::{Socket, connect};
pub use self::touch::{Contact, resolve, touch};
use crate::artifact::ProduceError;
use crate::chance::chance;
use crate::dialogue::{Call, Dialogue, Next, Refusal};

/// As much is read at a time.
const CHUNK: usize = 256 * 1024;
/// How long a server may not take what we say to it.
const SEND: Duration = Duration::from_secs(30);
/// How long to wait before a server that cannot answer yet is asked again: twice as long each time, and not longer.
const WAITS: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(15)];

/// Talks to a server until the first bytes of its dump are there. A server that cannot answer yet is asked again;
/// `tell` is told why, once for each reason.
pub async fn call(call: &Call, tell: &(dyn Fn(String) + Sync)) -> Result<Received, ProduceError> {
    let begun = Instant::now();
    let (mut wait, mut told) = (WAITS[0], String::new());
    loop {
        let (server, refusal) = match attempt(call).await {
            Ok(line) => return Ok(Received::new(line, call.spool.clone())),
            Err(refused) => refused,
        };
        match refusal {
            Refusal::Later(what) => {
                if call.patience.is_some_and(|patience| begun.elapsed() + wait > patience) {
                    let what = format!("{what} (asked again for {:?})", begun.elapsed());
                    return Err(ProduceError::Server { server, what, lasting: false });
                }
                if told != what {
                    let until = match call.patience {
                        Some(patience) => {
                            format!("for {} minutes", patience.as_secs().div_ceil(60))
                        }
                        None => "until BACKUP_TIMEOUT".to_owned(),
                    };
                    tell(format!("{server}: {what}; asking again {until}"));
                    told = what;
                }
                // Many that wait for one server should not all come at once.
                tokio::time::sleep(wait.mul_f64(1.0 + chance() / 2.0)).await;
                wait = (wait * 2).min(WAITS[1]);
            }
            Refusal::Unsupported(what) => {
                return Err(ProduceError::Unsupported(format!("{server}: {what}")));
            }
            Refusal::Failed(what) => {
                return Err(ProduceError::Server { server, what, lasting: false });
            }
            Refusal::Final(what) => {
                return Err(ProduceError::Server { server, what, lasting: true });
            }
        }
    }
}

/// Has a conversation that ends without a dump, once; its remarks are what was found out.
pub async fn ask(call: &Call) -> Result<Vec<String>, ProduceError> {
    let refused = |(server, refusal): (String, Refusal)| {
        let lasting = matches!(refusal, Refusal::Final(_) | Refusal::Unsupported(_));
        ProduceError::Server { server, what: refusal.to_string(), lasting }
    };
    let mut line = dial(call).await.map_err(refused)?;
    match line.converse().await {
        Ok(()) => Ok(line.dialogue.remarks()),
        Err(refusal) => Err(refused((line.server, refusal))),
    }
}

/// A connection on which nothing has been said.
async fn dial(call: &Call) -> Result<Line, (String, Refusal)> {
    let (socket, server) = connect(&call.endpoints, call.tls.as_ref()).await?;
    let dialogue = call.protocol.begin();
    let input = vec![0; CHUNK];
    Ok(Line { socket, dialogue, input, at: 0, filled: 0, begun: None, server })
}

/// A connection on which the dump has begun, or who refused it and why.
async fn attempt(call: &Call) -> Result<Line, (String, Refusal)> {
    let mut line = dial(call).await?;
    match line.greet().await {
        Ok(()) => Ok(line),
        Err(refusal) => Err((line.server, refusal)),
    }
}

/// A conversation with a server that is under way.
struct Line {
    socket: Box<dyn Socket>,
    dialogue: Box<dyn Dialogue>,
    /// What has come, the part from `at` to `filled` not used up.
    input: Vec<u8>,
    at: usize,
    filled: usize,
    /// What the dialogue made of the first bytes of the dump.
    begun: Option<Next>,
    /// The server's address.
    server: String,
}

impl Line {
    /// Until there is dump to be had.
    async fn greet(&mut self) -> Result<(), Refusal> {
        loop {
            match self.next().await? {
                Next::Skip(n) => self.at += n,
                Next::More => self.receive().await?,
                begun @ Next::Dump(_) => {
                    self.begun = Some(begun);
                    return Ok(());
                }
                Next::End => return Err(self.dialogue.closed(&[])),
            }
        }
    }

    /// Until all is said; dump that comes all the same is of no interest.
    async fn converse(&mut self) -> Result<(), Refusal> {
        loop {
            match self.next().await? {
                Next::Skip(n) => self.at += n,
                Next::More => self.receive().await?,
                Next::Dump(_) | Next::End => return Ok(()),
            }
        }
    }

    /// Says what is to be said, and then what the dialogue makes of what is there.
    async fn next(&mut self) -> Result<Next, Refusal> {
        if let Some(begun) = self.begun.take() {
            return Ok(begun);
        }
        self.say().await?;
        let next = self.dialogue.advance(&self.input[self.at..self.filled]);
        // An answer to the last word of a failed dialogue is of no interest.
        if next.is_ok() {
            self.say().await?;
        }
        next
    }

    async fn say(&mut self) -> Result<(), Refusal> {
        let words = self.dialogue.outgoing();
        self.send(&words).await
    }

    async fn send(&mut self, words: &[u8]) -> Result<(), Refusal> {
        if words.is_empty() {
            return Ok(());
        }
        let sending = async {
            self.socket.write_all(words).await?;
            self.socket.flush().await
        };
        match timeout(SEND, sending).await {
            Ok(Ok(())) => Ok(()),
            // Why a server hangs up is said in what it sent before.
            Ok(Err(_)) if self.filled > self.at => Ok(()),
            Ok(Err(error)) => Err(self.lost(&error)),
            Err(_) => Err(Refusal::Failed(format!("it takes no byte for {SEND:?}"))),
        }
    }

    /// More input, when none of it is of use yet.
    async fn receive(&mut self) -> Result<(), Refusal> {
        self.make_room()?;
        let reading = self.socket.read(&mut self.input[self.filled..]);
        let n = match self.dialogue.silent_for() {
            None => reading.await,
            Some(limit) => match timeout(limit, reading).await {
                Ok(n) => n,
                Err(_) => {
                    return Err(Refusal::Failed(format!(
                        "it accepted the connection, and has not answered for {limit:?}: is it stopped, or busy \
                         with something long?"
                    )));
                }
            },
        };
        match n {
            Ok(0) => Err(self.dialogue.closed(&self.input[self.at..self.filled])),
            Ok(n) => {
                self.filled += n;
                Ok(())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    fn make_room(&mut self) -> Result<(), Refusal> {
        if self.at > 0 {
            self.input.copy_within(self.at..self.filled, 0);
            self.filled -= self.at;
            self.at = 0;
        }
        if self.filled < self.input.len() {
            return Ok(());
        }
        Err(Refusal::Final("it sends an answer without an end".to_owned()))
    }

    /// A connection that broke: what the server said last may tell why.
    fn lost(&self, error: &std::io::Error) -> Refusal {
        if let Some(reason) = tls::reason(error) {
            return Refusal::Final(reason);
        }
        let rest = &self.input[self.at..self.filled];
        match self.dialogue.closed(rest) {
            Refusal::Failed(what) => Refusal::Failed(format!("{what} ({error})")),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
