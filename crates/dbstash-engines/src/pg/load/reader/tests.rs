use proptest::prelude::*;

use super::super::one::One;
use super::*;

/// What psql gets to see of a script that comes in pieces of this size.
fn seen(script: &str, size: usize) -> Result<String, String> {
    let mut reader = Box::new(Reader::new(One::new("it's \"new\"")));
    let mut out = Vec::new();
    for piece in script.as_bytes().chunks(size) {
        reader.feed(piece, &mut out)?;
    }
    reader.finish(&mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// The same however it comes.
#[track_caller]
fn passed(script: &str) -> Result<String, String> {
    let whole = seen(script, script.len().max(1));
    for size in [1, 2, 3, 7] {
        assert_eq!(seen(script, size), whole, "{size}");
    }
    whole
}

#[test]
fn what_means_nothing_here_is_as_it_was() {
    for script in [
        "",
        "--\n-- it's a comment; (\n\nSET x = 1;\n",
        "CREATE FUNCTION f() AS $_$ it's; COMMIT; ( $x$ $$ $_$ LANGUAGE sql;\n",
        "CREATE FUNCTION f(a$b int) AS $1;\nSELECT $1, 'a''b;(', E'\\'(', \"a\"\"(\" /* ( /* ( */ ' */;\n",
        "CREATE RULE r AS ON UPDATE TO t DO INSTEAD (SELECT 1; SELECT 2;);\n",
        "CREATE FUNCTION f() RETURNS int\n    BEGIN ATOMIC\n SELECT CASE WHEN 1 > 0 THEN 1 END;\n END;\n\n\
         CREATE PROCEDURE p()\n BEGIN ATOMIC\n END;\nSELECT 5 - 3 / 1;\n",
        "COPY public.t (a, \"b, (c\") FROM stdin;\n1\t\\N\t\\\\.\nCOMMIT;\n'(\t\\t\t\n\\.x\n\\.\n\n\nSELECT 1;\n",
        "COPY public.none  FROM stdin;\n\n\n\\.\n",
        "COPY public.one (a) FROM stdin;\n\\.\n",
        "SET client_encoding = 'LATIN1';\nSET standard_conforming_strings = off;\nSELECT 'a\\'(';\n",
        "INSERT INTO t VALUES ('\\connect x', 'COMMIT;');\n",
        "CREATE TABLE t (\n    -- not; the end\n    a int\n);\n",
    ] {
        assert_eq!(passed(script).as_deref(), Ok(script));
    }
}

#[test]
fn one_transaction_in_a_database_that_is_there() {
    for (script, said) in [
        ("BEGIN;\n\nSELECT lo_open(1, 2);\nCOMMIT;\n", "\n\nSELECT lo_open(1, 2);\n\n"),
        ("\\restrict k\n\nSELECT 1;\n\\unrestrict k\n", "\n\nSELECT 1;\n\n"),
        ("CREATE SCHEMA public;\n", "CREATE SCHEMA IF NOT EXISTS public;\n"),
        (
            "CREATE DATABASE \"a;b\" WITH\n TEMPLATE = template0;\n\\connect x\nSELECT 1;\n",
            "\n\n\nSELECT 1;\n",
        ),
        (
            "ALTER DATABASE \"a \"\" b\" SET x TO 'y';\n",
            "ALTER DATABASE \"it's \"\"new\"\"\" SET x TO 'y';\n",
        ),
        (
            "GRANT ALL ON DATABASE shop TO bob;\n",
            "GRANT ALL ON DATABASE \"it's \"\"new\"\"\" TO bob;\n",
        ),
        (
            "ALTER TABLE ONLY a.b DROP CONSTRAINT c;\nDROP TABLE a.b;\nCREATE TABLE a.b ();\n",
            "\n\nCREATE TABLE a.b ();\n",
        ),
    ] {
        assert_eq!(passed(script).as_deref(), Ok(said), "{script}");
    }
    let said = passed("SET client_encoding = 'SQL_ASCII';\nSELECT 1;\n").unwrap();
    assert!(
        said.starts_with("SET client_encoding = 'SQL_ASCII'; DO $dbstash$ BEGIN IF "),
        "{said}"
    );
    assert!(said.ends_with("END $dbstash$;\nSELECT 1;\n") && said.lines().count() == 2, "{said}");
    let said = passed("COMMENT ON EXTENSION a IS 'it''s';\n").unwrap();
    assert!(said.contains("COMMENT ON EXTENSION a IS 'it''s'; EXCEPTION WHEN insufficient_"));
    assert!(passed("SET transaction_timeout = 0;\n").unwrap().contains("set_config(name, '0'"));
}

#[test]
fn what_would_leave_the_transaction_is_refused() {
    for (script, why) in [
        ("ROLLBACK;\n", "begins with ROLLBACK"),
        ("commit and chain;\n", "begins with commit"),
        ("END;\n", "begins with END"),
        ("/* x */ COMMIT AND CHAIN;\n", "begins with COMMIT"),
        ("\\! rm -rf /\n", "psql command \\"),
        ("\\copy x\n", "psql command \\copy"),
        ("SELECT 1 \\g /etc/passwd\n;\n", "holds a psql command"),
        ("SELECT 1", "in the middle"),
        ("SELECT (1;\n", "in the middle"),
        ("SELECT 'a;\n", "in the middle"),
        ("COPY t (a) FROM stdin;\n1\n", "in the middle"),
        ("SET client_encoding = 'SJIS';\n", "clients only"),
    ] {
        let told = passed(script).unwrap_err();
        assert!(told.contains(why), "{script}: {told}");
    }
}

#[test]
fn a_long_statement_is_not_kept() {
    let long = format!("INSERT INTO t VALUES ('{}');\nSELECT 1;\n", "x;".repeat(300_000));
    assert!(seen(&long, 8192).unwrap() == long);
    let mut reader = Reader::new(One::new("x"));
    let mut out = Vec::new();
    for piece in long.as_bytes().chunks(8192) {
        reader.feed(piece, &mut out).unwrap();
        assert!(reader.statement.len() <= LONGEST);
    }
}

proptest! {
    #[test]
    fn rows_have_the_same_end_in_any_pieces(
        rows in "(\n|\\\\|\\.|x|\\\\\\.\n){0,12}", cuts in prop::collection::vec(1_usize..6, 1..40),
    ) {
        let script = format!("COPY t FROM stdin;\n{rows}\n\\.\n");
        let at = script[18..].find("\n\\.\n").unwrap() + 18 + 4;
        let script = format!("{}SELECT 1;\n", &script[..at]);
        let mut reader = Box::new(Reader::new(One::new("x")));
        let (mut out, mut rest, mut cuts) = (Vec::new(), script.as_bytes(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, more) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            reader.feed(piece, &mut out).unwrap();
            rest = more;
        }
        reader.finish(&mut out).unwrap();
        prop_assert_eq!(String::from_utf8(out).unwrap(), script);
    }
}
