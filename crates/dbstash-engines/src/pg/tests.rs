use dbstash_core::engine::Engine as _;
use dbstash_core::job::{Databases, Host};

use super::*;
use crate::conn::parse_uri;

fn job(uri: &str, extra: &[&str], native_compression: bool) -> Job {
    let conn = parse_uri(uri).unwrap();
    let databases = Databases::Named(conn.database.into_iter().collect());
    let mut job = Job::new("j".parse().unwrap(), EngineKey::Pg, conn.source, databases);
    job.native_compression = native_compression;
    job.extra_args = extra.iter().map(|w| (*w).to_owned()).collect();
    job
}

fn planned(uri: &str, extra: &[&str], native: bool) -> Plan {
    let job = job(uri, extra, native);
    Pg.plan(&job, &job.subject()).unwrap()
}

#[test]
fn the_command_line_holds_no_secret_and_takes_names_literally() {
    let plan = planned(
        "postgresql://us%27er:canary-1@[::1]:5433,b/it%27s%20%5C%20%3D?sslmode=require&sslpassword=canary-2",
        &["--no-owner"],
        false,
    );
    assert_eq!(
        plan.dump.invocations()[0]
            .args
            .iter()
            .filter_map(dbstash_core::invocation::Arg::plain)
            .collect::<Vec<_>>(),
        [
            "--no-password",
            "--dbname=service='dbstash' host='::1,b' port='5433,' user='us\\'er' dbname='it\\'s \\\\ =' sslmode='require'",
            "--format=plain",
            "--no-owner",
        ]
    );
    assert!(!plan.dump.invocations()[0].to_string().contains("canary"));
    let names: Vec<_> =
        plan.dump.invocations()[0].env.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["PGPASSWORD", "PGSERVICEFILE"]);
}

#[test]
fn the_effective_format_decides_name_and_check() {
    let uri = "postgres://h/d";
    for (extra, native, format, extension) in [
        (&[][..], false, "plain", "sql"),
        (&[], true, "custom", "dump"),
        (&["-Fc"], false, "custom", "dump"),
        (&["-Fp"], true, "plain", "sql"),
        (&["--format=tar"], false, "tar", "tar"),
        (&["--compress=zstd:9"], false, "plain", "sql.zst"),
        (&["-Z9"], true, "plain", "sql.gz"),
        (&["-Fc", "-Z0"], true, "custom", "dump"),
    ] {
        let plan = planned(uri, extra, native);
        assert_eq!(
            (plan.dump.format().name, plan.dump.format().extension),
            (format, extension),
            "{extra:?}"
        );
        let ours = plan.dump.invocations()[0].to_string().matches("--format=").count();
        let theirs = extra.iter().filter(|w| w.starts_with("--format")).count();
        assert!(ours - theirs <= 1, "{}", plan.dump.invocations()[0]);
    }
    assert!(
        planned(uri, &["-Fc"], false).dump.invocations()[0].to_string().matches("-F").count() == 1
    );
}

#[test]
fn all_databases_are_a_pg_dumpall() {
    let job = job("postgres://h:1/maintenance", &[], true);
    let plan = Pg.plan(&job, &Database::All).unwrap();
    assert_eq!(plan.dump.invocations()[0].program, "pg_dumpall");
    assert_eq!((plan.dump.format().extension, plan.warnings.len()), ("sql", 1));
    assert!(!plan.dump.invocations()[0].to_string().contains("--format"));
}

#[test]
fn a_server_without_hosts_is_left_to_libpq() {
    let server =
        Server { hosts: vec![Host { name: String::new(), port: Some(7) }], ..Server::default() };
    assert_eq!(conninfo::conninfo(&server, Some("d"), None), "port='7' dbname='d'");
    assert_eq!(conninfo::conninfo(&Server::default(), None, None), "");
}

#[test]
fn what_contradicts_the_connection_is_refused() {
    let error = |uri: &str, extra: &[&str]| {
        let job = job(uri, extra, false);
        Pg.plan(&job, &job.subject()).map(|_| ()).unwrap_err().0
    };
    let told = error("postgres://h/d", &["--dbname=postgres://u:canary@h/x"]);
    assert!(told.contains("--dbname") && !told.contains("canary"), "{told}");
    let told = error("postgres:///d?service=s&sslpassword=canary", &[]);
    assert!(told.contains("service file") && !told.contains("canary"), "{told}");
    assert!(error("postgres://h/d?sslpassword=%20canary", &[]).contains("blank"));
}

mod trees {
    use dbstash_core::engine::{Dump, TreeCheck};
    use dbstash_core::job::Mode;

