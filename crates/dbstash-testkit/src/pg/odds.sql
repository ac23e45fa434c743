-- What is rarer than the things of the shop: more types, more kinds of objects, odder names.
SET SESSION AUTHORIZATION stash;
SET client_min_messages = error;
SET TimeZone = 'UTC';

CREATE TABLE more_types (
    id integer PRIMARY KEY, m8 macaddr8, ci circle, li line, ls lseg, bo box, pa path, po polygon,
    r4 int4range, r8 int8range, rn numrange, rd daterange, rt tsrange, mr tstzmultirange, q tsquery,
    fixed bit(7), one "char", n name, o oid, rc regclass, ty regtype, lsn pg_lsn, x8 xid8, snap pg_snapshot,
    jp jsonpath, shares percent[], pairs pair[], shifted text[], spans interval[], docs jsonb[], big numeric,
    tight numeric(1000, 500), odd text
);
INSERT INTO more_types VALUES
    (1, '08:00:2b:01:02:03:04:05', '<(1,2),3>', '{1,-1,0}', '[(0,0),(1,1)]', '((1,1),(0,0))', '[(0,0),(1,1),(2,0)]',
        '((0,0),(1,1),(2,0))', '[1,10)', '(,5]', '(1.5,2.5]', '[2026-01-01,)', '[2026-01-01,2026-02-01)',
        '{[2026-01-01 00:00+00,2026-01-02 00:00+00)}', 'fat & (rat | !cat:*)', B'1010101', 'x', 'a name', 4294967295,
        'customer', 'numeric(5,2)', 'FFFFFFFF/FFFFFFFF', '18446744073709551615', '10:20:10,14,15', '$.a[*] ? (@ > 1)',
        '{0,99.99}', ARRAY[ROW(1, 'x,"y"')::pair, NULL], '[2:3]={a,NULL}', '{"1 mon","-00:00:01"}', '{"{\"a\": \"\\\\\"}",null}',
        repeat('9', 2000)::numeric, 0.5::numeric(1000, 500), E'\x01\x7f\u2028\u202e\ufeff👩‍👩‍👧 \r\n\t\\n\\.\\N'),
    (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'empty', 'empty', '(,)', NULL, NULL, '{}', '', B'0000000', '', '',
        0, NULL, NULL, '0/0', '3', NULL, 'strict $', '{}', '{}', '{}', '{}', '{}', 1e-300, 0, '');

-- Names: the longest there is, one with a line break, one with backslashes and quotes, one that is a keyword.
CREATE TABLE "ÄÖÜ-äöü 100% UPPER lower 🦀 a name of as many bytes as fit in" (x integer);
CREATE TABLE U&"a line\000Abreak; DROP TABLE customer --" (U&"in a\000Acolumn" text DEFAULT E'a\nb', "%s%n" integer);
INSERT INTO U&"a line\000Abreak; DROP TABLE customer --" VALUES (E'x\ny', 1);
CREATE SCHEMA "C:\temp\'""";
CREATE TABLE "C:\temp\'"""."table" ("column" text, "from" integer);
INSERT INTO "C:\temp\'"""."table" VALUES ('C:\new', 1), (E'\\', NULL);

-- Columns that are gone, and how the others are kept.
CREATE TABLE gaps (a integer, gone text, b text COMPRESSION pglz COLLATE "C", c bytea);
ALTER TABLE gaps DROP COLUMN gone, ALTER b SET STATISTICS 7, ALTER c SET STORAGE EXTERNAL, SET (fillfactor = 70);
ALTER TABLE gaps REPLICA IDENTITY FULL;
INSERT INTO gaps VALUES (1, repeat('b', 5000), decode(repeat('c0ffee', 3000), 'hex'));

