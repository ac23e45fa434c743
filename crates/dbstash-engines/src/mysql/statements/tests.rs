use super::*;

const HEAD: &str = "/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n/*!50503 SET NAMES utf8mb4 */;\n\
    /*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n";
const TABLE: &str = "CREATE TABLE `t` (\n  `a` int NOT NULL,\n  `b` varchar(9) DEFAULT 'x,(',\n  PRIMARY KEY (`a`,`b`)\n) ENGINE=InnoDB;\n";

/// What is said of statements about the table `t`.
fn verdict(text: &str) -> Result<(), String> {
    let judged = |size: usize| {
        let mut script = Statements::new(Known::default());
        script.feed(HEAD.as_bytes());
        script.rules.section(Some(b"`t`"));
        text.as_bytes().chunks(size).for_each(|chunk| script.feed(chunk));
        script.finish()
    };
    let whole = judged(text.len().max(1));
    assert_eq!(whole, judged(1), "{text}");
    whole
}

#[test]
fn what_the_tools_write_is_good() {
    for good in [
        "",
        "-- it's a comment; (\n--\nUSE `a``b`;\n",
        "/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;\n/*! SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;\n",
        "/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`r`@`%` */\n/*!50001 VIEW `v` AS select 'it\\'s' AS `\u{e9};` */;\n",
        "DROP TABLE IF EXISTS `t`;\n/*!50032 DROP TRIGGER IF EXISTS w; */\nUNLOCK TABLES;\n",
        "LOCK TABLES `t` WRITE;\n/*!40000 ALTER TABLE `t` DISABLE KEYS */;\nINSERT INTO `t` (`a`) VALUES (1),(2);\n",
        "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `x` /*!40100 DEFAULT CHARACTER SET utf8mb4 */;\n",
        // In which a quote may be half a character.
        "SET NAMES gbk;\nNONSENSE ')\n",
    ] {
        assert_eq!(verdict(good), Ok(()), "{good}");
    }
    for rows in ["(1,'x')", "(1,NULL),\n(2,'')"] {
        assert_eq!(verdict(&format!("{TABLE}INSERT INTO `t` VALUES {rows};\n")), Ok(()));
    }
    // Some of its columns are not dumped.
    let odd = TABLE.replace("`b`", "`c` int GENERATED ALWAYS AS (`a`),\n  `b`");
    assert_eq!(verdict(&format!("{odd}INSERT INTO `t` VALUES (1,'x');\n")), Ok(()));
}

#[test]
fn what_they_do_not_is_told() {
    for bad in [
        "CREAUE TABLE `t` (a int);\n",
        "DROP TABLE IF EXISTS `u`;\n",
        "LOCK TABLES `t` WRITF;\n",
        "UNLOCK TABLER;\n",
        "/*!40000 ALTER TABLE `t` DISABLE KEYR */;\n",
        "/*!4010 SET A=1 */;\n",
        "/*!40101 SET CHARACTER_SET_CLIENT=@OLD_UNIQUE_CHECKS */;\n",
        "/*!40101 SET @OLD_SQL_NOTES=@@SQL_MODE */;\n",
        "SET time_zone;\n",
        "INSERT INTO `t` VALUES (1),(2,3);\n",
        "INSERT INTO `t` (`a`,`b`) VALUES (1);\n",
        "INSERT INTO `t` VALUFS (1);\n",
        "SELECT (1;\n",
        "SELECT 1);\n",
        "SELECT 'a;\n",
        "/*!50001 SELECT 1;\n",
        "-x comment\n",
    ] {
        assert!(verdict(bad).is_err(), "{bad}");
    }
    for rows in ["(1)", "(1,'x',3)", "(1,'x')(2,'y')"] {
        assert!(verdict(&format!("{TABLE}INSERT INTO `t` VALUES {rows};\n")).is_err(), "{rows}");
    }
}