    use super::super::directory::Directory;
    use super::*;

    fn tree(mode: Mode, extra: &[&str], native: bool, jobs: u32) -> String {
        let mut job = job("postgresql://u@h/shop", extra, native);
        (job.mode, job.jobs) = (mode, jobs);
        let Dump::Tree(tree) = Pg.plan(&job, &job.subject()).unwrap().dump else { panic!() };
        format!("{} {}", tree.steps[0].invocation, tree.format.compressed)
    }

    #[test]
    fn a_directory_is_compressed_when_asked_to() {
        for (extra, native, jobs, there, compressed) in [
            (&[][..], false, 1, "--format=directory --compress=0 --file=<temp", "false"),
            (&[], true, 4, "--format=directory --jobs=4 --file=<temp", "true"),
            (&["-Z5"], false, 1, "--format=directory --file=<temp", "true"),
            (&["-Fd", "-Z0"], true, 1, "--file=<temp", "false"),
        ] {
            for mode in [Mode::Directory, Mode::Tar] {
                let line = tree(mode, extra, native, jobs);
                assert!(line.contains(there) && line.ends_with(compressed), "{line}");
            }
        }
    }

    #[test]
    fn a_directory_without_its_contents_is_none() {
        let mut check = Box::<Directory>::default();
        assert!(!check.begin("1.dat", 5));
        assert_eq!(check.finish().unwrap_err().0, "it has no toc.dat");
        let mut check = Box::<Directory>::default();
        assert!(check.begin("blobs_4.toc", 5) && check.begin("toc.dat", 5));
        check.feed(b"PGDMP");
        assert!(check.finish().unwrap_err().0.contains("ends in the middle"));
    }

    /// The table of contents of a directory archive with one table, whose rows are in `1.dat`.
    fn contents() -> Vec<u8> {
        let number = |n: i32| {
            let [a, b, c, d] = n.unsigned_abs().to_le_bytes();
            [u8::from(n < 0), a, b, c, d]
        };
        // Compression, date, no names; one entry, no text in it, no dependency; the file.
        let head = [&[0; 8][..], &[-1; 3], &[1]].concat();
        let entry = [&[0; 2][..], &[-1; 4], &[0], &[-1; 8], &[-1], &[5]].concat();
        let numbers = head.into_iter().chain(entry).flat_map(number);
        b"PGDMP\x01\x0e\x00\x04\x08\x03".iter().copied().chain(numbers).chain(*b"1.dat").collect()
    }

    #[test]
    fn only_empty_large_objects_may_have_empty_files() {
        let verdict = |end: &str, table: u64, large: u64| {
            let mut check = Box::<Directory>::default();
            for (path, size) in
                [(format!("1.dat{end}"), table), (format!("blob_7.dat{end}"), large)]
            {
                assert!(!check.begin(&path, size));
            }
            for (path, text) in [("blobs_2.toc", &b"7 blob_7.dat\n"[..]), ("toc.dat", &contents())]
            {
                assert!(check.begin(path, text.len() as u64));
                check.feed(text);
            }
            check.finish().map(|passed| passed.check).map_err(|error| error.0)
        };
        let good = Ok("contents".to_owned());
        for end in [".gz", ".zst", ".lz4"] {
            assert_eq!(verdict(end, 5, 5), good);
            assert_eq!(verdict(end, 0, 5), Err("its file 1.dat is empty".to_owned()));
        }
        for end in ["", ".zst", ".lz4"] {
            assert_eq!(verdict(end, 5, 0), good, "{end}");
        }
        assert_eq!(verdict(".gz", 5, 0), Err("its file blob_7.dat is empty".to_owned()));
        assert_eq!(verdict(".other", 5, 5), Err("its file 1.dat is missing".to_owned()));
    }
}

#[test]
fn what_pg_dump_packs_is_not_counted() {
    let uri = "postgresql://u@h/shop";
    let counting = |extra: &[&str], native: bool| match planned(uri, extra, native).dump {
        Dump::Stream(Stream { counting: Counting::By(_), .. }) => "",
        Dump::Stream(Stream { counting: Counting::Not(why), .. }) => why,
        _ => panic!("{extra:?}"),
    };
    assert_eq!((counting(&[], false), counting(&["--inserts"], false)), ("", ""));
    for (extra, native) in [(&[][..], true), (&["-Fc"], false), (&["-Z5"], false)] {
        assert_eq!(counting(extra, native), COMPRESSED, "{extra:?}");
    }
    for extra in [&["-Fc", "-Z0"], &["-Ft"][..]] {
        assert!(counting(extra, false).contains("archive"), "{extra:?}");
    }
}
