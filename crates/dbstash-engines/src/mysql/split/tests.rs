#![allow(clippy::format_push_string, reason = "the parts of a dump, one after the other")]

use proptest::prelude::*;

use super::super::Dialect;
use super::super::footer::Seen;
use super::*;

const HEADER: &str = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19-11.8.3-MariaDB\n--\n\
    -- Host: db    Database: shop\n-- ------\n-- Server version\t10.11.14-MariaDB\n\n\
    /*!40101 SET NAMES utf8mb4 */;\n/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;\n\
    /*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n\
    /*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;\n\n";
const FOOTER: &str =
    "/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n\n-- Dump completed on 2026-02-07  2:00:00\n";
const RESET: &str = "\n/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;\n\
    /*M!100616 SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY */;\n";

type Files = Vec<(String, Vec<u8>)>;

fn split(dump: &[u8], chunks: &mut dyn Iterator<Item = usize>) -> Result<Files, Incomplete> {
    let mut files = Files::new();
    let mut take = |piece: Piece<'_>| match piece {
        Piece::File(name) => files.push((name.to_owned(), Vec::new())),
        Piece::Bytes(bytes) => files.last_mut().unwrap().1.extend_from_slice(bytes),
    };
    let mut splitter = Box::new(Split::new(Footer::new(Dialect::Mariadb, Seen::Footer, false)));
    let mut rest = dump;
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(chunks.next().unwrap().clamp(1, rest.len()));
        splitter.feed(chunk, &mut take);
        rest = after;
    }
    splitter.finish(&mut take).map(|_| files)
}

fn whole(parts: &str) -> String {
    format!("{HEADER}{parts}{FOOTER}")
}

fn marker(text: &str) -> String {
    format!("\n--\n-- {text}\n--\n\n")
}

/// Names and own parts.
fn parts(dump: &str) -> Vec<(String, String)> {
    let files = split(dump.as_bytes(), &mut std::iter::repeat(usize::MAX)).unwrap();
    let own = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        // The blank line before the first marker is the header's.
        let text = text.strip_prefix(HEADER).unwrap().strip_suffix(RESET).unwrap();
        text.trim_start_matches('\n').to_owned()
    };
    files.into_iter().map(|(name, text)| (name, own(text))).collect()
}

fn names(dump: &str) -> Vec<String> {
    parts(dump).into_iter().map(|(name, _)| name).collect()
}

/// Parts in the order of a dump, with all that could look like a marker and is none.
fn nasty() -> String {
    let fakes = "\n--\n-- Table structure for table `fake`\n--\n\nDELIMITER ;\n";
    let mut dump = String::new();
    dump += &marker("Sequence structure for `numbers`");
    dump += "DO SETVAL(`numbers`, 7, 0);\n";
    dump += &marker("Temporary table structure for view `a view`");
    dump += "/*!50001 CREATE VIEW `a view` AS SELECT\n 1 AS `x` */;\n";
    dump += &marker("Table structure for table `Ünder/``x`");
    dump +=
        &format!("CREATE TABLE x (a INT DEFAULT '{fakes}', `{fakes}` INT) COMMENT=\"{fakes}\";\n");
    dump += &marker("Dumping data for table `Ünder/``x`");
    dump += &format!(
        "INSERT INTO x VALUES\n('it\\'s\\\\','',-1,'/*'),\n('--{fakes}','a''{fakes}''');\nUNLOCK TABLES;\n"
    );
    dump += "/*!50003 SET @saved_cs_client      = @@character_set_client */ ;\nDELIMITER ;;\n";
    dump += &format!(
        "/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN /*{fakes}*/\n-- it's\n# it's{fakes}\nSET @a = 1 -- \n; END */;;\nDELIMITER ;\n"
    );
    dump += &marker("Table structure for table `second`");
    dump += "CREATE TABLE second (x INT);\n";
    dump += &marker("Dumping events for database 'shop'");
    dump += &marker("Dumping routines for database 'shop'");
    dump += "/*!50003 SET sql_mode              = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES' */ ;\nDELIMITER ;;\n";
    dump += &format!(
        "CREATE PROCEDURE p() BEGIN SELECT '\\', \"\\\", '{fakes}' ; END ;;\nDELIMITER ;\n"
    );
    dump += "/*!50003 SET sql_mode              = @saved_sql_mode */ ;\n";
    dump += &marker("Final view structure for view `a view`");
    dump += &format!("/*!50001 VIEW `a view` AS select '\\'{fakes}' AS `x` */;\n");
    whole(&dump)
}

