//! The same rows, however a dump is cut, and only rows.

use std::collections::BTreeMap;

use dbstash_core::tally::{Counts, Tally as _};
use proptest::prelude::*;

use super::*;

fn counts(of: &[(&str, u64)]) -> Counts {
    Counts::Of(of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect())
}

fn counted<'a>(writer: Writer, several: bool, chunks: impl Iterator<Item = &'a [u8]>) -> Counts {
    let mut script = Box::new(Script::new(writer, several));
    chunks.for_each(|chunk| script.feed(chunk));
    script.finish()
}

/// Counts a script whole and in pieces.
fn all(writer: Writer, several: bool, text: &str) -> Counts {
    let bytes = text.as_bytes();
    let whole = counted(writer, several, std::iter::once(bytes));
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(whole, counted(writer, several, bytes.chunks(size)), "in {size}: {text}");
    }
    whole
}

const PG: &str = r#"--
-- PostgreSQL database dump; COPY no.t (a) FROM stdin;
--
\restrict it's(
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS $_$ INSERT INTO no.t VALUES (1); $x$ $$ $_$;
CREATE FUNCTION public.g(a integer DEFAULT 1) RETURNS void
    LANGUAGE sql
    BEGIN ATOMIC
 INSERT INTO no.t (a)
   VALUES (1);
 SELECT CASE WHEN true THEN 1 ELSE 2 END;
END;
CREATE FUNCTION public.h() RETURNS void LANGUAGE sql BEGIN ATOMIC
END;
CREATE FUNCTION public.old() AS 'INSERT INTO no.t VALUES (1); it''s' LANGUAGE sql;
COMMENT ON TABLE public.t IS E'it''s a \' \\'; -- E'
CREATE RULE r AS ON UPDATE TO public.t DO INSTEAD (INSERT INTO no.t VALUES (1); SELECT 2;);
CREATE RULE s AS ON UPDATE TO public.t DO INSTEAD  INSERT INTO no.t VALUES (1);
CREATE TABLE public.t (a integer DEFAULT (1 + 2), b text);
CREATE UNLOGGED TABLE public.empty (a integer);
CREATE TABLE public.parent (a integer)
PARTITION BY RANGE (a);
/* /* COPY no.t (a) FROM stdin; */ ' */
COPY public.t (a, b) FROM stdin;
1	\\.
\N	\\N'($$
\.x	no

3	-- ;
\.


COPY "odd ""s"."x.y" (a) FROM stdin;
\.

COPY public.nothing  FROM stdin;


\.
COPY public.old (a) WITH OIDS FROM stdin;
1	1
\.
INSERT INTO public.ins VALUES (1, 'a;(''b', E'\'(', NULL, '{"(1)"}');
INSERT INTO public.ins VALUES (-2, '--', '', NULL, '/*');
INSERT INTO public.ins (a, "values") OVERRIDING SYSTEM VALUE VALUES
	(1, '2'),
	(3, ')') ON CONFLICT DO NOTHING;
INSERT INTO public.bare DEFAULT VALUES;
INSERT INTO public.bare DEFAULT VALUES;
SELECT $1, a$b$c FROM t;
SET standard_conforming_strings = off;
INSERT INTO public.back VALUES ('\'(a');
\unrestrict it's(

"#;

#[test]
fn rows_of_pg() {
    let expected = counts(&[
        ("public.t", 5),
        ("public.empty", 0),
        ("odd \"s.\"x.y\"", 0),
        ("public.nothing", 2),
        ("public.old", 1),
        ("public.ins", 4),
        ("public.bare", 2),
        ("public.back", 1),
    ]);
    assert_eq!(all(Writer::Pg, false, PG), expected);
    let cluster = "\\connect template1\nCOPY public.t (a) FROM stdin;\n1\n\\.\n\\connect shop\n\
        COPY public.t (a) FROM stdin;\n1\n2\n\\.\nINSERT INTO public.u VALUES (1);\n\
        \\connect -reuse-previous=on \"dbname='o \\'\"\"'\"\nINSERT INTO public.u VALUES (1);\n";
    assert_eq!(
        all(Writer::Pg, true, cluster),
        counts(&[
            ("template1.public.t", 1),
            ("shop.public.t", 2),
            ("shop.public.u", 1),
            ("o '\".public.u", 1)
        ])
    );
    assert_eq!(all(Writer::Pg, false, cluster), counts(&[("public.t", 3), ("public.u", 2)]));
}

