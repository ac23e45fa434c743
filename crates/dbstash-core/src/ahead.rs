//! A dump that is read before it is stored, as far as it is small.

use std::time::Duration;

use async_trait::async_trait;

use crate::artifact::{ProduceError, Producer};

/// A producer of which the beginning, or all, is in memory.
pub struct Ahead {
    producer: Box<dyn Producer>,
    held: Vec<u8>,
    at: usize,
    /// What the producer had to remark at its end, if that has come.
    ended: Option<String>,
}

impl Ahead {
    /// Reads `most` bytes at the most. A dump that is over by then has ended well, or this is its error: nothing of it
    /// needs to be begun elsewhere.
    pub async fn read(mut producer: Box<dyn Producer>, most: usize) -> Result<Self, ProduceError> {
        let (mut held, mut filled, mut ended) = (vec![0; most], 0, None);
        while filled < most {
            match producer.read(&mut held[filled..]).await? {
                0 => {
                    ended = Some(producer.finish().await?);
                    break;
                }
                n => filled += n,
            }
        }
        held.truncate(filled);
        Ok(Self { producer, held, at: 0, ended })
    }
}

#[async_trait]
impl Producer for Ahead {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
        let n = buf.len().min(self.held.len() - self.at);
        if n == 0 && self.ended.is_none() {
            return self.producer.read(buf).await;
        }
        buf[..n].copy_from_slice(&self.held[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }

    async fn finish(&mut self) -> Result<String, ProduceError> {
        match &self.ended {
            Some(remarks) => Ok(remarks.clone()),
            None => self.producer.finish().await,
        }
    }

    async fn stop(&mut self, grace: Duration) -> String {
        self.producer.stop(grace).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Script(&'static [u8], Option<Result<&'static str, ()>>);

    #[async_trait]
    impl Producer for Script {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize, ProduceError> {
            let n = buf.len().min(self.0.len()).min(3);
            buf[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }

        async fn finish(&mut self) -> Result<String, ProduceError> {
            // Once only, as a real one.
            let end = self.1.take().unwrap();
            let what = "cut short".to_owned();
            end.map(str::to_owned)
                .map_err(|()| ProduceError::Incomplete { what, stderr: String::new() })
        }

        async fn stop(&mut self, _grace: Duration) -> String {
            String::new()
        }
    }

    async fn rest(ahead: &mut Ahead) -> Vec<u8> {
        let (mut all, mut buf) = (Vec::new(), [0; 4]);
        while let n @ 1.. = ahead.read(&mut buf).await.unwrap() {
            all.extend_from_slice(&buf[..n]);
        }
        all
    }

    #[tokio::test]
    async fn nothing_is_lost_or_told_twice() {
        for most in [1, 4, 5, 6, 100] {
            let script = Script(b"hello", Some(Ok("a remark")));
            let mut ahead = Ahead::read(Box::new(script), most).await.unwrap();
            assert_eq!(rest(&mut ahead).await, b"hello", "{most}");
            assert_eq!(ahead.finish().await.unwrap(), "a remark");
        }
    }

    #[tokio::test]
    async fn a_small_one_that_fails_has_failed_before_it_begins() {
        let script = || Box::new(Script(b"hello", Some(Err(()))));
        assert!(Ahead::read(script(), 6).await.is_err());
        let mut big = Ahead::read(script(), 5).await.unwrap();
        assert_eq!(rest(&mut big).await, b"hello");
        assert!(big.finish().await.is_err());
    }
}
