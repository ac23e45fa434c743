use dbstash_core::engine;
use dbstash_core::job::{Databases, Host, SyncMode};

use super::*;

fn server(hosts: &[(&str, Option<u16>)], params: &[(&str, &str)]) -> Server {
    let hosts = hosts.iter().map(|&(name, port)| Host { name: name.to_owned(), port }).collect();
    let params = params.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect();
    Server { hosts, params, ..Server::default() }
}

fn job(server: Server, method: RedisMethod) -> Job {
    let one = Databases::Named(vec!["redis".to_owned()]);
    let id = "j".parse().unwrap();
    let mut job = Job::new(id, EngineKey::Redis, Source::Server(server), one);
    job.replication.method = method;
    job
}

fn plan(job: &Job) -> Result<Plan, String> {
    engine::plan(&Redis, job, &job.subject()).map_err(|error| error.to_string())
}

fn stream(job: &Job) -> Stream {
    match plan(job).unwrap().dump {
        Dump::Stream(stream) => stream,
        Dump::Tree(_) => panic!(),
    }
}

fn called(job: &Job) -> Call {
    match stream(job).origin {
        Origin::Server(call) => call,
        Origin::Tool { invocation, .. } => panic!("{invocation}"),
    }
}

fn refused(params: &[(&str, &str)]) -> String {
    let Err(error) = plan(&job(server(&[("h", None)], params), RedisMethod::Auto)) else {
        panic!("{params:?}")
    };
    error
}

#[test]
fn where_the_server_is() {
    for (hosts, told) in [
        (&[][..], "PSYNC ? -1 to 127.0.0.1:6379"),
        (&[("", Some(7))][..], "PSYNC ? -1 to 127.0.0.1:7"),
        (&[("::1", None)][..], "PSYNC ? -1 to [::1]:6379"),
        (&[("/run/redis.sock", None)][..], "PSYNC ? -1 to /run/redis.sock"),
        (&[("a", None), ("b", Some(2))][..], "PSYNC ? -1 to a:6379, b:2"),
    ] {
        let stream = stream(&job(server(hosts, &[]), RedisMethod::Replication));
        assert_eq!(stream.origin.to_string(), told);
        assert!(stream.otherwise.is_none());
    }
    let tls = job(server(&[("h", None)], &[("tls", "true")]), RedisMethod::Replication);
    assert_eq!(called(&tls).to_string(), "PSYNC ? -1 to h:6379 over TLS");
}

#[test]
fn what_a_call_may_cost() {
    let mut job = job(server(&[], &[]), RedisMethod::Replication);
    job.replication.spool_max = 7;
    let call = called(&job);
    assert_eq!(call.spool, Spare { dir: job.temp_dir.clone(), most: 7 });
    assert_eq!(call.patience, Some(Duration::from_secs(3600)));
    job.limits.timeout = Some(Duration::from_secs(1));
    assert_eq!(called(&job).patience, None);
}

#[test]
fn an_rdb_is_one_file() {
    for mode in [Mode::Directory, Mode::Tar] {
        let mut job = job(server(&[], &[]), RedisMethod::Replication);
        job.mode = mode;
        let Err(error) = plan(&job) else { panic!() };
        assert!(error.contains("one file") && error.contains("BACKUP_MODE=stream"), "{error}");
    }
    assert!(Redis.list_databases(&job(server(&[], &[]), RedisMethod::Auto)).is_err());
}

