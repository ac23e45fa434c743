//! Folders that are backups: listed, and deleted when they are too many.

use chrono::{TimeDelta, Utc};
use dbstash_core::catalog::{Backup, Catalog};
use dbstash_core::drill::Trial;
use dbstash_core::engine::Passed;
use dbstash_core::job::{
    Databases, EngineKey, Globals, Hooks, Job, Limits, Mode, Naming, Replication, Server, Source,
    SqliteFormat,
};
use dbstash_core::manifest::{FORMAT, Manifest, Object, name_for};
use dbstash_core::prune::PrunePlan;
use dbstash_core::remote::Remote as _;
use dbstash_core::retention::Policy;
use dbstash_core::state::StateDir;
use dbstash_testkit::{RemoteKind, Scratch, TestRemote};

use super::remote;
use super::trees::{odd, restored, stored};

fn job() -> Job {
    Job {
        counts: true,
        drift: 0,
        id: "j".parse().unwrap(),
        engine: EngineKey::Pg,
        source: Source::Server(Server::default()),
        databases: Databases::Named(vec!["shop".into()]),
        exclude: Vec::new(),
        native_compression: false,
        compression: None,
        globals: Globals::Off,
        extra_args: Vec::new(),
        naming: Naming {
            template: "{db}".parse().unwrap(),
            extension: None,
            zone: "UTC".parse().unwrap(),
            host: "box".into(),
        },
        limits: Limits { timeout: None, stall: None, min_size: 1 },
        retention: Policy { max_files: Some(1), ..Policy::default() },
        retries: 0,
        verify_after: None,
        drill_after: None,
        trial: Trial::default(),
        exclusive: true,
        mode: Mode::Directory,
        sqlite_format: SqliteFormat::Sql,
        jobs: 1,
        temp_dir: std::env::temp_dir(),
        replication: Replication::default(),
        hooks: Hooks::default(),
    }
}

/// A folder of [`odd`] files, the list beside it, and its manifest.
async fn backup(fixture: &TestRemote, name: &str, age: i64) {
    let files = odd();
    stored(&remote(fixture), &format!("{name}/"), &files).await;
    fixture.write(&format!("{name}.sha256"), b"list");
    let started = Utc::now() - TimeDelta::days(age);
    let object = |name: String, files, bytes| Object {
        names: None,
        name: name.rsplit('/').next().unwrap().to_owned(),
        files,
        format: "directory".into(),
        bytes,
        raw_bytes: bytes,
        sha256: "00".into(),
        encodings: Vec::new(),
        passed: Passed::by("toc"),
        counts: dbstash_core::tally::Counts::Untold,
    };
    let bytes = files.values().map(|bytes| bytes.len() as u64).sum();
    let manifest = Manifest {
        format: FORMAT,
        id: name.to_owned(),
        job: "j".parse().unwrap(),
        engine: EngineKey::Pg,
        database: "shop".into(),
        mode: "directory".into(),
        objects: vec![
            object(name.to_owned(), Some(files.len() as u64), bytes),
            object(format!("{name}.sha256"), None, 4),
        ],
        started,
        ended: started,
        host: "box".into(),
        dbstash: "0".into(),
    };
    fixture.write(&name_for(name), &manifest.write());
}

#[tokio::test]
async fn folders_are_kept_and_deleted_as_a_whole() {
    for kind in [RemoteKind::Local, RemoteKind::Sftp, RemoteKind::S3, RemoteKind::CryptS3] {
        let Some(fixture) = TestRemote::start(kind) else { continue };
        for (name, age) in [("d/1", 1), ("d/2", 2), ("d/20", 3), ("d/3", 4), ("d/4", 5)] {
            backup(&fixture, name, age).await;
        }
        // In the third and the fourth lies what is somebody else's, in one a backup even; beside others, too.
        for name in
            ["d/20/foreign", "d/3/theirs.sql", "d/3/theirs.sql.dbstash.json", "d/2.sql", "d/2-/f"]
        {
            fixture.write(name, b"stay");
        }
        let remote = remote(&fixture);
        let cache = Scratch::new("cache");
        let catalog = Catalog::load(&remote, cache.path(), Utc::now()).await.unwrap();
        let names: Vec<_> = catalog.backups.iter().flat_map(Backup::objects).collect();
        assert_eq!(
            names,
            ["d/1/", "d/1.sha256", "d/2/", "d/2.sha256", "d/4/", "d/4.sha256"],
            "{kind}"
        );
        let mut broken: Vec<_> = catalog.broken.iter().map(|b| &*b.manifest_name).collect();
        broken.sort_unstable();
        assert_eq!(
            broken,
            ["d/20.dbstash.json", "d/3.dbstash.json", "d/3/theirs.sql.dbstash.json"]
        );
        for name in ["d/2.sql", "d/2-/f"] {
            assert!(catalog.others.iter().any(|other| other == name), "{:?}", catalog.others);
        }
        let inside = |folder: &str| catalog.others.iter().any(|other| other.starts_with(folder));
        assert!(!inside("d/1/") && !inside("d/2/"), "{:?}", catalog.others);

        let before = fixture.names();
        let plan = PrunePlan::new(&catalog, &job(), None, Utc::now());
        let state = StateDir::open(&cache.path().join("state")).unwrap();
        let pruned = plan.carry_out(&remote, &state, Utc::now()).await.unwrap();
        assert_eq!((pruned.gone, pruned.trouble(2)), (2, None));
        let goes = |name: &String| {
            ["d/2", "d/4"].iter().any(|gone| {
                name.starts_with(&format!("{gone}/"))
                    || *name == format!("{gone}.sha256")
                    || *name == format!("{gone}.dbstash.json")
            })
        };
        let stays: Vec<_> = before.into_iter().filter(|name| !goes(name)).collect();
        assert_eq!(fixture.names(), stays, "{kind}");
        assert!(restored(&fixture, "d/1/") == odd());
        assert!(!remote.any(&["d/2/", "d/4/"]).await.unwrap());
        // No markers of folders, which some servers of S3 keep.
        if kind == RemoteKind::S3 {
            let left = fixture.stored();
            assert!(left.keys().all(|name| !name.contains("d/2/") && !name.contains("d/4/")));
        }
    }
}
