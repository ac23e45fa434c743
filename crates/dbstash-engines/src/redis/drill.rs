//! A drill: a server of its own reads the file as it starts, as one that is put right after a loss does.

use std::path::Path;

use dbstash_core::checkup::Tool;
use dbstash_core::drill::{Census, Drill, Found, Ground, Place};
use dbstash_core::engine::PlanError;
use dbstash_core::invocation::Invocation;
use dbstash_core::tally::Counts;

/// How many databases a server has that is not told.
const USUAL: usize = 16;

pub(super) fn drill(ground: &Ground<'_>) -> Result<Drill, PlanError> {
    let Place::Private(dir) = ground.place else {
        return Err(PlanError(
            "DRILL_URI is not for redis, which has no database that can be made and dropped: unset it, and a private \
             server is started"
                .to_owned(),
        ));
    };
    let dump = ground.manifest.dump();
    let counts = match dump.map(|dump| &dump.counts) {
        Some(Counts::Of(counts)) => counts.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let number = |name: &String| name.strip_prefix("db").and_then(|number| number.parse().ok());
    let databases = counts.iter().filter_map(number).max().map_or(USUAL, |most: usize| most + 1);
    let version = dump.and_then(|dump| dump.passed.server_version.clone()).unwrap_or_default();
    let is_valkey = version.to_ascii_lowercase().contains("valkey");
    let (server, cli) =
        if is_valkey { ("valkey-server", "valkey-cli") } else { ("redis-server", "redis-cli") };
    let package = if is_valkey { "Valkey" } else { "Redis" };
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let databases = databases.max(USUAL).to_string();
    let (folder, socket) = (dir.to_string_lossy().into_owned(), path("s"));
    // A replica, of nobody: it keeps keys whose time is over, and all that were counted can be counted again.
    let args = [
        ["--port", "0"],
        ["--unixsocket", &socket],
        ["--dir", &folder],
        ["--dbfilename", "dump.rdb"],
        ["--appendonly", "no"],
        ["--databases", &databases],
        ["--daemonize", "no"],
    ];
    let mut args: Vec<String> = args.concat().iter().map(|&word| word.to_owned()).collect();
    args.extend(["--save", "", "--replicaof", "127.0.0.1", "1"].map(str::to_owned));
    let asked = |words: &[&str]| asked(cli, Path::new(&socket), words);
    let read = move |said: &str| read(said, &counts);
    let assertions = ground.assertions.iter().map(|line| {
        // With the kind of each reply: an error is none of a string's letters.
        let words: Vec<&str> = ["--no-raw"].into_iter().chain(line.split_whitespace()).collect();
        asked(&words)
    });
    Ok(Drill {
        folders: vec!["/usr/local/bin".to_owned(), "/usr/sbin".to_owned()],
        file: Some((0, dir.join("dump.rdb"))),
        server: Some(Invocation::new(server, args)),
        ready: Some(asked(&["PING"])),
        is_ready: |said| said.trim() == "PONG",
        census: Some(Census { question: asked(&["INFO", "keyspace"]), read: Box::new(read) }),
        assertions: assertions.collect(),
        reply,
        tools: vec![Tool::any(server, "--version", package), Tool::any(cli, "--version", package)],
        ..Drill::new()
    })
}

fn asked(cli: &str, socket: &Path, words: &[&str]) -> Invocation {
    let socket = socket.to_string_lossy();
    Invocation::new(cli, ["-s", &socket].iter().chain(words).copied())
}

/// What redis-cli shows, without the kinds: `(integer) 1`, `"yes"`, and `1) (integer) 1` of a list.
fn reply(said: &str) -> Result<String, String> {
    let mut all = String::new();
    for line in said.lines() {
        let number = |at: usize| line[..at].trim().bytes().all(|byte| byte.is_ascii_digit());
        let line = match line.find(") ") {
            Some(at) if number(at) => &line[at + 2..],
            _ => line,
        };
        if let Some(what) = line.strip_prefix("(error) ") {
            return Err(what.to_owned());
        }
        let text = line.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        all.push_str(text.or_else(|| line.strip_prefix("(integer) ")).unwrap_or(line));
        all.push('\n');
    }
    Ok(all)
}

/// A database without keys is in no such list.
fn read(said: &str, counted: &[String]) -> Result<Found, String> {
    let mut found: Found = counted.iter().map(|name| (name.clone(), Some(0))).collect();
    for line in said.lines().filter(|line| line.starts_with("db")) {
        let (name, rest) = line.trim().split_once(":keys=").unwrap_or((line, ""));
        let keys = rest.split(',').next().and_then(|keys| keys.parse().ok());
        let keys = keys.ok_or_else(|| format!("INFO keyspace says {line:?}"))?;
        found.insert(name.to_owned(), Some(keys));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies() {
        for (said, text) in [
            ("(integer) 1\n", "1\n"),
            ("\"yes\"\n", "yes\n"),
            ("OK\n", "OK\n"),
            ("1) (integer) 1\n2) \"true\"\n", "1\ntrue\n"),
            ("\"(error) is a word of it\"\n", "(error) is a word of it\n"),
            ("(nil)\n", "(nil)\n"),
            ("", ""),
        ] {
            assert_eq!(reply(said).as_deref(), Ok(text), "{said}");
        }
        for said in
            ["(error) ERR unknown command\n", "1) (integer) 1\n2) (error) ERR unknown command\n"]
        {
            assert_eq!(reply(said).unwrap_err(), "ERR unknown command");
        }
    }

    #[test]
    fn answers() {
        let said = "# Keyspace\r\ndb0:keys=3,expires=1,avg_ttl=0\r\ndb7:keys=1,expires=0\r\n";
        let counted = ["db0", "db5"].map(str::to_owned);
        let wanted = [("db0", Some(3)), ("db5", Some(0)), ("db7", Some(1))];
        let wanted = wanted.map(|(name, keys)| (name.to_owned(), keys)).into();
        assert_eq!(read(said, &counted), Ok(wanted));
        assert!(read("db0:what\r\n", &counted).is_err());
    }
}
