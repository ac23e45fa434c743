use dbstash_core::load::Edit as _;

use super::super::reader::Reader;
use super::*;

const SCRIPT: &str = "SET x = 1;\nCREATE SCHEMA \"o.s\";\nCREATE TABLE public.a (n int);\n\
    CREATE SEQUENCE public.a_n_seq;\nALTER TABLE public.a_n_seq OWNER TO x;\n\
    ALTER SEQUENCE public.a_n_seq OWNED BY public.a.n;\nCREATE TABLE \"o.s\".\"B c\" (n int);\n\
    ALTER TABLE \"o.s\".\"B c\" ALTER COLUMN n ADD GENERATED ALWAYS AS IDENTITY (\n    SEQUENCE NAME \"o.s\".s\n);\n\
    CREATE SEQUENCE public.free;\nCOPY public.a (n) FROM stdin;\n1\n\\.\nCOPY \"o.s\".\"B c\" (n) FROM stdin;\n2\n\\.\n\
    SELECT pg_catalog.setval('public.a_n_seq', 1, true);\nSELECT pg_catalog.setval('\"o.s\".s', 1, true);\n\
    ALTER TABLE ONLY public.a ADD CONSTRAINT p PRIMARY KEY (n);\nCREATE INDEX \"x ON y\" ON public.a USING btree (n);\n\
    ALTER TABLE ONLY public.a ADD CONSTRAINT f FOREIGN KEY (n) REFERENCES public.z(n);\n\
    GRANT SELECT ON TABLE \"o.s\".\"B c\" TO y;\nCOMMENT ON COLUMN public.a.n IS 'x';\nCREATE VIEW v AS SELECT 1;\n";

fn seen(tables: &[&str], side: Side) -> Result<String, String> {
    seen_of(SCRIPT, tables, side)
}

