//! A dump on its way from a server: a task reads it as it comes, and goes to local disk with it where the server
//! cannot wait for whoever takes it.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{OwnedPermit, Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::spill::Spill;
use super::{CHUNK, Line};
use crate::artifact::{ProduceError, Producer};
use crate::dialogue::{Next, Refusal, Spare};

/// Chunks between the task and whoever reads: enough for both to be at work.
const AHEAD: usize = 4;
/// How often a server is told that we are there.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// After a short read, long enough for more to come: the cost of a stream is its wake-ups.
const BATCH: Duration = Duration::from_millis(1);

/// The dump that a server sends.
pub struct Received {
    server: String,
    chunks: Receiver<Message>,
    task: JoinHandle<()>,
    current: Chunk,
    ended: Option<Vec<String>>,
}

enum Message {
    Dump(Chunk),
    /// It is whole; what there is to remark.
    End(Vec<String>),
    Failed(ProduceError),
}

/// Bytes of the dump, from `at` to `end`.
#[derive(Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    at: usize,
    end: usize,
}

impl Chunk {
    fn of(bytes: Vec<u8>) -> Self {
        let end = bytes.len();
        Self { bytes, at: 0, end }
    }
}

impl Received {
    pub(super) fn new(line: Line, spare: Spare) -> Self {
        let (to, chunks) = channel(AHEAD);
        let server = line.server.clone();
        let flow = Flow { line, to, spare, spill: None, spilt: 0, kept_waiting: false };
        let task = tokio::spawn(flow.run());
        Self { server, chunks, task, current: Chunk::default(), ended: None }
    }

    fn fail(&self, what: &str) -> ProduceError {
        let (server, what) = (self.server.clone(), what.to_owned());
        ProduceError::Server { server, what, lasting: false }
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl Producer for Received {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        while self.current.at == self.current.end && self.ended.is_none() {
            match self.chunks.recv().await {
                Some(Message::Dump(chunk)) => self.current = chunk,
                Some(Message::End(remarks)) => self.ended = Some(remarks),
                Some(Message::Failed(error)) => return Err(error),
                None => return Err(self.fail("the connection is not read any more")),
            }
        }
        let Chunk { bytes, at, end } = &mut self.current;
        let n = buf.len().min(*end - *at);
        buf[..n].copy_from_slice(&bytes[*at..*at + n]);
        *at += n;
        Ok(n)
    }

    async fn finish(&mut self) -> Result<String, ProduceError> {
        match &self.ended {
            Some(remarks) => Ok(remarks.join("\n")),
            None => Err(self.fail("the dump was not read to its end")),
        }
    }

    async fn stop(&mut self, _grace: Duration) -> String {
        self.task.abort();
        String::new()
    }
}

/// The side of the server.
struct Flow {
    line: Line,
    to: Sender<Message>,
    spare: Spare,
    spill: Option<Spill>,
    /// How many bytes went to local disk.
    spilt: u64,
    /// Whether the server had to wait for longer than it may like.
    kept_waiting: bool,
}

impl Flow {
    async fn run(mut self) {
        let end = match self.pour().await {
            Ok(()) => Message::End(self.remarks()),
            Err(refusal) => Message::Failed(self.failed(&refusal)),
        };
        // Nobody waits for it any more: then nobody needs it.
        let _ = self.to.send(end).await;
    }

    async fn pour(&mut self) -> Result<(), Refusal> {
        loop {
            match self.line.next().await? {
                Next::Skip(n) => self.line.at += n,
                Next::Dump(n) => {
                    let chunk = self.line.take(n);
                    self.give(chunk).await?;
                }
                Next::More => self.more().await?,
                Next::End => break,
            }
        }
        while self.is_spilling() {
            let permit = self.permit(None).await?;
            self.unspill(permit)?;
        }
        Ok(())
    }

    /// Hands a chunk on, or puts it behind those on disk.
    async fn give(&mut self, chunk: Chunk) -> Result<(), Refusal> {
        if !self.is_spilling() {
            let patience = self.line.dialogue.unread_for().map(|limit| limit / 4);
            if let Some(permit) = self.permit(patience).await? {
                permit.send(Message::Dump(chunk));
                return Ok(());
            }
        }
        let bytes = &chunk.bytes[chunk.at..chunk.end];
        while !self.has_room(bytes.len())? {
            self.kept_waiting = true;
            let permit = self.permit(None).await?;
            if !self.is_spilling() {
                if let Some(permit) = permit {
                    permit.send(Message::Dump(chunk));
                }
                return Ok(());
            }
            self.unspill(permit)?;
        }
        if let Some(spill) = &mut self.spill {
            spill.push(bytes).map_err(|e| on_disk(&e))?;
            self.spilt += bytes.len() as u64;
        }
        Ok(())
    }