#[test]
fn redis_cli_and_its_secrets() {
    let mut server = server(
        &[("::1", Some(7000)), ("b", None)],
        &[
            ("tls", "true"),
            ("cacert", "/ca"),
            ("cert", "/c"),
            ("key", "/k"),
            ("sni", "n"),
            ("insecure", "true"),
        ],
    );
    server.user = Some("bob".to_owned());
    server.password = Some("hunter22".into());
    let mut job = job(server, RedisMethod::Cli);
    job.extra_args = vec!["-3".to_owned()];
    let planned = plan(&job).unwrap();
    assert_eq!(
        planned.dump.commands(),
        [
            "REDISCLI_AUTH=*** redis-cli --rdb - -h ::1 -p 7000 --user bob --tls --cacert /ca --cert /c --key /k --sni n \
          --insecure -3"
        ]
    );
    assert_eq!(planned.warnings, ["redis-cli asks one server: [::1]:7000"]);

    job.replication.method = RedisMethod::Auto;
    job.replication.sync = SyncMode::Disk;
    let stream = stream(&job);
    assert_eq!(stream.origin.to_string(), "PSYNC ? -1 to [::1]:7000, b:6379 over TLS");
    let otherwise = stream.otherwise.unwrap();
    assert!(otherwise.to_string().starts_with("REDISCLI_AUTH=*** redis-cli --rdb - "));
    let Origin::Tool { mark: Some(mark), .. } = *otherwise else { panic!() };
    assert_eq!(mark.len, 40);
    assert!((mark.is)(b"d2c1648774d7025743debbfd9e8c7b184bff7387"));
    assert!(!(mark.is)(b"0123456789012345678901234567890\xff01234567"));

    job.replication.method = RedisMethod::Replication;
    let warnings = plan(&job).unwrap().warnings;
    assert!(warnings[0].contains("DUMP_EXTRA_ARGS has no effect"), "{warnings:?}");
}

#[test]
fn redis_cli_without_a_password() {
    let local = server(&[("/run/r.sock", Some(1))], &[]);
    let shown = stream(&job(local.clone(), RedisMethod::Cli)).origin.to_string();
    assert_eq!(shown, "redis-cli --rdb - -s /run/r.sock");
    let bob = Server { user: Some("bob".to_owned()), ..local };
    let shown = stream(&job(bob, RedisMethod::Cli)).origin.to_string();
    assert_eq!(shown, "REDISCLI_AUTH=*** redis-cli --rdb - -s /run/r.sock --user bob");
}

#[test]
fn a_password_that_is_no_text() {
    let parsed = crate::conn::parse_uri("redis://:a%FF%00b@h").unwrap();
    let Source::Server(server) = parsed.source else { panic!() };
    let planned = |method| plan(&job(server.clone(), method));
    let Err(error) = planned(RedisMethod::Cli) else { panic!() };
    assert!(error.contains("REDIS_METHOD=replication"), "{error}");
    let auto = planned(RedisMethod::Auto).unwrap();
    assert!(auto.warnings[0].contains("redis-cli is not asked"), "{:?}", auto.warnings);
    let Dump::Stream(Stream { origin: Origin::Server(call), otherwise: None, .. }) = auto.dump
    else {
        panic!()
    };
    let said = call.protocol.begin().outgoing();
    assert_eq!(said, b"*2\r\n$4\r\nAUTH\r\n$4\r\na\xff\0b\r\n");
}

#[test]
fn words_for_redis_cli() {
    let mut job = job(server(&[], &[]), RedisMethod::Cli);
    for word in ["-a", "--pass", "-u", "--user", "-h", "-p", "-s"] {
        job.extra_args = vec![word.to_owned(), "hunter22".to_owned()];
        let Err(error) = plan(&job) else { panic!("{word}") };
        assert!(error.contains(word) && !error.contains("hunter22"), "{error}");
    }
    for word in ["-x", "--functions-rdb", "--rdb"] {
        job.extra_args = vec![word.to_owned()];
        let warnings = plan(&job).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(word), "{warnings:?}");
    }
}

#[test]
fn tls_in_both_dialects() {
    let full = Tls {
        authorities: Some("/ca".into()),
        identity: Some(("/c".into(), "/k".into())),
        server_name: None,
        unverified: true,
    };
    let bare = Tls::default();
    for (params, wanted) in [
        (&[("tls", "true")][..], Some(&bare)),
        (&[("ssl", "true")][..], Some(&bare)),
        (&[("ssl", "True"), ("ssl_cert_reqs", "required"), ("insecure", "no")][..], Some(&bare)),
        (&[("tls", "false")][..], None),
        (&[][..], None),
        (
            &[("tls", "true"), ("cacert", "/ca"), ("key", "/k"), ("cert", "/c"), ("insecure", "1")],
            Some(&full),
        ),
        (
            &[
                ("ssl_ca_certs", "/ca"),
                ("ssl_keyfile", "/k"),
                ("ssl_certfile", "/c"),
                ("ssl_cert_reqs", "none"),
                ("ssl_check_hostname", "false"),
                ("tls", "true"),
            ],
            Some(&full),
        ),
    ] {
        let job = job(server(&[("h", None)], params), RedisMethod::Replication);
        assert_eq!(called(&job).tls.as_ref(), wanted, "{params:?}");
        assert!(plan(&job).unwrap().warnings.is_empty(), "{params:?}");
    }
    let params =
        [("tls", "true"), ("ssl_check_hostname", "false"), ("client_name", "x"), ("db", "3")];
    let job = job(server(&[("h", None)], &params), RedisMethod::Replication);
    assert!(called(&job).tls.unwrap().unverified);
    let warnings = plan(&job).unwrap().warnings;
    for (warning, told) in warnings.iter().zip(["ssl_check_hostname=false", "client_name", "db in"])
    {
        assert!(warning.contains(told), "{warnings:?}");
    }
    assert_eq!(warnings.len(), 3);
}

