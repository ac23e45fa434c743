//! What can happen to a stored backup: how `dbstash verify` ends, what it says, and what `dbstash list` shows after it.

use dbstash_testkit::{Dbstash, RemoteKind, TestRemote, sqlite};
use serde_json::Value;

use crate::scene::{PATIENCE, backups, dbstash, listed, shop_file};

/// Two verified backups of one job and of the same size, the later one first.
struct Pair {
    remote: TestRemote,
    run: Dbstash,
    names: [String; 2],
    bytes: [Vec<u8>; 2],
    manifests: [Vec<u8>; 2],
    marks: Vec<(String, Vec<u8>)>,
}

/// What is expected of a damaged backup.
struct Told {
    code: i32,
    /// In what it prints.
    sentence: &'static str,
    /// What is listed as found out about it; none where it is not listed.
    mark: Option<&'static str>,
}

fn corrupt(sentence: &'static str) -> Told {
    Told { code: 1, sentence, mark: Some("corrupt") }
}

/// It is no backup any more, and so nothing is noted on it.
fn unlisted(code: i32, sentence: &'static str) -> Told {
    Told { code, sentence, mark: None }
}

impl Pair {
    fn make(kind: RemoteKind, compression: &str) -> Option<Self> {
        let (file, remote) = (shop_file(20)?, TestRemote::start(kind)?);
        let run = dbstash(&remote)
            .env("DB_URI", file.uri())
            .env("BACKUP_COMPRESSION", compression)
            .env("BACKUP_NAME_TEMPLATE", "a/{db}-{timestamp}-{uuid}");
        sqlite::run(&file.path, "CREATE TABLE turn (n)");
        for n in [4, 7] {
            sqlite::run(&file.path, &format!("DELETE FROM turn; INSERT INTO turn VALUES ({n})"));
            run.run(PATIENCE).expect_code(0);
        }
        let run = run.env_remove("DB_URI").env_remove("BACKUP_SCHEDULE");
        run.clone().args(["verify", "--all"]).run(PATIENCE).expect_code(0);
        let names = [0, 1].map(|n| backups(&run)[n].clone());
        let bytes = [0, 1].map(|n| remote.read(&names[n]));
        let manifests = [0, 1].map(|n| remote.read(&manifest(&names[n])));
        let marks = remote.names().into_iter().filter(|name| name.ends_with(".verified.json"));
        let marks = marks.map(|name| (name.clone(), remote.read(&name))).collect();
        Some(Self { remote, run, names, bytes, manifests, marks })
    }

    /// Everything as it was.
    fn mend(&self) {
        let mut good: Vec<(String, &Vec<u8>)> = Vec::new();
        for n in 0..2 {
            good.push((self.names[n].clone(), &self.bytes[n]));
            good.push((manifest(&self.names[n]), &self.manifests[n]));
        }
        good.extend(self.marks.iter().map(|(name, bytes)| (name.clone(), bytes)));
        let there = self.remote.objects();
        for name in there.keys().filter(|name| good.iter().all(|(known, _)| known != *name)) {
            self.remote.delete(name);
        }
        for (name, bytes) in good {
            if !there.contains_key(&name) || self.remote.read(&name) != *bytes {
                self.remote.write(&name, bytes);
            }
        }
        // The manifests are known from here on.
        assert_eq!(backups(&self.run), self.names);
    }

    /// At every level the later one is as told. Encrypted, one level says what there is to say.
    #[track_caller]
    fn expect(&self, what: &str, told: &Told) {
        let levels = match self.remote.kind() {
            RemoteKind::Local => &["bytes", "structure"][..],
            _ => &["structure"],
        };
        for &level in levels {
            let words = ["verify", &self.names[0], "--level", level];
            let done = self.run.clone().args(words).run(PATIENCE);
            let said = format!("{}{}", done.stdout, done.stderr);
            eprint!("{what}: {said}");
            assert_eq!(done.code, Some(told.code), "{what} {level}: {done}");
            assert!(said.contains(told.sentence), "{what} {level}: {done}");
            assert_eq!(said.contains("corrupt"), told.code == 1, "{what} {level}: {done}");
            let list = listed(&self.run);
            let mark = mark(&list, &self.names[0]);
            let wanted = if told.code == 0 { Some(level) } else { told.mark };
            assert_eq!(mark.as_deref(), wanted, "{what} {level}: {list}");
        }
    }

