//! What is said to a server over a connection of ours while a dump is read to it: what, without saying it.

use std::fmt;
use std::sync::Arc;

use crate::dialogue::{Endpoint, Refusal, Tls};

/// A server, and what it is to be told or asked.
#[derive(Clone)]
pub struct Errand {
    /// Where it is; the first that answers is taken.
    pub endpoints: Vec<Endpoint>,
    /// How the connection is encrypted, if it is.
    pub tls: Option<Tls>,
    /// What is said.
    pub speech: Arc<dyn Speech>,
}

/// A talk, as a value.
pub trait Speech: Send + Sync {
    /// Begins it anew.
    fn begin(&self) -> Box<dyn Talk>;

    /// What it is, for people and without secrets: `RESTORE of each key`.
    fn summary(&self) -> String;
}

/// One side of a talk with a server: a state machine that does no I/O.
pub trait Talk: Send {
    /// Whether it can take more of the dump now; while it cannot, it waits for answers.
    fn is_ready(&self) -> bool;

    /// The next bytes of the dump, in chunks of any size.
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Refusal>;

    /// The dump is over, and was proven to be what was stored.
    fn end(&mut self) -> Result<(), Refusal>;

    /// What is to be sent next; `None` when there is nothing at the moment.
    fn outgoing(&mut self) -> Option<Vec<u8>>;

    /// Looks at what has come and is not used up; how many bytes of it are now. None where more has to come first.
    fn hear(&mut self, input: &[u8]) -> Result<usize, Refusal>;

    /// Whether everything is answered.
    fn is_over(&self) -> bool;

    /// What it means that the server has closed the connection, after these bytes that are not used up.
    fn closed(&self, rest: &[u8]) -> Refusal;

    /// What came of it, line by line.
    fn told(self: Box<Self>) -> Vec<String>;
}

/// What will be said and to whom, without secrets.
impl fmt::Display for Errand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoints: Vec<_> = self.endpoints.iter().map(ToString::to_string).collect();
        let tls = if self.tls.is_some() { " over TLS" } else { "" };
        write!(f, "{} to {}{tls}", self.speech.summary(), endpoints.join(", "))
    }
}