#[test]
fn parameters_that_cannot_be_meant() {
    let on = ("tls", "true");
    for (params, told) in [
        (&[on, ("cert", "/c")][..], "cert and no key"),
        (&[on, ("key", "/c")], "key and no cert"),
        (&[("cacert", "/ca")], "write rediss://"),
        (&[("tls", "false"), ("insecure", "true")], "write rediss://"),
        (&[("tls", "maybe")], "tls in DB_URI has to be true or false"),
        (&[on, ("insecure", "")], "insecure in DB_URI has to be true or false"),
        (&[on, ("cacert", "")], "a file's path"),
        (&[on, ("sni", "")], "a host name"),
        (&[on, ("ssl_cert_reqs", "optional")], "none or required"),
        (&[on, ("ca_cert", "/x")], "did you mean cacert?"),
        (&[on, ("ssl_ca_cert", "/x")], "did you mean ssl_ca_certs?"),
        (&[on, ("CaCert", "/x")], "did you mean cacert?"),
    ] {
        let error = refused(params);
        assert!(error.contains(told), "{params:?}: {error}");
    }
    // It may be the end of a password.
    let error = refused(&[("hunter22@h", "x")]);
    assert!(!error.contains("hunter22") && error.contains("%26"), "{error}");
    let Err(error) = plan(&job(server(&[("/run/r.sock", None)], &[on]), RedisMethod::Auto)) else {
        panic!()
    };
    assert!(error.contains("unix socket"), "{error}");
}

#[test]
fn complaints_of_redis_cli() {
    let sync = "sending REPLCONF capa eof\nREPLCONF capa error: ERR unknown command\nsending REPLCONF rdb-only 1\n";
    for (stderr, told) in [
        ("Could not connect to Redis at 127.0.0.1:1: Connection refused", "nothing answers"),
        ("Could not connect to Redis at /nonexist: No such file or directory", "nothing answers"),
        ("Could not connect to Redis at no.invalid:6379: Name or service not known", "resolved"),
        (
            "AUTH failed: ERR AUTH <password> called without any password configured for the default user. Are you sure \
             your configuration is correct?",
            "has no password",
        ),
        (
            "AUTH failed: WRONGPASS invalid username-password pair or user is disabled.",
            "refuses the user",
        ),
        ("AUTH failed: ERR max number of clients reached", "maxclients"),
        (
            "SYNC with master failed: -NOPERM this user has no permissions to run the 'sync' command",
            "+sync +replconf",
        ),
        ("SYNC with master failed: -NOAUTH Authentication required.", "none is set"),
        (
            "SYNC with master failed: -NOMASTERLINK Can't SYNC while not connected with my master",
            "its own master",
        ),
        ("SYNC with master failed: -LOADING Redis is loading the dataset in memory", "loading"),
        ("SYNC with master failed: -ERR unknown command 'SYNC'", "knows no SYNC"),
        ("Unrecognized option or bad number of args for: '--nosuch'", "DUMP_EXTRA_ARGS"),
        ("Could not negotiate a TLS connection: Invalid CA Certificate File/Directory", "cacert"),
        ("I/O Error reading RDB payload from socket", "before the dump was whole"),
        ("Error reading bulk length while SYNCing", "before the dump was whole"),
    ] {
        for stderr in [stderr.to_owned(), format!("{sync}{stderr}\n")] {
            let sentence = Redis.explain(&stderr).unwrap_or_else(|| panic!("{stderr}"));
            assert!(sentence.contains(told), "{stderr}: {sentence}");
        }
    }
    assert_eq!(Redis.explain(sync), None);
}
