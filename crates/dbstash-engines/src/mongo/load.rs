//! An archive, or files, back into a server by `mongorestore`. Nothing of that is one transaction: a collection of its own is the
//! mark while it is not complete.

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{Server, Source};
use dbstash_core::load::{Excuse, Feed, Load, Script, Side, Stage, Survey, Target, Wish, older};
use dbstash_core::manifest::Object;

use super::{ASKER, address, inherited};

/// The backup of all databases of a server.
const ALL: &str = "*";

pub(super) fn survey(wish: &Wish<'_>) -> Result<Survey, PlanError> {
    let question = asker(wish, "survey", &[])?;
    Ok(Survey::Ask { question, read, missing: |_| None })
}

pub(super) fn load(wish: &Wish<'_>, target: &Target) -> Result<Load, PlanError> {
    let object = wish.dump()?;
    let is_tree = match object.format.as_str() {
        "archive" => false,
        "directory" => true,
        other => {
            return Err(PlanError(format!(
                "a dump of the format {other} is not known to this version"
            )));
        }
    };
    if wish.extent.side != Side::All {
        return Err(PlanError(
            "--schema-only and --data-only are not for mongo: mongorestore always restores both"
                .to_owned(),
        ));
    }
    if let Some(why) = older(object.passed.server_version.as_deref(), target.version.as_deref()) {
        return Err(PlanError(why));
    }
    let run = |what, invocation| Stage::Run { what, invocation };
    let clean: &[&str] = if wish.clean { &["clean"] } else { &[] };
    let words = [&[wish.manifest.id.as_str()], clean].concat();
    let mut script = Script::of(0, mongorestore(wish, object, is_tree)?);
    let mut stages = Vec::new();
    if is_tree {
        // It reads the files itself, and says all that it does as it does of an archive.
        script.feed = Feed::Files(Vec::new());
        stages.push(Stage::Copy { object: 0, file: "dump" });
    }
    script.excuse = Some(excuse);
    let mut notes = Vec::new();
    if wish.clean && !target.is_empty() {
        notes.push(format!("every collection of {} is dropped first", wish.database));
    }
    if !wish.extent.tables.is_empty() {
        notes.push(format!("only these collections: {}", wish.extent.tables.join(", ")));
    }
    let mark = Some(stages.len());
    stages.extend([
        run("the mark cannot be set", asker(wish, "mark", &words)?),
        Stage::Script(script),
        run("the mark cannot be taken away", asker(wish, "unmark", &[])?),
    ]);
    Ok(Load { stages, mark, notes, ..Load::default() })
}

/// mongorestore of this object, its address and secrets in a private file.
fn mongorestore(wish: &Wish<'_>, object: &Object, is_tree: bool) -> Result<Invocation, PlanError> {
    let server = server(wish)?;
    let mut invocation = Invocation::new("mongorestore", [""; 0]);
    let content = address::config(server, false);
    invocation.args.push(Arg::File { before: "--config=".to_owned(), content });
    invocation.args.push(if is_tree {
        Arg::Tree { before: "--dir=".to_owned(), inside: String::new(), after: String::new() }
    } else {
        Arg::Plain("--archive".to_owned())
    });
    let mut word = |word: String| invocation.args.push(Arg::Plain(word));
    if object.passed.check.starts_with("gzip") {
        word("--gzip".to_owned());
    }
    word("--stopOnError".to_owned());
    let of = pattern(&wish.manifest.database);
    if wish.extent.tables.is_empty() {
        word(format!("--nsInclude={of}.*"));
    }
    for table in &wish.extent.tables {
        word(format!("--nsInclude={of}.{}", pattern(table)));
    }
    if wish.database != wish.manifest.database {
        word(format!("--nsFrom={of}.*"));
        word(format!("--nsTo={}.*", pattern(wish.database)));
    }
    invocation.inherits = inherited(server);
    Ok(invocation)
}