#[test]
fn a_file_for_each_part() {
    let parts = parts(&nasty());
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "100001-sequence-numbers.sql",
            "300002-view-columns-a%20view.sql",
            "200003-table-%C3%9Cnder%2F%60x.sql",
            "400004-triggers-%C3%9Cnder%2F%60x.sql",
            "200005-table-second.sql",
            "600006-events-shop.sql",
            "500007-routines-shop.sql",
            "700008-view-a%20view.sql",
        ]
    );
    assert!(parts[2].1.contains("INSERT INTO") && parts[2].1.ends_with("UNLOCK TABLES;\n"));
    assert!(parts[3].1.starts_with("/*!50003 SET @saved_cs_client"));
    let own: String = parts.iter().map(|(_, own)| own.trim_start_matches('\n')).collect();
    let dump = nasty();
    let dump = dump.strip_prefix(HEADER).unwrap().trim_start_matches('\n');
    assert_eq!(own, dump);
}

#[test]
fn databases_are_told_apart() {
    let mut dump = String::new();
    for database in ["one", "t`wo"] {
        let quoted = database.replace('`', "``");
        dump += &marker(&format!("Current Database: `{quoted}`"));
        dump += &format!("CREATE DATABASE `{quoted}`;\n\nUSE `{quoted}`;\n");
        dump += &marker("Table structure for table `t`");
        dump += "CREATE TABLE t (x INT);\n";
    }
    dump += &marker("Current Database: `one`");
    dump += "USE `one`;\n";
    dump += &marker("Final view structure for view `v`");
    dump += "/*!50001 VIEW `v` AS select 1 */;\n";
    let parts = parts(&whole(&dump));
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "000001-database-one.sql",
            "200002-table-one.t.sql",
            "000003-database-t%60wo.sql",
            "200004-table-t%60wo.t.sql",
            "700005-view-one.v.sql",
        ]
    );
    assert!(parts[3].1.starts_with("USE `t``wo`;\n\n"));
    assert!(parts[4].1.starts_with("USE `one`;\n\n"));
    assert!(!parts[0].1.starts_with("USE"));
}

#[test]
fn only_a_whole_dump() {
    let dump = nasty();
    for end in (0..dump.len()).filter(|at| dump.is_char_boundary(*at)) {
        assert!(split(&dump.as_bytes()[..end], &mut std::iter::repeat(64)).is_err(), "{end}");
    }
    let open = whole(&format!(
        "{}CREATE TABLE t (x INT DEFAULT 'a",
        marker("Table structure for table `t`")
    ));
    let error = split(open.as_bytes(), &mut std::iter::repeat(64)).unwrap_err().to_string();
    assert!(error.contains("in the middle of a statement"), "{error}");
    let endless = whole(&"SELECT 1;\n".repeat(10_000));
    assert!(split(endless.as_bytes(), &mut std::iter::repeat(64)).is_err());
    let empty = whole("");
    let files = split(empty.as_bytes(), &mut std::iter::repeat(64)).unwrap();
    assert_eq!(files, [("800001-end.sql".to_owned(), empty.into_bytes())]);
}

#[test]
fn long_names_and_lines_stay_within_limits() {
    let long = "ü".repeat(64);
    let dump = whole(&format!(
        "{}-- {}\n",
        marker(&format!("Table structure for table `{long}`")),
        "x".repeat(100_000)
    ));
    let names = names(&dump);
    assert!(names[0].len() < 200 && names.len() == 1, "{names:?}");
}

/// Pieces of dumps, well-formed and not.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(marker("Table structure for table `t`")),
        Just(marker("Dumping data for table `t`")),
        Just(marker("Final view structure for view `v`")),
        Just(marker("Current Database: `d`")),
        Just("/*!50003 SET @saved_cs_client      = x */ ;\n".to_owned()),
        Just("/*!50003 SET sql_mode = 'NO_BACKSLASH_ESCAPES' */ ;\n".to_owned()),
        Just("DELIMITER ;;\n".to_owned()),
        Just("DELIMITER ;\n".to_owned()),
        Just("INSERT INTO `t` VALUES (1,'a\\'b');\n".to_owned()),
        "[-/*!M'\"`\\\\;#\n a]{0,12}",
    ]
}

proptest! {
    #[test]
    fn any_chunks_give_the_same_files(
        fragments in prop::collection::vec(fragment(), 0..30),
        sizes in prop::collection::vec(1usize..40, 1..20),
    ) {
        let first = marker("Table structure for table `first`");
        let dump = whole(&format!("{first}{}", fragments.concat()));
        let at_once = split(dump.as_bytes(), &mut std::iter::repeat(usize::MAX));
        prop_assert_eq!(split(dump.as_bytes(), &mut sizes.iter().copied().cycle()), at_once.clone());
        prop_assert_eq!(split(dump.as_bytes(), &mut std::iter::repeat(1)), at_once.clone());
        // Nothing is lost and nothing comes twice.
        if let Ok(files) = at_once {
            let header = format!("{HEADER}\n");
            let own = files.iter().map(|(_, text)| {
                let text = text.strip_prefix(header.as_bytes()).unwrap();
                let text = text.strip_prefix(b"USE `d`;\n\n").unwrap_or(text);
                text.strip_suffix(RESET.as_bytes()).unwrap()
            });
            prop_assert_eq!(own.collect::<Vec<_>>().concat(), &dump.as_bytes()[header.len()..]);
        }
    }
}
