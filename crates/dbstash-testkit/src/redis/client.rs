//! A connection of a test's own to a server of Redis' protocol.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A connection; what takes longer than a minute is an error.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// What a server answers.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// A line.
    Simple(String),
    /// A refusal.
    Error(String),
    /// A number.
    Int(i64),
    /// Bytes, or none.
    Bulk(Option<Vec<u8>>),
    /// Several, or none.
    Array(Option<Vec<Reply>>),
}

impl Client {
    /// Connects to a loopback port.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a command and waits for its answer. What the server refuses is an answer, too.
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> io::Result<Reply> {
        self.stream.get_mut().write_all(&command(words))?;
        self.reply()
    }

    /// Sends many commands at once and waits for the answers; panics when one is refused.
    pub fn pipeline(&mut self, commands: &[Vec<Vec<u8>>]) {
        for some in commands.chunks(500) {
            let bytes: Vec<u8> = some.iter().flat_map(|words| command(words)).collect();
            self.stream.get_mut().write_all(&bytes).unwrap();
            for words in some {
                let reply = self.reply().unwrap();
                assert!(!matches!(reply, Reply::Error(_)), "{reply:?}: {}", shown(words));
            }
        }
    }

    /// The next answer.
    pub fn reply(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        let Some((kind, rest)) = text.split_at_checked(1) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let number = || rest.parse::<i64>().map_err(|_| io::Error::other(text.clone()));
        Ok(match kind {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Int(number()?),
            "$" => match usize::try_from(number()?) {
                Err(_) => Reply::Bulk(None),
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes)?;
                    bytes.truncate(length);
                    Reply::Bulk(Some(bytes))
                }
            },
            "*" => match usize::try_from(number()?) {
                Err(_) => Reply::Array(None),
                Ok(count) => {
                    Reply::Array(Some((0..count).map(|_| self.reply()).collect::<Result<_, _>>()?))
                }
            },
            _ => return Err(io::Error::other(text)),
        })
    }
}

impl Reply {
    /// Its text, of whatever kind it is; that of several apart by line breaks.
    pub fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) => text.clone(),
            Self::Int(number) => number.to_string(),
            Self::Bulk(bytes) => {
                String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
            }
            Self::Array(_) => self.items().iter().map(Self::text).collect::<Vec<_>>().join("\n"),
        }
    }

    /// The bytes of a bulk; panics when it is none.
    pub fn bytes(self) -> Vec<u8> {
        match self {
            Self::Bulk(Some(bytes)) => bytes,
            other => panic!("no bytes: {other:?}"),
        }
    }

    /// The elements of several.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(Some(items)) => items,
            _ => &[],
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.300}", self.text())
    }
}

/// A command as it goes over the wire.
pub fn command<W: AsRef<[u8]>>(words: &[W]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        bytes.extend(format!("${}\r\n", word.len()).bytes());
        bytes.extend(word);
        bytes.extend(b"\r\n");
    }
    bytes
}

/// A command as a message shows it.
fn shown(words: &[Vec<u8>]) -> String {
    let words: Vec<_> =
        words.iter().map(|word| format!("{:.60}", word.escape_ascii().to_string())).collect();
    words.join(" ")
}