/// A name as a pattern that only it matches.
fn pattern(name: &str) -> String {
    let mut pattern = String::new();
    for c in name.chars() {
        if matches!(c, '*' | '\\' | '$') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Our own program, with the address in a private file.
fn asker(wish: &Wish<'_>, command: &str, words: &[&str]) -> Result<Invocation, PlanError> {
    asking(server(wish)?, wish.database, command, words)
}

/// The same about any database.
pub(super) fn asking(
    server: &Server,
    database: &str,
    command: &str,
    words: &[&str],
) -> Result<Invocation, PlanError> {
    let mut invocation = Invocation::new(ASKER, [command]);
    let content = address::for_driver(server).map_err(|_| {
        PlanError(
            "with this authMechanism or key password dbstash cannot ask the server what it holds: dbstash show tells \
             how to restore by mongorestore"
                .to_owned(),
        )
    })?;
    invocation.args.push(Arg::File { before: String::new(), content });
    invocation.args.push(Arg::Plain(database.to_owned()));
    invocation.args.extend(words.iter().map(|word| Arg::Plain((*word).to_owned())));
    Ok(invocation)
}

fn server<'a>(wish: &Wish<'a>) -> Result<&'a Server, PlanError> {
    if wish.manifest.database == ALL {
        return Err(PlanError(
            "a backup of all databases is not restored by this version, for it could not mark them: mongorestore \
             --archive --nsExclude 'admin.*' --nsExclude 'config.*' does it; dbstash show tells the whole line"
                .to_owned(),
        ));
    }
    match wish.source {
        Source::Server(server) => Ok(server),
        Source::File(_) => {
            Err(PlanError("mongo is restored into a server: --to mongodb://host/db".to_owned()))
        }
    }
}

/// What our program says: words and names, each ended by a NUL.
fn read(said: &str) -> Result<Target, String> {
    let mut target = Target { exists: true, ..Target::default() };
    let (mut collections, mut is_over) = (0, false);
    for line in said.split_terminator('\0') {
        match line.split_once(' ') {
            Some(("version", version)) => target.version = Some(version.to_owned()),
            Some(("mark", of)) => target.mark = Some(of.to_owned()),
            Some(("collection", _)) => collections += 1,
            _ => is_over |= line == "end",
        }
    }
    if !is_over {
        return Err(format!("{ASKER} said only a part of it"));
    }
    if collections > 0 {
        target.holds.push(format!("{collections} collections"));
    }
    target.exists = collections > 0 || target.mark.is_some();
    Ok(target)
}

/// mongorestore says all that it does on stderr, each line after a time and a tab.
fn excuse(line: &str) -> Excuse {
    let text = line.split_once('\t').map_or(line, |(_, text)| text);
    let failed = ["Failed:", "error ", "error:", "continuing through error"];
    if failed.iter().any(|start| text.starts_with(start)) {
        return Excuse::None;
    }
    if let Some((_, count)) = text.split_once("restored successfully. ") {
        return if count.starts_with("0 ") { Excuse::Quiet } else { Excuse::None };
    }
    if text.to_ascii_lowercase().starts_with("warning") { Excuse::Told } else { Excuse::Quiet }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tool_says() {
        for (line, meaning) in [
            ("2026-01-01T00:00:00.000+0000\tpreparing collections to restore from", Excuse::Quiet),
            ("t\tfinished restoring shop.error (7 documents, 0 failures)", Excuse::Quiet),
            (
                "t\t7 document(s) restored successfully. 0 document(s) failed to restore.",
                Excuse::Quiet,
            ),
            (
                "t\t7 document(s) restored successfully. 2 document(s) failed to restore.",
                Excuse::None,
            ),
            ("t\tFailed: shop.x: error restoring from archive", Excuse::None),
            ("t\terror parsing command line options: unknown option", Excuse::None),
            ("t\tWarning: the index is of no use", Excuse::Told),
        ] {
            assert_eq!(excuse(line), meaning, "{line}");
        }
    }

    #[test]
    fn what_our_program_says() {
        let target =
            read("version 7.0.1\0mark 2026-x\0collection a b\0collection c\n\0end\0").unwrap();
        assert_eq!(target.version.as_deref(), Some("7.0.1"));
        assert_eq!(
            (target.mark.as_deref(), &target.holds[..]),
            (Some("2026-x"), &["2 collections".to_owned()][..])
        );
        assert!(read("version 7.0.1\0").is_err());
        assert!(!read("version 7.0.1\0end\0").unwrap().exists);
    }

    #[test]
    fn names_are_no_patterns() {
        assert_eq!(pattern("a*b\\c$d.é"), "a\\*b\\\\c\\$d.é");
    }
}