const MYSQL: &str = r#"/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19; INSERT INTO no VALUES (1);
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
DROP TABLE IF EXISTS `t`;
CREATE TABLE `t` (
  `a` int(11) DEFAULT NULL COMMENT 'it''s \'; INSERT INTO no VALUES (1);'
) ENGINE=InnoDB;
CREATE TABLE IF NOT EXISTS `none` (`a` int) ENGINE=InnoDB;
/*!50001 CREATE TABLE `view` (`a` tinyint) ENGINE=MyISAM */;
LOCK TABLES `t` WRITE;
/*!40000 ALTER TABLE `t` DISABLE KEYS */;
INSERT INTO `t` VALUES (1,'a;\'(','b''),(',"\"(",_binary '\\'),(-2,'--',NULL,'','#'),
(3,'/*',0x27,'`','x');
INSERT INTO `t` (`values`, `b``(`) VALUES (1,2);
INSERT  IGNORE INTO `t` VALUES
(1),
(2);
REPLACE INTO `we``ird.` VALUES (1);
UNLOCK TABLES;
/*!50003 SET sql_mode              = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER x BEFORE INSERT ON `t` FOR EACH ROW BEGIN
  INSERT INTO no VALUES (1);
  SET @x = '\'; -- it's
  # it's (
  INSERT INTO no VALUES (2);
END */;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
INSERT INTO `t` VALUES ('\'(');
SELECT 5--3, 4 * 2 / 1;
-- Dump completed
"#;

#[test]
fn rows_of_mysql() {
    let expected = counts(&[("t", 7), ("none", 0), ("we`ird.", 1)]);
    assert_eq!(all(Writer::Mysql, false, MYSQL), expected);
    let server = format!("USE `a`;\n{MYSQL}USE `b.c`;\nINSERT INTO `t` VALUES (1);\n");
    assert_eq!(
        all(Writer::Mysql, true, &server),
        counts(&[("a.t", 7), ("a.none", 0), ("a.\"we`ird.\"", 1), ("\"b.c\".t", 1)])
    );
    let compact = "/*M!999999\\- enable the sandbox mode */ \nINSERT INTO `t` VALUES (1),(2);\n";
    assert_eq!(all(Writer::Mysql, false, compact), counts(&[("t", 2)]));
}

const SQLITE: &str = r#"PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE t(a, b DEFAULT 'INSERT INTO no VALUES(1);');
INSERT INTO t VALUES(1,replace('a\nb;(','\n',char(10)));
INSERT INTO t VALUES(-2,X'27');
CREATE TABLE IF NOT EXISTS "od;d" (a);
INSERT INTO "od;d" VALUES('it''s (');
INSERT INTO "od;d"(rowid,a) VALUES(7,unistr('\u0027'));
CREATE TABLE [none] (a) -- it's (
;
INSERT INTO sqlite_sequence VALUES('t',2);
INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','v','v',0,'CREATE VIRTUAL TABLE v USING fts5(a);');
CREATE TRIGGER x AFTER INSERT ON t BEGIN
  INSERT INTO no VALUES(1);
  UPDATE t SET a = CASE WHEN a THEN 1 ELSE 2 END;
  INSERT INTO no VALUES(2); -- no
end;
INSERT INTO t VALUES(3,4);
COMMIT;
"#;

#[test]
fn rows_of_sqlite() {
    let expected = counts(&[("t", 3), ("od;d", 2), ("none", 0)]);
    assert_eq!(all(Writer::Sqlite, false, SQLITE), expected);
}

#[test]
fn what_cannot_be_followed_is_not_counted() {
    for (writer, text) in [
        (Writer::Pg, "COPY t (a) FROM stdin;\n1\n"),
        (Writer::Pg, "INSERT INTO t VALUES (1)"),
        (Writer::Pg, "INSERT INTO t VALUES (1);\nSELECT $a$ it"),
        (Writer::Mysql, "INSERT INTO `t` VALUES ('"),
        (Writer::Sqlite, "INSERT INTO t VALUES(1);\n/* "),
    ] {
        assert!(matches!(all(writer, false, text), Counts::Without { .. }), "{text}");
    }
    let long = format!("INSERT INTO \"{}\" VALUES(1);\n", "x".repeat(10_000));
    assert!(matches!(all(Writer::Sqlite, false, &long), Counts::Without { .. }));
    // What is long and has no rows does no harm.
    let long = format!("CREATE VIEW v AS SELECT 1{};\n{SQLITE}", " + 1".repeat(5000));
    let expected = counts(&[("t", 3), ("od;d", 2), ("none", 0)]);
    assert_eq!(all(Writer::Sqlite, false, &long), expected);
    assert_eq!(all(Writer::Pg, false, ""), counts(&[]));
}