    /// The older one is good whatever happened to the other.
    #[track_caller]
    fn other_is_good(&self, what: &str) {
        let words = ["verify", &self.names[1]];
        let done = self.run.clone().args(words).run(PATIENCE);
        assert!(done.expect_code(0).stdout.starts_with("good (structure)"), "{what}: {done}");
    }
}

fn manifest(object: &str) -> String {
    format!("{object}.dbstash.json")
}

/// What is listed as found out about an object; none where no backup of it is listed.
fn mark(list: &Value, object: &str) -> Option<String> {
    let backups = list["backups"].as_array().unwrap();
    let backup = backups.iter().find(|backup| backup["paths"][0] == object)?;
    Some(backup["verified"]["result"].as_str().unwrap_or("never").to_owned())
}

/// The same text with a word changed, and as long.
fn changed(text: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into_bytes()
}

#[test]
fn each_damage_is_told_and_listed() {
    for (kind, compression) in [(RemoteKind::Local, "none"), (RemoteKind::CryptLocal, "gzip")] {
        let Some(pair) = Pair::make(kind, compression) else { return };
        eprintln!("--- {kind} {compression}");
        let Pair { remote, names, bytes, manifests, .. } = &pair;
        let (good, name) = (&bytes[0], &names[0]);
        let size = "bytes and should have";
        pair.expect("nothing", &Told { code: 0, sentence: "good", mark: Some("structure") });

        let longer = [good, &b"x"[..]].concat();
        let cut = [
            ("the last byte", &good[..good.len() - 1]),
            ("half", &good[..good.len() / 2]),
            ("all", &[][..]),
            ("none, and one more", &longer),
        ];
        for (what, bytes) in cut {
            remote.write(name, bytes);
            pair.expect(what, &unlisted(1, size));
            pair.other_is_good(what);
            pair.mend();
        }
        let mut flipped = good.clone();
        let middle = good.len() / 2;
        flipped[middle] ^= 1;
        remote.write(name, &flipped);
        pair.expect("a bit", &corrupt("its sha256 is not that of the manifest"));
        pair.other_is_good("a bit");
        pair.mend();

        // Another valid dump, of the same size: only its sum tells.
        if bytes[0].len() == bytes[1].len() {
            remote.write(name, &bytes[1]);
            pair.expect("another", &corrupt("its sha256 is not that of the manifest"));
            pair.other_is_good("another");
            remote.write(&names[1], good);
            pair.expect("swapped", &corrupt("its sha256 is not that of the manifest"));
            let all = pair.run.clone().args(["verify", "--all"]).run(PATIENCE);
            assert_eq!(all.expect_code(1).stdout.matches("corrupt").count(), 2, "{all}");
            assert_eq!(mark(&listed(&pair.run), &names[1]).as_deref(), Some("corrupt"));
            pair.mend();
        } else {
            assert_ne!(compression, "none");
        }

        remote.delete(name);
        pair.expect("no object", &unlisted(1, "is missing"));
        pair.other_is_good("no object");
        pair.mend();
        remote.delete(&manifest(name));
        pair.expect("no manifest", &unlisted(4, "what has no manifest is none"));
        let list = listed(&pair.run);
        let others = list["without_manifest"].as_array().unwrap();
        assert!(others.contains(&name.as_str().into()), "{list}");
        pair.other_is_good("no manifest");
        pair.mend();

        let of_later = changed(&manifests[0], "\"format\": 1", "\"format\": 2");
        remote.write(&manifest(name), &of_later);
        pair.run.clone().args(["list"]).run(PATIENCE).expect_code(0);
        let done = pair.run.clone().args(["verify", name]).run(PATIENCE);
        assert!(done.expect_code(4).stdout.contains("newer"), "{done}");
        pair.other_is_good("a later format");
        pair.mend();
        // As long as it was: the list has it in its cache, and whoever reads it back sees it.
        remote.write(&manifest(name), &changed(&manifests[0], "\"stream\"", "\"Stream\""));
        pair.expect("another manifest", &corrupt("its manifest has changed"));
        pair.mend();
        for (what, text) in [("an empty", &b""[..]), ("half a", &manifests[0][..200])] {
            remote.write(&manifest(name), text);
            pair.expect(what, &unlisted(1, "not a manifest"));
            pair.other_is_good(what);
            pair.mend();
        }
        pair.expect("mended", &Told { code: 0, sentence: "good", mark: Some("structure") });
    }
}