    /// More input, while what is on disk goes on its way.
    async fn more(&mut self) -> Result<(), Refusal> {
        loop {
            let spilling = self.is_spilling();
            let to = self.to.clone();
            tokio::select! {
                done = self.line.receive() => {
                    done?;
                    return self.batch().await;
                }
                permit = to.reserve_owned(), if spilling => self.unspill(permit.ok())?,
                () = tokio::time::sleep(KEEPALIVE) => self.greet_again().await?,
            }
        }
    }

    /// Waits a moment for a fuller chunk, where nobody could do anything with the one there is.
    async fn batch(&mut self) -> Result<(), Refusal> {
        let idle = self.to.capacity() == self.to.max_capacity();
        if idle && self.line.filled < CHUNK / 2 {
            // The thread, not the task: the runtime would be woken by each packet all the same.
            std::thread::sleep(BATCH);
            self.line.receive_now().await;
        }
        Ok(())
    }

    /// A place in the queue, or `None` after this long. Meanwhile the server hears of us.
    async fn permit(
        &mut self,
        patience: Option<Duration>,
    ) -> Result<Option<OwnedPermit<Message>>, Refusal> {
        let until = patience.map(|patience| Instant::now() + patience);
        loop {
            let (reserve, tick) = (self.to.clone().reserve_owned(), Instant::now() + KEEPALIVE);
            let next = until.map_or(tick, |until| until.min(tick));
            match timeout_at(next, reserve).await {
                Ok(Ok(permit)) => return Ok(Some(permit)),
                Ok(Err(_)) => return Err(Refusal::Failed("nobody takes the dump".to_owned())),
                Err(_) if until.is_some_and(|until| Instant::now() >= until) => return Ok(None),
                Err(_) => self.greet_again().await?,
            }
        }
    }

    async fn greet_again(&mut self) -> Result<(), Refusal> {
        let words = self.line.dialogue.keepalive();
        self.line.send(&words).await
    }

    fn is_spilling(&self) -> bool {
        self.spill.as_ref().is_some_and(|spill| !spill.is_empty())
    }

    /// Whether so many bytes may go to disk; the first to do so make the file.
    fn has_room(&mut self, more: usize) -> Result<bool, Refusal> {
        if self.spare.most < more as u64 {
            return Ok(false);
        }
        if self.spill.is_none() {
            self.spill = Some(Spill::make(&self.spare).map_err(|e| on_disk(&e))?);
        }
        Ok(self.spill.as_ref().is_some_and(|spill| spill.has_room(more)))
    }

    fn unspill(&mut self, permit: Option<OwnedPermit<Message>>) -> Result<(), Refusal> {
        if let (Some(permit), Some(spill)) = (permit, &mut self.spill) {
            let bytes = spill.pop(CHUNK).map_err(|e| on_disk(&e))?;
            permit.send(Message::Dump(Chunk::of(bytes)));
        }
        Ok(())
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = self.line.dialogue.remarks();
        if self.spilt > 0 {
            remarks.push(format!(
                "the remote stood still, and the server cannot wait: {} bytes of the dump went through {}",
                self.spilt,
                self.spare.dir.display()
            ));
        }
        remarks
    }

    fn failed(&self, refusal: &Refusal) -> ProduceError {
        let mut what = refusal.to_string();
        if self.kept_waiting {
            what.push_str(
                "; the remote did not take the dump for longer than the server waits, and SPOOL_MAX was used up: \
                 raise it, or set REDIS_SYNC_MODE=disk",
            );
        }
        let lasting = matches!(refusal, Refusal::Final(_));
        ProduceError::Server { server: self.line.server.clone(), what, lasting }
    }
}

impl Line {
    /// The next `n` bytes of the input, which are dump.
    fn take(&mut self, n: usize) -> Chunk {
        let (at, end) = (self.at, self.at + n);
        self.at = end;
        if n < CHUNK / 8 {
            return Chunk::of(self.input[at..end].to_vec());
        }
        let mut input = vec![0; CHUNK];
        let rest = self.filled - end;
        input[..rest].copy_from_slice(&self.input[end..self.filled]);
        (self.at, self.filled) = (0, rest);
        Chunk { bytes: std::mem::replace(&mut self.input, input), at, end }
    }

    /// What can be read without waiting; an end or an error comes again with the next read.
    async fn receive_now(&mut self) {
        while self.filled < self.input.len() {
            let now = std::future::poll_fn(|cx| {
                let mut buf = tokio::io::ReadBuf::new(&mut self.input[self.filled..]);
                let read = std::pin::Pin::new(&mut *self.socket).poll_read(cx, &mut buf);
                let n = buf.filled().len();
                std::task::Poll::Ready(match read {
                    std::task::Poll::Ready(Ok(())) => n,
                    _ => 0,
                })
            });
            match now.await {
                0 => break,
                n => self.filled += n,
            }
        }
    }
}

fn on_disk(error: &io::Error) -> Refusal {
    Refusal::Failed(format!(
        "the remote stands still, and the local disk cannot take the dump in its place: {error} (BACKUP_TEMP_DIR)"
    ))
}
