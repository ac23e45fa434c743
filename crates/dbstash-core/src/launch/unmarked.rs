//! A tool's output without the mark that follows the dump.

use std::time::Duration;

use async_trait::async_trait;

use crate::artifact::{ProduceError, Producer};
use crate::engine::Mark;

/// Read at a time where the caller has hardly any room.
const SMALL: usize = 4096;

/// A producer whose last bytes are held back until it is known whether they are a mark.
pub(super) struct Unmarked {
    producer: Box<dyn Producer>,
    mark: Mark,
    held: Vec<u8>,
    ended: bool,
}

impl Unmarked {
    pub(super) fn new(producer: Box<dyn Producer>, mark: Mark) -> Self {
        Self { producer, mark, held: Vec::new(), ended: false }
    }

    /// How many of the held bytes are the dump's for certain.
    fn certain(&self) -> usize {
        let before = self.held.len().saturating_sub(self.mark.len);
        match self.held.get(before..) {
            Some(last) if self.ended && !(last.len() == self.mark.len && (self.mark.is)(last)) => {
                self.held.len()
            }
            _ => before,
        }
    }

    /// Bytes of the dump into `buf`, which has room for more than is held.
    async fn read_behind(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        let before = self.held.len();
        buf[..before].copy_from_slice(&self.held);
        let n = self.producer.read(&mut buf[before..]).await?;
        self.ended = n == 0;
        let all = before + n;
        let dump = all.saturating_sub(self.mark.len);
        self.held.clear();
        self.held.extend_from_slice(&buf[dump..all]);
        Ok(dump)
    }
}

#[async_trait]
impl Producer for Unmarked {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        loop {
            let certain = self.certain();
            if certain > 0 || self.ended {
                let n = certain.min(buf.len());
                buf[..n].copy_from_slice(&self.held[..n]);
                self.held.drain(..n);
                return Ok(n);
            }
            if buf.len() >= SMALL.max(2 * self.mark.len) {
                if let n @ 1.. = self.read_behind(buf).await? {
                    return Ok(n);
                }
            } else {
                let mut more = vec![0; SMALL];
                let n = self.producer.read(&mut more).await?;
                self.ended = n == 0;
                self.held.extend_from_slice(&more[..n]);
            }
        }
    }

    async fn finish(&mut self) -> Result<String, ProduceError> {
        self.producer.finish().await
    }

    async fn stop(&mut self, grace: Duration) -> String {
        self.producer.stop(grace).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in steps of this length.
    struct Steps(Vec<u8>, usize);

    #[async_trait]
    impl Producer for Steps {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
            let n = buf.len().min(self.1).min(self.0.len());
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0.drain(..n);
            Ok(n)
        }

        async fn finish(&mut self) -> Result<String, ProduceError> {
            Ok(String::new())
        }

        async fn stop(&mut self, _grace: Duration) -> String {
            String::new()
        }
    }

    async fn read(bytes: &[u8], step: usize, room: usize) -> Vec<u8> {
        let mark = Mark { len: 4, is: |last| last == b"MARK" };
        let mut unmarked = Unmarked::new(Box::new(Steps(bytes.to_vec(), step)), mark);
        let (mut all, mut buf) = (Vec::new(), vec![0; room]);
        while let n @ 1.. = unmarked.read(&mut buf).await.unwrap() {
            all.extend_from_slice(&buf[..n]);
        }
        assert_eq!(unmarked.read(&mut buf).await.unwrap(), 0);
        all
    }

    #[tokio::test]
    async fn only_a_whole_mark_at_the_end_goes() {
        let long = [&[b'x'; 10_000][..], b"MARK"].concat();
        for room in [1, 3, 5, 4096, 9000] {
            for step in [1, 3, 4, 4097] {
                for (bytes, rest) in [
                    (&b""[..], &b""[..]),
                    (b"MAR", b"MAR"),
                    (b"MARK", b""),
                    (b"aMARK", b"a"),
                    (b"aMARKb", b"aMARKb"),
                    (b"MARKMARK", b"MARK"),
                    (&long, &long[..10_000]),
                ] {
                    assert_eq!(read(bytes, step, room).await, rest, "{bytes:?} {step} {room}");
                }
            }
        }
    }
}
