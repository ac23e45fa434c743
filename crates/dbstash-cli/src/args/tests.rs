use clap::error::ErrorKind;
use dbstash_core::job::EngineKey;

use super::*;

fn read(line: &str) -> Result<Args, clap::Error> {
    let words = shell_words::split(line).unwrap();
    parse(words.into_iter().map(OsString::from))
}

fn flag(line: &str, name: &str) -> Option<String> {
    read(line).map(|args| args.flags.get(name).cloned()).unwrap()
}

#[test]
fn clap_agrees_with_itself() {
    command().debug_assert();
}

#[test]
fn commands() {
    let command = |line| read(line).map(|args| args.command).unwrap();
    assert_eq!(command("dbstash"), Command::Run);
    assert_eq!(command("dbstash run"), Command::Run);
    assert_eq!(command("dbstash backup"), Command::Backup);
    let json = Query { json: true, ..Query::default() };
    assert_eq!(command("dbstash list --json"), Command::List(json));
    let engine = Query { engine: Some(EngineKey::Pg), latest: true, ..Query::default() };
    assert_eq!(command("dbstash list --latest --engine pg"), Command::List(engine));
    assert_eq!(command("dbstash show latest"), Command::Show { json: false });
    assert_eq!(command("dbstash gc -y"), Command::Collect { yes: true });
    let ids = vec!["a".to_owned(), "b".to_owned()];
    let two = Command::Remove { ids, yes: false, even_last: true };
    assert_eq!(command("dbstash rm a b --even-last"), two);
    assert_eq!(command("dbstash prune --yes"), Command::Prune { yes: true });
    assert_eq!(command("dbstash config"), Command::Config { json: false });
    assert_eq!(command("dbstash unpin 2026"), Command::Unpin);
    let doctor = Command::Doctor { json: false, notify: true };
    assert_eq!(command("dbstash doctor --notify"), doctor);
}

#[test]
fn a_backup_is_named() {
    let target = |line| read(line).map(|args| args.target).unwrap();
    let latest = Target { id: "latest".into(), database: None };
    assert_eq!(target("dbstash pin latest"), latest);
    assert_eq!(target("dbstash list"), Target::default());
    let shop = Target { database: Some("*".into()), ..latest };
    assert_eq!(target("dbstash pin --db '*' latest --job a"), shop);
}

#[test]
fn flags_before_and_after_the_command() {
    for line in ["dbstash --db-uri x list", "dbstash list --db-uri x", "dbstash --db-uri=x"] {
        assert_eq!(flag(line, "DB_URI").as_deref(), Some("x"), "{line}");
    }
    assert_eq!(flag("dbstash list", "DB_URI"), None);
    assert_eq!(
        flag("dbstash --db-uri-file /run/secrets/uri", "DB_URI_FILE").as_deref(),
        Some("/run/secrets/uri")
    );
}

#[test]
fn a_switch_needs_no_value() {
    for (line, value) in [
        ("dbstash --dry-run", "true"),
        ("dbstash --dry-run=false", "false"),
        ("dbstash --dry-run list", "true"),
        ("dbstash prune --dry-run", "true"),
    ] {
        assert_eq!(flag(line, "DRY_RUN").as_deref(), Some(value), "{line}");
    }
}

#[test]
fn values_are_taken_literally() {
    for (line, name, value) in [
        ("dbstash --dump-extra-args '-Fc -Z 9'", "DUMP_EXTRA_ARGS", "-Fc -Z 9"),
        ("dbstash --rclone-extra-args --fast-list", "RCLONE_EXTRA_ARGS", "--fast-list"),
        ("dbstash --db-password -x", "DB_PASSWORD", "-x"),
        ("dbstash --db-name='a, b'", "DB_NAME", "a, b"),
    ] {
        assert_eq!(flag(line, name).as_deref(), Some(value), "{line}");
    }
}

#[test]
fn usage_mistakes_exit_2() {
    for line in [
        "dbstash --db-urx x",
        "dbstash lsit",
        "dbstash --db-uri",
        "dbstash backup x",
        "dbstash pin",
        "dbstash rm",
        "dbstash list --since yesterday",
        "dbstash list --engine oracle",
    ] {
        let error = read(line).err().unwrap();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
    assert_eq!(read("dbstash --help").err().unwrap().kind(), ErrorKind::DisplayHelp);
}

#[test]
fn help_shows_every_setting_under_its_heading() {
    let help = command().render_long_help().to_string();
    for name in table::variables() {
        let flag = format!("--{}", table::flag_of(&name));
        assert!(help.contains(&flag) && help.contains(&format!("[env: {name}]")), "{name}");
    }
    for group in table::Group::ALL {
        assert!(help.contains(&format!("\n{}:\n", group.title())), "{group:?}");
    }
    assert!(help.contains("[default: {db}-{date}-{time}]"));
    let short = command().render_help().to_string();
    assert!(short.lines().count() < 30 && !short.contains("--db-uri"), "{short}");
}