#[test]
fn what_is_forged_is_not_believed() {
    let Some(pair) = Pair::make(RemoteKind::Local, "none") else { return };
    let Pair { remote, run, names, bytes, marks, .. } = &pair;
    let text = &marks[0].1;
    // Of a manifest that there is none of: no backup, and nobody's note.
    let orphan = "a/nonesuch.sql.20260101T000000000Z.structure.verified.json";
    remote.write(orphan, text);
    let done = run.clone().args(["verify", "a/nonesuch.sql"]).run(PATIENCE);
    assert!(done.expect_code(4).stderr.contains("no backup of that name"), "{done}");
    let list = listed(run);
    assert_eq!(mark(&list, "a/nonesuch.sql"), None);
    assert!(list["without_manifest"].as_array().unwrap().contains(&orphan.into()), "{list}");
    run.clone().args(["verify", "--all"]).run(PATIENCE).expect_code(0);
    remote.delete(orphan);
    let before = remote.stored();
    let done = run.clone().args(["verify", "--all", "--dry-run"]).run(PATIENCE);
    assert_eq!(done.expect_code(0).stdout.matches("not read").count(), 2, "{done}");
    assert_eq!(remote.stored(), before);
    // A whole id is one, the beginning of ids all of those.
    let id = list["backups"][0]["id"].as_str().unwrap();
    for (text, many) in [(id, 1), (&id[..2], 2), ("9", 0)] {
        let done = run.clone().args(["verify", text]).run(PATIENCE);
        assert_eq!(done.stdout.matches("good").count(), many, "{done}");
        done.expect_code(if many > 0 { 0 } else { 4 });
    }

    // From before the backup: of another one of the same name.
    remote.write(&format!("{}.20200101T000000000Z.corrupt.verified.json", names[0]), text);
    assert_eq!(mark(&listed(run), &names[0]).as_deref(), Some("structure"));

    // From a clock that is years ahead: what is found out now is not hidden by it.
    remote.write(&format!("{}.29990101T000000000Z.structure.verified.json", names[0]), text);
    remote.write(&names[0], &bytes[1]);
    pair.expect("a mark ahead of its time", &corrupt("its sha256"));
    remote.write(&names[0], &bytes[0]);
    remote.write(&format!("{}.29990101T000000000Z.corrupt.verified.json", names[0]), text);
    let good = Told { code: 0, sentence: "good", mark: Some("structure") };
    run.clone().args(["verify", &names[0]]).run(PATIENCE).expect_code(0);
    assert_eq!(mark(&listed(run), &names[0]).as_deref(), good.mark);
}

/// Each part of an encrypted file: its magic, its nonce, the sum of a block, what is in it, its end.
#[test]
fn encrypted_bytes_that_changed_are_corrupt() {
    let Some(pair) = Pair::make(RemoteKind::CryptLocal, "none") else { return };
    let size = pair.bytes[0].len();
    let stored = pair.remote.stored();
    let of = |(_, bytes): &(&String, &Vec<u8>)| bytes.len() > size;
    let files: Vec<_> = stored.iter().filter(of).collect();
    assert_eq!(files.len(), 2, "{:?}", stored.keys());
    for (name, good) in &files[..1] {
        for at in [0, 7, 8, 31, 32, 48, good.len() / 2, good.len() - 1] {
            let mut bad = (*good).clone();
            bad[at] ^= 1 << (at % 8);
            pair.remote.damage(name, &bad);
            let done = pair.run.clone().args(["verify", "--all", "--level", "bytes"]).run(PATIENCE);
            assert_eq!(done.code, Some(1), "{at}: {done}");
            assert_eq!(done.stdout.matches("corrupt").count(), 1, "{at}: {done}");
        }
        pair.remote.damage(name, good);
    }
    pair.run.clone().args(["verify", "--all"]).run(PATIENCE).expect_code(0);
}
