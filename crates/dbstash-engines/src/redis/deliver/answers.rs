//! What the server's answers to the parts of a restore mean.

use dbstash_core::dialogue::Refusal;
use dbstash_core::load::OnExisting;

use super::super::question::Question;
use super::super::resp::{Reply, number};
use super::{Asked, Last, MARK, Telling};

impl Telling {
    /// An answer to what was asked.
    pub(super) fn answered(&mut self, asked: &Asked, reply: &Reply<'_>) -> Result<(), Refusal> {
        match (asked, reply) {
            (Asked::Fine("FLUSHALL"), Reply::Array(done)) => {
                if let Some(Reply::Error(line)) =
                    done.iter().find(|reply| matches!(reply, Reply::Error(_)))
                {
                    return Err(self.refused(&Asked::Fine("FLUSHALL"), line));
                }
            }
            (Asked::Mark, Reply::Bulk(_)) => {
                return Err(Refusal::Final("another restore has begun there meanwhile".to_owned()));
            }
            (Asked::Time, Reply::Array(time)) => {
                if let [Reply::Bulk(seconds), ..] = &time[..]
                    && let Some(seconds) = number(seconds)
                {
                    self.now = i64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
                }
            }
            (Asked::Evicted, Reply::Bulk(info)) => self.thrown_out(info),
            (Asked::Remark(lost), _) => {
                return Err(Refusal::Final(format!(
                    "it has thrown out {lost} keys meanwhile for want of memory: give it more (maxmemory)"
                )));
            }
            (Asked::Exists(key), Reply::Line(count)) if *count != b"0" => {
                return Err(Refusal::Final(format!(
                    "{key} is there already: --on-existing skip leaves it, --on-existing replace replaces it"
                )));
            }
            (Asked::Key(_), Reply::Error(line)) if line.starts_with(b"BUSYKEY") && self.skips() => {
                self.skipped += 1;
            }
            (Asked::Functions, Reply::Error(line)) if self.skips() && is_taken(line) => {
                self.skipped += 1;
            }
            (Asked::Name, _) | (_, Reply::Line(_)) => {}
            (asked, Reply::Error(line)) => return Err(self.refused(asked, line)),
            _ => return Err(self.queue.odd(b"")),
        }
        Ok(())
    }

    fn skips(&self) -> bool {
        self.terms.on_existing == Some(OnExisting::Skip)
    }

    /// Keys that went again for want of memory are not restored.
    fn thrown_out(&mut self, info: &[u8]) {
        let info = String::from_utf8_lossy(info);
        let count = info.lines().find_map(|line| line.strip_prefix("evicted_keys:"));
        let count = count.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or(0);
        if let Some(before) = self.evicted.replace(count)
            && count > before
        {
            self.last = vec![Last::Remark(count - before)];
        }
    }

    fn refused(&self, asked: &Asked, line: &[u8]) -> Refusal {
        let question = if let Asked::Auth = asked { Question::Auth } else { Question::Info };
        if let Some(refusal) = self.queue.refusal(question, line) {
            return refusal;
        }
        let shown = self.queue.shown(line);
        let what = match asked {
            Asked::Key(key) => format!("{key} is refused: \"{shown}\""),
            Asked::Functions => format!("a library of functions is refused: \"{shown}\""),
            Asked::Mark => format!("the mark cannot be set (the key {MARK}): \"{shown}\""),
            Asked::Fine(words) => format!("{words} is refused: \"{shown}\""),
            _ => format!("it refuses: \"{shown}\""),
        };
        let way = match shown.split(' ').next() {
            Some("OOM") => ": give it more memory (maxmemory)",
            Some("READONLY") => ": it has become a replica; restore into its master",
            Some("MISCONF") => ": it cannot save to its own disk",
            _ => "",
        };
        Refusal::Final(format!("{what}{way}"))
    }
}

/// A library of this name, or functions of these names, are there.
fn is_taken(line: &[u8]) -> bool {
    String::from_utf8_lossy(line).contains("already exists")
}
