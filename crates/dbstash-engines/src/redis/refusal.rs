//! What a server's error means, and the way out.

use dbstash_core::dialogue::Refusal;

use super::question::Question;

/// As much of a line is shown.
const SHOWN: usize = 200;

/// In what words servers and services say that they do not have a command.
const UNKNOWN: [&str; 5] =
    ["unknown command", "not available", "not allowed", "not supported", "disabled"];

/// What it means that the server answers `question` with this error; `None` where it does not matter.
pub(super) fn meaning(question: Question, error: &str, user: Option<&str>) -> Option<Refusal> {
    let user = user.unwrap_or("default");
    let kind = error.split([' ', ':']).next().unwrap_or_default();
    let has = |text: &str| error.to_ascii_lowercase().contains(text);
    let refusal = match kind {
        "LOADING" => later("it is loading its data set", error),
        "MASTERDOWN" | "NOMASTERLINK" => later(
            "it is a replica and has lost its own master, which could be backed up instead",
            error,
        ),
        "BUSY" => later("a script keeps it busy", error),
        "TRYAGAIN" => later("it cannot answer now", error),
        "DENIED" => Refusal::Final(format!(
            "its protected mode lets nobody in from elsewhere (\"{error}\"): give it a password, or set protected-mode no \
             where its network is private"
        )),
        "NOAUTH" => Refusal::Final(format!(
            "it asks for a password and none is set (\"{error}\"): set it in DB_URI, or in DB_PASSWORD where DB_HOST is set"
        )),
        "WRONGPASS" => wrong(error),
        _ if has("max number of clients") => later("it has no connection left (maxclients)", error),
        _ => return of(question, kind, error, user),
    };
    Some(refusal)
}

/// The same of errors that mean something else after another question.
fn of(question: Question, kind: &str, error: &str, user: &str) -> Option<Refusal> {
    let has = |text: &str| error.to_ascii_lowercase().contains(text);
    let rule = format!("ACL SETUSER {user} +psync +replconf");
    let refusal = match question {
        Question::Auth if has("invalid password") => wrong(error),
        Question::Auth if has("without any password") || has("no password is set") => {
            Refusal::Final(format!(
                "it has no password, and one is set here (\"{error}\"): leave it out of DB_URI and DB_PASSWORD"
            ))
        }
        Question::Auth if has("wrong number of arguments") => Refusal::Final(format!(
            "it knows no users (\"{error}\"): leave the user out of DB_URI and DB_USER, Redis has them from version 6 on"
        )),
        Question::Auth => Refusal::Final(format!("it refuses to log us in: \"{error}\"")),
        Question::Capa | Question::RdbOnly | Question::Version if kind == "NOPERM" => {
            Refusal::Final(format!(
                "the user {user} may not run REPLCONF (\"{error}\"): {rule}; no keys (~*) are needed"
            ))
        }
        Question::Psync if kind == "NOPERM" => Refusal::Unsupported(format!(
            "the user {user} may not run PSYNC (\"{error}\"): {rule}, no keys (~*) are needed; where a managed service \
             does not allow it, and SYNC is allowed, set REDIS_METHOD=cli"
        )),
        Question::Psync if UNKNOWN.iter().any(|text| has(text)) => Refusal::Unsupported(format!(
            "it does not do PSYNC (\"{error}\"): managed services often forbid it; where ACLs are why, {rule}; where \
             SYNC is allowed, set REDIS_METHOD=cli; otherwise use the service's own backups"
        )),
        Question::Psync if has("bgsave failed") => Refusal::Failed(format!(
            "it could not make a dump (\"{error}\"): see its log, it may lack memory to fork or room on its disk"
        )),
        Question::Psync => Refusal::Final(format!("it refuses to replicate: \"{error}\"")),
        // It need not say what it is; and what older ones do not know is seen by what they send.
        _ => return None,
    };
    Some(refusal)
}

fn later(what: &str, error: &str) -> Refusal {
    Refusal::Later(format!("{what} (\"{error}\")"))
}

fn wrong(error: &str) -> Refusal {
    Refusal::Final(format!(
        "it refuses the user or the password (\"{error}\"): check DB_URI, or DB_USER and DB_PASSWORD"
    ))
}

/// A server's line for people: cut, without control characters, and without `secret`. Servers repeat the arguments of
/// a command that they do not know.
pub(super) fn shown(line: &[u8], secret: &str) -> String {
    let line = String::from_utf8_lossy(line);
    let line = line.split(", with args beginning with").next().unwrap_or_default();
    let line = if secret.is_empty() { line.to_owned() } else { line.replace(secret, "***") };
    let mut shown = String::new();
    for c in line.trim_end().chars() {
        if shown.len() >= SHOWN {
            shown.push_str("...");
            break;
        }
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}