fn seen_of(script: &str, tables: &[&str], side: Side) -> Result<String, String> {
    let tables = tables.iter().map(|&word| word.to_owned()).collect();
    let parts = Parts::new(One::new("x"), &Extent { tables, side, ..Extent::default() })?;
    let (mut reader, mut out) = (Box::new(Reader::new(parts)), Vec::new());
    reader.feed(script.as_bytes(), &mut out)?;
    reader.finish(&mut out)?;
    let out = String::from_utf8(out).unwrap();
    Ok(out.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_table_with_what_is_its_own() {
    assert_eq!(
        seen(&["a"], Side::All).unwrap(),
        "SET x = 1;\nCREATE TABLE public.a (n int);\nCREATE SEQUENCE public.a_n_seq;\n\
         ALTER TABLE public.a_n_seq OWNER TO x;\nALTER SEQUENCE public.a_n_seq OWNED BY public.a.n;\n\
         COPY public.a (n) FROM stdin;\n1\n\\.\nSELECT pg_catalog.setval('public.a_n_seq', 1, true);\n\
         ALTER TABLE ONLY public.a ADD CONSTRAINT p PRIMARY KEY (n);\nCREATE INDEX \"x ON y\" ON public.a USING btree \
         (n);\nCOMMENT ON COLUMN public.a.n IS 'x';"
    );
    let schema = seen(&["B c"], Side::Schema).unwrap();
    assert!(
        schema.contains(
            "nspname = E'o.s') THEN CREATE SCHEMA \"o.s\"; END IF; END $dbstash$; CREATE TABLE \"o.s\"."
        ),
        "{schema}"
    );
    for word in ["B c", "\"o.s\".\"B c\""] {
        assert_eq!(
            seen(&[word], Side::Data).unwrap(),
            "SET x = 1;\nCOPY \"o.s\".\"B c\" (n) FROM stdin;\n2\n\\.\nSELECT pg_catalog.setval('\"o.s\".s', 1, true);"
        );
    }
    assert!(seen(&["public.a"], Side::Schema).unwrap().lines().all(|line| !line.contains("COPY")));
    assert_eq!(seen(&["a", "public.none"], Side::All).unwrap_err(), "it has no table public.none");
    assert!(seen(&["\"a"], Side::All).is_err());
}

#[test]
fn who_sees_its_rows_is_its_own() {
    let kept = "CREATE TABLE public.a (n int);\nALTER TABLE ONLY public.a FORCE ROW LEVEL SECURITY;\n\
        CREATE POLICY \"of ON public.b\" ON public.a FOR SELECT TO x USING (true);\n\
        COMMENT ON POLICY \"of ON public.b\" ON public.a IS 'x';\n\
        ALTER TABLE public.a ENABLE ROW LEVEL SECURITY;\nALTER TABLE public.a DISABLE TRIGGER ALL;";
    let others = "CREATE POLICY p ON public.b;\nALTER TABLE public.b ENABLE ROW LEVEL SECURITY;\n\
        ALTER TABLE public.a DISABLE TRIGGER \"T\";\nALTER TABLE public.a ENABLE ALWAYS TRIGGER t;\n\
        ALTER TABLE public.a ENABLE REPLICA RULE r;\nALTER TABLE public.a DISABLE RULE r;\n";
    assert_eq!(seen_of(&format!("{kept}\n{others}"), &["a"], Side::All).unwrap(), kept);
}

#[test]
fn what_is_said_of_a_view_makes_no_table_of_it() {
    let of = |name: &str| {
        format!(
            "ALTER TABLE {name} OWNER TO x;\nCREATE INDEX i ON {name} USING btree (n);\nCOMMENT ON COLUMN {name}.n IS \
             'x';\nGRANT SELECT ON TABLE {name} TO y;"
        )
    };
    let script = format!("CREATE VIEW s.a AS SELECT 1;\n{}\n", of("s.a"));
    for side in [Side::All, Side::Schema] {
        assert_eq!(seen_of(&script, &["s.a"], side).unwrap_err(), "it has no table s.a");
    }
    assert_eq!(seen_of(&script, &["a"], Side::Data).unwrap_err(), "it has no table a with rows");
    // Nor where a table of that name is in another schema.
    let table = format!("CREATE TABLE public.a (n int);\n{}", of("public.a"));
    assert_eq!(seen_of(&format!("{script}{table}\n"), &["a"], Side::All).unwrap(), table);
    // Of a dump that has only rows, they count, unless only the other side is wanted.
    let rows = "ALTER TABLE public.a DISABLE TRIGGER ALL;\nINSERT INTO public.a VALUES (1);";
    assert_eq!(seen_of(rows, &["a"], Side::All).unwrap(), rows);
    assert!(seen_of(rows, &["a"], Side::Schema).is_err());
    assert!(seen_of(&table, &["a"], Side::Data).is_err());
}

#[test]
fn a_schema_is_made_once_whatever_its_name() {
    let script = "CREATE TABLE \"a'\"\"\\\".a (n int);\nCREATE TABLE \"a'\"\"\\\".b (n int);\n";
    let said = seen_of(script, &["a", "b"], Side::All).unwrap();
    assert!(said.contains("E'a''\"\\\\') THEN CREATE SCHEMA \"a'\"\"\\\";"), "{said}");
    assert_eq!(said.matches("CREATE SCHEMA").count(), 1);
    let odd = "CREATE TABLE \"$dbstash$\".a (n int);";
    assert_eq!(seen_of(odd, &["a"], Side::All).unwrap(), odd);
}

#[test]
fn one_side() {
    let schema = seen(&[], Side::Schema).unwrap();
    assert!(schema.contains("CREATE VIEW") && !schema.contains("COPY") && !schema.contains("\n2"));
    let data = seen(&[], Side::Data).unwrap();
    assert_eq!(data.matches("COPY ").count(), 2);
    assert!(!data.contains("CREATE") && data.contains("setval"));
}

#[test]
fn partitions_do_not_come_alone() {
    let made = "CREATE TABLE s.part (\n    n int\n)\nPARTITION BY RANGE (n);\n\
        CREATE TABLE s.part1 (\n    n int\n);\nCREATE TABLE s.a (\n    n int\n);\n";
    let attach = "ALTER TABLE ONLY s.part ATTACH PARTITION s.part1 FOR VALUES FROM (1) TO (9);\n";
    let rows = |of: &str| {
        format!("COPY s.{of} (n) FROM stdin;\n1\n\\.\nCOPY s.a (n) FROM stdin;\n7\n\\.\n")
    };
    let script = format!("{made}{attach}{}", rows("part1"));
    for side in [Side::All, Side::Schema] {
        for table in ["part", "s.part1"] {
            let why = seen_of(&script, &[table], side).unwrap_err();
            assert!(why.contains("--table: s.part") && why.contains("another database"), "{why}");
        }
    }
    assert!(seen_of(&script, &["a"], Side::All).unwrap().ends_with("7\n\\."));
    // Rows go into a partition that is there.
    assert!(seen_of(&script, &["part"], Side::Data).is_err());
    let said = seen_of(&script, &["part1"], Side::Data).unwrap();
    assert_eq!(said, "COPY s.part1 (n) FROM stdin;\n1\n\\.");
    // Unless they are stored as those of the whole.
    let script = format!("{made}{attach}{}", rows("part"));
    assert!(seen_of(&script, &["part1"], Side::Data).unwrap_err().contains("s.part has"));
    assert!(seen_of(&script, &["a"], Side::Data).unwrap().ends_with("7\n\\."));
    // As older ones say it, and where neither is at hand.
    let script = "CREATE TABLE \"o s\".b PARTITION OF \"o s\".a\nFOR VALUES IN (1);\n";
    assert!(seen_of(script, &["b"], Side::All).unwrap_err().contains("o s.b has"));
    assert!(
        seen_of(&format!("CREATE TABLE s.part (n int);\n{attach}"), &["part"], Side::All).is_err()
    );
}