-- Each needs the other one first.
CREATE TABLE hen (id integer PRIMARY KEY, egg integer);
CREATE TABLE egg (id integer PRIMARY KEY, hen integer REFERENCES hen);
INSERT INTO hen VALUES (1, 2);
INSERT INTO egg VALUES (2, 1);
ALTER TABLE hen ADD CONSTRAINT "and back" FOREIGN KEY (egg) REFERENCES egg DEFERRABLE;
CREATE TABLE booking (room text, during tsrange, EXCLUDE USING gist (during WITH &&) WHERE (room <> ''));
INSERT INTO booking VALUES ('a', '[2026-01-01,2026-01-02)'), ('', '[2026-01-01,2026-01-02)');
CREATE TABLE spread (id integer PRIMARY KEY, t text) PARTITION BY HASH (id);
CREATE TABLE spread_0 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE spread_1 PARTITION OF spread FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO spread SELECT i, 'row ' || i FROM generate_series(1, 100) i;
CREATE TABLE points_at (spread integer REFERENCES spread);
INSERT INTO points_at VALUES (1), (100), (NULL);

CREATE SEQUENCE backwards AS smallint INCREMENT -3 MINVALUE -30 MAXVALUE -1 CYCLE CACHE 5;
SELECT nextval('backwards') \g /dev/null
CREATE COLLATION "by number" (provider = icu, locale = 'en-u-kn');
CREATE TABLE sorted (t text COLLATE "by number");
INSERT INTO sorted VALUES ('a10'), ('a9');
CREATE INDEX "sorted so" ON sorted (t) INCLUDE (t);
CREATE FUNCTION rank_of(m mood, plus integer DEFAULT 0) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog BEGIN ATOMIC SELECT length(m::text) + plus; END;
CREATE FUNCTION of_any(VARIADIC anyarray) RETURNS TABLE (n bigint, "a b" text) LANGUAGE plpgsql SECURITY DEFINER COST 7 ROWS 3
    AS 'BEGIN RETURN QUERY SELECT 1::bigint, $1::text; END';
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 IS NOT DISTINCT FROM $2';
CREATE OPERATOR === (FUNCTION = same, LEFTARG = text, RIGHTARG = text, COMMUTATOR = ===);
CREATE FUNCTION one_of(mood) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT rank_of($1)';
CREATE CAST (mood AS integer) WITH FUNCTION one_of(mood) AS ASSIGNMENT;
CREATE TEXT SEARCH CONFIGURATION "as it is" (COPY = simple);
CREATE TYPE span AS RANGE (subtype = double precision, subtype_diff = float8mi);
CREATE RECURSIVE VIEW countdown (n) AS SELECT 3 UNION ALL SELECT n - 1 FROM countdown WHERE n > 1;
CREATE VIEW checked WITH (security_invoker) AS SELECT * FROM gaps WHERE a > 0 WITH CASCADED CHECK OPTION;
CREATE FUNCTION count_them() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON gaps DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION count_them();
CREATE TRIGGER "in bulk" AFTER UPDATE ON gaps REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION count_them();
ALTER TABLE gaps DISABLE TRIGGER "in bulk";
ALTER TABLE sorted ENABLE ROW LEVEL SECURITY;
CREATE POLICY "by day" ON sorted AS RESTRICTIVE FOR ALL TO pg_monitor USING (t <> '') WITH CHECK (t ~ 'a');
CREATE PUBLICATION "all of it" FOR TABLE customer (id, name) WHERE (id > 10);
RESET SESSION AUTHORIZATION;

-- What only a superuser may make.
CREATE FUNCTION watch_it() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "watch it" ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION watch_it();
ALTER EVENT TRIGGER "watch it" ENABLE ALWAYS;
CREATE FOREIGN DATA WRAPPER nothing OPTIONS (debug 'it''s');
CREATE SERVER "far away" TYPE 'x' VERSION '1' FOREIGN DATA WRAPPER nothing OPTIONS (host 'h');
GRANT USAGE ON FOREIGN SERVER "far away" TO stash;
CREATE USER MAPPING FOR stash SERVER "far away" OPTIONS (user 'u');
CREATE FOREIGN TABLE elsewhere (x integer OPTIONS (name 'X')) SERVER "far away" OPTIONS (t 'y');
ALTER FOREIGN TABLE elsewhere OWNER TO stash;
