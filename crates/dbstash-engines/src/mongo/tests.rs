use dbstash_core::job::Databases;
use dbstash_core::secret::ExposeSecret as _;
use glob::Pattern;

use super::*;
use crate::conn::parse_uri;

fn job(uri: &str, words: &[&str]) -> Job {
    let connection = parse_uri(uri).unwrap();
    let databases = Databases::Named(vec!["shop".into()]);
    let mut job = Job::new("j".parse().unwrap(), EngineKey::Mongo, connection.source, databases);
    job.extra_args = words.iter().map(|&word| word.to_owned()).collect();
    job
}

fn one() -> Database {
    Database::One("shop".into())
}

fn plan(words: &[&str], compress: bool, database: &Database) -> Result<Plan, PlanError> {
    let mut job = job("mongodb://u:hunter22@h/shop", words);
    job.native_compression = compress;
    Mongo.plan(&job, database)
}

fn shown(words: &[&str], compress: bool, database: &Database) -> (String, &'static str) {
    let dump = plan(words, compress, database).unwrap().dump;
    (dump.invocations()[0].to_string(), dump.format().extension)
}

#[test]
fn what_is_started() {
    let start = "mongodump --config=<private file>";
    assert_eq!(shown(&[], false, &one()), (format!("{start} --archive --db=shop"), "archive"));
    assert_eq!(
        shown(&[], true, &one()),
        (format!("{start} --archive --gzip --db=shop"), "archive.gz")
    );
    assert_eq!(
        shown(&["--gzip"], false, &Database::All),
        (format!("{start} --archive --gzip"), "archive.gz")
    );
    assert_eq!(shown(&["--gzip"], true, &Database::All).1, "archive.gz");
    assert_eq!(
        shown(&["--archive", "--oplog"], false, &Database::All).0,
        format!("{start} --archive --oplog")
    );
    let bare = shown(&["-c", "x", "--out=-"], true, &one());
    assert_eq!(bare, (format!("{start} --db=shop -c x --out=-"), "bson"));
    let dashed = shown(&[], false, &Database::One("-x".into())).0;
    assert!(dashed.ends_with(" --db=-x"), "{dashed}");
    assert_eq!(plan(&["--out=/x"], false, &one()).unwrap().warnings.len(), 1);
}

#[test]
fn the_address_is_in_the_private_file_alone() {
    let dump = plan(&[], false, &Database::All).unwrap().dump;
    let invocation = dump.invocations()[0];
    assert!(!format!("{invocation:?}").contains("hunter22"));
    let Some(Arg::File { before, content }) = invocation.args.first() else {
        panic!("{invocation:?}");
    };
    assert_eq!(before, "--config=");
    let text = content.expose_secret();
    // The database of the URI is not the one of the user any more, but it has been.
    assert!(
        text.contains("mongodb://u@h/?authSource=shop&") && text.contains("password: \"hunter22\"")
    );
}

#[test]
fn files_of_their_own() {
    let shown = |words: &[&str], compress: bool, jobs: u32| {
        let mut job = job("mongodb://h/shop", words);
        (job.mode, job.native_compression, job.jobs) = (Mode::Directory, compress, jobs);
        let plan = Mongo.plan(&job, &one()).unwrap();
        let Dump::Tree(tree) = plan.dump else { panic!() };
        (tree.steps[0].invocation.to_string(), tree.format.compressed, plan.warnings.len())
    };
    let start = "mongodump --config=<private file> --out=<temporary directory>";
    let one = format!("{start} --numParallelCollections=1 --db=shop");
    assert_eq!(shown(&[], false, 1), (one, false, 0));
    let two = format!("{start} --numParallelCollections=2 --gzip --db=shop");
    assert_eq!(shown(&[], true, 2), (two, true, 0));
    assert_eq!(shown(&["-j3"], false, 2).0, format!("{start} --db=shop -j3"));
    assert_eq!(shown(&["--archive"], false, 2).2, 1);
}

#[test]
fn what_cannot_be_planned() {
    let told = |words: &[&str], database: &Database| {
        plan(words, false, database).err().unwrap().to_string()
    };
    assert!(told(&["--oplog"], &one()).contains("BACKUP_ALL_DATABASES=true"));
    assert!(told(&["--db=x"], &one()).contains("DB_NAME"));
    let mut all = job("mongodb://h/", &[]);
    all.exclude = vec![Pattern::new("tmp_*").unwrap()];
    let told = Mongo.plan(&all, &Database::All).err().unwrap().to_string();
    assert!(told.contains("BACKUP_SPLIT_DATABASES=true"), "{told}");
    let told = Mongo.plan(&job("mongodb://:x@h/", &[]), &one()).err().unwrap().to_string();
    assert!(told.contains("DB_USER"), "{told}");
}

#[test]
fn a_zone_may_know_better() {
    let mut job = job("mongodb+srv://u:p@cluster.example/login", &[]);
    let Source::Server(server) = &mut job.source else { panic!() };
    server.params.push(("dbname".into(), "login".into()));
    let warnings = Mongo.plan(&job, &Database::All).unwrap().warnings;
    assert!(warnings[0].contains("authSource=login"), "{warnings:?}");
    assert!(Mongo.plan(&job, &Database::One("login".into())).unwrap().warnings.is_empty());
}

#[test]
fn bare_documents_end_where_they_say() {
    let documents = [5, 0, 0, 0, 0, 5, 0, 0, 0, 0];
    for end in 0..=documents.len() {
        let mut check = Box::new(Bare::default());
        check.feed(&documents[..end]);
        assert_eq!(check.finish().is_ok(), end % 5 == 0, "{end}");
    }
}

#[test]
fn what_mongodump_packs_is_not_counted() {
    for (words, compress, counted) in
        [(&[][..], false, true), (&[], true, false), (&["--gzip"], false, false)]
    {
        let plan = plan(words, compress, &one()).unwrap();
        let Dump::Stream(stream) = plan.dump else { panic!("{words:?}") };
        assert_eq!(matches!(stream.counting, Counting::By(_)), counted, "{words:?}");
    }
}
