//! Counting beside the stream, on a thread of its own, in the chunks that are on their way anyhow.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;

use tokio::sync::oneshot::{Receiver, channel};

use super::lane::Taker;
use crate::tally::{Counting, Counts, Tally};

/// Whoever counts, or why nobody does.
pub(crate) enum Counter {
    Thread(Receiver<Counts>),
    Nobody(Counts),
}

/// No backup fails because it could not be counted.
const FAILED: &str = "counting failed";

impl Counter {
    /// Starts a thread for whoever counts, with an end of the lane that `taker` makes. It ends with the lane.
    pub(crate) fn start(counting: Counting, taker: impl FnOnce() -> Taker) -> Self {
        match counting {
            Counting::Off => Self::Nobody(Counts::Untold),
            Counting::Not(why) => Self::Nobody(Counts::without(why)),
            Counting::By(tally) => {
                let chunks = taker();
                let (told, counts) = channel();
                let work = move || {
                    let _ = told.send(count(tally, &mut { chunks }));
                };
                let thread: io::Result<_> = Builder::new().name("tally".to_owned()).spawn(work);
                match thread {
                    Ok(_) => Self::Thread(counts),
                    Err(_) => Self::Nobody(Counts::without(FAILED)),
                }
            }
        }
    }

    /// What was counted, when the lane is over.
    pub(crate) async fn counts(self) -> Counts {
        match self {
            Self::Thread(counts) => counts.await.unwrap_or_else(|_| Counts::without(FAILED)),
            Self::Nobody(counts) => counts,
        }
    }
}

fn count(tally: Box<dyn Tally>, chunks: &mut Taker) -> Counts {
    let mut tally = Some(tally);
    while let Some(chunk) = chunks.wait_to_take() {
        // Whatever becomes of it, the chunks have to go round.
        tally = tally.and_then(|mut tally| {
            let fed = || {
                tally.feed(chunk.bytes());
                tally
            };
            catch_unwind(AssertUnwindSafe(fed)).ok()
        });
        chunks.give_back(chunk);
    }
    let finish = |tally: Box<dyn Tally>| catch_unwind(AssertUnwindSafe(|| tally.finish())).ok();
    tally.and_then(finish).unwrap_or_else(|| Counts::without(FAILED))
}
