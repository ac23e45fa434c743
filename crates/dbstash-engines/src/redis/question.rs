//! What a replica says, in what order.

use std::borrow::Cow;

use dbstash_core::job::SyncMode;
use dbstash_core::secret::ExposeSecret;
use percent_encoding::percent_decode_str;

use super::resp;
use super::sync::Psync;

/// What a replica asks, in order and one at a time, so that it is known what an error is about. It does not say a port
/// (`REPLCONF listening-port`): a Sentinel would take it for a replica that can be made a master.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// Who we are.
    Auth,
    /// What the server is; it need not say.
    Info,
    /// How long it waits for us to read; it need not say.
    Timeout,
    /// What we understand.
    Capa,
    /// That we want nothing after the dump; servers before Redis 7 do not know it.
    RdbOnly,
    /// To Valkey, that we are as new as it is: it would make an older dump.
    Version,
    /// The dump.
    Psync,
}

impl Psync {
    /// What is asked first.
    pub(super) fn first(&self) -> Question {
        let login = self.user.is_some() || !self.password().is_empty();
        if login { Question::Auth } else { Question::Info }
    }

    /// What is asked next.
    pub(super) fn after(&self, question: Question, valkey: Option<&str>) -> Question {
        match question {
            Question::Auth => Question::Info,
            Question::Info if self.mode != SyncMode::Disk => Question::Timeout,
            Question::Info | Question::Timeout => Question::Capa,
            Question::Capa if !self.follow => Question::RdbOnly,
            Question::Capa | Question::RdbOnly if valkey.is_some() => Question::Version,
            _ => Question::Psync,
        }
    }

    /// The command, with the version that a Valkey says it has.
    pub(super) fn words(&self, question: Question, valkey: Option<&str>) -> Vec<u8> {
        let words: &[&str] = match question {
            Question::Auth => {
                let user = self.user.as_deref().map(str::as_bytes);
                let password = self.password();
                let words = [Some(&b"AUTH"[..]), user, Some(&password[..])];
                return resp::command(&words.into_iter().flatten().collect::<Vec<_>>());
            }
            Question::Info => &["INFO"],
            Question::Timeout => &["CONFIG", "GET", "repl-timeout"],
            Question::Capa if self.mode == SyncMode::Disk => &["REPLCONF", "capa", "psync2"],
            Question::Capa => &["REPLCONF", "capa", "eof", "capa", "psync2"],
            Question::RdbOnly => &["REPLCONF", "rdb-only", "1"],
            Question::Version => &["REPLCONF", "version", valkey.unwrap_or_default()],
            Question::Psync => &["PSYNC", "?", "-1"],
        };
        resp::command(words)
    }

    /// The password as the server has it.
    pub(super) fn password(&self) -> Cow<'_, [u8]> {
        let password = self.password.as_ref().map_or("", ExposeSecret::expose_secret);
        if self.encoded { percent_decode_str(password).into() } else { password.as_bytes().into() }
    }
}