#[test]
fn an_end_mark_is_a_line_of_its_own() {
    for (text, rows, over) in [
        ("\\.\n", 0, true),
        ("a\n\\.\nmore\n", 1, true),
        ("\n\n\\.\n", 2, true),
        ("\\.x\n\\..\n\\N\n\\.\n", 3, true),
        ("a\\.\n\\\\.\n\\.\n", 2, true),
        ("a\n\\.", 1, false),
        ("a", 0, false),
    ] {
        for size in 1..=text.len() {
            let mut lines = Lines::new();
            let taken: usize = text.as_bytes().chunks(size).map(|part| lines.feed(part)).sum();
            assert_eq!((lines.rows(), lines.is_over()), (rows, over), "{text:?} in {size}");
            let end = text.find("more").unwrap_or(text.len());
            assert_eq!(taken, end, "{text:?} in {size}");
        }
    }
}

/// What dumps are made of, and what they are not.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<Vec<u8>> = [
        "INSERT INTO t VALUES ",
        "INSERT INTO `a`.\"b\" VALUES",
        "(1,'x')",
        "(",
        ")",
        ",",
        ";",
        ";\n",
        ";;\n",
        "'",
        "\"",
        "`",
        "\\",
        "\\'",
        "--",
        "-- ",
        "\n",
        "/*",
        "/*!50001 ",
        "*/",
        "/",
        "*",
        "#",
        "$$",
        "$a$",
        "[",
        "]",
        "DELIMITER ;;\n",
        "DELIMITER ;\n",
        "COPY t (a) FROM stdin;\n",
        "\\.\n",
        "1\t2\n",
        "\\connect x\n",
        "USE `b`;\n",
        "CREATE TABLE t (a);\n",
        "CREATE TRIGGER x ",
        "BEGIN ATOMIC ",
        "CREATE FUNCTION ",
        "END;",
        "SET sql_mode = 'ANSI_QUOTES';\n",
        "SET standard_conforming_strings = off;\n",
        "E'",
        "VALUES",
        " ",
        "x",
    ]
    .iter()
    .map(|word| word.as_bytes().to_vec())
    .collect();
    let piece = prop_oneof![
        6 => prop::sample::select(words),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn any_split_of_anything_gives_the_same_counts(
        text in pieces(), cuts in prop::collection::vec(0_usize..10_000, 0..8), several: bool,
        writer in prop::sample::select(vec![Writer::Pg, Writer::Mysql, Writer::Sqlite]),
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let whole = counted(writer, several, std::iter::once(&text[..]));
        let cut = counted(writer, several, cuts.windows(2).map(|w| &text[w[0]..w[1]]));
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(&whole, &counted(writer, several, text.chunks(1)));
    }

    #[test]
    fn rows_are_counted_whatever_is_in_them(
        rows in prop::collection::vec(prop::collection::vec("[^\\x00]{0,30}", 1..4), 0..20), per in 1_usize..4,
    ) {
        let copy = |text: &str| text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
        let standard = |text: &str| format!("'{}'", text.replace('\'', "''"));
        let escaped = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('"', "\\\""));
        let row = |row: &Vec<String>, quoted: &dyn Fn(&str) -> String, between: &str| {
            row.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(between)
        };
        let mut pg = "COPY t (a) FROM stdin;\n".to_owned();
        for one in &rows {
            pg.extend([&row(one, &copy, "\t"), "\n"]);
        }
        pg += "\\.\n";
        let (mut sqlite, mut mysql) = ("CREATE TABLE t(a);\n".to_owned(), "CREATE TABLE `t` (a);\n".to_owned());
        for some in rows.chunks(per) {
            let all: Vec<_> = some.iter().map(|one| format!("({})", row(one, &standard, ","))).collect();
            sqlite.extend(["INSERT INTO t VALUES", &all.join(","), ";\n"]);
            let all: Vec<_> = some.iter().map(|one| format!("({})", row(one, &escaped, ","))).collect();
            mysql.extend(["INSERT INTO `t` VALUES ", &all.join(","), ";\n"]);
        }
        let expected = Counts::Of(BTreeMap::from([("t".to_owned(), rows.len() as u64)]));
        for (writer, text) in [(Writer::Pg, &pg), (Writer::Pg, &sqlite), (Writer::Sqlite, &sqlite), (Writer::Mysql, &mysql)] {
            let got = counted(writer, false, text.as_bytes().chunks(11));
            prop_assert_eq!(&got, &expected, "{:?}: {}", writer, text);
        }
    }
}
