//! Into a database of its own on a server of the user's.

use dbstash_testkit::{
    MongoServer, Mongodump, RemoteKind, Scratch, Signal, TestRemote, bins, tools,
};
use serde_json::{Value, json};

use super::{drill, expect, marks};
use crate::scene::{PATIENCE, dbstash};

#[test]
fn what_came_back_is_counted() {
    bins::mongo_asker();
    let Some(server) = MongoServer::start("canary pw") else { return };
    let Some(remote) = TestRemote::start(RemoteKind::Local) else { return };
    server.seed("shop", 300);
    let work = Scratch::new("work");
    let run = dbstash(&remote)
        .env("PATH", server.path(Mongodump::Fake).unwrap())
        .env("DB_URI", server.root_uri("shop"))
        .env("BACKUP_TEMP_DIR", work.path());
    run.run(PATIENCE).expect_code(0);
    let nowhere = drill(&run);
    expect(&nowhere, 4, "DRILL_URI names a server for drills", work.path());

    let run = run.env("DRILL_URI", server.root_uri(""));
    let digest = server.digest("shop");
    let done = drill(&run.clone().sampled());
    expect(&done, 0, "as many as were counted", work.path());
    assert!(!done.to_string().contains("canary"), "{done}");
    let shown = done.samples.as_ref().unwrap().args_with("canary");
    assert!(shown.is_empty(), "{shown:?}");

    // Killed in the middle: the next one drops what is left.
    let slow = Scratch::new("slow");
    let here = slow.path().join("here");
    let text = format!("#!/bin/sh\ntouch '{}'\nexec sleep 60\n", here.display());
    tools::write_program(&slow.path().join("mongorestore"), &text);
    let path = server.path(Mongodump::Fake).unwrap();
    let path = format!("{}:{}", slow.path().display(), path.to_string_lossy());
    let mut running = run.clone().env("PATH", path).args(["verify", "--level", "restore"]).spawn();
    running.wait_until(PATIENCE, |_| here.exists());
    running.signal(Signal::KILL);
    running.wait(PATIENCE);
    assert!(server.keep(&["names"]).contains("dbstash_drill_"));
    expect(&drill(&run), 0, "as many as were counted", work.path());
    let databases = server.keep(&["names"]);
    assert!(!databases.contains("drill"), "{databases}");

    // A document more than came back.
    let name = remote.names().into_iter().find(|name| name.ends_with(".dbstash.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&remote.read(&name)).unwrap();
    let counts = manifest["objects"][0]["counts"].as_object_mut().unwrap();
    let (collection, count) = counts.iter_mut().next().unwrap();
    let said = format!("{collection}: {count} of");
    *count = json!(count.as_u64().unwrap() + 1);
    remote.write(&name, &serde_json::to_vec(&manifest).unwrap());
    let done = drill(&run);
    expect(&done, 1, &said, work.path());
    // What is found out last is what stands.
    assert_eq!((marks(&remote, "restored"), marks(&remote, "corrupt")), (0, 1));

    let sql = drill(&run.clone().env("DRILL_SQL", "SELECT 1"));
    expect(&sql, 4, "DRILL_SQL is not for mongo", work.path());
    let dead = server.root_uri("").replace(&server.port().to_string(), "1");
    let dead = dead + "&serverSelectionTimeoutMS=500";
    let done = drill(&run.clone().env("DRILL_URI", dead));
    expect(&done, 4, "", work.path());
    let databases = server.keep(&["names"]);
    assert!(!databases.contains("drill"), "{databases}");
    assert_eq!(server.digest("shop"), digest);
}
