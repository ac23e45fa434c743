//! An archive, or files, back into a server by `mongorestore`. Nothing of that is one transaction: a collection of its own is the
//! mark while it is not complete.

use dbstash_core::engine::PlanError;
use dbstash_core::invocation::{Arg, Invocation};
use dbstash_core::job::{Server, Source};
use dbstash_core::load::{
    Excuse, Feed, Load, MARK, Script, Side, Stage, Survey, Target, Wish, older,
};
use dbstash_core::manifest::Object;

use super::{ASKER, address, inherited};

/// The backup of all databases of a server.
pub(super) const ALL: &str = "*";
/// What of a server is not restored with its databases: whom it knows, how it is set up, and the mark of another restore.
const LEFT: [&str; 4] = ["admin", "config", "local", MARK];

pub(super) fn survey(wish: &Wish<'_>) -> Result<Survey, PlanError> {
    let question = asker(wish, "survey", &[])?;
    let read = if is_whole(wish) { read_all } else { read };
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
    if is_whole(wish) {
        wish.refuse_parts("a dump of all databases")?;
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
    let mut notes = if is_whole(wish) { of_whole(wish, target) } else { Vec::new() };
    if wish.clean && !target.is_empty() && !is_whole(wish) {
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

/// What there is to know before a whole server is restored.
fn of_whole(wish: &Wish<'_>, target: &Target) -> Vec<String> {
    let mut notes = Vec::new();
    if wish.clean && !target.holds.is_empty() {
        notes.push(format!(
            "--clean: every database of the server is dropped first, whoever made it: {}",
            target.holds.join(", ")
        ));
    }
    notes.extend(
        [
            "users and roles are not restored, nor is anything else of admin, config and local",
            "of a dump with --oplog, what was written while it was taken is not replayed: mongorestore cannot do that and \
             leave out admin; by hand (dbstash show) it does with --oplogReplay",
        ]
        .map(str::to_owned),
    );
    notes
}

fn is_whole(wish: &Wish<'_>) -> bool {
    wish.manifest.database == ALL
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
    if is_whole(wish) {
        for name in LEFT {
            word(format!("--nsExclude={name}.*"));
        }
    } else {
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

/// Our own program about the database that is restored, or about the whole server: those words are others, for a database may
/// have any name.
fn asker(wish: &Wish<'_>, command: &str, words: &[&str]) -> Result<Invocation, PlanError> {
    let server = server(wish)?;
    if is_whole(wish) {
        return asking(server, &format!("{command}-all"), words);
    }
    asking(server, command, &[&[wish.database], words].concat())
}

/// Our own program, with the address in a private file.
pub(super) fn asking(
    server: &Server,
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
    invocation.args.extend(words.iter().map(|word| Arg::Plain((*word).to_owned())));
    Ok(invocation)
}

fn server<'a>(wish: &Wish<'a>) -> Result<&'a Server, PlanError> {
    match wish.source {
        Source::Server(server) => Ok(server),
        Source::File(_) => {
            Err(PlanError("mongo is restored into a server: --to mongodb://host/db".to_owned()))
        }
    }
}

/// What our program says of a database: words and names, each ended by a NUL.
fn read(said: &str) -> Result<Target, String> {
    let mut target = answer(said)?;
    let collections = target.facts.len();
    target.facts.clear();
    if collections > 0 {
        target.holds.push(format!("{collections} collections"));
    }
    target.exists = !target.is_empty();
    Ok(target)
}

/// The same of a server: what it holds has to be named, for all of it may go.
fn read_all(said: &str) -> Result<Target, String> {
    let mut target = answer(said)?;
    target.holds = std::mem::take(&mut target.facts);
    Ok(target)
}

/// What is there is among the facts, each a word and a name.
fn answer(said: &str) -> Result<Target, String> {
    let mut target = Target { exists: true, ..Target::default() };
    let mut is_over = false;
    for line in said.split_terminator('\0') {
        match line.split_once(' ') {
            Some(("version", version)) => target.version = Some(version.to_owned()),
            Some(("mark", of)) => target.mark = Some(of.to_owned()),
            Some(("collection" | "database", _)) => target.facts.push(line.to_owned()),
            _ => is_over |= line == "end",
        }
    }
    if is_over { Ok(target) } else { Err(format!("{ASKER} said only a part of it")) }
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
    use dbstash_core::job::EngineKey;
    use dbstash_core::load::Extent;
    use dbstash_core::manifest::Manifest;

    use super::*;
    use crate::conn::parse_uri;

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
    fn a_server_is_named_database_by_database() {
        let target = read_all("version 7.0.1\0database a\0database b c\0end\0").unwrap();
        assert_eq!(target.holds, ["database a", "database b c"]);
        let target = read_all("version 7.0.1\0mark 2026-x\0end\0").unwrap();
        assert!(target.exists && !target.is_empty() && target.mark.as_deref() == Some("2026-x"));
        assert!(read_all("version 7.0.1\0end\0").unwrap().is_empty());
        assert!(read_all("version 7.0.1\0database a\0").is_err());
    }

    /// The programs, a line each, and the notes.
    fn planned(
        of: &str,
        extent: &Extent,
        clean: bool,
        target: &Target,
    ) -> Result<Vec<String>, String> {
        let text = format!(
            r#"{{"format": 1, "id": "x", "job": "j", "engine": "mongo", "database": "{of}", "mode": "stream",
              "objects": [{{"name": "x.archive", "format": "archive", "bytes": 1, "raw_bytes": 1, "sha256": "{:064}",
              "encodings": [], "check": "blocks"}}], "started": "2026-01-01T00:00:00Z",
              "ended": "2026-01-01T00:00:01Z", "host": "h", "dbstash": "0"}}"#,
            0
        );
        let manifest = Manifest::read("x.archive.dbstash.json", text.as_bytes()).unwrap();
        let source = parse_uri("mongodb://u:geheim@h").unwrap().source;
        let (engine, jobs) = (EngineKey::Mongo, 1);
        // A database may be called so where it is one.
        let database = "*";
        let wish =
            Wish { manifest: &manifest, engine, source: &source, database, extent, clean, jobs };
        let load = load(&wish, target).map_err(|error| error.to_string())?;
        assert!(load.mark == Some(0) && !load.atomic);
        let Survey::Ask { question, .. } = survey(&wish).unwrap() else { panic!("no question") };
        let mut said = vec![question.to_string()];
        said.extend(load.stages.iter().map(|stage| match stage {
            Stage::Run { invocation, .. } => invocation.to_string(),
            Stage::Script(script) => script.loader.to_string(),
            _ => panic!("another stage"),
        }));
        said.extend(load.notes);
        Ok(said)
    }

    #[test]
    fn a_whole_server_is_another_word_than_a_database_of_that_name() {
        let (all, nothing) = (Extent::default(), Target::default());
        let whole = planned(ALL, &all, false, &nothing).unwrap();
        assert_eq!(
            whole[..4],
            [
                "dbstash-mongo survey-all <private file>",
                "dbstash-mongo mark-all <private file> x",
                "mongorestore --config=<private file> --archive --stopOnError '--nsExclude=admin.*' \
                 '--nsExclude=config.*' '--nsExclude=local.*' '--nsExclude=dbstash_restore_incomplete.*'",
                "dbstash-mongo unmark-all <private file>",
            ]
        );
        assert!(whole[4].contains("users and roles are not restored"), "{whole:?}");
        assert!(whole.len() == 6 && whole[5].contains("--oplogReplay"), "{whole:?}");
        let holds = vec!["database a".to_owned(), "database b".to_owned()];
        let full = Target { holds, ..Target::default() };
        let clean = planned(ALL, &all, true, &full).unwrap();
        assert_eq!(clean[1], "dbstash-mongo mark-all <private file> x clean");
        assert!(clean[4].ends_with("whoever made it: database a, database b"), "{clean:?}");
        let one = planned("shop", &all, true, &full).unwrap();
        assert_eq!(one[0], "dbstash-mongo survey <private file> '*'");
        assert_eq!(one[1], "dbstash-mongo mark <private file> '*' x clean");
        assert!(
            one[2].contains("'--nsInclude=shop.*' '--nsFrom=shop.*' '--nsTo=\\*.*'"),
            "{one:?}"
        );
        assert_eq!(one[3], "dbstash-mongo unmark <private file> '*'");
        assert_eq!(one[4..], ["every collection of * is dropped first"]);
    }

    #[test]
    fn a_whole_server_has_no_parts() {
        let refused = |extent: Extent| planned(ALL, &extent, true, &Target::default()).unwrap_err();
        let table = Extent { tables: vec!["t".to_owned()], ..Extent::default() };
        let told = refused(table);
        assert!(told.contains("--table is not for a dump of all databases"), "{told}");
        for side in [Side::Schema, Side::Data] {
            let told = refused(Extent { side, ..Extent::default() });
            assert!(told.contains("--schema-only and --data-only are not for mongo"), "{told}");
        }
    }

    #[test]
    fn names_are_no_patterns() {
        assert_eq!(pattern("a*b\\c$d.é"), "a\\*b\\\\c\\$d.é");
    }
}
