use super::*;

fn verdict(text: &str) -> Result<(), String> {
    let judged = |size: usize| {
        let mut script = Script::new(Known::default());
        text.as_bytes().chunks(size).for_each(|chunk| script.feed(chunk));
        script.finish()
    };
    let whole = judged(text.len().max(1));
    assert_eq!(whole, judged(1), "{text}");
    whole
}

const TABLE: &str =
    "CREATE TABLE [a t](a, \"b,(\" TEXT DEFAULT (1,2), /* c, */ PRIMARY KEY(a, b));\n";

#[test]
fn what_dump_writes_is_good() {
    for good in [
        "",
        "/* WARNING: x */\nPRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCOMMIT;\nPRAGMA user_version=-7;\n",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN\n SELECT CASE WHEN 1 THEN 2 END; INSERT INTO y VALUES (';');\nEND;\nCOMMIT;\n",
        "CREATE TABLE t(a);\nINSERT INTO t VALUES('it''s; (');\nINSERT INTO sqlite_sequence VALUES('t',1);\nDELETE FROM sqlite_sequence;\n",
        "INSERT INTO t(rowid,\"a,b\",`c``d`) VALUES(1,NULL,X'00');\nINSERT INTO u VALUES(1);\n",
        "PRAGMA writable_schema=ON;\nINSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table','v','v',0,'x');\n",
        "CREATE TABLE IF NOT EXISTS 'v_data'(id INTEGER PRIMARY KEY, block BLOB);\nINSERT INTO v_data VALUES(1,X'');\n",
        "CREATE TABLE kv(key TEXT, period, vector, value);\nINSERT INTO kv VALUES(1,2,3,4);\n",
        "CREATE TABLE g(a, b AS (a + 1));\nINSERT INTO g VALUES(1);\n",
    ] {
        assert_eq!(verdict(good), Ok(()), "{good}");
    }
    assert_eq!(verdict(&format!("{TABLE}INSERT INTO \"a t\" VALUES(1,'x');\n")), Ok(()));
}

#[test]
fn what_it_does_not_is_told() {
    for bad in [
        "PRAGMA foreign_keys=OFG;\n",
        "BEGIN TRANSACTIOM;\n",
        "CREATE TABLF t(a);\n",
        "INSERT INTO t VALUES(1;\n",
        "INSERT INTP t VALUES(1);\n",
        "CREATE TABLE t(a);\nINSERT INTO u VALUES(1);\n",
        "CREATE TABLE t(a);\nINSERT INTO t VALUES(1);\nINSERT INTO t VALUES(1,2);\n",
        "INSERT INTO t(a,b) VALUES(1);\n",
        "CREATE TRIGGER x BEGIN SELECT 1; EMD;\n",
        "CREATE TABLE t(a;\n",
        "CREATE VIEW v AS SELECT 'a;\n",
        "COMMIT x;\n",
    ] {
        assert!(verdict(bad).is_err(), "{bad}");
    }
    for row in ["1", "1,2,3"] {
        assert!(verdict(&format!("{TABLE}INSERT INTO \"a t\" VALUES({row});\n")).is_err(), "{row}");
    }
}
